//! `\Recent` (RFC 3501 §2.3.2): which session is the first to be told of a message.
//!
//! Kept in memory alone. RFC 9051 does without the flag, and after a start the older standard wants what is not known:
//! messages of which nobody can say whether a session saw them are recent.

use std::collections::HashMap;

use allod_model::NodeId;
use parking_lot::Mutex;

/// Mailboxes of which it is known; beyond them everything is forgotten, and recent again.
const MAILBOXES_MAX: usize = 200_000;

/// For each mailbox of each account, the first UID that no session was told of.
#[derive(Default)]
pub(crate) struct Recents(Mutex<HashMap<(String, NodeId), u32>>);

impl Recents {
    /// The first UID that is recent.
    pub(crate) fn first(&self, account: &str, mailbox: NodeId) -> u32 {
        self.0.lock().get(&(account.to_owned(), mailbox)).copied().unwrap_or(1)
    }

    /// The same, for the session that asks: from now on the first one is `next`.
    pub(crate) fn take(&self, account: &str, mailbox: NodeId, next: u32) -> u32 {
        let mut known = self.0.lock();
        if known.len() >= MAILBOXES_MAX {
            known.clear();
        }
        let first = known.entry((account.to_owned(), mailbox)).or_insert(1);
        let before = *first;
        *first = before.max(next);
        before
    }
}
