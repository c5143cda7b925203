//! Bytes in and out: the connection's two halves, literals that stream, answers that leave in one write.

mod completion;
mod literals;
mod output;
mod transport;

pub(crate) use completion::{Abort, Code, Completion, Status};
pub(crate) use literals::Literals;
pub(crate) use output::{Enabled, Output};
