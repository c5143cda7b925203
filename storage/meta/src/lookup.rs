//! Reading, in the same words from a view and from within a transaction.

use std::collections::btree_map;
use std::iter::Peekable;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use crate::shard::{Pending, Pipeline, Writes};
use crate::{Direction, Error, KeyRange, Snapshot, Visit, record};

/// A pair of key and value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// What both [`crate::View`] and [`crate::Txn`] answer, so that a reading function can be written once.
///
/// Every record read from the engine has its checksum verified; one that does not match ends the
/// call with `Corrupt`, and its bytes are not returned.
pub trait Lookup {
    /// The value of `key`, `None` if there is none.
    ///
    /// # Errors
    /// `Corrupt` with the key, or `Unavailable`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Visits the pairs of `range` in the order of `dir` until `visit` breaks.
    ///
    /// # Errors
    /// `Corrupt` with the key, or `Unavailable`; pairs before the error have been visited.
    fn scan(&self, range: &KeyRange, dir: Direction, visit: &mut Visit<'_>) -> Result<(), Error>;

    /// The values of several keys, in the order asked.
    ///
    /// # Errors
    /// As [`Lookup::get`]; the first one ends the call.
    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Up to `limit` pairs whose key begins with `prefix`, ascending, behind the key `after` if one
    /// is given. Fewer than `limit` means that there are no more.
    ///
    /// # Errors
    /// As [`Lookup::scan`].
    fn scan_prefix(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Pair>, Error> {
        let range = KeyRange::prefix(prefix);
        let range = if let Some(after) = after { range.after(after) } else { range };
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        self.scan(&range, Direction::Forward, &mut |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(found)
    }

    /// The first pair of `range` in the order of `dir`: with `Backward`, the last one.
    ///
    /// # Errors
    /// As [`Lookup::scan`].
    fn first(&self, range: &KeyRange, dir: Direction) -> Result<Option<Pair>, Error> {
        let mut found = None;
        self.scan(range, dir, &mut |key, value| {
            found = Some((key.to_vec(), value.to_vec()));
            ControlFlow::Break(())
        })?;
        Ok(found)
    }
}

/// Scans `snapshot` with the pipeline's queued values laid over it, and `own` over both.
pub(crate) fn scan_layers(
    own: &Writes,
    pipeline: &Pipeline,
    snapshot: &dyn Snapshot,
    range: &KeyRange,
    dir: Direction,
    visit: &mut Visit<'_>,
) -> Result<(), Error> {
    if range.is_empty() {
        return Ok(());
    }
    let mut layers = Layers {
        own: Ordered::new(own.range::<[u8], _>(bounds(range)), dir).peekable(),
        queued: Ordered::new(pipeline.overlay().range::<[u8], _>(bounds(range)), dir).peekable(),
        dir,
    };
    let mut end: Result<ControlFlow<()>, Error> = Ok(ControlFlow::Continue(()));
    snapshot.scan(range.from(), range.to(), dir, &mut |key, stored| {
        end = visit_until(&mut layers, key, stored, visit);
        match end {
            Ok(flow) => flow,
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    if end?.is_break() {
        return Ok(());
    }
    while let Some((key, value)) = layers.next() {
        if let Some(sealed) = value
            && visit(key, record::payload(sealed)).is_break()
        {
            break;
        }
    }
    Ok(())
}

fn bounds(range: &KeyRange) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (range.from(), range.to())
}

/// Visits what the layers hold up to `key`, and the stored record of `key` unless they replace it.
fn visit_until(
    layers: &mut Layers<'_>,
    key: &[u8],
    stored: &[u8],
    visit: &mut Visit<'_>,
) -> Result<ControlFlow<()>, Error> {
    while let Some((above, value)) = layers.next_through(key) {
        if let Some(sealed) = value
            && visit(above, record::payload(sealed)).is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
        if above[..] == *key {
            return Ok(ControlFlow::Continue(()));
        }
    }
    Ok(visit(key, record::open(key, stored)?))
}

type Change<'a> = (&'a Bytes, Option<&'a Bytes>);

/// A transaction's own writes merged with the shard's queued ones, in the order of a scan.
struct Layers<'a> {
    own: Peekable<Ordered<btree_map::Range<'a, Bytes, Option<Bytes>>>>,
    queued: Peekable<Ordered<btree_map::Range<'a, Bytes, Pending>>>,
    dir: Direction,
}

impl<'a> Layers<'a> {
    fn next(&mut self) -> Option<Change<'a>> {
        let order = match (self.own.peek(), self.queued.peek()) {
            (None, None) => return None,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((own, _)), Some((queued, _))) => in_order(own, queued, self.dir),
        };
        if order.is_gt() {
            return self.queued.next().map(|(key, pending)| (key, pending.value.as_ref()));
        }
        if order.is_eq() {
            self.queued.next();
        }
        self.own.next().map(|(key, value)| (key, value.as_ref()))
    }

    /// The next change unless it lies behind `key`.
    fn next_through(&mut self, key: &[u8]) -> Option<Change<'a>> {
        let own = self.own.peek().is_some_and(|(own, _)| in_order(own, key, self.dir).is_le());
        let queued = self.queued.peek().is_some_and(|(queued, _)| in_order(queued, key, self.dir).is_le());
        if own || queued { self.next() } else { None }
    }
}

fn in_order(left: &[u8], right: &[u8], dir: Direction) -> std::cmp::Ordering {
    match dir {
        Direction::Forward => left.cmp(right),
        Direction::Backward => right.cmp(left),
    }
}

/// A range of an ordered map, walked in either direction.
struct Ordered<I> {
    range: I,
    dir: Direction,
}

impl<I> Ordered<I> {
    fn new(range: I, dir: Direction) -> Ordered<I> {
        Ordered { range, dir }
    }
}

impl<I: DoubleEndedIterator> Iterator for Ordered<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        match self.dir {
            Direction::Forward => self.range.next(),
            Direction::Backward => self.range.next_back(),
        }
    }
}
