//! A walk over everything below a folder in byte order of keys: the order in which S3 lists.
//!
//! A folder's entry key ends in `/`, so the members of each folder in row order, depth first, are in byte order of
//! their keys. The walk keeps one frame for each folder it is in and reads rows in pages. It can be set to any key
//! without reading what lies before: it goes down along the key's segments.
//!
//! A walk over versions reads the table of kept versions beside the entries: a key's current version comes first, then
//! what it replaced, newest first.

use std::collections::VecDeque;
use std::ops::{Bound, ControlFlow};

use allod_meta::{KeyRange, View};
use allod_model::{EntryKey, NodeId, Path, RAW_KEY_BYTES_MAX, Rights, Seq};

use crate::access::{Scope, Sight};
use crate::fault::Res;
use crate::keys::{Keys, unescape_numbered};
use crate::object::VersionId;
use crate::reading::Records;
use crate::record::{Entry, File, Kept, decode};
use crate::resolve::folder_row;
use crate::roll::{Met, Source};
use crate::versions::find_kept;

/// Rows looked at in one walk at most; then it is tired, and goes on another time. More than a path is deep, so that
/// each walk gets ahead.
const WALK_ROWS_MAX: usize = 20_000;
/// Rows of the first page read from a folder; later ones are larger.
const FIRST_PAGE_ROWS: usize = 16;
/// Rows of a page at most.
const PAGE_ROWS: usize = 256;

/// What a walk finds at a key.
pub struct Stand {
    /// What the session may do there.
    pub rights: Rights,
    /// The entry, or a version behind it.
    pub what: Standing,
    /// Whether it is the newest at its key.
    pub latest: bool,
}

/// See [`Stand`].
pub enum Standing {
    Current(Entry),
    Kept(Seq, Kept),
}

/// A walk through one snapshot, as far as a scope lets it see. See [`Source`] for how it is led.
pub struct Walk<'a> {
    view: &'a View,
    keys: Keys,
    scope: &'a Scope,
    root: NodeId,
    root_path: Path,
    /// Kept versions are met too.
    versions: bool,
    /// Within the key to begin behind: what is older than this version.
    behind: Option<VersionId>,
    frames: Vec<Frame>,
    /// The key last met.
    key: Vec<u8>,
    /// The folder last met, until it is entered or passed over.
    folder: Option<(NodeId, Lens)>,
    passed: Vec<u8>,
    rows: usize,
    rows_max: usize,
}

/// How what is in a folder looks to the session.
#[derive(Clone)]
enum Lens {
    /// Everything below alike.
    Same(Rights),
    /// Each name is to be judged; the folder's path.
    Judge(Path),
}

/// Rows of one table that belong to a folder, read in pages.
struct Rows {
    prefix: Vec<u8>,
    /// Where to read on, behind the prefix.
    from: Bound<Vec<u8>>,
    page: VecDeque<(Vec<u8>, Vec<u8>)>,
    page_rows: usize,
    ended: bool,
}

impl Rows {
    fn new(prefix: Vec<u8>, from: Bound<Vec<u8>>) -> Rows {
        Rows { prefix, from, page: VecDeque::new(), page_rows: FIRST_PAGE_ROWS, ended: false }
    }

    fn peek(&mut self, view: &View) -> Res<Option<&[u8]>> {
        if self.page.is_empty() && !self.ended {
            self.read(view)?;
        }
        Ok(self.page.front().map(|(key, _)| key.as_slice()))
    }

