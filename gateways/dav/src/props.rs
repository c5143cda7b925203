//! How properties are written.
//!
//! What a request asks for becomes a [`Plan`] once; then each member of a folder is written straight into a buffer,
//! without an allocation of its own.

use std::borrow::Cow;

use allod_core::{Found, Lock, Node, Property};
use allod_formats::zone::Zone;
use allod_model::{Kind, Name, NodeId, Path, Seq, Timestamp};

use crate::escape::escape_into;
use crate::nextcloud;
use crate::places::Places;
use crate::plan::{Ask, Live, Plan, empty_element};
use crate::url::encode_segment;
use crate::xml::{CALDAV, CARDDAV, DAV};
use crate::{caldav, carddav, principal, sharing};

/// What is written about: a file or folder, or a place that no account owns.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    Node(&'a Node, &'a [Held]),
    /// `/`, `/dav/`, `/principals/`, with a name to show.
    Place(&'static str),
    /// The session's own principal.
    Principal,
}

impl Subject<'_> {
    pub(crate) fn is_folder(self) -> bool {
        match self {
            Subject::Node(node, _) => node.is_folder(),
            Subject::Place(_) | Subject::Principal => true,
        }
    }

    /// The kind of a folder in a tree.
    pub(crate) fn kind(self) -> Option<Kind> {
        match self {
            Subject::Node(node, _) => node.folder.map(|facts| facts.kind),
            Subject::Place(_) | Subject::Principal => None,
        }
    }
}

/// Writes `response` elements; what is the same for all of a request's resources.
pub(crate) struct Writer {
    pub(crate) plan: Plan,
    /// URL of the principal that logged in.
    pub(crate) principal: String,
    /// URL of the principal of whom all this belongs to.
    pub(crate) owner: String,
    /// How paths and URLs belong together.
    pub(crate) places: Places,
    /// How the folder written about is shared.
    pub(crate) sharing: sharing::Facts,
    /// The quota in bytes, if asked for: used, available.
    pub(crate) quota: Option<(u64, Option<u64>)>,
    /// What is known of the principal, as far as asked for.
    pub(crate) facts: principal::Facts,
    /// Where days and floating times of calendar objects are placed.
    pub(crate) zone: Zone,
    /// The moment that lock timeouts count from.
    pub(crate) now: Timestamp,
    /// Scratch: indexes of what was not there.
    missing: Vec<usize>,
}

impl Writer {
    pub(crate) fn new(plan: Plan, places: &Places, now: Timestamp) -> Writer {
        Writer {
            plan,
            principal: crate::url::principal_url(places.account()),
            owner: places.owner(),
            places: places.clone(),
            sharing: sharing::Facts::default(),
            quota: None,
            facts: principal::Facts::default(),
            zone: Zone::utc(),
            now,
            missing: Vec::new(),
        }
    }

    /// Appends a `response` for the resource at `href`, which is already percent-encoded.
    pub(crate) fn response(&mut self, out: &mut Vec<u8>, href: &[u8], subject: Subject<'_>) {
        self.response_with(out, href, subject, None);
    }

    /// As [`Writer::response`], with the bytes of a file whose content may be asked for.
    pub(crate) fn response_with(
        &mut self,
        out: &mut Vec<u8>,
        href: &[u8],
        subject: Subject<'_>,
        content: Option<&[u8]>,
    ) {
        out.extend_from_slice(b"<D:response><D:href>");
        out.extend_from_slice(href);
        out.extend_from_slice(b"</D:href>");
        self.propstats(out, subject, content);
        out.extend_from_slice(b"</D:response>\n");
    }

    /// Appends a `response` for a member of the folder at `parent`, which ends in a slash.
    pub(crate) fn member(&mut self, out: &mut Vec<u8>, parent: &[u8], node: &Node, locks: &[Held]) {
        self.member_with(out, parent, Subject::Node(node, locks), &node.name, None);
    }

