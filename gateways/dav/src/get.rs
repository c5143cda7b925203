//! GET and HEAD: files whole, in part or not at all, and folders as a page.

use std::io;

use allod_core::{ByteRange, Node, OpenFile, Want};
use allod_kit::{ResponseBody, empty_body, full_body, stream_body};
use allod_model::{Error, ErrorKind, EtagMatch, Precondition};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue,
    LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, Method, Response, StatusCode};

use crate::condition::if_range_holds;
use crate::date::http_date;
use crate::error::{Answer, Doing, Failure};
use crate::export;
use crate::handle::Call;
use crate::index_page;
use crate::props::media_type;
use crate::range::{Ranges, parse_ranges};

/// Content up to this size leaves in one piece with its head, in bytes.
const SMALL_BYTES_MAX: u64 = 64 * 1024;

/// Answers GET and HEAD on a place in the tree.
pub(crate) async fn handle(call: &Call) -> Answer {
    if call.slash || call.path.is_root() {
        return folder(call).await;
    }
    let precondition = call.precondition()?;
    let file = match call.session.open(&call.path, &precondition).await {
        Ok(file) => file,
        Err(error) if error.kind == ErrorKind::WrongKind => return folder(call).await,
        Err(error) => return Err(refused(call, error, &precondition).await),
    };
    let size = file.node.size;
    let mut response = Response::new(empty_body());
    describe(response.headers_mut(), &file.node);
    // RFC 9110 §14.2: Range is defined for GET only.
    let ranges = match call.header(RANGE.as_str()) {
        Some(ranges) if call.method == Method::GET => parse_ranges(ranges, size),
        _ => Ranges::Whole,
    };
    let ranges = match ranges {
        Ranges::Some(_) | Ranges::Unsatisfiable
            if !if_range_holds(&call.headers, &file.node.etag, file.node.modified.secs()) =>
        {
            Ranges::Whole
        }
        ranges => ranges,
    };
    match ranges {
        Ranges::Whole => {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
            if call.method == Method::GET {
                *response.body_mut() = content(call, &file, ByteRange { start: 0, end: size }).await?;
            }
        }
        // RFC 9110 §15.5.17.
        Ranges::Unsatisfiable => return Ok(unsatisfiable(size)),
        Ranges::Some(ranges) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            match ranges.as_slice() {
                [range] => {
                    let headers = response.headers_mut();
                    headers.insert(CONTENT_RANGE, content_range(*range, size)?);
                    headers.insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
                    *response.body_mut() = content(call, &file, *range).await?;
                }
                _ => multipart(&mut response, file, &ranges)?,
            }
        }
    }
    Ok(response)
}

/// A folder as one file, where that was asked for, else as a page.
async fn folder(call: &Call) -> Answer {
    match export::of_folder(call).await? {
        Some(response) => Ok(response),
        None => index_page::handle(call).await,
    }
}

/// All of a file.
pub(crate) async fn whole(call: &Call, file: &OpenFile) -> Result<ResponseBody, Failure> {
    content(call, file, ByteRange { start: 0, end: file.node.size }).await
}

/// RFC 9110 §15.4.5: 304 carries what 200 would have carried, so that a cache can renew what it has.
async fn refused(call: &Call, error: Error, precondition: &Precondition) -> Failure {
    let mut failure = call.failing(Doing::Read)(error);
    if failure.status != StatusCode::NOT_MODIFIED {
        return failure;
    }
    if let Ok(node) = call.session.stat(&call.path, Want::File, false).await {
        let known = match &precondition.if_none_match {
            Some(EtagMatch::OneOf(tags)) => tags.contains(&node.etag),
            Some(EtagMatch::Any) | None => true,
        };
        // Otherwise it was overwritten between the two looks, and these headers do not belong to what was judged.
        if known {
            validators(failure.headers.get_or_insert_default(), &node);
        }
    }
    failure
}

pub(crate) fn etag_header(node: &Node) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{}\"", node.etag)).ok()
}

/// RFC 6638 §3.2.10; `None` for what is not scheduled.
pub(crate) fn schedule_tag_header(node: &Node) -> Option<HeaderValue> {
    let tag = node.calendar.as_ref()?.schedule_tag.as_ref()?;
    HeaderValue::from_str(&format!("\"{tag}\"")).ok()
}

