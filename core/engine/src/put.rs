//! Writing a file from a stream.

use std::sync::Arc;

use allod_blobs::{Finished, Writer};
use allod_model::{ContentId, EntryKey, Error, ErrorKind, Kind, NodeId, Path, Precondition, Result, Rights};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use crate::commit::Commit;
use crate::content::Upload;
use crate::core::Core;
use crate::fault::{Fault, Res, fail};
use crate::lock::{self, Touch};
use crate::node::*;
use crate::object::{Arrived, Object};
use crate::record::{Entry, File, What};
use crate::resolve::{Spot, folder_row, node, spot};
use crate::rules::Facts;
use crate::session::Session;
use crate::versions::Superseding;
use crate::write::{new_file, short_digest};

/// Largest file, in bytes.
pub const FILE_BYTES_MAX: u64 = 5 << 40;
/// Longest media type kept, in bytes; a longer one is treated as none.
const MEDIA_TYPE_BYTES_MAX: usize = 255;
/// Bytes after which a long upload looks at quota and disk again.
const ROOM_CHECK_BYTES: u64 = 64 << 20;

/// What a file is to be written into, as it was before its content was read.
pub struct Target {
    pub kind: Kind,
    /// The limit of a kind whose rules must see the content whole, in bytes.
    pub whole_max: Option<u64>,
    /// Bytes of all other files of the account.
    others: u64,
}

/// By which kind's rules a content was judged, and what they found.
pub struct Judged {
    pub kind: Kind,
    pub facts: Facts,
    /// What scheduling does along with the write, in a calendar.
    pub arranged: Option<crate::schedule::Arranged>,
}

/// A content whose rows a commit has written; it comes with one reference.
pub struct Ready {
    pub content: ContentId,
    pub size: u64,
    pub digest: [u8; 32],
    pub md5: Option<[u8; 16]>,
}

