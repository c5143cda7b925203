//! What a bucket's rules remove by themselves, once a day.
//!
//! A run goes through a bucket from its first key to its last in bounded steps, each with a view of its own, and
//! remembers after each step how far it is: a restart goes on there. What a rule lets go is removed by the operation
//! that a client's delete is, so versions, holds, locks and history are as if a client had done it.
//!
//! An age is counted from the commit that wrote a version, or from its time of last modification if that is later: a
//! client that sets times of long ago makes nothing old.

use std::ops::ControlFlow;
use std::sync::Arc;

use allod_meta::{KeyRange, View};
use allod_model::{Detail, ErrorKind, NameRule, NodeId, Path, Result, Seq, Timestamp};

use crate::access::Scope;
use crate::account::AccountHandle;
use crate::commit::Commit;
use crate::core::{Core, blocking};
use crate::fault::{Fault, Res};
use crate::keys::{Keys, Table, number_at};
use crate::log::time_from;
use crate::object::{BucketSettings, DeleteRequest, LifecycleRule, VersionId, Versioning};
use crate::reading::Records;
use crate::record::{AccountState, Actor, Entry, File, Folder, Kept, LifecycleRun, decode, encode};
use crate::resolve::spot;
use crate::roll::{Met, Source};
use crate::session::Session;
use crate::versions::{Superseding, find_version};
use crate::walk::{Stand, Standing, Walk};

/// Versions removed in one step; a step ends with it.
const STEP_REMOVED: usize = 500;
/// Versions removed in one commit.
const COMMIT_REMOVED: usize = 100;
/// Steps of one round; a run that needs more goes on in the next one.
const ROUND_STEPS: usize = 100;

/// A bucket with rules.
struct Ruled {
    folder: NodeId,
    path: Path,
    rules: Vec<LifecycleRule>,
    day_ms: i64,
}

/// A version that is to go, as the rules saw it.
#[derive(Clone)]
struct Doomed {
    path: Path,
    parent: NodeId,
    order: Seq,
    /// The entry's last change, for what the key shows.
    seq: Option<Seq>,
    /// Which version goes for good; `None`: the object as it is shown.
    version: Option<VersionId>,
}

/// What a step found.
struct Step {
    doomed: Vec<Doomed>,
    /// All up to this key was looked at; `None` at the end of the bucket.
    after: Option<Vec<u8>>,
    /// The step ended within this key.
    within: Option<Vec<u8>>,
}

impl Core {
    /// Applies the rules of an account's buckets, each bucket at most once a day. Where that fails, it is tried again in
    /// the next round.
    pub(crate) async fn apply_lifecycles(&self, account: &Arc<AccountHandle>) -> Result<()> {
        let (core, handle) = (self.clone(), account.clone());
        for bucket in blocking(move || core.ruled_buckets(&handle)).await? {
            let path = bucket.path.clone();
            if let Err(error) = self.apply_lifecycle(account, Arc::new(bucket)).await {
                tracing::warn!(%error, bucket = %path, "a bucket's rules could not be applied");
            }
        }
        Ok(())
    }

