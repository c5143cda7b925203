//! How properties are written.
//!
//! What a request asks for becomes a [`Plan`] once; then each member of a folder is written straight into a buffer,
//! without an allocation of its own.

use allod_core::{Lock, Node, Property};
use allod_model::{NodeId, Path, Rights, Seq, Timestamp};

use crate::date::{write_http_date, write_iso_date};
use crate::escape::escape_into;
use crate::plan::{Ask, Live, Plan, empty_element};
use crate::url::encode_segment;
use crate::xml::DAV;

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
    fn is_folder(self) -> bool {
        match self {
            Subject::Node(node, _) => node.is_folder(),
            Subject::Place(_) | Subject::Principal => true,
        }
    }
}

/// Writes `response` elements; what is the same for all of a request's resources.
pub(crate) struct Writer {
    pub(crate) plan: Plan,
    /// The account's name: what the root shows.
    pub(crate) account: String,
    /// URL of the session's principal.
    pub(crate) principal: String,
    /// URL of the account's root, without its slash.
    pub(crate) base: String,
    /// The quota in bytes, if asked for: used, available.
    pub(crate) quota: Option<(u64, Option<u64>)>,
    /// The moment that lock timeouts count from.
    pub(crate) now: Timestamp,
    /// Scratch: indexes of what was not there.
    missing: Vec<usize>,
}

impl Writer {
    pub(crate) fn new(plan: Plan, account: &str, now: Timestamp) -> Writer {
        Writer {
            plan,
            account: account.to_owned(),
            principal: crate::url::principal_url(account),
            base: crate::url::tree_base(account),
            quota: None,
            now,
            missing: Vec::new(),
        }
    }

    /// Appends a `response` for the resource at `href`, which is already percent-encoded.
    pub(crate) fn response(&mut self, out: &mut Vec<u8>, href: &[u8], subject: Subject<'_>) {
        out.extend_from_slice(b"<D:response><D:href>");
        out.extend_from_slice(href);
        out.extend_from_slice(b"</D:href>");
        self.propstats(out, subject);
        out.extend_from_slice(b"</D:response>\n");
    }

    /// Appends a `response` for a member of the folder at `parent`, which ends in a slash.
    pub(crate) fn member(&mut self, out: &mut Vec<u8>, parent: &[u8], node: &Node, locks: &[Held]) {
        out.extend_from_slice(b"<D:response><D:href>");
        out.extend_from_slice(parent);
        encode_segment(out, node.name.as_bytes());
        if node.is_folder() {
            out.push(b'/');
        }
        out.extend_from_slice(b"</D:href>");
        self.propstats(out, Subject::Node(node, locks));
        out.extend_from_slice(b"</D:response>\n");
    }

