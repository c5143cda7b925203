//! How a command ends.

use std::borrow::Cow;
use std::io;

use allod_model::Error;

use crate::error;

/// RFC 9051 §7.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    Ok,
    No,
    Bad,
}

/// What stands between the brackets of a status answer (RFC 9051 §7.1, RFC 5530), such as `COPYUID 7 1 9`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Code(pub(crate) Cow<'static, str>);

macro_rules! codes {
    ($($name:ident = $code:literal;)*) => {
        #[allow(dead_code, reason = "the standard's list, whole")]
        impl Code {
            $(pub(crate) const $name: Code = Code(Cow::Borrowed($code));)*
        }
    };
}

codes! {
    ALERT = "ALERT";
    ALREADY_EXISTS = "ALREADYEXISTS";
    AUTHENTICATION_FAILED = "AUTHENTICATIONFAILED";
    AUTHORIZATION_FAILED = "AUTHORIZATIONFAILED";
    BAD_EVENT = "BADEVENT";
    CANNOT = "CANNOT";
    CLIENT_BUG = "CLIENTBUG";
    CLOSED = "CLOSED";
    COMPRESSION_ACTIVE = "COMPRESSIONACTIVE";
    CORRUPTION = "CORRUPTION";
    EXPUNGE_ISSUED = "EXPUNGEISSUED";
    HAS_CHILDREN = "HASCHILDREN";
    IN_USE = "INUSE";
    LIMIT = "LIMIT";
    NO_MODSEQ = "NOMODSEQ";
    NO_PERM = "NOPERM";
    NON_EXISTENT = "NONEXISTENT";
    NOT_SAVED = "NOTSAVED";
    OVER_QUOTA = "OVERQUOTA";
    PRIVACY_REQUIRED = "PRIVACYREQUIRED";
    READ_ONLY = "READ-ONLY";
    READ_WRITE = "READ-WRITE";
    SERVER_BUG = "SERVERBUG";
    TOO_BIG = "TOOBIG";
    TOO_MUCH = "TOOMUCH";
    TRY_CREATE = "TRYCREATE";
    UID_NOT_STICKY = "UIDNOTSTICKY";
    UNAVAILABLE = "UNAVAILABLE";
    UNKNOWN_CTE = "UNKNOWN-CTE";
    USE_ATTR = "USEATTR";
}

impl Code {
    /// One with arguments, written as it goes out.
    pub(crate) fn new(text: impl Into<Cow<'static, str>>) -> Code {
        Code(text.into())
    }
}

/// The last answer of a command; the connection puts its tag before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Completion {
    pub(crate) status: Status,
    pub(crate) code: Option<Code>,
    /// For people. ASCII, without line ends.
    pub(crate) text: Cow<'static, str>,
}

impl Completion {
    /// Done.
    pub(crate) fn ok(text: impl Into<Cow<'static, str>>) -> Completion {
        Completion { status: Status::Ok, code: None, text: text.into() }
    }

    /// Refused.
    pub(crate) fn no(code: Code, text: impl Into<Cow<'static, str>>) -> Completion {
        Completion { status: Status::No, code: Some(code), text: text.into() }
    }

    /// Not understood.
    pub(crate) fn bad(text: impl Into<Cow<'static, str>>) -> Completion {
        Completion { status: Status::Bad, code: None, text: text.into() }
    }

    /// The same with a code.
    pub(crate) fn with(self, code: Code) -> Completion {
        Completion { code: Some(code), ..self }
    }
}

impl From<Error> for Completion {
    fn from(error: Error) -> Self {
        error::completion(&error)
    }
}

/// Why a command ends before its end: `?` works on failures of core and of the connection alike.
#[derive(Debug)]
pub(crate) enum Abort {
    /// The command is answered so, and the connection goes on.
    Answer(Completion),
    /// The connection cannot go on.
    Gone(io::Error),
}

impl From<Completion> for Abort {
    fn from(completion: Completion) -> Self {
        Abort::Answer(completion)
    }
}

impl From<Error> for Abort {
    fn from(error: Error) -> Self {
        Abort::Answer(error.into())
    }
}

impl From<io::Error> for Abort {
    fn from(error: io::Error) -> Self {
        Abort::Gone(error)
    }
}
