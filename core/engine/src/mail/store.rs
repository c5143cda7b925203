//! Changing flags (RFC 9051 §6.4.6, RFC 7162 §3.1.3) and taking out what is marked as deleted.

use std::ops::ControlFlow;

use allod_model::{NodeId, Path, Result, Rights, Seq};

use crate::commit::Commit;
use crate::fault::Res;
use crate::lock::{self, Touch};
use crate::mail::fetch::each_message;
use crate::mail::marks::{Flags, KeywordId, Marks};
use crate::mail::rows::MessageRow;
use crate::mail::uids::UidSet;
use crate::resolve::spot;
use crate::session::Session;

/// Messages marked in one commit.
const COMMIT_MARKS: usize = 5000;
/// Up to so many messages are changed where the call comes from.
const FEW_MESSAGES: u64 = 16;
/// Messages removed in one commit.
pub const COMMIT_MESSAGES: usize = 500;

/// What to do with the flags given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// These flags and no others (`FLAGS`).
    Replace,
    /// These too (`+FLAGS`).
    Add,
    /// Not these (`-FLAGS`).
    Remove,
}

/// A change of flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkChange {
    /// What to do.
    pub operation: Operation,
    /// System flags.
    pub flags: Flags,
    /// Keywords.
    pub keywords: Vec<String>,
    /// Only messages that did not change after this (RFC 7162 §3.1.3).
    pub unchanged_since: Option<Seq>,
}

/// A message as its flags are after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkedMessage {
    /// UID.
    pub uid: u32,
    /// System flags.
    pub flags: Flags,
    /// Keywords.
    pub keywords: Vec<KeywordId>,
    /// MODSEQ.
    pub modseq: Seq,
    /// MODSEQ before the change.
    pub previous: Seq,
    /// Whether the change changed anything.
    pub altered: bool,
}

/// The outcome of a change of flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marked {
    /// Messages that are as the change wants them, ascending.
    pub messages: Vec<MarkedMessage>,
    /// Messages that had changed since.
    pub modified: UidSet,
}

impl Session {
    /// Changes flags of messages; those that are gone are left out. Many messages take several commits.
    ///
    /// # Errors
    /// `Denied`; `NotFound` when the mailbox is gone; `InvalidContent` and `TooLarge` for keywords that cannot be.
    pub async fn mark_messages(&self, mailbox: NodeId, uids: &UidSet, change: MarkChange) -> Result<Marked> {
        let path = self.check_mailbox(&self.view()?, mailbox)?;
        let (mut marked, mut after) = (Marked::default(), 0);
        loop {
            let (uids, change) = (uids.clone(), change.clone());
            let few = uids.len() <= FEW_MESSAGES;
            let body = move |me: &Session, commit: &mut Commit| {
                me.check_mailbox_write(&*commit.txn, mailbox, Rights::Write)?;
                mark_in(me, commit, mailbox, &uids, after, &change)
            };
            let (page, last) =
                if few { self.commit(&path, body).await? } else { self.commit_many(&path, body).await? };
            marked.messages.extend(page.messages);
            marked.modified = marked.modified.union(&page.modified);
            match last {
                Some(last) => after = last,
                None => return Ok(marked),
            }
        }
    }

    /// Removes the messages with `\Deleted`, of `within` only where that is given; returns their UIDs. They go into
    /// history, as every removed file does.
    ///
    /// # Errors
    /// `Denied`; `NotFound` when the mailbox is gone; `Locked`.
    pub async fn expunge_messages(&self, mailbox: NodeId, within: Option<&UidSet>) -> Result<UidSet> {
        let path = self.check_mailbox(&self.view()?, mailbox)?;
        let all = within.cloned().unwrap_or_else(UidSet::all);
        let (mut gone, mut after) = (UidSet::new(), 0);
        loop {
            let (all, at) = (all.clone(), path.clone());
            let body = move |me: &Session, commit: &mut Commit| {
                me.check_mailbox_write(&*commit.txn, mailbox, Rights::Write)?;
                let deleted = |row: &MessageRow| row.marks.is_deleted();
                if commit.mailbox(mailbox)?.deleted == 0 {
                    return Ok((UidSet::new(), None));
                }
                remove_in(me, commit, mailbox, &at, &all, after, &deleted)
            };
            let (page, last) = self.commit_many(&path, body).await?;
            gone = gone.union(&page);
            match last {
                Some(last) => after = last,
                None => return Ok(gone),
            }
        }
    }
}

