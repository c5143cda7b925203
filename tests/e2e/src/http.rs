//! An HTTP/1.1 client that sends exactly what it is told.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::server::App;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A request. The target is sent as given, without any encoding.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A request without login.
    pub fn new(method: &str, target: &str) -> Request {
        Request { method: method.into(), target: target.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// A request below the account's root.
    pub fn dav(method: &str, app: &App, path: &str) -> Request {
        Request::new(method, &format!("/dav/{}{path}", app.user)).login(app)
    }

    /// Adds the credential by HTTP Basic.
    #[must_use]
    pub fn login(self, app: &App) -> Request {
        let token = STANDARD.encode(format!("{}:{}", app.user, app.password));
        self.header("Authorization", &format!("Basic {token}"))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = body.into();
        self
    }

    /// The bytes on the wire; `Host` and `Content-Length` are added unless the request names its host and says how its
    /// body is framed.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str("Host: localhost\r\n");
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let framed = |(name, _): &(String, String)| {
            name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
        };
        if !self.headers.iter().any(framed) {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        [head.into_bytes(), self.body.clone()].concat()
    }
}

/// A reply.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status code; 0 when the connection ended without one.
    pub status: u16,
    /// Headers with lower-case names.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Whether the body ended as it was framed.
    pub whole: bool,
}

impl Reply {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection that is kept alive.
pub struct Connection {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(address: &str) -> Connection {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("an option can be set");
        Connection { stream, rest: Vec::new() }
    }

    /// Sends a request and reads its reply.
    pub fn send(&mut self, request: &Request) -> Reply {
        let bodiless = request.method == "HEAD";
        // A server may answer and close before it has read everything.
        let _ = self.stream.write_all(&request.bytes());
        self.read_reply(bodiless)
    }

    /// Sends raw bytes; `false` when the server has closed.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Closes the sending direction.
    pub fn finish_sending(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// Reads some bytes; 0 at the end or on an error.
    pub fn read_some(&mut self, buffer: &mut [u8]) -> usize {
        if !self.rest.is_empty() {
            let n = self.rest.len().min(buffer.len());
            buffer[..n].copy_from_slice(&self.rest[..n]);
            self.rest.drain(..n);
            return n;
        }
        self.stream.read(buffer).unwrap_or(0)
    }

    /// Reads one reply.
    pub fn read_reply(&mut self, bodiless: bool) -> Reply {
        loop {
            let Some(head) = self.read_until(b"\r\n\r\n") else {
                return Reply { status: 0, headers: Vec::new(), body: Vec::new(), whole: false };
            };
            let text = String::from_utf8_lossy(&head).into_owned();
            let mut lines = text.split("\r\n");
            let status =
                lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).unwrap_or(0);
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            if status / 100 == 1 {
                continue;
            }
            let mut reply = Reply { status, headers, body: Vec::new(), whole: true };
            if !bodiless && status != 204 && status != 304 {
                self.read_body(&mut reply);
            }
            return reply;
        }
    }

    fn read_body(&mut self, reply: &mut Reply) {
        if reply.header("transfer-encoding").is_some_and(|t| t.eq_ignore_ascii_case("chunked")) {
            while let Some(line) = self.read_until(b"\r\n") {
                let text = String::from_utf8_lossy(&line).trim().to_owned();
                let size = usize::from_str_radix(&text, 16).unwrap_or(0);
                let Some(chunk) = self.read_exactly(size + 2) else {
                    reply.whole = false;
                    return;
                };
                if size == 0 {
                    return;
                }
                reply.body.extend_from_slice(&chunk[..size]);
            }
            reply.whole = false;
            return;
        }
        let length = reply.header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
        match self.read_exactly(length) {
            Some(body) => reply.body = body,
            None => {
                reply.whole = false;
                reply.body = std::mem::take(&mut self.rest);
            }
        }
    }

    fn read_until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.rest.windows(end.len()).position(|window| window == end) {
                let head = self.rest.drain(..at + end.len()).collect();
                return Some(head);
            }
            self.fill()?;
        }
    }

    fn read_exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.rest.len() < length {
            self.fill()?;
        }
        Some(self.rest.drain(..length).collect())
    }

    fn fill(&mut self) -> Option<()> {
        let mut buffer = [0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(n) if n > 0 => {
                self.rest.extend_from_slice(&buffer[..n]);
                Some(())
            }
            _ => None,
        }
    }
}
