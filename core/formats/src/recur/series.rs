//! The recurrence set of one component, before overrides: RRULE, RDATE, EXDATE, and the EXRULE of old files.

use std::cell::Cell;
use std::ops::ControlFlow;

use super::plan::Plan;
use super::rule::{Frequency, Rule, Until};
use super::times::Times;
use super::walk::Walk;
use crate::component::Component;
use crate::limits::LIST_VALUES_MAX;
use crate::value::{DAY_S, Date, Period, PeriodEnd, Utc, Wall, When};
use crate::zone::{Zone, Zones, wall_of};

/// Steps that counting through a rule with COUNT may cost when only its end is asked for.
const EXTENT_STEPS: u64 = 20_000;
/// Steps of one look into an EXRULE.
const EXCLUSION_STEPS: u64 = 2_000;

/// A component's recurrence set.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) times: Times,
    rules: Vec<Ruled>,
    /// Beginnings with their own ends where a period gave them; sorted.
    dates: Vec<(Utc, Wall, Option<Utc>)>,
    excluded: Vec<Utc>,
    excluded_days: Vec<Date>,
    excluding: Vec<Ruled>,
}

#[derive(Clone, Debug)]
struct Ruled {
    plan: Plan,
    /// No later reading of the clock belongs to the rule…
    until: Wall,
    /// …and no later point in time.
    until_utc: Utc,
    endless: bool,
}

/// An occurrence before overrides are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occurrence {
    pub(super) start: Utc,
    pub(super) wall: Wall,
    /// Where a period of an RDATE says where it ends.
    pub(super) end: Option<Utc>,
}

impl Series {
    pub(super) fn of(component: &Component<'_>, times: Times, zones: &Zones) -> Series {
        let rules = |name: &str| -> Vec<Ruled> {
            let values = component.all(name).take(LIST_VALUES_MAX);
            values
                .filter_map(|property| property.value().parse().ok())
                .map(|rule| ruled(&rule, &times))
                .collect()
        };
        let (included, excluding) = (rules("RRULE"), rules("EXRULE"));
        let mut series = Series {
            rules: included,
            excluding,
            dates: Vec::new(),
            excluded: Vec::new(),
            excluded_days: Vec::new(),
            times,
        };
        for property in component.all("RDATE") {
            let tzid = property.parameter("TZID");
            for value in property.value().split(',').take(LIST_VALUES_MAX) {
                series.dates.extend(series.date(value, tzid.as_deref(), zones));
            }
        }
        series.dates.sort_unstable_by_key(|date| date.0);
        for property in component.all("EXDATE") {
            let tzid = property.parameter("TZID");
            let values = property.value().split(',').take(LIST_VALUES_MAX);
            for when in values.filter_map(|value| When::parse(value, tzid.as_deref())) {
                match &when {
                    When::Date(date) => series.excluded_days.push(*date),
                    when if series.times.is_date => series.excluded_days.push(wall_of(when).date()),
                    when => series.excluded.push(zones.utc_of(when, &series.times.zone)),
                }
            }
        }
        series.excluded.sort_unstable();
        series.excluded_days.sort_unstable();
        series
    }

    fn date(&self, value: &str, tzid: Option<&str>, zones: &Zones) -> Option<(Utc, Wall, Option<Utc>)> {
        let zone = &self.times.zone;
        if let Some(period) = Period::parse(value, tzid) {
            let start = zones.utc_of(&period.start, zone);
            let end = match &period.end {
                PeriodEnd::At(end) => zones.utc_of(end, zone),
                PeriodEnd::After(duration) => Utc(start.0 + duration.nominal_s()),
            };
            return Some((start, zone.wall(start), Some(end.max(start))));
        }
        let when = When::parse(value, tzid)?;
        // A day among times means the component's own time on that day.
        let when = match when {
            When::Date(date) if !self.times.is_date => {
                let wall = Wall(date.midnight().0 + self.times.wall.second_of_day());
                return Some((zone.at(wall), wall, None));
            }
            other => other,
        };
        let start = zones.utc_of(&when, zone);
        Some((start, zone.wall(start), None))
    }

    /// Whether it is more than its first instance.
    pub(super) fn recurs(&self) -> bool {
        !self.rules.is_empty() || !self.dates.is_empty()
    }

    /// Gives each occurrence that begins from `from` to `to`, both inclusive, in no particular order and perhaps twice.
    /// `steps` is what it may cost and afterwards what is left; false when that was not enough.
    pub(super) fn visit(
        &self,
        from: Utc,
        to: Utc,
        steps: &mut u64,
        found: &mut dyn FnMut(Occurrence) -> ControlFlow<()>,
    ) -> ControlFlow<(), bool> {
        let within = |start: Utc| start >= from && start <= to;
        // Looking for exceptions by rule costs as much as looking for occurrences.
        let excluding = Cell::new(*steps);
        let mut give = |start: Utc, wall: Wall, end: Option<Utc>| {
            if !within(start) || self.excludes(start, wall, &excluding) {
                return ControlFlow::Continue(());
            }
            found(Occurrence { start, wall, end })
        };
        if self.rules.is_empty() {
            give(self.times.start, self.times.wall, None)?;
        }
        let first = self.dates.partition_point(|date| date.0 < from);
        for (start, wall, end) in self.dates[first..].iter().take_while(|date| date.0 <= to) {
            give(*start, *wall, *end)?;
        }
        let zone = &self.times.zone;
        let mut whole = true;
        for rule in &self.rules {
            let until = rule.until.min(Wall(zone.wall(to).0.saturating_add(slack_s(zone, to))));
            let mut walk = Walk::new(&rule.plan, until, *steps);
            walk.seek(Wall(zone.wall(from).0.saturating_sub(slack_s(zone, from))));
            for wall in walk.by_ref() {
                let start = zone.at(wall);
                if start <= rule.until_utc {
                    give(start, wall, None)?;
                }
            }
            *steps = walk.steps();
            whole &= !walk.is_cut_off();
        }
        *steps = (*steps).min(excluding.get());
        ControlFlow::Continue(whole && excluding.get() > 0)
    }

