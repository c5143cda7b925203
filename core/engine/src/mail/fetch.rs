//! Reading messages: rows, what is known of each, and the bytes.

use std::ops::{Bound, ControlFlow};

use allod_formats::mail::Facts;
use allod_meta::{KeyRange, Lookup, View};
use allod_model::{ContentId, Error, NodeId, Result, Seq, Timestamp};
use bytes::Bytes;

use crate::content::{Reader, chunk_ref};
use crate::fault::Res;
use crate::mail::facts::{HEADER, common, part, structure_of};
use crate::mail::marks::{Flags, KeywordId};
use crate::mail::rows::{Held, MessageRow, mailbox_row, uid_at};
use crate::mail::uids::UidSet;
use crate::read::OpenFile;
use crate::reading::Records;
use crate::record::{Body, Entry, decode};
use crate::resolve::node;
use crate::session::Session;

/// Messages of one page at most.
const PAGE_MESSAGES_MAX: usize = 1000;
/// Bytes of a message that is read along with its row, at most.
const BYTES_AT_HAND_MAX: u64 = 128 << 10;
/// Bytes of messages read along in one page, at most.
const PAGE_BYTES_MAX: usize = 2 << 20;

/// A message in a mailbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// UID.
    pub uid: u32,
    /// RFC822.SIZE, in bytes.
    pub size: u64,
    /// INTERNALDATE.
    pub internal: Timestamp,
    /// SAVEDATE (RFC 8514).
    pub saved: Timestamp,
    /// System flags.
    pub flags: Flags,
    /// Keywords; [`Session::keywords`] has their names.
    pub keywords: Vec<KeywordId>,
    /// MODSEQ.
    pub modseq: Seq,
    /// EMAILID (RFC 8474): the content, which copies share.
    pub content: ContentId,
    /// THREADID (RFC 8474).
    pub thread: u64,
    /// Envelope, structure, preview; where asked for.
    pub facts: Option<Box<Facts>>,
    /// The header, or its common fields, with the empty line that ends it; where asked for, and when it is not very long.
    pub header: Option<Bytes>,
    /// All its bytes; where asked for, and when they are few and at hand.
    pub bytes: Option<Bytes>,
}

/// What is wanted of each message beside its row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageParts {
    /// [`Message::facts`].
    pub facts: bool,
    /// [`Message::header`], all of it.
    pub header: bool,
    /// [`Message::header`], at least its [`COMMON_FIELDS`](super::COMMON_FIELDS).
    pub common: bool,
    /// [`Message::bytes`].
    pub bytes: bool,
}

impl Session {
    /// Messages of a mailbox among `uids`, ascending, those above `after` (0: all), up to `limit` (at most 1,000). UIDs
    /// that are gone are left out; fewer than `limit` does mean that there are no more.
    ///
    /// # Errors
    /// `NotFound` when the mailbox is gone; `Corrupt`.
    pub async fn messages(
        &self,
        mailbox: NodeId,
        uids: &UidSet,
        after: u32,
        limit: usize,
        parts: MessageParts,
    ) -> Result<Vec<Message>> {
        let (me, uids) = (self.clone(), uids.clone());
        let limit = limit.clamp(1, PAGE_MESSAGES_MAX);
        let read = move || me.messages_now(mailbox, &uids, after, limit, parts);
        // One or a few messages are there sooner than a thread.
        const FEW_MESSAGES: usize = 8;
        if limit <= FEW_MESSAGES { Ok(read()?) } else { crate::core::blocking(read).await }
    }

