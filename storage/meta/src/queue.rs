//! The queue of batches between the shards' writers and the committing thread.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::durable::{Promise, Ticket};
use crate::shard::Shard;
use crate::txn::Hook;
use crate::{Batch, Error, ErrorKind};

/// Bytes that may be queued before a writer must wait. One batch is always let in.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;

/// Batches that one group takes at most.
pub const GROUP_BATCHES_MAX: usize = 1024;

/// Bytes that one group takes at most, unless its first batch alone is larger.
pub const GROUP_BYTES_MAX: usize = 16 << 20;

/// How long the next group may gather at most, in microseconds; see [`Queue::take_group`].
const GATHER_US_MAX: u64 = 150;

/// What a queued batch costs in memory beyond its keys and values, roughly, in bytes.
const BATCH_COST_BYTES: usize = 256;

/// A batch on its way, with those who wait for it.
pub(crate) struct Queued {
    pub(crate) generation: u64,
    pub(crate) shard: Arc<Shard>,
    pub(crate) batch: Batch,
    pub(crate) cost_bytes: usize,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) promise: Promise,
}

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    drained: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Queued>,
    /// Of what waits and of the group being committed.
    bytes: usize,
    last_generation: u64,
    closed: bool,
}

/// The group before.
#[derive(Clone, Copy, Default)]
pub(crate) struct Former {
    pub(crate) batches: usize,
    /// How long its commit took.
    pub(crate) took: Duration,
}

/// How an attempt to queue a batch ended.
pub(crate) enum Pushed {
    /// It is queued as this generation.
    Queued(u64, Arc<Ticket>),
    /// A group of the shard has failed since the transaction began; its body must run again.
    Stale,
}

impl Queue {
    /// Queues a batch of a transaction that began in `epoch`, waiting while the queue is full. The
    /// caller holds the shard's pipeline, so batches of a shard are queued in order.
    pub(crate) fn push(
        &self,
        shard: &Arc<Shard>,
        epoch: u64,
        batch: Batch,
        bytes: usize,
        hooks: &mut Vec<Hook>,
    ) -> Result<Pushed, Error> {
        let cost_bytes = bytes + BATCH_COST_BYTES;
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return Err(Error::new(ErrorKind::Unavailable, "the store is closed"));
            }
            if shard.epoch.load(Ordering::Acquire) != epoch {
                return Ok(Pushed::Stale);
            }
            if state.bytes == 0 || state.bytes + cost_bytes <= QUEUE_BYTES_MAX {
                break;
            }
            self.drained.wait(&mut state);
        }
        state.last_generation += 1;
        state.bytes += cost_bytes;
        let generation = state.last_generation;
        let promise = Promise::new();
        let ticket = promise.ticket();
        let hooks = std::mem::take(hooks);
        let shard = shard.clone();
        state.waiting.push_back(Queued { generation, shard, batch, cost_bytes, hooks, promise });
        drop(state);
        self.filled.notify_one();
        Ok(Pushed::Queued(generation, ticket))
    }

    /// Whether so much is queued that writers may soon have to wait.
    pub(crate) fn is_filling(&self) -> bool {
        self.state.lock().bytes > QUEUE_BYTES_MAX / 2
    }

    /// Waits for something to commit and takes as much as one group may have, in order. `None`
    /// when the queue is closed and empty.
    ///
    /// Writers that wait for their commit come back one by one when a group is done, and the first
    /// would be committed alone while the others miss the group. So after a group of several the
    /// next one gathers until as many are there, for a fraction of what a commit takes. A single
    /// writer is never delayed.
    pub(crate) fn take_group(&self, former: Former) -> Option<Vec<Queued>> {
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            self.filled.wait(&mut state);
        }
        if former.batches > 1 {
            let patience = (former.took / 4).min(Duration::from_micros(GATHER_US_MAX));
            let until = Instant::now() + patience;
            while state.waiting.len() < former.batches && !state.closed {
                if self.filled.wait_until(&mut state, until).timed_out() {
                    break;
                }
            }
        }
        let mut bytes = 0;
        let mut count = 0;
        for queued in state.waiting.iter().take(GROUP_BATCHES_MAX) {
            if count > 0 && bytes + queued.cost_bytes > GROUP_BYTES_MAX {
                break;
            }
            bytes += queued.cost_bytes;
            count += 1;
        }
        Some(state.waiting.drain(..count).collect())
    }

    /// Gives back the room of a group that has been dealt with.
    pub(crate) fn release(&self, bytes: usize) {
        self.state.lock().bytes -= bytes;
        self.drained.notify_all();
    }

    /// After a failure of batches of `shards`: starts a new epoch of each, so that transactions that
    /// are running notice, and removes what these shards have queued on top.
    pub(crate) fn fail_shards(&self, shards: &[Arc<Shard>]) -> Vec<Queued> {
        let mut state = self.state.lock();
        let mut seen = HashSet::new();
        for shard in shards {
            if seen.insert(Arc::as_ptr(shard)) {
                shard.epoch.fetch_add(1, Ordering::AcqRel);
            }
        }
        let waiting: Vec<Queued> = state.waiting.drain(..).collect();
        let (failed, kept): (Vec<Queued>, Vec<Queued>) =
            waiting.into_iter().partition(|queued| seen.contains(&Arc::as_ptr(&queued.shard)));
        state.waiting = kept.into();
        state.bytes -= failed.iter().map(|queued| queued.cost_bytes).sum::<usize>();
        drop(state);
        self.drained.notify_all();
        failed
    }

    /// Refuses further batches. Those queued are still committed.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    /// Refuses further batches and drops those queued, whose promises thereby fail.
    pub(crate) fn abandon(&self) {
        self.close();
        let abandoned = std::mem::take(&mut self.state.lock().waiting);
        drop(abandoned);
    }
}
