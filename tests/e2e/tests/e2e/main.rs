//! The real binary on the wire.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod broken;
mod caldav;
mod carddav;
mod cli;
mod crash;
mod drive;
mod imap;
mod imap_refusals;
mod oauth;
mod refusals;
mod remotestorage;
mod revoke;
mod s3;
mod s3_refusals;
mod s3_settings;
mod s3_wire;
mod web;

/// Bytes that do not compress, made from a seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
