//! One commit in an account's history: the only place where entries, roll-ups, the change index and the log change.
//!
//! **Invariant:** whatever is written to a tree goes through [`Commit::replace`]; so the change index, the history,
//! the roll-ups and the log can't disagree with the entries.

use std::collections::BTreeMap;

use allod_meta::{Lookup, Txn};
use allod_model::{ContentId, Detail, EntryKey, Error, ErrorKind, Kind, NodeId, Seq, Timestamp};

use crate::account::AccountHandle;
use crate::birthdays;
use crate::components::Components;
use crate::fault::{Fault, Res};
use crate::keys::Keys;
use crate::mail::index::MailCommit;
use crate::reading::Records;
use crate::record::{
    AccountState, Actor, CommitRecord, Content, Delta, Entry, File, Folder, Place, What, encode,
};
use crate::times;
use crate::typed::EventRow;
use crate::versions::Superseding;

/// A commit being put together inside a transaction.
pub struct Commit<'a, 't> {
    pub txn: &'a mut Txn<'t>,
    pub account: &'a AccountHandle,
    pub keys: Keys,
    pub state: AccountState,
    /// The number this commit takes if it changes anything.
    pub seq: Seq,
    pub now: Timestamp,
    /// What becomes of revisions that this commit replaces in a bucket.
    pub superseding: Superseding,
    /// The server writes what it derives, where nobody else can.
    pub deriving: bool,
    /// What it does to mailboxes.
    pub mail: MailCommit,
    cards_changed: bool,
    folders: BTreeMap<NodeId, (Folder, bool)>,
    deltas: BTreeMap<(NodeId, EntryKey), Change>,
    state_changed: bool,
}

impl<'a, 't> Commit<'a, 't> {
    /// Begins; reads the account's counters.
    pub fn begin(txn: &'a mut Txn<'t>, account: &'a AccountHandle, now: Timestamp) -> Res<Self> {
        let keys = account.keys();
        let state: AccountState = txn.record(&keys.state())?.ok_or_else(|| missing("the account's state"))?;
        let now = now.max(state.time);
        let seq = Seq(state.seq.0 + 1);
        Ok(Commit {
            txn,
            account,
            keys,
            seq,
            now,
            state,
            superseding: Superseding::Plainly,
            deriving: false,
            mail: MailCommit::default(),
            cards_changed: false,
            folders: BTreeMap::new(),
            deltas: BTreeMap::new(),
            state_changed: false,
        })
    }

    /// Marks the counters as changed although no entry may change.
    pub fn touch_state(&mut self) {
        self.state_changed = true;
    }

    /// A node id never used before.
    pub fn new_node(&mut self) -> NodeId {
        self.state_changed = true;
        self.state.next_node += 1;
        NodeId(self.state.next_node - 1)
    }

    /// A content id never used before.
    pub fn new_content(&mut self) -> ContentId {
        self.state_changed = true;
        self.state.next_content += 1;
        ContentId(self.state.next_content - 1)
    }

    /// Takes a number for an entry that is written out of sight ([`crate::subtree`]).
    pub fn next_seq(&mut self) -> Seq {
        self.state_changed = true;
        self.state.seq.0 += 1;
        self.seq.0 = self.state.seq.0 + 1;
        self.state.seq
    }

    /// A folder's row, as this commit leaves it so far.
    pub fn folder(&mut self, id: NodeId) -> Res<&Folder> {
        Ok(&self.load(id)?.0)
    }

    fn load(&mut self, id: NodeId) -> Res<&mut (Folder, bool)> {
        if !self.folders.contains_key(&id) {
            let folder = self.txn.record(&self.keys.folder(id))?.ok_or_else(|| missing("a folder's row"))?;
            self.folders.insert(id, (folder, false));
        }
        // Invariant: inserted above when absent.
        Ok(self.folders.get_mut(&id).expect("just loaded"))
    }

    pub fn change_folder(&mut self, id: NodeId) -> Res<&mut Folder> {
        let (folder, dirty) = self.load(id)?;
        *dirty = true;
        Ok(folder)
    }

