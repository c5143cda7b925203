//! What is kept with an object: read from a request's headers, written into an answer's.

use allod_core::{
    HEADERS_BYTES_MAX, HeaderKind, METADATA_BYTES_MAX, Node, OBJECT_TAGS_MAX, Object, ObjectFacts, Retention,
    RetentionMode, VersionId,
};
use allod_model::Timestamp;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES, HeaderMap,
    HeaderName, HeaderValue,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::answer::{http_time, iso_time, parse_iso_time, set};
use crate::checksum;
use crate::error::{Code, Failure};
use crate::query::Query;
use crate::version::version_id_text;

/// The media type of objects whose writer named none.
pub(crate) const DEFAULT_TYPE: &str = "binary/octet-stream";
/// How user metadata is called in headers.
pub(crate) const METADATA_PREFIX: &str = "x-amz-meta-";
/// Longest key of a tag, in characters.
const TAG_KEY_CHARS_MAX: usize = 128;
/// Longest value of a tag, in characters.
const TAG_VALUE_CHARS_MAX: usize = 256;
/// The storage classes that clients may name; all are kept and none has an effect.
const STORAGE_CLASSES: [&str; 8] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "GLACIER_IR",
];
/// The class of objects whose writer named none.
pub(crate) const STANDARD_CLASS: &str = "STANDARD";

/// What is encoded in the name of a rule.
const RULE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Headers that are kept and given back.
const KEPT: [(HeaderKind, &str); 6] = [
    (HeaderKind::CacheControl, "cache-control"),
    (HeaderKind::ContentDisposition, "content-disposition"),
    (HeaderKind::ContentEncoding, "content-encoding"),
    (HeaderKind::ContentLanguage, "content-language"),
    (HeaderKind::Expires, "expires"),
    (HeaderKind::RedirectLocation, "x-amz-website-redirect-location"),
];

/// Reads what is to be kept with a new object: its media type and everything else.
///
/// # Errors
/// `MetadataTooLarge`, `InvalidTag`, `InvalidArgument`, `InvalidStorageClass`.
pub(crate) fn parse(headers: &HeaderMap) -> Result<(Option<String>, Object), Failure> {
    let media_type = headers.get(CONTENT_TYPE).map(text).filter(|text| !text.is_empty());
    let object = Object {
        metadata: parse_metadata(headers)?,
        headers: parse_kept(headers)?,
        tags: match headers.get("x-amz-tagging") {
            Some(value) => parse_tagging_header(&text(value))?,
            None => Vec::new(),
        },
        retention: parse_retention(headers)?,
        legal_hold: parse_legal_hold(headers)?,
        storage_class: parse_storage_class(headers)?,
        ..Object::default()
    };
    Ok((media_type, object))
}

/// A header's value as text: each byte a character, as in ISO 8859-1. So every value comes back to the letter in
/// [`header_value`], whatever it was meant to be.
fn text(value: &HeaderValue) -> String {
    value.as_bytes().trim_ascii().iter().map(|byte| char::from(*byte)).collect()
}

/// What [`text`] read, as a header's value. What came by another way (a form) may hold characters that no byte stands
/// for: then it is UTF-8.
fn header_value(text: &str) -> Option<HeaderValue> {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    HeaderValue::from_bytes(&bytes.unwrap_or_else(|| text.as_bytes().to_vec())).ok()
}

fn parse_metadata(headers: &HeaderMap) -> Result<Vec<(String, String)>, Failure> {
    let mut found: Vec<(String, String)> = Vec::new();
    for name in headers.keys() {
        let Some(short) = name.as_str().strip_prefix(METADATA_PREFIX).filter(|short| !short.is_empty())
        else {
            continue;
        };
        let values: Vec<String> = headers.get_all(name).iter().map(text).collect();
        found.push((short.to_owned(), values.join(",")));
    }
    check_metadata(&found)?;
    Ok(found)
}

/// S3's limit of 2 KiB, names and values together.
pub(crate) fn check_metadata(metadata: &[(String, String)]) -> Result<(), Failure> {
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes <= METADATA_BYTES_MAX {
        return Ok(());
    }
    let message = "Your metadata headers exceed the maximum allowed metadata size";
    Err(Failure::new(Code::METADATA_TOO_LARGE, message)
        .fact("Size", bytes.to_string())
        .fact("MaxSizeAllowed", METADATA_BYTES_MAX.to_string()))
}

