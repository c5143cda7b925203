//! Checks of the store when things fail.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::{Faulty, Site, batch, put, read};
use crate::{Direction, Durable, Error, ErrorKind, Finding, KeyRange, Lookup, Store, VALUE_BYTES_MAX};

fn faulty(site: &dyn Site) -> (Arc<Faulty>, Store) {
    let faulty = Faulty::new(site.open());
    let store = Store::new(faulty.clone());
    store.transact(1, |txn| txn.put(b"1", b"old")).unwrap();
    store.transact(2, |txn| txn.put(b"2", b"old")).unwrap();
    (faulty, store)
}

fn submit(store: &Store, shard: u64, key: &[u8], value: &[u8]) -> Durable {
    store.submit(shard, |txn| txn.put(key, value)).unwrap().1
}

fn kind(durable: Durable) -> Option<ErrorKind> {
    durable.wait().err().map(|err| err.kind)
}

/// A failed group fails its batches and all that is queued on top, and nothing of it is seen again.
/// Other shards' queued batches get their own turn. When there is room, writing works again.
pub fn a_full_disk_fails_what_waits(site: &dyn Site) {
    let (faulty, store) = faulty(site);
    let hook_ran = Arc::new(AtomicBool::new(false));
    faulty.pause();
    let first = submit(&store, 1, b"1", b"new");
    faulty.wait_for_commit();
    let (_, on_top) = store
        .submit(1, |txn| {
            assert_eq!(txn.get(b"1")?.as_deref(), Some(&b"new"[..]));
            let hook_ran = hook_ran.clone();
            txn.on_commit(move || hook_ran.store(true, Ordering::Relaxed));
            txn.put(b"1b", b"new")
        })
        .unwrap();
    let (_, reading) = store.submit(1, |txn| txn.get(b"1b")).unwrap();
    faulty.fail(Some(ErrorKind::NoSpace));
    faulty.resume();
    for durable in [first, on_top, reading] {
        assert_eq!(kind(durable), Some(ErrorKind::NoSpace));
    }
    assert_eq!(kind(submit(&store, 2, b"2", b"new")), Some(ErrorKind::NoSpace));
    let found = store.transact(1, |txn| txn.get_many(&[b"1", b"1b"])).unwrap();
    assert_eq!(found, [Some(b"old".to_vec()), None]);
    assert_eq!(read(&store, b"2").as_deref(), Some(&b"old"[..]));
    faulty.fail(None);
    assert_eq!(kind(submit(&store, 1, b"1", b"newer")), None);
    assert_eq!(read(&store, b"1").as_deref(), Some(&b"newer"[..]));
    assert!(!hook_ran.load(Ordering::Relaxed));
    assert!(store.stats().failures >= 2);
}

/// A body that has read writes which then fail runs again on what is left.
pub fn a_body_on_failed_ground_runs_again(site: &dyn Site) {
    let (faulty, store) = faulty(site);
    faulty.pause();
    let first = submit(&store, 1, b"1", b"new");
    faulty.wait_for_commit();
    let (inside, wait_inside) = mpsc::channel();
    let (go_on, wait_go_on) = mpsc::channel::<()>();
    let store = &store;
    thread::scope(|scope| {
        let running = scope.spawn(move || {
            let mut seen = Vec::new();
            let outcome = store.submit(1, |txn| {
                seen.push(txn.get(b"1")?);
                inside.send(()).unwrap();
                if seen.len() == 1 {
                    wait_go_on.recv().unwrap();
                }
                txn.put(b"1b", seen.last().unwrap().as_deref().unwrap())
            });
            outcome.unwrap().1.wait().unwrap();
            seen
        });
        wait_inside.recv().unwrap();
        faulty.fail(Some(ErrorKind::NoSpace));
        faulty.resume();
        assert_eq!(kind(first), Some(ErrorKind::NoSpace));
        faulty.fail(None);
        go_on.send(()).unwrap();
        assert_eq!(running.join().unwrap(), [Some(b"new".to_vec()), Some(b"old".to_vec())]);
    });
    assert_eq!(read(store, b"1b").as_deref(), Some(&b"old"[..]));
}

