//! The filter of `calendar-query` (RFC 4791 §9.7), from XML.

use allod_formats::calendar::{CompFilter, PropFilter, TimeRange};
use allod_formats::value::Utc;

use crate::error::Failure;
use crate::filter::{Dialect, Parser};
use crate::xml::{CALDAV, Element};

/// Deepest nesting of components: VCALENDAR, VEVENT, VALARM, and one to spare.
const DEPTH_MAX: usize = 4;

/// Properties whose values are times, so that they may have a `time-range` (RFC 4791 §9.9).
const TIMES: [&str; 11] = [
    "COMPLETED",
    "CREATED",
    "DTEND",
    "DTSTAMP",
    "DTSTART",
    "DUE",
    "EXDATE",
    "LAST-MODIFIED",
    "RDATE",
    "RECURRENCE-ID",
    "ACKNOWLEDGED",
];

/// Reads a `filter` element.
///
/// # Errors
/// 403 with `valid-filter`, `supported-filter` or `supported-collation`.
pub(crate) fn parse_filter(filter: Element<'_>) -> Result<CompFilter, Failure> {
    let mut parser = Parser::new(Dialect::CalDav);
    let mut components = parser.children(filter);
    let (Some(first), None) = (components.next(), components.next()) else {
        return Err(invalid("a filter holds one comp-filter"));
    };
    if first.name() != "comp-filter" {
        return Err(invalid("a filter holds a comp-filter"));
    }
    // RFC 4791 §9.7: the outermost one is about the VCALENDAR.
    if !parser.name(first)?.eq_ignore_ascii_case("VCALENDAR") {
        return Err(invalid("the outermost comp-filter is about VCALENDAR"));
    }
    parse_component(&mut parser, first, None, 1)
}

fn invalid(message: &str) -> Failure {
    Dialect::CalDav.invalid(message)
}

fn parse_component(
    parser: &mut Parser,
    element: Element<'_>,
    within: Option<&str>,
    depth: usize,
) -> Result<CompFilter, Failure> {
    parser.count()?;
    let name = parser.name(element)?.to_ascii_uppercase();
    if depth > DEPTH_MAX || !may_hold(within, &name) {
        return Err(invalid("a component where it cannot stand"));
    }
    let mut filter = CompFilter {
        name: name.clone(),
        is_not_defined: parser.is_not_defined(element)?,
        ..CompFilter::default()
    };
    for child in parser.children(element) {
        match child.name() {
            "time-range" if filter.time_range.is_none() && has_times(&name) => {
                filter.time_range = Some(parse_time_range(child)?);
            }
            "prop-filter" => filter.properties.push(parse_property(parser, child)?),
            "comp-filter" => {
                filter.components.push(parse_component(parser, child, Some(&name), depth + 1)?);
            }
            "is-not-defined" => {}
            _ => return Err(invalid("a comp-filter holds what it cannot")),
        }
    }
    Ok(filter)
}

/// RFC 4791 §7.8: a VEVENT in a VTODO makes no sense. Of components that are not known nothing is.
fn may_hold(outer: Option<&str>, inner: &str) -> bool {
    let Some(outer) = outer else { return true };
    match (outer, inner) {
        (_, "VCALENDAR") => false,
        ("VCALENDAR", "VALARM" | "STANDARD" | "DAYLIGHT" | "AVAILABLE") => false,
        ("VCALENDAR", _) => true,
        (_, "VEVENT" | "VTODO" | "VJOURNAL" | "VFREEBUSY" | "VTIMEZONE" | "VAVAILABILITY") => false,
        (_, "VALARM") => outer != "VALARM" && outer != "VTIMEZONE",
        _ => true,
    }
}

/// RFC 4791 §9.9, RFC 7953 §7.2: which components overlap a stretch of time.
fn has_times(name: &str) -> bool {
    matches!(name, "VEVENT" | "VTODO" | "VJOURNAL" | "VFREEBUSY" | "VALARM" | "VAVAILABILITY" | "AVAILABLE")
}