fn parse_kept(headers: &HeaderMap) -> Result<Vec<(HeaderKind, String)>, Failure> {
    let mut found = Vec::new();
    for (kind, name) in KEPT {
        let values: Vec<String> = headers.get_all(name).iter().map(text).collect();
        let mut value = values.join(", ");
        if kind == HeaderKind::ContentEncoding {
            value = without_chunked(&value);
        }
        if !value.is_empty() {
            found.push((kind, value));
        }
    }
    if found.iter().map(|(_, value)| value.len()).sum::<usize>() > HEADERS_BYTES_MAX {
        let message = "Your request header section exceeds the maximum allowed size.";
        return Err(Failure::new(Code::METADATA_TOO_LARGE, message));
    }
    Ok(found)
}

/// `aws-chunked` is the framing of the request, not a property of the content.
fn without_chunked(codings: &str) -> String {
    let codings = codings.split(',').map(str::trim);
    codings.filter(|c| !c.is_empty() && !c.eq_ignore_ascii_case("aws-chunked")).collect::<Vec<_>>().join(", ")
}

/// Reads `x-amz-tagging`: tags as a query.
pub(crate) fn parse_tagging_header(text: &str) -> Result<Vec<(String, String)>, Failure> {
    let query = Query::parse(Some(text)).map_err(|_| {
        Failure::argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters",
        )
    })?;
    let tags = query.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    check_tags(tags, OBJECT_TAGS_MAX)
}

/// Checks tags against AWS' limits.
///
/// # Errors
/// `InvalidTag`.
pub(crate) fn check_tags(
    mut tags: Vec<(String, String)>,
    max: usize,
) -> Result<Vec<(String, String)>, Failure> {
    if tags.len() > max {
        let message = format!("Object tags cannot be greater than {max}");
        return Err(Failure::new(Code::INVALID_TAG, message));
    }
    let wrong = |why: &'static str| Err(Failure::new(Code::INVALID_TAG, why));
    for (at, (key, value)) in tags.iter().enumerate() {
        if key.is_empty() || key.chars().count() > TAG_KEY_CHARS_MAX {
            return wrong("The TagKey you have provided is invalid");
        }
        if value.chars().count() > TAG_VALUE_CHARS_MAX {
            return wrong("The TagValue you have provided is invalid");
        }
        if key.starts_with("aws:") {
            return wrong("System tags cannot be added/updated by requester");
        }
        if tags[..at].iter().any(|(known, _)| known == key) {
            return wrong("Cannot provide multiple Tags with the same key");
        }
    }
    tags.sort();
    Ok(tags)
}

/// The retention that the headers ask for.
///
/// # Errors
/// `InvalidArgument` for half of it or for a mode that does not exist.
pub(crate) fn parse_retention(headers: &HeaderMap) -> Result<Option<Retention>, Failure> {
    let mode = headers.get("x-amz-object-lock-mode").map(text);
    let until = headers.get("x-amz-object-lock-retain-until-date").map(text);
    let (mode, until) = match (mode, until) {
        (None, None) => return Ok(None),
        (Some(mode), Some(until)) => (mode, until),
        _ => {
            return Err(Failure::argument(
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
            ));
        }
    };
    let mode = parse_mode(&mode).ok_or_else(|| Failure::argument("Unknown wormMode directive."))?;
    let until = parse_iso_time(&until)
        .ok_or_else(|| Failure::argument("The retain until date must be provided in ISO 8601 format"))?;
    Ok(Some(Retention { mode, until }))
}

/// A mode of retention by its name.
pub(crate) fn parse_mode(text: &str) -> Option<RetentionMode> {
    match text {
        "GOVERNANCE" => Some(RetentionMode::Governance),
        "COMPLIANCE" => Some(RetentionMode::Compliance),
        _ => None,
    }
}

/// The name of a mode of retention.
pub(crate) fn mode_name(mode: RetentionMode) -> &'static str {
    match mode {
        RetentionMode::Governance => "GOVERNANCE",
        RetentionMode::Compliance => "COMPLIANCE",
    }
}

/// Whether the headers ask for a legal hold.
///
/// # Errors
/// `InvalidArgument` for anything but `ON` and `OFF`.
pub(crate) fn parse_legal_hold(headers: &HeaderMap) -> Result<bool, Failure> {
    match headers.get("x-amz-object-lock-legal-hold").map(HeaderValue::as_bytes) {
        None | Some(b"OFF") => Ok(false),
        Some(b"ON") => Ok(true),
        Some(_) => Err(Failure::argument("Legal Hold must be either of 'ON' or 'OFF'")),
    }
}

