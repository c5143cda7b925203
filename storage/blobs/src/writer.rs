//! Writing: a stream of bytes becomes chunks that are named, deduplicated, sealed and stored.
//!
//! ```text
//! write() -> gather and cut -> name, digest (and MD5 beside) -> claim -> seal -> store -> reference
//!            the caller's task  one chunk at a time, in order    `in_flight` chunks at a time
//! ```

mod chunk;

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use bytes::{Buf as _, Bytes};
use md5::{Digest as _, Md5};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    AccountKey, CHUNK_BYTES_MAX, ChunkName, ChunkRef, Digest, Error, Placement, Result,
    blobs::Inner,
    budget::Buf,
    cut::Cutter,
    envelope::{CHUNK_OVERHEAD, HEADER_LEN},
};
use chunk::{Hashes, Job, Outcome, Seen, Travelling};

/// References in a page that is given to the index.
const PAGE_REFS: usize = 1000;
/// Memory for the first bytes of a content.
const FIRST_BYTES: usize = 4 * 1024;

/// Core's index of chunks, as far as a writer needs it.
#[async_trait]
pub trait ChunkIndex: Send + Sync {
    /// Pins `name` against garbage collection until the index value is dropped, and says where the chunk lies if it
    /// is already stored. The answer must hold as long as the pin.
    async fn claim(&self, name: &ChunkName) -> Result<Option<Placement>>;

    /// Takes a page of 1,000 references of a long content, in order, so that the writer's memory stays bounded. All
    /// their chunks are durable.
    async fn page(&self, refs: Vec<ChunkRef>) -> Result<()>;
}

/// How a finished content is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// Not at all: it is small, and the caller keeps it (sealed by [`AccountKey::seal_inline`]).
    Inline {
        /// The content.
        plain: Bytes,
    },
    /// In chunks.
    Chunks {
        /// The references after the pages that the index has taken; at least one.
        last_page: Vec<ChunkRef>,
    },
}

/// A content that was stored whole. All its chunks are durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Length, bytes.
    pub size: u64,
    /// The digest of the whole content.
    pub digest: Digest,
    /// The MD5 of the whole content, if it was asked for.
    pub md5: Option<[u8; 16]>,
    /// Where it is.
    pub stored: Stored,
}

/// Takes one content as a stream.
///
/// Holds at most a few chunks in memory, whatever the size. After an error, and after a [`Writer::write`] whose
/// future was dropped, the writer is of no more use. Dropping it leaves at most chunks that nothing refers to, for
/// garbage collection; one that is being stored at that moment may appear a little later.
pub struct Writer {
    inner: Arc<Inner>,
    account: u64,
    key: AccountKey,
    index: Arc<dyn ChunkIndex>,
    size: u64,
    /// Room for an envelope's header, then the bytes of the chunk that is being gathered.
    gathered: Buf,
    /// Set once the content is too long for a single chunk.
    cutter: Option<Cutter>,
    hashes: Travelling,
    in_flight: VecDeque<AbortOnDropHandle<Result<Outcome>>>,
    seen: Seen,
    refs: Vec<ChunkRef>,
    broken: bool,
}

impl Writer {
    pub(crate) fn new(
        inner: Arc<Inner>,
        account: u64,
        key: AccountKey,
        index: Arc<dyn ChunkIndex>,
        want_md5: bool,
    ) -> Writer {
        let hashes = Hashes { digest: key.digest_hasher(), md5: want_md5.then(Md5::new) };
        let gathered = inner.budget.buf(0);
        Writer {
            inner,
            account,
            key,
            index,
            size: 0,
            gathered,
            cutter: None,
            hashes: Travelling::Here(hashes),
            in_flight: VecDeque::new(),
            seen: Seen::default(),
            refs: Vec::new(),
            broken: false,
        }
    }

    /// Bytes taken so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next bytes of the content. Returns when there is room for more; they need not be stored yet.
    ///
    /// # Errors
    /// `NoSpace`, `Unavailable`, `Denied` and what the index answers, also for bytes given earlier; `Invalid` if the
    /// writer has failed before. Not safe to cancel: the writer is of no use after that.
    pub async fn write(&mut self, data: Bytes) -> Result<()> {
        if self.broken {
            return Err(Error::invalid("a writer that failed was used again"));
        }
        self.broken = true;
        self.take(data).await?;
        self.broken = false;
        Ok(())
    }

    async fn take(&mut self, data: Bytes) -> Result<()> {
        self.size += data.len() as u64;
        if self.cutter.is_none() {
            if self.plain_len() + data.len() <= self.inner.pack_max {
                return self.gather(&data).await;
            }
            let rest = self.begin_cutting().await?;
            self.cut(rest).await?;
        }
        self.cut(data).await
    }

    /// The content turned out long: looks for a boundary in what was gathered so far, and returns what lies behind.
    async fn begin_cutting(&mut self) -> Result<Bytes> {
        let mut cutter = Cutter::new(self.key.cut_seed());
        let found = cutter.scan(self.gathered.get(HEADER_LEN..).unwrap_or_default());
        self.cutter = Some(cutter);
        let Some(n) = found else { return Ok(Bytes::new()) };
        let rest = Bytes::copy_from_slice(&self.gathered[HEADER_LEN + n..]);
        self.gathered.set_len(HEADER_LEN + n);
        self.ship(false).await?;
        Ok(rest)
    }

