//! FETCH (RFC 9051 §6.4.5): which messages, in pages; `message` prints one of them.

mod body;
mod message;

use allod_core::mail::{COMMON_FIELDS, Flags, MarkChange, Message, MessageParts, Operation, UidSet};
use allod_model::{Error, ErrorKind, NodeId, Seq};
use tokio_util::task::AbortOnDropHandle;

use self::message::Printer;
use super::Conversation;
use super::select::enable_condstore;
use super::store::ended;
use crate::print::{section, set};
use crate::syntax::ast::{Fetch, FetchItem, PartialRange, Section, SectionFetch, SectionText};
use crate::wire::{Abort, Code, Completion, Output};

/// Messages whose rows, envelopes and headers are read at a time.
const PAGE_MESSAGES: usize = 400;
/// The same where the messages themselves are read, so that `\Seen` is not set much ahead of them.
const PAGE_BODIES: usize = 100;

/// What a FETCH needs of each message.
pub(super) struct Plan {
    pub(super) items: Vec<FetchItem>,
    /// What stands before the value of a section, for each item; empty for others.
    labels: Vec<Vec<u8>>,
    pub(super) parts: MessageParts,
    /// The message's bytes are needed, whatever its header.
    pub(super) bytes: bool,
    /// Reading it marks it as seen.
    pub(super) seen: bool,
}

/// How a FETCH went so far.
#[derive(Default)]
pub(super) struct Outcome {
    /// Messages that were told of.
    told: UidSet,
    /// Parts in an encoding that nobody knows (RFC 3516 §4.3).
    pub(super) unknown_encoding: bool,
    /// The last failure of core; the answer goes on without that part.
    pub(super) failed: Option<Error>,
}

impl Conversation {
    pub(super) async fn fetch(&mut self, fetch: Fetch, out: &mut Output) -> Result<Completion, Abort> {
        if fetch.changed_since.is_some() || fetch.items.contains(&FetchItem::ModSeq) {
            enable_condstore(self.view.as_deref(), out);
        }
        let view = self.view()?;
        let mut uids = view.resolve(&fetch.set, fetch.uid)?;
        let (id, read_only) = (view.id, view.read_only);
        let plan = plan(fetch.items, fetch.uid, fetch.changed_since.is_some(), out);
        if let Some(since) = fetch.changed_since {
            let changes = self.changes_since(id, Seq(since)).await?;
            if fetch.vanished {
                self.tell_vanished(&fetch.set, changes.modseq == Seq(u64::MAX), &changes.vanished, out)?;
            }
            uids = uids.intersection(&changes.changed);
        }
        if let Some(range) = fetch.partial {
            uids = part_of(&uids, range);
        }
        let mut outcome = Outcome::default();
        self.fetch_pages(id, &uids, &plan, read_only, &mut outcome, out).await?;
        if let Some(error) = outcome.failed {
            return Ok(error.into());
        }
        if outcome.unknown_encoding {
            return Ok(Completion::no(Code::UNKNOWN_CTE, "A part has an unknown encoding"));
        }
        let missing = match fetch.changed_since {
            Some(_) => UidSet::new(),
            None => uids.difference(&outcome.told),
        };
        Ok(ended("Fetched", &missing))
    }

    /// RFC 7162 §3.2.6. What the client still counts is told without EARLIER, and later.
    fn tell_vanished(
        &mut self,
        set: &crate::syntax::ast::Set,
        forgotten: bool,
        vanished: &UidSet,
        out: &mut Output,
    ) -> Result<(), Abort> {
        let view = self.view()?;
        let named = super::select::known_set(set, view);
        let below = UidSet::from_ranges([(1, view.uid_next.saturating_sub(1))]);
        let gone = if forgotten { below } else { vanished.clone() };
        let gone = gone.intersection(&named).difference(&view.uids.to_set());
        if !gone.is_empty() {
            out.raw("* VANISHED (EARLIER) ");
            set::set(out, &gone);
            out.end();
        }
        Ok(())
    }

    /// Items of messages that no FETCH asked for.
    pub(super) async fn show_rows(
        &mut self,
        uids: &UidSet,
        items: Vec<FetchItem>,
        out: &mut Output,
    ) -> Result<(), Abort> {
        let id = self.view()?.id;
        let plan = plan(items, false, false, out);
        self.fetch_pages(id, uids, &plan, true, &mut Outcome::default(), out).await
    }

