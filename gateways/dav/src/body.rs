//! Request bodies that are XML.

use allod_kit::RequestBody;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body;
use http_body_util::BodyExt;

use crate::error::Failure;
use crate::xml::{Document, REPORT_BYTES_MAX, XML_BYTES_MAX, XmlError};

/// Reads a body of XML; `None` when it is empty.
///
/// # Errors
/// As [`read_text`]; 400 and 415 when it is not XML that is acceptable here.
pub(crate) async fn read_xml(body: RequestBody) -> Result<Option<Document>, Failure> {
    match read_text(body).await? {
        Some(bytes) => Ok(Some(Document::parse(&bytes)?)),
        None => Ok(None),
    }
}

/// Reads a body that will be parsed; `None` when there is nothing in it but blanks.
///
/// # Errors
/// 413 when it is too large: by its announced length before a byte is read, else as soon as it exceeds the limit;
/// 408 and 400 when it does not arrive.
pub(crate) async fn read_text(body: RequestBody) -> Result<Option<Bytes>, Failure> {
    read_within(body, XML_BYTES_MAX).await
}

/// Reads the body of a report.
///
/// # Errors
/// 400 when there is none; as [`read_xml`].
pub(crate) async fn read_report(body: RequestBody) -> Result<Document, Failure> {
    let bytes = read_within(body, REPORT_BYTES_MAX).await?;
    let bytes = bytes.ok_or_else(|| Failure::bad_request("REPORT needs a body"))?;
    Ok(Document::parse_report(&bytes)?)
}

async fn read_within(mut body: RequestBody, bytes_max: usize) -> Result<Option<Bytes>, Failure> {
    let too_large = || Failure::from(XmlError::Limit("bytes"));
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    // Most bodies come in one piece and are not copied.
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > bytes_max {
            return Err(too_large());
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        rest.extend_from_slice(&std::mem::take(&mut first));
        rest.extend_from_slice(&data);
    }
    let bytes = if rest.is_empty() { first } else { rest.freeze() };
    // RFC 4918 §9.1: an empty body has a meaning of its own.
    Ok(Some(bytes).filter(|bytes| !bytes.iter().all(u8::is_ascii_whitespace)))
}

/// What to say when a body did not arrive whole.
pub(crate) fn broken(error: &std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::TimedOut => {
            Failure::new(StatusCode::REQUEST_TIMEOUT, "the body stopped arriving")
        }
        _ => Failure::bad_request("the body did not arrive whole"),
    }
}
