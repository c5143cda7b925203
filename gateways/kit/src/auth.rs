//! The `Authorization` header of HTTP (RFC 7617, RFC 6750).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

/// Longest `Authorization` value that is looked at, in bytes.
const AUTHORIZATION_BYTES_MAX: usize = 4096;

/// What a client presents. Has no `Debug`, so that no secret ends in a log; secrets are overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub enum Authorization {
    /// RFC 7617: user name and password, both UTF-8.
    Basic {
        /// The part before the first colon.
        username: String,
        /// The rest, colons included.
        password: Zeroizing<String>,
    },
    /// RFC 6750: a token.
    Bearer(Zeroizing<String>),
}

/// Reads the `Authorization` header; `None` when absent, repeated, malformed, or of another scheme.
pub fn parse_authorization(headers: &HeaderMap) -> Option<Authorization> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?;
    if values.next().is_some() || value.len() > AUTHORIZATION_BYTES_MAX {
        return None;
    }
    let (scheme, rest) = value.to_str().ok()?.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
        return Some(Authorization::Bearer(rest.to_owned().into()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    // Some clients leave the padding out.
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded = Zeroizing::new(GeneralPurpose::new(&STANDARD, config).decode(rest).ok()?);
    // RFC 7617 §2: the name ends at the first colon.
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (username, password) = (&decoded[..colon], &decoded[colon + 1..]);
    // RFC 7617 §2.1: the challenge says charset UTF-8; what is not UTF-8 is read as Latin-1, the older habit.
    let utf8 = std::str::from_utf8(&decoded).is_ok();
    let read = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) if utf8 => text.to_owned(),
        // Room for the longest outcome, so that no half-read copy of a secret is left behind by growing.
        _ => bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            text.push(char::from(*byte));
            text
        }),
    };
    Some(Authorization::Basic { username: read(username), password: read(password).into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Option<Authorization> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        parse_authorization(&headers)
    }

    fn basic(username: &str, password: &str) -> Option<Authorization> {
        Some(Authorization::Basic { username: username.to_owned(), password: password.to_owned().into() })
    }

    #[test]
    fn known_answers() {
        let table = [
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", basic("Aladdin", "open sesame")), // RFC 7617 §2
            ("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", basic("Aladdin", "open sesame")),
            ("Basic dGVzdDoxMjPCow==", basic("test", "123£")), // RFC 7617 §2.1
            ("Basic dGVzdDoxMjOj", basic("test", "123£")),
            ("Basic YTpiOmM=", basic("a", "b:c")),
            ("Basic YQ==", None),
            ("Basic ***", None),
            ("Digest x", None),
            ("Basic", None),
            ("bearer  abc", Some(Authorization::Bearer("abc".to_owned().into()))),
        ];
        for (value, wanted) in table {
            assert!(parse(value) == wanted, "{value}");
        }
    }

    #[test]
    fn two_headers_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, "Bearer a".parse().unwrap());
        headers.append(AUTHORIZATION, "Bearer b".parse().unwrap());
        assert!(parse_authorization(&headers).is_none());
    }
}
