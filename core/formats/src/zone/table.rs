//! A VTIMEZONE as a table of changes of the clock (RFC 5545 §3.6.5).

use std::sync::OnceLock;

use crate::component::Component;
use crate::limits::ZONE_YEAR_MAX;
use crate::recur::{Frequency, Rule, Until};
use crate::value::{DAY_S, Date, Utc, Wall, When, parse_utc_offset};

/// Steps that one rule of an observance may cost.
const RULE_STEPS: u64 = 20_000;
/// Steps that all rules of a zone may cost together.
const TABLE_STEPS: u64 = 100_000;
/// Observances of a zone that are looked at.
const OBSERVANCES_MAX: usize = 1_000;
/// Rules are followed from this year on at the earliest; some files begin in 1601.
const YEAR_MIN: i32 = 1900;
/// From the first to before the second of these years the near changes hold.
const NEAR_YEARS: [i32; 2] = [2010, 2040];
/// A rule is followed at least that long before its end, so that its last change is known.
const RULE_DAYS_MIN: i64 = 4 * 366;

/// The observances of a zone, and the changes that they make once somebody asks.
#[derive(Debug)]
pub(super) struct Table {
    observances: Vec<Observance>,
    /// The changes that decide the years which most questions are about; cheap to have.
    near: OnceLock<Changes>,
    /// All of them.
    all: OnceLock<Changes>,
}

#[derive(Debug)]
struct Observance {
    start: Wall,
    from: i32,
    to: i32,
    rules: Vec<Rule>,
    dates: Vec<Wall>,
}

/// Changes in their order. The clock goes by `before` until the first.
#[derive(Debug)]
struct Changes {
    before: i32,
    /// When; where the clock stands from which the new offset holds; the new offset.
    list: Vec<(Utc, Wall, i32)>,
}

impl Table {
    /// None when no observance can be read.
    pub(super) fn new(component: &Component<'_>) -> Option<Table> {
        let parts = component.components().filter(|part| part.is("STANDARD") || part.is("DAYLIGHT"));
        let observances: Vec<Observance> = parts.take(OBSERVANCES_MAX).filter_map(observance).collect();
        (!observances.is_empty()).then(|| Table { observances, near: OnceLock::new(), all: OnceLock::new() })
    }

    /// The changes that decide what holds at that second, of UTC or of the clock.
    fn changes(&self, second: i64) -> &Changes {
        let near = NEAR_YEARS.map(|year| Date::new(year, 1, 1).map_or(0, |date| date.midnight().0));
        if second >= near[0] && second < near[1] {
            return self.near.get_or_init(|| self.changes_in(NEAR_YEARS));
        }
        self.all.get_or_init(|| self.changes_in([YEAR_MIN, ZONE_YEAR_MAX]))
    }

    fn changes_in(&self, years: [i32; 2]) -> Changes {
        let mut onsets: Vec<(Utc, i32, i32)> = Vec::new();
        let mut steps = TABLE_STEPS;
        for observance in &self.observances {
            observance.onsets(years, &mut steps, |wall| {
                let at = Utc(wall.0 - i64::from(observance.from));
                onsets.push((at, observance.from, observance.to));
            });
        }
        onsets.sort_by_key(|onset| onset.0);
        onsets.dedup_by_key(|onset| onset.0);
        let before = onsets.first().map_or(0, |onset| onset.1);
        let mut offset = before;
        let mut list = Vec::with_capacity(onsets.len());
        for (at, _, to) in onsets {
            // In a gap the old offset goes on, and of an overlap the first pass counts: the larger of the two.
            list.push((at, Wall(at.0 + i64::from(offset.max(to))), to));
            offset = to;
        }
        Changes { before, list }
    }

    pub(super) fn offset_at(&self, utc: Utc) -> i32 {
        let changes = self.changes(utc.0);
        let index = changes.list.partition_point(|change| change.0 <= utc);
        index.checked_sub(1).map_or(changes.before, |index| changes.list[index].2)
    }

    pub(super) fn offset_of_wall(&self, wall: Wall) -> i32 {
        let changes = self.changes(wall.0);
        let index = changes.list.partition_point(|change| change.1 <= wall);
        index.checked_sub(1).map_or(changes.before, |index| changes.list[index].2)
    }
}

fn observance(component: &Component<'_>) -> Option<Observance> {
    let start = match When::of(component.first("DTSTART")?)? {
        When::Floating(wall) | When::Zoned(wall, _) => wall,
        When::Utc(utc) => Wall(utc.0),
        When::Date(date) => date.midnight(),
    };
    let to = parse_utc_offset(component.value("TZOFFSETTO")?)?;
    let from = component.value("TZOFFSETFROM").and_then(parse_utc_offset).unwrap_or(to);
    // No clock changes several times a day: such a rule is a mistake, or meant to keep us busy.
    let rules = component.all("RRULE").filter_map(|rule| rule.value().parse().ok());
    let rules = rules.filter(|rule: &Rule| rule.frequency >= Frequency::Daily).collect();
    let mut dates = Vec::new();
    for property in component.all("RDATE") {
        let values = property.value().split(',').filter_map(|value| When::parse(value, None));
        dates.extend(values.map(|when| match when {
            When::Utc(utc) => Wall(utc.0 + i64::from(from)),
            other => super::wall_of(&other),
        }));
    }
    Some(Observance { start, from, to, rules, dates })
}

impl Observance {
    /// Each local time at which it begins, read with the offset before: those that decide what holds in these years.
    fn onsets(&self, years: [i32; 2], steps: &mut u64, mut found: impl FnMut(Wall)) {
        found(self.start);
        self.dates.iter().for_each(|date| found(*date));
        let midnight = |year: i32, month: u8| Date::new(year, month, 1).map_or(self.start, Date::midnight);
        // A year more on either side: the change that holds at its beginning, and clocks that differ from UTC.
        let (begin, horizon) = (midnight(years[0] - 2, 1), midnight(years[1], 2));
        for rule in &self.rules {
            let until = match rule.until {
                Some(Until::Utc(utc)) => Wall(utc.0 + i64::from(self.from)),
                Some(Until::Wall(wall)) => wall,
                Some(Until::Date(date)) => Wall(date.midnight().0 + DAY_S - 1),
                None => horizon,
            };
            let until = until.min(horizon);
            let from = begin.min(Wall(until.0 - RULE_DAYS_MIN * DAY_S));
            let most = (*steps).min(RULE_STEPS);
            let mut left = most;
            rule.each(self.start, from, until, &mut left, &mut found);
            *steps -= most - left;
        }
    }
}
