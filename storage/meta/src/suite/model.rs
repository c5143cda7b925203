//! Random operations against an ordered map.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::{Dice, Site, all, batch, delete, put, scan};
use crate::{Direction, Error, KeyRange, Lookup, Pair, Snapshot, Store};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Keys of several lengths that share prefixes.
fn key(dice: &mut Dice) -> Vec<u8> {
    let len = 1 + dice.roll(3);
    (0..len).map(|_| [0, b'a', b'b', 0xff][dice.roll(4) as usize]).collect()
}

fn value(dice: &mut Dice) -> Vec<u8> {
    let len = [0, 1, 20, 600, 5_000, 30_000][dice.roll(6) as usize];
    vec![dice.roll(256) as u8; len]
}

/// Batches, scans, snapshots and reopening in random order, several seeds.
pub fn agrees_with_a_map(site: &dyn Site) {
    let mut engine = site.open();
    let mut map = Map::new();
    let mut kept: Vec<(Arc<dyn Snapshot>, Map)> = Vec::new();
    let mut dice = Dice::new(2024);
    for step in 0..300 {
        match dice.roll(12) {
            0 => {
                kept.clear();
                engine.close().unwrap();
                drop(engine);
                engine = site.open();
            }
            1 => kept.push((engine.snapshot().unwrap(), map.clone())),
            2 if !kept.is_empty() => {
                kept.swap_remove(dice.roll(kept.len() as u64) as usize);
            }
            3..6 => {
                let (from, to) = (key(&mut dice), key(&mut dice));
                let (from, to) = if from <= to { (from, to) } else { (to, from) };
                let expected: Vec<Pair> =
                    map.range(from.clone()..to.clone()).map(|(k, v)| (k.clone(), v.clone())).collect();
                let snapshot = engine.snapshot().unwrap();
                let bounds = (Bound::Included(&from[..]), Bound::Excluded(&to[..]));
                assert_eq!(scan(&*snapshot, bounds.0, bounds.1, Direction::Forward), expected, "step {step}");
                let mut backward = scan(&*snapshot, bounds.0, bounds.1, Direction::Backward);
                backward.reverse();
                assert_eq!(backward, expected, "step {step}");
            }
            _ => {
                let group: Vec<_> = (0..1 + dice.roll(3))
                    .map(|_| {
                        let ops = (0..dice.roll(8)).map(|_| change(&mut dice, &mut map));
                        batch(ops.collect())
                    })
                    .collect();
                engine.commit(&group).unwrap();
            }
        }
        for (snapshot, map) in &kept {
            let probe = key(&mut dice);
            assert_eq!(snapshot.get(&probe).unwrap().as_ref(), map.get(&probe), "step {step}");
        }
    }
    kept.push((engine.snapshot().unwrap(), map));
    for (snapshot, map) in kept {
        assert_eq!(all(&*snapshot), map.into_iter().collect::<Vec<_>>());
    }
}

fn change(dice: &mut Dice, map: &mut Map) -> crate::Op {
    let key = key(dice);
    if dice.roll(3) == 0 {
        map.remove(&key);
        delete(&key)
    } else {
        let value = value(dice);
        map.insert(key.clone(), value.clone());
        put(&key, &value)
    }
}

/// Transactions of several shards, some waited for and some not, with reopening.
pub fn agrees_with_a_map_through_the_store(site: &dyn Site) {
    let mut store = Store::new(site.open());
    let mut maps = vec![Map::new(); 3];
    let mut dice = Dice::new(7);
    for step in 0..250 {
        if dice.roll(25) == 0 {
            store.close().unwrap();
            drop(store);
            store = Store::new(site.open());
        }
        let shard = dice.roll(3) as usize;
        let (start, mut after) = (dice.clone(), Map::new());
        let body = |txn: &mut crate::Txn<'_>| {
            (dice, after) = (start.clone(), maps[shard].clone());
            for _ in 0..dice.roll(8) {
                let key = [&[shard as u8][..], &key(&mut dice)].concat();
                assert_eq!(txn.get(&key)?.as_ref(), after.get(&key));
                if dice.roll(3) == 0 {
                    txn.delete(&key)?;
                    after.remove(&key);
                } else {
                    let value = value(&mut dice);
                    txn.put(&key, &value)?;
                    after.insert(key, value);
                }
            }
            let dir = [Direction::Forward, Direction::Backward][dice.roll(2) as usize];
            let mut found = Vec::new();
            txn.scan(&KeyRange::prefix(&[shard as u8]), dir, &mut |key, value| {
                found.push((key.to_vec(), value.to_vec()));
                std::ops::ControlFlow::Continue(())
            })?;
            if dir == Direction::Backward {
                found.reverse();
            }
            assert!(found.iter().map(|(k, v)| (k, v)).eq(after.iter()), "step {step}");
            Ok::<_, Error>(())
        };
        let (_, durable) = store.submit(shard as u64, body).unwrap();
        maps[shard] = after;
        if dice.roll(3) == 0 {
            durable.wait().unwrap();
        }
    }
    store.close().unwrap();
    drop(store);
    let store = Store::new(site.open());
    let found = store.view().unwrap().scan_prefix(b"", None, usize::MAX).unwrap();
    assert_eq!(found, maps.into_iter().flatten().collect::<Vec<_>>());
}
