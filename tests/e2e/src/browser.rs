//! A person's browser, as far as forms and cookies go: it follows nothing by itself.

use crate::http::{Reply, Request};
use crate::server::Server;

/// Cookies of one person, and the origin of the pages that it sends forms from.
pub struct Browser<'a> {
    server: &'a Server,
    /// What the server asked to keep: name and value.
    pub cookies: Vec<(String, String)>,
}

/// A form's body: `application/x-www-form-urlencoded`.
pub fn form(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        let byte = |b: u8| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    fields
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

impl<'a> Browser<'a> {
    /// One without cookies.
    pub fn new(server: &'a Server) -> Browser<'a> {
        Browser { server, cookies: Vec::new() }
    }

    /// One in which a person has signed in.
    pub fn signed_in(server: &'a Server, name: &str, password: &str) -> Browser<'a> {
        let mut browser = Browser::new(server);
        let reply = browser.post("/ui/sign-in", &[("name", name), ("password", password)]);
        assert_eq!(reply.status, 303, "{}", reply.text());
        browser
    }

    /// The origin of the server's pages.
    pub fn origin(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Opens a page.
    pub fn get(&mut self, target: &str) -> Reply {
        self.send(Request::new("GET", target))
    }

    /// Sends a form, as a page of the server does.
    pub fn post(&mut self, target: &str, fields: &[(&str, &str)]) -> Reply {
        let origin = self.origin();
        self.post_from(&origin, target, fields)
    }

    /// Sends a form from a page of another origin.
    pub fn post_from(&mut self, origin: &str, target: &str, fields: &[(&str, &str)]) -> Reply {
        let request = Request::new("POST", target)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Origin", origin)
            .body(form(fields));
        self.send(request)
    }

    /// Sends a request with the cookies, and keeps those that come.
    pub fn send(&mut self, request: Request) -> Reply {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header("Host", self.server.address()).header("Cookie", &cookies.join("; "));
        let reply = self.server.send(&request);
        for (_, cookie) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.retain(|(known, _)| known != name);
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        reply
    }
}