    /// As [`Writer::member`], for a file with its bytes.
    pub(crate) fn found(&mut self, out: &mut Vec<u8>, parent: &[u8], found: &Found) {
        let subject = Subject::Node(&found.node, &[]);
        self.member_with(out, parent, subject, &found.node.name, Some(&found.bytes));
    }

    fn member_with(
        &mut self,
        out: &mut Vec<u8>,
        parent: &[u8],
        subject: Subject<'_>,
        name: &Name,
        content: Option<&[u8]>,
    ) {
        out.extend_from_slice(b"<D:response><D:href>");
        out.extend_from_slice(parent);
        encode_segment(out, name.as_bytes());
        if subject.is_folder() {
            out.push(b'/');
        }
        out.extend_from_slice(b"</D:href>");
        self.propstats(out, subject, content);
        out.extend_from_slice(b"</D:response>\n");
    }

    /// RFC 4918 §9.1.2. What is there comes first, and its status line is this one to the letter:
    /// `quirk_thunderbird_first_propstat`.
    pub(crate) fn propstats(&mut self, out: &mut Vec<u8>, subject: Subject<'_>, content: Option<&[u8]>) {
        let start = out.len();
        out.extend_from_slice(b"<D:propstat><D:prop>");
        let before = out.len();
        let mut missing = std::mem::take(&mut self.missing);
        missing.clear();
        let mut refused = Vec::new();
        for (index, ask) in self.plan.asked.iter().enumerate() {
            let found = match ask {
                Ask::Live(_) | Ask::Dead(..) => self.one(out, ask, subject),
                Ask::CalendarData(_) | Ask::AddressData(_) => match self.data(out, ask, content) {
                    Ok(found) => found,
                    Err(condition) => {
                        refused.push(refusal(ask, condition));
                        true
                    }
                },
            };
            if !found && index >= self.plan.unnamed {
                missing.push(index);
            }
        }
        if self.plan.all_dead
            && let Subject::Node(node, _) = subject
        {
            self.all_dead(out, &node.properties);
        }
        let show_missing = !missing.is_empty() && !self.plan.minimal;
        if out.len() == before && (show_missing || !refused.is_empty()) {
            out.truncate(start);
        } else {
            out.extend_from_slice(b"</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>");
        }
        refused.iter().for_each(|refusal| out.extend_from_slice(refusal.as_bytes()));
        if show_missing {
            out.extend_from_slice(b"<D:propstat><D:prop>");
            for index in &missing {
                self.plan.asked[*index].write_empty(out);
            }
            out.extend_from_slice(b"</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>");
        }
        self.missing = missing;
    }

