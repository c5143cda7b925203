//! Uploads in parts: begin, finish, give up.

use allod_core::{Checksum, ChecksumKind, PARTS_MAX, PartChoice, UploadId};
use allod_model::Detail;
use http::StatusCode;
use http::header::HOST;
use s3s::dto::{CompletedMultipartUpload, CompletedPart};

use crate::answer::{document, empty, set};
use crate::checksum;
use crate::condition::{self, bare_tag};
use crate::error::{Answer, Doing, Failure};
use crate::facts::{self, facts_of, identify_written, lock_failure};
use crate::handle::{Call, if_match_failure};
use crate::put::put_options;
use crate::xml::{Xml, read};

/// CreateMultipartUpload.
pub(crate) async fn create(call: &mut Call) -> Answer {
    let path = call.path()?;
    let (media_type, object) = facts::parse(call.headers())?;
    let named = call.header("x-amz-checksum-algorithm").is_some();
    let (kind, composite) =
        checksum_asked(call.header("x-amz-checksum-algorithm"), call.header("x-amz-checksum-type"))?;
    let asked = object.clone();
    let options = put_options(media_type, object, None);
    let begun = call.session.begin_upload(&path, options, Some((kind, composite))).await;
    let failing = |error| lock_failure(Failure::of(error, Doing::Object), &asked, call.shared.core.now());
    let id = begun.map_err(failing)?;
    let mut xml = Xml::new("InitiateMultipartUploadResult");
    xml.text("Bucket", call.bucket()?.as_str()).text("Key", call.key()).text("UploadId", &id.0);
    let mut response = document(xml);
    if named {
        set(response.headers_mut(), "x-amz-checksum-algorithm", checksum::algorithm(kind));
        set(response.headers_mut(), "x-amz-checksum-type", checksum::type_name(composite));
    }
    set(response.headers_mut(), "x-amz-server-side-encryption", "AES256");
    Ok(response)
}

/// Which checksum the parts carry, and whether the object's is made of theirs. Without a word, S3 takes CRC64NVME of
/// the whole.
fn checksum_asked(algorithm: Option<&str>, kind: Option<&str>) -> Result<(ChecksumKind, bool), Failure> {
    let named = match algorithm {
        None => None,
        Some(text) => Some(checksum::parse_algorithm(text).ok_or_else(|| {
            Failure::request(
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
                              [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
            )
        })?),
    };
    let composite = match kind.map(str::to_ascii_uppercase).as_deref() {
        None => None,
        Some("COMPOSITE") => Some(true),
        Some("FULL_OBJECT") => Some(false),
        Some(_) => return Err(Failure::request("Value for x-amz-checksum-type header is invalid.")),
    };
    if kind.is_some() && algorithm.is_none() {
        return Err(Failure::request(
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
        ));
    }
    let kind = named.unwrap_or(ChecksumKind::Crc64Nvme);
    let wrong = |kind: ChecksumKind, name: &str| {
        let algorithm = checksum::algorithm(kind).to_ascii_lowercase();
        Err(Failure::request(format!(
            "The {name} checksum type cannot be used with the {algorithm} checksum algorithm."
        )))
    };
    match (kind, composite) {
        (ChecksumKind::Crc64Nvme, Some(true)) => wrong(kind, "COMPOSITE"),
        (ChecksumKind::Sha1 | ChecksumKind::Sha256, Some(false)) => wrong(kind, "FULL_OBJECT"),
        (ChecksumKind::Crc64Nvme, _) => Ok((kind, false)),
        (_, composite) => Ok((kind, composite.unwrap_or(true))),
    }
}

/// The upload that the query names.
pub(crate) fn upload_id(call: &Call) -> UploadId {
    UploadId(call.query.value("uploadId").unwrap_or_default().to_owned())
}

/// CompleteMultipartUpload.
pub(crate) async fn complete(call: &mut Call) -> Answer {
    let (path, id) = (call.path()?, upload_id(call));
    let precondition = condition::parse_write(call.headers())?;
    let claimed = checksum::parse_headers(call.headers())?;
    let size = match call.header("x-amz-mp-object-size") {
        None => None,
        Some(text) => {
            Some(text.trim().parse().map_err(|_| Failure::request("x-amz-mp-object-size is no number"))?)
        }
    };
    let body = call.upload_document().await?;
    let chosen: CompletedMultipartUpload = read(&body)?;
    let chosen = chosen.parts.filter(|parts| !parts.is_empty()).ok_or_else(Failure::malformed_xml)?;
    if chosen.len() > PARTS_MAX as usize {
        return Err(Failure::malformed_xml());
    }
    // Which checksum the upload has; it may have been completed already, and the client did not hear it.
    let known = match call.session.upload(&path, &id).await {
        Ok(upload) => upload.checksum,
        Err(error) if error.detail == Detail::NoUpload => None,
        Err(error) => return Err(Failure::of(error, Doing::Upload)),
    };
    check_type(call, known)?;
    let composite = known.is_some_and(|(_, composite)| composite);
    let parts = chosen.iter().map(|part| choice(part, known)).collect::<Result<Vec<_>, _>>()?;
    let checksum = claimed.map(|(kind, value)| Checksum { kind, composite, value });
    if let (Some(checksum), Some((kind, _))) = (&checksum, known)
        && checksum.kind != kind
    {
        return Err(mismatch(kind, checksum.kind));
    }
    let pre = precondition.clone();
    let written = match call.session.complete_upload(&path, &id, parts, checksum, size, pre).await {
        Ok(written) => written,
        Err(error) => {
            let failure = Failure::of(error, Doing::Upload);
            return Err(if_match_failure(call, &path, &precondition, failure).await);
        }
    };
    let facts = facts_of(&written.node)?;
    let mut xml = Xml::new("CompleteMultipartUploadResult");
    xml.text("Location", &location(call)).text("Bucket", call.bucket()?.as_str()).text("Key", call.key());
    xml.etag(&facts.etag);
    if let Some(sum) = &facts.object.checksum {
        checksum::write_into(&mut xml, Some(sum), facts.object.parts);
        xml.plain("ChecksumType", checksum::type_name(sum.composite));
    }
    let mut response = document(xml);
    identify_written(response.headers_mut(), facts);
    response.headers_mut().remove(http::header::ETAG);
    Ok(response)
}

fn check_type(call: &Call, known: Option<(ChecksumKind, bool)>) -> Result<(), Failure> {
    let Some(named) = call.header("x-amz-checksum-type") else { return Ok(()) };
    let Some((_, composite)) = known else { return Ok(()) };
    match named.eq_ignore_ascii_case(checksum::type_name(composite)) {
        true => Ok(()),
        false => Err(Failure::request(format!(
            "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
            checksum::type_name(composite)
        ))),
    }
}

/// Another algorithm than the upload's.
pub(crate) fn mismatch(expected: ChecksumKind, actual: ChecksumKind) -> Failure {
    Failure::request(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        checksum::algorithm(expected).to_ascii_lowercase(),
        checksum::algorithm(actual).to_ascii_lowercase()
    ))
}

