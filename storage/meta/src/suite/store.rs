//! Checks of the store above an engine, as long as nothing fails.

use std::future::Future;
use std::ops::{Bound, ControlFlow};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use parking_lot::Mutex;

use super::{Dice, Faulty, Site, all, pair, read};
use crate::{
    BATCH_OPS_MAX, Direction, Error, ErrorKind, GROUP_BATCHES_MAX, KEY_BYTES_MAX, KeyRange, Lookup, Pair,
    QUEUE_BYTES_MAX, Store, VALUE_BYTES_MAX,
};

fn paused(site: &dyn Site) -> (Arc<Faulty>, Store) {
    let faulty = Faulty::new(site.open());
    let store = Store::new(faulty.clone());
    store.transact(1, |txn| txn.put(b"first", b"1")).unwrap();
    faulty.pause();
    (faulty, store)
}

fn scanned(from: &impl Lookup, range: &KeyRange, dir: Direction) -> Vec<Pair> {
    let mut found = Vec::new();
    from.scan(range, dir, &mut |key, value| {
        found.push(pair(key, value));
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

/// A transaction reads its own writes over the queued ones over the durable state.
pub fn reads_what_is_queued(site: &dyn Site) {
    let (faulty, store) = paused(site);
    let (_, first) = store.submit(1, |txn| txn.put(b"a", b"queued")).unwrap();
    faulty.wait_for_commit();
    let (_, second) = store
        .submit(1, |txn| {
            assert_eq!(txn.get(b"a")?.as_deref(), Some(&b"queued"[..]));
            assert_eq!(txn.get(b"first")?.as_deref(), Some(&b"1"[..]));
            txn.delete(b"a")?;
            assert_eq!(txn.get(b"a")?, None);
            txn.put(b"b", b"own")?;
            assert_eq!(txn.get_many(&[b"a", b"b", b"c"])?, [None, Some(b"own".to_vec()), None]);
            txn.delete(b"first")
        })
        .unwrap();
    let (_, third) = store
        .submit(1, |txn| {
            assert_eq!(txn.get(b"a")?, None);
            assert_eq!(txn.get(b"first")?, None);
            assert_eq!(txn.get(b"b")?.as_deref(), Some(&b"own"[..]));
            txn.put(b"a", b"again")
        })
        .unwrap();
    assert_eq!(first.outcome(), None);
    faulty.resume();
    for durable in [first, second, third] {
        durable.wait().unwrap();
    }
    assert_eq!(
        scanned(&store.view().unwrap(), &KeyRange::all(), Direction::Forward),
        [pair("a", "again"), pair("b", "own")]
    );
}

/// Scans within transactions agree with a map while some batches are durable and some are queued.
pub fn scans_what_is_queued(site: &dyn Site) {
    let faulty = Faulty::new(site.open());
    let store = Store::new(faulty.clone());
    let mut model = std::collections::BTreeMap::<Vec<u8>, Vec<u8>>::new();
    let mut dice = Dice::new(3);
    for round in 0..60u8 {
        if round % 10 == 4 {
            faulty.pause();
        }
        if round % 10 == 8 {
            faulty.resume();
            store.transact(9, |txn| txn.get(b"k")).unwrap();
        }
        let (mut next, roll) = (model.clone(), dice.clone());
        let outcome = store.submit(9, |txn| {
            (next, dice) = (model.clone(), roll.clone());
            for _ in 0..6 {
                let key = [b'k', dice.roll(30) as u8];
                if dice.roll(3) == 0 {
                    txn.delete(&key)?;
                    next.remove(&key[..]);
                } else {
                    txn.put(&key, &[round])?;
                    next.insert(key.to_vec(), vec![round]);
                }
            }
            for (from, to) in [(0, 30), (5, 6), (7, 7), (12, 20)] {
                let (from, to) = ([b'k', from], [b'k', to]);
                let range = KeyRange::new(Bound::Included(&from), Bound::Excluded(&to));
                let expected = || next.range(from.to_vec()..to.to_vec()).map(|(key, value)| pair(key, value));
                assert!(scanned(txn, &range, Direction::Forward).into_iter().eq(expected()));
                assert!(scanned(txn, &range, Direction::Backward).into_iter().eq(expected().rev()));
                assert_eq!(txn.first(&range, Direction::Backward)?, expected().next_back());
            }
            Ok::<_, Error>(())
        });
        drop(outcome.unwrap());
        model = next;
    }
    faulty.resume();
    store.transact(9, |txn| txn.get(b"k")).unwrap();
    let expected: Vec<Pair> = model.into_iter().collect();
    assert_eq!(scanned(&store.view().unwrap(), &KeyRange::all(), Direction::Forward), expected);
}

/// A view contains what has been acknowledged, and nothing that is not durable.
pub fn views_show_only_what_is_durable(site: &dyn Site) {
    let (faulty, store) = paused(site);
    let before = store.view().unwrap();
    let (_, durable) = store.submit(1, |txn| txn.put(b"a", b"1")).unwrap();
    faulty.wait_for_commit();
    assert_eq!(read(&store, b"a"), None);
    faulty.resume();
    durable.wait().unwrap();
    assert_eq!(read(&store, b"a").as_deref(), Some(&b"1"[..]));
    assert_eq!(before.get(b"a").unwrap(), None);
}

/// What gathers during a commit goes into one group, up to its bounds.
pub fn groups_what_waits(site: &dyn Site) {
    let (faulty, store) = paused(site);
    let submit =
        |i: usize| store.submit(i as u64 % 5, |txn| txn.put(format!("{i}").as_bytes(), b"x")).unwrap().1;
    let first = submit(0);
    faulty.wait_for_commit();
    let waiting: Vec<_> = (1..=GROUP_BATCHES_MAX + 10).map(submit).collect();
    faulty.resume();
    first.wait().unwrap();
    for durable in waiting {
        durable.wait().unwrap();
    }
    assert_eq!(faulty.commits(), [1, 1, GROUP_BATCHES_MAX, 10]);
    let stats = store.stats();
    assert_eq!((stats.groups, stats.batches), (4, GROUP_BATCHES_MAX as u64 + 12));
}

/// Hooks run in the order of commits, after the state is visible, before waiters wake.
pub fn runs_hooks_in_order_before_waking(site: &dyn Site) {
    let (faulty, store) = paused(site);
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut waiting = Vec::new();
    for i in 0..20u8 {
        let (_, durable) = store
            .submit(u64::from(i % 3), |txn| {
                // One that only listens is told in its turn as well.
                if i % 4 != 3 {
                    txn.put(&[i], b"x")?;
                }
                let (log, store) = (log.clone(), store.clone());
                txn.on_commit(move || {
                    let visible = i % 4 == 3 || read(&store, &[i]).is_some();
                    log.lock().push((i, visible));
                });
                Ok::<_, Error>(())
            })
            .unwrap();
        waiting.push(durable);
    }
    assert!(log.lock().is_empty());
    faulty.resume();
    for (i, durable) in waiting.into_iter().enumerate() {
        durable.wait().unwrap();
        assert!(log.lock().len() > i);
    }
    let expected: Vec<(u8, bool)> = (0..20).map(|i| (i, true)).collect();
    assert_eq!(*log.lock(), expected);
}

/// Counters of several shards, incremented by several threads each, lose nothing.
pub fn counts_with_many_writers(site: &dyn Site) {
    const ROUNDS: u32 = 40;
    let store = Store::new(site.open());
    let hooks = Arc::new(AtomicUsize::new(0));
    thread::scope(|scope| {
        for thread in 0..8u32 {
            let (store, hooks) = (&store, &hooks);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let shard = u64::from((thread + round) % 3);
                    let key = [b'n', shard as u8];
                    let counted = store.transact(shard, |txn| {
                        let bytes = txn.get(&key)?.unwrap_or_else(|| vec![0; 4]);
                        let count = u32::from_le_bytes(bytes.try_into().unwrap()) + 1;
                        txn.put(&key, &count.to_le_bytes())?;
                        txn.put(&[&key[..], &count.to_be_bytes()].concat(), &[thread as u8])?;
                        let hooks = hooks.clone();
                        txn.on_commit(move || {
                            hooks.fetch_add(1, Ordering::Relaxed);
                        });
                        Ok::<_, Error>(count)
                    });
                    let stored = read(store, &key).unwrap();
                    assert!(u32::from_le_bytes(stored.try_into().unwrap()) >= counted.unwrap());
                }
            });
        }
    });
    assert_eq!(hooks.load(Ordering::Relaxed), 8 * ROUNDS as usize);
    let mut sum = 0;
    for shard in 0..3 {
        let key = [b'n', shard];
        let count = u32::from_le_bytes(read(&store, &key).unwrap().try_into().unwrap());
        let rows = store.view().unwrap().scan_prefix(&key, Some(&key), usize::MAX).unwrap();
        assert_eq!(rows.len(), count as usize);
        sum += count;
    }
    assert_eq!(sum, 8 * ROUNDS);
}

