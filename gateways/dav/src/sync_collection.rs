//! REPORT, of which there is one: `sync-collection` (RFC 6578).

use std::collections::HashSet;
use std::io;

use allod_core::{Changes, Session};
use allod_kit::{RequestBody, full_body, stream_body};
use allod_model::{EntryKey, Error, NodeId, Path, Seq};
use bytes::Bytes;
use futures_util::stream::try_unfold;
use http::StatusCode;

use crate::body::read_xml;
use crate::error::{Answer, Doing, Failure};
use crate::handle::{Call, xml};
use crate::plan::Plan;
use crate::propfind::{self, Depth, MULTISTATUS_HEAD, MULTISTATUS_TAIL, parse_depth, parse_prefer};
use crate::props::{Writer, parse_sync_token, write_sync_token};
use crate::url::encode_segment;
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
}

/// Answers REPORT on a place in the tree.
pub(crate) async fn handle(call: &Call, body: RequestBody) -> Answer {
    // RFC 6578 §3.2 wants 0; Thunderbird sends 1 (Appendix A), DAVx5 0, others nothing.
    if parse_depth(&call.headers, Depth::Zero)? == Depth::Infinity {
        return Err(Failure::bad_request("this report works with Depth: 0"));
    }
    let document = read_xml(body).await?.ok_or_else(|| Failure::bad_request("REPORT needs a body"))?;
    let failing = call.failing(Doing::Report);
    let node = call.session.stat(&call.path, call.want(), false).await.map_err(&failing)?;
    // RFC 3253 §3.6: a report that is not supported here.
    let (Some(facts), true) = (node.folder, document.root().is_dav("sync-collection")) else {
        return Err(Failure::forbidden("supported-report"));
    };
    let mut query = parse_query(document.root())?;
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
    let mut sync = Sync {
        session: call.session.clone(),
        writer: propfind::writer(&call.session, query.plan).await.map_err(&failing)?,
        folder: call.path.clone(),
        id: node.id,
        url: call.url(&call.path, true),
        since,
        until: facts.token,
        limit: query.limit,
        seen: HashSet::new(),
    };
    let first = sync.fetch().await.map_err(&failing)?;
    if query.limit.is_some_and(|limit| first.changes.len() as u64 > limit) {
        // RFC 6578 §3.7: not even the first commit fits.
        let failure = Failure::new(StatusCode::INSUFFICIENT_STORAGE, "");
        return Err(failure.element("number-of-matches-within-limits"));
    }
    let mut out = MULTISTATUS_HEAD.to_vec();
    let more = sync.write(&mut out, first);
    let body = if more { sync.stream(out) } else { full_body(out) };
    let mut response = xml(StatusCode::MULTI_STATUS, body);
    preference.applied(&mut response);
    Ok(response)
}

fn parse_query(root: Element<'_>) -> Result<Query, Failure> {
    let level = root.dav_child("sync-level").map(Element::text);
    match level.as_deref() {
        // Before the RFC, Depth said it.
        None | Some("1") => {}
        // RFC 6578 §3.3: this server does not descend.
        Some("infinite" | "infinity") => return Err(Failure::forbidden("sync-traversal-supported")),
        Some(_) => return Err(Failure::bad_request("sync-level is 1 or infinite")),
    }
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
        Some(prop) => {
            Plan::only(prop).ok_or_else(|| Failure::bad_request("too many properties are asked for"))?
        }
        None => return Err(Failure::bad_request("sync-collection holds a prop element")),
    };
    Ok(Query { token, plan, limit })
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
    /// The folder's token when the request came: what changes later may be left for the next time.
    until: Seq,
    /// What the client still takes.
    limit: Option<u64>,
    /// Members written so far.
    seen: HashSet<EntryKey>,
}

impl Sync {
    /// The next page. Changes of one commit are not parted, so a page can come out longer than the client's limit;
    /// then a shorter one is tried.
    async fn fetch(&self) -> Result<Changes, Error> {
        let limit = self.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let dead = self.writer.plan.needs_dead();
        let mut size = limit.min(PAGE_CHANGES);
        loop {
            let page = self.session.changes(&self.folder, self.since, size, dead).await?;
            if page.changes.len() <= limit || size <= 1 {
                return Ok(page);
            }
            size /= 2;
        }
    }

    /// Appends a page, and the end if it is the last; whether more is to be fetched.
    fn write(&mut self, out: &mut Vec<u8>, page: Changes) -> bool {
        let over_limit = self.limit.is_some_and(|limit| page.changes.len() as u64 > limit);
        // RFC 6578 §3.2: a member appears once. One that comes again was changed while we spoke; it, and what is
        // newer, is for the next time, and the token says so. A page that would exceed the limit is, too.
        if over_limit || page.changes.iter().any(|change| self.seen.contains(&change.key)) {
            self.finish(out, self.since.unwrap_or_default(), over_limit);
            return false;
        }
        for change in &page.changes {
            match &change.node {
                Some(node) => self.writer.member(out, self.url.as_bytes(), node, &[]),
                None => self.gone(out, &change.key),
            }
        }
        if let Some(limit) = &mut self.limit {
            *limit -= page.changes.len() as u64;
        }
        self.since = Some(page.token);
        let full = self.limit == Some(0);
        if !page.more || full || page.token >= self.until {
            self.finish(out, page.token, page.more && full);
            return false;
        }
        self.seen.extend(page.changes.into_iter().map(|change| change.key));
        true
    }

    fn gone(&self, out: &mut Vec<u8>, key: &EntryKey) {
        out.extend_from_slice(b"<D:response><D:href>");
        out.extend_from_slice(self.url.as_bytes());
        encode_segment(out, key.name().as_bytes());
        if key.is_folder() {
            out.push(b'/');
        }
        out.extend_from_slice(b"</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>\n");
    }

    fn finish(&self, out: &mut Vec<u8>, token: Seq, truncated: bool) {
        if truncated {
            // RFC 6578 §3.6: truncated, so 507 for the collection.
            out.extend_from_slice(b"<D:response><D:href>");
            out.extend_from_slice(self.url.as_bytes());
            out.extend_from_slice(
                b"</D:href><D:status>HTTP/1.1 507 Insufficient Storage</D:status>\
                  <D:error><D:number-of-matches-within-limits/></D:error></D:response>\n",
            );
        }
        out.extend_from_slice(b"<D:sync-token>");
        write_sync_token(out, self.id, token);
        out.extend_from_slice(b"</D:sync-token>\n");
        out.extend_from_slice(MULTISTATUS_TAIL);
    }

    /// `first`, then the pages that follow. A failure, or the end of the credential, cuts the connection.
    fn stream(self, first: Vec<u8>) -> allod_kit::ResponseBody {
        let pages = try_unfold((Some(first), Some(self)), |(ready, rest)| async move {
            if let Some(ready) = ready {
                return Ok(Some((Bytes::from(ready), (None, rest))));
            }
            let Some(mut sync) = rest else { return Ok::<_, io::Error>(None) };
            let page = sync.fetch().await.map_err(io::Error::other)?;
            let mut out = Vec::new();
            let more = sync.write(&mut out, page);
            Ok(Some((Bytes::from(out), (None, more.then_some(sync)))))
        });
        stream_body(pages)
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
        assert!(query("<sync-level>infinite</sync-level><prop/>").is_err());
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
