//! What is known of a message without its bytes.

use serde::{Deserialize, Serialize};

/// A stretch of a message's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// What is known of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// From the top header.
    pub envelope: Envelope,
    /// The message as its outermost part; its `header` is the header of the message with the empty line that ends it.
    pub root: Part,
    /// From the Date field; none when there is none or it cannot be read.
    pub sent: Option<Sent>,
    /// Base subject (RFC 5256 §2.1): decoded, without `Re:` and the like; upper case is kept.
    pub base_subject: String,
    /// Whether something that marks a reply or a forward was taken off the subject (RFC 5256 §2.1).
    pub is_reply: bool,
    /// The Message-ID without angle brackets, normalized as in RFC 5256 §2; none when there is no valid one.
    pub message_id: Option<String>,
    /// Message-IDs of the thread up to the parent, oldest first: of References, else the first of In-Reply-To.
    pub references: Vec<String>,
    /// The first up to 200 characters of text for people (RFC 8970), white space collapsed.
    pub preview: String,
    /// Whether a part is an attachment: disposition `attachment`, or a leaf with a file name that is not shown inline.
    pub has_attachment: bool,
}

/// The fields of an ENVELOPE (RFC 9051 §7.5.2), as they stand in the header: unfolded, encoded words left as they are.
/// Runs of white space in Subject and in display names are one space.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Date, to the letter.
    #[serde(with = "serde_bytes")]
    pub date: Option<Vec<u8>>,
    /// Subject.
    #[serde(with = "serde_bytes")]
    pub subject: Option<Vec<u8>>,
    /// From.
    pub from: Vec<Address>,
    /// Sender; empty when absent (whoever prints it repeats From).
    pub sender: Vec<Address>,
    /// Reply-To; empty when absent (whoever prints it repeats From).
    pub reply_to: Vec<Address>,
    /// To.
    pub to: Vec<Address>,
    /// Cc.
    pub cc: Vec<Address>,
    /// Bcc.
    pub bcc: Vec<Address>,
    /// In-Reply-To.
    #[serde(with = "serde_bytes")]
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID.
    #[serde(with = "serde_bytes")]
    pub message_id: Option<Vec<u8>>,
}

/// One address of a list, or the begin or end of a group: a begin has only `mailbox` (the group's name), an end nothing.
/// An address has always a mailbox and a host: what is missing is `MISSING_MAILBOX` and `MISSING_DOMAIN`, a host that
/// cannot be read `SYNTAX_ERROR`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Display name, unquoted; encoded words left as they are.
    #[serde(with = "serde_bytes")]
    pub name: Option<Vec<u8>>,
    /// Source route (obsolete).
    #[serde(with = "serde_bytes")]
    pub route: Option<Vec<u8>>,
    /// Local part.
    #[serde(with = "serde_bytes")]
    pub mailbox: Option<Vec<u8>>,
    /// Domain.
    #[serde(with = "serde_bytes")]
    pub host: Option<Vec<u8>>,
}

/// When a message says it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Seconds since 1970 in UTC.
    pub secs: i64,
    /// Minutes that its zone is ahead of UTC.
    pub offset_minutes: i16,
}

/// A part of a message (RFC 2045).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its header with the empty line that ends it.
    pub header: Span,
    /// Its body as it stands there, still encoded.
    pub body: Span,
    /// Line ends in the body.
    pub lines: u32,
    /// Media type, as given: `text`. Without a valid Content-Type it is `text/plain` (RFC 2045 §5.2), in a digest
    /// `message/rfc822`.
    #[serde(with = "serde_bytes")]
    pub media_type: Vec<u8>,
    /// Subtype, as given: `plain`.
    #[serde(with = "serde_bytes")]
    pub subtype: Vec<u8>,
    /// Parameters of Content-Type, in order, as given. A `text` without `charset` has none here: whoever prints
    /// BODYSTRUCTURE adds `us-ascii`.
    pub parameters: Vec<Parameter>,
    /// Content-ID.
    #[serde(with = "serde_bytes")]
    pub id: Option<Vec<u8>>,
    /// Content-Description.
    #[serde(with = "serde_bytes")]
    pub description: Option<Vec<u8>>,
    /// Content-Transfer-Encoding, as given; none when there is none.
    #[serde(with = "serde_bytes")]
    pub encoding: Option<Vec<u8>>,
    /// Content-MD5.
    #[serde(with = "serde_bytes")]
    pub md5: Option<Vec<u8>>,
    /// Content-Disposition.
    pub disposition: Option<Disposition>,
    /// Content-Language.
    pub languages: Vec<serde_bytes::ByteBuf>,
    /// Content-Location.
    #[serde(with = "serde_bytes")]
    pub location: Option<Vec<u8>>,
    /// What is in it.
    pub inner: Inner,
}

/// What is in a part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Inner {
    /// No parts of its own. Never a `multipart/*` or a message.
    #[default]
    Leaf,
    /// `multipart/*`: its parts; none when there is no boundary or when it lies beyond the limits.
    Multipart(Vec<Part>),
    /// `message/rfc822` and `message/global`: the message in it. The root part's `header` and `body` lie in `body`.
    /// Beyond the limits it is not looked into: the envelope is empty, and it holds a text without a header.
    Message(Box<Envelope>, Box<Part>),
}

/// A parameter of Content-Type or Content-Disposition: name and value without quotes, both as given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Name.
    #[serde(with = "serde_bytes")]
    pub name: Vec<u8>,
    /// Value.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
}

/// Content-Disposition (RFC 2183).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disposition {
    /// `inline`, `attachment` …, as given.
    #[serde(with = "serde_bytes")]
    pub kind: Vec<u8>,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
}
