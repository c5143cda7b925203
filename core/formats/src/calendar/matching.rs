//! Puts a filter to an object: RFC 4791 §9.7.

use std::ops::ControlFlow;

use super::filter::{CompFilter, PropFilter, TimeRange};
use super::object::Object;
use super::overlap::{Alarm, instance_overlaps, timeless_overlaps};
use crate::component::Component;
use crate::limits::Budget;
use crate::property::Property;
use crate::recur::{End, Expansion, Instance, Times};
use crate::value::{When, unescape_text};
use crate::zone::Zone;

impl CompFilter {
    /// Whether the object matches. None: the budget was used up before an answer was found. Days and floating times are
    /// placed in `default`.
    pub fn matches(&self, object: &Object<'_, '_>, default: &Zone, budget: Budget) -> Option<bool> {
        let calendar = object.calendar();
        let mut matcher = Matcher {
            object,
            default,
            components: object.components(),
            expansion: None,
            steps: budget.steps,
            cut_off: false,
        };
        let named = self.name.eq_ignore_ascii_case(calendar.name());
        if self.is_not_defined || !named {
            return Some(self.is_not_defined && !named);
        }
        let properties = self.properties.iter().all(|filter| matcher.property(filter, calendar, None));
        let found = properties
            && self.time_range.is_none()
            && self.components.iter().all(|filter| matcher.component(filter));
        if !found && matcher.cut_off { None } else { Some(found) }
    }
}

struct Matcher<'m, 'd, 'a> {
    object: &'m Object<'d, 'a>,
    default: &'m Zone,
    components: Vec<&'d Component<'a>>,
    expansion: Option<(Expansion, Vec<End>)>,
    steps: u64,
    cut_off: bool,
}

