//! URLs to places and back.

use allod_model::{ErrorKind, NameRule, Path};

/// Below this lie the accounts' trees.
pub(crate) const DAV_PREFIX: &str = "/dav/";
/// Below this lie the principals.
pub(crate) const PRINCIPALS_PREFIX: &str = "/principals/";

/// What a URL names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// `/`, or `*` in OPTIONS.
    Root,
    /// `/dav/`: the parent of the trees.
    Trees,
    /// A place in an account's tree.
    Tree {
        /// The account as the URL names it.
        account: String,
        /// The way from the account's root.
        path: Path,
        /// The URL ends in a slash, so it means a folder.
        slash: bool,
    },
    /// `/principals/`.
    Principals,
    /// `/principals/ACCOUNT/`.
    Principal {
        /// The account as the URL names it.
        account: String,
    },
}

/// Why a URL names nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UrlError {
    /// Not a URL path that can be understood, or one that tries to climb: 400.
    Malformed,
    /// Longer or deeper than any path can be: 414.
    TooLong,
    /// Of another server: 502.
    Foreign,
    /// Not below any of our prefixes: 404.
    Unknown,
}

/// Reads the path of a request's URL, still percent-encoded.
///
/// # Errors
/// [`UrlError`]; encoded slashes, NUL, `.` and `..` (encoded or not) are `Malformed`, doubled slashes collapse.
pub fn parse_target(path: &[u8]) -> Result<Target, UrlError> {
    let native = crate::nextcloud::native(path);
    let path = native.as_ref();
    if path == b"/" || path == b"*" {
        return Ok(Target::Root);
    }
    if let Some(rest) = below(path, DAV_PREFIX) {
        let (account, rest, slash) = split_account(rest)?;
        return match account {
            None => Ok(Target::Trees),
            Some(account) => {
                Ok(Target::Tree { account, path: parse_path(rest)?, slash: slash && !rest.is_empty() })
            }
        };
    }
    if let Some(rest) = below(path, PRINCIPALS_PREFIX) {
        let (account, rest, _) = split_account(rest)?;
        return match account {
            None => Ok(Target::Principals),
            Some(account) if rest.is_empty() => Ok(Target::Principal { account }),
            Some(_) => Err(UrlError::Unknown),
        };
    }
    Err(UrlError::Unknown)
}

fn below<'a>(path: &'a [u8], prefix: &str) -> Option<&'a [u8]> {
    if path == prefix.trim_end_matches('/').as_bytes() {
        return Some(b"");
    }
    path.strip_prefix(prefix.as_bytes())
}

/// The first segment decoded, the rest still encoded and without slashes around it, and whether a slash ends it.
fn split_account(rest: &[u8]) -> Result<(Option<String>, &[u8], bool), UrlError> {
    let slash = rest.ends_with(b"/");
    let rest = trim_slashes(rest);
    if rest.is_empty() {
        return Ok((None, rest, slash));
    }
    let end = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
    let name = decode_segment(&rest[..end])?;
    let account = String::from_utf8(name).map_err(|_| UrlError::Malformed)?;
    Ok((Some(account), trim_slashes(&rest[end..]), slash))
}

fn trim_slashes(mut bytes: &[u8]) -> &[u8] {
    while let [b'/', rest @ ..] | [rest @ .., b'/'] = bytes {
        bytes = rest;
    }
    bytes
}

fn parse_path(encoded: &[u8]) -> Result<Path, UrlError> {
    let mut decoded = Vec::with_capacity(encoded.len());
    for segment in encoded.split(|b| *b == b'/') {
        decoded.extend_from_slice(&decode_segment(segment)?);
        decoded.push(b'/');
    }
    Path::parse(&decoded, NameRule::Strict).map_err(|error| match error.kind {
        ErrorKind::TooLarge => UrlError::TooLong,
        _ => UrlError::Malformed,
    })
}

/// Percent-decodes one segment to bytes; refuses what would change the number of segments.
fn decode_segment(segment: &[u8]) -> Result<Vec<u8>, UrlError> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut rest = segment;
    loop {
        rest = match rest {
            [] => return Ok(decoded),
            [b'%', high, low, rest @ ..] => {
                let byte = hex(*high).zip(hex(*low)).map(|(h, l)| h << 4 | l).ok_or(UrlError::Malformed)?;
                if byte == b'/' || byte == 0 {
                    return Err(UrlError::Malformed);
                }
                decoded.push(byte);
                rest
            }
            [b'%' | b'?' | b'#' | 0, ..] => return Err(UrlError::Malformed),
            [byte, rest @ ..] => {
                decoded.push(*byte);
                rest
            }
        };
    }
}

