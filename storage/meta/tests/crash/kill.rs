//! Killing: the process is gone, the machine is not.
//!
//! `META_KILL_ROUNDS` sets the number of rounds, `META_KILL_SEED` repeats a run.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use allod_meta::{EngineKind, Options, Store, open};

use super::environment;
use super::writer::{self, Acknowledged, COMMON, Dice};

/// Runs the writing process for a while, kills it, and returns the highest number acknowledged by
/// shard.
fn write_and_kill(dir: &Path, kind: EngineKind, lifetime: Duration) -> Acknowledged {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(writer::ARGUMENTS)
        .envs(writer::command(dir, kind, None))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let mut acknowledged = Acknowledged::new();
        for line in output.lines().map_while(Result::ok) {
            if let Some(ack) = writer::acknowledgement(&line) {
                writer::note(&mut acknowledged, ack);
            }
        }
        acknowledged
    });
    std::thread::sleep(lifetime);
    child.kill().unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.code().is_none(), "the child ended: {}", String::from_utf8_lossy(&ended.stderr));
    reader.join().unwrap()
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
        batches += writer::check(&store, &acknowledged);
        store.transact(COMMON, |txn| writer::step(txn, COMMON)).unwrap();
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