    async fn fetch_pages(
        &mut self,
        id: NodeId,
        uids: &UidSet,
        plan: &Plan,
        read_only: bool,
        outcome: &mut Outcome,
        out: &mut Output,
    ) -> Result<(), Abort> {
        let limit = if plan.bytes || plan.seen { PAGE_BODIES } else { PAGE_MESSAGES };
        let marking = plan.seen && !read_only;
        let mut page = self.selected()?.messages(id, uids, 0, limit, plan.parts).await?;
        while !uids.is_empty() {
            let Some(last) = page.last().map(|message| message.uid) else { break };
            let full = page.len() == limit;
            // What comes next is read while this is told.
            let next = match full && !marking {
                true => Some(self.read_ahead(id, uids, last, limit, plan.parts)?),
                false => None,
            };
            let marked = match marking {
                true => self.mark_seen(id, &mut page).await?,
                false => UidSet::new(),
            };
            if page.iter().any(|message| !self.knows(message)) {
                self.learn_keywords(&page, out).await?;
            }
            for message in std::mem::take(&mut page) {
                let uid = message.uid;
                if self.print(id, message, plan, marked.contains(uid), outcome, out).await? {
                    outcome.told.insert(uid);
                }
            }
            page = match next {
                Some(next) => next.await.map_err(std::io::Error::other)??,
                None if full => self.selected()?.messages(id, uids, last, limit, plan.parts).await?,
                None => break,
            };
        }
        Ok(())
    }

    /// Begins to read a page.
    fn read_ahead(
        &self,
        id: NodeId,
        uids: &UidSet,
        after: u32,
        limit: usize,
        parts: MessageParts,
    ) -> Result<AbortOnDropHandle<Result<Vec<Message>, Error>>, Abort> {
        let (session, uids) = (self.selected()?.clone(), uids.clone());
        let read = async move { session.messages(id, &uids, after, limit, parts).await };
        Ok(AbortOnDropHandle::new(tokio::spawn(read)))
    }

    /// Prints one message; false when it was gone.
    async fn print(
        &mut self,
        id: NodeId,
        mut message: Message,
        plan: &Plan,
        marked: bool,
        outcome: &mut Outcome,
        out: &mut Output,
    ) -> Result<bool, Abort> {
        let with_header = plan.parts.header || plan.parts.common;
        let needs_file = plan.bytes || with_header && message.header.is_none();
        let file = match needs_file && message.bytes.is_none() {
            false => None,
            true => match self.selected()?.open_message(id, message.uid).await {
                Ok(file) => Some(file),
                Err(error) if error.kind == ErrorKind::NotFound => return Ok(false),
                Err(error) => {
                    outcome.failed = Some(error);
                    None
                }
            },
        };
        if with_header && message.header.is_none() && message.facts.is_none() {
            // A header too long to be at hand is looked for in the message.
            let parts = MessageParts { facts: true, ..MessageParts::default() };
            let one = UidSet::from_iter([message.uid]);
            match self.selected()?.messages(id, &one, 0, 1, parts).await?.pop() {
                Some(whole) => message.facts = whole.facts,
                None => return Ok(false),
            }
        }
        let view = self.view()?;
        let Some(seq) = view.uids.seq(message.uid) else { return Ok(false) };
        // RFC 7162 §3.2: to whom MODSEQs are told, flags without one are not all there is to tell.
        let whole = !out.enabled().condstore || plan.items.contains(&FetchItem::ModSeq);
        if marked || whole && plan.items.contains(&FetchItem::Flags) {
            view.show(message.uid, message.modseq);
        }
        let printer = Printer { view, message: &message, file: file.as_ref(), outcome };
        out.raw("* ").number(seq.into()).raw(" FETCH (");
        printer.print(plan, marked, out).await?;
        out.raw(")\r\n").flow().await?;
        Ok(true)
    }

    /// Sets `\Seen` where it is not; returns the messages that have it new, which are told of it.
    async fn mark_seen(&mut self, id: NodeId, page: &mut [Message]) -> Result<UidSet, Abort> {
        let unseen = page.iter().filter(|message| !message.flags.has(Flags::SEEN));
        let unseen = UidSet::from_iter(unseen.map(|message| message.uid));
        if unseen.is_empty() {
            return Ok(unseen);
        }
        let change = MarkChange {
            operation: Operation::Add,
            flags: Flags::SEEN,
            keywords: Vec::new(),
            unchanged_since: None,
        };
        let marked = match self.selected()?.mark_messages(id, &unseen, change).await {
            Ok(marked) => marked.messages,
            // Reading goes on although nothing can be written, as over quota or while storage recovers.
            Err(_) => return Ok(UidSet::new()),
        };
        let mut told = UidSet::new();
        for now in marked {
            if let Ok(at) = page.binary_search_by_key(&now.uid, |message| message.uid) {
                (page[at].flags, page[at].modseq) = (now.flags, now.modseq);
                page[at].keywords = now.keywords;
                told.insert(now.uid);
            }
        }
        Ok(told)
    }

    fn knows(&self, message: &Message) -> bool {
        self.view.as_ref().is_none_or(|view| view.knows(&message.keywords))
    }

