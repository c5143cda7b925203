//! Reading everything, to find damage before a user does.

use std::ops::{Bound, ControlFlow};

use crate::{Direction, Error, ErrorKind, Snapshot, Store, record};

/// Damaged keys that a report names; more are only counted.
pub const DAMAGED_KEYS_MAX: usize = 1_000;

/// Records between two [`Finding::Progress`].
const PROGRESS_RECORDS: u64 = 10_000;

/// What a verification comes across.
#[derive(Clone, Copy, Debug)]
pub enum Finding<'f> {
    /// So much has been read.
    Progress {
        /// Records read so far.
        records: u64,
        /// Bytes of their keys and values.
        bytes: u64,
    },
    /// The record of this key is damaged; reading goes on behind it.
    Damaged {
        /// Its key.
        key: &'f [u8],
        /// What is wrong.
        error: &'f Error,
    },
    /// The engine cannot read on behind `after`; reading goes on from the other end.
    Unreadable {
        /// The last key that could be read, `None` if not even the first.
        after: Option<&'f [u8]>,
        /// Why.
        error: &'f Error,
    },
}

/// The outcome of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Records read, damaged ones included.
    pub records: u64,
    /// Bytes of their keys and stored values.
    pub bytes: u64,
    /// Records whose checksum does not match.
    pub damaged: u64,
    /// The keys of the first [`DAMAGED_KEYS_MAX`] of them.
    pub damaged_keys: Vec<Vec<u8>>,
    /// The range that the engine could not read, if there is one: the last key before it and the
    /// first one behind it, as far as they are known.
    pub unreadable: Option<Gap>,
    /// Whether the caller ended the verification early.
    pub stopped: bool,
}

/// A range of keys that the engine cannot read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last readable key before it.
    pub after: Option<Vec<u8>>,
    /// The first readable key behind it.
    pub before: Option<Vec<u8>>,
    /// The engine's words.
    pub error: Error,
}

impl VerifyReport {
    /// Whether everything was read and nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.damaged == 0 && self.unreadable.is_none() && !self.stopped
    }
}

impl Store {
    /// Reads every record of the durable state and checks each checksum, in ascending order of keys.
    /// `visit` hears of progress and of each damage, and may end it by `Break`. Damage is reported,
    /// never repaired. Where the engine itself cannot read on, the rest is read from the other end.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot be read at all. Damage is not an error of this call.
    pub fn verify(
        &self,
        visit: &mut dyn FnMut(Finding<'_>) -> ControlFlow<()>,
    ) -> Result<VerifyReport, Error> {
        let view = self.view()?;
        let mut reading = Reading { report: VerifyReport::default(), last: None, visit };
        let forward = reading.walk(view.snapshot(), None, Direction::Forward);
        if let Err(error) = forward {
            if error.kind == ErrorKind::Unavailable && reading.last.is_none() {
                return Err(error);
            }
            let after = reading.last.take();
            let told = (reading.visit)(Finding::Unreadable { after: after.as_deref(), error: &error });
            reading.report.stopped |= told.is_break();
            if !reading.report.stopped {
                // Ends at the same damage from behind, so a second error says nothing new.
                let _ = reading.walk(view.snapshot(), after.as_deref(), Direction::Backward);
            }
            reading.report.unreadable = Some(Gap { after, before: reading.last.take(), error });
        }
        Ok(reading.report)
    }
}

struct Reading<'v> {
    report: VerifyReport,
    last: Option<Vec<u8>>,
    visit: &'v mut dyn FnMut(Finding<'_>) -> ControlFlow<()>,
}

impl Reading<'_> {
    fn walk(&mut self, snapshot: &dyn Snapshot, above: Option<&[u8]>, dir: Direction) -> Result<(), Error> {
        let from = above.map_or(Bound::Unbounded, Bound::Excluded);
        snapshot.scan(from, Bound::Unbounded, dir, &mut |key, stored| {
            let flow = self.record(key, stored);
            self.report.stopped |= flow.is_break();
            flow
        })
    }

    fn record(&mut self, key: &[u8], stored: &[u8]) -> ControlFlow<()> {
        let report = &mut self.report;
        report.records += 1;
        report.bytes += (key.len() + stored.len()) as u64;
        let last = self.last.get_or_insert_default();
        last.clear();
        last.extend_from_slice(key);
        if let Err(error) = record::open(key, stored) {
            report.damaged += 1;
            if report.damaged_keys.len() < DAMAGED_KEYS_MAX {
                report.damaged_keys.push(key.to_vec());
            }
            (self.visit)(Finding::Damaged { key, error: &error })?;
        }
        if report.records.is_multiple_of(PROGRESS_RECORDS) {
            (self.visit)(Finding::Progress { records: report.records, bytes: report.bytes })?;
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests;
