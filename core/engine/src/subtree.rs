//! Whole subtrees out of sight: copies put together before they are linked, and removed ones taken apart.
//!
//! Both work in bounded steps on folders that no path leads to. A row in `P` names such a folder from the first
//! step on, so that a crash leaves nothing behind that the collector does not find.

use std::ops::ControlFlow;
use std::sync::Arc;

use allod_meta::{KeyRange, Lookup, View};
use allod_model::{EntryKey, Kind, NodeId, Result, Seq};

use crate::account::AccountHandle;
use crate::as_of::AsOf;
use crate::commit::Commit;
use crate::components::Components;
use crate::core::Core;
use crate::fault::Res;
use crate::keys::number_at;
use crate::reading::Records;
use crate::record::{Entry, File, Folder, Kept, Place, What, decode, encode};
use crate::session::Session;
use crate::times;

/// Entries handled in one step.
const STEP_ENTRIES: usize = 500;

/// A copy of a folder, complete but not linked yet.
pub struct StagedCopy {
    core: Core,
    account: Arc<AccountHandle>,
    root: Entry,
}

impl StagedCopy {
    /// Copies the folder `source` as it is now. `shallow`: without its members.
    pub async fn make(session: &Session, source: &Entry, shallow: bool) -> Result<StagedCopy> {
        Self::build(session, source, shallow, None).await
    }

    /// Copies the folder `source` as it was.
    pub async fn make_as_of(session: &Session, source: &Entry, as_of: AsOf) -> Result<StagedCopy> {
        Self::build(session, source, false, Some(as_of)).await
    }

    async fn build(
        session: &Session,
        source: &Entry,
        shallow: bool,
        as_of: Option<AsOf>,
    ) -> Result<StagedCopy> {
        let (core, account) = (session.core().clone(), session.handle().clone());
        let mut walk = Walk {
            view: session.view()?,
            as_of,
            frames: vec![Frame::new(source.clone())],
            root: None,
            started: None,
        };
        if shallow {
            walk.frames[0].ended = true;
        }
        while walk.root.is_none() {
            let (handle, now, pins, step) = (account.clone(), core.0.env.now(), core.clone(), walk.clone());
            let stepped = core
                .transact(account.shard(), move |txn| {
                    let mut commit = Commit::begin(txn, &handle, now)?;
                    let mut walk = step.clone();
                    walk.step(&mut commit, &pins)?;
                    commit.finish_quietly()?;
                    Ok(walk)
                })
                .await;
            match stepped {
                Ok(next) => walk = next,
                Err(error) => {
                    if let Some(folder) = walk.started {
                        core.0.pins.end_staging(account.id(), folder);
                    }
                    return Err(error);
                }
            }
            session.check_alive()?;
        }
        // Invariant: the loop ends only with a root.
        let root = walk.root.take().expect("a finished walk has a root");
        Ok(StagedCopy { core, account, root })
    }

    /// The copy's entry, ready to be linked (its `seq` is to be set); linking deletes its row in `P`.
    pub fn root(&self) -> Entry {
        self.root.clone()
    }

    /// Call when the linking commit is decided. An unlinked copy is left to the collector.
    pub fn settle(self, linked: bool) {
        self.core.0.pins.end_staging(self.account.id(), self.root.node);
        if !linked {
            self.core.wake_collector();
        }
    }
}

/// A folder being copied.
#[derive(Clone)]
struct Frame {
    source: Entry,
    /// The copy's id, once it has one.
    copy: Option<NodeId>,
    /// The key it gets in the frame above.
    key: Option<EntryKey>,
    /// Members not yet copied, next one last; filled page by page.
    waiting: Vec<(EntryKey, Entry)>,
    after: Option<EntryKey>,
    ended: bool,
    members: u64,
    documents: u64,
    bytes: u64,
}

impl Frame {
    fn new(source: Entry) -> Self {
        Frame {
            source,
            copy: None,
            key: None,
            waiting: Vec::new(),
            after: None,
            ended: false,
            members: 0,
            documents: 0,
            bytes: 0,
        }
    }
}

/// A depth-first walk over the source, resumed step by step.
#[derive(Clone)]
struct Walk {
    view: View,
    as_of: Option<AsOf>,
    frames: Vec<Frame>,
    root: Option<Entry>,
    started: Option<NodeId>,
}

impl Walk {
    fn step(&mut self, commit: &mut Commit, core: &Core) -> Res<()> {
        for _ in 0..STEP_ENTRIES {
            let Some(frame) = self.frames.last_mut() else { return Ok(()) };
            let copy = match frame.copy {
                Some(copy) => copy,
                None => {
                    let copy = commit.new_node();
                    frame.copy = Some(copy);
                    if self.frames.len() == 1 {
                        core.0.pins.begin_staging(commit.account.id(), copy);
                        self.started = Some(copy);
                        commit.txn.put(&commit.keys.purge(copy), &commit.now.0.to_be_bytes())?;
                    }
                    copy
                }
            };
            match self.next_member(commit)? {
                Some((key, entry)) if entry.is_folder() => {
                    let mut inner = Frame::new(entry);
                    inner.key = Some(key);
                    self.frames.push(inner);
                }
                Some((key, entry)) => self.copy_file(commit, copy, &key, entry)?,
                None => self.close_frame(commit)?,
            }
        }
        Ok(())
    }

