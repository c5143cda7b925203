//! A shard: one writer at a time, and what it has queued but not yet made durable.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::durable::Ticket;

/// Writes by key: a sealed record, or `None` for a removal.
pub(crate) type Writes = BTreeMap<Bytes, Option<Bytes>>;

/// The meeting point of a shard's writers and the committer.
#[derive(Default)]
pub(crate) struct Shard {
    /// Held while a transaction's body runs. The committer only ever tries it.
    pub(crate) pipeline: Mutex<Pipeline>,
    /// Counts failed groups that this shard had a part in. A transaction that began in an earlier
    /// epoch may have read what will never be durable. Changed under the queue's lock.
    pub(crate) epoch: AtomicU64,
}

/// What the shard's transactions have queued, newest value by key.
#[derive(Default)]
pub(crate) struct Pipeline {
    overlay: BTreeMap<Bytes, Pending>,
    /// The keys of each queued batch, oldest first, so that forgetting one costs what it wrote.
    batches: VecDeque<(u64, Vec<Bytes>)>,
    /// The epoch that the overlay belongs to.
    pub(crate) epoch: u64,
    /// The newest queued batch; a transaction that only reads is durable when this one is.
    pub(crate) last: Option<Arc<Ticket>>,
}

/// A queued value and the batch it came with.
pub(crate) struct Pending {
    generation: u64,
    pub(crate) value: Option<Bytes>,
}

impl Pipeline {
    /// The queued values by key.
    pub(crate) fn overlay(&self) -> &BTreeMap<Bytes, Pending> {
        &self.overlay
    }

    /// Adds what batch `generation` has queued.
    pub(crate) fn push(&mut self, generation: u64, writes: Writes, ticket: Arc<Ticket>) {
        self.batches.push_back((generation, writes.keys().cloned().collect()));
        for (key, value) in writes {
            self.overlay.insert(key, Pending { generation, value });
        }
        self.last = Some(ticket);
    }

    /// Forgets batches up to `committed`: a snapshot taken from now on contains them.
    pub(crate) fn forget(&mut self, committed: u64) {
        while self.batches.front().is_some_and(|(generation, _)| *generation <= committed) {
            let Some((_, keys)) = self.batches.pop_front() else { return };
            for key in keys {
                if self.overlay.get(&key).is_some_and(|pending| pending.generation <= committed) {
                    self.overlay.remove(&key);
                }
            }
        }
    }

    /// Drops everything queued, after a failure: none of it will become durable.
    pub(crate) fn clear(&mut self, epoch: u64) {
        *self = Pipeline { epoch, ..Pipeline::default() };
    }
}
