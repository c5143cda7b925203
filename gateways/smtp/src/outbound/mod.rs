//! The way out: what waits in core's queue goes to the next hops, comes again later, or is reported to its sender.

mod report;
mod route;
mod send;
mod sts;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use allod_core::post::{Attempt, Queue, Queued, RecipientState};
use allod_kit::Stop;
use allod_model::{ErrorKind, Timestamp};
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::delivery::{To, Verdict, deliver};
use crate::limits::Counts;
use crate::shared::Shared;
use crate::syntax::domain_of;

pub(crate) use route::{NextHop, Security};
use send::Outcome;
pub(crate) use sts::Policies;

/// Mails sent at once.
const MAILS_AT_ONCE: usize = 20;
/// Connections to one next hop at once: to a domain's servers, or to the smarthost.
const HOP_CONNECTIONS_MAX: usize = 4;
/// Recipients of one transaction (RFC 5321 §4.5.3.1.8: every server takes so many).
const TRANSACTION_RECIPIENTS_MAX: usize = 100;
/// For how long a mail is taken from the queue.
const LEASE: Duration = Duration::from_secs(30 * 60);
/// Longest time for all of one mail: less than the lease.
const MAIL_TIME_MAX: Duration = Duration::from_secs(25 * 60);
/// After this the queue is looked through in any case.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Part of the time that goes into looking through a long queue in vain: one in so many.
const LOOK_SHARE: u32 = 5;
/// At a stop, the time for mails that are just being sent.
const STOP_TIME_MAX: Duration = Duration::from_secs(6);
/// Tries to record what came of a mail, while the store cannot be written.
const RECORD_TRIES_MAX: u32 = 5;
/// Pause between them.
const RECORD_PAUSE: Duration = Duration::from_secs(1);
/// First wait before another try, in seconds; it doubles each time.
const RETRY_SECS_MIN: i64 = 300;
/// Longest wait, in seconds.
const RETRY_SECS_MAX: i64 = 4 * 3600;
/// After this it is given up, in seconds (RFC 5321 §4.5.4.1: 4 to 5 days at least).
const GIVE_UP_SECS: i64 = 5 * 86_400;
/// After this its sender hears that it is late, in seconds.
const LATE_SECS: i64 = 4 * 3600;

/// Sends until `stop`.
pub(crate) async fn run(shared: Arc<Shared>, stop: Stop) {
    let queue = shared.core.operator().queue();
    let hops = Counts::new(HOP_CONNECTIONS_MAX);
    let sender = Arc::new(Sender { shared, queue: queue.clone(), hops, stop: stop.clone() });
    let places = Arc::new(Semaphore::new(MAILS_AT_ONCE));
    let tasks = TaskTracker::new();
    loop {
        // Invariant: the semaphore is never closed.
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = places.clone().acquire_owned() => place.expect("an open semaphore"),
        };
        let looking = Instant::now();
        let claimed = queue.claim(1 + places.available_permits(), LEASE, sender.room()).await;
        let claimed = claimed.unwrap_or_else(|error| {
            tracing::error!(%error, "the queue cannot be read");
            Vec::new()
        });
        if claimed.is_empty() {
            drop(place);
            let took = looking.elapsed();
            if stop.run_until_cancelled(sender.something_to_do(took)).await.is_none() {
                break;
            }
            continue;
        }
        let mut place = Some(place);
        for mail in claimed {
            // There are as many places as mails.
            let Some(place) = place.take().or_else(|| places.clone().try_acquire_owned().ok()) else {
                queue.give_back(&mail.id);
                continue;
            };
            let sender = sender.clone();
            tasks.spawn(async move {
                sender.process(mail).await;
                drop(place);
            });
        }
    }
    tasks.close();
    let _ = tokio::time::timeout(STOP_TIME_MAX, tasks.wait()).await;
}

struct Sender {
    shared: Arc<Shared>,
    queue: Queue,
    hops: Arc<Counts<String>>,
    stop: Stop,
}

/// Recipients of a mail, by their number, that one transaction is for.
type Group = (String, Vec<usize>);

impl Sender {
    /// Chooses mails that can be sent now: one whose servers have all connections that they get waits, and holds up
    /// nobody else.
    fn room(self: &Arc<Self>) -> impl FnMut(&Queued) -> bool + Send + use<> {
        let sender = self.clone();
        // Places that mails chosen just now will take.
        let mut chosen: HashMap<String, usize> = HashMap::new();
        move |mail| {
            let mut any = false;
            for (hop, _) in sender.groups(mail, |_| true) {
                let room = sender.hops.room(&hop);
                let taken = chosen.entry(hop).or_insert(0);
                if *taken < room {
                    *taken += 1;
                    any = true;
                }
            }
            any
        }
    }

