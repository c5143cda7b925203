//! The store: transactions, pipelining and views, written once above any engine.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::thread::{self, JoinHandle, ThreadId};

use parking_lot::{Mutex, RwLock};

use crate::committer;
use crate::durable::{Durable, Ticket};
use crate::queue::{Pushed, Queue};
use crate::shard::{Pipeline, Shard, Writes};
use crate::{Batch, Engine, Error, ErrorKind, Op, Snapshot, Txn, View};

/// An open store. Cloning is cheap; the last clone to go closes it.
#[derive(Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

/// What the clones of a store share, and nobody else: its end is the end of the committing thread.
struct Handle {
    shared: Arc<Shared>,
    committer_id: ThreadId,
    committer: Mutex<Option<JoinHandle<Result<(), Error>>>>,
}

/// What the store, its views, its transactions and its committing thread share.
pub(crate) struct Shared {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) queue: Queue,
    /// The newest generation that is durable and that a new snapshot contains.
    pub(crate) committed: AtomicU64,
    pub(crate) counters: Counters,
    shards: Mutex<HashMap<u64, Arc<Shard>>>,
    /// The snapshot that readers get until the next commit.
    cached: RwLock<Option<Arc<dyn Snapshot>>>,
    next_batch_id: AtomicU64,
    closed: AtomicBool,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) groups: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) failures: AtomicU64,
}

/// What a store has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commits of the engine, each with one sync.
    pub groups: u64,
    /// Transactions made durable. Divided by `groups` it is the mean size of a group.
    pub batches: u64,
    /// Commits of the engine that failed.
    pub failures: u64,
}

impl Store {
    /// A store above `engine`; starts the one thread that commits.
    ///
    /// # Panics
    /// When the operating system gives no thread.
    pub fn new(engine: Arc<dyn Engine>) -> Store {
        let shared = Arc::new(Shared {
            engine,
            queue: Queue::default(),
            committed: AtomicU64::new(0),
            counters: Counters::default(),
            shards: Mutex::default(),
            cached: RwLock::new(None),
            // Unique among processes that share an engine, without a source of time or randomness.
            next_batch_id: AtomicU64::new(RandomState::new().hash_one(0)),
            closed: AtomicBool::new(false),
        });
        let committer = thread::Builder::new().name("meta-commit".to_owned()).spawn({
            let shared = shared.clone();
            move || committer::run(&shared)
        });
        // **Invariant:** a process that cannot start a thread cannot serve either.
        let committer = committer.expect("cannot start the committing thread");
        let committer_id = committer.thread().id();
        Store { handle: Arc::new(Handle { shared, committer_id, committer: Mutex::new(Some(committer)) }) }
    }

    /// The durable state as of now: it contains every transaction whose [`Durable`] has resolved,
    /// and nothing that is not durable.
    ///
    /// # Errors
    /// `Unavailable` when the store is closed; those of [`Engine::snapshot`].
    pub fn view(&self) -> Result<View, Error> {
        let shared = &self.handle.shared;
        Ok(View::new(shared.clone(), shared.snapshot()?))
    }

