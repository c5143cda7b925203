//! Bytes in and out: the connection's two halves, literals that stream, answers that leave in one write.

mod completion;
mod deflate;
mod literals;
mod output;
mod reader;
mod transport;

pub(crate) use completion::{Abort, Code, Completion, Status};
pub(crate) use deflate::Deflate;
pub(crate) use literals::Literals;
pub(crate) use output::{Enabled, Output};
pub(crate) use reader::{Incoming, ReadEnd, Reader};
pub(crate) use transport::{Io, Transport};

#[cfg(test)]
mod tests;
