//! Searching a mailbox (RFC 9051 §6.4.4).
//!
//! Rows answer what is asked of flags, dates and sizes. A text is looked for first in each message's
//! [signature](super::signature), or in those of many messages at once ([`super::spans`]); only where it may be is the text
//! itself read.

use std::ops::ControlFlow;
use std::sync::Arc;

use allod_formats::mail::{SearchText, fold, header};
use allod_meta::View;
use allod_model::{ContentId, NodeId, Result, Seq, Timestamp};

use crate::content::Reader;
use crate::fault::Res;
use crate::mail::brief::{Group, SEARCHED};
use crate::mail::facts::{self, HEADER, SIGNATURE, part, plain_address, structure_of};
use crate::mail::fetch::each_row;
use crate::mail::marks::{Flags, KeywordId, Keywords};
use crate::mail::rows::{Held, MailboxRow, keywords, mailbox_row};
use crate::mail::signature::{Signature, distinct_classes};
use crate::mail::spans::{self, SPAN_UIDS};
use crate::mail::uids::UidSet;
use crate::session::Session;

/// What is asked of each message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Nothing: every message.
    All,
    /// All of these.
    And(Vec<Query>),
    /// One of these at least.
    Or(Vec<Query>),
    /// Not this.
    Not(Box<Query>),
    /// A UID among these.
    Uids(UidSet),
    /// All of these flags.
    Flags(Flags),
    /// This keyword.
    Keyword(String),
    /// A day from the first to the last, both included, counted from 1970-01-01.
    Days(DateOf, i64, i64),
    /// INTERNALDATE within so many seconds before now (`YOUNGER`, RFC 5032).
    Younger(u64),
    /// INTERNALDATE longer ago than so many seconds (`OLDER`, RFC 5032).
    Older(u64),
    /// More bytes than this.
    Larger(u64),
    /// Fewer bytes than this.
    Smaller(u64),
    /// Changed at or after this.
    ModSeq(Seq),
    /// This text somewhere in a field; case does not matter.
    Text(Field, String),
    /// This EMAILID.
    Content(ContentId),
    /// This THREADID.
    Thread(u64),
}

/// Which date of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOf {
    /// INTERNALDATE, in UTC.
    Internal,
    /// The Date field, in its own zone; a message without is as old as its INTERNALDATE.
    Sent,
    /// When it came into the mailbox, in UTC (RFC 8514).
    Saved,
}

/// Where a text is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The values of the header field of this name. An empty text asks whether there is such a field.
    Header(String),
    /// The text of all parts.
    Body,
    /// All headers and the text of all parts.
    Text,
}

impl Session {
    /// The UIDs of the messages that a query takes, ascending.
    ///
    /// # Errors
    /// `NotFound` when the mailbox is gone; `Corrupt`.
    pub async fn search_messages(&self, mailbox: NodeId, query: &Query) -> Result<UidSet> {
        let (me, query) = (self.clone(), query.clone());
        crate::core::blocking(move || {
            let view = me.view()?;
            me.check_mailbox(&view, mailbox)?;
            let row = mailbox_row(&view, me.keys(), mailbox)?;
            if let Some(uids) = bounded(&query) {
                return Ok(me.handle().uids().uids(&view, &me, mailbox, &row)?.to_set().intersection(&uids));
            }
            let names = keywords(&view, me.keys())?;
            let reach = Reach { session: &me, view: &view, mailbox, last_uid: row.last_uid };
            let uids = reach.of(&query)?;
            let group = me.briefs_for(&view, mailbox, &uids)?;
            let search = Search::prepare(&me, &view, &query, uids, group, &names);
            search.run(mailbox, &row)
        })
        .await
    }
}

