//! Pack files: many middle-sized chunks in one file, so that a sync serves all who wait for it.
//!
//! ```text
//! packs/00000001.pack     file header 16 bytes, then records
//! file header             "allodpak" | version u32 LE | crc of these 12 bytes u32 LE
//! record                  header 64 bytes, then the sealed chunk
//! record header           "arec" | version u8, 3 zeros | account u64 | name 32 | sealed length u32 |
//!                         plain length u32 | crc of the sealed bytes u32 | crc of the 60 bytes before u32
//! ```
//!
//! All numbers are little-endian, all checksums CRC-32C. Records describe themselves, so packs can be listed, checked
//! and compacted without the index and without a key.

mod append;
mod scan;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

pub(crate) use append::Appender;
pub use scan::PackRecord;
pub(crate) use scan::{Condition, scan};

use crate::{ChunkName, Error, Result, budget::Buf};

/// A pack that reaches this length is sealed: nothing is appended to it any more.
pub(crate) const PACK_BYTES_MAX: u64 = 64 * 1024 * 1024;
const FILE_MAGIC: &[u8; 8] = b"allodpak";
const FILE_VERSION: u32 = 1;
/// Length of the header of a pack file, bytes.
pub(crate) const FILE_HEADER_LEN: usize = 16;
const RECORD_MAGIC: &[u8; 4] = b"arec";
const RECORD_VERSION: u8 = 1;
/// Length of the header of a record, bytes.
pub(crate) const RECORD_HEADER_LEN: usize = 64;

fn file_header() -> [u8; FILE_HEADER_LEN] {
    let mut header = [0; FILE_HEADER_LEN];
    header[..8].copy_from_slice(FILE_MAGIC);
    header[8..12].copy_from_slice(&FILE_VERSION.to_le_bytes());
    let check = crc32c::crc32c(&header[..12]);
    header[12..].copy_from_slice(&check.to_le_bytes());
    header
}

/// The header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub account: u64,
    pub name: ChunkName,
    pub sealed_len: u32,
    pub plain_len: u32,
    pub body_crc: u32,
}

impl RecordHeader {
    pub(crate) fn encode(&self) -> [u8; RECORD_HEADER_LEN] {
        let mut bytes = [0; RECORD_HEADER_LEN];
        bytes[..4].copy_from_slice(RECORD_MAGIC);
        bytes[4] = RECORD_VERSION;
        bytes[8..16].copy_from_slice(&self.account.to_le_bytes());
        bytes[16..48].copy_from_slice(&self.name.0);
        bytes[48..52].copy_from_slice(&self.sealed_len.to_le_bytes());
        bytes[52..56].copy_from_slice(&self.plain_len.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.body_crc.to_le_bytes());
        let check = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// The header in these bytes, or `None` if they are not one.
    pub(crate) fn decode(bytes: &[u8; RECORD_HEADER_LEN]) -> Option<RecordHeader> {
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let sound = bytes[..4] == *RECORD_MAGIC
            && bytes[4] == RECORD_VERSION
            && number(60) == crc32c::crc32c(&bytes[..60]);
        let mut name = [0; 32];
        name.copy_from_slice(&bytes[16..48]);
        sound.then_some(RecordHeader {
            account: u64::from(number(8)) | u64::from(number(12)) << 32,
            name: ChunkName(name),
            sealed_len: number(48),
            plain_len: number(52),
            body_crc: number(56),
        })
    }
}

impl RecordHeader {
    fn is_for(&self, account: u64, name: &ChunkName, sealed_len: u32) -> bool {
        self.account == account && self.name == *name && self.sealed_len == sealed_len
    }
}

/// The path of pack `id` in `folder`.
pub(crate) fn path(folder: &Path, id: u64) -> PathBuf {
    folder.join(format!("{id:08}.pack"))
}

/// The packs in `folder` with their lengths, ascending.
pub(crate) fn list(folder: &Path) -> Result<Vec<(u64, u64)>> {
    let fail = |e| Error::io(format!("cannot list the packs in {}", folder.display()), e);
    let mut packs = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".pack")).and_then(|id| id.parse().ok());
        if let Some(id) = id {
            packs.push((id, entry.metadata().map_err(fail)?.len()));
        }
    }
    packs.sort_unstable();
    Ok(packs)
}

/// Creates pack `id`, durably, with nothing in it but its header.
fn create(folder: &Path, id: u64) -> Result<File> {
    use io::Write;
    let path = path(folder, id);
    let fail = |e| Error::io(format!("cannot create the pack {}", path.display()), e);
    let mut file = File::options().read(true).write(true).create_new(true).open(&path).map_err(fail)?;
    let made = file.write_all(&file_header()).and_then(|()| file.sync_all()).map_err(fail);
    if let Err(error) = made.and_then(|()| crate::disk::sync_folder(folder)) {
        let _ = fs::remove_file(&path);
        return Err(error);
    }
    Ok(file)
}

/// Reads the sealed bytes of the record at a placement into `buf`, which has room for them; its plain length.
///
/// # Errors
/// `NotFound` without the pack; `Corrupt` if the record there is damaged or another one.
pub(crate) fn read(
    folder: &Path,
    account: u64,
    name: &ChunkName,
    (pack, offset, len): (u64, u64, u32),
    buf: &mut Buf,
) -> Result<u32> {
    let path = path(folder, pack);
    let what = || format!("chunk {} in {} at {offset}", name.hex(), path.display());
    let fail = |e| Error::io(format!("cannot read {}", what()), e);
    let file = File::open(&path).map_err(fail)?;
    let header = read_header(&file, offset).map_err(fail)?;
    let header = header
        .filter(|header| header.is_for(account, name, len))
        .ok_or_else(|| Error::corrupt(format!("no such record: {}", what())))?;
    buf.set_len(len as usize);
    read_exact_at(&file, buf, offset + RECORD_HEADER_LEN as u64).map_err(fail)?;
    if crc32c::crc32c(buf) != header.body_crc {
        return Err(Error::corrupt(format!("wrong checksum: {}", what())));
    }
    Ok(header.plain_len)
}

/// Whether the record at a placement is there, by its header and the length of the file.
///
/// # Errors
/// Errors of the disk.
pub(crate) fn exists(
    folder: &Path,
    account: u64,
    name: &ChunkName,
    (pack, offset, len): (u64, u64, u32),
) -> Result<bool> {
    let look = || -> io::Result<bool> {
        let file = File::open(path(folder, pack))?;
        let whole = file.metadata()?.len() >= offset + RECORD_HEADER_LEN as u64 + u64::from(len);
        Ok(whole && read_header(&file, offset)?.is_some_and(|header| header.is_for(account, name, len)))
    };
    match look() {
        Ok(found) => Ok(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io(format!("cannot look at {}", path(folder, pack).display()), error)),
    }
}

fn read_header(file: &File, offset: u64) -> io::Result<Option<RecordHeader>> {
    let mut header = [0; RECORD_HEADER_LEN];
    read_exact_at(file, &mut header, offset)?;
    Ok(RecordHeader::decode(&header))
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[read..];
        offset += read as u64;
    }
    Ok(())
}
