//! Conditional requests: `If` (RFC 4918 §10.4) and the conditional headers of HTTP (RFC 9110 §13).

use allod_model::{Condition, Etag, EtagMatch, LockToken, Path, Precondition, StateList};
use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};

use crate::date::parse_http_date;
use crate::quirks::quirk_joplin_bare_tag;

/// Longest `If` header, in bytes.
pub const IF_BYTES_MAX: usize = 32 * 1024;
/// Most conditions in an `If` header.
pub const IF_CONDITIONS_MAX: usize = 256;
/// Most tags in `If-Match` or `If-None-Match`.
pub const ETAGS_MAX: usize = 256;

/// A conditional header cannot be understood: 400.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// Where a tag of an `If` header points.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tagged {
    /// A place in the account of the request.
    Here(Path),
    /// Elsewhere: another account, another server, no place of ours.
    Foreign,
}

/// Collects all conditions of a request. `resolve` reads the tags of the `If` header.
///
/// # Errors
/// [`Malformed`] when `If` or an entity tag list breaks the grammar or exceeds a limit. Dates that cannot be read
/// are ignored, as RFC 9110 §13.1.3 demands.
pub fn parse_precondition(
    headers: &HeaderMap,
    resolve: impl Fn(&[u8]) -> Tagged,
) -> Result<Precondition, Malformed> {
    let mut precondition = http_precondition(headers)?;
    let mut values = headers.get_all("if").iter();
    if let Some(value) = values.next() {
        // RFC 4918 §10.4.2: only one If header.
        if values.next().is_some() {
            return Err(Malformed);
        }
        precondition.any_of = parse_if(value.as_bytes(), resolve)?;
        precondition.lock_tokens = submitted_tokens(&precondition.any_of);
    }
    Ok(precondition)
}

/// The conditions of HTTP itself, without `If`.
///
/// # Errors
/// As [`parse_precondition`].
pub fn http_precondition(headers: &HeaderMap) -> Result<Precondition, Malformed> {
    let date = |name: HeaderName| headers.get(name).and_then(|v| v.to_str().ok()).and_then(parse_http_date);
    let if_match = etag_list(headers, IF_MATCH, Compare::Strong)?;
    let if_none_match = etag_list(headers, IF_NONE_MATCH, Compare::Weak)?;
    Ok(Precondition {
        // RFC 9110 §13.1.3 and §13.1.4: a date is ignored beside its entity tag condition.
        if_modified_since: date(IF_MODIFIED_SINCE).filter(|_| if_none_match.is_none()),
        if_unmodified_since: date(IF_UNMODIFIED_SINCE).filter(|_| if_match.is_none()),
        if_match,
        if_none_match,
        if_schedule_tag: schedule_tag(headers)?,
        ..Precondition::default()
    })
}

/// RFC 6638 §8.3: one tag in quotes.
fn schedule_tag(headers: &HeaderMap) -> Result<Option<String>, Malformed> {
    let Some(value) = headers.get("if-schedule-tag-match") else { return Ok(None) };
    let text = value.to_str().map_err(|_| Malformed)?.trim();
    let tag = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    // One without quotes is compared as it is.
    Ok(Some(tag.unwrap_or(text).to_owned()))
}

