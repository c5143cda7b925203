//! ListObjects and ListObjectsV2.

use allod_core::{Node, SCAN_ITEMS_MAX, Scan, ScanItem, ScanRequest};
use allod_model::Name;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::answer::{document, iso_time};
use crate::checksum;
use crate::error::{Answer, Failure};
use crate::facts::{STANDARD_CLASS, facts_of};
use crate::handle::{Call, bucket_failure};
use crate::xml::Xml;

/// Scans of one page at most: core ends a scan early where there is much to pass over.
const SCANS_MAX: usize = 64;
/// How a continuation token begins, so that its form can change.
const TOKEN_FORM: &str = "1";

/// What all listings are asked.
pub(crate) struct Asked {
    pub(crate) bucket: Name,
    pub(crate) prefix: String,
    pub(crate) delimiter: String,
    /// Items wanted.
    pub(crate) limit: usize,
    /// Keys are to be percent-encoded.
    pub(crate) url: bool,
    /// ListObjects, not one of the later listings.
    is_first_form: bool,
}

impl Asked {
    /// Reads what `limit` and the other parameters say.
    pub(crate) fn parse(call: &Call, limit: &'static str) -> Result<Asked, Failure> {
        Ok(Asked {
            bucket: call.bucket()?,
            prefix: call.query.value("prefix").unwrap_or_default().to_owned(),
            delimiter: call.query.value("delimiter").unwrap_or_default().to_owned(),
            limit: call.query.number(limit)?.unwrap_or(SCAN_ITEMS_MAX).min(SCAN_ITEMS_MAX),
            url: call.query.url_encoding()?,
            is_first_form: false,
        })
    }

    /// What core is to scan, behind `after`.
    pub(crate) fn request(&self, after: &[u8], limit: usize) -> ScanRequest {
        ScanRequest {
            prefix: self.prefix.as_bytes().to_vec(),
            delimiter: self.delimiter.as_bytes().to_vec(),
            after: after.to_vec(),
            limit,
        }
    }

    /// Writes what every listing repeats.
    pub(crate) fn write_head(&self, xml: &mut Xml, limit_name: &'static str, truncated: bool) {
        xml.text("Name", self.bucket.as_str()).key("Prefix", self.prefix.as_bytes(), self.url_prefix());
        if !self.delimiter.is_empty() {
            xml.key("Delimiter", self.delimiter.as_bytes(), self.url);
        }
        xml.plain(limit_name, self.limit).plain("IsTruncated", truncated);
        if self.url {
            xml.plain("EncodingType", "url");
        }
    }

    /// S3 leaves the prefix as it is in the first form of listings, and botocore does not decode it there. What XML
    /// cannot hold is encoded all the same.
    fn url_prefix(&self) -> bool {
        let speakable = |c: char| !c.is_ascii_control() || "\t\n\r".contains(c);
        self.url && !(self.is_first_form && self.prefix.chars().all(speakable))
    }

    /// Writes a common prefix.
    pub(crate) fn write_prefix(&self, xml: &mut Xml, prefix: &[u8]) {
        xml.open("CommonPrefixes").key("Prefix", prefix, self.url).close();
    }
}

/// ListObjects, the older form: pages are told apart by keys.
pub(crate) async fn list_v1(call: &mut Call) -> Answer {
    let asked = Asked { is_first_form: true, ..Asked::parse(call, "max-keys")? };
    let marker = call.query.value("marker").unwrap_or_default().to_owned();
    let page = page(call, &asked, marker.as_bytes()).await?;
    let mut xml = Xml::new("ListBucketResult");
    asked.write_head(&mut xml, "MaxKeys", page.next.is_some());
    xml.key("Marker", marker.as_bytes(), asked.url);
    // Without a delimiter the client goes on behind the last key, but an empty page leaves it none.
    if let Some((next, _)) = &page.next
        && (!asked.delimiter.is_empty() || page.items.is_empty())
    {
        let last = page.items.last().map_or(next.as_slice(), ScanItem::key);
        xml.key("NextMarker", last, asked.url);
    }
    write_items(&mut xml, call, &asked, &page, true)?;
    Ok(document(xml))
}

