//! CopyObject and UploadPartCopy: the content is shared, not moved.

use allod_core::{CopyOptions, Object, VersionId};
use allod_model::{Detail, Error, ErrorKind, Path};
use percent_encoding::percent_decode_str;

use crate::answer::{document, iso_time, set};
use crate::checksum;
use crate::chunked::hex;
use crate::condition;
use crate::error::{Answer, Code, Doing, Failure};
use crate::facts::{self, facts_of, identify_written, lock_failure};
use crate::handle::Call;
use crate::multipart::upload_id;
use crate::parts::part_number;
use crate::place::object_path;
use crate::range::parse_copy_range;
use crate::version::{parse_version_id, version_id_text};
use crate::xml::Xml;

/// Where a copy comes from.
#[derive(Debug)]
struct Source {
    path: Path,
    version: Option<VersionId>,
}

/// CopyObject.
pub(crate) async fn object(call: &mut Call) -> Answer {
    let (source, to) = (source(call)?, call.path()?);
    let precondition = condition::parse_write(call.headers())?;
    let (media_type, object) = facts::parse(call.headers())?;
    let replaces_metadata = directive(call, "x-amz-metadata-directive")?;
    let replaces_tags = directive(call, "x-amz-tagging-directive")?;
    let checksum = match call.header("x-amz-checksum-algorithm") {
        None => None,
        Some(text) => Some(
            checksum::parse_algorithm(text)
                .ok_or_else(|| Failure::request("Checksum algorithm provided is unsupported."))?,
        ),
    };
    let options = CopyOptions {
        version: source.version,
        source_pre: condition::parse_source(call.headers())?,
        tags: replaces_tags.then(|| object.tags.clone()),
        retention: object.retention,
        legal_hold: object.legal_hold,
        storage_class: object.storage_class.clone(),
        checksum,
        replace: replaces_metadata.then_some((media_type, object)),
    };
    let asked = object_asked(&options);
    let itself = source.path == to;
    if itself && source.version.is_none() && !changes_something(&options) {
        return Err(nothing_changed());
    }
    let copied = call.session.copy_object(&source.path, &to, options, precondition).await;
    let failing = |error| lock_failure(copy_failure(error, &source, itself), &asked, call.shared.core.now());
    let (written, read) = copied.map_err(failing)?;
    let facts = facts_of(&written.node)?;
    let mut xml = Xml::new("CopyObjectResult");
    xml.plain("LastModified", iso_time(written.node.modified)).etag(&facts.etag);
    if let Some(sum) = &facts.object.checksum {
        checksum::write_into(&mut xml, Some(sum), facts.object.parts);
        xml.plain("ChecksumType", checksum::type_name(sum.composite));
    }
    let mut response = document(xml);
    let headers = response.headers_mut();
    identify_written(headers, facts);
    headers.remove(http::header::ETAG);
    if read.versioned {
        set(headers, "x-amz-copy-source-version-id", version_id_text(read.version));
    }
    Ok(response)
}

/// The lock that the copy asks for.
fn object_asked(options: &CopyOptions) -> Object {
    Object { retention: options.retention, legal_hold: options.legal_hold, ..Object::default() }
}

/// Whether a copy of an object onto itself would change anything.
fn changes_something(options: &CopyOptions) -> bool {
    options.replace.is_some()
        || options.tags.is_some()
        || options.storage_class.is_some()
        || options.checksum.is_some()
        || options.retention.is_some()
        || options.legal_hold
}

fn nothing_changed() -> Failure {
    Failure::request(
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's \
         metadata, storage class, website redirect location or encryption attributes.",
    )
}

