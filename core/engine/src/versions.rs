//! Versions of a bucket's files, and what holds them: judged in the commit, whichever window a change came by.
//!
//! The current version of a key is its entry. What it replaced lies in the table `Y`, one row a version or delete
//! marker, newest first; these rows are beside the account's history (`V`), which has its own references and its own
//! end. They stay with their folder: who renames a folder takes its versions along.

use std::ops::ControlFlow;

use allod_meta::{KeyRange, Lookup};
use allod_model::{Detail, EntryKey, Error, ErrorKind, NodeId, Seq, Timestamp};

use crate::commit::{Commit, Weight};
use crate::fault::{Fault, Res};
use crate::keys::{Keys, number_at};
use crate::object::{DefaultRetention, Period, Retention, VersionId, Versioning};
use crate::reading::Records;
use crate::record::{BucketFlags, Entry, File, Folder, Kept, Place, What, decode, encode};
use crate::resolve::folder_row;

/// Rows looked at in search of holds below a folder that is to go.
const HOLD_ROWS_MAX: usize = 100_000;
/// Seconds of a day of a retention.
const DAY_SECS: i64 = 86_400;

/// What becomes of a revision that a commit replaces in a bucket that keeps versions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Superseding {
    /// It is kept as a version; one that is held must not be replaced.
    Plainly,
    /// It is kept as a version, held or not: the writer knows versions, and finds it there.
    AsVersion,
    /// It is not kept: the commit removes that version itself, after it has looked whether it is held.
    ForGood,
}

/// A version found in a bucket.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its order among the versions of its key.
    pub order: Seq,
    /// Whether it stands in the tree; else it is a row of `Y`.
    pub current: bool,
    pub kept: Kept,
}

impl Kept {
    pub fn id(&self, order: Seq) -> VersionId {
        match self {
            Kept::Version(entry) => entry.file().map_or(VersionId::Null, File::version_id),
            Kept::Marker { null: true, .. } => VersionId::Null,
            Kept::Marker { null: false, .. } => VersionId::Seq(order),
        }
    }

    fn weight(&self) -> Weight {
        let held = match self {
            Kept::Version(entry) => entry.file().is_some_and(File::has_hold),
            Kept::Marker { .. } => false,
        };
        Weight { kept: 1, held: held.into(), ..Weight::default() }
    }
}

impl File {
    pub fn version_id(&self) -> VersionId {
        match self.written() {
            Seq(0) => VersionId::Null,
            seq => VersionId::Seq(seq),
        }
    }
}

impl Entry {
    /// Its order among the versions of its key: the commit that wrote it.
    pub fn order(&self) -> Seq {
        match self.file().map_or(Seq(0), File::written) {
            Seq(0) => self.seq,
            written => written,
        }
    }
}

impl Commit<'_, '_> {
    /// The flags of the bucket that `folder` is or lies in.
    pub fn bucket_flags(&mut self, folder: NodeId) -> Res<Option<BucketFlags>> {
        Ok(self.bucket_row(folder)?.and_then(|(_, row)| row.bucket).map(|flags| *flags))
    }

    /// The row of the bucket that `folder` is or lies in.
    pub fn bucket_row(&mut self, mut folder: NodeId) -> Res<Option<(NodeId, Folder)>> {
        while folder != NodeId::ROOT {
            let row = self.folder(folder)?;
            if row.detached.is_some() {
                return Ok(None);
            }
            if row.parent == NodeId::ROOT {
                return Ok(Some((folder, row.clone())));
            }
            folder = row.parent;
        }
        Ok(None)
    }

