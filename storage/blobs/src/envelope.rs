//! The sealed form of bytes: compressed where that helps, then encrypted and authenticated.
//!
//! ```text
//! chunk    version u8 | codec u8 | plain length u32 LE |            ciphertext | tag 16
//! small    version u8 | codec u8 | plain length u32 LE | nonce 12 | ciphertext | tag 16
//! ```
//!
//! The cipher is AES-256-GCM-SIV (RFC 8452). Its nonces are taken from keyed hashes of the plaintext, so sealing is
//! deterministic: equal plaintext seals to equal bytes, and a repeated nonce can only ever meet another encoding of
//! the same plaintext, which GCM-SIV withstands. The header and the chunk's name (or the caller's context) are
//! authenticated with the ciphertext, so nothing of it can be altered or moved elsewhere unnoticed.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::{
    CHUNK_BYTES_MAX, ChunkName, Error, Result,
    budget::{Budget, Buf},
    compress,
};

/// The shape of envelopes written now.
const VERSION: u8 = 1;
const CODEC_PLAIN: u8 = 0;
const CODEC_ZSTD: u8 = 1;

/// Length of an envelope's header, bytes.
pub(crate) const HEADER_LEN: usize = 6;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// What sealing adds to a chunk that does not compress, bytes.
pub(crate) const CHUNK_OVERHEAD: usize = HEADER_LEN + TAG_LEN;
const SMALL_OVERHEAD: usize = HEADER_LEN + NONCE_LEN + TAG_LEN;

/// A cipher whose key was set up once; the library wipes it when it goes.
pub(crate) struct Cipher(LessSafeKey);

/// A cipher with this key.
pub(crate) fn cipher(key: &[u8; 32]) -> Cipher {
    // **Invariant:** the library refuses only keys of another length.
    Cipher(LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, key).expect("a key of 32 bytes")))
}

fn header(codec: u8, plain_len: usize) -> [u8; HEADER_LEN] {
    // **Invariant:** callers seal at most CHUNK_BYTES_MAX bytes, which fits in 32 bits.
    let len = u32::try_from(plain_len).expect("a sealed plaintext fits in 32 bits").to_le_bytes();
    [VERSION, codec, len[0], len[1], len[2], len[3]]
}

/// Reads a header: codec and plain length, the latter not yet authenticated.
fn parse_header(sealed: &[u8], overhead: usize) -> Result<(u8, usize)> {
    if sealed.len() < overhead {
        return Err(Error::corrupt("sealed bytes are cut short"));
    }
    if sealed[0] != VERSION {
        return Err(Error::corrupt(format!("sealed bytes have unknown version {}", sealed[0])));
    }
    let plain_len = u32::from_le_bytes([sealed[2], sealed[3], sealed[4], sealed[5]]) as usize;
    match sealed[1] {
        CODEC_PLAIN if sealed.len() - overhead == plain_len => Ok((CODEC_PLAIN, plain_len)),
        CODEC_ZSTD if plain_len <= CHUNK_BYTES_MAX => Ok((CODEC_ZSTD, plain_len)),
        CODEC_PLAIN | CODEC_ZSTD => Err(Error::corrupt("sealed bytes have another length than recorded")),
        codec => Err(Error::corrupt(format!("sealed bytes have unknown codec {codec}"))),
    }
}

fn encrypt(cipher: &Cipher, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &mut [u8]) -> [u8; TAG_LEN] {
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let sealed = cipher.0.seal_in_place_separate_tag(nonce, Aad::from(aad), text);
    // **Invariant:** the cipher refuses only texts beyond 64 GiB, and its tags are this long.
    let tag = sealed.expect("a chunk is far below the cipher's limit");
    tag.as_ref().try_into().expect("a tag of this cipher")
}

/// Decrypts `text`, whose last [`TAG_LEN`] bytes are the tag, in place; the plaintext is what is before them.
fn decrypt(cipher: &Cipher, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &mut [u8]) -> Result<()> {
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let opened = cipher.0.open_in_place(nonce, Aad::from(aad), text);
    opened.map(drop).map_err(|_| Error::corrupt("sealed bytes fail authentication"))
}

fn chunk_nonce(name: &ChunkName) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    nonce.copy_from_slice(&name.0[..NONCE_LEN]);
    nonce
}

fn chunk_aad(header: &[u8; HEADER_LEN], name: &ChunkName) -> [u8; HEADER_LEN + 32] {
    let mut aad = [0; HEADER_LEN + 32];
    aad[..HEADER_LEN].copy_from_slice(header);
    aad[HEADER_LEN..].copy_from_slice(&name.0);
    aad
}

