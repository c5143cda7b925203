//! SEARCH's conditions in core's words (RFC 9051 §6.4.4).

use allod_core::mail::{DateOf, Field, Flags, Query, UidSet};
use allod_model::Seq;
use jiff::civil::Date;

use super::view::View;
use crate::print::{flags, ids};
use crate::syntax::ast::{Flag, SearchKey};

/// What a key asks of the messages that the client counts.
pub(super) fn query(key: SearchKey, view: &View) -> Query {
    match key {
        SearchKey::All | SearchKey::SaveDateSupported => Query::All,
        SearchKey::And(keys) => Query::And(keys.into_iter().map(|key| query(key, view)).collect()),
        SearchKey::Or(one, other) => Query::Or(vec![query(*one, view), query(*other, view)]),
        SearchKey::Not(key) => Query::Not(Box::new(query(*key, view))),
        SearchKey::Sequence(set) => Query::Uids(view.among(&set, false)),
        SearchKey::Uid(set) => Query::Uids(view.among(&set, true)),
        SearchKey::Flag(flag) => flag_query(flag, view),
        SearchKey::Bcc(text) => header("Bcc", text),
        SearchKey::Cc(text) => header("Cc", text),
        SearchKey::From(text) => header("From", text),
        SearchKey::Subject(text) => header("Subject", text),
        SearchKey::To(text) => header("To", text),
        SearchKey::Header(name, text) => Query::Text(Field::Header(name), text),
        SearchKey::Body(text) => anywhere(Field::Body, text),
        SearchKey::Text(text) => anywhere(Field::Text, text),
        SearchKey::Before(date) => before(DateOf::Internal, date),
        SearchKey::On(date) => on(DateOf::Internal, date),
        SearchKey::Since(date) => since(DateOf::Internal, date),
        SearchKey::SentBefore(date) => before(DateOf::Sent, date),
        SearchKey::SentOn(date) => on(DateOf::Sent, date),
        SearchKey::SentSince(date) => since(DateOf::Sent, date),
        SearchKey::SavedBefore(date) => before(DateOf::Saved, date),
        SearchKey::SavedOn(date) => on(DateOf::Saved, date),
        SearchKey::SavedSince(date) => since(DateOf::Saved, date),
        SearchKey::Larger(bytes) => Query::Larger(bytes),
        SearchKey::Smaller(bytes) => Query::Smaller(bytes),
        SearchKey::Older(secs) => Query::Older(secs),
        SearchKey::Younger(secs) => Query::Younger(secs),
        SearchKey::ModSeq(seq) => Query::ModSeq(Seq(seq)),
        SearchKey::EmailId(id) => ids::parse_email(&id).map_or_else(nothing, Query::Content),
        SearchKey::ThreadId(id) => ids::parse_thread(&id).map_or_else(nothing, Query::Thread),
    }
}

/// Whether a key asks for MODSEQ, so that the answer tells of it (RFC 7162 §3.1.5).
pub(super) fn asks_mod_seq(key: &SearchKey) -> bool {
    match key {
        SearchKey::ModSeq(_) => true,
        SearchKey::And(keys) => keys.iter().any(asks_mod_seq),
        SearchKey::Or(one, other) => asks_mod_seq(one) || asks_mod_seq(other),
        SearchKey::Not(key) => asks_mod_seq(key),
        _ => false,
    }
}

fn flag_query(flag: Flag, view: &View) -> Query {
    match flag {
        Flag::Recent => Query::Uids(view.recent.clone()),
        Flag::Keyword(name) => Query::Keyword(name),
        flag => Query::Flags(flags::system(&flag).unwrap_or(Flags::NONE)),
    }
}

fn header(name: &str, text: String) -> Query {
    Query::Text(Field::Header(name.to_owned()), text)
}

/// The empty text is in every message.
fn anywhere(field: Field, text: String) -> Query {
    if text.is_empty() { Query::All } else { Query::Text(field, text) }
}

fn nothing() -> Query {
    Query::Uids(UidSet::new())
}

fn before(of: DateOf, date: Date) -> Query {
    Query::Days(of, i64::MIN, day(date) - 1)
}

fn on(of: DateOf, date: Date) -> Query {
    Query::Days(of, day(date), day(date))
}

fn since(of: DateOf, date: Date) -> Query {
    Query::Days(of, day(date), i64::MAX)
}

/// Days from 1970-01-01.
fn day(date: Date) -> i64 {
    const EPOCH: Date = jiff::civil::date(1970, 1, 1);
    date.duration_since(EPOCH).as_secs().div_euclid(86_400)
}
