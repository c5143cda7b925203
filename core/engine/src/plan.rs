//! Putting entries back: the plan that restore and undo make, and the commit that carries it out.

use std::collections::HashSet;

use allod_meta::Lookup;
use allod_model::{EntryKey, ErrorKind, NodeId, Path, Result};

use crate::as_of::{AsOf, path_of};
use crate::commit::Commit;
use crate::fault::{Res, fail};
use crate::lock::{self, Touch};
use crate::reading::Records;
use crate::record::{Entry, Folder, Place, What};
use crate::resolve::Spot;
use crate::session::Session;
use crate::subtree::StagedCopy;

/// Changes of one plan at most.
pub const PLAN_STEPS_MAX: usize = 1_000_000;
/// Changes of one commit; a larger plan is carried out in several.
pub const COMMIT_STEPS_MAX: usize = 4000;

/// One entry to put back.
#[derive(Clone)]
pub struct Step {
    pub folder: NodeId,
    pub key: EntryKey,
    /// What stands there now, as the plan saw it.
    pub now: Option<Entry>,
    /// What is to stand there.
    pub then: Option<Entry>,
}

impl Step {
    /// The node that stands here now and will not any more.
    pub fn frees(&self) -> Option<NodeId> {
        let now = self.now.as_ref()?.node;
        (self.then.as_ref().map(|then| then.node) != Some(now)).then_some(now)
    }

    /// The folder that comes here from elsewhere or from history.
    pub fn brings_folder(&self) -> Option<NodeId> {
        let then = self.then.as_ref().filter(|then| then.is_folder())?.node;
        (self.now.as_ref().map(|now| now.node) != Some(then)).then_some(then)
    }
}

/// What a plan does to one path, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The path.
    pub path: String,
    /// What was or would be done.
    pub action: Action,
}

/// See [`Outcome`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// It was gone or had another content; it is back as it was.
    Restored,
    /// It was not there then; it was moved into history.
    Removed,
    /// Left as it is, for this reason.
    Skipped(String),
}

impl Session {
    /// Carries out a plan: in one commit up to [`COMMIT_STEPS_MAX`] changes, else in several, what goes before what
    /// comes. Folders that live elsewhere now come back as copies made of their state `as_of`.
    pub(crate) async fn carry_out(
        &self,
        about: &Path,
        steps: Vec<Step>,
        as_of: AsOf,
    ) -> Result<Vec<Outcome>> {
        let (steps, outcomes) = self.screen(steps)?;
        let leaving: HashSet<NodeId> = steps.iter().filter_map(Step::frees).collect();
        for steps in in_commits(steps) {
            let mut staged = Vec::new();
            for step in &steps {
                if let Some(folder) = self.needs_copy(step, &leaving)? {
                    staged.push((folder.node, StagedCopy::make_as_of(self, &folder, as_of).await?));
                }
            }
            let copies: Vec<(NodeId, Entry)> =
                staged.iter().map(|(node, copy)| (*node, copy.root())).collect();
            let done = self.commit_many(about, move |me, commit| me.put_back(commit, &steps, &copies)).await;
            for (_, copy) in staged {
                copy.settle(done.is_ok());
            }
            done?;
        }
        Ok(outcomes)
    }

    /// Drops steps that change nothing and describes the rest.
    pub(crate) fn screen(&self, steps: Vec<Step>) -> Res<(Vec<Step>, Vec<Outcome>)> {
        let view = self.view()?;
        let mut outcomes = Vec::new();
        let mut kept = Vec::new();
        for step in steps {
            if same(step.now.as_ref(), step.then.as_ref()) {
                continue;
            }
            let action = if step.then.is_some() { Action::Restored } else { Action::Removed };
            outcomes.push(Outcome { path: self.describe(&view, step.folder, &step.key)?, action });
            kept.push(step);
        }
        if kept.len() > PLAN_STEPS_MAX {
            let message = format!(
                "that would change {} entries; at most {PLAN_STEPS_MAX} at once: restore smaller folders one by one",
                kept.len()
            );
            return fail(ErrorKind::TooLarge, message);
        }
        Ok((kept, outcomes))
    }

    /// The path of an entry, for people.
    pub(crate) fn describe(&self, rows: &impl Lookup, folder: NodeId, key: &EntryKey) -> Res<String> {
        if folder == crate::resolve::ABOVE_ROOT {
            return Ok("/".into());
        }
        let slash = if key.is_folder() { "/" } else { "" };
        Ok(match path_of(rows, self.keys(), folder)? {
            Some(path) => format!("{}{slash}", path.join(key.name())),
            None => format!("(removed folder {folder})/{}{slash}", key.name()),
        })
    }

