//! Reading operations of a session.

use std::ops::ControlFlow;
use std::sync::Arc;

use allod_meta::{KeyRange, Lookup, View};
use allod_model::{EntryKey, Error, ErrorKind, Etag, NodeId, Path, Precondition, Result, Rights, Seq};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};

use crate::access::Sight;
use crate::content::Reader;
use crate::fault::{Fault, Res};
use crate::judge::Judge;
use crate::lock;
use crate::node::*;
use crate::reading::Records;
use crate::record::{AccountState, Entry, Folder, decode};
use crate::resolve::{find, find_folder, folder_row, load_node, load_properties, node, spot};
use crate::session::Session;

/// Members of one page at most, whatever is asked.
pub const PAGE_NODES_MAX: usize = 2000;
/// Rows looked at for one page at most, so that a page of hidden names ends too.
const PAGE_ROWS_MAX: usize = 20_000;

/// An open file: what it is, and its bytes on demand.
pub struct OpenFile {
    /// The file at the moment of opening. What is read belongs to this revision, whatever happens meanwhile.
    pub node: Node,
    reader: Arc<Reader>,
    session: Session,
}

impl OpenFile {
    pub(crate) fn new(node: Node, reader: Arc<Reader>, session: Session) -> Self {
        OpenFile { node, reader, session }
    }

    /// The bytes of `range` (all when `None`), in pieces.
    pub fn read(&self, range: Option<ByteRange>) -> ByteStream {
        let range = range.unwrap_or(ByteRange { start: 0, end: self.node.size });
        let (start, end) = (range.start.min(self.node.size), range.end.min(self.node.size));
        if start >= end {
            return Box::pin(stream::empty());
        }
        if let Some(plain) = self.reader.inline() {
            let piece = plain.map(|bytes| bytes.slice(start as usize..end as usize)).map_err(Error::from);
            return Box::pin(stream::once(async { piece }));
        }
        let pieces =
            self.reader.clone().stream(start..end).map(|piece| piece.map_err(|e| Fault::from(e).into()));
        Box::pin(until_revoked(self.session.clone(), Box::pin(pieces)))
    }

    /// As [`OpenFile::read`] of a range that is not empty, with its first piece read already: what goes wrong before it
    /// is an error of this call.
    ///
    /// # Errors
    /// `Corrupt`, `Unavailable`, `Unauthenticated`.
    pub async fn begin(&self, range: ByteRange) -> Result<ByteStream> {
        let mut pieces = self.read(Some(range));
        let first = pieces.next().await.ok_or_else(ends_early)??;
        Ok(Box::pin(stream::once(async { Ok(first) }).chain(pieces)))
    }

    /// The bytes of a range whole, in memory: for ranges that are short.
    ///
    /// # Errors
    /// As [`OpenFile::begin`].
    pub async fn gather(&self, range: ByteRange) -> Result<Bytes> {
        let length = range.end.saturating_sub(range.start) as usize;
        let mut pieces = self.read(Some(range));
        let first = pieces.next().await.transpose()?.unwrap_or_default();
        if first.len() == length {
            return Ok(first);
        }
        let mut whole = BytesMut::with_capacity(length);
        whole.extend_from_slice(&first);
        while let Some(piece) = pieces.next().await.transpose()? {
            whole.extend_from_slice(&piece);
        }
        if whole.len() == length { Ok(whole.freeze()) } else { Err(ends_early()) }
    }

    /// The whole content when it is small enough to lie in its row; spares a stream.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn small(&self) -> Option<Result<Bytes>> {
        self.reader.inline().map(|plain| plain.map_err(Error::from))
    }
}

fn ends_early() -> Error {
    Error::new(ErrorKind::Corrupt, "the content ends before its size")
}

/// Ends a stream with an error as soon as the session's credential is over.
fn until_revoked(session: Session, pieces: ByteStream) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let over = Box::pin(async move { session.revoked().await });
    stream::unfold(Some((pieces, over)), |state| async move {
        let (mut pieces, mut over) = state?;
        tokio::select! {
            biased;
            () = &mut over => {
                let error = Error::new(ErrorKind::Unauthenticated, "the credential was revoked");
                Some((Err(error), None))
            }
            piece = pieces.next() => Some((piece?, Some((pieces, over)))),
        }
    })
}

impl Session {
    /// Facts about one file or folder.
    ///
    /// # Errors
    /// `NotFound`, also for what the session must not know of.
    pub async fn stat(&self, path: &Path, want: Want, with_properties: bool) -> Result<Node> {
        Ok(self.stat_now(path, want, with_properties)?)
    }

