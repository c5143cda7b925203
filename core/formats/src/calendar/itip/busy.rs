//! Asking when people are busy: RFC 5546 §3.3.2 and §3.3.3, RFC 6638 §5.

use super::address::{Owner, canonical_address};
use super::parts::{Part, Parts};
use super::{ATTENDEES_MAX, Making, read};
use crate::calendar::freebusy::event_kind;
use crate::calendar::{Busy, BusyKind, Object, busy_periods};
use crate::limits::Budget;
use crate::output::Output;
use crate::value::{Utc, When};
use crate::zone::Zone;

/// A request for busy times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusyRequest {
    /// UID of the request, for the replies.
    pub uid: String,
    /// Who asks, as written.
    pub organizer: String,
    /// Who is asked about, as written; each once.
    pub attendees: Vec<String>,
    /// The window, its end left out.
    pub start: Utc,
    /// See `start`.
    pub end: Utc,
    /// UID of an event that does not count, since it is what is being planned.
    pub but: Option<String>,
    organizer_line: String,
    attendee_lines: Vec<String>,
}

/// Reads a request; none when it is not one of the make that RFC 5546 §3.3.2 demands (`valid-scheduling-message`, RFC
/// 6638 §5.2.1).
pub fn busy_request(bytes: &[u8]) -> Option<BusyRequest> {
    let document = read(bytes).ok()?;
    let object = Object::of(&document).ok()?;
    let method = object.calendar().value("METHOD")?;
    let components = object.components();
    let [component] = components[..] else { return None };
    if !method.trim().eq_ignore_ascii_case("REQUEST") || !component.is("VFREEBUSY") {
        return None;
    }
    let time = |name: &str| {
        let when = component.first(name).and_then(When::of)?;
        Some(object.zones().utc_of(&when, &Zone::utc()))
    };
    let (start, end) = (time("DTSTART")?, time("DTEND")?);
    let organizer = component.first("ORGANIZER")?;
    let mut known = std::collections::HashSet::new();
    let asked: Vec<_> = component
        .all("ATTENDEE")
        .filter(|property| known.insert(canonical_address(property.value())))
        .take(ATTENDEES_MAX)
        .collect();
    if asked.is_empty() || start >= end {
        return None;
    }
    Some(BusyRequest {
        uid: component.value("UID")?.trim().to_owned(),
        organizer: organizer.value().trim().to_owned(),
        attendees: asked.iter().map(|property| property.value().trim().to_owned()).collect(),
        start,
        end,
        but: component.value("X-CALENDARSERVER-MASK-UID").map(|uid| uid.trim().to_owned()),
        organizer_line: organizer.text().to_owned(),
        attendee_lines: asked.iter().map(|property| property.text().to_owned()).collect(),
    })
}

/// The reply about one of its attendees: `periods` are merged, as [`crate::calendar::merge_busy`] makes them.
pub fn busy_reply(request: &BusyRequest, attendee: &str, periods: &[Busy], making: Making<'_>) -> Vec<u8> {
    let place = request.attendees.iter().position(|known| known == attendee);
    let fallback = format!("ATTENDEE:{attendee}");
    let line = place.and_then(|place| request.attendee_lines.get(place)).unwrap_or(&fallback);
    let mut out = Output::new(b"");
    out.line("BEGIN:VCALENDAR");
    out.line("VERSION:2.0");
    out.line(&format!("PRODID:{}", making.product));
    out.line("METHOD:REPLY");
    out.line("BEGIN:VFREEBUSY");
    out.line(&format!("UID:{}", request.uid));
    out.line(&format!("DTSTAMP:{}", making.now));
    out.line(&format!("DTSTART:{}", request.start));
    out.line(&format!("DTEND:{}", request.end));
    out.line(&request.organizer_line);
    out.line(line);
    let kinds = [
        (BusyKind::Busy, "BUSY"),
        (BusyKind::Tentative, "BUSY-TENTATIVE"),
        (BusyKind::Unavailable, "BUSY-UNAVAILABLE"),
    ];
    for (kind, name) in kinds {
        let of_kind = periods.iter().filter(|busy| busy.kind == kind);
        let list: Vec<String> =
            of_kind.map(|busy| format!("{}/{}", busy.start, duration(busy.end.0 - busy.start.0))).collect();
        if !list.is_empty() {
            out.line(&format!("FREEBUSY;FBTYPE={name}:{}", list.join(",")));
        }
    }
    out.line("END:VFREEBUSY");
    out.line("END:VCALENDAR");
    out.finish()
}

/// RFC 5545 §3.3.6.
fn duration(seconds: i64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut text = if days > 0 { format!("P{days}D") } else { "P".to_owned() };
    let clock = [(rest / 3_600, 'H'), (rest % 3_600 / 60, 'M'), (rest % 60, 'S')];
    if rest > 0 || days == 0 {
        text.push('T');
        let parts: String =
            clock.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
        text.push_str(if parts.is_empty() { "0S" } else { &parts });
    }
    text
}

/// The busy periods of an object within a window for its owner: what he declined makes him free, what he did not answer
/// yet, or not for certain, tentatively busy. And whether the budget sufficed.
pub fn busy_of(
    object: &Object<'_, '_>,
    owner: &Owner,
    (start, end): (Utc, Utc),
    default: &Zone,
    budget: Budget,
) -> (Vec<Busy>, bool) {
    let others = || busy_periods(object, (start, end), default, budget);
    let Ok(parts) = Parts::of(object.clone()) else { return others() };
    let invited = parts.organizer().is_some_and(|organizer| !owner.is_canonical(&organizer.canonical));
    if !invited || !parts.list.iter().any(|part| part.own(owner).is_some()) {
        return others();
    }
    let kind = |part: &Part<'_, '_>| {
        let kind = event_kind(part.component)?;
        match part.own(owner).map(|party| party.partstat.as_str()) {
            Some("DECLINED" | "DELEGATED") => None,
            Some("NEEDS-ACTION" | "TENTATIVE") => Some(BusyKind::Tentative),
            _ => Some(kind),
        }
    };
    let kinds: Vec<Option<BusyKind>> = parts.list.iter().map(kind).collect();
    let instances = object.expansion(default).between(start, end, budget);
    let whole = !instances.cut_off;
    let busy = instances.into_iter().filter_map(|instance| {
        let kind = kinds.get(instance.component).copied().flatten()?;
        let (start, end) = (instance.start.max(start), instance.end.min(end));
        (start < end).then_some(Busy { start, end, kind })
    });
    (busy.collect(), whole)
}