fn choice(part: &CompletedPart, known: Option<(ChecksumKind, bool)>) -> Result<PartChoice, Failure> {
    let (Some(number), Some(tag)) = (part.part_number, &part.e_tag) else {
        return Err(Failure::malformed_xml());
    };
    let number = u32::try_from(number).ok().filter(|number| (1..=PARTS_MAX).contains(number));
    let number = number.ok_or_else(|| {
        Failure::argument("PartNumber must be between 1 and 10000, inclusive")
            .fact("ArgumentName", "PartNumber")
    })?;
    let given = [
        (ChecksumKind::Crc32, &part.checksum_crc32),
        (ChecksumKind::Crc32c, &part.checksum_crc32c),
        (ChecksumKind::Crc64Nvme, &part.checksum_crc64nvme),
        (ChecksumKind::Sha1, &part.checksum_sha1),
        (ChecksumKind::Sha256, &part.checksum_sha256),
    ];
    let mut checksum = None;
    for (kind, text) in given {
        let Some(text) = text else { continue };
        let value = checksum::decode(kind, text)?;
        match known {
            Some((expected, _)) if expected == kind => {
                checksum = Some(Checksum { kind, composite: false, value });
            }
            // An SDK adds one of its own choice to parts of an upload for which none was named: it was compared
            // when the part came.
            Some((ChecksumKind::Crc64Nvme, _)) | None => {}
            Some((expected, _)) => return Err(mismatch(expected, kind)),
        }
    }
    Ok(PartChoice { number, etag: bare_tag(tag.value()).to_owned(), checksum })
}

/// Where the object is, as a URL.
pub(crate) fn location(call: &Call) -> String {
    let host = call.header(HOST.as_str()).unwrap_or("localhost");
    format!("http://{host}{}", call.head.uri.path())
}

/// AbortMultipartUpload.
pub(crate) async fn abort(call: &mut Call) -> Answer {
    let aborted = call.session.abort_upload(&call.path()?, &upload_id(call)).await;
    aborted.map_err(|error| Failure::of(error, Doing::Upload))?;
    Ok(empty(StatusCode::NO_CONTENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_uploads() {
        let asked =
            |algorithm, kind| checksum_asked(algorithm, kind).map_err(|failure| failure.code.into_owned());
        let wrong = Err("InvalidRequest".to_owned());
        let table = [
            (None, None, Ok((ChecksumKind::Crc64Nvme, false))),
            (Some("crc32"), None, Ok((ChecksumKind::Crc32, true))),
            (Some("CRC32C"), Some("FULL_OBJECT"), Ok((ChecksumKind::Crc32c, false))),
            (Some("SHA256"), Some("composite"), Ok((ChecksumKind::Sha256, true))),
            (Some("CRC64NVME"), Some("FULL_OBJECT"), Ok((ChecksumKind::Crc64Nvme, false))),
            (Some("CRC64NVME"), Some("COMPOSITE"), wrong.clone()),
            (Some("SHA1"), Some("FULL_OBJECT"), wrong.clone()),
            (Some("MD5"), None, wrong.clone()),
            (Some("CRC32"), Some("HALF"), wrong.clone()),
            (None, Some("COMPOSITE"), wrong),
        ];
        for (algorithm, kind, wanted) in table {
            assert_eq!(asked(algorithm, kind), wanted, "{algorithm:?} {kind:?}");
        }
    }
}
