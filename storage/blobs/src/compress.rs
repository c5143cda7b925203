//! zstd, where it helps: a sample decides before any time is spent on the whole.

use parking_lot::Mutex;
use zstd::bulk::{Compressor, Decompressor};

use crate::{Error, Result};

/// zstd level: the fast end, since a personal server has few cores and a slow disk hides little of a higher level.
const LEVEL: i32 = 1;
/// Shorter plaintexts are not worth a frame's header.
const PLAIN_BYTES_MIN: usize = 128;
/// How much of the content is tried first, bytes.
const SAMPLE_BYTES: usize = 16 * 1024;
/// Contexts kept for the next use. Each holds about 1 MiB.
const CONTEXTS_KEPT: usize = 4;

static COMPRESSORS: Mutex<Vec<Compressor<'static>>> = Mutex::new(Vec::new());
static DECOMPRESSORS: Mutex<Vec<Decompressor<'static>>> = Mutex::new(Vec::new());

/// The greatest compressed length that is worth keeping for `plain_len` bytes: 95 %.
pub(crate) fn worthwhile(plain_len: usize) -> usize {
    plain_len - plain_len.div_ceil(20)
}

/// Whether a sample of the content shrinks by 5 % at least. Content no longer than the sample is simply tried.
pub(crate) fn promising(plain: &[u8]) -> bool {
    if plain.len() <= SAMPLE_BYTES {
        return plain.len() >= PLAIN_BYTES_MIN;
    }
    // The middle says more than the beginning: containers begin with a compressible header.
    let start = plain.len() / 2 - SAMPLE_BYTES / 2;
    let mut scratch = [0; SAMPLE_BYTES];
    compress(&plain[start..start + SAMPLE_BYTES], &mut scratch[..worthwhile(SAMPLE_BYTES)]).is_some()
}

/// Compresses into `out`; the length, or `None` if it does not fit.
pub(crate) fn compress(plain: &[u8], out: &mut [u8]) -> Option<usize> {
    let kept = COMPRESSORS.lock().pop();
    let mut context = match kept {
        Some(context) => context,
        None => Compressor::new(LEVEL).ok()?,
    };
    let len = context.compress_to_buffer(plain, out).ok();
    let mut kept = COMPRESSORS.lock();
    if kept.len() < CONTEXTS_KEPT {
        kept.push(context);
    }
    len
}

/// Decompresses exactly `out.len()` bytes.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt) if the frame is damaged or of another length.
pub(crate) fn decompress(packed: &[u8], out: &mut [u8]) -> Result<()> {
    let kept = DECOMPRESSORS.lock().pop();
    let mut context = match kept {
        Some(context) => context,
        None => Decompressor::new().map_err(|e| Error::io("cannot set up decompression", e))?,
    };
    let result = context.decompress_to_buffer(packed, out);
    let mut kept = DECOMPRESSORS.lock();
    if kept.len() < CONTEXTS_KEPT {
        kept.push(context);
    }
    match result {
        Ok(len) if len == out.len() => Ok(()),
        Ok(_) => Err(Error::corrupt("compressed bytes are shorter than recorded")),
        Err(error) => Err(Error::corrupt("compressed bytes are damaged").caused_by(error)),
    }
}
