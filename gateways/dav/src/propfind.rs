//! PROPFIND (RFC 4918 §9.1) on files and folders, streamed page by page.

use allod_core::{Listing, Lock, Mount, Node, Session};
use allod_kit::{RequestBody, ResponseBody, full_body};
use allod_model::{EntryKey, Error, ErrorKind, Path, Timestamp};
use http::header::HeaderValue;
use http::{HeaderMap, Response, StatusCode};

use crate::body::read_xml;
use crate::error::{Answer, Doing, Failure};
use crate::handle::{Call, xml};
use crate::pages::{Pages, paged};
use crate::places::Places;
use crate::plan::{Live, Plan};
use crate::principal;
use crate::props::{Subject, Writer, held};
use crate::quirks::quirk_windows_small_rows;
use crate::sharing;
use crate::url::principal_url;
use crate::xml::Document;

/// Most documents below a folder that is listed with everything below it.
const DOCUMENTS_MAX: u64 = 20_000;
/// Most members, folders too, that such a listing shows.
const MEMBERS_MAX: usize = 40_000;
/// Members fetched and written at a time.
const PAGE_NODES: usize = 1000;
/// Room made for each member's row, in bytes.
const ROW_BYTES: usize = 768;

/// The prefixes are those of the table of live properties.
pub(crate) const MULTISTATUS_HEAD: &[u8] = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus \
    xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\" xmlns:CR=\"urn:ietf:params:xml:ns:carddav\" \
    xmlns:CS=\"http://calendarserver.org/ns/\">\n";
pub(crate) const MULTISTATUS_TAIL: &[u8] = b"</D:multistatus>\n";

/// The `Depth` header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Depth {
    /// The resource itself.
    Zero,
    /// And its members.
    One,
    /// And everything below.
    Infinity,
}

/// Reads `Depth`; `absent` when there is none.
///
/// # Errors
/// 400 for anything but `0`, `1` and `infinity`.
pub(crate) fn parse_depth(headers: &HeaderMap, absent: Depth) -> Result<Depth, Failure> {
    let Some(value) = headers.get("depth") else { return Ok(absent) };
    match value.as_bytes().trim_ascii() {
        b"0" => Ok(Depth::Zero),
        b"1" => Ok(Depth::One),
        word if word.eq_ignore_ascii_case(b"infinity") => Ok(Depth::Infinity),
        _ => Err(Failure::bad_request("Depth is 0, 1 or infinity")),
    }
}

/// What the `Prefer` header asks of a multistatus (RFC 8144).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Preference {
    /// `return=minimal`.
    pub minimal: bool,
    /// `depth-noroot`.
    pub no_root: bool,
    /// `return=representation`.
    pub representation: bool,
}

/// Reads `Prefer`.
pub fn parse_prefer(headers: &HeaderMap) -> Preference {
    // RFC 8144 §2: the older spelling.
    let brief = headers.get("brief").is_some_and(|brief| brief.as_bytes().eq_ignore_ascii_case(b"t"));
    let mut preference = Preference { minimal: brief, ..Preference::default() };
    for value in headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok()) {
        for word in value.split([',', ';']) {
            let word: String = word.chars().filter(|c| !c.is_whitespace() && *c != '"').collect();
            preference.minimal |= word.eq_ignore_ascii_case("return=minimal");
            preference.representation |= word.eq_ignore_ascii_case("return=representation");
            preference.no_root |= word.eq_ignore_ascii_case("depth-noroot");
        }
    }
    preference
}

impl Preference {
    /// Says what was heeded (RFC 7240 §3).
    pub(crate) fn applied(self, response: &mut Response<ResponseBody>) {
        let applied = match (self.minimal, self.no_root) {
            (false, false) => return,
            (true, false) => "return=minimal",
            (false, true) => "depth-noroot",
            (true, true) => "return=minimal, depth-noroot",
        };
        response.headers_mut().insert("preference-applied", HeaderValue::from_static(applied));
    }
}