/// Percent-decodes a parameter of a query; what is no escape stays as it is.
pub(crate) fn decode_parameter(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return String::from_utf8_lossy(&decoded).into_owned(),
            [b'%', high, low, after @ ..] => match hex(*high).zip(hex(*low)) {
                Some((high, low)) => {
                    decoded.push(high << 4 | low);
                    after
                }
                None => {
                    decoded.push(b'%');
                    &rest[1..]
                }
            },
            [byte, after @ ..] => {
                decoded.push(*byte);
                after
            }
        };
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// Reads a URL that a header names (`Destination`, a tag of `If`): absolute, or a path from the root. `hosts` are
/// the names by which this server was addressed, with or without port.
///
/// # Errors
/// [`UrlError`]: `Foreign` for another server.
pub fn parse_reference(reference: &[u8], hosts: &[&str]) -> Result<Target, UrlError> {
    let reference = reference.trim_ascii();
    let reference = reference.split(|b| *b == b'#').next().unwrap_or_default();
    // RFC 4918 §8.3: a Simple-ref is an absolute URI or a path-absolute; `//host/…` is neither.
    if reference.starts_with(b"//") {
        return Err(UrlError::Malformed);
    }
    if reference.starts_with(b"/") {
        return parse_target(reference);
    }
    let scheme = reference.windows(3).position(|w| w == b"://").ok_or(UrlError::Malformed)?;
    if !reference[..scheme].eq_ignore_ascii_case(b"http")
        && !reference[..scheme].eq_ignore_ascii_case(b"https")
    {
        return Err(UrlError::Foreign);
    }
    let rest = &reference[scheme + 3..];
    let slash = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(slash);
    let authority = std::str::from_utf8(authority).map_err(|_| UrlError::Malformed)?;
    // Scheme and port are not compared: behind a proxy they often differ from what the client sees.
    let host = without_port(authority.rsplit('@').next().unwrap_or_default());
    if !hosts.iter().any(|ours| without_port(ours).eq_ignore_ascii_case(host)) {
        return Err(UrlError::Foreign);
    }
    parse_target(if path.is_empty() { b"/" } else { path })
}

