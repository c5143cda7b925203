//! The key of one account and what it derives.

use std::{fmt, sync::Arc};

use zeroize::{Zeroize, Zeroizing};

use super::fill_random;
use crate::{CHUNK_BYTES_MAX, ChunkName, Digest, Result, envelope, envelope::Cipher};

const NAME_CONTEXT: &str = "allod-blobs 2026 account chunk name v1";
const DIGEST_CONTEXT: &str = "allod-blobs 2026 account content digest v1";
const CHUNK_CONTEXT: &str = "allod-blobs 2026 account chunk seal v1";
const INLINE_CONTEXT: &str = "allod-blobs 2026 account inline seal v1";
const NONCE_CONTEXT: &str = "allod-blobs 2026 account inline nonce v1";
const CUT_CONTEXT: &str = "allod-blobs 2026 account chunk boundaries v1";

/// The key of one account. Cheap to clone; wiped from memory when the last clone goes.
#[derive(Clone)]
pub struct AccountKey(Arc<Inner>);

struct Inner {
    root: [u8; 32],
    name_key: [u8; 32],
    digest_key: [u8; 32],
    nonce_key: [u8; 32],
    chunk_cipher: Cipher,
    inline_cipher: Cipher,
    cut_seed: u64,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.root.zeroize();
        self.name_key.zeroize();
        self.digest_key.zeroize();
        self.nonce_key.zeroize();
    }
}

impl AccountKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// `Unavailable` if the system has no randomness to give.
    pub fn random() -> Result<AccountKey> {
        let mut root = Zeroizing::new([0; 32]);
        fill_random(root.as_mut())?;
        Ok(AccountKey::from_bytes(&root))
    }

    /// The key with these 32 bytes: for keys from elsewhere and tests with a seed.
    pub fn from_bytes(root: &[u8; 32]) -> AccountKey {
        let derive = |context| Zeroizing::new(blake3::derive_key(context, root));
        let cut_seed = derive(CUT_CONTEXT);
        AccountKey(Arc::new(Inner {
            root: *root,
            name_key: *derive(NAME_CONTEXT),
            digest_key: *derive(DIGEST_CONTEXT),
            nonce_key: *derive(NONCE_CONTEXT),
            chunk_cipher: envelope::cipher(&derive(CHUNK_CONTEXT)),
            inline_cipher: envelope::cipher(&derive(INLINE_CONTEXT)),
            cut_seed: cut_seed.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte)),
        }))
    }

    /// The key itself, to wrap it.
    pub(crate) fn root(&self) -> &[u8; 32] {
        &self.0.root
    }

    /// The name of a chunk with this plaintext.
    pub fn chunk_name(&self, plain: &[u8]) -> ChunkName {
        ChunkName(*blake3::keyed_hash(&self.0.name_key, plain).as_bytes())
    }

    /// The digest of a whole content that is at hand.
    pub fn digest(&self, plain: &[u8]) -> Digest {
        let mut hasher = self.digest_hasher();
        hasher.update(plain);
        hasher.finish()
    }

    /// A hasher for the digest of a content that comes in pieces.
    pub fn digest_hasher(&self) -> DigestHasher {
        DigestHasher(Box::new(blake3::Hasher::new_keyed(&self.0.digest_key)))
    }

    /// Seals a small content for storage in the metadata engine.
    ///
    /// `context` says where the sealed bytes belong (for example account and revision); they open only under the
    /// same. Deterministic. At most 34 bytes longer than `plain`, often shorter.
    ///
    /// # Panics
    /// If `plain` is longer than [`CHUNK_BYTES_MAX`]; inline content is a few KiB.
    pub fn seal_inline(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        assert!(plain.len() <= CHUNK_BYTES_MAX, "inline content is a few KiB");
        envelope::seal_small(&self.0.inline_cipher, &self.0.nonce_key, context, plain, true)
    }

    /// As [`AccountKey::seal_inline`], never compressed: for what is read much more often than its bytes are worth.
    ///
    /// # Panics
    /// As [`AccountKey::seal_inline`].
    pub fn seal_plain(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        assert!(plain.len() <= CHUNK_BYTES_MAX, "inline content is a few KiB");
        envelope::seal_small(&self.0.inline_cipher, &self.0.nonce_key, context, plain, false)
    }

    /// Opens what [`AccountKey::seal_inline`] or [`AccountKey::seal_plain`] made.
    ///
    /// # Errors
    /// `Corrupt` if it was made by another key or under another context, or is damaged.
    pub fn open_inline(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        envelope::open_small(&self.0.inline_cipher, context, sealed)
    }

    pub(crate) fn chunk_cipher(&self) -> &Cipher {
        &self.0.chunk_cipher
    }

    /// Seeds the search for chunk boundaries, so that lengths of chunks do not betray which public file this is.
    pub(crate) fn cut_seed(&self) -> u64 {
        self.0.cut_seed
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountKey(..)")
    }
}

/// Computes a [`Digest`] over pieces.
pub struct DigestHasher(Box<blake3::Hasher>);

impl DigestHasher {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of all pieces so far.
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}
