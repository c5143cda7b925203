//! Objects of a bucket: write, read, remove, copy, and what is kept with them.

use allod_meta::Lookup;
use allod_model::{
    Detail, EntryKey, Error, ErrorKind, EtagMatch, Kind, NodeId, Path, Precondition, Result, Rights,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use crate::commit::Commit;
use crate::content::Reader;
use crate::expiry::expiry;
use crate::fault::{Fault, Res, fail};
use crate::lock::{self, Touch};
use crate::node::{Node, PutOptions, Want, Written};
use crate::object::*;
use crate::read::OpenFile;
use crate::record::{Entry, File, Folder, Kept, What};
use crate::resolve::{folder_row, node, spot};
use crate::session::Session;
use crate::versions::{Found, Superseding, entry_of, find_version, held};

/// Deletes that are done in a moment.
const FEW_DELETES: usize = 16;

impl Session {
    /// As [`Session::put`], for an object: replaces what the key shows while a bucket that keeps versions keeps the old
    /// one, also when it is held. The bucket (the first name of `path`) must be there; folders below it are made.
    /// `at_end` runs once all bytes have come, before anything is visible: it may refuse, and may complete the facts
    /// (a checksum sent behind the body).
    ///
    /// # Errors
    /// As [`Session::put`]; `NotFound` with `NoBucket`; what `at_end` returns.
    pub async fn put_object<S>(
        &self,
        path: &Path,
        options: PutOptions,
        pre: Precondition,
        body: S,
        at_end: impl FnOnce(&Arrived, &mut Object) -> Result<()> + Send,
    ) -> Result<Written>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        let view = self.view().map_err(Error::from)?;
        self.check_new_object(&view, path, &options.object).map_err(Error::from)?;
        drop(view);
        let options = PutOptions { make_parents: true, raw: true, ..options };
        self.put_as(Superseding::AsVersion, path, options, pre, body, at_end).await
    }

    /// What a bucket must be like to take such an object.
    pub(crate) fn check_new_object(&self, rows: &impl Lookup, path: &Path, object: &Object) -> Res<()> {
        let bucket = self.bucket_of(rows, path)?;
        if path.depth() < 2 {
            return fail(ErrorKind::WrongKind, "a bucket is not an object");
        }
        let locks = folder_row(rows, self.keys(), bucket.node)?.bucket.and_then(|flags| flags.object_lock);
        if (object.retention.is_some() || object.legal_hold) && locks.is_none() {
            return fail(ErrorKind::InvalidContent, "the bucket has no object lock");
        }
        check_object(object)
    }

    /// Opens an object for reading; [`Node::object`] is filled.
    ///
    /// # Errors
    /// `NotFound`, with [`Detail::DeleteMarker`] when what the key shows, or the version named, is a delete marker, and
    /// with [`Detail::NoVersion`] when there is no such version; as [`Session::open`].
    pub async fn open_object(
        &self,
        path: &Path,
        version: Option<VersionId>,
        pre: &Precondition,
    ) -> Result<OpenFile> {
        let look = || -> Res<OpenFile> {
            let view = self.view()?;
            let (node, entry) = self.find_object(&view, path, version, pre)?;
            let content = entry.file().ok_or_else(Error::not_found)?.content;
            let reader = Reader::open(self.core(), self.handle(), &view, content)?;
            Ok(OpenFile::new(node, reader, self.clone()))
        };
        Ok(look()?)
    }

    /// Facts of an object without opening it; [`Node::object`] is filled.
    ///
    /// # Errors
    /// As [`Session::open_object`].
    pub async fn stat_object(
        &self,
        path: &Path,
        version: Option<VersionId>,
        pre: &Precondition,
    ) -> Result<Node> {
        let look = || -> Res<Node> {
            let view = self.view()?;
            Ok(self.find_object(&view, path, version, pre)?.0)
        };
        Ok(look()?)
    }

    /// One version of an object for reading, with conditions judged against it.
    pub(crate) fn find_object(
        &self,
        rows: &impl Lookup,
        path: &Path,
        version: Option<VersionId>,
        pre: &Precondition,
    ) -> Res<(Node, Entry)> {
        let bucket = self.bucket_of(rows, path)?;
        let rights = self.scope().check_read(path)?;
        let (folder, key) = self.object_place(rows, path)?;
        let found = find_version(rows, self.keys(), folder, &key, version)?;
        let current = found.current;
        let entry = entry_of(found)?;
        if *pre != Precondition::default() {
            self.judge(rows, true).demand_of(pre, Some(&entry))?;
        }
        let row: Folder = folder_row(rows, self.keys(), bucket.node)?;
        let mut node = node(&key, &entry, None, Vec::new());
        node.rights = Some(rights);
        if let Some(file) = entry.file() {
            let mut facts = object_facts(file, row.is_versioned());
            if row.ruled && current {
                facts.expiry = expiry(rows, self.keys(), bucket.node, path, &entry, None)?;
            }
            node.object = Some(Box::new(facts));
        }
        Ok((node, entry))
    }

    /// The folder that an object's key stands in, and its key there.
    fn object_place(&self, rows: &impl Lookup, path: &Path) -> Res<(NodeId, EntryKey)> {
        if path.depth() < 2 {
            return Err(Error::not_found().into());
        }
        match spot(rows, self.keys(), path) {
            Ok(spot) => Ok((spot.parent(), spot.file_key())),
            Err(Fault(error)) if error.detail == Detail::MissingParent => Err(Error::not_found().into()),
            Err(fault) => Err(fault),
        }
    }

    /// Removes objects of one bucket, each judged by itself, in one commit; one outcome for each, in order. In a bucket
    /// that keeps versions, a delete without a version puts a delete marker. Removing what is not there succeeds.
    /// `bypass`: end a governance retention.
    ///
    /// # Errors
    /// For each: `Denied` (also for a version that is held), `Locked`, `PreconditionFailed`. As a whole: `TooLarge`
    /// over [`SCAN_ITEMS_MAX`] requests, `Unavailable`.
    pub async fn delete_objects(
        &self,
        requests: Vec<DeleteRequest>,
        bypass: bool,
    ) -> Result<Vec<Result<Deleted>>> {
        if requests.len() > SCAN_ITEMS_MAX {
            return Err(Error::too_large("objects of one delete", SCAN_ITEMS_MAX as u64));
        }
        let about = requests.first().map_or_else(Path::root, |request| request.path.clone());
        let few = requests.len() <= FEW_DELETES;
        let body = move |me: &Session, commit: &mut Commit| -> Res<Vec<Result<Deleted>>> {
            commit.superseding = Superseding::AsVersion;
            requests.iter().map(|request| me.delete_in(commit, request, bypass)).collect()
        };
        if few { self.commit(&about, body).await } else { self.commit_many(&about, body).await }
    }

    /// One delete of several: a refusal is its own outcome, and comes before anything is written.
    pub(crate) fn delete_in(
        &self,
        commit: &mut Commit,
        request: &DeleteRequest,
        bypass: bool,
    ) -> Res<Result<Deleted>> {
        match self.check_delete(commit, request, bypass) {
            Ok(Some(target)) => Ok(Ok(self.delete_found(commit, request, target, bypass)?)),
            Ok(None) => Ok(Ok(Deleted { version: request.version, marker: false })),
            Err(Fault(error)) if is_of_one(error.kind) => Ok(Err(self.noted(&request.path, error))),
            Err(fault) => Err(fault),
        }
    }

    /// Whether it may be deleted, and what is there; `None` when there is nothing to do.
    fn check_delete(
        &self,
        commit: &mut Commit,
        request: &DeleteRequest,
        bypass: bool,
    ) -> Res<Option<Doomed>> {
        let path = &request.path;
        let bucket = self.bucket_of(&*commit.txn, path)?;
        self.scope().check_write(path, Rights::Write)?;
        if path.depth() < 2 {
            return fail(ErrorKind::WrongKind, "a bucket is not an object");
        }
        let versioning =
            commit.folder(bucket.node)?.bucket.as_ref().map_or(Versioning::Off, |flags| flags.versioning);
        let spot = match spot(&*commit.txn, commit.keys, path) {
            Ok(spot) => spot,
            Err(Fault(error)) if error.detail == Detail::MissingParent => {
                let marks = request.marks_absence() && versioning != Versioning::Off;
                return Ok(marks.then_some(Doomed::Nothing(versioning)));
            }
            Err(fault) => return Err(fault),
        };
        let version = request.version;
        let mut marked = false;
        let found = match find_version(&*commit.txn, commit.keys, spot.parent(), &spot.file_key(), version) {
            Ok(found) => Some(found),
            Err(Fault(error)) if error.kind == ErrorKind::NotFound => {
                marked = matches!(error.detail, Detail::DeleteMarker(_));
                None
            }
            Err(fault) => return Err(fault),
        };
        let entry = found.as_ref().and_then(|found| match &found.kept {
            Kept::Version(entry) => Some(entry),
            Kept::Marker { .. } => None,
        });
        match (entry, marked || found.is_some()) {
            (Some(entry), _) => self.check_conditions(commit, request, entry)?,
            // A delete marker has no tag, no size and no time to agree with; where nothing is, nothing is harmed.
            (None, true) if request.is_particular() => {
                return fail(ErrorKind::PreconditionFailed, "it was deleted already");
            }
            (None, _) => {}
        }
        let goes = version.is_some() || versioning != Versioning::Enabled;
        let holds = |file: &File| file.is_held(commit.now) && !(bypass && file.is_only_governed(commit.now));
        if goes && entry.and_then(Entry::file).is_some_and(holds) {
            return Err(held().into());
        }
        if entry.is_some_and(crate::schedule::is_scheduled) {
            // Others would have to hear of it, one by one.
            return fail(ErrorKind::Denied, "people were invited to this event; remove it as a calendar's");
        }
        let Some(found) = found else {
            let marks = request.marks_absence() && versioning != Versioning::Off;
            return Ok(marks.then_some(Doomed::Nothing(versioning)));
        };
        if found.current {
            lock::check(commit, path, &spot, Touch::Membership, &request.pre.lock_tokens)?;
        }
        Ok(Some(Doomed::There { parent: spot.parent(), key: spot.file_key(), found: Box::new(found) }))
    }

    fn check_conditions(&self, commit: &Commit, request: &DeleteRequest, entry: &Entry) -> Res<()> {
        self.judge(&*commit.txn, false).demand_of(&request.pre, Some(entry))?;
        let size = entry.file().map_or(0, |file| file.size);
        if request.size.is_some_and(|wanted| wanted != size) {
            return fail(ErrorKind::PreconditionFailed, "it has another size");
        }
        if request.modified.is_some_and(|wanted| wanted.secs() != entry.modified.secs()) {
            return fail(ErrorKind::PreconditionFailed, "it was modified at another time");
        }
        Ok(())
    }

    fn delete_found(
        &self,
        commit: &mut Commit,
        request: &DeleteRequest,
        target: Doomed,
        bypass: bool,
    ) -> Res<Deleted> {
        match target {
            Doomed::Nothing(versioning) => {
                self.make_parents(commit, &request.path, true)?;
                let spot = spot(&*commit.txn, commit.keys, &request.path)?;
                let null = versioning == Versioning::Suspended;
                if null {
                    commit.drop_null(spot.parent(), &spot.file_key())?;
                }
                let id = commit.mark_deleted(spot.parent(), &spot.file_key(), null)?;
                Ok(Deleted { version: Some(id), marker: true })
            }
            Doomed::There { parent, key, found } if request.version.is_some() => {
                let marker = matches!(found.kept, Kept::Marker { .. });
                let id = found.kept.id(found.order);
                commit.remove_version(parent, &key, &found, bypass)?;
                Ok(Deleted { version: Some(id), marker })
            }
            Doomed::There { parent, key, .. } => {
                let flags = commit.bucket_flags(parent)?;
                commit.replace(parent, &key, None)?;
                Ok(match flags.map_or(Versioning::Off, |flags| flags.versioning) {
                    Versioning::Off => Deleted::default(),
                    Versioning::Enabled => {
                        Deleted { version: Some(VersionId::Seq(commit.seq)), marker: true }
                    }
                    Versioning::Suspended => Deleted { version: Some(VersionId::Null), marker: true },
                })
            }
        }
    }

    /// Changes what is kept with a version. `bypass`: shorten or end a governance retention.
    ///
    /// # Errors
    /// As [`Session::stat_object`]; `Denied` when a retention forbids it; `InvalidContent` for a retention in the past
    /// or in a bucket without object lock.
    pub async fn change_object(
        &self,
        path: &Path,
        version: Option<VersionId>,
        change: ObjectChange,
        bypass: bool,
    ) -> Result<ObjectFacts> {
        let view = self.view().map_err(Error::from)?;
        self.bucket_of(&view, path).map_err(Error::from)?;
        self.scope().check_write(path, Rights::Write).map_err(|e| self.noted(path, e))?;
        let at = path.clone();
        self.commit(path, move |me, commit| {
            commit.superseding = Superseding::AsVersion;
            let bucket = me.bucket_of(&*commit.txn, &at)?;
            let locks = commit.folder(bucket.node)?.bucket.as_ref().and_then(|flags| flags.object_lock);
            if locks.is_none() && !matches!(change, ObjectChange::Tags(_)) {
                return fail(ErrorKind::InvalidContent, "the bucket has no object lock");
            }
            let (folder, key) = me.object_place(&*commit.txn, &at)?;
            let found = find_version(&*commit.txn, commit.keys, folder, &key, version)?;
            let now = commit.now;
            let mut entry = entry_of(found.clone())?;
            if let What::File(file) = &mut entry.what {
                let mut object = file.object.as_deref().cloned().unwrap_or_default();
                apply(&mut object, &change, bypass, now)?;
                check_object(&object)?;
                file.change_object(|old| *old = object);
            }
            let versioned = commit.folder(bucket.node)?.is_versioned();
            let facts = entry.file().map(|file| object_facts(file, versioned));
            if found.current {
                let contents: Vec<_> = entry.contents().collect();
                contents.into_iter().try_for_each(|content| commit.retain(content))?;
                entry.seq = commit.seq;
                commit.replace(folder, &key, Some(entry))?;
            } else {
                commit.change_kept(folder, &key, found.order, &found.kept, &Kept::Version(entry))?;
            }
            facts.ok_or_else(|| Error::not_found().into())
        })
        .await
    }

    /// Copies an object in one commit; the content is shared. Onto itself only with something to change. Returns the
    /// copy and what was read of the source.
    ///
    /// # Errors
    /// As [`Session::open_object`] for the source and [`Session::put_object`] for the destination.
    pub async fn copy_object(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
        pre: Precondition,
    ) -> Result<(Written, ObjectFacts)> {
        let wanted = Object {
            retention: options.retention,
            legal_hold: options.legal_hold,
            ..options.replace.as_ref().map_or_else(Object::default, |(_, object)| object.clone())
        };
        let check = || -> Res<(Node, Entry)> {
            let view = self.view()?;
            self.check_new_object(&view, to, &wanted)?;
            self.find_object(&view, from, options.version, &options.source_pre)
        };
        self.scope().check_write(to, Rights::Append).map_err(|e| self.noted(to, e))?;
        let (source, entry) = check().map_err(|fault| as_source(fault.0))?;
        let checksum = self.checksum_for_copy(&entry, options.checksum).await?;
        let facts = source.object.map(|facts| *facts).ok_or_else(Error::not_found)?;
        let at = to.clone();
        let written = self
            .commit(to, move |me, commit| {
                commit.superseding = Superseding::AsVersion;
                me.copy_object_in(commit, &at, &entry, &options, checksum.clone(), &pre)
            })
            .await?;
        Ok((written, facts))
    }

    /// The checksum that the copy carries: the source's, or one computed anew when another kind is wanted.
    async fn checksum_for_copy(
        &self,
        entry: &Entry,
        wanted: Option<ChecksumKind>,
    ) -> Result<Option<Checksum>> {
        let own = entry.file().and_then(|file| file.object.as_ref()).and_then(|o| o.checksum.clone());
        match (wanted, own) {
            (None, own) => Ok(own),
            (Some(kind), Some(own)) if own.kind == kind && !own.composite => Ok(Some(own)),
            (Some(kind), _) => self.compute_checksum(entry, kind).await.map(Some),
        }
    }

    async fn compute_checksum(&self, entry: &Entry, kind: ChecksumKind) -> Result<Checksum> {
        let file = entry.file().ok_or_else(Error::not_found)?;
        let reader = Reader::open(self.core(), self.handle(), &self.view()?, file.content)?;
        let mut hasher = crate::checksum::Hasher::new(kind);
        if let Some(plain) = reader.inline() {
            hasher.update(&plain?);
            return Ok(hasher.finish());
        }
        let mut pieces = std::pin::pin!(reader.stream(0..file.size));
        while let Some(piece) = pieces.next().await {
            hasher.update(&piece.map_err(Fault::from)?);
            self.check_alive().map_err(Error::from)?;
        }
        Ok(hasher.finish())
    }

    fn copy_object_in(
        &self,
        commit: &mut Commit,
        to: &Path,
        source: &Entry,
        options: &CopyOptions,
        checksum: Option<Checksum>,
        pre: &Precondition,
    ) -> Res<Written> {
        self.bucket_of(&*commit.txn, to)?;
        self.make_parents(commit, to, true)?;
        let spot = spot(&*commit.txn, commit.keys, to)?;
        self.judge(&*commit.txn, false).demand(pre, to, &spot, Want::File)?;
        if spot.file.is_some() {
            self.scope().check_write(to, Rights::Write)?;
        }
        let touch = if spot.file.is_some() { Touch::Content } else { Touch::Membership };
        lock::check(commit, to, &spot, touch, &pre.lock_tokens)?;
        if commit.folder(spot.parent())?.kind != Kind::Plain {
            return fail(
                ErrorKind::InvalidContent,
                "that folder is not a plain one; write the object itself",
            );
        }
        let entry = self.copied_entry(commit, &spot, source, options, checksum)?;
        let key = spot.file_key();
        commit.replace(spot.parent(), &key, Some(entry.clone()))?;
        if self.handle().record().quota.is_some_and(|quota| commit.used().is_ok_and(|used| used > quota)) {
            return fail(ErrorKind::OverQuota, "this would exceed the account's quota");
        }
        let mut node = node(&key, &entry, None, Vec::new());
        node.object = commit.object_facts(to, spot.parent(), &key)?;
        Ok(Written { node, created: spot.file.is_none(), altered: false })
    }

    fn copied_entry(
        &self,
        commit: &mut Commit,
        spot: &crate::resolve::Spot,
        source: &Entry,
        options: &CopyOptions,
        checksum: Option<Checksum>,
    ) -> Res<Entry> {
        let mut file = source.file().cloned().ok_or_else(Error::not_found)?;
        commit.retain(file.content)?;
        if let Some((media_type, _)) = &options.replace {
            file.media_type = media_type.clone();
        }
        file.know(&crate::rules::Facts::default());
        file.change_object(|object| {
            if let Some((_, new)) = &options.replace {
                object.metadata = new.metadata.clone();
                object.headers = new.headers.clone();
            }
            if let Some(tags) = &options.tags {
                object.tags = tags.clone();
            }
            object.written = allod_model::Seq(0);
            object.retention = options.retention;
            object.legal_hold = options.legal_hold;
            object.storage_class = options.storage_class.clone();
            object.checksum = checksum;
        });
        // The same content over itself is a new version all the same: the node tells them apart.
        let now = commit.now;
        match &spot.file {
            Some(old) if old.file().is_some_and(|old| old.content != file.content) => {
                if let Some(properties) = old.properties {
                    commit.retain(properties)?;
                }
                Ok(Entry { seq: commit.seq, modified: now, what: What::File(file), ..old.clone() })
            }
            _ => Ok(crate::write::new_file(commit, file, now)),
        }
    }
}

