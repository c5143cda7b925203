//! The log of an account: one record a commit, in as many rows as it needs.
//!
//! Row 0 of a commit holds who, when and the first deltas; further rows hold the rest. All have the commit's number
//! first, so the log is in order.

use std::ops::{Bound, ControlFlow};

use allod_meta::{Direction, KeyRange, Lookup, Txn};
use allod_model::{Seq, Timestamp};

use crate::fault::Res;
use crate::keys::{Keys, Table, number_at};
use crate::reading::Records;
use crate::record::{CommitRecord, Delta, decode, encode};

/// Bytes of names in one row, well below the longest value.
const ROW_NAME_BYTES: usize = 40 * 1024;
/// Deltas in one row, whatever their names.
const ROW_DELTAS: usize = 1000;

/// Writes a commit's record.
pub fn write(txn: &mut Txn<'_>, keys: Keys, seq: Seq, mut record: CommitRecord) -> Res<()> {
    let mut rest = record.deltas.split_off(row_len(&record.deltas));
    txn.put(&keys.log(seq, 0), &encode(&record))?;
    let mut part = 1;
    while !rest.is_empty() {
        let after = rest.split_off(row_len(&rest));
        txn.put(&keys.log(seq, part), &encode(&rest))?;
        (rest, part) = (after, part + 1);
    }
    Ok(())
}

/// How many of the deltas fit into one row; at least one.
fn row_len(deltas: &[Delta]) -> usize {
    let mut bytes = 0;
    let fits = |delta: &&Delta| {
        bytes += delta.key.as_bytes().len();
        bytes <= ROW_NAME_BYTES
    };
    deltas.iter().take(ROW_DELTAS).take_while(fits).count().max(1).min(deltas.len())
}

/// The first commit at or after `seq`; numbers may be missing.
pub fn commit_from(rows: &impl Lookup, keys: Keys, seq: Seq) -> Res<Option<(Seq, CommitRecord)>> {
    let start = keys.log(seq, 0);
    let table = KeyRange::prefix(&keys.table(Table::Log));
    let range = KeyRange::new(Bound::Included(&start), table.to());
    let Some((key, value)) = rows.first(&range, Direction::Forward)? else { return Ok(None) };
    let seq = seq_of(keys, &key);
    let mut record: CommitRecord = decode(&value)?;
    let rest = KeyRange::prefix(&keys.log_of(seq)).after(&key);
    rows.each(&rest, 0, |_, value| {
        record.deltas.extend(decode::<Vec<Delta>>(value)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Some((seq, record)))
}

/// The time of the first commit at or after `seq`.
pub fn time_from(rows: &impl Lookup, keys: Keys, seq: Seq) -> Res<Option<Timestamp>> {
    let start = keys.log(seq, 0);
    let table = KeyRange::prefix(&keys.table(Table::Log));
    let range = KeyRange::new(Bound::Included(&start), table.to());
    let row = rows.first(&range, Direction::Forward)?;
    Ok(row.map(|(_, value)| decode::<CommitRecord>(&value)).transpose()?.map(|record| record.time))
}

/// Visits commits before `before` (all of them without it), newest first.
pub fn backward(
    rows: &impl Lookup,
    keys: Keys,
    before: Option<Seq>,
    visit: &mut dyn FnMut(Seq, CommitRecord) -> Res<ControlFlow<()>>,
) -> Res<()> {
    let table = KeyRange::prefix(&keys.table(Table::Log));
    let end = before.map(|seq| keys.log(seq, 0));
    let range = match &end {
        Some(end) => KeyRange::new(table.from(), Bound::Excluded(end)),
        None => table,
    };
    let mut later: Vec<Vec<Delta>> = Vec::new();
    rows.each_in(&range, Direction::Backward, 0, &mut |key, value| {
        if part_of(keys, key) > 0 {
            later.push(decode(value)?);
            return Ok(ControlFlow::Continue(()));
        }
        let mut record: CommitRecord = decode(value)?;
        later.drain(..).rev().for_each(|deltas| record.deltas.extend(deltas));
        visit(seq_of(keys, key), record)
    })
}

/// Forgets a commit.
pub fn delete(txn: &mut Txn<'_>, keys: Keys, seq: Seq) -> Res<()> {
    let rows = txn.scan_prefix(&keys.log_of(seq), None, usize::MAX)?;
    Ok(rows.iter().try_for_each(|(key, _)| txn.delete(key))?)
}

fn seq_of(keys: Keys, key: &[u8]) -> Seq {
    let prefix = keys.table(Table::Log).len();
    Seq(key.get(prefix..).and_then(number_at).unwrap_or(0))
}

fn part_of(keys: Keys, key: &[u8]) -> u32 {
    let at = keys.table(Table::Log).len() + 8;
    let bytes = key.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u32::from_be_bytes)
}
