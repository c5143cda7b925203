//! What particular clients need beyond the standards. Each quirk names its client and has a test of its name.

use allod_model::{LockToken, Timestamp};
use http::{HeaderMap, HeaderValue};

/// Finder sends PUT with `Transfer-Encoding: chunked` and the length in a header of its own; with it, a cut-off
/// upload is noticed. `None` when a real length is there or the header cannot be read.
pub fn quirk_finder_expected_length(headers: &HeaderMap) -> Option<u64> {
    if headers.contains_key(http::header::CONTENT_LENGTH) {
        return None;
    }
    headers.get("x-expected-entity-length")?.to_str().ok()?.trim().parse().ok()
}

/// rclone (`vendor = nextcloud`, `owncloud`) and the ownCloud family send the file's own time with a PUT, in seconds
/// since 1970, and want to read `X-OC-Mtime: accepted`. `None` when absent or no number.
pub fn quirk_rclone_mtime(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get("x-oc-mtime")?.to_str().ok()?.trim();
    // Some clients send a fraction.
    let seconds = text.split('.').next().unwrap_or_default();
    seconds.parse().ok().map(Timestamp::from_secs)
}

/// Explorer stops reading a listing at 1,000,000 bytes (`FileAttributesLimitInBytes`) and asks for everything, so
/// what it does not use is left out of `allprop` for it.
pub fn quirk_windows_small_rows(headers: &HeaderMap) -> bool {
    let agent = headers.get(http::header::USER_AGENT).map(|agent| agent.as_bytes()).unwrap_or_default();
    agent.starts_with(b"Microsoft-WebDAV-MiniRedir")
}

/// The namespace of Explorer's own properties.
pub const WINDOWS_NAMESPACE: &str = "urn:schemas-microsoft-com:";

/// Explorer sets a file's time by PROPPATCH after the upload: `Win32LastModifiedTime`, as an HTTP date. It is kept
/// as a dead property, which is what Explorer reads back, and becomes the file's time for all others.
pub fn quirk_windows_times(namespace: &str, name: &str, text: &str) -> Option<Timestamp> {
    if namespace != WINDOWS_NAMESPACE || name != "Win32LastModifiedTime" {
        return None;
    }
    crate::date::parse_http_date(text)
}

/// rclone sets a time without an upload by PROPPATCH of `DAV:lastmodified`, in seconds since 1970.
pub fn quirk_rclone_lastmodified(namespace: &str, name: &str, text: &str) -> Option<Timestamp> {
    if namespace != crate::xml::DAV || name != "lastmodified" {
        return None;
    }
    text.trim().parse().ok().map(Timestamp::from_secs)
}

/// npm `webdav` sends UNLOCK with its token bare, without the angle brackets of a coded URL. `None` when there are
/// brackets, or when it is not one word.
pub fn quirk_npm_webdav_bare_token(header: &HeaderValue) -> Option<LockToken> {
    let token = header.to_str().ok()?.trim();
    let bare = token.contains(':') && !token.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>'));
    bare.then(|| LockToken(token.to_owned()))
}

/// Joplin sends `If-None-Match: JoplinIgnore-12345`, without quotes, with everything but GET, so that it never
/// matches. It is taken for what it would be in quotes. Only in `If-None-Match`: nothing is protected by it there
/// that a refusal would protect better.
pub fn quirk_joplin_bare_tag(tag: &[u8]) -> Option<&str> {
    let tag = std::str::from_utf8(tag).ok()?.trim();
    let bare = !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'*');
    bare.then_some(tag)
}

/// Thunderbird's address book reads all anew only when an expired sync token is answered with 400; at RFC 6578's 403 it
/// gives up for ever. Everybody else looks at the condition in the body, which stays.
pub fn quirk_thunderbird_expired_token(headers: &HeaderMap) -> bool {
    let agent = headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    agent.is_some_and(|agent| agent.contains("Thunderbird/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn quirk_finder_expected_length_is_read() {
        let length = |pairs: &[_]| quirk_finder_expected_length(&headers(pairs));
        assert_eq!(length(&[("x-expected-entity-length", "42")]), Some(42));
        assert_eq!(length(&[("x-expected-entity-length", "42"), ("content-length", "1")]), None);
        assert_eq!(length(&[("x-expected-entity-length", "-1")]), None);
        assert_eq!(length(&[]), None);
    }

    #[test]
    fn quirk_rclone_mtime_is_read() {
        let time = |value| quirk_rclone_mtime(&headers(&[("x-oc-mtime", value)]));
        assert_eq!(time("784111777"), Some(Timestamp::from_secs(784_111_777)));
        assert_eq!(time("784111777.25"), Some(Timestamp::from_secs(784_111_777)));
        assert_eq!(time("-5"), Some(Timestamp::from_secs(-5)));
        assert_eq!(time("now"), None);
    }

    #[test]
    fn quirk_windows_small_rows_is_for_windows() {
        assert!(quirk_windows_small_rows(&headers(&[(
            "user-agent",
            "Microsoft-WebDAV-MiniRedir/10.0.19045"
        )])));
        assert!(!quirk_windows_small_rows(&headers(&[("user-agent", "gvfs/1.57.2")])));
    }

    #[test]
    fn quirk_windows_times_are_read() {
        let time = |name, text| quirk_windows_times(WINDOWS_NAMESPACE, name, text);
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(time("Win32LastModifiedTime", date), Some(Timestamp::from_secs(784_111_777)));
        assert_eq!(time("Win32CreationTime", date), None);
        assert_eq!(time("Win32LastModifiedTime", "x"), None);
    }

    #[test]
    fn quirk_rclone_lastmodified_is_read() {
        assert_eq!(quirk_rclone_lastmodified("DAV:", "lastmodified", "12"), Some(Timestamp::from_secs(12)));
        assert_eq!(quirk_rclone_lastmodified("DAV:", "getlastmodified", "12"), None);
    }

    #[test]
    fn quirk_npm_webdav_bare_token_is_read() {
        let token = |text: &str| quirk_npm_webdav_bare_token(&text.parse().unwrap()).map(|token| token.0);
        assert_eq!(token(" urn:uuid:1 "), Some("urn:uuid:1".to_owned()));
        for other in ["<urn:uuid:1>", "<urn:uuid:1", "urn:uuid:1>", "a:b c:d", "token", ""] {
            assert_eq!(token(other), None, "{other}");
        }
    }

    #[test]
    fn quirk_thunderbird_expired_token_is_for_thunderbird() {
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.1";
        assert!(quirk_thunderbird_expired_token(&headers(&[("user-agent", agent)])));
        assert!(!quirk_thunderbird_expired_token(&headers(&[("user-agent", "DAVx5/4.5")])));
    }

    #[test]
    fn quirk_joplin_bare_tag_is_read() {
        assert_eq!(quirk_joplin_bare_tag(b" JoplinIgnore-77 "), Some("JoplinIgnore-77"));
        for other in [&b""[..], b" ", b"\"a", b"a b", b"*", b"\xFF"] {
            assert_eq!(quirk_joplin_bare_tag(other), None);
        }
    }
}
