//! Putting messages into a mailbox (RFC 9051 §6.3.12, RFC 3502, RFC 8508).

use std::sync::Arc;

use allod_blobs::Finished;
use allod_model::{
    ContentId, EntryKey, Error, ErrorKind, Kind, Name, NameRule, NodeId, Path, Result, Rights, Timestamp,
};
use bytes::Bytes;
use futures_util::Stream;

use crate::commit::Commit;
use crate::content::Upload;
use crate::fault::{Res, fail};
use crate::mail::MailFacts;
use crate::mail::facts::read_aside;
use crate::mail::marks::{Flags, Marks};
use crate::mail::rows::{MailRow, uid_validity};
use crate::mail::select::MailboxStatus;
use crate::mail::store::check_unlocked;
use crate::node::PutOptions;
use crate::put::gather;
use crate::record::File;
use crate::resolve::{find_folder, folder_row};
use crate::session::Session;
use crate::typed::Typed;
use crate::write::{new_file, short_digest};

/// Largest message, in bytes.
pub const MESSAGE_BYTES_MAX: u64 = 64 << 20;
/// Messages of one append.
const APPEND_MESSAGES_MAX: usize = 500;

/// A message whose bytes are durable and that no mailbox holds yet. Dropped, it leaves nothing.
pub struct StagedMessage {
    upload: Arc<Upload>,
    finished: Arc<Finished>,
    facts: Arc<MailFacts>,
}

impl StagedMessage {
    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.finished.size
    }

    pub(crate) fn facts(&self) -> &MailFacts {
        &self.facts
    }

    /// Writes the rows of its content, which starts with one reference.
    pub(crate) fn record(&self, commit: &mut Commit) -> Res<ContentId> {
        let finished = &self.finished;
        self.upload.record(commit, finished.size, finished.digest.0, &finished.stored)
    }
}

/// A message to be put into a mailbox.
pub struct NewMessage {
    /// Its bytes.
    pub staged: StagedMessage,
    /// System flags.
    pub flags: Flags,
    /// Keywords.
    pub keywords: Vec<String>,
    /// INTERNALDATE; now when there is none.
    pub internal: Option<Timestamp>,
}

/// Where messages were put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// The mailbox.
    pub mailbox: NodeId,
    /// Its UIDVALIDITY.
    pub uid_validity: u32,
    /// Their UIDs, in the order of the messages.
    pub uids: Vec<u32>,
}

/// What a commit needs of a message.
pub(crate) struct Part {
    upload: Arc<Upload>,
    finished: Arc<Finished>,
    facts: Arc<MailFacts>,
    flags: Flags,
    keywords: Vec<String>,
    internal: Option<Timestamp>,
}

impl Part {
    pub(crate) fn new(
        staged: StagedMessage,
        flags: Flags,
        keywords: Vec<String>,
        internal: Option<Timestamp>,
    ) -> Part {
        let StagedMessage { upload, finished, facts } = staged;
        Part { upload, finished, facts, flags, keywords, internal }
    }

    /// Writes the rows of its content, which starts with one reference.
    fn record(&self, commit: &mut Commit) -> Res<ContentId> {
        let finished = &self.finished;
        self.upload.record(commit, finished.size, finished.digest.0, &finished.stored)
    }
}

impl Session {
    /// Whether messages can be put into a mailbox, before their bytes are read.
    ///
    /// # Errors
    /// `NotFound`, `WrongKind`, `Denied`; `TooLarge` for a length over [`MESSAGE_BYTES_MAX`]; `OverQuota`.
    pub async fn check_append(&self, mailbox: &Path, length: u64) -> Result<MailboxStatus> {
        self.scope().check_write(mailbox, Rights::Append).map_err(|e| self.noted(mailbox, e))?;
        let status = self.mailbox_status(mailbox).await?;
        if length > MESSAGE_BYTES_MAX {
            return Err(Error::too_large("bytes of a message", MESSAGE_BYTES_MAX));
        }
        let used = folder_row(&self.view()?, self.keys(), NodeId::ROOT)?.bytes;
        self.check_room(length, used)?;
        Ok(status)
    }

