//! The instances of a calendar object: its component's recurrence set with the overrides put in.

use std::ops::ControlFlow;

use super::series::{Occurrence, Series};
use super::times::Times;
use crate::component::Component;
use crate::limits::Budget;
use crate::value::{DAY_S, Utc, Wall, When};
use crate::zone::{Zone, Zones, wall_of};

/// Points in time beyond which nothing is computed; the years 0 to 9999 lie well within.
const TIME_S_MAX: i64 = 400_000_000_000;
/// How far a day or a floating time can move with the zone that it is looked at from (UTC-12 to UTC+14).
const FLOAT_S_MAX: i64 = 14 * 3600;

/// One instance of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Where it begins.
    pub start: Utc,
    /// Where it ends.
    pub end: Utc,
    /// The same beginning on the clock of its zone.
    pub wall: Wall,
    /// Where it would begin without an override: its identity (RFC 5545 §3.8.4.4).
    pub recurrence_id: Utc,
    /// The identity on the clock of the recurring component's zone.
    pub recurrence_wall: Wall,
    /// Which of the components describes it.
    pub component: usize,
    /// Whether it is about whole days.
    pub is_date: bool,
}

/// The instances within a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instances {
    /// Ordered by beginning.
    pub list: Vec<Instance>,
    /// Whether the budget was used up, so that instances may be missing.
    pub cut_off: bool,
}

impl IntoIterator for Instances {
    type Item = Instance;
    type IntoIter = std::vec::IntoIter<Instance>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

/// From where to where an object reaches, in every zone that it may be looked at from. It may be a little wide and is
/// never too narrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// No instance begins earlier.
    pub first: Utc,
    /// No instance ends later; none when there is no last one.
    pub last: Option<Utc>,
}

impl Extent {
    /// Whether anything in it can overlap or touch the window; open ends are none.
    pub fn touches(&self, start: Option<Utc>, end: Option<Utc>) -> bool {
        let after = start.is_none_or(|start| self.last.is_none_or(|last| last >= start));
        after && end.is_none_or(|end| self.first <= end)
    }
}

/// A calendar object made ready to be asked when it takes place.
#[derive(Clone, Debug)]
pub struct Expansion {
    masters: Vec<(usize, Series)>,
    /// Sorted by identity.
    overrides: Vec<Override>,
    /// For each component its place among the overrides.
    places: Vec<Option<usize>>,
}

#[derive(Clone, Debug)]
struct Override {
    component: usize,
    id: Utc,
    id_wall: Wall,
    times: Times,
    and_future: bool,
}

