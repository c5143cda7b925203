//! Moving and copying.

use allod_model::{Error, ErrorKind, Kind, Name, Path, Precondition, Result, Rights};

use crate::commit::Commit;
use crate::content::Reader;
use crate::fault::{Res, fail};
use crate::lock::{self, Touch};
use crate::node::*;
use crate::record::{Entry, What};
use crate::resolve::{Spot, find, folder_row, node, spot};
use crate::rules::Facts;
use crate::schedule::{OVERTAKEN_TRIES, Transfer, is_overtaken};
use crate::session::Session;
use crate::subtree::StagedCopy;
use crate::write::spot_or_missing;

/// What the rules of a destination's kind found in a file that comes from elsewhere in the tree.
#[derive(Clone, Default)]
struct Admission {
    /// The destination's kind and the content judged, when its rules had to look.
    judged: Option<(Kind, allod_model::ContentId)>,
    facts: Facts,
}

/// A file that is to come into a folder whose kind must judge it.
struct Candidate {
    kind: Kind,
    reader: std::sync::Arc<Reader>,
    size: u64,
    content: allod_model::ContentId,
}

impl Session {
    /// Moves or renames in O(1). A node keeps its identity, its properties and everything below.
    ///
    /// # Errors
    /// `NotFound`; `PreconditionFailed`, also when something is at `to` and `overwrite` is off; `WrongKind` for a move
    /// onto or into itself, and with `MissingParent`; `Denied`, `Locked`; `InvalidContent` when the destination's kind
    /// refuses it.
    pub async fn rename(
        &self,
        from: &Path,
        to: &Path,
        options: TransferOptions,
        pre: Precondition,
    ) -> Result<Written> {
        check_apart(from, to)?;
        let allowed = self
            .scope()
            .check_write_below(from, Rights::Write)
            .and_then(|()| self.scope().check_write(to, Rights::Append));
        allowed.map_err(|e| self.noted(from, e))?;
        for left in (0..OVERTAKEN_TRIES).rev() {
            let admission = self.admit_file(from, to).await?;
            let transfer = self.arrange_transfer(from, to, false).await?;
            let sends = transfer.sends();
            let (source, target, pre) = (from.clone(), to.clone(), pre.clone());
            let moved = self.commit(to, move |me, commit| {
                me.rename_in(commit, &source, &target, options, &pre, &admission, &transfer)
            });
            match moved.await {
                Err(error) if left > 0 && is_overtaken(&error) => {}
                Ok(written) => return Ok(self.sent(sends, written).await),
                Err(error) => return Err(error),
            }
        }
        fail(ErrorKind::Busy, "the event changes all the time; try again").map_err(Error::from)
    }

    /// Delivers what a transfer made others hear.
    async fn sent(&self, sends: bool, written: Written) -> Written {
        if sends {
            self.core().deliver_soon(self.handle().id()).await;
        }
        written
    }

    #[allow(clippy::too_many_arguments)]
    fn rename_in(
        &self,
        commit: &mut Commit,
        from: &Path,
        to: &Path,
        options: TransferOptions,
        pre: &Precondition,
        admission: &Admission,
        transfer: &Transfer,
    ) -> Res<Written> {
        let source = spot_or_missing(commit, from)?;
        self.judge(&*commit.txn, false).demand(pre, from, &source, Want::Any)?;
        let (from_key, entry) = source.found(Want::Any).ok_or_else(Error::not_found)?;
        let entry = entry.clone();
        let target = spot(&*commit.txn, commit.keys, to)?;
        let touch = if entry.is_folder() { Touch::Subtree } else { Touch::Membership };
        lock::check(commit, from, &source, touch, &pre.lock_tokens)?;
        let created = self.clear_target(commit, to, &target, options.overwrite, pre)?;
        if target.way.contains(&entry.node) {
            return fail(ErrorKind::WrongKind, "a folder cannot be moved into itself");
        }
        let mut moved = self.admitted(commit, &target, &entry, admission)?;
        moved.seq = commit.seq;
        let contents: Vec<_> = moved.contents().collect();
        contents.into_iter().try_for_each(|content| commit.retain(content))?;
        transfer.apply(commit, &entry, target.file.as_ref(), &mut moved)?;
        let key = key_for(&target.name, &moved);
        commit.set(source.parent(), &from_key, None)?;
        commit.set(target.parent(), &key, Some(moved.clone()))?;
        commit.vanish_if_empty(source.parent())?;
        lock::drop_at(commit, &source)?;
        self.outcome(commit, &target, &moved, created, transfer)
    }

