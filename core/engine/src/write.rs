//! Writing operations of a session on one place: put, make, remove, properties, locks.

use std::time::Duration;

use allod_model::{
    CredentialId, Detail, EntryKey, Error, ErrorKind, Kind, LockToken, Name, NodeId, Path, Precondition,
    Result, Rights, Timestamp,
};

use crate::commit::Commit;
use crate::fault::{Res, fail};
use crate::lock::{self, Touch};
use crate::node::*;
use crate::record::{Entry, File, What, encode, hex};
use crate::resolve::{Spot, load_properties, node, spot};
use crate::session::Session;

/// All dead properties of one resource together, in bytes.
pub const PROPERTIES_BYTES_MAX: usize = 60 * 1024;

impl Session {
    /// Makes a folder, which stays although empty.
    ///
    /// # Errors
    /// `Exists` when a file or folder is there; `WrongKind`, with `MissingParent` without a parent; `Denied`, `Locked`,
    /// `PreconditionFailed`.
    pub async fn make_folder(&self, path: &Path, options: FolderOptions, pre: Precondition) -> Result<Node> {
        self.scope().check_write(path, Rights::Append).map_err(|e| self.noted(path, e))?;
        let at = path.clone();
        self.commit(path, move |me, commit| me.make_folder_in(commit, &at, &options, &pre)).await
    }

    fn make_folder_in(
        &self,
        commit: &mut Commit,
        path: &Path,
        options: &FolderOptions,
        pre: &Precondition,
    ) -> Res<Node> {
        let spot = spot(&*commit.txn, commit.keys, path)?;
        self.judge(&*commit.txn, false).demand(pre, path, &spot, Want::Folder)?;
        if !spot.is_empty() {
            return fail(ErrorKind::Exists, format!("{path} exists already"));
        }
        self.check_new_name(&spot.name, false)?;
        let kind = self.kind_here(commit, path, &spot, options.kind)?;
        self.check_parent_admits(commit, &spot, kind)?;
        lock::check(commit, path, &spot, Touch::Membership, &pre.lock_tokens)?;
        let mut entry = commit.create_folder(kind, true);
        let row = commit.change_folder(entry.node)?;
        (row.components, row.transparent) = (options.components, options.transparent);
        entry.properties = store_properties(commit, &options.properties)?;
        let key = spot.folder_key();
        commit.replace(spot.parent(), &key, Some(entry.clone()))?;
        let row = commit.folder(entry.node)?.clone();
        Ok(node(&key, &entry, Some(&row), options.properties.clone()))
    }

    /// Removes a file, or a folder with everything below it, into history; O(1) in what is below.
    ///
    /// # Errors
    /// `NotFound`, `Denied` (the root, too), `Locked`, `PreconditionFailed`.
    pub async fn remove(&self, path: &Path, want: Want, pre: Precondition) -> Result<()> {
        self.remove_with(path, want, pre, RemoveOptions::default()).await
    }

    /// As [`Session::remove`], with options. What goes out of a calendar is cancelled for those whom its owner invited,
    /// and declined to those who invited him (RFC 6638 §3.2.1.3, §3.2.2.4).
    ///
    /// # Errors
    /// As [`Session::remove`]; `Denied` with the demand `default-calendar-needed` (RFC 6638 §4.3.1.1).
    pub async fn remove_with(
        &self,
        path: &Path,
        want: Want,
        pre: Precondition,
        options: RemoveOptions,
    ) -> Result<()> {
        self.scope().check_write(path, Rights::Write).map_err(|e| self.noted(path, e))?;
        if path.is_root() {
            return Err(Error::new(ErrorKind::Denied, "the root of an account cannot be removed"));
        }
        for left in (0..crate::schedule::OVERTAKEN_TRIES).rev() {
            let arranged = self.arrange_removal(path, want, !options.no_reply).await?;
            let sends = arranged.sends();
            match self.remove_arranged(path, want, &pre, arranged).await {
                Err(error) if left > 0 && crate::schedule::is_overtaken(&error) => {}
                Ok(()) if sends => {
                    self.core().deliver_soon(self.handle().id()).await;
                    return Ok(());
                }
                outcome => return outcome,
            }
        }
        Ok(())
    }

    async fn remove_arranged(
        &self,
        path: &Path,
        want: Want,
        pre: &Precondition,
        arranged: crate::schedule::Arranged,
    ) -> Result<()> {
        let (at, pre) = (path.clone(), pre.clone());
        self.commit(path, move |me, commit| {
            let spot = spot_or_missing(commit, &at)?;
            me.judge(&*commit.txn, false).demand(&pre, &at, &spot, want)?;
            let (key, entry) = spot.found(want).ok_or_else(Error::not_found)?;
            if entry.is_folder() {
                me.scope().check_write_below(&at, Rights::Write)?;
            }
            let touch = if entry.is_folder() { Touch::Subtree } else { Touch::Membership };
            lock::check(commit, &at, &spot, touch, &pre.lock_tokens)?;
            arranged.demand_removal(commit, entry)?;
            commit.replace(spot.parent(), &key, None)?;
            arranged.send(commit)?;
            lock::drop_at(commit, &spot)
        })
        .await
    }