impl Session {
    /// Writes a file from a stream. Nothing is visible before the stream ended well and everything is durable. An
    /// `Err` item of the stream aborts the write and is returned. What can be refused is refused before the first
    /// byte is read, and judged again in the commit. Dropping the future abandons the write.
    ///
    /// # Errors
    /// `PreconditionFailed`, `Locked`, `Denied`, `OverQuota`, `TooLarge`, `WrongKind` (with `MissingParent`, or when a
    /// folder is there), `InvalidContent` (length differs from the announced one, the folder's kind refuses it),
    /// `Unauthenticated` when the credential is revoked meanwhile.
    pub async fn put<S>(
        &self,
        path: &Path,
        options: PutOptions,
        pre: Precondition,
        body: S,
    ) -> Result<Written>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        self.put_as(Superseding::Plainly, path, options, pre, body, |_, _| Ok(())).await
    }

    /// Writes a file; see [`Session::put_object`] for `at_end`.
    pub(crate) async fn put_as<S>(
        &self,
        superseding: Superseding,
        path: &Path,
        options: PutOptions,
        pre: Precondition,
        body: S,
        at_end: impl FnOnce(&Arrived, &mut Object) -> Result<()> + Send,
    ) -> Result<Written>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        let outcome = self.put_checked(superseding, path, options, pre, body, at_end).await;
        outcome.map_err(|error| self.noted(path, error))
    }

    async fn put_checked<S>(
        &self,
        superseding: Superseding,
        path: &Path,
        mut options: PutOptions,
        pre: Precondition,
        body: S,
        at_end: impl FnOnce(&Arrived, &mut Object) -> Result<()> + Send,
    ) -> Result<Written>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        let target = self.check_before_reading(path, &options, &pre)?;
        if let Some(max) = target.whole_max {
            let _room = match target.kind {
                Kind::Mailbox => Some(self.core().mail_room(options.length.unwrap_or(max)).await),
                _ => None,
            };
            let whole = gather(max, body).await?;
            return self.put_whole(superseding, path, options, pre, &target, whole, at_end).await;
        }
        let (upload, finished) = self.store(&options, target.others, body).await?;
        at_end(&Arrived { size: finished.size, md5: finished.md5 }, &mut options.object)?;
        let judged = Judged { kind: target.kind, facts: Facts::default(), arranged: None };
        let stored = (upload, Arc::new(finished));
        self.put_stored(superseding, path, &options, &pre, &stored, judged).await
    }

    /// Streams a body into chunks that a commit can name.
    pub(crate) async fn store<S>(
        &self,
        options: &PutOptions,
        others: u64,
        body: S,
    ) -> Result<(Arc<Upload>, Finished)>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        let upload = Upload::new(self.core().clone(), self.handle().clone());
        let (account, key) = (self.handle().id().0, self.handle().key().clone());
        let writer = self.core().0.blobs.writer(account, key, upload.clone(), options.md5);
        let finished = self.receive(writer, options, others, body).await?;
        Ok((upload, finished))
    }

    async fn put_stored(
        &self,
        superseding: Superseding,
        path: &Path,
        options: &PutOptions,
        pre: &Precondition,
        stored: &(Arc<Upload>, Arc<Finished>),
        judged: Judged,
    ) -> Result<Written> {
        let (at, options, pre, stored) = (path.clone(), options.clone(), pre.clone(), stored.clone());
        let keep = stored.0.clone();
        let write = move |me: &Session, commit: &mut Commit| {
            commit.superseding = superseding;
            me.put_in(commit, &at, &options, &pre, &stored.0, &stored.1, &judged)
        };
        let written = self.commit(path, write).await;
        // The pins must outlive the commit.
        drop(keep);
        written
    }

    /// Writes a file whose folder's rules see it whole. In a calendar, scheduling has its say, anew when another write
    /// came in between.
    #[allow(clippy::too_many_arguments)]
    async fn put_whole(
        &self,
        superseding: Superseding,
        path: &Path,
        mut options: PutOptions,
        pre: Precondition,
        target: &Target,
        whole: Bytes,
        at_end: impl FnOnce(&Arrived, &mut Object) -> Result<()> + Send,
    ) -> Result<Written> {
        let name = path.last().ok_or_else(Error::not_found)?;
        let rules = self.core().0.rules.of(target.kind)?;
        let facts = rules.judge(name, Some(&whole))?;
        let once = |bytes: Bytes| futures_util::stream::iter([Ok(bytes)]);
        let (upload, finished) = self.store(&options, target.others, once(whole.clone())).await?;
        at_end(&Arrived { size: finished.size, md5: finished.md5 }, &mut options.object)?;
        let given = (upload, Arc::new(finished));
        for left in (0..crate::schedule::OVERTAKEN_TRIES).rev() {
            let mut judged = Judged { kind: target.kind, facts: facts.clone(), arranged: None };
            let mut stored = given.clone();
            if target.kind == Kind::Calendar {
                let arranged = self.arrange_put(path, &whole, &pre).await?;
                if let Some(bytes) = arranged.stored.clone() {
                    judged.facts = rules.judge(name, Some(&bytes))?;
                    let length = Some(bytes.len() as u64);
                    let options = PutOptions { length, ..options.clone() };
                    let (upload, finished) = self.store(&options, target.others, once(bytes.into())).await?;
                    stored = (upload, Arc::new(finished));
                }
                judged.arranged = Some(arranged);
            }
            let sends = judged.arranged.as_ref().is_some_and(crate::schedule::Arranged::sends);
            match self.put_stored(superseding, path, &options, &pre, &stored, judged).await {
                Err(error) if left > 0 && crate::schedule::is_overtaken(&error) => {}
                Ok(written) => {
                    if sends {
                        self.core().deliver_soon(self.handle().id()).await;
                    }
                    return Ok(written);
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(ErrorKind::Busy, "the event changes all the time; try again"))
    }

    /// Everything that can be refused without the content.
    pub(crate) fn check_before_reading(
        &self,
        path: &Path,
        options: &PutOptions,
        pre: &Precondition,
    ) -> Res<Target> {
        let view = self.view()?;
        self.scope().check_write(path, Rights::Append)?;
        if path.is_root() {
            return fail(ErrorKind::WrongKind, "the root of an account is a folder");
        }
        let spot = match spot(&view, self.keys(), path) {
            Err(fault) if options.make_parents && is_missing_parent(&fault) => None,
            other => Some(other?),
        };
        let kind = match &spot {
            Some(spot) => folder_row(&view, self.keys(), spot.parent())?.kind,
            None => Kind::Plain,
        };
        let old = spot.as_ref().and_then(|spot| spot.file.as_ref());
        if let Some(spot) = &spot {
            self.judge(&view, false).demand(pre, path, spot, Want::File)?;
            self.check_target(path, spot, options)?;
        }
        let announced = options.length.unwrap_or(0);
        let replaced = old.and_then(Entry::file).map_or(0, |file| file.size);
        let used = folder_row(&view, self.keys(), NodeId::ROOT)?.bytes;
        let others = used.saturating_sub(replaced);
        self.check_room(announced, others)?;
        Ok(Target { kind, whole_max: self.core().0.rules.of(kind)?.content_bytes_max(), others })
    }

    /// Rights on what is there, and names that cannot be.
    fn check_target(&self, path: &Path, spot: &Spot, options: &PutOptions) -> Res<()> {
        if spot.file.is_some() {
            self.scope().check_write(path, Rights::Write)?;
        } else {
            self.check_new_name(&spot.name, options.raw)?;
        }
        if spot.folder.is_some() && !options.raw {
            return fail(ErrorKind::WrongKind, format!("{path} is a folder"));
        }
        Ok(())
    }

    /// Refuses bytes beyond the quota, the disk or the largest file.
    pub(crate) fn check_room(&self, size: u64, used_by_others: u64) -> Res<()> {
        if size > FILE_BYTES_MAX {
            return Err(Error::too_large("bytes of a file", FILE_BYTES_MAX).into());
        }
        let total = used_by_others.saturating_add(size);
        if self.handle().record().quota.is_some_and(|quota| total > quota) {
            return fail(ErrorKind::OverQuota, "this would exceed the account's quota");
        }
        if self.core().free_bytes().is_some_and(|free| size > free || free == 0) {
            return fail(ErrorKind::OverQuota, "the server's disk is full");
        }
        Ok(())
    }

    /// Streams a body into chunks.
    pub(crate) async fn receive<S>(
        &self,
        mut writer: Writer,
        options: &PutOptions,
        others: u64,
        mut body: S,
    ) -> Result<Finished>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        let mut over = std::pin::pin!(self.revoked());
        let mut checked = ROOM_CHECK_BYTES;
        loop {
            let piece = tokio::select! {
                biased;
                () = &mut over => return Err(revoked()),
                piece = body.next() => piece,
            };
            let Some(piece) = piece else { break };
            let piece = piece?;
            let size = writer.size() + piece.len() as u64;
            check_length(size, options.length, false)?;
            if options.length.is_none() && size > checked {
                checked = size + ROOM_CHECK_BYTES;
                self.check_room(size, others)?;
            }
            writer.write(piece).await.map_err(Fault::from)?;
        }
        check_length(writer.size(), options.length, true)?;
        Ok(writer.finish().await.map_err(Fault::from)?)
    }

    #[allow(clippy::too_many_arguments)]
    fn put_in(
        &self,
        commit: &mut Commit,
        path: &Path,
        options: &PutOptions,
        pre: &Precondition,
        upload: &Arc<Upload>,
        finished: &Finished,
        judged: &Judged,
    ) -> Res<Written> {
        self.place(commit, path, options, pre, judged, |commit| {
            let content = upload.record(commit, finished.size, finished.digest.0, &finished.stored)?;
            Ok(Ready { content, size: finished.size, digest: finished.digest.0, md5: finished.md5 })
        })
    }

    /// Puts a content in its place: judges everything again as it is now, has `content` write the content's rows, and
    /// writes the entry.
    pub(crate) fn place(
        &self,
        commit: &mut Commit,
        path: &Path,
        options: &PutOptions,
        pre: &Precondition,
        judged: &Judged,
        content: impl FnOnce(&mut Commit) -> Res<Ready>,
    ) -> Res<Written> {
        if options.make_parents {
            self.make_parents(commit, path, options.raw)?;
        }
        let spot = spot(&*commit.txn, commit.keys, path)?;
        self.judge(&*commit.txn, false).demand(pre, path, &spot, Want::File)?;
        self.check_target(path, &spot, options)?;
        let touch = if spot.file.is_some() { Touch::Content } else { Touch::Membership };
        lock::check(commit, path, &spot, touch, &pre.lock_tokens)?;
        let kind = commit.folder(spot.parent())?.kind;
        if kind != judged.kind {
            return fail(ErrorKind::Busy, "the folder changed its kind meanwhile; try again");
        }
        let facts = &judged.facts;
        spot.keep_uid(facts.uid.as_deref())?;
        if let Some(arranged) = &judged.arranged {
            arranged.demand(spot.file.as_ref())?;
        }
        let ready = content(commit)?;
        let mut file = File {
            content: ready.content,
            size: ready.size,
            digest: short_digest(&ready.digest),
            media_type: clean_media_type(options.media_type.as_deref()).or_else(|| facts.media_type.clone()),
            md5: ready.md5,
            uid: facts.uid.clone(),
            object: Some(Box::new(options.object.clone())).filter(|object| **object != Object::default()),
            typed: facts.typed.clone(),
        };
        if let Some(found) = &facts.mail {
            let thread = commit.learn_mail(file.content, found)?;
            if let Some(mail) = file.mail_mut() {
                mail.thread = thread;
            }
        }
        if let Some(arranged) = &judged.arranged {
            file.schedule_at(arranged.schedule(commit));
            arranged.send(commit)?;
        }
        let entry = self.entry_for(commit, spot.file.as_ref(), file, options)?;
        let key: EntryKey = spot.file_key();
        commit.replace(spot.parent(), &key, Some(entry.clone()))?;
        if self.handle().record().quota.is_some_and(|quota| commit.used().is_ok_and(|used| used > quota)) {
            return fail(ErrorKind::OverQuota, "this would exceed the account's quota");
        }
        let mut node = node(&key, &entry, None, Vec::new());
        if superseding_objects(commit) {
            node.object = commit.object_facts(path, spot.parent(), &key)?;
        }
        let altered = judged.arranged.as_ref().is_some_and(|arranged| arranged.stored.is_some());
        Ok(Written { node, created: spot.file.is_none(), altered })
    }

    /// The new entry: an overwritten file keeps its identity, its birth and its properties.
    fn entry_for(
        &self,
        commit: &mut Commit,
        old: Option<&Entry>,
        file: File,
        options: &PutOptions,
    ) -> Res<Entry> {
        let modified = options.modified.unwrap_or(commit.now);
        let Some(old) = old else { return Ok(new_file(commit, file, modified)) };
        if let Some(properties) = old.properties {
            commit.retain(properties)?;
        }
        Ok(Entry { seq: commit.seq, modified, what: What::File(file), ..old.clone() })
    }

    /// Makes the folders above `path` that are missing; they vanish again when empty.
    pub(crate) fn make_parents(&self, commit: &mut Commit, path: &Path, raw: bool) -> Res<()> {
        let mut folder = NodeId::ROOT;
        for name in path.names().iter().take(path.depth().saturating_sub(1)) {
            let key = EntryKey::folder(name);
            folder = match commit.entry(folder, &key)? {
                Some(entry) => entry.node,
                None if !raw && commit.entry(folder, &EntryKey::file(name))?.is_some() => {
                    return fail(ErrorKind::WrongKind, format!("{name} is a file, not a folder"));
                }
                None => {
                    let entry = commit.create_folder(Kind::Plain, false);
                    let id = entry.node;
                    commit.replace(folder, &key, Some(entry))?;
                    id
                }
            };
        }
        Ok(())
    }
}

