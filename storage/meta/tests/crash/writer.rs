//! The process that writes, and what must be found of its work.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use allod_meta::{EngineKind, Error, Lookup, Options, Store, Txn, open};

/// Threads of the writing process, each with a shard of its own and all with one in common.
pub(crate) const WRITERS: u64 = 4;

/// Rows that a batch of a shard leaves; the batch of this many before is removed by it.
const KEPT: u64 = 8;

/// The shard that all writers share.
pub(crate) const COMMON: u64 = 99;

/// How a line begins that acknowledges a batch: shard and number follow.
const ACK: &str = "ack ";

/// The acknowledgement in a line of the writing process's output, which may stand behind something
/// that the test harness says.
pub(crate) fn acknowledgement(line: &str) -> Option<(u64, u64)> {
    let (_, ack) = line.split_once(ACK)?;
    let (shard, n) = ack.trim_end().split_once(' ')?;
    Some((shard.parse().ok()?, n.parse().ok()?))
}

/// The highest number acknowledged, by shard.
pub(crate) type Acknowledged = BTreeMap<u64, u64>;

/// Notes an acknowledgement.
pub(crate) fn note(acknowledged: &mut Acknowledged, (shard, n): (u64, u64)) {
    let highest = acknowledged.entry(shard).or_insert(0);
    *highest = n.max(*highest);
}

/// Numbers that are the same everywhere (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
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
pub(crate) fn step(txn: &mut Txn<'_>, shard: u64) -> Result<u64, Error> {
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

/// The command that runs the writing process. Without `rounds` it never ends by itself; with it, it
/// stops at once after so many batches of each thread, closing nothing.
pub(crate) fn command(dir: &Path, kind: EngineKind, rounds: Option<u64>) -> Vec<(&'static str, String)> {
    let mut environment =
        vec![("META_CRASH_DIR", dir.display().to_string()), ("META_CRASH_ENGINE", kind.to_string())];
    environment.extend(rounds.map(|rounds| ("META_CRASH_ROUNDS", rounds.to_string())));
    environment
}

/// The arguments by which this program becomes the writing process.
pub(crate) const ARGUMENTS: [&str; 3] = ["--exact", "child", "--nocapture"];

/// What the writing process does.
pub(crate) fn run(dir: &Path) {
    let kind = std::env::var("META_CRASH_ENGINE").unwrap();
    let rounds = super::environment("META_CRASH_ROUNDS").unwrap_or(u64::MAX);
    let engine = open(dir, kind.parse().unwrap(), &Options::default()).unwrap();
    let store = Store::new(engine);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                for round in 0..rounds {
                    let shard = if round.is_multiple_of(3) { COMMON } else { writer };
                    let n = store.transact(shard, |txn| step(txn, shard)).unwrap();
                    // One write, so that lines of several threads do not mix.
                    let line = format!("{ACK}{shard} {n}\n");
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
    std::process::exit(0);
}

/// The state is that after some batch of each shard, not before the last one acknowledged. Returns
/// how many batches have been.
pub(crate) fn check(store: &Store, acknowledged: &Acknowledged) -> u64 {
    let view = store.view().unwrap();
    let mut expected = Vec::new();
    let mut sum = 0;
    for shard in (0..WRITERS).chain([COMMON]) {
        let n = count(&view, shard).unwrap();
        let told = acknowledged.get(&shard).copied().unwrap_or(0);
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