/// ListObjectsV2: pages are told apart by opaque tokens.
pub(crate) async fn list_v2(call: &mut Call) -> Answer {
    let asked = Asked::parse(call, "max-keys")?;
    let token = call.query.value("continuation-token").map(str::to_owned);
    let start_after = call.query.value("start-after").map(str::to_owned);
    let with_owner = match call.query.value("fetch-owner") {
        None | Some("" | "false") => false,
        Some("true") => true,
        Some(_) => return Err(Failure::argument("fetch-owner is true or false")),
    };
    let after = match token.as_deref().filter(|token| !token.is_empty()) {
        Some(token) => parse_token(token)?,
        None => start_after.clone().unwrap_or_default().into_bytes(),
    };
    let page = page(call, &asked, &after).await?;
    let mut xml = Xml::new("ListBucketResult");
    asked.write_head(&mut xml, "MaxKeys", page.next.is_some());
    xml.plain("KeyCount", page.items.len()).maybe("ContinuationToken", token.as_deref());
    if let Some((next, _)) = &page.next {
        xml.plain("NextContinuationToken", format!("{TOKEN_FORM}{}", URL_SAFE_NO_PAD.encode(next)));
    }
    if let Some(start_after) = &start_after {
        xml.key("StartAfter", start_after.as_bytes(), asked.url);
    }
    write_items(&mut xml, call, &asked, &page, with_owner)?;
    Ok(document(xml))
}

fn parse_token(token: &str) -> Result<Vec<u8>, Failure> {
    let key = token.strip_prefix(TOKEN_FORM).and_then(|key| URL_SAFE_NO_PAD.decode(key).ok());
    key.ok_or_else(|| Failure::argument("The continuation token provided is incorrect"))
}

/// A page of keys: as many as asked for, if there are so many.
async fn page(call: &Call, asked: &Asked, after: &[u8]) -> Result<Scan<Node>, Failure> {
    let mut page = Scan { items: Vec::new(), next: Some((after.to_vec(), None)) };
    if asked.limit == 0 {
        // The bucket must be there all the same.
        call.session.bucket(&asked.bucket).await.map_err(bucket_failure)?;
        return Ok(Scan { items: Vec::new(), next: None });
    }
    for _ in 0..SCANS_MAX {
        let Some((after, _)) = &page.next else { break };
        let request = asked.request(after, asked.limit - page.items.len());
        let found = call.session.scan(&asked.bucket, request).await.map_err(bucket_failure)?;
        page.items.extend(found.items);
        page.next = found.next;
        if page.items.len() >= asked.limit {
            break;
        }
    }
    Ok(page)
}

fn write_items(
    xml: &mut Xml,
    call: &Call,
    asked: &Asked,
    page: &Scan<Node>,
    with_owner: bool,
) -> Result<(), Failure> {
    let owner = with_owner.then(|| (call.owner(), call.session.account()));
    for item in &page.items {
        let ScanItem::Key(key, node) = item else { continue };
        let facts = facts_of(node)?;
        xml.open("Contents").key("Key", key, asked.url).plain("LastModified", iso_time(node.modified));
        xml.etag(&facts.etag);
        if let Some(sum) = &facts.object.checksum {
            xml.plain("ChecksumAlgorithm", checksum::algorithm(sum.kind));
            xml.plain("ChecksumType", checksum::type_name(sum.composite));
        }
        xml.plain("Size", node.size);
        xml.text("StorageClass", facts.object.storage_class.as_deref().unwrap_or(STANDARD_CLASS));
        if let Some((id, name)) = &owner {
            xml.open("Owner").text("ID", id).text("DisplayName", name).close();
        }
        xml.close();
    }
    for item in &page.items {
        if let ScanItem::Prefix(prefix) = item {
            asked.write_prefix(xml, prefix);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_opaque_and_checked() {
        let token = format!("{TOKEN_FORM}{}", URL_SAFE_NO_PAD.encode("a/é"));
        assert_eq!(parse_token(&token).unwrap(), "a/é".as_bytes());
        for wrong in ["x", "1!", "2YQ", "1YQ=="] {
            assert_eq!(parse_token(wrong).unwrap_err().code, "InvalidArgument", "{wrong}");
        }
    }
}
