//! Messages to people elsewhere, for whoever writes mails (RFC 6047).

use std::time::Duration;

use allod_formats::calendar::itip::Method;
use allod_model::{AccountId, Result, Timestamp};

use super::deliver::parse_id;
use super::job::{self, Job, JobId};
use crate::core::Core;
use crate::fault::Res;
use crate::keys::Keys;
use crate::operator::Operator;
use crate::reading::Records;

/// How long a message waits for somebody to mail it, in seconds.
const WAIT_SECS_MAX: i64 = 7 * 86_400;
/// Messages given up in one round.
const EXPIRED_MAX: usize = 50;
/// Messages looked at in one account for one call.
const SCAN_MAX: usize = 1_000;

/// Messages of all accounts to people elsewhere, in the order in which each account sent them.
///
/// Handed to the one worker that writes mails; see [`Operator::outbox`].
#[derive(Clone)]
pub struct Outbox(Core);

/// A message to somebody elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claimed {
    /// Its name, for [`Outbox::settle`].
    pub id: String,
    /// The account that sends it.
    pub account: String,
    /// The sender's calendar user address, as the object has it: `mailto:…`.
    pub from: String,
    /// The recipient's.
    pub to: String,
    /// What it asks: METHOD, also a parameter of the mail's `text/calendar` (RFC 6047 §2.4).
    pub method: Method,
    /// UID of what it is about.
    pub uid: String,
    /// SUMMARY of what it is about, for a mail's subject.
    pub summary: Option<String>,
    /// When it was sent.
    pub made: Timestamp,
    /// The iCalendar object.
    pub bytes: Vec<u8>,
}

/// What became of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settled {
    /// It was handed on. The attendee's SCHEDULE-STATUS stays 1.1.
    Sent,
    /// It cannot be delivered: a code of RFC 6638 §3.2.9 (`5.1`: not now, `5.2`: not there), written into the object.
    Failed(&'static str),
    /// Not now: it can be claimed again.
    Later,
}

impl Operator {
    /// The messages to people elsewhere.
    pub fn outbox(&self) -> Outbox {
        Outbox(self.core().clone())
    }
}

impl Outbox {
    /// Resolves when something may have been put in. May resolve without.
    pub async fn posted(&self) {
        self.0.0.deliveries.posted.notified().await;
    }

    /// What is in it, claimed or not, up to `most`.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn list(&self, most: usize) -> Result<Vec<Claimed>> {
        let core = self.0.clone();
        crate::core::blocking(move || core.outside(most, |_| true)).await
    }

    /// Takes up to `most` messages for a time; nobody else gets them until then. What is not settled in time comes
    /// again, and after a restart of the server everything does.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn claim(&self, most: usize, lease: Duration) -> Result<Vec<Claimed>> {
        let core = self.0.clone();
        let now = core.0.env.now();
        let until = now.plus_secs(lease.as_secs().max(1) as i64);
        let claims = self.0.clone();
        let free = move |id: &str| claims.0.claims.is_free(id, now);
        let free = crate::core::blocking(move || core.outside(most, free)).await?;
        Ok(free.into_iter().filter(|one| self.0.0.claims.take(&one.id, now, until)).collect())
    }

    /// Says what became of a message. Settling twice is as settling once.
    ///
    /// # Errors
    /// `NotFound` for a name that is none; `Unavailable`.
    pub async fn settle(&self, name: &str, outcome: Settled) -> Result<()> {
        let (account, id) = parse_id(name)?;
        let sender = self.0.account(account)?;
        let row = job::row(sender.keys(), job::OUTSIDE, id);
        let Some(job) = ({ self.0.view()?.record::<Job>(&row)? }) else { return Ok(()) };
        match outcome {
            Settled::Later => {
                self.0.0.claims.give_back(name);
                return Ok(());
            }
            Settled::Failed(code) => self.0.note_status(&sender, &job.uid, &job.to, code).await?,
            Settled::Sent => {}
        }
        self.0.step(&sender, move |commit| job::finish(commit, job::OUTSIDE, id)).await?;
        self.0.0.claims.give_back(name);
        Ok(())
    }
}

impl Core {
    /// Gives up what nobody mailed in time.
    pub(super) async fn expire_outbox(&self, account: AccountId) -> Result<()> {
        let old = self.0.env.now().plus_secs(-WAIT_SECS_MAX);
        let jobs = {
            let view = self.view()?;
            job::list(&view, Keys::new(account), job::OUTSIDE, None, EXPIRED_MAX)?
        };
        // They lie in the order in which they were made.
        for (id, _) in jobs.into_iter().take_while(|(_, job)| job.made < old) {
            self.operator().outbox().settle(&id.text(account), Settled::Failed("5.1")).await?;
        }
        Ok(())
    }

    fn outside(&self, most: usize, wanted: impl Fn(&str) -> bool) -> Res<Vec<Claimed>> {
        let view = self.view()?;
        let mut found = Vec::new();
        for record in self.account_records()? {
            let sender = self.account(record.id)?;
            let jobs: Vec<(JobId, Job)> =
                job::list(&view, Keys::new(record.id), job::OUTSIDE, None, SCAN_MAX)?;
            for (id, job) in jobs.into_iter().filter(|(id, _)| wanted(&id.text(record.id))) {
                if found.len() == most {
                    return Ok(found);
                }
                let bytes = match job::bytes(&view, &sender, id, &job) {
                    Ok(bytes) => bytes,
                    Err(fault) => {
                        tracing::error!(error = %fault.0, "a message in the outbox cannot be read");
                        continue;
                    }
                };
                found.push(Claimed {
                    id: id.text(record.id),
                    account: record.name.clone(),
                    method: job.method(),
                    from: job.from,
                    to: job.to,
                    uid: job.uid,
                    summary: job.summary,
                    made: job.made,
                    bytes,
                });
            }
        }
        Ok(found)
    }
}
