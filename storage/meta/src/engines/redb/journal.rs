//! A journal in front of the database: what makes a small durable commit cheap.
//!
//! redb pays for a durable commit with two syncs and dozens of scattered pages. A group of batches is a few
//! kilobytes, so it is appended here and synced once, and redb takes it in memory only; every
//! [`JOURNAL_BYTES`] or so one commit of redb is durable instead and the journal begins anew.
//!
//! ```text
//! record   magic u32 | crc32c u32 | number u64 | length u32 | changes
//! change   key length u32 | value length u32, or u32::MAX for a removal | key | value
//! ```
//!
//! Records are numbered without gaps, and the database holds the number of the last one it contains. So
//! records that are older than the database, left over from before the journal began anew, are passed over.
//!
//! **Invariant:** the file is written full once and then only overwritten, so that a sync need not update the file
//! system's own records. A record that was torn by a power failure has a wrong checksum, and none was acknowledged
//! behind it.

use std::io;

use redb::StorageBackend;

use super::super::settle::Changes;

/// The journal's size: how much is replayed at most after a kill, in bytes.
pub(super) const JOURNAL_BYTES: u64 = 8 << 20;

/// Keys that records may change before the journal begins anew: redb uses pages that it has freed only after a durable
/// commit, so each of them makes its file grow by a few pages until then.
const JOURNAL_CHANGES: usize = 16_384;

const MAGIC: u32 = 0x616c_6a31;
const HEADER_BYTES: usize = 20;
const REMOVED: u32 = u32::MAX;
/// Zeroes written at once when the file is made.
const FILL_BYTES: usize = 1 << 20;

/// One change of a record that is replayed.
pub(super) type Change = (Vec<u8>, Option<Vec<u8>>);

/// The open journal.
pub(super) struct Journal {
    file: Box<dyn StorageBackend>,
    /// Begins every checksum. The database's own, so that another one's journal holds nothing for it.
    seed: u32,
    /// Where the next record goes.
    at: u64,
    /// The number of the last record.
    number: u64,
    /// Keys changed by the records since the journal began.
    changed: usize,
}

impl Journal {
    /// Opens the journal of the database with this seed, and gives the records behind `contained`, the last one in
    /// the database.
    pub(super) fn open(
        file: Box<dyn StorageBackend>,
        seed: u32,
        contained: u64,
    ) -> io::Result<(Journal, Vec<Vec<Change>>)> {
        let len = file.len()?;
        if len < JOURNAL_BYTES {
            // Only ever cut short before its first use, so it holds nothing.
            fill(&*file, len)?;
        }
        let mut journal = Journal { file, seed, at: 0, number: contained, changed: 0 };
        let mut replayed = Vec::new();
        let mut expected = None;
        while let Some((number, changes, next)) = journal.read(journal.at)? {
            if expected.is_some_and(|expected| number != expected) {
                break;
            }
            expected = Some(number + 1);
            if number > contained {
                // Records between the database and the first one found would be missing: not one of ours.
                if number != journal.number + 1 {
                    break;
                }
                journal.number = number;
                journal.changed += changes.len();
                replayed.push(changes);
            }
            journal.at = next;
        }
        if replayed.is_empty() {
            // What is there is older than the database; its numbers would leave a gap before the next one.
            journal.at = 0;
        } else {
            journal.rewrite()?;
        }
        Ok((journal, replayed))
    }

    /// Writes what was found once more. It may be in the system's memory only: after a sync that has failed the
    /// next one succeeds without writing what the first has given up, and what is then acknowledged behind a
    /// record that is not on the disk would be lost with it.
    fn rewrite(&self) -> io::Result<()> {
        let mut records = vec![0; self.at as usize];
        self.file.read(0, &mut records)?;
        self.file.write(0, &records)?;
        self.file.sync_data()
    }

    /// The number that the next record gets.
    pub(super) fn next_number(&self) -> u64 {
        self.number + 1
    }

    /// Whether the changes fit in what is left.
    pub(super) fn fits(&self, changes: &Changes<'_>) -> bool {
        self.at + record_bytes(changes) <= JOURNAL_BYTES && self.changed + changes.len() <= JOURNAL_CHANGES
    }

    /// Whether it holds nothing that the database does not.
    pub(super) fn is_empty(&self) -> bool {
        self.at == 0
    }

