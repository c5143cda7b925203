//! iCalendar, vCard and mail: bytes to facts.
//!
//! The client's bytes are the truth and are never written anew. A [`Document`] is a tree of components and properties
//! over the original bytes: every item knows its span, so what leaves in part, in pieces or in another version is made
//! of the lines as they came, folds included. Beside the tree stand typed [values](value), time [zones](zone),
//! [recurrence](recur), and what the gateways and core's rules ask of [calendars](calendar) and [cards](card).
//! [Mail](mail) is read by its own rules: it is never refused, and its facts say where each part stands.
//!
//! The crate refuses to know: I/O, async, the clock, accounts, XML, HTTP. Everything is a function of bytes, within
//! [limits] and a [`Budget`].
//!
//! ```
//! use allod_formats::{Budget, Document, Limits, calendar::Object, value::Utc, zone::Zone};
//! let bytes = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20240101T000000Z\r\n\
//!     DTSTART:20240101T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
//! let document = Document::parse(bytes, Limits::default()).unwrap();
//! let object = Object::of(&document).unwrap();
//! let from = Utc::parse("20300101T000000Z").unwrap();
//! let instances = object.expansion(&Zone::utc()).between(from, Utc(from.0 + 86_400), Budget::default());
//! assert_eq!(instances.list[0].start.to_string(), "20300101T090000Z");
//! ```

pub mod calendar;
pub mod card;
pub mod collation;
mod component;
pub mod limits;
mod lines;
pub mod mail;
mod output;
mod property;
pub mod recur;
mod split;
pub mod value;
pub mod zone;

pub use component::{Component, Document, Item, Problem, ProblemKind};
pub use limits::{Budget, Exceeded, Limits};
pub use lines::{Line, Lines};
pub use property::{ParameterRef, Property};
pub use split::{Piece, Pieces, Sort, split};

#[cfg(test)]
mod tests;