/// Reads a `propfind` body into a plan.
///
/// # Errors
/// 400 when it is not one or names too much.
pub(crate) fn parse_plan(document: Option<&Document>) -> Result<Plan, Failure> {
    // RFC 4918 §9.1: no body asks for everything.
    let Some(document) = document else { return Ok(Plan::all()) };
    let root = document.root();
    if !root.is_dav("propfind") {
        return Err(Failure::bad_request("the body of PROPFIND is a propfind element"));
    }
    let too_many = || Failure::bad_request("too many properties are asked for");
    // RFC 4918 §14.20: one of them.
    let wishes =
        root.children().filter(|child| ["prop", "allprop", "propname"].iter().any(|name| child.is_dav(name)));
    if wishes.count() > 1 {
        return Err(Failure::bad_request("propfind holds one of prop, allprop and propname"));
    }
    if let Some(prop) = root.dav_child("prop") {
        return Plan::only(prop).ok_or_else(too_many);
    }
    if root.dav_child("allprop").is_some() {
        return match root.dav_child("include") {
            Some(include) => Plan::all().with(include).ok_or_else(too_many),
            None => Ok(Plan::all()),
        };
    }
    match root.dav_child("propname") {
        Some(_) => Ok(Plan::names()),
        None => Err(Failure::bad_request("propfind holds prop, allprop or propname")),
    }
}

/// What a PROPFIND asks.
pub(crate) struct Question {
    pub(crate) plan: Plan,
    pub(crate) depth: Depth,
    pub(crate) preference: Preference,
}

/// Reads and understands the request.
pub(crate) async fn parse(headers: &HeaderMap, body: RequestBody) -> Result<Question, Failure> {
    // RFC 4918 §9.1: without the header, infinity is meant.
    let depth = parse_depth(headers, Depth::Infinity)?;
    let preference = parse_prefer(headers);
    let document = read_xml(body).await?;
    let mut plan = parse_plan(document.as_ref())?;
    plan.minimal |= preference.minimal;
    if document.is_none() && quirk_windows_small_rows(headers) {
        plan = plan.without(Live::SupportedLock);
    }
    Ok(Question { plan, depth, preference })
}

/// A writer with what the plan needs of the account.
pub(crate) async fn writer(
    session: &Session,
    places: &Places,
    plan: Plan,
    now: Timestamp,
) -> Result<Writer, Error> {
    let wants_quota = plan.asks(Live::QuotaAvailable) || plan.asks(Live::QuotaUsed);
    let facts = principal::facts(session, &plan).await?;
    let mut writer = Writer::new(plan, places, now);
    writer.facts = facts;
    if wants_quota {
        let quota = session.quota().await?;
        writer.quota = Some((quota.used, quota.available));
    }
    Ok(writer)
}

/// Answers PROPFIND on a place in the tree. Never redirects: Explorer loses its way on a 301.
pub(crate) async fn handle(call: &Call, body: RequestBody) -> Answer {
    let question = parse(&call.headers, body).await?;
    let preference = question.preference;
    let failing = call.failing(Doing::Read);
    let node = call.stat(question.plan.needs_dead()).await.map_err(&failing)?;
    let documents = node.folder.map_or(0, |facts| facts.documents);
    if question.depth == Depth::Infinity && documents > DOCUMENTS_MAX {
        // RFC 4918 §9.1: a server may refuse infinite depth, with this condition.
        return Err(Failure::forbidden("propfind-finite-depth"));
    }
    let precondition = call.precondition()?;
    if !precondition.any_of.is_empty() || precondition.if_match.is_some() {
        call.session.judge_now(&call.path, &precondition, call.want()).await.map_err(&failing)?;
    }
    let mut response = xml(StatusCode::MULTI_STATUS, listing(call, &node, question).await.map_err(&failing)?);
    preference.applied(&mut response);
    Ok(response)
}

