//! SEARCH, SORT and THREAD (RFC 9051 §6.4.4, RFC 5256, and what was added to them).

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

use super::ast::{Command, Flag, Search, SearchKey, SearchReturn, Sort, SortBy, SortKey, Thread, ThreadBy};
use super::cursor::Cursor;
use super::date::date;
use super::flag::keyword;
use super::set::{is_set_next, partial_range, set};
use super::{Bad, Reading, bad, bad_charset};

/// Levels of parentheses, NOT and OR within one another at most.
const DEPTH_MAX: u32 = 200;
/// Conditions of one search at most.
const KEYS_MAX: usize = 10_000;
/// Criteria of one SORT at most.
const CRITERIA_MAX: usize = 50;

/// What follows SEARCH.
pub(crate) fn search(cursor: &mut Cursor<'_>, reading: Reading, uid: bool) -> Result<Command, Bad> {
    let returns = returns(cursor)?;
    let charset = match cursor.eat_word("CHARSET") {
        // RFC 6855 §3: it must be refused so.
        true if reading.no_charset => return Err(bad("no CHARSET once UTF8=ACCEPT is enabled")),
        true => {
            cursor.space()?;
            let charset = charset(cursor)?;
            cursor.space()?;
            charset
        }
        // RFC 9051 §6.4.4: UTF-8 is what is meant when nothing is said; ASCII is part of it.
        false => UTF_8,
    };
    let key = Keys::new(charset).all(cursor)?;
    Ok(Command::Search(Search { uid, returns, key }))
}

/// What follows SORT: `[RETURN (…)] (criteria) charset keys`.
pub(crate) fn sort(cursor: &mut Cursor<'_>, uid: bool) -> Result<Command, Bad> {
    let returns = returns(cursor)?;
    let criteria = cursor.list(sort_key)?;
    if criteria.is_empty() || criteria.len() > CRITERIA_MAX {
        return Err(bad("expected criteria to sort by"));
    }
    cursor.space()?;
    let charset = charset(cursor)?;
    cursor.space()?;
    let key = Keys::new(charset).all(cursor)?;
    Ok(Command::Sort(Sort { uid, returns, criteria, key }))
}

/// What follows THREAD: `algorithm charset keys`.
pub(crate) fn thread(cursor: &mut Cursor<'_>, uid: bool) -> Result<Command, Bad> {
    let algorithm = match cursor.word()?.as_str() {
        "ORDEREDSUBJECT" => ThreadBy::OrderedSubject,
        "REFERENCES" => ThreadBy::References,
        _ => return Err(bad("there is no such algorithm")),
    };
    cursor.space()?;
    let charset = charset(cursor)?;
    cursor.space()?;
    let key = Keys::new(charset).all(cursor)?;
    Ok(Command::Thread(Thread { uid, algorithm, key }))
}

fn sort_key(cursor: &mut Cursor<'_>) -> Result<SortKey, Bad> {
    let mut word = cursor.word()?;
    let reverse = word == "REVERSE";
    if reverse {
        cursor.space()?;
        word = cursor.word()?;
    }
    let by = match word.as_str() {
        "ARRIVAL" => SortBy::Arrival,
        "CC" => SortBy::Cc,
        "DATE" => SortBy::Date,
        "DISPLAYFROM" => SortBy::DisplayFrom,
        "DISPLAYTO" => SortBy::DisplayTo,
        "FROM" => SortBy::From,
        "SIZE" => SortBy::Size,
        "SUBJECT" => SortBy::Subject,
        "TO" => SortBy::To,
        _ => return Err(bad("there is no such criterion")),
    };
    Ok(SortKey { reverse, by })
}

