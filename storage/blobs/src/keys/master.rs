//! The master key: what everything else hangs on.

use std::{fmt, path::Path};

use zeroize::Zeroizing;

use super::{AccountKey, file, fill_random};
use crate::{Error, Result, envelope};

const WRAP_CONTEXT: &str = "allod-blobs 2026 master wrap v1";
const WRAP_NONCE_CONTEXT: &str = "allod-blobs 2026 master wrap nonce v1";
const SEAL_CONTEXT: &str = "allod-blobs 2026 master seal v1";
const SEAL_NONCE_CONTEXT: &str = "allod-blobs 2026 master seal nonce v1";
const DERIVE_CONTEXT: &str = "allod-blobs 2026 master derive v1";

/// The 32 bytes that wrap all account keys. Wiped from memory when dropped.
///
/// What works on its file blocks: on the disk, and with a passphrase for some tenths of a second on argon2id.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Makes a new key and stores it at `path`, durable on return.
    ///
    /// The file has mode 0600. With a passphrase the key is sealed by it (argon2id, its parameters kept in the
    /// file), which takes 64 MiB of memory for a moment. A crash leaves either the whole file or none.
    ///
    /// # Errors
    /// `Invalid` if the file exists (it is never overwritten) or the passphrase is empty; `NotFound` if the folder
    /// does not exist; errors of the disk.
    pub fn create(path: &Path, passphrase: Option<&str>) -> Result<MasterKey> {
        let mut bytes = Zeroizing::new([0; 32]);
        fill_random(bytes.as_mut())?;
        let key = MasterKey(bytes);
        file::store_new(path, &file::encode(&key.0, passphrase)?)?;
        Ok(key)
    }

    /// The key stored at `path`.
    ///
    /// # Errors
    /// `NotFound` without the file; `Denied` if it needs a passphrase and none (or a wrong one) was given;
    /// `Corrupt` if the file is damaged. A passphrase for a file that has none is ignored.
    pub fn load(path: &Path, passphrase: Option<&str>) -> Result<MasterKey> {
        Ok(MasterKey(file::decode(&file::read(path)?, passphrase)?))
    }

    /// Whether [`MasterKey::load`] needs a passphrase.
    ///
    /// # Errors
    /// `NotFound` without the file; `Corrupt` if it is damaged.
    pub fn needs_passphrase(path: &Path) -> Result<bool> {
        file::is_sealed(&file::read(path)?)
    }

    /// Stores the same key sealed by another passphrase, or in the clear with `new: None`.
    ///
    /// The file is replaced in one step: after a crash either the old or the new passphrase opens it.
    ///
    /// # Errors
    /// As [`MasterKey::load`] for `old`; `Invalid` if `new` is empty; errors of the disk.
    pub fn change_passphrase(path: &Path, old: Option<&str>, new: Option<&str>) -> Result<()> {
        let key = MasterKey::load(path, old)?;
        file::replace(path, &file::encode(&key.0, new)?)
    }

    /// The key with these bytes: for restoring from paper and tests with a seed.
    pub fn from_bytes(bytes: &[u8; 32]) -> MasterKey {
        MasterKey(Zeroizing::new(*bytes))
    }

    /// Wraps an account's key for storage. It unwraps only under the same `context` (for example the account's id).
    pub fn wrap(&self, account_key: &AccountKey, context: &[u8]) -> Vec<u8> {
        let nonce_key = self.subkey(WRAP_NONCE_CONTEXT);
        envelope::seal_small(&self.cipher(WRAP_CONTEXT), &nonce_key, context, account_key.root(), false)
    }

    /// Unwraps what [`MasterKey::wrap`] made.
    ///
    /// # Errors
    /// `Corrupt` if it was made by another master key or under another context, or is damaged.
    pub fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<AccountKey> {
        let root = Zeroizing::new(envelope::open_small(&self.cipher(WRAP_CONTEXT), context, wrapped)?);
        let root: &[u8; 32] =
            root.as_slice().try_into().map_err(|_| Error::corrupt("a wrapped key has a wrong length"))?;
        Ok(AccountKey::from_bytes(root))
    }

    /// Seals a secret of some KiB at most, such as an S3 secret key. Deterministic; never compressed.
    ///
    /// # Panics
    /// If `secret` is longer than 4 GiB.
    pub fn seal(&self, context: &[u8], secret: &[u8]) -> Vec<u8> {
        let nonce_key = self.subkey(SEAL_NONCE_CONTEXT);
        envelope::seal_small(&self.cipher(SEAL_CONTEXT), &nonce_key, context, secret, false)
    }

    /// Opens what [`MasterKey::seal`] made.
    ///
    /// # Errors
    /// `Corrupt` if it was made by another master key or under another context, or is damaged.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        envelope::open_small(&self.cipher(SEAL_CONTEXT), context, sealed)
    }

    /// A key for another purpose, such as a keyed hash of credentials. `context` is a constant of the caller,
    /// unique to the purpose.
    pub fn derive(&self, context: &str) -> [u8; 32] {
        // Through a key of its own, so that no context given here can meet one of this crate's.
        blake3::derive_key(context, &*self.subkey(DERIVE_CONTEXT))
    }

    fn subkey(&self, context: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(context, self.0.as_ref()))
    }

    fn cipher(&self, context: &str) -> crate::envelope::Cipher {
        envelope::cipher(&self.subkey(context))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}
