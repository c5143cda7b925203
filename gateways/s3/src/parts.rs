//! Parts of uploads: store, list; and the uploads under way.

use allod_core::{Checksum, PARTS_MAX, SCAN_ITEMS_MAX, ScanItem, UploadId};
use http::StatusCode;

use crate::answer::{document, empty, iso_time, set};
use crate::checksum;
use crate::chunked::hex;
use crate::error::{Answer, Doing, Failure};
use crate::facts::STANDARD_CLASS;
use crate::handle::{Call, bucket_failure};
use crate::listing::Asked;
use crate::multipart::{mismatch, upload_id};
use crate::xml::Xml;

/// The part's number in the query.
///
/// # Errors
/// `InvalidArgument` outside 1 to 10,000.
pub(crate) fn part_number(call: &Call) -> Result<u32, Failure> {
    let number = call.query.number::<u32>("partNumber")?.unwrap_or_default();
    match (1..=PARTS_MAX).contains(&number) {
        true => Ok(number),
        false => Err(Failure::argument("Part number must be an integer between 1 and 10000, inclusive")
            .fact("ArgumentName", "partNumber")),
    }
}

/// UploadPart.
pub(crate) async fn upload(call: &mut Call) -> Answer {
    let (path, id, number) = (call.path()?, upload_id(call), part_number(call)?);
    let upload = call.session.upload(&path, &id).await.map_err(|error| Failure::of(error, Doing::Upload))?;
    let (mut content, claims) = call.content()?;
    let kind = upload.checksum.map_or_else(|| claims.kind(), |(kind, _)| kind);
    if claims.names_checksum() && claims.kind() != kind && kind != allod_core::ChecksumKind::Crc64Nvme {
        return Err(mismatch(kind, claims.kind()));
    }
    content.keep(kind);
    let (claimed, named) = (claims.kind(), claims.names_checksum());
    let outcome = content.outcome();
    let judged = outcome.clone();
    let length = claims.length;
    let at_end = move |arrived: &allod_core::Arrived| {
        let Some(taken) = judged.taken() else {
            return Err(judged.fail(Failure::request("the body did not end")));
        };
        let kept = taken.kept.clone();
        let claimed = claims.judge(arrived, taken).map_err(|failure| judged.fail(failure))?;
        Ok(Some(match kept {
            Some((kind, value)) => Checksum { kind, composite: false, value },
            None => claimed,
        }))
    };
    let stored = call.session.upload_part(&path, &id, number, length, content, at_end).await;
    let part = stored.map_err(|error| outcome.explain(error, Doing::Upload))?;
    let mut response = empty(StatusCode::OK);
    set(response.headers_mut(), "etag", format!("\"{}\"", hex(&part.md5)));
    set(response.headers_mut(), "x-amz-server-side-encryption", "AES256");
    if let Some(taken) = outcome.taken() {
        // Without a word of the client, the part carries the checksum of its upload.
        let (kind, value) = match &taken.kept {
            Some((kind, value)) if !named => (*kind, value),
            _ => (claimed, &taken.checksum),
        };
        set(response.headers_mut(), checksum::header(kind), checksum::encode(value));
    }
    Ok(response)
}

