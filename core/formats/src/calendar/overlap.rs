//! When an instance overlaps a time range: the tables of RFC 4791 §9.9, row by row.

use super::filter::TimeRange;
use crate::component::Component;
use crate::recur::{End, Instance};
use crate::value::{Duration, Period, PeriodEnd, Utc, When};
use crate::zone::{Zone, Zones};

/// Whether an instance of a component overlaps the range. `end` says how the component gave its end.
pub(super) fn instance_overlaps(
    component: &Component<'_>,
    end: End,
    at: &Instance,
    range: &TimeRange,
) -> bool {
    let (from, to) = (range.from(), range.to());
    let (start, due) = (at.start, at.end);
    if component.is("VTODO") {
        return match end {
            End::Duration => from <= due && (to > start || to >= due),
            End::Due | End::DtEnd => (from < due || from <= start) && (to > start || to >= due),
            End::Implied => from <= start && to > start,
            End::DueOnly => from < due && to >= due,
        };
    }
    if component.is("VFREEBUSY") {
        return end == End::DtEnd && from <= due && to > start;
    }
    // An end that is not after its beginning is none (the table takes for granted that it is).
    to > start && (from < due || (due == start && from <= start))
}

/// A component without times: the last rows of the tables.
pub(super) fn timeless_overlaps(
    component: &Component<'_>,
    range: &TimeRange,
    zones: &Zones,
    zone: &Zone,
) -> bool {
    let (from, to) = (range.from(), range.to());
    match component.name() {
        "VTODO" => {
            let time =
                |name: &str| component.first(name).and_then(When::of).map(|when| zones.utc_of(&when, zone));
            match (time("COMPLETED"), time("CREATED")) {
                (Some(completed), Some(created)) => {
                    (from <= created || from <= completed) && (to >= created || to >= completed)
                }
                (Some(completed), None) => from <= completed && to >= completed,
                (None, Some(created)) => to > created,
                (None, None) => true,
            }
        }
        "VFREEBUSY" => {
            busy_values(component, zones, zone).iter().any(|(start, end)| from < *end && to > *start)
        }
        // RFC 7953 §3.1: without DTSTART and DTEND it holds for all time.
        "VAVAILABILITY" => {
            let end = component.first("DTEND").and_then(When::of).map(|when| zones.utc_of(&when, zone));
            end.is_none_or(|end| from < end)
        }
        _ => false,
    }
}

/// The periods of all FREEBUSY properties.
pub(super) fn busy_values(component: &Component<'_>, zones: &Zones, zone: &Zone) -> Vec<(Utc, Utc)> {
    let periods = component.all("FREEBUSY").flat_map(|property| property.value().split(','));
    periods.filter_map(|value| period_times(&Period::parse(value, None)?, zones, zone)).collect()
}

/// Where a period begins and ends.
pub(super) fn period_times(period: &Period, zones: &Zones, zone: &Zone) -> Option<(Utc, Utc)> {
    let start = zones.utc_of(&period.start, zone);
    let end = match &period.end {
        PeriodEnd::At(end) => zones.utc_of(end, zone),
        PeriodEnd::After(duration) => Utc(start.0.checked_add(duration.nominal_s())?),
    };
    (end >= start).then_some((start, end))
}

/// When an alarm goes off, seen from an instance (RFC 5545 §3.8.6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alarm {
    base: Base,
    /// Seconds from one repetition to the next, and how many there are.
    every_s: i64,
    repeat: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    Start(i64),
    End(i64),
    At(Utc),
}

impl Alarm {
    /// Reads a VALARM; none without a TRIGGER that can be read.
    pub(super) fn of(component: &Component<'_>, zones: &Zones, zone: &Zone) -> Option<Alarm> {
        let trigger = component.first("TRIGGER")?;
        let base = match Duration::parse(trigger.value()) {
            Some(offset) if trigger.has_parameter_value("RELATED", "END") => Base::End(offset.nominal_s()),
            Some(offset) => Base::Start(offset.nominal_s()),
            None => Base::At(zones.utc_of(&When::of(trigger)?, zone)),
        };
        let every_s = component.value("DURATION").and_then(Duration::parse).map_or(0, Duration::nominal_s);
        let repeat = component.value("REPEAT").and_then(|n| n.trim().parse::<i64>().ok()).unwrap_or(0);
        let repeats = every_s > 0 && repeat > 0;
        Some(Alarm { base, every_s: every_s.max(1), repeat: if repeats { repeat.min(1_000_000) } else { 0 } })
    }

    /// The window in which an instance must lie for its alarm to fall into the range; none for an alarm at a fixed
    /// time, which asks no instance.
    pub(super) fn window(&self, range: &TimeRange) -> Option<(Utc, Utc)> {
        let (Base::Start(offset) | Base::End(offset)) = self.base else { return None };
        let lasting = self.every_s.saturating_mul(self.repeat);
        let from = range.from().0.saturating_sub(offset).saturating_sub(lasting);
        Some((Utc(from), Utc(range.to().0.saturating_sub(offset))))
    }

    /// Whether it goes off within the range, for an instance or at its fixed time.
    pub(super) fn rings(&self, instance: Option<&Instance>, range: &TimeRange) -> bool {
        let first = match (self.base, instance) {
            (Base::At(at), _) => at.0,
            (Base::Start(offset), Some(instance)) => instance.start.0.saturating_add(offset),
            (Base::End(offset), Some(instance)) => instance.end.0.saturating_add(offset),
            _ => return false,
        };
        let missing = range.from().0.saturating_sub(first).max(0);
        let skipped = missing / self.every_s + i64::from(missing % self.every_s != 0);
        skipped <= self.repeat && range.holds(Utc(first.saturating_add(skipped.saturating_mul(self.every_s))))
    }
}
