//! What follows the log in the background: retention, taking apart what left the tree, and giving back space.
//!
//! Order: rows go first, in a commit; bytes after it. A crash in between leaves bytes that nothing names, which the
//! sweep finds. Each step is bounded and yields to the account's writers.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use allod_blobs::{ChunkName, Placement};
use allod_meta::{Lookup, Txn};
use allod_model::{AccountId, ContentId, NodeId, Result, Seq};
use futures_util::StreamExt;

use crate::account::AccountHandle;
use crate::as_of::seq_at;
use crate::commit::Commit;
use crate::core::Core;
use crate::fault::{Fault, Res};
use crate::keys::{Keys, Table, global, number_at};
use crate::log::commit_from;
use crate::reading::Records;
use crate::record::{Chunk, CommitRecord, Content, Entry, StoredPart, decode, encode};
use crate::subtree::{let_go, purge_step};

/// Time between rounds, in seconds.
const ROUND_SECS: u64 = 60;
/// Time between writing last uses and audit events, in seconds.
const NOTES_SECS: u64 = 10;
/// Commits let go of in one step.
const STEP_COMMITS: usize = 200;
/// A sealed pack is rewritten when less than this share of it is live, in percent.
const PACK_LIVE_PERCENT_MIN: u64 = 50;

/// What a round gave back.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Collected {
    /// Contents whose last reference had gone.
    pub contents: u64,
    /// Chunks removed.
    pub chunks: u64,
    /// Objects and packs removed that nothing named.
    pub orphans: u64,
}

impl Core {
    /// Starts the background work; it ends with [`Core::close`].
    pub fn start_workers(&self) {
        let core = self.clone();
        tokio::spawn(async move {
            let stopping = core.0.stopping.clone();
            tokio::select! {
                () = stopping.cancelled() => {}
                () = core.keep_birthdays() => {}
            }
        });
        let core = self.clone();
        tokio::spawn(async move {
            let stopping = core.0.stopping.clone();
            tokio::select! {
                () = stopping.cancelled() => {}
                () = core.keep_spans() => {}
            }
        });
        let core = self.clone();
        tokio::spawn(async move {
            // What a crash left between a commit and its delivery.
            core.deliver_again().await;
            let mut rounds = 0u64;
            let every = ROUND_SECS / NOTES_SECS;
            loop {
                tokio::select! {
                    () = core.0.stopping.cancelled() => return,
                    () = core.0.wake.notified() => {}
                    () = tokio::time::sleep(Duration::from_secs(NOTES_SECS)) => {
                        rounds += 1;
                        if let Err(error) = core.flush_notes().await {
                            tracing::warn!(%error, "last uses and audit events could not be written");
                        }
                        // Only a test has days so short that they could pass between two rounds.
                        let short_days = core.0.lifecycle_day_secs < ROUND_SECS;
                        if !rounds.is_multiple_of(every) && !short_days {
                            continue;
                        }
                    }
                }
                let sweep = rounds % (every * 60) == every;
                if let Err(error) = core.collect(sweep).await {
                    tracing::warn!(%error, "background work will be tried again");
                }
            }
        });
    }

    pub(crate) fn wake_collector(&self) {
        self.0.wake.notify_one();
    }

    /// One round over all accounts. `sweep`: also compares the blob store with the index and removes what nothing
    /// names, which lists the whole store.
    pub async fn collect(&self, sweep: bool) -> Result<Collected> {
        let mut total = Collected::default();
        self.finish_removals().await?;
        self.deliver_again().await;
        for record in self.account_records()? {
            let account = self.account(record.id)?;
            self.retire_history(&account).await?;
            self.undo_abandoned(&account).await?;
            self.abort_abandoned(&account).await?;
            self.apply_lifecycles(&account).await?;
            self.purge_detached(&account).await?;
            let done = self.drop_contents(&account).await?;
            total.contents += done.contents;
            total.chunks += done.chunks;
            self.trim_audit(account.id()).await?;
            self.sweep_web_sessions(account.id()).await?;
        }
        if sweep {
            for record in self.account_records()? {
                total.chunks += self.sweep_unreferenced(&self.account(record.id)?).await?;
            }
            total.orphans += self.sweep_objects().await?;
            total.orphans += self.compact_packs().await?;
        }
        Ok(total)
    }

