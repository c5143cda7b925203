//! FETCH: items, sections, modifiers (RFC 9051 §6.4.5, RFC 3516, RFC 7162, RFC 8970, RFC 9394).

use super::ast::{Command, Fetch, FetchItem, Section, SectionFetch, SectionText};
use super::cursor::Cursor;
use super::set::{byte_range, partial_range, set};
use super::{Bad, bad};

/// Items of one command at most.
const ITEMS_MAX: usize = 1000;
/// Levels of parts within parts at most.
const PART_DEPTH_MAX: usize = 100;
/// Field names of one section at most.
const FIELDS_MAX: usize = 1000;

/// What follows FETCH.
pub(crate) fn fetch(cursor: &mut Cursor<'_>, uid: bool) -> Result<Command, Bad> {
    let set = set(cursor)?;
    cursor.space()?;
    let items = match cursor.peek() {
        Some(b'(') => items(cursor)?,
        _ => match all_or_one(cursor)? {
            Named::Macro(items) => items,
            Named::Item(item) => vec![item],
        },
    };
    let mut fetch = Fetch { set, uid, items, changed_since: None, vanished: false, partial: None };
    if cursor.more() {
        cursor.list(|cursor| modifier(cursor, &mut fetch))?;
    }
    // RFC 7162 §3.2.6: VANISHED needs UID FETCH and CHANGEDSINCE.
    if fetch.vanished && (!uid || fetch.changed_since.is_none()) {
        return Err(bad("VANISHED stands with UID FETCH and CHANGEDSINCE only"));
    }
    Ok(Command::Fetch(fetch))
}

/// A parenthesized list of items, one at least.
pub(crate) fn items(cursor: &mut Cursor<'_>) -> Result<Vec<FetchItem>, Bad> {
    let named = cursor.list(all_or_one)?;
    let mut items = Vec::with_capacity(named.len());
    for one in named {
        match one {
            // Not by the grammar, but some clients write (ALL).
            Named::Macro(several) => items.extend(several),
            Named::Item(item) => items.push(item),
        }
    }
    if items.is_empty() || items.len() > ITEMS_MAX {
        return Err(bad("expected what to fetch, of at most 1000 items"));
    }
    Ok(items)
}

fn modifier(cursor: &mut Cursor<'_>, fetch: &mut Fetch) -> Result<(), Bad> {
    match cursor.word()?.as_str() {
        "CHANGEDSINCE" => {
            cursor.space()?;
            fetch.changed_since = Some(cursor.number64()?);
        }
        "VANISHED" => fetch.vanished = true,
        "PARTIAL" => {
            cursor.space()?;
            fetch.partial = Some(partial_range(cursor)?);
        }
        _ => return Err(bad("there is no such modifier of FETCH")),
    }
    Ok(())
}

enum Named {
    Macro(Vec<FetchItem>),
    Item(FetchItem),
}

fn all_or_one(cursor: &mut Cursor<'_>) -> Result<Named, Bad> {
    use FetchItem::{Body, Envelope, Flags, InternalDate, Size};
    let word = cursor.word()?;
    Ok(Named::Item(match word.as_str() {
        "ALL" => return Ok(Named::Macro(vec![Flags, InternalDate, Size, Envelope])),
        "FAST" => return Ok(Named::Macro(vec![Flags, InternalDate, Size])),
        "FULL" => return Ok(Named::Macro(vec![Flags, InternalDate, Size, Envelope, Body])),
        "ENVELOPE" => Envelope,
        "FLAGS" => Flags,
        "INTERNALDATE" => InternalDate,
        "RFC822.SIZE" => Size,
        "UID" => FetchItem::Uid,
        "BODYSTRUCTURE" => FetchItem::BodyStructure,
        "MODSEQ" => FetchItem::ModSeq,
        "EMAILID" => FetchItem::EmailId,
        "THREADID" => FetchItem::ThreadId,
        "SAVEDATE" => FetchItem::SaveDate,
        "PREVIEW" => FetchItem::Preview { lazy: lazy(cursor)? },
        "RFC822" => FetchItem::Rfc822,
        "RFC822.HEADER" => FetchItem::Rfc822Header,
        "RFC822.TEXT" => FetchItem::Rfc822Text,
        "BODY" if cursor.peek() != Some(b'[') => Body,
        "BODY" => section_item(cursor, false)?,
        "BODY.PEEK" => section_item(cursor, true)?,
        "BINARY" => binary_item(cursor, false)?,
        "BINARY.PEEK" => binary_item(cursor, true)?,
        "BINARY.SIZE" => FetchItem::BinarySize { part: binary_part(cursor)? },
        _ => return Err(bad("there is no such item of FETCH")),
    }))
}

