//! The scheduling inbox and outbox: RFC 6638 §2.1 and §2.2.

use allod_formats::limits::OBJECT_BYTES_MAX;
use allod_model::{Error, ErrorKind, Kind, Name, Result};

use super::{Facts, Rules};

/// What others sent, put there by the server; clients read and remove. The outbox is always empty: what is posted to it is
/// answered at once.
pub struct Scheduling(pub Kind);

impl Rules for Scheduling {
    fn kind(&self) -> Kind {
        self.0
    }

    /// Some, so that the rules are asked whatever comes.
    fn content_bytes_max(&self) -> Option<u64> {
        Some(OBJECT_BYTES_MAX as u64)
    }

    fn admits_folder(&self, _: Kind) -> bool {
        false
    }

    /// RFC 6638 §2.1: clients put nothing there.
    fn judge(&self, _: &Name, _: Option<&[u8]>) -> Result<Facts> {
        Err(Error::new(ErrorKind::Denied, "only the server writes here"))
    }
}
