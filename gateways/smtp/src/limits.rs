//! What a peer may use up.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// Largest message, in bytes; what EHLO announces as SIZE.
pub(crate) const MESSAGE_BYTES_MAX: usize = allod_core::mail::MESSAGE_BYTES_MAX as usize - HEADER_ROOM_BYTES;
/// Room in a stored message for the fields that the server adds.
const HEADER_ROOM_BYTES: usize = 64 << 10;
/// Longest command line with its CRLF, in bytes. RFC 5321 §4.5.3.1.4 asks for 512; RFC 3461 and RFC 6531 add to it.
pub(crate) const LINE_BYTES_MAX: usize = 2048;
/// Longest line of an authentication exchange, in bytes (RFC 4954 §4).
pub(crate) const SASL_BYTES_MAX: usize = 12_288;
/// Longest line of a message, in bytes. RFC 5321 §4.5.3.1.6 has 1,000, and much mail is beyond it.
pub(crate) const TEXT_LINE_BYTES_MAX: usize = 1 << 20;
/// Bytes of a message that is too large which are read only to be thrown away.
pub(crate) const DISCARD_BYTES_MAX: usize = 256 << 20;
/// Bytes of messages of all connections that are held at once.
pub(crate) const HELD_BYTES_MAX: usize = 512 << 20;
/// Recipients of one mail from the world. RFC 5321 §4.5.3.1.8: at least 100.
pub(crate) const MX_RECIPIENTS_MAX: usize = 100;
/// Recipients of one mail from an account's own app.
pub(crate) const SUBMISSION_RECIPIENTS_MAX: usize = allod_core::post::RECIPIENTS_MAX;
/// Mails of one connection.
pub(crate) const MAILS_MAX: u32 = 1000;
/// Commands of one connection that carry nothing: NOOP, RSET, HELP, VRFY.
pub(crate) const IDLE_COMMANDS_MAX: u32 = 100;
/// Errors of one connection, before it ends.
pub(crate) const ERRORS_MAX: u32 = 20;
/// Errors of one connection, before each answer to one is slowed down.
pub(crate) const ERRORS_FREE: u32 = 3;
/// Pause before the answer to an error.
#[allow(unexpected_cfgs, reason = "the fuzzer's builds set it, and have no time to wait")]
pub(crate) const TARPIT: Duration = Duration::from_millis(if cfg!(fuzzing) { 0 } else { 500 });
/// Failed logins of one connection, before it ends.
pub(crate) const FAILED_LOGINS_MAX: u32 = 5;
/// `Received` fields of a mail that goes round in circles (RFC 5321 §6.3: at least 100).
pub(crate) const HOPS_MAX: usize = 100;
/// How long a peer may take; tests have less patience.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Longest wait for a command.
    pub(crate) command: Duration,
    /// Longest pause within a message.
    pub(crate) data_pause: Duration,
    /// Longest time for all of a message to arrive.
    pub(crate) data: Duration,
    /// Longest time of a connection.
    pub(crate) connection: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            command: COMMAND_TIME_MAX,
            data_pause: DATA_PAUSE_MAX,
            data: DATA_TIME_MAX,
            connection: CONNECTION_TIME_MAX,
        }
    }
}

/// Longest wait for a command. RFC 5321 §4.5.3.2.7: 5 minutes.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(300);
/// Longest pause within a message. RFC 5321 §4.5.3.2.5: 3 minutes.
const DATA_PAUSE_MAX: Duration = Duration::from_secs(180);
/// Longest time for all of a message to arrive.
const DATA_TIME_MAX: Duration = Duration::from_secs(1800);
/// Longest time that a peer may take nothing of an answer.
pub(crate) const WRITE_TIME_MAX: Duration = Duration::from_secs(60);
/// Longest time of a connection.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(3 * 3600);
/// Answers held back for a peer that pipelines, in bytes.
pub(crate) const ANSWERS_BYTES_MAX: usize = 64 << 10;

