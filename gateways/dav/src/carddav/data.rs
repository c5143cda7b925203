//! `address-data` (RFC 6352 §10.4): what a report wants of each card, and the card as it goes out.

use allod_formats::card::{Card, Selection, Version, partial};
use allod_formats::{Document, Limits};

use crate::caldav::data::{parse_property, write_bytes};
use crate::error::Failure;
use crate::filter::Dialect;
use crate::xml::{CARDDAV, Element};

/// Most properties that a selection names.
const SELECTED_MAX: usize = 512;

/// Reads an `address-data` of a request.
///
/// # Errors
/// 403 with `supported-address-data` for another format; 400 for what makes no sense.
pub(crate) fn parse_selection(element: Element<'_>) -> Result<Selection, Failure> {
    let kind = element.attribute("content-type").unwrap_or("text/vcard");
    let version = element.attribute("version");
    let mut selection = Selection { properties: None, version: Some(parse_media_type(kind, version)?) };
    let mut wanted = Vec::new();
    let mut all = true;
    for child in element.children().filter(|child| child.namespace() == CARDDAV) {
        match child.name() {
            "allprop" => return Ok(selection),
            "prop" => {
                all = false;
                let property = parse_property(child);
                wanted.push(property.ok_or_else(|| Failure::bad_request("prop has a name"))?);
            }
            _ => {}
        }
        if wanted.len() > SELECTED_MAX {
            return Err(Failure::bad_request("address-data names too much"));
        }
    }
    selection.properties = (!all).then_some(wanted);
    Ok(selection)
}

/// Which version a media type asks for.
fn parse_media_type(kind: &str, version: Option<&str>) -> Result<Version, Failure> {
    let refused = || Dialect::CardDav.refused("supported-address-data", "cards are vCard 3.0 or 4.0");
    let mut parts = kind.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    if !["text/vcard", "text/x-vcard"].iter().any(|known| essence.eq_ignore_ascii_case(known)) {
        // RFC 6352 §8.6, §8.7.
        return Err(refused());
    }
    let inside = parts.find_map(|part| part.strip_prefix("version="));
    match version.or(inside).map(|version| version.trim_matches('"')) {
        // RFC 6352 §10.4: 3.0 is the default. Programs that know nothing else lose pictures and groups of a 4.0 card.
        None | Some("") => Ok(Version::V3),
        Some(version) => match Version::named(version) {
            Some(version @ (Version::V3 | Version::V4)) => Ok(version),
            _ => Err(refused()),
        },
    }
}

/// Appends what is selected of a card.
///
/// # Errors
/// The condition in `CARDDAV:` that stands in the way; then nothing is appended.
pub(crate) fn write(out: &mut Vec<u8>, selection: &Selection, bytes: &[u8]) -> Result<(), &'static str> {
    // RFC 6352 §8.7.2: what cannot be converted is said for that card alone.
    let damaged = "supported-address-data-conversion";
    let document = Document::parse(bytes, Limits::default()).map_err(|_| damaged)?;
    let card = Card::of(&document).ok_or(damaged)?;
    write_bytes(out, &partial(&card, selection));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Document as Xml;

    fn selection(xml: &str) -> Result<Selection, String> {
        let xml = xml.replace("<address-data", "<address-data xmlns='urn:ietf:params:xml:ns:carddav'");
        parse_selection(Xml::parse(xml.as_bytes()).unwrap().root())
            .map_err(|failure| failure.element_name().unwrap_or("400").to_owned())
    }

    #[test]
    fn selections() {
        let three = Selection { properties: None, version: Some(Version::V3) };
        assert_eq!(selection("<address-data/>"), Ok(three.clone()));
        assert_eq!(selection("<address-data><allprop/></address-data>"), Ok(three));
        let four = selection("<address-data content-type='text/vcard' version='4.0'/>").unwrap();
        assert_eq!(four.version, Some(Version::V4));
        assert_eq!(
            selection("<address-data content-type='text/vcard; version=3.0'/>").unwrap().version,
            Some(Version::V3)
        );
        let parts =
            selection("<address-data><prop name='UID'/><prop name='FN' novalue='yes'/></address-data>");
        assert_eq!(parts.unwrap().properties.unwrap().len(), 2);
        for xml in [
            "<address-data content-type='application/vcard+json'/>",
            "<address-data version='2.1'/>",
            "<address-data version='5.0'/>",
        ] {
            assert_eq!(selection(xml).unwrap_err(), "supported-address-data", "{xml}");
        }
        assert_eq!(selection("<address-data><prop/></address-data>").unwrap_err(), "400");
    }

    #[test]
    fn versions_are_converted() {
        let card = b"BEGIN:VCARD\r\nVERSION:4.0\r\nUID:1\r\nFN:Ada\r\nEND:VCARD\r\n";
        let mut out = Vec::new();
        let three = Selection { version: Some(Version::V3), properties: None };
        write(&mut out, &three, card).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("VERSION:3.0") && text.contains("FN:Ada"), "{text}");
        assert!(write(&mut Vec::new(), &three, b"nothing").is_err());
    }
}