    /// Adds to the chunk that is being gathered, and ships each that is complete.
    async fn cut(&mut self, mut data: Bytes) -> Result<()> {
        while !data.is_empty() {
            // **Invariant:** set by `begin_cutting`.
            let cutter = self.cutter.as_mut().expect("the content is being cut");
            match cutter.scan(&data) {
                Some(n) => {
                    self.gather(&data[..n]).await?;
                    data.advance(n);
                    self.ship(false).await?;
                }
                None => {
                    self.gather(&data).await?;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Ends the content and waits until all of it is durable.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub async fn finish(mut self) -> Result<Finished> {
        if self.broken {
            return Err(Error::invalid("a writer that failed was used again"));
        }
        if self.cutter.is_none() && self.plain_len() <= self.inner.inline_max {
            return self.finish_inline().await;
        }
        if self.plain_len() > 0 {
            self.ship(self.cutter.is_none()).await?;
        }
        while !self.in_flight.is_empty() {
            self.settle_oldest().await?;
        }
        let hashes = self.hashes.back().await?;
        Ok(Finished {
            size: self.size,
            digest: hashes.digest.finish(),
            md5: hashes.md5.map(|md5| md5.finalize().into()),
            stored: Stored::Chunks { last_page: self.refs },
        })
    }

    async fn finish_inline(self) -> Result<Finished> {
        let plain = Bytes::copy_from_slice(self.gathered.get(HEADER_LEN..).unwrap_or_default());
        let mut hashes = self.hashes.back().await?;
        hashes.digest.update(&plain);
        let md5 = hashes.md5.map(|md5| md5.chain_update(&plain).finalize().into());
        Ok(Finished {
            size: self.size,
            digest: hashes.digest.finish(),
            md5,
            stored: Stored::Inline { plain },
        })
    }

    /// Bytes of the chunk that is being gathered.
    fn plain_len(&self) -> usize {
        self.gathered.len().saturating_sub(HEADER_LEN)
    }

    /// Adds to the chunk that is being gathered.
    async fn gather(&mut self, data: &[u8]) -> Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        let needed = self.plain_len() + data.len() + CHUNK_OVERHEAD;
        if self.gathered.capacity() == 0 {
            // The whole of a cut chunk at once, the beginning of what may stay small.
            let capacity = if self.cutter.is_some() { CHUNK_BYTES_MAX + CHUNK_OVERHEAD } else { FIRST_BYTES };
            self.gathered = self.next_buf(needed.max(capacity)).await?;
            self.gathered.set_len(HEADER_LEN);
        } else if needed > self.gathered.capacity() {
            self.gathered.grow(needed.max(self.gathered.capacity() * 4));
        }
        self.gathered.extend(data);
        Ok(())
    }

    /// A buffer for the next chunk. Without room in the budget, first waits for the chunks in flight.
    async fn next_buf(&mut self, capacity: usize) -> Result<Buf> {
        while !self.in_flight.is_empty() {
            if let Some(buf) = self.inner.budget.try_buf(capacity) {
                return Ok(buf);
            }
            self.settle_oldest().await?;
        }
        Ok(self.inner.budget.buf(capacity))
    }

    /// Sends the gathered chunk on its way.
    async fn ship(&mut self, may_pack: bool) -> Result<()> {
        while self.in_flight.len() >= self.inner.in_flight {
            self.settle_oldest().await?;
        }
        let plain = std::mem::replace(&mut self.gathered, self.inner.budget.buf(0));
        let (returns, returning) = oneshot::channel();
        let hashes = std::mem::replace(&mut self.hashes, Travelling::Away(returning)).back().await?;
        let job = Job {
            inner: self.inner.clone(),
            account: self.account,
            key: self.key.clone(),
            index: self.index.clone(),
            seen: self.seen.clone(),
            may_pack,
        };
        self.in_flight.push_back(AbortOnDropHandle::new(tokio::spawn(job.run(plain, hashes, returns))));
        Ok(())
    }

    /// Waits for the oldest chunk in flight and notes its reference.
    async fn settle_oldest(&mut self) -> Result<()> {
        let Some(oldest) = self.in_flight.pop_front() else { return Ok(()) };
        let outcome = oldest.await.map_err(Error::task)??;
        let (placement, fresh) = match outcome.found {
            Some(found) => found,
            // **Invariant:** chunks are settled in order, so what this one repeats has set its cell.
            None => (*outcome.cell.get().expect("the first of equal chunks is settled"), false),
        };
        let _ = outcome.cell.set(placement);
        if self.refs.len() == PAGE_REFS {
            self.index.page(std::mem::take(&mut self.refs)).await?;
        }
        self.refs.push(ChunkRef { name: outcome.name, plain_len: outcome.plain_len, placement, fresh });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