/// RFC 8970 §3.2: `PREVIEW` or `PREVIEW (LAZY)`.
fn lazy(cursor: &mut Cursor<'_>) -> Result<bool, Bad> {
    let mut ahead = cursor.clone();
    if !ahead.spaces() || ahead.peek() != Some(b'(') {
        return Ok(false);
    }
    // A list of modifiers of FETCH may follow instead.
    let named = ahead.list(|cursor| {
        let word = cursor.word()?;
        if word == "LAZY" { Ok(()) } else { Err(bad("there is no such modifier of PREVIEW")) }
    });
    if named.is_err() {
        return Ok(false);
    }
    *cursor = ahead;
    Ok(true)
}

fn section_item(cursor: &mut Cursor<'_>, peek: bool) -> Result<FetchItem, Bad> {
    let section = section(cursor)?;
    Ok(FetchItem::Section(SectionFetch { section, peek, partial: byte_range(cursor)? }))
}

fn binary_item(cursor: &mut Cursor<'_>, peek: bool) -> Result<FetchItem, Bad> {
    Ok(FetchItem::Binary { part: binary_part(cursor)?, peek, partial: byte_range(cursor)? })
}

fn binary_part(cursor: &mut Cursor<'_>) -> Result<Vec<u32>, Bad> {
    let found = section(cursor)?;
    if found.text.is_some() { Err(bad("only a part's number can stand here")) } else { Ok(found.part) }
}

/// `section`: `[]`, `[1.2]`, `[1.MIME]`, `[HEADER.FIELDS (From To)]`.
fn section(cursor: &mut Cursor<'_>) -> Result<Section, Bad> {
    cursor.expect(b'[')?;
    cursor.spaces();
    let mut found = Section::default();
    while cursor.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        if found.part.len() == PART_DEPTH_MAX {
            return Err(bad("this part lies too deep"));
        }
        found.part.push(cursor.nz_number()?);
        if !cursor.eat(b'.') {
            cursor.spaces();
            cursor.expect(b']')?;
            return Ok(found);
        }
    }
    if cursor.peek() != Some(b']') {
        found.text = Some(section_text(cursor, !found.part.is_empty())?);
    } else if !found.part.is_empty() {
        return Err(bad("a part's number is missing"));
    }
    cursor.spaces();
    cursor.expect(b']')?;
    Ok(found)
}

fn section_text(cursor: &mut Cursor<'_>, of_part: bool) -> Result<SectionText, Bad> {
    Ok(match cursor.word()?.as_str() {
        "HEADER" => SectionText::Header,
        "HEADER.FIELDS" => SectionText::HeaderFields(fields(cursor)?),
        "HEADER.FIELDS.NOT" => SectionText::HeaderFieldsNot(fields(cursor)?),
        "TEXT" => SectionText::Text,
        // RFC 9051 §6.4.5.1: MIME must follow a part's number.
        "MIME" if of_part => SectionText::Mime,
        _ => return Err(bad("there is no such section")),
    })
}

fn fields(cursor: &mut Cursor<'_>) -> Result<Vec<String>, Bad> {
    cursor.space()?;
    let fields = cursor.list(Cursor::astring_utf8)?;
    if fields.is_empty() || fields.len() > FIELDS_MAX {
        return Err(bad("expected names of fields, at most 1000"));
    }
    Ok(fields)
}
