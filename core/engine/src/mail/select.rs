//! Opening a mailbox: its counters and its UIDs.
//!
//! UIDs are kept in memory for each mailbox that is in use, and brought up to date by what changed since; so opening a
//! mailbox costs its changes and not its messages, but for the first time after a start.

use std::collections::HashMap;
use std::sync::Arc;

use allod_meta::{KeyRange, Lookup, View};
use allod_model::{Error, ErrorKind, Kind, NodeId, Path, Result, Rights, Seq};
use parking_lot::Mutex;

use crate::access::Sight;
use crate::fault::{Res, fail};
use crate::keys::Keys;
use crate::mail::changes::changed_since;
use crate::mail::folders::SpecialUse;
use crate::mail::marks::Keywords;
use crate::mail::rows::{MailboxRow, keywords, mailbox_row, uid_at, uid_validity};
use crate::mail::table::{Table, whole_run};
use crate::mail::uids::{UidSet, Uids};
use crate::reading::Records;
use crate::resolve::find_folder;
use crate::session::Session;
use crate::sharing::path_of;

/// Mailboxes whose UIDs are kept in memory, of each account.
const KEPT_MAX: usize = 512;

/// A mailbox as STATUS shows it (RFC 9051 §6.3.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxStatus {
    /// Its id: MAILBOXID (RFC 8474).
    pub id: NodeId,
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// UIDNEXT.
    pub uid_next: u32,
    /// HIGHESTMODSEQ.
    pub modseq: Seq,
    /// MESSAGES.
    pub exists: u32,
    /// UNSEEN: how many.
    pub unseen: u32,
    /// DELETED.
    pub deleted: u32,
    /// SIZE, in bytes.
    pub bytes: u64,
    /// DELETED-STORAGE, in bytes (RFC 9208).
    pub deleted_bytes: u64,
    /// Keywords that its messages have or had.
    pub keywords: Vec<String>,
    /// What it is for.
    pub special: Option<SpecialUse>,
    /// What the session may do in it.
    pub rights: Rights,
}

/// An opened mailbox.
#[derive(Clone, Debug)]
pub struct Selected {
    /// As it is at this moment.
    pub status: MailboxStatus,
    /// Its messages at this moment.
    pub uids: Uids,
    /// The UID of the first message without `\Seen`.
    pub first_unseen: Option<u32>,
    /// RECENT: messages that no session was told of as such (RFC 3501 §2.3.2); the last ones.
    pub recent: u32,
}

/// What is kept of a mailbox, as of a commit.
#[derive(Clone)]
struct Kept {
    seq: Seq,
    uids: Arc<Uids>,
    /// Once somebody asked for many of its rows.
    table: Option<Arc<Table>>,
}

/// UIDs and rows of mailboxes in use, each as of a commit.
#[derive(Default)]
pub struct UidCache {
    kept: Mutex<HashMap<NodeId, Kept>>,
    /// UIDs up to which messages were told of as recent.
    claimed: Mutex<HashMap<NodeId, u32>>,
}

impl UidCache {
    /// The UID above which messages are recent, by what is stored and what was claimed since.
    pub fn recent_after(&self, folder: NodeId, stored: u32) -> u32 {
        self.claimed.lock().get(&folder).copied().unwrap_or(0).max(stored)
    }

    /// Claims what is recent up to a UID.
    pub fn claim_recent(&self, folder: NodeId, stored: u32, up_to: u32) -> Option<(u32, u32)> {
        let mut claimed = self.claimed.lock();
        let after = claimed.get(&folder).copied().unwrap_or(0).max(stored);
        if up_to <= after {
            return None;
        }
        claimed.insert(folder, up_to);
        Some((after + 1, up_to))
    }

    /// The UIDs of a mailbox as `view` shows it; `row` has its counters there.
    pub fn uids(&self, view: &View, session: &Session, folder: NodeId, row: &MailboxRow) -> Res<Uids> {
        let kept = self.current(view, session.keys(), folder, row)?;
        Ok(Arc::unwrap_or_clone(kept.uids))
    }

    /// The rows of a mailbox as `view` shows it; `None` when they are not kept: `many` says whether it is worth it.
    pub fn table(
        &self,
        view: &View,
        session: &Session,
        folder: NodeId,
        row: &MailboxRow,
        many: bool,
    ) -> Res<Option<Arc<Table>>> {
        let known = self.kept.lock().get(&folder).is_some_and(|kept| kept.table.is_some());
        if !known && !many {
            return Ok(None);
        }
        let mut kept = self.current(view, session.keys(), folder, row)?;
        if kept.table.is_none() && many {
            kept.table = Table::read(view, session.keys(), folder, row.exists)?.map(Arc::new);
            if kept.table.is_some() {
                self.keep(folder, kept.clone());
            }
        }
        Ok(kept.table)
    }