    /// The entry at a key.
    pub fn entry(&self, folder: NodeId, key: &EntryKey) -> Res<Option<Entry>> {
        self.txn.record(&self.keys.entry(folder, key))
    }

    /// Makes the row of a new folder; link it with [`Commit::replace`] afterwards.
    pub fn create_folder(&mut self, kind: Kind, pinned: bool) -> Entry {
        let id = self.new_node();
        let folder = Folder {
            parent: id,
            key: EntryKey::from_bytes(b"/"),
            detached: Some(self.seq),
            kind,
            pinned,
            modified: self.now,
            token: self.seq,
            below: self.seq,
            members: 0,
            documents: 0,
            bytes: 0,
            bucket: None,
            kept: 0,
            held: 0,
            ruled: false,
            components: Components::ALL,
            transparent: false,
            derived: false,
        };
        self.folders.insert(id, (folder, true));
        Entry {
            node: id,
            seq: self.seq,
            created: self.now,
            modified: self.now,
            properties: None,
            what: What::Folder { kind, pinned },
        }
    }

    /// Sets what stands at `key` in `folder`: the one primitive of every change.
    ///
    /// The entry that stood there goes into history and keeps its references to contents; the new one must come
    /// with references of its own ([`Commit::retain`]). An implicit folder left empty vanishes too.
    pub fn replace(&mut self, folder: NodeId, key: &EntryKey, new: Option<Entry>) -> Res<()> {
        let removes = new.is_none();
        self.set(folder, key, new)?;
        if removes { self.vanish_if_empty(folder) } else { Ok(()) }
    }

    /// As [`Commit::replace`], but an emptied folder stays for now: a move takes its node out at the old place
    /// first, puts it in at the new one, and only then calls [`Commit::vanish_if_empty`].
    ///
    /// # Errors
    /// `Denied` with `Held` when a retention or a legal hold keeps what stands there.
    pub fn set(&mut self, folder: NodeId, key: &EntryKey, mut new: Option<Entry>) -> Res<()> {
        let mut before = self.entry(folder, key)?;
        if before.is_none() && new.is_none() {
            return Ok(());
        }
        if !self.deriving && self.folder(folder)?.derived {
            let message = "the members of this folder are made by the server; change what they are made from";
            return Err(Error::new(ErrorKind::Denied, message).into());
        }
        self.cards_changed |= birthdays::concerns(folder, key, before.as_ref(), new.as_ref());
        self.version(folder, key, before.as_ref(), &mut new)?;
        self.index_mail(folder, key, before.as_mut(), new.as_mut())?;
        let old_weight = self.weigh(before.as_ref())?;
        let new_weight = self.weigh(new.as_ref())?;
        self.move_places(folder, key, before.as_ref(), new.as_ref())?;
        self.write_rows(folder, key, before.as_ref(), new.as_ref())?;
        self.index_uid(folder, key, before.as_ref(), new.as_ref())?;
        self.index_times(folder, key, before.as_ref(), new.as_ref())?;
        let members = i64::from(new.is_some()) - i64::from(before.is_some());
        self.roll_up(folder, members, new_weight - old_weight)?;
        // Several changes of one entry are one delta: as it was before the first, as it is after the last.
        let change = Change { existed: before.is_some(), exists: new.is_some() };
        let known = self.deltas.entry((folder, key.clone())).or_insert(change);
        known.exists = new.is_some();
        Ok(())
    }

    fn weigh(&mut self, entry: Option<&Entry>) -> Res<Weight> {
        Ok(match entry.map(|e| (&e.what, e.node)) {
            None => Weight::default(),
            Some((What::File(file), _)) => {
                Weight { documents: 1, bytes: file.size as i128, kept: 0, held: i128::from(file.has_hold()) }
            }
            Some((What::Folder { .. }, node)) => {
                let folder = self.folder(node)?;
                Weight {
                    documents: folder.documents.into(),
                    bytes: folder.bytes.into(),
                    kept: folder.kept.into(),
                    held: folder.held.into(),
                }
            }
        })
    }