impl DeleteRequest {
    /// Removes whatever stands at `path`, or one version there.
    pub fn new(path: Path, version: Option<VersionId>) -> Self {
        DeleteRequest { path, version, pre: Precondition::default(), size: None, modified: None }
    }

    /// Whether a delete marker is put where nothing is: not for a version, nor for what was to be there.
    fn marks_absence(&self) -> bool {
        self.version.is_none()
            && self.pre.if_match.is_none()
            && self.size.is_none()
            && self.modified.is_none()
    }

    /// Whether it is about one state of the object and no other.
    fn is_particular(&self) -> bool {
        let tagged = matches!(self.pre.if_match, Some(EtagMatch::OneOf(_)));
        tagged || self.size.is_some() || self.modified.is_some()
    }
}

/// Something that a delete found.
enum Doomed {
    /// A version that is there.
    There { parent: NodeId, key: EntryKey, found: Box<Found> },
    /// Nothing, in a bucket that marks deletions all the same.
    Nothing(Versioning),
}

impl Commit<'_, '_> {
    /// Facts of the object that a key shows as this commit leaves it.
    pub fn object_facts(
        &mut self,
        path: &Path,
        folder: NodeId,
        key: &EntryKey,
    ) -> Res<Option<Box<ObjectFacts>>> {
        let Some(entry) = self.entry(folder, key)? else { return Ok(None) };
        let Some(file) = entry.file() else { return Ok(None) };
        let bucket = self.bucket_row(folder)?;
        let mut facts = object_facts(file, bucket.as_ref().is_some_and(|(_, row)| row.is_versioned()));
        if let Some((id, _)) = bucket.filter(|(_, row)| row.ruled) {
            facts.expiry = expiry(&*self.txn, self.keys, id, path, &entry, Some(self.now))?;
        }
        Ok(Some(Box::new(facts)))
    }
}

