//! Known answers from the standards' own examples, oddities in the manner of real programs, and properties.

mod calendar;
mod card;
mod expansion;
mod hostile;
mod itip;
mod itip_series;
mod lines;
mod oddities;
mod recur;
mod values;
mod zone;

use crate::value::{Utc, Wall};
use crate::{Document, Limits};

fn utc(text: &str) -> Utc {
    Utc::parse(text).unwrap_or_else(|| panic!("{text}"))
}

fn wall(text: &str) -> Wall {
    Wall::parse(text).unwrap_or_else(|| panic!("{text}"))
}

fn parsed(bytes: &[u8]) -> Document<'_> {
    Document::parse(bytes, Limits::default()).unwrap()
}

/// A VCALENDAR around components, with the line ends of the wire.
fn calendar_of(inner: &str) -> String {
    let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\n{}\nEND:VCALENDAR\n", inner.trim());
    text.lines().map(|line| line.trim_start().to_owned() + "\r\n").collect()
}

fn event(lines: &str) -> String {
    calendar_of(&format!("BEGIN:VEVENT\nUID:1\nDTSTAMP:20200101T000000Z\n{}\nEND:VEVENT", lines.trim()))
}
