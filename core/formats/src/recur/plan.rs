//! A rule put together with its DTSTART: everything that a walk needs, nothing left open.

use super::mask::{DayParts, Mask, YearKind, month_starts};
use super::rule::{Frequency, Rule};
use crate::value::{DAY_S, Wall};

/// A rule made ready to be walked.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) frequency: Frequency,
    /// Periods from one to the next that counts.
    pub(super) interval: i64,
    pub(super) start: Wall,
    pub(super) count: Option<u32>,
    pub(super) positions: Vec<i32>,
    pub(super) week_start: u8,
    pub(super) days: DayParts,
    /// Hours, minutes and seconds that are admitted; below the period's length: that are produced.
    pub(super) hours: u32,
    pub(super) minutes: u64,
    pub(super) seconds: u64,
    /// Whether exactly one occurrence falls in each period, at DTSTART's place: then everything is arithmetic.
    pub(super) plain: bool,
}

const ALL_HOURS: u32 = (1 << 24) - 1;
const ALL_SIXTY: u64 = (1 << 60) - 1;

impl Plan {
    pub(super) fn new(rule: &Rule, start: Wall) -> Plan {
        let second = start.second_of_day();
        let days = DayParts::new(rule, start.date());
        let frequency = rule.frequency;
        let or = |given: u64, own: i64, produced: bool, all: u64| match given {
            0 if produced => 1_u64 << own,
            0 => all,
            given => given,
        };
        let hours =
            or(u64::from(rule.hours), second / 3600, frequency > Frequency::Hourly, u64::from(ALL_HOURS));
        let minutes = or(rule.minutes, second / 60 % 60, frequency > Frequency::Minutely, ALL_SIXTY);
        let seconds = or(rule.seconds, second % 60, frequency > Frequency::Secondly, ALL_SIXTY);
        let no_parts = rule.hours == 0
            && rule.minutes == 0
            && rule.seconds == 0
            && rule.week_days.is_empty()
            && rule.month_days == 0
            && rule.month_days_back == 0
            && rule.year_days.is_empty()
            && rule.weeks.is_empty()
            && rule.months == 0
            && rule.positions.is_empty();
        Plan {
            frequency,
            interval: i64::from(rule.interval),
            start,
            count: rule.count,
            positions: rule.positions.clone(),
            week_start: rule.week_start,
            days,
            hours: hours as u32,
            minutes,
            seconds,
            plain: no_parts && frequency <= Frequency::Weekly,
        }
    }

    /// Seconds of a period; months and years have none.
    pub(super) fn unit_s(&self) -> Option<i64> {
        match self.frequency {
            Frequency::Secondly => Some(1),
            Frequency::Minutely => Some(60),
            Frequency::Hourly => Some(3600),
            Frequency::Daily => Some(DAY_S),
            Frequency::Weekly => Some(7 * DAY_S),
            Frequency::Monthly | Frequency::Yearly => None,
        }
    }

    /// The first day of the week that holds `day`, both in days since 1970.
    pub(super) fn week_of(&self, day: i64) -> i64 {
        // 1970-01-01 was a Thursday: day of the week 3.
        day - (day + 3 - i64::from(self.week_start)).rem_euclid(7)
    }

    /// Whether it can be proved that no period ever yields anything. Rules for which this says no may still be
    /// empty; their walks end at the last year or with their budget.
    pub(super) fn never(&self) -> bool {
        let mut masks = YearKind::all().map(|kind| (kind, self.days.mask(kind)));
        let none = match self.frequency {
            Frequency::Monthly => masks.all(|(kind, mask)| self.no_month(kind, &mask)),
            _ => masks.all(|(_, mask)| mask.is_empty()),
        };
        none || self.positions_out_of_reach() || self.times_out_of_step()
    }

    fn no_month(&self, kind: YearKind, mask: &Mask) -> bool {
        let step = gcd(self.interval, 12);
        let month = i64::from(self.start.date().month()) - 1;
        let starts = month_starts(kind.leap);
        (0..12).filter(|index| (index - month).rem_euclid(step) == 0).all(|index| {
            mask.next(starts[index as usize]).is_none_or(|day| day >= starts[index as usize + 1])
        })
    }

    fn positions_out_of_reach(&self) -> bool {
        let (hours, minutes, seconds) =
            (self.hours.count_ones(), self.minutes.count_ones(), self.seconds.count_ones());
        let most: u64 = match self.frequency {
            Frequency::Secondly => 1,
            Frequency::Minutely => u64::from(seconds),
            Frequency::Hourly => u64::from(minutes) * u64::from(seconds),
            frequency => {
                let days = match frequency {
                    Frequency::Daily => 1,
                    Frequency::Weekly => 7,
                    Frequency::Monthly => 31,
                    _ => 366,
                };
                days * u64::from(hours) * u64::from(minutes) * u64::from(seconds)
            }
        };
        let out = |position: &i32| u64::from(position.unsigned_abs()) > most;
        !self.positions.is_empty() && self.positions.iter().all(out)
    }

    /// Whether the interval steps over every admitted time for ever: each week the periods fall on the same residues.
    fn times_out_of_step(&self) -> bool {
        const WEEK_S: i64 = 7 * DAY_S;
        let Some(unit) = self.unit_s().filter(|unit| *unit < WEEK_S) else { return false };
        let step = gcd(self.interval.saturating_mul(unit), WEEK_S);
        let start = self.start.0.div_euclid(unit) * unit + 3 * DAY_S;
        let weekdays = self.days.weekdays();
        let reached = (0..WEEK_S / step).any(|index| {
            let at = (start + index * step).rem_euclid(WEEK_S);
            weekdays >> (at / DAY_S) & 1 == 1 && self.admits_period_at(at % DAY_S)
        });
        !reached
    }

    /// Whether the period that begins at that second of a day is admitted by the parts longer than it.
    pub(super) fn admits_period_at(&self, second: i64) -> bool {
        let hour = self.frequency > Frequency::Hourly || self.hours >> (second / 3600) & 1 == 1;
        let minute = self.frequency > Frequency::Minutely || self.minutes >> (second / 60 % 60) & 1 == 1;
        let exact = self.frequency > Frequency::Secondly || self.seconds >> (second % 60) & 1 == 1;
        hour && minute && exact
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