    async fn learn_keywords(&mut self, page: &[Message], out: &mut Output) -> Result<(), Abort> {
        let names = self.selected()?.keywords().await?;
        let view = self.view()?;
        view.names = names;
        let all: Vec<_> = page.iter().flat_map(|message| message.keywords.clone()).collect();
        view.learn(out, &all);
        Ok(())
    }
}

/// What stands before the value of a section: the same for every message.
fn label(item: &FetchItem, out: &mut Output) {
    match item {
        FetchItem::Section(fetch) => {
            section::name(out, &fetch.section, fetch.partial);
            out.raw(" ");
        }
        FetchItem::Binary { part, partial, .. } => {
            section::numbers(out.raw("BINARY["), part);
            section::origin(out.raw("]"), *partial);
            out.raw(" ");
        }
        FetchItem::BinarySize { part } => {
            section::numbers(out.raw("BINARY.SIZE["), part);
            out.raw("] ");
        }
        FetchItem::Rfc822 => _ = out.raw("RFC822 "),
        FetchItem::Rfc822Header => _ = out.raw("RFC822.HEADER "),
        FetchItem::Rfc822Text => _ = out.raw("RFC822.TEXT "),
        _ => {}
    }
}

/// What these items need.
fn plan(mut items: Vec<FetchItem>, uid: bool, mod_seq: bool, out: &mut Output) -> Plan {
    // RFC 9051 §6.4.9, RFC 7162 §3.1.4.1: told even where not asked for.
    if uid && !items.contains(&FetchItem::Uid) {
        items.insert(0, FetchItem::Uid);
    }
    if mod_seq && !items.contains(&FetchItem::ModSeq) {
        items.push(FetchItem::ModSeq);
    }
    let labels = items.iter().map(|item| out.aside(|out| label(item, out))).collect();
    let mut plan = Plan { items, labels, parts: MessageParts::default(), bytes: false, seen: false };
    for item in &plan.items {
        match item {
            FetchItem::Envelope | FetchItem::Body | FetchItem::BodyStructure | FetchItem::Preview { .. } => {
                plan.parts.facts = true
            }
            FetchItem::Section(SectionFetch { section, peek, .. }) => {
                plan.seen |= !peek;
                match is_top_header(section) {
                    true if has_common_fields(section) => plan.parts.common = true,
                    true => plan.parts.header = true,
                    false => {
                        plan.bytes = true;
                        plan.parts.facts |= !section.part.is_empty() || section.text.is_some();
                    }
                }
            }
            FetchItem::Rfc822 => (plan.bytes, plan.seen) = (true, true),
            FetchItem::Rfc822Text => (plan.bytes, plan.seen, plan.parts.facts) = (true, true, true),
            FetchItem::Rfc822Header => plan.parts.header = true,
            FetchItem::Binary { peek, .. } => {
                (plan.bytes, plan.parts.facts) = (true, true);
                plan.seen |= !peek;
            }
            FetchItem::BinarySize { .. } => (plan.bytes, plan.parts.facts) = (true, true),
            FetchItem::Flags
            | FetchItem::InternalDate
            | FetchItem::Size
            | FetchItem::Uid
            | FetchItem::ModSeq
            | FetchItem::EmailId
            | FetchItem::ThreadId
            | FetchItem::SaveDate => {}
        }
    }
    // Short messages come along with their rows.
    plan.parts.bytes = plan.bytes;
    plan
}

/// Whether a section is of the message's own header, which is kept apart.
pub(super) fn is_top_header(section: &Section) -> bool {
    let of_header = matches!(
        section.text,
        Some(SectionText::Header | SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_))
    );
    section.part.is_empty() && of_header
}

/// Whether a section asks for nothing but fields that lie together for every message.
fn has_common_fields(section: &Section) -> bool {
    let common = |name: &String| COMMON_FIELDS.iter().any(|known| known.eq_ignore_ascii_case(name));
    matches!(&section.text, Some(SectionText::HeaderFields(names)) if names.iter().all(common))
}

/// RFC 9394 §3.3: those from one place to another, in the order of their UIDs.
pub(super) fn part_of(uids: &UidSet, range: PartialRange) -> UidSet {
    let count = uids.len();
    let (first, last) = match range.from_end {
        false => (u64::from(range.first), u64::from(range.last)),
        true => {
            let place = |nth: u32| (count + 1).saturating_sub(nth.into());
            (place(range.last), place(range.first))
        }
    };
    let (mut passed, mut found) = (0u64, Vec::new());
    for (low, high) in uids.ranges() {
        let length = u64::from(high - low) + 1;
        // Places of this stretch: from `passed + 1` to `passed + length`.
        let (from, to) = (first.max(passed + 1).max(1), last.min(passed + length));
        if from <= to {
            let offset = |place: u64| (place - passed - 1) as u32;
            found.push((low + offset(from), low + offset(to)));
        }
        passed += length;
    }
    UidSet::from_ranges(found)
}
