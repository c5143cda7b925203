//! An engine that keeps nothing beyond the process. A real implementation, for tests.
//!
//! The state is a persistent tree: a snapshot is a clone that shares all nodes with the original.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;
use imbl::OrdMap;
use parking_lot::RwLock;

use crate::engine::bounds_are_empty;
use crate::{Batch, Direction, Engine, Error, ErrorKind, Op, Snapshot, Visit};

type Map = OrdMap<Bytes, Bytes>;

/// The engine in memory. "Durable" means applied, for there is nothing to sync.
#[derive(Default)]
pub struct Memory {
    map: RwLock<Map>,
}

impl Memory {
    /// An empty database.
    pub fn new() -> Memory {
        Memory::default()
    }
}

impl Engine for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        Ok(Arc::new(MemorySnapshot { map: self.map.read().clone() }))
    }

    fn commit(&self, batches: &[Batch]) -> Result<(), Error> {
        let mut held = self.map.write();
        let mut next = held.clone();
        for batch in batches {
            for expect in &batch.expects {
                if !expect.state.holds(next.get(&expect.key).map(|value| &value[..])) {
                    return Err(
                        Error::new(ErrorKind::Conflict, "an expectation did not hold").at(&expect.key)
                    );
                }
            }
            for op in &batch.ops {
                match op {
                    Op::Put(key, value) => next.insert(key.clone(), value.clone()),
                    Op::Delete(key) => next.remove(key),
                };
            }
        }
        *held = next;
        Ok(())
    }

    fn disk_bytes(&self) -> Result<u64, Error> {
        Ok(0)
    }
}

struct MemorySnapshot {
    map: Map,
}

impl Snapshot for MemorySnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.map.get(key).map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        dir: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        if bounds_are_empty(from, to) {
            return Ok(());
        }
        let mut step = |(key, value): (&Bytes, &Bytes)| visit(key, value);
        let range = self.map.range::<_, [u8]>((from, to));
        let _: ControlFlow<()> = match dir {
            Direction::Forward => range.into_iter().try_for_each(&mut step),
            Direction::Backward => range.rev().try_for_each(&mut step),
        };
        Ok(())
    }
}