    /// Keeps the rows that say where a node stands.
    fn move_places(
        &mut self,
        folder: NodeId,
        key: &EntryKey,
        before: Option<&Entry>,
        new: Option<&Entry>,
    ) -> Res<()> {
        let stays = before.is_some() && before.map(|e| e.node) == new.map(|e| e.node);
        if stays {
            return Ok(());
        }
        if let Some(old) = before {
            self.place(old, folder, key, Some(self.seq))?;
        }
        match new {
            Some(entry) => self.place(entry, folder, key, None),
            None => Ok(()),
        }
    }

    fn place(&mut self, entry: &Entry, parent: NodeId, key: &EntryKey, detached: Option<Seq>) -> Res<()> {
        if entry.is_folder() {
            let row = self.change_folder(entry.node)?;
            (row.parent, row.key, row.detached) = (parent, key.clone(), detached);
        } else {
            let place = Place { parent, key: key.clone(), detached };
            self.txn.put(&self.keys.node(entry.node), &encode(&place))?;
        }
        Ok(())
    }

    fn write_rows(
        &mut self,
        folder: NodeId,
        key: &EntryKey,
        before: Option<&Entry>,
        new: Option<&Entry>,
    ) -> Res<()> {
        let keys = self.keys;
        match before {
            // Only the first change of an entry in a commit goes into history; what was in between never was seen.
            Some(old) if old.seq == self.seq => self.release_entry(old)?,
            Some(old) => {
                self.txn.put(&keys.version(folder, key, self.seq), &encode(old))?;
                self.txn.delete(&keys.change(folder, old.seq, key))?;
            }
            None => {
                if let Some(seq) = self.txn.get(&keys.tombstone(folder, key))? {
                    let seq = Seq(crate::keys::number_at(&seq).unwrap_or(0));
                    self.txn.delete(&keys.tombstone(folder, key))?;
                    self.txn.delete(&keys.change(folder, seq, key))?;
                }
            }
        }
        self.txn.put(&keys.change(folder, self.seq, key), &[u8::from(new.is_some())])?;
        match new {
            Some(entry) => {
                debug_assert_eq!(entry.seq, self.seq, "an entry carries the commit that wrote it");
                self.txn.put(&keys.entry(folder, key), &encode(entry))?;
            }
            None => {
                self.txn.delete(&keys.entry(folder, key))?;
                self.txn.put(&keys.tombstone(folder, key), &self.seq.0.to_be_bytes())?;
            }
        }
        Ok(())
    }

    /// Keeps each UID once in its folder, whatever the change: a write, a move, a restore.
    fn index_uid(
        &mut self,
        folder: NodeId,
        key: &EntryKey,
        before: Option<&Entry>,
        new: Option<&Entry>,
    ) -> Res<()> {
        let uid = |entry: Option<&Entry>| entry.and_then(Entry::file).and_then(|file| file.uid.clone());
        let (old, new) = (uid(before), uid(new));
        if old == new {
            return Ok(());
        }
        if let Some(old) = old {
            self.txn.delete(&self.keys.uid(folder, &old))?;
        }
        let Some(new) = new else { return Ok(()) };
        let row = self.keys.uid(folder, &new);
        if let Some(holder) = self.txn.get(&row)? {
            let holder = EntryKey::from_bytes(&holder).name().to_string();
            let error =
                Error::new(ErrorKind::UidConflict, format!("{holder} in this folder has the same UID"));
            return Err(error.with(Detail::Uid(new, holder)).into());
        }
        Ok(self.txn.put(&row, key.as_bytes())?)
    }

