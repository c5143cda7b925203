//! What a client may use up.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// Longest line, in bytes.
pub(crate) const LINE_BYTES_MAX: usize = 64 * 1024;
/// Longest command, its literals included and its messages excepted, in bytes.
pub(crate) const COMMAND_BYTES_MAX: usize = 1024 * 1024;
/// The same before login, and the longest line.
pub(crate) const LOGIN_BYTES_MAX: usize = 32 * 1024;
/// Literals of one command.
pub(crate) const LITERALS_MAX: usize = 10_000;
/// Longest literal that is read only to be thrown away, in bytes.
pub(crate) const DISCARD_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Longest line of an authentication exchange, in bytes: tokens can be long.
pub(crate) const SASL_BYTES_MAX: usize = 16 * 1024;
/// Commands in a row that are not understood, before the connection ends.
pub(crate) const BAD_MAX: u32 = 30;
/// Failed logins of one connection, before it ends.
pub(crate) const FAILED_LOGINS_MAX: u32 = 5;
/// Time from the connection's start to its login.
pub(crate) const LOGIN_TIME_MAX: Duration = Duration::from_secs(60);
/// Pause after a failed login.
pub(crate) const FAILED_LOGIN_PAUSE: Duration = Duration::from_millis(500);
/// Longest time without a command. RFC 9051 §5.4: at least 30 minutes.
pub(crate) const IDLE_TIME_MAX: Duration = Duration::from_secs(31 * 60);
/// Longest pause within a command.
pub(crate) const PAUSE_TIME_MAX: Duration = Duration::from_secs(60);
/// Longest time for all of a command, its messages excepted, to arrive.
pub(crate) const COMMAND_TIME_MAX: Duration = Duration::from_secs(300);

/// Connections at once, per address and per account.
#[derive(Clone)]
pub(crate) struct Places {
    addresses: Arc<Counts<IpAddr>>,
    accounts: Arc<Counts<String>>,
}

impl Places {
    /// At most so many.
    pub(crate) fn new(per_address: usize, per_account: usize) -> Places {
        Places { addresses: Counts::new(per_address), accounts: Counts::new(per_account) }
    }

    /// A place for this address; `None` when all are taken. This machine itself has no limit: a proxy may stand there.
    pub(crate) fn address(&self, address: IpAddr) -> Option<Place<IpAddr>> {
        let address = address.to_canonical();
        if address.is_loopback() {
            return Some(Place(None));
        }
        // One IPv6 customer has a whole /64.
        let network = match address {
            IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
            v4 => v4,
        };
        Counts::take(&self.addresses, network)
    }

    /// A place for this account; `None` when all are taken.
    pub(crate) fn account(&self, account: String) -> Option<Place<String>> {
        Counts::take(&self.accounts, account)
    }
}

struct Counts<K> {
    max: usize,
    taken: Mutex<HashMap<K, usize>>,
}

impl<K: Hash + Eq + Clone> Counts<K> {
    fn new(max: usize) -> Arc<Self> {
        Arc::new(Counts { max, taken: Mutex::default() })
    }

    fn take(counts: &Arc<Self>, key: K) -> Option<Place<K>> {
        let mut taken = counts.taken.lock();
        let count = taken.entry(key.clone()).or_insert(0);
        if *count >= counts.max {
            return None;
        }
        *count += 1;
        drop(taken);
        Some(Place(Some((counts.clone(), key))))
    }
}

/// One connection's place, given back when dropped.
pub(crate) struct Place<K: Hash + Eq>(Option<(Arc<Counts<K>>, K)>);

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let Some((counts, key)) = &self.0 else { return };
        let mut taken = counts.taken.lock();
        let left = taken.get_mut(key).map(|count| {
            *count -= 1;
            *count
        });
        if left == Some(0) {
            taken.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let places = Places::new(2, 1);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = places.address(ip("203.0.113.5"));
        let second = places.address(ip("::ffff:203.0.113.5"));
        assert!(first.is_some() && second.is_some() && places.address(ip("203.0.113.5")).is_none());
        assert!(places.address(ip("203.0.113.6")).is_some());
        drop(first);
        assert!(places.address(ip("203.0.113.5")).is_some());
        // One customer's network counts as one.
        let network = [places.address(ip("2001:db8::1")), places.address(ip("2001:db8::2"))];
        assert!(network.iter().all(Option::is_some) && places.address(ip("2001:db8::3")).is_none());
        let local: Vec<_> = (0..10).map(|_| places.address(ip("127.0.0.1"))).collect();
        assert!(local.iter().all(Option::is_some));
        let alice = places.account("alice".into());
        assert!(alice.is_some() && places.account("alice".into()).is_none());
        drop((alice, second, network));
        assert!(places.account("alice".into()).is_some());
        assert!(places.addresses.taken.lock().is_empty() && places.accounts.taken.lock().is_empty());
    }
}
