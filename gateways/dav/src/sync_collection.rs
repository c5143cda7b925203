//! `sync-collection` (RFC 6578).

use std::collections::{HashSet, VecDeque};

use allod_core::{Changes, Session};
use allod_kit::full_body;
use allod_model::{EntryKey, Error, ErrorKind, Kind, Name, NodeId, Path, Seq};
use http::StatusCode;

use crate::caldav::timezones;
use crate::error::{Answer, Doing, Failure};
use crate::handle::{Call, xml};
use crate::matches::write_truncated;
use crate::pages::{Fetching, Pages, pages_after};
use crate::plan::Plan;
use crate::principal;
use crate::propfind::{self, Depth, MULTISTATUS_HEAD, MULTISTATUS_TAIL, parse_depth, parse_prefer};
use crate::props::{Writer, parse_sync_token, write_sync_token};
use crate::quirks::quirk_thunderbird_expired_token;
use crate::sync_tree::{self, Level, write_gone};
use crate::xml::Element;

/// Changes fetched and written at a time.
const PAGE_CHANGES: usize = 1000;

/// What a `sync-collection` asks for.
#[derive(Debug)]
struct Query {
    /// The token as given; `None` for a first synchronization.
    token: Option<String>,
    plan: Plan,
    limit: Option<u64>,
    level: Level,
}

/// Answers the report.
///
/// # Errors
/// 403 with `valid-sync-token` and others of RFC 6578 §3.2.
pub(crate) async fn handle(call: &Call, root: Element<'_>) -> Answer {
    let thunderbird = quirk_thunderbird_expired_token(&call.headers);
    answer(call, root).await.map_err(|failure| match failure.is("valid-sync-token") && thunderbird {
        true => failure.status(StatusCode::BAD_REQUEST),
        false => failure,
    })
}

async fn answer(call: &Call, root: Element<'_>) -> Answer {
    // RFC 6578 §3.2 wants 0; Thunderbird sends 1, DAVx5 0, others nothing. Without a level it is the level (Appendix A).
    let depth = parse_depth(&call.headers, Depth::Zero)?;
    let leveled = root.dav_child("sync-level").is_some();
    if depth == Depth::Infinity && leveled {
        return Err(Failure::bad_request("this report works with Depth: 0"));
    }
    let failing = call.failing(Doing::Report);
    let node = call.stat(true).await.map_err(&failing)?;
    // RFC 3253 §3.6: a report that is not supported here.
    let Some(facts) = node.folder else { return Err(Failure::forbidden("supported-report")) };
    let mut query = parse_query(root)?;
    if depth == Depth::Infinity {
        query.level = Level::Infinite;
    }
    let preference = parse_prefer(&call.headers);
    query.plan.minimal |= preference.minimal;
    let since = match &query.token {
        None => None,
        Some(token) => match parse_sync_token(token) {
            Some((folder, seq)) if folder == node.id => Some(seq),
            // RFC 6578 §3.2: a token of another collection, or none of ours.
            _ => return Err(Failure::forbidden("valid-sync-token")),
        },
    };
    let mut writer =
        propfind::writer(&call.session, &call.places, query.plan, call.now).await.map_err(&failing)?;
    writer.zone = timezones::of_collection(&node.properties);
    // Calendars and address books hold no folders.
    if facts.kind == Kind::Plain && (query.level == Level::Infinite || is_home(&call.path)) {
        if query.level == Level::Infinite && query.limit.is_some() {
            // RFC 6578 §3.7: a walk of a tree has no place to stop at.
            return Err(too_many());
        }
        if query.limit.is_none() {
            let (session, folder) = (call.session.clone(), call.path.clone());
            let sync = sync_tree::Sync { session, writer, folder, node, since, level: query.level };
            let body = sync_tree::multistatus(sync).await.map_err(&failing)?;
            let mut response = xml(StatusCode::MULTI_STATUS, body);
            preference.applied(&mut response);
            return Ok(response);
        }
    }
    let mut sync = Sync {
        session: call.session.clone(),
        writer,
        folder: call.path.clone(),
        id: node.id,
        url: call.url(&call.path, true),
        since,
        initial: since.is_none(),
        until: facts.token,
        limit: query.limit,
        seen: HashSet::new(),
        unwritten: VecDeque::new(),
        fetching: Fetching::default(),
        end: None,
    };
    let first = sync.fetch().await.map_err(&failing)?;
    if query.limit.is_some_and(|limit| first.changes.len() as u64 > limit) {
        // RFC 6578 §3.7: not even the first commit fits.
        return Err(too_many());
    }
    let mut out = MULTISTATUS_HEAD.to_vec();
    sync.write(&mut out, first);
    let more = sync.settle(&mut out).await.map_err(&failing)?;
    let body = if more { pages_after(out, sync) } else { full_body(out) };
    let mut response = xml(StatusCode::MULTI_STATUS, body);
    preference.applied(&mut response);
    Ok(response)
}

