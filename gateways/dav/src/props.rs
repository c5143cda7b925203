//! Properties: which there are, and how they are written.
//!
//! What a request asks for becomes a [`Plan`] once; then each member of a folder is written straight into a buffer,
//! without an allocation of its own.

use allod_core::{Lock, Node, Property};
use allod_model::{NodeId, Path, Rights, Seq, Timestamp};

use crate::date::{write_http_date, write_iso_date};
use crate::escape::{escape_into, escaped};
use crate::url::encode_segment;
use crate::xml::{DAV, Element};

/// Most properties that one request may name.
pub const PROPERTIES_MAX: usize = 1000;

/// The properties that the server computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Live {
    /// RFC 4918 §15.1.
    CreationDate,
    /// RFC 4918 §15.2; a dead one, once set, takes its place.
    DisplayName,
    /// RFC 4918 §15.4.
    ContentLength,
    /// RFC 4918 §15.5.
    ContentType,
    /// RFC 4918 §15.6; files only.
    Etag,
    /// RFC 4918 §15.7.
    LastModified,
    /// RFC 4918 §15.8.
    LockDiscovery,
    /// RFC 4918 §15.9.
    ResourceType,
    /// RFC 4918 §15.10.
    SupportedLock,
    /// RFC 4331 §3.
    QuotaAvailable,
    /// RFC 4331 §4.
    QuotaUsed,
    /// RFC 6578 §4.
    SyncToken,
    /// RFC 3253 §3.1.5.
    SupportedReportSet,
    /// RFC 5397 §3.
    CurrentUserPrincipal,
    /// RFC 3744 §5.5.
    CurrentUserPrivilegeSet,
    /// RFC 3744 §5.1.
    Owner,
    /// RFC 3744 §4.2; principals only.
    PrincipalUrl,
    /// RFC 3744 §5.8.
    PrincipalCollectionSet,
}

/// All of them with their names in `DAV:`. The first nine are what RFC 4918 §9.1 has `allprop` return.
pub(crate) const LIVE: [(Live, &str); 18] = [
    (Live::CreationDate, "creationdate"),
    (Live::DisplayName, "displayname"),
    (Live::ContentLength, "getcontentlength"),
    (Live::ContentType, "getcontenttype"),
    (Live::Etag, "getetag"),
    (Live::LastModified, "getlastmodified"),
    (Live::LockDiscovery, "lockdiscovery"),
    (Live::ResourceType, "resourcetype"),
    (Live::SupportedLock, "supportedlock"),
    (Live::QuotaAvailable, "quota-available-bytes"),
    (Live::QuotaUsed, "quota-used-bytes"),
    (Live::SyncToken, "sync-token"),
    (Live::SupportedReportSet, "supported-report-set"),
    (Live::CurrentUserPrincipal, "current-user-principal"),
    (Live::CurrentUserPrivilegeSet, "current-user-privilege-set"),
    (Live::Owner, "owner"),
    (Live::PrincipalUrl, "principal-URL"),
    (Live::PrincipalCollectionSet, "principal-collection-set"),
];
/// RFC 4331 §2 and RFC 6578 §4 want their properties left out of `allprop`.
const ALLPROP: usize = 9;

impl Live {
    /// The property of that name.
    pub(crate) fn named(namespace: &str, name: &str) -> Option<Live> {
        if namespace != DAV {
            return None;
        }
        LIVE.iter().find(|(_, n)| *n == name).map(|(live, _)| *live)
    }

    fn tag(self) -> &'static str {
        // **Invariant:** LIVE lists every variant, in the order of their declaration.
        LIVE[self as usize].1
    }
}

/// One property that a request names.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Ask {
    Live(Live),
    /// Namespace, name, and the empty element that says "not here".
    Dead(String, String, String),
}

/// What a request wants to know of each resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    asked: Vec<Ask>,
    /// All dead properties too.
    all_dead: bool,
    /// Names only.
    names_only: bool,
    /// RFC 8144 §2.1: leave out what is not there.
    pub(crate) minimal: bool,
}

impl Plan {
    /// `allprop` with what `include` names beside.
    pub(crate) fn all() -> Plan {
        let asked = LIVE[..ALLPROP].iter().map(|(live, _)| Ask::Live(*live)).collect();
        Plan { asked, all_dead: true, names_only: false, minimal: false }
    }

    /// `propname`.
    pub(crate) fn names() -> Plan {
        let asked = LIVE.iter().map(|(live, _)| Ask::Live(*live)).collect();
        Plan { asked, all_dead: true, names_only: true, minimal: true }
    }

    /// Exactly what a `prop` element names; `None` when it names too many.
    pub(crate) fn only(prop: Element<'_>) -> Option<Plan> {
        Plan { asked: Vec::new(), all_dead: false, names_only: false, minimal: false }.with(prop)
    }

    /// What an element's children name, beside what is asked already.
    pub(crate) fn with(mut self, prop: Element<'_>) -> Option<Plan> {
        for property in prop.children() {
            let (namespace, name) = (property.namespace(), property.name());
            let ask = match Live::named(namespace, name) {
                Some(live) => Ask::Live(live),
                None => Ask::Dead(namespace.to_owned(), name.to_owned(), empty_element(namespace, name)),
            };
            if self.asked.contains(&ask) {
                continue;
            }
            if self.asked.len() == PROPERTIES_MAX {
                return None;
            }
            self.asked.push(ask);
        }
        Some(self)
    }

    /// Without a live property.
    pub(crate) fn without(mut self, live: Live) -> Plan {
        self.asked.retain(|ask| *ask != Ask::Live(live));
        self
    }

    /// Whether dead properties must be fetched.
    pub(crate) fn needs_dead(&self) -> bool {
        let dead = |ask: &Ask| matches!(ask, Ask::Dead(..) | Ask::Live(Live::DisplayName));
        self.all_dead || self.asked.iter().any(dead)
    }

    /// Whether a live property is asked for.
    pub(crate) fn asks(&self, live: Live) -> bool {
        !self.names_only && self.asked.contains(&Ask::Live(live))
    }
}

/// A property's empty element: what stands for it where its value does not matter.
pub(crate) fn empty_element(namespace: &str, name: &str) -> String {
    match namespace {
        DAV => format!("<D:{name}/>"),
        // RFC 4918 §9.2 with Namespaces in XML §6.2: no namespace is no prefix.
        "" => format!("<{name} xmlns=\"\"/>"),
        other => format!("<x:{name} xmlns:x=\"{}\"/>", escaped(other)),
    }
}

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
            if !found {
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
