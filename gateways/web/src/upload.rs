//! Uploads, one file a request, as they stream in.

use allod_core::PutOptions;
use allod_kit::RequestBody;
use allod_model::{Detail, Error, ErrorKind, EtagMatch, Precondition, Timestamp};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyStream;
use serde_json::json;

use crate::error::Refusal;
use crate::place::path_of;
use crate::respond::{self, Answer};
use crate::visit::Visit;

/// Takes a file.
pub(crate) async fn take(visit: &Visit, body: RequestBody) -> Answer {
    visit.check_origin()?;
    visit.check_token(None)?;
    let path = path_of(visit, "upload")?;
    let number =
        |name: &str| visit.headers.get(name).and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    let length = number(CONTENT_LENGTH.as_str()).and_then(|length| u64::try_from(length).ok());
    let media = visit.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let options = PutOptions {
        media_type: media
            .filter(|kind| !kind.is_empty() && *kind != "application/octet-stream")
            .map(str::to_owned),
        modified: number("x-modified").map(Timestamp),
        length,
        make_parents: true,
        ..PutOptions::default()
    };
    // Unless the person said so, nothing is overwritten.
    let fresh = Precondition { if_none_match: Some(EtagMatch::Any), ..Precondition::default() };
    let pre = if visit.param("replace").is_some() { Precondition::default() } else { fresh };
    match visit.session()?.put(&path, options, pre, pieces(body)).await {
        Ok(written) => Ok(respond::json(&json!({"created": written.created, "size": written.node.size}))),
        Err(error) if error.kind == ErrorKind::PreconditionFailed && error.detail == Detail::None => {
            Err(Refusal::Core(Error::new(ErrorKind::Exists, error.message)))
        }
        Err(error) => Err(error.into()),
    }
}

fn pieces(body: RequestBody) -> impl Stream<Item = allod_model::Result<Bytes>> + Send + Unpin {
    let pieces = BodyStream::new(body).filter_map(|frame| async move {
        match frame {
            Ok(frame) => frame.into_data().ok().map(Ok),
            Err(error) => {
                Some(Err(Error::new(ErrorKind::Unavailable, format!("the upload broke off: {error}"))))
            }
        }
    });
    Box::pin(pieces)
}