/// Translates core's refusal of an object that asks for a lock: S3 has a code of its own for buckets that cannot give it.
pub(crate) fn lock_failure(failure: Failure, object: &Object, now: Timestamp) -> Failure {
    let asked = object.legal_hold || object.retention.is_some();
    if !asked || !failure.is(Code::INVALID_ARGUMENT) {
        return failure;
    }
    match object.retention {
        Some(retention) if retention.until <= now => {
            Failure::argument("The retain until date must be in the future!")
        }
        _ => Failure::request("Bucket is missing Object Lock Configuration"),
    }
}

/// The storage class that the headers name; `None` for the usual one.
///
/// # Errors
/// `InvalidStorageClass` for one that does not exist.
pub(crate) fn parse_storage_class(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(class) = headers.get("x-amz-storage-class").map(text) else { return Ok(None) };
    match class.as_str() {
        "" | STANDARD_CLASS => Ok(None),
        class if STORAGE_CLASSES.contains(&class) => Ok(Some(class.to_owned())),
        _ => Err(Failure::new(Code::INVALID_STORAGE_CLASS, "The storage class you specified is not valid")
            .fact("StorageClassRequested", class)),
    }
}

/// What core keeps of an object.
///
/// # Errors
/// `InternalError`, which core's promise to fill it in rules out.
pub(crate) fn facts_of(node: &Node) -> Result<&ObjectFacts, Failure> {
    let missing = || Failure::new(Code::INTERNAL_ERROR, "the facts of the object are missing");
    node.object.as_deref().ok_or_else(missing)
}

/// Writes what an answer to GET or HEAD says of an object beside its length.
pub(crate) fn describe(headers: &mut HeaderMap, node: &Node, facts: &ObjectFacts) {
    identify(headers, facts);
    set(headers, "last-modified", http_time(node.modified));
    headers.insert("accept-ranges", HeaderValue::from_static("bytes"));
    let media_type = node.media_type.as_deref().and_then(header_value);
    headers.insert(CONTENT_TYPE, media_type.unwrap_or(HeaderValue::from_static(DEFAULT_TYPE)));
    let object = &facts.object;
    for (kind, value) in &object.headers {
        if let Some((_, name)) = KEPT.iter().find(|(known, _)| known == kind)
            && let Some(value) = header_value(value)
        {
            headers.insert(*name, value);
        }
    }
    for (name, value) in &object.metadata {
        let name = HeaderName::try_from(format!("{METADATA_PREFIX}{name}"));
        if let (Ok(name), Some(value)) = (name, header_value(value)) {
            headers.insert(name, value);
        }
    }
    if !object.tags.is_empty() {
        headers.insert("x-amz-tagging-count", HeaderValue::from(object.tags.len()));
    }
    if let Some(class) = &object.storage_class {
        set(headers, "x-amz-storage-class", class);
    }
    if let Some(retention) = object.retention {
        set(headers, "x-amz-object-lock-mode", mode_name(retention.mode));
        set(headers, "x-amz-object-lock-retain-until-date", iso_time(retention.until));
    }
    if object.legal_hold {
        headers.insert("x-amz-object-lock-legal-hold", HeaderValue::from_static("ON"));
    }
}

/// Writes what tells one state of an object from another.
pub(crate) fn identify(headers: &mut HeaderMap, facts: &ObjectFacts) {
    set(headers, "etag", format!("\"{}\"", facts.etag));
    if facts.versioned {
        set(headers, "x-amz-version-id", version_id_text(facts.version));
    }
    headers.insert("x-amz-server-side-encryption", HeaderValue::from_static("AES256"));
    if let Some((time, rule)) = &facts.expiry {
        let (date, rule) = (http_time(*time), utf8_percent_encode(rule, RULE_NAME));
        set(headers, "x-amz-expiration", format!("expiry-date=\"{date}\", rule-id=\"{rule}\""));
    }
}

/// As [`identify`], of what was just written: the null version is not worth a word there, as it is in S3.
pub(crate) fn identify_written(headers: &mut HeaderMap, facts: &ObjectFacts) {
    identify(headers, facts);
    if facts.version == VersionId::Null {
        headers.remove("x-amz-version-id");
    }
}

/// Writes the checksum that is kept with an object.
pub(crate) fn show_checksum(headers: &mut HeaderMap, object: &Object) {
    if let Some(sum) = &object.checksum {
        set(headers, checksum::header(sum.kind), checksum::shown(sum, object.parts));
        set(headers, "x-amz-checksum-type", checksum::type_name(sum.composite));
    }
}