    /// Appends the content of an object as far as it is wanted; `Ok(false)` when there is none.
    fn data(&self, out: &mut Vec<u8>, ask: &Ask, content: Option<&[u8]>) -> Result<bool, &'static str> {
        let Some(bytes) = content else { return Ok(false) };
        let start = out.len();
        let (written, end): (_, &[u8]) = match ask {
            Ask::CalendarData(selection) => {
                out.extend_from_slice(b"<C:calendar-data>");
                (caldav::data::write(out, selection, bytes, &self.zone), b"</C:calendar-data>")
            }
            Ask::AddressData(selection) => {
                out.extend_from_slice(b"<CR:address-data>");
                (carddav::data::write(out, selection, bytes), b"</CR:address-data>")
            }
            Ask::Live(_) | Ask::Dead(..) => return Ok(false),
        };
        match written {
            Ok(()) => out.extend_from_slice(end),
            Err(condition) => {
                out.truncate(start);
                return Err(condition);
            }
        }
        Ok(true)
    }

    /// Appends a property; `false`, and nothing appended, when the resource does not have it.
    pub(crate) fn one(&self, out: &mut Vec<u8>, ask: &Ask, subject: Subject<'_>) -> bool {
        match ask {
            Ask::Live(live) => self.live(out, *live, subject),
            Ask::Dead(namespace, name, _) if namespace == nextcloud::NAMESPACE => {
                nextcloud::write_property(out, name, subject) || write_dead(out, subject, namespace, name)
            }
            Ask::Dead(namespace, name, _) => write_dead(out, subject, namespace, name),
            Ask::CalendarData(_) | Ask::AddressData(_) => false,
        }
    }

    fn all_dead(&self, out: &mut Vec<u8>, properties: &[Property]) {
        for property in properties {
            let asked = |ask: &Ask| match ask {
                Ask::Live(Live::DisplayName) => property.namespace == DAV && property.name == "displayname",
                Ask::Live(_) | Ask::CalendarData(_) | Ask::AddressData(_) => false,
                Ask::Dead(namespace, name, _) => *namespace == property.namespace && *name == property.name,
            };
            // RFC 4791 §5.2, RFC 6352 §6.2: theirs are not for `allprop`.
            let unasked = !self.plan.names_only && [CALDAV, CARDDAV].contains(&property.namespace.as_str());
            if unasked || self.plan.asked.iter().any(asked) {
                continue;
            }
            match self.plan.names_only {
                true => out.extend_from_slice(empty_element(&property.namespace, &property.name).as_bytes()),
                false => out.extend_from_slice(property.xml.as_bytes()),
            }
        }
    }

    /// Appends a live property; `false`, and nothing appended, when the resource does not have it.
    fn live(&self, out: &mut Vec<u8>, live: Live, subject: Subject<'_>) -> bool {
        if live == Live::DisplayName && !self.plan.names_only && write_dead(out, subject, DAV, "displayname")
        {
            return true;
        }
        let start = out.len();
        out.push(b'<');
        out.extend_from_slice(live.tag().as_bytes());
        let tag_end = out.len();
        out.push(b'>');
        if !self.value(out, live, subject) {
            out.truncate(start);
            return false;
        }
        if out.len() == tag_end + 1 || self.plan.names_only {
            out.truncate(tag_end);
            out.extend_from_slice(b"/>");
            return true;
        }
        out.extend_from_slice(b"</");
        out.extend_from_slice(live.tag().as_bytes());
        out.push(b'>');
        true
    }
}

/// A `propstat` for content that cannot be had as it is wanted.
fn refusal(ask: &Ask, condition: &str) -> String {
    let (element, prefix) = match ask {
        Ask::AddressData(_) => ("<CR:address-data/>", "CR"),
        _ => ("<C:calendar-data/>", "C"),
    };
    format!(
        "<D:propstat><D:prop>{element}</D:prop><D:status>HTTP/1.1 403 Forbidden</D:status>\
         <D:error><{prefix}:{condition}/></D:error></D:propstat>"
    )
}

fn write_empty(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b"<D:");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"/>");
}

pub(crate) fn write_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

pub(crate) fn write_href(out: &mut Vec<u8>, url: &str) {
    out.extend_from_slice(b"<D:href>");
    out.extend_from_slice(url.as_bytes());
    out.extend_from_slice(b"</D:href>");
}

/// Writes a dead property as it was stored.
fn write_dead(out: &mut Vec<u8>, subject: Subject<'_>, namespace: &str, name: &str) -> bool {
    let Subject::Node(node, _) = subject else { return false };
    let found =
        node.properties.iter().find(|property| property.name == name && property.namespace == namespace);
    if let Some(property) = found {
        out.extend_from_slice(property.xml.as_bytes());
    }
    found.is_some()
}

/// A sync token (RFC 6578 §3.2: a URI): it names the folder and a place in the account's history.
pub(crate) fn write_sync_token(out: &mut Vec<u8>, folder: NodeId, seq: Seq) {
    out.extend_from_slice(b"urn:allod:sync:");
    write_number(out, folder.0);
    out.push(b':');
    write_number(out, seq.0);
}