    fn messages_now(
        &self,
        mailbox: NodeId,
        uids: &UidSet,
        after: u32,
        limit: usize,
        parts: MessageParts,
    ) -> Res<Vec<Message>> {
        let view = self.view()?;
        self.check_mailbox(&view, mailbox)?;
        let (mut found, mut gathered) = (Vec::with_capacity(limit.min(64)), 0);
        each_row(&view, self, mailbox, uids, after, |uid, row| {
            let mut message = self.message(&view, uid, row, parts)?;
            if parts.bytes && message.size <= BYTES_AT_HAND_MAX && gathered < PAGE_BYTES_MAX {
                message.bytes = self.bytes_at_hand(&view, message.content)?;
                gathered += message.bytes.as_ref().map_or(0, Bytes::len);
            }
            found.push(message);
            Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }

    fn message(&self, view: &View, uid: u32, row: &Held, parts: MessageParts) -> Res<Message> {
        let facts = match parts.facts {
            true => Some(Box::new(structure_of(view, self.handle(), row.content)?)),
            false => None,
        };
        let header = match (parts.header, parts.common) {
            (true, _) => part(view, self.handle(), row.content, HEADER)?,
            (false, true) => common(view, self.handle(), row.content)?,
            (false, false) => None,
        };
        Ok(Message {
            uid,
            size: row.size,
            internal: row.internal,
            saved: row.saved,
            flags: row.marks.flags,
            keywords: row.marks.keywords.clone(),
            modseq: row.modseq,
            content: row.content,
            thread: row.thread,
            facts,
            header: header.map(Bytes::from),
            bytes: None,
        })
    }

    /// The bytes of a content that lies in its row or in one chunk on this disk.
    fn bytes_at_hand(&self, view: &View, content: ContentId) -> Res<Option<Bytes>> {
        let reader = Reader::open(self.core(), self.handle(), view, content)?;
        let part = match &reader.content.body {
            Body::Inline(_) => return reader.inline().transpose(),
            Body::Few(parts) if parts.len() == 1 => parts[0],
            Body::Few(_) | Body::Paged(_) | Body::Joined { .. } => return Ok(None),
        };
        let chunk = chunk_ref(view, self.handle(), part)?;
        let key = self.handle().key();
        match self.core().0.blobs.read_blocking(self.handle().id().0, key, &chunk) {
            // It may have moved since: whoever opens it looks again, and tells of damage.
            Err(error) => {
                tracing::debug!(%error, "a message is read in the long way");
                Ok(None)
            }
            found => Ok(found?),
        }
    }

    /// Opens the bytes of a message.
    ///
    /// # Errors
    /// `NotFound` when it is gone; `Corrupt`.
    pub async fn open_message(&self, mailbox: NodeId, uid: u32) -> Result<OpenFile> {
        Ok(self.open_message_now(mailbox, uid)?)
    }

    fn open_message_now(&self, mailbox: NodeId, uid: u32) -> Res<OpenFile> {
        let view = self.view()?;
        self.check_mailbox(&view, mailbox)?;
        let row: Option<MessageRow> = view.record(&self.keys().message(mailbox, uid))?;
        let row = row.ok_or_else(Error::not_found)?;
        let entry: Option<Entry> = view.record(&self.keys().entry(mailbox, &row.key))?;
        let entry = entry.ok_or_else(|| crate::commit::missing("the file of a message"))?;
        let reader = Reader::open(self.core(), self.handle(), &view, row.content)?;
        Ok(OpenFile::new(node(&row.key, &entry, None, Vec::new()), reader, self.clone()))
    }
}

/// Visits what is known of the messages among `uids` above `after`, ascending: from memory where it is kept, or where so
/// many are asked for that it is worth it.
pub fn each_row(
    view: &View,
    session: &Session,
    mailbox: NodeId,
    uids: &UidSet,
    after: u32,
    mut visit: impl FnMut(u32, &Held) -> Res<ControlFlow<()>>,
) -> Res<()> {
    /// Fewer are read from their rows unless the mailbox is small.
    const MANY: u64 = 1000;
    let row = mailbox_row(view, session.keys(), mailbox)?;
    let last = row.last_uid.max(1);
    let asked = uids.intersection(&UidSet::from_ranges([(1, last)])).len();
    let many = asked >= MANY || asked * 2 >= u64::from(row.exists);
    match session.handle().uids().table(view, session, mailbox, &row, many)? {
        Some(table) => table.each(uids, after, visit),
        None => each_message(view, session, mailbox, uids, after, |uid, row| visit(uid, &row.held)),
    }
}

/// Visits the rows of messages among `uids` above `after`, ascending.
pub fn each_message(
    rows: &impl Lookup,
    session: &Session,
    mailbox: NodeId,
    uids: &UidSet,
    after: u32,
    mut visit: impl FnMut(u32, MessageRow) -> Res<ControlFlow<()>>,
) -> Res<()> {
    let keys = session.keys();
    let prefix = keys.messages(mailbox).len();
    let mut flow = ControlFlow::Continue(());
    for (first, last) in uids.ranges() {
        let first = (*first).max(after.saturating_add(1));
        if first > *last {
            continue;
        }
        if first == *last {
            let row: Option<MessageRow> = rows.record(&keys.message(mailbox, first))?;
            flow = row.map_or(Ok(flow), |row| visit(first, row))?;
        } else {
            let (from, to) = (keys.message(mailbox, first), keys.message(mailbox, *last));
            let range = KeyRange::new(Bound::Included(&from), Bound::Included(&to));
            rows.each(&range, prefix, |key, value| {
                if let Some(uid) = uid_at(key) {
                    flow = visit(uid, decode(value)?)?;
                }
                Ok(flow)
            })?;
        }
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}