/// UploadPartCopy.
pub(crate) async fn part(call: &mut Call) -> Answer {
    let (source, to, id, number) = (source(call)?, call.path()?, upload_id(call), part_number(call)?);
    let range = match call.header("x-amz-copy-source-range") {
        None => None,
        Some(text) => Some(parse_copy_range(text).ok_or_else(|| {
            let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last \
                           are the zero-based offsets of the first and last bytes to copy";
            Failure::argument(message).fact("ArgumentName", "x-amz-copy-source-range").fact("ArgumentValue", text)
        })?),
    };
    let pre = condition::parse_source(call.headers())?;
    let copied = call.session.copy_part(&to, &id, number, &source.path, source.version, range, &pre).await;
    let (part, read) = copied.map_err(|error| match (error.kind, &error.detail) {
        (ErrorKind::InvalidContent, Detail::None) if range.is_some() => {
            Failure::new(Code::INVALID_RANGE, "The requested range is not valid for the source object")
        }
        (ErrorKind::NotFound, Detail::NoUpload) => Failure::of(error, Doing::Upload),
        _ => copy_failure(error, &source, false),
    })?;
    let mut xml = Xml::new("CopyPartResult");
    xml.plain("LastModified", iso_time(part.modified)).etag(&hex(&part.md5));
    checksum::write_into(&mut xml, part.checksum.as_ref(), 0);
    let mut response = document(xml);
    if read.versioned {
        set(response.headers_mut(), "x-amz-copy-source-version-id", version_id_text(read.version));
    }
    set(response.headers_mut(), "x-amz-server-side-encryption", "AES256");
    Ok(response)
}

fn source(call: &Call) -> Result<Source, Failure> {
    let text = call.header("x-amz-copy-source").unwrap_or_default();
    parse_source(text)
}

/// Reads `x-amz-copy-source`: `/BUCKET/KEY` or `BUCKET/KEY`, percent-encoded, and a version behind it.
fn parse_source(text: &str) -> Result<Source, Failure> {
    let wrong = || {
        let message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
        Failure::argument(message).fact("ArgumentName", "x-amz-copy-source").fact("ArgumentValue", text)
    };
    let (name, version) = match text.split_once("?versionId=") {
        Some((name, version)) => (name, Some(parse_version_id(version)?)),
        None => (text, None),
    };
    let name = percent_decode_str(name).decode_utf8().map_err(|_| wrong())?;
    let name = name.strip_prefix('/').unwrap_or(&name);
    let (bucket, key) = name.split_once('/').ok_or_else(wrong)?;
    if bucket.is_empty() || key.is_empty() || bucket.starts_with("arn:") {
        return Err(wrong());
    }
    Ok(Source { path: object_path(bucket, key)?, version })
}

/// Whether a directive says `REPLACE` instead of `COPY`.
fn directive(call: &Call, name: &'static str) -> Result<bool, Failure> {
    match call.header(name) {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(Failure::argument("Unknown metadata directive.")
            .fact("ArgumentName", name)
            .fact("ArgumentValue", other)),
    }
}

fn copy_failure(error: Error, source: &Source, itself: bool) -> Failure {
    match (error.kind, &error.detail) {
        // A copy is a write: an unchanged source is a failed condition there.
        (ErrorKind::PreconditionFailed, _) => {
            Failure::of(Error { detail: Detail::None, ..error }, Doing::Object)
        }
        (ErrorKind::NotFound, Detail::DeleteMarker(_)) if source.version.is_some() => Failure::request(
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        ),
        (ErrorKind::InvalidContent, Detail::None) if itself => nothing_changed(),
        _ => Failure::of(error, Doing::Object),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources() {
        let parse = |text| {
            parse_source(text)
                .map(|s| (s.path.to_string(), s.version))
                .map_err(|failure| failure.code.into_owned())
        };
        assert_eq!(parse("/b/k"), Ok(("/b/k".into(), None)));
        assert_eq!(parse("b/a%2Fb%2520c+d"), Ok(("/b/a/b%20c+d".into(), None)));
        assert_eq!(parse("b//k/"), Ok(("/b//k/".into(), None)));
        assert_eq!(
            parse("b/k%3FversionId=null?versionId=null"),
            Ok(("/b/k?versionId=null".into(), Some(VersionId::Null)))
        );
        for wrong in [
            "",
            "b",
            "/b",
            "b/",
            "//k",
            "b/%ff",
            "arn:aws:s3:x/object/k",
            "b/k?versionId=",
            "b/k?versionId=x",
        ] {
            assert_eq!(parse(wrong), Err("InvalidArgument".into()), "{wrong}");
        }
    }
}