    /// Applies all changes or none.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, `Locked`, `PreconditionFailed`; `TooLarge` when the resource's properties would exceed
    /// [`PROPERTIES_BYTES_MAX`] together.
    pub async fn set_properties(
        &self,
        path: &Path,
        want: Want,
        changes: Vec<PropertyChange>,
        pre: Precondition,
    ) -> Result<Node> {
        self.scope().check_write(path, Rights::Write).map_err(|e| self.noted(path, e))?;
        let at = path.clone();
        self.commit(path, move |me, commit| {
            let spot = spot_or_missing(commit, &at)?;
            me.judge(&*commit.txn, false).demand(&pre, &at, &spot, want)?;
            let (key, entry) = spot.found(want).ok_or_else(Error::not_found)?;
            lock::check(commit, &at, &spot, Touch::Content, &pre.lock_tokens)?;
            me.change_properties(commit, spot.parent(), &key, entry.clone(), &changes)
        })
        .await
    }

    fn change_properties(
        &self,
        commit: &mut Commit,
        parent: NodeId,
        key: &EntryKey,
        mut entry: Entry,
        changes: &[PropertyChange],
    ) -> Res<Node> {
        let old = match entry.properties {
            Some(id) => load_properties(&*commit.txn, self.handle(), id)?,
            None => Vec::new(),
        };
        let mut properties = old.clone();
        for change in changes {
            match change {
                PropertyChange::Transparent(transparent) if entry.is_folder() => {
                    commit.change_folder(entry.node)?.transparent = *transparent;
                }
                _ => apply(change, &mut properties, &mut entry),
            }
        }
        if let Some(file) = entry.file() {
            commit.retain(file.content)?;
        }
        entry.seq = commit.seq;
        match entry.properties {
            Some(id) if properties == old => commit.retain(id)?,
            _ => entry.properties = store_properties(commit, &properties)?,
        }
        commit.replace(parent, key, Some(entry.clone()))?;
        let row = if entry.is_folder() { Some(commit.folder(entry.node)?.clone()) } else { None };
        Ok(node(key, &entry, row.as_ref(), properties))
    }

    /// Locks a path (RFC 4918 §9.10). On an unmapped path an empty file is created (§9.10.4): the `bool` says so.
    ///
    /// # Errors
    /// `Locked` when a conflicting lock stands in the way, with its root in `Detail::Path`; `Denied`, `WrongKind` with
    /// `MissingParent`, `PreconditionFailed`; `TooLarge` with too many locks.
    pub async fn lock(&self, path: &Path, request: LockRequest, pre: Precondition) -> Result<(Lock, bool)> {
        self.scope().check_write(path, Rights::Write).map_err(|e| self.noted(path, e))?;
        let at = path.clone();
        let token = LockToken(format!("urn:uuid:{}", uuid(self.core().0.env.random())));
        let credential = self.credential().unwrap_or_else(|| CredentialId("operator".into()));
        self.commit(path, move |me, commit| {
            let spot = spot(&*commit.txn, commit.keys, &at)?;
            me.judge(&*commit.txn, false).demand(&pre, &at, &spot, Want::Any)?;
            let created = spot.is_empty();
            if created {
                me.check_new_name(&spot.name, false)?;
                lock::check(commit, &at, &spot, Touch::Membership, &pre.lock_tokens)?;
                me.create_empty(commit, &spot)?;
            }
            let lock = lock::build(&at, &request, token.clone(), credential.clone(), commit.now);
            Ok((lock::take(commit, &at, &spot, lock)?, created))
        })
        .await
    }

    fn create_empty(&self, commit: &mut Commit, spot: &Spot) -> Res<()> {
        let kind = commit.folder(spot.parent())?.kind;
        let facts = self.core().0.rules.of(kind)?.judge(&spot.name, Some(b""))?;
        let content = commit.store_inline(b"")?;
        let digest = self.handle().key().digest(b"").0;
        let file = File {
            content,
            size: 0,
            digest: short_digest(&digest),
            media_type: facts.media_type,
            md5: None,
            uid: facts.uid,
            object: None,
            typed: facts.typed,
        };
        let entry = new_file(commit, file, commit.now);
        commit.replace(spot.parent(), &spot.file_key(), Some(entry))
    }

