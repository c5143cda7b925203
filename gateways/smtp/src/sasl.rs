//! SASL: PLAIN (RFC 4616), LOGIN and OAUTHBEARER (RFC 7628).
//!
//! **Deliberately absent:** SCRAM. It needs keys derived from each password to be stored; what core stores cannot be
//! turned into them.

use allod_core::Proof;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// What EHLO announces.
pub(crate) const MECHANISMS: &str = "PLAIN LOGIN OAUTHBEARER";
/// What is told by a challenge when a bearer token is refused (RFC 7628 §3.2.2).
pub(crate) const BEARER_REFUSED: &str = r#"{"status":"invalid_token"}"#;

/// One exchange under way.
pub(crate) enum Mechanism {
    Plain,
    /// The user name, once it is known.
    Login(Option<String>),
    OauthBearer,
}

/// What comes next.
pub(crate) enum Step {
    /// To be sent, in base64.
    Challenge(&'static str),
    /// Who somebody claims to be; the account that was named beside a token; whether a refusal is told by a challenge.
    Claim(Proof, Option<String>, bool),
    /// The response cannot be understood.
    Wrong(&'static str),
}

impl Mechanism {
    /// By its name, upper case.
    pub(crate) fn new(name: &str) -> Option<Mechanism> {
        Some(match name {
            "PLAIN" => Mechanism::Plain,
            "LOGIN" => Mechanism::Login(None),
            "OAUTHBEARER" => Mechanism::OauthBearer,
            _ => return None,
        })
    }

    /// Takes a response; `None` at the beginning, when there was no initial one.
    pub(crate) fn step(&mut self, response: Option<Zeroizing<Vec<u8>>>) -> Step {
        let Some(response) = response else {
            return Step::Challenge(match self {
                Mechanism::Login(_) => "Username:",
                _ => "",
            });
        };
        let Ok(text) = std::str::from_utf8(&response) else { return Step::Wrong("This is not UTF-8") };
        match self {
            Mechanism::Plain => plain(text),
            Mechanism::Login(username) => match username.take() {
                None => {
                    *username = Some(text.to_owned());
                    Step::Challenge("Password:")
                }
                Some(username) => password(username, text),
            },
            Mechanism::OauthBearer => bearer(text),
        }
    }
}

fn password(username: String, password: &str) -> Step {
    let password = Zeroizing::new(password.to_owned());
    Step::Claim(Proof::Password { username, password }, None, false)
}

/// RFC 4616 §2: `[authzid] NUL authcid NUL passwd`.
fn plain(text: &str) -> Step {
    let parts: Vec<&str> = text.split('\0').collect();
    let [acts_as, username, secret] = parts[..] else { return Step::Wrong("Expected a name and a password") };
    if !acts_as.is_empty() && acts_as != username {
        return Step::Wrong("Nobody acts for somebody else here");
    }
    password(username.to_owned(), secret)
}

/// RFC 7628 §3.1: `n,a=user@example.com,` ^A `auth=Bearer …` ^A ^A.
fn bearer(text: &str) -> Step {
    let mut pairs = text.split('\x01');
    let mut header = pairs.next().unwrap_or_default().split(',');
    // RFC 7628 §3.1: no channel binding.
    if !matches!(header.next(), Some("n" | "y")) {
        return Step::Wrong("Expected a GS2 header without channel binding");
    }
    // RFC 5801 §4: `,` and `=` are escaped in a name.
    let named = header.find_map(|field| field.strip_prefix("a="));
    let named =
        named.map(|name| name.replace("=2C", ",").replace("=3D", "=")).filter(|name| !name.is_empty());
    let token = pairs.find_map(|pair| {
        let (scheme, token) = pair.strip_prefix("auth=")?.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    match token.filter(|token| !token.is_empty()) {
        Some(token) => Step::Claim(Proof::Bearer(Zeroizing::new(token.to_owned())), named, true),
        None => Step::Wrong("Expected a bearer token"),
    }
}

fn engine() -> GeneralPurpose {
    // Some clients leave the padding out.
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, config)
}

/// Base64.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    engine().encode(bytes)
}

/// Base64; `None` when it is none.
pub(crate) fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    engine().decode(text).ok().map(Zeroizing::new)
}
