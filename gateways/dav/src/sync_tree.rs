//! `sync-collection` over more than a folder's own members (RFC 6578 §3.3): all levels below it, or, for a home, its
//! members and which of them changed inside.
//!
//! All folders of a tree share one sequence, so a token says for each of them what the client knows. Only folders below
//! which something changed are looked into: their roll-up says so.

use std::collections::{HashSet, VecDeque};

use allod_core::{Changes, Node, Session};
use allod_kit::ResponseBody;
use allod_model::{EntryKey, Error, ErrorKind, NodeId, Path, Seq};

use crate::pages::{Fetching, Pages, paged};
use crate::propfind::{MULTISTATUS_HEAD, MULTISTATUS_TAIL};
use crate::props::{Subject, Writer, write_sync_token};
use crate::url::encode_segment;

/// Changes or members looked at for one page.
const PAGE_ROWS: usize = 200;

/// How far down a synchronization goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    /// A folder's own members.
    One,
    /// All of them.
    Infinite,
}

/// What is synchronized.
pub(crate) struct Sync {
    pub(crate) session: Session,
    pub(crate) writer: Writer,
    /// The folder of the request.
    pub(crate) folder: Path,
    pub(crate) node: Node,
    pub(crate) since: Option<Seq>,
    pub(crate) level: Level,
}

/// A multistatus of what changed.
pub(crate) async fn multistatus(sync: Sync) -> Result<ResponseBody, Error> {
    // What changes while the tree is walked is for the next time.
    let until = sync.node.folder.map(|facts| facts.below.max(facts.token)).unwrap_or_default();
    let until = until.max(sync.since.unwrap_or_default());
    let walk = Walk {
        session: sync.session,
        writer: sync.writer,
        id: sync.node.id,
        until,
        level: sync.level,
        folders: Vec::new(),
        here: Some(Here::new(sync.folder, sync.since)),
        unwritten: VecDeque::new(),
        fetching: Fetching::default(),
    };
    paged(MULTISTATUS_HEAD.to_vec(), walk).await
}

struct Walk {
    session: Session,
    writer: Writer,
    /// Of the folder of the request.
    id: NodeId,
    until: Seq,
    level: Level,
    /// Folders to be looked into, and what the client knows of each.
    folders: Vec<(Path, Option<Seq>)>,
    here: Option<Here>,
    /// Files whose contents are still to be fetched and written.
    unwritten: VecDeque<Path>,
    fetching: Fetching,
}

/// A folder being looked into.
struct Here {
    folder: Path,
    /// What the client knows of it; `None`: nothing.
    since: Option<Seq>,
    stage: Stage,
    /// Members that were told already.
    told: HashSet<EntryKey>,
}

enum Stage {
    /// What changed among its members after this.
    Changes(Option<Seq>),
    /// Which of its folders changed inside, after this member.
    Folders(Option<EntryKey>),
}

impl Here {
    fn new(folder: Path, since: Option<Seq>) -> Here {
        Here { folder, since, stage: Stage::Changes(since), told: HashSet::new() }
    }
}

impl Pages for Walk {
    async fn page(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        if !self.unwritten.is_empty() {
            self.write_contents(out).await?;
            return Ok(true);
        }
        let Some(mut here) = self.here.take() else {
            out.extend_from_slice(b"<D:sync-token>");
            write_sync_token(out, self.id, self.until);
            out.extend_from_slice(b"</D:sync-token>\n");
            out.extend_from_slice(MULTISTATUS_TAIL);
            return Ok(false);
        };
        let more = match here.stage {
            Stage::Changes(after) => self.changes(out, &mut here, after).await,
            Stage::Folders(ref after) => {
                let after = after.clone();
                self.changed_inside(out, &mut here, after).await
            }
        };
        let more = match more {
            // It went while the tree was walked; its parent tells of that the next time.
            Err(error) if is_gone(&error) => false,
            more => more?,
        };
        self.here = match more {
            true => Some(here),
            false => self.folders.pop().map(|(folder, since)| Here::new(folder, since)),
        };
        Ok(true)
    }
}

