//! What the mail gateway remembers over a restart, and the store does not understand: policies of other domains, who was
//! asked to come again.

use allod_meta::Lookup;
use allod_model::{Error, Result};

use crate::core::blocking;
use crate::fault::{Fault, Res};
use crate::keys::{GLOBAL_SHARD, global};
use crate::operator::Operator;

/// Bytes of one note.
const NOTE_BYTES_MAX: usize = 48 << 10;
/// Bytes of its name.
const NAME_BYTES_MAX: usize = 300;

impl Operator {
    /// Keeps a small note under a name, in place of the one before; `None` removes it. Sealed under the master key.
    ///
    /// # Errors
    /// `TooLarge` beyond 48 KiB or with a name beyond 300 bytes; `Unavailable`.
    pub async fn note(&self, name: &str, bytes: Option<&[u8]>) -> Result<()> {
        if name.len() > NAME_BYTES_MAX || bytes.is_some_and(|bytes| bytes.len() > NOTE_BYTES_MAX) {
            return Err(Error::too_large("bytes of a note", NOTE_BYTES_MAX as u64));
        }
        let row = global::note(name);
        let sealed = bytes.map(|bytes| self.core().0.master.seal(&row, bytes));
        self.core()
            .transact(GLOBAL_SHARD, move |txn| match &sealed {
                Some(sealed) => Ok(txn.put(&row, sealed)?),
                None => Ok(txn.delete(&row)?),
            })
            .await
    }

    /// The notes whose name begins so, with the rest of their name, in its order; at most so many.
    ///
    /// # Errors
    /// `Corrupt`, `Unavailable`.
    pub async fn notes(&self, prefix: &str, most: usize) -> Result<Vec<(String, Vec<u8>)>> {
        let (core, row) = (self.core().clone(), global::note(prefix));
        blocking(move || -> Res<_> {
            let rows = core.view()?.scan_prefix(&row, None, most)?;
            let mut notes = Vec::with_capacity(rows.len());
            for (key, sealed) in rows {
                let plain = core.0.master.open(&key, &sealed).map_err(Fault::from)?;
                notes.push((String::from_utf8_lossy(&key[row.len()..]).into_owned(), plain.to_vec()));
            }
            Ok(notes)
        })
        .await
    }
}
