//! PUT (RFC 9110 §9.3.4, RFC 4918 §9.7): a stream into a file.

use std::sync::{Arc, OnceLock};
use std::task::{Poll, ready};

use allod_core::PutOptions;
use allod_kit::RequestBody;
use allod_model::{Error, ErrorKind, Result};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue};
use http_body_util::BodyDataStream;

use crate::body::broken;
use crate::error::{Answer, Doing, Failure};
use crate::get::etag_header;
use crate::handle::{Call, empty};
use crate::quirks::{quirk_finder_expected_length, quirk_rclone_mtime};

/// Longest media type that is stored, in bytes.
const MEDIA_TYPE_BYTES_MAX: usize = 256;

/// Answers PUT on a place in the tree. Core refuses what can be refused before it asks for the first byte, so a
/// client that waits for `100 Continue` never sends in vain.
pub(crate) async fn handle(call: &Call, body: RequestBody) -> Answer {
    // RFC 4918 §9.7.2: a collection cannot be PUT.
    if call.slash || call.path.is_root() {
        return Err(Failure::method_not_allowed());
    }
    // RFC 9110 §14.5: a partial PUT that is not supported must not be taken for a whole one.
    if call.headers.contains_key(CONTENT_RANGE) {
        return Err(Failure::bad_request("a part of a file cannot be PUT"));
    }
    // RFC 9110 §8.4: what cannot be decoded later must not be stored as if it were the content.
    if call.header(CONTENT_ENCODING.as_str()).is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send the content without a coding"));
    }
    let precondition = call.precondition()?;
    let modified = quirk_rclone_mtime(&call.headers);
    let options = PutOptions {
        media_type: media_type(call),
        modified,
        length: announced_length(call)?,
        ..PutOptions::default()
    };
    let failure: Arc<OnceLock<Failure>> = Arc::default();
    let pieces = pieces(body, options.length, failure.clone());
    let written = call.session.put(&call.path, options, precondition, pieces).await;
    let written = written.map_err(|error| {
        // What broke the body explains more than what core makes of it.
        let cause = Arc::into_inner(failure).and_then(OnceLock::into_inner);
        cause.unwrap_or_else(|| call.failing(Doing::Write)(error))
    })?;
    let mut response = empty(if written.created { StatusCode::CREATED } else { StatusCode::NO_CONTENT });
    let headers = response.headers_mut();
    if let Some(etag) = etag_header(&written.node) {
        headers.insert("oc-etag", etag.clone());
        headers.insert(ETAG, etag);
    }
    if modified.is_some() {
        headers.insert("x-oc-mtime", HeaderValue::from_static("accepted"));
    }
    Ok(response)
}

/// Kept to the letter, if it is text at all.
fn media_type(call: &Call) -> Option<String> {
    let given = call.header(CONTENT_TYPE.as_str())?.trim();
    (!given.is_empty() && given.len() <= MEDIA_TYPE_BYTES_MAX).then(|| given.to_owned())
}

fn announced_length(call: &Call) -> Result<Option<u64>, Failure> {
    match call.header(CONTENT_LENGTH.as_str()) {
        Some(length) => match length.trim().parse() {
            Ok(length) => Ok(Some(length)),
            Err(_) => Err(Failure::bad_request("Content-Length is no number")),
        },
        None => Ok(quirk_finder_expected_length(&call.headers)),
    }
}

/// The body's bytes. A body that breaks, or ends before its announced length, ends in an `Err`, so that nothing is
/// stored; why is left in `failure`.
fn pieces(
    body: RequestBody,
    announced: Option<u64>,
    failure: Arc<OnceLock<Failure>>,
) -> impl Stream<Item = Result<Bytes>> + Send + Unpin {
    let mut received = 0;
    let mut stream = BodyDataStream::new(body);
    futures_util::stream::poll_fn(move |context| {
        let cause = match ready!(stream.poll_next_unpin(context)) {
            Some(Ok(piece)) => {
                received += piece.len() as u64;
                return Poll::Ready(Some(Ok(piece)));
            }
            Some(Err(error)) => broken(&error),
            None if announced.is_some_and(|length| received < length) => {
                Failure::bad_request("the body is shorter than announced")
            }
            None => return Poll::Ready(None),
        };
        received = u64::MAX;
        let _ = failure.set(cause);
        Poll::Ready(Some(Err(Error::new(ErrorKind::InvalidContent, "the body did not arrive whole"))))
    })
}