/// A transaction that wrote nothing is durable when what it can have read is.
pub fn reading_waits_for_what_it_read(site: &dyn Site) {
    let (faulty, store) = paused(site);
    let (_, nothing_before) = store.submit(1, |txn| txn.get(b"first")).unwrap();
    assert_eq!(nothing_before.outcome(), Some(Ok(())));
    let (_, written) = store.submit(1, |txn| txn.put(b"a", b"1")).unwrap();
    let (found, reading) = store.submit(1, |txn| txn.get(b"a")).unwrap();
    assert_eq!(found.as_deref(), Some(&b"1"[..]));
    let (_, elsewhere) = store.submit(2, |txn| txn.get(b"z")).unwrap();
    assert_eq!((written.outcome(), reading.outcome()), (None, None));
    assert_eq!(elsewhere.outcome(), Some(Ok(())));
    faulty.resume();
    reading.wait().unwrap();
    assert_eq!(written.outcome(), Some(Ok(())));
}

/// The limits themselves are let in, one more is `TooLarge`. There is no empty key.
pub fn keeps_the_limits(site: &dyn Site) {
    let store = Store::new(site.open());
    let (key, value) = (vec![b'k'; KEY_BYTES_MAX + 1], vec![b'v'; VALUE_BYTES_MAX + 1]);
    store.transact(1, |txn| txn.put(&key[1..], &value[1..])).unwrap();
    assert_eq!(read(&store, &key[1..]).as_deref(), Some(&value[1..]));
    let kind = |outcome: Result<(), Error>| outcome.unwrap_err().kind;
    assert_eq!(kind(store.transact(1, |txn| txn.put(&key, b""))), ErrorKind::TooLarge);
    assert_eq!(kind(store.transact(1, |txn| txn.put(b"k", &value))), ErrorKind::TooLarge);
    assert_eq!(kind(store.transact(1, |txn| txn.put(b"", b""))), ErrorKind::TooLarge);
    assert_eq!(kind(store.transact(1, |txn| txn.delete(b""))), ErrorKind::TooLarge);
    assert_eq!(read(&store, b""), None);
    let many =
        |count: u32| store.transact(1, |txn| (0..count).try_for_each(|i| txn.delete(&i.to_be_bytes())));
    many(BATCH_OPS_MAX as u32).unwrap();
    assert_eq!(kind(many(BATCH_OPS_MAX as u32 + 1)), ErrorKind::TooLarge);
    let large = store.transact(1, |txn| {
        (0..1024u32).try_for_each(|i| txn.put(&i.to_be_bytes(), &value[1..]))?;
        Ok(())
    });
    assert_eq!(kind(large), ErrorKind::TooLarge);
}

