//! An imported file cut into one object for each UID: many events of an `.ics`, many cards of a `.vcf`.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::component::{Component, Document, Item};
use crate::output::{Output, uid_of};

/// An object cut out of a file. Its lines are those of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The UID of its components or card.
    pub uid: String,
    /// Whether the file had none, or had it for something else already, so that it was made from the content.
    pub uid_made: bool,
    /// What it is.
    pub sort: Sort,
    /// VEVENT, VTODO …, VCARD.
    pub kind: String,
    /// The object.
    pub bytes: Vec<u8>,
}

/// What a [`Piece`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sort {
    /// A VCALENDAR.
    Calendar,
    /// A VCARD.
    Card,
}

/// Cuts a file into objects, in the order in which they begin.
///
/// Components with one UID and kind become one object with the zones that they name; METHOD is left out. A component
/// without UID gets one made from its content, and so does one that repeats another's UID with other content; a
/// repetition to the byte is dropped. Each piece is made when it is asked for, since each has what the file says once.
pub fn split<'d, 'a>(document: &'d Document<'a>) -> Pieces<'d, 'a> {
    let mut splitter = Splitter {
        bytes: document.bytes(),
        frames: Vec::new(),
        groups: Vec::new(),
        by_uid: HashMap::new(),
        rest: Vec::new(),
    };
    for item in document.items() {
        match item {
            Item::Component(component) if component.is("VCALENDAR") => splitter.calendar(component),
            Item::Component(component) if component.is("VCARD") => splitter.put(Sort::Card, 0, component),
            Item::Stray(span) if document.bytes()[span.clone()].trim_ascii().is_empty() => {}
            other => splitter.rest.push(other.span()),
        }
    }
    let Splitter { bytes, frames, groups, rest, .. } = splitter;
    Pieces { bytes, frames, groups: groups.into_iter(), rest }
}

/// The objects of a file, one after the other; see [`split`].
pub struct Pieces<'d, 'a> {
    bytes: &'a [u8],
    frames: Vec<Frame<'d, 'a>>,
    groups: std::vec::IntoIter<Group<'d, 'a>>,
    rest: Vec<Range<usize>>,
}

impl Pieces<'_, '_> {
    /// What belongs to no object: damaged lines, components outside of a VCALENDAR.
    pub fn left_over(&self) -> &[Range<usize>] {
        &self.rest
    }
}

impl Iterator for Pieces<'_, '_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let group = self.groups.next()?;
        Some(group.piece(self.bytes, &self.frames))
    }
}

struct Splitter<'d, 'a> {
    bytes: &'a [u8],
    frames: Vec<Frame<'d, 'a>>,
    groups: Vec<Group<'d, 'a>>,
    /// (sort, kind, UID) to places in `groups`.
    by_uid: HashMap<(Sort, String, String), usize>,
    rest: Vec<Range<usize>>,
}

/// A VCALENDAR: what stands around its components.
struct Frame<'d, 'a> {
    calendar: &'d Component<'a>,
    properties: Vec<Range<usize>>,
    zones: HashMap<&'d str, &'d Component<'a>>,
}

struct Group<'d, 'a> {
    sort: Sort,
    members: Vec<&'d Component<'a>>,
    /// The places of their VCALENDARs; cards have none.
    frames: Vec<usize>,
    /// RECURRENCE-IDs to places in `members`.
    identities: HashMap<String, usize>,
    uid: String,
    uid_made: bool,
}

impl<'d, 'a> Splitter<'d, 'a> {
    fn calendar(&mut self, calendar: &'d Component<'a>) {
        // RFC 4791 §4.1: a stored object has no METHOD.
        let properties = calendar.properties().filter(|property| !property.is("METHOD"));
        let mut zones = HashMap::new();
        for zone in calendar.components().filter(|component| component.is("VTIMEZONE")) {
            if let Some(tzid) = zone.value("TZID") {
                zones.entry(tzid.trim()).or_insert(zone);
            }
        }
        let frame = self.frames.len();
        self.frames.push(Frame { calendar, properties: properties.map(|one| one.span()).collect(), zones });
        for item in calendar.items() {
            match item {
                Item::Component(component) if component.is("VTIMEZONE") => {}
                Item::Component(component) => self.put(Sort::Calendar, frame, component),
                Item::Property(_) => {}
                Item::Stray(span) if self.bytes[span.clone()].trim_ascii().is_empty() => {}
                Item::Stray(span) => self.rest.push(span.clone()),
            }
        }
    }