/// What is shown of an object. `versioned`: whether its bucket keeps, or once kept, versions.
pub fn object_facts(file: &File, versioned: bool) -> ObjectFacts {
    ObjectFacts {
        etag: file.object_etag(),
        version: file.version_id(),
        versioned,
        expiry: None,
        object: file.object.as_deref().cloned().unwrap_or_default(),
    }
}

/// Failures that concern one object of several.
fn is_of_one(kind: ErrorKind) -> bool {
    use ErrorKind as K;
    matches!(
        kind,
        K::NotFound | K::Denied | K::Locked | K::PreconditionFailed | K::WrongKind | K::InvalidContent
    )
}

/// A condition on a copy's source is an ordinary condition, not one of a read.
pub fn as_source(mut error: Error) -> Error {
    if error.detail == Detail::NotModified {
        error.detail = Detail::None;
    }
    error
}

/// Refuses facts beyond their limits.
fn check_object(object: &Object) -> Res<()> {
    let bytes = |pairs: &[(String, String)]| pairs.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>();
    if bytes(&object.metadata) > METADATA_BYTES_MAX {
        return Err(Error::too_large("bytes of an object's metadata", METADATA_BYTES_MAX as u64).into());
    }
    if object.headers.iter().map(|(_, value)| value.len()).sum::<usize>() > HEADERS_BYTES_MAX {
        return Err(Error::too_large("bytes of an object's headers", HEADERS_BYTES_MAX as u64).into());
    }
    if object.tags.len() > OBJECT_TAGS_MAX {
        return Err(Error::too_large("tags of an object", OBJECT_TAGS_MAX as u64).into());
    }
    Ok(())
}

fn apply(object: &mut Object, change: &ObjectChange, bypass: bool, now: allod_model::Timestamp) -> Res<()> {
    match change {
        ObjectChange::Tags(tags) => object.tags = tags.clone(),
        ObjectChange::LegalHold(on) => object.legal_hold = *on,
        ObjectChange::Retention(new) => {
            if new.is_some_and(|new| new.until <= now) {
                return fail(ErrorKind::InvalidContent, "a retention ends in the future");
            }
            if let Some(old) = object.retention.filter(|old| old.until > now) {
                let extended = new.is_some_and(|new| new.until >= old.until && new.mode == old.mode);
                let allowed = extended || (bypass && old.mode == RetentionMode::Governance);
                if !allowed {
                    return Err(held().into());
                }
            }
            object.retention = *new;
        }
    }
    Ok(())
}