/// A writer waits while the queue is full, and goes on when it has been emptied.
pub fn holds_writers_back(site: &dyn Site) {
    let (faulty, store) = paused(site);
    let value = vec![7; VALUE_BYTES_MAX];
    let batches = 10;
    let puts = (QUEUE_BYTES_MAX / 8 / VALUE_BYTES_MAX) as u32;
    let queued = AtomicUsize::new(0);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let submit = |batch: u32| {
                let body = store.submit(1, |txn| {
                    (0..puts).try_for_each(|i| txn.put(&(batch % 2 * puts + i).to_be_bytes(), &value))
                });
                queued.fetch_add(1, Ordering::Relaxed);
                body.unwrap().1
            };
            let waiting: Vec<_> = (0..batches).map(submit).collect();
            waiting.into_iter().for_each(|durable| durable.wait().unwrap());
        });
        faulty.wait_for_commit();
        while queued.load(Ordering::Relaxed) < 7 {
            thread::yield_now();
        }
        thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(queued.load(Ordering::Relaxed), 7);
        faulty.resume();
        writer.join().unwrap();
    });
    assert_eq!(queued.load(Ordering::Relaxed), batches as usize);
}

/// Closing commits the queue, then everything answers `Unavailable`; the engine can be opened anew.
pub fn closing_commits_what_is_queued(site: &dyn Site) {
    let (faulty, store) = paused(site);
    let waiting: Vec<_> =
        (0..10u8).map(|i| store.submit(u64::from(i), |txn| txn.put(&[i], b"x")).unwrap().1).collect();
    let clone = store.clone();
    let closing = thread::spawn(move || clone.close());
    faulty.wait_for_commit();
    faulty.resume();
    closing.join().unwrap().unwrap();
    waiting.into_iter().for_each(|durable| durable.wait().unwrap());
    store.close().unwrap();
    assert_eq!(store.view().err().unwrap().kind, ErrorKind::Unavailable);
    assert_eq!(store.transact(1, |txn| txn.put(b"a", b"1")).unwrap_err().kind, ErrorKind::Unavailable);
    drop((store, faulty));
    assert_eq!(all(&*site.open().snapshot().unwrap()).len(), 11);
}

