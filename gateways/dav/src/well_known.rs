//! `/.well-known/caldav` and `/.well-known/carddav` (RFC 6764 §5): the way into discovery.

use allod_kit::{ResponseBody, empty_body};
use http::header::{CACHE_CONTROL, HeaderValue, LOCATION};
use http::{Response, StatusCode};

use crate::url::DAV_PREFIX;

/// With and without a slash at the end.
pub(crate) const PLACES: [&str; 2] = ["/.well-known/caldav/", "/.well-known/carddav/"];

/// Whether a request is for one of them.
pub(crate) fn is_here(path: &str) -> bool {
    PLACES.iter().any(|place| place.trim_end_matches('/') == path.trim_end_matches('/'))
}

/// The same for every method and everybody: the way to `/dav/`, which names the principal once one is logged in. It is
/// relative, so that it stays right behind any proxy.
pub(crate) fn redirect() -> Response<ResponseBody> {
    let mut response = Response::new(empty_body());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_static(DAV_PREFIX));
    // RFC 6764 §5: it may move one day.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    response
}