/// The set that a query about UIDs alone names.
fn bounded(query: &Query) -> Option<UidSet> {
    match query {
        Query::All => Some(UidSet::all()),
        Query::Uids(uids) => Some(uids.clone()),
        Query::Not(inner) => bounded(inner).map(|uids| UidSet::all().difference(&uids)),
        Query::And(all) => {
            all.iter().try_fold(UidSet::all(), |left, query| Some(left.intersection(&bounded(query)?)))
        }
        Query::Or(any) => {
            any.iter().try_fold(UidSet::new(), |left, query| Some(left.union(&bounded(query)?)))
        }
        _ => None,
    }
}

/// Finds a superset of the UIDs that a query can take.
struct Reach<'a> {
    session: &'a Session,
    view: &'a View,
    mailbox: NodeId,
    last_uid: u32,
}

impl Reach<'_> {
    fn of(&self, query: &Query) -> Res<UidSet> {
        Ok(match query {
            Query::Uids(uids) => uids.clone(),
            Query::And(all) => {
                let mut left = UidSet::all();
                for query in all {
                    left = left.intersection(&self.of(query)?);
                }
                left
            }
            Query::Or(any) => {
                let mut either = UidSet::new();
                for query in any {
                    either = either.union(&self.of(query)?);
                }
                either
            }
            Query::Text(_, text) if self.last_uid >= SPAN_UIDS => self.text(&fold(text))?,
            _ => UidSet::all(),
        })
    }

    fn text(&self, needle: &str) -> Res<UidSet> {
        let classes = distinct_classes(needle);
        if classes.is_empty() {
            return Ok(UidSet::all());
        }
        let account = self.session.handle();
        // What is not put together yet, perhaps from before an interruption, is for the next search.
        let last = self.last_uid / SPAN_UIDS - 1;
        if !spans::is_built(self.view, account.keys(), self.mailbox, last)? {
            self.session.core().0.spans.wake(account.id(), self.mailbox);
        }
        spans::candidates(self.view, account, self.mailbox, self.last_uid, &classes)
    }
}

/// A question that a message's row answers.
type Question = Box<dyn Fn(u32, &Held) -> bool>;

/// A query made ready: cheap questions first, texts folded.
enum Test {
    Row(Question),
    /// The day on which it was sent.
    Sent(i64, i64),
    Text(Field, String, Vec<u16>),
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
}

struct Search<'a> {
    session: &'a Session,
    view: &'a View,
    test: Test,
    uids: UidSet,
    group: Arc<Group>,
    /// A query for unseen messages ends when all have been met.
    unseen_only: bool,
}

