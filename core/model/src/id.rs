//! Identities. All numbers are per account unless said otherwise and are never reused.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// An account of this server; never reused, not even after removal.
    AccountId
}
number! {
    /// A file or folder, whatever its name and place: survives rename and move.
    NodeId
}
number! {
    /// One immutable content (a revision's bytes) within an account.
    ContentId
}
number! {
    /// Position in an account's one ordered history. Each commit takes the next number.
    Seq
}

impl NodeId {
    /// The root folder of every account.
    pub const ROOT: NodeId = NodeId(1);
}

/// Names an app credential in lists, logs and history; not secret. 16 characters of base32.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct CredentialId(pub String);

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a folder holds; decides which rules run on every write into it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Kind {
    /// Any files and folders.
    #[default]
    Plain,
    /// iCalendar objects, one UID each (RFC 4791).
    Calendar,
    /// vCards, one UID each (RFC 6352).
    AddressBook,
    /// RFC 5322 messages with IMAP UIDs and flags.
    Mailbox,
    /// Scheduling messages that others sent (RFC 6638 §2.2).
    Inbox,
    /// Where requests for scheduling are posted (RFC 6638 §2.1); holds nothing.
    Outbox,
}

impl Kind {
    /// The word used in output and settings: `plain`, `calendar`, `addressbook`, `mailbox`, `inbox`, `outbox`.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Plain => "plain",
            Kind::Calendar => "calendar",
            Kind::AddressBook => "addressbook",
            Kind::Mailbox => "mailbox",
            Kind::Inbox => "inbox",
            Kind::Outbox => "outbox",
        }
    }
}
