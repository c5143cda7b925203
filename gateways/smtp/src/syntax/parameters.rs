//! Parameters of MAIL and RCPT.

use allod_core::post::{NOTIFY_DELAY, NOTIFY_FAILURE, NOTIFY_NEVER, NOTIFY_SUCCESS};

use super::{Announced, Mail, Rcpt};
use crate::reply::Reply;

/// Longest ENVID, in bytes (RFC 3461 §4.4).
const ENVID_BYTES_MAX: usize = 100;
/// Longest ORCPT, in bytes (RFC 3461 §4.2).
const ORCPT_BYTES_MAX: usize = 500;
/// Longest time that a mail can be held, in seconds (RFC 4865): announced.
pub(crate) const HOLD_SECS_MAX: u64 = 60 * 86_400;

/// BODY (RFC 6152).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Body {
    #[default]
    SevenBit,
    EightBit,
}

/// When a mail is to leave (RFC 4865).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hold {
    /// After so many seconds.
    For(u64),
    /// At this time, in seconds since 1970.
    Until(i64),
}

/// Name and value of each parameter, the name in upper case.
fn each(text: &str) -> impl Iterator<Item = (String, Option<&str>)> {
    text.split(' ').filter(|word| !word.is_empty()).map(|word| match word.split_once('=') {
        Some((name, value)) => (name.to_ascii_uppercase(), Some(value)),
        None => (word.to_ascii_uppercase(), None),
    })
}

fn wrong(name: &str) -> Reply {
    Reply::new(501, "5.5.4", format!("{name} is not understood"))
}

/// RFC 5321 §4.1.1.11: a parameter that is not served.
fn unknown(name: &str) -> Reply {
    Reply::new(555, "5.5.4", format!("{name} is not served here"))
}

/// The parameters of MAIL.
///
/// # Errors
/// The answer.
pub(super) fn mail(from: String, text: &str, announced: Announced) -> Result<Mail, Reply> {
    let mut mail = Mail { from, ..Mail::default() };
    let mut seen = Vec::new();
    for (name, value) in each(text) {
        if seen.contains(&name) {
            return Err(wrong(&name));
        }
        match (name.as_str(), value) {
            ("SIZE", Some(value)) => mail.size = Some(number(value).ok_or_else(|| wrong("SIZE"))?),
            ("BODY", Some(value)) => mail.body = body(value)?,
            ("SMTPUTF8", None) => mail.utf8 = true,
            ("RET", Some(value)) if announced.submission => {
                mail.return_full = Some(match value.to_ascii_uppercase().as_str() {
                    "FULL" => true,
                    "HDRS" => false,
                    _ => return Err(wrong("RET")),
                });
            }
            ("ENVID", Some(value)) if announced.submission => {
                let id = xtext(value).filter(|id| id.len() <= ENVID_BYTES_MAX);
                mail.id = Some(id.ok_or_else(|| wrong("ENVID"))?);
            }
            ("HOLDFOR", Some(value)) if announced.submission && mail.hold.is_none() => {
                let secs = number(value).filter(|secs| *secs <= HOLD_SECS_MAX);
                mail.hold = Some(Hold::For(secs.ok_or_else(|| wrong("HOLDFOR"))?));
            }
            ("HOLDUNTIL", Some(value)) if announced.submission && mail.hold.is_none() => {
                let at: Option<jiff::Timestamp> = value.parse().ok();
                mail.hold = Some(Hold::Until(at.ok_or_else(|| wrong("HOLDUNTIL"))?.as_second()));
            }
            // RFC 4954 §5: who it says wrote this is not believed, and so not passed on.
            ("AUTH", Some(_)) if announced.submission => {}
            _ => return Err(unknown(&name)),
        }
        seen.push(name);
    }
    if !mail.utf8 && !mail.from.is_ascii() {
        // RFC 6531 §3.5.
        return Err(Reply::new(553, "5.6.7", "This address needs SMTPUTF8"));
    }
    Ok(mail)
}

/// The parameters of RCPT.
///
/// # Errors
/// The answer.
pub(super) fn rcpt(to: String, text: &str, announced: Announced) -> Result<Rcpt, Reply> {
    let mut rcpt = Rcpt { to, ..Rcpt::default() };
    let mut seen = Vec::new();
    for (name, value) in each(text) {
        if seen.contains(&name) {
            return Err(wrong(&name));
        }
        match (name.as_str(), value) {
            ("NOTIFY", Some(value)) if announced.submission => {
                rcpt.notify = notify(value).ok_or_else(|| wrong("NOTIFY"))?;
            }
            ("ORCPT", Some(value)) if announced.submission => {
                let original = xtext(value).filter(|text| text.len() <= ORCPT_BYTES_MAX);
                let original = original.filter(|text| {
                    let mut parts = text.splitn(2, ';');
                    let kind = parts.next().unwrap_or_default();
                    let is_kind =
                        !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                    is_kind && parts.next().is_some_and(|address| !address.is_empty())
                });
                rcpt.original = Some(original.ok_or_else(|| wrong("ORCPT"))?);
            }
            _ => return Err(unknown(&name)),
        }
        seen.push(name);
    }
    Ok(rcpt)
}

fn body(value: &str) -> Result<Body, Reply> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(Body::SevenBit),
        "8BITMIME" => Ok(Body::EightBit),
        // RFC 3030 §3: BINARYMIME is not announced.
        "BINARYMIME" => Err(unknown("BODY=BINARYMIME")),
        _ => Err(wrong("BODY")),
    }
}

/// RFC 3461 §4.1.
fn notify(value: &str) -> Option<u8> {
    let mut all = 0;
    for word in value.split(',') {
        all |= match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => NOTIFY_SUCCESS,
            "FAILURE" => NOTIFY_FAILURE,
            "DELAY" => NOTIFY_DELAY,
            "NEVER" => NOTIFY_NEVER,
            _ => return None,
        };
    }
    // NEVER stands alone.
    (all & NOTIFY_NEVER == 0 || all == NOTIFY_NEVER).then_some(all)
}

fn number(value: &str) -> Option<u64> {
    let digits = (1..=20).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    if digits { value.parse().ok() } else { None }
}

/// RFC 3461 §4, decoded; what it stands for must be printable ASCII.
fn xtext(value: &str) -> Option<String> {
    let mut decoded = String::new();
    let mut rest = value;
    while let Some(c) = rest.chars().next() {
        if c == '+' {
            let byte = rest.get(1..3).and_then(|hex| u8::from_str_radix(hex, 16).ok())?;
            decoded.push(char::from(byte));
            rest = &rest[3..];
        } else {
            decoded.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    (!decoded.is_empty() && decoded.chars().all(|c| (' '..='~').contains(&c))).then_some(decoded)
}
