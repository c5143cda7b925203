//! Content by key: chunks, encryption, packs, object stores.
//!
//! A content of any length goes in as a stream and comes out as a stream. On its way it is cut into chunks where the
//! content itself suggests it, each chunk is named by a keyed hash (so equal chunks of one account are stored once),
//! compressed where that helps, sealed under the account's key, and put on a disk or in somebody's object store.
//! Whoever holds the disk or the bucket sees names and lengths, nothing else. On the way back every chunk is
//! verified before one byte of it is handed out: damage is reported as [`ErrorKind::Corrupt`] and never served.
//!
//! | length | stored |
//! |---|---|
//! | up to 8 KiB | not here: handed back ([`Stored::Inline`]) for the metadata engine, where it costs no sync of its own |
//! | up to 1 MiB | one chunk; on a disk in a pack file, where one sync serves all who wait; elsewhere an object |
//! | above | chunks of about 1.1 MiB, each an object; up to eight are stored at the same time |
//!
//! [`Writer::finish`] returns when everything is on stable storage. The memory for chunks is bounded over all
//! transfers together ([`BlobConfig::buffer_bytes`]), and no transfer can keep another from going on.
//!
//! # What it refuses to know
//!
//! Which content refers to which chunk, and which chunk lies where: that index is core's, behind [`ChunkIndex`] and
//! [`ChunkSource`]. So this crate knows no metadata engine, no path, no user, no reference count. It deletes what it
//! is told to delete, and can list what there is ([`Blobs::list_objects`], [`Blobs::records`]) so that core can find
//! what nothing refers to any more. It also knows no gateway and no clock.
//!
//! # Example
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use allod_blobs::{AccountKey, BlobConfig, Blobs, ChunkIndex, ChunkName, ChunkRef, Placement, Result, Stored};
//! use bytes::Bytes;
//! use futures_util::TryStreamExt;
//!
//! /// An index that has never seen any chunk, and contents of fewer than 1,000 chunks.
//! struct Empty;
//!
//! #[async_trait::async_trait]
//! impl ChunkIndex for Empty {
//!     async fn claim(&self, _: &ChunkName) -> Result<Option<Placement>> {
//!         Ok(None)
//!     }
//!     async fn page(&self, _: Vec<ChunkRef>) -> Result<()> {
//!         unreachable!("the content is short")
//!     }
//! }
//!
//! # async fn example() -> Result<()> {
//! let blobs = Blobs::open(&BlobConfig::local("data/blobs")).await?;
//! let key = AccountKey::random()?;
//! let mut writer = blobs.writer(7, key.clone(), Arc::new(Empty), false);
//! writer.write(Bytes::from(vec![42; 3_000_000])).await?;
//! let finished = writer.finish().await?;
//! let Stored::Chunks { last_page } = finished.stored else { unreachable!("3 MB are not inline") };
//! let pieces: Vec<Bytes> =
//!     blobs.reader(7, key, Arc::new(last_page), finished.size, 10..20).try_collect().await?;
//! assert_eq!(pieces.concat(), [42; 10]);
//! # Ok(())
//! # }
//! ```

mod blobs;
mod budget;
mod compress;
mod config;
mod cut;
mod disk;
mod envelope;
mod error;
mod keys;
mod name;
mod objects;
mod pack;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use blobs::{Blobs, PackInfo, Totals};
pub use config::{
    BUFFER_BYTES_DEFAULT, BlobConfig, INLINE_BYTES_MAX_DEFAULT, PACK_BYTES_MAX_DEFAULT, S3Config,
};
pub use cut::CHUNK_BYTES_MAX;
pub use error::{Error, ErrorKind, Result};
pub use keys::{AccountKey, DigestHasher, MasterKey};
pub use name::{ChunkName, ChunkRef, Digest, Placement};
pub use objects::ObjectEntry;
pub use pack::PackRecord;
pub use reader::ChunkSource;
pub use writer::{ChunkIndex, Finished, Stored, Writer};