    /// Resolves when something may be due; `took`: what looking for it cost the last time.
    async fn something_to_do(&self, took: Duration) {
        // Before anything is waited for: what is put in meanwhile is not missed, for its notice is kept.
        let next = self.queue.next().await.ok().flatten();
        let millis = next.map_or(i64::MAX, |next| next.0.saturating_sub(self.shared.core.now().0));
        let due = match millis {
            // Due, and not to be sent now: its servers are busy. A mail that is done tells.
            ..=0 => LOOK_AGAIN,
            later => Duration::from_millis(later as u64).min(LOOK_AGAIN),
        };
        tokio::time::sleep(took * (LOOK_SHARE - 1)).await;
        tokio::select! {
            () = self.queue.posted() => {}
            () = tokio::time::sleep(due) => {}
        }
    }

    /// Tries one mail and records what came of it.
    async fn process(&self, mail: Queued) {
        tokio::select! {
            tried = tokio::time::timeout(MAIL_TIME_MAX, self.try_mail(&mail)) => {
                if tried.is_err() {
                    tracing::warn!(id = %mail.id, "a mail took too long; it comes again");
                }
            }
            // What is being sent has a moment to hear its answer.
            () = self.stopping() => {}
        }
        self.queue.give_back(&mail.id);
    }

    async fn stopping(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(STOP_TIME_MAX - Duration::from_secs(2)).await;
    }

    /// Writes down what came of some recipients; reports go first: a mail that left the queue without one would be gone
    /// without a word. What is left of the mail.
    async fn record(&self, mail: &Queued, outcome: Outcome) -> Option<Queued> {
        let mut attempts: Vec<Attempt> = mail.recipients.iter().map(|_| Attempt::Untried).collect();
        for (number, attempt) in outcome {
            attempts[number] = attempt;
        }
        let attempts = self.timed(mail, attempts);
        report::failed(&self.shared, &self.queue, mail, &attempts).await;
        for _ in 0..RECORD_TRIES_MAX {
            match self.queue.note(&mail.id, attempts.clone()).await {
                Ok(None) => {
                    tracing::info!(id = %mail.id, "a mail left the queue");
                    return None;
                }
                Ok(left) => return left,
                Err(error) if error.kind == ErrorKind::NotFound => return None,
                // What was sent and is not recorded would be sent again.
                Err(error) => {
                    tracing::error!(id = %mail.id, %error, "what came of a mail cannot be recorded")
                }
            }
            tokio::time::sleep(RECORD_PAUSE).await;
        }
        None
    }

    /// Sets the time of the next try, and gives up what is too old.
    fn timed(&self, mail: &Queued, attempts: Vec<Attempt>) -> Vec<Attempt> {
        let now = self.shared.core.now();
        let base = mail.envelope.hold_until.unwrap_or(mail.since).0.max(mail.since.0);
        let old = now.0 - base > GIVE_UP_SECS * 1000;
        let each = mail.recipients.iter().zip(attempts);
        each.map(|(one, attempt)| match attempt {
            Attempt::Later(answer, _) if old => {
                Attempt::Failed(format!("5.4.7 Not delivered in time: {answer}"))
            }
            Attempt::Later(answer, _) => Attempt::Later(answer, now.plus_secs(wait_secs(one.tries))),
            other => other,
        })
        .collect()
    }

    async fn tell_if_late(&self, mail: &Queued) {
        let late = self.shared.core.now().0 - mail.since.0 > LATE_SECS * 1000;
        if late
            && mail.envelope.hold_until.is_none()
            && report::late(&self.shared, &self.queue, mail).await
            && let Err(error) = self.queue.told_late(&mail.id).await
        {
            tracing::warn!(id = %mail.id, %error, "that it is late may be told again");
        }
    }

    /// The recipients that are due, those of one next hop together.
    fn groups(&self, mail: &Queued, wanted: impl Fn(usize) -> bool) -> Vec<Group> {
        let now = self.shared.core.now();
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (number, one) in mail.recipients.iter().enumerate() {
            let due = one.state == RecipientState::Waiting && one.next <= now;
            if due && wanted(number) {
                let domain = domain_of(&one.recipient.address).unwrap_or_default();
                groups.entry(route::hop(&self.shared, domain)).or_default().push(number);
            }
        }
        groups.into_iter().collect()
    }

