//! Conditions on a write, judged inside the commit that applies it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Path, Timestamp};

/// A strong entity tag without its quotes (RFC 9110 §8.8.3).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Etag(pub String);

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What `If-Match` and `If-None-Match` carry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EtagMatch {
    /// `*`: anything that exists.
    Any,
    /// One of these tags.
    OneOf(Vec<Etag>),
}

impl EtagMatch {
    /// Whether `current` (absent: nothing is there) is matched.
    pub fn matches(&self, current: Option<&Etag>) -> bool {
        match (self, current) {
            (_, None) => false,
            (EtagMatch::Any, Some(_)) => true,
            (EtagMatch::OneOf(tags), Some(tag)) => tags.contains(tag),
        }
    }
}

/// The token of a lock: an absolute URI (RFC 4918 §6.5).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct LockToken(pub String);

impl fmt::Display for LockToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One condition of a state list (RFC 4918 §10.4.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// The resource is (`true`) or is not locked with this token.
    Token(LockToken, bool),
    /// The resource's entity tag is (`true`) or is not this one.
    Etag(Etag, bool),
}

/// Conditions on one resource, all of which must hold (a "List" of the `If` header, RFC 4918 §10.4.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateList {
    /// Which resource; `None` means the one the request is about.
    pub resource: Option<Path>,
    /// A resource outside this account: nothing is known of it, so no positive condition can hold.
    pub foreign: bool,
    /// The conditions.
    pub conditions: Vec<Condition>,
}

/// Everything that must hold at the moment of the commit. The default holds always.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Precondition {
    /// RFC 9110 §13.1.1.
    pub if_match: Option<EtagMatch>,
    /// RFC 9110 §13.1.2.
    pub if_none_match: Option<EtagMatch>,
    /// RFC 9110 §13.1.3; seconds resolution.
    pub if_modified_since: Option<Timestamp>,
    /// RFC 9110 §13.1.4; seconds resolution.
    pub if_unmodified_since: Option<Timestamp>,
    /// The schedule-tag that a calendar object must have (RFC 6638 §8.3), without quotes.
    pub if_schedule_tag: Option<String>,
    /// When not empty, one of these must hold (RFC 4918 §10.4).
    pub any_of: Vec<StateList>,
    /// Lock tokens that the client presented. Those named in `any_of` must be listed here too.
    pub lock_tokens: Vec<LockToken>,
}