fn too_many() -> Failure {
    Failure::new(StatusCode::INSUFFICIENT_STORAGE, "").element("number-of-matches-within-limits")
}

/// A home of calendars or address books: few folders, of which a client wants to know at once which changed.
fn is_home(path: &Path) -> bool {
    matches!(path.names(), [home] if principal::is_home(home))
}

fn parse_query(root: Element<'_>) -> Result<Query, Failure> {
    let level = root.dav_child("sync-level").map(Element::text);
    let level = match level.as_deref() {
        // Before the RFC, Depth said it.
        None | Some("1") => Level::One,
        Some("infinite" | "infinity") => Level::Infinite,
        Some(_) => return Err(Failure::bad_request("sync-level is 1 or infinite")),
    };
    let token = root.dav_child("sync-token").map(Element::text).filter(|token| !token.is_empty());
    let limit = match root.dav_child("limit").and_then(|limit| limit.dav_child("nresults")).map(Element::text)
    {
        None => None,
        Some(text) => {
            let number = text.parse::<u64>().ok().filter(|number| *number > 0);
            Some(number.ok_or_else(|| Failure::bad_request("nresults is a positive number"))?)
        }
    };
    let plan = match root.dav_child("prop") {
        Some(_) => Plan::of_report(root)?.unwrap_or_else(Plan::none),
        None => return Err(Failure::bad_request("sync-collection holds a prop element")),
    };
    Ok(Query { token, plan, limit, level })
}

/// A synchronization under way.
struct Sync {
    session: Session,
    writer: Writer,
    folder: Path,
    id: NodeId,
    /// The folder's URL with its slash.
    url: String,
    since: Option<Seq>,
    /// The client knows nothing yet.
    initial: bool,
    /// The folder's token when the request came: what changes later may be left for the next time.
    until: Seq,
    /// What the client still takes.
    limit: Option<u64>,
    /// Members written so far.
    seen: HashSet<EntryKey>,
    /// Files of pages that were read whose contents are still to be fetched and written.
    unwritten: VecDeque<Name>,
    fetching: Fetching,
    /// Once all pages were read: the token to go on with, and whether there is more than was asked for.
    end: Option<(Seq, bool)>,
}

impl Sync {
    /// The next page. Changes of one commit are not parted, so it is longer than the client's limit if the first
    /// commit in it is.
    async fn fetch(&self) -> Result<Changes, Error> {
        let limit = self.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let dead = self.writer.plan.needs_dead();
        self.session.changes(&self.folder, self.since, limit.min(PAGE_CHANGES), dead).await
    }

