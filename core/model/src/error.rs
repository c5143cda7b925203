//! What can go wrong, as a closed list that every gateway translates in full.

use std::fmt;

/// A result with the shared [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kinds of failure. Closed: a new kind does not compile until every gateway answers for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorKind {
    /// Nothing is there, or not even the name may be known.
    NotFound,
    /// Something of that name is there already.
    Exists,
    /// The folder still has members.
    NotEmpty,
    /// A file where a folder is needed or the reverse, a kind of folder that does not take this, a parent
    /// that is missing ([`Detail::MissingParent`]), or a move into itself.
    WrongKind,
    /// The bytes, the name or the argument are not acceptable.
    InvalidContent,
    /// Another member of the folder has this UID.
    UidConflict,
    /// A condition of the request does not hold.
    PreconditionFailed,
    /// A lock stands in the way whose token was not presented.
    Locked,
    /// The credential does not grant this.
    Denied,
    /// No valid credential was presented.
    Unauthenticated,
    /// The account's quota would be exceeded.
    OverQuota,
    /// A declared limit would be exceeded.
    TooLarge,
    /// The sync token is older than what is kept: start over.
    HorizonPassed,
    /// Too many requests or a competing operation: try again later.
    Busy,
    /// Stored data failed its checksum; it is reported, never served.
    Corrupt,
    /// The storage cannot be used now.
    Unavailable,
}

/// Facts that a gateway may need to answer in its protocol's own terms.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Detail {
    /// Nothing more to say.
    #[default]
    None,
    /// The path the failure is about, as `/a/b`.
    Path(String),
    /// The folder in which the write would happen is missing.
    MissingParent,
    /// A condition on existing state failed because of `If-None-Match` on a read: not an error but "unchanged".
    NotModified,
    /// Which limit was exceeded, and its value.
    Limit(&'static str, u64),
    /// The UID in conflict and the name that holds it.
    Uid(String, String),
    /// Seconds after which to try again.
    RetryAfter(u64),
    /// What is named is a delete marker; it was put by this commit (0: the null version).
    DeleteMarker(u64),
    /// The object has no such version.
    NoVersion,
    /// There is no such upload under way.
    NoUpload,
    /// A part that was named is missing or is another one.
    NoPart,
    /// Parts are not named in ascending order.
    PartOrder,
    /// A part but the last is too small.
    PartTooSmall,
    /// The bytes are not those that a checksum announced.
    BadDigest,
    /// A retention or a legal hold keeps it.
    Held,
    /// There is no such bucket.
    NoBucket,
    /// A condition needs something to be there, and nothing is.
    Absent,
    /// Which demand of a standard the content fails: the standard, and the demand's name there.
    Demand(&'static str, &'static str),
}

/// A failure: its kind, facts for the gateway, and a message for logs and operators.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// Which kind.
    pub kind: ErrorKind,
    /// Facts for the wire.
    pub detail: Detail,
    /// For logs and the operator, never holding a secret: what happened and what to do.
    pub message: String,
}

impl Error {
    /// An error of `kind` with a message for people.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, detail: Detail::None, message: message.into() }
    }

    /// The same error with facts for the wire.
    pub fn with(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// `NotFound`.
    pub fn not_found() -> Self {
        Error::new(ErrorKind::NotFound, "there is nothing of that name")
    }

    /// `Denied`.
    pub fn denied() -> Self {
        Error::new(ErrorKind::Denied, "this credential does not grant that")
    }

    /// `TooLarge`, naming the limit.
    pub fn too_large(what: &'static str, max: u64) -> Self {
        Error::new(ErrorKind::TooLarge, format!("{what}: at most {max}")).with(Detail::Limit(what, max))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