    fn outcome(
        &self,
        commit: &mut Commit,
        target: &Spot,
        entry: &Entry,
        created: bool,
        transfer: &Transfer,
    ) -> Res<Written> {
        let row = if entry.is_folder() { Some(commit.folder(entry.node)?.clone()) } else { None };
        let key = key_for(&target.name, entry);
        let node = node(&key, entry, row.as_ref(), Vec::new());
        Ok(Written { node, created, altered: transfer.alters() })
    }

    /// Makes room at a destination; returns whether it was free.
    fn clear_target(
        &self,
        commit: &mut Commit,
        to: &Path,
        target: &Spot,
        overwrite: bool,
        pre: &Precondition,
    ) -> Res<bool> {
        if target.is_empty() {
            self.check_new_name(&target.name, false)?;
            lock::check(commit, to, target, Touch::Membership, &pre.lock_tokens)?;
            return Ok(true);
        }
        if !overwrite {
            return fail(ErrorKind::PreconditionFailed, format!("{to} exists already"));
        }
        let touch = if target.folder.is_some() { Touch::Subtree } else { Touch::Membership };
        lock::check(commit, to, target, touch, &pre.lock_tokens)?;
        self.scope().check_write_below(to, Rights::Write)?;
        let keys = [(&target.file, target.file_key()), (&target.folder, target.folder_key())];
        for (_, key) in keys.iter().filter(|(entry, _)| entry.is_some()) {
            commit.set(target.parent(), key, None)?;
        }
        if let Some(folder) = &target.folder {
            // Locks inside go with what is replaced; one on the place itself stays (RFC 4918 §9.8.4, §7.5).
            lock::drop_below(commit, folder.node)?;
        }
        Ok(false)
    }

    /// The entry as the destination's kind admits it.
    fn admitted(
        &self,
        commit: &mut Commit,
        target: &Spot,
        entry: &Entry,
        admission: &Admission,
    ) -> Res<Entry> {
        let kind = commit.folder(target.parent())?.kind;
        let mut entry = entry.clone();
        match &mut entry.what {
            What::Folder { kind: own, .. } => {
                if !self.core().0.rules.of(kind)?.admits_folder(*own) {
                    let message = format!("a {} folder does not take such a folder", kind.as_str());
                    return fail(ErrorKind::InvalidContent, message);
                }
            }
            What::File(file) => {
                let seen = admission.judged == Some((kind, file.content));
                if kind != Kind::Plain && !seen {
                    return fail(ErrorKind::Busy, "the file or its destination changed meanwhile; try again");
                }
                target.keep_uid(admission.facts.uid.as_deref())?;
                file.know(&admission.facts);
                if let Some(found) = &admission.facts.mail {
                    let thread = commit.learn_mail(file.content, found)?;
                    if let Some(mail) = file.mail_mut() {
                        mail.thread = thread;
                    }
                }
            }
        }
        Ok(entry)
    }

    /// Lets the rules of the destination's folder see a file that is to come in.
    async fn admit_file(&self, from: &Path, to: &Path) -> Result<Admission> {
        let look = || -> Res<Option<Candidate>> {
            let view = self.view()?;
            let Ok((_, entry)) = find(&view, self.keys(), from, Want::Any) else { return Ok(None) };
            let target = spot(&view, self.keys(), to)?;
            let kind = folder_row(&view, self.keys(), target.parent())?.kind;
            let Some(file) = entry.file().filter(|_| kind != Kind::Plain) else { return Ok(None) };
            let reader = Reader::open(self.core(), self.handle(), &view, file.content)?;
            Ok(Some(Candidate { kind, reader, size: file.size, content: file.content }))
        };
        let Some(Candidate { kind, reader, size, content }) = look()? else {
            return Ok(Admission::default());
        };
        let rules = self.core().0.rules.of(kind)?;
        let name = to.last().ok_or_else(Error::denied)?;
        let facts = match rules.content_bytes_max() {
            None => rules.judge(name, None)?,
            Some(max) if size > max => {
                return Err(Error::too_large("bytes of a resource in this folder", max));
            }
            Some(_) => rules.judge(name, Some(&reader.whole().await?))?,
        };
        Ok(Admission { judged: Some((kind, content)), facts })
    }

