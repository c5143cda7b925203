//! The RECUR value: RFC 5545 §3.3.10.

use std::fmt;
use std::str::FromStr;

use crate::limits::LIST_VALUES_MAX;
use crate::value::{Date, Utc, Wall, Weekday};

/// How long a period of a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Frequency {
    /// A second.
    Secondly,
    /// A minute.
    Minutely,
    /// An hour.
    Hourly,
    /// A day.
    Daily,
    /// A week, which begins at [`Rule::week_start`].
    Weekly,
    /// A month.
    Monthly,
    /// A year.
    Yearly,
}

/// Where a rule ends, as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Until {
    /// That day is the last one.
    Date(Date),
    /// That time on the component's own clock.
    Wall(Wall),
    /// That point in time.
    Utc(Utc),
}

/// A recurrence rule, read and within its bounds. Sets of small numbers are bit sets: bit `n` stands for `n`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// FREQ.
    pub frequency: Frequency,
    /// INTERVAL, at least 1.
    pub interval: u32,
    /// UNTIL.
    pub until: Option<Until>,
    /// COUNT, at least 1.
    pub count: Option<u32>,
    /// WKST.
    pub week_start: Weekday,
    /// BYSECOND; second 60 is kept as 59.
    pub seconds: u64,
    /// BYMINUTE.
    pub minutes: u64,
    /// BYHOUR.
    pub hours: u32,
    /// BYDAY: which one in the month or year (0: each of them; negative: from the end), and the day of the week.
    pub week_days: Vec<(i16, Weekday)>,
    /// BYMONTHDAY, from the beginning.
    pub month_days: u32,
    /// BYMONTHDAY, from the end: bit 1 is the last day.
    pub month_days_back: u32,
    /// BYYEARDAY, sorted.
    pub year_days: Vec<i16>,
    /// BYWEEKNO, sorted.
    pub weeks: Vec<i16>,
    /// BYMONTH.
    pub months: u16,
    /// BYSETPOS, sorted.
    pub positions: Vec<i32>,
}

/// Why a rule is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// A part is missing, unknown, doubled or out of its bounds.
    Invalid,
    /// RSCALE names another calendar, or SKIP asks for more than Gregorian omission (RFC 7529).
    Scale,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RuleError::Invalid => "not a recurrence rule",
            RuleError::Scale => "a recurrence rule of another calendar (RSCALE)",
        })
    }
}

impl std::error::Error for RuleError {}

impl Rule {
    fn new(frequency: Frequency) -> Rule {
        Rule {
            frequency,
            interval: 1,
            until: None,
            count: None,
            week_start: 0,
            seconds: 0,
            minutes: 0,
            hours: 0,
            week_days: Vec::new(),
            month_days: 0,
            month_days_back: 0,
            year_days: Vec::new(),
            weeks: Vec::new(),
            months: 0,
            positions: Vec::new(),
        }
    }

    /// Whether it goes on for ever.
    pub fn is_endless(&self) -> bool {
        self.until.is_none() && self.count.is_none()
    }