    /// Keeps the index of a calendar's times, and components that a calendar does not take out of it.
    fn index_times(
        &mut self,
        folder: NodeId,
        key: &EntryKey,
        before: Option<&Entry>,
        new: Option<&Entry>,
    ) -> Res<()> {
        let event = |entry: Option<&Entry>| entry.and_then(Entry::file).and_then(File::event).cloned();
        let (old, new) = (event(before), event(new));
        if let Some(event) = &new
            && !self.folder(folder)?.components.holds(event.component)
        {
            let name = event.component.names().next().unwrap_or_default();
            let error = Error::new(ErrorKind::InvalidContent, format!("this calendar takes no {name}"));
            return Err(error.with(Detail::Demand("CALDAV", "supported-calendar-component")).into());
        }
        let row = |event: &EventRow| times::row(self.keys, folder, key, event);
        let (old, new) = (old.as_ref().map(row), new.as_ref().map(row));
        if old == new {
            return Ok(());
        }
        if let Some((row, _)) = old {
            self.txn.delete(&row)?;
        }
        match new {
            Some((row, value)) => Ok(self.txn.put(&row, &value)?),
            None => Ok(()),
        }
    }

    /// Carries a change up to the root (or to the top of a subtree that is out of the tree).
    fn roll_up(&mut self, folder: NodeId, members: i64, weight: Weight) -> Res<()> {
        let (seq, now) = (self.seq, self.now);
        let row = self.change_folder(folder)?;
        row.members = row.members.saturating_add_signed(members);
        row.token = seq;
        row.modified = now;
        let mut id = folder;
        loop {
            let row = self.change_folder(id)?;
            row.below = seq;
            row.add(weight);
            if id == NodeId::ROOT || row.detached.is_some() {
                return Ok(());
            }
            id = row.parent;
        }
    }

    /// Carries a change of what is kept up to the root; nothing that the tree shows changes.
    pub fn adjust(&mut self, folder: NodeId, weight: Weight) -> Res<()> {
        let mut id = folder;
        loop {
            let row = self.change_folder(id)?;
            row.add(weight);
            if id == NodeId::ROOT || row.detached.is_some() {
                return Ok(());
            }
            id = row.parent;
        }
    }

    /// Removes a folder that nobody asked for by name, and those above it, once nothing is left in it.
    pub fn vanish_if_empty(&mut self, folder: NodeId) -> Res<()> {
        let row = self.folder(folder)?;
        if folder == NodeId::ROOT || row.pinned || row.members > 0 || row.kept > 0 || row.detached.is_some() {
            return Ok(());
        }
        let (parent, key) = (row.parent, row.key.clone());
        self.replace(parent, &key, None)
    }

    /// Lets go of the contents that an entry holds.
    pub fn release_entry(&mut self, entry: &Entry) -> Res<()> {
        let contents: Vec<_> = entry.contents().collect();
        contents.into_iter().try_for_each(|content| self.release(content))
    }

    /// Adds a reference to a content.
    ///
    /// # Errors
    /// `Busy` when it was let go of meanwhile.
    pub fn retain(&mut self, content: ContentId) -> Res<()> {
        if self.txn.get(&self.keys.content(content))?.is_none() {
            let why = "the content went away during the operation; try again";
            return Err(Error::new(ErrorKind::Busy, why).into());
        }
        let key = self.keys.refs(content);
        let refs = self.refs(content)?;
        if refs == 0 {
            self.txn.delete(&self.keys.dying(content))?;
        }
        self.write_refs(key, refs + 1)
    }

    /// Drops a reference; the last one hands the content to the collector.
    pub fn release(&mut self, content: ContentId) -> Res<()> {
        let refs = self.refs(content)?.saturating_sub(1);
        if refs == 0 {
            self.txn.put(&self.keys.dying(content), &self.now.0.to_be_bytes())?;
        }
        self.write_refs(self.keys.refs(content), refs)
    }

    fn refs(&self, content: ContentId) -> Res<u64> {
        let row = self.txn.get(&self.keys.refs(content))?;
        Ok(row.map_or(1, |bytes| crate::keys::number_at(&bytes).unwrap_or(1)))
    }

    fn write_refs(&mut self, key: Vec<u8>, refs: u64) -> Res<()> {
        match refs {
            1 => self.txn.delete(&key)?,
            _ => self.txn.put(&key, &refs.to_be_bytes())?,
        }
        Ok(())
    }

