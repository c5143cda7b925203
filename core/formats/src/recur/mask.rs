//! Which days of a year a rule admits, as one bit a day.

use super::rule::{Frequency, Rule};
use crate::value::{Date, Weekday};

const WORDS: usize = 6;

/// A bit for each day of a year; bit 0 is the 1st of January.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mask([u64; WORDS]);

impl Mask {
    const EMPTY: Mask = Mask([0; WORDS]);

    fn set(&mut self, day: i32) {
        self.0[day as usize / 64] |= 1 << (day % 64);
    }

    fn set_range(&mut self, from: i32, to: i32) {
        (from.max(0)..to).for_each(|day| self.set(day));
    }

    fn and(&mut self, other: &Mask) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
    }

    pub(super) fn has(&self, day: i64) -> bool {
        self.0[day as usize / 64] >> (day % 64) & 1 == 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }

    /// The first day at or after `day` that is in.
    pub(super) fn next(&self, day: i64) -> Option<i64> {
        let mut index = day as usize / 64;
        let mut word = *self.0.get(index)? & (u64::MAX << (day % 64));
        while word == 0 {
            index += 1;
            word = *self.0.get(index)?;
        }
        Some(index as i64 * 64 + i64::from(word.trailing_zeros()))
    }
}

/// What of a year decides its mask: the weekday of its first day, and whether it and the year before are leap years.
#[derive(Clone, Copy, Debug)]
pub(super) struct YearKind {
    pub(super) first: Weekday,
    pub(super) leap: bool,
    pub(super) leap_before: bool,
}

impl YearKind {
    /// Kinds are numbered below this.
    pub(super) const COUNT: usize = 28;

    pub(super) fn of(year: i32) -> YearKind {
        let first = Date::new(year, 1, 1).map_or(0, Date::weekday);
        YearKind { first, leap: leap(year), leap_before: leap(year - 1) }
    }

    pub(super) fn number(self) -> usize {
        usize::from(self.first) * 4 + usize::from(self.leap) * 2 + usize::from(self.leap_before)
    }

    pub(super) fn all() -> impl Iterator<Item = YearKind> {
        (0..7).flat_map(|first| {
            [(false, false), (false, true), (true, false)].map(|(leap, leap_before)| YearKind {
                first,
                leap,
                leap_before,
            })
        })
    }

    fn days(self) -> i32 {
        365 + i32::from(self.leap)
    }
}

fn leap(year: i32) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

/// Days of the year before each month; the last entry is the year's length.
pub(super) fn month_starts(leap: bool) -> [i64; 13] {
    let mut starts = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    if leap {
        starts.iter_mut().skip(2).for_each(|start| *start += 1);
    }
    starts
}

/// The day parts of a rule, with what DTSTART adds where they are silent.
#[derive(Clone, Debug)]
pub(super) struct DayParts {
    months: u16,
    month_days: u32,
    month_days_back: u32,
    year_days: Vec<i16>,
    weeks: Vec<i16>,
    week_days: Vec<(i16, Weekday)>,
    week_start: Weekday,
    /// Whether "the second Tuesday" counts within months rather than the year.
    by_month: bool,
}

impl DayParts {
    /// RFC 5545 §3.3.10: what the rule leaves open, DTSTART says.
    pub(super) fn new(rule: &Rule, start: Date) -> DayParts {
        let mut parts = DayParts {
            months: rule.months,
            month_days: rule.month_days,
            month_days_back: rule.month_days_back,
            year_days: rule.year_days.clone(),
            weeks: rule.weeks.clone(),
            week_days: rule.week_days.clone(),
            week_start: rule.week_start,
            by_month: rule.frequency != Frequency::Yearly || rule.months != 0,
        };
        // An ordinal means something in months and years only.
        if rule.frequency < Frequency::Monthly {
            parts.week_days.iter_mut().for_each(|day| day.0 = 0);
        }
        let no_month_days = rule.month_days == 0 && rule.month_days_back == 0;
        let no_days = rule.week_days.is_empty() && no_month_days && rule.year_days.is_empty();
        match rule.frequency {
            Frequency::Yearly if no_days && !rule.weeks.is_empty() => {
                parts.week_days = vec![(0, start.weekday())];
            }
            Frequency::Yearly if no_days => {
                parts.month_days = 1 << start.day();
                if rule.months == 0 {
                    parts.months = 1 << start.month();
                }
            }
            Frequency::Monthly if no_days && rule.weeks.is_empty() => parts.month_days = 1 << start.day(),
            Frequency::Weekly if no_days && rule.weeks.is_empty() => {
                parts.week_days = vec![(0, start.weekday())];
            }
            _ => {}
        }
        parts
    }