    fn excludes(&self, start: Utc, wall: Wall, steps: &Cell<u64>) -> bool {
        let by_rule = |rule: &Ruled| {
            let most = steps.get().min(EXCLUSION_STEPS);
            let mut walk = Walk::new(&rule.plan, rule.until.min(wall), most);
            walk.seek(wall);
            let excluded = walk.any(|excluded| excluded == wall);
            steps.set(steps.get().saturating_sub((most - walk.steps()).max(1)));
            excluded
        };
        self.excluded.binary_search(&start).is_ok()
            || (!self.excluded_days.is_empty() && self.excluded_days.binary_search(&wall.date()).is_ok())
            || self.excluding.iter().any(by_rule)
    }

    /// Where the last occurrence begins at the latest; none when there is no last one, or it is too far to count.
    pub(super) fn last_start(&self) -> Option<Utc> {
        let mut last = self.times.start;
        last = self.dates.last().map_or(last, |date| last.max(date.0));
        for rule in &self.rules {
            last = last.max(rule.last(&self.times)?);
        }
        Some(last)
    }

    /// Where the last period of an RDATE ends, if any.
    pub(super) fn last_period_end(&self) -> Option<Utc> {
        self.dates.iter().filter_map(|date| date.2).max()
    }

    /// How long the longest period of an RDATE is.
    pub(super) fn period_length_max_s(&self) -> i64 {
        self.dates.iter().filter_map(|date| Some(date.2?.0 - date.0.0)).max().unwrap_or(0)
    }

    pub(super) fn first_date(&self) -> Option<Utc> {
        self.dates.first().map(|date| date.0)
    }
}

impl Ruled {
    fn last(&self, times: &Times) -> Option<Utc> {
        if self.endless {
            return None;
        }
        if let Some(count) = self.plan.count.filter(|_| self.plan.plain)
            && let Some(unit) = self.plan.unit_s()
        {
            let length = unit.saturating_mul(self.plan.interval).saturating_mul(i64::from(count) - 1);
            let last = Wall(self.plan.start.0.saturating_add(length)).min(self.until);
            return (last.0 < i64::MAX / 2).then(|| times.zone.at(last));
        }
        if self.until < Wall(i64::MAX) {
            return Some(self.until_utc.min(Utc(times.zone.at(self.until).0.saturating_add(DAY_S))));
        }
        let mut walk = Walk::new(&self.plan, self.until, EXTENT_STEPS);
        let last = walk.by_ref().last().unwrap_or(self.plan.start);
        (!walk.is_cut_off()).then(|| times.zone.at(last))
    }
}

/// How far a clock may have gone back or forth around that time: a day where its offset changes nearby (Samoa left out a
/// whole day), else nothing.
fn slack_s(zone: &Zone, at: Utc) -> i64 {
    let offset = zone.offset_s(at);
    let near = [at.0.saturating_sub(DAY_S), at.0.saturating_add(DAY_S)];
    if near.iter().all(|near| zone.offset_s(Utc(*near)) == offset) { 0 } else { DAY_S }
}

/// Brings UNTIL into the component's own terms.
fn ruled(rule: &Rule, times: &Times) -> Ruled {
    let end_of_day = |date: Date| Wall(date.midnight().0 + DAY_S - 1);
    let (until, until_utc) = match rule.until {
        None => (Wall(i64::MAX), Utc(i64::MAX)),
        // Of a day, or of a time where the component is about days, that whole day belongs to the rule.
        Some(Until::Date(date)) => (end_of_day(date), Utc(i64::MAX)),
        Some(Until::Wall(wall)) if times.is_date => (end_of_day(wall.date()), Utc(i64::MAX)),
        Some(Until::Wall(wall)) => (wall, Utc(i64::MAX)),
        Some(Until::Utc(utc)) if times.is_date => (end_of_day(Wall(utc.0).date()), Utc(i64::MAX)),
        Some(Until::Utc(utc)) => (Wall(times.zone.wall(utc).0.saturating_add(DAY_S)), utc),
    };
    let plan = match times.is_date {
        true => Plan::new(&of_days(rule), times.wall),
        false => Plan::new(rule, times.wall),
    };
    Ruled { plan, until, until_utc, endless: rule.is_endless() }
}

/// A rule for whole days: parts of a day MUST be ignored (RFC 5545 §3.3.10), and periods shorter than one become days.
fn of_days(rule: &Rule) -> Rule {
    let mut rule = Rule { hours: 0, minutes: 0, seconds: 0, ..rule.clone() };
    let in_a_day = match rule.frequency {
        Frequency::Secondly => 86_400,
        Frequency::Minutely => 1440,
        Frequency::Hourly => 24,
        _ => return rule,
    };
    rule.frequency = Frequency::Daily;
    rule.interval = rule.interval.div_ceil(in_a_day);
    rule
}
