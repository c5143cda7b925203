//! A process that writes is killed at a random moment, again and again. What it has been told is durable
//! must be there, whole; what it was not told is there whole or not at all.
//!
//! `META_KILL_ROUNDS` sets the number of rounds, `META_KILL_SEED` repeats a run.

// Clippy's leave for tests covers only the test functions themselves.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use allod_meta::{EngineKind, Error, Lookup, Options, Store, Txn, open};

/// Threads of the writing process, each with a shard of its own and all with one in common.
const WRITERS: u64 = 4;

/// Rows that a batch of a shard leaves; the batch of this many before is removed by it.
const KEPT: u64 = 8;

/// The shard that all writers share.
const COMMON: u64 = 99;

/// Numbers that are the same everywhere (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

fn row(shard: u64, n: u64, part: u64) -> (Vec<u8>, Vec<u8>) {
    let key = format!("{shard:02}/row/{n:08}/{part}").into_bytes();
    let mut dice = Dice(shard << 32 | n << 4 | part);
    let len = if dice.roll(40) == 0 { 40_000 } else { dice.roll(700) as usize };
    (key, vec![dice.roll(256) as u8; len])
}

fn counter(shard: u64) -> Vec<u8> {
    format!("{shard:02}/count").into_bytes()
}

fn count(from: &impl Lookup, shard: u64) -> Result<u64, Error> {
    let stored = from.get(&counter(shard))?;
    Ok(stored.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap())))
}

/// One batch: the next number, its five rows, and the removal of old ones.
fn step(txn: &mut Txn<'_>, shard: u64) -> Result<u64, Error> {
    let n = count(txn, shard)? + 1;
    txn.put(&counter(shard), &n.to_le_bytes())?;
    for part in 0..5 {
        let (key, value) = row(shard, n, part);
        txn.put(&key, &value)?;
        if n > KEPT {
            txn.delete(&row(shard, n - KEPT, part).0)?;
        }
    }
    Ok(n)
}

/// The writing process. As a test of its own it does nothing.
#[test]
fn child() {
    let (Ok(dir), Ok(kind)) = (std::env::var("META_KILL_DIR"), std::env::var("META_KILL_ENGINE")) else {
        return;
    };
    let engine = open(Path::new(&dir), kind.parse().unwrap(), &Options::default()).unwrap();
    let store = Store::new(engine);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                for round in 0u64.. {
                    let shard = if round.is_multiple_of(3) { COMMON } else { writer };
                    let n = store.transact(shard, |txn| step(txn, shard)).unwrap();
                    // One write, so that lines of several threads do not mix.
                    let line = format!("ack {shard} {n}\n");
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}

/// Runs the writing process for a while, kills it, and returns the highest number acknowledged by
/// shard.
fn write_and_kill(dir: &Path, kind: EngineKind, lifetime: Duration) -> Vec<(u64, u64)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("META_KILL_DIR", dir)
        .env("META_KILL_ENGINE", kind.as_str())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let mut acknowledged = std::collections::BTreeMap::new();
        for line in output.lines().map_while(Result::ok) {
            // The first line may stand behind what the test harness says.
            let Some((_, ack)) = line.split_once("ack ") else { continue };
            let Some((shard, n)) = ack.split_once(' ') else { continue };
            let (Ok(shard), Ok(n)) = (shard.parse::<u64>(), n.parse::<u64>()) else { continue };
            let highest = acknowledged.entry(shard).or_insert(0);
            *highest = n.max(*highest);
        }
        acknowledged.into_iter().collect()
    });
    std::thread::sleep(lifetime);
    child.kill().unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.code().is_none(), "the child ended: {}", String::from_utf8_lossy(&ended.stderr));
    reader.join().unwrap()
}

/// The state is that after some batch of each shard, not before the last one acknowledged.
fn check(store: &Store, acknowledged: &[(u64, u64)]) -> u64 {
    let view = store.view().unwrap();
    let mut expected = Vec::new();
    let mut sum = 0;
    for shard in (0..WRITERS).chain([COMMON]) {
        let n = count(&view, shard).unwrap();
        let told = acknowledged.iter().find(|(of, _)| *of == shard).map_or(0, |(_, n)| *n);
        assert!(n >= told, "shard {shard}: {told} was acknowledged, {n} is there");
        if n > 0 {
            expected.push((counter(shard), n.to_le_bytes().to_vec()));
        }
        for n in n.saturating_sub(KEPT - 1).max(1)..=n {
            expected.extend((0..5).map(|part| row(shard, n, part)));
        }
        sum += n;
    }
    let found = view.scan_prefix(b"", None, usize::MAX).unwrap();
    assert!(found == expected, "{} records, expected {}", found.len(), expected.len());
    sum
}

fn environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

fn rounds(kind: EngineKind) {
    let seed = environment("META_KILL_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("META_KILL_SEED={seed}");
    let mut dice = Dice(seed);
    let mut dir = tempfile::tempdir().unwrap();
    let mut batches = 0;
    for round in 0..environment("META_KILL_ROUNDS").unwrap_or(20) {
        // A third of the rounds kill a process that is still making its database.
        let newborn = round % 3 == 2;
        if newborn {
            dir = tempfile::tempdir().unwrap();
        }
        let lifetime_ms = if newborn { dice.roll(40) } else { 20 + dice.roll(180) };
        let acknowledged = write_and_kill(dir.path(), kind, Duration::from_millis(lifetime_ms));
        let engine = open(dir.path(), kind, &Options::default())
            .unwrap_or_else(|err| panic!("round {round}, after {lifetime_ms} ms: {err}"));
        let store = Store::new(Arc::clone(&engine));
        batches += check(&store, &acknowledged);
        store.transact(COMMON, |txn| step(txn, COMMON)).unwrap();
        store.close().unwrap();
    }
    assert!(batches > 0, "nothing was written at all");
    println!("{kind}: {batches} batches seen");
}

#[test]
fn redb_survives_being_killed() {
    rounds(EngineKind::Redb);
}

#[cfg(feature = "fjall")]
#[test]
fn fjall_survives_being_killed() {
    rounds(EngineKind::Fjall);
}

#[cfg(feature = "sled")]
#[test]
fn sled_survives_being_killed() {
    rounds(EngineKind::Sled);
}
