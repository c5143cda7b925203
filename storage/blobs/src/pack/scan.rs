//! Walking through a pack.

use std::{fs::File, io, path::Path};

use super::{
    FILE_HEADER_LEN, RECORD_HEADER_LEN, RECORD_MAGIC, RecordHeader, file_header, path, read_exact_at,
    read_header,
};
use crate::{ChunkName, Error, Placement, Result};

/// One record of a pack, as its header describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackRecord {
    /// Whose chunk it is.
    pub account: u64,
    /// The chunk's name.
    pub name: ChunkName,
    /// Length of the chunk's plaintext, bytes.
    pub plain_len: u32,
    /// Where the record lies: always [`Placement::Pack`].
    pub placement: Placement,
    /// Whether the sealed bytes match their checksum.
    pub sound: bool,
}

/// What a walk through a pack has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Sound records from the first byte to the last.
    Whole,
    /// Something else too, first at this offset: an unsound record, or bytes that are no record. That may be the
    /// unfinished end of the last write before a crash, or damage; nobody can tell the two apart.
    Broken {
        /// Offset of the first such byte, or of the unsound record.
        at: u64,
    },
}

/// Walks through pack `id`, giving each record to `visit` until it says to stop. Bytes that are no record are
/// skipped up to the next that is one.
///
/// # Errors
/// `NotFound` without the pack; `Corrupt` if the file is no pack; errors of the disk.
pub(crate) fn scan(folder: &Path, id: u64, mut visit: impl FnMut(PackRecord) -> bool) -> Result<Condition> {
    let path = path(folder, id);
    let fail = |e| Error::io(format!("cannot read the pack {}", path.display()), e);
    let file = File::open(&path).map_err(fail)?;
    let len = file.metadata().map_err(fail)?.len();
    if len < FILE_HEADER_LEN as u64 {
        // Its creation was cut short, so nobody was told of any record.
        return Ok(Condition::Broken { at: 0 });
    }
    let mut head = [0; FILE_HEADER_LEN];
    read_exact_at(&file, &mut head, 0).map_err(fail)?;
    if head != file_header() {
        return Err(Error::corrupt(format!("{} does not begin like a pack", path.display())));
    }
    let mut at = FILE_HEADER_LEN as u64;
    let mut condition = Condition::Whole;
    let mut broken = |at| {
        if condition == Condition::Whole {
            condition = Condition::Broken { at };
        }
    };
    while at < len {
        let Some((header, end)) = record_at(&file, at, len).map_err(fail)? else {
            broken(at);
            at = next_record(&file, at + 1, len).map_err(fail)?;
            continue;
        };
        let crc = checksum(&file, at + RECORD_HEADER_LEN as u64, end).map_err(fail)?;
        let record = PackRecord {
            account: header.account,
            name: header.name,
            plain_len: header.plain_len,
            placement: Placement::Pack { pack: id, offset: at, len: header.sealed_len },
            sound: crc == header.body_crc,
        };
        if !record.sound {
            broken(at);
        }
        at = end;
        if !visit(record) {
            break;
        }
    }
    Ok(condition)
}

/// The record at this offset and where it ends, if there is one that ends within `len`.
fn record_at(file: &File, at: u64, len: u64) -> io::Result<Option<(RecordHeader, u64)>> {
    let body = at + RECORD_HEADER_LEN as u64;
    if body > len {
        return Ok(None);
    }
    let header = read_header(file, at)?;
    let record = header.map(|header| (header, body + u64::from(header.sealed_len)));
    Ok(record.filter(|(_, end)| *end <= len))
}

/// The offset of the first record at or behind `from`; `len` if there is none.
fn next_record(file: &File, mut from: u64, len: u64) -> io::Result<u64> {
    const WINDOW: usize = 64 * 1024;
    let mut window = vec![0; WINDOW];
    while from + RECORD_HEADER_LEN as u64 <= len {
        let filled = (len - from).min(WINDOW as u64) as usize;
        let window = &mut window[..filled];
        read_exact_at(file, window, from)?;
        let candidates = window.windows(RECORD_HEADER_LEN).enumerate();
        for (index, _) in candidates.filter(|(_, bytes)| bytes.starts_with(RECORD_MAGIC)) {
            let at = from + index as u64;
            if record_at(file, at, len)?.is_some() {
                return Ok(at);
            }
        }
        // The last offsets of this window had no room for a whole header in it.
        from += (filled - RECORD_HEADER_LEN + 1) as u64;
    }
    Ok(len)
}

/// The checksum of the bytes from `at` to `end`.
fn checksum(file: &File, mut at: u64, end: u64) -> io::Result<u32> {
    let mut crc = 0;
    let mut scratch = [0; 16 * 1024];
    while at < end {
        let part = (end - at).min(scratch.len() as u64) as usize;
        read_exact_at(file, &mut scratch[..part], at)?;
        crc = crc32c::crc32c_append(crc, &scratch[..part]);
        at += part as u64;
    }
    Ok(crc)
}