/// Reads a sync token back; `None` when it was never one of ours.
pub(crate) fn parse_sync_token(token: &str) -> Option<(NodeId, Seq)> {
    let (folder, seq) = token.strip_prefix("urn:allod:sync:")?.split_once(':')?;
    let number =
        |text: &str| -> Option<u64> { text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())? };
    Some((NodeId(number(folder)?), Seq(number(seq)?)))
}

/// RFC 4918 §14.1: an `activelock`.
pub(crate) fn write_active_lock(out: &mut Vec<u8>, held: &Held, places: &Places, now: Timestamp) {
    let lock = &held.lock;
    let scope = if lock.exclusive { "exclusive" } else { "shared" };
    let depth = if lock.deep { "infinity" } else { "0" };
    out.extend_from_slice(b"<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope>");
    write_empty(out, scope);
    out.extend_from_slice(b"</D:lockscope><D:depth>");
    out.extend_from_slice(depth.as_bytes());
    out.extend_from_slice(b"</D:depth>");
    if let Some(owner) = &lock.owner {
        out.extend_from_slice(owner.as_bytes());
    }
    let left = lock.expires.secs().saturating_sub(now.secs()).max(0);
    out.extend_from_slice(b"<D:timeout>Second-");
    write_number(out, left.unsigned_abs());
    out.extend_from_slice(b"</D:timeout><D:locktoken><D:href>");
    escape_into(out, &lock.token.0);
    out.extend_from_slice(b"</D:href></D:locktoken><D:lockroot>");
    write_href(out, &places.url(&lock.root, held.on_folder));
    out.extend_from_slice(b"</D:lockroot></D:activelock>");
}

/// A file's media type: of a calendar object what it is (RFC 5545 §8.1), else as given, else by its name.
pub(crate) fn media_type(node: &Node) -> Cow<'_, str> {
    if let Some(facts) = &node.calendar {
        return Cow::Owned(format!("text/calendar; charset=utf-8; component={}", facts.component));
    }
    if let Some(given) = &node.media_type {
        return Cow::Borrowed(given);
    }
    let name = node.name.as_str();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    Cow::Borrowed(mime_guess::from_ext(extension).first_raw().unwrap_or("application/octet-stream"))
}

/// A lock as one resource shows it.
pub(crate) struct Held {
    pub(crate) lock: Lock,
    /// Whether a folder stands at the lock's root.
    pub(crate) on_folder: bool,
}

/// Which of `locks` hold on `place`, and whether their roots are folders, given that `place` is one.
pub(crate) fn held(locks: &[Lock], place: &Path, is_folder: bool) -> Vec<Held> {
    locks
        .iter()
        .filter(|lock| lock.root == *place || (lock.deep && place.starts_with(&lock.root)))
        .map(|lock| Held { lock: lock.clone(), on_folder: is_folder || lock.root != *place })
        .collect()
}

#[cfg(test)]
mod tests {
    use allod_core::{Components, FolderFacts};
    use allod_model::{Etag, NameRule, Rights};

    use super::*;
    use crate::xml::Document;

    fn node(name: &str) -> Node {
        Node {
            id: NodeId(7),
            name: Name::new(name.as_bytes(), NameRule::Strict).unwrap(),
            folder: None,
            size: 42,
            etag: Etag("abc".to_owned()),
            media_type: None,
            created: Timestamp::from_secs(0),
            modified: Timestamp::from_secs(784_111_777),
            seq: Seq(3),
            properties: vec![Property {
                namespace: "urn:a".to_owned(),
                name: "p".to_owned(),
                xml: "<p xmlns=\"urn:a\">v</p>".to_owned(),
            }],
            rights: Some(Rights::Write),
            calendar: None,
            object: None,
        }
    }

    fn folder(name: &str) -> Node {
        let facts = FolderFacts {
            kind: Kind::Plain,
            token: Seq(9),
            below: Seq(9),
            documents: 0,
            components: Components::ALL,
            transparent: false,
            derived: false,
        };
        Node { folder: Some(facts), ..node(name) }
    }

