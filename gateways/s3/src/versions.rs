//! ListObjectVersions.

use allod_core::{ObjectVersion, Scan, ScanItem, VersionId};

use crate::answer::{document, iso_time};
use crate::checksum;
use crate::error::{Answer, Failure};
use crate::facts::{STANDARD_CLASS, facts_of};
use crate::handle::{Call, bucket_failure};
use crate::listing::Asked;
use crate::version::{parse_version_id, version_id_text};
use crate::xml::Xml;

/// Scans of one page at most.
const SCANS_MAX: usize = 64;

/// ListObjectVersions: every version and delete marker, newest first.
pub(crate) async fn list(call: &mut Call) -> Answer {
    let asked = Asked::parse(call, "max-keys")?;
    let key_marker = call.query.value("key-marker").unwrap_or_default().to_owned();
    let version_marker = call.query.value("version-id-marker").unwrap_or_default().to_owned();
    if key_marker.is_empty() && !version_marker.is_empty() {
        return Err(Failure::argument("A version-id marker cannot be specified without a key marker.")
            .fact("ArgumentName", "version-id-marker")
            .fact("ArgumentValue", version_marker));
    }
    let after = match version_marker.as_str() {
        "" => None,
        text => Some(parse_version_id(text)?),
    };
    let page = page(call, &asked, key_marker.as_bytes(), after).await?;
    let mut xml = Xml::new("ListVersionsResult");
    asked.write_head(&mut xml, "MaxKeys", page.next.is_some(), false);
    xml.key("KeyMarker", key_marker.as_bytes(), asked.url).text("VersionIdMarker", &version_marker);
    if let Some((key, version)) = &page.next {
        xml.key("NextKeyMarker", key, asked.url);
        if let Some(version) = version {
            xml.plain("NextVersionIdMarker", version_id_text(*version));
        }
    }
    let owner = (call.owner(), call.session.account());
    for item in &page.items {
        match item {
            ScanItem::Key(key, version) => write_version(&mut xml, &asked, key, version, &owner)?,
            ScanItem::Prefix(_) => {}
        }
    }
    for item in &page.items {
        if let ScanItem::Prefix(prefix) = item {
            asked.write_prefix(&mut xml, prefix);
        }
    }
    Ok(document(xml))
}

async fn page(
    call: &Call,
    asked: &Asked,
    after: &[u8],
    version: Option<VersionId>,
) -> Result<Scan<ObjectVersion>, Failure> {
    let mut page = Scan { items: Vec::new(), next: Some((after.to_vec(), version)) };
    if asked.limit == 0 {
        call.session.bucket(&asked.bucket).await.map_err(bucket_failure)?;
        return Ok(Scan { items: Vec::new(), next: None });
    }
    for _ in 0..SCANS_MAX {
        let Some((after, version)) = page.next.take() else { break };
        let request = asked.request(&after, asked.limit - page.items.len());
        let found =
            call.session.scan_versions(&asked.bucket, request, version).await.map_err(bucket_failure)?;
        page.items.extend(found.items);
        page.next = found.next;
        if page.items.len() >= asked.limit {
            break;
        }
    }
    Ok(page)
}

fn write_version(
    xml: &mut Xml,
    asked: &Asked,
    key: &[u8],
    version: &ObjectVersion,
    owner: &(String, String),
) -> Result<(), Failure> {
    xml.open(if version.node.is_some() { "Version" } else { "DeleteMarker" });
    xml.key("Key", key, asked.url).plain("VersionId", version_id_text(version.id));
    xml.plain("IsLatest", version.latest).plain("LastModified", iso_time(version.modified));
    if let Some(node) = &version.node {
        let facts = facts_of(node)?;
        xml.etag(&facts.etag);
        if let Some(sum) = &facts.object.checksum {
            xml.plain("ChecksumAlgorithm", checksum::algorithm(sum.kind));
            xml.plain("ChecksumType", checksum::type_name(sum.composite));
        }
        xml.plain("Size", node.size);
        xml.text("StorageClass", facts.object.storage_class.as_deref().unwrap_or(STANDARD_CLASS));
    }
    xml.open("Owner").text("ID", &owner.0).text("DisplayName", &owner.1).close();
    xml.close();
    Ok(())
}