    fn part(&mut self, name: &str, value: &str) -> Result<(), RuleError> {
        match name {
            "INTERVAL" => self.interval = number(value, 1, i64::from(u32::MAX))? as u32,
            "COUNT" => self.count = Some(number(value, 1, i64::from(u32::MAX))? as u32),
            "UNTIL" => self.until = Some(until(value)?),
            "WKST" => self.week_start = weekday(value)?,
            "BYSECOND" => self.seconds = set(value, 0, 60, |second| second.min(59))?,
            "BYMINUTE" => self.minutes = set(value, 0, 59, |minute| minute)?,
            "BYHOUR" => self.hours = set(value, 0, 23, |hour| hour)? as u32,
            "BYMONTH" => self.months = set(value, 1, 12, |month| month)? as u16,
            "BYDAY" => self.week_days = list(value, ordinal_weekday)?,
            "BYMONTHDAY" => {
                for day in list(value, |text| signed(text, 31))? {
                    match day > 0 {
                        true => self.month_days |= 1 << day,
                        false => self.month_days_back |= 1 << -day,
                    }
                }
            }
            "BYYEARDAY" => self.year_days = list(value, |text| signed(text, 366).map(|n| n as i16))?,
            "BYWEEKNO" => self.weeks = list(value, |text| signed(text, 53).map(|n| n as i16))?,
            // RFC 5545 §3.3.10 admits 366; within a year of seconds more positions exist.
            "BYSETPOS" => {
                self.positions = list(value, |text| signed(text, i64::from(i32::MAX)).map(|n| n as i32))?
            }
            "RSCALE" if value.eq_ignore_ascii_case("GREGORIAN") => {}
            "SKIP" if value.eq_ignore_ascii_case("OMIT") => {}
            "RSCALE" | "SKIP" => return Err(RuleError::Scale),
            name if name.starts_with("X-") => {}
            _ => return Err(RuleError::Invalid),
        }
        Ok(())
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Rule, RuleError> {
        let mut parts: Vec<(String, &str)> = Vec::new();
        for part in text.trim().split(';').filter(|part| !part.trim().is_empty()) {
            let (name, value) = part.split_once('=').ok_or(RuleError::Invalid)?;
            let name = name.trim().to_ascii_uppercase();
            if parts.len() == 32 || parts.iter().any(|(seen, _)| *seen == name) {
                return Err(RuleError::Invalid);
            }
            parts.push((name, value.trim()));
        }
        let frequency = parts.iter().find(|(name, _)| name == "FREQ").ok_or(RuleError::Invalid)?.1;
        let frequency = match frequency.to_ascii_uppercase().as_str() {
            "SECONDLY" => Frequency::Secondly,
            "MINUTELY" => Frequency::Minutely,
            "HOURLY" => Frequency::Hourly,
            "DAILY" => Frequency::Daily,
            "WEEKLY" => Frequency::Weekly,
            "MONTHLY" => Frequency::Monthly,
            "YEARLY" => Frequency::Yearly,
            _ => return Err(RuleError::Invalid),
        };
        let mut rule = Rule::new(frequency);
        for (name, value) in parts.iter().filter(|(name, _)| name != "FREQ") {
            rule.part(name, value)?;
        }
        Ok(rule)
    }
}

fn number(text: &str, min: i64, max: i64) -> Result<i64, RuleError> {
    let value: i64 = text.trim().parse().map_err(|_| RuleError::Invalid)?;
    (min..=max).contains(&value).then_some(value).ok_or(RuleError::Invalid)
}

fn signed(text: &str, max: i64) -> Result<i64, RuleError> {
    let value = number(text, -max, max)?;
    if value == 0 { Err(RuleError::Invalid) } else { Ok(value) }
}

fn set(text: &str, min: i64, max: i64, kept: fn(i64) -> i64) -> Result<u64, RuleError> {
    let mut bits = 0;
    for value in list(text, |text| number(text, min, max))? {
        bits |= 1_u64 << kept(value);
    }
    Ok(bits)
}

fn list<T: Ord>(text: &str, read: impl Fn(&str) -> Result<T, RuleError>) -> Result<Vec<T>, RuleError> {
    let mut values = Vec::new();
    for part in text.split(',').filter(|part| !part.trim().is_empty()) {
        if values.len() == LIST_VALUES_MAX {
            return Err(RuleError::Invalid);
        }
        values.push(read(part)?);
    }
    if values.is_empty() {
        return Err(RuleError::Invalid);
    }
    values.sort();
    values.dedup();
    Ok(values)
}

fn weekday(text: &str) -> Result<Weekday, RuleError> {
    const NAMES: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    let found = NAMES.iter().position(|name| name.eq_ignore_ascii_case(text.trim()));
    found.map(|index| index as Weekday).ok_or(RuleError::Invalid)
}

fn ordinal_weekday(text: &str) -> Result<(i16, Weekday), RuleError> {
    let text = text.trim();
    let split =
        text.len().checked_sub(2).filter(|at| text.is_char_boundary(*at)).ok_or(RuleError::Invalid)?;
    let ordinal = if split == 0 { 0 } else { signed(&text[..split], 53)? };
    Ok((ordinal as i16, weekday(&text[split..])?))
}

fn until(text: &str) -> Result<Until, RuleError> {
    let utc = Utc::parse(text).map(Until::Utc);
    let date = || Date::parse(text).map(Until::Date);
    utc.or_else(date).or_else(|| Wall::parse(text).map(Until::Wall)).ok_or(RuleError::Invalid)
}
