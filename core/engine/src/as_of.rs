//! The tree as it was after a commit, from entries and their before-images alone.
//!
//! For a key: the earliest before-image written after that commit tells what stood there, unless it was itself made
//! later; without one the entry of today counts, unless made later. Needs nothing else, and holds as far back as
//! history is kept.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use allod_meta::{Direction, KeyRange, Lookup};
use allod_model::{EntryKey, Error, ErrorKind, NodeId, Path, Result, Seq, Timestamp};

use crate::fault::Res;
use crate::keys::{Keys, unescape_numbered};
use crate::log::commit_from;
use crate::reading::Records;
use crate::record::{AccountState, Entry, decode};

/// The state after the commit `seq`.
#[derive(Clone, Copy)]
pub struct AsOf {
    pub keys: Keys,
    pub seq: Seq,
}

impl AsOf {
    /// The state at a moment.
    ///
    /// # Errors
    /// `HorizonPassed` when history does not reach back that far.
    pub fn time(rows: &impl Lookup, keys: Keys, time: Timestamp) -> Res<AsOf> {
        let seq = seq_at(rows, keys, time)?;
        AsOf { keys, seq }.checked(rows)
    }

    /// The same, if history reaches back that far.
    pub fn checked(self, rows: &impl Lookup) -> Res<AsOf> {
        let state: AccountState = rows.record(&self.keys.state())?.unwrap_or_default();
        if self.seq < state.purged {
            let message = "history does not reach back that far; it is kept for the retention time";
            return Err(Error::new(ErrorKind::HorizonPassed, message).into());
        }
        Ok(self)
    }

    /// What stood at a key.
    pub fn entry(self, rows: &impl Lookup, folder: NodeId, key: &EntryKey) -> Res<Option<Entry>> {
        let prefix = self.keys.versions(folder, key);
        let start = self.keys.version(folder, key, Seq(self.seq.0 + 1));
        let end = KeyRange::prefix(&prefix);
        let range = KeyRange::new(std::ops::Bound::Included(&start), end.to());
        let before = match rows.first(&range, Direction::Forward)? {
            Some((_, value)) => Some(decode::<Entry>(&value)?),
            None => rows.record(&self.keys.entry(folder, key))?,
        };
        Ok(before.filter(|entry| entry.seq <= self.seq))
    }

    /// All members of a folder.
    pub fn members(self, rows: &impl Lookup, folder: NodeId) -> Res<BTreeMap<EntryKey, Entry>> {
        let mut members = BTreeMap::new();
        let prefix = self.keys.entries(folder);
        rows.each(&KeyRange::prefix(&prefix), prefix.len(), |key, value| {
            let entry: Entry = decode(value)?;
            members.insert(EntryKey::from_bytes(key), entry);
            Ok(ControlFlow::Continue(()))
        })?;
        let prefix = self.keys.versions_of_folder(folder);
        let mut last: Option<EntryKey> = None;
        rows.each(&KeyRange::prefix(&prefix), prefix.len(), |tail, value| {
            let Some((name, seq)) = unescape_numbered(tail) else { return Ok(ControlFlow::Continue(())) };
            let key = EntryKey::from_bytes(&name);
            // Per key, versions come oldest first: the first one after the commit decides.
            if seq > self.seq.0 && last.as_ref() != Some(&key) {
                members.insert(key.clone(), decode(value)?);
                last = Some(key);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        members.retain(|_, entry| entry.seq <= self.seq);
        Ok(members)
    }

    /// What a path named: the folder it was in, its key and entry. Files before folders.
    pub fn find(self, rows: &impl Lookup, path: &Path) -> Res<(NodeId, EntryKey, Entry)> {
        let mut folder = NodeId::ROOT;
        let Some((last, above)) = path.names().split_last() else {
            let key = crate::resolve::root_key();
            let entry = rows.record(&self.keys.entry(crate::resolve::ABOVE_ROOT, &key))?;
            return Ok((crate::resolve::ABOVE_ROOT, key, entry.ok_or_else(Error::not_found)?));
        };
        for name in above {
            let entry = self.entry(rows, folder, &EntryKey::folder(name))?;
            folder = entry.ok_or_else(Error::not_found)?.node;
        }
        for key in [EntryKey::file(last), EntryKey::folder(last)] {
            if let Some(entry) = self.entry(rows, folder, &key)? {
                return Ok((folder, key, entry));
            }
        }
        Err(Error::not_found().into())
    }
}

/// The last commit at or before a moment; 0 when there was none. O(log n) reads.
pub fn seq_at(rows: &impl Lookup, keys: Keys, time: Timestamp) -> Res<Seq> {
    let state: AccountState = rows.record(&keys.state())?.unwrap_or_default();
    // Invariant: commits up to `low` are at or before `time`, or forgotten; those from `high` on are later.
    let (mut low, mut high) = (0, state.seq.0 + 1);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        match commit_from(rows, keys, Seq(middle))? {
            Some((seq, record)) if record.time <= time => low = seq.0.max(middle),
            Some(_) => high = middle,
            None => high = middle,
        }
        if low >= high {
            break;
        }
    }
    Ok(Seq(low))
}

/// The path of a folder by its rows; `None` when it is out of the tree.
pub fn path_of(rows: &impl Lookup, keys: Keys, mut folder: NodeId) -> Result<Option<Path>> {
    let mut names = Vec::new();
    while folder != NodeId::ROOT {
        let row: Option<crate::record::Folder> = rows.record(&keys.folder(folder))?;
        match row {
            Some(row) if row.detached.is_none() && names.len() <= allod_model::PATH_DEPTH_MAX => {
                names.push(row.key.name());
                folder = row.parent;
            }
            _ => return Ok(None),
        }
    }
    names.reverse();
    Ok(Some(Path::from_names(names)))
}
