//! PATCH, for one purpose: a checksum of a file on demand, as Nextcloud gives it.
//!
//! `quirk_rclone_recalculates_checksums`: rclone with `vendor = nextcloud` takes an upload for failed when it cannot
//! have one. It compares what comes back with what it sent, so the bytes are read again from where they were stored.

use std::fmt::Write;

use allod_core::OpenFile;
use allod_model::Error;
use futures_util::TryStreamExt;
use http::header::HeaderValue;
use http::{HeaderMap, StatusCode};
use md5::Md5;
use sha1::{Digest, Sha1};

use crate::error::{Answer, Doing, Failure};
use crate::handle::{Call, empty};

/// Answers PATCH on a place in the tree.
pub(crate) async fn handle(call: &Call) -> Answer {
    let Some(algorithm) = parse_algorithm(&call.headers) else { return Err(Failure::method_not_allowed()) };
    if call.slash || call.path.is_root() {
        return Err(Failure::method_not_allowed());
    }
    let failing = call.failing(Doing::Write);
    let file = call.session.open(&call.path, &call.precondition()?).await.map_err(&failing)?;
    let sum = match algorithm {
        Algorithm::Sha1 => ("SHA1:", hash::<Sha1>(&file).await),
        Algorithm::Md5 => ("MD5:", hash::<Md5>(&file).await),
    };
    let text = sum.0.to_owned() + &sum.1.map_err(&failing)?;
    let mut response = empty(StatusCode::NO_CONTENT);
    // **Invariant:** a word, a colon and hexadecimal digits make a header's value.
    response.headers_mut().extend(HeaderValue::from_str(&text).map(|sum| (OC_CHECKSUM, sum)));
    Ok(response)
}

const OC_CHECKSUM: http::HeaderName = http::HeaderName::from_static("oc-checksum");

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Algorithm {
    Sha1,
    Md5,
}

/// `None` when no checksum is asked for, or one that is not known here.
fn parse_algorithm(headers: &HeaderMap) -> Option<Algorithm> {
    match headers.get("x-recalculate-hash")?.as_bytes().trim_ascii() {
        name if name.eq_ignore_ascii_case(b"sha1") => Some(Algorithm::Sha1),
        name if name.eq_ignore_ascii_case(b"md5") => Some(Algorithm::Md5),
        _ => None,
    }
}

/// Of the file's bytes, in hexadecimal digits.
async fn hash<D: Digest>(file: &OpenFile) -> Result<String, Error> {
    let mut state = D::new();
    let mut pieces = file.read(None);
    while let Some(piece) = pieces.try_next().await? {
        state.update(&piece);
    }
    let digits = state.finalize().iter().fold(String::new(), |mut digits, byte| {
        // **Invariant:** writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    });
    Ok(digits)
}
