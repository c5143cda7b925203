//! What the rules of a folder's kind found in a file, kept in its entry: lists and questions need not read it again.
//!
//! Derived from the bytes, written in the commit that writes them, and judged again by `allod check`.

use allod_formats::calendar::{Facts as EventFormat, Object};
use allod_formats::card::{Card, Facts as CardFormat, PartialDate, indexed_texts};
use allod_formats::recur::Extent;
use allod_formats::value::Utc;
use allod_model::Seq;
use serde::{Deserialize, Serialize};

use crate::components::Components;
use crate::mail::rows::MailRow;

/// Bytes of a card's texts kept in its entry; a card with more is read when a question comes.
const CARD_TEXT_BYTES_MAX: usize = 2048;

/// What is kept of a file in a typed folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Typed {
    /// A calendar object.
    Event(EventRow),
    /// A vCard.
    Card(CardRow),
    /// A message in a mailbox.
    Mail(MailRow),
}

/// What is kept of a calendar object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// The one kind of component that it holds.
    pub component: Components,
    /// From where to where it reaches in any zone, in seconds since 1970; `None` when it has no times.
    pub span: Option<Span>,
    /// The commit that last changed what others must learn of (RFC 6638 §3.2.10); none for an object without
    /// scheduling.
    pub schedule: Option<Seq>,
}

/// A stretch of time that may be a little wide and is never too narrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// No instance begins earlier.
    pub first: i64,
    /// No instance ends later; none when there is no last one.
    pub last: Option<i64>,
}

impl Span {
    /// As the formats call it.
    pub fn extent(self) -> Extent {
        Extent { first: Utc(self.first), last: self.last.map(Utc) }
    }
}

impl EventRow {
    /// Draws what is kept from an object; `None` for a component that calendars do not know.
    pub fn of(object: &Object<'_, '_>, facts: &EventFormat) -> Option<EventRow> {
        debug_assert!(!object.components().is_empty(), "a checked object has a component");
        let component = Components::named(&facts.kind)?;
        let span =
            facts.extent.map(|extent| Span { first: extent.first.0, last: extent.last.map(|last| last.0) });
        Some(EventRow { component, span, schedule: None })
    }
}

/// What is kept of a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardRow {
    /// The texts that address books are searched by, each with its property's place in
    /// [`allod_formats::card::INDEXED`]; `None` when they are too long to be kept.
    pub texts: Option<Vec<(u8, String)>>,
    /// What lists show as its name.
    pub name: String,
    /// BDAY.
    pub birthday: Option<Day>,
    /// ANNIVERSARY.
    pub anniversary: Option<Day>,
}

/// A day of some year: year (0: not known), month, day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day(pub i32, pub u8, pub u8);

impl From<PartialDate> for Day {
    fn from(date: PartialDate) -> Day {
        Day(date.year.unwrap_or(0), date.month, date.day)
    }
}

impl From<Day> for PartialDate {
    fn from(Day(year, month, day): Day) -> PartialDate {
        PartialDate { year: (year != 0).then_some(year), month, day }
    }
}

impl CardRow {
    /// Draws what is kept from a card.
    pub fn of(card: &Card<'_, '_>, facts: &CardFormat) -> CardRow {
        let texts = indexed_texts(card);
        let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
        CardRow {
            texts: (bytes <= CARD_TEXT_BYTES_MAX).then_some(texts),
            name: facts.name.chars().take(200).collect(),
            birthday: facts.birthday.map(Day::from),
            anniversary: facts.anniversary.map(Day::from),
        }
    }
}