/// One commit's part of a change of flags; the last UID looked at when there are more.
fn mark_in(
    session: &Session,
    commit: &mut Commit,
    mailbox: NodeId,
    uids: &UidSet,
    after: u32,
    change: &MarkChange,
) -> Res<(Marked, Option<u32>)> {
    let mut keywords = Vec::with_capacity(change.keywords.len());
    for name in &change.keywords {
        keywords.push(commit.keyword(name)?);
    }
    keywords.sort_unstable();
    keywords.dedup();
    let (rows, last) = page_of(session, commit, mailbox, uids, after, COMMIT_MARKS, &|_| true)?;
    let mut marked = Marked::default();
    for (uid, row) in rows {
        if change.unchanged_since.is_some_and(|since| row.modseq > since) {
            marked.modified.insert(uid);
            continue;
        }
        let marks = changed(&row.marks, change, &keywords);
        let (altered, previous) = (marks != row.marks, row.modseq);
        let row = commit.mark_message(mailbox, uid, row, marks)?;
        let (flags, modseq) = (row.marks.flags, row.modseq);
        let keywords = row.held.marks.keywords;
        marked.messages.push(MarkedMessage { uid, flags, keywords, modseq, previous, altered });
    }
    Ok((marked, last))
}

fn changed(old: &Marks, change: &MarkChange, keywords: &[KeywordId]) -> Marks {
    match change.operation {
        Operation::Replace => Marks { flags: change.flags, keywords: keywords.to_vec() },
        Operation::Add => {
            let mut all = old.keywords.clone();
            all.extend(keywords);
            all.sort_unstable();
            all.dedup();
            Marks { flags: old.flags.with(change.flags), keywords: all }
        }
        Operation::Remove => {
            let left = old.keywords.iter().filter(|keyword| !keywords.contains(keyword));
            Marks { flags: old.flags.without(change.flags), keywords: left.copied().collect() }
        }
    }
}

/// Messages with their UIDs, and the last UID of them when there may be more.
pub type Page = (Vec<(u32, MessageRow)>, Option<u32>);

/// The next messages among `uids` that `wanted` takes.
pub fn page_of(
    session: &Session,
    commit: &Commit,
    mailbox: NodeId,
    uids: &UidSet,
    after: u32,
    limit: usize,
    wanted: &dyn Fn(&MessageRow) -> bool,
) -> Res<Page> {
    let mut rows = Vec::new();
    each_message(&*commit.txn, session, mailbox, uids, after, |uid, row| {
        if wanted(&row) {
            rows.push((uid, row));
        }
        Ok(if rows.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    let last = rows.last().map(|(uid, _)| *uid).filter(|_| rows.len() == limit);
    Ok((rows, last))
}

/// One commit's part of a removal.
pub fn remove_in(
    session: &Session,
    commit: &mut Commit,
    mailbox: NodeId,
    path: &Path,
    uids: &UidSet,
    after: u32,
    wanted: &dyn Fn(&MessageRow) -> bool,
) -> Res<(UidSet, Option<u32>)> {
    let (rows, last) = page_of(session, commit, mailbox, uids, after, COMMIT_MESSAGES, wanted)?;
    let mut gone = UidSet::new();
    for (uid, row) in rows {
        check_unlocked(commit, path, &row)?;
        commit.replace(mailbox, &row.key, None)?;
        gone.insert(uid);
    }
    Ok((gone, last))
}

/// A lock taken at another door holds here too.
pub fn check_unlocked(commit: &mut Commit, path: &Path, row: &MessageRow) -> Res<()> {
    if commit.state.locks == 0 {
        return Ok(());
    }
    let at = path.join(row.key.name());
    let spot = spot(&*commit.txn, commit.keys, &at)?;
    lock::check(commit, &at, &spot, Touch::Membership, &[])
}
