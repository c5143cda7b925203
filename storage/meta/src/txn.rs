//! A transaction: reads, and writes that are queued as one batch.

use std::cell::OnceCell;
use std::sync::Arc;

use bytes::Bytes;

use crate::lookup::scan_layers;
use crate::shard::{Pipeline, Writes};
use crate::store::Shared;
use crate::{
    BATCH_BYTES_MAX, BATCH_OPS_MAX, Direction, Error, ErrorKind, KEY_BYTES_MAX, KeyRange, Lookup, Snapshot,
    VALUE_BYTES_MAX, Visit, record,
};

/// What runs after a commit.
pub(crate) type Hook = Box<dyn FnOnce() + Send>;

/// The only writer of a shard while it lives.
///
/// It reads its own writes, over what the shard's earlier transactions have queued, over the durable
/// state. Which keys it touches is up to the caller, with one rule: **Invariant:** a key that one
/// shard's transactions write is neither read nor written by a transaction of another shard, else
/// the two could miss each other's queued writes.
pub struct Txn<'s> {
    shared: &'s Shared,
    pipeline: &'s Pipeline,
    /// Taken at the first read that needs it, always after the pipeline has forgotten what is
    /// committed, so that no write falls between the two.
    snapshot: OnceCell<Arc<dyn Snapshot>>,
    writes: Writes,
    bytes: usize,
    hooks: Vec<Hook>,
    /// A refused write; the transaction cannot commit even if its body ignores the error.
    refused: Option<Error>,
}

impl<'s> Txn<'s> {
    pub(crate) fn new(shared: &'s Shared, pipeline: &'s Pipeline) -> Txn<'s> {
        Txn {
            shared,
            pipeline,
            snapshot: OnceCell::new(),
            writes: Writes::new(),
            bytes: 0,
            hooks: Vec::new(),
            refused: None,
        }
    }

    /// Stores `value` under `key`.
    ///
    /// # Errors
    /// `TooLarge` for an empty key or over [`KEY_BYTES_MAX`], [`VALUE_BYTES_MAX`], [`BATCH_OPS_MAX`] or
    /// [`BATCH_BYTES_MAX`]; the transaction then fails with the same error even if the body goes on.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        if value.len() > VALUE_BYTES_MAX {
            return self.refuse(key, format!("a value of {} bytes", value.len()));
        }
        self.write(key, Some(record::seal(key, value)))
    }

    /// Removes `key`; it need not exist.
    ///
    /// # Errors
    /// `TooLarge`, as for [`Txn::put`].
    pub fn delete(&mut self, key: &[u8]) -> Result<(), Error> {
        self.write(key, None)
    }

    /// Has `hook` run once the transaction is durable, on the committing thread, in the order of
    /// commits and before anyone who waits is woken. It must be quick: it must not block, nor start
    /// a transaction. It does not run if the transaction fails, or if its body runs again.
    pub fn on_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.hooks.push(Box::new(hook));
    }

    fn write(&mut self, key: &[u8], value: Option<Bytes>) -> Result<(), Error> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return self.refuse(key, format!("a key of {} bytes", key.len()));
        }
        let value_len = |value: &Option<Bytes>| value.as_ref().map_or(0, Bytes::len);
        let added = key.len() + value_len(&value);
        let replaced = self.writes.insert(Bytes::copy_from_slice(key), value);
        self.bytes += added;
        if let Some(old) = replaced {
            self.bytes -= key.len() + value_len(&old);
        }
        if self.writes.len() > BATCH_OPS_MAX {
            return self.refuse(key, format!("a batch of over {BATCH_OPS_MAX} changes"));
        }
        if self.bytes > BATCH_BYTES_MAX {
            return self.refuse(key, format!("a batch of over {BATCH_BYTES_MAX} bytes"));
        }
        Ok(())
    }

    fn refuse(&mut self, key: &[u8], what: String) -> Result<(), Error> {
        let error = Error::new(ErrorKind::TooLarge, what).at(key);
        self.refused = Some(error.clone());
        Err(error)
    }

    fn snapshot(&self) -> Result<&dyn Snapshot, Error> {
        if let Some(snapshot) = self.snapshot.get() {
            return Ok(&**snapshot);
        }
        let snapshot = self.shared.snapshot()?;
        Ok(&**self.snapshot.get_or_init(|| snapshot))
    }

    /// What the body has left, when it has returned without an error.
    pub(crate) fn finish(self) -> Result<(Writes, usize, Vec<Hook>), Error> {
        match self.refused {
            Some(error) => Err(error),
            None => Ok((self.writes, self.bytes, self.hooks)),
        }
    }
}

impl Lookup for Txn<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let queued = || self.pipeline.overlay().get(key).map(|pending| &pending.value);
        if let Some(value) = self.writes.get(key).or_else(queued) {
            return Ok(value.as_ref().map(|sealed| record::payload(sealed).to_vec()));
        }
        let stored = self.snapshot()?.get(key)?;
        stored.map(|stored| record::open_owned(key, stored)).transpose()
    }

    fn scan(&self, range: &KeyRange, dir: Direction, visit: &mut Visit<'_>) -> Result<(), Error> {
        scan_layers(&self.writes, self.pipeline, self.snapshot()?, range, dir, visit)
    }
}
