//! GetObject and HeadObject: whole, in part, by part number, or not at all.

use std::io;

use allod_core::{ByteRange, Node, Object, ObjectFacts, OpenFile, VersionId};
use allod_kit::{ResponseBody, full_body, stream_body};
use allod_model::{Detail, Error, ErrorKind, Path, Precondition};
use bytes::Bytes;
use futures_util::TryStreamExt;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, RANGE};
use http::{Method, StatusCode};

use crate::answer::{empty, set};
use crate::checksum;
use crate::condition::{self, if_range_holds};
use crate::error::{Answer, Code, Failure};
use crate::facts::{self, OVERRIDES, facts_of};
use crate::handle::{Call, object_failure};
use crate::range::{Wanted, parse_range};
use crate::version::parse_version_id;

/// Content up to this size leaves in one piece with its head, in bytes.
const SMALL_BYTES_MAX: u64 = 64 * 1024;

/// Answers GET and HEAD on an object.
pub(crate) async fn handle(call: &mut Call) -> Answer {
    let path = call.path()?;
    let version = version_asked(call)?;
    let precondition = condition::parse(call.headers())?;
    let part = part_asked(call)?;
    let overrides = overrides(call)?;
    let is_get = call.head.method == Method::GET;
    let opened = match is_get {
        true => call.session.open_object(&path, version, &precondition).await.map(Ok),
        false => call.session.stat_object(&path, version, &precondition).await.map(Err),
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return Err(refused(call, &path, version, error).await),
    };
    let node = match &opened {
        Ok(file) => &file.node,
        Err(node) => node,
    };
    let facts = facts_of(node)?;
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    facts::describe(headers, node, facts);
    headers.extend(overrides);
    if call.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"))
        && call.header(RANGE.as_str()).is_none()
    {
        match part {
            None => facts::show_checksum(headers, &facts.object),
            Some(number) => show_part_checksum(call, &path, version, number, facts, headers).await?,
        }
    }
    let wanted = wanted(call, &path, version, part, node, headers).await?;
    let range = match wanted {
        Wanted::Whole => ByteRange { start: 0, end: node.size },
        Wanted::Unsatisfiable => return Err(unsatisfiable(node.size, call.header(RANGE.as_str()))),
        Wanted::Part(range) => {
            let text = match range.end.checked_sub(1) {
                Some(last) if range.start <= last => format!("bytes {}-{last}/{}", range.start, node.size),
                _ => format!("bytes */{}", node.size),
            };
            set(headers, "content-range", text);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            range
        }
    };
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    if let Ok(file) = &opened {
        *response.body_mut() = content(file, range).await?;
    }
    Ok(response)
}

/// The version that the query names.
pub(crate) fn version_asked(call: &Call) -> Result<Option<VersionId>, Failure> {
    match call.query.value("versionId") {
        None => Ok(None),
        Some("") => {
            Err(Failure::argument("Version id cannot be the empty string").fact("ArgumentName", "versionId"))
        }
        Some(text) => parse_version_id(text).map(Some),
    }
}

fn part_asked(call: &Call) -> Result<Option<u32>, Failure> {
    let Some(number) = call.query.number::<u32>("partNumber")? else { return Ok(None) };
    if !(1..=allod_core::PARTS_MAX).contains(&number) {
        return Err(Failure::argument("Part number must be an integer between 1 and 10000, inclusive")
            .fact("ArgumentName", "partNumber"));
    }
    if call.header(RANGE.as_str()).is_some() {
        let message = "Cannot specify both Range header and partNumber query parameter";
        return Err(Failure::request(message));
    }
    Ok(Some(number))
}

/// Headers that the query overrides; only who signs a request may.
fn overrides(call: &Call) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (parameter, name) in OVERRIDES {
        let Some(value) = call.query.value(parameter) else { continue };
        if call.anonymous {
            let message = "Request specific response headers cannot be used for anonymous GET requests: sign the request";
            return Err(Failure::request(message));
        }
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| Failure::argument(format!("{parameter} cannot stand in a header")))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The checksum of one part; the type is that of the object's.
async fn show_part_checksum(
    call: &Call,
    path: &Path,
    version: Option<VersionId>,
    number: u32,
    facts: &ObjectFacts,
    headers: &mut HeaderMap,
) -> Result<(), Failure> {
    if facts.object.parts == 0 {
        facts::show_checksum(headers, &facts.object);
        return Ok(());
    }
    let version = if facts.versioned { Some(facts.version) } else { version };
    let parts = call.session.object_parts(path, version, number - 1, 1).await.map_err(object_failure)?;
    let part = parts.into_iter().next().filter(|part| part.number == number);
    if let (Some(sum), Some(whole)) = (part.and_then(|part| part.checksum), &facts.object.checksum) {
        let shown = Object { checksum: Some(sum), ..Object::default() };
        facts::show_checksum(headers, &shown);
        set(headers, "x-amz-checksum-type", checksum::type_name(whole.composite));
    }
    Ok(())
}

