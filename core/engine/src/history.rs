//! History: what happened, earlier versions, and having them back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use allod_meta::{KeyRange, Lookup};
use allod_model::{
    CredentialId, EntryKey, Error, ErrorKind, Etag, NodeId, Path, Result, Rights, Seq, Timestamp,
};

use crate::as_of::{AsOf, seq_at};
use crate::fault::{Res, fail};
use crate::keys::number_at;
use crate::log::{backward, commit_from};
use crate::plan::{Action, Outcome, Step};
use crate::reading::Records;
use crate::record::{CommitRecord, Entry, Folder, decode};
use crate::session::Session;

/// Commits looked at for one undo at most.
const UNDO_COMMITS_MAX: usize = 1_000_000;

/// A commit as people see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogLine {
    /// Its number.
    pub seq: Seq,
    /// When.
    pub time: Timestamp,
    /// The credential that did it; `None` for the operator.
    pub credential: Option<CredentialId>,
    /// By which protocol.
    pub protocol: String,
    /// From where.
    pub address: Option<String>,
    /// What it changed: path, and what happened there.
    pub changes: Vec<(String, &'static str)>,
}

/// An earlier version of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// The commit that wrote it.
    pub seq: Seq,
    /// The commit that replaced or removed it.
    pub until: Seq,
    /// Bytes.
    pub size: u64,
    /// Its tag.
    pub etag: Etag,
    /// Its time of modification.
    pub modified: Timestamp,
}

/// Something in the trash: removed, and still to be had back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trashed {
    /// Where it was.
    pub path: String,
    /// The commit that removed it: restore as of the one before.
    pub seq: Seq,
    /// When it was removed.
    pub time: Timestamp,
    /// Who removed it.
    pub credential: Option<CredentialId>,
    /// Bytes (a folder: of all files in it).
    pub size: u64,
}

impl Session {
    fn whole_account(&self) -> Res<()> {
        Ok(self.scope().check_write_below(&Path::root(), Rights::Write)?)
    }

