//! The records of mailboxes, and their keys.

use std::ops::Deref;

use allod_meta::Lookup;
use allod_model::{ContentId, EntryKey, NodeId, Seq, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fault::Res;
use crate::keys::{Keys, Table, number_at};
use crate::mail::folders::SpecialUse;
use crate::mail::marks::{KeywordId, Keywords, Marks};
use crate::reading::Records;

/// A mailbox's counters. Absent for one that never held a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxRow {
    /// The next UID, less one.
    pub last_uid: u32,
    /// The last change of a message.
    pub modseq: Seq,
    /// Messages.
    pub exists: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// Bytes of all messages.
    pub bytes: u64,
    /// Bytes of messages with `\Deleted`.
    pub deleted_bytes: u64,
    /// Keywords that a message had at some time, ascending.
    pub keywords: Vec<KeywordId>,
    /// What it is for (RFC 6154).
    pub special: Option<SpecialUse>,
    /// Messages above this UID were told to no session as `\Recent` yet (RFC 3501 §2.3.2).
    pub recent_after: u32,
}

/// A message under its UID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    pub key: EntryKey,
    pub held: Held,
}

/// What is known of a message in its mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub content: ContentId,
    pub size: u64,
    /// INTERNALDATE: when it was received, or the time given when it was appended.
    pub internal: Timestamp,
    /// When it came into this mailbox (RFC 8514).
    pub saved: Timestamp,
    pub marks: Marks,
    /// MODSEQ.
    pub modseq: Seq,
    pub thread: u64,
}

impl Deref for MessageRow {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.held
    }
}

/// What the entry of a message holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailRow {
    /// Its UID in [`MailRow::mailbox`]; 0 before it has one.
    pub uid: u32,
    /// The mailbox that gave the UID.
    pub mailbox: NodeId,
    /// Flags it comes with, or had when it went into history; while it is in a mailbox its row there counts.
    pub marks: Marks,
    /// Its thread (RFC 8474).
    pub thread: u64,
    /// INTERNALDATE that it comes with.
    pub internal: Option<Timestamp>,
}

impl Keys {
    pub fn mailbox(self, folder: NodeId) -> Vec<u8> {
        self.of(Table::Mailbox, folder.0)
    }

    pub fn messages(self, folder: NodeId) -> Vec<u8> {
        self.of(Table::Message, folder.0)
    }

    pub fn message(self, folder: NodeId, uid: u32) -> Vec<u8> {
        plus(self.messages(folder), &uid.to_be_bytes())
    }

    pub fn mail_changes(self, folder: NodeId) -> Vec<u8> {
        self.of(Table::MailChange, folder.0)
    }

    pub fn mail_change(self, folder: NodeId, seq: Seq, uid: u32) -> Vec<u8> {
        plus(plus(self.mail_changes(folder), &seq.0.to_be_bytes()), &uid.to_be_bytes())
    }

    pub fn vanished_in(self, folder: NodeId) -> Vec<u8> {
        self.of(Table::Vanished, folder.0)
    }

    pub fn vanished(self, folder: NodeId, seq: Seq, uid: u32) -> Vec<u8> {
        plus(plus(self.vanished_in(folder), &seq.0.to_be_bytes()), &uid.to_be_bytes())
    }

    /// Facts of a message as they lay until they were put in the order of their parts.
    pub fn mail_facts_of(self, content: ContentId) -> Vec<u8> {
        self.of(Table::MailFacts, content.0)
    }

    pub fn mail_facts(self, content: ContentId, part: u8, page: u8) -> Vec<u8> {
        plus(self.mail_facts_of(content), &[part, page])
    }

    /// One part of all messages lies together: who asks one thing of a whole mailbox reads nothing else.
    pub fn mail_part_of(self, part: u8, content: ContentId) -> Vec<u8> {
        plus(plus(self.table(Table::MailPart), &[part]), &content.0.to_be_bytes())
    }

    pub fn mail_part(self, part: u8, content: ContentId, page: u8) -> Vec<u8> {
        plus(self.mail_part_of(part, content), &[page])
    }

    /// By a keyed hash of a Message-ID.
    pub fn thread(self, hash: &[u8; 16]) -> Vec<u8> {
        plus(self.table(Table::Thread), hash)
    }

    pub fn keywords(self) -> Vec<u8> {
        self.table(Table::Keywords)
    }

    pub fn subscriptions(self) -> Vec<u8> {
        self.table(Table::Subscription)
    }

    pub fn subscription(self, path: &[u8]) -> Vec<u8> {
        plus(self.subscriptions(), path)
    }

    pub fn annotations(self, folder: NodeId) -> Vec<u8> {
        self.of(Table::Annotation, folder.0)
    }

    pub fn annotation(self, folder: NodeId, entry: &str) -> Vec<u8> {
        plus(self.annotations(folder), entry.as_bytes())
    }

    pub fn inner_mailboxes(self, folder: NodeId) -> Vec<u8> {
        self.of(Table::Inner, folder.0)
    }

    pub fn inner_mailbox(self, folder: NodeId, key: &EntryKey) -> Vec<u8> {
        plus(self.inner_mailboxes(folder), key.as_bytes())
    }

    pub fn spans(self, folder: NodeId) -> Vec<u8> {
        self.of(Table::Span, folder.0)
    }

    /// Says that a span is put together.
    pub fn span(self, folder: NodeId, span: u32) -> Vec<u8> {
        plus(self.spans(folder), &span.to_be_bytes())
    }

    pub fn span_row(self, folder: NodeId, span: u32, row: u16) -> Vec<u8> {
        plus(self.span(folder, span), &row.to_be_bytes())
    }

    fn of(self, table: Table, number: u64) -> Vec<u8> {
        plus(self.table(table), &number.to_be_bytes())
    }
}

fn plus(mut key: Vec<u8>, tail: &[u8]) -> Vec<u8> {
    key.extend_from_slice(tail);
    key
}

/// The UID at the end of a key behind the mailbox: (seq, UID).
pub fn seq_and_uid(tail: &[u8]) -> Option<(Seq, u32)> {
    Some((Seq(number_at(tail)?), uid_at(tail.get(8..)?)?))
}

/// Reads a UID.
pub fn uid_at(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?))
}

/// A mailbox's counters.
pub fn mailbox_row(rows: &impl Lookup, keys: Keys, folder: NodeId) -> Res<MailboxRow> {
    Ok(rows.record(&keys.mailbox(folder))?.unwrap_or_default())
}

/// The names of an account's keywords.
pub fn keywords(rows: &impl Lookup, keys: Keys) -> Res<Keywords> {
    Ok(rows.record(&keys.keywords())?.unwrap_or_default())
}

/// UIDVALIDITY (RFC 9051 §2.3.1.1): the folder's id. It stays when the folder is renamed or restored, and a folder made
/// later under the same name has a greater one.
pub fn uid_validity(folder: NodeId) -> u32 {
    // Four billion files and folders later they begin anew; 0 is not allowed.
    match (folder.0 % u64::from(u32::MAX)) as u32 {
        0 => 1,
        id => id,
    }
}