/// `RETURN (…) `, if it is next.
fn returns(cursor: &mut Cursor<'_>) -> Result<Option<SearchReturn>, Bad> {
    if !cursor.eat_word("RETURN") {
        return Ok(None);
    }
    cursor.space()?;
    let mut found = SearchReturn::default();
    cursor.list(|cursor| {
        match cursor.word()?.as_str() {
            "MIN" => found.min = true,
            "MAX" => found.max = true,
            "ALL" => found.all = true,
            "COUNT" => found.count = true,
            "SAVE" => found.save = true,
            "PARTIAL" => {
                cursor.space()?;
                // RFC 9394 §3.1: one PARTIAL only.
                if found.partial.replace(partial_range(cursor)?).is_some() {
                    return Err(bad("PARTIAL stands once"));
                }
            }
            _ => return Err(bad("there is no such return option")),
        }
        Ok(())
    })?;
    // RFC 9394 §3.1: PARTIAL and ALL exclude one another.
    if found.partial.is_some() && found.all {
        return Err(bad("PARTIAL and ALL exclude one another"));
    }
    // RFC 4731 §3.1: an empty list is ALL.
    if found == SearchReturn::default() {
        found.all = true;
    }
    cursor.space()?;
    Ok(Some(found))
}

fn charset(cursor: &mut Cursor<'_>) -> Result<&'static Encoding, Bad> {
    let name = cursor.astring()?;
    // US-ASCII is a label of windows-1252 to the web; here it is part of UTF-8.
    if name.eq_ignore_ascii_case(b"US-ASCII") || name.eq_ignore_ascii_case(b"ASCII") {
        return Ok(UTF_8);
    }
    // Those for which a search string is no longer what is searched for.
    let usable = |encoding: &&'static Encoding| {
        encoding.name() != "replacement" && encoding.name() != "x-user-defined"
    };
    Encoding::for_label(&name).filter(usable).ok_or_else(bad_charset)
}

/// Reads search keys whose strings are in one charset.
struct Keys {
    charset: &'static Encoding,
    count: usize,
}

impl Keys {
    fn new(charset: &'static Encoding) -> Keys {
        Keys { charset, count: 0 }
    }

    /// Keys up to the end of the command.
    fn all(&mut self, cursor: &mut Cursor<'_>) -> Result<SearchKey, Bad> {
        let mut keys = vec![self.key(cursor, 0)?];
        while cursor.more() {
            keys.push(self.key(cursor, 0)?);
        }
        Ok(one_or_and(keys))
    }

    fn key(&mut self, cursor: &mut Cursor<'_>, depth: u32) -> Result<SearchKey, Bad> {
        self.count += 1;
        if depth > DEPTH_MAX || self.count > KEYS_MAX {
            return Err(bad("this search is too complex"));
        }
        if cursor.peek() == Some(b'(') {
            let keys = cursor.list(|cursor| self.key(cursor, depth + 1))?;
            return if keys.is_empty() { Err(bad("expected a search key")) } else { Ok(one_or_and(keys)) };
        }
        if is_set_next(cursor) {
            return set(cursor).map(SearchKey::Sequence);
        }
        let word = cursor.word()?;
        if let Some(key) = flag_key(&word) {
            return Ok(key);
        }
        match word.as_str() {
            "ALL" => return Ok(SearchKey::All),
            "SAVEDATESUPPORTED" => return Ok(SearchKey::SaveDateSupported),
            _ => {
                cursor.space().map_err(|_| bad("there is no such search key, or its argument is missing"))?
            }
        }
        match word.as_str() {
            "NOT" => Ok(SearchKey::Not(Box::new(self.key(cursor, depth + 1)?))),
            "OR" => {
                let first = self.key(cursor, depth + 1)?;
                cursor.space()?;
                Ok(SearchKey::Or(Box::new(first), Box::new(self.key(cursor, depth + 1)?)))
            }
            "HEADER" => {
                let name = cursor.astring_utf8()?;
                cursor.space()?;
                Ok(SearchKey::Header(name, self.text(cursor)?))
            }
            word => match self.text_key(cursor, word)? {
                Some(key) => Ok(key),
                None => plain_key(cursor, word),
            },
        }
    }

    fn text_key(&self, cursor: &mut Cursor<'_>, word: &str) -> Result<Option<SearchKey>, Bad> {
        let key = match word {
            "BCC" => SearchKey::Bcc,
            "BODY" => SearchKey::Body,
            "CC" => SearchKey::Cc,
            "FROM" => SearchKey::From,
            "SUBJECT" => SearchKey::Subject,
            "TEXT" => SearchKey::Text,
            "TO" => SearchKey::To,
            _ => return Ok(None),
        };
        self.text(cursor).map(key).map(Some)
    }