/// RFC 4918 §10.4.1: a token in an `If` header counts as submitted, whether its condition was true or not.
fn submitted_tokens(lists: &[StateList]) -> Vec<LockToken> {
    let mut tokens = Vec::new();
    for condition in lists.iter().flat_map(|list| &list.conditions) {
        if let Condition::Token(token, _) = condition
            && !tokens.contains(token)
        {
            tokens.push(token.clone());
        }
    }
    tokens
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Compare {
    Strong,
    Weak,
}

fn etag_list(
    headers: &HeaderMap,
    name: HeaderName,
    compare: Compare,
) -> Result<Option<EtagMatch>, Malformed> {
    let mut tags: Option<Vec<Etag>> = None;
    for value in headers.get_all(&name) {
        let mut scan = Scan(value.as_bytes());
        scan.skip_blanks();
        if scan.0.trim_ascii() == b"*" {
            return Ok(Some(EtagMatch::Any));
        }
        let tags = tags.get_or_insert_default();
        while !scan.0.is_empty() {
            let quoted = matches!(scan.0, [b'"', ..] | [b'W', b'/', ..]);
            let (tag, weak) = scan.etag_or_bare()?;
            // RFC 9110 §8.8.3.2: a weak tag never matches strongly; ours are all strong, and in quotes.
            if compare == Compare::Weak || (quoted && !weak) {
                tags.push(tag);
            }
            scan.skip_blanks();
            while scan.take(b',') {
                scan.skip_blanks();
            }
            if tags.len() > ETAGS_MAX {
                return Err(Malformed);
            }
        }
    }
    Ok(tags.map(EtagMatch::OneOf))
}

/// Reads an `If` header.
///
/// # Errors
/// [`Malformed`].
pub fn parse_if(value: &[u8], resolve: impl Fn(&[u8]) -> Tagged) -> Result<Vec<StateList>, Malformed> {
    if value.len() > IF_BYTES_MAX {
        return Err(Malformed);
    }
    let mut scan = Scan(value);
    let mut lists = Vec::new();
    let mut conditions = 0;
    let mut tag: Option<Tagged> = None;
    scan.skip_blanks();
    let tagged = scan.0.first() == Some(&b'<');
    while !scan.0.is_empty() {
        if scan.0.first() == Some(&b'<') {
            // RFC 4918 §10.4.2: tagged and untagged lists do not mix.
            if !tagged {
                return Err(Malformed);
            }
            tag = Some(resolve(scan.coded_url()?));
            scan.skip_blanks();
        }
        let list = scan.list()?;
        conditions += list.len();
        if conditions > IF_CONDITIONS_MAX {
            return Err(Malformed);
        }
        let (resource, foreign) = match &tag {
            None => (None, false),
            Some(Tagged::Here(path)) => (Some(path.clone()), false),
            Some(Tagged::Foreign) => (None, true),
        };
        lists.push(StateList { resource, foreign, conditions: list });
        scan.skip_blanks();
    }
    if lists.is_empty() { Err(Malformed) } else { Ok(lists) }
}

/// Reads the `Lock-Token` header: one coded URL.
///
/// # Errors
/// [`Malformed`].
pub fn parse_lock_token(value: &[u8]) -> Result<LockToken, Malformed> {
    let mut scan = Scan(value.trim_ascii());
    let token = token(scan.coded_url()?)?;
    if scan.0.is_empty() { Ok(token) } else { Err(Malformed) }
}

/// Whether a range may be served: `If-Range` is absent or names the file as it is now.
pub fn if_range_holds(headers: &HeaderMap, etag: &Etag, modified_secs: i64) -> bool {
    let Some(value) = headers.get(IF_RANGE) else { return true };
    let mut scan = Scan(value.as_bytes().trim_ascii());
    if let Ok((tag, weak)) = scan.etag() {
        // RFC 9110 §13.1.5: only strong comparison.
        return !weak && tag == *etag;
    }
    let date = value.to_str().ok().and_then(parse_http_date);
    date.is_some_and(|date| date.secs() == modified_secs)
}

fn token(bytes: &[u8]) -> Result<LockToken, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed)?;
    Ok(LockToken(text.to_owned()))
}

/// What is left of a header.
struct Scan<'a>(&'a [u8]);

impl<'a> Scan<'a> {
    fn skip_blanks(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    fn take(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn until(&mut self, end: u8) -> Result<&'a [u8], Malformed> {
        let at = self.0.iter().position(|b| *b == end).ok_or(Malformed)?;
        let (found, rest) = self.0.split_at(at);
        self.0 = &rest[1..];
        Ok(found)
    }

    /// `<` something without blanks `>`.
    fn coded_url(&mut self) -> Result<&'a [u8], Malformed> {
        if !self.take(b'<') {
            return Err(Malformed);
        }
        let url = self.until(b'>')?;
        let fine = !url.is_empty() && !url.iter().any(|b| b.is_ascii_whitespace() || *b == b'<');
        if fine { Ok(url) } else { Err(Malformed) }
    }

    /// An entity tag, and whether it is weak.
    fn etag(&mut self) -> Result<(Etag, bool), Malformed> {
        let weak = match self.0 {
            [b'W' | b'w', b'/', rest @ ..] => {
                self.0 = rest;
                true
            }
            _ => false,
        };
        if !self.take(b'"') {
            return Err(Malformed);
        }
        let tag = self.until(b'"')?;
        let text = std::str::from_utf8(tag).map_err(|_| Malformed)?;
        Ok((Etag(text.to_owned()), weak))
    }

    /// An entity tag, or what Joplin takes for one.
    fn etag_or_bare(&mut self) -> Result<(Etag, bool), Malformed> {
        let start = self.0;
        self.etag().or_else(|malformed| {
            let end = start.iter().position(|b| *b == b',').unwrap_or(start.len());
            let tag = quirk_joplin_bare_tag(&start[..end]).ok_or(malformed)?;
            self.0 = &start[end..];
            Ok((Etag(tag.to_owned()), false))
        })
    }

