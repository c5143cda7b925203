//! Days, readings of a wall clock, points in time.

use std::fmt;

use crate::limits::YEAR_MAX;

/// Seconds of a day without changes of the clock.
pub const DAY_S: i64 = 86_400;

/// A day of the Gregorian calendar, years 0 to 9999 (RFC 5545 §3.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: i32,
    month: u8,
    day: u8,
}

/// Days of the week; Monday is 0, as in ISO 8601 less one.
pub type Weekday = u8;

/// A reading of a wall clock: the seconds that passed on it since 1970-01-01T00:00:00, whatever zone it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub i64);

/// A point in time: seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utc(pub i64);

impl Date {
    /// That day, if the calendar has it.
    pub fn new(year: i32, month: u8, day: u8) -> Option<Date> {
        let legal = (0..=YEAR_MAX).contains(&year)
            && (1..=12).contains(&month)
            && day >= 1
            && day <= days_in_month(year, month);
        legal.then_some(Date { year, month, day })
    }

    /// Year, 0 to 9999.
    pub fn year(self) -> i32 {
        self.year
    }

    /// Month, 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// Day of the month, 1 to 31.
    pub fn day(self) -> u8 {
        self.day
    }

    /// Days since 1970-01-01.
    pub fn days(self) -> i64 {
        days_from_civil(self.year, self.month, self.day)
    }

    /// The day that lies so many days after 1970-01-01, held within the years 0 to 9999.
    pub fn from_days(days: i64) -> Date {
        let (year, month, day) = civil_from_days(days);
        if year < 0 {
            return Date { year: 0, month: 1, day: 1 };
        }
        if year > i64::from(YEAR_MAX) {
            return Date { year: YEAR_MAX, month: 12, day: 31 };
        }
        Date { year: year as i32, month, day }
    }

    /// Reads `YYYYMMDD`.
    pub fn parse(text: &str) -> Option<Date> {
        if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Date::new(text[..4].parse().ok()?, text[4..6].parse().ok()?, text[6..].parse().ok()?)
    }

    /// Midnight at its beginning.
    pub fn midnight(self) -> Wall {
        Wall(self.days() * DAY_S)
    }

    /// Its day of the week.
    pub fn weekday(self) -> Weekday {
        weekday(self.days())
    }
}

impl fmt::Display for Date {
    /// `YYYYMMDD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}{:02}{:02}", self.year, self.month, self.day)
    }
}

impl Wall {
    /// The day that the clock shows.
    pub fn date(self) -> Date {
        Date::from_days(self.0.div_euclid(DAY_S))
    }

    /// Seconds since the midnight that the clock showed last.
    pub fn second_of_day(self) -> i64 {
        self.0.rem_euclid(DAY_S)
    }

    /// Reads `YYYYMMDDTHHMMSS`; seconds may be missing, and second 60 is read as 59 (RFC 5545 §3.3.12).
    pub fn parse(text: &str) -> Option<Wall> {
        let (date, time) = text.split_once(['T', 't'])?;
        let date = Date::parse(date)?;
        if !(time.len() == 6 || time.len() == 4) || !time.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let hour: i64 = time[..2].parse().ok()?;
        let minute: i64 = time[2..4].parse().ok()?;
        let second: i64 = if time.len() == 6 { time[4..].parse().ok()? } else { 0 };
        let legal = hour < 24 && minute < 60 && second <= 60;
        legal.then(|| Wall(date.midnight().0 + hour * 3600 + minute * 60 + second.min(59)))
    }
}

impl fmt::Display for Wall {
    /// `YYYYMMDDTHHMMSS`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = self.second_of_day();
        write!(f, "{}T{:02}{:02}{:02}", self.date(), second / 3600, second / 60 % 60, second % 60)
    }
}

impl fmt::Display for Utc {
    /// `YYYYMMDDTHHMMSSZ`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Z", Wall(self.0))
    }
}

impl Utc {
    /// Reads a date with UTC time, `YYYYMMDDTHHMMSSZ` (RFC 5545 §3.3.5 form 2).
    pub fn parse(text: &str) -> Option<Utc> {
        let wall = Wall::parse(text.strip_suffix(['Z', 'z'])?)?;
        Some(Utc(wall.0))
    }
}

/// Whether the year has a 29th of February.
pub(crate) fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(crate) fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        2 => 28 + u8::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

pub(crate) fn weekday(days: i64) -> Weekday {
    // 1970-01-01 was a Thursday.
    (days + 3).rem_euclid(7) as u8
}

/// Days since 1970-01-01 of a day of the proleptic Gregorian calendar, counted in eras of 400 years.
pub(crate) fn days_from_civil(year: i32, month: u8, day: u8) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u8;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u8, day)
}