    fn ruled_buckets(&self, account: &AccountHandle) -> Res<Vec<Ruled>> {
        let (view, keys) = (self.view()?, account.keys());
        let day_ms = i64::try_from(self.0.lifecycle_day_secs.saturating_mul(1000)).unwrap_or(i64::MAX);
        let prefix = keys.table(Table::Bucket);
        let mut found = Vec::new();
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |id, value| {
            let folder = NodeId(number_at(id).unwrap_or(0));
            let settings: BucketSettings = decode(value)?;
            let rules: Vec<_> = settings.lifecycle.into_iter().filter(removes_objects).collect();
            let row: Option<Folder> = view.record(&keys.folder(folder))?;
            if let Some(row) = row.filter(|row| !rules.is_empty() && row.detached.is_none()) {
                let path = Path::root().join(row.key.name());
                found.push(Ruled { folder, path, rules, day_ms });
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    async fn apply_lifecycle(&self, account: &Arc<AccountHandle>, bucket: Arc<Ruled>) -> Result<()> {
        let row = account.keys().lifecycle(bucket.folder);
        let today = self.0.env.now().0.div_euclid(bucket.day_ms);
        let run: Option<LifecycleRun> = self.view()?.record(&row)?;
        let mut run = match run {
            Some(run) if run.after.is_none() && run.day == today => return Ok(()),
            Some(run) if run.after.is_some() => run,
            _ => LifecycleRun { day: today, after: Some(Vec::new()) },
        };
        let session = self.lifecycle_session(account);
        for _ in 0..ROUND_STEPS {
            let Some(after) = run.after.take() else { return Ok(()) };
            let (me, ruled) = (session.clone(), bucket.clone());
            let step = blocking(move || me.lifecycle_step(&ruled, &after)).await?;
            let removed = session.remove_doomed(&bucket, step.doomed).await?;
            // A key of which nothing can be removed is not looked at again today.
            run.after = step.within.filter(|_| removed == 0).or(step.after);
            let (row, run) = (row.clone(), run.clone());
            self.step(account, move |commit| Ok(commit.txn.put(&row, &encode(&run))?)).await?;
        }
        Ok(())
    }

    fn lifecycle_session(&self, account: &Arc<AccountHandle>) -> Session {
        let actor = Actor { credential: None, protocol: "lifecycle".into(), address: None };
        Session::new(self.clone(), account.clone(), Arc::new(Scope::unlimited()), actor, None, None)
    }
}

impl Session {
    /// Looks at keys behind `after`, until enough is to go.
    fn lifecycle_step(&self, bucket: &Ruled, after: &[u8]) -> Res<Step> {
        let (view, keys) = (self.view()?, self.keys());
        let state: AccountState = view.record(&keys.state())?.unwrap_or_default();
        let (now, horizon) = (self.core().0.env.now(), state.horizon);
        let mut ruling =
            Ruling { view: &view, keys, bucket, now, horizon, key: KeySoFar::default(), doomed: Vec::new() };
        let common = bucket.common_prefix();
        let walk = Walk::new(&view, keys, self.scope(), bucket.folder, bucket.path.clone());
        let mut walk = walk.with_versions(None);
        after.clone_into(walk.passed());
        match after < common {
            true => walk.seek(common, true)?,
            false => walk.seek(after, false)?,
        }
        let mut done = after.to_vec();
        while let Some(met) = walk.next()? {
            let stand = match met {
                Met::Tired => {
                    ruling.end_key();
                    return Ok(Step {
                        doomed: ruling.doomed,
                        after: Some(walk.passed().clone()),
                        within: None,
                    });
                }
                _ if !walk.key().starts_with(common) && walk.key() > common => break,
                Met::Folder => {
                    if walk.holds_keys()? != Some(false) {
                        walk.enter();
                    }
                    continue;
                }
                Met::Key(stand) => stand,
            };
            let same = ruling.key.key == walk.key();
            if !same {
                ruling.end_key();
                if ruling.key.versions > 0 {
                    done.clone_from(&ruling.key.key);
                }
            }
            if ruling.doomed.len() >= STEP_REMOVED {
                let within = same.then(|| walk.key().to_vec());
                return Ok(Step { doomed: ruling.doomed, after: Some(done), within });
            }
            if !same {
                ruling.key = KeySoFar::of(walk.key(), walk.parent());
            }
            ruling.look(stand)?;
        }
        ruling.end_key();
        Ok(Step { doomed: ruling.doomed, after: None, within: None })
    }

    /// Removes what is still as the rules saw it. Returns how many.
    async fn remove_doomed(&self, bucket: &Ruled, doomed: Vec<Doomed>) -> Result<usize> {
        let mut removed = 0;
        for batch in doomed.chunks(COMMIT_REMOVED) {
            let batch = batch.to_vec();
            removed += self
                .commit_many(&bucket.path, move |me, commit| {
                    commit.superseding = Superseding::AsVersion;
                    let mut removed = 0;
                    for one in &batch {
                        let (path, version) = (one.path.clone(), one.version);
                        let request = DeleteRequest::new(path, version);
                        if me.is_still_doomed(commit, one)? && me.delete_in(commit, &request, false)?.is_ok()
                        {
                            removed += 1;
                        }
                    }
                    Ok(removed)
                })
                .await?;
        }
        Ok(removed)
    }

    fn is_still_doomed(&self, commit: &mut Commit, one: &Doomed) -> Res<bool> {
        let spot = match spot(&*commit.txn, commit.keys, &one.path) {
            Ok(spot) if spot.parent() == one.parent => spot,
            Ok(_) => return Ok(false),
            Err(Fault(error)) if error.detail == Detail::MissingParent => return Ok(false),
            Err(fault) => return Err(fault),
        };
        let found = match find_version(&*commit.txn, commit.keys, one.parent, &spot.file_key(), one.version) {
            Ok(found) => found,
            Err(Fault(error)) if error.kind == ErrorKind::NotFound => return Ok(false),
            Err(fault) => return Err(fault),
        };
        let flags = commit.bucket_flags(one.parent)?;
        let kept = flags.is_some_and(|flags| flags.versioning == Versioning::Enabled);
        let goes = one.version.is_some() || !kept;
        let same = match (&found.kept, one.seq) {
            (Kept::Version(entry), Some(seq)) => found.current && entry.seq == seq,
            _ => !found.current && found.order == one.order,
        };
        // What is held is passed over without a refusal in the audit log.
        let held = match &found.kept {
            Kept::Version(entry) => goes && entry.file().is_some_and(|file| file.is_held(commit.now)),
            Kept::Marker { .. } => false,
        };
        Ok(same && !held)
    }
}

impl Ruled {
    /// What all keys begin with that a rule is about.
    fn common_prefix(&self) -> &[u8] {
        let mut prefixes = self.rules.iter().map(|rule| rule.prefix.as_deref().unwrap_or("").as_bytes());
        let first = prefixes.next().unwrap_or(&[]);
        prefixes.fold(first, |common, prefix| {
            let same = common.iter().zip(prefix).take_while(|(a, b)| a == b).count();
            &common[..same]
        })
    }
}

/// The rules of a bucket, applied to one version after the other.
struct Ruling<'a> {
    view: &'a View,
    keys: Keys,
    bucket: &'a Ruled,
    now: Timestamp,
    /// Up to here the log is forgotten.
    horizon: Seq,
    key: KeySoFar,
    doomed: Vec<Doomed>,
}

/// What was seen of a key so far, newest first.
#[derive(Default)]
struct KeySoFar {
    key: Vec<u8>,
    parent: NodeId,
    versions: usize,
    /// Of them, those that are not the newest.
    replaced: u32,
    /// The one seen last: which commit wrote it, and its own time.
    newer: Option<(Seq, Timestamp)>,
    /// The newest, where it is a delete marker.
    marker: Option<(VersionId, Seq, Timestamp)>,
}

impl KeySoFar {
    fn of(key: &[u8], parent: NodeId) -> KeySoFar {
        KeySoFar { key: key.to_vec(), parent, ..KeySoFar::default() }
    }
}

impl Ruling<'_> {
    fn look(&mut self, stand: Stand) -> Res<()> {
        self.key.versions += 1;
        let (order, time, id, entry) = match stand.what {
            Standing::Current(entry) => (entry.order(), own_time(&entry), None, Some(entry)),
            Standing::Kept(order, kept) => {
                let id = kept.id(order);
                match kept {
                    Kept::Version(entry) => (order, own_time(&entry), Some(id), Some(entry)),
                    Kept::Marker { time, .. } => (order, time, Some(id), None),
                }
            }
        };
        let file = entry.as_ref().and_then(Entry::file);
        match (id, &entry) {
            (None, Some(entry)) if self.is_expired(order, time, file)? => {
                self.doom(order, Some(entry.seq), None)
            }
            (Some(id), None) if stand.latest => self.key.marker = Some((id, order, time)),
            (Some(id), _) if !stand.latest => {
                if self.is_outlived(file)? {
                    self.doom(order, None, Some(id));
                }
                self.key.replaced += 1;
            }
            _ => {}
        }
        self.key.newer = Some((order, time));
        Ok(())
    }

    /// The last version of a key was seen: a delete marker that hides nothing can go.
    fn end_key(&mut self) {
        let Some((id, order, time)) = self.key.marker.filter(|_| self.key.versions == 1) else { return };
        let goes = |rule: &LifecycleRule| {
            let old = || rule.days.is_some_and(|days| self.is_past(time, days));
            self.concerns(rule, None) && (rule.lone_markers || old())
        };
        if self.bucket.rules.iter().any(goes) {
            self.doom(order, None, Some(id));
        }
        self.key.marker = None;
    }

    fn doom(&mut self, order: Seq, seq: Option<Seq>, version: Option<VersionId>) {
        let Ok(key) = Path::parse(&self.key.key, NameRule::Raw) else { return };
        let names = self.bucket.path.names().iter().chain(key.names()).cloned().collect();
        let (path, parent) = (Path::from_names(names), self.key.parent);
        self.doomed.push(Doomed { path, parent, order, seq, version });
    }

    /// Whether a rule lets go of what the key shows.
    fn is_expired(&self, order: Seq, time: Timestamp, file: Option<&File>) -> Res<bool> {
        for rule in self.bucket.rules.iter().filter(|rule| self.concerns(rule, file)) {
            if rule.date.is_some_and(|date| date <= self.now) {
                return Ok(true);
            }
            if let Some(days) = rule.days
                && self.is_older(order, time, days)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a rule lets go of a replaced version: it counts since what replaced it was written.
    fn is_outlived(&self, file: Option<&File>) -> Res<bool> {
        let Some((order, time)) = self.key.newer else { return Ok(false) };
        for rule in self.bucket.rules.iter().filter(|rule| self.concerns(rule, file)) {
            let stays = self.key.replaced < rule.noncurrent_keep.unwrap_or(0);
            if let Some(days) = rule.noncurrent_days.filter(|_| !stays)
                && self.is_older(order, time, days)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn concerns(&self, rule: &LifecycleRule, file: Option<&File>) -> bool {
        rule.concerns(&self.key.key, file)
    }

    fn is_past(&self, time: Timestamp, days: u32) -> bool {
        time.0.saturating_add(i64::from(days).saturating_mul(self.bucket.day_ms)) <= self.now.0
    }

    /// Whether both a version's own time and the commit that wrote it are so many days ago.
    fn is_older(&self, order: Seq, time: Timestamp, days: u32) -> Res<bool> {
        if !self.is_past(time, days) {
            return Ok(false);
        }
        // What the log has forgotten was written before all that it remembers.
        let written = if order > self.horizon { time_from(self.view, self.keys, order)? } else { None };
        Ok(written.is_none_or(|written| self.is_past(written, days)))
    }
}

/// An entry's age counts from here, or from the commit that wrote it.
pub fn own_time(entry: &Entry) -> Timestamp {
    entry.modified.max(entry.created)
}

/// Whether a rule removes objects or versions; uploads never completed are looked after elsewhere.
fn removes_objects(rule: &LifecycleRule) -> bool {
    let current = rule.days.is_some() || rule.date.is_some() || rule.lone_markers;
    rule.enabled && (current || rule.noncurrent_days.is_some())
}
