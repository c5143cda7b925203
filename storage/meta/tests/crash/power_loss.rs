//! The loss of power: the machine is gone, and of its disk only what was synced is certain.
//!
//! The writing process is run under `strace`, which records what it does to its files; images of the disk
//! are made from that and opened. Where there is no `strace` these tests say so and do nothing.
//!
//! `META_POWER_LOSS_IMAGES` sets the number of images, `META_POWER_LOSS_SEED` repeats a choice of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use allod_meta::{EngineKind, Options, Store, open};

use super::environment;
use super::image::{self, Arrived};
use super::recording::{self, Event};
use super::writer::{self, Acknowledged, COMMON, Dice};

/// Batches that each thread of the writing process commits, unless `META_POWER_LOSS_ROUNDS` says.
const ROUNDS: u64 = 25;

fn rounds() -> u64 {
    environment("META_POWER_LOSS_ROUNDS").unwrap_or(ROUNDS)
}

fn record(dir: &Path, kind: EngineKind) -> Option<Vec<Event>> {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let recorded = Command::new("strace")
        .args(["-f", "-xx", "-s", "100000000", "-e", &format!("trace={}", recording::CALLS), "-o"])
        .arg(trace.path())
        .arg(std::env::current_exe().unwrap())
        .args(writer::ARGUMENTS)
        .envs(writer::command(dir, kind, Some(rounds())))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output();
    match recorded {
        Err(err) => println!("SKIPPED: strace cannot be run: {err}"),
        Ok(output) if !output.status.success() => {
            let reason = String::from_utf8_lossy(&output.stderr);
            assert!(!reason.contains("panicked"), "the writing process failed: {reason}");
            println!("SKIPPED: strace does not work here: {reason}");
        }
        Ok(_) => {
            let trace = std::fs::read_to_string(trace.path()).unwrap();
            return Some(recording::read(&trace, dir));
        }
    }
    None
}

/// All files below a directory, with their bytes.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(name, bytes)| (path.join(name), bytes)));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found.into_iter().map(|(path, bytes)| (path.strip_prefix(dir).unwrap().to_owned(), bytes)).collect()
}

/// The recording is understood: an image to which everything has arrived is what is really there.
fn check_recording(events: &[Event], root: &Path, dice: &mut Dice) {
    let image = tempfile::tempdir().unwrap();
    image::make(events, events.len(), Arrived { sectors_percent: 100 }, root, image.path(), dice);
    let (expected, found) = (files(root), files(image.path()));
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected));
    for (name, bytes) in expected {
        assert!(found[&name] == bytes, "{} differs", name.display());
    }
}

/// What had been acknowledged when so many events had happened.
fn acknowledged(events: &[Event]) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    for event in events {
        if let Event::Output(text) = event {
            text.lines()
                .filter_map(writer::acknowledgement)
                .for_each(|ack| writer::note(&mut acknowledged, ack));
        }
    }
    acknowledged
}

fn images(kind: EngineKind) {
    let seed = environment("META_POWER_LOSS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("META_POWER_LOSS_SEED={seed}");
    let mut dice = Dice(seed);
    let root = tempfile::tempdir().unwrap();
    let Some(events) = record(root.path(), kind) else { return };
    let syncs = events.iter().filter(|event| matches!(event, Event::SyncFile { .. })).count();
    let acks = acknowledged(&events);
    println!("{kind}: {} events, {syncs} syncs, {acks:?} acknowledged", events.len());
    assert_eq!(acks.values().sum::<u64>(), rounds() * writer::WRITERS);
    check_recording(&events, root.path(), &mut dice);
    for number in 0..environment("META_POWER_LOSS_IMAGES").unwrap_or(25) {
        let moment = dice.roll(events.len() as u64 + 1) as usize;
        let arrived = Arrived { sectors_percent: [0, 10, 50, 50, 90, 100][dice.roll(6) as usize] };
        let image = tempfile::tempdir().unwrap();
        image::make(&events, moment, arrived, root.path(), image.path(), &mut dice);
        let told = acknowledged(&events[..moment]);
        let engine = open(image.path(), kind, &Options::default())
            .unwrap_or_else(|err| panic!("image {number}, moment {moment}, {arrived:?}: {err}"));
        let store = Store::new(engine);
        println!("image {number}, moment {moment}, {arrived:?}: {told:?}");
        writer::check(&store, &told);
        store.transact(COMMON, |txn| writer::step(txn, COMMON)).unwrap();
        store.close().unwrap();
    }
}

#[test]
fn redb_survives_power_loss() {
    images(EngineKind::Redb);
}

#[cfg(feature = "fjall")]
#[test]
fn fjall_survives_power_loss() {
    images(EngineKind::Fjall);
}

#[cfg(feature = "sled")]
#[test]
fn sled_survives_power_loss() {
    images(EngineKind::Sled);
}
