//! GetObjectAttributes.

use allod_core::SCAN_ITEMS_MAX;

use crate::answer::{document, http_time, set};
use crate::checksum;
use crate::error::{Answer, Failure};
use crate::facts::{STANDARD_CLASS, facts_of};
use crate::get::version_asked;
use crate::handle::{Call, object_failure};
use crate::version::version_id_text;
use crate::xml::Xml;

/// What can be asked for.
const KNOWN: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

/// GetObjectAttributes: what is asked for, and nothing else.
pub(crate) async fn handle(call: &mut Call) -> Answer {
    let wanted = wanted(call)?;
    let version = version_asked(call)?;
    let path = call.path()?;
    let pre = allod_model::Precondition::default();
    let node = call.session.stat_object(&path, version, &pre).await.map_err(object_failure)?;
    let facts = facts_of(&node)?;
    let has = |name: &str| wanted.iter().any(|one| one == name);
    let mut xml = Xml::new("GetObjectAttributesResponse");
    if has("ETag") {
        // Without quotes, unlike everywhere else.
        xml.text("ETag", &facts.etag);
    }
    if has("Checksum")
        && let Some(sum) = &facts.object.checksum
    {
        xml.open("Checksum");
        checksum::write_into(&mut xml, Some(sum), facts.object.parts);
        xml.plain("ChecksumType", checksum::type_name(sum.composite)).close();
    }
    if has("ObjectParts") && facts.object.parts > 0 {
        // The version just read, whatever is written meanwhile.
        let version = if facts.versioned { Some(facts.version) } else { version };
        let limit = number(call, "x-amz-max-parts")?.unwrap_or(SCAN_ITEMS_MAX as u32);
        let limit = (limit as usize).min(SCAN_ITEMS_MAX);
        let after = number(call, "x-amz-part-number-marker")?.unwrap_or_default();
        let parts = call.session.object_parts(&path, version, after, limit).await.map_err(object_failure)?;
        let last = parts.last().map_or(after, |part| part.number);
        xml.open("ObjectParts").plain("PartsCount", facts.object.parts).plain("PartNumberMarker", after);
        xml.plain("NextPartNumberMarker", last).plain("MaxParts", limit);
        xml.plain("IsTruncated", last < facts.object.parts && !parts.is_empty());
        for part in &parts {
            xml.open("Part").plain("PartNumber", part.number).plain("Size", part.size);
            checksum::write_into(&mut xml, part.checksum.as_ref(), 0);
            xml.close();
        }
        xml.close();
    }
    if has("StorageClass") {
        xml.text("StorageClass", facts.object.storage_class.as_deref().unwrap_or(STANDARD_CLASS));
    }
    if has("ObjectSize") {
        xml.plain("ObjectSize", node.size);
    }
    let mut response = document(xml);
    set(response.headers_mut(), "last-modified", http_time(node.modified));
    if facts.versioned {
        set(response.headers_mut(), "x-amz-version-id", version_id_text(facts.version));
    }
    Ok(response)
}

fn wanted(call: &Call) -> Result<Vec<String>, Failure> {
    let values = call.headers().get_all("x-amz-object-attributes");
    let names: Vec<String> = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    if names.is_empty() {
        return Err(Failure::request(
            "The x-amz-object-attributes header specifying the attributes to be retrieved is \
                                     either missing or empty",
        ));
    }
    match names.iter().find(|name| !KNOWN.contains(&name.as_str())) {
        None => Ok(names),
        Some(unknown) => Err(Failure::argument("Invalid attribute name specified.")
            .fact("ArgumentName", "x-amz-object-attributes")
            .fact("ArgumentValue", unknown.as_str())),
    }
}

fn number(call: &Call, name: &'static str) -> Result<Option<u32>, Failure> {
    let Some(text) = call.header(name) else { return Ok(None) };
    text.trim().parse().map(Some).map_err(|_| Failure::argument(format!("{name} is not a number")))
}
