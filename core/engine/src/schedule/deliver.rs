//! Delivery: right after the commit that made the messages, and again for what a crash left.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use allod_formats::calendar::itip::{self, Delivery};
use allod_model::{AccountId, Error, ErrorKind, Result};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use super::arrive::{Origin, Outcome};
use super::calendars;
use super::job::{self, Job, JobId};
use crate::account::AccountHandle;
use crate::commit::Commit;
use crate::content::Reader;
use crate::core::Core;
use crate::fault::Res;
use crate::record::{Entry, File, What};
use crate::session::Session;

/// Jobs of one pass.
const PASS_JOBS: usize = 200;
/// How long a write waits for the delivery of what it made, in seconds; it goes on without it.
const WAIT_SECS: u64 = 10;
/// How many accounts one write can set going: itself, its recipients, and those whom they refresh.
const ACCOUNTS_MAX: usize = 10_000;

/// What the delivery of messages needs of the running process.
#[derive(Default)]
pub struct Deliveries {
    /// One sender's messages go one after the other.
    senders: Mutex<HashMap<AccountId, Arc<tokio::sync::Mutex<()>>>>,
    /// Mail domains of which this server knows all addresses.
    pub(super) domains: RwLock<Vec<String>>,
    /// Something was put into an outbox.
    pub(super) posted: Notify,
    /// Where a test ends the process.
    #[cfg(test)]
    pub crash: std::sync::atomic::AtomicU8,
}

/// Moments between two commits, at which a process can end.
#[derive(Clone, Copy)]
#[cfg_attr(not(test), allow(dead_code, reason = "named by tests"))]
pub enum Moment {
    /// The sender's commit is made, and nothing delivered.
    Made = 1,
    /// The recipient's commit is made, and the sender's rows are still there.
    Taken = 2,
    /// All is delivered, but for what the recipients send because of it.
    Answered = 3,
}

impl Core {
    /// Says which mail domains are this server's alone: an address there that no account has is nobody's (RFC 6638
    /// §3.2.9, 3.7), and no mail is tried.
    pub fn set_own_domains(&self, domains: Vec<String>) {
        *self.0.deliveries.domains.write() = domains.iter().map(|domain| domain.to_lowercase()).collect();
    }

    /// The domains that were set.
    pub(crate) fn set_domains(&self) -> Vec<String> {
        self.0.deliveries.domains.read().clone()
    }

    pub(crate) fn is_own_domain(&self, address: &str) -> bool {
        let canonical = itip::canonical_address(address);
        let domain = canonical.rsplit_once('@').map(|(_, domain)| domain);
        domain.is_some_and(|domain| self.0.deliveries.domains.read().iter().any(|own| own == domain))
    }

    #[cfg(test)]
    fn pass(&self, moment: Moment) -> Result<()> {
        let crash = self.0.deliveries.crash.load(std::sync::atomic::Ordering::SeqCst);
        if crash == moment as u8 {
            Err(Error::new(ErrorKind::Unavailable, "ended by a test"))
        } else {
            Ok(())
        }
    }

    #[cfg(not(test))]
    fn pass(&self, _: Moment) -> Result<()> {
        Ok(())
    }

    /// Delivers what an account's last commit left to be sent, and waits a bounded time for it. What can't be delivered
    /// now stays, and is tried again.
    pub(crate) async fn deliver_soon(&self, account: AccountId) {
        let core = self.clone();
        self.0.deliveries.posted.notify_one();
        // A request that is given up must not leave a delivery half way between two commits for longer than needed.
        let task = tokio::spawn(async move { core.deliver_from(account).await });
        match tokio::time::timeout(Duration::from_secs(WAIT_SECS), task).await {
            Ok(Ok(Err(error))) => tracing::warn!(%error, "a scheduling message will be delivered later"),
            Ok(Err(panic)) => tracing::error!(%panic, "a delivery failed unexpectedly"),
            Ok(Ok(Ok(()))) | Err(_) => {}
        }
    }

    /// As [`Core::deliver_pending`], where other work must not wait for it.
    pub(crate) async fn deliver_again(&self) {
        if let Err(error) = self.deliver_pending().await {
            tracing::warn!(%error, "scheduling messages will be delivered later");
        }
    }

    /// Delivers what waits in all accounts: what a crash or a failure left.
    ///
    /// # Errors
    /// `Unavailable`; what could be delivered was.
    pub async fn deliver_pending(&self) -> Result<()> {
        let mut outcome = Ok(());
        for record in self.account_records()? {
            let waiting = {
                let view = self.view()?;
                !job::list(&view, crate::keys::Keys::new(record.id), job::LOCAL, None, 1)?.is_empty()
            };
            if waiting {
                outcome = self.deliver_from(record.id).await.and(outcome);
            }
            outcome = self.expire_outbox(record.id).await.and(outcome);
        }
        outcome
    }

    /// Delivers the messages of an account, then those that their recipients send because of them.
    async fn deliver_from(&self, account: AccountId) -> Result<()> {
        let mut next = vec![account];
        for _ in 0..ACCOUNTS_MAX {
            let Some(sender) = next.pop() else { return Ok(()) };
            let sender = match self.account(sender) {
                Ok(sender) => sender,
                // Removed meanwhile.
                Err(fault) if fault.0.kind == ErrorKind::NotFound => continue,
                Err(fault) => return Err(fault.into()),
            };
            let turn = self.0.deliveries.senders.lock().entry(sender.id()).or_default().clone();
            let _turn = turn.lock().await;
            next.extend(self.deliver_all(&sender).await?);
            self.pass(Moment::Answered)?;
        }
        Ok(())
    }