    /// What is kept of a mailbox, brought to what `view` shows.
    fn current(&self, view: &View, keys: Keys, folder: NodeId, row: &MailboxRow) -> Res<Kept> {
        let known = self.kept.lock().get(&folder).cloned();
        let current = match known {
            Some(kept) if kept.seq == row.modseq => return Ok(kept),
            Some(kept) if kept.seq < row.modseq => kept.caught_up(view, keys, folder, row)?,
            // Another session saw a later state already, or nobody looked yet.
            _ => None,
        };
        let current = match current {
            Some(current) => current,
            None => {
                Kept { seq: row.modseq, uids: Arc::new(scan_uids(view, keys, folder, row)?), table: None }
            }
        };
        self.keep(folder, current.clone());
        Ok(current)
    }

    fn keep(&self, folder: NodeId, new: Kept) {
        let mut kept = self.kept.lock();
        if kept.len() >= KEPT_MAX && !kept.contains_key(&folder) {
            let oldest = kept.iter().min_by_key(|(_, kept)| kept.seq).map(|(folder, _)| *folder);
            oldest.and_then(|folder| kept.remove(&folder));
        }
        let newer = kept.get(&folder).is_none_or(|known| {
            known.seq < new.seq || known.seq == new.seq && (known.table.is_none() || new.table.is_some())
        });
        if newer {
            kept.insert(folder, new);
        }
    }
}

impl Kept {
    /// Brings it up to date; `None` when deletions that are forgotten cannot be caught up with.
    fn caught_up(self, view: &View, keys: Keys, folder: NodeId, row: &MailboxRow) -> Res<Option<Kept>> {
        let changes = changed_since(view, keys, folder, self.seq)?;
        let table = match &self.table {
            Some(table) => table.changed(view, keys, folder, &changes)?,
            None => None,
        };
        let mut uids = Arc::unwrap_or_clone(self.uids);
        if !changes.vanished.is_empty() {
            uids.remove(&changes.vanished);
        }
        let last = uids.last().unwrap_or(0);
        changes.changed.iter().filter(|uid| *uid > last).for_each(|uid| uids.push(uid));
        let table = table.filter(|table| table.len() == row.exists as usize);
        let kept = Kept { seq: row.modseq, uids: Arc::new(uids), table: table.map(Arc::new) };
        Ok((kept.uids.len() == row.exists).then_some(kept))
    }
}