    /// RFC 4918 §9.1.2. What is there comes first, and its status line is this one to the letter:
    /// `quirk_thunderbird_first_propstat`.
    fn propstats(&mut self, out: &mut Vec<u8>, subject: Subject<'_>) {
        let start = out.len();
        out.extend_from_slice(b"<D:propstat><D:prop>");
        let before = out.len();
        let mut missing = std::mem::take(&mut self.missing);
        missing.clear();
        for (index, ask) in self.plan.asked.iter().enumerate() {
            let found = match ask {
                Ask::Live(live) => self.live(out, *live, subject),
                Ask::Dead(namespace, name, _) => write_dead(out, subject, namespace, name),
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
        if out.len() == before && show_missing {
            out.truncate(start);
        } else {
            out.extend_from_slice(b"</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>");
        }
        if show_missing {
            out.extend_from_slice(b"<D:propstat><D:prop>");
            for index in &missing {
                match &self.plan.asked[*index] {
                    Ask::Live(live) => write_empty(out, live.tag()),
                    Ask::Dead(.., element) => out.extend_from_slice(element.as_bytes()),
                }
            }
            out.extend_from_slice(b"</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>");
        }
        self.missing = missing;
    }

    fn all_dead(&self, out: &mut Vec<u8>, properties: &[Property]) {
        for property in properties {
            let asked = |ask: &Ask| match ask {
                Ask::Live(Live::DisplayName) => property.namespace == DAV && property.name == "displayname",
                Ask::Live(_) => false,
                Ask::Dead(namespace, name, _) => *namespace == property.namespace && *name == property.name,
            };
            if self.plan.asked.iter().any(asked) {
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
        out.extend_from_slice(b"<D:");
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
        out.extend_from_slice(b"</D:");
        out.extend_from_slice(live.tag().as_bytes());
        out.push(b'>');
        true
    }

    fn value(&self, out: &mut Vec<u8>, live: Live, subject: Subject<'_>) -> bool {
        match (live, subject) {
            (Live::ResourceType, subject) => {
                if subject.is_folder() {
                    out.extend_from_slice(b"<D:collection/>");
                }
                if matches!(subject, Subject::Principal) {
                    // RFC 3744 §4.
                    out.extend_from_slice(b"<D:principal/>");
                }
            }
            (Live::DisplayName, Subject::Node(node, _)) if node.id == NodeId::ROOT => {
                escape_into(out, &self.account)
            }
            (Live::DisplayName, Subject::Node(node, _)) => escape_into(out, node.name.as_str()),
            (Live::DisplayName, Subject::Place(name)) => escape_into(out, name),
            (Live::DisplayName, Subject::Principal) => escape_into(out, &self.account),
            (Live::CurrentUserPrincipal, _) => write_href(out, &self.principal),
            (Live::PrincipalUrl, Subject::Principal) => write_href(out, &self.principal),
            (Live::Owner, Subject::Node(..) | Subject::Principal) => write_href(out, &self.principal),
            (Live::PrincipalCollectionSet, _) => write_href(out, crate::url::PRINCIPALS_PREFIX),
            (Live::SupportedReportSet, Subject::Node(node, _)) if node.is_folder() => out.extend_from_slice(
                b"<D:supported-report><D:report><D:sync-collection/></D:report></D:supported-report>",
            ),
            (Live::SupportedReportSet, _) => {}
            (Live::CurrentUserPrivilegeSet, Subject::Node(node, _)) => write_privileges(out, node.rights),
            (Live::CurrentUserPrivilegeSet, _) => write_privileges(out, Some(Rights::Read)),
            (live, Subject::Node(node, locks)) => return self.node_value(out, live, node, locks),
            _ => return false,
        }
        true
    }

    fn node_value(&self, out: &mut Vec<u8>, live: Live, node: &Node, locks: &[Held]) -> bool {
        match (live, &node.folder) {
            (Live::CreationDate, _) => write_iso_date(out, node.created),
            (Live::LastModified, _) => write_http_date(out, node.modified),
            (Live::ContentLength, None) => write_number(out, node.size),
            (Live::ContentType, None) => escape_into(out, media_type(node)),
            (Live::Etag, None) => {
                out.push(b'"');
                escape_into(out, &node.etag.0);
                out.push(b'"');
            }
            (Live::LockDiscovery, _) => {
                for held in locks {
                    write_active_lock(out, held, &self.base, self.now);
                }
            }
            (Live::SupportedLock, _) => out.extend_from_slice(
                b"<D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>\
                  <D:lockentry><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>",
            ),
            (Live::QuotaAvailable, Some(_)) => match self.quota {
                Some((_, Some(available))) => write_number(out, available),
                Some((_, None)) => return false,
                None => return self.plan.names_only,
            },
            // RFC 4331 §4: what counts against the quota; for a folder, what lies below it.
            (Live::QuotaUsed, Some(_)) if node.id == NodeId::ROOT => match self.quota {
                Some((used, _)) => write_number(out, used),
                None => return self.plan.names_only,
            },
            (Live::QuotaUsed, Some(_)) => write_number(out, node.size),
            (Live::SyncToken, Some(facts)) => write_sync_token(out, node.id, facts.token),
            _ => return false,
        }
        true
    }
}

fn write_empty(out: &mut Vec<u8>, tag: &str) {
    out.extend_from_slice(b"<D:");
    out.extend_from_slice(tag.as_bytes());
    out.extend_from_slice(b"/>");
}

fn write_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn write_href(out: &mut Vec<u8>, url: &str) {
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

fn write_privileges(out: &mut Vec<u8>, rights: Option<Rights>) {
    let privileges: &[&str] = match rights {
        None => &["read-current-user-privilege-set"],
        Some(Rights::Read) => &["read", "read-current-user-privilege-set"],
        Some(Rights::Append) => &["read", "read-current-user-privilege-set", "bind"],
        // DAVx5 takes a collection without `write` for read-only.
        Some(Rights::Write) => &[
            "read",
            "read-current-user-privilege-set",
            "write",
            "write-properties",
            "write-content",
            "bind",
            "unbind",
            "unlock",
        ],
    };
    for privilege in privileges {
        out.extend_from_slice(b"<D:privilege>");
        write_empty(out, privilege);
        out.extend_from_slice(b"</D:privilege>");
    }
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
pub(crate) fn write_active_lock(out: &mut Vec<u8>, held: &Held, base: &str, now: Timestamp) {
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
    write_href(out, &crate::url::place_url(base, &lock.root, held.on_folder));
    out.extend_from_slice(b"</D:lockroot></D:activelock>");
}

/// A file's media type: as given, else by its name.
pub(crate) fn media_type(node: &Node) -> &str {
    if let Some(given) = &node.media_type {
        return given;
    }
    let name = node.name.as_str();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    mime_guess::from_ext(extension).first_raw().unwrap_or("application/octet-stream")
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
    use allod_core::FolderFacts;
    use allod_model::{Etag, Kind, Name, NameRule};

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
            object: None,
        }
    }

    fn folder(name: &str) -> Node {
        let facts = FolderFacts { kind: Kind::Plain, token: Seq(9), below: Seq(9), documents: 0 };
        Node { folder: Some(facts), ..node(name) }
    }

    fn written(plan: Plan, node: &Node) -> String {
        let mut out = Vec::new();
        Writer::new(plan, "alice", Timestamp::from_secs(0)).member(&mut out, b"/dav/alice/", node, &[]);
        let text = String::from_utf8(out).unwrap();
        Document::parse(format!("<D:r xmlns:D=\"DAV:\">{text}</D:r>").as_bytes()).expect(&text);
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
