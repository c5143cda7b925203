//! Verification of an engine that cannot read everything.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use crate::memory::Memory;
use crate::{Batch, Direction, Engine, Error, ErrorKind, Finding, Gap, Snapshot, Store, Visit};

/// Scans fail between two keys.
struct Broken {
    inner: Memory,
    gap: (u8, u8),
}

struct BrokenSnapshot {
    inner: Arc<dyn Snapshot>,
    gap: (u8, u8),
}

impl Engine for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        Ok(Arc::new(BrokenSnapshot { inner: self.inner.snapshot()?, gap: self.gap }))
    }

    fn commit(&self, batches: &[Batch]) -> Result<(), Error> {
        self.inner.commit(batches)
    }

    fn disk_bytes(&self) -> Result<u64, Error> {
        Ok(0)
    }
}

impl Snapshot for BrokenSnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.inner.get(key)
    }

    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        dir: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        let mut failed = false;
        self.inner.scan(from, to, dir, &mut |key, value| {
            failed = (self.gap.0..=self.gap.1).contains(&key[0]);
            if failed { ControlFlow::Break(()) } else { visit(key, value) }
        })?;
        if failed { Err(Error::new(ErrorKind::Corrupt, "a page is damaged")) } else { Ok(()) }
    }
}

fn verify(gap: (u8, u8)) -> (u64, Option<Gap>, Vec<Option<Vec<u8>>>) {
    let store = Store::new(Arc::new(Broken { inner: Memory::new(), gap }));
    store.transact(1, |txn| (1..=9u8).try_for_each(|i| txn.put(&[i], &[i]))).unwrap();
    let mut told = Vec::new();
    let report = store
        .verify(&mut |finding| {
            if let Finding::Unreadable { after, .. } = finding {
                told.push(after.map(<[u8]>::to_vec));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(report.is_sound(), report.unreadable.is_none());
    (report.records, report.unreadable, told)
}

#[test]
fn reads_around_what_the_engine_cannot_read() {
    let key = |i: u8| Some(vec![i]);
    let error = Error::new(ErrorKind::Corrupt, "a page is damaged");
    for ((from, to), records, after, before) in [
        ((4, 6), 6, key(3), key(7)),
        ((1, 2), 7, None, key(3)),
        ((9, 9), 8, key(8), None),
        ((0, 9), 0, None, None),
    ] {
        let gap = Gap { after: after.clone(), before, error: error.clone() };
        assert_eq!(verify((from, to)), (records, Some(gap), vec![after]));
    }
    assert_eq!(verify((10, 20)), (9, None, vec![]));
}
