//! `calendar-data` (RFC 4791 §9.6): what a report wants of each object, and the object as it goes out.

use allod_formats::calendar::{CompSelection, Object, PropSelection, Recurrences, Selection, partial};
use allod_formats::zone::Zone;
use allod_formats::{Budget, Document, Limits};

use super::filter::parse_window;
use crate::error::Failure;
use crate::filter::Dialect;
use crate::xml::{CALDAV, Element};

/// Most properties and components that a selection names.
const SELECTED_MAX: usize = 512;

/// Reads a `calendar-data` of a request.
///
/// # Errors
/// 403 with `supported-calendar-data` for another format; 400 for what makes no sense.
pub(crate) fn parse_selection(element: Element<'_>) -> Result<Selection, Failure> {
    let kind = element.attribute("content-type").unwrap_or("text/calendar");
    let version = element.attribute("version").unwrap_or("2.0");
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("text/calendar") || version.trim() != "2.0" {
        // RFC 4791 §7.8.
        return Err(Dialect::CalDav.refused("supported-calendar-data", "objects are iCalendar 2.0"));
    }
    let mut selection = Selection::default();
    let mut left = SELECTED_MAX;
    for child in element.children().filter(|child| child.namespace() == CALDAV) {
        match child.name() {
            "comp" => selection.component = Some(parse_component(child, &mut left)?),
            "expand" => {
                let (start, end) = parse_window(child)?;
                selection.recurrences = Recurrences::Expand(start, end);
            }
            "limit-recurrence-set" => {
                let (start, end) = parse_window(child)?;
                selection.recurrences = Recurrences::Limit(start, end);
            }
            "limit-freebusy-set" => selection.freebusy = Some(parse_window(child)?),
            _ => {}
        }
    }
    if selection.component.as_ref().is_some_and(|comp| !comp.name.eq_ignore_ascii_case("VCALENDAR")) {
        return Err(Failure::bad_request("the outermost comp is VCALENDAR"));
    }
    Ok(selection)
}

/// **Invariant:** as deep as the XML at most, which is bounded.
fn parse_component(element: Element<'_>, left: &mut usize) -> Result<CompSelection, Failure> {
    let nameless = || Failure::bad_request("comp and prop have a name");
    let name = element.attribute("name").ok_or_else(nameless)?;
    let (mut all_properties, mut properties) = (false, Vec::new());
    let (mut all_components, mut components) = (false, Vec::new());
    for child in element.children().filter(|child| child.namespace() == CALDAV) {
        *left = left.checked_sub(1).ok_or_else(|| Failure::bad_request("calendar-data names too much"))?;
        match child.name() {
            "allprop" => all_properties = true,
            "allcomp" => all_components = true,
            "prop" => properties.push(parse_property(child).ok_or_else(nameless)?),
            "comp" => components.push(parse_component(child, left)?),
            _ => {}
        }
    }
    Ok(CompSelection::new(name, (all_properties, properties), (all_components, components)))
}

/// Reads a `prop` of `calendar-data` or `address-data`; `None` without a name.
pub(crate) fn parse_property(element: Element<'_>) -> Option<PropSelection> {
    let name = element.attribute("name")?.trim();
    let no_value = element.attribute("novalue").is_some_and(|value| value.eq_ignore_ascii_case("yes"));
    Some(PropSelection { name: name.to_owned(), no_value })
}

/// Appends what is selected of an object.
///
/// # Errors
/// The condition in `CALDAV:` that stands in the way; then nothing is appended.
pub(crate) fn write(
    out: &mut Vec<u8>,
    selection: &Selection,
    bytes: &[u8],
    zone: &Zone,
) -> Result<(), &'static str> {
    if *selection == Selection::default() {
        write_bytes(out, bytes);
        return Ok(());
    }
    // What is stored was judged when it came; rows from before that may hold anything.
    let damaged = "valid-calendar-data";
    let document = Document::parse(bytes, Limits::default()).map_err(|_| damaged)?;
    let object = Object::of(&document).map_err(|_| damaged)?;
    let picked = partial(&object, selection, zone, Budget::default());
    write_bytes(out, &picked.map_err(|condition| condition.name())?);
    Ok(())
}

/// Appends an object as XML text. A character that XML cannot carry is left out, and bytes that are not UTF-8 are
/// replaced: core refuses both, but an old row must not break the whole report.
pub(crate) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    crate::escape::escape_into(out, &String::from_utf8_lossy(bytes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Document as Xml;

    fn selection(xml: &str) -> Result<Selection, String> {
        let document = Xml::parse(
            xml.replace("<C:calendar-data", "<C:calendar-data xmlns:C='urn:ietf:params:xml:ns:caldav'")
                .as_bytes(),
        );
        parse_selection(document.unwrap().root())
            .map_err(|failure| failure.element_name().unwrap_or("400").to_owned())
    }

    /// RFC 4791 §7.8.1.
    #[test]
    fn parts_of_the_standard() {
        let selection = selection(
            "<C:calendar-data><C:comp name='VCALENDAR'><C:prop name='VERSION'/><C:comp name='VEVENT'>\
             <C:prop name='SUMMARY'/><C:prop name='UID' novalue='yes'/></C:comp><C:comp name='VTIMEZONE'/>\
             </C:comp></C:calendar-data>",
        )
        .unwrap();
        let calendar = selection.component.unwrap();
        assert_eq!(calendar.properties.as_ref().map(Vec::len), Some(1));
        let components = calendar.components.unwrap();
        assert!(components[0].properties.as_ref().unwrap()[1].no_value);
        assert_eq!((components[1].properties.as_ref(), components[1].components.as_ref()), (None, None));
    }

    #[test]
    fn windows_and_refusals() {
        let window = "start='20060103T000000Z' end='20060105T000000Z'";
        let expand = selection(&format!("<C:calendar-data><C:expand {window}/></C:calendar-data>")).unwrap();
        assert!(matches!(expand.recurrences, Recurrences::Expand(..)));
        let limit = selection(&format!(
            "<C:calendar-data><C:limit-recurrence-set {window}/><C:limit-freebusy-set {window}/></C:calendar-data>"
        ))
        .unwrap();
        assert!(matches!(limit.recurrences, Recurrences::Limit(..)) && limit.freebusy.is_some());
        for (xml, condition) in [
            ("<C:calendar-data content-type='application/calendar+json'/>", "supported-calendar-data"),
            ("<C:calendar-data version='1.0'/>", "supported-calendar-data"),
            ("<C:calendar-data><C:expand start='20060103T000000Z'/></C:calendar-data>", "400"),
            ("<C:calendar-data><C:comp name='VEVENT'/></C:calendar-data>", "400"),
            ("<C:calendar-data><C:comp/></C:calendar-data>", "400"),
        ] {
            assert_eq!(selection(xml).unwrap_err(), condition, "{xml}");
        }
        assert_eq!(selection("<C:calendar-data/>"), Ok(Selection::default()));
    }

    #[test]
    fn no_byte_breaks_the_xml() {
        let mut out = b"<a>".to_vec();
        let bytes = b"BEGIN:VCALENDAR\r\nX:\x01\x0b\xFF<&>]]>\r\nEND:VCALENDAR\r\n";
        write(&mut out, &Selection::default(), bytes, &Zone::utc()).unwrap();
        out.extend_from_slice(b"</a>");
        let text = Xml::parse(&out).unwrap().root().whole_text();
        assert_eq!(text, "BEGIN:VCALENDAR\r\nX:\u{FFFD}<&>]]>\r\nEND:VCALENDAR\r\n");
    }
}