    /// Runs one bounded step of background work as a transaction without a log entry.
    pub(crate) async fn step<T: Send + 'static>(
        &self,
        account: &Arc<AccountHandle>,
        mut body: impl FnMut(&mut Commit) -> Res<T> + Send + 'static,
    ) -> Result<T> {
        let (handle, now) = (account.clone(), self.0.env.now());
        self.transact(account.shard(), move |txn: &mut Txn<'_>| {
            let mut commit = Commit::begin(txn, &handle, now)?;
            let value = body(&mut commit)?;
            commit.finish_quietly()?;
            Ok(value)
        })
        .await
    }

    /// Lets go of history older than the retention, and of tombstones and log older than theirs.
    async fn retire_history(&self, account: &Arc<AccountHandle>) -> Result<()> {
        let now = self.0.env.now();
        let (keep, remember) = {
            let view = self.view()?;
            let back = |secs: u64| now.plus_secs(-(secs.min(i64::MAX as u64) as i64));
            let keep = seq_at(&view, account.keys(), back(self.0.retention_secs))?;
            let remember = seq_at(&view, account.keys(), back(self.0.tombstone_secs))?;
            (keep, remember)
        };
        while self.step(account, move |commit| release_versions(commit, keep)).await? {}
        while self.step(account, move |commit| forget_tombstones(commit, remember)).await? {}
        Ok(())
    }

    /// Takes apart what left the tree for good.
    async fn purge_detached(&self, account: &Arc<AccountHandle>) -> Result<()> {
        loop {
            let waiting = self.numbered_rows(account.keys().table(Table::Purge))?;
            let pins = &self.0.pins;
            let ready: Vec<_> =
                waiting.into_iter().map(NodeId).filter(|id| !pins.is_staging(account.id(), *id)).collect();
            if ready.is_empty() {
                return Ok(());
            }
            for folder in ready {
                while !self.step(account, move |commit| purge_step(commit, folder)).await? {}
            }
        }
    }

    fn numbered_rows(&self, prefix: Vec<u8>) -> Res<Vec<u64>> {
        let rows = self.view()?.scan_prefix(&prefix, None, 1000)?;
        Ok(rows.iter().filter_map(|(key, _)| number_at(key.get(prefix.len()..)?)).collect())
    }

    /// Undoes the chunk lists of uploads that came to nothing.
    async fn undo_abandoned(&self, account: &Arc<AccountHandle>) -> Result<()> {
        for id in self.numbered_rows(account.keys().table(Table::Pending))? {
            let id = ContentId(id);
            if !self.0.pins.is_uploading(account.id(), id) {
                self.drop_pages(account, id).await?;
                self.drop_joined(account, id).await?;
                self.step(account, move |c| Ok(c.txn.delete(&c.keys.pending(id))?)).await?;
            }
        }
        Ok(())
    }

    /// Removes contents whose last reference is gone, and chunks that then nothing holds.
    async fn drop_contents(&self, account: &Arc<AccountHandle>) -> Result<Collected> {
        let mut done = Collected::default();
        let mut passed = HashSet::new();
        loop {
            let dying = self.numbered_rows(account.keys().table(Table::Dying))?;
            let fresh: Vec<_> = dying.into_iter().map(ContentId).filter(|id| passed.insert(*id)).collect();
            if fresh.is_empty() {
                return Ok(done);
            }
            for id in fresh {
                if self.0.pins.is_read(account.id(), id) {
                    continue;
                }
                if let Some(chunks) = self.drop_content(account, id).await? {
                    done.contents += 1;
                    done.chunks += chunks;
                }
            }
        }
    }

    /// Removes one content; `None` when it is in use after all.
    async fn drop_content(&self, account: &Arc<AccountHandle>, id: ContentId) -> Result<Option<u64>> {
        let content: Option<Content> = self.view()?.record(&account.keys().content(id))?;
        let Some(content) = content else {
            self.step(account, move |c| Ok(c.txn.delete(&c.keys.dying(id))?)).await?;
            return Ok(None);
        };
        // The row goes first: from here on nothing can take the content up again.
        let gone = self
            .step(account, move |commit| {
                let still = commit.txn.get(&commit.keys.dying(id))?.is_some();
                if still {
                    for key in [commit.keys.content(id), commit.keys.refs(id), commit.keys.dying(id)] {
                        commit.txn.delete(&key)?;
                    }
                    commit.forget_mail(id)?;
                    commit.txn.put(&commit.keys.pending(id), &commit.now.0.to_be_bytes())?;
                    if let crate::record::Body::Few(parts) = &content.body {
                        commit.txn.put(&commit.keys.manifest(id, 0), &encode(parts))?;
                    }
                }
                Ok(still)
            })
            .await?;
        if !gone {
            return Ok(None);
        }
        let chunks = self.drop_pages(account, id).await?;
        self.drop_joined(account, id).await?;
        self.step(account, move |c| Ok(c.txn.delete(&c.keys.pending(id))?)).await?;
        Ok(Some(chunks))
    }

    /// Releases the chunks in a content's pages. Each page's row goes in the commit that releases its chunks, so a
    /// crash resumes where it stopped.
    async fn drop_pages(&self, account: &Arc<AccountHandle>, id: ContentId) -> Result<u64> {
        let mut chunks = 0;
        let mut prefix = account.keys().manifest(id, 0);
        prefix.truncate(prefix.len() - 4);
        loop {
            let rows = self.view()?.scan_prefix(&prefix, None, 1).map_err(Fault::from)?;
            let Some((row, value)) = rows.into_iter().next() else { return Ok(chunks) };
            let parts: Vec<crate::record::ChunkPart> = decode(&value)?;
            chunks += self.drop_page(account, row, parts).await?;
        }
    }

    /// Releases the parts of a joined content, page by page as [`Core::drop_pages`] does.
    async fn drop_joined(&self, account: &Arc<AccountHandle>, id: ContentId) -> Result<()> {
        let prefix = account.keys().joined_pages(id);
        loop {
            let rows = self.view()?.scan_prefix(&prefix, None, 1).map_err(Fault::from)?;
            let Some((row, value)) = rows.into_iter().next() else { return Ok(()) };
            let parts: Vec<StoredPart> = decode(&value)?;
            self.step(account, move |commit| {
                commit.txn.delete(&row)?;
                parts.iter().try_for_each(|part| commit.release(part.content))
            })
            .await?;
        }
    }

    async fn drop_page(
        &self,
        account: &Arc<AccountHandle>,
        row: Vec<u8>,
        parts: Vec<crate::record::ChunkPart>,
    ) -> Result<u64> {
        let id = account.id();
        let names: Vec<ChunkName> = parts.iter().map(|(name, _)| ChunkName(*name)).collect();
        // Chunks that an upload relies on right now only lose a count; the upload will add its own.
        let mortal: Vec<ChunkName> =
            names.iter().copied().filter(|name| self.0.pins.mark_dying(id, &[*name])).collect();
        let may_die: HashSet<_> = mortal.iter().copied().collect();
        let outcome = self
            .step(account, move |commit| {
                let mut dead = Vec::new();
                for name in &names {
                    if let Some(placement) = release_chunk(commit, name, may_die.contains(name))? {
                        dead.push((*name, placement));
                    }
                }
                commit.txn.delete(&row)?;
                Ok(dead)
            })
            .await;
        let mut removed = 0;
        if let Ok(dead) = &outcome {
            for (name, placement) in dead {
                removed += 1;
                if *placement == Placement::Object
                    && let Err(error) = self.0.blobs.delete_object(id.0, name).await
                {
                    tracing::warn!(%error, "a chunk that nothing needs stays until the next sweep");
                }
            }
        }
        self.0.pins.unmark_dying(id, &mortal);
        outcome.map(|_| removed)
    }

    /// Removes chunks that lost their last reference while an upload held on to them and then came to nothing.
    async fn sweep_unreferenced(&self, account: &Arc<AccountHandle>) -> Result<u64> {
        let (prefix, id) = (account.keys().table(Table::Chunk), account.id());
        let (mut after, mut removed) = (None::<Vec<u8>>, 0);
        loop {
            let rows = self.view()?.scan_prefix(&prefix, after.as_deref(), 1000).map_err(Fault::from)?;
            let Some((last, _)) = rows.last() else { return Ok(removed) };
            after = Some(last.clone());
            for (key, value) in rows {
                let chunk: Chunk = decode(&value)?;
                let name = key.get(prefix.len()..).and_then(|name| name.try_into().ok()).map(ChunkName);
                let Some(name) = name.filter(|name| chunk.refs == 0 && self.0.pins.mark_dying(id, &[*name]))
                else {
                    continue;
                };
                let dead = self.step(account, move |commit| {
                    let refs = commit.txn.record::<Chunk>(&key)?.map(|chunk| chunk.refs);
                    if refs == Some(0) {
                        commit.txn.delete(&key)?;
                    }
                    Ok(refs == Some(0))
                });
                let dead = dead.await;
                if matches!(dead, Ok(true)) && chunk.placement == Placement::Object {
                    // Left behind on an error, the object is found by the sweep of objects.
                    let _ = self.0.blobs.delete_object(id.0, &name).await;
                }
                self.0.pins.unmark_dying(id, &[name]);
                removed += u64::from(dead?);
            }
        }
    }

    /// Removes objects that no row names. Uploads under way are safe: their chunks are pinned.
    async fn sweep_objects(&self) -> Result<u64> {
        let mut removed = 0;
        let mut objects = self.0.blobs.list_objects(None);
        while let Some(object) = objects.next().await {
            let object = object.map_err(Fault::from)?;
            let id = AccountId(object.account);
            let row = Keys::new(id).chunk(&object.name.0);
            if self.view()?.get(&row).map_err(Fault::from)?.is_some()
                || !self.0.pins.mark_dying(id, &[object.name])
            {
                continue;
            }
            // Looked at again under the mark: an upload may have come and gone in between.
            let named = self.view().and_then(|view| Ok(view.get(&row)?.is_some()));
            let gone = match named {
                Ok(false) => self.0.blobs.delete_object(id.0, &object.name).await.is_ok(),
                _ => false,
            };
            self.0.pins.unmark_dying(id, &[object.name]);
            removed += u64::from(gone);
        }
        Ok(removed)
    }

    /// Rewrites sealed packs that are mostly dead, and removes dead ones.
    async fn compact_packs(&self) -> Result<u64> {
        let mut removed = 0;
        for pack in self.0.blobs.packs().await.map_err(Fault::from)? {
            if !pack.sealed {
                continue;
            }
            let (live, live_bytes) = self.live_records(pack.id).await?;
            if live_bytes * 100 >= pack.size.max(1) * PACK_LIVE_PERCENT_MIN {
                continue;
            }
            if self.evacuate(live).await? {
                let moment = self.0.pins.next_moment();
                self.0.retired_packs.lock().entry(pack.id).or_insert(moment);
            }
        }
        // Whoever began to read before the records moved may still look for them where they were.
        let past: Vec<u64> = {
            let mut retired = self.0.retired_packs.lock();
            let past = retired.iter().filter(|(_, moment)| self.0.pins.is_past(**moment)).map(|(id, _)| *id);
            let past: Vec<u64> = past.collect();
            retired.retain(|id, _| !past.contains(id));
            past
        };
        for pack in past {
            self.0.blobs.remove_pack(pack).await.map_err(Fault::from)?;
            removed += 1;
        }
        Ok(removed)
    }

    async fn live_records(&self, pack: u64) -> Result<(Vec<(AccountId, ChunkName, Placement)>, u64)> {
        let (mut live, mut bytes) = (Vec::new(), 0);
        let mut records = self.0.blobs.records(pack);
        while let Some(record) = records.next().await {
            let record = record.map_err(Fault::from)?;
            let id = AccountId(record.account);
            let row: Option<Chunk> = self.view()?.record(&Keys::new(id).chunk(&record.name.0))?;
            // An upload may rely on a record whose row is yet to come.
            if row.is_some_and(|chunk| chunk.placement == record.placement)
                || self.0.pins.is_pinned(id, &record.name)
            {
                live.push((id, record.name, record.placement));
                if let Placement::Pack { len, .. } = record.placement {
                    bytes += u64::from(len);
                }
            }
        }
        Ok((live, bytes))
    }

    /// Moves live records elsewhere; `false` when one is in use and the pack must stay for now.
    async fn evacuate(&self, live: Vec<(AccountId, ChunkName, Placement)>) -> Result<bool> {
        for (id, name, old) in live {
            if !self.0.pins.mark_dying(id, &[name]) {
                return Ok(false);
            }
            let moved = self.move_record(id, name, old).await;
            self.0.pins.unmark_dying(id, &[name]);
            moved?;
        }
        Ok(true)
    }

    async fn move_record(&self, id: AccountId, name: ChunkName, old: Placement) -> Result<()> {
        let placement = self.0.blobs.rewrite(id.0, &name, old).await.map_err(Fault::from)?;
        let key = Keys::new(id).chunk(&name.0);
        self.transact(id.0, move |txn| {
            if let Some(chunk) = txn.record::<Chunk>(&key)?
                && chunk.placement == old
            {
                txn.put(&key, &encode(&Chunk { placement, ..chunk }))?;
            }
            Ok(())
        })
        .await
    }

    /// Takes apart the rows and objects of accounts that were removed.
    async fn finish_removals(&self) -> Result<()> {
        for id in self.numbered_rows(global::removed())? {
            let account = AccountId(id);
            loop {
                let rows =
                    self.view()?.scan_prefix(&Keys::new(account).all(), None, 2000).map_err(Fault::from)?;
                if rows.is_empty() {
                    break;
                }
                let keys: Vec<_> = rows.into_iter().map(|(key, _)| key).collect();
                self.transact(id, move |txn| Ok(keys.iter().try_for_each(|key| txn.delete(key))?)).await?;
            }
            let mut objects = self.0.blobs.list_objects(Some(id));
            while let Some(object) = objects.next().await {
                let object = object.map_err(Fault::from)?;
                self.0.blobs.delete_object(id, &object.name).await.map_err(Fault::from)?;
            }
            self.transact(crate::keys::GLOBAL_SHARD, move |txn| {
                Ok(txn.delete(&global::removed_account(account))?)
            })
            .await?;
        }
        Ok(())
    }
}

