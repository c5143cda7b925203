#![allow(clippy::unwrap_used, missing_docs)]
use allod_blobs::*;
use bytes::Bytes;
use futures_util::StreamExt;
use std::{sync::Arc, time::Instant};
struct Empty;
#[async_trait::async_trait]
impl ChunkIndex for Empty {
    async fn claim(&self, _: &ChunkName) -> Result<Option<Placement>> {
        Ok(None)
    }
    async fn page(&self, _: Vec<ChunkRef>) -> Result<()> {
        Ok(())
    }
}
fn rss() -> String {
    std::fs::read_to_string("/proc/self/status")
        .unwrap()
        .lines()
        .filter(|l| l.starts_with("VmRSS") || l.starts_with("VmHWM") || l.starts_with("Threads"))
        .map(|l| l.replace('\t', " "))
        .collect::<Vec<_>>()
        .join(" ")
}
async fn up(blobs: Blobs, key: AccountKey, block: Bytes, n: u64, mib: usize) -> (Vec<ChunkRef>, u64) {
    let mut w = blobs.writer(1, key, Arc::new(Empty), true);
    w.write(Bytes::copy_from_slice(&n.to_le_bytes())).await.unwrap();
    for i in 0..mib * 16 {
        let at = (i * 65536) % block.len();
        w.write(block.slice(at..at + 65536)).await.unwrap();
    }
    let f = w.finish().await.unwrap();
    let Stored::Chunks { last_page } = f.stored else { panic!() };
    (last_page, f.size)
}
fn main() {
    let dir = std::env::args().nth(1).unwrap() + "/mem";
    let rt = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let key = AccountKey::from_bytes(&[1; 32]);
    let mut block = vec![0u8; 8 << 20];
    blake3::Hasher::new().update(b"x").finalize_xof().fill(&mut block);
    let block = Bytes::from(block);
    rt.block_on(async {
        let blobs = Blobs::open(&BlobConfig::local(&dir)).await.unwrap();
        println!("idle {}", rss());
        let (refs, size) = up(blobs.clone(), key.clone(), block.clone(), 999, 64).await;
        println!("one up {}", rss());
        let t = Instant::now();
        let ups: Vec<_> =
            (0..16).map(|n| tokio::spawn(up(blobs.clone(), key.clone(), block.clone(), n, 64))).collect();
        let downs: Vec<_> = (0..16)
            .map(|_| {
                let (b, k, r) = (blobs.clone(), key.clone(), refs.clone());
                tokio::spawn(async move {
                    let mut s = Box::pin(b.reader(1, k, Arc::new(r), size, 0..size));
                    let mut n = 0u64;
                    while let Some(p) = s.next().await {
                        let p = p.unwrap();
                        n += p.len() as u64;
                        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                    }
                    n
                })
            })
            .collect();
        for u in ups {
            u.await.unwrap();
        }
        for d in downs {
            assert_eq!(d.await.unwrap(), size);
        }
        println!("16+16 took {:?} {}", t.elapsed(), rss());
        tokio::time::sleep(std::time::Duration::from_secs(12)).await;
        println!("12 s later {}", rss());
    });
    let _ = std::fs::remove_dir_all(&dir);
}