    /// The newest `limit` commits below `path`, newest first, optionally only those of one credential.
    ///
    /// # Errors
    /// `Denied` unless the session may write the whole account.
    pub async fn log(
        &self,
        path: &Path,
        credential: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<LogLine>> {
        let (me, path, credential) = (self.clone(), path.clone(), credential.cloned());
        crate::core::blocking(move || me.log_now(&path, credential.as_ref(), limit)).await
    }

    fn log_now(&self, path: &Path, credential: Option<&CredentialId>, limit: usize) -> Res<Vec<LogLine>> {
        self.whole_account()?;
        let view = self.view()?;
        let wanted = path.to_string();
        let mut lines = Vec::new();
        backward(&view, self.keys(), None, &mut |seq, record| {
            if credential.is_none() || record.actor.credential.as_ref() == credential {
                let line = self.line(&view, seq, record)?;
                let within = |(path, _): &(String, _)| {
                    wanted == "/"
                        || path.strip_prefix(&wanted).is_some_and(|r| r.is_empty() || r.starts_with('/'))
                };
                if line.changes.iter().any(within) {
                    lines.push(line);
                }
            }
            Ok(if lines.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(lines)
    }

    pub(crate) fn line(&self, view: &impl Lookup, seq: Seq, record: CommitRecord) -> Res<LogLine> {
        let mut changes = Vec::new();
        for delta in &record.deltas {
            let what = match (delta.existed, delta.exists) {
                (false, true) => "created",
                (true, true) => "changed",
                (true, false) => "removed",
                (false, false) => continue,
            };
            changes.push((self.describe(view, delta.folder, &delta.key)?, what));
        }
        let (actor, time) = (record.actor, record.time);
        Ok(LogLine {
            seq,
            time,
            credential: actor.credential,
            protocol: actor.protocol,
            address: actor.address,
            changes,
        })
    }

    /// Earlier versions of a file, oldest first.
    ///
    /// # Errors
    /// `NotFound` when the folder it is in is not there.
    pub async fn versions(&self, path: &Path) -> Result<Vec<Version>> {
        let look = || -> Res<Vec<Version>> {
            self.scope().check_read(path)?;
            let view = self.view()?;
            let parent = path.parent().ok_or_else(Error::not_found)?;
            let (folder, _) = crate::resolve::find_folder(&view, self.keys(), &parent)?;
            let name = path.last().ok_or_else(Error::not_found)?;
            let prefix = self.keys().versions(folder, &EntryKey::file(name));
            let mut versions = Vec::new();
            view.each(&KeyRange::prefix(&prefix), prefix.len(), |seq, value| {
                let entry: Entry = decode(value)?;
                if let Some(file) = entry.file() {
                    versions.push(Version {
                        seq: entry.seq,
                        until: Seq(number_at(seq).unwrap_or(0)),
                        size: file.size,
                        etag: file.etag(),
                        modified: entry.modified,
                    });
                }
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(versions)
        };
        Ok(look()?)
    }

    /// What was removed and can be had back, newest first.
    ///
    /// # Errors
    /// `Denied` unless the session may write the whole account.
    pub async fn trash(&self, limit: usize) -> Result<Vec<Trashed>> {
        let me = self.clone();
        crate::core::blocking(move || me.trash_now(limit)).await
    }

    fn trash_now(&self, limit: usize) -> Res<Vec<Trashed>> {
        self.whole_account()?;
        let (view, keys) = (self.view()?, self.keys());
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        backward(&view, keys, None, &mut |seq, record| {
            for delta in record.deltas.iter().filter(|d| d.existed && !d.exists) {
                let place = (delta.folder, delta.key.clone());
                let gone = view.get(&keys.entry(delta.folder, &delta.key))?.is_none();
                let image: Option<Entry> = view.record(&keys.version(delta.folder, &delta.key, seq))?;
                let Some(entry) = image.filter(|_| gone && seen.insert(place)) else { continue };
                let Some(size) = self.size_in_trash(&view, &entry, seq)? else { continue };
                found.push(Trashed {
                    path: self.describe(&view, delta.folder, &delta.key)?,
                    seq,
                    time: record.time,
                    credential: record.actor.credential.clone(),
                    size,
                });
            }
            Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }

    /// The size of something removed by `seq`; `None` when it was only moved.
    fn size_in_trash(&self, view: &impl Lookup, entry: &Entry, seq: Seq) -> Res<Option<u64>> {
        if let Some(file) = entry.file() {
            let place: Option<crate::record::Place> = view.record(&self.keys().node(entry.node))?;
            return Ok(place.filter(|p| p.detached == Some(seq)).map(|_| file.size));
        }
        let row: Option<Folder> = view.record(&self.keys().folder(entry.node))?;
        Ok(row.filter(|row| row.detached == Some(seq)).map(|row| row.bytes))
    }

    /// Puts `path` back as it was at `time`, and says what that changed. Only what differs is touched; up to
    /// [`crate::COMMIT_STEPS_MAX`] changes are one commit, and it can itself be undone. `dry_run` only says.
    ///
    /// # Errors
    /// `HorizonPassed` beyond the retention; `NotFound` when nothing was there then and nothing is now; `Denied`,
    /// `Locked`, `OverQuota`; `TooLarge` over [`crate::PLAN_STEPS_MAX`] changes; `Busy` when it changes meanwhile.
    pub async fn restore(&self, path: &Path, time: Timestamp, dry_run: bool) -> Result<Vec<Outcome>> {
        let seq = seq_at(&self.view()?, self.keys(), time)?;
        self.restore_as_of(path, seq, dry_run).await
    }

    /// As [`Session::restore`], as it was after the commit `seq`.
    ///
    /// # Errors
    /// As [`Session::restore`].
    pub async fn restore_as_of(&self, path: &Path, seq: Seq, dry_run: bool) -> Result<Vec<Outcome>> {
        self.scope().check_write_below(path, Rights::Write).map_err(|e| self.noted(path, e))?;
        let (me, at) = (self.clone(), path.clone());
        let (steps, as_of) = crate::core::blocking(move || me.plan_restore(&at, seq)).await?;
        if dry_run {
            return Ok(self.screen(steps)?.1);
        }
        self.carry_out(path, steps, as_of).await
    }

    fn plan_restore(&self, path: &Path, seq: Seq) -> Res<(Vec<Step>, AsOf)> {
        let view = self.view()?;
        let as_of = AsOf { keys: self.keys(), seq }.checked(&view)?;
        let mut steps = Vec::new();
        if path.is_root() {
            differences(&view, as_of, NodeId::ROOT, &mut steps)?;
            follow_moves(&view, as_of, &mut steps)?;
            return Ok((steps, as_of));
        }
        let then = as_of.find(&view, path).ok();
        let now = crate::resolve::spot(&view, self.keys(), path);
        let parent = match (&now, &then) {
            (Ok(spot), _) => spot.parent(),
            (Err(_), Some(_)) => {
                let message = "the folder it was in is gone; restore that folder instead";
                return fail(ErrorKind::NotFound, message);
            }
            (Err(fault), None) => return Err(fault.clone()),
        };
        let name = path.last().ok_or_else(Error::not_found)?;
        let mut anything = false;
        for key in [EntryKey::file(name), EntryKey::folder(name)] {
            let was = then.as_ref().filter(|(_, k, _)| *k == key).map(|(_, _, entry)| entry.clone());
            let is: Option<Entry> = view.record(&self.keys().entry(parent, &key))?;
            anything |= was.is_some() || is.is_some();
            compare(&view, as_of, Step { folder: parent, key, now: is, then: was }, &mut steps)?;
        }
        if !anything {
            return Err(Error::not_found().into());
        }
        follow_moves(&view, as_of, &mut steps)?;
        Ok((steps, as_of))
    }

    /// Undoes everything that one credential did since `since`, and says what that changed. What somebody else
    /// changed after it is left alone and named. In commits as [`Session::restore`]; `dry_run` only says.
    ///
    /// # Errors
    /// `HorizonPassed` beyond the retention; `Denied` unless the session may write the whole account; as
    /// [`Session::restore`].
    pub async fn undo(
        &self,
        credential: &CredentialId,
        since: Timestamp,
        dry_run: bool,
    ) -> Result<Vec<Outcome>> {
        let (me, credential) = (self.clone(), credential.clone());
        let planned = crate::core::blocking(move || me.plan_undo(&credential, since)).await;
        let (steps, mut skipped, as_of) = planned?;
        let done = match dry_run {
            true => self.screen(steps)?.1,
            false => self.carry_out(&Path::root(), steps, as_of).await?,
        };
        skipped.splice(0..0, done);
        Ok(skipped)
    }

    fn plan_undo(&self, credential: &CredentialId, since: Timestamp) -> Res<(Vec<Step>, Vec<Outcome>, AsOf)> {
        self.whole_account()?;
        let (view, keys) = (self.view()?, self.keys());
        let as_of = AsOf::time(&view, keys, Timestamp(since.0.saturating_sub(1)))?;
        let traces = self.traces(&view, credential, as_of.seq)?;
        let (mut steps, mut skipped) = (Vec::new(), Vec::new());
        for ((folder, key), trace) in &traces.places {
            let now: Option<Entry> = view.record(&keys.entry(*folder, key))?;
            let skip = |why: &str| -> Res<Outcome> {
                Ok(Outcome { path: self.describe(&view, *folder, key)?, action: Action::Skipped(why.into()) })
            };
            if trace.others_after {
                skipped.push(skip("changed by somebody else since")?);
                continue;
            }
            let Some(first) = trace.first else { continue };
            let then = match first.existed {
                true => view.record(&keys.version(*folder, key, first.seq))?,
                false => None,
            };
            if self.holds_others(&view, now.as_ref(), then.as_ref(), &traces.others)? {
                skipped.push(skip("somebody else has put something into it since")?);
            } else {
                steps.push(Step { folder: *folder, key: key.clone(), now, then });
            }
        }
        Ok((steps, skipped, as_of))
    }

    /// Whether a folder about to be removed holds changes of others.
    fn holds_others(
        &self,
        view: &impl Lookup,
        now: Option<&Entry>,
        then: Option<&Entry>,
        others: &BTreeSet<NodeId>,
    ) -> Res<bool> {
        let Some(now) = now.filter(|now| now.is_folder() && then.is_none_or(|then| then.node != now.node))
        else {
            return Ok(false);
        };
        for folder in others {
            let mut at = *folder;
            while at != NodeId::ROOT {
                if at == now.node {
                    return Ok(true);
                }
                match view.record::<Folder>(&self.keys().folder(at))? {
                    Some(row) if row.detached.is_none() => at = row.parent,
                    _ => break,
                }
            }
        }
        Ok(false)
    }

    /// Who touched which entries after the commit `after`.
    fn traces(&self, view: &impl Lookup, credential: &CredentialId, after: Seq) -> Res<Traces> {
        let mut traces = Traces::default();
        let (mut next, mut commits) = (Seq(after.0 + 1), 0);
        while let Some((seq, record)) = commit_from(view, self.keys(), next)? {
            commits += 1;
            if commits > UNDO_COMMITS_MAX {
                return fail(ErrorKind::TooLarge, "too many commits since then; undo a shorter time");
            }
            let mine = record.actor.credential.as_ref() == Some(credential);
            for delta in record.deltas {
                let trace = traces.places.entry((delta.folder, delta.key)).or_default();
                if mine {
                    trace.first.get_or_insert(First { seq, existed: delta.existed });
                    trace.others_after = false;
                } else {
                    // What they left is what a later change of the credential is undone to.
                    trace.others_after |= trace.first.take().is_some();
                    traces.others.insert(delta.folder);
                }
            }
            next = Seq(seq.0 + 1);
        }
        Ok(traces)
    }
}

#[derive(Default)]
struct Traces {
    places: BTreeMap<(NodeId, EntryKey), Trace>,
    /// Folders in which others changed something.
    others: BTreeSet<NodeId>,
}

#[derive(Default)]
struct Trace {
    /// The credential's first change here after the last one by somebody else.
    first: Option<First>,
    /// Somebody else changed it after the credential's last change.
    others_after: bool,
}

#[derive(Clone, Copy)]
struct First {
    seq: Seq,
    existed: bool,
}

/// Steps for one entry, and for what is below when the same folder stands there. Folders in which nothing changed
/// since are passed over, so the work grows with the changes, not with the tree.
fn compare(view: &impl Lookup, as_of: AsOf, step: Step, steps: &mut Vec<Step>) -> Res<()> {
    let inside = match (&step.now, &step.then) {
        (_, Some(then)) if then.is_folder() => Some(then.node),
        _ => None,
    };
    let stays = step.now.as_ref().map(|e| e.node) == step.then.as_ref().map(|e| e.node);
    if let Some(folder) = inside {
        let row: Option<Folder> = view.record(&as_of.keys.folder(folder))?;
        // A folder that stands elsewhere now comes back as a copy of its state then: nothing to compare.
        let comparable = row.as_ref().is_some_and(|row| stays || row.detached.is_some());
        if comparable && row.is_some_and(|row| row.below > as_of.seq) {
            differences(view, as_of, folder, steps)?;
        }
    }
    if step.now.is_some() || step.then.is_some() {
        steps.push(step);
    }
    Ok(())
}

/// A folder that the plan takes away in one place and puts back in another moves there whole; what changed in it
/// since is put back too.
fn follow_moves(view: &impl Lookup, as_of: AsOf, steps: &mut Vec<Step>) -> Res<()> {
    let mut followed = BTreeSet::new();
    loop {
        let leaving: BTreeSet<NodeId> = steps.iter().filter_map(Step::frees).collect();
        let next = steps
            .iter()
            .filter_map(Step::brings_folder)
            .find(|id| leaving.contains(id) && !followed.contains(id));
        let Some(folder) = next else { return Ok(()) };
        followed.insert(folder);
        let row: Option<Folder> = view.record(&as_of.keys.folder(folder))?;
        if row.is_some_and(|row| row.detached.is_none() && row.below > as_of.seq) {
            differences(view, as_of, folder, steps)?;
        }
    }
}

fn differences(view: &impl Lookup, as_of: AsOf, folder: NodeId, steps: &mut Vec<Step>) -> Res<()> {
    let then = as_of.members(view, folder)?;
    let mut now = BTreeMap::new();
    let prefix = as_of.keys.entries(folder);
    view.each(&KeyRange::prefix(&prefix), prefix.len(), |key, value| {
        now.insert(EntryKey::from_bytes(key), decode::<Entry>(value)?);
        Ok(ControlFlow::Continue(()))
    })?;
    let keys: BTreeSet<_> = then.keys().chain(now.keys()).cloned().collect();
    for key in keys {
        let step = Step { folder, now: now.get(&key).cloned(), then: then.get(&key).cloned(), key };
        compare(view, as_of, step, steps)?;
    }
    Ok(())
}