/// A conflict fails the batch that has it, and what its shard built on it, but nobody else.
pub fn a_conflict_concerns_one_batch(site: &dyn Site) {
    let (faulty, store) = faulty(site);
    faulty.pause();
    let blocker = submit(&store, 3, b"3", b"new");
    faulty.wait_for_commit();
    let mut waiting = Vec::new();
    for shard in [1, 2, 3, 2, 1] {
        let key = format!("{shard}");
        waiting.push((shard, submit(&store, shard, key.as_bytes(), b"newer")));
    }
    faulty.refuse(2);
    faulty.resume();
    assert_eq!(kind(blocker), None);
    for (shard, durable) in waiting {
        assert_eq!(kind(durable), (shard == 2).then_some(ErrorKind::Conflict), "shard {shard}");
    }
    assert_eq!(read(&store, b"1").as_deref(), Some(&b"newer"[..]));
    assert_eq!(read(&store, b"2").as_deref(), Some(&b"old"[..]));
}

/// A body that panics changes nothing and leaves the shard usable.
pub fn a_panicking_body_changes_nothing(site: &dyn Site) {
    let (_, store) = faulty(site);
    let clone = store.clone();
    let panicked = thread::spawn(move || {
        let _ = clone.transact(1, |txn| -> Result<(), Error> {
            txn.put(b"1", b"new")?;
            panic!("as ordered")
        });
    });
    assert!(panicked.join().is_err());
    assert_eq!(store.transact(1, |txn| txn.get(b"1")).unwrap().as_deref(), Some(&b"old"[..]));
    assert_eq!(kind(submit(&store, 1, b"1", b"new")), None);
}

/// A hook that panics is as if it had returned.
pub fn a_panicking_hook_harms_nobody(site: &dyn Site) {
    let (_, store) = faulty(site);
    let hooks = Arc::new(AtomicUsize::new(0));
    let body = |txn: &mut crate::Txn<'_>| {
        txn.put(b"1", b"new")?;
        txn.on_commit(|| panic!("as ordered"));
        let hooks = hooks.clone();
        txn.on_commit(move || {
            hooks.fetch_add(1, Ordering::Relaxed);
        });
        Ok::<_, Error>(())
    };
    store.transact(1, body).unwrap();
    store.transact(1, body).unwrap();
    assert_eq!(hooks.load(Ordering::Relaxed), 2);
}

/// An engine that panics in a commit fails the group, and is asked again for the next.
pub fn a_panicking_engine_fails_the_group(site: &dyn Site) {
    let (faulty, store) = faulty(site);
    faulty.panic_once();
    assert_eq!(kind(submit(&store, 1, b"1", b"new")), Some(ErrorKind::Unavailable));
    assert_eq!(store.transact(1, |txn| txn.get(b"1")).unwrap().as_deref(), Some(&b"old"[..]));
    assert_eq!(kind(submit(&store, 1, b"1", b"new")), None);
}

/// A stored record with any bit wrong, shortened, or under another key, is `Corrupt` with its key.
pub fn damage_is_never_data(site: &dyn Site) {
    let engine = site.open();
    let store = Store::new(engine.clone());
    store.transact(1, |txn| txn.put(b"k", b"payload")).unwrap();
    let sound = engine.snapshot().unwrap().get(b"k").unwrap().unwrap();
    let mut damaged: Vec<(&[u8], Vec<u8>)> =
        vec![(b"k2", sound.clone()), (b"j", sound.clone()), (b"k", vec![])];
    damaged.extend((0..sound.len()).map(|len| (&b"k"[..], sound[..len].to_vec())));
    for bit in 0..sound.len() * 8 {
        let mut record = sound.clone();
        record[bit / 8] ^= 1 << (bit % 8);
        damaged.push((b"k", record));
    }
    // The engine is written to behind the store's back, so each state is read by a store of its own.
    for (key, record) in damaged {
        engine.commit(&[batch(vec![put(key, record)])]).unwrap();
        let store = Store::new(Faulty::kept_open(engine.clone()));
        let corrupt =
            |err: Error| assert_eq!((err.kind, err.key.as_deref()), (ErrorKind::Corrupt, Some(key)));
        corrupt(store.view().unwrap().get(key).unwrap_err());
        corrupt(store.view().unwrap().get_many(&[key]).unwrap_err());
        corrupt(store.view().unwrap().scan_prefix(key, None, 1).unwrap_err());
        corrupt(store.transact(1, |txn| txn.get(key)).unwrap_err());
        corrupt(store.transact(1, |txn| txn.scan_prefix(key, None, 1)).unwrap_err());
        engine.commit(&[batch(vec![crate::Op::Delete(bytes::Bytes::copy_from_slice(key))])]).unwrap();
    }
}

