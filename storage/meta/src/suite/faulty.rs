//! An engine that waits, fails or panics when a test wants it to.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::{Batch, Engine, Error, ErrorKind, Snapshot};

/// Wraps an engine. Without orders it does what the engine does.
pub struct Faulty {
    inner: Arc<dyn Engine>,
    keeps_open: bool,
    orders: Mutex<Orders>,
    changed: Condvar,
}

#[derive(Default)]
struct Orders {
    paused: bool,
    waiting: bool,
    error: Option<Error>,
    panics: bool,
    refused_shard: Option<u64>,
    commits: Vec<usize>,
}

impl Faulty {
    /// A wrapper without orders.
    pub fn new(inner: Arc<dyn Engine>) -> Arc<Faulty> {
        Arc::new(Faulty { inner, keeps_open: false, orders: Mutex::default(), changed: Condvar::new() })
    }

    /// A wrapper that leaves the engine open when it is closed itself, for a second store above it.
    pub fn kept_open(inner: Arc<dyn Engine>) -> Arc<Faulty> {
        Arc::new(Faulty { inner, keeps_open: true, orders: Mutex::default(), changed: Condvar::new() })
    }

    /// Commits wait, from the next one on, until [`Faulty::resume`].
    pub fn pause(&self) {
        self.orders.lock().paused = true;
    }

    /// Lets commits go on.
    pub fn resume(&self) {
        self.orders.lock().paused = false;
        self.changed.notify_all();
    }

    /// Blocks until a commit waits because of [`Faulty::pause`].
    pub fn wait_for_commit(&self) {
        let mut orders = self.orders.lock();
        while !orders.waiting {
            self.changed.wait(&mut orders);
        }
    }

    /// Commits fail with this error and change nothing, until it is taken back by `None`.
    pub fn fail(&self, error: Option<ErrorKind>) {
        self.orders.lock().error = error.map(|kind| Error::new(kind, "as ordered"));
    }

    /// The next commit panics.
    pub fn panic_once(&self) {
        self.orders.lock().panics = true;
    }

    /// A commit with a batch of this shard is a conflict and changes nothing.
    pub fn refuse(&self, shard: u64) {
        self.orders.lock().refused_shard = Some(shard);
    }

    /// How many batches each commit had that reached the engine.
    pub fn commits(&self) -> Vec<usize> {
        self.orders.lock().commits.clone()
    }
}

impl Engine for Faulty {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        self.inner.snapshot()
    }

    fn commit(&self, batches: &[Batch]) -> Result<(), Error> {
        {
            let mut orders = self.orders.lock();
            while orders.paused {
                orders.waiting = true;
                self.changed.notify_all();
                self.changed.wait(&mut orders);
            }
            orders.waiting = false;
            if std::mem::take(&mut orders.panics) {
                drop(orders);
                panic!("as ordered");
            }
            if let Some(error) = &orders.error {
                return Err(error.clone());
            }
            let refused = |batch: &&Batch| Some(batch.shard) == orders.refused_shard;
            if let Some(batch) = batches.iter().find(refused) {
                let key = batch.ops.first().map(|op| op.key().to_vec()).unwrap_or_default();
                return Err(Error::new(ErrorKind::Conflict, "as ordered").at(&key));
            }
            orders.commits.push(batches.len());
        }
        self.inner.commit(batches)
    }

    fn disk_bytes(&self) -> Result<u64, Error> {
        self.inner.disk_bytes()
    }

    fn close(&self) -> Result<(), Error> {
        if self.keeps_open { Ok(()) } else { self.inner.close() }
    }
}
