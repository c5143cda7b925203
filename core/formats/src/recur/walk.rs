//! Walks the occurrences of one rule in order, from anywhere: what lies before is skipped by arithmetic.

use super::mask::{Mask, YearKind, month_starts};
use super::plan::Plan;
use super::rule::Frequency;
use crate::limits::YEAR_MAX;
use crate::value::{DAY_S, Date, Wall};

/// Empty periods in a row after which it is worth a proof that there will never be another.
const DRY_PERIODS: u32 = 64;

/// The occurrences of a [`Plan`], ascending. DTSTART is always the first (RFC 5545 §3.8.5.3).
#[derive(Clone, Debug)]
pub struct Walk<'p> {
    plan: &'p Plan,
    until: Wall,
    masks: [Option<Mask>; YearKind::COUNT],
    year: Year,
    /// The next period to look at, in the frequency's own count: years, months, days, or units since 1970.
    at: i64,
    /// Nothing before this is handed out.
    floor: Wall,
    start_pending: bool,
    remaining: Option<u32>,
    period: Period,
    cursor: usize,
    dry: u32,
    /// Whether the proof of emptiness was tried.
    doubted: bool,
    steps: u64,
    cut_off: bool,
    done: bool,
}

/// The year that was looked at last.
#[derive(Clone, Copy, Debug)]
struct Year {
    first: i64,
    end: i64,
    kind: YearKind,
}

/// The occurrences of one period: each of the days with each of the times, or a choice of them.
#[derive(Clone, Debug, Default)]
struct Period {
    days: Vec<i64>,
    hours: Vec<u8>,
    minutes: Vec<u8>,
    seconds: Vec<u8>,
    /// Chosen by BYSETPOS; all of them without.
    chosen: Option<Vec<usize>>,
}

impl Period {
    fn all(&self) -> usize {
        self.days.len() * self.hours.len() * self.minutes.len() * self.seconds.len()
    }

    fn len(&self) -> usize {
        self.chosen.as_ref().map_or_else(|| self.all(), Vec::len)
    }

    fn slot(&self, index: usize) -> Wall {
        let index = self.chosen.as_ref().map_or(index, |chosen| chosen[index]);
        let (seconds, minutes) = (self.seconds.len(), self.minutes.len());
        let in_day = seconds * minutes * self.hours.len();
        let (day, rest) = (self.days[index / in_day], index % in_day);
        let hour = i64::from(self.hours[rest / (seconds * minutes)]);
        let minute = i64::from(self.minutes[rest / seconds % minutes]);
        Wall(day * DAY_S + hour * 3600 + minute * 60 + i64::from(self.seconds[rest % seconds]))
    }

