//! The way of one chunk, in a task of its own.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use md5::{Digest as _, Md5};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::ChunkIndex;
use crate::{
    AccountKey, ChunkName, DigestHasher, Error, ErrorKind, Placement, Result,
    blobs::{Inner, blocking},
    budget::Buf,
    envelope::{self, HEADER_LEN},
};

/// Names of its own chunks that a writer remembers, so that repetition within a content is found too.
const SEEN_MAX: usize = 1024;

/// The names of a content's chunks so far, each with a cell for where the first of them lies.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<HashMap<ChunkName, Cell>>>);

type Cell = Arc<OnceLock<Placement>>;

impl Seen {
    /// The cell of a name, and whether this is the first chunk of that name.
    fn look_up(&self, name: ChunkName) -> (Cell, bool) {
        let mut seen = self.0.lock();
        if let Some(cell) = seen.get(&name) {
            return (cell.clone(), false);
        }
        if seen.len() >= SEEN_MAX {
            seen.clear();
        }
        let cell = Cell::default();
        seen.insert(name, cell.clone());
        (cell, true)
    }
}

/// The running hashes.
pub(super) struct Hashes {
    pub digest: DigestHasher,
    pub md5: Option<Md5>,
}

/// The running hashes travel from chunk to chunk: they are here, or come back from the chunk shipped last.
pub(super) enum Travelling {
    Here(Hashes),
    Away(oneshot::Receiver<Hashes>),
}

impl Travelling {
    /// The hashes over everything that was shipped.
    pub(super) async fn back(self) -> Result<Hashes> {
        match self {
            Travelling::Here(hashes) => Ok(hashes),
            Travelling::Away(hashes) => hashes.await.map_err(|_| {
                Error::new(ErrorKind::Unavailable, "the task that hashed the last chunk has ended")
            }),
        }
    }
}

/// What became of one chunk.
pub(super) struct Outcome {
    pub name: ChunkName,
    pub plain_len: u32,
    /// The cell that tells repetitions in the same content where the chunk lies.
    pub cell: Cell,
    /// The placement and whether it is fresh; `None` for a repetition.
    pub found: Option<(Placement, bool)>,
}

/// What the task of one chunk works with.
pub(super) struct Job {
    pub inner: Arc<Inner>,
    pub account: u64,
    pub key: AccountKey,
    pub index: Arc<dyn ChunkIndex>,
    pub seen: Seen,
    /// Whether the chunk is a whole middle-sized content, which goes to a pack where there are packs.
    pub may_pack: bool,
}

impl Job {
    /// Names the chunk and stores it, if nobody has. `returns` gets the running hashes back as soon as may be.
    pub(super) async fn run(
        self,
        plain: Buf,
        hashes: Hashes,
        returns: oneshot::Sender<Hashes>,
    ) -> Result<Outcome> {
        let (hashes, name, plain) = self.hash(plain, hashes).await?;
        let (cell, first) = self.seen.look_up(name);
        // The next chunk may begin to be hashed; by now it can see this one's name.
        let _ = returns.send(hashes);
        // **Invariant:** a chunk is at most CHUNK_BYTES_MAX long, which fits in 32 bits.
        let plain_len = u32::try_from(plain.len() - HEADER_LEN).expect("a chunk fits in 32 bits");
        let found = match first {
            true => Some(self.find_or_store(name, plain_len, plain).await?),
            false => None,
        };
        Ok(Outcome { name, plain_len, cell, found })
    }

    /// Takes the chunk into the running hashes and names it. MD5, the slowest of all, runs beside.
    async fn hash(&self, plain: Buf, hashes: Hashes) -> Result<(Hashes, ChunkName, Buf)> {
        let plain = Arc::new(plain);
        let Hashes { mut digest, md5 } = hashes;
        let md5 = md5.map(|mut md5| {
            let plain = plain.clone();
            blocking(move || {
                md5.update(&plain[HEADER_LEN..]);
                Ok(md5)
            })
        });
        let key = self.key.clone();
        let named = {
            let plain = plain.clone();
            blocking(move || {
                digest.update(&plain[HEADER_LEN..]);
                Ok((digest, key.chunk_name(&plain[HEADER_LEN..])))
            })
        };
        let (md5, (digest, name)) = match md5 {
            Some(md5) => {
                let (md5, named) = tokio::try_join!(md5, named)?;
                (Some(md5), named)
            }
            None => (None, named.await?),
        };
        // **Invariant:** both tasks have ended and dropped their clones.
        let plain = Arc::into_inner(plain).expect("no task holds the chunk any more");
        Ok((Hashes { digest, md5 }, name, plain))
    }

    async fn find_or_store(&self, name: ChunkName, plain_len: u32, plain: Buf) -> Result<(Placement, bool)> {
        if let Some(placement) = self.index.claim(&name).await? {
            return Ok((placement, false));
        }
        let (key, budget) = (self.key.clone(), self.inner.budget.clone());
        let sealed =
            blocking(move || Ok(envelope::seal_chunk(key.chunk_cipher(), &name, plain, &budget))).await?;
        let placement = match &self.inner.packs {
            Some(packs) if self.may_pack => {
                packs.appender.append(self.account, name, plain_len, sealed).await?
            }
            _ => {
                self.inner.objects.put(self.account, &name, sealed).await?;
                Placement::Object
            }
        };
        Ok((placement, true))
    }
}
