//! `status.php` and the few documents of the Open Collaboration Services that programs ask for.

use allod_core::Core;
use allod_kit::{Peer, ResponseBody, full_body};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::error::{Answer, Failure};
use crate::escape::escaped;
use crate::handle::authenticate;
use crate::nextcloud::Window;

const STATUS: &str = "/status.php";
const CAPABILITIES: [&str; 2] = ["/ocs/v1.php/cloud/capabilities", "/ocs/v2.php/cloud/capabilities"];
const USER: [&str; 2] = ["/ocs/v1.php/cloud/user", "/ocs/v2.php/cloud/user"];
/// The places of these documents.
pub(crate) const PLACES: [&str; 5] = [STATUS, CAPABILITIES[0], CAPABILITIES[1], USER[0], USER[1]];
/// The release whose behaviour is followed. Programs refuse to talk to releases that they think too old.
const VERSION: &str = "28.0.0.0";
const VERSION_TEXT: &str = "28.0.0";

/// Answers a request for one of them; `query` is the URL's.
pub(crate) async fn document(
    core: &Core,
    path: &str,
    query: Option<&str>,
    method: &Method,
    headers: &HeaderMap,
    peer: &Peer,
) -> Answer {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Failure::method_not_allowed());
    }
    if path == STATUS {
        let text = format!(
            "{{\"installed\":true,\"maintenance\":false,\"needsDbUpgrade\":false,\"version\":\"{VERSION}\",\
             \"versionstring\":\"{VERSION_TEXT}\",\"edition\":\"\",\"productname\":\"allod\",\"extendedSupport\":false}}"
        );
        return Ok(answer("application/json", text));
    }
    // With `format=json` as JSON, else as XML: that is their default.
    let json = query.is_some_and(|query| query.split('&').any(|pair| pair == "format=json"))
        || headers.get("accept").is_some_and(|accept| accept.as_bytes().starts_with(b"application/json"));
    // The first version says 100 for "fine", the second 200.
    let code = if path.contains("/v1.php/") { 100 } else { 200 };
    let data = match CAPABILITIES.contains(&path) {
        true => capabilities(),
        false => {
            let session = authenticate(core, headers, peer.client, Window::Own.protocols()).await?;
            let account = session.account();
            let email = session.addresses().first().cloned().unwrap_or_default();
            vec![
                Item::text("id", &account),
                Item::text("display-name", &account),
                Item::text("displayname", &account),
                Item::text("email", &email),
                Item::Bool("enabled", true),
            ]
        }
    };
    let meta =
        vec![Item::text("status", "ok"), Item::Number("statuscode", code), Item::text("message", "OK")];
    let all = [Item::Group("meta", meta), Item::Group("data", data)];
    Ok(match json {
        true => answer("application/json; charset=utf-8", format!("{{\"ocs\":{}}}", as_json(&all))),
        false => answer(
            "text/xml; charset=utf-8",
            format!("<?xml version=\"1.0\"?>\n<ocs>{}</ocs>\n", as_xml(&all)),
        ),
    })
}

/// What of their abilities is really here.
fn capabilities() -> Vec<Item> {
    let version = vec![
        Item::Number("major", 28),
        Item::Number("minor", 0),
        Item::Number("micro", 0),
        Item::text("string", VERSION_TEXT),
        Item::text("edition", ""),
        Item::Bool("extendedSupport", false),
    ];
    let core = vec![Item::Number("pollinterval", 60), Item::text("webdav-root", "remote.php/webdav")];
    let dav = vec![Item::text("chunking", "1.0")];
    let files = vec![
        Item::Bool("bigfilechunking", true),
        Item::Bool("undelete", false),
        Item::Bool("versioning", false),
    ];
    let sharing = vec![Item::Bool("api_enabled", false)];
    let all = vec![
        Item::Group("core", core),
        Item::Group("dav", dav),
        Item::Group("files", files),
        Item::Group("files_sharing", sharing),
    ];
    vec![Item::Group("version", version), Item::Group("capabilities", all)]
}

/// A value with its name.
enum Item {
    Text(&'static str, String),
    Number(&'static str, u64),
    Bool(&'static str, bool),
    Group(&'static str, Vec<Item>),
}

impl Item {
    fn text(name: &'static str, text: &str) -> Item {
        Item::Text(name, text.to_owned())
    }
}

fn as_json(items: &[Item]) -> String {
    let one = |item: &Item| match item {
        // Names and addresses of accounts hold no control characters; quotes and backslashes are escaped.
        Item::Text(name, text) => {
            let text: String = text.chars().filter(|c| !c.is_control()).collect();
            format!("\"{name}\":\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        }
        Item::Number(name, number) => format!("\"{name}\":{number}"),
        Item::Bool(name, value) => format!("\"{name}\":{value}"),
        Item::Group(name, inner) => format!("\"{name}\":{}", as_json(inner)),
    };
    format!("{{{}}}", items.iter().map(one).collect::<Vec<_>>().join(","))
}

fn as_xml(items: &[Item]) -> String {
    let one = |item: &Item| match item {
        Item::Text(name, text) => format!("<{name}>{}</{name}>", escaped(text)),
        Item::Number(name, number) => format!("<{name}>{number}</{name}>"),
        Item::Bool(name, value) => format!("<{name}>{}</{name}>", if *value { "1" } else { "" }),
        Item::Group(name, inner) => format!("<{name}>{}</{name}>", as_xml(inner)),
    };
    items.iter().map(one).collect()
}

fn answer(kind: &'static str, text: String) -> Response<ResponseBody> {
    let mut response = Response::new(full_body(text));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
