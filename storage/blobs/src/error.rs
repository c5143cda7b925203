//! What can go wrong, in eight words a caller can act on.

use std::{fmt, io};

/// The closed list of failures of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The chunk, pack or key file is not there.
    NotFound,
    /// Bytes are there, but are not what was stored. They are kept, and never served.
    Corrupt,
    /// The disk or the bucket's quota is full; nothing half-written was left.
    NoSpace,
    /// The back-end does not answer or failed; trying again later may help.
    Unavailable,
    /// A value is beyond one of this crate's limits.
    TooLarge,
    /// Wrong passphrase, wrong credentials, or the back-end forbids the operation.
    Denied,
    /// The caller's mistake: a bad URL or configuration, or a use that the documentation forbids.
    Invalid,
}

/// Why an operation failed, and on which blob.
///
/// The message names chunks by their keyed hash and never contains content, keys or secrets.
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error without a cause. Core uses this too, to answer from its [`ChunkIndex`](crate::ChunkIndex).
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), source: None }
    }

    /// The same error, with what caused it.
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What failed, in words for the operator; without the cause.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same failure for another who waits for it; causes become text.
    pub(crate) fn again(&self) -> Error {
        let copy = Error::new(self.kind, self.message.clone());
        match &self.source {
            Some(source) => copy.caused_by(source.to_string()),
            None => copy,
        }
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Invalid, message)
    }

    /// A failure of the file system, told apart by its code.
    pub(crate) fn io(what: impl Into<String>, error: io::Error) -> Error {
        Error::new(kind_of_io(&error), what).caused_by(error)
    }

    /// A failure of an object store.
    pub(crate) fn store(what: impl Into<String>, error: object_store::Error) -> Error {
        use object_store::Error as Store;
        let kind = match &error {
            Store::NotFound { .. } => ErrorKind::NotFound,
            Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => ErrorKind::Denied,
            other => kind_of_answer(&other.to_string())
                .or_else(|| find_io(other).map(kind_of_io))
                .unwrap_or(ErrorKind::Unavailable),
        };
        Error::new(kind, what).caused_by(error)
    }

    /// A blocking task that panicked or was cancelled at shutdown.
    pub(crate) fn task(error: tokio::task::JoinError) -> Error {
        Error::new(ErrorKind::Unavailable, "a worker task ended early").caused_by(error)
    }
}

fn kind_of_io(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoSpace,
        io::ErrorKind::FileTooLarge => ErrorKind::TooLarge,
        io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    }
}

/// What the status of a refused listing means. `object_store` sorts the failures of all requests by status except
/// those of listings, and tells their status in the text only.
fn kind_of_answer(text: &str) -> Option<ErrorKind> {
    let (_, status) = text.split_once("non-2xx status code: ")?;
    match status.get(..3)? {
        "401" | "403" => Some(ErrorKind::Denied),
        "404" => Some(ErrorKind::NotFound),
        _ => None,
    }
}

/// The `io::Error` that an error hangs on.
fn find_io<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<io::Error>() {
            return Some(found);
        }
        next = current.source();
    }
    None
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)?;
        let mut said = String::new();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Many errors repeat their cause in their own text.
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            next = cause.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

#[cfg(test)]
mod tests;