    /// Stores small bytes (properties) as a content with one reference.
    pub fn store_inline(&mut self, plain: &[u8]) -> Res<ContentId> {
        let id = self.new_content();
        let content = self.account.inline_content(id, plain);
        self.write_content(id, &content)?;
        Ok(id)
    }

    /// Writes a content's row; it starts with one reference.
    pub fn write_content(&mut self, id: ContentId, content: &Content) -> Res<()> {
        Ok(self.txn.put(&self.keys.content(id), &encode(content))?)
    }

    /// Bytes of all current files, this commit included.
    pub fn used(&mut self) -> Res<u64> {
        Ok(self.folder(NodeId::ROOT)?.bytes)
    }

    /// Writes counters only: for steps that no client sees yet.
    pub fn finish_quietly(mut self) -> Res<()> {
        debug_assert!(self.deltas.is_empty(), "a change of the tree belongs in the log");
        self.mail.changed.clear();
        self.finish(&Actor { credential: None, protocol: String::new(), address: None }).map(drop)
    }

    /// Writes what was gathered and tells the watchers once it is durable.
    pub fn finish(mut self, actor: &Actor) -> Res<Seq> {
        for (id, (folder, dirty)) in std::mem::take(&mut self.folders) {
            if dirty {
                self.txn.put(&self.keys.folder(id), &encode(&folder))?;
            }
        }
        self.finish_mail()?;
        // Flags change messages and no entry.
        let marked = std::mem::take(&mut self.mail.changed);
        if self.deltas.is_empty() && marked.is_empty() {
            if self.state_changed {
                self.txn.put(&self.keys.state(), &encode(&self.state))?;
            }
            return Ok(self.state.seq);
        }
        self.state.seq = self.seq;
        self.state.time = self.now;
        if self.cards_changed {
            self.state.cards = self.seq;
            if let Some(wakes) = self.account.wakes() {
                let id = self.account.id();
                self.txn.on_commit(move || wakes.wake(id));
            }
        }
        self.txn.put(&self.keys.state(), &encode(&self.state))?;
        let mut folders: Vec<_> = self.deltas.keys().map(|(folder, _)| *folder).chain(marked).collect();
        folders.sort_unstable();
        folders.dedup();
        let delta = |((folder, key), change): ((NodeId, EntryKey), Change)| Delta {
            folder,
            key,
            existed: change.existed,
            exists: change.exists,
        };
        let deltas = std::mem::take(&mut self.deltas).into_iter().map(delta).collect();
        let record = CommitRecord { time: self.now, actor: actor.clone(), deltas };
        crate::log::write(self.txn, self.keys, self.seq, record)?;
        let (watch, seq) = (self.account.watch_sender(), self.seq);
        self.txn.on_commit(move || watch.publish(seq, folders));
        Ok(self.seq)
    }
}

/// Whether something stood at a key before the commit, and stands there after it.
#[derive(Clone, Copy)]
struct Change {
    existed: bool,
    exists: bool,
}

/// What an entry adds to the folders above it. Signed, so that differences can be carried.
#[derive(Clone, Copy, Default)]
pub struct Weight {
    pub documents: i128,
    pub bytes: i128,
    pub kept: i128,
    pub held: i128,
}

impl std::ops::Sub for Weight {
    type Output = Weight;

    fn sub(self, other: Weight) -> Weight {
        Weight {
            documents: self.documents - other.documents,
            bytes: self.bytes - other.bytes,
            kept: self.kept - other.kept,
            held: self.held - other.held,
        }
    }
}

impl Folder {
    fn add(&mut self, weight: Weight) {
        self.documents = add(self.documents, weight.documents);
        self.bytes = add(self.bytes, weight.bytes);
        self.kept = add(self.kept, weight.kept);
        self.held = add(self.held, weight.held);
    }
}

fn add(total: u64, difference: i128) -> u64 {
    u64::try_from(i128::from(total) + difference).unwrap_or(0)
}

/// A row that must be there is not.
pub fn missing(what: &str) -> Fault {
    Fault(Error::new(ErrorKind::Corrupt, format!("{what} is missing; run `allod check`")))
}
