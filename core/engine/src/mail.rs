//! Mailboxes: messages under UIDs, with flags, in folders of the kind `mailbox`.
//!
//! A message is a file. Beside its entry lie rows of this module, written in the same commit: the message's row under
//! its UID (flags, dates, MODSEQ), an index by MODSEQ, the deletions, and the mailbox's own counters. What is known of
//! a message from its bytes (envelope, structure, header, text) lies sealed under its content, so that copies share it.
//!
//! | table | key after the prefix | value |
//! |---|---|---|
//! | `b` | folder | [`rows::MailboxRow`] |
//! | `m` | folder, UID | [`rows::MessageRow`] |
//! | `x` | folder, seq, UID | latest change of each message |
//! | `v` | folder, seq, UID | a UID that is gone |
//! | `p` | part, content, page | sealed facts of a message: [`facts`] |
//! | `e` | content, part, page | the same, as they lay before `p` |
//! | `t` | hash of a Message-ID | number of its thread |
//! | `k` | – | names of the account's keywords |
//! | `s` | path | a subscribed mailbox |
//! | `n` | folder, entry | an annotation (RFC 5464) |
//! | `f` | folder, entry key | a mailbox in a mailbox |
//! | `g` | folder, span, row | signatures of many messages, sealed: [`spans`] |
//!
//! MODSEQ is the number of the commit ([`Seq`]); UIDVALIDITY is the folder's id, which is never reused.

pub(crate) mod annotations;
pub(crate) mod append;
pub(crate) mod brief;
pub(crate) mod changes;
pub(crate) mod facts;
pub(crate) mod fetch;
pub(crate) mod folders;
pub(crate) mod index;
pub(crate) mod marks;
pub(crate) mod rows;
pub(crate) mod search;
pub(crate) mod select;
pub(crate) mod signature;
pub(crate) mod sort;
pub(crate) mod spans;
pub(crate) mod store;
pub(crate) mod table;
pub(crate) mod thread;
pub(crate) mod transfer;
pub(crate) mod uids;

pub use annotations::{ANNOTATION_BYTES_MAX, ANNOTATIONS_MAX};
pub use append::{Appended, MESSAGE_BYTES_MAX, NewMessage, StagedMessage};
pub use changes::MailboxChanges;
pub use facts::{COMMON_FIELDS, MailFacts};
pub use fetch::{Message, MessageParts};
pub use folders::{MailboxInfo, SpecialUse};
pub use marks::{Flags, KEYWORD_BYTES_MAX, KEYWORDS_MAX, KeywordId, Keywords};
pub use search::{DateOf, Field, Query};
pub use select::{MailboxStatus, Selected};
pub use sort::{SortBy, SortKey};
pub use store::{MarkChange, Marked, MarkedMessage, Operation};
pub use thread::{Forest, ThreadBy, ThreadNode};
pub use transfer::Transferred;
pub use uids::{UidSet, Uids};
