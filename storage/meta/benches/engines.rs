//! What a commit, a read and a scan cost, for every engine in this build.
//!
//! `META_BENCH_DIR` names a directory on the disk that is to be measured; the default is below the
//! target directory, since the system's temporary directory is often in memory.

// Clippy's leave for tests covers only test functions.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use allod_meta::{Direction, EngineKind, Error, KeyRange, Lookup, Options, Store, open};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Keys that a batch writes, and bytes that it writes altogether.
const BATCH_KEYS: u64 = 6;
const BATCH_BYTES: usize = 600;

/// Records in the database that is read from.
const RECORDS: u64 = 200_000;

fn engines() -> impl Iterator<Item = EngineKind> {
    EngineKind::ALL.into_iter().filter(|kind| kind.is_available())
}

fn fresh(kind: EngineKind) -> (tempfile::TempDir, Store) {
    let parent = std::env::var_os("META_BENCH_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let dir = tempfile::tempdir_in(parent).unwrap();
    let store = Store::new(open(dir.path(), kind, &Options::default()).unwrap());
    (dir, store)
}

/// Keys as core makes them: a shard, then something like a path or a sequence number.
fn key(shard: u64, n: u64, part: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&shard.to_be_bytes());
    key[8..16].copy_from_slice(&(n % 50_000).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    key[16..].copy_from_slice(&part.to_be_bytes());
    key
}

fn commit(store: &Store, shard: u64, n: u64) {
    let value = [n as u8; BATCH_BYTES / BATCH_KEYS as usize - 24];
    let body = |txn: &mut allod_meta::Txn<'_>| {
        (0..BATCH_KEYS).try_for_each(|part| txn.put(&key(shard, n, part), &value))
    };
    store.transact::<(), Error>(shard, body).unwrap();
}

/// The time that `writers` threads take for `count` commits, each waiting for its own.
fn write(store: &Store, writers: u64, shards: u64, first: u64, count: u64) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for writer in 0..writers {
            scope.spawn(move || {
                for n in (first + writer..first + count).step_by(writers as usize) {
                    commit(store, writer % shards, n);
                }
            });
        }
    });
    start.elapsed()
}

fn commits(c: &mut Criterion) {
    let mut group = c.benchmark_group("commit");
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    group.throughput(Throughput::Elements(1));
    for kind in engines() {
        // The last one: sixteen writers of a single shard.
        for (writers, shards) in [(1, 1), (8, 8), (64, 64), (16, 1)] {
            let (_dir, store) = fresh(kind);
            let mut first = 0;
            let id = BenchmarkId::new(kind.as_str(), format!("{writers} writers, {shards} shards"));
            group.bench_function(id, |b| {
                b.iter_custom(|count| {
                    let took = write(&store, writers, shards, first, count);
                    first += count;
                    took
                });
            });
            let stats = store.stats();
            println!(
                "    {:.1} commits a group, {} MB on disk",
                stats.batches as f64 / stats.groups.max(1) as f64,
                store.disk_bytes().unwrap() / 1_000_000
            );
        }
    }
    group.finish();
}

fn reads(c: &mut Criterion) {
    for kind in engines() {
        let (_dir, store) = fresh(kind);
        for chunk in 0..RECORDS / 10_000 {
            let body = |txn: &mut allod_meta::Txn<'_>| {
                (chunk * 10_000..(chunk + 1) * 10_000)
                    .try_for_each(|n| txn.put(&n.to_be_bytes(), &[n as u8; 120]))
            };
            store.transact::<(), Error>(1, body).unwrap();
        }
        let mut n = 0u64;
        let mut next = || {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (n >> 33) % (RECORDS - 1_000)
        };
        c.bench_function(&format!("get/{kind}"), |b| {
            b.iter(|| black_box(store.view().unwrap().get(&next().to_be_bytes()).unwrap()));
        });
        c.bench_function(&format!("scan 1,000/{kind}"), |b| {
            b.iter(|| {
                let range = KeyRange::all().after(&next().to_be_bytes());
                let (mut left, mut sum) = (1_000, 0);
                store
                    .view()
                    .unwrap()
                    .scan(&range, Direction::Forward, &mut |key, value| {
                        (left, sum) = (left - 1, sum + key.len() + value.len());
                        if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                    })
                    .unwrap();
                black_box(sum)
            });
        });
    }
}

criterion_group!(benches, commits, reads);
criterion_main!(benches);