    fn next_member(&mut self, commit: &Commit) -> Res<Option<(EntryKey, Entry)>> {
        // Invariant: called only while there is a frame.
        let Some(frame) = self.frames.last_mut() else { return Ok(None) };
        if frame.waiting.is_empty() && !frame.ended {
            let folder = frame.source.node;
            let mut page: Vec<(EntryKey, Entry)> = match self.as_of {
                Some(as_of) => {
                    frame.ended = true;
                    as_of.members(&self.view, folder)?.into_iter().collect()
                }
                None => {
                    let page = members(&self.view, commit, folder, frame.after.as_ref(), STEP_ENTRIES)?;
                    frame.ended = page.len() < STEP_ENTRIES;
                    frame.after = page.last().map(|(key, _)| key.clone());
                    page
                }
            };
            page.reverse();
            frame.waiting = page;
        }
        Ok(frame.waiting.pop())
    }

    fn copy_file(
        &mut self,
        commit: &mut Commit,
        folder: NodeId,
        key: &EntryKey,
        mut entry: Entry,
    ) -> Res<()> {
        entry.forget_version();
        let size = entry.file().map_or(0, |file| file.size);
        let node = commit.new_node();
        let place = Place { parent: folder, key: key.clone(), detached: None };
        commit.txn.put(&commit.keys.node(node), &encode(&place))?;
        if let Some(uid) = entry.file().and_then(|file| file.uid.as_ref()) {
            commit.txn.put(&commit.keys.uid(folder, uid), key.as_bytes())?;
        }
        if let Some(event) = entry.file().and_then(File::event) {
            let (row, value) = times::row(commit.keys, folder, key, event);
            commit.txn.put(&row, &value)?;
        }
        let mut entry = Entry { node, ..entry };
        if entry.file().is_some_and(|file| file.mail().is_some()) {
            commit.file_message(folder, key, &mut entry)?;
        }
        self.write_entry(commit, folder, key, entry)?;
        if let Some(frame) = self.frames.last_mut() {
            frame.documents += 1;
            frame.bytes += size;
        }
        Ok(())
    }

    /// Writes a copied entry. Each gets a number of its own, so that a sync token can stand between any two.
    fn write_entry(&mut self, commit: &mut Commit, folder: NodeId, key: &EntryKey, entry: Entry) -> Res<()> {
        entry.contents().try_for_each(|content| commit.retain(content))?;
        let seq = commit.next_seq();
        let entry = Entry { seq, created: commit.now, ..entry };
        commit.txn.put(&commit.keys.entry(folder, key), &encode(&entry))?;
        commit.txn.put(&commit.keys.change(folder, seq, key), &[1])?;
        if let Some(frame) = self.frames.last_mut() {
            frame.members += 1;
        }
        Ok(())
    }

    /// All members are copied: writes the folder's row, and its entry in the folder above.
    fn close_frame(&mut self, commit: &mut Commit) -> Res<()> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        // Invariant: a frame gets its copy before its first member.
        let copy = frame.copy.expect("a frame that ends has begun");
        let entry = Entry { node: copy, ..frame.source.clone() };
        let What::Folder { kind, pinned } = entry.what else { return Ok(()) };
        let source: Option<Folder> = self.view.record(&commit.keys.folder(frame.source.node))?;
        let parent = self.frames.last().and_then(|above| above.copy);
        let seq = commit.next_seq();
        let row = Folder {
            parent: parent.unwrap_or(copy),
            key: frame.key.clone().unwrap_or_else(|| EntryKey::from_bytes(b"/")),
            detached: parent.is_none().then_some(seq),
            kind,
            pinned,
            modified: commit.now,
            token: seq,
            below: seq,
            members: frame.members,
            documents: frame.documents,
            bytes: frame.bytes,
            bucket: None,
            kept: 0,
            held: 0,
            ruled: false,
            components: source.as_ref().map_or(Components::ALL, |row| row.components),
            transparent: source.is_some_and(|row| row.transparent),
            derived: false,
        };
        commit.txn.put(&commit.keys.folder(copy), &encode(&row))?;
        match (parent, frame.key) {
            (Some(parent), Some(key)) => {
                if let Some(above) = self.frames.last_mut() {
                    above.documents += frame.documents;
                    above.bytes += frame.bytes;
                    if matches!(above.source.what, What::Folder { kind: Kind::Mailbox, .. }) {
                        commit.txn.put(&commit.keys.inner_mailbox(parent, &key), &[])?;
                    }
                }
                self.write_entry(commit, parent, &key, entry)
            }
            _ => {
                entry.properties.into_iter().try_for_each(|content| commit.retain(content))?;
                self.root = Some(entry);
                Ok(())
            }
        }
    }
}

