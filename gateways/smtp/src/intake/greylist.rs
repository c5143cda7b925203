//! Having senders come again (RFC 6647): whoever sends spam from a stolen machine mostly does not.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;

use crate::limits::network;

/// Before this a sender has not come again but only not waited, in seconds.
const WAIT_SECS: i64 = 60;
/// Who does not come again within this starts anew, in seconds.
const FORGET_SECS: i64 = 4 * 3600;
/// Who came again is known for this long, in seconds.
const KNOWN_SECS: i64 = 35 * 86_400;
/// Senders remembered.
const SENDERS_MAX: usize = 100_000;

/// Who came when. Kept in memory: after a start everybody comes again once more.
#[derive(Default)]
pub(crate) struct Greylist(Mutex<HashMap<(IpAddr, String, String), Seen>>);

struct Seen {
    first: i64,
    known_until: i64,
}

impl Greylist {
    /// Whether mail from there by that sender to that recipient is taken now.
    pub(crate) fn knows(&self, address: IpAddr, from: &str, to: &str, now: i64) -> bool {
        let key = (wide(address), from.to_lowercase(), to.to_lowercase());
        let mut seen = self.0.lock();
        if seen.len() >= SENDERS_MAX {
            seen.retain(|_, one| one.known_until > now || now - one.first < FORGET_SECS);
            if seen.len() >= SENDERS_MAX {
                // Better some spam than mail that does not come.
                return true;
            }
        }
        let one = seen.entry(key).or_insert(Seen { first: now, known_until: 0 });
        if one.known_until <= now {
            let waited = now - one.first;
            if waited > FORGET_SECS {
                one.first = now;
            }
            if !(WAIT_SECS..=FORGET_SECS).contains(&waited) {
                return false;
            }
        }
        one.known_until = now + KNOWN_SECS;
        true
    }
}

/// Large senders come from neighbouring addresses.
fn wide(address: IpAddr) -> IpAddr {
    match network(address) {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & 0xffff_ff00).into()),
        v6 => v6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_again_is_known() {
        let list = Greylist::default();
        let at = |address: &str, now| list.knows(address.parse().unwrap(), "a@b", "c@d", now);
        assert!(!at("192.0.2.1", 0));
        assert!(!at("192.0.2.1", 30));
        assert!(at("192.0.2.9", 61));
        assert!(at("192.0.2.1", 62 + 86_400));
        assert!(!at("198.51.100.1", 62));
        assert!(!at("198.51.100.1", 62 + FORGET_SECS + 1));
    }
}