    /// The first slot that is not before `floor`.
    fn first_from(&self, floor: Wall) -> usize {
        let (mut low, mut high) = (0, self.len());
        if high == 0 || self.slot(0) >= floor {
            return 0;
        }
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.slot(middle) < floor {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// RFC 5545 §3.3.10, BYSETPOS.
    fn choose(&mut self, positions: &[i32]) {
        let all = self.all() as i64;
        let index = |position: &i32| {
            let position = i64::from(*position);
            let index = if position > 0 { position - 1 } else { all + position };
            (0..all).contains(&index).then_some(index as usize)
        };
        let mut chosen: Vec<usize> = positions.iter().filter_map(index).collect();
        chosen.sort_unstable();
        chosen.dedup();
        self.chosen = Some(chosen);
    }
}

impl<'p> Walk<'p> {
    /// Begins at DTSTART; nothing after `until` is handed out, and no more work is done than `steps`.
    pub(super) fn new(plan: &'p Plan, until: Wall, steps: u64) -> Walk<'p> {
        let start = plan.start.date();
        let at = match plan.frequency {
            Frequency::Yearly => i64::from(start.year()),
            Frequency::Monthly => i64::from(start.year()) * 12 + i64::from(start.month()) - 1,
            Frequency::Weekly => plan.week_of(start.days()),
            _ => plan.start.0.div_euclid(plan.unit_s().unwrap_or(DAY_S)),
        };
        let period = Period {
            days: Vec::new(),
            hours: bits(u64::from(plan.hours)),
            minutes: bits(plan.minutes),
            seconds: bits(plan.seconds),
            chosen: None,
        };
        Walk {
            plan,
            until,
            masks: [None; YearKind::COUNT],
            year: Year { first: 0, end: 0, kind: YearKind::of(1970) },
            at,
            floor: Wall(plan.start.0 + 1),
            start_pending: true,
            remaining: plan.count,
            period,
            cursor: 0,
            dry: 0,
            doubted: false,
            steps,
            cut_off: false,
            done: false,
        }
    }

    /// Steps that are left.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// Whether it ended for want of steps, not of occurrences.
    pub(super) fn is_cut_off(&self) -> bool {
        self.cut_off
    }

    /// Skips what lies before `target`. A rule with COUNT whose periods differ must be counted through: then earlier
    /// occurrences may still come. To be called before the first `next`.
    pub(super) fn seek(&mut self, target: Wall) {
        let start = self.plan.start;
        if target <= start {
            return;
        }
        if let Some(count) = self.plan.count {
            let Some(unit) = self.plan.unit_s().filter(|_| self.plan.plain) else { return };
            let step = unit * self.plan.interval;
            let before = (target.0 - start.0).div_euclid(step) + i64::from((target.0 - start.0) % step != 0);
            self.remaining = Some(u32::try_from(i64::from(count) - before).unwrap_or(0));
        }
        self.start_pending = false;
        self.floor = target;
        let date = target.date();
        let wanted = match self.plan.frequency {
            Frequency::Yearly => i64::from(date.year()),
            Frequency::Monthly => i64::from(date.year()) * 12 + i64::from(date.month()) - 1,
            Frequency::Weekly => date.days(),
            _ => target.0.div_euclid(self.plan.unit_s().unwrap_or(DAY_S)),
        };
        let stride = self.stride();
        self.at += (wanted - self.at).div_euclid(stride) * stride;
    }

    /// From one period that counts to the next, in the unit of `at`.
    fn stride(&self) -> i64 {
        if self.plan.frequency == Frequency::Weekly { self.plan.interval * 7 } else { self.plan.interval }
    }

    /// The first period that counts at or after `wanted`.
    fn aligned(&self, wanted: i64) -> i64 {
        let stride = self.stride();
        let ahead = (wanted - self.at).max(0);
        self.at + (ahead + stride - 1) / stride * stride
    }

    fn step(&mut self) -> bool {
        if self.steps == 0 {
            self.cut_off = true;
            self.done = true;
            return false;
        }
        self.steps -= 1;
        true
    }

    /// Brings in the next period that holds anything.
    fn load(&mut self) -> bool {
        self.dry = 0;
        loop {
            if self.done || !self.step() {
                return false;
            }
            self.dry += 1;
            if self.dry >= DRY_PERIODS && !std::mem::replace(&mut self.doubted, true) && self.plan.never() {
                self.done = true;
                return false;
            }
            self.period.days.clear();
            let found = match self.plan.frequency {
                Frequency::Yearly => self.load_year(),
                Frequency::Monthly => self.load_month(),
                Frequency::Weekly => self.load_week(),
                Frequency::Daily => self.load_day(),
                _ => self.load_part_of_day(),
            };
            if !found {
                continue;
            }
            if !self.plan.positions.is_empty() {
                self.period.choose(&self.plan.positions);
            }
            self.cursor = self.period.first_from(self.floor);
            if self.cursor < self.period.len() {
                return true;
            }
        }
    }

    fn load_year(&mut self) -> bool {
        let Some(year) = self.year_to_look_at(self.at) else { return false };
        self.at += self.plan.interval;
        let Some(first) = Date::new(year, 1, 1) else { return false };
        self.look_at(first.days());
        let mask = self.mask();
        let mut day = mask.next(0);
        while let Some(found) = day {
            self.period.days.push(self.year.first + found);
            day = mask.next(found + 1);
        }
        !self.period.days.is_empty()
    }

    fn load_month(&mut self) -> bool {
        let Some(year) = self.year_to_look_at(self.at.div_euclid(12)) else { return false };
        let month = self.at.rem_euclid(12) as usize;
        self.at += self.plan.interval;
        let Some(first) = Date::new(year, 1, 1) else { return false };
        self.look_at(first.days());
        let starts = month_starts(self.year.kind.leap);
        let mask = self.mask();
        let mut day = mask.next(starts[month]);
        while let Some(found) = day.filter(|day| *day < starts[month + 1]) {
            self.period.days.push(self.year.first + found);
            day = mask.next(found + 1);
        }
        !self.period.days.is_empty()
    }

    fn load_week(&mut self) -> bool {
        let week = self.at;
        let Some(admitted) = self.next_admitted(week) else { return false };
        if admitted >= week + 7 {
            self.at = self.aligned(self.plan.week_of(admitted));
            return false;
        }
        for day in admitted..week + 7 {
            if self.admits(day) {
                self.period.days.push(day);
            }
        }
        self.at += self.stride();
        true
    }

    fn load_day(&mut self) -> bool {
        let Some(admitted) = self.next_admitted(self.at) else { return false };
        if admitted != self.at {
            self.at = self.aligned(admitted);
            return false;
        }
        self.period.days.push(admitted);
        self.at += self.plan.interval;
        true
    }

    /// An hour, minute or second.
    fn load_part_of_day(&mut self) -> bool {
        let unit = self.plan.unit_s().unwrap_or(1);
        let at_s = self.at * unit;
        let (day, second) = (at_s.div_euclid(DAY_S), at_s.rem_euclid(DAY_S));
        let Some(admitted) = self.next_admitted(day) else { return false };
        if admitted != day {
            self.at = self.aligned(admitted * DAY_S / unit);
            return false;
        }
        if !self.plan.admits_period_at(second) {
            let next = self.next_time(second);
            self.at = self.aligned((day * DAY_S + next) / unit);
            return false;
        }
        self.period.days.push(day);
        set_one(&mut self.period.hours, second / 3600);
        if self.plan.frequency <= Frequency::Minutely {
            set_one(&mut self.period.minutes, second / 60 % 60);
        }
        if self.plan.frequency == Frequency::Secondly {
            set_one(&mut self.period.seconds, second % 60);
        }
        self.at += self.plan.interval;
        true
    }

    /// A later second of the day (or the next midnight) before which no period is admitted.
    fn next_time(&self, second: i64) -> i64 {
        let (hour, minute) = (second / 3600, second / 60 % 60);
        let following = |set: u64, after: i64| (after + 1..60).find(|value| set >> value & 1 == 1);
        if self.plan.hours >> hour & 1 == 0 {
            return following(u64::from(self.plan.hours), hour).map_or(DAY_S, |hour| hour * 3600);
        }
        let next_hour = (hour + 1) * 3600;
        if self.plan.minutes >> minute & 1 == 0 {
            return following(self.plan.minutes, minute)
                .map_or(next_hour, |minute| hour * 3600 + minute * 60);
        }
        let this_minute = hour * 3600 + minute * 60;
        following(self.plan.seconds, second % 60).map_or(this_minute + 60, |second| this_minute + second)
    }

    fn year_to_look_at(&mut self, year: i64) -> Option<i32> {
        if !(0..=i64::from(YEAR_MAX)).contains(&year) {
            self.done = true;
            return None;
        }
        Some(year as i32)
    }

    /// Makes the year of `day` the one that `mask` speaks of.
    fn look_at(&mut self, day: i64) {
        if day >= self.year.first && day < self.year.end {
            return;
        }
        let year = Date::from_days(day).year();
        let kind = YearKind::of(year);
        let first = Date::new(year, 1, 1).map_or(day, Date::days);
        self.year = Year { first, end: first + 365 + i64::from(kind.leap), kind };
    }

    fn mask(&mut self) -> Mask {
        let kind = self.year.kind;
        *self.masks[kind.number()].get_or_insert_with(|| self.plan.days.mask(kind))
    }

    fn admits(&mut self, day: i64) -> bool {
        if self.plan.days.admit_all() {
            return true;
        }
        self.look_at(day);
        self.mask().has(day - self.year.first)
    }

    /// The first admitted day at or after `day`; none when the last year is over or the steps are used up.
    fn next_admitted(&mut self, mut day: i64) -> Option<i64> {
        let last = Date::new(YEAR_MAX, 12, 31).map_or(0, Date::days);
        loop {
            if day > last {
                self.done = true;
                return None;
            }
            if self.plan.days.admit_all() {
                return Some(day);
            }
            self.look_at(day);
            if let Some(found) = self.mask().next(day - self.year.first) {
                return Some(self.year.first + found);
            }
            day = self.year.end;
            self.dry += 1;
            if !self.step() {
                return None;
            }
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Wall;

    fn next(&mut self) -> Option<Wall> {
        if self.done || self.remaining == Some(0) {
            return None;
        }
        let found = if std::mem::take(&mut self.start_pending) {
            self.plan.start
        } else {
            if self.cursor >= self.period.len() && !self.load() {
                return None;
            }
            if !self.step() {
                return None;
            }
            self.cursor += 1;
            self.period.slot(self.cursor - 1)
        };
        if found > self.until {
            self.done = true;
            return None;
        }
        self.remaining = self.remaining.map(|remaining| remaining - 1);
        Some(found)
    }
}

fn bits(set: u64) -> Vec<u8> {
    (0..64).filter(|bit| set >> bit & 1 == 1).collect()
}

fn set_one(list: &mut Vec<u8>, value: i64) {
    list.clear();
    list.push(value as u8);
}