    /// Before an entry changes: refuses what holds forbid, gives a new revision its place among the versions, and
    /// keeps the one it replaces.
    pub fn version(
        &mut self,
        folder: NodeId,
        key: &EntryKey,
        before: Option<&Entry>,
        new: &mut Option<Entry>,
    ) -> Res<()> {
        if key.is_folder() {
            let leaves = before.filter(|old| new.as_ref().map(|new| new.node) != Some(old.node));
            return leaves
                .map_or(Ok(()), |old| check_nothing_held(&*self.txn, self.keys, old.node, self.now));
        }
        let content = |entry: &Entry| entry.file().map(|file| (entry.node, file.content, file.written()));
        let revised = before.and_then(content) != new.as_ref().and_then(content);
        let flags = self.bucket_flags(folder)?;
        if !revised {
            return Ok(());
        }
        if self.superseding == Superseding::ForGood {
            return Ok(());
        }
        let versioning = flags.as_ref().map_or(Versioning::Off, |flags| flags.versioning);
        let keeps = self.superseding == Superseding::AsVersion && versioning == Versioning::Enabled;
        if !keeps && before.and_then(Entry::file).is_some_and(|file| file.is_held(self.now)) {
            return Err(held().into());
        }
        if let Some(What::File(file)) = new.as_mut().map(|new| &mut new.what) {
            self.stamp(file, flags.as_ref());
        }
        self.keep(folder, key, before, versioning, new.is_none())
    }

    /// A new revision: which version it is, and what the bucket's default holds it for.
    fn stamp(&self, file: &mut File, flags: Option<&BucketFlags>) {
        let (seq, now) = (self.seq, self.now);
        let versioned = flags.is_some_and(|flags| flags.versioning == Versioning::Enabled);
        let lock = flags.and_then(|flags| flags.object_lock);
        if !versioned && lock.is_none() && file.object.is_none() {
            return;
        }
        file.change_object(|object| {
            object.written = if versioned { seq } else { Seq(0) };
            match lock {
                None => (object.retention, object.legal_hold) = (None, false),
                Some(default) => {
                    object.retention = object.retention.or_else(|| default.map(|d| d.from(now)));
                }
            }
        });
    }

    /// Keeps the replaced revision, and marks a deletion.
    fn keep(
        &mut self,
        folder: NodeId,
        key: &EntryKey,
        before: Option<&Entry>,
        versioning: Versioning,
        removes: bool,
    ) -> Res<()> {
        let null = before.and_then(Entry::file).is_some_and(|file| file.version_id() == VersionId::Null);
        match versioning {
            Versioning::Off => return Ok(()),
            // The null version is replaced by the next one.
            Versioning::Suspended => {
                self.drop_null(folder, key)?;
                if let Some(old) = before.filter(|_| !null) {
                    self.keep_row(folder, key, old.order(), Kept::Version(old.clone()))?;
                }
            }
            Versioning::Enabled => {
                if let Some(old) = before {
                    self.keep_row(folder, key, old.order(), Kept::Version(old.clone()))?;
                }
            }
        }
        if removes {
            self.mark_deleted(folder, key, versioning == Versioning::Suspended)?;
        }
        Ok(())
    }

    /// Puts a delete marker as the newest version of a key.
    pub fn mark_deleted(&mut self, folder: NodeId, key: &EntryKey, null: bool) -> Res<VersionId> {
        let marker = Kept::Marker { null, time: self.now };
        let (order, id) = (self.seq, marker.id(self.seq));
        // Also where nothing stood: the counters carry the number on that the marker bears.
        self.touch_state();
        self.state.seq = self.state.seq.max(order);
        // Deleted twice in one commit is deleted once.
        if self.txn.get(&self.keys.kept(folder, key, order))?.is_none() {
            self.keep_row(folder, key, order, marker)?;
        }
        Ok(id)
    }

    fn keep_row(&mut self, folder: NodeId, key: &EntryKey, order: Seq, kept: Kept) -> Res<()> {
        if let Kept::Version(entry) = &kept {
            let contents: Vec<_> = entry.contents().collect();
            contents.into_iter().try_for_each(|content| self.retain(content))?;
        }
        self.txn.put(&self.keys.kept(folder, key, order), &encode(&kept))?;
        self.adjust(folder, kept.weight())
    }

    /// Removes a kept version for good; `keep_contents` when its references move on.
    pub fn drop_kept(
        &mut self,
        folder: NodeId,
        key: &EntryKey,
        order: Seq,
        kept: &Kept,
        keep_contents: bool,
    ) -> Res<()> {
        self.txn.delete(&self.keys.kept(folder, key, order))?;
        if let Kept::Version(entry) = kept
            && !keep_contents
        {
            self.release_entry(entry)?;
        }
        let Weight { kept, held, .. } = kept.weight();
        self.adjust(folder, Weight { kept: -kept, held: -held, ..Weight::default() })
    }

