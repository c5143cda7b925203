//! What went wrong, as a page.

use allod_model::{Detail, Error, ErrorKind};
use http::StatusCode;

/// Why a request was not answered as asked.
pub(crate) enum Refusal {
    /// Core said no.
    Core(Error),
    /// Sign in first, then come back.
    SignIn,
    /// The form did not come from this page, or its token is old.
    Forged,
    /// There is no such page.
    NotFound,
    /// The page is there, but not by this method.
    Method,
    /// The form is too large or cannot be read.
    Malformed,
    /// A form that cannot be what it says, with the key of a text for people.
    Form(&'static str),
}

impl Refusal {
    /// A form that cannot be what it says.
    pub fn form(key: &'static str) -> Refusal {
        Refusal::Form(key)
    }

    /// The status of the answer, and the key of what people are told.
    pub fn words(&self) -> (StatusCode, &'static str) {
        match self {
            Refusal::Core(error) => (status(error.kind), message(error.kind)),
            Refusal::SignIn => (StatusCode::UNAUTHORIZED, "error.sign-in"),
            Refusal::Forged => (StatusCode::FORBIDDEN, "error.forged"),
            Refusal::NotFound => (StatusCode::NOT_FOUND, "error.not-found"),
            Refusal::Method => (StatusCode::METHOD_NOT_ALLOWED, "error.method"),
            Refusal::Malformed => (StatusCode::BAD_REQUEST, "error.malformed"),
            Refusal::Form(key) => (StatusCode::UNPROCESSABLE_ENTITY, key),
        }
    }

    /// Seconds after which to try again.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Refusal::Core(Error { detail: Detail::RetryAfter(secs), .. }) => Some(*secs),
            Refusal::Core(error) if error.kind == ErrorKind::Unavailable => Some(5),
            _ => None,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Core(error)
    }
}

fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Exists | ErrorKind::NotEmpty | ErrorKind::WrongKind | ErrorKind::UidConflict => {
            StatusCode::CONFLICT
        }
        ErrorKind::InvalidContent => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorKind::Locked => StatusCode::LOCKED,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::OverQuota => StatusCode::INSUFFICIENT_STORAGE,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::HorizonPassed => StatusCode::GONE,
        ErrorKind::Busy => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Corrupt => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The key of what people are told.
pub(crate) fn message(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "error.not-found",
        ErrorKind::Exists => "error.exists",
        ErrorKind::NotEmpty => "error.not-empty",
        ErrorKind::WrongKind => "error.wrong-kind",
        ErrorKind::InvalidContent => "error.invalid",
        ErrorKind::UidConflict => "error.exists",
        ErrorKind::PreconditionFailed => "error.changed",
        ErrorKind::Locked => "error.locked",
        ErrorKind::Denied => "error.denied",
        ErrorKind::Unauthenticated => "error.sign-in",
        ErrorKind::OverQuota => "error.quota",
        ErrorKind::TooLarge => "error.too-large",
        ErrorKind::HorizonPassed => "error.too-old",
        ErrorKind::Busy => "error.busy",
        ErrorKind::Corrupt => "error.corrupt",
        ErrorKind::Unavailable => "error.unavailable",
    }
}
