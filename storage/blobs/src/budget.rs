//! Memory for content on its way through: one budget over all transfers, and buffers that are used again.
//!
//! Nobody ever *waits* for the budget, so it cannot deadlock and a slow client cannot starve others. What a transfer
//! needs at least (one buffer) it always gets; what would only make it faster (read-ahead, chunks in flight) it gets
//! while the budget has room, and does without otherwise. Memory in use is therefore at most the larger of the
//! budget and one buffer per transfer, plus what callers hold on to.
//!
//! Large buffers are mappings of their own: an allocator would keep their memory after a burst, each of its arenas
//! some. A few are kept for the next use, fewer as the load goes down.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use memmap2::MmapMut;
use parking_lot::Mutex;

use crate::{CHUNK_BYTES_MAX, envelope::CHUNK_OVERHEAD};

/// Size of the one class of large buffers, bytes: any sealed chunk fits.
const LARGE_BYTES: usize = (CHUNK_BYTES_MAX + CHUNK_OVERHEAD).next_multiple_of(4096);
/// Buffers up to this size come from the allocator, in the size asked for.
const SMALL_BYTES_MAX: usize = 256 * 1024;
/// Large buffers kept for the next use when nothing is going on. Otherwise as many more as are in use.
const LARGE_KEPT: usize = 2;

/// The shared account of buffer bytes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Inner>);

struct Inner {
    bytes_max: usize,
    used: AtomicUsize,
    kept: Mutex<Vec<Storage>>,
}

/// Initialised bytes.
enum Storage {
    Small(Box<[u8]>),
    Large(MmapMut),
}

impl Storage {
    fn new(size: usize) -> Storage {
        let mapped = if size > SMALL_BYTES_MAX { MmapMut::map_anon(size).ok() } else { None };
        mapped.map_or_else(|| Storage::Small(vec![0; size].into_boxed_slice()), Storage::Large)
    }
}

impl Deref for Storage {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Storage::Small(bytes) => bytes,
            Storage::Large(bytes) => bytes,
        }
    }
}

impl DerefMut for Storage {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Storage::Small(bytes) => bytes,
            Storage::Large(bytes) => bytes,
        }
    }
}

impl Budget {
    pub(crate) fn new(bytes_max: usize) -> Budget {
        Budget(Arc::new(Inner { bytes_max, used: AtomicUsize::new(0), kept: Mutex::new(Vec::new()) }))
    }

    /// Bytes of all buffers now alive.
    pub(crate) fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// An empty buffer for at least `capacity` bytes, even beyond the budget.
    pub(crate) fn buf(&self, capacity: usize) -> Buf {
        let size = size_class(capacity);
        self.0.used.fetch_add(size, Ordering::Relaxed);
        self.allocate(size)
    }

    /// An empty buffer for at least `capacity` bytes, if the budget has room for it.
    pub(crate) fn try_buf(&self, capacity: usize) -> Option<Buf> {
        let size = size_class(capacity);
        let take = |used: usize| used.checked_add(size).filter(|used| *used <= self.0.bytes_max);
        self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(self.allocate(size))
    }

    fn allocate(&self, size: usize) -> Buf {
        let kept = if size == LARGE_BYTES { self.0.kept.lock().pop() } else { None };
        let bytes = kept.unwrap_or_else(|| Storage::new(size));
        Buf { bytes, len: 0, budget: self.clone() }
    }
}

fn size_class(capacity: usize) -> usize {
    if capacity > SMALL_BYTES_MAX && capacity <= LARGE_BYTES { LARGE_BYTES } else { capacity }
}

/// A buffer out of the [`Budget`]: initialised storage of fixed capacity, filled up to a length.
pub(crate) struct Buf {
    bytes: Storage,
    len: usize,
    budget: Budget,
}

impl Buf {
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Sets the filled length. Bytes that come into view have any value. Panics beyond the capacity.
    pub(crate) fn set_len(&mut self, len: usize) {
        assert!(len <= self.bytes.len());
        self.len = len;
    }

    /// Appends. Panics beyond the capacity.
    pub(crate) fn extend(&mut self, data: &[u8]) {
        let end = self.len + data.len();
        self.bytes[self.len..end].copy_from_slice(data);
        self.len = end;
    }

    /// Moves the content to a buffer for at least `capacity` bytes, if this one is smaller.
    pub(crate) fn grow(&mut self, capacity: usize) {
        if capacity > self.capacity() {
            let mut larger = self.budget.buf(capacity);
            larger.extend(self);
            *self = larger;
        }
    }
}

impl Deref for Buf {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl DerefMut for Buf {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }
}

impl AsRef<[u8]> for Buf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Buf {
    fn drop(&mut self) {
        let inner = &self.budget.0;
        let size = self.bytes.len();
        let used = inner.used.fetch_sub(size, Ordering::Relaxed) - size;
        if size == LARGE_BYTES {
            let mut kept = inner.kept.lock();
            kept.truncate(LARGE_KEPT + used / LARGE_BYTES);
            if kept.len() < LARGE_KEPT + used / LARGE_BYTES {
                kept.push(std::mem::replace(&mut self.bytes, Storage::Small(Box::default())));
            }
        }
    }
}

#[cfg(test)]
mod tests;
