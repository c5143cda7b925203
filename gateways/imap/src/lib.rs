//! The IMAP window on the store: RFC 9051, RFC 3501 and their extensions.
//!
//! A connection (`connection`) reads commands, knows who speaks and what is allowed when; `syntax` understands them;
//! a conversation (`session`) carries them out on a session of core; `wire` moves the bytes in both directions, so
//! that a message of any size passes through and is never held.
//!
//! The crate refuses to know: who may do what, what a mailbox takes, which UID comes next. Core decides that.

#![allow(dead_code, reason = "under construction")]

mod error;
mod print;
mod session;
mod syntax;
mod wire;