fn parse_property(parser: &mut Parser, element: Element<'_>) -> Result<PropFilter, Failure> {
    parser.count()?;
    let name = parser.name(element)?.to_ascii_uppercase();
    let mut filter = PropFilter { is_not_defined: parser.is_not_defined(element)?, ..PropFilter::default() };
    for child in parser.children(element) {
        match child.name() {
            "time-range" if filter.time_range.is_none() => {
                if !TIMES.contains(&name.as_str()) {
                    return Err(invalid("a time-range on a property that is no time"));
                }
                filter.time_range = Some(parse_time_range(child)?);
            }
            "text-match" if filter.text_match.is_none() => {
                filter.text_match = Some(parser.text_match(child)?);
            }
            "param-filter" => filter.parameters.push(parser.param_filter(child)?),
            "is-not-defined" => {}
            _ => return Err(invalid("a prop-filter holds what it cannot")),
        }
    }
    filter.name = name;
    Ok(filter)
}

/// Reads a `time-range` of a filter or a free-busy query (RFC 4791 §9.9).
///
/// # Errors
/// 403 with `valid-filter`.
pub(crate) fn parse_time_range(element: Element<'_>) -> Result<TimeRange, Failure> {
    let time = |name: &str| match element.attribute(name) {
        None => Ok(None),
        Some(text) => match Utc::parse(text.trim()) {
            Some(utc) => Ok(Some(utc)),
            None => Err(invalid("a time-range has times in UTC")),
        },
    };
    let range = TimeRange { start: time("start")?, end: time("end")? };
    match (range.start, range.end) {
        (None, None) => Err(invalid("a time-range has a start or an end")),
        (Some(start), Some(end)) if end <= start => Err(invalid("a time-range ends after it starts")),
        _ => Ok(range),
    }
}

/// Reads a window with both sides: `expand` and its like (RFC 4791 §9.6.5 and what follows).
///
/// # Errors
/// 400.
pub(crate) fn parse_window(element: Element<'_>) -> Result<(Utc, Utc), Failure> {
    let time = |name: &str| element.attribute(name).and_then(|text| Utc::parse(text.trim()));
    match (time("start"), time("end")) {
        (Some(start), Some(end)) if start < end => Ok((start, end)),
        _ => Err(Failure::bad_request(format!("{} has a start and a later end in UTC", element.name()))),
    }
}

/// The one `filter` of a query.
///
/// # Errors
/// 400 when there is none; as [`parse_filter`].
pub(crate) fn filter_of(root: Element<'_>) -> Result<CompFilter, Failure> {
    let filter = root.child(CALDAV, "filter");
    parse_filter(filter.ok_or_else(|| Failure::bad_request("calendar-query holds a filter"))?)
}

#[cfg(test)]
mod tests {
    use allod_formats::collation::{Collation, MatchType, TextMatch};

    use super::*;
    use crate::xml::Document;

    fn parse(inside: &str) -> Result<CompFilter, String> {
        let xml = format!("<filter xmlns='urn:ietf:params:xml:ns:caldav'>{inside}</filter>");
        let document = Document::parse(xml.as_bytes()).unwrap();
        parse_filter(document.root()).map_err(|failure| failure.element_name().unwrap_or("400").to_owned())
    }

    fn in_event(inside: &str) -> Result<CompFilter, String> {
        let filter = parse(&format!(
            "<comp-filter name='VCALENDAR'><comp-filter name='VEVENT'>{inside}</comp-filter></comp-filter>"
        ))?;
        Ok(filter.components.into_iter().next().unwrap())
    }