    /// A string in the charset of this search.
    fn text(&self, cursor: &mut Cursor<'_>) -> Result<String, Bad> {
        let bytes = cursor.astring()?;
        match self.charset.decode_without_bom_handling_and_without_replacement(&bytes) {
            Some(Cow::Borrowed(text)) => Ok(text.to_owned()),
            Some(Cow::Owned(text)) => Ok(text),
            None => Err(bad("a search string is not in the charset it claims")),
        }
    }
}

fn one_or_and(mut keys: Vec<SearchKey>) -> SearchKey {
    match (keys.pop(), keys.is_empty()) {
        (Some(only), true) => only,
        (last, _) => SearchKey::And(keys.into_iter().chain(last).collect()),
    }
}

fn flag_key(word: &str) -> Option<SearchKey> {
    let has = |flag| Some(SearchKey::Flag(flag));
    let lacks = |flag| Some(SearchKey::Not(Box::new(SearchKey::Flag(flag))));
    match word {
        "ANSWERED" => has(Flag::Answered),
        "DELETED" => has(Flag::Deleted),
        "DRAFT" => has(Flag::Draft),
        "FLAGGED" => has(Flag::Flagged),
        "RECENT" => has(Flag::Recent),
        "SEEN" => has(Flag::Seen),
        "UNANSWERED" => lacks(Flag::Answered),
        "UNDELETED" => lacks(Flag::Deleted),
        "UNDRAFT" => lacks(Flag::Draft),
        "UNFLAGGED" => lacks(Flag::Flagged),
        "UNSEEN" => lacks(Flag::Seen),
        // RFC 3501 §6.4.4.
        "OLD" => lacks(Flag::Recent),
        "NEW" => Some(SearchKey::And(vec![
            SearchKey::Flag(Flag::Recent),
            SearchKey::Not(Box::new(SearchKey::Flag(Flag::Seen))),
        ])),
        _ => None,
    }
}

/// Keys whose argument has no charset.
fn plain_key(cursor: &mut Cursor<'_>, word: &str) -> Result<SearchKey, Bad> {
    Ok(match word {
        "KEYWORD" => SearchKey::Flag(Flag::Keyword(keyword(cursor)?)),
        "UNKEYWORD" => SearchKey::Not(Box::new(SearchKey::Flag(Flag::Keyword(keyword(cursor)?)))),
        "UID" => SearchKey::Uid(set(cursor)?),
        "BEFORE" => SearchKey::Before(date(cursor)?),
        "ON" => SearchKey::On(date(cursor)?),
        "SINCE" => SearchKey::Since(date(cursor)?),
        "SENTBEFORE" => SearchKey::SentBefore(date(cursor)?),
        "SENTON" => SearchKey::SentOn(date(cursor)?),
        "SENTSINCE" => SearchKey::SentSince(date(cursor)?),
        "SAVEDBEFORE" => SearchKey::SavedBefore(date(cursor)?),
        "SAVEDON" => SearchKey::SavedOn(date(cursor)?),
        "SAVEDSINCE" => SearchKey::SavedSince(date(cursor)?),
        "LARGER" => SearchKey::Larger(cursor.number64()?),
        "SMALLER" => SearchKey::Smaller(cursor.number64()?),
        "OLDER" => SearchKey::Older(cursor.nz_number()?.into()),
        "YOUNGER" => SearchKey::Younger(cursor.nz_number()?.into()),
        "MODSEQ" => SearchKey::ModSeq(mod_seq(cursor)?),
        "EMAILID" => SearchKey::EmailId(object_id(cursor)?),
        "THREADID" => SearchKey::ThreadId(object_id(cursor)?),
        _ => return Err(bad("there is no such search key")),
    })
}

/// RFC 7162 §3.1.5: `MODSEQ "/flags/\\draft" all 620162338`.
fn mod_seq(cursor: &mut Cursor<'_>) -> Result<u64, Bad> {
    if cursor.peek() == Some(b'"') {
        cursor.string()?;
        cursor.space()?;
        if !matches!(cursor.word()?.as_str(), "ALL" | "PRIV" | "SHARED") {
            return Err(bad("expected all, priv or shared"));
        }
        cursor.space()?;
    }
    cursor.number64()
}

/// RFC 8474 §7.
fn object_id(cursor: &mut Cursor<'_>) -> Result<String, Bad> {
    cursor.astring_utf8()
}
