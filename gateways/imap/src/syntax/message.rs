//! Commands on messages of the selected mailbox: STORE, COPY, MOVE, EXPUNGE.

use super::ast::{Command, Flag, FlagsChange, Store};
use super::cursor::Cursor;
use super::flag::bare_flags;
use super::set::set;
use super::{Bad, Reading, bad};

/// What follows STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).
pub(crate) fn store(cursor: &mut Cursor<'_>, uid: bool) -> Result<Command, Bad> {
    let set = set(cursor)?;
    cursor.space()?;
    let mut unchanged_since = None;
    if cursor.peek() == Some(b'(') {
        cursor.list(|cursor| {
            if !cursor.eat_word("UNCHANGEDSINCE") {
                return Err(bad("there is no such modifier of STORE"));
            }
            cursor.space()?;
            unchanged_since = Some(cursor.number64()?);
            Ok(())
        })?;
        cursor.space()?;
    }
    let change = match cursor.peek() {
        Some(b'+') => FlagsChange::Add,
        Some(b'-') => FlagsChange::Remove,
        _ => FlagsChange::Replace,
    };
    if change != FlagsChange::Replace {
        let _ = cursor.eat(b'+') || cursor.eat(b'-');
    }
    let silent = match cursor.word()?.as_str() {
        "FLAGS" => false,
        "FLAGS.SILENT" => true,
        _ => return Err(bad("expected FLAGS or FLAGS.SILENT")),
    };
    cursor.space()?;
    let flags = bare_flags(cursor)?;
    // RFC 3501 §2.3.2: nobody can alter it.
    if flags.contains(&Flag::Recent) {
        return Err(bad("\\Recent is not the client's to set"));
    }
    Ok(Command::Store(Store { set, uid, change, silent, flags, unchanged_since }))
}

/// What follows COPY (RFC 9051 §6.4.7).
pub(crate) fn copy(cursor: &mut Cursor<'_>, reading: Reading, uid: bool) -> Result<Command, Bad> {
    let set = set(cursor)?;
    cursor.space()?;
    Ok(Command::Copy { set, uid, mailbox: reading.mailbox(cursor)? })
}

/// What follows MOVE (RFC 9051 §6.4.8).
pub(crate) fn r#move(cursor: &mut Cursor<'_>, reading: Reading, uid: bool) -> Result<Command, Bad> {
    let set = set(cursor)?;
    cursor.space()?;
    Ok(Command::Move { set, uid, mailbox: reading.mailbox(cursor)? })
}

/// What follows UID (RFC 9051 §6.4.9).
pub(crate) fn uid(cursor: &mut Cursor<'_>, reading: Reading) -> Result<Command, Bad> {
    let word = cursor.word()?;
    cursor.space()?;
    match word.as_str() {
        "FETCH" => super::fetch::fetch(cursor, true),
        "STORE" => store(cursor, true),
        "COPY" => copy(cursor, reading, true),
        "MOVE" => r#move(cursor, reading, true),
        "SEARCH" => super::search::search(cursor, reading, true),
        "SORT" => super::search::sort(cursor, true),
        "THREAD" => super::search::thread(cursor, true),
        "EXPUNGE" => Ok(Command::Expunge { uids: Some(set(cursor)?) }),
        _ => Err(bad("there is no such command after UID")),
    }
}