/// A multistatus of all members at any depth of the call's place, or of nothing.
pub(crate) async fn members(call: &Call, plan: Plan, all: bool) -> Answer {
    let failing = call.failing(Doing::Report);
    let node = call.stat(plan.needs_dead()).await.map_err(&failing)?;
    let body = if all && node.is_folder() {
        if node.folder.is_some_and(|facts| facts.documents > DOCUMENTS_MAX) {
            return Err(Failure::forbidden("number-of-matches-within-limits"));
        }
        let preference = Preference { no_root: true, ..Preference::default() };
        let question = Question { plan, depth: Depth::Infinity, preference };
        listing(call, &node, question).await.map_err(&failing)?
    } else {
        full_body([MULTISTATUS_HEAD, MULTISTATUS_TAIL].concat())
    };
    Ok(xml(StatusCode::MULTI_STATUS, body))
}

/// A multistatus of a node and, as the depth says, of what is in it.
async fn listing(call: &Call, node: &Node, question: Question) -> Result<ResponseBody, Error> {
    let Question { plan, depth, preference } = question;
    let (session, path) = (&call.session, &call.path);
    let members = depth != Depth::Zero && node.is_folder();
    let locks = match (plan.asks(Live::LockDiscovery), members) {
        (false, _) => Vec::new(),
        (true, true) => session.locks_within(path).await?,
        (true, false) => session.locks(path).await?,
    };
    let url = call.url(path, node.is_folder());
    let mut writer = writer(session, &call.places, plan, call.now).await?;
    let mut out = Vec::with_capacity(2 * ROW_BYTES);
    out.extend_from_slice(MULTISTATUS_HEAD);
    if !(members && preference.no_root) {
        let held = held(&locks, path, node.is_folder());
        writer.sharing = match call.mount_root() {
            Some(mount) => sharing::Facts::of_mount(mount),
            None if call.mount.is_none() => {
                sharing::Facts::of(session, &call.origin(), path, node, &writer.plan).await?
            }
            None => sharing::Facts::default(),
        };
        writer.response(&mut out, url.as_bytes(), Subject::Node(node, &held));
        writer.sharing = sharing::Facts::default();
    }
    if !members {
        out.extend_from_slice(MULTISTATUS_TAIL);
        return Ok(full_body(out));
    }
    let deeper = (depth == Depth::Infinity).then(|| Deeper {
        asked: url.clone(),
        left: MEMBERS_MAX,
        folders: Vec::new(),
    });
    for mount in session.mounts(path).await? {
        write_mount(&mut out, &mut writer, &mount);
    }
    let folder = path.clone();
    paged(
        out,
        Members {
            session: session.clone(),
            origin: call.origin(),
            writer,
            folder,
            url,
            locks,
            after: None,
            deeper,
        },
    )
    .await
}

/// Appends a folder that another account lends.
fn write_mount(out: &mut Vec<u8>, writer: &mut Writer, mount: &Mount) {
    let url = writer.places.url(&mount.at, true);
    let owner = std::mem::replace(&mut writer.owner, principal_url(&mount.owner));
    writer.sharing = sharing::Facts::of_mount(mount);
    writer.response(out, url.as_bytes(), Subject::Node(&mount.node, &[]));
    writer.sharing = sharing::Facts::default();
    writer.owner = owner;
}

/// What is left to list.
struct Members {
    session: Session,
    /// Scheme and authority of this server.
    origin: String,
    writer: Writer,
    /// The folder whose members are written.
    folder: Path,
    /// Its URL with the slash.
    url: String,
    /// The locks that show on its members.
    locks: Vec<Lock>,
    /// The last of its members that was fetched.
    after: Option<EntryKey>,
    /// `None` at depth 1.
    deeper: Option<Deeper>,
}

/// What infinite depth adds.
struct Deeper {
    /// The URL that was asked for.
    asked: String,
    /// How many more members may be written.
    left: usize,
    /// Folders that were written and not listed yet, the next one last. **Invariant:** no more than members written.
    folders: Vec<Path>,
}

