//! A message that arrives, before anything is done with it.

use super::parts::{Parts, Party};
use super::{MESSAGE_BYTES_MAX, Method, read};
use crate::calendar::Object;
use crate::value::unescape_text;

/// What a message says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// What it asks.
    pub method: Method,
    /// UID of what it is about.
    pub uid: String,
    /// VEVENT, VTODO …
    pub kind: String,
    /// Who organizes it.
    pub organizer: Party,
    /// Canonical addresses of all attendees, each once. Of a reply: who answers.
    pub attendees: Vec<String>,
    /// SUMMARY, unescaped.
    pub summary: Option<String>,
}

/// Reads what a message says of itself; none when it is no scheduling message that is understood: not one object,
/// another METHOD, no ORGANIZER or UID, or beyond a limit.
pub fn incoming(bytes: &[u8]) -> Option<Incoming> {
    let document = read(bytes).ok().filter(|_| bytes.len() <= MESSAGE_BYTES_MAX)?;
    let parts = Parts::of(Object::of(&document).ok()?).ok()?;
    let method = method_of(&parts)?;
    let main = parts.master().or(parts.list.first())?;
    let mut attendees: Vec<String> =
        parts.list.iter().flat_map(|part| &part.attendees).map(|party| party.canonical.clone()).collect();
    attendees.sort_unstable();
    attendees.dedup();
    Some(Incoming {
        method,
        uid: Some(parts.uid()).filter(|uid| !uid.is_empty())?.to_owned(),
        kind: main.component.name().to_owned(),
        organizer: parts.organizer()?.clone(),
        attendees,
        summary: main.component.value("SUMMARY").map(|summary| unescape_text(summary).into_owned()),
    })
}

pub(super) fn method_of(parts: &Parts<'_, '_>) -> Option<Method> {
    parts.object.calendar().value("METHOD").and_then(Method::named)
}
