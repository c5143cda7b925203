//! What CalDAV demands of a calendar object resource: RFC 4791 §4.1, §5.3.2.1.

use std::fmt;

use super::object::{Object, ObjectError};
use crate::component::{Component, Document, ProblemKind};
use crate::recur::{Rule, RuleError};
use crate::value::{Duration, Period, Utc, When};

/// The precondition that a refusal names (RFC 4791 §5.3.2.1, RFC 7529 §10.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precondition {
    /// `valid-calendar-data`: not iCalendar, or not by its rules.
    ValidCalendarData,
    /// `valid-calendar-object-resource`: iCalendar, and not one object.
    ValidCalendarObjectResource,
    /// `supported-calendar-component`.
    SupportedCalendarComponent,
    /// `min-date-time`.
    MinDateTime,
    /// `max-date-time`.
    MaxDateTime,
    /// `max-instances`.
    MaxInstances,
    /// `max-attendees-per-instance`.
    MaxAttendeesPerInstance,
    /// `supported-rscale`.
    SupportedRscale,
}

impl Precondition {
    /// Its name as the standards give it.
    pub fn name(self) -> &'static str {
        match self {
            Precondition::ValidCalendarData => "valid-calendar-data",
            Precondition::ValidCalendarObjectResource => "valid-calendar-object-resource",
            Precondition::SupportedCalendarComponent => "supported-calendar-component",
            Precondition::MinDateTime => "min-date-time",
            Precondition::MaxDateTime => "max-date-time",
            Precondition::MaxInstances => "max-instances",
            Precondition::MaxAttendeesPerInstance => "max-attendees-per-instance",
            Precondition::SupportedRscale => "supported-rscale",
        }
    }
}

/// Why an object is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// What it fails.
    pub precondition: Precondition,
    /// What is wrong, in words for a person who repairs it.
    pub reason: String,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.precondition.name(), self.reason)
    }
}

impl std::error::Error for Invalid {}

/// What a collection admits beyond the rules that all share.
#[derive(Clone, Debug)]
pub struct Policy<'p> {
    /// Kinds of components, in upper case (`supported-calendar-component-set`).
    pub components: &'p [&'p str],
    /// Attendees of one component.
    pub attendees_max: usize,
    /// Whether control characters and bytes that are not UTF-8 are passed over; a gateway that prints XML must then
    /// take care of them.
    pub tolerate_bytes: bool,
}

impl Default for Policy<'_> {
    fn default() -> Self {
        const KINDS: [&str; 5] = ["VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"];
        Policy { components: &KINDS, attendees_max: 10_000, tolerate_bytes: false }
    }
}

fn fail<T>(precondition: Precondition, reason: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid { precondition, reason: reason.into() })
}

fn data<T>(reason: impl Into<String>) -> Result<T, Invalid> {
    fail(Precondition::ValidCalendarData, reason)
}

fn resource<T>(reason: impl Into<String>) -> Result<T, Invalid> {
    fail(Precondition::ValidCalendarObjectResource, reason)
}

impl<'d, 'a> Object<'d, 'a> {
    /// Takes the calendar object of a document that a client wants to store, if it may stand in a collection.
    ///
    /// Tolerated, since clients write it and nothing is lost by it: a missing DTSTAMP, PRODID or VERSION, an end before
    /// its beginning, DTEND beside DURATION (DTEND counts), a task that recurs without DTSTART, a TZID without VTIMEZONE (RFC 7809), only overrides without their recurring component, unknown
    /// properties of any value.
    ///
    /// # Errors
    /// The first demand that it fails.
    pub fn check(document: &'d Document<'a>, policy: &Policy<'_>) -> Result<Object<'d, 'a>, Invalid> {
        for problem in document.problems() {
            match problem.kind {
                ProblemKind::NotUtf8 | ProblemKind::Control if policy.tolerate_bytes => {}
                ProblemKind::NotUtf8 => return data(format!("byte {}: not UTF-8", problem.at)),
                ProblemKind::Control => return data(format!("byte {}: a control character", problem.at)),
                ProblemKind::NoProperty => return data(format!("byte {}: not a property", problem.at)),
                ProblemKind::Unclosed => return data(format!("byte {}: BEGIN without END", problem.at)),
                ProblemKind::Unopened => return data(format!("byte {}: END without BEGIN", problem.at)),
            }
        }
        let object = match Object::of(document) {
            Ok(object) => object,
            Err(ObjectError::None) => return data("no VCALENDAR"),
            Err(ObjectError::Several) => {
                return resource(
                    "more than one VCALENDAR; a file of many objects goes to the calendar itself",
                );
            }
        };
        if document.components().count() > 1 {
            return data("something stands beside the VCALENDAR");
        }
        let calendar = object.calendar();
        if let Some(version) = calendar.value("VERSION")
            && version.trim() != "2.0"
        {
            return data("its VERSION is not 2.0");
        }
        // RFC 4791 §4.1: "MUST NOT specify the iCalendar METHOD property".
        if calendar.first("METHOD").is_some() {
            return resource("METHOD is for messages, not for stored objects");
        }
        object.check_components(policy)?;
        Ok(object)
    }

