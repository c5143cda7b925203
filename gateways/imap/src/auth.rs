//! SASL: PLAIN (RFC 4616), LOGIN, OAUTHBEARER (RFC 7628) and XOAUTH2.
//!
//! **Deliberately absent:** SCRAM. It needs keys derived from each password to be stored; what core stores cannot be
//! turned into them.

use allod_core::Proof;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// RFC 7628 §3.2.2.
const BEARER_REFUSED: &str = r#"{"status":"invalid_token"}"#;
/// What XOAUTH2 clients expect in its place.
const XOAUTH2_REFUSED: &str = r#"{"status":"401","schemes":"bearer"}"#;

/// Who somebody claims to be, and what proves it.
pub(crate) struct Claim {
    pub(crate) proof: Proof,
    /// The account that was named beside a proof which names none.
    pub(crate) named: Option<String>,
    /// What is told by a challenge when the proof is refused.
    pub(crate) told: Option<&'static str>,
}

/// One exchange under way.
pub(crate) enum Mechanism {
    Plain,
    /// The user name, once it is known.
    Login(Option<String>),
    OauthBearer,
    Xoauth2,
}

/// What comes next.
pub(crate) enum Step {
    /// To be sent, in base64.
    Challenge(&'static str),
    Claim(Claim),
    /// The response cannot be understood.
    Wrong(&'static str),
    /// RFC 4616 §2: somebody would act for somebody else.
    NotForOthers,
}

impl Mechanism {
    /// By its name, upper case.
    pub(crate) fn new(name: &str) -> Option<Mechanism> {
        Some(match name {
            "PLAIN" => Mechanism::Plain,
            "LOGIN" => Mechanism::Login(None),
            "OAUTHBEARER" => Mechanism::OauthBearer,
            "XOAUTH2" => Mechanism::Xoauth2,
            _ => return None,
        })
    }

    /// Takes a response; `None` at the beginning, when there was no initial one.
    pub(crate) fn step(&mut self, response: Option<Zeroizing<Vec<u8>>>) -> Step {
        let Some(response) = response else {
            return Step::Challenge(match self {
                Mechanism::Login(_) => "User Name",
                _ => "",
            });
        };
        let Ok(text) = std::str::from_utf8(&response) else { return Step::Wrong("This is not UTF-8") };
        match self {
            Mechanism::Plain => plain(text),
            Mechanism::Login(username) => match username.take() {
                None => {
                    *username = Some(text.to_owned());
                    Step::Challenge("Password")
                }
                Some(username) => password(username, text),
            },
            Mechanism::OauthBearer => oauth_bearer(text),
            Mechanism::Xoauth2 => xoauth2(text),
        }
    }
}

fn password(username: String, password: &str) -> Step {
    let password = Zeroizing::new(password.to_owned());
    Step::Claim(Claim { proof: Proof::Password { username, password }, named: None, told: None })
}

/// RFC 4616 §2: `[authzid] NUL authcid NUL passwd`.
fn plain(text: &str) -> Step {
    let mut parts = text.split('\0');
    let (Some(acts_as), Some(username), Some(secret), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Step::Wrong("Expected a name and a password");
    };
    if !acts_as.is_empty() && acts_as != username {
        return Step::NotForOthers;
    }
    password(username.to_owned(), secret)
}

/// RFC 7628 §3.1: `n,a=user@example.com,` ^A `host=…` ^A `auth=Bearer …` ^A ^A.
fn oauth_bearer(text: &str) -> Step {
    let mut pairs = text.split('\x01');
    let header = pairs.next().unwrap_or_default();
    let mut fields = header.split(',');
    // RFC 7628 §3.1: no channel binding.
    if !matches!(fields.next(), Some("n" | "y")) {
        return Step::Wrong("Expected a GS2 header without channel binding");
    }
    let named = fields.find_map(|field| field.strip_prefix("a="));
    // RFC 5801 §4: `,` and `=` are escaped in a name.
    let named = named.map(|name| name.replace("=2C", ",").replace("=3D", "="));
    bearer(pairs, named, BEARER_REFUSED)
}

/// `user=…` ^A `auth=Bearer …` ^A ^A.
fn xoauth2(text: &str) -> Step {
    let named = text.split('\x01').find_map(|pair| pair.strip_prefix("user=")).map(str::to_owned);
    bearer(text.split('\x01'), named, XOAUTH2_REFUSED)
}

fn bearer<'a>(mut pairs: impl Iterator<Item = &'a str>, named: Option<String>, told: &'static str) -> Step {
    let token = pairs.find_map(|pair| {
        let (scheme, token) = pair.strip_prefix("auth=")?.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Step::Wrong("Expected a bearer token");
    };
    let named = named.filter(|name| !name.is_empty());
    Step::Claim(Claim { proof: Proof::Bearer(Zeroizing::new(token.to_owned())), named, told: Some(told) })
}

fn engine() -> GeneralPurpose {
    // Some clients leave the padding out.
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, config)
}

/// Base64.
pub(crate) fn encode(text: &str) -> String {
    engine().encode(text)
}

/// Base64; `None` when it is none.
pub(crate) fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    engine().decode(text).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests;