    /// Runs `body` as the only writer of `shard` and queues what it has written as one batch.
    ///
    /// Returns when the body has run. The [`Durable`] resolves when the batch is on stable storage,
    /// or, for a body that wrote nothing, when everything it can have read is. The next transaction
    /// of the shard need not wait for that: it reads what is queued. Transactions of a shard become
    /// durable in order, none without those before it.
    ///
    /// The body may run more than once and must touch nothing outside. It must not start another
    /// transaction of the same shard: that would wait for itself. It waits for the shard's other
    /// writers, and while more than [`crate::QUEUE_BYTES_MAX`] are queued.
    ///
    /// # Errors
    /// The body's own error, and then nothing is written; it is returned at once, though it may
    /// follow from writes that are not yet durable ([`Store::transact`] waits for those). `TooLarge`
    /// when a write was over a limit, `Unavailable` when the store is closed.
    pub fn submit<T, E: From<Error>>(
        &self,
        shard: u64,
        body: impl FnMut(&mut Txn<'_>) -> Result<T, E>,
    ) -> Result<(T, Durable), E> {
        let (outcome, durable) = self.handle.shared.run(shard, body);
        Ok((outcome?, durable))
    }

    /// Whether a transaction of `shard` would have to wait now: for another writer of the shard, or for room in the
    /// queue. A hint, true only for this moment: who must not block can go where blocking is allowed.
    pub fn would_wait(&self, shard: u64) -> bool {
        let shared = &self.handle.shared;
        shared.queue.is_filling() || shared.shard(shard).pipeline.is_locked()
    }

    /// As [`Store::submit`], and waits until the outcome is durable, also when it is the body's
    /// error: what the caller hears has happened. Blocks; not for asynchronous code.
    ///
    /// # Errors
    /// The body's own error; `TooLarge`, `NoSpace`, `Unavailable`, `Corrupt`, `Conflict`, `Fenced`,
    /// `Unknown` when the batch, or an earlier one whose writes the body may have read, could not
    /// be committed (see [`Durable::wait`]).
    pub fn transact<T, E: From<Error>>(
        &self,
        shard: u64,
        body: impl FnMut(&mut Txn<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (outcome, durable) = self.handle.shared.run(shard, body);
        durable.wait()?;
        outcome
    }

    /// The size of the database on disk in bytes.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be found out.
    pub fn disk_bytes(&self) -> Result<u64, Error> {
        self.handle.shared.engine.disk_bytes()
    }

    /// The engine's name as written in configuration.
    pub fn engine_name(&self) -> &'static str {
        self.handle.shared.engine.name()
    }

    /// What the store has done since it was opened.
    pub fn stats(&self) -> Stats {
        let counters = &self.handle.shared.counters;
        Stats {
            groups: counters.groups.load(Ordering::Relaxed),
            batches: counters.batches.load(Ordering::Relaxed),
            failures: counters.failures.load(Ordering::Relaxed),
        }
    }

    /// How many keys the shards hold in memory because they are not durable yet.
    #[cfg(any(test, feature = "suite"))]
    pub fn queued_keys(&self) -> usize {
        let shards: Vec<Arc<Shard>> = self.handle.shared.shards.lock().values().cloned().collect();
        shards.iter().map(|shard| shard.pipeline.lock().overlay().len()).sum()
    }

    /// Commits what is queued, stops the committing thread and closes the engine, which releases its
    /// lock. Later calls of any clone answer `Unavailable`; views fail at their next read. Closing
    /// twice is harmless. From within an `on_commit` hook it returns before it is done.
    ///
    /// # Errors
    /// Those of [`Engine::close`].
    pub fn close(&self) -> Result<(), Error> {
        self.handle.close()
    }
}

impl Handle {
    fn close(&self) -> Result<(), Error> {
        self.shared.queue.close();
        if thread::current().id() == self.committer_id {
            return Ok(());
        }
        let mut committer = self.committer.lock();
        match committer.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(closed)) => closed,
            Some(Err(_)) => Err(Error::new(ErrorKind::Unavailable, "the committing thread has stopped")),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the metadata store did not close in good order");
        }
    }
}

impl Shared {
    fn shard(&self, id: u64) -> Arc<Shard> {
        self.shards.lock().entry(id).or_default().clone()
    }

