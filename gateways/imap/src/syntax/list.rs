//! LIST in all its forms, LSUB, STATUS, CREATE.

use super::ast::{Command, List, ListReturn, ListSelect, SpecialUse, StatusItem};
use super::cursor::Cursor;
use super::{Bad, Reading, bad};

/// Patterns of one command at most.
const PATTERNS_MAX: usize = 100;

/// LIST (RFC 9051 §6.3.9), or older Outlook's XLIST.
pub(crate) fn list(cursor: &mut Cursor<'_>, reading: Reading, xlist: bool) -> Result<Command, Bad> {
    let mut found = List { xlist, ..List::default() };
    if cursor.peek() == Some(b'(') {
        found.extended = true;
        cursor.list(|cursor| selection(cursor, &mut found.select))?;
        cursor.space()?;
        // RFC 5258 §3.1: RECURSIVEMATCH must not stand alone, nor with REMOTE only.
        if found.select.recursive_match && !(found.select.subscribed || found.select.special_use) {
            return Err(bad("RECURSIVEMATCH needs another selection option"));
        }
    }
    found.reference = reading.pattern(&cursor.astring()?);
    cursor.space()?;
    if cursor.peek() == Some(b'(') {
        found.extended = true;
        found.patterns = cursor.list(|cursor| Ok(reading.pattern(&cursor.list_mailbox()?)))?;
        if found.patterns.is_empty() || found.patterns.len() > PATTERNS_MAX {
            return Err(bad("one pattern at least, a hundred at most"));
        }
    } else {
        found.patterns.push(reading.pattern(&cursor.list_mailbox()?));
    }
    if cursor.more() {
        if !cursor.eat_word("RETURN") {
            return Err(bad("expected RETURN"));
        }
        found.extended = true;
        cursor.space()?;
        cursor.list(|cursor| return_option(cursor, &mut found.returns))?;
    }
    Ok(Command::List(found))
}

fn selection(cursor: &mut Cursor<'_>, select: &mut ListSelect) -> Result<(), Bad> {
    match cursor.word()?.as_str() {
        "SUBSCRIBED" => select.subscribed = true,
        "REMOTE" => select.remote = true,
        "RECURSIVEMATCH" => select.recursive_match = true,
        "SPECIAL-USE" => select.special_use = true,
        _ => return Err(bad("there is no such selection option of LIST")),
    }
    Ok(())
}

fn return_option(cursor: &mut Cursor<'_>, returns: &mut ListReturn) -> Result<(), Bad> {
    match cursor.word()?.as_str() {
        "SUBSCRIBED" => returns.subscribed = true,
        "CHILDREN" => returns.children = true,
        "SPECIAL-USE" => returns.special_use = true,
        "MYRIGHTS" => returns.my_rights = true,
        "STATUS" => {
            cursor.space()?;
            returns.status = Some(cursor.list(status_item)?);
        }
        _ => return Err(bad("there is no such return option of LIST")),
    }
    Ok(())
}

/// RFC 3501 §6.3.9.
pub(crate) fn lsub(cursor: &mut Cursor<'_>, reading: Reading) -> Result<Command, Bad> {
    let reference = reading.pattern(&cursor.astring()?);
    cursor.space()?;
    let pattern = reading.pattern(&cursor.list_mailbox()?);
    Ok(Command::Lsub { reference, pattern })
}

/// RFC 9051 §6.3.11.
pub(crate) fn status(cursor: &mut Cursor<'_>, reading: Reading) -> Result<Command, Bad> {
    let mailbox = reading.mailbox(cursor)?;
    cursor.space()?;
    let items = cursor.list(status_item)?;
    if items.is_empty() {
        Err(bad("expected items of STATUS"))
    } else {
        Ok(Command::Status { mailbox, items })
    }
}

fn status_item(cursor: &mut Cursor<'_>) -> Result<StatusItem, Bad> {
    Ok(match cursor.word()?.as_str() {
        "MESSAGES" => StatusItem::Messages,
        "RECENT" => StatusItem::Recent,
        "UIDNEXT" => StatusItem::UidNext,
        "UIDVALIDITY" => StatusItem::UidValidity,
        "UNSEEN" => StatusItem::Unseen,
        "DELETED" => StatusItem::Deleted,
        "SIZE" => StatusItem::Size,
        "HIGHESTMODSEQ" => StatusItem::HighestModSeq,
        "MAILBOXID" => StatusItem::MailboxId,
        "DELETED-STORAGE" => StatusItem::DeletedStorage,
        "APPENDLIMIT" => StatusItem::AppendLimit,
        _ => return Err(bad("there is no such item of STATUS")),
    })
}

/// RFC 9051 §6.3.4, RFC 6154 §3.
pub(crate) fn create(cursor: &mut Cursor<'_>, reading: Reading) -> Result<Command, Bad> {
    let mailbox = reading.mailbox(cursor)?;
    let mut special_use = Vec::new();
    if cursor.more() {
        cursor.list(|cursor| {
            if !cursor.eat_word("USE") {
                return Err(bad("there is no such parameter of CREATE"));
            }
            cursor.space()?;
            special_use = cursor.list(use_attribute)?;
            Ok(())
        })?;
    }
    Ok(Command::Create { mailbox, special_use })
}

fn use_attribute(cursor: &mut Cursor<'_>) -> Result<SpecialUse, Bad> {
    cursor.expect(b'\\')?;
    Ok(match cursor.word()?.as_str() {
        "ALL" => SpecialUse::All,
        "ARCHIVE" => SpecialUse::Archive,
        "DRAFTS" => SpecialUse::Drafts,
        "FLAGGED" => SpecialUse::Flagged,
        "IMPORTANT" => SpecialUse::Important,
        "JUNK" => SpecialUse::Junk,
        "SENT" => SpecialUse::Sent,
        "TRASH" => SpecialUse::Trash,
        // RFC 6154 §3: a use that is not supported is answered by NO [USEATTR].
        _ => return Err(super::refuse_use()),
    })
}