/// One step of letting go of before-images up to `keep`; `true` when more is left.
fn release_versions(commit: &mut Commit, keep: Seq) -> Res<bool> {
    for _ in 0..STEP_COMMITS {
        let from = Seq(commit.state.purged.0 + 1);
        let next = commit_from(&*commit.txn, commit.keys, from)?.filter(|(seq, _)| *seq <= keep);
        let Some((seq, record)) = next else {
            if commit.state.purged < keep {
                commit.state.purged = keep;
                commit.touch_state();
            }
            return Ok(false);
        };
        release_commit(commit, seq, &record)?;
        commit.state.purged = seq;
        commit.touch_state();
        if record.deltas.len() > 1000 {
            break;
        }
    }
    Ok(true)
}

fn release_commit(commit: &mut Commit, seq: Seq, record: &CommitRecord) -> Res<()> {
    for delta in record.deltas.iter().filter(|delta| delta.existed) {
        let row = commit.keys.version(delta.folder, &delta.key, seq);
        // Absent when the folder it was in was taken apart before.
        if let Some(entry) = commit.txn.record::<Entry>(&row)? {
            commit.txn.delete(&row)?;
            let_go(commit, &entry, seq)?;
        }
    }
    Ok(())
}

/// One step of forgetting deletions and the log up to `remember`; `true` when more is left.
fn forget_tombstones(commit: &mut Commit, remember: Seq) -> Res<bool> {
    for _ in 0..STEP_COMMITS {
        let from = Seq(commit.state.horizon.0 + 1);
        let next = commit_from(&*commit.txn, commit.keys, from)?.filter(|(seq, _)| *seq <= remember);
        let Some((seq, record)) = next else {
            if commit.state.horizon < remember {
                commit.state.horizon = remember;
                commit.touch_state();
            }
            return Ok(false);
        };
        for delta in record.deltas.iter().filter(|delta| !delta.exists) {
            let row = commit.keys.tombstone(delta.folder, &delta.key);
            if commit.txn.get(&row)?.and_then(|seq| number_at(&seq)) == Some(seq.0) {
                commit.txn.delete(&row)?;
                commit.txn.delete(&commit.keys.change(delta.folder, seq, &delta.key))?;
            }
        }
        let folders: BTreeSet<_> =
            record.deltas.iter().filter(|delta| !delta.exists).map(|delta| delta.folder).collect();
        for folder in folders {
            commit.forget_vanished(folder, seq)?;
        }
        crate::log::delete(commit.txn, commit.keys, seq)?;
        commit.state.horizon = seq;
        commit.touch_state();
    }
    Ok(true)
}

/// Takes one reference off a chunk. Where it was the last and the chunk may die, its row goes and its place is
/// returned; a chunk that an upload holds on to keeps a row with no references until the next sweep.
fn release_chunk(commit: &mut Commit, name: &ChunkName, may_die: bool) -> Res<Option<Placement>> {
    let row = commit.keys.chunk(&name.0);
    let Some(chunk) = commit.txn.record::<Chunk>(&row)? else { return Ok(None) };
    let refs = chunk.refs.saturating_sub(1);
    if refs == 0 && may_die {
        commit.txn.delete(&row)?;
        return Ok(Some(chunk.placement));
    }
    commit.txn.put(&row, &encode(&Chunk { refs, ..chunk }))?;
    Ok(None)
}