    /// Appends a page, except for files whose contents are wanted.
    fn write(&mut self, out: &mut Vec<u8>, page: Changes) {
        let over_limit = self.limit.is_some_and(|limit| page.changes.len() as u64 > limit);
        // RFC 6578 §3.2: a member appears once. One that comes again was changed while we spoke; it, and what is
        // newer, is for the next time, and the token says so. A page that would exceed the limit is, too.
        let again = |key: &EntryKey| self.seen.contains(key) || self.seen.contains(&key.twin());
        if over_limit || (!self.seen.is_empty() && page.changes.iter().any(|change| again(&change.key))) {
            self.end = Some((self.since.unwrap_or_default(), over_limit));
            return;
        }
        let with_content = self.writer.plan.needs_content();
        for change in &page.changes {
            match &change.node {
                Some(node) if with_content && !node.is_folder() => {
                    self.unwritten.push_back(node.name.clone())
                }
                Some(node) => self.writer.member(out, self.url.as_bytes(), node, &[]),
                // What a client never heard of has not gone for it.
                None if self.initial => {}
                None => write_gone(out, &self.url, &change.key),
            }
        }
        if let Some(limit) = &mut self.limit {
            *limit -= page.changes.len() as u64;
        }
        self.since = Some(page.token);
        let full = self.limit == Some(0);
        if !page.more || full || page.token >= self.until {
            self.end = Some((page.token, page.more && full));
            return;
        }
        self.seen.extend(page.changes.into_iter().map(|change| change.key));
    }

    /// Appends files with their contents, and the end once nothing is left; whether more is to come.
    async fn settle(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        let count = self.unwritten.len().min(self.fetching.count());
        let names: Vec<Name> = self.unwritten.drain(..count).collect();
        let paths: Vec<Path> = names.iter().map(|name| self.folder.join(name.clone())).collect();
        if !paths.is_empty() {
            let all = self.session.fetch(&paths, self.writer.plan.needs_dead()).await?;
            self.fetching.learn(all.iter().flatten());
            for found in all {
                match found {
                    Ok(found) => self.writer.found(out, self.url.as_bytes(), &found),
                    // It went meanwhile; the token is older than that, so the client hears of it next time.
                    Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::WrongKind) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        match self.end {
            Some((token, truncated)) if self.unwritten.is_empty() => {
                self.finish(out, token, truncated);
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    fn finish(&self, out: &mut Vec<u8>, token: Seq, truncated: bool) {
        if truncated {
            // RFC 6578 §3.6: truncated, so 507 for the collection.
            write_truncated(out, &self.url);
        }
        out.extend_from_slice(b"<D:sync-token>");
        write_sync_token(out, self.id, token);
        out.extend_from_slice(b"</D:sync-token>\n");
        out.extend_from_slice(MULTISTATUS_TAIL);
    }
}

impl Pages for Sync {
    async fn page(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        if self.unwritten.is_empty() && self.end.is_none() {
            let changes = self.fetch().await?;
            self.write(out, changes);
        }
        self.settle(out).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Document;

    fn query(inside: &str) -> Result<Query, Failure> {
        let xml = format!("<sync-collection xmlns='DAV:'>{inside}</sync-collection>");
        parse_query(Document::parse(xml.as_bytes()).unwrap().root())
    }

    #[test]
    fn queries() {
        let first = query("<sync-token/><sync-level>1</sync-level><prop><getetag/></prop>").unwrap();
        assert_eq!((first.token, first.limit), (None, None));
        let next = query(
            "<sync-token>urn:allod:sync:7:9</sync-token><sync-level>1</sync-level><limit><nresults>5</nresults></limit><prop/>",
        )
        .unwrap();
        assert_eq!(
            (next.token.as_deref().and_then(parse_sync_token), next.limit),
            (Some((NodeId(7), Seq(9))), Some(5))
        );
        assert_eq!(query("<sync-level>infinite</sync-level><prop/>").unwrap().level, Level::Infinite);
        assert!(query("<sync-level>2</sync-level><prop/>").is_err());
        assert!(query("<limit><nresults>0</nresults></limit><prop/>").is_err());
        assert!(query("<sync-level>1</sync-level>").is_err());
    }

    #[test]
    fn tokens() {
        let mut token = Vec::new();
        write_sync_token(&mut token, NodeId(12), Seq(345));
        assert_eq!(token, b"urn:allod:sync:12:345");
        for bad in [
            "",
            "urn:allod:sync:1",
            "urn:allod:sync:1:+2",
            "urn:allod:sync:1:2:3",
            "http://x/1",
            "urn:allod:sync::",
        ] {
            assert_eq!(parse_sync_token(bad), None, "{bad}");
        }
    }
}
