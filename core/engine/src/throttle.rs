//! Failed logins are slowed down, per address and per account.
//!
//! A bucket fills with each failure and drains with time. A full address or account is turned away, whatever the
//! secret, unless that address has lately succeeded for that account: a stranger who fails on purpose can't lock the
//! owner out.

use std::collections::HashMap;
use std::net::IpAddr;

use allod_model::{AccountId, Timestamp};
use parking_lot::Mutex;

/// Failures an address may have at once, and how many seconds take one away.
const ADDRESS_FAILURES_MAX: f64 = 20.0;
const ADDRESS_DRAIN_SECS: f64 = 6.0;
/// The same for an account, over all addresses.
const ACCOUNT_FAILURES_MAX: f64 = 100.0;
const ACCOUNT_DRAIN_SECS: f64 = 3.0;
/// Buckets kept at most; beyond that drained ones go first, then all.
const BUCKETS_MAX: usize = 50_000;
/// How long a success protects an address, in seconds.
const TRUST_SECS: i64 = 30 * 86_400;

#[derive(Clone, Copy)]
struct Bucket {
    level: f64,
    at: Timestamp,
}

impl Bucket {
    fn level_at(&self, now: Timestamp, drain_secs: f64) -> f64 {
        let secs = (now.0 - self.at.0).max(0) as f64 / 1000.0;
        (self.level - secs / drain_secs).max(0.0)
    }
}

#[derive(Default)]
struct Tables {
    addresses: HashMap<IpAddr, Bucket>,
    accounts: HashMap<AccountId, Bucket>,
    trusted: HashMap<(AccountId, IpAddr), Timestamp>,
}

/// The buckets. In memory only: a restart forgives.
#[derive(Default)]
pub struct Throttle(Mutex<Tables>);

impl Throttle {
    /// Seconds to wait if this address must not try now.
    pub fn address_blocked(&self, address: Option<IpAddr>, now: Timestamp) -> Option<u64> {
        let address = network(address?);
        let tables = self.0.lock();
        let level = tables.addresses.get(&address)?.level_at(now, ADDRESS_DRAIN_SECS);
        wait(level, ADDRESS_FAILURES_MAX, ADDRESS_DRAIN_SECS)
    }

    /// Whether this address has lately succeeded for this account. Such a one is never turned away: behind a proxy or
    /// a shared address, a stranger's failures must not lock the owner out.
    pub fn is_trusted(&self, account: AccountId, address: Option<IpAddr>, now: Timestamp) -> bool {
        let since = address.and_then(|a| self.0.lock().trusted.get(&(account, network(a))).copied());
        since.is_some_and(|since| now.secs() - since.secs() < TRUST_SECS)
    }

    /// Seconds to wait if this account takes no login from strange addresses now.
    pub fn account_blocked(&self, account: AccountId, now: Timestamp) -> Option<u64> {
        let level = self.0.lock().accounts.get(&account)?.level_at(now, ACCOUNT_DRAIN_SECS);
        wait(level, ACCOUNT_FAILURES_MAX, ACCOUNT_DRAIN_SECS)
    }

    /// Notes a failure.
    pub fn failed(&self, account: Option<AccountId>, address: Option<IpAddr>, now: Timestamp) {
        let mut tables = self.0.lock();
        if let Some(address) = address {
            fill(&mut tables.addresses, network(address), ADDRESS_FAILURES_MAX, ADDRESS_DRAIN_SECS, now);
        }
        if let Some(account) = account {
            fill(&mut tables.accounts, account, ACCOUNT_FAILURES_MAX, ACCOUNT_DRAIN_SECS, now);
        }
    }

    /// Notes a success.
    pub fn succeeded(&self, account: AccountId, address: Option<IpAddr>, now: Timestamp) {
        let Some(address) = address else { return };
        let key = (account, network(address));
        let mut tables = self.0.lock();
        let known = tables.trusted.get(&key).is_some_and(|t| now.secs() - t.secs() < 3600);
        if !known {
            if tables.trusted.len() >= BUCKETS_MAX {
                tables.trusted.clear();
            }
            tables.trusted.insert(key, now);
        }
    }
}

/// One IPv6 customer has a whole /64; an IPv4 address mapped into IPv6 is that address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

fn wait(level: f64, max: f64, drain_secs: f64) -> Option<u64> {
    (level >= max - 0.5).then(|| ((level - max + 1.0) * drain_secs).ceil().max(1.0) as u64)
}

fn fill<K: std::hash::Hash + Eq>(
    table: &mut HashMap<K, Bucket>,
    key: K,
    max: f64,
    drain: f64,
    now: Timestamp,
) {
    if table.len() >= BUCKETS_MAX && !table.contains_key(&key) {
        table.retain(|_, bucket| bucket.level_at(now, drain) > 0.0);
        if table.len() >= BUCKETS_MAX {
            table.clear();
        }
    }
    let bucket = table.entry(key).or_insert(Bucket { level: 0.0, at: now });
    *bucket = Bucket { level: (bucket.level_at(now, drain) + 1.0).min(max), at: now };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_address_that_fails_is_blocked_and_forgiven_with_time() {
        let throttle = Throttle::default();
        let now = Timestamp::from_secs(1000);
        for _ in 0..20 {
            assert_eq!(throttle.address_blocked(ip("10.0.0.1"), now), None);
            throttle.failed(None, ip("10.0.0.1"), now);
        }
        let secs = throttle.address_blocked(ip("::ffff:10.0.0.1"), now).unwrap();
        assert_eq!(throttle.address_blocked(ip("10.0.0.2"), now), None);
        assert_eq!(throttle.address_blocked(ip("10.0.0.1"), now.plus_secs(secs as i64)), None);
    }

    #[test]
    fn a_stranger_cannot_lock_the_owner_out() {
        let throttle = Throttle::default();
        let (now, account) = (Timestamp::from_secs(1000), AccountId(1));
        throttle.succeeded(account, ip("10.0.0.1"), now);
        for n in 0..200 {
            throttle.failed(Some(account), ip(&format!("10.1.0.{n}")), now);
        }
        assert!(throttle.account_blocked(account, now).is_some());
        assert!(throttle.is_trusted(account, ip("10.0.0.1"), now));
        assert!(!throttle.is_trusted(account, ip("10.9.9.9"), now));
        assert!(!throttle.is_trusted(AccountId(2), ip("10.0.0.1"), now));
    }
}
