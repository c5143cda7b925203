//! What is kept beside a calendar object, so that lists and questions need not read it again.

use super::object::Object;
use crate::component::Component;
use crate::property::Property;
use crate::recur::Extent;
use crate::value::unescape_text;
use crate::zone::Zone;

/// Facts of a calendar object, drawn from its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// UID of its components.
    pub uid: String,
    /// VEVENT, VTODO …
    pub kind: String,
    /// SUMMARY of the recurring (or only) component, unescaped.
    pub summary: Option<String>,
    /// From where to where it reaches in any zone; none when it has no times.
    pub extent: Option<Extent>,
    /// Whether it has more than one instance.
    pub recurs: bool,
    /// ORGANIZER, if any component has one.
    pub organizer: Option<Attendee>,
    /// Each ATTENDEE of any component, once.
    pub attendees: Vec<Attendee>,
    /// Whether a component has a VALARM.
    pub has_alarm: bool,
    /// TRANSP:TRANSPARENT on the recurring component.
    pub transparent: bool,
    /// STATUS of the recurring component, in upper case.
    pub status: Option<String>,
    /// Changes when, and only when, something changes that attendees must learn of (RFC 6638 §3.2.8 leaves alarms and an
    /// attendee's own state out; RFC 5546 §2.1.4 says what needs a new SEQUENCE).
    pub schedule_digest: [u8; 32],
}

/// An ORGANIZER or ATTENDEE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendee {
    /// The calendar user address, as written.
    pub address: String,
    /// CN.
    pub name: Option<String>,
    /// PARTSTAT in upper case; `NEEDS-ACTION` where it is missing.
    pub partstat: String,
    /// SCHEDULE-AGENT in upper case; `SERVER` where it is missing (RFC 6638 §7.1).
    pub schedule_agent: String,
}

impl Attendee {
    fn of(property: &Property<'_>) -> Attendee {
        let upper = |name: &str, otherwise: &str| {
            property.parameter(name).map_or_else(|| otherwise.to_owned(), |value| value.to_ascii_uppercase())
        };
        Attendee {
            address: property.value().trim().to_owned(),
            name: property.parameter("CN").map(|name| name.into_owned()),
            partstat: upper("PARTSTAT", "NEEDS-ACTION"),
            schedule_agent: upper("SCHEDULE-AGENT", "SERVER"),
        }
    }
}

impl Facts {
    /// Draws the facts of an object; none when no component has a UID.
    pub fn of(object: &Object<'_, '_>) -> Option<Facts> {
        let components = object.components();
        let main =
            components.iter().find(|one| one.first("RECURRENCE-ID").is_none()).or(components.first())?;
        let uid = components.iter().find_map(|component| component.value("UID"))?.trim().to_owned();
        let expansion = object.expansion(&Zone::utc());
        let mut attendees: Vec<Attendee> = Vec::new();
        let mut known = std::collections::HashSet::new();
        for property in components.iter().flat_map(|component| component.all("ATTENDEE")) {
            if known.insert(property.value().trim().to_ascii_lowercase()) {
                attendees.push(Attendee::of(property));
            }
        }
        Some(Facts {
            uid,
            kind: main.name().to_owned(),
            summary: main.value("SUMMARY").map(|summary| unescape_text(summary).into_owned()),
            extent: expansion.extent(),
            recurs: expansion.recurs(),
            organizer: components.iter().find_map(|component| component.first("ORGANIZER")).map(Attendee::of),
            attendees,
            has_alarm: components.iter().any(|one| one.components().any(|part| part.is("VALARM"))),
            transparent: main
                .value("TRANSP")
                .is_some_and(|value| value.trim().eq_ignore_ascii_case("TRANSPARENT")),
            status: main.value("STATUS").map(|status| status.trim().to_ascii_uppercase()),
            schedule_digest: schedule_digest(&components),
        })
    }
}

fn schedule_digest(components: &[&Component<'_>]) -> [u8; 32] {
    const RELEVANT: [&str; 15] = [
        "DTSTART",
        "DTEND",
        "DUE",
        "DURATION",
        "RRULE",
        "RDATE",
        "EXDATE",
        "RECURRENCE-ID",
        "STATUS",
        "SUMMARY",
        "LOCATION",
        "DESCRIPTION",
        "ORGANIZER",
        "ATTENDEE",
        "SEQUENCE",
    ];
    let mut rows: Vec<String> = Vec::new();
    for component in components {
        let id = component.value("RECURRENCE-ID").unwrap_or_default();
        for property in component.properties() {
            let name = property.name().to_ascii_uppercase();
            if !RELEVANT.contains(&name.as_str()) {
                continue;
            }
            // Of people it counts who they are, not what they answered; of times, the zone.
            let tzid = property.parameter("TZID").unwrap_or_default();
            rows.push(format!("{}\0{id}\0{name}\0{tzid}\0{}", component.name(), property.value().trim()));
        }
    }
    rows.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    for row in rows {
        hasher.update(row.as_bytes());
        hasher.update(b"\n");
    }
    *hasher.finalize().as_bytes()
}
