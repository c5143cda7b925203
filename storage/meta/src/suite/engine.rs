//! Checks of an engine by itself.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Dice, Site, absent, all, batch, delete, pair, put, scan, value};
use crate::engine::bounds_are_empty;
use crate::{BATCH_OPS_MAX, Batch, Direction, Error, ErrorKind, KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// Keys come back in the order of their bytes, unsigned, a prefix first.
pub fn orders_keys_as_unsigned_bytes(site: &dyn Site) {
    let engine = site.open();
    let ordered: [&[u8]; 9] =
        [b"\x00", b"\x00\x00", b"\x00\xff", b"a", b"a\x00", b"ab", b"\x7f", b"\x80", b"\xff\xff"];
    let shuffled = [4, 0, 8, 2, 6, 1, 5, 3, 7];
    engine.commit(&[batch(shuffled.iter().map(|&i| put(ordered[i], [i as u8])).collect())]).unwrap();
    let expected: Vec<_> = ordered.iter().enumerate().map(|(i, key)| pair(key, [i as u8])).collect();
    assert_eq!(all(&*engine.snapshot().unwrap()), expected);
}

/// Scans with every combination of bounds, present and absent, in both directions, agree with a map.
pub fn scans_every_kind_of_bound(site: &dyn Site) {
    let engine = site.open();
    let keys: [&[u8]; 5] = [b"b", b"b\x00", b"d", b"dd", b"f\xff"];
    engine.commit(&[batch(keys.iter().map(|key| put(key, key)).collect())]).unwrap();
    let map: BTreeMap<&[u8], &[u8]> = keys.iter().map(|key| (*key, *key)).collect();
    let snapshot = engine.snapshot().unwrap();
    let places: [&[u8]; 12] =
        [b"", b"a", b"b", b"b\x00", b"b\x00\x00", b"c", b"d", b"dd", b"e", b"f\xff", b"g", b"\xff"];
    let bounds: Vec<Bound<&[u8]>> = std::iter::once(Bound::Unbounded)
        .chain(places.iter().flat_map(|key| [Bound::Included(*key), Bound::Excluded(*key)]))
        .collect();
    for from in &bounds {
        for to in &bounds {
            let mut expected: Vec<_> = if bounds_are_empty(*from, *to) {
                Vec::new()
            } else {
                map.range::<[u8], _>((*from, *to)).map(|(key, value)| pair(key, value)).collect()
            };
            let found = scan(&*snapshot, *from, *to, Direction::Forward);
            assert_eq!(found, expected, "{from:?} to {to:?}");
            expected.reverse();
            let found = scan(&*snapshot, *from, *to, Direction::Backward);
            assert_eq!(found, expected, "{from:?} to {to:?}, backward");
        }
    }
}

/// A scan ends where its visitor breaks.
pub fn stops_when_told(site: &dyn Site) {
    let engine = site.open();
    engine.commit(&[batch((0..100u8).map(|i| put([i], [i])).collect())]).unwrap();
    for dir in [Direction::Forward, Direction::Backward] {
        let mut seen = 0;
        let mut visit = |_: &[u8], _: &[u8]| {
            seen += 1;
            if seen == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        engine.snapshot().unwrap().scan(Bound::Unbounded, Bound::Unbounded, dir, &mut visit).unwrap();
        assert_eq!(seen, 7);
    }
}

/// The visitor of a scan may read the same snapshot, and commit.
pub fn reads_while_scanning(site: &dyn Site) {
    let engine = site.open();
    engine.commit(&[batch((0..10u8).map(|i| put([i], [i])).collect())]).unwrap();
    let snapshot = engine.snapshot().unwrap();
    let mut visited = 0;
    let mut visit = |key: &[u8], found: &[u8]| {
        assert_eq!(snapshot.get(key).unwrap().as_deref(), Some(found));
        engine.commit(&[batch(vec![delete([key[0] + 1]), put([key[0] + 100], b"new")])]).unwrap();
        visited += 1;
        ControlFlow::Continue(())
    };
    snapshot.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward, &mut visit).unwrap();
    assert_eq!(visited, 10);
}

/// A snapshot shows the state at its time, whatever is committed later; a new one shows all.
pub fn snapshots_do_not_change(site: &dyn Site) {
    let engine = site.open();
    let mut states: Vec<(_, BTreeMap<Vec<u8>, Vec<u8>>)> = Vec::new();
    let mut map = BTreeMap::new();
    let mut dice = Dice::new(1);
    for round in 0..40u8 {
        states.push((engine.snapshot().unwrap(), map.clone()));
        let mut ops = Vec::new();
        for _ in 0..10 {
            let key = vec![b'k', dice.roll(40) as u8];
            if dice.roll(3) == 0 {
                ops.push(delete(&key));
                map.remove(&key);
            } else {
                ops.push(put(&key, [round]));
                map.insert(key, vec![round]);
            }
        }
        engine.commit(&[batch(ops)]).unwrap();
        if dice.roll(3) == 0 {
            states.remove(dice.roll(states.len() as u64) as usize);
        }
    }
    states.push((engine.snapshot().unwrap(), map));
    for (snapshot, map) in &states {
        let expected: Vec<_> = map.iter().map(|(key, value)| pair(key, value)).collect();
        assert_eq!(all(&**snapshot), expected);
        let backward = scan(&**snapshot, Bound::Unbounded, Bound::Unbounded, Direction::Backward);
        assert!(backward.iter().eq(expected.iter().rev()));
        for key in 0..40 {
            assert_eq!(snapshot.get(&[b'k', key]).unwrap().as_ref(), map.get(&vec![b'k', key]));
        }
        let keys: [&[u8]; 3] = [b"k\x01", b"absent", b"k\x02"];
        let many = snapshot.get_many(&keys).unwrap();
        assert!(many.iter().zip(keys).all(|(found, key)| found.as_ref() == map.get(key)));
    }
}

/// Within a group and within a batch the last change of a key wins.
pub fn applies_batches_in_order(site: &dyn Site) {
    let engine = site.open();
    engine.commit(&[]).unwrap();
    engine
        .commit(&[
            batch(vec![put("a", "1"), put("b", "1"), delete("b"), put("c", "1")]),
            batch(vec![put("a", "2"), delete("c"), put("d", "1")]),
            batch(vec![delete("d"), put("d", "2"), delete("never"), put("a", "3")]),
        ])
        .unwrap();
    assert_eq!(all(&*engine.snapshot().unwrap()), [pair("a", "3"), pair("d", "2")]);
}

/// Expectations are judged against what the batches before leave.
pub fn judges_expectations(site: &dyn Site) {
    let engine = site.open();
    let with = |expects, ops| Batch { expects, ..batch(ops) };
    engine.commit(&[with(vec![absent(b"a")], vec![put("a", "1")])]).unwrap();
    engine
        .commit(&[
            with(vec![value(b"a", b"1"), absent(b"b")], vec![put("a", "2")]),
            with(vec![value(b"a", b"2")], vec![delete("a")]),
            with(vec![absent(b"a")], vec![put("b", "")]),
            with(vec![value(b"b", b"")], vec![]),
        ])
        .unwrap();
    let refused = |expect, key: &[u8]| {
        let err = engine.commit(&[with(vec![expect], vec![put("x", "x")])]).unwrap_err();
        assert_eq!((err.kind, err.key.as_deref()), (ErrorKind::Conflict, Some(key)));
    };
    refused(absent(b"b"), b"b");
    refused(value(b"b", b"1"), b"b");
    refused(value(b"a", b""), b"a");
    assert_eq!(all(&*engine.snapshot().unwrap()), [pair("b", "")]);
}

/// A conflict in the last batch of a group leaves nothing of the first, and the engine works on.
pub fn a_conflict_applies_nothing(site: &dyn Site) {
    let engine = site.open();
    engine.commit(&[batch(vec![put("a", "1")])]).unwrap();
    let last = Batch { expects: vec![value(b"a", b"1")], ..batch(vec![put("c", "1")]) };
    let err = engine.commit(&[batch(vec![put("a", "2"), put("b", "1")]), last]).unwrap_err();
    assert_eq!(err.kind, ErrorKind::Conflict);
    assert_eq!(all(&*engine.snapshot().unwrap()), [pair("a", "1")]);
    engine.commit(&[batch(vec![put("a", "3")])]).unwrap();
    assert_eq!(all(&*engine.snapshot().unwrap()), [pair("a", "3")]);
}

/// The longest keys and values, and the shortest, come back as they were, also after reopening.
pub fn keeps_the_largest_records(site: &dyn Site) {
    let mut engine = site.open();
    let long = vec![0xff; KEY_BYTES_MAX];
    let large: Vec<u8> = (0..VALUE_BYTES_MAX + 5).map(|i| (i % 251) as u8).collect();
    let ops = (0..20u8).map(|i| put([&long[..KEY_BYTES_MAX - 1], &[i]].concat(), &large));
    engine.commit(&[batch(ops.collect()), batch(vec![put("0", "")])]).unwrap();
    for _ in 0..2 {
        let snapshot = engine.snapshot().unwrap();
        assert_eq!(snapshot.get(b"").unwrap(), None);
        assert_eq!(snapshot.get(b"0").unwrap().as_deref(), Some(&b""[..]));
        let found = all(&*snapshot);
        assert_eq!(found.len(), 21);
        assert!(found[1..].iter().all(|(key, value)| key.len() == KEY_BYTES_MAX && *value == large));
        drop(snapshot);
        engine.close().unwrap();
        drop(engine);
        engine = site.open();
    }
}

/// A batch of the most changes is applied whole.
pub fn takes_the_largest_batch(site: &dyn Site) {
    let engine = site.open();
    let key = |i: usize| format!("key {i:06}");
    engine.commit(&[batch((0..BATCH_OPS_MAX).map(|i| put(key(i), "some value")).collect())]).unwrap();
    let snapshot = engine.snapshot().unwrap();
    engine.commit(&[batch((0..BATCH_OPS_MAX).map(|i| delete(key(i))).collect())]).unwrap();
    assert_eq!(all(&*snapshot).len(), BATCH_OPS_MAX);
    assert_eq!(all(&*engine.snapshot().unwrap()).len(), 0);
}

/// What was committed is there after closing and opening, and after dropping and opening.
pub fn reopens(site: &dyn Site) {
    let mut expected = Vec::new();
    for round in 0..6u8 {
        let engine = site.open();
        assert_eq!(all(&*engine.snapshot().unwrap()), expected);
        engine.commit(&[batch(vec![put([round], [round])])]).unwrap();
        expected.push(pair([round], [round]));
        assert!(engine.disk_bytes().unwrap() > 0 || !site.locks());
        if round % 2 == 0 {
            engine.close().unwrap();
        }
    }
}

/// An open database is refused to others as `Busy`.
pub fn is_opened_once(site: &dyn Site) {
    if !site.locks() {
        return;
    }
    let engine = site.open();
    engine.commit(&[batch(vec![put("a", "1")])]).unwrap();
    assert_eq!(site.open_again().map(|err| err.kind), Some(ErrorKind::Busy));
    engine.commit(&[batch(vec![put("a", "2")])]).unwrap();
    engine.close().unwrap();
    drop(engine);
    assert_eq!(all(&*site.open().snapshot().unwrap()), [pair("a", "2")]);
}

/// A closed engine answers `Unavailable`, also to old snapshots, and closing again is harmless.
pub fn closing_is_final(site: &dyn Site) {
    if !site.locks() {
        return;
    }
    let engine = site.open();
    engine.commit(&[batch((0..200).map(|i| put(format!("{i}"), [7; 1000])).collect())]).unwrap();
    let snapshot = engine.snapshot().unwrap();
    engine.close().unwrap();
    engine.close().unwrap();
    let unavailable = |err: Option<Error>| assert_eq!(err.unwrap().kind, ErrorKind::Unavailable);
    unavailable(engine.commit(&[batch(vec![put("a", "1")])]).err());
    unavailable(engine.snapshot().err());
    // A part that was in memory may still be read.
    if let Err(err) = snapshot.get(b"77") {
        unavailable(Some(err));
    }
}

/// Readers see each group whole while a writer commits.
pub fn reads_beside_a_writer(site: &dyn Site) {
    let engine = site.open();
    let done = AtomicBool::new(false);
    let group = |n: u8| (0..20u8).map(|i| put([b'k', i], [n; 50])).collect();
    engine.commit(&[batch(group(0))]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let snapshot = engine.snapshot().unwrap();
                    let found = all(&*snapshot);
                    let n = found[0].1[0];
                    assert!(found.len() == 20 && found.iter().all(|(_, value)| value[..] == [n; 50]));
                    assert_eq!(snapshot.get(b"k\x05").unwrap().unwrap()[0], n);
                    assert!(n >= last, "time goes backward: {last} then {n}");
                    last = n;
                }
            });
        }
        for n in 1..60 {
            engine.commit(&[batch(group(n)), batch(vec![put("z", [n])]), batch(vec![delete("z")])]).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
}
