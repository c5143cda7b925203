//! What goes wrong, in IMAP's words.

use allod_model::{Detail, Error, ErrorKind};

use crate::wire::{Code, Completion, Status};

/// When to come back after storage failed, in seconds.
const UNAVAILABLE_RETRY_SECS: u64 = 5;
/// When to come back after competing operations, in seconds.
const BUSY_RETRY_SECS: u64 = 1;

/// The answer to a failure of core: NO, and the code of RFC 9051 §7.1 or RFC 5530 by which a client decides.
pub(crate) fn completion(error: &Error) -> Completion {
    Completion { status: Status::No, code: Some(code(error)), text: text(error).into() }
}

fn code(error: &Error) -> Code {
    match error.kind {
        ErrorKind::NotFound => Code::NON_EXISTENT,
        ErrorKind::Exists | ErrorKind::UidConflict => Code::ALREADY_EXISTS,
        ErrorKind::NotEmpty => Code::HAS_CHILDREN,
        // RFC 9051 §6.3.12: the client may CREATE it and try again.
        ErrorKind::WrongKind if error.detail == Detail::MissingParent => Code::TRY_CREATE,
        ErrorKind::WrongKind | ErrorKind::InvalidContent => Code::CANNOT,
        ErrorKind::PreconditionFailed => Code::ALREADY_EXISTS,
        ErrorKind::Locked => Code::IN_USE,
        ErrorKind::Denied => Code::NO_PERM,
        ErrorKind::Unauthenticated => Code::AUTHENTICATION_FAILED,
        ErrorKind::OverQuota => Code::OVER_QUOTA,
        ErrorKind::TooLarge => Code::LIMIT,
        ErrorKind::HorizonPassed => Code::CANNOT,
        ErrorKind::Busy => Code::UNAVAILABLE,
        ErrorKind::Corrupt => Code::CORRUPTION,
        ErrorKind::Unavailable => Code::UNAVAILABLE,
    }
}

/// Core's messages are for operators; these are for the person at a mail program.
fn text(error: &Error) -> String {
    match error.kind {
        ErrorKind::NotFound => "There is nothing of that name".to_owned(),
        ErrorKind::Exists => "Something of that name exists".to_owned(),
        ErrorKind::NotEmpty => "It is not empty".to_owned(),
        ErrorKind::WrongKind if error.detail == Detail::MissingParent => {
            "There is no such mailbox".to_owned()
        }
        ErrorKind::WrongKind => "That cannot be there".to_owned(),
        ErrorKind::InvalidContent => format!("This is not acceptable: {}", plain(&error.message)),
        ErrorKind::UidConflict => "Another one has this UID".to_owned(),
        ErrorKind::PreconditionFailed => "It was changed meanwhile".to_owned(),
        ErrorKind::Locked => "It is locked by another program".to_owned(),
        ErrorKind::Denied => "This app password does not allow that".to_owned(),
        ErrorKind::Unauthenticated => "The user name or the app password is wrong, or was revoked".to_owned(),
        ErrorKind::OverQuota => "There is no room left".to_owned(),
        ErrorKind::TooLarge => match error.detail {
            Detail::Limit(what, max) => format!("Too much: {what}, at most {max}"),
            _ => "Too much".to_owned(),
        },
        ErrorKind::HorizonPassed => "Too long ago: synchronize anew".to_owned(),
        ErrorKind::Busy => format!("Busy: try again in {} s", retry_secs(error, BUSY_RETRY_SECS)),
        ErrorKind::Corrupt => "What is stored there is damaged; tell the operator".to_owned(),
        ErrorKind::Unavailable => {
            format!("Storage cannot be reached: try again in {} s", retry_secs(error, UNAVAILABLE_RETRY_SECS))
        }
    }
}

fn retry_secs(error: &Error, default: u64) -> u64 {
    match error.detail {
        Detail::RetryAfter(secs) => secs,
        _ => default,
    }
}

/// RFC 9051 §9, `text`: no line ends; other than ASCII only to who asked for it.
fn plain(text: &str) -> String {
    text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).take(200).collect()
}
