//! Mail that waits to be sent.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use allod_meta::{KeyRange, Lookup};
use allod_model::{AccountId, ContentId, Error, ErrorKind, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account::AccountHandle;
use crate::content::Reader;
use crate::core::{Core, blocking};
use crate::fault::{Res, fail};
use crate::keys::{Keys, Table, number_at};
use crate::mail::StagedMessage;
use crate::operator::Operator;
use crate::reading::Records;
use crate::record::{decode, encode};
use crate::session::Session;

/// Recipients of one mail.
pub const RECIPIENTS_MAX: usize = 1000;
/// Mails of one account that wait.
pub const QUEUED_MAX: usize = 20_000;
/// Longest text of an answer that is kept, in bytes.
const ANSWER_BYTES_MAX: usize = 500;

/// Tell the sender when it was delivered (RFC 3461 §4.1).
pub const NOTIFY_SUCCESS: u8 = 1;
/// Tell the sender when it cannot be delivered.
pub const NOTIFY_FAILURE: u8 = 2;
/// Tell the sender when it is late.
pub const NOTIFY_DELAY: u8 = 4;
/// Tell the sender nothing.
pub const NOTIFY_NEVER: u8 = 8;

/// The envelope of a mail to be sent (RFC 5321 §2.3.1).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Envelope {
    /// Reverse path; empty for a mail that nobody must answer by a report.
    pub from: String,
    /// Whom it is for.
    pub recipients: Vec<Recipient>,
    /// Whether reports return the whole mail (RFC 3461 §4.3); none: as the server likes.
    pub return_full: Option<bool>,
    /// ENVID (RFC 3461 §4.4), decoded.
    pub id: Option<String>,
    /// An address or a header is not ASCII (RFC 6531).
    pub utf8: bool,
    /// Not to be sent before.
    pub hold_until: Option<Timestamp>,
}

/// One recipient.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Recipient {
    /// Forward path.
    pub address: String,
    /// NOTIFY: [`NOTIFY_SUCCESS`] and the others together; 0 where nothing was asked.
    pub notify: u8,
    /// ORCPT, as given.
    pub original: Option<String>,
}

/// Where a mail stands with one recipient.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum RecipientState {
    /// Not sent yet.
    #[default]
    Waiting,
    /// The next server has it.
    Delivered,
    /// It will never have it.
    Failed,
}

/// A recipient of a mail that waits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QueuedRecipient {
    /// Who.
    pub recipient: Recipient,
    /// Where it stands.
    pub state: RecipientState,
    /// Tries so far.
    pub tries: u32,
    /// Not to be tried before.
    pub next: Timestamp,
    /// The last answer, for people.
    pub answer: String,
    /// Whether the sender was told that it is late.
    pub told_late: bool,
}

/// A mail that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Queued {
    /// Its name.
    pub id: String,
    /// The account that sends it.
    pub account: String,
    /// Envelope; its recipients are in [`Queued::recipients`].
    pub envelope: Envelope,
    /// Recipients and where it stands with each.
    pub recipients: Vec<QueuedRecipient>,
    /// When it came into the queue.
    pub since: Timestamp,
    /// Bytes.
    pub size: u64,
}

/// What came of trying one recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// The next server took it.
    Delivered(String),
    /// Never: the answer says why.
    Failed(String),
    /// Not now; to be tried at this time.
    Later(String, Timestamp),
    /// Not tried: it stays as it was.
    Untried,
}

/// As it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    envelope: Envelope,
    recipients: Vec<QueuedRecipient>,
    since: Timestamp,
    size: u64,
    content: ContentId,
    /// A claim of earlier versions, which lay here. Deliberately not looked at: whoever made it is gone.
    claimed_before: Timestamp,
}

impl Row {
    /// When there is something to do next; none when all is settled.
    fn next(&self) -> Option<Timestamp> {
        let waiting = self.recipients.iter().filter(|one| one.state == RecipientState::Waiting);
        waiting.map(|one| one.next).min()
    }

