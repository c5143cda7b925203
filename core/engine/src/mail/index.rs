//! What a commit keeps of mailboxes while it changes the tree: UIDs, flags that travel, counters.

use std::collections::{BTreeMap, BTreeSet};

use allod_model::{ContentId, EntryKey, Error, ErrorKind, Kind, NodeId, Seq, Timestamp};

use crate::commit::Commit;
use crate::fault::{Fault, Res, fail};
use crate::mail::marks::{KeywordId, Keywords, Marks};
use crate::mail::rows::{Held, MailRow, MailboxRow, MessageRow, keywords, mailbox_row};
use crate::mail::spans::SPAN_UIDS;
use crate::reading::Records;
use crate::record::{Entry, File, What, encode};
use crate::typed::Typed;

/// The part of a commit that is about mailboxes.
#[derive(Default)]
pub struct MailCommit {
    boxes: BTreeMap<NodeId, (MailboxRow, bool)>,
    keywords: Option<(Keywords, bool)>,
    /// Flags of messages that left their place in this commit and may come to another.
    left: BTreeMap<NodeId, (ContentId, Marks, Timestamp)>,
    /// Mailboxes whose messages changed.
    pub changed: BTreeSet<NodeId>,
}

impl Commit<'_, '_> {
    /// A mailbox's counters, as this commit leaves them so far.
    pub(crate) fn mailbox(&mut self, folder: NodeId) -> Res<&mut MailboxRow> {
        if !self.mail.boxes.contains_key(&folder) {
            let row = mailbox_row(&*self.txn, self.keys, folder)?;
            self.mail.boxes.insert(folder, (row, false));
        }
        // Invariant: inserted above when absent.
        Ok(&mut self.mail.boxes.get_mut(&folder).expect("just loaded").0)
    }

    /// As [`Commit::mailbox`], to be written.
    pub(crate) fn change_mailbox(&mut self, folder: NodeId) -> Res<&mut MailboxRow> {
        self.mailbox(folder)?;
        // Invariant: loaded by the line above.
        let (row, dirty) = self.mail.boxes.get_mut(&folder).expect("just loaded");
        *dirty = true;
        Ok(row)
    }

    /// The keyword of this name, made when there is none.
    pub(crate) fn keyword(&mut self, name: &str) -> Res<KeywordId> {
        if self.mail.keywords.is_none() {
            self.mail.keywords = Some((keywords(&*self.txn, self.keys)?, false));
        }
        // Invariant: filled above when absent.
        let (known, dirty) = self.mail.keywords.as_mut().expect("just loaded");
        let before = known.names().count();
        let id = known.id_or_new(name)?;
        *dirty |= known.names().count() != before;
        Ok(id)
    }

    /// Keeps the rows of messages in step with a change of an entry. An entry that goes into history takes its flags
    /// along; one that comes into a mailbox gets a UID.
    pub(crate) fn index_mail(
        &mut self,
        folder: NodeId,
        key: &EntryKey,
        before: Option<&mut Entry>,
        new: Option<&mut Entry>,
    ) -> Res<()> {
        let old = before.as_ref().and_then(|entry| entry.file()).and_then(File::mail);
        let old = old.filter(|mail| mail.mailbox == folder && mail.uid > 0).cloned();
        if key.is_folder() {
            return self.index_inner(folder, key, new.as_deref());
        }
        if old.is_none() && (new.is_none() || self.folder(folder)?.kind != Kind::Mailbox) {
            return Ok(());
        }
        match (old, before, new) {
            (Some(old), Some(before), Some(new)) if is_same_message(before, new) => {
                self.keep_message(folder, key, &old, new)
            }
            (old, before, new) => {
                if let (Some(old), Some(before)) = (old, before) {
                    self.expunge_row(folder, &old, before)?;
                }
                new.map_or(Ok(()), |new| self.file_message(folder, key, new))
            }
        }
    }

