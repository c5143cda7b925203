//! The one thread that commits: it takes what waits, writes it with a single sync, tells.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Instant;

use crate::durable::Promise;
use crate::queue::{Former, Queued};
use crate::shard::Shard;
use crate::store::Shared;
use crate::txn::Hook;
use crate::{Batch, Error, ErrorKind};

/// Commits until the queue is closed and empty, then closes the engine.
pub(crate) fn run(shared: &Shared) -> Result<(), Error> {
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut former = Former::default();
        while let Some(group) = shared.queue.take_group(former) {
            let bytes = group.iter().map(|queued| queued.cost_bytes).sum();
            let (batches, start) = (group.len(), Instant::now());
            commit(shared, group);
            shared.queue.release(bytes);
            former = Former { batches, took: start.elapsed() };
        }
    }));
    shared.queue.abandon();
    shared.shut();
    let closed = shared.engine.close();
    match ended {
        Ok(()) => closed,
        Err(_) => Err(Error::new(ErrorKind::Unavailable, "the committing thread has stopped")),
    }
}

/// Those who must hear of a batch.
struct Party {
    generation: u64,
    shard: Arc<Shard>,
    hooks: Vec<Hook>,
    promise: Promise,
}

fn commit(shared: &Shared, group: Vec<Queued>) {
    let mut batches = Vec::with_capacity(group.len());
    let mut parties = Vec::with_capacity(group.len());
    for Queued { generation, shard, batch, hooks, promise, .. } in group {
        batches.push(batch);
        parties.push(Party { generation, shard, hooks, promise });
    }
    match write(shared, &batches) {
        Ok(()) => publish(shared, parties),
        Err(error) if batches.len() > 1 && concerns_one_batch(error.kind) => {
            commit_singly(shared, &batches, parties);
        }
        Err(error) => fail(shared, parties, &error),
    }
}

/// An error that one batch of a group has earned, while the others are innocent.
fn concerns_one_batch(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Conflict | ErrorKind::Fenced | ErrorKind::TooLarge => true,
        ErrorKind::NoSpace
        | ErrorKind::Corrupt
        | ErrorKind::Unavailable
        | ErrorKind::Unknown
        | ErrorKind::Busy => false,
    }
}

fn commit_singly(shared: &Shared, batches: &[Batch], parties: Vec<Party>) {
    let mut failed: Vec<(*const Shard, Error)> = Vec::new();
    for (batch, party) in std::iter::zip(batches, parties) {
        let shard = Arc::as_ptr(&party.shard);
        // What a shard wrote on top of a failed batch fails with it.
        if let Some((_, error)) = failed.iter().find(|(earlier, _)| *earlier == shard) {
            party.promise.resolve(Err(error.clone()));
            continue;
        }
        match write(shared, std::slice::from_ref(batch)) {
            Ok(()) => publish(shared, vec![party]),
            Err(error) => {
                failed.push((shard, error.clone()));
                fail(shared, vec![party], &error);
            }
        }
    }
}

fn write(shared: &Shared, batches: &[Batch]) -> Result<(), Error> {
    if batches.iter().all(|batch| batch.ops.is_empty() && batch.expects.is_empty()) {
        return Ok(());
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| shared.engine.commit(batches))).unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Unavailable, "the engine gave up in the middle of a commit"))
    });
    if outcome.is_ok() {
        shared.counters.groups.fetch_add(1, Ordering::Relaxed);
        shared.counters.batches.fetch_add(batches.len() as u64, Ordering::Relaxed);
    }
    outcome
}

fn publish(shared: &Shared, parties: Vec<Party>) {
    // **Invariant:** the cached snapshot goes before the generation is published. Who sees the
    // generation and forgets queued writes because of it then finds them in the snapshot it takes.
    shared.forget_snapshot();
    let Some(last) = parties.last() else { return };
    let committed = last.generation;
    shared.committed.store(committed, Ordering::Release);
    fence(Ordering::SeqCst);
    let mut promises = Vec::with_capacity(parties.len());
    for Party { shard, hooks, promise, .. } in parties {
        // Frees the memory of shards that rest. A running transaction does it itself when it ends
        // or the next one begins.
        if let Some(mut pipeline) = shard.pipeline.try_lock() {
            pipeline.forget(committed);
        }
        for hook in hooks {
            if catch_unwind(AssertUnwindSafe(hook)).is_err() {
                tracing::error!("a hook after a commit has panicked");
            }
        }
        promises.push(promise);
    }
    promises.into_iter().for_each(|promise| promise.resolve(Ok(())));
}

/// Fails the parties, and with them everything that their shards have queued since.
fn fail(shared: &Shared, parties: Vec<Party>, error: &Error) {
    shared.counters.failures.fetch_add(1, Ordering::Relaxed);
    tracing::warn!(%error, batches = parties.len(), "a commit has failed");
    shared.forget_snapshot();
    let shards: Vec<Arc<Shard>> = parties.iter().map(|party| party.shard.clone()).collect();
    // The new epochs come before anyone is told, so that who is told reads the durable state.
    let on_top = shared.queue.fail_shards(&shards);
    for party in parties {
        party.promise.resolve(Err(error.clone()));
    }
    for queued in on_top {
        queued.promise.resolve(Err(error.clone()));
    }
    let mut seen = HashSet::new();
    for shard in shards {
        if seen.insert(Arc::as_ptr(&shard))
            && let Some(mut pipeline) = shard.pipeline.try_lock()
        {
            pipeline.clear(shard.epoch.load(Ordering::Acquire));
        }
    }
}
