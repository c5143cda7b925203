//! RFC 4314: access control lists.

use super::ast::{Command, RightsChange};
use super::cursor::Cursor;
use super::{Bad, Reading, bad};

/// Longest identifier or list of rights, in bytes.
const BYTES_MAX: usize = 1000;

/// SETACL mailbox identifier [+-]rights.
pub(crate) fn set_acl(cursor: &mut Cursor<'_>, reading: Reading) -> Result<Command, Bad> {
    let mailbox = reading.mailbox(cursor)?;
    let identifier = identifier(cursor)?;
    cursor.space()?;
    let text = cursor.astring_utf8()?;
    let (change, rights) = match text.as_bytes().first() {
        Some(b'+') => (RightsChange::Add, &text[1..]),
        Some(b'-') => (RightsChange::Remove, &text[1..]),
        _ => (RightsChange::Replace, text.as_str()),
    };
    // RFC 4314 §2.1: rights are lower-case letters and digits; upper case is an error.
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if rights.len() > BYTES_MAX || !rights.chars().all(known) {
        return Err(bad("rights are lower-case letters and digits"));
    }
    Ok(Command::SetAcl { mailbox, identifier, change, rights: rights.to_owned() })
}

/// DELETEACL mailbox identifier.
pub(crate) fn delete_acl(cursor: &mut Cursor<'_>, reading: Reading) -> Result<Command, Bad> {
    let mailbox = reading.mailbox(cursor)?;
    Ok(Command::DeleteAcl { mailbox, identifier: identifier(cursor)? })
}

/// LISTRIGHTS mailbox identifier.
pub(crate) fn list_rights(cursor: &mut Cursor<'_>, reading: Reading) -> Result<Command, Bad> {
    let mailbox = reading.mailbox(cursor)?;
    Ok(Command::ListRights { mailbox, identifier: identifier(cursor)? })
}

fn identifier(cursor: &mut Cursor<'_>) -> Result<String, Bad> {
    cursor.space()?;
    let identifier = cursor.astring_utf8()?;
    let fits = (1..=BYTES_MAX).contains(&identifier.len());
    if fits { Ok(identifier) } else { Err(bad("expected an identifier")) }
}