    /// Appends one record and syncs it. After an error the journal must not be used any more.
    pub(super) fn append(&mut self, changes: &Changes<'_>) -> io::Result<()> {
        let mut record = Vec::with_capacity(record_bytes(changes) as usize);
        record.extend_from_slice(&MAGIC.to_le_bytes());
        record.extend_from_slice(&[0; 4]);
        record.extend_from_slice(&self.next_number().to_le_bytes());
        let body = record_bytes(changes) as usize - HEADER_BYTES;
        record.extend_from_slice(&length(body)?.to_le_bytes());
        for (key, value) in changes {
            record.extend_from_slice(&length(key.len())?.to_le_bytes());
            record.extend_from_slice(&value.map_or(Ok(REMOVED), |value| length(value.len()))?.to_le_bytes());
            record.extend_from_slice(key);
            record.extend_from_slice(value.unwrap_or_default());
        }
        let sum = crc32c::crc32c_append(self.seed, &record[8..]).to_le_bytes();
        record[4..8].copy_from_slice(&sum);
        self.file.write(self.at, &record)?;
        self.file.sync_data()?;
        self.at += record.len() as u64;
        self.number += 1;
        self.changed += changes.len();
        Ok(())
    }

    /// Begins anew: the database contains everything up to `number` for good.
    pub(super) fn restart(&mut self, number: u64) {
        self.at = 0;
        self.number = number;
        self.changed = 0;
    }

    /// Makes the last record unreadable, for one that the database did not take after all.
    pub(super) fn take_back(&mut self, changes: &Changes<'_>) -> io::Result<()> {
        let at = self.at - record_bytes(changes);
        self.file.write(at, &[0; HEADER_BYTES])?;
        self.file.sync_data()?;
        self.at = at;
        self.number -= 1;
        Ok(())
    }

    /// The record at an offset: its number, its changes, and where the next one begins. `None` when there is none.
    fn read(&self, at: u64) -> io::Result<Option<(u64, Vec<Change>, u64)>> {
        if at + HEADER_BYTES as u64 > JOURNAL_BYTES {
            return Ok(None);
        }
        let mut header = [0; HEADER_BYTES];
        self.file.read(at, &mut header)?;
        let word = |from: usize| {
            u32::from_le_bytes([header[from], header[from + 1], header[from + 2], header[from + 3]])
        };
        let len = u64::from(word(16));
        let end = at + HEADER_BYTES as u64 + len;
        if word(0) != MAGIC || end > JOURNAL_BYTES {
            return Ok(None);
        }
        let mut body = vec![0; len as usize];
        self.file.read(at + HEADER_BYTES as u64, &mut body)?;
        let sum = crc32c::crc32c_append(crc32c::crc32c_append(self.seed, &header[8..]), &body);
        if sum != word(4) {
            return Ok(None);
        }
        let number = u64::from(word(8)) | u64::from(word(12)) << 32;
        Ok(parse(&body).map(|changes| (number, changes, end)))
    }
}

fn fill(file: &dyn StorageBackend, from: u64) -> io::Result<()> {
    file.set_len(JOURNAL_BYTES)?;
    let zeroes = vec![0; FILL_BYTES];
    let mut at = from;
    while at < JOURNAL_BYTES {
        let part = (JOURNAL_BYTES - at).min(FILL_BYTES as u64);
        file.write(at, &zeroes[..part as usize])?;
        at += part;
    }
    file.sync_data()
}

fn record_bytes(changes: &Changes<'_>) -> u64 {
    let change = |(key, value): (&&[u8], &Option<&[u8]>)| 8 + key.len() + value.map_or(0, <[u8]>::len);
    (HEADER_BYTES + changes.iter().map(change).sum::<usize>()) as u64
}

fn length(len: usize) -> io::Result<u32> {
    u32::try_from(len).ok().filter(|len| *len != REMOVED).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

fn parse(mut body: &[u8]) -> Option<Vec<Change>> {
    let mut changes = Vec::new();
    while !body.is_empty() {
        let (head, rest) = body.split_at_checked(8)?;
        let word =
            |from: usize| u32::from_le_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]]);
        let (key, rest) = rest.split_at_checked(word(0) as usize)?;
        let (value, rest) = match word(4) {
            REMOVED => (None, rest),
            len => {
                let (value, rest) = rest.split_at_checked(len as usize)?;
                (Some(value.to_vec()), rest)
            }
        };
        changes.push((key.to_vec(), value));
        body = rest;
    }
    Some(changes)
}
