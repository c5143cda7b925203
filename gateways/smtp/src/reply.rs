//! Answers (RFC 5321 §4.2, RFC 2034, RFC 3463).

use std::borrow::Cow;
use std::fmt::Write;

use allod_model::{Detail, Error, ErrorKind};

/// Longest text of an answer, in characters (RFC 5321 §4.5.3.1.5: the line has 512 bytes).
const TEXT_CHARS_MAX: usize = 400;

/// One answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    /// RFC 3463; empty for those answers that have none (RFC 2034 §4).
    pub(crate) status: &'static str,
    pub(crate) text: Cow<'static, str>,
}

impl Reply {
    pub(crate) fn new(code: u16, status: &'static str, text: impl Into<Cow<'static, str>>) -> Reply {
        Reply { code, status, text: text.into() }
    }

    /// Whether it refuses.
    pub(crate) fn is_refusal(&self) -> bool {
        self.code >= 400
    }

    /// As it is sent.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut line = String::new();
        // Invariant: writing into a string does not fail.
        let _ = write!(line, "{} ", self.code);
        if !self.status.is_empty() {
            line.push_str(self.status);
            line.push(' ');
        }
        line.extend(self.text.chars().map(printable).take(TEXT_CHARS_MAX));
        line.push_str("\r\n");
        out.extend_from_slice(line.as_bytes());
    }
}

/// Nothing that could end a line early or is not ASCII.
fn printable(c: char) -> char {
    if (' '..='~').contains(&c) { c } else { '?' }
}

/// A failure of core.
pub(crate) fn refusal(error: &Error) -> Reply {
    match error.kind {
        ErrorKind::NotFound => Reply::new(550, "5.1.1", "There is no such mailbox"),
        ErrorKind::Exists | ErrorKind::NotEmpty | ErrorKind::UidConflict | ErrorKind::PreconditionFailed => {
            Reply::new(451, "4.3.0", "It was changed meanwhile; try again")
        }
        ErrorKind::WrongKind => Reply::new(451, "4.3.5", "The mailbox is not as it should be"),
        ErrorKind::InvalidContent => {
            Reply::new(554, "5.6.0", format!("This is no message: {}", error.message))
        }
        ErrorKind::Locked => Reply::new(450, "4.2.1", "The mailbox is locked; try again"),
        ErrorKind::Denied => Reply::new(550, "5.7.1", "This app password does not allow that"),
        ErrorKind::Unauthenticated => Reply::new(535, "5.7.8", "Wrong user name or app password"),
        ErrorKind::OverQuota => Reply::new(452, "4.2.2", "The mailbox is full"),
        ErrorKind::TooLarge => match error.detail {
            Detail::Limit(what, max) => Reply::new(552, "5.3.4", format!("Too much: {what}, at most {max}")),
            _ => Reply::new(552, "5.3.4", "Too much"),
        },
        ErrorKind::HorizonPassed => Reply::new(451, "4.3.0", "Try again"),
        ErrorKind::Busy => Reply::new(454, "4.7.0", "Busy; try again later"),
        ErrorKind::Corrupt => Reply::new(451, "4.3.0", "What is stored is damaged; the operator must look"),
        ErrorKind::Unavailable => Reply::new(451, "4.3.0", "Storage cannot be reached; try again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_line() {
        let mut out = Vec::new();
        Reply::new(550, "5.1.1", "No\r\n250 ä such").write(&mut out);
        assert_eq!(out, b"550 5.1.1 No??250 ? such\r\n");
        out.clear();
        Reply::new(354, "", "Go ahead").write(&mut out);
        assert_eq!(out, b"354 Go ahead\r\n");
    }

    #[test]
    fn failures_of_core_have_their_codes() {
        let code = |kind| {
            let reply = refusal(&Error::new(kind, ""));
            (reply.code, reply.status)
        };
        assert_eq!(code(ErrorKind::NotFound), (550, "5.1.1"));
        assert_eq!(code(ErrorKind::Locked).0, 450);
        assert_eq!(code(ErrorKind::Denied), (550, "5.7.1"));
        assert_eq!(code(ErrorKind::OverQuota), (452, "4.2.2"));
        assert_eq!(code(ErrorKind::InvalidContent), (554, "5.6.0"));
        assert_eq!(code(ErrorKind::Unavailable).0, 451);
    }
}
