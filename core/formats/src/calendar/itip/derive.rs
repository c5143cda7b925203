//! One instance of a recurring component, written as a component of its own (RFC 5545 §3.8.4.4).

use super::edits::Edits;
use super::parts::Parts;
use crate::component::{Component, Item};
use crate::property::Property;
use crate::value::{Utc, When};
use crate::zone::Zone;

/// What makes the recurrence set, and so does not stand in an override.
pub(super) const RECURRENCE: [&str; 4] = ["RRULE", "RDATE", "EXDATE", "EXRULE"];

/// Writes a point in time the way `like` is written: a day, a floating time, UTC, or on the clock of its zone.
fn value_like(parts: &Parts<'_, '_>, like: &Property<'_>, at: Utc) -> Option<String> {
    let when = When::of(like)?;
    Some(match &when {
        When::Utc(_) => at.to_string(),
        When::Date(_) | When::Floating(_) | When::Zoned(..) => {
            // Days and floating times are placed in UTC throughout this module.
            let wall = parts.object.zones().zone_of(&when, &Zone::utc()).wall(at);
            if when.is_date() { wall.date().to_string() } else { wall.to_string() }
        }
    })
}

/// A property of that name for a point in time, in the manner of `like`.
pub(super) fn time_line(parts: &Parts<'_, '_>, name: &str, like: &Property<'_>, at: Utc) -> Option<String> {
    let value = value_like(parts, like, at)?;
    let kept = |name: &str| ["TZID", "VALUE"].iter().any(|kept| name.eq_ignore_ascii_case(kept));
    let parameters = like.parameters().filter(|parameter| kept(parameter.name()));
    let head: String = parameters.map(|parameter| parameter.as_written().to_owned()).collect();
    Some(format!("{name}{head}:{value}"))
}

/// What the times of a series are written like. A task without a beginning recurs by when it is due.
pub(super) fn beginning<'s, 'a>(component: &'s Component<'a>) -> Option<&'s Property<'a>> {
    component.first("DTSTART").or(component.first("DUE"))
}

/// The lines that tell when one instance takes place: RECURRENCE-ID, DTSTART, and DTEND, DUE or DURATION.
pub(super) fn instance_lines(parts: &Parts<'_, '_>, master: &Component<'_>, id: Utc) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(times) = &parts.times else { return lines };
    if let Some(like) = beginning(master) {
        lines.extend(time_line(parts, "RECURRENCE-ID", like, id));
    }
    if let Some(start) = master.first("DTSTART") {
        lines.extend(time_line(parts, "DTSTART", start, id));
    }
    let end = times.end_of(times.zone.wall(id), id);
    for name in ["DTEND", "DUE"] {
        if let Some(property) = master.first(name) {
            lines.extend(time_line(parts, name, property, end));
        }
    }
    if let Some(duration) = master.first("DURATION") {
        lines.push(duration.text().to_owned());
    }
    lines
}

/// Changes that make an override for one instance of the recurring component; what else is changed can be added, and
/// the component's span rendered.
pub(super) fn instance_edits<'a>(parts: &Parts<'_, 'a>, master: &Component<'_>, id: Utc) -> Edits<'a> {
    const TIMES: [&str; 4] = ["DTSTART", "DTEND", "DUE", "DURATION"];
    let mut edits = Edits::new(parts.bytes());
    for line in instance_lines(parts, master, id) {
        edits.insert_line(master.begin().end, &line);
    }
    for item in master.items() {
        if let Item::Property(property) = item
            && TIMES.iter().chain(&RECURRENCE).any(|name| property.is(name))
        {
            edits.remove(property.span());
        }
    }
    edits
}