/// Verification names every damaged record and reads the others.
pub fn verify_goes_on_after_damage(site: &dyn Site) {
    let engine = site.open();
    let store = Store::new(engine.clone());
    let count = 25_000u32;
    store.transact(1, |txn| (0..count).try_for_each(|i| txn.put(&i.to_be_bytes(), b"payload"))).unwrap();
    let damaged = [0u32, 17, 18, 24_999];
    engine.commit(&[batch(damaged.iter().map(|i| put(i.to_be_bytes(), b"payload?????")).collect())]).unwrap();
    store.transact(1, |txn| txn.put(b"z", b"")).unwrap();
    let (mut progress, mut found) = (0, Vec::new());
    let report = store
        .verify(&mut |finding| {
            match finding {
                Finding::Progress { records, .. } => progress = records,
                Finding::Damaged { key, .. } => found.push(key.to_vec()),
                Finding::Unreadable { .. } => panic!("unreadable"),
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let expected: Vec<Vec<u8>> = damaged.iter().map(|i| i.to_be_bytes().to_vec()).collect();
    assert_eq!((report.records, report.damaged, progress), (u64::from(count) + 1, 4, 20_000));
    assert_eq!((&report.damaged_keys, &found), (&expected, &expected));
    assert!(!report.is_sound());
    let stopped = store.verify(&mut |_| ControlFlow::Break(())).unwrap();
    assert_eq!((stopped.records, stopped.stopped), (1, true));
}

/// A body that ignores a refused write does not commit the others.
pub fn a_refused_write_cannot_commit(site: &dyn Site) {
    let (_, store) = faulty(site);
    let outcome = store.transact(1, |txn| {
        txn.put(b"1", b"new")?;
        let _ = txn.put(b"1b", &vec![0; VALUE_BYTES_MAX + 1]);
        Ok::<_, Error>(())
    });
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::TooLarge);
    assert_eq!(read(&store, b"1").as_deref(), Some(&b"old"[..]));
}

/// A body's error that follows from queued writes is told when they are durable, or replaced by
/// the reason why they are not.
pub fn an_error_waits_for_its_ground(site: &dyn Site) {
    #[derive(Debug, PartialEq)]
    enum Refusal {
        Exists,
        Storage(ErrorKind),
    }
    impl From<Error> for Refusal {
        fn from(err: Error) -> Refusal {
            Refusal::Storage(err.kind)
        }
    }
    let (faulty, store) = faulty(site);
    let create = |txn: &mut crate::Txn<'_>| match txn.first(&KeyRange::prefix(b"new"), Direction::Forward)? {
        Some(_) => Err(Refusal::Exists),
        None => Ok(txn.put(b"new", b"")?),
    };
    for (order, expected) in
        [(Some(ErrorKind::NoSpace), Refusal::Storage(ErrorKind::NoSpace)), (None, Refusal::Exists)]
    {
        faulty.fail(order);
        faulty.pause();
        let (_, first) = store.submit(1, create).unwrap();
        assert_eq!(store.submit(1, create).err(), Some(Refusal::Exists));
        thread::scope(|scope| {
            let second = scope.spawn(|| store.transact(1, create));
            faulty.wait_for_commit();
            faulty.resume();
            // Either it waited for the first, or it came after its failure and ran on firm ground.
            let second = second.join().unwrap();
            assert!(
                second == Err(expected)
                    || (order.is_some() && second == Err(Refusal::Storage(ErrorKind::NoSpace)))
            );
        });
        assert_eq!(first.wait().is_err(), order.is_some());
    }
}
