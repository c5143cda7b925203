//! The iCalendar objects that are sent: RFC 5546 §3.2.2, §3.2.3, §3.2.5 (VEVENT) and §3.4 (VTODO).

use std::collections::HashSet;

use super::derive::instance_lines;
use super::edits::{Edits, ended, with_parameters};
use super::parts::{LAST_STAMP, Part, Parts};
use super::{Making, Method};
use crate::component::{Component, Item};
use crate::output::Output;
use crate::property::Property;
use crate::value::Utc;

/// Parameters that are between a client and its server (RFC 6638 §7.1 to §7.3: MUST NOT be in a message).
const PRIVATE_PARAMETERS: [(&str, Option<&str>); 4] =
    [("SCHEDULE-AGENT", None), ("SCHEDULE-STATUS", None), ("SCHEDULE-FORCE-SEND", None), (LAST_STAMP, None)];

/// What a REQUEST leaves out: the organizer's own progress, and what programs note for themselves.
const PRIVATE_PROPERTIES: [&str; 3] = ["COMPLETED", "PERCENT-COMPLETE", "REQUEST-STATUS"];
const PRIVATE_PREFIXES: [&str; 6] =
    ["X-MOZ-", "X-EVOLUTION-", "X-LIC-", "X-ALLOD-", "X-CALENDARSERVER-", "X-APPLE-TRAVEL-"];

fn is_private(property: &Property<'_>) -> bool {
    let name = property.name().to_ascii_uppercase();
    PRIVATE_PROPERTIES.contains(&name.as_str()) || PRIVATE_PREFIXES.iter().any(|own| name.starts_with(own))
}

/// Puts components into a message: the frame is ours, the zones are those that they name.
pub(super) fn envelope(
    parts: &Parts<'_, '_>,
    method: Method,
    making: Making<'_>,
    components: &[&Component<'_>],
    blocks: &[Vec<u8>],
) -> Vec<u8> {
    let calendar = parts.object.calendar();
    let mut out = Output::new(parts.bytes());
    out.line("BEGIN:VCALENDAR");
    out.line("VERSION:2.0");
    out.line(&format!("PRODID:{}", making.product));
    if let Some(scale) = calendar.first("CALSCALE") {
        out.copy(scale.span());
    }
    out.line(&format!("METHOD:{}", method.name()));
    let mut named = HashSet::new();
    components.iter().for_each(|component| tzids(component, &mut named));
    for zone in calendar.components().filter(|component| component.is("VTIMEZONE")) {
        if zone.value("TZID").is_some_and(|tzid| named.remove(tzid.trim())) {
            out.copy(zone.span());
        }
    }
    let mut bytes = out.finish();
    blocks.iter().for_each(|block| bytes.extend_from_slice(&ended(block)));
    bytes.extend_from_slice(b"END:VCALENDAR\r\n");
    bytes
}

/// The TZIDs that a component's properties name.
pub(super) fn tzids(component: &Component<'_>, named: &mut HashSet<String>) {
    let own = component.properties().filter_map(|property| property.parameter("TZID"));
    named.extend(own.map(|tzid| tzid.trim().to_owned()));
    component.components().for_each(|inner| tzids(inner, named));
}

/// A component as a REQUEST has it: everything but what is private. `exclusions` are further EXDATE lines.
pub(super) fn request_block(
    parts: &Parts<'_, '_>,
    part: &Part<'_, '_>,
    making: Making<'_>,
    exclusions: &[String],
) -> Vec<u8> {
    let component = part.component;
    let mut edits = Edits::new(parts.bytes());
    let stamp = format!("DTSTAMP:{}", making.now);
    let mut stamped = false;
    for item in component.items() {
        match item {
            Item::Component(inner) if inner.is("VALARM") => edits.remove(inner.span()),
            Item::Component(_) => {}
            Item::Stray(span) => edits.remove(span.clone()),
            Item::Property(property) if property.is("DTSTAMP") => {
                match std::mem::replace(&mut stamped, true) {
                    true => edits.remove(property.span()),
                    false => edits.replace_line(property.span(), &stamp),
                }
            }
            Item::Property(property) if is_private(property) => edits.remove(property.span()),
            Item::Property(property) if property.is("ATTENDEE") || property.is("ORGANIZER") => {
                edits.set_parameters(property, &PRIVATE_PARAMETERS);
            }
            Item::Property(_) => {}
        }
    }
    if !stamped {
        edits.insert_line(component.begin().end, &stamp);
    }
    exclusions.iter().for_each(|line| edits.insert_line(component.end().start, line));
    edits.render(component.span())
}

/// A component of a CANCEL or REPLY: what identifies it, and what a person needs to know it again.
#[derive(Clone, Copy)]
pub(super) struct Sparse<'s, 'd, 'a> {
    pub(super) parts: &'s Parts<'d, 'a>,
    pub(super) part: &'s Part<'d, 'a>,
    /// An instance of the recurring component; none: the component itself.
    pub(super) instance: Option<Utc>,
    pub(super) sequence: u64,
    /// STATUS:CANCELLED, for all; not where some are no longer invited (RFC 5546 §3.2.5).
    pub(super) cancelled: bool,
    /// Whose ATTENDEE lines stand in it, by canonical address; none: all.
    pub(super) attendees: Option<&'s [String]>,
    /// What the attendee answers.
    pub(super) partstat: Option<&'s str>,
}