    /// Copies a file or folder in one commit; content is shared, not duplicated. Dead properties go along. A folder's
    /// copy is put together out of sight first, from the state at the moment of the call.
    ///
    /// # Errors
    /// As [`Session::rename`]; `OverQuota`.
    pub async fn copy(
        &self,
        from: &Path,
        to: &Path,
        options: TransferOptions,
        pre: Precondition,
    ) -> Result<Written> {
        check_apart(from, to)?;
        self.scope().check_write(to, Rights::Append).map_err(|e| self.noted(to, e))?;
        self.scope().check_read(from)?;
        if !self.scope().reads_all_below(from) {
            return Err(self.noted(from, Error::denied()));
        }
        for left in (0..OVERTAKEN_TRIES).rev() {
            let admission = self.admit_file(from, to).await?;
            let transfer = self.arrange_transfer(from, to, true).await?;
            let sends = transfer.sends();
            let staged = self.stage_copy(from, to, options, &pre).await?;
            let link = staged.as_ref().map(StagedCopy::root);
            let (source, target, pre) = (from.clone(), to.clone(), pre.clone());
            let written = self
                .commit(to, move |me, commit| {
                    let link = link.as_ref();
                    me.copy_in(commit, &source, &target, options, &pre, &admission, link, &transfer)
                })
                .await;
            if let Some(staged) = staged {
                staged.settle(written.is_ok());
            }
            match written {
                Err(error) if left > 0 && is_overtaken(&error) => {}
                Ok(written) => return Ok(self.sent(sends, written).await),
                Err(error) => return Err(error),
            }
        }
        fail(ErrorKind::Busy, "the event changes all the time; try again").map_err(Error::from)
    }

    /// For a folder, puts the copy together; everything that can be refused is refused before that.
    async fn stage_copy(
        &self,
        from: &Path,
        to: &Path,
        options: TransferOptions,
        pre: &Precondition,
    ) -> Result<Option<StagedCopy>> {
        let check = || -> Res<Option<Entry>> {
            let view = self.view()?;
            let (_, entry) = find(&view, self.keys(), from, Want::Any)?;
            let target = spot(&view, self.keys(), to)?;
            let source = spot(&view, self.keys(), from)?;
            self.judge(&view, false).demand(pre, from, &source, Want::Any)?;
            if !target.is_empty() && !options.overwrite {
                return fail(ErrorKind::PreconditionFailed, format!("{to} exists already"));
            }
            Ok(entry.is_folder().then_some(entry))
        };
        match check()? {
            Some(entry) => StagedCopy::make(self, &entry, options.shallow).await.map(Some),
            None => Ok(None),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn copy_in(
        &self,
        commit: &mut Commit,
        from: &Path,
        to: &Path,
        options: TransferOptions,
        pre: &Precondition,
        admission: &Admission,
        staged: Option<&Entry>,
        transfer: &Transfer,
    ) -> Res<Written> {
        let source = spot_or_missing(commit, from)?;
        self.judge(&*commit.txn, false).demand(pre, from, &source, Want::Any)?;
        let (_, original) = source.found(Want::Any).ok_or_else(Error::not_found)?;
        let original = original.clone();
        if original.is_folder() != staged.is_some() {
            return fail(ErrorKind::Busy, "the source changed meanwhile; try again");
        }
        let target = spot(&*commit.txn, commit.keys, to)?;
        let created = self.clear_target(commit, to, &target, options.overwrite, pre)?;
        let copied = match staged {
            Some(staged) => {
                commit.txn.delete(&commit.keys.purge(staged.node))?;
                Entry { seq: commit.seq, created: commit.now, ..staged.clone() }
            }
            None => {
                original.contents().try_for_each(|content| commit.retain(content))?;
                Entry { node: commit.new_node(), seq: commit.seq, created: commit.now, ..original.clone() }
            }
        };
        let mut copied = self.admitted(commit, &target, &copied, admission)?;
        transfer.apply(commit, &original, target.file.as_ref(), &mut copied)?;
        commit.set(target.parent(), &key_for(&target.name, &copied), Some(copied.clone()))?;
        let used = commit.used()?;
        if self.handle().record().quota.is_some_and(|quota| used > quota) {
            return fail(ErrorKind::OverQuota, "this would exceed the account's quota");
        }
        self.outcome(commit, &target, &copied, created, transfer)
    }
}

fn key_for(name: &Name, entry: &Entry) -> allod_model::EntryKey {
    match entry.is_folder() {
        true => allod_model::EntryKey::folder(name),
        false => allod_model::EntryKey::file(name),
    }
}

/// Refuses transfers onto oneself, into oneself, and onto a folder that holds the source.
fn check_apart(from: &Path, to: &Path) -> Result<()> {
    if from.is_root() || to.is_root() {
        return Err(Error::new(
            ErrorKind::Denied,
            "the root of an account cannot be moved, copied or replaced",
        ));
    }
    if from == to {
        return Err(Error::new(ErrorKind::WrongKind, "source and destination are the same"));
    }
    if to.starts_with(from) {
        return Err(Error::new(ErrorKind::WrongKind, "a folder cannot be moved or copied into itself"));
    }
    if from.starts_with(to) {
        return Err(Error::new(ErrorKind::WrongKind, "the destination holds the source"));
    }
    Ok(())
}
