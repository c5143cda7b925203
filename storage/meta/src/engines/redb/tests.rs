//! Power failures, full and broken disks, by a double of the disk.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;

use super::double::{Arrived, Double};
use super::{FILE_NAME, Redb};
use crate::suite::Dice;
use crate::{Batch, Direction, Engine, Error, ErrorKind, Lookup, Op, Options, Snapshot, Store};

type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// Images of each sort that a power-loss test makes; more by the environment variable
/// `META_POWER_LOSS_IMAGES`.
fn images() -> u64 {
    std::env::var("META_POWER_LOSS_IMAGES").ok().and_then(|count| count.parse().ok()).unwrap_or(40)
}

fn open(disk: &Double) -> Result<Redb, Error> {
    Redb::on_disk(disk.clone(), &Options::default())
}

fn contents(snapshot: &dyn Snapshot) -> State {
    let mut found = State::new();
    snapshot
        .scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward, &mut |key, value| {
            found.insert(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

/// A group of a few batches, each of a few keys, some of them large.
fn group(dice: &mut Dice, state: &mut State) -> Vec<Batch> {
    let batch = |dice: &mut Dice, state: &mut State| {
        let mut ops = Vec::new();
        for _ in 0..6 {
            let key = format!("key {:03}", dice.roll(200)).into_bytes();
            if dice.roll(4) == 0 {
                state.remove(&key);
                ops.push(Op::Delete(Bytes::from(key)));
            } else {
                let len = if dice.roll(20) == 0 { 20_000 } else { dice.roll(800) as usize };
                let value = vec![dice.roll(256) as u8; len];
                state.insert(key.clone(), value.clone());
                ops.push(Op::Put(Bytes::from(key), Bytes::from(value)));
            }
        }
        Batch { shard: 1, id: dice.roll(u64::MAX), expects: Vec::new(), ops }
    };
    (0..1 + dice.roll(4)).map(|_| batch(dice, state)).collect()
}

/// The states after each commit, and the moments when each commit began and had been acknowledged.
struct History {
    disk: Double,
    states: Vec<State>,
    acknowledged: Vec<usize>,
    /// The machine stops here: the closing that follows never happened.
    end: usize,
}

fn record(disk: Double, first: State, commits: usize, dice: &mut Dice) -> History {
    let engine = open(&disk).unwrap();
    assert!(contents(&*engine.snapshot().unwrap()) == first);
    let acknowledged = vec![disk.now()];
    let mut history = History { disk: disk.clone(), states: vec![first], acknowledged, end: 0 };
    for _ in 0..commits {
        let mut state = history.states.last().unwrap().clone();
        let group = group(dice, &mut state);
        engine.commit(&group).unwrap();
        history.states.push(state);
        history.acknowledged.push(disk.now());
    }
    history.end = disk.now();
    history
}

impl History {
    /// A moment after the creation; before, there is only the unfinished file of `create_whole`.
    fn any_moment(&self, dice: &mut Dice) -> usize {
        let created = self.acknowledged[0];
        created + dice.roll((self.end - created) as u64 + 1) as usize
    }

    /// Opens an image of `moment`, checks its state and commits once more. Returns the image, the
    /// moment of that commit's acknowledgement, and the state then.
    fn check(&self, moment: usize, arrived: Arrived, dice: &mut Dice) -> (Double, usize, State) {
        let image = Double::new(self.disk.image(moment, arrived, dice));
        let acknowledged = self.acknowledged.iter().rposition(|at| *at <= moment);
        let engine = match open(&image) {
            Ok(engine) => engine,
            Err(err) => panic!("moment {moment}, {arrived:?}: {err}"),
        };
        let found = contents(&*engine.snapshot().unwrap());
        let first = acknowledged.unwrap_or(0);
        let possible = &self.states[first..(first + 2).min(self.states.len())];
        assert!(possible.contains(&found), "moment {moment}, {arrived:?}: neither {first} nor the next");
        // It takes writes as if nothing had been.
        let mut state = found;
        engine.commit(&group(dice, &mut state)).unwrap();
        assert!(contents(&*engine.snapshot().unwrap()) == state);
        let end = image.now();
        drop(engine);
        (image, end, state)
    }
}

fn arrived(dice: &mut Dice) -> Arrived {
    match dice.roll(6) {
        0 => Arrived::Nothing,
        1 => Arrived::Everything,
        2 => Arrived::WholeWrites { percent: 50 },
        3 => Arrived::Sectors { percent: 10 },
        4 => Arrived::Sectors { percent: 90 },
        _ => Arrived::Sectors { percent: 50 },
    }
}

#[test]
fn power_loss_keeps_what_was_acknowledged() {
    for seed in 0..4 {
        let mut dice = Dice::new(seed);
        let history = record(Double::empty(), State::new(), 60, &mut dice);
        for _ in 0..images() {
            let moment = history.any_moment(&mut dice);
            let arrived = arrived(&mut dice);
            history.check(moment, arrived, &mut dice);
        }
    }
}

#[test]
fn power_loss_soon_after_creation() {
    let mut dice = Dice::new(5);
    let history = record(Double::empty(), State::new(), 2, &mut dice);
    for moment in history.acknowledged[0]..=history.end {
        for arrived in [Arrived::Nothing, Arrived::Everything, Arrived::Sectors { percent: 50 }] {
            history.check(moment, arrived, &mut dice);
        }
    }
}

#[test]
fn power_loss_while_recovering_from_power_loss() {
    let mut dice = Dice::new(6);
    let first = record(Double::empty(), State::new(), 30, &mut dice);
    for _ in 0..images() / 4 {
        let moment = first.any_moment(&mut dice);
        let arrived_first = arrived(&mut dice);
        let (image, end, state) = first.check(moment, arrived_first, &mut dice);
        // The image has recorded its own recovery and one commit: cut those as well.
        for moment in 0..=end {
            let arrived = arrived(&mut dice);
            let again = Double::new(image.image(moment, arrived, &mut dice));
            let engine = open(&again).unwrap_or_else(|err| panic!("moment {moment}, {arrived:?}: {err}"));
            let found = contents(&*engine.snapshot().unwrap());
            if moment == end {
                assert!(found == state);
            } else {
                assert!(found == state || first.states.contains(&found));
            }
        }
    }
}

#[test]
fn a_full_disk_is_survived() {
    let disk = Double::empty();
    let engine: Arc<dyn Engine> = Arc::new(open(&disk).unwrap());
    let store = Store::new(engine);
    let put = |i: u32| store.transact(1, |txn| txn.put(&i.to_be_bytes(), &[7; 3_000]));
    (0..100).try_for_each(put).unwrap();
    disk.limit(Some(2 << 20));
    let full = (100..10_000).find(|i| put(*i).is_err()).expect("the disk must become full");
    let mut expected: std::collections::BTreeSet<u32> = (0..full).collect();
    for i in full..full + 20 {
        // The journal may still have room for a few.
        match put(i) {
            Ok(()) => drop(expected.insert(i)),
            Err(err) => assert_eq!(err.kind, ErrorKind::NoSpace, "{err}"),
        }
        let found = store.view().unwrap().scan_prefix(b"", None, usize::MAX).unwrap();
        let found: Vec<u32> =
            found.iter().map(|(key, _)| u32::from_be_bytes(key[..].try_into().unwrap())).collect();
        assert!(found.iter().eq(expected.iter()));
    }
    if store.transact(1, |txn| txn.delete(&3u32.to_be_bytes())).is_ok() {
        expected.remove(&3);
    }
    disk.limit(None);
    (full + 20..full + 70).try_for_each(put).unwrap();
    expected.extend(full + 20..full + 70);
    let found = store.view().unwrap().scan_prefix(b"", None, usize::MAX).unwrap();
    assert_eq!(found.len(), expected.len());
    assert!(store.verify(&mut |_| ControlFlow::Continue(())).unwrap().is_sound());
}

#[test]
fn a_failed_sync_is_not_an_acknowledgement() {
    let mut dice = Dice::new(8);
    for good in 0..4 {
        let disk = Double::empty();
        let engine = open(&disk).unwrap();
        let mut state = State::new();
        for _ in 0..5 {
            engine.commit(&group(&mut dice, &mut state)).unwrap();
        }
        let before = engine.snapshot().unwrap();
        disk.fail_sync_after(good);
        let mut states = vec![state.clone()];
        let mut failed = false;
        for _ in 0..5 {
            let group = group(&mut dice, &mut state);
            match engine.commit(&group) {
                Ok(()) => states = vec![state.clone()],
                Err(err) => {
                    assert_eq!(err.kind, ErrorKind::Unavailable);
                    failed = true;
                    states.push(state.clone());
                    break;
                }
            }
        }
        assert!(failed);
        let found = contents(&*engine.snapshot().unwrap());
        assert!(states.contains(&found));
        if let Err(err) = before.get(b"key 001") {
            assert_eq!(err.kind, ErrorKind::Unavailable);
        }
        let mut state = found;
        engine.commit(&group(&mut dice, &mut state)).unwrap();
        assert!(contents(&*engine.snapshot().unwrap()) == state);
        for arrived in [Arrived::Nothing, Arrived::Sectors { percent: 50 }, Arrived::Everything] {
            let image = Double::new(disk.image(disk.now(), arrived, &mut dice));
            assert!(contents(&*open(&image).unwrap().snapshot().unwrap()) == state, "{good}, {arrived:?}");
        }
    }
}

#[test]
fn a_failed_sync_while_the_journal_is_emptied() {
    let mut dice = Dice::new(12);
    let group = |dice: &mut Dice, state: &mut State| {
        let put = |_| {
            let key = format!("key {:02}", dice.roll(60)).into_bytes();
            let value = vec![dice.roll(256) as u8; 50_000];
            state.insert(key.clone(), value.clone());
            Op::Put(Bytes::from(key), Bytes::from(value))
        };
        let ops = (0..40).map(put).collect();
        vec![Batch { shard: 1, id: 1, expects: Vec::new(), ops }]
    };
    let mut failures = 0;
    for good in 0..14 {
        let disk = Double::empty();
        let engine = open(&disk).unwrap();
        disk.fail_sync_after(good);
        let mut state = State::new();
        for commit in 0..9 {
            let before = state.clone();
            if engine.commit(&group(&mut dice, &mut state)).is_err() {
                failures += 1;
                let found = contents(&*engine.snapshot().unwrap());
                assert!(found == before || found == state, "{good} good syncs, commit {commit}");
                state = found;
            }
        }
        for arrived in [Arrived::Nothing, Arrived::Sectors { percent: 50 }, Arrived::Everything] {
            let image = Double::new(disk.image(disk.now(), arrived, &mut dice));
            let found = contents(&*open(&image).unwrap().snapshot().unwrap());
            assert!(found == state, "{good} good syncs, {arrived:?}");
        }
    }
    assert!(failures > 10);
}

#[test]
fn a_failed_read_passes() {
    let disk = Double::empty();
    let options = Options { cache_bytes: 0 };
    let store = Store::new(Arc::new(Redb::on_disk(disk.clone(), &options).unwrap()));
    for i in 0..200u32 {
        store.transact(1, |txn| txn.put(&i.to_be_bytes(), &[7; 1_000])).unwrap();
    }
    disk.fail_reads(true);
    let read = || store.view()?.scan_prefix(b"", None, usize::MAX);
    assert_eq!(read().unwrap_err().kind, ErrorKind::Unavailable);
    disk.fail_reads(false);
    let healed = (0..3).find_map(|_| read().ok()).expect("reading works again");
    assert_eq!(healed.len(), 200);
    store.transact(1, |txn| txn.put(b"new", b"1")).unwrap();
}

#[test]
fn flipped_bytes_of_a_value_are_corrupt() {
    let disk = Double::empty();
    let store = Store::new(Arc::new(open(&disk).unwrap()));
    let mut dice = Dice::new(9);
    let mut value = || (0..400).map(|_| dice.roll(256) as u8).collect::<Vec<u8>>();
    let expected: Vec<_> = (0..300u32).map(|i| (i.to_be_bytes().to_vec(), value())).collect();
    for chunk in expected.chunks(20) {
        store.transact(1, |txn| chunk.iter().try_for_each(|(key, value)| txn.put(key, value))).unwrap();
    }
    store.close().unwrap();
    let sound = disk.image(disk.now(), Arrived::Everything, &mut dice);
    for _ in 0..images() {
        let mut image = sound.clone();
        let (key, value) = &expected[dice.roll(300) as usize];
        // Every copy, for those of older commits are still in the file.
        let copies: Vec<usize> =
            (0..image[0].len() - value.len()).filter(|at| image[0][*at..].starts_with(value)).collect();
        let (byte, bit) = (dice.roll(400) as usize, dice.roll(8));
        for at in &copies {
            image[0][at + byte] ^= 1 << bit;
        }
        assert!(!copies.is_empty());
        let store = Store::new(Arc::new(open(&Double::new(image)).unwrap()));
        let view = store.view().unwrap();
        for (other, value) in &expected {
            match view.get(other) {
                Ok(found) => assert!(found.as_ref() == Some(value) && other != key),
                Err(err) => assert_eq!((err.kind, err.key.as_ref()), (ErrorKind::Corrupt, Some(key))),
            }
        }
        let report = store.verify(&mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!((report.records, &report.damaged_keys[..]), (300, std::slice::from_ref(key)));
    }
}

#[test]
fn the_journal_of_another_database_is_passed_over() {
    let mut dice = Dice::new(12);
    let (one, other) = (Double::empty(), Double::empty());
    let mut state = State::new();
    let engines = [open(&one).unwrap(), open(&other).unwrap()];
    engines[0].commit(&group(&mut dice, &mut state)).unwrap();
    engines[1].commit(&group(&mut dice, &mut State::new())).unwrap();
    let [database, _] = one.image(one.now(), Arrived::Everything, &mut dice);
    let [_, journal] = other.image(other.now(), Arrived::Everything, &mut dice);
    let mixed = open(&Double::new([database, journal])).unwrap();
    assert!(contents(&*mixed.snapshot().unwrap()).is_empty());
}

#[test]
fn the_journal_begins_anew_and_is_replayed() {
    let mut dice = Dice::new(11);
    let disk = Double::empty();
    let mut engine = open(&disk).unwrap();
    let mut state = State::new();
    // Twice around, with a kill now and then: each time some of it lies in the journal only.
    for round in 0..40 {
        for n in 0..20u32 {
            let key = format!("{round} {n}").into_bytes();
            let value = vec![dice.roll(256) as u8; 50_000];
            state.insert(key.clone(), value.clone());
            let ops = vec![Op::Put(Bytes::from(key), Bytes::from(value))];
            engine.commit(&[Batch { shard: 1, id: 1, expects: Vec::new(), ops }]).unwrap();
        }
        if round % 3 == 0 {
            let image = disk.image(disk.now(), Arrived::Nothing, &mut dice);
            let killed = open(&Double::new(image)).unwrap();
            assert!(contents(&*killed.snapshot().unwrap()) == state, "round {round}");
        }
        if round % 7 == 0 {
            engine.close().unwrap();
            engine = open(&disk).unwrap();
            assert!(contents(&*engine.snapshot().unwrap()) == state, "round {round}");
        }
    }
}

#[test]
fn the_file_is_private_and_locked() {
    let dir = tempfile::tempdir().unwrap();
    let nested = dir.path().join("made");
    let engine = crate::open(&nested, crate::EngineKind::Redb, &Options::default()).unwrap();
    let meta = std::fs::metadata(nested.join(FILE_NAME)).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&nested).unwrap().permissions().mode() & 0o777, 0o700);
    }
    assert!(meta.len() > 0 && engine.disk_bytes().unwrap() > 0);
    let again = crate::open(&nested, crate::EngineKind::Redb, &Options::default());
    assert_eq!(again.err().unwrap().kind, ErrorKind::Busy);
    engine.close().unwrap();
    std::fs::write(nested.join("meta.redb.new"), "left by a kill").unwrap();
    drop(Redb::open(&nested, &Options::default()).unwrap());
    std::fs::remove_file(nested.join(FILE_NAME)).unwrap();
    drop(Redb::open(&nested, &Options::default()).unwrap());
    assert!(!nested.join("meta.redb.new").exists());
    std::fs::write(dir.path().join(FILE_NAME), vec![7; 5_000]).unwrap();
    let not_one = Redb::open(dir.path(), &Options::default());
    assert_eq!(not_one.err().unwrap().kind, ErrorKind::Corrupt);
}