    /// Rewrites what is kept with a replaced version.
    pub fn change_kept(
        &mut self,
        folder: NodeId,
        key: &EntryKey,
        order: Seq,
        old: &Kept,
        new: &Kept,
    ) -> Res<()> {
        self.txn.put(&self.keys.kept(folder, key, order), &encode(new))?;
        let held = new.weight().held - old.weight().held;
        self.adjust(folder, Weight { held, ..Weight::default() })
    }

    /// Removes the null version, or null delete marker, of a key for good: another one comes in its place.
    ///
    /// # Errors
    /// `Denied` with `Held`.
    pub fn drop_null(&mut self, folder: NodeId, key: &EntryKey) -> Res<()> {
        match find_kept(&*self.txn, self.keys, folder, key, |order, kept| kept.id(order) == VersionId::Null)?
        {
            Some((_, Kept::Version(entry))) if entry.file().is_some_and(|file| file.is_held(self.now)) => {
                Err(held().into())
            }
            Some((order, kept)) => self.drop_kept(folder, key, order, &kept, false),
            None => Ok(()),
        }
    }

    /// Removes one version for good; the one below it shows then, if it was the newest.
    ///
    /// # Errors
    /// `Denied` with `Held`.
    pub fn remove_version(&mut self, folder: NodeId, key: &EntryKey, found: &Found, bypass: bool) -> Res<()> {
        if let Kept::Version(entry) = &found.kept
            && let Some(file) = entry.file()
            && file.is_held(self.now)
            && !(bypass && file.is_only_governed(self.now))
        {
            return Err(held().into());
        }
        let newest = found.current || self.is_newest(folder, key, found.order)?;
        if !found.current {
            self.drop_kept(folder, key, found.order, &found.kept, false)?;
        }
        if newest {
            let before = std::mem::replace(&mut self.superseding, Superseding::ForGood);
            let shown = self.show_newest(folder, key);
            self.superseding = before;
            shown?;
        }
        self.vanish_if_empty(folder)
    }

    /// Whether a kept row is what decides about what the key shows.
    fn is_newest(&self, folder: NodeId, key: &EntryKey, order: Seq) -> Res<bool> {
        if self.entry(folder, key)?.is_some() {
            return Ok(false);
        }
        let newest = find_kept(&*self.txn, self.keys, folder, key, |_, _| true)?;
        Ok(newest.is_some_and(|(first, _)| first == order))
    }

    /// Puts the newest kept version in place of what the key shows; nothing when that is a delete marker.
    fn show_newest(&mut self, folder: NodeId, key: &EntryKey) -> Res<()> {
        let newest = find_kept(&*self.txn, self.keys, folder, key, |_, _| true)?;
        let Some((order, kept)) = newest else { return self.set(folder, key, None) };
        let Kept::Version(mut entry) = kept.clone() else { return self.set(folder, key, None) };
        self.drop_kept(folder, key, order, &kept, true)?;
        let place: Option<Place> = self.txn.record(&self.keys.node(entry.node))?;
        // Its node may have moved on to another place by a rename.
        if place.is_some_and(|p| p.detached.is_none() && (p.parent, &p.key) != (folder, key)) {
            entry.node = self.new_node();
        }
        entry.seq = self.seq;
        self.set(folder, key, Some(entry))
    }
}

impl File {
    /// Whether nothing but a governance retention holds it.
    pub fn is_only_governed(&self, now: Timestamp) -> bool {
        self.object.as_ref().is_some_and(|object| {
            !object.legal_hold
                && object
                    .retention
                    .is_none_or(|r| r.mode == crate::object::RetentionMode::Governance || r.until <= now)
        })
    }
}

impl DefaultRetention {
    /// The retention of something written now.
    fn from(self, now: Timestamp) -> Retention {
        let days = match self.period {
            Period::Days(days) => i64::from(days),
            Period::Years(years) => i64::from(years) * 365,
        };
        Retention { mode: self.mode, until: now.plus_secs(days * DAY_SECS) }
    }
}

