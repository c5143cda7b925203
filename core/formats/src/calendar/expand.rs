//! `expand` and `limit-recurrence-set`: RFC 4791 §9.6.5 and §9.6.6.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::check::Precondition;
use super::filter::TimeRange;
use super::object::Object;
use super::overlap::{instance_overlaps, timeless_overlaps};
use super::partial::{CompSelection, Picker};
use crate::component::{Component, Item};
use crate::limits::{Budget, EXPANDED_BYTES_MAX};
use crate::output::Output;
use crate::property::{Property, caret_encoded};
use crate::recur::{Instance, Times};
use crate::value::{Utc, When};
use crate::zone::{Zone, wall_of};

/// The instances of an object that overlap the window, each by the rule of its kind, ordered by beginning.
fn instances(
    object: &Object<'_, '_>,
    components: &[&Component<'_>],
    range: TimeRange,
    default: &Zone,
    budget: Budget,
) -> Result<Vec<Instance>, Precondition> {
    let times = |component: &&Component<'_>| Times::of(component, object.zones(), default);
    let ends: Vec<_> = components.iter().map(|component| times(component).map(|times| times.end)).collect();
    let mut list: Vec<Instance> = Vec::new();
    let mut full = false;
    let mut steps = budget.steps;
    let whole = object.expansion(default).visit(range.from(), range.to(), &mut steps, &mut |instance| {
        let component = components[instance.component];
        let overlaps =
            ends[instance.component].is_some_and(|end| instance_overlaps(component, end, &instance, &range));
        if overlaps {
            full = list.len() >= budget.instances;
            if full {
                return ControlFlow::Break(());
            }
            list.push(instance);
        }
        ControlFlow::Continue(())
    });
    if full || !whole {
        return Err(Precondition::MaxInstances);
    }
    list.sort_by_key(|instance| (instance.start, instance.recurrence_id, instance.component));
    list.dedup_by_key(|instance| (instance.start, instance.recurrence_id));
    Ok(list)
}

/// One component for each instance within the window: no rules, no zones, times in UTC. Floating times and days stay
/// what they are.
///
/// # Errors
/// `max-instances`: it would take more than the budget, or come out too long.
pub(super) fn expand(
    object: &Object<'_, '_>,
    (start, end): (Utc, Utc),
    default: &Zone,
    budget: Budget,
    picker: &Picker<'_, '_, '_>,
) -> Result<Vec<u8>, Precondition> {
    let components = object.components();
    let range = TimeRange { start: Some(start), end: Some(end) };
    let list = instances(object, &components, range, default, budget)?;
    let calendar = object.calendar();
    let initial = components.iter().find(|one| one.first("RECURRENCE-ID").is_none());
    let initial = initial.and_then(|component| Times::of(component, object.zones(), default));
    let recurs = object.expansion(default).recurs();
    let mut out = Output::new(object.bytes());
    out.copy(calendar.begin());
    for item in calendar.items().iter().filter(|item| matches!(item, Item::Property(_))) {
        picker.item(&mut out, item, picker.top());
    }
    for component in &components {
        let timeless = Times::of(component, object.zones(), default).is_none()
            && timeless_overlaps(component, &range, object.zones(), default);
        if timeless {
            picker.item(&mut out, &Item::Component((*component).clone()), picker.top());
        }
    }
    let mut repeated: HashMap<usize, Template<'_, '_>> = HashMap::new();
    for instance in &list {
        if out.len() > EXPANDED_BYTES_MAX {
            return Err(Precondition::MaxInstances);
        }
        let component = components[instance.component];
        let template = repeated.entry(instance.component).or_insert_with(|| Template::of(component));
        let Some(of) = Picker::wants(picker.top(), component.name()) else { continue };
        let is_initial = initial
            .as_ref()
            .is_some_and(|initial| initial.start == instance.recurrence_id && !template.is_override);
        let writer = Writer { object, default, picker, identified: recurs && !is_initial };
        writer.component(&mut out, template, instance, of);
    }
    out.close(calendar);
    Ok(out.finish())
}

/// What all instances of a component have in common, looked up once.
struct Template<'s, 'a> {
    component: &'s Component<'a>,
    /// What goes into each instance: not what makes them.
    items: Vec<&'s Item<'a>>,
    is_override: bool,
    /// What its RECURRENCE-ID looks like.
    identity: Form,
}

impl<'s, 'a> Template<'s, 'a> {
    fn of(component: &'s Component<'a>) -> Template<'s, 'a> {
        const LEFT_OUT: [&str; 5] = ["RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"];
        let stays = |item: &&Item<'_>| match item {
            Item::Property(property) => !LEFT_OUT.iter().any(|name| property.is(name)),
            _ => true,
        };
        let id = component.first("RECURRENCE-ID");
        let identity = id.or_else(|| component.first("DTSTART")).and_then(When::of);
        Template {
            component,
            items: component.items().iter().filter(stays).collect(),
            is_override: id.is_some(),
            identity: identity.map_or(Form::Utc, |when| Form::of(&when)),
        }
    }
}

