//! Object identifiers (RFC 8474): core's numbers behind a letter, so that no kind is mistaken for another.

use allod_model::{ContentId, NodeId};

/// MAILBOXID.
pub(crate) fn mailbox(id: NodeId) -> String {
    format!("F{id}")
}

/// EMAILID.
pub(crate) fn email(id: ContentId) -> String {
    format!("M{id}")
}

/// THREADID.
pub(crate) fn thread(id: u64) -> String {
    format!("T{id}")
}

/// The content that an EMAILID names.
pub(crate) fn parse_email(text: &str) -> Option<ContentId> {
    number(text, 'M').map(ContentId)
}

/// The thread that a THREADID names.
pub(crate) fn parse_thread(text: &str) -> Option<u64> {
    number(text, 'T')
}

fn number(text: &str, letter: char) -> Option<u64> {
    let digits = text.strip_prefix(letter)?;
    let number = digits.parse().ok()?;
    // RFC 8474 §4: an identifier has one spelling.
    (digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0')))
        .then_some(number)
}