    /// The accounts that have something to send now.
    async fn deliver_all(&self, sender: &Arc<AccountHandle>) -> Result<Vec<AccountId>> {
        let mut more = Vec::new();
        loop {
            let jobs = {
                let view = self.view()?;
                let jobs = job::list(&view, sender.keys(), job::LOCAL, None, PASS_JOBS)?;
                let read = |(id, job): (JobId, Job)| (id, job::bytes(&view, sender, id, &job), job);
                jobs.into_iter().map(read).collect::<Vec<_>>()
            };
            if jobs.is_empty() {
                return Ok(more);
            }
            let mut done = Vec::with_capacity(jobs.len());
            let mut failed = None;
            for (id, bytes, job) in jobs {
                self.pass(Moment::Made)?;
                match self.deliver_one(sender, id, &job, bytes).await {
                    Ok(outcome) => {
                        if outcome == (Outcome::Done { more: true }) {
                            more.extend(job.account);
                        }
                        done.push((id, job, outcome));
                    }
                    // The order must hold: what comes after it waits too.
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
            self.pass(Moment::Taken)?;
            self.settle_jobs(sender, done).await?;
            if let Some(error) = failed {
                return Err(error);
            }
        }
    }

    async fn deliver_one(
        &self,
        sender: &Arc<AccountHandle>,
        id: JobId,
        job: &Job,
        bytes: Res<Vec<u8>>,
    ) -> Result<Outcome> {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(fault) if fault.0.kind == ErrorKind::Unavailable => return Err(fault.into()),
            Err(fault) => {
                tracing::error!(error = %fault.0, "a scheduling message is lost");
                return Ok(Outcome::Refused("5.1"));
            }
        };
        let Some(account) = job.account else { return Ok(Outcome::Refused("5.2")) };
        match self.account(account) {
            Ok(recipient) => self.arrive(recipient, Origin::Account(sender.id(), id), job, bytes).await,
            Err(fault) if fault.0.kind == ErrorKind::NotFound => Ok(Outcome::Refused("3.7")),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Takes out what was delivered, and tells the sender's objects of what was not.
    async fn settle_jobs(&self, sender: &Arc<AccountHandle>, done: Vec<(JobId, Job, Outcome)>) -> Result<()> {
        for (_, job, outcome) in &done {
            if let Outcome::Refused(code) = outcome
                && !job.silent
            {
                tracing::info!(code, uid = job.uid, "a scheduling message was refused");
                self.note_status(sender, &job.uid, &job.to, code).await?;
            }
        }
        let ids: Vec<JobId> = done.iter().map(|(id, ..)| *id).collect();
        self.step(sender, move |commit| ids.iter().try_for_each(|id| job::finish(commit, job::LOCAL, *id)))
            .await
    }

    /// Writes what became of a message into the sender's object. One that is gone needs no telling.
    pub(super) async fn note_status(
        &self,
        sender: &Arc<AccountHandle>,
        uid: &str,
        address: &str,
        status: &str,
    ) -> Result<()> {
        let session = self.delivery_session(sender.clone());
        let delivery = Delivery { address: address.to_owned(), status: status.to_owned() };
        for _ in 0..super::OVERTAKEN_TRIES {
            match session.note_delivery(uid, &delivery).await {
                Err(error) if super::is_overtaken(&error) => continue,
                Err(error) if error.kind != ErrorKind::Unavailable => {
                    tracing::warn!(%error, "what became of a scheduling message could not be noted");
                    return Ok(());
                }
                outcome => return outcome,
            }
        }
        Ok(())
    }
}

impl Session {
    async fn note_delivery(&self, uid: &str, delivery: &Delivery) -> Result<()> {
        let view = self.view()?;
        let Some(located) = calendars::find_uid(&view, self.keys(), uid)? else { return Ok(()) };
        let Some(content) = located.entry.file().map(|file| file.content) else { return Ok(()) };
        let reader = Reader::open(self.core(), self.handle(), &view, content)?;
        let bytes = reader.whole().await?;
        let Ok(Some(told)) = itip::set_status(&bytes, std::slice::from_ref(delivery)) else { return Ok(()) };
        let stored = self.keep(told).await?;
        let pin = stored.clone();
        let about = located.path.clone();
        let write = move |_: &Session, commit: &mut Commit| {
            let now = commit.entry(located.folder, &located.key)?;
            let Some(old) = now.filter(|now| now.file().map(|file| file.content) == Some(content)) else {
                return Err(super::arrange::overtaken());
            };
            let What::File(known) = &old.what else { return Ok(()) };
            // Facts, the schedule-tag among them, stay as they are.
            let file = File {
                media_type: known.media_type.clone(),
                object: known.object.clone(),
                ..stored.file(commit, &facts_of(known))?
            };
            if let Some(properties) = old.properties {
                commit.retain(properties)?;
            }
            let entry = Entry { seq: commit.seq, modified: commit.now, what: What::File(file), ..old };
            commit.replace(located.folder, &located.key, Some(entry))
        };
        let outcome = self.commit(&about, write).await;
        drop(pin);
        outcome
    }
}

fn facts_of(file: &File) -> crate::rules::Facts {
    crate::rules::Facts {
        mail: None,
        uid: file.uid.clone(),
        media_type: file.media_type.clone(),
        typed: file.typed.clone(),
    }
}

/// The account's job with that name, for [`super::Outbox`].
pub fn parse_id(text: &str) -> Result<(AccountId, JobId)> {
    JobId::parse(text).ok_or_else(Error::not_found)
}
