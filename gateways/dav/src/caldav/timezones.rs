//! Which zone days and floating times are read in: `calendar-timezone` (RFC 4791 §5.2.2), `calendar-timezone-id`
//! (RFC 7809 §5.2) and what queries say.

use allod_core::Property;
use allod_formats::zone::Zone;
use allod_formats::{Component, Document, Limits};

use crate::error::Failure;
use crate::filter::Dialect;
use crate::xml::{self, CALDAV, Element};

/// A VCALENDAR with its rules.
pub(crate) const TIMEZONE: &str = "calendar-timezone";
/// A name that all know.
pub(crate) const TIMEZONE_ID: &str = "calendar-timezone-id";

/// A zone that was given by its rules.
pub(crate) struct Given {
    pub(crate) zone: Zone,
    /// Its TZID, if that is a name that is known without its rules.
    pub(crate) known_name: Option<String>,
}

/// Reads an iCalendar object that holds one VTIMEZONE; `None` when it is anything else.
pub(crate) fn parse(text: &str) -> Option<Given> {
    let document = Document::parse(text.trim().as_bytes(), Limits::default()).ok()?;
    let mut calendars = document.components();
    let (calendar, None) = (calendars.next()?, calendars.next()) else { return None };
    if !calendar.is("VCALENDAR") || !document.problems().is_empty() {
        return None;
    }
    let mut components = calendar.components();
    let (component, None) = (components.next()?, components.next()) else { return None };
    let tzid = component.is("VTIMEZONE").then(|| component.value("TZID"))??.trim();
    let known_name = Zone::named(tzid).map(|_| tzid.to_owned());
    Some(Given { zone: zone_of(calendar)?, known_name })
}

fn zone_of(calendar: &Component<'_>) -> Option<Zone> {
    Zone::of_calendar(calendar)
}

/// The zone of a calendar with these properties.
pub(crate) fn of_collection(properties: &[Property]) -> Zone {
    let value = |name: &str| {
        let found = properties.iter().find(|one| one.name == name && one.namespace == CALDAV)?;
        Some(xml::Document::parse(found.xml.as_bytes()).ok()?.root().whole_text())
    };
    value(TIMEZONE)
        .and_then(|text| Some(parse(&text)?.zone))
        .or_else(|| Zone::named(&value(TIMEZONE_ID)?))
        .unwrap_or_else(Zone::utc)
}

/// The zone that a query names; `None` when it leaves that to the calendar.
///
/// # Errors
/// 403 with `valid-calendar-data` (RFC 4791 §7.8) or `valid-timezone` (RFC 7809 §5.2.2).
pub(crate) fn of_query(root: Element<'_>) -> Result<Option<Zone>, Failure> {
    if let Some(element) = root.child(CALDAV, "timezone") {
        return match parse(&element.whole_text()) {
            Some(given) => Ok(Some(given.zone)),
            None => {
                Err(Dialect::CalDav
                    .refused("valid-calendar-data", "timezone is a VCALENDAR with one VTIMEZONE"))
            }
        };
    }
    match root.child(CALDAV, "timezone-id") {
        Some(element) => match Zone::named(&element.text()) {
            Some(zone) => Ok(Some(zone)),
            None => Err(Dialect::CalDav.refused("valid-timezone", "this time zone is not known")),
        },
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str = "BEGIN:VCALENDAR\nPRODID:-//x//y\nVERSION:2.0\nBEGIN:VTIMEZONE\nTZID:US-Eastern\n\
        BEGIN:STANDARD\nDTSTART:19671029T020000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nTZOFFSETFROM:-0400\n\
        TZOFFSETTO:-0500\nEND:STANDARD\nEND:VTIMEZONE\nEND:VCALENDAR\n";

    #[test]
    fn zones_by_rules() {
        let given = parse(ZONE).unwrap();
        assert_eq!((given.zone.is_utc(), given.known_name), (false, None));
        let known = parse(&ZONE.replace("US-Eastern", "America/New_York")).unwrap();
        assert_eq!(known.known_name.as_deref(), Some("America/New_York"));
        for wrong in [
            "",
            "America/New_York",
            "BEGIN:VCALENDAR\nEND:VCALENDAR\n",
            &ZONE.replace("VTIMEZONE", "VEVENT"),
            &ZONE.replace("END:VTIMEZONE\n", "END:VTIMEZONE\nBEGIN:VTIMEZONE\nTZID:x\nEND:VTIMEZONE\n"),
            &ZONE.replace("END:VTIMEZONE\n", ""),
            &format!("{ZONE}{ZONE}"),
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn zones_of_collections() {
        let property = |name: &str, value: &str| Property {
            namespace: CALDAV.to_owned(),
            name: name.to_owned(),
            xml: format!("<C:{name} xmlns:C=\"{CALDAV}\">{}</C:{name}>", crate::escape::escaped(value)),
        };
        assert!(of_collection(&[]).is_utc());
        assert!(!of_collection(&[property(TIMEZONE, ZONE)]).is_utc());
        assert!(!of_collection(&[property(TIMEZONE_ID, "Europe/Berlin")]).is_utc());
        assert!(of_collection(&[property(TIMEZONE_ID, "Nowhere/Land")]).is_utc());
    }
}