    fn put(&mut self, sort: Sort, frame: usize, component: &'d Component<'a>) {
        let own = component.value("UID").map(str::trim).filter(|uid| !uid.is_empty());
        let made = || uid_of(&[&self.bytes[component.span()]]);
        let mut uid = own.map_or_else(made, str::to_owned);
        let mut uid_made = own.is_none();
        let identity = component.value("RECURRENCE-ID").unwrap_or_default().trim();
        for _ in 0..2 {
            let key = (sort, component.name().to_owned(), uid.clone());
            let Some(index) = self.by_uid.get(&key).copied() else {
                self.by_uid.insert(key, self.groups.len());
                let (members, frames) = (vec![component], vec![frame]);
                let identities = HashMap::from([(identity.to_owned(), 0)]);
                self.groups.push(Group { sort, members, frames, identities, uid, uid_made });
                return;
            };
            let group = &mut self.groups[index];
            let Some(same) = group.identities.get(identity).map(|place| group.members[*place]) else {
                group.identities.insert(identity.to_owned(), group.members.len());
                group.members.push(component);
                group.frames.push(frame);
                return;
            };
            if self.bytes[same.span()] == self.bytes[component.span()] {
                return;
            }
            uid = made();
            uid_made = true;
        }
    }
}

impl Group<'_, '_> {
    fn piece(self, bytes: &[u8], frames: &[Frame<'_, '_>]) -> Piece {
        let mut out = Output::new(bytes);
        match self.sort {
            Sort::Card => self.member(&mut out, self.members[0]),
            Sort::Calendar => self.calendar(&mut out, frames),
        }
        let kind = self.members[0].name().to_owned();
        Piece { uid: self.uid, uid_made: self.uid_made, sort: self.sort, kind, bytes: out.finish() }
    }

    fn calendar(&self, out: &mut Output<'_>, frames: &[Frame<'_, '_>]) {
        let first = &frames[self.frames[0]];
        out.copy(first.calendar.begin());
        first.properties.iter().for_each(|span| out.copy(span.clone()));
        let mut known = HashSet::new();
        for (member, frame) in self.members.iter().zip(&self.frames) {
            let mut tzids = Vec::new();
            zones_named(member, &mut tzids);
            // Of two zones with one name, in two calendars of a file, the first counts.
            for tzid in tzids.into_iter().filter(|tzid| known.insert(tzid.clone())) {
                if let Some(zone) = frames[*frame].zones.get(tzid.as_str()) {
                    copy_whole(out, zone);
                }
            }
        }
        self.members.iter().for_each(|member| self.member(out, member));
        out.close(first.calendar);
    }

    fn member(&self, out: &mut Output<'_>, component: &Component<'_>) {
        if !self.uid_made {
            copy_whole(out, component);
            return;
        }
        out.copy(component.begin());
        let mut written = false;
        for item in component.items() {
            match item {
                Item::Property(property) if property.is("UID") => {}
                item => {
                    // A version must be the first line of a card (RFC 6350 §6.7.9).
                    let version = matches!(item, Item::Property(property) if property.is("VERSION"));
                    if !written && !version {
                        out.line(&format!("UID:{}", self.uid));
                        written = true;
                    }
                    copy_item(out, item);
                }
            }
        }
        if !written {
            out.line(&format!("UID:{}", self.uid));
        }
        out.close(component);
    }
}

fn copy_item(out: &mut Output<'_>, item: &Item<'_>) {
    match item {
        Item::Component(component) => copy_whole(out, component),
        item => out.copy(item.span()),
    }
}

/// Copies a component, with an `END` of its own where it has none.
fn copy_whole(out: &mut Output<'_>, component: &Component<'_>) {
    out.copy(component.begin());
    component.items().iter().for_each(|item| copy_item(out, item));
    out.close(component);
}

fn zones_named(component: &Component<'_>, found: &mut Vec<String>) {
    let tzids = component.properties().filter_map(|property| property.parameter("TZID"));
    found.extend(tzids.map(|tzid| tzid.trim().to_owned()));
    component.components().for_each(|inner| zones_named(inner, found));
}
