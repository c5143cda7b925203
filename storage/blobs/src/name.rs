//! Names of content and where it lies.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::pack::RECORD_HEADER_LEN;

/// The name of a chunk: BLAKE3 of its plaintext, keyed by the account.
///
/// Equal content of one account has an equal name; across accounts names tell nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChunkName(pub [u8; 32]);

/// The digest of a whole content: BLAKE3 of the plaintext, keyed by the account (another key than names use).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl ChunkName {
    /// The 64 lower-case hexadecimal digits that name the chunk's object.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// Reads [`ChunkName::hex`] back; `None` if `text` is anything else.
    pub fn from_hex(text: &str) -> Option<ChunkName> {
        unhex(text).map(ChunkName)
    }
}

impl fmt::Debug for ChunkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChunkName({})", hex(&self.0[..8]))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", hex(&self.0[..8]))
    }
}

/// Where the sealed bytes of a chunk lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Placement {
    /// An object of its own, at a path made of account and name.
    Object,
    /// A record in a pack file.
    Pack {
        /// The pack's number; never reused.
        pack: u64,
        /// Where the record (its header) begins in the pack, in bytes.
        offset: u64,
        /// Length of the sealed bytes that follow the header.
        len: u32,
    },
}

impl Placement {
    /// How many bytes of a pack the record takes, its header included; 0 for an object. What a pack's size exceeds
    /// the sum over its live records by (and its own 16 bytes) is what compaction would free.
    pub fn pack_bytes(&self) -> u64 {
        match self {
            Placement::Object => 0,
            Placement::Pack { len, .. } => RECORD_HEADER_LEN as u64 + u64::from(*len),
        }
    }
}

/// One chunk of a content, in order. About 40 bytes in postcard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChunkRef {
    /// The chunk's name.
    pub name: ChunkName,
    /// Length of the plaintext, bytes; at least 1 and at most [`CHUNK_BYTES_MAX`](crate::CHUNK_BYTES_MAX).
    pub plain_len: u32,
    /// Where it lies.
    pub placement: Placement,
    /// True if the writer that made this reference stored the chunk; false if it was there already (or occurred
    /// earlier in the same content). Two writers may store an equal chunk at the same time, each without knowing of
    /// the other: whose commit comes second keeps the placement that the index has by then, and the other record is
    /// garbage.
    pub fresh: bool,
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}

/// Exactly `2 * N` lower-case hexadecimal digits, or `None`.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let text = text.as_bytes();
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}