impl Expansion {
    /// Takes the components of one UID: the recurring one and its overrides, in any order. Days and floating times are
    /// placed in `default`. Components without times have no instances.
    pub fn new(components: &[&Component<'_>], zones: &Zones, default: &Zone) -> Expansion {
        let mut masters = Vec::new();
        let mut ids = Vec::new();
        for (index, component) in components.iter().enumerate() {
            let Some(times) = Times::of(component, zones, default) else { continue };
            match component.first("RECURRENCE-ID").and_then(|id| Some((id, When::of(id)?))) {
                None => masters.push((index, Series::of(component, times, zones))),
                Some((property, id)) => {
                    let and_future = property.has_parameter_value("RANGE", "THISANDFUTURE");
                    ids.push((index, id, times, and_future));
                }
            }
        }
        let first = masters.first().map(|(_, series): &(usize, Series)| &series.times);
        let mut overrides: Vec<Override> = Vec::new();
        for (component, id, times, and_future) in ids {
            let (id, id_wall) = identity(&id, first, zones, default);
            overrides.push(Override { component, id, id_wall, times, and_future });
        }
        overrides.sort_by_key(|found| found.id);
        let mut places = vec![None; components.len()];
        overrides.iter().enumerate().for_each(|(place, own)| places[own.component] = Some(place));
        Expansion { masters, overrides, places }
    }

    /// Whether more than one instance can exist.
    pub fn recurs(&self) -> bool {
        !self.overrides.is_empty() || self.masters.iter().any(|(_, series)| series.recurs())
    }

    /// The instances that overlap the window by the rule for events (RFC 4791 §9.9): one without length counts when it
    /// begins in the window, its start included.
    pub fn between(&self, start: Utc, end: Utc, budget: Budget) -> Instances {
        let mut list = Vec::new();
        let mut full = false;
        let mut steps = budget.steps;
        let whole = self.visit(start, end, &mut steps, &mut |instance| {
            let overlaps = instance.start < end
                && (instance.end > start || (instance.end == instance.start && instance.start >= start));
            if overlaps {
                if list.len() == budget.instances {
                    full = true;
                    return ControlFlow::Break(());
                }
                list.push(instance);
            }
            ControlFlow::Continue(())
        });
        list.sort_by_key(|instance| (instance.start, instance.recurrence_id, instance.component));
        list.dedup_by_key(|instance| (instance.start, instance.recurrence_id));
        Instances { list, cut_off: full || !whole }
    }

    /// Gives each instance that overlaps or touches the window, in no particular order and perhaps twice, until it is
    /// told to stop. False when `steps`, which hold afterwards what is left, were not enough.
    pub fn visit(
        &self,
        start: Utc,
        end: Utc,
        steps: &mut u64,
        found: &mut dyn FnMut(Instance) -> ControlFlow<()>,
    ) -> bool {
        self.visit_of(None, (start, end), steps, found)
    }

    /// The same, for the instances that one component describes; then it need not look at the others.
    pub fn visit_of(
        &self,
        component: Option<usize>,
        (start, end): (Utc, Utc),
        steps: &mut u64,
        found: &mut dyn FnMut(Instance) -> ControlFlow<()>,
    ) -> bool {
        let start = Utc(start.0.clamp(-TIME_S_MAX, TIME_S_MAX));
        let end = Utc(end.0.clamp(-TIME_S_MAX, TIME_S_MAX));
        let mut give = |instance: Instance| {
            let wanted = component.is_none_or(|component| component == instance.component);
            if wanted && instance.start <= end && instance.end >= start {
                return found(instance);
            }
            ControlFlow::Continue(())
        };
        let place = component.and_then(|component| *self.places.get(component)?);
        let overrides = place.map_or(&self.overrides[..], |place| &self.overrides[place..=place]);
        for own in overrides {
            if give(own.instance()).is_break() {
                return true;
            }
        }
        if place.is_some_and(|place| !self.overrides[place].and_future) {
            return true;
        }
        let mut whole = true;
        for (index, series) in &self.masters {
            match self.visit_series(*index, series, (start, end), steps, &mut give) {
                ControlFlow::Break(()) => return true,
                ControlFlow::Continue(all) => whole &= all,
            }
        }
        whole
    }

    fn visit_series(
        &self,
        index: usize,
        series: &Series,
        (start, end): (Utc, Utc),
        steps: &mut u64,
        found: &mut dyn FnMut(Instance) -> ControlFlow<()>,
    ) -> ControlFlow<(), bool> {
        let shifts: Vec<&Override> = self.overrides.iter().filter(|own| own.and_future).collect();
        let mut whole = true;
        for segment in 0..=shifts.len() {
            let shift = segment.checked_sub(1).map(|before| shifts[before]);
            let times = shift.map_or(&series.times, |shift| &shift.times);
            let delta = shift.map_or(0, |shift| shift.times.start.0 - shift.id.0);
            let lower = shift.map_or(-TIME_S_MAX, |shift| shift.id.0 + 1);
            let upper = shifts.get(segment).map_or(TIME_S_MAX, |next| next.id.0 - 1);
            let slack = if shift.is_some() { DAY_S } else { 0 };
            let length = times.length_max_s().max(series.period_length_max_s());
            let from = start.0.saturating_sub(length + delta + slack).max(lower);
            let to = end.0.saturating_sub(delta - slack).min(upper);
            if from > to {
                continue;
            }
            let mut give = |occurrence: Occurrence| {
                if self.is_overridden(occurrence.start) {
                    return ControlFlow::Continue(());
                }
                found(instance(index, &series.times, shift, occurrence))
            };
            whole &= series.visit(Utc(from), Utc(to), steps, &mut give)?;
        }
        ControlFlow::Continue(whole)
    }

    fn is_overridden(&self, id: Utc) -> bool {
        self.overrides.binary_search_by_key(&id, |own| own.id).is_ok()
    }

    /// From where to where it reaches; none when nothing in it has a time.
    pub fn extent(&self) -> Option<Extent> {
        let mut extent: Option<Extent> = None;
        let mut add = |first: Utc, last: Option<Utc>, absolute: bool| {
            let slack = if absolute { 0 } else { FLOAT_S_MAX };
            let first = Utc(first.0.saturating_sub(slack));
            let last = last.map(|last| Utc(last.0.saturating_add(slack)));
            extent = Some(match extent {
                None => Extent { first, last },
                Some(so_far) => Extent {
                    first: so_far.first.min(first),
                    last: so_far.last.and_then(|so_far| Some(so_far.max(last?))),
                },
            });
        };
        for own in &self.overrides {
            add(own.times.start, Some(own.times.first_end()), own.times.is_absolute);
        }
        for (_, series) in &self.masters {
            let times = &series.times;
            let first = series.first_date().map_or(times.start, |date| date.min(times.start));
            if !series.recurs() {
                add(first, Some(times.first_end()), times.is_absolute);
                continue;
            }
            let last_start = series.last_start();
            let last = last_start.map(|last| {
                let end = Utc(last.0.saturating_add(times.length_max_s()));
                series.last_period_end().map_or(end, |period| period.max(end))
            });
            add(first, last, times.is_absolute);
            for shift in self.overrides.iter().filter(|own| own.and_future) {
                let by = shift.times.start.0 - shift.id.0;
                let last = last_start.map(|last| Utc(last.0 + by + shift.times.length_max_s() + DAY_S));
                add(Utc(shift.id.0 + by.min(0) - DAY_S), last, shift.times.is_absolute);
            }
        }
        extent
    }
}

impl Override {
    fn instance(&self) -> Instance {
        Instance {
            start: self.times.start,
            end: self.times.first_end(),
            wall: self.times.wall,
            recurrence_id: self.id,
            recurrence_wall: self.id_wall,
            component: self.component,
            is_date: self.times.is_date,
        }
    }
}

/// Which occurrence a RECURRENCE-ID means. Where it names a day and the component has times, or the other way round,
/// the day decides.
pub(crate) fn identity(id: &When, master: Option<&Times>, zones: &Zones, default: &Zone) -> (Utc, Wall) {
    let Some(master) = master else { return (zones.utc_of(id, default), wall_of(id)) };
    match id {
        When::Date(date) if !master.is_date => {
            let wall = Wall(date.midnight().0 + master.wall.second_of_day());
            (master.zone.at(wall), wall)
        }
        id if master.is_date => {
            let wall = wall_of(id).date().midnight();
            (master.zone.at(wall), wall)
        }
        id => {
            let utc = zones.utc_of(id, &master.zone);
            (utc, master.zone.wall(utc))
        }
    }
}

/// Makes an instance of an occurrence, moved as an override for it and all that follow says (RFC 5545 §3.8.4.4).
fn instance(index: usize, own: &Times, shift: Option<&Override>, occurrence: Occurrence) -> Instance {
    let Occurrence { start, wall, end } = occurrence;
    let (component, times, moved) = match shift {
        None => (index, own, (start, wall)),
        Some(shift) => {
            let zone = &shift.times.zone;
            let by = shift.times.wall.0 - zone.wall(shift.id).0;
            let wall = Wall(zone.wall(start).0 + by);
            (shift.component, &shift.times, (zone.at(wall), wall))
        }
    };
    Instance {
        start: moved.0,
        end: end.filter(|_| shift.is_none()).unwrap_or_else(|| times.end_of(moved.1, moved.0)),
        wall: moved.1,
        recurrence_id: start,
        recurrence_wall: wall,
        component,
        is_date: times.is_date,
    }
}