/// Seals a chunk. `buf` holds [`HEADER_LEN`] bytes of room, then the plaintext; incompressible content is sealed in
/// place, so no second buffer is needed for it.
pub(crate) fn seal_chunk(cipher: &Cipher, name: &ChunkName, mut buf: Buf, budget: &Budget) -> Buf {
    let plain_len = buf.len() - HEADER_LEN;
    let mut codec = CODEC_PLAIN;
    let limit = compress::worthwhile(plain_len);
    if compress::promising(&buf[HEADER_LEN..]) {
        let mut out = budget.buf(HEADER_LEN + limit + TAG_LEN);
        out.set_len(HEADER_LEN + limit);
        if let Some(len) = compress::compress(&buf[HEADER_LEN..], &mut out[HEADER_LEN..]) {
            out.set_len(HEADER_LEN + len);
            buf = out;
            codec = CODEC_ZSTD;
        }
    }
    let header = header(codec, plain_len);
    buf[..HEADER_LEN].copy_from_slice(&header);
    let tag = encrypt(cipher, &chunk_nonce(name), &chunk_aad(&header, name), &mut buf[HEADER_LEN..]);
    buf.extend(&tag);
    buf
}

/// Opens what [`seal_chunk`] made, in place if it was not compressed.
///
/// The plaintext is the returned range of the returned buffer. `plain_len` is what the reference promises; other
/// lengths are damage. Decompression never writes more than that.
pub(crate) fn open_chunk(
    cipher: &Cipher,
    name: &ChunkName,
    plain_len: u32,
    mut buf: Buf,
    budget: &Budget,
) -> Result<(Buf, std::ops::Range<usize>)> {
    let (codec, recorded) = parse_header(&buf, CHUNK_OVERHEAD)?;
    if recorded != plain_len as usize {
        return Err(Error::corrupt("a chunk has another length than its reference says"));
    }
    let mut head = [0; HEADER_LEN];
    head.copy_from_slice(&buf[..HEADER_LEN]);
    let aad = chunk_aad(&head, name);
    let text_end = buf.len().checked_sub(TAG_LEN).ok_or_else(cut_short)?;
    decrypt(cipher, &chunk_nonce(name), &aad, &mut buf[HEADER_LEN..])?;
    if codec == CODEC_PLAIN {
        return Ok((buf, HEADER_LEN..text_end));
    }
    let mut out = budget.buf(recorded);
    out.set_len(recorded);
    compress::decompress(&buf[HEADER_LEN..text_end], &mut out)?;
    Ok((out, 0..recorded))
}

fn cut_short() -> Error {
    Error::corrupt("sealed bytes are cut short")
}

/// Seals a small value. `nonce_key` keys the hash that the nonce is taken from.
pub(crate) fn seal_small(
    cipher: &Cipher,
    nonce_key: &[u8; 32],
    context: &[u8],
    plain: &[u8],
    compressed: bool,
) -> Vec<u8> {
    let mut sealed = vec![0; HEADER_LEN + NONCE_LEN];
    let mut codec = CODEC_PLAIN;
    if compressed && compress::promising(plain) {
        sealed.resize(HEADER_LEN + NONCE_LEN + compress::worthwhile(plain.len()), 0);
        match compress::compress(plain, &mut sealed[HEADER_LEN + NONCE_LEN..]) {
            Some(len) => {
                codec = CODEC_ZSTD;
                sealed.truncate(HEADER_LEN + NONCE_LEN + len);
            }
            None => sealed.truncate(HEADER_LEN + NONCE_LEN),
        }
    }
    if codec == CODEC_PLAIN {
        sealed.reserve_exact(plain.len() + TAG_LEN);
        sealed.extend_from_slice(plain);
    }
    let header = header(codec, plain.len());
    let nonce = small_nonce(nonce_key, context, plain);
    sealed[..HEADER_LEN].copy_from_slice(&header);
    sealed[HEADER_LEN..HEADER_LEN + NONCE_LEN].copy_from_slice(&nonce);
    let aad = [&header[..], context].concat();
    let tag = encrypt(cipher, &nonce, &aad, &mut sealed[HEADER_LEN + NONCE_LEN..]);
    sealed.extend_from_slice(&tag);
    sealed
}

/// Opens what [`seal_small`] made under the same context.
pub(crate) fn open_small(cipher: &Cipher, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
    let (codec, plain_len) = parse_header(sealed, SMALL_OVERHEAD)?;
    let (head, rest) = sealed.split_at(HEADER_LEN);
    let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(cut_short)?;
    let aad = [head, context].concat();
    let mut text = rest.to_vec();
    decrypt(cipher, nonce, &aad, &mut text)?;
    text.truncate(rest.len() - TAG_LEN);
    if codec == CODEC_PLAIN {
        return Ok(text);
    }
    let mut plain = vec![0; plain_len];
    compress::decompress(&text, &mut plain)?;
    Ok(plain)
}

fn small_nonce(nonce_key: &[u8; 32], context: &[u8], plain: &[u8]) -> [u8; NONCE_LEN] {
    let mut hasher = blake3::Hasher::new_keyed(nonce_key);
    hasher.update(&(context.len() as u64).to_le_bytes());
    hasher.update(context);
    hasher.update(plain);
    let mut nonce = [0; NONCE_LEN];
    hasher.finalize_xof().fill(&mut nonce);
    nonce
}

#[cfg(test)]
mod tests;