    fn queued(self, id: String, account: String) -> Queued {
        let Row { envelope, recipients, since, size, .. } = self;
        Queued { id, account, envelope, recipients, since, size }
    }
}

impl Keys {
    fn queue(self) -> Vec<u8> {
        self.table(Table::Queue)
    }

    fn queued(self, id: u64) -> Vec<u8> {
        [self.queue(), id.to_be_bytes().to_vec()].concat()
    }
}

/// Contents that mails in an account's queue hold a reference to.
pub fn contents(rows: &impl Lookup, keys: Keys, mut each: impl FnMut(ContentId)) -> Res<()> {
    let prefix = keys.queue();
    rows.each(&KeyRange::prefix(&prefix), 0, |_, value| {
        each(decode::<Row>(value)?.content);
        Ok(ControlFlow::Continue(()))
    })
}

impl Session {
    /// Puts a mail into the queue; it is durable when this returns. The copy that the sender keeps is his own affair.
    ///
    /// # Errors
    /// `Denied` when the credential may not send, or not as that sender; `TooLarge` with too many recipients or mails;
    /// `InvalidContent` without a recipient.
    pub async fn send(&self, envelope: Envelope, message: StagedMessage) -> Result<String> {
        if !self.may_send() || (!envelope.from.is_empty() && !self.may_send_as(&envelope.from).await?) {
            let about = crate::mail::folders::home();
            return Err(self.noted(&about, Error::denied()));
        }
        if envelope.recipients.is_empty() {
            return Err(Error::new(ErrorKind::InvalidContent, "a mail has a recipient at least"));
        }
        if envelope.recipients.len() > RECIPIENTS_MAX {
            return Err(Error::too_large("recipients of a mail", RECIPIENTS_MAX as u64));
        }
        let (handle, now) = (self.handle().clone(), self.core().0.env.now());
        let first = envelope.hold_until.unwrap_or(now);
        let recipients = envelope.recipients.iter().cloned().map(|recipient| QueuedRecipient {
            recipient,
            state: RecipientState::Waiting,
            tries: 0,
            next: first,
            answer: String::new(),
            told_late: false,
        });
        let recipients: Vec<QueuedRecipient> = recipients.collect();
        let envelope = Envelope { recipients: Vec::new(), ..envelope };
        let message = Arc::new(message);
        let keep = message.clone();
        let id = self.core().step(&handle, move |commit| {
            let waiting = commit.txn.scan_prefix(&commit.keys.queue(), None, QUEUED_MAX)?.len();
            if waiting >= QUEUED_MAX {
                return Err(Error::too_large("mails that wait to be sent", QUEUED_MAX as u64).into());
            }
            let content = message.record(commit)?;
            let id = content.0;
            let row = Row {
                envelope: envelope.clone(),
                recipients: recipients.clone(),
                since: commit.now,
                size: message.size(),
                content,
                claimed_before: Timestamp(0),
            };
            commit.txn.put(&commit.keys.queued(id), &encode(&row))?;
            Ok(id)
        });
        let id = id.await?;
        // The pins must outlive the commit.
        drop(keep);
        self.core().0.posted.notify_one();
        Ok(name(self.handle().id(), id))
    }
}

/// The mails of all accounts that wait, for the one worker that sends them, and for the operator.
#[derive(Clone)]
pub struct Queue(Core);

impl Operator {
    /// The mails that wait to be sent.
    pub fn queue(&self) -> Queue {
        Queue(self.core().clone())
    }
}

impl Queue {
    /// Resolves when a mail was put in, or one is to be tried at once. May resolve without.
    pub async fn posted(&self) {
        self.0.0.posted.notified().await;
    }