impl Pages for Members {
    async fn page(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        let mut room = PAGE_NODES;
        while room > 0 {
            let listing = self.fetch(room).await?;
            room = room.saturating_sub(listing.nodes.len().max(1));
            let mut sharing = Vec::with_capacity(listing.nodes.len());
            for node in listing.nodes.iter().filter(|node| node.is_folder()) {
                let at = self.folder.join(node.name.clone());
                let facts = sharing::Facts::of(&self.session, &self.origin, &at, node, &self.writer.plan);
                sharing.push(facts.await?);
            }
            if !self.write(out, &listing.nodes, sharing) {
                return Ok(false);
            }
            self.after = listing.next;
            if self.after.is_none() && !self.descend().await? {
                out.extend_from_slice(MULTISTATUS_TAIL);
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Members {
    async fn fetch(&self, limit: usize) -> Result<Listing, Error> {
        let dead = self.writer.plan.needs_dead();
        let listing = self.session.list(&self.folder, self.after.as_ref(), limit, dead).await;
        match listing {
            Err(error) if self.deeper.is_some() && is_gone(&error) => {
                Ok(Listing { nodes: Vec::new(), next: None })
            }
            Ok(mut listing) if self.folder.is_root() && self.writer.places.window().shows_files() => {
                listing.nodes.retain(|node| node.name.as_str() != crate::nextcloud::UPLOADS);
                Ok(listing)
            }
            listing => listing,
        }
    }

    /// Appends members, with how the folders among them are shared; `false`, and the end appended, when there are too
    /// many.
    fn write(&mut self, out: &mut Vec<u8>, nodes: &[Node], sharing: Vec<sharing::Facts>) -> bool {
        out.reserve(nodes.len() * ROW_BYTES);
        let mut sharing = sharing.into_iter();
        for node in nodes {
            if self.deeper.as_ref().is_some_and(|deeper| deeper.left == 0) {
                self.cut(out);
                return false;
            }
            let held = match self.locks.is_empty() {
                true => Vec::new(),
                false => held(&self.locks, &self.folder.join(node.name.clone()), node.is_folder()),
            };
            if node.is_folder() {
                self.writer.sharing = sharing.next().unwrap_or_default();
            }
            self.writer.member(out, self.url.as_bytes(), node, &held);
            if let Some(deeper) = &mut self.deeper {
                deeper.left -= 1;
            }
        }
        if let Some(deeper) = &mut self.deeper {
            let folders = nodes.iter().rev().filter(|node| node.is_folder());
            deeper.folders.extend(folders.map(|node| self.folder.join(node.name.clone())));
        }
        true
    }

    /// Goes on with the next folder; `false` when there is none.
    async fn descend(&mut self) -> Result<bool, Error> {
        let Some(folder) = self.deeper.as_mut().and_then(|deeper| deeper.folders.pop()) else {
            return Ok(false);
        };
        if self.writer.plan.asks(Live::LockDiscovery) {
            self.locks = match self.session.locks_within(&folder).await {
                Err(error) if is_gone(&error) => Vec::new(),
                locks => locks?,
            };
        }
        self.url = self.writer.places.url(&folder, true);
        self.folder = folder;
        Ok(true)
    }

    /// Says that not all is there, as RFC 6578 §3.6 does, and ends.
    fn cut(&self, out: &mut Vec<u8>) {
        let asked = self.deeper.as_ref().map_or("", |deeper| &deeper.asked);
        out.extend_from_slice(b"<D:response><D:href>");
        out.extend_from_slice(asked.as_bytes());
        out.extend_from_slice(
            b"</D:href><D:status>HTTP/1.1 507 Insufficient Storage</D:status>\
              <D:error><D:propfind-finite-depth/></D:error></D:response>\n",
        );
        out.extend_from_slice(MULTISTATUS_TAIL);
    }
}

/// A folder below may go, or become a file, while those above are listed.
fn is_gone(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::NotFound | ErrorKind::WrongKind)
}

#[cfg(test)]
mod tests {
    use allod_core::FolderOptions;
    use allod_model::{NameRule, Precondition};

    use super::*;

    #[test]
    fn depths() {
        let depth = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("depth", value.parse().unwrap());
            parse_depth(&headers, Depth::Infinity).ok()
        };
        assert_eq!(depth("0"), Some(Depth::Zero));
        assert_eq!(depth(" 1 "), Some(Depth::One));
        assert_eq!(depth("Infinity"), Some(Depth::Infinity));
        assert_eq!(depth("2"), None);
        assert_eq!(depth("1,noroot"), None);
    }

    #[test]
    fn preferences() {
        let mut headers = HeaderMap::new();
        headers.append("prefer", "return=\"minimal\"; x, depth-noroot".parse().unwrap());
        assert_eq!(
            parse_prefer(&headers),
            Preference { minimal: true, no_root: true, representation: false }
        );
        assert_eq!(parse_prefer(&HeaderMap::new()), Preference::default());
    }

    fn plan(xml: &str) -> Option<Plan> {
        parse_plan(Some(&Document::parse(xml.as_bytes()).unwrap())).ok()
    }

    /// floccus asks without a body.
    #[test]
    fn quirk_floccus_no_body() {
        assert_eq!(parse_plan(None).unwrap(), Plan::all());
    }

    #[test]
    fn plans() {
        assert_eq!(plan("<propfind xmlns='DAV:'><allprop/></propfind>"), Some(Plan::all()));
        assert_eq!(plan("<propfind xmlns='DAV:'><propname/></propfind>"), Some(Plan::names()));
        let only = plan("<propfind xmlns='DAV:'><prop><getetag/><getetag/></prop></propfind>").unwrap();
        assert!(only.asks(Live::Etag) && !only.asks(Live::ContentLength) && !only.needs_dead());
        let more =
            plan("<propfind xmlns='DAV:'><allprop/><include><sync-token/></include></propfind>").unwrap();
        assert!(more.asks(Live::SyncToken) && more.asks(Live::Etag) && more.needs_dead());
        assert_eq!(plan("<propfind xmlns='DAV:'/>"), None);
        assert_eq!(plan("<other xmlns='DAV:'><allprop/></other>"), None);
        assert_eq!(plan("<propfind><allprop/></propfind>"), None);
        let many: String = (0..1001).map(|n| format!("<p{n}/>")).collect();
        assert_eq!(plan(&format!("<propfind xmlns='DAV:'><prop>{many}</prop></propfind>")), None);
    }

    #[tokio::test]
    async fn too_many_members_end_with_507() {
        let (core, _) = crate::tests::store().await;
        let session = core.operator().session("alice").unwrap();
        let folder = Path::parse(b"d", NameRule::Strict).unwrap();
        for name in ["d", "d/a", "d/b", "d/b/c"] {
            let path = Path::parse(name.as_bytes(), NameRule::Strict).unwrap();
            session.make_folder(&path, FolderOptions::default(), Precondition::default()).await.unwrap();
        }
        for (left, rows) in [(3, 3), (2, 2), (0, 0)] {
            let writer =
                writer(&session, &Places::own("alice"), Plan::all(), Timestamp::from_secs(0)).await.unwrap();
            let url = "/dav/alice/d/".to_owned();
            let deeper = Some(Deeper { asked: url.clone(), left, folders: Vec::new() });
            let (session, folder) = (session.clone(), folder.clone());
            let mut members = Members {
                session,
                origin: String::new(),
                writer,
                folder,
                url,
                locks: Vec::new(),
                after: None,
                deeper,
            };
            let mut out = Vec::new();
            assert!(!members.page(&mut out).await.unwrap());
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.matches("<D:propstat>").count(), rows, "{text}");
            let cut = "<D:href>/dav/alice/d/</D:href><D:status>HTTP/1.1 507 Insufficient Storage</D:status>";
            assert_eq!(text.contains(cut), left < 3, "{text}");
            assert!(text.ends_with("</D:multistatus>\n"));
        }
    }
}
