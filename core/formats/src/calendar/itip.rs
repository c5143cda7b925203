//! Scheduling: who invites whom, and the messages between them (RFC 5546, RFC 6638).
//!
//! Pure functions on bytes. A calendar's owner is known by his addresses ([`Owner`]); [`standing`] says what an object
//! is to him. What he writes goes through [`organizer_write`] or [`attendee_write`], which say what is to be stored and
//! which [`Message`]s are to be sent; what arrives goes through [`apply_request`], [`apply_cancel`] or
//! [`apply_reply`], which say what becomes of the stored object. Lines that need not change are kept to the byte.

mod address;
mod attendee;
mod busy;
mod cancel;
mod derive;
mod edits;
mod essence;
mod incoming;
pub(super) mod managed;
mod merge;
mod organizer;
mod outgoing;
mod parts;
mod reply;
mod request;
mod status;
mod writer;

pub use address::{Owner, canonical_address};
pub use attendee::{AttendeeWrite, attendee_write};
pub use busy::{BusyRequest, busy_of, busy_reply, busy_request};
pub use cancel::apply_cancel;
pub use incoming::{Incoming, incoming};
pub use merge::keep_answers;
pub use organizer::{OrganizerWrite, organizer_write, refresh};
pub use parts::{InstanceParties, Party, Standing, parties, same_organizer, standing};
pub use reply::{AppliedReply, apply_reply};
pub use request::{Applied, apply_request};
pub use status::{Delivery, set_status};

use crate::limits::{Exceeded, Limits};
use crate::value::Utc;
use crate::{Document, calendar::Object};

/// ATTENDEE lines of one object, those of all instances together.
pub const ATTENDEES_MAX: usize = 20_000;
/// People whom the organizer of one object sends to.
pub const PEOPLE_MAX: usize = 2_000;
/// Components (a recurring one and its overrides) of an object that is scheduled.
pub const COMPONENTS_MAX: usize = 2_000;
/// Bytes of one message.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of all messages that one write makes.
pub const MESSAGES_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Whether an object is worth a closer look: one without ORGANIZER is none of scheduling's business.
pub fn may_schedule(bytes: &[u8]) -> bool {
    const NAME: &[u8] = b"ORGANIZER";
    bytes.windows(NAME.len()).any(|window| window.eq_ignore_ascii_case(NAME))
}

/// The methods that are sent and understood (RFC 5546 §1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// From the organizer: take part, or hear what changed.
    Request,
    /// From an attendee: his answer.
    Reply,
    /// From the organizer: it does not take place, or not with you.
    Cancel,
}

impl Method {
    /// Its name as METHOD has it.
    pub fn name(self) -> &'static str {
        match self {
            Method::Request => "REQUEST",
            Method::Reply => "REPLY",
            Method::Cancel => "CANCEL",
        }
    }

    fn named(name: &str) -> Option<Method> {
        let name = name.trim();
        let all = [Method::Request, Method::Reply, Method::Cancel];
        all.into_iter().find(|method| name.eq_ignore_ascii_case(method.name()))
    }
}

/// A message on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it asks.
    pub method: Method,
    /// The sender's calendar user address, as the object has it.
    pub from: String,
    /// The receivers' addresses, as the object has them. All get the same bytes.
    pub to: Vec<String>,
    /// UID of what it is about.
    pub uid: String,
    /// SUMMARY, unescaped, for those who write a mail around it.
    pub summary: Option<String>,
    /// Whether the receivers are asked anew, so that an earlier answer of theirs does not stand (RFC 6638 §3.2.7).
    pub asks_anew: bool,
    /// Whether it says no more than a CANCEL before it said, and only keeps a copy of the whole as it is: nobody wants
    /// a mail for that.
    pub follows_cancel: bool,
    /// The iCalendar object.
    pub bytes: Vec<u8>,
}

/// Why nothing can be done with an object or a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not one calendar object of sound make.
    Unreadable,
    /// More people or instances than a limit of this module; it is named.
    TooMany(&'static str),
    /// Messages larger than [`MESSAGE_BYTES_MAX`] or [`MESSAGES_BYTES_MAX`].
    TooLarge,
    /// `same-organizer-in-all-components` (RFC 6638 §3.2.4.2).
    SameOrganizer,
    /// `allowed-organizer-scheduling-object-change` (RFC 6638 §3.2.4.3), and why.
    OrganizerChange(&'static str),
    /// `allowed-attendee-scheduling-object-change` (RFC 6638 §3.2.4.4), and why.
    AttendeeChange(&'static str),
}

impl Refusal {
    /// The precondition that a refusal names, in CalDAV's namespace.
    pub fn precondition(self) -> &'static str {
        match self {
            Refusal::Unreadable => "valid-calendar-data",
            Refusal::TooMany(_) => "max-attendees-per-instance",
            Refusal::TooLarge => "max-resource-size",
            Refusal::SameOrganizer => "same-organizer-in-all-components",
            Refusal::OrganizerChange(_) => "allowed-organizer-scheduling-object-change",
            Refusal::AttendeeChange(_) => "allowed-attendee-scheduling-object-change",
        }
    }

    /// What is wrong, for a person.
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::Unreadable => "not one calendar object of sound make",
            Refusal::TooMany(what) => what,
            Refusal::TooLarge => "too large to be sent to people",
            Refusal::SameOrganizer => "its components name different organizers",
            Refusal::OrganizerChange(why) | Refusal::AttendeeChange(why) => why,
        }
    }
}

/// Why an arriving message changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// It cannot be read, or goes beyond a limit.
    Unreadable,
    /// It is not of the method that was asked to be applied.
    Method,
    /// It does not name the owner as attendee (or organizer, of a reply).
    NotForOwner,
    /// Its organizer is not the stored object's; or the one who answers is not who sent it, or was not invited.
    Stranger,
    /// What is stored knows a newer one (RFC 5546 §2.1.5).
    Old,
    /// It is about an object or instance that is not there.
    NothingThere,
}

/// The moment and the name under which messages are made.
#[derive(Clone, Copy, Debug)]
pub struct Making<'s> {
    /// Now: DTSTAMP of each message (RFC 6638 §3.2.5).
    pub now: Utc,
    /// The server's PRODID.
    pub product: &'s str,
}

fn read(bytes: &[u8]) -> Result<Document<'_>, Exceeded> {
    Document::parse(bytes, Limits::default())
}

/// Reads bytes and hands the one object in them on.
fn with_parts<T, E: From<Unsound>>(
    bytes: &[u8],
    then: impl FnOnce(&parts::Parts<'_, '_>) -> Result<T, E>,
) -> Result<T, E> {
    let document = read(bytes).map_err(|_| Unsound::Unreadable)?;
    let object = Object::of(&document).map_err(|_| Unsound::Unreadable)?;
    let parts = parts::Parts::of(object)?;
    then(&parts)
}

/// What is wrong with an object before anything is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unsound {
    Unreadable,
    TooMany(&'static str),
}

impl From<Unsound> for Refusal {
    fn from(unsound: Unsound) -> Refusal {
        match unsound {
            Unsound::Unreadable => Refusal::Unreadable,
            Unsound::TooMany(what) => Refusal::TooMany(what),
        }
    }
}

impl From<Unsound> for Ignored {
    fn from(_: Unsound) -> Ignored {
        Ignored::Unreadable
    }
}