impl<'a> Search<'a> {
    fn prepare(
        session: &'a Session,
        view: &'a View,
        query: &Query,
        uids: UidSet,
        group: Arc<Group>,
        names: &Keywords,
    ) -> Search<'a> {
        let now = session.core().0.env.now();
        let unseen = Query::Not(Box::new(Query::Flags(Flags::SEEN)));
        let unseen_only = *query == unseen || matches!(query, Query::And(all) if all.contains(&unseen));
        Search { session, view, test: prepare(query, names, now), uids, group, unseen_only }
    }

    fn run(&self, mailbox: NodeId, counters: &MailboxRow) -> Res<UidSet> {
        let (mut found, mut unseen) = (UidSet::new(), 0);
        if self.unseen_only && counters.unseen == 0 {
            return Ok(found);
        }
        each_row(self.view, self.session, mailbox, &self.uids, 0, |uid, row| {
            unseen += u32::from(!row.marks.is_seen());
            let mut message = Opened { search: self, row, signature: None, text: None, header: None };
            if message.passes(&self.test, uid)? {
                found.insert(uid);
            }
            let ended = self.unseen_only && unseen >= counters.unseen;
            Ok(if ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }
}

/// A message being looked at; what was read of it stays for the next question.
struct Opened<'a> {
    search: &'a Search<'a>,
    row: &'a Held,
    signature: Option<Signature>,
    text: Option<SearchText>,
    header: Option<Vec<u8>>,
}

impl Opened<'_> {
    fn passes(&mut self, test: &Test, uid: u32) -> Res<bool> {
        match test {
            Test::Row(question) => Ok(question(uid, self.row)),
            Test::Sent(first, last) => self.sent_day().map(|day| *first <= day && day <= *last),
            Test::Text(field, needle, classes) => self.holds(field, needle, classes),
            Test::Not(inner) => Ok(!self.passes(inner, uid)?),
            Test::And(all) => {
                for test in all {
                    if !self.passes(test, uid)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Test::Or(any) => {
                for test in any {
                    if self.passes(test, uid)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    fn sent_day(&self) -> Res<i64> {
        let account = self.search.session.handle();
        let brief = self.search.group.of(self.search.view, account, self.row.content)?;
        let secs = match brief.sent {
            Some(sent) => sent.secs + i64::from(sent.offset_minutes) * 60,
            None => self.row.internal.secs(),
        };
        Ok(secs.div_euclid(86_400))
    }

    fn holds(&mut self, field: &Field, needle: &str, classes: &[u16]) -> Res<bool> {
        if let Field::Header(name) = field
            && let Some(found) = self.brief_holds(name, needle, true)?
        {
            return Ok(found);
        }
        if !classes.is_empty() && !self.signature()?.may_hold(classes) {
            return Ok(false);
        }
        match field {
            Field::Header(name) => {
                if let Some(found) = self.brief_holds(name, needle, false)? {
                    return Ok(found);
                }
                let values = header::values(self.header()?, name);
                let found = values.iter().any(|value| needle.is_empty() || fold(value).contains(needle));
                Ok(found || (needle.contains('@') && self.has_address(name, needle)?))
            }
            Field::Body => Ok(self.text()?.body.contains(needle)),
            Field::Text => {
                let text = self.text()?;
                Ok(text.header.contains(needle) || text.body.contains(needle))
            }
        }
    }

    /// Whether a field that is kept in memory has a text; `None` for any other. `known`: only when it is there already.
    fn brief_holds(&self, name: &str, needle: &str, known: bool) -> Res<Option<bool>> {
        let Some(n) = SEARCHED.iter().position(|known| known.eq_ignore_ascii_case(name)) else {
            return Ok(None);
        };
        if self.search.group.is_passing() {
            return Ok(None);
        }
        let account = self.search.session.handle();
        let brief = match known {
            true => self.search.group.known(self.row.content),
            false => Some(self.search.group.of(self.search.view, account, self.row.content)?),
        };
        Ok(brief.and_then(|brief| brief.holds(n, needle)))
    }

    /// An address is found by what it is, too, not only by how it was written.
    fn has_address(&self, name: &str, needle: &str) -> Res<bool> {
        let facts = structure_of(self.search.view, self.search.session.handle(), self.row.content)?;
        let list = match name.to_ascii_lowercase().as_str() {
            "from" => &facts.envelope.from,
            "sender" => &facts.envelope.sender,
            "reply-to" => &facts.envelope.reply_to,
            "to" => &facts.envelope.to,
            "cc" => &facts.envelope.cc,
            "bcc" => &facts.envelope.bcc,
            _ => return Ok(false),
        };
        Ok(list.iter().any(|address| plain_address(address).contains(needle)))
    }

    fn signature(&mut self) -> Res<&Signature> {
        if self.signature.is_none() {
            let stored = part(self.search.view, self.search.session.handle(), self.row.content, SIGNATURE)?;
            let stored = stored.ok_or_else(|| crate::commit::missing("the signature of a message"))?;
            self.signature = Some(Signature::from_bytes(&stored));
        }
        // Invariant: filled above when absent.
        Ok(self.signature.as_ref().expect("just read"))
    }

    fn text(&mut self) -> Res<&SearchText> {
        if self.text.is_none() {
            let stored = facts::text(self.search.view, self.search.session.handle(), self.row.content)?;
            self.text = Some(match stored {
                Some(text) => text,
                None => {
                    let whole = self.whole()?;
                    allod_formats::mail::search_text(&whole, &allod_formats::mail::read(&whole))
                }
            });
        }
        // Invariant: filled above when absent.
        Ok(self.text.as_ref().expect("just read"))
    }

    fn header(&mut self) -> Res<&[u8]> {
        if self.header.is_none() {
            let session = self.search.session;
            let stored = part(self.search.view, session.handle(), self.row.content, HEADER)?;
            self.header = Some(match stored {
                Some(header) => header,
                None => {
                    let facts = structure_of(self.search.view, session.handle(), self.row.content)?;
                    let mut whole = self.whole()?;
                    whole.truncate(facts.root.header.end as usize);
                    whole
                }
            });
        }
        // Invariant: filled above when absent.
        Ok(self.header.as_ref().expect("just read"))
    }

    /// The bytes of a message whose header or text is too long to be stored apart.
    fn whole(&self) -> Res<Vec<u8>> {
        let session = self.search.session;
        let reader = Reader::open(session.core(), session.handle(), self.search.view, self.row.content)?;
        // This runs on a thread that may wait.
        Ok(tokio::runtime::Handle::current().block_on(reader.whole())?)
    }
}

fn prepare(query: &Query, names: &Keywords, now: Timestamp) -> Test {
    let row = |question: Question| Test::Row(question);
    match query.clone() {
        Query::All => row(Box::new(|_, _| true)),
        Query::And(all) => Test::And(ordered(&all, names, now)),
        Query::Or(any) => Test::Or(ordered(&any, names, now)),
        Query::Not(inner) => Test::Not(Box::new(prepare(&inner, names, now))),
        Query::Uids(uids) => row(Box::new(move |uid, _| uids.contains(uid))),
        Query::Flags(flags) => row(Box::new(move |_, row| row.marks.flags.has(flags))),
        Query::Keyword(name) => {
            let id: Option<KeywordId> = names.id(&name);
            row(Box::new(move |_, row| id.is_some_and(|id| row.marks.keywords.contains(&id))))
        }
        Query::Days(DateOf::Sent, first, last) => Test::Sent(first, last),
        Query::Days(of, first, last) => row(Box::new(move |_, row| {
            let time = if of == DateOf::Saved { row.saved } else { row.internal };
            (first..=last).contains(&time.secs().div_euclid(86_400))
        })),
        Query::Younger(secs) => {
            row(Box::new(move |_, row| now.secs().saturating_sub(row.internal.secs()) <= bounded_secs(secs)))
        }
        Query::Older(secs) => {
            row(Box::new(move |_, row| now.secs().saturating_sub(row.internal.secs()) >= bounded_secs(secs)))
        }
        Query::Larger(bytes) => row(Box::new(move |_, row| row.size > bytes)),
        Query::Smaller(bytes) => row(Box::new(move |_, row| row.size < bytes)),
        Query::ModSeq(seq) => row(Box::new(move |_, row| row.modseq >= seq)),
        Query::Content(content) => row(Box::new(move |_, row| row.content == content)),
        Query::Thread(thread) => row(Box::new(move |_, row| row.thread == thread)),
        Query::Text(field, text) => {
            let needle = fold(&text);
            let classes = distinct_classes(&needle);
            Test::Text(field, needle, classes)
        }
    }
}

/// Clients may ask for any number of seconds.
fn bounded_secs(secs: u64) -> i64 {
    i64::try_from(secs).unwrap_or(i64::MAX)
}

/// Cheap questions first.
fn ordered(queries: &[Query], names: &Keywords, now: Timestamp) -> Vec<Test> {
    let mut tests: Vec<Test> = queries.iter().map(|query| prepare(query, names, now)).collect();
    tests.sort_by_key(cost);
    tests
}

fn cost(test: &Test) -> u8 {
    match test {
        Test::Row(_) => 0,
        Test::Sent(..) => 1,
        Test::Text(Field::Header(_), ..) => 2,
        Test::Text(..) => 3,
        Test::Not(inner) => cost(inner),
        Test::And(all) | Test::Or(all) => all.iter().map(cost).max().unwrap_or(0),
    }
}