    /// What waits, oldest first in each account, up to `most`; of one account where it is named.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`, `Corrupt`.
    pub async fn list(&self, account: Option<&str>, most: usize) -> Result<Vec<Queued>> {
        let (core, account) = (self.0.clone(), account.map(str::to_owned));
        blocking(move || {
            let mut found = Vec::new();
            core.each_queued(account.as_deref(), |account, id, row| {
                found.push(row.queued(id.to_owned(), account.to_owned()));
                found.len() >= most
            })?;
            Ok(found)
        })
        .await
    }

    /// When there is something to send next.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn next(&self) -> Result<Option<Timestamp>> {
        let (core, now) = (self.0.clone(), self.0.0.env.now());
        blocking(move || {
            let mut next: Option<Timestamp> = None;
            core.each_queued(None, |_, id, row| {
                let claimed = core.0.claims.until(id).unwrap_or(Timestamp(0));
                next = row.next().map(|due| due.max(claimed)).into_iter().chain(next).min();
                // Nothing comes before what is due already.
                next.is_some_and(|next| next <= now)
            })?;
            Ok(next)
        })
        .await
    }

    /// Takes up to `most` mails with a recipient to be tried now, for a time; nobody else gets them until then, or until
    /// they are settled or given back. A restart of the server gives all of them back. `wanted` chooses among them.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn claim(
        &self,
        most: usize,
        lease: Duration,
        mut wanted: impl FnMut(&Queued) -> bool + Send + 'static,
    ) -> Result<Vec<Queued>> {
        let (core, now) = (self.0.clone(), self.0.0.env.now());
        let until = now.plus_secs(lease.as_secs().max(1) as i64);
        blocking(move || {
            let mut claimed = Vec::new();
            core.each_queued(None, |account, id, row| {
                let due = row.next().is_some_and(|next| next <= now);
                if due && claimed.len() < most && core.0.claims.is_free(id, now) {
                    let mail = row.queued(id.to_owned(), account.to_owned());
                    if wanted(&mail) && core.0.claims.take(id, now, until) {
                        claimed.push(mail);
                    }
                }
                claimed.len() >= most
            })?;
            Ok(claimed)
        })
        .await
    }

    /// Gives back a mail that was claimed, as it is.
    pub fn give_back(&self, id: &str) {
        self.0.0.claims.give_back(id);
        self.0.0.posted.notify_one();
    }

    /// The bytes of a mail.
    ///
    /// # Errors
    /// `NotFound`, `Corrupt`, `Unavailable`.
    pub async fn bytes(&self, id: &str) -> Result<Vec<u8>> {
        let (account, key) = self.place(id)?;
        let reader = {
            let view = self.0.view()?;
            let row: Row = view.record(&key)?.ok_or_else(Error::not_found)?;
            Reader::open(&self.0, &account, &view, row.content)?
        };
        reader.whole().await
    }

    /// Says what came of trying a mail, for each recipient in order, and gives it back. A mail all of whose recipients
    /// are settled leaves the queue. Returns what is left.
    ///
    /// # Errors
    /// `NotFound` when the mail is gone; `Unavailable`.
    pub async fn settle(&self, id: &str, attempts: Vec<Attempt>) -> Result<Option<Queued>> {
        let left = self.note(id, attempts).await;
        self.0.0.claims.give_back(id);
        left
    }

    /// As [`Queue::settle`], but the mail stays claimed while other recipients are still being tried: what one server
    /// took is on record before another one has answered.
    ///
    /// # Errors
    /// As [`Queue::settle`].
    pub async fn note(&self, id: &str, attempts: Vec<Attempt>) -> Result<Option<Queued>> {
        let now = self.0.0.env.now();
        self.change(id, move |row| {
            for (one, attempt) in row.recipients.iter_mut().zip(&attempts) {
                one.note(attempt, now);
            }
        })
        .await?
        .ok_or_else(Error::not_found)?;
        self.find(id)
    }

    /// Notes that a mail's sender was told that it is late.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn told_late(&self, id: &str) -> Result<()> {
        self.change(id, |row| row.recipients.iter_mut().for_each(|one| one.told_late = true)).await.map(drop)
    }

    /// Has a mail tried now, or when the try that is under way is over.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn retry(&self, id: &str) -> Result<()> {
        let changed = self.change(id, |row| {
            row.recipients.iter_mut().for_each(|one| one.next = Timestamp(0));
        });
        changed.await?.ok_or_else(Error::not_found)?;
        self.0.0.posted.notify_one();
        Ok(())
    }

    /// Takes a mail out of the queue, sent or not; nobody is told.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn drop_mail(&self, id: &str) -> Result<()> {
        let dropped = self.change(id, |row| {
            row.recipients.iter_mut().for_each(|one| one.state = RecipientState::Failed);
        });
        dropped.await?.map(drop).ok_or_else(Error::not_found)
    }

    fn place(&self, id: &str) -> Res<(Arc<AccountHandle>, Vec<u8>)> {
        let Some((account, id)) = parse(id) else {
            return fail(ErrorKind::NotFound, "there is no such mail");
        };
        let account = self.0.account(account)?;
        let key = account.keys().queued(id);
        Ok((account, key))
    }

    fn find(&self, id: &str) -> Result<Option<Queued>> {
        let (account, key) = self.place(id)?;
        let row: Option<Row> = self.0.view()?.record(&key)?;
        Ok(row.map(|row| row.queued(id.to_owned(), account.record().name.clone())))
    }

    /// Changes a row; it goes when nothing is left to do. `None` when it is not there.
    async fn change<T: Send + 'static>(
        &self,
        id: &str,
        change: impl Fn(&mut Row) -> T + Send + 'static,
    ) -> Result<Option<T>> {
        let (account, key) = self.place(id)?;
        self.0
            .step(&account, move |commit| {
                let Some(mut row) = commit.txn.record::<Row>(&key)? else { return Ok(None) };
                let outcome = change(&mut row);
                match row.next() {
                    Some(_) => commit.txn.put(&key, &encode(&row))?,
                    None => {
                        commit.txn.delete(&key)?;
                        commit.release(row.content)?;
                    }
                }
                Ok(Some(outcome))
            })
            .await
    }
}