    /// Extends a lock whose token is among `pre.lock_tokens` and whose scope includes `path`.
    ///
    /// # Errors
    /// `PreconditionFailed` when there is none.
    pub async fn refresh_lock(
        &self,
        path: &Path,
        timeout: Option<Duration>,
        pre: Precondition,
    ) -> Result<Lock> {
        self.scope().check_write(path, Rights::Write).map_err(|e| self.noted(path, e))?;
        let at = path.clone();
        self.commit(path, move |me, commit| {
            let spot = spot_or_missing(commit, &at)?;
            me.judge(&*commit.txn, false).demand(&pre, &at, &spot, Want::Any)?;
            lock::refresh(commit, &at, &spot, timeout, &pre.lock_tokens)
        })
        .await
    }

    /// Removes a lock. Any credential that may write here can, if it knows the token: locks belong to the account.
    ///
    /// # Errors
    /// `PreconditionFailed` (wire: 409 `lock-token-matches-request-uri`) when the token names no lock whose scope
    /// includes `path`; `Denied`.
    pub async fn unlock(&self, path: &Path, token: &LockToken) -> Result<()> {
        self.scope().check_write(path, Rights::Write).map_err(|e| self.noted(path, e))?;
        let (at, token) = (path.clone(), token.clone());
        self.commit(path, move |_, commit| {
            let spot = spot_or_missing(commit, &at)?;
            lock::release(commit, &at, &spot, &token)
        })
        .await
    }

    /// Refuses names that the gateway's rule does not allow.
    pub(crate) fn check_new_name(&self, name: &Name, raw: bool) -> Res<()> {
        if raw || name.is_strict() {
            return Ok(());
        }
        fail(ErrorKind::InvalidContent, "this name is not allowed here")
    }

    /// A folder made among mailboxes by a door that does not know them is a mailbox.
    fn kind_here(&self, commit: &mut Commit, path: &Path, spot: &Spot, kind: Kind) -> Res<Kind> {
        let parent = commit.folder(spot.parent())?.kind;
        let among = parent == Kind::Mailbox || path.parent() == Some(crate::mail::folders::home());
        Ok(if kind == Kind::Plain && among { Kind::Mailbox } else { kind })
    }

    /// Refuses a folder of `kind` where the parent's kind does not take one.
    pub(crate) fn check_parent_admits(
        &self,
        commit: &mut Commit,
        spot: &Spot,
        kind: allod_model::Kind,
    ) -> Res<()> {
        let parent = commit.folder(spot.parent())?.kind;
        let admitted = self.core().0.rules.of(parent)?.admits_folder(kind);
        if admitted {
            self.core().0.rules.of(kind)?;
            return Ok(());
        }
        fail(ErrorKind::InvalidContent, format!("a {} folder does not take such a folder", parent.as_str()))
    }
}

/// As [`spot`], where a missing parent means that nothing is there.
pub fn spot_or_missing(commit: &Commit, path: &Path) -> Res<Spot> {
    match spot(&*commit.txn, commit.keys, path) {
        Err(fault) if fault.0.detail == Detail::MissingParent => Err(Error::not_found().into()),
        other => other,
    }
}

/// A new file's entry.
pub fn new_file(commit: &mut Commit, file: File, modified: Timestamp) -> Entry {
    Entry {
        node: commit.new_node(),
        seq: commit.seq,
        created: commit.now,
        modified,
        properties: None,
        what: What::File(file),
    }
}

/// The part of a digest that entries carry and ETags show.
pub fn short_digest(digest: &[u8; 32]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

fn store_properties(commit: &mut Commit, properties: &[Property]) -> Res<Option<allod_model::ContentId>> {
    if properties.is_empty() {
        return Ok(None);
    }
    let bytes = encode(&properties);
    if bytes.len() > PROPERTIES_BYTES_MAX {
        return Err(Error::too_large("bytes of a resource's properties", PROPERTIES_BYTES_MAX as u64).into());
    }
    commit.store_inline(&bytes).map(Some)
}

fn apply(change: &PropertyChange, properties: &mut Vec<Property>, entry: &mut Entry) {
    match change {
        PropertyChange::Modified(time) => entry.modified = *time,
        PropertyChange::Created(time) => entry.created = *time,
        other => apply_to(other, properties),
    }
}

/// Applies a change to dead properties; what is about something else changes nothing.
pub fn apply_to(change: &PropertyChange, properties: &mut Vec<Property>) {
    let position = |properties: &[Property], namespace: &str, name: &str| {
        properties.iter().position(|p| p.namespace == namespace && p.name == name)
    };
    match change {
        PropertyChange::Set(new) => match position(properties, &new.namespace, &new.name) {
            Some(at) => properties[at] = new.clone(),
            None => properties.push(new.clone()),
        },
        PropertyChange::Remove(namespace, name) => {
            if let Some(at) = position(properties, namespace, name) {
                properties.remove(at);
            }
        }
        PropertyChange::Modified(_) | PropertyChange::Created(_) | PropertyChange::Transparent(_) => {}
    }
}

/// A random UUID (RFC 9562 §5.4) as text.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}
