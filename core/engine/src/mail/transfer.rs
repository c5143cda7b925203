//! Copying and moving messages between mailboxes (RFC 9051 §6.4.7, RFC 6851).

use allod_model::{ErrorKind, Kind, NodeId, Path, Result, Rights};

use crate::commit::Commit;
use crate::fault::{Res, fail};
use crate::mail::append::message_key;
use crate::mail::rows::{MessageRow, uid_validity};
use crate::mail::store::{COMMIT_MESSAGES, check_unlocked, page_of};
use crate::mail::uids::UidSet;
use crate::record::Entry;
use crate::resolve::find_folder;
use crate::session::Session;

/// Messages copied in one commit: a copy of more is not one step.
const COMMIT_COPIES: usize = 2000;

/// Where messages went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transferred {
    /// The mailbox that they came into.
    pub mailbox: NodeId,
    /// Its UIDVALIDITY.
    pub uid_validity: u32,
    /// Old UID, new UID; both ascending.
    pub pairs: Vec<(u32, u32)>,
}

impl Session {
    /// Copies messages with their flags and dates; content is shared. Messages that are gone are left out.
    ///
    /// # Errors
    /// `NotFound`, also when the target is not there; `WrongKind`, `Denied`, `OverQuota`.
    pub async fn copy_messages(&self, from: NodeId, uids: &UidSet, to: &Path) -> Result<Transferred> {
        self.scope().check_write(to, Rights::Append).map_err(|e| self.noted(to, e))?;
        self.transfer(from, uids, to, false).await
    }

    /// Moves messages with their flags and dates: in each step, a message is in one mailbox or the other. Messages that
    /// are gone are left out.
    ///
    /// # Errors
    /// As [`Session::copy_messages`]; `Locked`.
    pub async fn move_messages(&self, from: NodeId, uids: &UidSet, to: &Path) -> Result<Transferred> {
        self.scope().check_write(to, Rights::Append).map_err(|e| self.noted(to, e))?;
        self.transfer(from, uids, to, true).await
    }

    async fn transfer(&self, from: NodeId, uids: &UidSet, to: &Path, moving: bool) -> Result<Transferred> {
        let (mut done, mut after) = (Transferred::default(), 0);
        loop {
            let (uids, target) = (uids.clone(), to.clone());
            let body = move |me: &Session, commit: &mut Commit| {
                me.transfer_in(commit, from, &uids, after, &target, moving)
            };
            let (page, last) = self.commit_many(to, body).await?;
            (done.mailbox, done.uid_validity) = (page.mailbox, page.uid_validity);
            done.pairs.extend(page.pairs);
            match last {
                Some(last) => after = last,
                None => return Ok(done),
            }
        }
    }

    fn transfer_in(
        &self,
        commit: &mut Commit,
        from: NodeId,
        uids: &UidSet,
        after: u32,
        to: &Path,
        moving: bool,
    ) -> Res<(Transferred, Option<u32>)> {
        self.scope().check_write(to, Rights::Append)?;
        let source = match moving {
            true => self.check_mailbox_write(&*commit.txn, from, Rights::Write)?,
            false => self.check_mailbox(&*commit.txn, from)?,
        };
        let (mailbox, row) = find_folder(&*commit.txn, commit.keys, to)?;
        if row.kind != Kind::Mailbox {
            return fail(ErrorKind::WrongKind, format!("{to} is not a mailbox"));
        }
        let limit = if moving { COMMIT_MESSAGES } else { COMMIT_COPIES };
        let (rows, last) = page_of(self, commit, from, uids, after, limit, &|_| true)?;
        let mut pairs = Vec::with_capacity(rows.len());
        for (uid, row) in rows {
            if moving {
                check_unlocked(commit, &source, &row)?;
            }
            pairs.push((uid, transfer_one(commit, from, &row, mailbox, moving)?));
        }
        self.check_quota_after(commit)?;
        Ok((Transferred { mailbox, uid_validity: uid_validity(mailbox), pairs }, last))
    }
}

fn transfer_one(commit: &mut Commit, from: NodeId, row: &MessageRow, to: NodeId, moving: bool) -> Res<u32> {
    let entry = commit.entry(from, &row.key)?;
    let entry = entry.ok_or_else(|| crate::commit::missing("the file of a message"))?;
    entry.contents().try_for_each(|content| commit.retain(content))?;
    let node = if moving { entry.node } else { commit.new_node() };
    let created = if moving { entry.created } else { commit.now };
    let moved = Entry { node, created, seq: commit.seq, ..entry };
    if moving {
        commit.set(from, &row.key, None)?;
    }
    // A name that the person gave goes along where it is free.
    let free = commit.entry(to, &row.key)?.is_none();
    let key = if moving && free { row.key.clone() } else { message_key(commit, to, node)? };
    commit.set(to, &key, Some(moved))?;
    Ok(commit.mailbox(to)?.last_uid)
}
