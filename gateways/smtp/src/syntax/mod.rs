//! Commands (RFC 5321 §4.1 and its extensions): one line in, one command or its refusal out.
//!
//! Written here and not taken from a crate, since what is refused matters as much as what is understood: a path is
//! given on as it was given, quotes included, and a parameter that was not announced is an error.

mod address;
mod parameters;

use crate::reply::Reply;

pub(crate) use address::{domain_of, local_of, mailbox};
pub(crate) use parameters::{Body, HOLD_SECS_MAX, Hold};

/// What a peer asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Command {
    /// EHLO, or HELO where it is not extended.
    Hello {
        name: String,
        extended: bool,
    },
    Mail(Mail),
    Rcpt(Rcpt),
    Data,
    /// RFC 3030 §2.
    Bdat {
        bytes: u64,
        last: bool,
    },
    Auth {
        mechanism: String,
        initial: Option<String>,
    },
    StartTls,
    Rset,
    Noop,
    Help,
    Vrfy,
    Quit,
}

/// MAIL.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Mail {
    /// Reverse path; empty for `<>`.
    pub(crate) from: String,
    /// RFC 1870.
    pub(crate) size: Option<u64>,
    pub(crate) body: Body,
    /// RFC 6531.
    pub(crate) utf8: bool,
    /// RFC 3461 §4.3.
    pub(crate) return_full: Option<bool>,
    /// RFC 3461 §4.4, decoded.
    pub(crate) id: Option<String>,
    /// RFC 4865.
    pub(crate) hold: Option<Hold>,
}

/// RCPT.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Rcpt {
    /// Forward path; `postmaster` may stand without a domain (RFC 5321 §4.5.1).
    pub(crate) to: String,
    /// RFC 3461 §4.1, as core has it.
    pub(crate) notify: u8,
    /// RFC 3461 §4.2, decoded.
    pub(crate) original: Option<String>,
}

/// Which extensions a listener announces, as far as parameters depend on them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Announced {
    /// DSN (RFC 3461) and FUTURERELEASE (RFC 4865): what only an account's own app may ask for.
    pub(crate) submission: bool,
}

/// Understands one line without its CRLF.
///
/// # Errors
/// The answer.
pub(crate) fn command(line: &[u8], announced: Announced) -> Result<Command, Reply> {
    let Ok(line) = std::str::from_utf8(line) else {
        return Err(Reply::new(500, "5.5.2", "This is not UTF-8"));
    };
    if line.chars().any(char::is_control) {
        return Err(Reply::new(500, "5.5.2", "A control character has no place in a command"));
    }
    let line = line.trim_end_matches(' ');
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim_start_matches(' ');
    let alone = |command| match rest.is_empty() {
        true => Ok(command),
        false => Err(Reply::new(501, "5.5.4", "This command takes no parameter")),
    };
    match verb.to_ascii_uppercase().as_str() {
        "EHLO" => hello(rest, true),
        "HELO" => hello(rest, false),
        "MAIL" => {
            let (path, parameters) = path(rest, "FROM:")?;
            parameters::mail(reverse(path)?, parameters, announced).map(Command::Mail)
        }
        "RCPT" => {
            let (path, parameters) = path(rest, "TO:")?;
            parameters::rcpt(forward(path)?, parameters, announced).map(Command::Rcpt)
        }
        "DATA" => alone(Command::Data),
        "BDAT" => bdat(rest),
        "AUTH" => auth(rest),
        "STARTTLS" => alone(Command::StartTls),
        "RSET" => alone(Command::Rset),
        "QUIT" => alone(Command::Quit),
        "NOOP" => Ok(Command::Noop),
        "HELP" => Ok(Command::Help),
        // RFC 5321 §7.3: neither confirmed nor denied.
        "VRFY" => Ok(Command::Vrfy),
        "EXPN" | "ETRN" | "ATRN" | "TURN" | "SEND" | "SOML" | "SAML" | "BURL" => {
            Err(Reply::new(502, "5.5.1", "This command is not served here"))
        }
        _ => Err(Reply::new(500, "5.5.2", "There is no such command")),
    }
}

/// Whether a line is the beginning of a request of HTTP or TLS: a browser that was tricked into speaking to this port.
pub(crate) fn is_foreign(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 8] =
        [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"OPTIONS ", b"CONNECT ", b"PRI ", b"\x16\x03"];
    METHODS.iter().any(|method| line.starts_with(method))
}

fn hello(name: &str, extended: bool) -> Result<Command, Reply> {
    // RFC 5321 §4.1.1.1: the domain is no option. What it says is checked nowhere: §4.1.4 forbids to refuse for it.
    let name = name.split(' ').next().unwrap_or_default();
    if name.is_empty() || name.len() > 255 {
        return Err(Reply::new(501, "5.5.4", "Say your name"));
    }
    Ok(Command::Hello { name: name.to_owned(), extended })
}

/// A path, without its angle brackets, and what follows it.
fn path<'a>(rest: &'a str, keyword: &str) -> Result<(&'a str, &'a str), Reply> {
    let wrong = || Reply::new(501, "5.5.4", format!("Expected {keyword}<address>"));
    let has_keyword = rest.get(..keyword.len()).is_some_and(|start| start.eq_ignore_ascii_case(keyword));
    if !has_keyword {
        return Err(wrong());
    }
    // Many clients put a space there, against RFC 5321 §3.3.
    let inner = rest[keyword.len()..].trim_start_matches(' ').strip_prefix('<').ok_or_else(wrong)?;
    let end = address::path_end(inner).ok_or_else(wrong)?;
    let (path, after) = (&inner[..end], &inner[end + 1..]);
    if !after.is_empty() && !after.starts_with(' ') {
        return Err(wrong());
    }
    Ok((path, after.trim_start_matches(' ')))
}

fn reverse(path: &str) -> Result<String, Reply> {
    if path.is_empty() {
        return Ok(String::new());
    }
    mailbox(path).ok_or_else(|| Reply::new(553, "5.1.7", "This is no address of a sender"))
}

fn forward(path: &str) -> Result<String, Reply> {
    if path.eq_ignore_ascii_case("postmaster") {
        return Ok("postmaster".to_owned());
    }
    mailbox(path).ok_or_else(|| Reply::new(553, "5.1.3", "This is no address of a recipient"))
}

fn bdat(rest: &str) -> Result<Command, Reply> {
    let wrong = || Reply::new(501, "5.5.4", "Expected BDAT size [LAST]");
    let mut words = rest.split(' ').filter(|word| !word.is_empty());
    let size = words.next().filter(|size| size.len() <= 19 && size.bytes().all(|b| b.is_ascii_digit()));
    let bytes = size.and_then(|size| size.parse().ok()).ok_or_else(wrong)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(wrong()),
    };
    if words.next().is_some() {
        return Err(wrong());
    }
    Ok(Command::Bdat { bytes, last })
}

fn auth(rest: &str) -> Result<Command, Reply> {
    let mut words = rest.split(' ').filter(|word| !word.is_empty());
    let Some(mechanism) = words.next() else {
        return Err(Reply::new(501, "5.5.4", "Expected AUTH and a mechanism"));
    };
    let initial = words.next().map(str::to_owned);
    if words.next().is_some() {
        return Err(Reply::new(501, "5.5.4", "Expected one initial response"));
    }
    Ok(Command::Auth { mechanism: mechanism.to_ascii_uppercase(), initial })
}

#[cfg(test)]
mod tests;