    /// Whether each day is admitted.
    pub(super) fn admit_all(&self) -> bool {
        self.months == 0
            && self.month_days == 0
            && self.month_days_back == 0
            && self.year_days.is_empty()
            && self.weeks.is_empty()
            && self.week_days.is_empty()
    }

    /// The days of the week that can be admitted at all.
    pub(super) fn weekdays(&self) -> u8 {
        if self.week_days.is_empty() {
            return 0x7f;
        }
        self.week_days.iter().fold(0, |bits, day| bits | 1 << day.1)
    }

    /// The admitted days of years of that kind.
    pub(super) fn mask(&self, kind: YearKind) -> Mask {
        let starts = month_starts(kind.leap).map(|start| start as i32);
        let mut mask = self.month_mask(&starts);
        if !self.year_days.is_empty() {
            let mut days = Mask::EMPTY;
            for day in &self.year_days {
                let day = i32::from(*day);
                let index = if day > 0 { day - 1 } else { kind.days() + day };
                if (0..kind.days()).contains(&index) {
                    days.set(index);
                }
            }
            mask.and(&days);
        }
        if !self.weeks.is_empty() {
            mask.and(&self.week_mask(kind));
        }
        if !self.week_days.is_empty() {
            mask.and(&self.weekday_mask(kind, &starts));
        }
        mask
    }

    fn month_mask(&self, starts: &[i32; 13]) -> Mask {
        let mut mask = Mask::EMPTY;
        for month in 1..=12_usize {
            if self.months != 0 && self.months >> month & 1 == 0 {
                continue;
            }
            let (from, to) = (starts[month - 1], starts[month]);
            if self.month_days == 0 && self.month_days_back == 0 {
                mask.set_range(from, to);
                continue;
            }
            let length = to - from;
            for day in 1..=length {
                if self.month_days >> day & 1 == 1 || self.month_days_back >> (length + 1 - day) & 1 == 1 {
                    mask.set(from + day - 1);
                }
            }
        }
        mask
    }

    /// RFC 5545 §3.3.10, BYWEEKNO: week 1 is the first with at least four days in the year; weeks begin at WKST.
    fn week_mask(&self, kind: YearKind) -> Mask {
        let mut mask = Mask::EMPTY;
        let days = kind.days();
        let first = first_week(kind.first, self.week_start);
        let next_first_weekday = (i32::from(kind.first) + days).rem_euclid(7) as Weekday;
        let next = days + first_week(next_first_weekday, self.week_start);
        let count = (next - first) / 7;
        let days_before = 365 + i32::from(kind.leap_before);
        let before_first_weekday = (i32::from(kind.first) - days_before).rem_euclid(7) as Weekday;
        let before = first_week(before_first_weekday, self.week_start) - days_before;
        let count_before = (first - before) / 7;
        let mut add = |from: i32| mask.set_range(from, (from + 7).min(days));
        for week in &self.weeks {
            let week = i32::from(*week);
            let index = |count: i32| if week > 0 { week - 1 } else { count + week };
            if (0..count).contains(&index(count)) {
                add(first + index(count) * 7);
            }
            // The ends of the year can lie in the last week of the year before and the first week of the next one.
            if index(count_before) == count_before - 1 && first > 0 {
                add(first - 7);
            }
            if week == 1 && next < days {
                add(next);
            }
        }
        mask
    }

    fn weekday_mask(&self, kind: YearKind, starts: &[i32; 13]) -> Mask {
        let mut mask = Mask::EMPTY;
        let mut add = |ordinal: i32, weekday: Weekday, from: i32, to: i32| {
            let offset = (i32::from(weekday) - i32::from(kind.first) - from).rem_euclid(7);
            let (first, count) = (from + offset, (to - from - offset + 6) / 7);
            match ordinal {
                0 => (0..count).for_each(|index| mask.set(first + index * 7)),
                n if n > 0 && n <= count => mask.set(first + (n - 1) * 7),
                n if n < 0 && -n <= count => mask.set(first + (count + n) * 7),
                _ => {}
            }
        };
        for (ordinal, weekday) in &self.week_days {
            let ordinal = i32::from(*ordinal);
            if ordinal == 0 || !self.by_month {
                add(ordinal, *weekday, 0, kind.days());
                continue;
            }
            starts.windows(2).for_each(|month| add(ordinal, *weekday, month[0], month[1]));
        }
        mask
    }
}

/// Where week 1 begins, in days from the 1st of January: -3 to 3.
fn first_week(january_first: Weekday, week_start: Weekday) -> i32 {
    let into_week = (i32::from(january_first) - i32::from(week_start)).rem_euclid(7);
    if into_week <= 3 { -into_week } else { 7 - into_week }
}
