//! Failures inside core: storage errors become the shared [`Error`] here, once.

use allod_model::{Error, ErrorKind};

/// The result of internal functions; `?` takes storage errors as they are.
pub type Res<T> = Result<T, Fault>;

/// The shared error, in a type of our own so that storage errors convert into it.
#[derive(Clone, Debug)]
pub struct Fault(pub Error);

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault(error)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        fault.0
    }
}

impl From<allod_meta::Error> for Fault {
    fn from(error: allod_meta::Error) -> Self {
        use allod_meta::ErrorKind as Meta;
        let kind = match error.kind {
            Meta::Corrupt => ErrorKind::Corrupt,
            Meta::NoSpace => ErrorKind::OverQuota,
            Meta::Conflict => ErrorKind::Busy,
            Meta::TooLarge => ErrorKind::TooLarge,
            Meta::Fenced | Meta::Unavailable | Meta::Unknown | Meta::Busy => ErrorKind::Unavailable,
        };
        Fault(Error::new(kind, error.to_string()))
    }
}

impl From<allod_blobs::Error> for Fault {
    fn from(error: allod_blobs::Error) -> Self {
        use allod_blobs::ErrorKind as Blob;
        let kind = match error.kind() {
            // A chunk that the index names and the store lacks is damage, not absence.
            Blob::NotFound | Blob::Corrupt => ErrorKind::Corrupt,
            Blob::NoSpace => ErrorKind::OverQuota,
            Blob::TooLarge => ErrorKind::TooLarge,
            Blob::Unavailable | Blob::Denied | Blob::Invalid => ErrorKind::Unavailable,
        };
        Fault(Error::new(kind, error.to_string()))
    }
}

/// Shorthand for a failure of `kind`.
pub fn fail<T>(kind: ErrorKind, message: impl Into<String>) -> Res<T> {
    Err(Fault(Error::new(kind, message)))
}