impl Sparse<'_, '_, '_> {
    pub(super) fn block(&self, making: Making<'_>) -> Vec<u8> {
        let component = self.part.component;
        let reply = self.partstat.is_some();
        let mut out = Output::new(self.parts.bytes());
        out.line(&format!("BEGIN:{}", component.name()));
        let copy = |out: &mut Output<'_>, names: &[&str]| {
            for property in component.properties() {
                if names.iter().any(|name| property.is(name)) {
                    out.copy(property.span());
                }
            }
        };
        copy(&mut out, &["UID"]);
        // RFC 5546 §3.2.3: to be there where it is not zero.
        if self.sequence > 0 || component.first("SEQUENCE").is_some() {
            out.line(&format!("SEQUENCE:{}", self.sequence));
        }
        out.line(&format!("DTSTAMP:{}", making.now));
        match self.instance {
            Some(id) => {
                instance_lines(self.parts, component, id).iter().for_each(|line| out.line(line));
            }
            None => copy(&mut out, &["RECURRENCE-ID", "DTSTART", "DTEND", "DUE", "DURATION"]),
        }
        if reply && self.instance.is_none() {
            // Which series was answered, where it is another one by the time when the answer arrives.
            copy(&mut out, &["RRULE", "RDATE"]);
        }
        copy(&mut out, &["SUMMARY"]);
        if reply {
            copy(&mut out, &["COMMENT", "PERCENT-COMPLETE", "COMPLETED"]);
        } else {
            copy(&mut out, &["LOCATION"]);
        }
        for property in component.all("ORGANIZER") {
            out.line(&with_parameters(property, &PRIVATE_PARAMETERS));
        }
        for property in component.all("ATTENDEE") {
            let address = super::address::address_of(property);
            if self.attendees.is_none_or(|wanted| wanted.contains(&address)) {
                out.line(&self.attendee(property));
            }
        }
        if self.cancelled {
            out.line("STATUS:CANCELLED");
        }
        if reply {
            out.line("REQUEST-STATUS:2.0;Success");
        }
        out.line(&format!("END:{}", component.name()));
        out.finish()
    }

    /// An answer says who and what, as in RFC 6638 Appendix B.4; what he was asked is the organizer's.
    fn attendee(&self, property: &Property<'_>) -> String {
        let mut changes = PRIVATE_PARAMETERS.to_vec();
        if let Some(partstat) = self.partstat {
            changes.extend([("PARTSTAT", Some(partstat)), ("ROLE", None), ("CUTYPE", None), ("RSVP", None)]);
        }
        with_parameters(property, &changes)
    }
}
