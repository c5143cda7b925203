//! WebFinger (RFC 7033): where the storage of `alice@cloud.example` lies, and where a token is asked for (draft §10).
//!
//! The answer is the same for every name that an account could have, so that nobody learns here who has one.

use allod_kit::{Peer, RequestBody, ResponseBody, empty_body, full_body};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::json;

/// The newest version of the draft that is spoken here.
const VERSION: &str = "draft-dejong-remotestorage-26";
const RELATION: &str = "http://tools.ietf.org/id/draft-dejong-remotestorage";
/// Longest query looked at, in bytes.
const QUERY_BYTES_MAX: usize = 4096;

/// Answers a request for `/.well-known/webfinger`.
pub fn handle(request: &Request<RequestBody>, peer: &Peer) -> Response<ResponseBody> {
    let mut response = match *request.method() {
        Method::GET | Method::HEAD => answer(request, peer),
        Method::OPTIONS => {
            let mut response = text(StatusCode::NO_CONTENT, "");
            let headers = response.headers_mut();
            headers.insert("access-control-allow-methods", HeaderValue::from_static("GET, HEAD"));
            headers.insert("access-control-allow-headers", HeaderValue::from_static("Accept, Content-Type"));
            response
        }
        _ => {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "WebFinger knows GET and HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
            response
        }
    };
    // RFC 7033 §5.
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

fn answer(request: &Request<RequestBody>, peer: &Peer) -> Response<ResponseBody> {
    let query = request.uri().query().unwrap_or_default();
    if query.len() > QUERY_BYTES_MAX {
        return text(StatusCode::URI_TOO_LONG, "the query is too long\n");
    }
    let (resources, relations) = (values(query, "resource"), values(query, "rel"));
    // RFC 7033 §4.2.
    let [Some(resource)] = resources.as_slice() else {
        return text(StatusCode::BAD_REQUEST, "name one resource, such as acct:alice@example.org\n");
    };
    let Some(name) = account(resource) else {
        return text(StatusCode::NOT_FOUND, "there is no such resource here\n");
    };
    let origin = origin(request, peer);
    let authorize = format!("{origin}/oauth/authorize/{name}");
    let link = json!({
        "rel": RELATION,
        "href": format!("{origin}/storage/{name}"),
        "properties": {
            "http://remotestorage.io/spec/version": VERSION,
            "http://tools.ietf.org/html/rfc6749#section-4.2": authorize,
            "http://tools.ietf.org/html/rfc6749#section-3.1": authorize,
            "http://tools.ietf.org/html/rfc6749#section-3.2": format!("{origin}/oauth/token"),
            "http://tools.ietf.org/html/rfc7636": "S256",
            // RFC 6750 §2.3: a token in a URL ends in logs and histories.
            "http://tools.ietf.org/html/rfc6750#section-2.3": null,
            "http://tools.ietf.org/html/rfc7233": "GET",
            "http://remotestorage.io/spec/web-authoring": null,
        },
    });
    // RFC 7033 §4.3.
    let wanted = relations.is_empty() || relations.iter().flatten().any(|rel| rel == RELATION);
    let links = if wanted { vec![link] } else { Vec::new() };
    let mut response = Response::new(full_body(json!({ "subject": resource, "links": links }).to_string()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/jrd+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The values of a parameter; `None` for one that is not UTF-8.
fn values(query: &str, name: &str) -> Vec<Option<String>> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let named = pairs.filter(|(key, _)| *key == name);
    named
        .map(|(_, value)| percent_decode_str(value).decode_utf8().ok().map(|text| text.into_owned()))
        .collect()
}

/// The account's name in `acct:alice@host`, `alice@host` or `https://host/alice`; `None` where none could be.
fn account(resource: &str) -> Option<String> {
    let name = match resource.split_once("://") {
        Some(("http" | "https", rest)) => {
            let (_, path) = rest.split_once('/')?;
            path.trim_end_matches('/').trim_start_matches('~')
        }
        Some(_) => return None,
        None => resource.strip_prefix("acct:").unwrap_or(resource).rsplit_once('@')?.0,
    };
    let name = name.to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let sound = name.starts_with(plain)
        && name.len() <= allod_core::ACCOUNT_NAME_BYTES_MAX
        && name.chars().all(|c| plain(c) || matches!(c, '.' | '_' | '-'));
    sound.then_some(name)
}

/// Scheme and authority of this server, as the client sees them.
fn origin(request: &Request<RequestBody>, peer: &Peer) -> String {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let forwarded = header("x-forwarded-host").filter(|_| peer.proxied);
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let host = forwarded.or(authority).or_else(|| header(HOST.as_str())).unwrap_or("localhost");
    // What a client claims to have asked for becomes part of a URL: nothing but a host's characters.
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(*c)).collect();
    format!("{}://{host}", if peer.tls { "https" } else { "http" })
}

fn text(status: StatusCode, message: &'static str) -> Response<ResponseBody> {
    let body = if message.is_empty() { empty_body() } else { full_body(message) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if !message.is_empty() {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    response
}
