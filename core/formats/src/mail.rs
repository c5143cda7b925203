//! Mail (RFC 5322, MIME): from the bytes of a message to what mail servers are asked about it.
//!
//! [`read`] takes a message apart once, when it is stored: envelope, structure with the place of each part, preview,
//! what sorting and threading need. Nothing has to be parsed again for a list of messages or for a part of one.
//! [`search_text`] gives what SEARCH looks through. Anything that came as mail is read: damage has a meaning here, it
//! is never an error.

mod address;
mod body;
mod bound;
mod charset;
mod check;
mod content;
mod date;
mod envelope;
mod facts;
mod fold;
pub mod header;
mod html;
mod lexer;
mod parameter;
mod preview;
mod read;
mod search;
mod sort;
mod structure;
mod subject;
mod thread;
mod word;

pub use body::{UnknownEncoding, decode_body, part_text};
pub use bound::{FACTS_BYTES_MAX, VALUE_BYTES_MAX};
pub use check::is_message;
pub use date::sent;
pub use facts::{Address, Disposition, Envelope, Facts, Inner, Parameter, Part, Sent, Span};
pub use fold::fold;
pub use preview::PREVIEW_CHARS_MAX;
pub use read::read;
pub use search::{SearchText, search_text};
pub use sort::{collate, display_name, sort_subject};
pub use subject::base_subject;
pub use thread::{REFERENCES_MAX, message_id, references};

/// Parts of a message, all levels together. When there are more, the rest of the multipart they stand in is one leaf.
pub const PARTS_MAX: usize = 1_000;
/// Parts within parts. A multipart deeper down is a leaf; a message in it is not looked into.
pub const DEPTH_MAX: usize = 64;
/// Addresses that are kept of a message, those of inner messages included.
pub const ADDRESSES_MAX: usize = 2_000;
/// Parameters of one field, and languages.
pub const PARAMETERS_MAX: usize = 100;
/// Bytes of each text that [`search_text`] gives.
pub const SEARCH_TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a [`Span`] can name; no message that is accepted is longer.
fn addressable(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(u32::MAX as usize)]
}

/// Places within [`addressable`] bytes.
fn span(start: usize, end: usize) -> Span {
    Span { start: start as u32, end: end as u32 }
}

impl Span {
    /// The bytes it names. Beyond the end there are none.
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        let end = (self.end as usize).min(bytes.len());
        &bytes[(self.start as usize).min(end)..end]
    }
}

#[cfg(test)]
mod tests;
