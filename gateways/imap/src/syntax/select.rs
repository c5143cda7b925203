//! SELECT and EXAMINE with their parameters (RFC 7162).

use super::ast::{Command, Qresync, Select};
use super::cursor::Cursor;
use super::set::{is_set_next, set};
use super::{Bad, Reading, bad};

/// What follows the name of the command.
pub(crate) fn select(cursor: &mut Cursor<'_>, reading: Reading, read_only: bool) -> Result<Command, Bad> {
    let mailbox = reading.mailbox(cursor)?;
    let mut select = Select { mailbox, read_only, condstore: false, qresync: None };
    if cursor.more() {
        cursor.list(|cursor| parameter(cursor, &mut select))?;
    }
    Ok(Command::Select(select))
}

fn parameter(cursor: &mut Cursor<'_>, select: &mut Select) -> Result<(), Bad> {
    match cursor.word()?.as_str() {
        "CONDSTORE" => select.condstore = true,
        "QRESYNC" => {
            cursor.space()?;
            select.qresync = Some(qresync(cursor)?);
        }
        _ => return Err(bad("there is no such parameter of SELECT")),
    }
    Ok(())
}

/// RFC 7162 §7, select-param: `(1067890007 20050715194045000 41:211,214 (1,3 10,30))`.
fn qresync(cursor: &mut Cursor<'_>) -> Result<Qresync, Bad> {
    cursor.expect(b'(')?;
    cursor.spaces();
    let uid_validity = cursor.nz_number()?;
    cursor.space()?;
    let mod_seq = cursor.number64()?;
    let mut found = Qresync { uid_validity, mod_seq, known_uids: None, sequence_match: None };
    cursor.spaces();
    if is_set_next(cursor) {
        found.known_uids = Some(set(cursor)?);
        cursor.spaces();
    }
    if cursor.eat(b'(') {
        let numbers = set(cursor)?;
        cursor.space()?;
        let uids = set(cursor)?;
        cursor.spaces();
        cursor.expect(b')')?;
        found.sequence_match = Some((numbers, uids));
        cursor.spaces();
    }
    cursor.expect(b')')?;
    Ok(found)
}