    fn stat_now(&self, path: &Path, want: Want, with_properties: bool) -> Res<Node> {
        let view = self.view()?;
        let sight = self.scope().sight(path);
        if sight == Sight::Hidden {
            return Err(Error::not_found().into());
        }
        let (key, entry) = find(&view, self.keys(), path, want)?;
        if sight == Sight::Passage && !entry.is_folder() {
            return Err(Error::not_found().into());
        }
        let mut node = load_node(&view, self.handle(), &key, &entry, with_properties)?;
        veil(&mut node, sight);
        Ok(node)
    }

    /// Up to `limit` (at most [`PAGE_NODES_MAX`]) members of a folder after the key `after`, in byte order. Names
    /// that only S3 can express are left out. A page may be short or empty although more follow: look at `next`.
    ///
    /// # Errors
    /// `NotFound`; `WrongKind` when it is a file.
    pub async fn list(
        &self,
        folder: &Path,
        after: Option<&EntryKey>,
        limit: usize,
        with_properties: bool,
    ) -> Result<Listing> {
        let (me, folder, after) = (self.clone(), folder.clone(), after.cloned());
        crate::core::blocking(move || me.list_now(&folder, after.as_ref(), limit, with_properties)).await
    }

    fn list_now(
        &self,
        path: &Path,
        after: Option<&EntryKey>,
        limit: usize,
        with_properties: bool,
    ) -> Res<Listing> {
        let view = self.view()?;
        if self.scope().sight(path) == Sight::Hidden {
            return Err(Error::not_found().into());
        }
        self.scope().looked(path);
        let (folder, row) = find_folder(&view, self.keys(), path)?;
        let members = Members::new(self, path, &row);
        let limit = limit.clamp(1, PAGE_NODES_MAX);
        let prefix = self.keys().entries(folder);
        let mut range = KeyRange::prefix(&prefix);
        if let Some(after) = after {
            range = range.after(&self.keys().entry(folder, after));
        }
        let (mut found, mut rows, mut next) = (Vec::new(), 0, None);
        view.each(&range, prefix.len(), |key, value| {
            let key = EntryKey::from_bytes(key);
            rows += 1;
            let cut = found.len() == limit - 1 || rows == PAGE_ROWS_MAX;
            if cut {
                next = Some(key.clone());
            }
            if let Some(sight) = members.sight(&key) {
                found.push((key, decode::<Entry>(value)?, sight));
            }
            Ok(if cut { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        let nodes = found
            .into_iter()
            .map(|(key, entry, sight)| members.node(&view, &key, &entry, sight, with_properties))
            .collect::<Res<_>>()?;
        Ok(Listing { nodes, next })
    }

    /// Opens a file for reading. `pre` is judged here (conditional GET).
    ///
    /// # Errors
    /// `NotFound`; `WrongKind` when only a folder is there; `PreconditionFailed`, with
    /// [`allod_model::Detail::NotModified`] when the client has it already.
    pub async fn open(&self, path: &Path, pre: &Precondition) -> Result<OpenFile> {
        Ok(self.open_now(path, pre)?)
    }

    fn open_now(&self, path: &Path, pre: &Precondition) -> Res<OpenFile> {
        let view = self.view()?;
        self.scope().check_read(path)?;
        let (key, entry) = find(&view, self.keys(), path, Want::Any)?;
        let Some(file) = entry.file() else {
            return crate::fault::fail(ErrorKind::WrongKind, "that is a folder, not a file");
        };
        if *pre != Precondition::default() {
            let spot = spot(&view, self.keys(), path)?;
            self.judge(&view, true).demand(pre, path, &spot, Want::Any)?;
        }
        let content = file.content;
        let mut node = load_node(&view, self.handle(), &key, &entry, false)?;
        veil(&mut node, self.scope().sight(path));
        let reader = Reader::open(self.core(), self.handle(), &view, content)?;
        Ok(OpenFile { node, reader, session: self.clone() })
    }

    /// Judges a precondition against what is there now, without changing anything: for early answers, such as before
    /// a body is read. The write judges again inside its commit.
    ///
    /// # Errors
    /// As the write's.
    pub async fn judge_now(&self, path: &Path, pre: &Precondition, want: Want) -> Result<()> {
        let check = || -> Res<()> {
            let view = self.view()?;
            self.scope().check_read(path)?;
            let spot = spot(&view, self.keys(), path)?;
            self.judge(&view, false).demand(pre, path, &spot, want)
        };
        Ok(check()?)
    }

    pub(crate) fn judge<'a, R: Lookup>(&'a self, rows: &'a R, reading: bool) -> Judge<'a, R> {
        let now = self.core().0.env.now();
        Judge { rows, keys: self.keys(), scope: self.scope(), now, reading }
    }

    /// What changed among the direct members of `folder` since `since` (`None`: everything there is now), oldest
    /// change first. A commit is never cut in two, so a page that begins with a commit of many changes can be longer
    /// than `limit`.
    ///
    /// # Errors
    /// `HorizonPassed` when the token is too old or was never given out; `NotFound`; `WrongKind`.
    pub async fn changes(
        &self,
        folder: &Path,
        since: Option<Seq>,
        limit: usize,
        with_properties: bool,
    ) -> Result<Changes> {
        let (me, folder) = (self.clone(), folder.clone());
        crate::core::blocking(move || me.changes_now(&folder, since, limit, with_properties)).await
    }

    fn changes_now(
        &self,
        path: &Path,
        since: Option<Seq>,
        limit: usize,
        with_properties: bool,
    ) -> Res<Changes> {
        let view = self.view()?;
        if self.scope().sight(path) == Sight::Hidden {
            return Err(Error::not_found().into());
        }
        let (folder, row) = find_folder(&view, self.keys(), path)?;
        let state: AccountState = view.record(&self.keys().state())?.unwrap_or_default();
        let first = since.unwrap_or_default();
        if since.is_some() && (first < state.horizon || first > state.seq) {
            return crate::fault::fail(ErrorKind::HorizonPassed, "the sync token is too old or not ours");
        }
        let members = Members::new(self, path, &row);
        let limit = limit.clamp(1, PAGE_NODES_MAX);
        let (found, more) = self.changed_members(&view, folder, first, limit, since.is_none(), &members)?;
        let token = if more { found.last().map_or(first, |(seq, _, _)| *seq) } else { row.token.max(first) };
        let changes = found
            .into_iter()
            .map(|(_, key, sight)| {
                let entry: Option<Entry> = view.record(&self.keys().entry(folder, &key))?;
                let node = match entry {
                    Some(entry) => Some(members.node(&view, &key, &entry, sight, with_properties)?),
                    None => None,
                };
                Ok(Change { key, node })
            })
            .collect::<Res<_>>()?;
        Ok(Changes { changes, token, more })
    }

    /// The rows of the change index after `since`: (seq, key, sight), and whether more follow.
    fn changed_members(
        &self,
        view: &View,
        folder: NodeId,
        since: Seq,
        limit: usize,
        live_only: bool,
        members: &Members,
    ) -> Res<(Vec<ChangedRow>, bool)> {
        let prefix = self.keys().changes(folder);
        let start = self.keys().change(folder, Seq(since.0 + 1), &EntryKey::from_bytes(b""));
        let end = KeyRange::prefix(&prefix);
        let range = KeyRange::new(std::ops::Bound::Included(&start), end.to());
        let (mut found, mut more): (Vec<ChangedRow>, bool) = (Vec::new(), false);
        // How many of `found` belong to commits that are known to be whole.
        let mut complete = 0;
        view.each(&range, prefix.len(), |tail, value| {
            let seq = Seq(crate::keys::number_at(tail).unwrap_or(0));
            let next_commit = found.last().is_some_and(|(last, _, _)| *last != seq);
            if next_commit && (found.len() <= limit || complete == 0) {
                complete = found.len();
            }
            if found.len() > limit && complete > 0 || found.len() == limit && next_commit {
                more = true;
                return Ok(ControlFlow::Break(()));
            }
            let key = EntryKey::from_bytes(tail.get(8..).unwrap_or(&[]));
            let gone = value == [0];
            // RFC 6578 §3.2: a member appears once. A file that became a folder, or the reverse, has changed.
            let replaced = gone && view.get(&self.keys().entry(folder, &key.twin()))?.is_some();
            if let Some(sight) = members.sight(&key)
                && !(gone && live_only)
                && !replaced
            {
                found.push((seq, key, sight));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if found.len() > limit && complete > 0 {
            more = true;
            found.truncate(complete);
        }
        Ok((found, more))
    }

    /// The locks that hold on `path` (its own and deep ones from above).
    ///
    /// # Errors
    /// `NotFound` for what the session must not know of.
    pub async fn locks(&self, path: &Path) -> Result<Vec<Lock>> {
        let look = || -> Res<Vec<Lock>> {
            let view = self.view()?;
            if self.scope().sight(path) == Sight::Hidden {
                return Err(Error::not_found().into());
            }
            let spot = spot(&view, self.keys(), path)?;
            lock::holding(&view, self.keys(), path, &spot, self.core().0.env.now())
        };
        Ok(look()?)
    }

    /// The locks that hold on `folder`, and those on its direct members: what a listing with Depth 1 shows.
    ///
    /// # Errors
    /// `NotFound`; `WrongKind` when it is a file.
    pub async fn locks_within(&self, folder: &Path) -> Result<Vec<Lock>> {
        let look = || -> Res<Vec<Lock>> {
            let view = self.view()?;
            if self.scope().sight(folder) == Sight::Hidden {
                return Err(Error::not_found().into());
            }
            let state: Option<AccountState> = view.record(&self.keys().state())?;
            if state.is_none_or(|state| state.locks == 0) {
                return Ok(Vec::new());
            }
            let now = self.core().0.env.now();
            let (id, _) = find_folder(&view, self.keys(), folder)?;
            let mut locks =
                lock::holding(&view, self.keys(), folder, &spot(&view, self.keys(), folder)?, now)?;
            locks.extend(lock::on_members(&view, self.keys(), id, now)?);
            locks.retain(|lock| self.scope().sight(&lock.root) != Sight::Hidden);
            Ok(locks)
        };
        Ok(look()?)
    }

    /// How full the account is.
    pub async fn quota(&self) -> Result<Quota> {
        let look = || -> Res<Quota> {
            let view = self.view()?;
            let used = folder_row(&view, self.keys(), NodeId::ROOT)?.bytes;
            let limit = self.handle().record().quota;
            let left = limit.map(|limit| limit.saturating_sub(used));
            let free = self.core().free_bytes();
            let available = left.into_iter().chain(free).min();
            Ok(Quota { used, limit, available })
        };
        Ok(look()?)
    }
}

/// A row of the change index: its commit, the member, and how the session sees it.
type ChangedRow = (Seq, EntryKey, Sight);

/// Which members of a folder a session sees, and how.
struct Members<'a> {
    session: &'a Session,
    path: &'a Path,
    /// Everything below looks the same: no need to judge each name.
    uniform: Option<Rights>,
    /// Nobody but the server writes there.
    derived: bool,
}

impl<'a> Members<'a> {
    fn new(session: &'a Session, path: &'a Path, row: &Folder) -> Self {
        let (uniform, derived) = (session.scope().uniform_below(path), row.derived);
        Members { session, path, uniform, derived }
    }

    fn sight(&self, key: &EntryKey) -> Option<Sight> {
        let name = key.name();
        if !name.is_strict() {
            return None;
        }
        if let Some(rights) = self.uniform {
            return Some(Sight::Granted(rights));
        }
        match self.session.scope().sight(&self.path.join(name)) {
            Sight::Hidden => None,
            Sight::Passage if !key.is_folder() => None,
            sight => Some(sight),
        }
    }

    fn node(
        &self,
        view: &View,
        key: &EntryKey,
        entry: &Entry,
        sight: Sight,
        with_properties: bool,
    ) -> Res<Node> {
        let keys = self.session.keys();
        let row = if entry.is_folder() { Some(folder_row(view, keys, entry.node)?) } else { None };
        let properties = match entry.properties {
            Some(id) if with_properties => load_properties(view, self.session.handle(), id)?,
            _ => Vec::new(),
        };
        let mut node = node(key, entry, row.as_ref(), properties);
        veil(&mut node, sight);
        if self.derived {
            node.rights = node.rights.map(|rights| rights.min(Rights::Read));
        }
        Ok(node)
    }
}

/// A folder on the way to a granted corner shows its name, and nothing of what is in it.
pub fn veil(node: &mut Node, sight: Sight) {
    match sight {
        Sight::Granted(rights) => {
            let derived = node.folder.is_some_and(|facts| facts.derived);
            node.rights = Some(if derived { Rights::Read } else { rights });
        }
        Sight::Passage | Sight::Hidden => {
            node.rights = None;
            node.size = 0;
            node.properties.clear();
            node.modified = node.created;
            node.etag = Etag(format!("f{:x}", node.id.0));
            if let Some(facts) = &mut node.folder {
                facts.documents = 0;
            }
        }
    }
}
