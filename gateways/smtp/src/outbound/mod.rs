//! The way out: what waits in core's queue goes to the next hops, comes again later, or is reported to its sender.

mod report;
mod route;
mod send;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use allod_core::post::{Attempt, Queue, Queued, RecipientState};
use allod_kit::Stop;
use allod_model::Timestamp;
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::delivery::{To, Verdict, deliver};
use crate::limits::{Counts, Place};
use crate::shared::Shared;
use crate::syntax::domain_of;

pub(crate) use route::NextHop;

/// Mails sent at once.
const MAILS_AT_ONCE: usize = 20;
/// Connections to one domain at once.
const DOMAIN_CONNECTIONS_MAX: usize = 4;
/// Pause before it is looked again whether there is a place among them.
const PLACE_WAIT: Duration = Duration::from_millis(100);
/// Longest wait for a place.
const PLACE_TIME_MAX: Duration = Duration::from_secs(10);
/// For how long a mail is taken from the queue.
const LEASE: Duration = Duration::from_secs(30 * 60);
/// Longest time for all of one mail: less than the lease.
const MAIL_TIME_MAX: Duration = Duration::from_secs(25 * 60);
/// After this the queue is looked through in any case.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// At a stop, the time for mails that are just being sent.
const STOP_TIME_MAX: Duration = Duration::from_secs(6);
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
    let sender = Arc::new(Sender {
        shared,
        queue: queue.clone(),
        domains: Counts::new(DOMAIN_CONNECTIONS_MAX),
        stop: stop.clone(),
    });
    let places = Arc::new(Semaphore::new(MAILS_AT_ONCE));
    let tasks = TaskTracker::new();
    while !stop.is_cancelled() {
        let free = places.available_permits();
        let claimed = if free == 0 { Ok(Vec::new()) } else { queue.claim(free, LEASE).await };
        let claimed = claimed.unwrap_or_else(|error| {
            tracing::error!(%error, "the queue cannot be read");
            Vec::new()
        });
        for mail in claimed {
            let (sender, place) = (sender.clone(), places.clone().acquire_owned().await);
            tasks.spawn(async move {
                sender.process(mail).await;
                drop(place);
            });
        }
        let next = sender.pause().await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = queue.posted() => {}
            () = tokio::time::sleep(next) => {}
        }
        if places.available_permits() == 0 {
            // Full: nothing can be taken before one is done.
            tokio::select! {
                () = stop.cancelled() => {}
                _ = places.acquire() => {}
            }
        }
    }
    tasks.close();
    let _ = tokio::time::timeout(STOP_TIME_MAX, tasks.wait()).await;
}

struct Sender {
    shared: Arc<Shared>,
    queue: Queue,
    domains: Arc<Counts<String>>,
    stop: Stop,
}

impl Sender {
    /// Time until something is due.
    async fn pause(&self) -> Duration {
        let next = self.queue.next().await.ok().flatten();
        let millis = next.map_or(i64::MAX, |next| next.0.saturating_sub(self.shared.core.now().0));
        Duration::from_millis(millis.max(250) as u64).min(LOOK_AGAIN)
    }

    /// Tries one mail and says what came of it.
    async fn process(&self, mail: Queued) {
        let tried = tokio::time::timeout(MAIL_TIME_MAX, self.try_mail(&mail));
        let attempts = tokio::select! {
            tried = tried => tried.unwrap_or_else(|_| mail.recipients.iter().map(|_| Attempt::Untried).collect()),
            // What is being sent has a moment to hear its answer.
            () = self.stopping() => mail.recipients.iter().map(|_| Attempt::Untried).collect(),
        };
        let attempts = self.timed(&mail, attempts);
        // Reports come first: a mail that left the queue without one would be gone without a word.
        report::failed(&self.shared, &self.queue, &mail, &attempts).await;
        match self.queue.settle(&mail.id, attempts).await {
            Ok(Some(left)) => self.tell_if_late(&left).await,
            Ok(None) => tracing::info!(id = %mail.id, "a mail left the queue"),
            Err(error) => tracing::error!(id = %mail.id, %error, "a mail could not be settled"),
        }
    }

    async fn stopping(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(STOP_TIME_MAX - Duration::from_secs(2)).await;
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

    /// Tries all recipients that are due, those of one domain together.
    async fn try_mail(&self, mail: &Queued) -> Vec<Attempt> {
        let mut attempts: Vec<Attempt> = mail.recipients.iter().map(|_| Attempt::Untried).collect();
        let message = match self.queue.bytes(&mail.id).await {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) => {
                tracing::error!(id = %mail.id, %error, "a mail that waits cannot be read");
                return attempts
                    .into_iter()
                    .map(|_| Attempt::Later("4.3.0 It cannot be read".into(), Timestamp(0)))
                    .collect();
            }
        };
        let now = self.shared.core.now();
        let due =
            |one: &allod_core::post::QueuedRecipient| one.state == RecipientState::Waiting && one.next <= now;
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (number, one) in mail.recipients.iter().enumerate().filter(|(_, one)| due(one)) {
            let address = &one.recipient.address;
            match self.here(address, &mail.envelope.from, &message).await {
                Some(attempt) => attempts[number] = attempt,
                None => groups.entry(domain_of(address).unwrap_or_default()).or_default().push(number),
            }
        }
        let sending = groups.into_iter().map(|(domain, numbers)| {
            let message = &message;
            async move { self.try_domain(mail, &domain, numbers, message).await }
        });
        for (number, attempt) in join_all(sending).await.into_iter().flatten() {
            attempts[number] = attempt;
        }
        attempts
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

    /// A place among the connections to a domain; `None` when none came free in time. Others wait for the mail's place.
    async fn domain_place(&self, domain: &str) -> Option<Place<String>> {
        let take = async {
            loop {
                if let Some(place) = Counts::take(&self.domains, domain.to_owned()) {
                    return place;
                }
                tokio::time::sleep(PLACE_WAIT).await;
            }
        };
        tokio::time::timeout(PLACE_TIME_MAX, take).await.ok()
    }

    async fn try_domain(
        &self,
        mail: &Queued,
        domain: &str,
        numbers: Vec<usize>,
        message: &Bytes,
    ) -> Vec<(usize, Attempt)> {
        let all = |attempt: Attempt| numbers.iter().map(|number| (*number, attempt.clone())).collect();
        let Some(_place) = self.domain_place(domain).await else { return all(Attempt::Untried) };
        let hops = match route::next_hops(&self.shared, domain).await {
            Ok(hops) => hops,
            Err(attempt) => return all(attempt),
        };
        send::send(&self.shared, mail, &numbers, message, &hops).await
    }
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
