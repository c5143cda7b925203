//! Documents: GET, HEAD, PUT, DELETE (draft §4).

use std::io;
use std::sync::{Arc, OnceLock};
use std::task::{Poll, ready};

use allod_core::{ByteRange, Node, OpenFile, PutOptions, Want};
use allod_kit::{RequestBody, ResponseBody, empty_body, full_body, stream_body};
use allod_model::{Error, ErrorKind, EtagMatch, Precondition, Timestamp};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE,
};
use http::{Method, Response, StatusCode};
use http_body_util::BodyDataStream;

use crate::condition;
use crate::error::{Answer, Failure};
use crate::handle::Call;
use crate::range::{self, Asked};

/// Content up to this size leaves in one piece with its head, in bytes.
const SMALL_BYTES_MAX: u64 = 64 * 1024;
/// Longest media type, in bytes; core keeps no longer one.
const MEDIA_TYPE_BYTES_MAX: usize = 255;
/// How often a removal looks again when others write at the same time.
const REMOVE_TRIES: usize = 4;
/// What a document without a media type is called.
pub const MEDIA_TYPE_DEFAULT: &str = "application/octet-stream";

/// Answers GET and HEAD.
pub async fn get(call: &Call) -> Answer {
    demand_read(call)?;
    let pre = condition::parse(&call.headers)?;
    let file = match call.session.open(&call.place.path, &pre).await {
        Ok(file) => file,
        // Draft §3: a folder is no document.
        Err(error) if error.kind == ErrorKind::WrongKind => return Err(Failure::not_found()),
        Err(error) => return Err(with_version(call, error).await),
    };
    let size = file.node.size;
    let mut response = Response::new(empty_body());
    describe(response.headers_mut(), call, &file.node);
    let asked = match call.header(RANGE) {
        Some(asked) if call.method == Method::GET && if_range_holds(call, &file.node) => {
            range::parse(asked, size)
        }
        _ => Asked::Whole,
    };
    let part = match asked {
        Asked::Whole => ByteRange { start: 0, end: size },
        Asked::Part(part) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let shown = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            set(response.headers_mut(), CONTENT_RANGE, &shown);
            part
        }
        Asked::Beyond => {
            let beyond = Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, "the document has no such range");
            return Err(beyond.with(CONTENT_RANGE, &format!("bytes */{size}")));
        }
    };
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
    if call.method == Method::GET {
        *response.body_mut() = content(&file, part).await?;
    }
    Ok(response)
}

/// Answers PUT.
pub async fn put(call: &Call, body: RequestBody) -> Answer {
    // RFC 9110 §14.5: a part must not be taken for the whole.
    if call.headers.contains_key(CONTENT_RANGE) {
        return Err(Failure::bad_request("documents are written whole, without Content-Range"));
    }
    let coded = call.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
    if coded {
        let refused = "a document is kept as it comes, without Content-Encoding";
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, refused));
    }
    let pre = condition::parse(&call.headers)?;
    let length = match call.header(CONTENT_LENGTH).map(|length| length.trim().parse()) {
        None => None,
        Some(Ok(length)) => Some(length),
        Some(Err(_)) => return Err(Failure::bad_request("Content-Length is no number")),
    };
    let media_type = media_type(&call.headers)?;
    let options = PutOptions { media_type, length, make_parents: true, ..PutOptions::default() };
    let broken: Arc<OnceLock<Failure>> = Arc::default();
    let written = call.session.put(&call.place.path, options, pre, pieces(body, broken.clone())).await;
    let written = match written {
        Ok(written) => written,
        Err(error) => {
            // What broke the body explains more than what core makes of it.
            let cause = Arc::into_inner(broken).and_then(OnceLock::into_inner);
            return Err(match cause {
                Some(failure) => failure,
                None => with_version(call, error).await,
            });
        }
    };
    let mut response = Response::new(empty_body());
    *response.status_mut() = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    set(response.headers_mut(), ETAG, &format!("\"{}\"", written.node.etag));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
    Ok(response)
}

