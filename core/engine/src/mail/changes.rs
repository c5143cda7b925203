//! What changed in a mailbox since a MODSEQ (RFC 7162).

use std::ops::{Bound, ControlFlow};

use allod_meta::{KeyRange, Lookup};
use allod_model::{ErrorKind, NodeId, Result, Seq};

use crate::commit::Commit;
use crate::fault::{Res, fail};
use crate::keys::Keys;
use crate::mail::rows::{mailbox_row, seq_and_uid};
use crate::mail::uids::UidSet;
use crate::reading::Records;
use crate::record::AccountState;
use crate::session::Session;

/// What changed in a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailboxChanges {
    /// The mailbox's MODSEQ now: ask with it next.
    pub modseq: Seq,
    /// Messages that came or whose flags changed, and that are still there.
    pub changed: UidSet,
    /// Messages that went.
    pub vanished: UidSet,
    /// UIDNEXT now: what of `changed` is new is not below the one known before.
    pub uid_next: u32,
}

impl Session {
    /// What changed in a mailbox since `since`.
    ///
    /// # Errors
    /// `HorizonPassed` when deletions since then are forgotten; `NotFound` when the mailbox is gone.
    pub async fn mailbox_changes(&self, mailbox: NodeId, since: Seq) -> Result<MailboxChanges> {
        let view = self.view()?;
        self.check_mailbox(&view, mailbox)?;
        let state: AccountState = view.record(&self.keys().state())?.unwrap_or_default();
        let row = mailbox_row(&view, self.keys(), mailbox)?;
        if since < state.horizon && row.modseq > since {
            let message = "deletions since then are forgotten; look at the whole mailbox";
            return fail(ErrorKind::HorizonPassed, message).map_err(Into::into);
        }
        let mut changes = match row.modseq > since {
            true => changed_since(&view, self.keys(), mailbox, since)?,
            false => MailboxChanges::default(),
        };
        (changes.modseq, changes.uid_next) = (row.highest(), row.last_uid.saturating_add(1));
        Ok(changes)
    }
}

/// Reads both indexes.
pub fn changed_since(rows: &impl Lookup, keys: Keys, folder: NodeId, since: Seq) -> Res<MailboxChanges> {
    let changed = uids_after(rows, &keys.mail_changes(folder), since)?;
    let vanished = uids_after(rows, &keys.vanished_in(folder), since)?;
    Ok(MailboxChanges { modseq: since, changed, vanished, uid_next: 0 })
}

fn uids_after(rows: &impl Lookup, prefix: &[u8], since: Seq) -> Res<UidSet> {
    let from = [prefix, &since.0.saturating_add(1).to_be_bytes()].concat();
    let range = KeyRange::prefix(prefix);
    let range = KeyRange::new(Bound::Included(&from), range.to());
    let mut uids = Vec::new();
    rows.each(&range, prefix.len(), |key, _| {
        uids.extend(seq_and_uid(key).map(|(_, uid)| (uid, uid)));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(UidSet::from_ranges(uids))
}

impl Commit<'_, '_> {
    /// Forgets the deletions of a mailbox up to `seq`.
    pub(crate) fn forget_vanished(&mut self, folder: NodeId, seq: Seq) -> Res<()> {
        let prefix = self.keys.vanished_in(folder);
        let end = [prefix.as_slice(), &seq.0.saturating_add(1).to_be_bytes()].concat();
        let range = KeyRange::prefix(&prefix);
        let range = KeyRange::new(range.from(), Bound::Excluded(&end));
        let mut old = Vec::new();
        self.txn.each(&range, 0, |key, _| {
            old.push(key.to_vec());
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(old.iter().try_for_each(|key| self.txn.delete(key))?)
    }
}
