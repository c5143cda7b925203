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
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
fn rss() -> String {
    std::fs::read_to_string("/proc/self/status")
        .unwrap()
        .lines()
        .filter(|l| l.starts_with("VmRSS") || l.starts_with("VmHWM"))
        .map(|l| l.replace('\t', " "))
        .collect::<Vec<_>>()
        .join(" ")
}
fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let mib: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let rt = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let key = AccountKey::from_bytes(&[1; 32]);
    let mut block = vec![0u8; 64 << 20];
    blake3::Hasher::new().update(b"x").finalize_xof().fill(&mut block);
    let block = Bytes::from(block);
    let text: Bytes = block.iter().map(|b| b'a' + (b & 7)).collect::<Vec<u8>>().into();
    rt.block_on(async {
        println!("idle {}", rss());
        for (what, block, md5) in if std::env::args().nth(3).is_some() {
            vec![("noise", &block, false)]
        } else {
            vec![("noise", &block, false), ("noise md5", &block, true), ("text", &text, false)]
        } {
            let d = format!("{dir}/cpu");
            let _ = std::fs::remove_dir_all(&d);
            let blobs = Blobs::open(&if dir == "mem" {
                BlobConfig::new("memory:///")
            } else {
                BlobConfig::local(&d)
            })
            .await
            .unwrap();
            let (t, c) = (Instant::now(), cpu());
            let mut w = blobs.writer(1, key.clone(), Arc::new(Empty), md5);
            for n in 0..mib * 16 {
                // A counter makes every chunk another one.
                if n % 16 == 0 {
                    w.write(Bytes::copy_from_slice(&(n as u64).to_le_bytes())).await.unwrap();
                }
                let at = (n * 65536) % (64 << 20);
                w.write(block.slice(at..at + 65536)).await.unwrap();
            }
            let f = w.finish().await.unwrap();
            let (e, u) = (t.elapsed().as_secs_f64(), cpu() - c);
            println!(
                "write {what}: {:.0} MiB/s wall, {:.2} cpu-s per GiB, {}",
                mib as f64 / e,
                u * 1024.0 / mib as f64,
                rss()
            );
            let Stored::Chunks { last_page } = f.stored else { panic!() };
            for _ in 0..2 {
                let (t, c) = (Instant::now(), cpu());
                let mut s =
                    Box::pin(blobs.reader(1, key.clone(), Arc::new(last_page.clone()), f.size, 0..f.size));
                let mut n = 0;
                while let Some(p) = s.next().await {
                    n += p.unwrap().len();
                }
                assert_eq!(n as u64, f.size);
                let (e, u) = (t.elapsed().as_secs_f64(), cpu() - c);
                println!(
                    "read {what}: {:.0} MiB/s wall, {:.2} cpu-s per GiB, {}",
                    mib as f64 / e,
                    u * 1024.0 / mib as f64,
                    rss()
                );
            }
            let _ = std::fs::remove_dir_all(&d);
        }
    });
}
