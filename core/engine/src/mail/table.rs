//! The rows of mailboxes in use, kept in memory.
//!
//! A row says what every question about a whole mailbox asks first: flags, dates, size, content. Read from the engine
//! and decoded, the rows of a large mailbox cost more than the question; here they are as of a commit, and brought up to
//! date by what changed since. A table is made of short stretches, so that a change copies one of them.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use allod_meta::{Direction, KeyRange, Lookup, View};
use allod_model::NodeId;

use crate::fault::Res;
use crate::keys::Keys;
use crate::mail::changes::MailboxChanges;
use crate::mail::rows::{Held, MessageRow, uid_at};
use crate::mail::uids::UidSet;
use crate::reading::Records;
use crate::record::decode;

/// Messages of a stretch at most.
const STRETCH: usize = 256;
/// Messages of all tables of the process at most; a hundred bytes each.
const KEPT_MAX: usize = 1_000_000;
/// One change in so many messages is looked up; with more, the rows are read anew.
const CHANGED_ONE_IN: u64 = 4;

static KEPT: AtomicUsize = AtomicUsize::new(0);

/// Room for the rows of a mailbox, given back when dropped.
struct Room(usize);

impl Room {
    fn take(messages: usize) -> Option<Room> {
        let taken = KEPT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |kept| {
            Some(kept + messages).filter(|kept| *kept <= KEPT_MAX)
        });
        taken.is_ok().then_some(Room(messages))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        KEPT.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// The rows of a mailbox as of a commit.
#[derive(Clone)]
pub struct Table {
    /// Ascending; none is empty.
    stretches: Vec<Arc<Vec<(u32, Held)>>>,
    count: usize,
    _room: Arc<Room>,
}

impl Table {
    /// Reads the rows of a mailbox; `None` when there are more than may be kept.
    pub fn read(view: &View, keys: Keys, folder: NodeId, exists: u32) -> Res<Option<Table>> {
        let Some(room) = Room::take(exists as usize) else { return Ok(None) };
        let mut table = Table { stretches: Vec::new(), count: 0, _room: Arc::new(room) };
        let prefix = keys.messages(folder);
        let mut open = Vec::with_capacity(STRETCH);
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |key, value| {
            if let Some(uid) = uid_at(key) {
                open.push((uid, decode::<MessageRow>(value)?.held));
            }
            if open.len() == STRETCH {
                table.close(&mut open);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        table.close(&mut open);
        Ok(Some(table))
    }

    fn close(&mut self, open: &mut Vec<(u32, Held)>) {
        if !open.is_empty() {
            self.count += open.len();
            self.stretches.push(Arc::new(std::mem::replace(open, Vec::with_capacity(STRETCH))));
        }
    }

    /// How many messages.
    pub fn len(&self) -> usize {
        self.count
    }

    /// The table after changes; `None` when reading it anew is cheaper, or it may not grow.
    pub fn changed(
        &self,
        rows: &impl Lookup,
        keys: Keys,
        folder: NodeId,
        changes: &MailboxChanges,
    ) -> Res<Option<Table>> {
        let many = changes.changed.len() + changes.vanished.len();
        if many * CHANGED_ONE_IN > self.count as u64 + STRETCH as u64 {
            return Ok(None);
        }
        let mut table = self.clone();
        table.remove(&changes.vanished);
        for uid in changes.changed.iter() {
            let row: Option<MessageRow> = rows.record(&keys.message(folder, uid))?;
            if let Some(row) = row {
                table.set(uid, row.held);
            }
        }
        if table.count > self.count {
            let Some(room) = Room::take(table.count) else { return Ok(None) };
            table._room = Arc::new(room);
        }
        Ok(Some(table))
    }

    /// The place of a UID: its stretch, and where it is or would be there.
    fn place(&self, uid: u32) -> (usize, Result<usize, usize>) {
        let ends = |stretch: &Arc<Vec<(u32, Held)>>| stretch.last().is_none_or(|(last, _)| *last < uid);
        let at = self.stretches.partition_point(ends);
        match self.stretches.get(at) {
            Some(stretch) => (at, stretch.binary_search_by_key(&uid, |(uid, _)| *uid)),
            None => (at, Err(0)),
        }
    }

    fn set(&mut self, uid: u32, held: Held) {
        match self.place(uid) {
            (at, Ok(nth)) => Arc::make_mut(&mut self.stretches[at])[nth].1 = held,
            (at, Err(nth)) if at < self.stretches.len() => {
                // UIDs ascend; one between others comes only out of a view that is older than it.
                Arc::make_mut(&mut self.stretches[at]).insert(nth, (uid, held));
                self.count += 1;
            }
            _ => {
                match self.stretches.last_mut().filter(|last| last.len() < STRETCH) {
                    Some(last) => Arc::make_mut(last).push((uid, held)),
                    None => self.stretches.push(Arc::new(vec![(uid, held)])),
                }
                self.count += 1;
            }
        }
    }

    fn remove(&mut self, gone: &UidSet) {
        if gone.is_empty() {
            return;
        }
        let met = |stretch: &[(u32, Held)]| match (stretch.first(), stretch.last()) {
            (Some((first, _)), Some((last, _))) => {
                let at = gone.ranges().partition_point(|(_, end)| end < first);
                gone.ranges().get(at).is_some_and(|(begin, _)| begin <= last)
            }
            _ => false,
        };
        for stretch in &mut self.stretches {
            if met(stretch) {
                Arc::make_mut(stretch).retain(|(uid, _)| !gone.contains(*uid));
            }
        }
        self.stretches.retain(|stretch| !stretch.is_empty());
        self.count = self.stretches.iter().map(|stretch| stretch.len()).sum();
    }

    /// Visits the rows among `uids` above `after`, ascending.
    pub fn each(
        &self,
        uids: &UidSet,
        after: u32,
        mut visit: impl FnMut(u32, &Held) -> Res<ControlFlow<()>>,
    ) -> Res<()> {
        for (first, last) in uids.ranges() {
            let first = (*first).max(after.saturating_add(1));
            if first > *last {
                continue;
            }
            let (begin, nth) = self.place(first);
            let mut from = nth.unwrap_or_else(|nth| nth);
            for stretch in &self.stretches[begin.min(self.stretches.len())..] {
                for (uid, held) in &stretch[from.min(stretch.len())..] {
                    if uid > last {
                        break;
                    }
                    if visit(*uid, held)?.is_break() {
                        return Ok(());
                    }
                }
                if stretch.last().is_none_or(|(end, _)| end > last) {
                    break;
                }
                from = 0;
            }
        }
        Ok(())
    }
}

/// The UIDs of a mailbox when they have no gap: told from the first and the last row alone.
pub fn whole_run(view: &View, keys: Keys, folder: NodeId, exists: u32) -> Res<Option<(u32, u32)>> {
    let prefix = keys.messages(folder);
    let range = KeyRange::prefix(&prefix);
    let end = |direction| -> Res<Option<u32>> {
        let pair = view.first(&range, direction)?;
        Ok(pair.and_then(|(key, _)| uid_at(key.get(prefix.len()..).unwrap_or(&[]))))
    };
    let (Some(first), Some(last)) = (end(Direction::Forward)?, end(Direction::Backward)?) else {
        return Ok(None);
    };
    // As many messages as there are numbers from the first to the last: each number is one.
    Ok((u64::from(last) + 1 == u64::from(first) + u64::from(exists)).then_some((first, last)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use allod_model::{ContentId, Seq, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::mail::marks::Marks;

    fn held(number: u64) -> Held {
        Held {
            content: ContentId(number),
            size: number,
            internal: Timestamp(0),
            saved: Timestamp(0),
            marks: Marks::default(),
            modseq: Seq(number),
            thread: 0,
        }
    }

    proptest! {
        #[test]
        fn a_table_is_as_a_map(
            first in prop::collection::btree_set(1u32..3000, 0..1500),
            changed in prop::collection::btree_set(1u32..4000, 0..60),
            gone in prop::collection::btree_set(1u32..3500, 0..300),
            asked in prop::collection::vec((1u32..4000, 0u32..900), 0..5),
            after in 0u32..4000,
        ) {
            let room = Arc::new(Room::take(0).unwrap());
            let mut table = Table { stretches: Vec::new(), count: 0, _room: room };
            let mut map = BTreeMap::new();
            for uid in &first {
                table.set(*uid, held(1));
                map.insert(*uid, 1);
            }
            let earlier = table.clone();
            table.remove(&gone.iter().copied().collect());
            map.retain(|uid, _| !gone.contains(uid));
            for uid in &changed {
                table.set(*uid, held(2));
                map.insert(*uid, 2);
            }
            prop_assert_eq!(table.len(), map.len());
            prop_assert_eq!(earlier.len(), first.len());
            let asked = match asked.is_empty() {
                true => UidSet::all(),
                false => UidSet::from_ranges(asked.iter().map(|(from, more)| (*from, from + more))),
            };
            let mut seen = Vec::new();
            table.each(&asked, after, |uid, held| {
                seen.push((uid, held.size));
                Ok(ControlFlow::Continue(()))
            }).map_err(|fault| TestCaseError::fail(fault.0.to_string()))?;
            let right = map.into_iter().filter(|(uid, _)| *uid > after && asked.contains(*uid));
            prop_assert_eq!(seen, right.collect::<Vec<_>>());
        }
    }
}