impl QueuedRecipient {
    fn note(&mut self, attempt: &Attempt, now: Timestamp) {
        let shorten = |answer: &str| answer.chars().take(ANSWER_BYTES_MAX / 4).collect::<String>();
        match attempt {
            Attempt::Untried => return,
            Attempt::Delivered(answer) => {
                (self.state, self.answer) = (RecipientState::Delivered, shorten(answer))
            }
            Attempt::Failed(answer) => (self.state, self.answer) = (RecipientState::Failed, shorten(answer)),
            Attempt::Later(answer, next) => (self.answer, self.next) = (shorten(answer), (*next).max(now)),
        }
        self.tries = self.tries.saturating_add(1);
    }
}

impl Core {
    /// Hands the rows to `look`, with the account's name and their own, until it says that it has seen enough.
    fn each_queued(&self, account: Option<&str>, mut look: impl FnMut(&str, &str, Row) -> bool) -> Res<()> {
        let view = self.view()?;
        let mut enough = false;
        for record in self.account_records()? {
            if enough || account.is_some_and(|name| name != record.name) {
                continue;
            }
            let prefix = Keys::new(record.id).queue();
            view.each(&KeyRange::prefix(&prefix), prefix.len(), |key, value| {
                let id = name(record.id, number_at(key).unwrap_or(0));
                enough = look(&record.name, &id, decode(value)?);
                Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
        }
        Ok(())
    }
}

fn name(account: AccountId, id: u64) -> String {
    format!("{:x}-{id:x}", account.0)
}

fn parse(text: &str) -> Option<(AccountId, u64)> {
    let (account, id) = text.split_once('-')?;
    Some((AccountId(u64::from_str_radix(account, 16).ok()?), u64::from_str_radix(id, 16).ok()?))
}
