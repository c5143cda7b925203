//! Known answers from the standards, oddities in the manner of real programs, and properties.

mod address;
mod facts;
mod hostile;
mod search;
mod structure;

/// A message with the line ends of the wire.
fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}