fn without_port(authority: &str) -> &str {
    let end = match authority.rfind(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    &authority[..end]
}

/// Appends a name percent-encoded. What is left as it is needs no escaping in XML or HTML either.
pub fn encode_segment(out: &mut Vec<u8>, name: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in name {
        if SAFE[byte as usize] {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

/// RFC 3986 §3.3: what a segment may hold, without `&`, `'` and `;`, which mean something to XML and HTML.
const SAFE: [bool; 256] = {
    let mut safe = [false; 256];
    let allowed = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$()*+,=:@";
    let mut index = 0;
    while index < allowed.len() {
        safe[allowed[index] as usize] = true;
        index += 1;
    }
    safe
};

/// The URL of the account's root, without the slash at its end: `/dav/alice`.
pub(crate) fn tree_base(account: &str) -> String {
    encoded_below(DAV_PREFIX, account)
}

/// The URL of the account's principal: `/principals/alice/`.
pub(crate) fn principal_url(account: &str) -> String {
    encoded_below(PRINCIPALS_PREFIX, account) + "/"
}

fn encoded_below(prefix: &str, account: &str) -> String {
    let mut url = prefix.as_bytes().to_vec();
    encode_segment(&mut url, account.as_bytes());
    // **Invariant:** percent-encoding yields ASCII.
    String::from_utf8(url).unwrap_or_default()
}

/// The URL of a place below `base`; `folder` adds the slash.
pub(crate) fn place_url(base: &str, path: &Path, folder: bool) -> String {
    let mut url = base.as_bytes().to_vec();
    for name in path.names() {
        url.push(b'/');
        encode_segment(&mut url, name.as_bytes());
    }
    if folder {
        url.push(b'/');
    }
    // **Invariant:** percent-encoding yields ASCII.
    String::from_utf8(url).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree(url: &str) -> Result<(String, String, bool), UrlError> {
        match parse_target(url.as_bytes())? {
            Target::Tree { account, path, slash } => Ok((account, path.to_string(), slash)),
            other => panic!("{other:?}"),
        }
    }

    fn is(account: &str, path: &str, slash: bool) -> Result<(String, String, bool), UrlError> {
        Ok((account.to_owned(), path.to_owned(), slash))
    }

    #[test]
    fn places() {
        assert_eq!(tree("/dav/alice"), is("alice", "/", false));
        assert_eq!(tree("/dav/alice/"), is("alice", "/", false));
        assert_eq!(tree("/dav/alice/a/b"), is("alice", "/a/b", false));
        assert_eq!(tree("/dav//alice//a///b/"), is("alice", "/a/b", true));
        assert_eq!(tree("/dav/alice/a%20b%25"), is("alice", "/a b%", false));
        assert_eq!(tree("/dav/alice/%e2%82%ac"), is("alice", "/€", false));
        assert_eq!(tree("/dav/alice/€"), is("alice", "/€", false));
        assert_eq!(tree("/dav/a%40b/x"), is("a@b", "/x", false));
        assert_eq!(tree("/dav/alice/..."), is("alice", "/...", false));
        for (url, target) in [
            ("/", Target::Root),
            ("*", Target::Root),
            ("/dav", Target::Trees),
            ("/dav/", Target::Trees),
            ("/principals", Target::Principals),
            ("/principals/a/", Target::Principal { account: "a".into() }),
            ("/principals/a", Target::Principal { account: "a".into() }),
        ] {
            assert_eq!(parse_target(url.as_bytes()), Ok(target), "{url}");
        }
    }

    #[test]
    fn refusals() {
        for url in [
            "/dav/alice/a%2Fb",
            "/dav/alice/a%2fb",
            "/dav/alice/%00",
            "/dav/alice/..",
            "/dav/alice/../bob/x",
            "/dav/alice/%2e%2e/x",
            "/dav/alice/.%2E",
            "/dav/alice/.",
            "/dav/alice/%",
            "/dav/alice/%4",
            "/dav/alice/%zz",
            "/dav/alice/%+1",
            "/dav/alice/%ff",
            "/dav/alice/a?b",
        ] {
            assert_eq!(parse_target(url.as_bytes()), Err(UrlError::Malformed), "{url}");
        }
        let deep = format!("/dav/alice{}", "/a".repeat(600));
        let long = format!("/dav/alice/{}", "a".repeat(256));
        assert_eq!(parse_target(deep.as_bytes()), Err(UrlError::TooLong));
        assert_eq!(parse_target(long.as_bytes()), Err(UrlError::TooLong));
        for url in ["/davx", "/other", "", "/principals/a/b"] {
            assert_eq!(parse_target(url.as_bytes()), Err(UrlError::Unknown), "{url}");
        }
    }

    #[test]
    fn references() {
        let hosts = ["cloud.example:8080"];
        let here = parse_target(b"/dav/alice/b");
        for reference in [
            "/dav/alice/b",
            "http://cloud.example:8080/dav/alice/b",
            "https://CLOUD.example/dav/alice/b",
            "  http://user@cloud.example/dav/alice/b#frag ",
        ] {
            assert_eq!(parse_reference(reference.as_bytes(), &hosts), here, "{reference}");
        }
        for (reference, error) in [
            ("http://other.example/dav/alice/b", UrlError::Foreign),
            ("ftp://cloud.example/dav/alice/b", UrlError::Foreign),
            ("//cloud.example/dav/alice/b", UrlError::Malformed),
            ("dav/alice/b", UrlError::Malformed),
            ("", UrlError::Malformed),
            ("http://cloud.example/elsewhere", UrlError::Unknown),
        ] {
            assert_eq!(parse_reference(reference.as_bytes(), &hosts), Err(error), "{reference}");
        }
        assert_eq!(parse_reference(b"http://[::1]:80/dav/alice/b", &["[::1]:8080"]), here);
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = parse_target(&bytes);
            let _ = parse_reference(&bytes, &["a"]);
        }

        #[test]
        fn encoding_round_trips(name in "[^/\0]{1,40}") {
            prop_assume!(name != "." && name != "..");
            prop_assume!(name.len() <= 255);
            let mut url = b"/dav/alice/".to_vec();
            encode_segment(&mut url, name.as_bytes());
            prop_assert!(url.is_ascii());
            let Ok(Target::Tree { path, .. }) = parse_target(&url) else { panic!("{url:?}") };
            prop_assert_eq!(path.last().unwrap().as_str(), name);
        }
    }
}
