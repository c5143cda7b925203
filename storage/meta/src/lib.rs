//! Ordered, transactional, durable key-value storage for metadata.
//!
//! # What it is
//!
//! One [`Store`] above one of several engines. An [`Engine`] supplies only what engines are good at:
//! a consistent snapshot, an ordered scan and an atomic durable commit. Everything else is written
//! once, here:
//!
//! * **Shards.** Whoever uses the store divides its keys into shards, each with a single writer at a
//!   time. [`Store::submit`] runs a body as that writer and queues what it wrote. The body reads what
//!   earlier transactions of the shard have queued, so it need not wait until they are on the disk:
//!   one busy shard is not limited to one transaction per sync.
//! * **Group commit.** One thread takes everything queued, of all shards, and commits it with one
//!   sync. While that runs the next group gathers.
//! * **Durability is said, not assumed.** [`Durable`] resolves when the transaction is on stable
//!   storage. A [`View`] shows only what is durable.
//! * **Checksums.** Each record carries a checksum over key and value, since no engine protects values
//!   end to end. A record that does not match is [`ErrorKind::Corrupt`], never data.
//!   [`Store::verify`] reads them all.
//! * **Failure.** When the disk is full, the queued transactions fail, the store goes on serving
//!   reads, and it accepts writes again once there is room.
//!
//! # What it refuses to know
//!
//! Accounts, files, messages, protocols; what keys and values mean; other nodes; what time it is.
//! It knows no other crate of allod, and no word of an engine leaves it.
//!
//! # An example
//!
//! ```
//! use std::path::Path;
//! use allod_meta::{EngineKind, Error, Lookup, Options, Store, open};
//!
//! fn count(dir: &Path) -> Result<(), Error> {
//!     let store = Store::new(open(dir, EngineKind::Redb, &Options::default())?);
//!     let shard = 7;
//!     let (visits, durable) = store.submit(shard, |txn| {
//!         let before = txn.get(b"7/visits")?.map_or(0, |bytes| bytes[0]);
//!         txn.put(b"7/visits", &[before + 1])?;
//!         Ok::<_, Error>(before + 1)
//!     })?;
//!     durable.wait()?;
//!     assert_eq!(store.view()?.get(b"7/visits")?, Some(vec![visits]));
//!     Ok(())
//! }
//! ```

mod committer;
mod durable;
mod engine;
mod engines;
mod error;
mod lookup;
mod queue;
mod record;
mod shard;
mod store;
#[cfg(any(test, feature = "suite"))]
pub mod suite;
mod txn;
mod verify;
mod view;

pub use durable::Durable;
pub use engine::{
    Batch, Direction, Engine, Expect, Expected, KeyRange, Op, Snapshot, Visit, bounds_are_empty,
};
#[cfg(feature = "fjall")]
pub use engines::fjall;
#[cfg(feature = "sled")]
pub use engines::sled;
pub use engines::{CACHE_BYTES_DEFAULT, EngineKind, Options, UnknownEngine, memory, open, redb};
pub use error::{Error, ErrorKind};
pub use lookup::{Lookup, Pair};
pub use queue::{GROUP_BATCHES_MAX, GROUP_BYTES_MAX, QUEUE_BYTES_MAX};
pub use store::{Stats, Store};
pub use txn::Txn;
pub use verify::{DAMAGED_KEYS_MAX, Finding, Gap, VerifyReport};
pub use view::View;

/// The longest key, in bytes: an S3 key of 1,024 bytes and the prefixes before it. The shortest has one.
pub const KEY_BYTES_MAX: usize = 1100;

/// The longest value, in bytes, its checksum not counted.
pub const VALUE_BYTES_MAX: usize = 64 << 10;

/// Changes that one transaction may make.
pub const BATCH_OPS_MAX: usize = 50_000;

/// Bytes of keys and values that one transaction may write.
pub const BATCH_BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests;