/// `Durable` wakes the task that polled it last.
pub fn wakes_asynchronous_waiters(site: &dyn Site) {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Count>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (faulty, store) = paused(site);
    let (_, durable) = store.submit(1, |txn| txn.put(b"a", b"1")).unwrap();
    let (_, also) = store.submit(1, |txn| txn.get(b"a")).unwrap();
    let (former, count) = (Arc::new(Count(AtomicUsize::new(0))), Arc::new(Count(AtomicUsize::new(0))));
    let (former_waker, waker) = (Waker::from(former.clone()), Waker::from(count.clone()));
    let (mut durable, mut also) = (pin!(durable), pin!(also));
    assert!(durable.as_mut().poll(&mut Context::from_waker(&former_waker)).is_pending());
    let mut cx = Context::from_waker(&waker);
    assert!(durable.as_mut().poll(&mut cx).is_pending());
    assert!(also.as_mut().poll(&mut cx).is_pending());
    faulty.resume();
    while count.0.load(Ordering::SeqCst) < 2 {
        thread::yield_now();
    }
    assert_eq!(former.0.load(Ordering::SeqCst), 0);
    assert_eq!(durable.poll(&mut cx), Poll::Ready(Ok(())));
    assert_eq!(also.poll(&mut cx), Poll::Ready(Ok(())));
}

/// What is durable is no longer held in memory, also of shards that rest.
pub fn lets_go_of_queued_writes(site: &dyn Site) {
    let store = Store::new(site.open());
    for shard in 0..20u64 {
        store.transact(shard, |txn| txn.put(&shard.to_be_bytes(), &[1; 1000])).unwrap();
    }
    assert_eq!(store.queued_keys(), 0);
}

/// A listing taken up page by page is complete and in order.
pub fn pages_by_prefix(site: &dyn Site) {
    let store = Store::new(site.open());
    let keys: Vec<String> = (0..25).map(|i| format!("p/{i:02}")).collect();
    store
        .transact(1, |txn| {
            for key in keys.iter().map(String::as_str).chain(["o", "p", "p0", "q"]) {
                txn.put(key.as_bytes(), b"")?;
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    let view = store.view().unwrap();
    let mut found: Vec<Vec<u8>> = Vec::new();
    loop {
        let page = view.scan_prefix(b"p/", found.last().map(Vec::as_slice), 7).unwrap();
        let full = page.len() == 7;
        found.extend(page.into_iter().map(|(key, _)| key));
        if !full {
            break;
        }
    }
    assert!(found.iter().map(Vec::as_slice).eq(keys.iter().map(String::as_bytes)));
    assert!(view.scan_prefix(b"p/", None, 0).unwrap().is_empty());
    assert_eq!(view.scan_prefix(b"", None, 100).unwrap().len(), 29);
    let before = KeyRange::prefix(b"p/").before(b"p/05");
    assert_eq!(view.first(&before, Direction::Backward).unwrap(), Some(pair("p/04", "")));
}
