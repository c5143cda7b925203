//! Answers in the wire's words, straight from what core knows: nothing is parsed, and nothing is decided.

pub(crate) mod date;
pub(crate) mod envelope;
pub(crate) mod flags;
pub(crate) mod ids;
pub(crate) mod section;
pub(crate) mod set;
pub(crate) mod structure;

#[cfg(test)]
mod tests;
