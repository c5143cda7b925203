//! Published calendars: `/calendars/TOKEN.ics`, for whoever has the link, without login.

use std::net::IpAddr;

use allod_core::{Core, Door};
use allod_kit::{ResponseBody, empty_body};
use allod_model::Protocol;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH,
};
use http::{HeaderMap, Method, Response, StatusCode};

use crate::error::{Answer, Doing, Failure};
use crate::export;
use crate::handle::{client_of, empty};

/// What stands before the token in the path of a published calendar.
pub const PUBLISHED_PREFIX: &str = "/calendars/";
/// What stands behind it.
pub const PUBLISHED_SUFFIX: &str = ".ics";

/// The token in a path, if it is that of a published calendar.
pub(crate) fn token(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(PUBLISHED_PREFIX)?;
    Some(rest.strip_suffix(PUBLISHED_SUFFIX).unwrap_or(rest))
}

/// Answers GET and HEAD of a published calendar.
pub(crate) async fn handle(
    core: &Core,
    token: &str,
    method: &Method,
    headers: &HeaderMap,
    address: IpAddr,
) -> Answer {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Failure::method_not_allowed());
    }
    let failing = |error| Failure::of(error, Doing::Read, str::to_owned);
    let protocols = vec![Protocol::new("caldav")];
    let door = Door { protocols, address: Some(address), client: client_of(headers) };
    let published = core.open_link(token, door).await.map_err(failing)?;
    // Weak: the calendar is put together anew each time, and means the same.
    let tag = HeaderValue::from_str(&format!("W/\"{}\"", published.node.etag)).ok();
    if let (Some(tag), Some(known)) = (&tag, headers.get(IF_NONE_MATCH))
        && known.as_bytes().trim_ascii() == tag.as_bytes()
    {
        let mut response = empty(StatusCode::NOT_MODIFIED);
        response.headers_mut().insert(ETAG, tag.clone());
        return Ok(response);
    }
    let mut response: Response<ResponseBody> = Response::new(empty_body());
    if *method == Method::GET {
        *response.body_mut() = export::calendar(&published.node, published.objects).await.map_err(failing)?;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    // Whoever has the link may read it, pages that show calendars too.
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if let Some(tag) = tag {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}
