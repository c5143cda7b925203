//! The seam between the store and the engines that keep its bytes.
//!
//! An engine knows nothing of shards, checksums, queues or hooks. It supplies a snapshot, an ordered
//! scan and an atomic durable commit, and a shared engine additionally honours expectations, ids and
//! fencing. The traits say nothing that PostgreSQL could not also do.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;

use crate::Error;

/// The order in which a scan visits keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Ascending byte order.
    Forward,
    /// Descending byte order.
    Backward,
}

/// What a scan calls for each pair of key and value; `Break` ends the scan without an error.
pub type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'v;

/// What a backing engine must supply. Nothing specific to an engine leaks through it.
///
/// Keys and values are opaque bytes. Keys are ordered as unsigned bytes, a prefix before what it
/// is a prefix of. Keys have 1 to [`crate::KEY_BYTES_MAX`] bytes, values up to
/// [`crate::VALUE_BYTES_MAX`] plus the few that a record's checksum takes.
pub trait Engine: Send + Sync + 'static {
    /// The engine's name as written in configuration, for example `redb`.
    fn name(&self) -> &'static str;

    /// A consistent state that contains every commit that returned before the call, and may contain
    /// later ones that are durable, each whole or not at all. It does not change while it lives.
    ///
    /// # Errors
    /// `Unavailable` or `NoSpace` when the engine cannot be read, `Corrupt` when it is damaged.
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error>;

    /// Applies all batches in order as one atomic step, durable on return: it survives the loss of
    /// power. Each expectation is judged against the state that the batches before it leave.
    ///
    /// # Errors
    /// `Conflict` or `Fenced`: nothing was applied. `NoSpace`, `Unavailable` and `Corrupt`: the
    /// group is not acknowledged; snapshots taken from now on show it whole or not at all.
    /// `Unknown`: only a shared engine, see [`Batch::id`].
    fn commit(&self, batches: &[Batch]) -> Result<(), Error>;

    /// The size of the database on disk in bytes, 0 if it is not on a disk.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be found out.
    fn disk_bytes(&self) -> Result<u64, Error>;

    /// Shuts down in good order and releases the lock. Later calls, and reads of older snapshots,
    /// may fail with `Unavailable`. Closing twice is harmless. The default does nothing.
    ///
    /// # Errors
    /// Those of the last writes. What was committed is durable either way.
    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// One unchanging state of an engine.
pub trait Snapshot: Send + Sync {
    /// The value of `key`, `None` if there is none.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// The values of several keys, in the order asked. An engine across a network overrides the
    /// default, which asks for one after another.
    ///
    /// # Errors
    /// As [`Snapshot::get`]; the first one ends the call.
    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Visits every pair whose key lies between `from` and `to`, in the order of `dir`. A range
    /// that contains no key, even one with `from` above `to`, visits nothing.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt`; pairs before the error have been visited.
    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        dir: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error>;
}

/// What must be true for a batch to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// The key looked at.
    pub key: Bytes,
    /// What must be found there.
    pub state: Expected,
}

/// What an [`Expect`] wants to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The key has no value.
    Absent,
    /// The key has exactly this stored value.
    Value(Bytes),
}

impl Expected {
    /// Whether `found` is what was expected.
    pub fn holds(&self, found: Option<&[u8]>) -> bool {
        match self {
            Expected::Absent => found.is_none(),
            Expected::Value(value) => found == Some(&value[..]),
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Stores the value under the key, whether or not there was one.
    Put(Bytes, Bytes),
    /// Removes the key; it need not exist.
    Delete(Bytes),
}

impl Op {
    /// The key that is changed.
    pub fn key(&self) -> &Bytes {
        match self {
            Op::Put(key, _) | Op::Delete(key) => key,
        }
    }

    /// The value stored, `None` for a removal.
    pub fn value(&self) -> Option<&Bytes> {
        match self {
            Op::Put(_, value) => Some(value),
            Op::Delete(_) => None,
        }
    }
}

/// Changes of one shard that are applied whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The shard whose single writer made the batch; a shared engine fences by it.
    pub shard: u64,
    /// Unique among batches. After `Unknown` a shared engine recognises a repetition by it; an
    /// embedded engine has no use for it.
    pub id: u64,
    /// All must hold, or nothing is applied.
    pub expects: Vec<Expect>,
    /// Applied in order; a later change of the same key wins.
    pub ops: Vec<Op>,
}

impl Batch {
    /// The bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        self.ops.iter().map(|op| op.key().len() + op.value().map_or(0, Bytes::len)).sum()
    }
}

/// A range of keys that owns its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> KeyRange {
        KeyRange { from: Bound::Unbounded, to: Bound::Unbounded }
    }

    /// Keys between two bounds. Bounds that cross make an empty range, not an error.
    pub fn new(from: Bound<&[u8]>, to: Bound<&[u8]>) -> KeyRange {
        KeyRange { from: from.map(<[u8]>::to_vec), to: to.map(<[u8]>::to_vec) }
    }

    /// Every key that begins with `prefix`, the prefix itself included.
    pub fn prefix(prefix: &[u8]) -> KeyRange {
        let mut end = prefix.to_vec();
        // The first key behind the prefix: its last byte below 0xff, one higher.
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                return KeyRange { from: Bound::Included(prefix.to_vec()), to: Bound::Excluded(end) };
            }
        }
        KeyRange { from: Bound::Included(prefix.to_vec()), to: Bound::Unbounded }
    }

    /// The same range without `key` and anything before it: where a listing is taken up again.
    #[must_use]
    pub fn after(mut self, key: &[u8]) -> KeyRange {
        let further = match &self.from {
            Bound::Unbounded => true,
            Bound::Included(from) | Bound::Excluded(from) => key >= from.as_slice(),
        };
        if further {
            self.from = Bound::Excluded(key.to_vec());
        }
        self
    }

    /// The same range without `key` and anything behind it: where a backward listing is taken up.
    #[must_use]
    pub fn before(mut self, key: &[u8]) -> KeyRange {
        let further = match &self.to {
            Bound::Unbounded => true,
            Bound::Included(to) | Bound::Excluded(to) => key <= to.as_slice(),
        };
        if further {
            self.to = Bound::Excluded(key.to_vec());
        }
        self
    }

    /// The lower bound.
    pub fn from(&self) -> Bound<&[u8]> {
        self.from.as_ref().map(Vec::as_slice)
    }

    /// The upper bound.
    pub fn to(&self) -> Bound<&[u8]> {
        self.to.as_ref().map(Vec::as_slice)
    }

    /// Whether no key can lie in the range.
    pub fn is_empty(&self) -> bool {
        bounds_are_empty(self.from(), self.to())
    }
}

/// Whether no key can lie between the bounds. Ordered maps tend to panic on such bounds, so engines
/// ask first.
pub fn bounds_are_empty(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match (from, to) {
        (Bound::Unbounded, Bound::Excluded(to)) => to.is_empty(),
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from), Bound::Excluded(to)) => from >= to,
        (Bound::Excluded(from), Bound::Included(to)) => from >= to,
        (Bound::Excluded(from), Bound::Excluded(to)) => {
            // Between a key and its shortest successor there is nothing either.
            from >= to || (to.len() == from.len() + 1 && to.ends_with(&[0]) && to.starts_with(from))
        }
    }
}

#[cfg(test)]
mod tests;
