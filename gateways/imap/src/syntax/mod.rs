//! The grammar of what clients send.

pub(crate) mod ast;
pub(crate) mod mailbox;
