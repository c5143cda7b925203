//! Uploads that come to nothing, and completed ones of long ago: what the collector does about them.

use std::ops::ControlFlow;
use std::sync::Arc;

use allod_meta::{KeyRange, Lookup};
use allod_model::{NodeId, Result, Timestamp};

use crate::account::AccountHandle;
use crate::commit::Commit;
use crate::core::{Core, blocking};
use crate::fault::Res;
use crate::keys::{Keys, Table, number_at, unescape_numbered};
use crate::object::{BucketSettings, LifecycleRule};
use crate::reading::Records;
use crate::record::{CompletedUpload, Folder, MultipartUpload, decode};
use crate::upload::{COMPLETED_SECS, remove_upload};

/// Time after which an upload that nobody completed is given up, in seconds; a rule of its bucket can say otherwise.
const ABANDONED_SECS: i64 = 7 * 86_400;
/// Remembered completions forgotten in one step.
const STEP_COMPLETED: usize = 1000;

impl Core {
    /// Gives up uploads that nobody completed in time or whose bucket is gone, and forgets completions of long ago.
    pub(crate) async fn abort_abandoned(&self, account: &Arc<AccountHandle>) -> Result<()> {
        let (core, handle) = (self.clone(), account.clone());
        let abandoned = blocking(move || core.abandoned(&handle)).await?;
        for (row, number) in abandoned {
            self.step(account, move |commit| match commit.txn.get(&row)? {
                Some(_) => remove_upload(commit, &row, number, &[]),
                None => Ok(()),
            })
            .await?;
        }
        while self.step(account, forget_completed).await? {}
        Ok(())
    }

    fn abandoned(&self, account: &AccountHandle) -> Res<Vec<(Vec<u8>, u64)>> {
        let (view, keys, now) = (self.view()?, account.keys(), self.0.env.now());
        let prefix = keys.table(Table::Upload);
        let mut found = Vec::new();
        let mut bucket: Option<(u64, Option<BucketSettings>)> = None;
        view.each(&KeyRange::prefix(&prefix), 0, |row, value| {
            let tail = row.get(prefix.len()..).unwrap_or(&[]);
            let named = tail.get(8..).and_then(unescape_numbered);
            let (Some(folder), Some((key, number))) = (number_at(tail), named) else {
                return Ok(ControlFlow::Continue(()));
            };
            if bucket.as_ref().map(|(id, _)| *id) != Some(folder) {
                bucket = Some((folder, settings_of(&view, keys, NodeId(folder))?));
            }
            let settings = bucket.as_ref().and_then(|(_, settings)| settings.as_ref());
            let secs =
                settings.map_or(0, |settings| abandoned_secs(settings, &key, self.0.lifecycle_day_secs));
            let record: MultipartUpload = decode(value)?;
            if record.begun.plus_secs(secs) <= now {
                found.push((row.to_vec(), number));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }
}

/// The settings of a bucket; `None` when its folder is not in the tree any more.
fn settings_of(rows: &impl Lookup, keys: Keys, bucket: NodeId) -> Res<Option<BucketSettings>> {
    let row: Option<Folder> = rows.record(&keys.folder(bucket))?;
    match row.filter(|row| row.detached.is_none()) {
        Some(_) => Ok(Some(rows.record(&keys.bucket(bucket))?.unwrap_or_default())),
        None => Ok(None),
    }
}

/// How long an upload of `key` may be under way, in seconds: what the strictest rule of its bucket says.
fn abandoned_secs(settings: &BucketSettings, key: &[u8], day_secs: u64) -> i64 {
    let holds = |rule: &&LifecycleRule| {
        rule.enabled && rule.prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix.as_bytes()))
    };
    let days = settings.lifecycle.iter().filter(holds).filter_map(|rule| rule.abort_days).min();
    days.map_or(ABANDONED_SECS, |days| {
        i64::try_from(u64::from(days).saturating_mul(day_secs)).unwrap_or(i64::MAX)
    })
}

/// One step of forgetting completed uploads; `true` when more may be left.
fn forget_completed(commit: &mut Commit) -> Res<bool> {
    let prefix = commit.keys.table(Table::Completed);
    let before = Timestamp(commit.now.0.saturating_sub(COMPLETED_SECS * 1000));
    let mut old = Vec::new();
    commit.txn.each(&KeyRange::prefix(&prefix), 0, |row, value| {
        if decode::<CompletedUpload>(value)?.time <= before {
            old.push(row.to_vec());
        }
        Ok(if old.len() < STEP_COMPLETED { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    for row in &old {
        commit.txn.delete(row)?;
    }
    Ok(old.len() == STEP_COMPLETED)
}