/// A page of a folder's entries.
fn members(
    rows: &impl Lookup,
    commit: &Commit,
    folder: NodeId,
    after: Option<&EntryKey>,
    limit: usize,
) -> Res<Vec<(EntryKey, Entry)>> {
    let prefix = commit.keys.entries(folder);
    let after = after.map(|key| commit.keys.entry(folder, key));
    let rows = rows.scan_prefix(&prefix, after.as_deref(), limit)?;
    rows.into_iter()
        .map(|(key, value)| {
            let key = EntryKey::from_bytes(key.get(prefix.len()..).unwrap_or(&[]));
            Ok((key, decode(&value)?))
        })
        .collect()
}

/// Takes a folder out of the tree apart, one step; `true` when nothing of it is left.
pub fn purge_step(commit: &mut Commit, folder: NodeId) -> Res<bool> {
    let keys = commit.keys;
    let page = members(&*commit.txn, commit, folder, None, STEP_ENTRIES)?;
    for (key, entry) in &page {
        commit.txn.delete(&keys.entry(folder, key))?;
        commit.txn.delete(&keys.change(folder, entry.seq, key))?;
        match &entry.what {
            What::File(file) => {
                commit.txn.delete(&keys.node(entry.node))?;
                if let Some(uid) = &file.uid {
                    commit.txn.delete(&keys.uid(folder, uid))?;
                }
                if let Some(event) = file.event() {
                    commit.txn.delete(&times::row(keys, folder, key, event).0)?;
                }
                commit.release_entry(entry)?;
            }
            What::Folder { .. } => {
                commit.release_entry(entry)?;
                commit.txn.put(&keys.purge(entry.node), &commit.now.0.to_be_bytes())?;
            }
        }
    }
    if page.len() == STEP_ENTRIES {
        return Ok(false);
    }
    if purge_versions(commit, folder)? || purge_kept(commit, folder)? {
        return Ok(false);
    }
    let mail = [
        keys.messages(folder),
        keys.mail_changes(folder),
        keys.vanished_in(folder),
        keys.annotations(folder),
        keys.inner_mailboxes(folder),
        keys.spans(folder),
    ];
    for prefix in
        [keys.changes(folder), keys.tombstone(folder, &EntryKey::from_bytes(b""))].into_iter().chain(mail)
    {
        let rows = commit.txn.scan_prefix(&prefix, None, STEP_ENTRIES)?;
        for (key, _) in &rows {
            commit.txn.delete(key)?;
        }
        if rows.len() == STEP_ENTRIES {
            return Ok(false);
        }
    }
    commit.txn.delete(&keys.folder(folder))?;
    commit.txn.delete(&keys.bucket(folder))?;
    commit.txn.delete(&keys.lifecycle(folder))?;
    commit.txn.delete(&keys.mailbox(folder))?;
    commit.txn.delete(&keys.purge(folder))?;
    Ok(true)
}

/// Lets go of the versions that a purged folder kept; `true` when more is left.
fn purge_kept(commit: &mut Commit, folder: NodeId) -> Res<bool> {
    let rows = commit.txn.scan_prefix(&commit.keys.kept_in(folder), None, STEP_ENTRIES)?;
    for (key, value) in &rows {
        if let Kept::Version(entry) = decode(value)? {
            commit.release_entry(&entry)?;
        }
        commit.txn.delete(key)?;
    }
    Ok(rows.len() == STEP_ENTRIES)
}

/// Lets go of the history of a purged folder's members; `true` when more is left.
fn purge_versions(commit: &mut Commit, folder: NodeId) -> Res<bool> {
    let prefix = commit.keys.versions_of_folder(folder);
    let mut versions = Vec::new();
    commit.txn.each(&KeyRange::prefix(&prefix), 0, |key, value| {
        versions.push((key.to_vec(), decode::<Entry>(value)?));
        Ok(if versions.len() < STEP_ENTRIES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    for (key, entry) in &versions {
        let seq = Seq(number_at(&key[key.len().saturating_sub(8)..]).unwrap_or(0));
        commit.txn.delete(key)?;
        let_go(commit, entry, seq)?;
    }
    Ok(versions.len() == STEP_ENTRIES)
}

/// A before-image leaves history: its contents lose a reference, and its node goes if this was its last trace.
pub fn let_go(commit: &mut Commit, entry: &Entry, seq: Seq) -> Res<()> {
    commit.release_entry(entry)?;
    let keys = commit.keys;
    match entry.what {
        What::File(_) => {
            let place: Option<Place> = commit.txn.record(&keys.node(entry.node))?;
            if place.is_some_and(|place| place.detached == Some(seq)) {
                commit.txn.delete(&keys.node(entry.node))?;
            }
        }
        What::Folder { .. } => {
            let row: Option<Folder> = commit.txn.record(&keys.folder(entry.node))?;
            if row.is_some_and(|row| row.detached == Some(seq)) {
                commit.txn.put(&keys.purge(entry.node), &commit.now.0.to_be_bytes())?;
            }
        }
    }
    Ok(())
}