    /// The folder to copy when a step brings back one that stands elsewhere and does not become free by the plan.
    fn needs_copy(&self, step: &Step, leaving: &HashSet<NodeId>) -> Res<Option<Entry>> {
        let (Some(folder), Some(then)) = (step.brings_folder(), &step.then) else { return Ok(None) };
        let freed = leaving.contains(&folder);
        let row: Option<Folder> = self.view()?.record(&self.keys().folder(then.node))?;
        let free = freed || row.is_some_and(|row| row.detached.is_some());
        Ok((!free).then(|| then.clone()))
    }

    fn put_back(&self, commit: &mut Commit, steps: &[Step], copies: &[(NodeId, Entry)]) -> Res<()> {
        for step in steps {
            if commit.entry(step.folder, &step.key)? != step.now {
                return fail(ErrorKind::Busy, "something changed meanwhile; try again");
            }
            self.check_lock(commit, step)?;
        }
        // First everything that goes, so that nodes are free for what comes.
        for step in steps {
            let (Some(now), then) = (&step.now, &step.then) else { continue };
            if then.as_ref().is_none_or(|then| then.node != now.node) {
                commit.set(step.folder, &step.key, None)?;
            }
        }
        for step in steps {
            if let Some(then) = &step.then {
                let entry = self.revive(commit, step, then, copies)?;
                commit.set(step.folder, &step.key, Some(entry))?;
            }
        }
        for step in steps.iter().filter(|step| step.then.is_none()) {
            commit.vanish_if_empty(step.folder)?;
        }
        if self.handle().record().quota.is_some_and(|quota| commit.used().is_ok_and(|used| used > quota)) {
            return fail(ErrorKind::OverQuota, "this would exceed the account's quota");
        }
        Ok(())
    }

    fn check_lock(&self, commit: &mut Commit, step: &Step) -> Res<()> {
        if commit.state.locks == 0 {
            return Ok(());
        }
        let Some(folder) = path_of(&*commit.txn, commit.keys, step.folder)? else { return Ok(()) };
        let path = folder.join(step.key.name());
        let spot: Spot = crate::resolve::spot(&*commit.txn, commit.keys, &path)?;
        lock::check(commit, &path, &spot, Touch::Subtree, &[])
    }

    /// The entry that brings `then` back, with references of its own.
    fn revive(
        &self,
        commit: &mut Commit,
        step: &Step,
        then: &Entry,
        copies: &[(NodeId, Entry)],
    ) -> Res<Entry> {
        if let Some((_, copy)) = copies.iter().find(|(node, _)| *node == then.node) {
            commit.txn.delete(&commit.keys.purge(copy.node))?;
            return Ok(Entry { seq: commit.seq, ..copy.clone() });
        }
        then.contents().try_for_each(|content| commit.retain(content))?;
        let here = step.now.as_ref().is_some_and(|now| now.node == then.node);
        let node = match then.what {
            _ if here => then.node,
            What::File(_) => {
                let place: Option<Place> = commit.txn.record(&commit.keys.node(then.node))?;
                if place.is_some_and(|place| place.detached.is_some()) {
                    then.node
                } else {
                    commit.new_node()
                }
            }
            What::Folder { .. } if commit.folder(then.node)?.detached.is_some() => then.node,
            What::Folder { .. } => return fail(ErrorKind::Busy, "a folder moved meanwhile; try again"),
        };
        Ok(Entry { node, seq: commit.seq, ..then.clone() })
    }
}

/// Cuts a plan into commits.
fn in_commits(mut steps: Vec<Step>) -> Vec<Vec<Step>> {
    if steps.len() > COMMIT_STEPS_MAX {
        steps.sort_by_key(|step| (step.then.is_some(), step.frees().is_none()));
    }
    let mut commits = Vec::new();
    while !steps.is_empty() {
        let rest = steps.split_off(steps.len().min(COMMIT_STEPS_MAX));
        commits.push(std::mem::replace(&mut steps, rest));
    }
    commits
}

/// Whether two entries are the same to everyone who looks.
fn same(one: Option<&Entry>, other: Option<&Entry>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            let seq = other.seq;
            Entry { seq, ..one.clone() } == *other
        }
        _ => false,
    }
}