/// ListParts.
pub(crate) async fn list(call: &mut Call) -> Answer {
    let (path, id) = (call.path()?, upload_id(call));
    let limit = call.query.number::<usize>("max-parts")?.unwrap_or(SCAN_ITEMS_MAX).min(SCAN_ITEMS_MAX);
    let after = call.query.number::<u32>("part-number-marker")?.unwrap_or_default();
    let url = call.query.url_encoding()?;
    let failing = |error| Failure::of(error, Doing::Upload);
    let upload = call.session.upload(&path, &id).await.map_err(failing)?;
    let (parts, more) = match limit {
        0 => (Vec::new(), false),
        limit => call.session.parts(&path, &id, after, limit).await.map_err(failing)?,
    };
    let mut xml = Xml::new("ListPartsResult");
    xml.text("Bucket", call.bucket()?.as_str())
        .key("Key", call.key().as_bytes(), url)
        .text("UploadId", &id.0);
    let (owner, name) = (call.owner(), call.session.account());
    for who in ["Initiator", "Owner"] {
        xml.open(who).text("ID", &owner).text("DisplayName", &name).close();
    }
    xml.text("StorageClass", upload.storage_class.as_deref().unwrap_or(STANDARD_CLASS));
    if let Some((kind, composite)) = upload.checksum {
        xml.plain("ChecksumAlgorithm", checksum::algorithm(kind));
        xml.plain("ChecksumType", checksum::type_name(composite));
    }
    xml.plain("PartNumberMarker", after);
    if let Some(last) = parts.last() {
        xml.plain("NextPartNumberMarker", last.number);
    }
    xml.plain("MaxParts", limit).plain("IsTruncated", more);
    for part in &parts {
        xml.open("Part").plain("PartNumber", part.number).plain("LastModified", iso_time(part.modified));
        xml.etag(&hex(&part.md5)).plain("Size", part.size);
        checksum::write_into(&mut xml, part.checksum.as_ref(), 0);
        xml.close();
    }
    Ok(document(xml))
}

/// ListMultipartUploads.
pub(crate) async fn list_uploads(call: &mut Call) -> Answer {
    let asked = Asked::parse(call, "max-uploads")?;
    let key_marker = call.query.value("key-marker").unwrap_or_default().to_owned();
    let id_marker = call.query.value("upload-id-marker").unwrap_or_default().to_owned();
    let after_id = Some(UploadId(id_marker.clone())).filter(|id| !id.0.is_empty() && !key_marker.is_empty());
    let request = asked.request(key_marker.as_bytes(), asked.limit);
    let page = match asked.limit {
        0 => {
            call.session.bucket(&asked.bucket).await.map_err(bucket_failure)?;
            allod_core::Scan { items: Vec::new(), next: None }
        }
        _ => {
            let found = call.session.uploads(&asked.bucket, request, after_id.as_ref()).await;
            found.map_err(bucket_failure)?
        }
    };
    let mut xml = Xml::new("ListMultipartUploadsResult");
    xml.text("Bucket", asked.bucket.as_str()).key("KeyMarker", key_marker.as_bytes(), asked.url);
    xml.text("UploadIdMarker", &id_marker);
    if page.next.is_some() {
        let (key, id) = match page.items.last() {
            Some(ScanItem::Key(key, upload)) => (key.as_slice(), upload.id.0.as_str()),
            Some(ScanItem::Prefix(prefix)) => (prefix.as_slice(), ""),
            None => (page.next.as_ref().map_or(&[][..], |(key, _)| key), ""),
        };
        xml.key("NextKeyMarker", key, asked.url).text("NextUploadIdMarker", id);
    }
    xml.key("Prefix", asked.prefix.as_bytes(), asked.url);
    if !asked.delimiter.is_empty() {
        xml.key("Delimiter", asked.delimiter.as_bytes(), asked.url);
    }
    if asked.url {
        xml.plain("EncodingType", "url");
    }
    xml.plain("MaxUploads", asked.limit).plain("IsTruncated", page.next.is_some());
    let (owner, name) = (call.owner(), call.session.account());
    for item in &page.items {
        let ScanItem::Key(key, upload) = item else { continue };
        xml.open("Upload").key("Key", key, asked.url).text("UploadId", &upload.id.0);
        for who in ["Initiator", "Owner"] {
            xml.open(who).text("ID", &owner).text("DisplayName", &name).close();
        }
        xml.text("StorageClass", upload.storage_class.as_deref().unwrap_or(STANDARD_CLASS));
        xml.plain("Initiated", iso_time(upload.begun));
        if let Some((kind, composite)) = upload.checksum {
            xml.plain("ChecksumAlgorithm", checksum::algorithm(kind));
            xml.plain("ChecksumType", checksum::type_name(composite));
        }
        xml.close();
    }
    for item in &page.items {
        if let ScanItem::Prefix(prefix) = item {
            asked.write_prefix(&mut xml, prefix);
        }
    }
    Ok(document(xml))
}
