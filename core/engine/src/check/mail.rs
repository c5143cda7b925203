//! Mailboxes: rows of messages against their files, the indexes, the counters, and what is known of each message.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use allod_meta::{KeyRange, Lookup, View};
use allod_model::{ContentId, NodeId, Seq};

use super::{CheckReport, Mend, Walk};
use crate::account::AccountHandle;
use crate::fault::Res;
use crate::keys::{Table, number_at};
use crate::mail::MailFacts;
use crate::mail::facts::{former_pages, sealed_pages, structure};
use crate::mail::rows::{MailboxRow, MessageRow, seq_and_uid, uid_at};
use crate::reading::Records;
use crate::record::{Entry, File, decode, encode};

impl Walk<'_> {
    /// Each message row stands for a file that says the same; the counters are what the rows add up to.
    pub(super) fn mailboxes(&mut self) -> Res<()> {
        let prefix = self.keys.table(Table::Message);
        let view = self.view;
        let mut counted: BTreeMap<NodeId, MailboxRow> = BTreeMap::new();
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |tail, value| {
            let folder = NodeId(number_at(tail).unwrap_or(0));
            let uid = tail.get(8..).and_then(uid_at).unwrap_or(0);
            let message: MessageRow = decode(value)?;
            let counters = counted.entry(folder).or_default();
            counters.count(&message, true);
            counters.last_uid = counters.last_uid.max(uid);
            self.message(folder, uid, &message)?;
            Ok(ControlFlow::Continue(()))
        })?;
        for (folder, files) in std::mem::take(&mut self.mail) {
            let rows = counted.get(&folder).map_or(0, |counters| u64::from(counters.exists));
            if rows != files {
                self.problem(format!("mailbox {folder} has {files} messages and {rows} UIDs"));
            }
        }
        self.mailbox_counters(counted)?;
        self.mail_changes()
    }

    fn message(&mut self, folder: NodeId, uid: u32, message: &MessageRow) -> Res<()> {
        let entry: Option<Entry> = self.view.record(&self.keys.entry(folder, &message.key))?;
        let file = entry.as_ref().and_then(Entry::file);
        let mail = file.and_then(File::mail);
        if !mail.is_some_and(|mail| mail.uid == uid && mail.mailbox == folder)
            || file.map(|file| file.content) != Some(message.content)
        {
            self.problem(format!("UID {uid} of mailbox {folder} is not the message {:?}", message.key));
        }
        let row = self.keys.mail_change(folder, message.modseq, uid);
        if self.view.get(&row)?.is_none() {
            let what = format!("UID {uid} of mailbox {folder} is missing from the index of changes");
            self.derived(what, row, None, Some(Vec::new()));
        }
        Ok(())
    }

    fn mailbox_counters(&mut self, mut counted: BTreeMap<NodeId, MailboxRow>) -> Res<()> {
        let prefix = self.keys.table(Table::Mailbox);
        let view = self.view;
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |tail, value| {
            let folder = NodeId(number_at(tail).unwrap_or(0));
            let row: MailboxRow = decode(value)?;
            let right = counted.remove(&folder).unwrap_or_default();
            if right.last_uid > row.last_uid {
                self.problem(format!("mailbox {folder} would give UID {} again", right.last_uid));
            }
            let mended = MailboxRow {
                exists: right.exists,
                unseen: right.unseen,
                deleted: right.deleted,
                bytes: right.bytes,
                deleted_bytes: right.deleted_bytes,
                last_uid: row.last_uid.max(right.last_uid),
                ..row.clone()
            };
            if mended != row {
                let what =
                    format!("mailbox {folder} counts {} messages instead of {}", row.exists, right.exists);
                self.derived(what, self.keys.mailbox(folder), Some(value.to_vec()), Some(encode(&mended)));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for folder in counted.into_keys() {
            self.problem(format!("mailbox {folder} has messages and no counters"));
        }
        Ok(())
    }

    /// The index of changes names messages that are there, and deletions those that are not.
    fn mail_changes(&mut self) -> Res<()> {
        let view = self.view;
        let modseq = |folder: NodeId, uid: u32| -> Res<Option<Seq>> {
            let row: Option<MessageRow> = view.record(&self.keys.message(folder, uid))?;
            Ok(row.map(|row| row.modseq))
        };
        let mut wrong = Vec::new();
        for table in [Table::MailChange, Table::Vanished] {
            let prefix = self.keys.table(table);
            view.each(&KeyRange::prefix(&prefix), 0, |row, value| {
                let tail = row.get(prefix.len()..).unwrap_or(&[]);
                let folder = NodeId(number_at(tail).unwrap_or(0));
                let (seq, uid) = tail.get(8..).and_then(seq_and_uid).unwrap_or_default();
                let known = modseq(folder, uid)?;
                let sound = if table == Table::Vanished { known.is_none() } else { known == Some(seq) };
                if !sound {
                    wrong.push((folder, uid, row.to_vec(), value.to_vec()));
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        for (folder, uid, row, value) in wrong {
            let what = format!("the index of changes of mailbox {folder} is wrong about UID {uid}");
            self.derived(what, row, Some(value), None);
        }
        Ok(())
    }
}

/// What is known of a message against its bytes.
pub(super) fn compare_mail(
    account: &AccountHandle,
    view: &View,
    content: ContentId,
    mail: &MailFacts,
    report: &mut CheckReport,
    mends: &mut Vec<Mend>,
) -> Res<()> {
    let thread = structure(view, account, content).ok().flatten().map_or(content.0, |(thread, _)| thread);
    let former = former_pages(view, account, content)?;
    let mut differs = false;
    for (key, right) in sealed_pages(account, content, thread, mail) {
        let seen = view.get(&key)?;
        if seen.as_ref() != Some(&right) {
            // As earlier versions laid them, they are sound, too: putting them in order is no mending.
            differs |= former.is_empty();
            mends.push(Mend { key, seen, right: Some(right) });
        }
    }
    mends.extend(former.into_iter().map(|(key, seen)| Mend { key, seen: Some(seen), right: None }));
    if differs {
        let name = account.record().name.clone();
        report.problem(format!(
            "{name}: what is known of the message in content {content} is not what its bytes say (derived; `allod check \
             --rebuild` mends it)"
        ));
    }
    Ok(())
}