    /// RFC 4791 §7.8.1, §7.8.5, §7.8.6, §7.8.9.
    #[test]
    fn filters_of_the_standard() {
        let utc = |text| Utc::parse(text);
        let event = in_event("<time-range start='20060104T000000Z' end='20060105T000000Z'/>").unwrap();
        let range = TimeRange { start: utc("20060104T000000Z"), end: utc("20060105T000000Z") };
        assert_eq!((event.name.as_str(), event.time_range), ("VEVENT", Some(range)));

        let alarm = parse(
            "<comp-filter name='VCALENDAR'><comp-filter name='VTODO'><comp-filter name='VALARM'>\
             <time-range start='20060106T100000Z' end='20060107T100000Z'/></comp-filter></comp-filter></comp-filter>",
        )
        .unwrap();
        assert!(alarm.components[0].components[0].time_range.is_some());

        let uid = in_event(
            "<prop-filter name='UID'><text-match collation='i;octet'>DC6C50A017428C5216A2F1CD@example.com</text-match></prop-filter>",
        )
        .unwrap();
        let text = TextMatch::new(
            "DC6C50A017428C5216A2F1CD@example.com",
            Collation::Octet,
            MatchType::Contains,
            false,
        );
        assert_eq!(uid.properties[0].text_match, Some(text));

        let todo = parse(
            "<comp-filter name='VCALENDAR'><comp-filter name='VTODO'>\
             <prop-filter name='COMPLETED'><is-not-defined/></prop-filter>\
             <prop-filter name='STATUS'><text-match negate-condition='yes'>CANCELLED</text-match></prop-filter>\
             </comp-filter></comp-filter>",
        )
        .unwrap();
        let [completed, status] = todo.components[0].properties.as_slice() else { panic!("{todo:?}") };
        assert!(completed.is_not_defined && status.text_match.as_ref().unwrap().is_negated());

        let partstat = in_event(
            "<prop-filter name='ATTENDEE'><text-match collation='i;ascii-casemap'>mailto:lisa@example.com</text-match>\
             <param-filter name='PARTSTAT'><text-match collation='i;ascii-casemap'>NEEDS-ACTION</text-match>\
             </param-filter></prop-filter>",
        )
        .unwrap();
        assert_eq!(partstat.properties[0].parameters[0].name, "PARTSTAT");
    }

    #[test]
    fn refusals() {
        for (inside, condition) in [
            ("", "valid-filter"),
            ("<comp-filter name='VEVENT'/>", "valid-filter"),
            ("<comp-filter name='VCALENDAR'/><comp-filter name='VCALENDAR'/>", "valid-filter"),
            ("<comp-filter/>", "valid-filter"),
            ("<prop-filter name='VCALENDAR'/>", "valid-filter"),
            (
                "<comp-filter name='VCALENDAR'><time-range start='20060104T000000Z'/></comp-filter>",
                "valid-filter",
            ),
            (
                "<comp-filter name='VCALENDAR'><comp-filter name='VTODO'><comp-filter name='VEVENT'/></comp-filter></comp-filter>",
                "valid-filter",
            ),
        ] {
            assert_eq!(parse(inside).unwrap_err(), condition, "{inside}");
        }
        let many = "<prop-filter name='X'/>".repeat(300);
        for (inside, condition) in [
            ("<time-range/>", "valid-filter"),
            ("<time-range start='20060104T000000'/>", "valid-filter"),
            ("<time-range start='20060104'/>", "valid-filter"),
            ("<time-range start='20060104T000000Z' end='20060104T000000Z'/>", "valid-filter"),
            ("<time-range start='20060104T000000Z' end='20050104T000000Z'/>", "valid-filter"),
            ("<is-not-defined/><prop-filter name='X'/>", "valid-filter"),
            (
                "<prop-filter name='SUMMARY'><time-range start='20060104T000000Z'/></prop-filter>",
                "valid-filter",
            ),
            ("<prop-filter/>", "valid-filter"),
            (
                "<prop-filter name='X'><text-match collation='i;klingon'>x</text-match></prop-filter>",
                "supported-collation",
            ),
            (
                "<prop-filter name='X'><text-match negate-condition='maybe'>x</text-match></prop-filter>",
                "valid-filter",
            ),
            (
                "<prop-filter name='X'><param-filter name='Y'><is-not-defined/><text-match>x</text-match></param-filter></prop-filter>",
                "valid-filter",
            ),
            ("<unknown/>", "valid-filter"),
            (&many, "supported-filter"),
        ] {
            assert_eq!(in_event(inside).unwrap_err(), condition, "{inside}");
        }
        assert!(in_event("<x xmlns='urn:other'/>").is_ok(), "what is of another namespace is passed over");
    }
}
