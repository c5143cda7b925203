//! The words that every part of allod shares.
//!
//! Identities ([`AccountId`], [`NodeId`], [`ContentId`], [`Seq`]), names and paths ([`Name`], [`Path`],
//! [`EntryKey`]), what a credential may do ([`Rights`], [`Grant`], [`Protocol`]), conditions on a write
//! ([`Precondition`]) and the closed list of what can go wrong ([`ErrorKind`]).
//!
//! The crate refuses to know: I/O, async, wires, storage engines. Everything here is a value.
//!
//! ```
//! use allod_model::{NameRule, Path};
//! let path = Path::parse(b"photos/2024/a.jpg", NameRule::Strict).unwrap();
//! assert_eq!(path.last().unwrap().as_bytes(), b"a.jpg");
//! assert!(Path::parse(b"photos/../mail", NameRule::Strict).is_err());
//! ```

mod condition;
mod error;
mod grant;
mod id;
mod name;
mod time;

pub use condition::{Condition, Etag, EtagMatch, LockToken, Precondition, StateList};
pub use error::{Detail, Error, ErrorKind, Result};
pub use grant::{Grant, GrantError, Protocol, Rights, parse_grant};
pub use id::{AccountId, ContentId, CredentialId, Kind, NodeId, Seq};
pub use name::{
    EntryKey, NAME_BYTES_MAX, Name, NameRule, PATH_BYTES_MAX, PATH_DEPTH_MAX, Path, RAW_KEY_BYTES_MAX,
};
pub use time::{Timestamp, parse_duration_secs, parse_size};

#[cfg(test)]
mod tests;
