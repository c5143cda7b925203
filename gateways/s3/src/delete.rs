//! DeleteObject and DeleteObjects.

use allod_core::{DeleteRequest, Deleted, SCAN_ITEMS_MAX};
use allod_model::{Detail, Etag, EtagMatch, Precondition, RAW_KEY_BYTES_MAX};
use http::StatusCode;
use s3s::dto::{Delete, ObjectIdentifier};

use crate::answer::{document, empty, set};
use crate::condition;
use crate::error::{Answer, Code, Failure};
use crate::get::version_asked;
use crate::handle::{Call, if_match_failure, object_failure};
use crate::place::object_path;
use crate::version::{parse_version_id, version_id_text};
use crate::xml::{Xml, read};

/// DeleteObject: of the object, or of one version for good.
pub(crate) async fn one(call: &mut Call) -> Answer {
    let version = version_asked(call)?;
    let pre = condition::parse_write(call.headers())?;
    let path = call.path()?;
    let request = DeleteRequest { path: path.clone(), version, pre: pre.clone() };
    let bypass = call.bypasses_governance();
    let outcomes = call.session.delete_objects(vec![request], bypass).await.map_err(object_failure)?;
    let deleted = outcomes.into_iter().next().unwrap_or_else(|| Ok(Deleted::default()));
    let deleted = match deleted.map_err(object_failure) {
        Ok(deleted) => deleted,
        Err(failure) => {
            let failure = if_match_failure(call, &path, &pre, failure).await;
            // What is not there is deleted already, whatever it should have been. A delete marker is something.
            let absent = failure.is(Code::NO_SUCH_KEY) && failure.headers.is_none();
            if !absent {
                return Err(if failure.is(Code::NO_SUCH_KEY) { precondition_failed() } else { failure });
            }
            Deleted::default()
        }
    };
    let mut response = empty(StatusCode::NO_CONTENT);
    if let Some(version) = deleted.version.or(version) {
        set(response.headers_mut(), "x-amz-version-id", version_id_text(version));
    }
    if deleted.marker {
        set(response.headers_mut(), "x-amz-delete-marker", "true");
    }
    Ok(response)
}

fn precondition_failed() -> Failure {
    let message = "At least one of the pre-conditions you specified did not hold";
    Failure::new(Code::PRECONDITION_FAILED, message)
}

/// DeleteObjects: up to a thousand, each judged by itself.
pub(crate) async fn many(call: &mut Call) -> Answer {
    let body = call.list_document().await?;
    let delete: Delete = read(&body)?;
    if delete.objects.is_empty() || delete.objects.len() > SCAN_ITEMS_MAX {
        return Err(Failure::malformed_xml());
    }
    let bucket = call.bucket()?;
    // No object can have such a key: the document is not meant to delete anything.
    if delete.objects.iter().any(|object| object.key.len() > RAW_KEY_BYTES_MAX) {
        return Err(Failure::new(Code::KEY_TOO_LONG, "Your key is too long"));
    }
    let mut outcomes: Vec<Option<Result<Deleted, Failure>>> = Vec::with_capacity(delete.objects.len());
    let mut requests = Vec::with_capacity(delete.objects.len());
    for object in &delete.objects {
        match request(bucket.as_str(), object) {
            Ok(request) => {
                requests.push(request);
                outcomes.push(None);
            }
            Err(failure) => outcomes.push(Some(Err(failure))),
        }
    }
    let judged = match requests.is_empty() {
        true => Vec::new(),
        false => {
            let bypass = call.bypasses_governance();
            call.session.delete_objects(requests, bypass).await.map_err(object_failure)?
        }
    };
    // Without the bucket, the whole request fails.
    if let Some(Err(error)) =
        judged.first().filter(|one| matches!(one, Err(e) if e.detail == Detail::NoBucket))
    {
        return Err(object_failure(error.clone()));
    }
    let mut judged = judged.into_iter();
    let mut xml = Xml::new("DeleteResult");
    for (object, outcome) in delete.objects.iter().zip(outcomes) {
        let outcome = outcome.or_else(|| judged.next().map(|one| one.map_err(object_failure)));
        match outcome {
            Some(Err(failure)) => {
                xml.open("Error").text("Key", &object.key).maybe("VersionId", object.version_id.as_deref());
                failure.write_into(&mut xml);
                xml.close();
            }
            Some(Ok(deleted)) if delete.quiet != Some(true) => write_deleted(&mut xml, object, deleted),
            Some(Ok(_)) | None => {}
        }
    }
    Ok(document(xml))
}

fn request(bucket: &str, object: &ObjectIdentifier) -> Result<DeleteRequest, Failure> {
    if object.last_modified_time.is_some() || object.size.is_some() {
        return Err(Failure::not_implemented("These conditions are not implemented: use ETag"));
    }
    if object.key.is_empty() {
        return Err(Failure::argument("A key has at least one character"));
    }
    let version =
        object.version_id.as_deref().filter(|id| !id.is_empty()).map(parse_version_id).transpose()?;
    let if_match = object.e_tag.as_ref().map(|tag| match tag.value() {
        "*" => EtagMatch::Any,
        tag => EtagMatch::OneOf(vec![Etag(tag.to_owned())]),
    });
    let pre = Precondition { if_match, ..Precondition::default() };
    Ok(DeleteRequest { path: object_path(bucket, &object.key)?, version, pre })
}

fn write_deleted(xml: &mut Xml, object: &ObjectIdentifier, deleted: Deleted) {
    xml.open("Deleted").text("Key", &object.key).maybe("VersionId", object.version_id.as_deref());
    if deleted.marker {
        xml.plain("DeleteMarker", true);
        if let Some(version) = deleted.version {
            xml.plain("DeleteMarkerVersionId", version_id_text(version));
        }
    }
    xml.close();
}
