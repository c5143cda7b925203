//! A calendar or an address book as one file, for programs that subscribe to it or carry it away.

use std::collections::HashSet;

use allod_core::{CardQuery, EventQuery, Finding, Node, Property};
use allod_formats::calendar::{CompFilter, Object};
use allod_formats::card::Filter;
use allod_formats::value::escape_text;
use allod_formats::zone::Zone;
use allod_formats::{Component, Document, Limits};
use allod_kit::{ResponseBody, empty_body};
use allod_model::{Error, Kind};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Response};

use crate::caldav::freebusy::PRODUCT;
use crate::caldav::timezones::TIMEZONE_ID;
use crate::error::{Doing, Failure};
use crate::handle::Call;
use crate::pages::{Pages, paged};
use crate::url::encode_segment;
use crate::xml::{self, CALDAV, DAV};

/// The namespace of Apple's properties of calendars.
const APPLE: &str = "http://apple.com/ns/ical/";
/// Bytes of a line before it is folded (RFC 5545 §3.1).
const LINE_BYTES_MAX: usize = 75;

/// The folder as one file; `None` when it is of another kind, or when nobody asked for a file.
pub(crate) async fn of_folder(call: &Call) -> Result<Option<Response<ResponseBody>>, Failure> {
    let wish = Wish::of(call);
    if wish == Wish::default() {
        return Ok(None);
    }
    let failing = call.failing(Doing::Read);
    let node = call.stat(true).await.map_err(&failing)?;
    let Some(facts) = node.folder.filter(|facts| wish.fits(facts.kind)) else { return Ok(None) };
    let mut response = Response::new(empty_body());
    describe(response.headers_mut(), call, &node, facts.kind);
    if call.method == Method::GET {
        let body = match facts.kind {
            Kind::Calendar => {
                let filter = CompFilter { name: "VCALENDAR".to_owned(), ..CompFilter::default() };
                let query = EventQuery { filter, zone: Zone::utc(), with_properties: false };
                let finding = call.session.find_events(&call.path, query).await.map_err(&failing)?;
                calendar(&node, finding).await
            }
            _ => {
                let query = CardQuery { filter: Filter::default(), with_properties: false };
                let finding = call.session.find_cards(&call.path, query).await.map_err(&failing)?;
                paged(Vec::new(), Cards(finding)).await
            }
        };
        *response.body_mut() = body.map_err(&failing)?;
    }
    Ok(Some(response))
}

/// The objects of a calendar in one VCALENDAR.
pub(crate) async fn calendar(node: &Node, finding: Finding) -> Result<ResponseBody, Error> {
    paged(head(node).into_bytes(), Events { finding, zones: HashSet::new() }).await
}

/// What a client asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Wish {
    /// `?export`.
    any: bool,
    calendar: bool,
    cards: bool,
}

impl Wish {
    fn of(call: &Call) -> Wish {
        let mut wish = Wish { any: call.has_query("export"), ..Wish::default() };
        let accept = call.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for range in accept.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let essence = parts.next().unwrap_or_default();
            // RFC 9110 §12.5.1: a weight of zero means "not this".
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse::<f32>().ok());
            if weight.is_some_and(|weight| weight <= 0.0) {
                continue;
            }
            wish.calendar |= essence.eq_ignore_ascii_case("text/calendar");
            wish.cards |= essence.eq_ignore_ascii_case("text/vcard");
        }
        wish
    }

    fn fits(self, kind: Kind) -> bool {
        match kind {
            Kind::Calendar => self.any || self.calendar,
            Kind::AddressBook => self.any || self.cards,
            Kind::Plain | Kind::Mailbox | Kind::Inbox | Kind::Outbox => false,
        }
    }
}