/// Answers DELETE. The answer names the version that went (draft §6), so exactly that one is removed.
pub async fn delete(call: &Call) -> Answer {
    let asked = condition::parse(&call.headers)?;
    if call.session.rights(&call.place.path).is_none() {
        return Err(Failure::insufficient_scope());
    }
    for _ in 0..REMOVE_TRIES {
        let node = match call.session.stat(&call.place.path, Want::File, false).await {
            Ok(node) => node,
            Err(error) if error.kind == ErrorKind::NotFound && asked.if_match.is_some() => {
                return Err(Failure::new(StatusCode::PRECONDITION_FAILED, "there is nothing of that name"));
            }
            Err(error) => return Err(error.into()),
        };
        if asked.if_match.as_ref().is_some_and(|tags| !tags.matches(Some(&node.etag))) {
            let failed = "the condition of If-Match does not hold";
            return Err(Failure::new(StatusCode::PRECONDITION_FAILED, failed).with_version(Some(&node)));
        }
        let this = Some(EtagMatch::OneOf(vec![node.etag.clone()]));
        let pre = Precondition { if_match: this, ..asked.clone() };
        match call.session.remove(&call.place.path, Want::File, pre).await {
            Ok(()) => {
                let mut response = Response::new(empty_body());
                set(response.headers_mut(), ETAG, &format!("\"{}\"", node.etag));
                response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
                return Ok(response);
            }
            // Somebody wrote in between, unless it is the app's own If-None-Match.
            Err(error) if error.kind == ErrorKind::PreconditionFailed && asked.if_none_match.is_none() => {}
            Err(error) => return Err(Failure::from(error).with_version(Some(&node))),
        }
    }
    Err(Failure::new(StatusCode::PRECONDITION_FAILED, "the document changes all the time; try again"))
}

/// Draft §5: 403 for what the token does not open, 404 only for what it could open.
fn demand_read(call: &Call) -> Result<(), Failure> {
    match call.session.rights(&call.place.path) {
        Some(_) => Ok(()),
        None if call.place.is_public_document() => Err(Failure::not_found()),
        None => Err(Failure::insufficient_scope()),
    }
}

/// A refusal of a condition names the version that stands in the way.
async fn with_version(call: &Call, error: Error) -> Failure {
    if error.kind != ErrorKind::PreconditionFailed {
        return error.into();
    }
    let node = call.session.stat(&call.place.path, Want::File, false).await.ok();
    let failure = Failure::from(error);
    let failure = match failure.status {
        StatusCode::NOT_MODIFIED => failure.with(CACHE_CONTROL, call.cache_control()),
        _ => failure,
    };
    failure.with_version(node.as_ref())
}

fn describe(headers: &mut HeaderMap, call: &Call, node: &Node) {
    set(headers, CONTENT_TYPE, node.media_type.as_deref().unwrap_or(MEDIA_TYPE_DEFAULT));
    set(headers, ETAG, &format!("\"{}\"", node.etag));
    set(headers, LAST_MODIFIED, &http_date(node.modified));
    set(headers, CACHE_CONTROL, call.cache_control());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // Draft §14: a stored page must not act as the server's own; apps read documents by script, and see no difference.
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("content-security-policy", HeaderValue::from_static("sandbox; default-src 'none'"));
}

/// RFC 9110 §13.1.5, by entity tag; a date is not strong enough here.
fn if_range_holds(call: &Call, node: &Node) -> bool {
    call.header(IF_RANGE).is_none_or(|tag| tag.trim() == format!("\"{}\"", node.etag))
}

/// A date as HTTP writes it; what it can't write becomes the nearest that it can.
pub fn http_date(time: Timestamp) -> String {
    /// The last second of the year 9999.
    const LAST_SECS: i64 = 253_402_300_799;
    let secs = time.secs().clamp(0, LAST_SECS) as u64;
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(secs))
}

fn set(headers: &mut HeaderMap, name: http::HeaderName, value: &str) {
    // Invariant: media types come from headers, tags and dates are ours; what cannot be one is left out.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Kept to the letter. One that cannot be kept is refused, so that no app finds another one later.
fn media_type(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(None) };
    let text = value.to_str().ok().map(str::trim).filter(|text| text.len() <= MEDIA_TYPE_BYTES_MAX);
    match text {
        Some("") => Ok(None),
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(Failure::bad_request("Content-Type is ASCII, of at most 255 bytes")),
    }
}

/// The bytes of one range. What goes wrong before the first of them still gets a status of its own; later the
/// connection is cut.
async fn content(file: &OpenFile, range: ByteRange) -> Result<ResponseBody, Failure> {
    if range.end - range.start <= SMALL_BYTES_MAX {
        return Ok(full_body(file.gather(range).await?));
    }
    let pieces = file.begin(range).await?;
    Ok(stream_body(pieces.map_err(io::Error::other)))
}

/// The body's bytes. A body that breaks ends in an `Err`, so that nothing is stored; why is left in `failure`.
fn pieces(
    body: RequestBody,
    failure: Arc<OnceLock<Failure>>,
) -> impl Stream<Item = allod_model::Result<Bytes>> + Send + Unpin {
    let mut stream = BodyDataStream::new(body);
    futures_util::stream::poll_fn(move |context| {
        let cause = match ready!(stream.poll_next_unpin(context)) {
            None => return Poll::Ready(None),
            Some(Ok(piece)) => return Poll::Ready(Some(Ok(piece))),
            Some(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
                Failure::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly")
            }
            Some(Err(_)) => Failure::bad_request("the body did not arrive whole"),
        };
        let _ = failure.set(cause);
        Poll::Ready(Some(Err(Error::new(ErrorKind::InvalidContent, "the body did not arrive whole"))))
    })
}
