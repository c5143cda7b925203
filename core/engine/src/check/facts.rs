//! What is kept of calendar objects, cards and messages against their bytes: facts in the entry, the index of UIDs, that of times.

use std::ops::ControlFlow;
use std::sync::Arc;

use allod_meta::{KeyRange, Lookup, View};
use allod_model::{ContentId, EntryKey, Kind, NodeId, Result};

use super::mail::compare_mail;
use super::{CheckReport, Mend, Walk};
use crate::account::AccountHandle;
use crate::content::Reader;
use crate::core::{Core, blocking};
use crate::fault::Res;
use crate::keys::{Table, number_at};
use crate::reading::Records;
use crate::record::{Entry, Folder, What, decode, encode};
use crate::rules::Facts;
use crate::times;
use crate::typed::Typed;

/// Entries judged at a time.
const PAGE_ENTRIES: usize = 500;

/// A file of a typed folder, to be judged again.
struct Typeds {
    folder: NodeId,
    kind: Kind,
    key: EntryKey,
    entry: Entry,
    content: ContentId,
}

impl Walk<'_> {
    /// Each row of the index of times stands for a member that says the same; the reverse is looked at with the member.
    pub(super) fn times(&mut self) -> Res<()> {
        let prefix = self.keys.table(Table::Times);
        let view = self.view;
        view.each(&KeyRange::prefix(&prefix), 0, |row, value| {
            let tail = row.get(prefix.len()..).unwrap_or(&[]);
            let folder = NodeId(number_at(tail).unwrap_or(0));
            let key = EntryKey::from_bytes(tail.get(17..).unwrap_or(&[]));
            let entry: Option<Entry> = view.record(&self.keys.entry(folder, &key))?;
            let event = entry.as_ref().and_then(Entry::file).and_then(|file| file.event());
            let right = event.map(|event| times::row(self.keys, folder, &key, event));
            if right.as_ref().is_none_or(|(right, _)| right != row) {
                let what =
                    format!("the index of times has {key:?} in folder {folder} where it does not belong");
                self.derived(what, row.to_vec(), Some(value.to_vec()), None);
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}

impl Core {
    /// Judges every file of the account's calendars, address books and mailboxes again.
    pub(super) async fn check_facts(
        &self,
        account: &Arc<AccountHandle>,
        view: &View,
        report: &mut CheckReport,
    ) -> Result<Vec<Mend>> {
        let mut mends = Vec::new();
        let name = account.record().name.clone();
        for (folder, kind) in typed_folders(account, view)? {
            let mut after = None;
            loop {
                let (handle, at, seen) = (account.clone(), after.clone(), view.clone());
                let page = blocking(move || entries(&handle, &seen, folder, kind, at.as_ref())).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.key.clone());
                for one in page {
                    match self.judge_again(account, view, &one).await {
                        Ok(facts) => compare(account, view, &one, &facts, report, &mut mends)?,
                        // Damage is found and told with the contents; an object that rules of today refuse stays.
                        Err(error) => tracing::debug!(%name, key = ?one.key, %error, "not judged again"),
                    }
                }
            }
        }
        Ok(mends)
    }

    async fn judge_again(&self, account: &Arc<AccountHandle>, view: &View, one: &Typeds) -> Result<Facts> {
        let bytes = Reader::open(self, account, view, one.content)?.whole().await?;
        self.0.rules.of(one.kind)?.judge(&one.key.name(), Some(&bytes))
    }
}

fn typed_folders(account: &AccountHandle, view: &View) -> Res<Vec<(NodeId, Kind)>> {
    let prefix = account.keys().table(Table::Folder);
    let mut found = Vec::new();
    view.each(&KeyRange::prefix(&prefix), prefix.len(), |id, value| {
        // A row that cannot be read was told of already.
        if let Ok(row) = decode::<Folder>(value)
            && matches!(row.kind, Kind::Calendar | Kind::AddressBook | Kind::Mailbox)
        {
            found.push((NodeId(number_at(id).unwrap_or(0)), row.kind));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

fn entries(
    account: &AccountHandle,
    view: &View,
    folder: NodeId,
    kind: Kind,
    after: Option<&EntryKey>,
) -> Res<Vec<Typeds>> {
    let prefix = account.keys().entries(folder);
    let after = after.map(|key| account.keys().entry(folder, key));
    let rows = view.scan_prefix(&prefix, after.as_deref(), PAGE_ENTRIES)?;
    let mut page = Vec::with_capacity(rows.len());
    for (row, value) in rows {
        let key = EntryKey::from_bytes(row.get(prefix.len()..).unwrap_or(&[]));
        let entry: Entry = decode(&value)?;
        if let Some(content) = entry.file().map(|file| file.content) {
            page.push(Typeds { folder, kind, key, entry, content });
        }
    }
    Ok(page)
}

fn compare(
    account: &AccountHandle,
    view: &View,
    one: &Typeds,
    facts: &Facts,
    report: &mut CheckReport,
    mends: &mut Vec<Mend>,
) -> Res<()> {
    let (keys, name) = (account.keys(), account.record().name.clone());
    let mut right = one.entry.clone();
    let What::File(file) = &mut right.what else { return Ok(()) };
    let schedule = file.event().and_then(|event| event.schedule);
    file.know(facts);
    if let Some(Typed::Event(event)) = file.typed.as_deref_mut() {
        // Not in the bytes: it belongs to the history of the object.
        event.schedule = schedule;
    }
    if let Some(mail) = &facts.mail {
        compare_mail(account, view, one.content, mail, report, mends)?;
    }
    let mut differ = |key: Vec<u8>, value: Vec<u8>| -> Res<()> {
        let seen = view.get(&key)?;
        if seen.as_deref() != Some(&value[..]) {
            mends.push(Mend { key, seen, right: Some(value) });
            let (member, folder) = (&one.key, one.folder);
            report.problem(format!(
                "{name}: what is kept of {member:?} in folder {folder} is not what its bytes say (derived; `allod \
                 check --rebuild` mends it)"
            ));
        }
        Ok(())
    };
    if right != one.entry {
        differ(keys.entry(one.folder, &one.key), encode(&right))?;
    }
    if let Some(uid) = right.file().and_then(|file| file.uid.as_deref()) {
        differ(keys.uid(one.folder, uid), one.key.as_bytes().to_vec())?;
    }
    if let Some(event) = right.file().and_then(|file| file.event()) {
        let (row, value) = times::row(keys, one.folder, &one.key, event);
        differ(row, value)?;
    }
    Ok(())
}
