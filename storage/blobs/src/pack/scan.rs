//! Walking through a pack.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use super::{FILE_HEADER_LEN, RECORD_HEADER_LEN, RecordHeader, file_header, path};
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

/// How a walk through a pack ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// With the end of the last record; every record before is sound.
    Clean {
        /// Length of the file, bytes.
        len: u64,
    },
    /// With bytes that are no whole record, from this offset on; or a record was unsound.
    Torn {
        /// Where the last whole record ends, bytes.
        at: u64,
    },
}

/// Walks through pack `id`, giving each record to `visit` until it says to stop.
///
/// The walk ends at the first bytes that are no record header: what lies behind is unreachable without the index.
///
/// # Errors
/// `NotFound` without the pack; `Corrupt` if the file is no pack.
pub(crate) fn scan(folder: &Path, id: u64, mut visit: impl FnMut(PackRecord) -> bool) -> Result<Tail> {
    let path = path(folder, id);
    let fail = |e| Error::io(format!("cannot read the pack {}", path.display()), e);
    let file = File::open(&path).map_err(fail)?;
    let len = file.metadata().map_err(fail)?.len();
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let mut head = [0; FILE_HEADER_LEN];
    let mut at = read_up_to(&mut reader, &mut head).map_err(fail)? as u64;
    if at < FILE_HEADER_LEN as u64 {
        // Creation was cut short; nobody was told of any record.
        return Ok(Tail::Torn { at: 0 });
    }
    if head != file_header() {
        return Err(Error::corrupt(format!("{} does not begin like a pack", path.display())));
    }
    let mut all_sound = true;
    while at < len {
        let mut bytes = [0; RECORD_HEADER_LEN];
        let read = read_up_to(&mut reader, &mut bytes).map_err(fail)?;
        let header = (read == RECORD_HEADER_LEN).then(|| RecordHeader::decode(&bytes)).flatten();
        let Some(header) = header else { return Ok(Tail::Torn { at }) };
        let end = at + RECORD_HEADER_LEN as u64 + u64::from(header.sealed_len);
        if end > len {
            return Ok(Tail::Torn { at });
        }
        let crc = checksum(&mut reader, header.sealed_len).map_err(fail)?;
        let record = PackRecord {
            account: header.account,
            name: header.name,
            plain_len: header.plain_len,
            placement: super::placement(id, at, header.sealed_len),
            sound: crc == header.body_crc,
        };
        all_sound &= record.sound;
        at = end;
        if !visit(record) {
            reader.seek(SeekFrom::Start(at)).map_err(fail)?;
            break;
        }
    }
    Ok(if all_sound { Tail::Clean { len: at } } else { Tail::Torn { at } })
}

fn checksum(reader: &mut impl Read, len: u32) -> io::Result<u32> {
    let mut left = len as usize;
    let mut crc = 0;
    let mut scratch = [0; 16 * 1024];
    while left > 0 {
        let part = &mut scratch[..left.min(16 * 1024)];
        reader.read_exact(part)?;
        crc = crc32c::crc32c_append(crc, part);
        left -= part.len();
    }
    Ok(crc)
}

/// Fills `bytes` as far as the reader goes.
fn read_up_to(reader: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match reader.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