/// Bytes of messages under way, of all connections.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Mutex<usize>>);

impl Budget {
    /// So many bytes.
    pub(crate) fn new(bytes: usize) -> Budget {
        Budget(Arc::new(Mutex::new(bytes)))
    }

    /// A share that holds nothing yet.
    pub(crate) fn share(&self) -> Share {
        Share { budget: self.clone(), taken: 0 }
    }
}

/// What one message takes of a [`Budget`], given back when dropped.
pub(crate) struct Share {
    budget: Budget,
    taken: usize,
}

impl Share {
    /// Takes more; `false` when nothing is left.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let mut left = self.budget.0.lock();
        if *left < bytes {
            return false;
        }
        *left -= bytes;
        self.taken += bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        *self.budget.0.lock() += self.taken;
    }
}

/// Things of one kind at once, for each key.
pub(crate) struct Counts<K> {
    max: usize,
    taken: Mutex<HashMap<K, usize>>,
}

impl<K: Hash + Eq + Clone> Counts<K> {
    /// At most so many of one key.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Counts { max, taken: Mutex::default() })
    }

    /// How many places of a key are free.
    pub(crate) fn room(&self, key: &K) -> usize {
        self.max - self.taken.lock().get(key).copied().unwrap_or(0).min(self.max)
    }

    /// A place; `None` when all are taken.
    pub(crate) fn take(counts: &Arc<Self>, key: K) -> Option<Place<K>> {
        let mut taken = counts.taken.lock();
        let count = taken.entry(key.clone()).or_insert(0);
        if *count >= counts.max {
            return None;
        }
        *count += 1;
        drop(taken);
        Some(Place { counts: counts.clone(), key })
    }
}

/// One place, given back when dropped.
pub(crate) struct Place<K: Hash + Eq> {
    counts: Arc<Counts<K>>,
    key: K,
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.counts.taken.lock();
        let left = taken.get_mut(&self.key).map(|count| {
            *count -= 1;
            *count
        });
        if left == Some(0) {
            taken.remove(&self.key);
        }
    }
}

/// What addresses are counted by: one IPv6 customer has a whole /64.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

/// Recipients that each account wrote to in the last hour.
pub(crate) struct Hourly {
    max: usize,
    sent: Mutex<HashMap<String, (i64, usize)>>,
}

/// Seconds of an hour.
const HOUR_SECS: i64 = 3600;

impl Hourly {
    /// At most so many in an hour.
    pub(crate) fn new(max: usize) -> Hourly {
        Hourly { max, sent: Mutex::default() }
    }

    /// Counts further recipients; `false`, counting nothing, when they are too many.
    pub(crate) fn take(&self, account: &str, recipients: usize, now_secs: i64) -> bool {
        let mut sent = self.sent.lock();
        sent.retain(|_, (since, _)| now_secs - *since < HOUR_SECS);
        let (_, count) = sent.entry(account.to_owned()).or_insert((now_secs, 0));
        if *count + recipients > self.max {
            return false;
        }
        *count += recipients;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_bytes_come_back() {
        let counts = Counts::new(1);
        let place = Counts::take(&counts, 1).unwrap();
        assert!(Counts::take(&counts, 1).is_none());
        assert_eq!((counts.room(&1), counts.room(&2)), (0, 1));
        assert!(Counts::take(&counts, 2).is_some());
        drop(place);
        assert!(Counts::take(&counts, 1).is_some());
        let budget = Budget::new(10);
        let mut share = budget.share();
        assert!(share.take(10) && !budget.share().take(1));
        drop(share);
        assert!(budget.share().take(10));
    }

    #[test]
    fn an_hour_has_an_end() {
        let hourly = Hourly::new(3);
        assert!(hourly.take("alice", 2, 0));
        assert!(!hourly.take("alice", 2, 10));
        assert!(hourly.take("bob", 3, 10));
        assert!(hourly.take("alice", 1, 10));
        assert!(hourly.take("alice", 3, 3600));
    }
}