    /// A snapshot that contains every generation up to what `committed` showed before the call.
    pub(crate) fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        if let Some(snapshot) = &*self.cached.read() {
            return Ok(snapshot.clone());
        }
        let mut cached = self.cached.write();
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Unavailable, "the store is closed"));
        }
        if let Some(snapshot) = &*cached {
            return Ok(snapshot.clone());
        }
        // Taken with the lock held, so that the committer cannot clear the place in between and
        // then find a state from before its commit in it.
        let snapshot = self.engine.snapshot()?;
        *cached = Some(snapshot.clone());
        Ok(snapshot)
    }

    /// Makes the next reader take a snapshot of its own.
    pub(crate) fn forget_snapshot(&self) {
        let former = self.cached.write().take();
        drop(former);
    }

    /// Refuses new snapshots, before the engine is closed.
    pub(crate) fn shut(&self) {
        self.closed.store(true, Ordering::Release);
        self.forget_snapshot();
    }

    /// Runs a body until it has run on a state that held. The second value is what its outcome, be it
    /// an error, depends on.
    fn run<T, E: From<Error>>(
        &self,
        shard_id: u64,
        body: impl FnMut(&mut Txn<'_>) -> Result<T, E>,
    ) -> (Result<T, E>, Durable) {
        let shard = self.shard(shard_id);
        let done = self.run_alone(&shard, shard_id, body);
        // A commit may meanwhile have found the pipeline held. Then this sees what it committed.
        loop {
            fence(Ordering::SeqCst);
            let committed = self.committed.load(Ordering::Acquire);
            let Some(mut pipeline) = shard.pipeline.try_lock() else { break };
            pipeline.forget(committed);
            drop(pipeline);
            fence(Ordering::SeqCst);
            if self.committed.load(Ordering::Acquire) == committed {
                break;
            }
        }
        done
    }

    fn run_alone<T, E: From<Error>>(
        &self,
        shard: &Arc<Shard>,
        shard_id: u64,
        mut body: impl FnMut(&mut Txn<'_>) -> Result<T, E>,
    ) -> (Result<T, E>, Durable) {
        let mut pipeline = shard.pipeline.lock();
        // A second turn is the last: when a group fails, nothing of the shard is left in the queue,
        // and nothing can be added while its pipeline is held here.
        loop {
            let epoch = shard.epoch.load(Ordering::Acquire);
            if pipeline.epoch != epoch {
                pipeline.clear(epoch);
            }
            pipeline.forget(self.committed.load(Ordering::Acquire));
            let mut txn = Txn::new(self, &pipeline);
            let outcome = body(&mut txn);
            let finished = txn.finish();
            if shard.epoch.load(Ordering::Acquire) != epoch {
                continue;
            }
            let (writes, bytes, mut hooks) = match finished {
                Ok(finished) if outcome.is_ok() => finished,
                Ok(_) => return (outcome, depends_on(&pipeline)),
                Err(refused) => return (outcome.and(Err(E::from(refused))), depends_on(&pipeline)),
            };
            if writes.is_empty() && hooks.is_empty() {
                return (outcome, depends_on(&pipeline));
            }
            let batch = self.batch(shard_id, &writes);
            match self.queue.push(shard, epoch, batch, bytes, &mut hooks) {
                Err(refused) => return (Err(E::from(refused)), Durable::now()),
                Ok(Pushed::Stale) => {}
                Ok(Pushed::Queued(generation, ticket)) => {
                    pipeline.push(generation, writes, ticket.clone());
                    return (outcome, Durable::when(ticket));
                }
            }
        }
    }

    fn batch(&self, shard: u64, writes: &Writes) -> Batch {
        let op = |(key, value): (&bytes::Bytes, &Option<bytes::Bytes>)| match value {
            Some(value) => Op::Put(key.clone(), value.clone()),
            None => Op::Delete(key.clone()),
        };
        Batch {
            shard,
            id: self.next_batch_id.fetch_add(1, Ordering::Relaxed),
            expects: Vec::new(),
            ops: writes.iter().map(op).collect(),
        }
    }
}

/// What a transaction that wrote nothing depends on: the shard's newest queued batch.
fn depends_on(pipeline: &Pipeline) -> Durable {
    let pending = |ticket: &&Arc<Ticket>| ticket.outcome() != Some(Ok(()));
    pipeline.last.as_ref().filter(pending).map_or_else(Durable::now, |ticket| Durable::when(ticket.clone()))
}
