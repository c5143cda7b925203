//! What can go wrong in storage, as a closed list.

use std::fmt;

/// Why an operation failed. The list is closed: whoever maps it to another list of errors does so
/// without a wildcard arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// An expectation of a batch did not hold; nothing of the batch was applied. The error carries
    /// the key.
    Conflict,
    /// Another process has taken over the shard; this one must not write to it any more. Only
    /// engines shared by several processes answer so.
    Fenced,
    /// The disk, or a quota of the operating system, is full. Reading still works, and writing
    /// works again once there is room.
    NoSpace,
    /// Stored bytes are not what was written. The error carries the key where it is known. The
    /// damaged bytes are left in place.
    Corrupt,
    /// The storage does not answer now: an input or output error, a closed store, an engine that
    /// this build does not contain. Trying again later may succeed.
    Unavailable,
    /// Whether the batch was applied is not known. Sending a batch of the same id again is safe.
    Unknown,
    /// A key, value or batch is over its limit, or a key is empty ([`crate::KEY_BYTES_MAX`],
    /// [`crate::VALUE_BYTES_MAX`], [`crate::BATCH_OPS_MAX`], [`crate::BATCH_BYTES_MAX`]).
    TooLarge,
    /// Another process, or another handle in this one, holds the database's lock.
    Busy,
}

/// An error of the metadata store: its kind, a sentence for the operator, and the key concerned.
///
/// It is cheap enough to clone for every waiter of a failed group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The kind, for decisions.
    pub kind: ErrorKind,
    /// A sentence for logs and operators; never parsed, never shown to a protocol's client.
    pub message: String,
    /// The key that the error is about, if it is about one.
    pub key: Option<Vec<u8>>,
}

impl Error {
    /// An error that concerns no single key.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), key: None }
    }

    /// The same error, naming `key` as the place.
    #[must_use]
    pub fn at(mut self, key: &[u8]) -> Error {
        self.key = Some(key.to_vec());
        self
    }

    /// Maps an error of the operating system: a full disk or quota is [`ErrorKind::NoSpace`], bytes
    /// that make no sense are [`ErrorKind::Corrupt`], anything else is [`ErrorKind::Unavailable`].
    pub fn from_io(context: &str, err: &std::io::Error) -> Error {
        use std::io::ErrorKind as Io;
        let kind = match err.kind() {
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::NoSpace,
            Io::InvalidData | Io::UnexpectedEof => ErrorKind::Corrupt,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, format!("{context}: {err}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)?;
        if let Some(key) = &self.key {
            write!(f, " (key {})", key.escape_ascii())?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