    /// Mailboxes in a mailbox are found without going through its messages.
    pub(crate) fn index_inner(&mut self, folder: NodeId, key: &EntryKey, new: Option<&Entry>) -> Res<()> {
        if self.folder(folder)?.kind != Kind::Mailbox {
            return Ok(());
        }
        let row = self.keys.inner_mailbox(folder, key);
        match new {
            Some(_) => Ok(self.txn.put(&row, &[])?),
            None => Ok(self.txn.delete(&row)?),
        }
    }

    /// The bytes are the same: the UID stays.
    fn keep_message(&mut self, folder: NodeId, key: &EntryKey, old: &MailRow, new: &mut Entry) -> Res<()> {
        let row = self.keys.message(folder, old.uid);
        let What::File(file) = &mut new.what else { return Ok(()) };
        let content = file.content;
        file.typed = Some(Box::new(Typed::Mail(old.clone())));
        let Some(mut message) = self.txn.record::<MessageRow>(&row)? else { return Ok(()) };
        if message.content == content && message.key == *key {
            return Ok(());
        }
        message.key = key.clone();
        if message.content != content {
            // Its EMAILID is another one now, which counts as a change.
            let (seq, before) = (self.seq, message.modseq);
            (message.held.content, message.held.modseq) = (content, seq);
            self.txn.delete(&self.keys.mail_change(folder, before, old.uid))?;
            self.txn.put(&self.keys.mail_change(folder, seq, old.uid), &[])?;
            self.change_mailbox(folder)?.modseq = seq;
            self.mail.changed.insert(folder);
        }
        Ok(self.txn.put(&row, &encode(&message))?)
    }

    fn expunge_row(&mut self, folder: NodeId, old: &MailRow, before: &mut Entry) -> Res<()> {
        let row = self.keys.message(folder, old.uid);
        let Some(message) = self.txn.record::<MessageRow>(&row)? else { return Ok(()) };
        let stays = (message.content, message.marks.clone(), message.internal);
        self.mail.left.insert(before.node, stays);
        if let What::File(file) = &mut before.what
            && let Some(mail) = file.mail_mut()
        {
            (mail.marks, mail.internal) = (message.marks.clone(), Some(message.internal));
        }
        self.txn.delete(&row)?;
        self.txn.delete(&self.keys.mail_change(folder, message.modseq, old.uid))?;
        self.txn.put(&self.keys.vanished(folder, self.seq, old.uid), &[])?;
        let seq = self.seq;
        let counters = self.change_mailbox(folder)?;
        counters.count(&message, false);
        counters.modseq = seq;
        self.mail.changed.insert(folder);
        Ok(())
    }

    /// Gives a message its UID in a mailbox.
    ///
    /// # Errors
    /// `TooLarge` when the UIDs of the mailbox are used up.
    pub(crate) fn file_message(&mut self, folder: NodeId, key: &EntryKey, new: &mut Entry) -> Res<()> {
        let (node, modified) = (new.node, new.modified);
        let What::File(file) = &mut new.what else { return Ok(()) };
        let (content, size) = (file.content, file.size);
        let Some(mail) = file.mail_mut() else {
            return fail(ErrorKind::InvalidContent, "a mailbox takes only messages");
        };
        let (marks, internal) = self.brought_along(node, content, mail)?;
        let (seq, saved) = (self.seq, self.now);
        let counters = self.change_mailbox(folder)?;
        let uid = counters.last_uid.checked_add(1).filter(|uid| *uid < u32::MAX);
        let uid =
            uid.ok_or_else(|| Fault(Error::too_large("messages ever put into a mailbox", u32::MAX.into())))?;
        counters.last_uid = uid;
        counters.modseq = seq;
        counters.note_keywords(&marks.keywords);
        let held = Held {
            content,
            size,
            internal: internal.unwrap_or(modified),
            saved,
            marks,
            modseq: seq,
            thread: mail.thread,
        };
        let message = MessageRow { key: key.clone(), held };
        counters.count(&message, true);
        *mail =
            MailRow { uid, mailbox: folder, marks: Marks::default(), thread: mail.thread, internal: None };
        self.txn.put(&self.keys.message(folder, uid), &encode(&message))?;
        self.txn.put(&self.keys.mail_change(folder, seq, uid), &[])?;
        self.mail.changed.insert(folder);
        if uid.is_multiple_of(SPAN_UIDS)
            && let Some(wakes) = self.account.span_wakes()
        {
            let id = self.account.id();
            self.txn.on_commit(move || wakes.wake(id, folder));
        }
        Ok(())
    }