    fn list(&mut self) -> Result<Vec<Condition>, Malformed> {
        if !self.take(b'(') {
            return Err(Malformed);
        }
        let mut conditions = Vec::new();
        loop {
            self.skip_blanks();
            if self.take(b')') {
                break;
            }
            let positive = match self.0 {
                [a, b, c, rest @ ..] if [*a, *b, *c].eq_ignore_ascii_case(b"not") => {
                    self.0 = rest;
                    self.skip_blanks();
                    false
                }
                _ => true,
            };
            conditions.push(self.condition(positive)?);
            if conditions.len() > IF_CONDITIONS_MAX {
                return Err(Malformed);
            }
        }
        if conditions.is_empty() { Err(Malformed) } else { Ok(conditions) }
    }

    fn condition(&mut self, positive: bool) -> Result<Condition, Malformed> {
        if self.take(b'[') {
            self.skip_blanks();
            // RFC 4918 §10.4.4: either comparison will do; the weak one is kinder to proxies that weaken tags.
            let (tag, _weak) = self.etag()?;
            self.skip_blanks();
            return if self.take(b']') { Ok(Condition::Etag(tag, positive)) } else { Err(Malformed) };
        }
        Ok(Condition::Token(token(self.coded_url()?)?, positive))
    }
}

#[cfg(test)]
mod tests {
    use allod_model::{NameRule, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text.as_bytes(), NameRule::Strict).unwrap()
    }

    fn resolve(tag: &[u8]) -> Tagged {
        match tag.strip_prefix(b"http://www.example.com").unwrap_or(tag) {
            [b'/', rest @ ..] => Tagged::Here(Path::parse(rest, NameRule::Strict).unwrap()),
            _ => Tagged::Foreign,
        }
    }

    fn parse(text: &str) -> Result<Vec<StateList>, Malformed> {
        parse_if(text.as_bytes(), resolve)
    }

    fn is(text: &str, positive: bool) -> Condition {
        Condition::Token(LockToken(text.to_owned()), positive)
    }

    fn etag(text: &str, positive: bool) -> Condition {
        Condition::Etag(Etag(text.to_owned()), positive)
    }

    fn on(resource: Option<&str>, conditions: Vec<Condition>) -> StateList {
        StateList { resource: resource.map(path), foreign: false, conditions }
    }

    const A: &str = "urn:uuid:181d4fae-7d8c-11d0-a765-00a0c91e6bf2";
    const B: &str = "urn:uuid:58f202ac-22cf-11d1-b12d-002035b29092";

    #[test]
    fn rfc_4918_examples() {
        let no_tag = format!("(<{A}>\r\n [\"I am an ETag\"])\r\n ([\"I am another ETag\"])");
        assert_eq!(
            parse(&no_tag).unwrap(), // §10.4.6
            [
                on(None, vec![is(A, true), etag("I am an ETag", true)]),
                on(None, vec![etag("I am another ETag", true)])
            ]
        );
        assert_eq!(
            parse(&format!("(Not <{A}> <{B}>)")).unwrap(), // §10.4.7
            [on(None, vec![is(A, false), is(B, true)])]
        );
        assert_eq!(
            parse(&format!("(<{A}>) (Not <DAV:no-lock>)")).unwrap(), // §10.4.8
            [on(None, vec![is(A, true)]), on(None, vec![is("DAV:no-lock", false)])]
        );
        assert_eq!(
            parse(&format!("</resource1> (<{A}> [W/\"A weak ETag\"]) ([\"strong ETag\"])")).unwrap(), // §10.4.9
            [
                on(Some("/resource1"), vec![is(A, true), etag("A weak ETag", true)]),
                on(Some("/resource1"), vec![etag("strong ETag", true)])
            ]
        );
        assert_eq!(
            parse(&format!("<http://www.example.com/specs/> (<{A}>)")).unwrap(), // §10.4.10
            [on(Some("/specs"), vec![is(A, true)])]
        );
        assert_eq!(
            parse("</specs/rfc2518.doc> (Not [\"4217\"])").unwrap(), // §10.4.11
            [on(Some("/specs/rfc2518.doc"), vec![etag("4217", false)])]
        );
    }

    #[test]
    fn strange_but_legal_and_refused() {
        assert_eq!(parse("(<a:b>)(not<c:d>)").unwrap().len(), 2);
        assert_eq!(
            parse("  (  <a:b>\t[\"x\"]  )  ").unwrap(),
            [on(None, vec![is("a:b", true), etag("x", true)])]
        );
        assert!(parse("<urn:elsewhere> (<a:b>)").unwrap()[0].foreign);
        let long = format!("({})", "<a:b>".repeat(300));
        for bad in [
            "",
            "(",
            "()",
            "(<a:b>",
            "<a:b>",
            "(<a:b>) </x> (<a:b>)",
            "(<a b>)",
            "(<>)",
            "([x])",
            "([\"x\")",
            "x",
            "(Not)",
            "(Not Not <a:b>)",
            "(<a:b>))",
            &long,
        ] {
            assert_eq!(parse(bad), Err(Malformed), "{bad}");
        }
        assert_eq!(parse_if(&vec![b'('; IF_BYTES_MAX + 1], resolve), Err(Malformed));
    }

    /// davfs2 tags its lists with the absolute URL and sends If-Match beside.
    #[test]
    fn quirk_davfs2_tagged_if() {
        let mut headers = HeaderMap::new();
        headers.insert("if", format!("<http://www.example.com/f> (<{A}>)").parse().unwrap());
        headers.insert(IF_MATCH, "\"e\"".parse().unwrap());
        let precondition = parse_precondition(&headers, resolve).unwrap();
        assert_eq!(precondition.any_of, [on(Some("/f"), vec![is(A, true)])]);
        assert_eq!(precondition.lock_tokens, [LockToken(A.to_owned())]);
        assert_eq!(precondition.if_match, Some(EtagMatch::OneOf(vec![Etag("e".to_owned())])));
    }

    #[test]
    fn http_conditions() {
        let read = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            parse_precondition(&headers, resolve)
        };
        let one_of =
            |tags: &[&str]| Some(EtagMatch::OneOf(tags.iter().map(|t| Etag((*t).to_owned())).collect()));
        assert_eq!(read(&[]).unwrap(), Precondition::default());
        assert_eq!(read(&[("if-match", " * ")]).unwrap().if_match, Some(EtagMatch::Any));
        assert_eq!(read(&[("if-match", "\"a\", W/\"b\" ,\"c,d\"")]).unwrap().if_match, one_of(&["a", "c,d"]));
        assert_eq!(
            read(&[("if-none-match", "W/\"b\""), ("if-none-match", "\"c\"")]).unwrap().if_none_match,
            one_of(&["b", "c"])
        );
        // Joplin sends this with everything but GET.
        assert_eq!(
            read(&[("if-none-match", "JoplinIgnore-7, \"b\"")]).unwrap().if_none_match,
            one_of(&["JoplinIgnore-7", "b"])
        );
        assert_eq!(read(&[("if-none-match", "\"a")]), Err(Malformed));
        // Thunderbird's discovery sends this; it must not succeed as if it were not there.
        assert_eq!(read(&[("if-match", "nothing")]).unwrap().if_match, one_of(&[]), "it never matches");
        assert_eq!(read(&[("if-match", "two words\"")]), Err(Malformed));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let both = read(&[("if-none-match", "\"a\""), ("if-modified-since", date)]).unwrap();
        assert_eq!(both.if_modified_since, None);
        let alone = read(&[("if-unmodified-since", date)]).unwrap();
        assert_eq!(alone.if_unmodified_since, Some(Timestamp::from_secs(784_111_777)));
        assert_eq!(read(&[("if-modified-since", "yesterday")]).unwrap(), Precondition::default());
    }

    #[test]
    fn if_range() {
        let holds = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_RANGE, value.parse().unwrap());
            if_range_holds(&headers, &Etag("a".to_owned()), 784_111_777)
        };
        assert!(holds("\"a\"") && holds("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert!(
            !holds("W/\"a\"") && !holds("\"b\"") && !holds("Sun, 06 Nov 1994 08:49:38 GMT") && !holds("x")
        );
        assert!(if_range_holds(&HeaderMap::new(), &Etag("a".to_owned()), 0));
    }

    #[test]
    fn lock_tokens() {
        assert_eq!(parse_lock_token(b" <opaquelocktoken:x> "), Ok(LockToken("opaquelocktoken:x".to_owned())));
        for bad in ["", "opaquelocktoken:x", "<>", "<a> <b>", "<a"] {
            assert_eq!(parse_lock_token(bad.as_bytes()), Err(Malformed), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, shaped in "[(<\\[\"a:/WNot )>\\]]{0,60}") {
            let _ = parse_if(&bytes, |_| Tagged::Foreign);
            let _ = parse_if(shaped.as_bytes(), |_| Tagged::Foreign);
            let _ = parse_lock_token(&bytes);
        }
    }
}