impl Walk {
    /// Appends a page of what changed among the members of a folder; whether there is more to say of it.
    async fn changes(
        &mut self,
        out: &mut Vec<u8>,
        here: &mut Here,
        after: Option<Seq>,
    ) -> Result<bool, Error> {
        let dead = self.writer.plan.needs_dead();
        let page = self.session.changes(&here.folder, after, PAGE_ROWS, dead).await?;
        let url = self.writer.places.url(&here.folder, true);
        self.write(out, here, &url, &page);
        here.stage = match (page.more, here.since) {
            (true, _) => Stage::Changes(Some(page.token)),
            (false, Some(_)) => Stage::Folders(None),
            // Everything in it was told.
            (false, None) => return Ok(false),
        };
        Ok(true)
    }

    /// Appends rows, except for files whose contents are wanted.
    fn write(&mut self, out: &mut Vec<u8>, here: &mut Here, url: &str, page: &Changes) {
        let with_content = self.writer.plan.needs_content();
        for change in &page.changes {
            if !here.told.insert(change.key.clone()) {
                continue;
            }
            match &change.node {
                Some(node) if node.seq > self.until => {}
                Some(node) if with_content && !node.is_folder() => {
                    self.unwritten.push_back(here.folder.join(node.name.clone()));
                }
                Some(node) => {
                    self.writer.member(out, url.as_bytes(), node, &[]);
                    if node.is_folder() && self.level == Level::Infinite {
                        // It may be new here with all that is in it.
                        self.folders.push((here.folder.join(node.name.clone()), None));
                    }
                }
                None if here.since.is_none() => {}
                None => write_gone(out, url, &change.key),
            }
        }
    }

    /// Appends some of the files whose contents are wanted.
    async fn write_contents(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        let count = self.unwritten.len().min(self.fetching.count());
        let paths: Vec<Path> = self.unwritten.drain(..count).collect();
        let all = self.session.fetch(&paths, self.writer.plan.needs_dead()).await?;
        self.fetching.learn(all.iter().flatten());
        for (path, found) in paths.iter().zip(all) {
            match found {
                Ok(found) => {
                    let url = self.writer.places.url(path, false);
                    let subject = Subject::Node(&found.node, &[]);
                    self.writer.response_with(out, url.as_bytes(), subject, Some(&found.bytes));
                }
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Looks for folders below which something changed; whether there are more members to look at.
    async fn changed_inside(
        &mut self,
        out: &mut Vec<u8>,
        here: &mut Here,
        after: Option<EntryKey>,
    ) -> Result<bool, Error> {
        let dead = self.writer.plan.needs_dead();
        let listing = self.session.list(&here.folder, after.as_ref(), PAGE_ROWS, dead).await?;
        let url = self.writer.places.url(&here.folder, true);
        for node in &listing.nodes {
            let Some(facts) = &node.folder else { continue };
            if facts.below.max(facts.token) <= here.since.unwrap_or_default()
                || here.told.contains(&EntryKey::folder(&node.name))
            {
                continue;
            }
            // Its own properties changed, its sync token first of all.
            self.writer.member(out, url.as_bytes(), node, &[]);
            if self.level == Level::Infinite {
                self.folders.push((here.folder.join(node.name.clone()), here.since));
            }
        }
        here.stage = Stage::Folders(listing.next.clone());
        Ok(listing.next.is_some())
    }
}

/// Appends the row of a member that has gone (RFC 6578 §3.5.2): for a folder it stands for all that was in it.
pub(crate) fn write_gone(out: &mut Vec<u8>, url: &str, key: &EntryKey) {
    out.extend_from_slice(b"<D:response><D:href>");
    out.extend_from_slice(url.as_bytes());
    encode_segment(out, key.name().as_bytes());
    if key.is_folder() {
        out.push(b'/');
    }
    out.extend_from_slice(b"</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>\n");
}

fn is_gone(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::NotFound | ErrorKind::WrongKind)
}