impl<'d, 'a> Matcher<'_, 'd, 'a> {
    /// A filter on the components of the calendar.
    fn component(&mut self, filter: &CompFilter) -> bool {
        let calendar = self.object.calendar();
        let named = |component: &Component<'_>| filter.name.eq_ignore_ascii_case(component.name());
        if filter.is_not_defined {
            return !calendar.components().any(named);
        }
        if filter.name.eq_ignore_ascii_case("VTIMEZONE") {
            return filter.time_range.is_none()
                && calendar
                    .components()
                    .filter(|one| named(one))
                    .any(|one| self.static_parts(filter, one, None));
        }
        let mut candidates = vec![false; self.components.len()];
        for (index, candidate) in candidates.iter_mut().enumerate() {
            let component = self.components[index];
            *candidate = named(component) && self.static_parts(filter, component, Some(index));
        }
        let Some(range) = &filter.time_range else { return candidates.contains(&true) };
        self.overlaps(&candidates, range)
    }

    fn static_parts(&mut self, filter: &CompFilter, component: &Component<'_>, index: Option<usize>) -> bool {
        filter.properties.iter().all(|property| self.property(property, component, index))
            && filter.components.iter().all(|inner| self.inner(inner, component, index))
    }

    /// A filter on a component within a component: an alarm, an AVAILABLE, an observance.
    fn inner(&mut self, filter: &CompFilter, outer: &Component<'_>, index: Option<usize>) -> bool {
        let named = |component: &&Component<'_>| filter.name.eq_ignore_ascii_case(component.name());
        if filter.is_not_defined {
            return !outer.components().any(|component| named(&component));
        }
        outer.components().filter(named).any(|component| {
            let time = match &filter.time_range {
                None => true,
                Some(range) if component.is("VALARM") => self.alarm(component, index, range),
                Some(_) => false,
            };
            time && self.static_parts(filter, component, None)
        })
    }

    fn alarm(&mut self, alarm: &Component<'_>, index: Option<usize>, range: &TimeRange) -> bool {
        let Some(alarm) = Alarm::of(alarm, self.object.zones(), self.default) else { return false };
        let (Some((from, to)), Some(index)) = (alarm.window(range), index) else {
            return alarm.rings(None, range);
        };
        let window = TimeRange { start: Some(from), end: Some(to) };
        self.any(Some(index), window, &mut |instance, _| alarm.rings(Some(instance), range))
    }

    /// Whether an instance of one of the candidates overlaps the range.
    fn overlaps(&mut self, candidates: &[bool], range: &TimeRange) -> bool {
        let components = self.components.clone();
        let (zones, default) = (self.object.zones(), self.default);
        let timeless = |index: usize| {
            let component = components[index];
            Times::of(component, zones, default).is_none()
                && timeless_overlaps(component, range, zones, default)
        };
        if (0..components.len()).any(|index| candidates[index] && timeless(index)) {
            return true;
        }
        candidates.contains(&true)
            && self.any(None, *range, &mut |instance, end| {
                candidates[instance.component]
                    && instance_overlaps(components[instance.component], end, instance, range)
            })
    }

    /// Whether an instance that touches the window is what is looked for.
    fn any(
        &mut self,
        of: Option<usize>,
        window: TimeRange,
        wanted: &mut dyn FnMut(&Instance, End) -> bool,
    ) -> bool {
        let (object, default, components) = (self.object, self.default, &self.components);
        let (expansion, ends) = self.expansion.get_or_insert_with(|| {
            let end = |component: &&Component<'_>| {
                Times::of(component, object.zones(), default).map_or(End::Implied, |times| times.end)
            };
            (object.expansion(default), components.iter().map(end).collect())
        });
        let mut found = false;
        let whole = expansion.visit_of(of, (window.from(), window.to()), &mut self.steps, &mut |instance| {
            found = wanted(&instance, ends[instance.component]);
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        self.cut_off |= !whole;
        found
    }

    /// A filter on a property. `index` names the component among those that have instances.
    fn property(&mut self, filter: &PropFilter, component: &Component<'_>, index: Option<usize>) -> bool {
        let effective = effective_end(&filter.name, component);
        if filter.is_not_defined {
            return component.first(&filter.name).is_none();
        }
        let found: Vec<&Property<'_>> = component.all(&filter.name).collect();
        if found.is_empty() && effective && filter.text_match.is_none() && filter.parameters.is_empty() {
            return filter
                .time_range
                .as_ref()
                .is_some_and(|range| self.in_range(&filter.name, None, index, range));
        }
        found.into_iter().any(|property| {
            filter.parameters.iter().all(|parameter| parameter.matches(property))
                && filter
                    .text_match
                    .as_ref()
                    .is_none_or(|text| text.matches(&unescape_text(property.value())))
                && filter
                    .time_range
                    .as_ref()
                    .is_none_or(|range| self.in_range(&filter.name, Some(property), index, range))
        })
    }

    /// RFC 4791 §9.9, at the end: properties, of every instance where they move with it.
    fn in_range(
        &mut self,
        name: &str,
        property: Option<&Property<'_>>,
        index: Option<usize>,
        range: &TimeRange,
    ) -> bool {
        let name = name.to_ascii_uppercase();
        match (name.as_str(), index) {
            ("DTSTART", Some(index)) => {
                self.any(Some(index), *range, &mut |found, _| range.holds(found.start))
            }
            ("DTEND" | "DUE", Some(index)) => {
                self.any(Some(index), *range, &mut |found, _| range.holds(found.end))
            }
            _ => property
                .and_then(When::of)
                .is_some_and(|when| range.holds(self.object.zones().utc_of(&when, self.default))),
        }
    }
}

/// Whether a component without that property has an effective end all the same: DTSTART and DURATION.
fn effective_end(name: &str, component: &Component<'_>) -> bool {
    let named = |end: &str, kind: &str| name.eq_ignore_ascii_case(end) && component.is(kind);
    (named("DTEND", "VEVENT") || named("DUE", "VTODO"))
        && component.first("DTSTART").is_some()
        && component.first("DURATION").is_some()
}