struct Writer<'w, 'd, 'a> {
    object: &'w Object<'d, 'a>,
    default: &'w Zone,
    picker: &'w Picker<'w, 'd, 'a>,
    /// Whether the instance says which one it is.
    identified: bool,
}

/// What a time of an instance looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Day,
    Floating,
    Utc,
}

impl Form {
    fn of(when: &When) -> Form {
        match when {
            When::Date(_) => Form::Day,
            When::Floating(_) => Form::Floating,
            _ => Form::Utc,
        }
    }
}

fn identity(form: Form, at: &Instance) -> String {
    match form {
        Form::Day => format!("RECURRENCE-ID;VALUE=DATE:{}", at.recurrence_wall.date()),
        Form::Floating => format!("RECURRENCE-ID:{}", at.recurrence_wall),
        Form::Utc => format!("RECURRENCE-ID:{}", at.recurrence_id),
    }
}

impl Writer<'_, '_, '_> {
    fn component(
        &self,
        out: &mut Output<'_>,
        template: &Template<'_, '_>,
        at: &Instance,
        of: Option<&CompSelection>,
    ) {
        out.copy(template.component.begin());
        let mut identified = !self.identified;
        for item in &template.items {
            let Item::Property(property) = item else {
                self.picker.item(out, item, of);
                continue;
            };
            let name = property.name().to_ascii_uppercase();
            match name.as_str() {
                "DTSTART" | "DTEND" | "DUE" => {
                    if self.picker.property(out, property, of) {
                        let utc = if name == "DTSTART" { at.start } else { at.end };
                        out.line(&self.time(property, utc));
                    }
                    if !std::mem::replace(&mut identified, true) {
                        out.line(&identity(template.identity, at));
                    }
                }
                _ if self.picker.property(out, property, of) => match self.without_zone(property) {
                    Some(line) => out.line(&line),
                    None => out.copy(property.span()),
                },
                _ => {}
            }
        }
        out.close(template.component);
    }

    /// A property with a new time, and its parameters but for the zone.
    fn time(&self, property: &Property<'_>, utc: Utc) -> String {
        let form = When::of(property).map_or(Form::Utc, |when| Form::of(&when));
        let wall = self.default.wall(utc);
        let value = match form {
            Form::Day => wall.date().to_string(),
            Form::Floating => wall.to_string(),
            Form::Utc => utc.to_string(),
        };
        format!("{}:{value}", head_without_zone(property))
    }

    /// Another property that names a zone: its times in UTC.
    fn without_zone(&self, property: &Property<'_>) -> Option<String> {
        let tzid = property.parameter("TZID")?;
        let mut values = Vec::new();
        for value in property.value().split(',') {
            let when = When::parse(value, Some(&tzid))?;
            values.push(match &when {
                When::Zoned(..) => self.object.zones().utc_of(&when, self.default).to_string(),
                other => wall_of(other).to_string(),
            });
        }
        Some(format!("{}:{}", head_without_zone(property), values.join(",")))
    }
}

fn head_without_zone(property: &Property<'_>) -> String {
    let mut head = property.name().to_owned();
    for parameter in property.parameters().filter(|one| !one.name().eq_ignore_ascii_case("TZID")) {
        let values: Vec<String> = parameter.values().map(|value| caret_encoded(&value)).collect();
        head.push_str(&format!(";{}={}", parameter.name(), values.join(",")));
    }
    head
}

/// For each component whether `limit-recurrence-set` keeps it: the recurring one always, an override when its own or
/// its original time overlaps the window.
pub(super) fn keep_overrides(object: &Object<'_, '_>, (start, end): (Utc, Utc), default: &Zone) -> Vec<bool> {
    let components = object.components();
    let zones = object.zones();
    let range = TimeRange { start: Some(start), end: Some(end) };
    let master = components.iter().find(|one| one.first("RECURRENCE-ID").is_none());
    let master_times = master.and_then(|component| Times::of(component, zones, default));
    let keeps = |component: &&Component<'_>| {
        let Some(property) = component.first("RECURRENCE-ID") else { return true };
        let own = Times::of(component, zones, default);
        let Some(id) = When::of(property) else { return true };
        let id_utc = zones.utc_of(&id, default);
        if property.has_parameter_value("RANGE", "THISANDFUTURE") && id_utc < end {
            return true;
        }
        let overlaps = |times: &Times, start: Utc, wall| {
            let instance = Instance {
                start,
                end: times.end_of(wall, start),
                wall,
                recurrence_id: start,
                recurrence_wall: wall,
                component: 0,
                is_date: times.is_date,
            };
            instance_overlaps(component, times.end, &instance, &range)
        };
        let current = own.as_ref().is_none_or(|times| overlaps(times, times.start, times.wall));
        let original =
            master_times.as_ref().is_some_and(|times| overlaps(times, id_utc, times.zone.wall(id_utc)));
        current || original
    };
    components.iter().map(keeps).collect()
}