    /// Takes the bytes of a message: `length` of them. They are durable when this returns, and in no mailbox yet.
    ///
    /// # Errors
    /// `TooLarge`, `OverQuota`; `InvalidContent` when it is not a message or has another length.
    pub async fn stage_message<S>(&self, length: u64, body: S) -> Result<StagedMessage>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        if length > MESSAGE_BYTES_MAX {
            return Err(Error::too_large("bytes of a message", MESSAGE_BYTES_MAX));
        }
        let room = self.core().mail_room(length).await;
        let whole = gather(length, body).await?;
        if whole.len() as u64 != length {
            return Err(Error::new(ErrorKind::InvalidContent, "the message is shorter than announced"));
        }
        let used = folder_row(&self.view()?, self.keys(), NodeId::ROOT)?.bytes;
        self.check_room(length, used)?;
        allod_formats::mail::is_message(&whole)
            .map_err(|reason| Error::new(ErrorKind::InvalidContent, reason))?;
        let options = PutOptions { length: Some(length), ..PutOptions::default() };
        let once = futures_util::stream::iter([Ok(whole.clone())]);
        // It is taken apart while the disk writes it.
        let (stored, facts) = tokio::join!(self.store(&options, used, once), read_aside(whole));
        let ((upload, finished), facts) = (stored?, Arc::new(facts?));
        drop(room);
        Ok(StagedMessage { upload, finished: Arc::new(finished), facts })
    }

    /// Puts messages into a mailbox: all or none, under ascending UIDs.
    ///
    /// # Errors
    /// `NotFound`, `WrongKind`, `Denied`, `OverQuota`; `InvalidContent` and `TooLarge` for keywords that cannot be.
    pub async fn append(&self, mailbox: &Path, messages: Vec<NewMessage>) -> Result<Appended> {
        self.append_instead(mailbox, messages, None).await
    }

    /// Puts a message into a mailbox and takes another one out of its mailbox, in one step (RFC 8508).
    ///
    /// # Errors
    /// As [`Session::append`]; `NotFound` when the message to be replaced is gone.
    pub async fn replace_message(
        &self,
        old: (NodeId, u32),
        mailbox: &Path,
        message: NewMessage,
    ) -> Result<Appended> {
        self.append_instead(mailbox, vec![message], Some(old)).await
    }

    async fn append_instead(
        &self,
        mailbox: &Path,
        messages: Vec<NewMessage>,
        old: Option<(NodeId, u32)>,
    ) -> Result<Appended> {
        self.scope().check_write(mailbox, Rights::Append).map_err(|e| self.noted(mailbox, e))?;
        if messages.len() > APPEND_MESSAGES_MAX {
            return Err(Error::too_large("messages of one append", APPEND_MESSAGES_MAX as u64));
        }
        let part = |new: NewMessage| Part::new(new.staged, new.flags, new.keywords, new.internal);
        let parts: Arc<Vec<Part>> = Arc::new(messages.into_iter().map(part).collect());
        let (keep, at) = (parts.clone(), mailbox.clone());
        let body = move |me: &Session, commit: &mut Commit| {
            if let Some((mailbox, uid)) = old {
                me.take_out(commit, mailbox, uid)?;
            }
            me.append_in(commit, &at, &parts)
        };
        let appended = match keep.len() {
            1 => self.commit(mailbox, body).await,
            _ => self.commit_many(mailbox, body).await,
        };
        // The pins must outlive the commit.
        drop(keep);
        appended
    }

    fn append_in(&self, commit: &mut Commit, path: &Path, parts: &[Part]) -> Res<Appended> {
        self.scope().check_write(path, Rights::Append)?;
        let (mailbox, row) = find_folder(&*commit.txn, commit.keys, path)?;
        if row.kind != Kind::Mailbox {
            return fail(ErrorKind::WrongKind, format!("{path} is not a mailbox"));
        }
        let mut uids = Vec::with_capacity(parts.len());
        for part in parts {
            uids.push(self.append_part(commit, mailbox, part)?);
        }
        self.check_quota_after(commit)?;
        Ok(Appended { mailbox, uid_validity: uid_validity(mailbox), uids })
    }

    /// Puts one message into several mailboxes; its content is stored once.
    pub(crate) fn append_everywhere(
        &self,
        commit: &mut Commit,
        paths: &[Path],
        part: &Part,
    ) -> Res<Vec<u32>> {
        let content = part.record(commit)?;
        let mut uids = Vec::with_capacity(paths.len());
        for (n, path) in paths.iter().enumerate() {
            self.scope().check_write(path, Rights::Append)?;
            let (mailbox, row) = find_folder(&*commit.txn, commit.keys, path)?;
            if row.kind != Kind::Mailbox {
                return fail(ErrorKind::WrongKind, format!("{path} is not a mailbox"));
            }
            if n > 0 {
                commit.retain(content)?;
            }
            uids.push(self.append_content(commit, mailbox, part, content)?);
        }
        self.check_quota_after(commit)?;
        Ok(uids)
    }

    fn append_part(&self, commit: &mut Commit, mailbox: NodeId, part: &Part) -> Res<u32> {
        let content = part.record(commit)?;
        self.append_content(commit, mailbox, part, content)
    }

    fn append_content(
        &self,
        commit: &mut Commit,
        mailbox: NodeId,
        part: &Part,
        content: ContentId,
    ) -> Res<u32> {
        let finished = &part.finished;
        let thread = commit.learn_mail(content, &part.facts)?;
        let mut keywords = part.keywords.iter().map(|name| commit.keyword(name)).collect::<Res<Vec<_>>>()?;
        keywords.sort_unstable();
        keywords.dedup();
        let marks = Marks { flags: part.flags, keywords };
        let mail = MailRow { marks, thread, internal: part.internal, ..MailRow::default() };
        let file = File {
            content,
            size: finished.size,
            digest: short_digest(&finished.digest.0),
            media_type: Some("message/rfc822".to_owned()),
            md5: finished.md5,
            uid: None,
            object: None,
            typed: Some(Box::new(Typed::Mail(mail))),
        };
        let modified = part.internal.unwrap_or(commit.now);
        let entry = new_file(commit, file, modified);
        let key = message_key(commit, mailbox, entry.node)?;
        commit.replace(mailbox, &key, Some(entry))?;
        Ok(commit.mailbox(mailbox)?.last_uid)
    }

    fn take_out(&self, commit: &mut Commit, mailbox: NodeId, uid: u32) -> Res<()> {
        use crate::reading::Records;
        let path = self.check_mailbox_write(&*commit.txn, mailbox, Rights::Write)?;
        let row = commit.txn.record(&commit.keys.message(mailbox, uid))?.ok_or_else(Error::not_found)?;
        check_unlocked(commit, &path, &row)?;
        commit.replace(mailbox, &row.key, None)
    }

    /// Refuses a commit that leaves more than the quota.
    pub(crate) fn check_quota_after(&self, commit: &mut Commit) -> Res<()> {
        if self.handle().record().quota.is_some_and(|quota| commit.used().is_ok_and(|used| used > quota)) {
            return fail(ErrorKind::OverQuota, "this would exceed the account's quota");
        }
        Ok(())
    }
}

/// A free name for a message: its node's number, so that it tells nothing and never changes.
pub fn message_key(commit: &Commit, mailbox: NodeId, node: NodeId) -> Res<EntryKey> {
    for n in 0u32.. {
        let text = if n == 0 { format!("{node}.eml") } else { format!("{node}-{n}.eml") };
        let key = EntryKey::file(&Name::new(text.as_bytes(), NameRule::Strict)?);
        if commit.entry(mailbox, &key)?.is_none() {
            return Ok(key);
        }
    }
    fail(ErrorKind::Exists, "no name is free for a message")
}
