//! Mail (RFC 5322, MIME): from the bytes of a message to what mail servers are asked about it.
//!
//! [`read`] takes a message apart once, when it is stored: envelope, structure with the place of each part, preview,
//! what sorting and threading need. Nothing has to be parsed again for a list of messages or for a part of one.
//! [`search_text`] gives what SEARCH looks through. Anything that came as mail is read: damage has a meaning here, it
//! is never an error.

mod facts;

pub use facts::{Address, Disposition, Envelope, Facts, Inner, Parameter, Part, Sent, Span};
