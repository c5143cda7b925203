//! Content-defined chunk boundaries.
//!
//! FastCDC (2020 variant, "two bytes at a time") with the tables, masks and normalisation of the `fastcdc` crate.
//! The crate's own scan wants the whole chunk, up to its greatest length, in memory before it looks for a boundary;
//! this one goes on where it stopped, so a boundary is found as its bytes arrive, a chunk occupies no more memory
//! than its own length, and no tail is ever copied to the next buffer. It finds the same boundaries (see the tests).
//!
//! The lengths, and why:
//! - **centre 1 MiB**: a terabyte is a million chunks, so references, requests to an object store (about $5 for
//!   that million) and syncs on a disk stay small beside the content;
//! - **at least 512 KiB**: no burst of small objects;
//! - **at most 1.5 MiB**: bounds the buffer of every transfer. Level-3 normalisation puts nearly all boundaries
//!   within 512 KiB after the centre, so fewer than 2 % of chunks are cut by force.

use std::borrow::Cow;

use fastcdc::v2020::{Normalization, get_gear_with_seed, select_masks};

/// Least length of a chunk that is not the last, bytes.
pub(crate) const MIN: usize = 512 * 1024;
/// The length around which boundaries are likeliest, bytes.
pub(crate) const CENTRE: usize = 1024 * 1024;
/// Greatest length of a chunk, bytes.
pub const CHUNK_BYTES_MAX: usize = 1536 * 1024;

const _: () = assert!(MIN.is_multiple_of(2) && CENTRE.is_multiple_of(2) && CHUNK_BYTES_MAX.is_multiple_of(2));

/// Finds boundaries in a stream.
pub(crate) struct Cutter {
    gear: Cow<'static, [u64]>,
    gear_shifted: Cow<'static, [u64]>,
    mask_before: u64,
    mask_after: u64,
    /// Bytes of the current chunk seen so far.
    at: usize,
    hash: u64,
}

impl Cutter {
    /// A cutter whose boundaries depend on `seed`, at the beginning of a stream.
    pub(crate) fn new(seed: u64) -> Cutter {
        let (gear, gear_shifted) = get_gear_with_seed(seed);
        let (mask_before, mask_after) = select_masks(CENTRE, Normalization::Level3);
        Cutter { gear, gear_shifted, mask_before, mask_after, at: 0, hash: 0 }
    }

    /// Takes the next bytes of the stream. With `Some(n)` the chunk ends before `piece[n]`; the rest of the piece
    /// was not looked at and is to be given again. With `None` all of the piece belongs to the chunk.
    pub(crate) fn scan(&mut self, piece: &[u8]) -> Option<usize> {
        let skipped = piece.len().min(MIN.saturating_sub(self.at));
        self.at += skipped;
        let mut taken = skipped;
        for (end, mask) in [(CENTRE, self.mask_before), (CHUNK_BYTES_MAX, self.mask_after)] {
            let stretch = (piece.len() - taken).min(end.saturating_sub(self.at));
            match self.roll(&piece[taken..taken + stretch], mask) {
                Some(n) => {
                    self.start_over();
                    return Some(taken + n);
                }
                None => taken += stretch,
            }
        }
        if self.at == CHUNK_BYTES_MAX {
            self.start_over();
            return Some(taken);
        }
        None
    }

    fn start_over(&mut self) {
        self.at = 0;
        self.hash = 0;
    }

    /// Rolls over bytes that are all judged by one mask; where it first matches, if it does.
    fn roll(&mut self, bytes: &[u8], mask: u64) -> Option<usize> {
        // **Invariant:** both tables have 256 entries, by construction of the gear hash.
        let gear: &[u64; 256] = self.gear.as_ref().try_into().expect("256 entries");
        let shifted: &[u64; 256] = self.gear_shifted.as_ref().try_into().expect("256 entries");
        let mask_shifted = mask << 1;
        let mut hash = self.hash;
        let mut rest = bytes;
        if self.at % 2 == 1
            && let Some((first, others)) = rest.split_first()
        {
            hash = hash.wrapping_add(gear[usize::from(*first)]);
            if hash & mask == 0 {
                return Some(0);
            }
            rest = others;
        }
        let odd = bytes.len() - rest.len();
        let (pairs, last) = rest.as_chunks::<2>();
        for (index, pair) in pairs.iter().enumerate() {
            hash = (hash << 2).wrapping_add(shifted[usize::from(pair[0])]);
            if hash & mask_shifted == 0 {
                return Some(odd + index * 2);
            }
            hash = hash.wrapping_add(gear[usize::from(pair[1])]);
            if hash & mask == 0 {
                return Some(odd + index * 2 + 1);
            }
        }
        if let [byte] = last {
            hash = (hash << 2).wrapping_add(shifted[usize::from(*byte)]);
            if hash & mask_shifted == 0 {
                return Some(bytes.len() - 1);
            }
        }
        self.hash = hash;
        self.at += bytes.len();
        None
    }
}

#[cfg(test)]
mod tests;
