//! DATE, DATE-TIME and PERIOD values of a property, with the zone that they name (RFC 5545 §3.3.4, §3.3.5, §3.3.9).

use super::{Date, Duration, Utc, Wall};
use crate::property::Property;

/// A DATE or DATE-TIME as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// A whole day, in whatever zone it is looked at.
    Date(Date),
    /// A time on the clock of whoever looks (RFC 5545 §3.3.5 form 1).
    Floating(Wall),
    /// A point in time (form 2).
    Utc(Utc),
    /// A time on the clock of a named zone (form 3).
    Zoned(Wall, String),
}

/// A stretch of time as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// Where it begins.
    pub start: When,
    /// How it ends.
    pub end: PeriodEnd,
}

/// How a [`Period`] ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeriodEnd {
    /// At that time.
    At(When),
    /// After that time.
    After(Duration),
}

impl When {
    /// Reads one value. The shape decides between DATE and DATE-TIME, not the VALUE parameter: programs forget it, or
    /// state the wrong one.
    pub fn parse(value: &str, tzid: Option<&str>) -> Option<When> {
        let value = value.trim();
        if let Some(utc) = Utc::parse(value) {
            return Some(When::Utc(utc));
        }
        if let Some(date) = Date::parse(value) {
            return Some(When::Date(date));
        }
        let wall = Wall::parse(value)?;
        Some(match tzid.map(str::trim).filter(|tzid| !tzid.is_empty()) {
            Some(tzid) => When::Zoned(wall, tzid.to_owned()),
            None => When::Floating(wall),
        })
    }

    /// The value of a property that holds one.
    pub fn of(property: &Property<'_>) -> Option<When> {
        When::parse(property.value(), property.parameter("TZID").as_deref())
    }

    /// Whether it is a whole day.
    pub fn is_date(&self) -> bool {
        matches!(self, When::Date(_))
    }
}

impl Period {
    /// Reads one value: `start/end` or `start/duration`.
    pub fn parse(value: &str, tzid: Option<&str>) -> Option<Period> {
        let (start, end) = value.split_once('/')?;
        let start = When::parse(start, tzid)?;
        let end = match Duration::parse(end) {
            Some(duration) => PeriodEnd::After(duration),
            None => PeriodEnd::At(When::parse(end, tzid)?),
        };
        Some(Period { start, end })
    }
}
