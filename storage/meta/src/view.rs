//! A view: the durable state at one moment.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::store::Shared;
use crate::{Direction, Error, ErrorKind, KeyRange, Lookup, Snapshot, Visit, record};

/// A durable, committed state that does not change while the view lives. Views are cheap to take
/// and to clone; one kept for long keeps old states on the disk, so take a new one for each request.
#[derive(Clone)]
pub struct View {
    shared: Arc<Shared>,
    snapshot: Arc<dyn Snapshot>,
}

impl View {
    pub(crate) fn new(shared: Arc<Shared>, snapshot: Arc<dyn Snapshot>) -> View {
        View { shared, snapshot }
    }

    pub(crate) fn snapshot(&self) -> &dyn Snapshot {
        &*self.snapshot
    }

    /// After an error of the disk the next view gets a snapshot of its own, not this one again.
    fn noted<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        if outcome.as_ref().is_err_and(|err| err.kind == ErrorKind::Unavailable) {
            self.shared.forget_snapshot();
        }
        outcome
    }
}

impl Lookup for View {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let stored = self.noted(self.snapshot.get(key))?;
        stored.map(|stored| record::open_owned(key, stored)).transpose()
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let stored = self.noted(self.snapshot.get_many(keys))?;
        let open = |(key, stored): (&&[u8], Option<Vec<u8>>)| {
            stored.map(|stored| record::open_owned(key, stored)).transpose()
        };
        keys.iter().zip(stored).map(open).collect()
    }

    fn scan(&self, range: &KeyRange, dir: Direction, visit: &mut Visit<'_>) -> Result<(), Error> {
        let mut damaged = None;
        let scanned =
            self.snapshot.scan(range.from(), range.to(), dir, &mut |key, stored| match record::open(
                key, stored,
            ) {
                Ok(payload) => visit(key, payload),
                Err(err) => {
                    damaged = Some(err);
                    ControlFlow::Break(())
                }
            });
        self.noted(scanned)?;
        damaged.map_or(Ok(()), Err)
    }
}
