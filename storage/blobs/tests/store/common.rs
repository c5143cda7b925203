//! What the tests of a store share: an index in memory, content, and the round trip.

use std::{collections::HashMap, ops::Range, sync::Arc};

use allod_blobs::*;
use bytes::Bytes;
use futures_util::TryStreamExt;
use parking_lot::Mutex;

/// An index in memory, as simple as the trait allows.
#[derive(Default)]
pub struct MemoryIndex {
    pub chunks: Mutex<HashMap<ChunkName, Placement>>,
    pub pages: Mutex<Vec<Vec<ChunkRef>>>,
}

#[async_trait::async_trait]
impl ChunkIndex for MemoryIndex {
    async fn claim(&self, name: &ChunkName) -> Result<Option<Placement>> {
        Ok(self.chunks.lock().get(name).copied())
    }

    async fn page(&self, refs: Vec<ChunkRef>) -> Result<()> {
        self.pages.lock().push(refs);
        Ok(())
    }
}

impl MemoryIndex {
    /// What core's commit does: notes where the chunks of a content lie.
    pub fn commit(&self, refs: &[ChunkRef]) {
        let mut chunks = self.chunks.lock();
        for chunk in refs {
            chunks.entry(chunk.name).or_insert(chunk.placement);
        }
    }

    /// All references of the content that was finished last.
    pub fn refs(&self, finished: &Finished) -> Vec<ChunkRef> {
        let mut refs: Vec<ChunkRef> = self.pages.lock().drain(..).flatten().collect();
        if let Stored::Chunks { last_page } = &finished.stored {
            refs.extend_from_slice(last_page);
        }
        refs
    }
}

/// One account of a store, with what core would keep for it.
pub struct Account {
    pub blobs: Blobs,
    pub id: u64,
    pub key: AccountKey,
    pub index: Arc<MemoryIndex>,
}

impl Account {
    pub fn new(blobs: &Blobs, id: u64) -> Account {
        let mut root = [0; 32];
        root[..8].copy_from_slice(&id.to_le_bytes());
        Account { blobs: blobs.clone(), id, key: AccountKey::from_bytes(&root), index: Arc::default() }
    }

    pub fn writer(&self, want_md5: bool) -> Writer {
        self.blobs.writer(self.id, self.key.clone(), self.index.clone(), want_md5)
    }

    /// Stores `plain`, given in pieces of `piece` bytes.
    pub async fn try_store(&self, plain: &[u8], piece: usize) -> Result<Finished> {
        let mut writer = self.writer(true);
        for piece in plain.chunks(piece) {
            writer.write(Bytes::copy_from_slice(piece)).await?;
        }
        assert_eq!(writer.size(), plain.len() as u64);
        writer.finish().await
    }

    /// Stores `plain`, which is not inline; its references.
    pub async fn store(&self, plain: &[u8]) -> Vec<ChunkRef> {
        let finished = self.try_store(plain, 65_536).await.unwrap();
        self.index.refs(&finished)
    }

    pub async fn read(&self, refs: &[ChunkRef], range: Range<u64>) -> Result<Vec<u8>> {
        let size = refs.iter().map(|chunk| u64::from(chunk.plain_len)).sum();
        let chunks = Arc::new(refs.to_vec());
        let stream = self.blobs.reader(self.id, self.key.clone(), chunks, size, range);
        let pieces: Vec<Bytes> = stream.try_collect().await?;
        Ok(pieces.concat())
    }

    pub async fn read_all(&self, refs: &[ChunkRef]) -> Result<Vec<u8>> {
        self.read(refs, 0..refs.iter().map(|chunk| u64::from(chunk.plain_len)).sum()).await
    }
}

/// Bytes that do not compress, the same for the same seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Bytes that compress, the same for the same seed.
pub fn prose(seed: u64, len: usize) -> Vec<u8> {
    // Ten of sixteen bits are fixed, so at least half of it goes.
    let mut text = noise(seed, len);
    text.iter_mut().for_each(|byte| *byte = b'a' + (*byte & 7));
    text
}

/// A store in a new folder, which lives as long as the guard.
pub async fn local() -> (Blobs, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(&BlobConfig::local(folder.path().join("blobs"))).await.unwrap();
    (blobs, folder)
}

/// Flips one bit of a file.
pub fn flip(path: &std::path::Path, offset: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[offset] ^= 1;
    std::fs::write(path, bytes).unwrap();
}
