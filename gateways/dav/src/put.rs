//! PUT (RFC 9110 §9.3.4, RFC 4918 §9.7): a stream into a file.

use std::sync::{Arc, OnceLock};
use std::task::{Poll, ready};

use allod_core::PutOptions;
use allod_kit::{RequestBody, ResponseBody};
use allod_model::{Error, ErrorKind, Etag, EtagMatch, Precondition, Result};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue,
};
use http::{Response, StatusCode};
use http_body_util::BodyDataStream;

use crate::body::broken;
use crate::error::{Answer, Doing, Failure};
use crate::get::{self, etag_header, schedule_tag_header};
use crate::handle::{Call, empty};
use crate::import;
use crate::nextcloud::file_id;
use crate::propfind::parse_prefer;
use crate::quirks::{quirk_finder_expected_length, quirk_rclone_mtime};
use crate::refusal;

/// Longest media type that is stored, in bytes.
const MEDIA_TYPE_BYTES_MAX: usize = 256;

/// Answers PUT on a place in the tree. Core refuses what can be refused before it asks for the first byte, so a
/// client that waits for `100 Continue` never sends in vain.
pub(crate) async fn handle(call: &Call, body: RequestBody) -> Answer {
    // RFC 4918 §9.7.2: what PUT does to a collection is ours to say. A calendar takes a file of events apart.
    if call.slash && import::is_import(call) {
        return import::handle(call, body).await;
    }
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
    refusal::media_type(call, call.header(CONTENT_TYPE.as_str())).await?;
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
    let written = match written {
        Ok(written) => written,
        Err(error) => {
            // What broke the body explains more than what core makes of it.
            let cause = Arc::into_inner(failure).and_then(OnceLock::into_inner);
            return match cause {
                Some(failure) => Err(failure),
                None => refused(call, error).await,
            };
        }
    };
    let mut response = empty(if written.created { StatusCode::CREATED } else { StatusCode::NO_CONTENT });
    if parse_prefer(&call.headers).representation {
        represent(call, &mut response, &written.node.etag).await;
    }
    let headers = response.headers_mut();
    // RFC 6638 §3.2.1.1: what is stored is not what was sent, so it has no entity tag that the client could use.
    if let Some(etag) = etag_header(&written.node).filter(|_| !written.altered) {
        headers.insert("oc-etag", etag.clone());
        headers.insert(ETAG, etag);
    }
    // RFC 6638 §3.2.10.
    if let Some(tag) = schedule_tag_header(&written.node) {
        headers.insert("schedule-tag", tag);
    }
    if let Ok(id) = HeaderValue::from_str(&file_id(&written.node)) {
        headers.insert("oc-fileid", id);
    }
    if modified.is_some() {
        headers.insert("x-oc-mtime", HeaderValue::from_static("accepted"));
    }
    Ok(response)
}

async fn refused(call: &Call, error: Error) -> Answer {
    let failed = error.kind == ErrorKind::PreconditionFailed;
    let failure = refusal::of_write(call, call.path.parent(), error, Doing::Write).await;
    if !failed || !parse_prefer(&call.headers).representation {
        return Err(failure);
    }
    // RFC 8144 §3.2: what stands in the way comes along.
    let Ok(file) = call.session.open(&call.path, &Precondition::default()).await else { return Err(failure) };
    let mut response = Response::new(get::whole(call, &file).await?);
    *response.status_mut() = failure.status;
    get::describe(response.headers_mut(), &file.node);
    response.headers_mut().insert("preference-applied", HeaderValue::from_static("return=representation"));
    Ok(response)
}

/// RFC 8144 §3.1: the file as it is now, if it is still what was written.
pub(crate) async fn represent(call: &Call, response: &mut Response<ResponseBody>, etag: &Etag) {
    let same =
        Precondition { if_match: Some(EtagMatch::OneOf(vec![etag.clone()])), ..Precondition::default() };
    let Ok(file) = call.session.open(&call.path, &same).await else { return };
    let Ok(body) = get::whole(call, &file).await else { return };
    *response.body_mut() = body;
    if response.status() == StatusCode::NO_CONTENT {
        *response.status_mut() = StatusCode::OK;
    }
    let headers = response.headers_mut();
    get::describe(headers, &file.node);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(file.node.size));
    if let Ok(url) = HeaderValue::from_str(&call.url(&call.path, false)) {
        headers.insert(CONTENT_LOCATION, url);
    }
    headers.insert("preference-applied", HeaderValue::from_static("return=representation"));
}

/// Kept to the letter, if it is text at all.
fn media_type(call: &Call) -> Option<String> {
    let given = call.header(CONTENT_TYPE.as_str())?.trim();
    (!given.is_empty() && given.len() <= MEDIA_TYPE_BYTES_MAX).then(|| given.to_owned())
}

pub(crate) fn announced_length(call: &Call) -> Result<Option<u64>, Failure> {
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
pub(crate) fn pieces(
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
