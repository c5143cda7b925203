//! APPEND and REPLACE (RFC 9051 §6.3.12, RFC 3502, RFC 8508, RFC 6855 §4): what stands before and after the bytes of
//! each message.

use super::ast::{Command, Flag, Message, Tagged};
use super::cursor::Cursor;
use super::date::date_time;
use super::flag::flags;
use super::set::bound;
use super::{Bad, Reading, bad};

/// The beginning of APPEND or REPLACE, up to where the first message's bytes begin.
pub(crate) struct Head {
    pub(crate) tagged: Tagged,
    pub(crate) message: Message,
}

/// Whether these bytes, the beginning of a command, are of one whose messages are streamed.
pub(crate) fn is_streamed(input: &[u8]) -> bool {
    let mut cursor = Cursor::new(input);
    let mut name = || {
        cursor.tag()?;
        cursor.space()?;
        let word = cursor.word()?;
        if word != "UID" {
            return Ok(word);
        }
        cursor.space()?;
        cursor.word()
    };
    let name: Result<String, Bad> = name();
    name.is_ok_and(|name| name == "APPEND" || name == "REPLACE")
}

/// Reads the beginning, which ends with the announcement of a literal (`{3}`, without its CRLF). `None`: that literal is
/// no message but the mailbox's name, and its bytes are to be added.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn head(input: &[u8], reading: Reading) -> Result<Option<Head>, Bad> {
    let mut cursor = Cursor::new(input);
    let tag = cursor.tag()?.to_owned();
    cursor.space()?;
    let mut name = cursor.word()?;
    let uid = name == "UID";
    if uid {
        cursor.space()?;
        name = cursor.word()?;
    }
    cursor.space()?;
    let replaced = match name.as_str() {
        "REPLACE" => {
            let message = bound(&mut cursor)?;
            cursor.space()?;
            Some(message)
        }
        _ if uid => return Err(bad("there is no such command after UID")),
        _ => None,
    };
    if literal_size(cursor.rest()).is_some() {
        return Ok(None);
    }
    let mailbox = reading.mailbox(&mut cursor)?;
    let message = self::message(&mut cursor)?;
    let command = match replaced {
        Some(message) => Command::Replace { message, uid, mailbox },
        None => Command::Append { mailbox },
    };
    Ok(Some(Head { tagged: Tagged { tag, command }, message }))
}

/// What follows a message's bytes: the beginning of the next one, or `None` at the end of the command.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn tail(input: &[u8], utf8: bool) -> Result<Option<Message>, Bad> {
    let mut cursor = Cursor::new(input);
    if utf8 {
        cursor.spaces();
        cursor.expect(b')')?;
    }
    if !cursor.clone().more() {
        cursor.end()?;
        return Ok(None);
    }
    message(&mut cursor).map(Some)
}

/// ` (flags) "date" {size}` up to the literal's announcement, with which the input ends.
fn message(cursor: &mut Cursor<'_>) -> Result<Message, Bad> {
    let mut found = Message { flags: Vec::new(), date: None, size: 0, binary: false, utf8: false };
    cursor.space()?;
    if cursor.peek() == Some(b'(') {
        found.flags = flags(cursor)?;
        // Clients that copy flags along send it; it is not theirs to set.
        found.flags.retain(|flag| *flag != Flag::Recent);
        cursor.space()?;
    }
    if cursor.peek() == Some(b'"') {
        found.date = Some(date_time(cursor)?);
        cursor.space()?;
    }
    // RFC 6855 §4: UTF8 (~{…}
    if cursor.eat_word("UTF8") {
        cursor.spaces();
        cursor.expect(b'(')?;
        cursor.spaces();
        found.utf8 = true;
    }
    found.binary = cursor.rest().starts_with(b"~{");
    found.size = literal_size(cursor.rest()).ok_or_else(|| bad("expected a message as a literal"))?;
    Ok(found)
}

/// The size that a literal's announcement gives, if `text` is one and nothing more.
fn literal_size(text: &[u8]) -> Option<u64> {
    let found = super::literal::announced(text)?;
    (found.start == 0).then_some(found.size)
}