/// The headers that describe a file's content.
pub(crate) fn describe(headers: &mut HeaderMap, node: &Node) {
    let kind = &media_type(node);
    let value = HeaderValue::from_str(kind).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_TYPE, value);
    validators(headers, node);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if !is_inert(kind) {
        // A stored page must not act as the server's own web page.
        headers.insert("content-security-policy", HeaderValue::from_static("sandbox; default-src 'none'"));
    }
}

/// What tells one state of the file from another, and how long a cache may believe it.
fn validators(headers: &mut HeaderMap, node: &Node) {
    if let Some(etag) = etag_header(node) {
        headers.insert(ETAG, etag);
    }
    if let Some(tag) = schedule_tag_header(node) {
        headers.insert("schedule-tag", tag);
    }
    if let Ok(date) = HeaderValue::from_str(&http_date(node.modified)) {
        headers.insert(LAST_MODIFIED, date);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

/// Whether a browser shows the type without running anything in it.
fn is_inert(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.split_once('/') {
        Some(("image", "svg+xml")) => false,
        Some(("image" | "audio" | "video", _)) => true,
        Some(("text", "plain") | ("application", "pdf")) => true,
        _ => false,
    }
}

/// The bytes of one range. What goes wrong before the first of them still gets a status of its own; later the
/// connection is cut.
async fn content(call: &Call, file: &OpenFile, range: ByteRange) -> Result<ResponseBody, Failure> {
    let failing = call.failing(Doing::Read);
    if range.end - range.start <= SMALL_BYTES_MAX {
        return Ok(full_body(file.gather(range).await.map_err(failing)?));
    }
    let pieces = file.begin(range).await.map_err(failing)?;
    Ok(stream_body(pieces.map_err(io::Error::other)))
}

fn content_range(range: ByteRange, size: u64) -> Result<HeaderValue, Failure> {
    let text = format!("bytes {}-{}/{size}", range.start, range.end - 1);
    HeaderValue::from_str(&text).map_err(|_| Failure::bad_request("this range cannot be written"))
}

fn unsatisfiable(size: u64) -> Response<ResponseBody> {
    let mut response = Response::new(full_body("the file has no such range\n"));
    *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        headers.insert(CONTENT_RANGE, value);
    }
    response
}

/// RFC 9110 §14.6: several ranges as `multipart/byteranges`.
fn multipart(
    response: &mut Response<ResponseBody>,
    file: OpenFile,
    ranges: &[ByteRange],
) -> Result<(), Failure> {
    // The entity tag depends on the whole content, so no content holds the boundary made of its own.
    let tag: String = file.node.etag.0.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    let boundary = format!("allod-{tag}");
    let (size, kind) = (file.node.size, media_type(&file.node).into_owned());
    let head = |range: &ByteRange| {
        let (first, last) = (range.start, range.end - 1);
        Bytes::from(format!(
            "\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: bytes {first}-{last}/{size}\r\n\r\n"
        ))
    };
    let parts: Vec<(Bytes, ByteRange)> = ranges.iter().map(|range| (head(range), *range)).collect();
    let end = Bytes::from(format!("\r\n--{boundary}--\r\n"));
    let length = parts.iter().map(|(head, range)| head.len() as u64 + range.end - range.start).sum::<u64>();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_str(&format!("multipart/byteranges; boundary={boundary}"));
    headers.insert(CONTENT_TYPE, kind.map_err(|_| Failure::bad_request("these ranges cannot be written"))?);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length + end.len() as u64));
    let body = stream::iter(parts).flat_map(move |(head, range)| {
        let content = file.read(Some(range)).map_err(io::Error::other);
        stream::once(async { Ok(head) }).chain(content)
    });
    *response.body_mut() = stream_body(body.chain(stream::once(async { Ok(end) })));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_types_go_without_sandbox() {
        for kind in ["image/png", "video/mp4", "text/plain; charset=utf-8", "application/pdf", "IMAGE/JPEG"] {
            assert!(is_inert(kind), "{kind}");
        }
        for kind in
            ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "x", "", "text/javascript"]
        {
            assert!(!is_inert(kind), "{kind}");
        }
    }
}
