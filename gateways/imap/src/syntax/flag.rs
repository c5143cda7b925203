//! Flags.

use super::ast::Flag;
use super::cursor::Cursor;
use super::{Bad, bad};

/// Longest keyword, in bytes.
const KEYWORD_BYTES_MAX: usize = 255;
/// Flags of one command at most.
const FLAGS_MAX: usize = 1000;

/// `flag-list`.
pub(crate) fn flags(cursor: &mut Cursor<'_>) -> Result<Vec<Flag>, Bad> {
    let flags = cursor.list(flag)?;
    if flags.len() > FLAGS_MAX { Err(bad("too many flags")) } else { Ok(flags) }
}

/// The flags of STORE: a list, or without parentheses (RFC 9051 §9, store-att-flags).
pub(crate) fn bare_flags(cursor: &mut Cursor<'_>) -> Result<Vec<Flag>, Bad> {
    if cursor.peek() == Some(b'(') {
        return flags(cursor);
    }
    let mut found = vec![flag(cursor)?];
    while cursor.more() {
        if found.len() == FLAGS_MAX {
            return Err(bad("too many flags"));
        }
        found.push(flag(cursor)?);
    }
    Ok(found)
}

/// `flag`.
pub(crate) fn flag(cursor: &mut Cursor<'_>) -> Result<Flag, Bad> {
    if !cursor.eat(b'\\') {
        return keyword(cursor).map(Flag::Keyword);
    }
    match cursor.word()?.as_str() {
        "SEEN" => Ok(Flag::Seen),
        "ANSWERED" => Ok(Flag::Answered),
        "FLAGGED" => Ok(Flag::Flagged),
        "DELETED" => Ok(Flag::Deleted),
        "DRAFT" => Ok(Flag::Draft),
        "RECENT" => Ok(Flag::Recent),
        _ => Err(bad("there is no such system flag")),
    }
}

/// `flag-keyword`.
pub(crate) fn keyword(cursor: &mut Cursor<'_>) -> Result<String, Bad> {
    let keyword = cursor.atom()?;
    if keyword.len() > KEYWORD_BYTES_MAX {
        Err(bad("this keyword is too long"))
    } else {
        Ok(keyword.to_owned())
    }
}