    fn written(plan: Plan, node: &Node) -> String {
        let mut out = Vec::new();
        Writer::new(plan, &Places::own("alice"), Timestamp::from_secs(0)).member(
            &mut out,
            b"/dav/alice/",
            node,
            &[],
        );
        let text = String::from_utf8(out).unwrap();
        let head = std::str::from_utf8(crate::propfind::MULTISTATUS_HEAD).unwrap();
        Document::parse(format!("{head}{text}</D:multistatus>").as_bytes()).expect(&text);
        text
    }

    fn only(inside: &str) -> Plan {
        let xml = format!("<prop xmlns='DAV:'>{inside}</prop>");
        Plan::only(Document::parse(xml.as_bytes()).unwrap().root()).unwrap()
    }

    #[test]
    fn quirk_thunderbird_first_propstat() {
        let text = written(only("<x xmlns='urn:x'/><getetag/>"), &node("a"));
        assert_eq!(
            text,
            "<D:response><D:href>/dav/alice/a</D:href><D:propstat><D:prop><D:getetag>\"abc\"</D:getetag></D:prop>\
             <D:status>HTTP/1.1 200 OK</D:status></D:propstat><D:propstat><D:prop><x:x xmlns:x=\"urn:x\"/></D:prop>\
             <D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>\n"
        );
    }

    #[test]
    fn everything_and_nothing_missed() {
        let text = written(Plan::all(), &folder("a"));
        assert!(
            text.contains("<D:href>/dav/alice/a/</D:href>") && text.contains("<D:collection/>"),
            "{text}"
        );
        assert!(text.contains("<p xmlns=\"urn:a\">v</p>") && !text.contains("404"), "{text}");
        let names = written(Plan::names(), &node("a"));
        assert!(names.contains("<D:getetag/>") && names.contains("<x:p xmlns:x=\"urn:a\"/>"), "{names}");
        assert!(!names.contains("404") && !names.contains("sync-token"), "{names}");
    }

    #[test]
    fn nothing_found() {
        let text = written(only("<sync-token/>"), &node("a"));
        assert!(!text.contains("200 OK") && text.contains("404 Not Found"), "{text}");
        let minimal = Plan { minimal: true, ..only("<sync-token/>") };
        let text = written(minimal, &node("a"));
        assert!(
            text.contains("<D:prop></D:prop><D:status>HTTP/1.1 200 OK") && !text.contains("404"),
            "{text}"
        );
    }

    #[test]
    fn names_cannot_break_the_xml() {
        let text = written(only("<displayname/>"), &node("a\u{1}<&>\u{FFFF}%"));
        assert!(text.contains("<D:displayname>a&lt;&amp;&gt;%</D:displayname>"), "{text}");
        assert!(text.contains("/dav/alice/a%01%3C%26%3E%EF%BF%BF%25<"), "{text}");
    }

    #[test]
    fn a_display_name_that_was_set_takes_the_place_of_the_name() {
        let mut node = node("a");
        let xml = "<D:displayname xmlns:D=\"DAV:\">Hi</D:displayname>".to_owned();
        node.properties = vec![Property { namespace: DAV.to_owned(), name: "displayname".to_owned(), xml }];
        for plan in [only("<displayname/>"), Plan::all()] {
            assert_eq!(written(plan, &node).matches("displayname").count(), 2, "once, with its end");
        }
    }

    #[test]
    fn privileges_follow_rights() {
        let text = |rights| written(only("<current-user-privilege-set/>"), &Node { rights, ..node("a") });
        assert!(text(Some(Rights::Write)).contains("<D:write/>"));
        assert!(
            text(Some(Rights::Append)).contains("<D:bind/>")
                && !text(Some(Rights::Append)).contains("<D:write")
        );
        assert!(
            text(Some(Rights::Read)).contains("<D:read/>") && !text(Some(Rights::Read)).contains("<D:bind/>")
        );
        assert!(!text(None).contains("<D:read/>"));
    }
}
