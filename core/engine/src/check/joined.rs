//! Joined contents and uploads under way: what they refer to, and whether their lists agree.

use std::collections::HashSet;
use std::ops::ControlFlow;

use allod_meta::{KeyRange, Lookup, View};
use allod_model::ContentId;

use super::Walk;
use crate::account::AccountHandle;
use crate::fault::Res;
use crate::joined::{digest, page};
use crate::keys::{Table, number_at};
use crate::reading::Records;
use crate::record::{Body, Content, StoredPart, decode};

impl Walk<'_> {
    fn refer(&mut self, part: &StoredPart) {
        *self.refs.entry(part.content).or_insert(0) += 1;
    }

    /// Lists of parts, those of contents on their way out included, and parts of uploads under way.
    pub(super) fn parts(&mut self) -> Res<()> {
        let view = self.view;
        let prefix = self.keys.table(Table::Joined);
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |_, value| {
            let parts: Vec<StoredPart> = decode(value)?;
            parts.iter().for_each(|part| self.refer(part));
            Ok(ControlFlow::Continue(()))
        })?;
        let uploads = self.uploads()?;
        let mut stray = HashSet::new();
        let prefix = self.keys.table(Table::UploadPart);
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |tail, value| {
            self.refer(&decode(value)?);
            let number = number_at(tail).unwrap_or(0);
            if !uploads.contains(&number) {
                stray.insert(number);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        stray
            .into_iter()
            .for_each(|n| self.problem(format!("parts of the upload {n:x}, which is not there")));
        Ok(())
    }

    /// The numbers of the uploads under way, and their count.
    fn uploads(&mut self) -> Res<HashSet<u64>> {
        let prefix = self.keys.table(Table::Upload);
        let mut numbers = HashSet::new();
        self.view.each(&KeyRange::prefix(&prefix), prefix.len(), |tail, _| {
            numbers.extend(tail.len().checked_sub(8).and_then(|at| number_at(&tail[at..])));
            Ok(ControlFlow::Continue(()))
        })?;
        let seen = self.view.get(&self.keys.upload_count())?;
        let count = seen.as_deref().and_then(number_at).unwrap_or(0);
        let right = numbers.len() as u64;
        if count != right {
            let what = format!("{count} uploads under way instead of {right}");
            let mended = (right > 0).then(|| right.to_be_bytes().to_vec());
            self.derived(what, self.keys.upload_count(), seen, mended);
        }
        Ok(numbers)
    }
}

/// What is wrong with a joined content's list; `None` when nothing is.
pub(super) fn judge(
    view: &View,
    account: &AccountHandle,
    id: ContentId,
    content: &Content,
) -> Res<Option<String>> {
    let Body::Joined { parts: count, ends } = &content.body else { return Ok(None) };
    let keys = account.keys();
    let (mut all, mut size) = (Vec::new(), 0);
    for (n, end) in ends.iter().enumerate() {
        let parts = page(view, keys, id, &content.body, n)?;
        size += parts.iter().map(|part| part.size).sum::<u64>();
        if size != *end {
            return Ok(Some(format!("page {n} of its parts has another length than recorded")));
        }
        for part in &parts {
            let row: Option<Content> = view.record(&keys.content(part.content))?;
            let sound = row.is_some_and(|row| {
                let joined = matches!(row.body, Body::Joined { .. });
                !joined && row.size == part.size && row.digest == part.digest
            });
            if !sound {
                return Ok(Some(format!("its part {} is not what the list says", part.content)));
            }
        }
        all.extend(parts);
    }
    if all.len() != *count as usize || size != content.size {
        return Ok(Some("its list of parts is not whole".into()));
    }
    Ok((digest(account, &all) != content.digest).then(|| "its digest is not that of its parts".into()))
}
