//! The hierarchy of keys.
//!
//! ```text
//! passphrase --argon2id--> master key --wraps--> account key --derives--> name, digest, chunk and inline keys
//! ```
//!
//! The master key lies in a file of its own, in the clear or sealed by a passphrase. Each account has a random key,
//! wrapped by the master key and kept by core; without it the account's content is noise, everywhere.

mod account;
mod file;
mod master;
#[cfg(test)]
mod tests;

pub use account::{AccountKey, DigestHasher};
pub use master::MasterKey;

use crate::{Error, ErrorKind, Result};

/// Fills `bytes` from the system's randomness.
fn fill_random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes)
        .map_err(|e| Error::new(ErrorKind::Unavailable, "the system gives no randomness").caused_by(e))
}