    /// Tries all recipients that are due. What was delivered to one server is recorded before another one has answered.
    async fn try_mail(&self, mail: &Queued) {
        let message = match self.queue.bytes(&mail.id).await {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) => {
                tracing::error!(id = %mail.id, %error, "a mail that waits cannot be read");
                let all = self.groups(mail, |_| true).into_iter().flat_map(|(_, numbers)| numbers);
                let later = Attempt::Later("4.3.0 It cannot be read".into(), Timestamp(0));
                self.record(mail, all.map(|number| (number, later.clone())).collect()).await;
                return;
            }
        };
        let mut here = Vec::new();
        for number in self.groups(mail, |_| true).into_iter().flat_map(|(_, numbers)| numbers) {
            let address = &mail.recipients[number].recipient.address;
            if let Some(attempt) = self.here(address, &mail.envelope.from, &message).await {
                here.push((number, attempt));
            }
        }
        let elsewhere = self.groups(mail, |number| here.iter().all(|(one, _)| *one != number));
        let sending = elsewhere.into_iter().map(|group| self.try_hop(mail, group, &message));
        let sending = join_all(sending);
        let (delivered, failed) = here.into_iter().partition(|(_, attempt)| !is_failure(attempt));
        let (noted, others) = tokio::join!(self.record_some(mail, delivered), sending);
        let mut left: Vec<Option<Queued>> = vec![noted];
        // Failures are told together, in one report.
        let mut failed: Outcome = failed;
        for (noted, more) in others {
            left.push(noted);
            failed.extend(more);
        }
        left.push(self.record_some(mail, failed).await);
        let tries = |mail: &Queued| mail.recipients.iter().map(|one| u64::from(one.tries)).sum::<u64>();
        if let Some(newest) = left.into_iter().flatten().max_by_key(tries) {
            self.tell_if_late(&newest).await;
        }
    }

    async fn record_some(&self, mail: &Queued, outcome: Outcome) -> Option<Queued> {
        if outcome.is_empty() { None } else { self.record(mail, outcome).await }
    }

    /// Delivers to an account of this server, which is never asked for over the wire. `None` for one elsewhere.
    async fn here(&self, address: &str, from: &str, message: &Bytes) -> Option<Attempt> {
        let operator = self.shared.core.operator();
        let addressee = match operator.addressee(address).await {
            Ok(Some(addressee)) => addressee,
            Ok(None) => {
                let domain = domain_of(address)?;
                let own = operator.own_domains().await.ok()?.contains(&domain);
                return own.then(|| Attempt::Failed("5.1.1 There is no such mailbox".into()));
            }
            Err(error) => return Some(Attempt::Later(format!("4.3.0 {error}"), Timestamp(0))),
        };
        let whole = Bytes::from([format!("Return-Path: <{from}>\r\n").as_bytes(), message].concat());
        // Deliberately without an author: a copy that a rule forwards was written by somebody else.
        let verdict = Verdict { from: from.to_owned(), junk: false, author: None };
        let to = To { account: addressee.account, address: address.to_owned() };
        Some(match deliver(&self.shared, to, whole, &verdict).await {
            Ok(()) => Attempt::Delivered("2.0.0 Delivered".into()),
            Err(error) => {
                let reply = crate::reply::refusal(&error);
                let answer = format!("{} {}", reply.status, reply.text);
                if reply.code < 500 { Attempt::Later(answer, Timestamp(0)) } else { Attempt::Failed(answer) }
            }
        })
    }

    /// Tries the recipients of one next hop. Returns what is left of the mail, and who failed for good, which is not
    /// recorded yet.
    async fn try_hop(&self, mail: &Queued, group: Group, message: &Bytes) -> (Option<Queued>, Outcome) {
        let (hop, numbers) = group;
        // Others were faster: the recipients stay as they are, and come again when there is a place.
        let Some(_place) = Counts::take(&self.hops, hop) else { return (None, Vec::new()) };
        let mut left = None;
        let mut failed = Vec::new();
        for numbers in numbers.chunks(TRANSACTION_RECIPIENTS_MAX) {
            let domain = domain_of(&mail.recipients[numbers[0]].recipient.address).unwrap_or_default();
            let outcome = match route::next_hops(&self.shared, &domain).await {
                Ok(hops) => send::send(&self.shared, mail, numbers, message, &hops).await,
                Err(attempt) => numbers.iter().map(|number| (*number, attempt.clone())).collect(),
            };
            let (never, noted): (Outcome, Outcome) =
                outcome.into_iter().partition(|(_, attempt)| is_failure(attempt));
            left = self.record_some(mail, noted).await.or(left);
            failed.extend(never);
        }
        (left, failed)
    }
}

/// Whether a domain asks for encryption to verified servers.
#[cfg(test)]
pub(crate) async fn enforced(shared: &Shared, domain: &str) -> bool {
    sts::policy(shared, domain).await.is_some_and(|policy| policy.mode == sts::Mode::Enforce)
}

fn is_failure(attempt: &Attempt) -> bool {
    matches!(attempt, Attempt::Failed(_))
}

fn wait_secs(tries: u32) -> i64 {
    (RETRY_SECS_MIN << tries.min(10)).min(RETRY_SECS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_limit() {
        let waits: Vec<i64> = (0..8).map(wait_secs).collect();
        assert_eq!(waits, [300, 600, 1200, 2400, 4800, 9600, 14_400, 14_400]);
    }
}