    /// Flags and INTERNALDATE that a message brings: from the place that it leaves, from the message that it is a copy
    /// of, or as its entry says.
    fn brought_along(
        &self,
        node: NodeId,
        content: ContentId,
        mail: &MailRow,
    ) -> Res<(Marks, Option<Timestamp>)> {
        if let Some((left, marks, internal)) = self.mail.left.get(&node)
            && *left == content
        {
            return Ok((marks.clone(), Some(*internal)));
        }
        if mail.uid > 0 {
            let source: Option<MessageRow> = self.txn.record(&self.keys.message(mail.mailbox, mail.uid))?;
            if let Some(source) = source.filter(|source| source.content == content) {
                return Ok((source.held.marks, Some(source.held.internal)));
            }
        }
        Ok((mail.marks.clone(), mail.internal))
    }

    /// Changes the flags of a message; returns its row. Without a change nothing is written.
    pub(crate) fn mark_message(
        &mut self,
        folder: NodeId,
        uid: u32,
        message: MessageRow,
        marks: Marks,
    ) -> Res<MessageRow> {
        if message.marks == marks {
            return Ok(message);
        }
        let seq = self.seq;
        let counters = self.change_mailbox(folder)?;
        counters.count(&message, false);
        let (old, mut marked) = (message.modseq, message);
        (marked.held.marks, marked.held.modseq) = (marks, seq);
        counters.count(&marked, true);
        counters.note_keywords(&marked.marks.keywords);
        counters.modseq = seq;
        self.txn.delete(&self.keys.mail_change(folder, old, uid))?;
        self.txn.put(&self.keys.mail_change(folder, seq, uid), &[])?;
        self.txn.put(&self.keys.message(folder, uid), &encode(&marked))?;
        self.mail.changed.insert(folder);
        Ok(marked)
    }

    /// Writes the counters that changed.
    pub(crate) fn finish_mail(&mut self) -> Res<()> {
        for (folder, (row, dirty)) in std::mem::take(&mut self.mail.boxes) {
            if dirty {
                self.txn.put(&self.keys.mailbox(folder), &encode(&row))?;
            }
        }
        if let Some((known, true)) = self.mail.keywords.take() {
            self.txn.put(&self.keys.keywords(), &encode(&known))?;
        }
        Ok(())
    }
}

/// Whether an entry is the message that it was: the same node with the same bytes.
fn is_same_message(before: &Entry, new: &Entry) -> bool {
    let digest = |entry: &Entry| entry.file().map(|file| (file.digest, file.size));
    before.node == new.node && digest(before) == digest(new)
}

impl MailboxRow {
    /// Counts a message in or out.
    pub fn count(&mut self, message: &Held, comes: bool) {
        let step =
            |count: &mut u32| *count = if comes { count.saturating_add(1) } else { count.saturating_sub(1) };
        let weigh = |bytes: &mut u64| {
            *bytes =
                if comes { bytes.saturating_add(message.size) } else { bytes.saturating_sub(message.size) };
        };
        step(&mut self.exists);
        weigh(&mut self.bytes);
        if !message.marks.is_seen() {
            step(&mut self.unseen);
        }
        if message.marks.is_deleted() {
            step(&mut self.deleted);
            weigh(&mut self.deleted_bytes);
        }
    }

    fn note_keywords(&mut self, keywords: &[KeywordId]) {
        for keyword in keywords {
            if let Err(at) = self.keywords.binary_search(keyword) {
                self.keywords.insert(at, *keyword);
            }
        }
    }

    /// The last change, never 0 (RFC 7162 §3.1.2.1).
    pub fn highest(&self) -> Seq {
        self.modseq.max(Seq(1))
    }
}
