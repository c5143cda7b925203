//! Cross-origin answers (draft §7, Fetch standard §3.2). Every answer has them: apps live on other hosts, and a token in
//! a header, not a cookie, says who asks. So no answer allows credentials.

use allod_kit::{ResponseBody, empty_body};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use http::{Response, StatusCode};

/// What a page may send.
const ALLOW_HEADERS: &str = "Authorization, Content-Length, Content-Type, Origin, X-Requested-With, If-Match, \
    If-None-Match, If-Range, Range, Cache-Control";
/// What a page may see.
const EXPOSE_HEADERS: &str = "ETag, Content-Length, Content-Type, Content-Range, Accept-Ranges, Last-Modified, \
    Cache-Control, WWW-Authenticate, Retry-After";
/// How long a browser may remember a preflight, in seconds; browsers cap it themselves.
const PREFLIGHT_SECS: &str = "7200";
/// The methods of a storage.
pub const METHODS: &str = "GET, HEAD, PUT, DELETE, OPTIONS";

/// Answers a preflight, for any place: so it tells nothing.
pub fn preflight() -> Response<ResponseBody> {
    let mut response = Response::new(empty_body());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOW_HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_SECS));
    headers.insert(http::header::ALLOW, HeaderValue::from_static(METHODS));
    response
}

/// Lets the page that asked see the answer.
pub fn open(asked: &HeaderMap, answer: &mut HeaderMap) {
    let origin = asked.get(ORIGIN).cloned().unwrap_or(HeaderValue::from_static("*"));
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSE_HEADERS));
    answer.append(VARY, HeaderValue::from_static("Origin"));
}
