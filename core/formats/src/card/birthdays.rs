//! The yearly events that cards stand for: birthdays and anniversaries, as calendar objects of our own.

use std::fmt::Write;

use super::facts::{Facts, PartialDate};
use crate::output::{Output, uid_of};
use crate::value::{Date, Utc, escape_text};

/// The year that an event without one begins in: a leap year, so that it can begin on the 29th of February.
const YEAR_UNKNOWN: i32 = 1972;

/// What a day of a card is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OccasionKind {
    /// BDAY.
    Birthday,
    /// ANNIVERSARY.
    Anniversary,
}

/// A day that comes back each year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// What it is about.
    pub kind: OccasionKind,
    /// When.
    pub date: PartialDate,
    /// Whose.
    pub name: String,
    /// UID of the derived event; the same card always gives the same one.
    pub uid: String,
}

impl Occasion {
    /// A day of the card with that UID, or, where it has none, that name.
    pub fn new(kind: OccasionKind, date: PartialDate, uid: Option<&str>, name: &str) -> Occasion {
        let word = match kind {
            OccasionKind::Birthday => "birthday",
            OccasionKind::Anniversary => "anniversary",
        };
        let uid = uid_of(&[uid.unwrap_or(name).as_bytes(), word.as_bytes()]);
        Occasion { kind, date, name: name.to_owned(), uid }
    }
}

/// The yearly days of a card.
pub fn occasions(facts: &Facts) -> Vec<Occasion> {
    let days = [(OccasionKind::Birthday, facts.birthday), (OccasionKind::Anniversary, facts.anniversary)];
    let uid = facts.uid.as_deref();
    days.into_iter().filter_map(|(kind, date)| Some(Occasion::new(kind, date?, uid, &facts.name))).collect()
}

/// The occasion as a calendar object: a whole day each year, free; one on the 29th of February falls on the last day of
/// that month. `summary` is its title in the owner's language, `stamp` is now, `product` names the server (PRODID).
pub fn write_occasion(occasion: &Occasion, summary: &str, stamp: Utc, product: &str) -> Vec<u8> {
    let PartialDate { year, month, day } = occasion.date;
    let year = year.unwrap_or(YEAR_UNKNOWN);
    let start = Date::new(year, month, day).map_or_else(|| format!("{year:04}0228"), |date| date.to_string());
    let rule = match (month, day) {
        (2, 29) => "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1",
        _ => "FREQ=YEARLY",
    };
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write!(
        text,
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:{}\nBEGIN:VEVENT\nUID:{}\nDTSTAMP:{stamp}\nDTSTART;VALUE=DATE:{start}\n\
         DURATION:P1D\nRRULE:{rule}\nSUMMARY:{}\nTRANSP:TRANSPARENT\nCLASS:PRIVATE\nEND:VEVENT\nEND:VCALENDAR",
        escape_text(product),
        occasion.uid,
        escape_text(summary),
    );
    let mut out = Output::new(&[]);
    text.split('\n').for_each(|line| out.line(line));
    out.finish()
}