/// Headers that a query may override: the parameter and the header.
pub(crate) const OVERRIDES: [(&str, HeaderName); 6] = [
    ("response-cache-control", CACHE_CONTROL),
    ("response-content-disposition", CONTENT_DISPOSITION),
    ("response-content-encoding", CONTENT_ENCODING),
    ("response-content-language", CONTENT_LANGUAGE),
    ("response-content-type", CONTENT_TYPE),
    ("response-expires", EXPIRES),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    type Pairs<'a> = &'a [(&'static str, &'a str)];

    fn code(pairs: Pairs<'_>) -> Option<String> {
        parse(&headers(pairs)).err().map(|failure| failure.code.into_owned())
    }

    #[test]
    fn what_is_kept() {
        let (media_type, object) = parse(&headers(&[
            ("content-type", "text/html; x=\"é\""),
            ("content-encoding", "aws-chunked, gzip"),
            ("x-amz-meta-a", "1"),
            ("x-amz-meta-a", "2"),
            ("x-amz-meta-b", "é"),
            ("x-amz-tagging", "k%201=v%26&k2"),
            ("x-amz-storage-class", "GLACIER"),
        ]))
        .unwrap();
        assert_eq!(header_value(&media_type.unwrap()).unwrap().as_bytes(), "text/html; x=\"é\"".as_bytes());
        assert_eq!(object.headers, [(HeaderKind::ContentEncoding, "gzip".to_owned())]);
        assert_eq!(object.metadata[0], ("a".to_owned(), "1,2".to_owned()));
        assert_eq!(header_value(&object.metadata[1].1).unwrap().as_bytes(), "é".as_bytes());
        assert_eq!(header_value("€").unwrap().as_bytes(), "€".as_bytes());
        assert_eq!(object.tags, [("k 1".into(), "v&".into()), ("k2".into(), String::new())]);
        assert_eq!(object.storage_class.as_deref(), Some("GLACIER"));
        let (_, object) = parse(&headers(&[("content-encoding", "AWS-chunked,")])).unwrap();
        assert_eq!(object, Object::default());
    }

    #[test]
    fn when_it_will_be_removed() {
        let facts = |expiry| ObjectFacts {
            etag: "e".into(),
            version: VersionId::Null,
            versioned: false,
            expiry,
            object: Object::default(),
        };
        let shown = |expiry| {
            let mut headers = HeaderMap::new();
            identify_written(&mut headers, &facts(expiry));
            headers.get("x-amz-expiration").map(text)
        };
        assert_eq!(shown(None), None);
        let right = "expiry-date=\"Thu, 01 Jan 1970 00:00:00 GMT\", rule-id=\"a-1%20%C3%A9\"";
        assert_eq!(shown(Some((Timestamp(0), "a-1 é".into()))).as_deref(), Some(right));
    }

    #[test]
    fn header_bytes_come_back() {
        for bytes in [&b"plain"[..], "ünï".as_bytes(), b"\xfc\xff\x80", b"a\tb", b"\"\\"] {
            let read = text(&HeaderValue::from_bytes(bytes).unwrap());
            assert_eq!(header_value(&read).unwrap().as_bytes(), bytes);
        }
        assert_eq!(text(&HeaderValue::from_static(" a b ")), "a b");
        assert_eq!(header_value("a\nb"), None);
    }

    #[test]
    fn what_is_refused() {
        let long = "v".repeat(2048);
        let (key, value) = (format!("{}=", "k".repeat(129)), format!("k={}", "é".repeat(257)));
        let many = (0..11).map(|n| format!("k{n}=")).collect::<Vec<_>>().join("&");
        let date = ("x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z");
        let table: &[(Pairs<'_>, Option<&str>)] = &[
            (&[("x-amz-meta-a", &long)], Some("MetadataTooLarge")),
            (&[("x-amz-meta-a", &long[..2047])], None),
            (&[("x-amz-tagging", &key)], Some("InvalidTag")),
            (&[("x-amz-tagging", &value)], Some("InvalidTag")),
            (&[("x-amz-tagging", "a=1&a=2")], Some("InvalidTag")),
            (&[("x-amz-tagging", "aws:x=1")], Some("InvalidTag")),
            (&[("x-amz-tagging", &many)], Some("InvalidTag")),
            (&[("x-amz-storage-class", "GOLD")], Some("InvalidStorageClass")),
            (&[("x-amz-object-lock-mode", "GOVERNANCE")], Some("InvalidArgument")),
            (&[date], Some("InvalidArgument")),
            (&[date, ("x-amz-object-lock-mode", "governance")], Some("InvalidArgument")),
            (&[date, ("x-amz-object-lock-mode", "COMPLIANCE")], None),
            (&[("x-amz-object-lock-legal-hold", "on")], Some("InvalidArgument")),
        ];
        for (pairs, wanted) in table {
            assert_eq!(code(pairs).as_deref(), *wanted, "{:?}", pairs[0].0);
        }
    }
}
