use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{StreamExt, TryStreamExt};

use super::*;
use crate::{BlobConfig, Blobs, ChunkIndex, ChunkName, ErrorKind, Placement, Stored, tests::noise};

struct Empty;

#[async_trait]
impl ChunkIndex for Empty {
    async fn claim(&self, _: &ChunkName) -> Result<Option<Placement>> {
        Ok(None)
    }

    async fn page(&self, _: Vec<ChunkRef>) -> Result<()> {
        Ok(())
    }
}

/// References in pages of two, counted as they are asked for.
struct Paged {
    refs: Vec<ChunkRef>,
    finds: bool,
    /// What a wrong answer to `find` is off by.
    off: u64,
    asked: AtomicUsize,
}

#[async_trait]
impl ChunkSource for Paged {
    async fn page(&self, n: usize) -> Result<Vec<ChunkRef>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.refs.chunks(2).nth(n).unwrap_or_default().to_vec())
    }

    async fn find(&self, offset: u64) -> Result<(usize, u64)> {
        let mut found = (0, 0);
        if self.finds {
            let mut at = 0;
            for (n, page) in self.refs.chunks(2).enumerate() {
                if at <= offset {
                    found = (n, at);
                }
                at += page.iter().map(|chunk| u64::from(chunk.plain_len)).sum::<u64>();
            }
        }
        Ok((found.0, found.1 + self.off))
    }
}

async fn stored() -> (Blobs, AccountKey, Vec<u8>, Vec<ChunkRef>) {
    let blobs = Blobs::open(&BlobConfig::new("memory:///")).await.unwrap();
    let key = AccountKey::from_bytes(&[1; 32]);
    let plain = noise(1, 9_000_000);
    let mut writer = blobs.writer(1, key.clone(), Arc::new(Empty), false);
    writer.write(plain.clone().into()).await.unwrap();
    let Stored::Chunks { last_page } = writer.finish().await.unwrap().stored else { panic!("not inline") };
    (blobs, key, plain, last_page)
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_asked_for_as_they_are_needed() {
    let (blobs, key, plain, refs) = stored().await;
    let size = plain.len() as u64;
    let pages = refs.len().div_ceil(2);
    assert!(pages >= 4);
    for (finds, range, least, most) in [
        (false, 0..size, pages, pages),
        (false, 0..10, 1, 1),
        (false, size - 10..size, pages, pages),
        (true, size - 10..size, 1, 1),
        (true, size / 2..size, 2, pages - 1),
        (true, 5..5, 0, 0),
    ] {
        let source = Arc::new(Paged { refs: refs.clone(), finds, off: 0, asked: AtomicUsize::new(0) });
        let read: Vec<Bytes> =
            blobs.reader(1, key.clone(), source.clone(), size, range.clone()).try_collect().await.unwrap();
        assert!(read.concat() == plain[range.start as usize..range.end as usize], "{range:?}");
        let asked = source.asked.load(Ordering::Relaxed);
        assert!((least..=most).contains(&asked), "{asked} pages for {range:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_skips_bytes_is_refused() {
    let (blobs, key, plain, refs) = stored().await;
    let source = Arc::new(Paged { refs, finds: false, off: 11, asked: AtomicUsize::new(0) });
    let size = plain.len() as u64;
    let read: Result<Vec<Bytes>> = blobs.reader(1, key, source, size, 10..size).try_collect().await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_stream_gives_its_memory_back() {
    let (blobs, key, plain, refs) = stored().await;
    let size = plain.len() as u64;
    let mut stream = Box::pin(blobs.reader(1, key, Arc::new(refs), size, 0..size));
    let piece = stream.next().await.unwrap().unwrap();
    assert!(blobs.buffer_bytes_used() > piece.len());
    drop(stream);
    for _ in 0..200 {
        if blobs.buffer_bytes_used() <= 2 << 20 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // What was handed out is the caller's to keep.
    assert!(plain.starts_with(&piece));
    assert!((1..=2 << 20).contains(&blobs.buffer_bytes_used()));
    drop(piece);
    assert_eq!(blobs.buffer_bytes_used(), 0);
}
