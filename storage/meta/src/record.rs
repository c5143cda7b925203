//! The stored shape of a value: payload, one byte of version, four bytes of CRC-32C.
//!
//! The checksum covers the key's length, the key, the payload and the version, so a record found
//! under a wrong key, a changed byte and a shortened record are all noticed. It stands behind the
//! payload so that reading needs no copy.

use bytes::Bytes;

use crate::{Error, ErrorKind};

/// Bytes that a record takes beyond its payload.
pub(crate) const TRAILER_BYTES: usize = 5;

/// The version written now. An older shape would be opened by a module of its own.
const VERSION: u8 = 1;

/// The stored form of `payload` under `key`.
pub(crate) fn seal(key: &[u8], payload: &[u8]) -> Bytes {
    let mut record = Vec::with_capacity(payload.len() + TRAILER_BYTES);
    record.extend_from_slice(payload);
    record.push(VERSION);
    record.extend_from_slice(&checksum(key, payload, VERSION).to_le_bytes());
    Bytes::from(record)
}

/// The payload of a stored record after its checksum has been verified.
pub(crate) fn open<'r>(key: &[u8], record: &'r [u8]) -> Result<&'r [u8], Error> {
    let Some((rest, sum)) = record.split_last_chunk::<4>() else {
        return Err(damaged(key, "the record is shorter than its checksum"));
    };
    let Some((&version, payload)) = rest.split_last() else {
        return Err(damaged(key, "the record has no version"));
    };
    if checksum(key, payload, version) != u32::from_le_bytes(*sum) {
        return Err(damaged(key, "the record's checksum does not match"));
    }
    if version != VERSION {
        return Err(damaged(key, "the record has a version that this build does not know"));
    }
    Ok(payload)
}

/// As [`open`], reusing the allocation of a record that is owned.
pub(crate) fn open_owned(key: &[u8], mut record: Vec<u8>) -> Result<Vec<u8>, Error> {
    let payload_len = open(key, &record)?.len();
    record.truncate(payload_len);
    Ok(record)
}

/// The payload of a record that this process sealed and has kept in memory.
pub(crate) fn payload(sealed: &Bytes) -> &[u8] {
    &sealed[..sealed.len() - TRAILER_BYTES]
}

fn checksum(key: &[u8], payload: &[u8], version: u8) -> u32 {
    // **Invariant:** a key is at most KEY_BYTES_MAX long, so its length fits.
    let key_len = (key.len() as u32).to_le_bytes();
    let sum = crc32c::crc32c(&key_len);
    let sum = crc32c::crc32c_append(sum, key);
    let sum = crc32c::crc32c_append(sum, payload);
    crc32c::crc32c_append(sum, &[version])
}

fn damaged(key: &[u8], what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, what).at(key)
}

#[cfg(test)]
mod tests;
