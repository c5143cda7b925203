//! The `Authorization` header of HTTP (RFC 7617, RFC 6750).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Longest `Authorization` value that is looked at, in bytes.
const AUTHORIZATION_BYTES_MAX: usize = 4096;

/// What a client presents. Has no `Debug`, so that no secret ends in a log.
#[derive(Clone, PartialEq, Eq)]
pub enum Authorization {
    /// RFC 7617: user name and password, both UTF-8.
    Basic {
        /// The part before the first colon.
        username: String,
        /// The rest, colons included.
        password: String,
    },
    /// RFC 6750: a token.
    Bearer(String),
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
        return Some(Authorization::Bearer(rest.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    // Some clients leave the padding out.
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded = GeneralPurpose::new(&STANDARD, config).decode(rest).ok()?;
    // RFC 7617 §2.1: the challenge says charset UTF-8; what is not UTF-8 is read as Latin-1, the older habit.
    let decoded = String::from_utf8(decoded)
        .unwrap_or_else(|latin| latin.into_bytes().into_iter().map(char::from).collect::<String>());
    let (username, password) = decoded.split_once(':')?;
    Some(Authorization::Basic { username: username.to_owned(), password: password.to_owned() })
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
        Some(Authorization::Basic { username: username.to_owned(), password: password.to_owned() })
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
            ("bearer  abc", Some(Authorization::Bearer("abc".to_owned()))),
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
