use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::*;
use crate::{BlobConfig, Blobs, ErrorKind, tests::noise};

/// Counts what it is asked, and refuses after a number of claims.
#[derive(Default)]
struct Counting {
    pages: Mutex<Vec<Vec<ChunkRef>>>,
    claims: AtomicUsize,
    refuse_after: Option<usize>,
}

#[async_trait]
impl ChunkIndex for Counting {
    async fn claim(&self, _: &ChunkName) -> Result<Option<Placement>> {
        let claims = self.claims.fetch_add(1, Ordering::Relaxed);
        match self.refuse_after {
            Some(limit) if claims >= limit => Err(Error::new(ErrorKind::Unavailable, "the index is down")),
            _ => Ok(None),
        }
    }

    async fn page(&self, refs: Vec<ChunkRef>) -> Result<()> {
        self.pages.lock().push(refs);
        Ok(())
    }
}

async fn memory() -> Blobs {
    Blobs::open(&BlobConfig::new("memory:///")).await.unwrap()
}

/// Zeros are cut at the greatest length, so many references cost little.
#[tokio::test(flavor = "multi_thread")]
async fn references_come_in_pages() {
    let blobs = memory().await;
    let index = Arc::new(Counting::default());
    let mut writer = blobs.writer(1, AccountKey::from_bytes(&[1; 32]), index.clone(), false);
    let zeros = Bytes::from(vec![0; CHUNK_BYTES_MAX]);
    let chunks = PAGE_REFS + 3;
    for _ in 0..chunks {
        writer.write(zeros.clone()).await.unwrap();
    }
    let finished = writer.finish().await.unwrap();
    assert_eq!(finished.size, (chunks * CHUNK_BYTES_MAX) as u64);
    let pages = index.pages.lock();
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [PAGE_REFS]);
    let Stored::Chunks { last_page } = finished.stored else { panic!("not inline") };
    assert_eq!(last_page.len(), 3);
    // All are the same chunk, stored and asked for once.
    assert_eq!(index.claims.load(Ordering::Relaxed), 1);
    assert!(pages[0][0].fresh && pages[0][1..].iter().chain(&last_page).all(|chunk| !chunk.fresh));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_index_fails_the_writer_for_good() {
    let blobs = memory().await;
    for refuse_after in [0, 1, 3] {
        let index = Arc::new(Counting { refuse_after: Some(refuse_after), ..Counting::default() });
        let mut writer = blobs.writer(1, AccountKey::from_bytes(&[1; 32]), index, true);
        let content = Bytes::from(noise(1, 20_000_000));
        let error = match writer.write(content.clone()).await {
            Err(error) => {
                assert_eq!(writer.write(content).await.unwrap_err().kind(), ErrorKind::Invalid);
                assert_eq!(writer.finish().await.unwrap_err().kind(), ErrorKind::Invalid);
                error
            }
            Ok(()) => writer.finish().await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.message(), "the index is down");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_write_spoils_the_writer() {
    let blobs = memory().await;
    let mut writer = blobs.writer(1, AccountKey::from_bytes(&[1; 32]), Arc::new(Counting::default()), false);
    {
        // Polled once: it waits for the first of its chunks.
        let write = std::pin::pin!(writer.write(noise(1, 30_000_000).into()));
        assert!(futures_util::poll!(write).is_pending());
    }
    assert_eq!(writer.finish().await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_reference_is_compact() {
    let chunk = ChunkRef {
        name: ChunkName([255; 32]),
        plain_len: 1_100_000,
        placement: Placement::Pack { pack: 1000, offset: 60_000_000, len: 1_000_000 },
        fresh: true,
    };
    assert!(postcard::to_allocvec(&chunk).unwrap().len() <= 48);
    let chunk = ChunkRef { placement: Placement::Object, ..chunk };
    assert!(postcard::to_allocvec(&chunk).unwrap().len() <= 37);
}
