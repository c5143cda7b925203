//! A walk over everything below a folder in byte order of keys: the order in which S3 lists.
//!
//! A folder's entry key ends in `/`, so the members of each folder in row order, depth first, are in byte order of
//! their keys. The walk keeps one frame for each folder it is in and reads rows in pages. It can be set to any key
//! without reading what lies before: it goes down along the key's segments.

use std::collections::VecDeque;
use std::ops::Bound;

use allod_meta::{KeyRange, View};
use allod_model::{EntryKey, NodeId, Path, RAW_KEY_BYTES_MAX, Rights};

use crate::access::{Scope, Sight};
use crate::fault::Res;
use crate::keys::Keys;
use crate::reading::Records;
use crate::record::{Entry, decode};
use crate::resolve::folder_row;
use crate::roll::{Met, Source};

/// Rows looked at in one walk at most; then it is tired, and goes on another time. More than a path is deep, so that
/// each walk gets ahead.
const WALK_ROWS_MAX: usize = 20_000;
/// Rows of the first page read from a folder; later ones are larger.
const FIRST_PAGE_ROWS: usize = 16;
/// Rows of a page at most.
const PAGE_ROWS: usize = 256;

/// A walk through one snapshot, as far as a scope lets it see. See [`Source`] for how it is led.
pub struct Walk<'a> {
    view: &'a View,
    keys: Keys,
    scope: &'a Scope,
    root: NodeId,
    root_path: Path,
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

/// A folder that the walk is in.
struct Frame {
    folder: NodeId,
    /// How much of the walk's key is this folder's.
    base_bytes: usize,
    lens: Lens,
    /// Where to read on.
    from: Bound<Vec<u8>>,
    page: VecDeque<(Vec<u8>, Vec<u8>)>,
    page_rows: usize,
    ended: bool,
    /// Whether nothing was found in it so far.
    bare: bool,
}

impl Frame {
    fn new(folder: NodeId, base_bytes: usize, lens: Lens, from: Bound<Vec<u8>>) -> Frame {
        let bare = from == Bound::Unbounded;
        Frame {
            folder,
            base_bytes,
            lens,
            from,
            page: VecDeque::new(),
            page_rows: FIRST_PAGE_ROWS,
            ended: false,
            bare,
        }
    }

    /// The next row: entry key and stored entry.
    fn next(&mut self, view: &View, keys: Keys) -> Res<Option<(Vec<u8>, Vec<u8>)>> {
        if self.page.is_empty() && !self.ended {
            self.read(view, keys)?;
        }
        let row = self.page.pop_front();
        self.bare &= row.is_none();
        Ok(row)
    }

    fn read(&mut self, view: &View, keys: Keys) -> Res<()> {
        let prefix = keys.entries(self.folder);
        let whole = KeyRange::prefix(&prefix);
        let from = self.from.as_ref().map(|from| [prefix.as_slice(), from].concat());
        let range = match &from {
            Bound::Unbounded => whole,
            from => KeyRange::new(from.as_ref().map(Vec::as_slice), whole.to()),
        };
        let (page, rows) = (&mut self.page, self.page_rows);
        view.each(&range, prefix.len(), |key, value| {
            page.push_back((key.to_vec(), value.to_vec()));
            Ok(if page.len() < rows {
                std::ops::ControlFlow::Continue(())
            } else {
                std::ops::ControlFlow::Break(())
            })
        })?;
        self.ended = self.page.len() < rows;
        if let Some((last, _)) = self.page.back() {
            self.from = Bound::Excluded(last.clone());
        }
        self.page_rows = (rows * 4).min(PAGE_ROWS);
        Ok(())
    }
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
            frames: Vec::new(),
            key: Vec::new(),
            folder: None,
            passed: Vec::new(),
            rows: 0,
            rows_max: WALK_ROWS_MAX,
        }
    }

    #[cfg(test)]
    pub fn rows_read(&self) -> usize {
        self.rows
    }

    #[cfg(test)]
    pub fn grow_tired_after(&mut self, rows: usize) {
        self.rows_max = rows;
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

    /// Looks at one row, which is at [`Walk::key`] now; `None` when it is to be passed over.
    fn look(&mut self, lens: &Lens, key: &EntryKey, entry: Entry) -> Option<Met<(Entry, Rights)>> {
        // What no key of S3 can name is left out.
        let seen = self.sight(lens, key).filter(|_| self.key.len() <= RAW_KEY_BYTES_MAX);
        match seen {
            Some((_, lens)) if entry.is_folder() => {
                self.folder = Some((entry.node, lens));
                Some(Met::Folder)
            }
            Some((Some(rights), _)) => {
                self.passed.clone_from(&self.key);
                Some(Met::Key((entry, rights)))
            }
            _ => None,
        }
    }
}

impl Source for Walk<'_> {
    type Item = (Entry, Rights);

    fn seek(&mut self, key: &[u8], inclusive: bool) -> Res<()> {
        (self.folder, self.rows) = (None, self.rows + 1);
        self.frames.clear();
        self.key.clear();
        let (mut folder, mut rest) = (self.root, key);
        let mut lens = self.lens(self.root_path.clone());
        while let Some(slash) = rest.iter().position(|byte| *byte == b'/') {
            let (segment, below) = rest.split_at(slash + 1);
            let from = Bound::Excluded(segment.to_vec());
            self.frames.push(Frame::new(folder, self.key.len(), lens.clone(), from));
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
        self.frames.push(Frame::new(folder, self.key.len(), lens, from));
        Ok(())
    }

    fn next(&mut self) -> Res<Option<Met<Self::Item>>> {
        if self.folder.take().is_some() {
            self.passed.clone_from(&self.key);
        }
        loop {
            if self.rows >= self.rows_max {
                return Ok(Some(Met::Tired));
            }
            let Some(frame) = self.frames.last_mut() else { return Ok(None) };
            self.key.truncate(frame.base_bytes);
            let Some((key, value)) = frame.next(self.view, self.keys)? else {
                if frame.bare {
                    self.passed.clone_from(&self.key);
                }
                self.frames.pop();
                continue;
            };
            self.rows += 1;
            self.key.extend_from_slice(&key);
            let lens = frame.lens.clone();
            if let Some(met) = self.look(&lens, &EntryKey::from_bytes(&key), decode(&value)?) {
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
            self.frames.push(Frame::new(folder, self.key.len(), lens, Bound::Unbounded));
        }
    }

    fn holds_keys(&mut self) -> Res<Option<bool>> {
        let Some((folder, lens)) = &self.folder else { return Ok(Some(false)) };
        let documents = folder_row(self.view, self.keys, *folder)?.documents;
        Ok(match lens {
            _ if documents == 0 => Some(false),
            Lens::Same(_) => Some(true),
            Lens::Judge(_) => None,
        })
    }

    fn passed(&mut self) -> &mut Vec<u8> {
        &mut self.passed
    }
}
