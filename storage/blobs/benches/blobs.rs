//! How fast content goes in and out. `BLOBS_BENCH_DIR` names the folder on the disk to measure.

use std::{
    hint::black_box,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use allod_blobs::{
    AccountKey, BlobConfig, Blobs, ChunkIndex, ChunkName, ChunkRef, Finished, Placement, Result, Stored,
};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::StreamExt;

const MIB: usize = 1024 * 1024;
/// Content of the writer's and reader's benches, bytes.
const CONTENT_BYTES: usize = 256 * MIB;
/// Pieces as an HTTP server hands them over, bytes.
const PIECE_BYTES: usize = 64 * 1024;
/// A mail with a small picture, bytes.
const MAIL_BYTES: usize = 50_000;

/// Knows no chunk, so everything is stored.
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

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// A folder on the disk that is measured; removed with the guard.
fn folder() -> tempfile::TempDir {
    let parent = std::env::var_os("BLOBS_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    tempfile::tempdir_in(parent).expect("a folder")
}

fn noise(seed: u64, len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes.into()
}

fn prose(len: usize) -> Bytes {
    let mut text = Vec::with_capacity(len + 64);
    for line in 0u64.. {
        if text.len() >= len {
            break;
        }
        text.extend_from_slice(format!("line {line} of a letter {}\n", line * 7919 % 1013).as_bytes());
    }
    text.truncate(len);
    text.into()
}

async fn store(blobs: &Blobs, key: &AccountKey, content: &Bytes, md5: bool) -> Finished {
    let mut writer = blobs.writer(1, key.clone(), Arc::new(Empty), md5);
    let mut rest = content.clone();
    while !rest.is_empty() {
        let piece = rest.split_to(PIECE_BYTES.min(rest.len()));
        writer.write(piece).await.expect("stored");
    }
    writer.finish().await.expect("stored")
}

async fn drain(blobs: &Blobs, key: &AccountKey, refs: &[ChunkRef], size: u64) {
    let stream = blobs.reader(1, key.clone(), Arc::new(refs.to_vec()), size, 0..size);
    let mut stream = std::pin::pin!(stream);
    while let Some(piece) = stream.next().await {
        black_box(piece.expect("read"));
    }
}

fn writer(c: &mut Criterion) {
    let runtime = runtime();
    let key = AccountKey::from_bytes(&[1; 32]);
    let mut group = c.benchmark_group("writer");
    group.sample_size(10).throughput(Throughput::Bytes(CONTENT_BYTES as u64));
    let (noise, prose) = (noise(1, CONTENT_BYTES), prose(CONTENT_BYTES));
    for (name, content, md5, local) in [
        ("disk, noise", &noise, false, true),
        ("disk, noise, with MD5", &noise, true, true),
        ("disk, prose", &prose, false, true),
        ("memory, noise", &noise, false, false),
    ] {
        group.bench_function(name, |b| {
            b.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    let folder = folder();
                    let config =
                        if local { BlobConfig::local(folder.path()) } else { BlobConfig::new("memory:///") };
                    let blobs = runtime.block_on(Blobs::open(&config)).expect("opened");
                    let begun = Instant::now();
                    runtime.block_on(store(&blobs, &key, content, md5));
                    spent += begun.elapsed();
                }
                spent
            });
        });
    }
    group.finish();
}

fn reader(c: &mut Criterion) {
    let runtime = runtime();
    let key = AccountKey::from_bytes(&[1; 32]);
    let mut group = c.benchmark_group("reader");
    group.sample_size(10).throughput(Throughput::Bytes(CONTENT_BYTES as u64));
    for (name, content) in [("noise", noise(1, CONTENT_BYTES)), ("prose", prose(CONTENT_BYTES))] {
        let folder = folder();
        let blobs = runtime.block_on(Blobs::open(&BlobConfig::local(folder.path()))).expect("opened");
        let finished = runtime.block_on(store(&blobs, &key, &content, false));
        let Stored::Chunks { last_page } = finished.stored else { unreachable!("the content is long") };
        group.bench_function(name, |b| {
            b.iter(|| runtime.block_on(drain(&blobs, &key, &last_page, finished.size)));
        });
    }
    group.finish();
}

fn inline(c: &mut Criterion) {
    let key = AccountKey::from_bytes(&[1; 32]);
    let mut group = c.benchmark_group("inline");
    for (name, plain) in [("noise", noise(1, 2000)), ("prose", prose(2000))] {
        group.throughput(Throughput::Bytes(2000));
        group.bench_function(format!("seal, {name}"), |b| b.iter(|| key.seal_inline(b"context", &plain)));
        let sealed = key.seal_inline(b"context", &plain);
        group.bench_function(format!("open, {name}"), |b| b.iter(|| key.open_inline(b"context", &sealed)));
    }
    group.finish();
}

fn packs(c: &mut Criterion) {
    let runtime = runtime();
    let key = AccountKey::from_bytes(&[1; 32]);
    let mut group = c.benchmark_group("packs");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for writers in [1, 16] {
        let folder = folder();
        let blobs = runtime.block_on(Blobs::open(&BlobConfig::local(folder.path()))).expect("opened");
        group.throughput(Throughput::Elements(writers));
        group.bench_function(format!("{writers} at the same time"), |b| {
            let mails: Vec<Bytes> = (0..writers).map(|seed| noise(seed, MAIL_BYTES)).collect();
            b.iter(|| {
                runtime.block_on(async {
                    let stores = mails.iter().map(|mail| store(&blobs, &key, mail, false));
                    futures_util::future::join_all(stores).await
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, inline, packs, reader, writer);
criterion_main!(benches);