/// Refuses when something below a folder must stay.
pub fn check_nothing_held(rows: &impl Lookup, keys: Keys, folder: NodeId, now: Timestamp) -> Res<()> {
    let mut looked = 0;
    let mut waiting = vec![folder];
    while let Some(folder) = waiting.pop() {
        if folder_row(rows, keys, folder)?.held == 0 {
            continue;
        }
        let mut look = |entry: &Entry| -> Res<()> {
            looked += 1;
            let active = entry.file().is_some_and(|file| file.is_held(now));
            if active || looked > HOLD_ROWS_MAX { Err(held().into()) } else { Ok(()) }
        };
        let prefix = keys.entries(folder);
        rows.each(&KeyRange::prefix(&prefix), prefix.len(), |_, value| {
            let entry: Entry = decode(value)?;
            look(&entry)?;
            if entry.is_folder() {
                waiting.push(entry.node);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let prefix = keys.kept_in(folder);
        rows.each(&KeyRange::prefix(&prefix), prefix.len(), |_, value| {
            if let Kept::Version(entry) = decode(value)? {
                look(&entry)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(())
}

/// The newest kept row of a key that `wanted` takes.
pub fn find_kept(
    rows: &impl Lookup,
    keys: Keys,
    folder: NodeId,
    key: &EntryKey,
    wanted: impl Fn(Seq, &Kept) -> bool,
) -> Res<Option<(Seq, Kept)>> {
    let prefix = keys.kept_of(folder, key);
    let mut found = None;
    rows.each(&KeyRange::prefix(&prefix), prefix.len(), |tail, value| {
        let order = Seq(!number_at(tail).unwrap_or(0));
        let kept: Kept = decode(value)?;
        if wanted(order, &kept) {
            found = Some((order, kept));
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// What a key shows, or one version of it.
///
/// # Errors
/// `NotFound`, with `DeleteMarker` when what is asked for is one, with `NoVersion` when there is no such version.
pub fn find_version(
    rows: &impl Lookup,
    keys: Keys,
    folder: NodeId,
    key: &EntryKey,
    version: Option<VersionId>,
) -> Res<Found> {
    let entry: Option<Entry> = rows.record(&keys.entry(folder, key))?;
    let entry = entry.filter(|entry| !entry.is_folder());
    let current = |entry: Entry| Found { order: entry.order(), current: true, kept: Kept::Version(entry) };
    let Some(version) = version else {
        if let Some(entry) = entry {
            return Ok(current(entry));
        }
        // Most keys that are not there never were: one look at the folder spares the search.
        let kept = match rows.record::<Folder>(&keys.folder(folder))?.is_some_and(|row| row.kept > 0) {
            true => find_kept(rows, keys, folder, key, |_, _| true)?,
            false => None,
        };
        return match kept {
            Some((order, kept @ Kept::Marker { .. })) => Err(is_marker(kept.id(order)).into()),
            _ => Err(Error::not_found().into()),
        };
    };
    if let Some(entry) = entry.filter(|e| e.file().is_some_and(|file| file.version_id() == version)) {
        return Ok(current(entry));
    }
    let found = match version {
        // Its row is where its order says.
        VersionId::Seq(seq) => rows.record::<Kept>(&keys.kept(folder, key, seq))?.map(|kept| (seq, kept)),
        VersionId::Null => find_kept(rows, keys, folder, key, |order, kept| kept.id(order) == version)?,
    };
    match found.filter(|(order, kept)| kept.id(*order) == version) {
        Some((order, kept)) => Ok(Found { order, current: false, kept }),
        None => Err(Error::not_found().with(Detail::NoVersion).into()),
    }
}

/// What is asked for is a delete marker.
pub fn is_marker(id: VersionId) -> Error {
    let commit = match id {
        VersionId::Null => 0,
        VersionId::Seq(seq) => seq.0,
    };
    Error::new(ErrorKind::NotFound, "it was deleted; earlier versions are there")
        .with(Detail::DeleteMarker(commit))
}

/// The refusal of what would remove something that is held.
pub fn held() -> Error {
    let message = "a retention or a legal hold keeps this; wait until it ends, or take the hold off";
    Error::new(ErrorKind::Denied, message).with(Detail::Held)
}

/// The entry of a version; a delete marker has none.
pub fn entry_of(found: Found) -> Result<Entry, Fault> {
    match found.kept {
        Kept::Version(entry) => Ok(entry),
        marker @ Kept::Marker { .. } => Err(is_marker(marker.id(found.order)).into()),
    }
}