impl Core {
    /// Free bytes of the watched disk beyond the reserve; `None` when no disk is watched.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        let disk = self.0.disk.as_ref()?;
        let stat = rustix::fs::statvfs(disk).ok()?;
        // On a small disk the reserve is a small part of it, or nothing could be stored at all.
        let reserve = self.0.disk_reserve_bytes.min(stat.f_blocks * stat.f_frsize / 16);
        Some((stat.f_bavail * stat.f_frsize).saturating_sub(reserve))
    }
}

fn superseding_objects(commit: &Commit) -> bool {
    commit.superseding == Superseding::AsVersion
}

fn is_missing_parent(fault: &Fault) -> bool {
    fault.0.detail == allod_model::Detail::MissingParent
}

/// Gathers a bounded body for rules that must see it whole.
pub async fn gather<S>(max: u64, mut body: S) -> Result<Bytes>
where
    S: Stream<Item = Result<Bytes>> + Send + Unpin,
{
    let mut whole = Vec::new();
    while let Some(piece) = body.next().await {
        let piece = piece?;
        if whole.len() as u64 + piece.len() as u64 > max {
            return Err(Error::too_large("bytes of a resource in this folder", max));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(Bytes::from(whole))
}

fn check_length(size: u64, announced: Option<u64>, ended: bool) -> Result<()> {
    let wrong =
        |what: &str| Err(Error::new(ErrorKind::InvalidContent, format!("the body is {what} than announced")));
    match announced {
        Some(length) if size > length => wrong("longer"),
        Some(length) if ended && size < length => wrong("shorter"),
        _ if size > FILE_BYTES_MAX => Err(Error::too_large("bytes of a file", FILE_BYTES_MAX)),
        _ => Ok(()),
    }
}

fn clean_media_type(given: Option<&str>) -> Option<String> {
    let given = given?.trim();
    let fits =
        !given.is_empty() && given.len() <= MEDIA_TYPE_BYTES_MAX && !given.chars().any(char::is_control);
    fits.then(|| given.to_owned())
}

fn revoked() -> Error {
    Error::new(ErrorKind::Unauthenticated, "the credential was revoked")
}
