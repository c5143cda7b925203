//! Which properties a client may set, and to what: asked by PROPPATCH, MKCOL and MKCALENDAR alike.

use allod_core::{Property, PropertyChange};
use allod_formats::zone::Zone;
use allod_model::Timestamp;

use crate::caldav::timezones::{self, TIMEZONE, TIMEZONE_ID};
use crate::date::{parse_http_date, parse_iso_date};
use crate::plan::Live;
use crate::quirks::{quirk_rclone_lastmodified, quirk_windows_times};
use crate::xml::{CALDAV, Element};

/// Why a property cannot be what is wanted: a status and, if there is one, the condition that says more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refused {
    pub(crate) status: &'static str,
    /// As XML that stands for itself where `D` is `DAV:`.
    pub(crate) condition: &'static str,
}

/// RFC 3253 §3.12.
pub(crate) const PROTECTED: Refused =
    Refused { status: "403 Forbidden", condition: "<D:cannot-modify-protected-property/>" };
/// RFC 4791 §5.3.1.
const NO_ZONE: Refused = Refused {
    status: "403 Forbidden",
    condition: "<C:valid-calendar-data xmlns:C=\"urn:ietf:params:xml:ns:caldav\"/>",
};
/// RFC 7809 §5.2.2.
const UNKNOWN_ZONE: Refused = Refused {
    status: "403 Forbidden",
    condition: "<C:valid-timezone xmlns:C=\"urn:ietf:params:xml:ns:caldav\"/>",
};
/// RFC 6638 §4.3.1.2.
pub(crate) const NO_CALENDAR: Refused = Refused {
    status: "403 Forbidden",
    condition: "<C:valid-schedule-default-calendar-URL xmlns:C=\"urn:ietf:params:xml:ns:caldav\"/>",
};
/// RFC 4918 §9.2.1: a value whose semantics are not appropriate.
pub(crate) const SENSELESS: Refused = Refused { status: "409 Conflict", condition: "" };

/// What setting a property comes to.
///
/// # Errors
/// [`Refused`].
pub(crate) fn set(property: Element<'_>) -> Result<Vec<PropertyChange>, Refused> {
    let (namespace, name) = (property.namespace(), property.name());
    let keep = || PropertyChange::Set(kept(property));
    match Live::named(namespace, name) {
        Some(Live::DisplayName) => Ok(vec![keep()]),
        // RFC 4918 §15.1, §15.7 let a server take these; copying programs keep times by them.
        Some(Live::LastModified) => {
            any_date(&property.text()).map(|time| vec![PropertyChange::Modified(time)]).ok_or(PROTECTED)
        }
        Some(Live::CreationDate) => {
            any_date(&property.text()).map(|time| vec![PropertyChange::Created(time)]).ok_or(PROTECTED)
        }
        Some(Live::ScheduleCalendarTransp) => {
            parse_transparent(property).map(|one| vec![PropertyChange::Transparent(one)]).ok_or(SENSELESS)
        }
        Some(_) => Err(PROTECTED),
        None if namespace == CALDAV && name == TIMEZONE => set_zone(property),
        None if namespace == CALDAV && name == TIMEZONE_ID => {
            Zone::named(&property.text()).ok_or(UNKNOWN_ZONE)?;
            // RFC 7809 §5.2: both name the same zone, and the rules of this one are known to all.
            Ok(vec![remove(CALDAV, TIMEZONE), keep()])
        }
        None => {
            let text = property.text();
            let time = quirk_windows_times(namespace, name, &text);
            let time = time.or_else(|| quirk_rclone_lastmodified(namespace, name, &text));
            Ok(time.map(PropertyChange::Modified).into_iter().chain([keep()]).collect())
        }
    }
}

/// What removing a property comes to.
///
/// # Errors
/// [`Refused`].
pub(crate) fn unset(property: Element<'_>) -> Result<Vec<PropertyChange>, Refused> {
    let (namespace, name) = (property.namespace(), property.name());
    match Live::named(namespace, name) {
        None if namespace == CALDAV && [TIMEZONE, TIMEZONE_ID].contains(&name) => {
            Ok(vec![remove(CALDAV, TIMEZONE), remove(CALDAV, TIMEZONE_ID)])
        }
        None | Some(Live::DisplayName) => Ok(vec![remove(namespace, name)]),
        Some(Live::ScheduleCalendarTransp) => Ok(vec![PropertyChange::Transparent(false)]),
        Some(_) => Err(PROTECTED),
    }
}

fn set_zone(property: Element<'_>) -> Result<Vec<PropertyChange>, Refused> {
    let given = timezones::parse(&property.whole_text()).ok_or(NO_ZONE)?;
    let named = match given.known_name {
        Some(tzid) => {
            let tzid = crate::escape::escaped(&tzid);
            PropertyChange::Set(Property {
                namespace: CALDAV.to_owned(),
                name: TIMEZONE_ID.to_owned(),
                xml: format!("<C:{TIMEZONE_ID} xmlns:C=\"{CALDAV}\">{tzid}</C:{TIMEZONE_ID}>"),
            })
        }
        None => remove(CALDAV, TIMEZONE_ID),
    };
    Ok(vec![PropertyChange::Set(kept(property)), named])
}

/// A dead property, as it was given.
fn kept(property: Element<'_>) -> Property {
    let (namespace, name) = (property.namespace().to_owned(), property.name().to_owned());
    Property { namespace, name, xml: property.fragment() }
}

fn remove(namespace: &str, name: &str) -> PropertyChange {
    PropertyChange::Remove(namespace.to_owned(), name.to_owned())
}

/// RFC 6638 §9.1; `None` when it is neither.
pub(crate) fn parse_transparent(property: Element<'_>) -> Option<bool> {
    let mut children = property.children();
    let (Some(one), None) = (children.next(), children.next()) else { return None };
    match one.name() {
        "opaque" if one.namespace() == CALDAV => Some(false),
        "transparent" if one.namespace() == CALDAV => Some(true),
        _ => None,
    }
}

fn any_date(text: &str) -> Option<Timestamp> {
    parse_http_date(text).or_else(|| parse_iso_date(text))
}