    fn read(&mut self, view: &View) -> Res<()> {
        let whole = KeyRange::prefix(&self.prefix);
        let from = self.from.as_ref().map(|from| [self.prefix.as_slice(), from].concat());
        let range = match &from {
            Bound::Unbounded => whole,
            from => KeyRange::new(from.as_ref().map(Vec::as_slice), whole.to()),
        };
        let (page, rows) = (&mut self.page, self.page_rows);
        view.each(&range, self.prefix.len(), |key, value| {
            page.push_back((key.to_vec(), value.to_vec()));
            Ok(if page.len() < rows { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        self.ended = self.page.len() < rows;
        if let Some((last, _)) = self.page.back() {
            self.from = Bound::Excluded(last.clone());
        }
        self.page_rows = (rows * 4).min(PAGE_ROWS);
        Ok(())
    }

    fn restart(&mut self, from: Bound<Vec<u8>>) {
        *self = Rows::new(std::mem::take(&mut self.prefix), from);
    }
}

/// A folder that the walk is in.
struct Frame {
    folder: NodeId,
    /// How much of the walk's key is this folder's.
    base_bytes: usize,
    lens: Lens,
    entries: Rows,
    kept: Option<Rows>,
    /// The key whose newest version was met.
    begun: Option<Vec<u8>>,
    /// Whether nothing was found in it so far.
    bare: bool,
}

/// A row of a frame: its key in the folder, and its stored record.
enum Row {
    Entry(Vec<u8>, Vec<u8>),
    Kept(Vec<u8>, Seq, Vec<u8>),
}

impl Frame {
    /// The key in the folder that comes next, and whether it is a kept version.
    fn peek(&mut self, view: &View) -> Res<Option<(Vec<u8>, bool)>> {
        let entry = self.entries.peek(view)?.map(<[u8]>::to_vec);
        let Some(rows) = &mut self.kept else { return Ok(entry.map(|key| (key, false))) };
        let kept = rows.peek(view)?.and_then(unescape_numbered).map(|(key, _)| key);
        Ok(match (entry, kept) {
            (Some(entry), Some(kept)) if kept < entry => Some((kept, true)),
            (Some(entry), _) => Some((entry, false)),
            (None, kept) => kept.map(|kept| (kept, true)),
        })
    }

    fn pop(&mut self, is_kept: bool) -> Option<Row> {
        self.bare = false;
        if !is_kept {
            return self.entries.page.pop_front().map(|(key, value)| Row::Entry(key, value));
        }
        let (tail, value) = self.kept.as_mut()?.page.pop_front()?;
        let (key, order) = unescape_numbered(&tail)?;
        Some(Row::Kept(key, Seq(!order), value))
    }

    /// Passes over all that is kept of a key.
    fn skip_kept(&mut self, key: &[u8]) {
        if let Some(rows) = &mut self.kept {
            rows.restart(Bound::Included(behind(key)));
        }
    }
}

/// Where the kept versions of a key begin, behind the folder's prefix.
fn escaped(key: &[u8]) -> Vec<u8> {
    let keys = Keys::new(allod_model::AccountId(0));
    let prefix = keys.kept_in(NodeId::ROOT).len();
    keys.kept_of(NodeId::ROOT, &EntryKey::from_bytes(key)).split_off(prefix)
}

/// Behind all kept versions of a key: the end of its name is 00 01.
fn behind(key: &[u8]) -> Vec<u8> {
    let mut escaped = escaped(key);
    escaped.pop();
    escaped.push(2);
    escaped
}

impl<'a> Walk<'a> {
    /// A walk over what is below the folder `root`, which is at `path`. Set it to a key before the first step.
    pub fn new(view: &'a View, keys: Keys, scope: &'a Scope, root: NodeId, path: Path) -> Self {
        Walk {
            view,
            keys,
            scope,
            root,
            root_path: path,
            versions: false,
            behind: None,
            frames: Vec::new(),
            key: Vec::new(),
            folder: None,
            passed: Vec::new(),
            rows: 0,
            rows_max: WALK_ROWS_MAX,
        }
    }

    /// The same walk over all versions. `behind`: where it begins behind a key, it begins behind this version of it.
    pub fn with_versions(mut self, behind: Option<VersionId>) -> Self {
        (self.versions, self.behind) = (true, behind);
        self
    }

    #[cfg(test)]
    pub fn rows_read(&self) -> usize {
        self.rows
    }

    #[cfg(test)]
    pub fn grow_tired_after(&mut self, rows: usize) {
        self.rows_max = rows;
    }

    /// The folder in which the key last met stands.
    pub fn parent(&self) -> NodeId {
        self.frames.last().map_or(self.root, |frame| frame.folder)
    }

    fn lens(&self, path: Path) -> Lens {
        match self.scope.uniform_below(&path) {
            Some(rights) => Lens::Same(rights),
            None => Lens::Judge(path),
        }
    }

    /// How the member `key` of the innermost folder looks: the rights on a file, the lens for a folder; `None` when
    /// it is not to be known of.
    fn sight(&self, lens: &Lens, key: &EntryKey) -> Option<(Option<Rights>, Lens)> {
        let above = match lens {
            Lens::Same(rights) => return Some((Some(*rights), Lens::Same(*rights))),
            Lens::Judge(path) => path,
        };
        let path = above.join(key.name());
        match self.scope.sight(&path) {
            Sight::Granted(rights) if !key.is_folder() => Some((Some(rights), Lens::Same(rights))),
            Sight::Granted(_) | Sight::Passage if key.is_folder() => Some((None, self.lens(path))),
            _ => None,
        }
    }

    fn push(&mut self, folder: NodeId, lens: Lens, from: Bound<Vec<u8>>) {
        let kept = match &from {
            Bound::Unbounded => Bound::Unbounded,
            Bound::Included(key) => Bound::Included(escaped(key)),
            Bound::Excluded(key) => Bound::Included(behind(key)),
        };
        let bare = from == Bound::Unbounded;
        self.frames.push(Frame {
            folder,
            base_bytes: self.key.len(),
            lens,
            entries: Rows::new(self.keys.entries(folder), from),
            kept: self.versions.then(|| Rows::new(self.keys.kept_in(folder), kept)),
            begun: None,
            bare,
        });
    }

    /// Sets the innermost frame behind one version of the key `name` in it. That version can be gone by now, and what
    /// was below it be what the key shows.
    fn go_behind(&mut self, name: &[u8], version: VersionId) -> Res<()> {
        let Some(frame) = self.frames.last_mut() else { return Ok(()) };
        let Some(rows) = &mut frame.kept else { return Ok(()) };
        let (view, keys, folder, key) = (self.view, self.keys, frame.folder, EntryKey::from_bytes(name));
        let entry: Option<Entry> = view.record(&keys.entry(folder, &key))?;
        let current = entry.as_ref().map(Entry::order);
        let shown = entry.as_ref().and_then(Entry::file).map(File::version_id);
        let kept = match version {
            _ if shown == Some(version) => None,
            VersionId::Seq(seq) => view.record::<Kept>(&keys.kept(folder, &key, seq))?.map(|_| seq),
            VersionId::Null => {
                let is_null = |order, kept: &Kept| kept.id(order) == version;
                find_kept(view, keys, folder, &key, is_null)?.map(|(order, _)| order)
            }
        };
        let there = kept.is_some() || shown == Some(version);
        let order = match version {
            VersionId::Seq(seq) => seq,
            VersionId::Null => match kept.or(current.filter(|_| there)) {
                Some(order) => order,
                // Nothing tells how old it was: the key is listed again from its beginning.
                None => {
                    frame.entries.restart(Bound::Included(name.to_vec()));
                    rows.restart(Bound::Included(escaped(name)));
                    return Ok(());
                }
            },
        };
        // The null version shows with a new order once what was newer is gone.
        let risen = !there && shown == Some(VersionId::Null);
        if risen || current.is_some_and(|current| current < order) {
            frame.entries.restart(Bound::Included(name.to_vec()));
        } else {
            let newest = find_kept(view, keys, folder, &key, |_, _| true)?.map(|(newest, _)| newest);
            let met = current.is_some() || newest.is_some_and(|newest| newest >= order);
            frame.begun = met.then(|| name.to_vec());
        }
        rows.restart(Bound::Excluded([escaped(name), (!order.0).to_be_bytes().to_vec()].concat()));
        Ok(())
    }

    /// Looks at one row, which is at [`Walk::key`] now; `None` when it is to be passed over.
    fn look(&mut self, row: Row) -> Res<Option<Met<Stand>>> {
        let Some(frame) = self.frames.last() else { return Ok(None) };
        let (key, what) = match row {
            Row::Entry(key, value) => (key, Standing::Current(decode(&value)?)),
            Row::Kept(key, order, value) => (key, Standing::Kept(order, decode(&value)?)),
        };
        // What no key of S3 can name is left out.
        let seen = self.sight(&frame.lens, &EntryKey::from_bytes(&key));
        let seen = seen.filter(|_| self.key.len() <= RAW_KEY_BYTES_MAX);
        match (seen, what) {
            (Some((_, lens)), Standing::Current(entry)) if entry.is_folder() => {
                self.folder = Some((entry.node, lens));
                Ok(Some(Met::Folder))
            }
            (Some((Some(rights), _)), what) => {
                self.passed.clone_from(&self.key);
                let latest = frame.begun.as_ref() != Some(&key);
                if let Some(frame) = self.frames.last_mut() {
                    frame.begun = Some(key);
                }
                Ok(Some(Met::Key(Stand { rights, what, latest })))
            }
            (_, what) => {
                if let (Some(frame), Standing::Kept(..)) = (self.frames.last_mut(), what) {
                    frame.skip_kept(&key);
                }
                Ok(None)
            }
        }
    }
}

impl Source for Walk<'_> {
    type Item = Stand;

    fn seek(&mut self, key: &[u8], inclusive: bool) -> Res<()> {
        (self.folder, self.rows) = (None, self.rows + 1);
        self.frames.clear();
        self.key.clear();
        let version = self.behind.take().filter(|_| !inclusive);
        let (mut folder, mut rest) = (self.root, key);
        let mut lens = self.lens(self.root_path.clone());
        while let Some(slash) = rest.iter().position(|byte| *byte == b'/') {
            let (segment, below) = rest.split_at(slash + 1);
            self.push(folder, lens.clone(), Bound::Excluded(segment.to_vec()));
            let segment = EntryKey::from_bytes(segment);
            let entry: Option<Entry> = self.view.record(&self.keys.entry(folder, &segment))?;
            let seen = entry.and_then(|entry| Some((entry.node, self.sight(&lens, &segment)?.1)));
            let Some((node, inner)) = seen else { return Ok(()) };
            self.key.extend_from_slice(segment.as_bytes());
            (folder, lens, rest) = (node, inner, below);
        }
        let from = match (inclusive, rest) {
            (true, b"") => Bound::Unbounded,
            (true, rest) => Bound::Included(rest.to_vec()),
            (false, rest) => Bound::Excluded(rest.to_vec()),
        };
        self.push(folder, lens, from);
        version.map_or(Ok(()), |version| self.go_behind(rest, version))
    }

    fn next(&mut self) -> Res<Option<Met<Self::Item>>> {
        if self.folder.take().is_some() {
            self.passed.clone_from(&self.key);
        }
        loop {
            let Some(frame) = self.frames.last_mut() else { return Ok(None) };
            let next = frame.peek(self.view)?;
            // Never tired within a key, whose versions would be met again.
            let within = next.as_ref().is_some_and(|(key, kept)| *kept && frame.begun.as_ref() == Some(key));
            if self.rows >= self.rows_max && !within {
                return Ok(Some(Met::Tired));
            }
            self.key.truncate(frame.base_bytes);
            let Some((key, is_kept)) = next else {
                if frame.bare {
                    self.passed.clone_from(&self.key);
                }
                self.frames.pop();
                continue;
            };
            let Some(row) = frame.pop(is_kept) else { continue };
            self.rows += 1;
            self.key.extend_from_slice(&key);
            if let Some(met) = self.look(row)? {
                return Ok(Some(met));
            }
            self.passed.clone_from(&self.key);
        }
    }

    fn key(&self) -> &[u8] {
        &self.key
    }

    fn enter(&mut self) {
        if let Some((folder, lens)) = self.folder.take() {
            self.push(folder, lens, Bound::Unbounded);
        }
    }

    fn holds_keys(&mut self) -> Res<Option<bool>> {
        let Some((folder, lens)) = &self.folder else { return Ok(Some(false)) };
        let row = folder_row(self.view, self.keys, *folder)?;
        let empty = row.documents == 0 && !(self.versions && row.kept > 0);
        Ok(match lens {
            _ if empty => Some(false),
            Lens::Same(_) => Some(true),
            Lens::Judge(_) => None,
        })
    }

    fn passed(&mut self) -> &mut Vec<u8> {
        &mut self.passed
    }
}
