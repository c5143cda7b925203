//! Conditions on versions (draft §6; RFC 9110 §13.1.1, §13.1.2). Dates are none: a version is an entity tag.

use allod_model::{Etag, EtagMatch, Precondition};
use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};

use crate::error::Failure;

/// Most tags in one condition.
const ETAGS_MAX: usize = 256;

/// The conditions of a request.
///
/// # Errors
/// 400 when one cannot be understood: to drop it would write what the app did not want to write.
pub fn parse(headers: &HeaderMap) -> Result<Precondition, Failure> {
    Ok(Precondition {
        if_match: tags(headers, &IF_MATCH, false)?,
        if_none_match: tags(headers, &IF_NONE_MATCH, true)?,
        ..Precondition::default()
    })
}

/// Whether the conditions hold for what is there; for places that core has no node of.
pub fn holds(condition: &Precondition, current: Option<&Etag>) -> Result<(), Failure> {
    use http::StatusCode;
    if condition.if_match.as_ref().is_some_and(|tags| !tags.matches(current)) {
        return Err(Failure::new(StatusCode::PRECONDITION_FAILED, "the condition of If-Match does not hold"));
    }
    if condition.if_none_match.as_ref().is_some_and(|tags| tags.matches(current)) {
        return Err(Failure::new(StatusCode::NOT_MODIFIED, ""));
    }
    Ok(())
}

fn tags(headers: &HeaderMap, name: &HeaderName, weak: bool) -> Result<Option<EtagMatch>, Failure> {
    let malformed = || Failure::bad_request(format!("{name} is not a list of quoted versions"));
    let mut tags = Vec::new();
    let mut given = false;
    for value in headers.get_all(name) {
        given = true;
        let text = value.to_str().map_err(|_| malformed())?.trim();
        if text == "*" {
            return Ok(Some(EtagMatch::Any));
        }
        let mut rest = text;
        while !rest.is_empty() {
            let (is_weak, quoted) = match rest.strip_prefix("W/") {
                Some(quoted) => (true, quoted),
                None => (false, rest),
            };
            let inner = quoted.strip_prefix('"').ok_or_else(malformed)?;
            let (tag, after) = inner.split_once('"').ok_or_else(malformed)?;
            // RFC 9110 §8.8.3.2: a weak tag matches nothing in the strong comparison.
            if !is_weak || weak {
                tags.push(Etag(tag.to_owned()));
            }
            if tags.len() > ETAGS_MAX {
                return Err(malformed());
            }
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(next) => next.trim_start_matches([',', ' ', '\t']),
                None if after.is_empty() => "",
                None => return Err(malformed()),
            };
        }
    }
    Ok(given.then_some(EtagMatch::OneOf(tags)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str, weak: bool) -> Option<EtagMatch> {
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, value.parse().unwrap());
        tags(&headers, &IF_NONE_MATCH, weak).unwrap()
    }

    #[test]
    fn known_answers() {
        let list =
            |tags: &[&str]| Some(EtagMatch::OneOf(tags.iter().map(|t| Etag((*t).to_owned())).collect()));
        assert_eq!(read("*", true), Some(EtagMatch::Any));
        assert_eq!(read("\"a\"", true), list(&["a"]));
        assert_eq!(read("\"a\",\"b,c\" ,, \"\"", true), list(&["a", "b,c", ""]));
        assert_eq!(read("W/\"a\", \"b\"", true), list(&["a", "b"]));
        assert_eq!(read("W/\"a\", \"b\"", false), list(&["b"]));
        for wrong in ["a", "\"a", "\"a\" \"b\"", "\"a\";", "w/\"a\""] {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, wrong.parse().unwrap());
            assert!(tags(&headers, &IF_NONE_MATCH, true).is_err(), "{wrong}");
        }
    }
}