async fn wanted(
    call: &Call,
    path: &Path,
    version: Option<VersionId>,
    part: Option<u32>,
    node: &Node,
    headers: &mut HeaderMap,
) -> Result<Wanted, Failure> {
    if let Some(number) = part {
        let facts = facts_of(node)?;
        let (range, parts) = match facts.object.parts {
            0 if number == 1 => (ByteRange { start: 0, end: node.size }, 0),
            0 => return Err(no_part()),
            _ => {
                // The version just read, whatever is written meanwhile.
                let version = if facts.versioned { Some(facts.version) } else { version };
                let found = call.session.part_range(path, version, number).await;
                found.map_err(|error| match error.kind {
                    ErrorKind::InvalidContent => no_part(),
                    _ => object_failure(error),
                })?
            }
        };
        if parts > 0 {
            headers.insert("x-amz-mp-parts-count", HeaderValue::from(parts));
        }
        return Ok(if node.size == 0 { Wanted::Whole } else { Wanted::Part(range) });
    }
    Ok(match call.header(RANGE.as_str()) {
        Some(text) if if_range_holds(call.headers(), node) => parse_range(text, node.size),
        _ => Wanted::Whole,
    })
}

fn no_part() -> Failure {
    Failure::new(Code::INVALID_PART, "The requested partnumber is not satisfiable")
}

fn unsatisfiable(size: u64, asked: Option<&str>) -> Failure {
    Failure::new(Code::INVALID_RANGE, "The requested range is not satisfiable")
        .header("content-range", format!("bytes */{size}"))
        .fact("RangeRequested", asked.unwrap_or_default())
        .fact("ActualObjectSize", size.to_string())
}

/// RFC 9110 §15.4.5: 304 carries what 200 would have carried, so that a cache can renew what it has.
async fn refused(call: &Call, path: &Path, version: Option<VersionId>, error: Error) -> Failure {
    // A version that is a delete marker is there, but it cannot be read.
    if version.is_some()
        && let Detail::DeleteMarker(_) = error.detail
    {
        let id = call.query.value("versionId").unwrap_or_default();
        return Failure::new(
            Code::METHOD_NOT_ALLOWED,
            "The specified method is not allowed against this resource.",
        )
        .fact("Method", call.head.method.as_str())
        .fact("ResourceType", "DeleteMarker")
        .header("allow", "DELETE")
        .header("x-amz-delete-marker", "true")
        .header("x-amz-version-id", id);
    }
    let mut failure = object_failure(error);
    if failure.is(Code::NO_SUCH_KEY) {
        // What was deleted in a bucket with versions says so; clients want to hear the contrary, too.
        let headers = failure.headers.get_or_insert_default();
        headers.entry("x-amz-delete-marker").or_insert(HeaderValue::from_static("false"));
    }
    if failure.status == StatusCode::NOT_MODIFIED
        && let Ok(node) = call.session.stat_object(path, version, &Precondition::default()).await
        && let Some(facts) = &node.object
    {
        let headers = failure.headers.get_or_insert_default();
        facts::describe(headers, &node, facts);
        headers.remove(http::header::CONTENT_TYPE);
    }
    failure
}

/// The bytes of a range. What goes wrong before the first of them still gets a status of its own; later the connection
/// is cut.
async fn content(file: &OpenFile, range: ByteRange) -> Result<ResponseBody, Failure> {
    let length = range.end - range.start;
    if length == 0 {
        return Ok(full_body(Bytes::new()));
    }
    if let Some(small) = file.small().filter(|_| length == file.node.size) {
        return Ok(full_body(small.map_err(object_failure)?));
    }
    if length <= SMALL_BYTES_MAX {
        return Ok(full_body(file.gather(range).await.map_err(object_failure)?));
    }
    let pieces = file.begin(range).await.map_err(object_failure)?;
    Ok(stream_body(pieces.map_err(io::Error::other)))
}