    fn check_components(&self, policy: &Policy<'_>) -> Result<(), Invalid> {
        let components = self.components();
        let Some(first) = components.first() else {
            return resource("no component other than VTIMEZONE");
        };
        if !policy.components.iter().any(|kind| first.is(kind)) {
            let reason = format!("{} is not kept here", first.name());
            return fail(Precondition::SupportedCalendarComponent, reason);
        }
        let mut uid: Option<&str> = None;
        let mut identities: Vec<String> = Vec::new();
        for component in &components {
            if component.name() != first.name() {
                return resource("components of more than one kind");
            }
            let own = component.value("UID").map(str::trim).filter(|uid| !uid.is_empty());
            let Some(own) = own else { return resource("a component without UID") };
            if *uid.get_or_insert(own) != own {
                return resource("more than one UID; a file of many objects goes to the calendar itself");
            }
            let identity = component.value("RECURRENCE-ID").unwrap_or_default().trim().to_owned();
            identities.push(identity);
            check_component(component, policy)?;
        }
        identities.sort_unstable();
        if let Some(twice) = identities.windows(2).find(|pair| pair[0] == pair[1]) {
            return resource(match twice[0].as_str() {
                "" => "two components with one UID and no RECURRENCE-ID".to_owned(),
                identity => format!("two components with RECURRENCE-ID {identity}"),
            });
        }
        Ok(())
    }
}

fn check_component(component: &Component<'_>, policy: &Policy<'_>) -> Result<(), Invalid> {
    const ONCE: [&str; 12] = [
        "UID",
        "DTSTART",
        "DTEND",
        "DUE",
        "DURATION",
        "RECURRENCE-ID",
        "SUMMARY",
        "STATUS",
        "TRANSP",
        "CLASS",
        "SEQUENCE",
        "ORGANIZER",
    ];
    if let Some(twice) = ONCE.iter().find(|name| component.all(name).count() > 1) {
        return data(format!("{twice} stands twice in a {}", component.name()));
    }
    if component.is("VEVENT") && component.first("DTSTART").is_none() {
        return data("a VEVENT without DTSTART");
    }
    for name in ["DTSTART", "DTEND", "DUE", "RECURRENCE-ID"] {
        if let Some(property) = component.first(name)
            && When::of(property).is_none()
        {
            return data(format!("{name} is neither a date nor a time: {}", property.value()));
        }
    }
    check_end(component)?;
    if let Some(duration) = component.first("DURATION")
        && Duration::parse(duration.value()).is_none()
    {
        return data("DURATION is not a duration");
    }
    for name in ["RDATE", "EXDATE"] {
        for property in component.all(name) {
            let tzid = property.parameter("TZID");
            let legal = |value: &str| {
                value.trim().is_empty()
                    || When::parse(value, tzid.as_deref()).is_some()
                    || Period::parse(value, tzid.as_deref()).is_some()
            };
            if !property.value().split(',').all(legal) {
                return data(format!("{name} holds what is neither a date nor a time"));
            }
        }
    }
    for property in component.all("RRULE") {
        match property.value().parse::<Rule>() {
            Ok(_) => {}
            Err(RuleError::Scale) => {
                return fail(Precondition::SupportedRscale, "only Gregorian rules are understood");
            }
            Err(RuleError::Invalid) => return data(format!("not a recurrence rule: {}", property.value())),
        }
        // Of tasks programs leave it out: what recurs is then when they are due.
        if component.first("DTSTART").is_none() && !component.is("VTODO") {
            return data("RRULE without DTSTART");
        }
    }
    for alarm in component.components().filter(|inner| inner.is("VALARM")) {
        // RFC 9074 §6.1.
        if alarm.value("ACKNOWLEDGED").is_some_and(|at| Utc::parse(at.trim()).is_none()) {
            return data("ACKNOWLEDGED is not a time in UTC");
        }
    }
    if component.all("ATTENDEE").count() > policy.attendees_max {
        return fail(Precondition::MaxAttendeesPerInstance, "too many attendees");
    }
    Ok(())
}

/// RFC 5545 §3.8.2.2: an end is of the kind of its beginning: a day, a floating time, or a point in time.
fn check_end(component: &Component<'_>) -> Result<(), Invalid> {
    let when = |name: &str| component.first(name).and_then(When::of);
    let (Some(start), Some(end)) = (when("DTSTART"), when("DTEND")) else { return Ok(()) };
    let floats = |when: &When| matches!(when, When::Floating(_));
    if start.is_date() != end.is_date() {
        return data("one of DTSTART and DTEND is a day, the other a time");
    }
    if floats(&start) != floats(&end) {
        return data("one of DTSTART and DTEND floats, the other does not");
    }
    Ok(())
}