fn describe(headers: &mut HeaderMap, call: &Call, node: &Node, kind: Kind) {
    let (media_type, extension) = match kind {
        Kind::AddressBook => ("text/vcard; charset=utf-8", "vcf"),
        _ => ("text/calendar; charset=utf-8", "ics"),
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    // RFC 6266 §4.3: any name, as UTF-8.
    let mut name = b"attachment; filename*=UTF-8''".to_vec();
    let own = call.path.last().map_or(node.name.as_bytes(), |name| name.as_bytes());
    encode_segment(&mut name, own);
    name.extend_from_slice(format!(".{extension}").as_bytes());
    if let Ok(value) = HeaderValue::from_bytes(&name) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
}

/// What stands before the objects: the calendar's own name, color and zone.
fn head(node: &Node) -> String {
    let mut out = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODUCT}\r\n");
    let value = |namespace: &str, name: &str| value_of(&node.properties, namespace, name);
    let name = value(DAV, "displayname").unwrap_or_else(|| node.name.as_str().to_owned());
    // RFC 7986 §5.1, and what programs read that are older.
    for line in ["NAME", "X-WR-CALNAME"] {
        write_line(&mut out, &format!("{line}:{}", escape_text(&name)));
    }
    let rest = [
        (value(CALDAV, "calendar-description"), "X-WR-CALDESC"),
        (value(APPLE, "calendar-color"), "X-APPLE-CALENDAR-COLOR"),
        (value(CALDAV, TIMEZONE_ID), "X-WR-TIMEZONE"),
    ];
    for (value, line) in rest {
        if let Some(value) = value {
            write_line(&mut out, &format!("{line}:{}", escape_text(&value)));
        }
    }
    out
}

/// The text of a dead property; `None` when there is none.
fn value_of(properties: &[Property], namespace: &str, name: &str) -> Option<String> {
    let found = properties.iter().find(|one| one.name == name && one.namespace == namespace)?;
    let text = xml::Document::parse(found.xml.as_bytes()).ok()?.root().text();
    Some(text).filter(|text| !text.is_empty())
}

/// Folds between characters (RFC 5545 §3.1).
fn write_line(out: &mut String, text: &str) {
    let mut length = 0;
    for c in text.chars().filter(|c| !c.is_control()) {
        if length + c.len_utf8() > LINE_BYTES_MAX {
            out.push_str("\r\n ");
            length = 1;
        }
        out.push(c);
        length += c.len_utf8();
    }
    out.push_str("\r\n");
}

struct Events {
    finding: Finding,
    /// TZIDs whose rules are written. Of two zones with one name, in two objects, the first counts.
    zones: HashSet<String>,
}

impl Pages for Events {
    async fn page(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        let Some(found) = self.finding.next().await? else {
            out.extend_from_slice(b"END:VCALENDAR\r\n");
            return Ok(false);
        };
        for one in &found {
            self.write(out, &one.bytes);
        }
        Ok(true)
    }
}

impl Events {
    /// Appends the components of an object. What cannot be read is left out: core lets nothing of the sort in.
    fn write(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        let Ok(document) = Document::parse(bytes, Limits::default()) else { return };
        let Ok(object) = Object::of(&document) else { return };
        for component in object.calendar().components() {
            let is_known = component.is("VTIMEZONE")
                && component.value("TZID").is_some_and(|tzid| !self.zones.insert(tzid.trim().to_owned()));
            if !is_known {
                copy(out, bytes, component);
            }
        }
    }
}

fn copy(out: &mut Vec<u8>, bytes: &[u8], component: &Component<'_>) {
    let Some(lines) = bytes.get(component.span()) else { return };
    out.extend_from_slice(lines);
    if !lines.ends_with(b"\n") {
        out.extend_from_slice(b"\r\n");
    }
}

struct Cards(Finding);

impl Pages for Cards {
    async fn page(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        let Some(found) = self.0.next().await? else { return Ok(false) };
        for one in &found {
            out.extend_from_slice(&one.bytes);
            if !one.bytes.ends_with(b"\n") {
                out.extend_from_slice(b"\r\n");
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_between_characters() {
        let mut out = String::new();
        write_line(&mut out, &format!("NAME:{}\u{1}", "ü".repeat(100)));
        assert!(out.split("\r\n").all(|line| line.len() <= LINE_BYTES_MAX), "{out}");
        assert_eq!(out.replace("\r\n ", "").trim_end(), format!("NAME:{}", "ü".repeat(100)));
    }
}
