//! Conditions of a request (RFC 9110 §13), as core judges them.

use allod_core::Node;
use allod_model::{Etag, EtagMatch, Precondition, Timestamp};
use http::HeaderMap;
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};

use crate::answer::{parse_http_time, parse_iso_time};
use crate::error::Failure;

/// Entity tags of one condition at most.
const TAGS_MAX: usize = 64;

/// The conditions on what the request is about.
///
/// # Errors
/// `InvalidArgument` for entity tags that cannot be read. A time that cannot be read is no condition (RFC 9110
/// §13.1.3).
pub(crate) fn parse(headers: &HeaderMap) -> Result<Precondition, Failure> {
    parse_named(
        headers,
        [IF_MATCH.as_str(), IF_NONE_MATCH.as_str(), IF_MODIFIED_SINCE.as_str(), IF_UNMODIFIED_SINCE.as_str()],
    )
}

/// The conditions on the source of a copy.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_source(headers: &HeaderMap) -> Result<Precondition, Failure> {
    parse_named(
        headers,
        [
            "x-amz-copy-source-if-match",
            "x-amz-copy-source-if-none-match",
            "x-amz-copy-source-if-modified-since",
            "x-amz-copy-source-if-unmodified-since",
        ],
    )
}

/// Conditions on what a write replaces: times have no meaning there (RFC 9110 §13.2.2 for `PUT` would give them one, S3
/// does not).
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_write(headers: &HeaderMap) -> Result<Precondition, Failure> {
    let all = parse(headers)?;
    Ok(Precondition { if_match: all.if_match, if_none_match: all.if_none_match, ..Precondition::default() })
}

/// The size that an object to be deleted must have, in bytes.
///
/// # Errors
/// `InvalidArgument`.
pub(crate) fn size(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(value) = headers.get("x-amz-if-match-size") else { return Ok(None) };
    let size = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    size.map(Some).ok_or_else(|| Failure::argument("x-amz-if-match-size is not a number of bytes"))
}

/// When an object to be deleted must have been modified.
///
/// # Errors
/// `InvalidArgument`.
pub(crate) fn modified(headers: &HeaderMap) -> Result<Option<Timestamp>, Failure> {
    let Some(value) = headers.get("x-amz-if-match-last-modified-time") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let time = parse_http_time(text).or_else(|| parse_iso_time(text));
    time.map(Some).ok_or_else(|| Failure::argument("x-amz-if-match-last-modified-time is not a time"))
}

fn parse_named(headers: &HeaderMap, names: [&str; 4]) -> Result<Precondition, Failure> {
    let [if_match, if_none_match, modified, unmodified] = names;
    Ok(Precondition {
        if_match: parse_tags(headers, if_match)?,
        if_none_match: parse_tags(headers, if_none_match)?,
        if_modified_since: parse_time(headers, modified),
        if_unmodified_since: parse_time(headers, unmodified),
        ..Precondition::default()
    })
}

fn parse_time(headers: &HeaderMap, name: &str) -> Option<Timestamp> {
    parse_http_time(headers.get(name)?.to_str().ok()?)
}

fn parse_tags(headers: &HeaderMap, name: &str) -> Result<Option<EtagMatch>, Failure> {
    let mut tags = Vec::new();
    let mut any = false;
    for value in headers.get_all(name) {
        let wrong = || Failure::argument(format!("{name} is not a list of entity tags"));
        for text in value.to_str().map_err(|_| wrong())?.split(',').map(str::trim).filter(|t| !t.is_empty()) {
            any |= text == "*";
            if tags.len() == TAGS_MAX {
                return Err(wrong());
            }
            tags.push(Etag(bare_tag(text).to_owned()));
        }
    }
    Ok(match (any, tags.is_empty()) {
        (true, _) => Some(EtagMatch::Any),
        (false, true) => None,
        (false, false) => Some(EtagMatch::OneOf(tags)),
    })
}

/// An entity tag without its quotes, and without the mark of a weak one: clients send it in any of these forms.
pub(crate) fn bare_tag(text: &str) -> &str {
    let text = text.trim();
    let text = text.strip_prefix("W/").unwrap_or(text);
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}

/// Whether `If-Range` lets a range be answered (RFC 9110 §13.1.5); without it, ranges are.
pub(crate) fn if_range_holds(headers: &HeaderMap, node: &Node) -> bool {
    let Some(value) = headers.get(IF_RANGE) else { return true };
    let text = value.to_str().unwrap_or_default().trim();
    match parse_http_time(text) {
        Some(time) => node.modified.secs() == time.secs(),
        None => {
            let shown = node.object.as_ref().map(|facts| facts.etag.as_str());
            !text.starts_with("W/") && (shown == Some(bare_tag(text)) || node.etag.0 == bare_tag(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_in_every_form() {
        let parse = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_MATCH, value.parse().unwrap());
            super::parse(&headers).unwrap().if_match
        };
        let one = |tag: &str| Some(EtagMatch::OneOf(vec![Etag(tag.to_owned())]));
        assert_eq!(parse("*"), Some(EtagMatch::Any));
        assert_eq!(parse("\"*\""), one("*"));
        assert_eq!(parse("\"abc\""), one("abc"));
        assert_eq!(parse("abc-2"), one("abc-2"));
        assert_eq!(parse("W/\"abc\""), one("abc"));
        assert_eq!(parse(""), None);
        let two = EtagMatch::OneOf(vec![Etag("a".into()), Etag("b".into())]);
        assert_eq!(parse("\"a\", b"), Some(two));
        let mut headers = HeaderMap::new();
        headers.insert(IF_MATCH, vec!["a"; 100].join(",").parse().unwrap());
        assert!(super::parse(&headers).is_err());
    }

    #[test]
    fn times_that_are_none_are_no_condition() {
        let mut headers = HeaderMap::new();
        headers.insert(IF_MODIFIED_SINCE, "yesterday".parse().unwrap());
        headers.insert(IF_UNMODIFIED_SINCE, "Mon, 12 Oct 2009 17:50:30 GMT".parse().unwrap());
        let pre = parse(&headers).unwrap();
        assert_eq!(
            (pre.if_modified_since, pre.if_unmodified_since),
            (None, Some(Timestamp(1_255_369_830_000)))
        );
        let write = parse_write(&headers).unwrap();
        assert_eq!(write, Precondition::default());
    }
}
