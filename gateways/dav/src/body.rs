//! Request bodies that are XML.

use allod_kit::RequestBody;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body;
use http_body_util::BodyExt;

use crate::error::Failure;
use crate::xml::{Document, XML_BYTES_MAX, XmlError};

/// Reads a body of XML; `None` when it is empty.
///
/// # Errors
/// 413 when it is too large: by its announced length before a byte is read, else as soon as it exceeds the limit.
pub(crate) async fn read_xml(body: RequestBody) -> Result<Option<Document>, Failure> {
    let bytes = read_all(body).await?;
    // RFC 4918 §9.1: an empty body has a meaning of its own.
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    Ok(Some(Document::parse(&bytes)?))
}

async fn read_all(mut body: RequestBody) -> Result<Bytes, Failure> {
    let too_large = || Failure::from(XmlError::Limit("bytes"));
    if body.size_hint().lower() > XML_BYTES_MAX as u64 {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        if bytes.len() + data.len() > XML_BYTES_MAX {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
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