fn scan_uids(view: &View, keys: Keys, folder: NodeId, row: &MailboxRow) -> Res<Uids> {
    if let Some(run) = whole_run(view, keys, folder, row.exists)? {
        return Ok(Uids::from_set(&UidSet::from_ranges([run])));
    }
    let prefix = keys.messages(folder);
    let mut uids = Uids::default();
    view.each(&KeyRange::prefix(&prefix), prefix.len(), |key, _| {
        if let Some(uid) = uid_at(key) {
            uids.push(uid);
        }
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    Ok(uids)
}

impl Session {
    /// A mailbox's counters; O(1) in its messages.
    ///
    /// # Errors
    /// `NotFound`; `WrongKind` when it is not a mailbox.
    pub async fn mailbox_status(&self, path: &Path) -> Result<MailboxStatus> {
        Ok(self.status_now(&self.view()?, path)?)
    }

    /// Opens a mailbox.
    ///
    /// # Errors
    /// As [`Session::mailbox_status`].
    pub async fn select_mailbox(&self, path: &Path) -> Result<Selected> {
        let (me, path) = (self.clone(), path.clone());
        crate::core::blocking(move || {
            let view = me.view()?;
            let status = me.status_now(&view, &path)?;
            let row = mailbox_row(&view, me.keys(), status.id)?;
            let uids = me.handle().uids().uids(&view, &me, status.id, &row)?;
            let first_unseen = match status.unseen {
                0 => None,
                _ => me.first_unseen(&view, status.id)?,
            };
            let recent = uids.count_above(me.handle().uids().recent_after(status.id, row.recent_after));
            Ok(Selected { status, uids, first_unseen, recent })
        })
        .await
    }

    fn status_now(&self, view: &View, path: &Path) -> Res<MailboxStatus> {
        let Sight::Granted(rights) = self.scope().sight(path) else {
            return Err(Error::not_found().into());
        };
        let (id, folder) = find_folder(view, self.keys(), path)?;
        if folder.kind != Kind::Mailbox {
            return fail(ErrorKind::WrongKind, format!("{path} is not a mailbox"));
        }
        let row = mailbox_row(view, self.keys(), id)?;
        let names = keywords(view, self.keys())?;
        Ok(status(id, &row, &names, rights))
    }

    /// RECENT: messages of a mailbox that no session was told of as such (RFC 3501 §2.3.2).
    ///
    /// # Errors
    /// `NotFound` when the mailbox is gone.
    pub async fn recent_messages(&self, mailbox: NodeId) -> Result<u32> {
        let me = self.clone();
        crate::core::blocking(move || {
            let view = me.view()?;
            me.check_mailbox(&view, mailbox)?;
            let row = mailbox_row(&view, me.keys(), mailbox)?;
            let after = me.handle().uids().recent_after(mailbox, row.recent_after);
            if after >= row.last_uid {
                return Ok(0);
            }
            Ok(me.handle().uids().uids(&view, &me, mailbox, &row)?.count_above(after))
        })
        .await
    }

    /// Takes the messages up to the UID `up_to` that no session was told of as `\Recent`: the first and the last UID of
    /// the stretch that is this session's alone. What was taken is noted a moment later: after a crash, some may be
    /// recent once more.
    ///
    /// # Errors
    /// `NotFound` when the mailbox is gone; `Denied` for a session that only reads.
    pub async fn claim_recent(&self, mailbox: NodeId, up_to: u32) -> Result<Option<(u32, u32)>> {
        let known = {
            let view = self.view()?;
            self.check_mailbox_write(&view, mailbox, Rights::Write)?;
            mailbox_row(&view, self.keys(), mailbox)?.recent_after
        };
        let claimed = self.handle().uids().claim_recent(mailbox, known, up_to);
        if claimed.is_some() {
            let (core, account) = (self.core().clone(), self.handle().clone());
            tokio::spawn(async move {
                let noted = core.step(&account, move |commit| {
                    // A mailbox that is being taken apart gets nothing more.
                    if commit.txn.get(&commit.keys.folder(mailbox))?.is_some() {
                        let row = commit.change_mailbox(mailbox)?;
                        row.recent_after = row.recent_after.max(up_to);
                    }
                    Ok(())
                });
                if let Err(error) = noted.await {
                    tracing::debug!(%error, "messages may be recent once more");
                }
            });
        }
        Ok(claimed)
    }

    fn first_unseen(&self, view: &View, folder: NodeId) -> Res<Option<u32>> {
        /// Messages looked at for the first unseen one; what lies behind them is not told.
        const LOOKED_MAX: usize = 2000;
        let prefix = self.keys().messages(folder);
        let (mut found, mut looked) = (None, 0);
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |key, value| {
            let message: crate::mail::rows::MessageRow = crate::record::decode(value)?;
            looked += 1;
            if !message.marks.is_seen() {
                found = uid_at(key);
            }
            let go_on = found.is_none() && looked < LOOKED_MAX;
            Ok(if go_on { std::ops::ControlFlow::Continue(()) } else { std::ops::ControlFlow::Break(()) })
        })?;
        Ok(found)
    }

    /// Demands that the session may still read in a mailbox; returns its path.
    pub(crate) fn check_mailbox(&self, rows: &impl Lookup, folder: NodeId) -> Res<Path> {
        let path = path_of(rows, self.keys(), folder)?.ok_or_else(Error::not_found)?;
        self.scope().check_read(&path)?;
        Ok(path)
    }

    /// As [`Session::check_mailbox`], for a change there.
    pub(crate) fn check_mailbox_write(
        &self,
        rows: &impl Lookup,
        folder: NodeId,
        rights: Rights,
    ) -> Res<Path> {
        let path = path_of(rows, self.keys(), folder)?.ok_or_else(Error::not_found)?;
        self.scope().check_write(&path, rights)?;
        Ok(path)
    }

    /// The names of the account's keywords.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn keywords(&self) -> Result<Keywords> {
        Ok(keywords(&self.view()?, self.keys())?)
    }
}

pub fn status(id: NodeId, row: &MailboxRow, names: &Keywords, rights: Rights) -> MailboxStatus {
    MailboxStatus {
        id,
        uid_validity: uid_validity(id),
        uid_next: row.last_uid.saturating_add(1),
        modseq: row.highest(),
        exists: row.exists,
        unseen: row.unseen,
        deleted: row.deleted,
        bytes: row.bytes,
        deleted_bytes: row.deleted_bytes,
        keywords: row.keywords.iter().filter_map(|id| names.name(*id)).map(str::to_owned).collect(),
        special: row.special,
        rights,
    }
}
