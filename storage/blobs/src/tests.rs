//! The suite of the store, run on every back-end that needs no server, and helpers for other tests.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use parking_lot::Mutex;

use crate::*;

/// An index in memory, as simple as the trait allows.
#[derive(Default)]
pub(crate) struct MemoryIndex {
    pub chunks: Mutex<HashMap<ChunkName, Placement>>,
    pub pages: Mutex<Vec<Vec<ChunkRef>>>,
}

#[async_trait]
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
    pub(crate) fn commit(&self, refs: &[ChunkRef]) {
        let mut chunks = self.chunks.lock();
        for chunk in refs {
            chunks.entry(chunk.name).or_insert(chunk.placement);
        }
    }

    /// All references of a content that was just finished.
    pub(crate) fn refs(&self, finished: &Finished) -> Vec<ChunkRef> {
        let Stored::Chunks { last_page } = &finished.stored else { return Vec::new() };
        let mut refs: Vec<ChunkRef> = self.pages.lock().drain(..).flatten().collect();
        refs.extend_from_slice(last_page);
        refs
    }
}

/// Bytes that do not compress, the same for the same seed.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Bytes that compress, the same for the same seed.
pub(crate) fn prose(seed: u64, len: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(len + 64);
    for line in 0u64.. {
        if text.len() >= len {
            break;
        }
        text.extend_from_slice(
            format!("{seed}: line {line} of a letter {}\n", line * 7919 % 1013).as_bytes(),
        );
    }
    text.truncate(len);
    text
}

/// Stores `plain`, given in pieces of `piece` bytes.
pub(crate) async fn store(
    blobs: &Blobs,
    account: u64,
    key: &AccountKey,
    index: &Arc<MemoryIndex>,
    plain: &[u8],
    piece: usize,
) -> Finished {
    let mut writer = blobs.writer(account, key.clone(), index.clone(), true);
    for piece in plain.chunks(piece.max(1)) {
        writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    assert_eq!(writer.size(), plain.len() as u64);
    writer.finish().await.unwrap()
}

pub(crate) async fn read(
    blobs: &Blobs,
    account: u64,
    key: &AccountKey,
    refs: &[ChunkRef],
    size: u64,
    range: std::ops::Range<u64>,
) -> Result<Vec<u8>> {
    let pieces: Vec<Bytes> =
        blobs.reader(account, key.clone(), Arc::new(refs.to_vec()), size, range).try_collect().await?;
    Ok(pieces.concat())
}

/// Both kinds of back-end; the folder lives as long as the guard.
async fn backends() -> Vec<(Blobs, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let local = Blobs::open(&BlobConfig::local(folder.path().join("blobs"))).await.unwrap();
    let memory = Blobs::open(&BlobConfig::new("memory:///")).await.unwrap();
    vec![(local, Some(folder)), (memory, None)]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_length_comes_back() {
    for (blobs, _folder) in backends().await {
        let key = AccountKey::random().unwrap();
        for (len, piece) in [
            (0, 1),
            (1, 1),
            (8192, 1000),
            (8193, 8193),
            (300_000, 4096),
            (1 << 20, 65_536),
            ((1 << 20) + 1, 65_536),
            (5_000_000, 70_000),
            (12_345_678, 12_345_678),
        ] {
            for plain in [noise(len as u64, len), prose(len as u64, len), vec![0; len]] {
                let index = Arc::new(MemoryIndex::default());
                let finished = store(&blobs, 1, &key, &index, &plain, piece).await;
                assert_eq!(finished.size, len as u64);
                assert_eq!(finished.digest, key.digest(&plain));
                assert_eq!(
                    finished.md5.unwrap(),
                    <[u8; 16]>::from(<md5::Md5 as md5::Digest>::digest(&plain))
                );
                if let Stored::Inline { plain: inline } = &finished.stored {
                    assert!(len <= 8192);
                    assert_eq!(inline, &plain);
                    continue;
                }
                let refs = index.refs(&finished);
                let whole = read(&blobs, 1, &key, &refs, finished.size, 0..finished.size).await.unwrap();
                assert!(whole == plain, "{len} bytes came back changed");
                for chunk in &refs {
                    blobs.verify(1, &key, chunk).await.unwrap();
                    assert!(blobs.exists(1, &chunk.name, chunk.placement).await.unwrap());
                }
                let range = finished.size / 3..finished.size - finished.size / 4;
                let part = read(&blobs, 1, &key, &refs, finished.size, range.clone()).await.unwrap();
                assert!(part == plain[range.start as usize..range.end as usize]);
            }
        }
        assert_eq!(blobs.buffer_bytes_used(), 0);
        blobs.health().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn middle_sized_content_lies_in_a_pack_on_disk() {
    for (blobs, folder) in backends().await {
        let key = AccountKey::random().unwrap();
        let index = Arc::new(MemoryIndex::default());
        let plain = noise(1, 50_000);
        let finished = store(&blobs, 1, &key, &index, &plain, 50_000).await;
        let refs = index.refs(&finished);
        assert_eq!(refs.len(), 1);
        assert!(refs[0].fresh);
        assert_eq!(matches!(refs[0].placement, Placement::Pack { .. }), folder.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_content_is_stored_once_per_account() {
    for (blobs, _folder) in backends().await {
        let keys = [AccountKey::random().unwrap(), AccountKey::random().unwrap()];
        let index = Arc::new(MemoryIndex::default());
        let plain = noise(2, 4_000_000);
        let first = index.refs(&store(&blobs, 1, &keys[0], &index, &plain, 65_536).await);
        index.commit(&first);
        let again = index.refs(&store(&blobs, 1, &keys[0], &index, &plain, 1_000).await);
        assert!(first.iter().all(|chunk| chunk.fresh) && again.iter().all(|chunk| !chunk.fresh));
        let places =
            |refs: &[ChunkRef]| refs.iter().map(|c| (c.name, c.plain_len, c.placement)).collect::<Vec<_>>();
        assert_eq!(places(&first), places(&again));
        let other = index.refs(&store(&blobs, 2, &keys[1], &index, &plain, 65_536).await);
        assert!(other.iter().all(|chunk| chunk.fresh && first.iter().all(|c| c.name != chunk.name)));
        // An insertion near the beginning leaves the chunks behind it as they are.
        let edited = [&plain[..1000], b"inserted", &plain[1000..]].concat();
        let edited = index.refs(&store(&blobs, 1, &keys[0], &index, &edited, 65_536).await);
        assert!(edited.iter().filter(|chunk| chunk.fresh).count() <= 2);
    }
}
