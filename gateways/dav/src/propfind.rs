//! PROPFIND (RFC 4918 §9.1) on files and folders, streamed page by page.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use allod_core::{Lock, Node, Session};
use allod_kit::{RequestBody, ResponseBody, full_body, stream_body};
use allod_model::{EntryKey, Error, Path, Timestamp};
use bytes::Bytes;
use futures_util::stream::try_unfold;
use http::header::HeaderValue;
use http::{HeaderMap, Response, StatusCode};

use crate::body::read_xml;
use crate::error::{Answer, Doing, Failure};
use crate::handle::{Call, xml};
use crate::plan::{Live, Plan};
use crate::props::{Subject, Writer, held};
use crate::quirks::quirk_windows_small_rows;
use crate::xml::Document;

/// Members fetched and written at a time.
const PAGE_NODES: usize = 1000;
/// Room made for each member's row, in bytes.
const ROW_BYTES: usize = 768;

pub(crate) const MULTISTATUS_HEAD: &[u8] =
    b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">\n";
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
}

/// Reads `Prefer`.
pub fn parse_prefer(headers: &HeaderMap) -> Preference {
    let mut preference = Preference::default();
    for value in headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok()) {
        for word in value.split([',', ';']) {
            let word: String = word.chars().filter(|c| !c.is_whitespace() && *c != '"').collect();
            preference.minimal |= word.eq_ignore_ascii_case("return=minimal");
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

/// Reads and understands the request: the plan, the depth and the preferences.
pub(crate) async fn parse(
    headers: &HeaderMap,
    body: RequestBody,
) -> Result<(Plan, Depth, Preference), Failure> {
    let depth = parse_depth(headers, Depth::Infinity)?;
    let preference = parse_prefer(headers);
    let document = read_xml(body).await?;
    let mut plan = parse_plan(document.as_ref())?;
    plan.minimal |= preference.minimal;
    if document.is_none() && quirk_windows_small_rows(headers) {
        plan = plan.without(Live::SupportedLock);
    }
    Ok((plan, depth, preference))
}

/// A writer with what the plan needs of the account.
pub(crate) async fn writer(session: &Session, plan: Plan) -> Result<Writer, Error> {
    let wants_quota = plan.asks(Live::QuotaAvailable) || plan.asks(Live::QuotaUsed);
    let mut writer = Writer::new(plan, &session.account(), now());
    if wants_quota {
        let quota = session.quota().await?;
        writer.quota = Some((quota.used, quota.available));
    }
    Ok(writer)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Answers PROPFIND on a place in the tree. Never redirects: Explorer loses its way on a 301.
pub(crate) async fn handle(call: &Call, body: RequestBody) -> Answer {
    let (plan, depth, preference) = parse(&call.headers, body).await?;
    let failing = call.failing(Doing::Read);
    let node = call.session.stat(&call.path, call.want(), plan.needs_dead()).await.map_err(&failing)?;
    if depth == Depth::Infinity && node.is_folder() {
        // RFC 4918 §9.1: a server may refuse infinite depth, with this condition.
        return Err(Failure::forbidden("propfind-finite-depth"));
    }
    let precondition = call.precondition()?;
    if !precondition.any_of.is_empty() || precondition.if_match.is_some() {
        call.session.judge_now(&call.path, &precondition, call.want()).await.map_err(&failing)?;
    }
    let url = call.url(&call.path, node.is_folder());
    let mut response =
        listing(&call.session, &call.path, url, &node, plan, depth, preference).await.map_err(&failing)?;
    preference.applied(&mut response);
    Ok(response)
}

/// A multistatus of a node and, at depth 1, of its members.
pub(crate) async fn listing(
    session: &Session,
    path: &Path,
    url: String,
    node: &Node,
    plan: Plan,
    depth: Depth,
    preference: Preference,
) -> Result<Response<ResponseBody>, Error> {
    let wants_locks = plan.asks(Live::LockDiscovery);
    let members = depth == Depth::One && node.is_folder();
    let locks = match (wants_locks, members) {
        (false, _) => Vec::new(),
        (true, true) => session.locks_within(path).await?,
        (true, false) => session.locks(path).await?,
    };
    let mut out = Vec::with_capacity(2 * ROW_BYTES);
    out.extend_from_slice(MULTISTATUS_HEAD);
    let mut writer = writer(session, plan).await?;
    if !(members && preference.no_root) {
        let held = held(&locks, path, node.is_folder());
        writer.response(&mut out, url.as_bytes(), Subject::Node(node, &held));
    }
    if !members {
        out.extend_from_slice(MULTISTATUS_TAIL);
        return Ok(xml(StatusCode::MULTI_STATUS, full_body(out)));
    }
    let mut rest =
        Members { session: session.clone(), writer, folder: path.clone(), url, locks, after: None };
    if !rest.page(&mut out).await? {
        return Ok(xml(StatusCode::MULTI_STATUS, full_body(out)));
    }
    Ok(xml(StatusCode::MULTI_STATUS, rest.stream(out)))
}

/// What is left to list of a folder.
struct Members {
    session: Session,
    writer: Writer,
    folder: Path,
    /// The folder's URL with its slash.
    url: String,
    locks: Vec<Lock>,
    after: Option<EntryKey>,
}

impl Members {
    /// Appends the next members, and the end after the last; whether more follow.
    async fn page(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        let dead = self.writer.plan.needs_dead();
        let listing = self.session.list(&self.folder, self.after.as_ref(), PAGE_NODES, dead).await?;
        out.reserve(listing.nodes.len() * ROW_BYTES);
        for node in &listing.nodes {
            let held = match self.locks.is_empty() {
                true => Vec::new(),
                false => held(&self.locks, &self.folder.join(node.name.clone()), node.is_folder()),
            };
            self.writer.member(out, self.url.as_bytes(), node, &held);
        }
        self.after = listing.next;
        if self.after.is_none() {
            out.extend_from_slice(MULTISTATUS_TAIL);
        }
        Ok(self.after.is_some())
    }

    /// `first`, then the pages that follow. A failure, or the end of the credential, cuts the connection.
    fn stream(self, first: Vec<u8>) -> ResponseBody {
        let pages = try_unfold((Some(first), Some(self)), |(ready, rest)| async move {
            if let Some(ready) = ready {
                return Ok(Some((Bytes::from(ready), (None, rest))));
            }
            let Some(mut rest) = rest else { return Ok::<_, io::Error>(None) };
            let mut out = Vec::new();
            let more = rest.page(&mut out).await.map_err(io::Error::other)?;
            Ok(Some((Bytes::from(out), (None, more.then_some(rest)))))
        });
        stream_body(pages)
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(parse_prefer(&headers), Preference { minimal: true, no_root: true });
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
}
