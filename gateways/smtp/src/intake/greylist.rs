//! Having senders come again (RFC 6647): whoever sends spam from a stolen machine mostly does not.
//!
//! Who came when lies in memory, and is written to the store once a minute and at a stop: a restart asks nobody to come
//! once more who did already, but for the last minute before a kill.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use allod_kit::Stop;
use parking_lot::Mutex;

use crate::limits::network;
use crate::shared::Shared;

/// Before this a sender has not come again but only not waited, in seconds.
const WAIT_SECS: i64 = 60;
/// Who does not come again within this starts anew, in seconds.
const FORGET_SECS: i64 = 4 * 3600;
/// Who came again is known for this long, in seconds.
const KNOWN_SECS: i64 = 35 * 86_400;
/// Senders remembered.
const SENDERS_MAX: usize = 100_000;
/// Pause between two writings of what changed.
const SAVE_PAUSE: Duration = Duration::from_secs(60);
/// Under what names it is kept: one note for each first byte of a sender's digest.
const NOTES: &str = "greylist/";
/// How many there are.
const NOTES_MAX: usize = 256;
/// Senders in one note; by far more than its share of all.
const NOTE_SENDERS_MAX: usize = 1_500;
/// Bytes of one sender there: digest, and two times in seconds.
const SENDER_BYTES: usize = 32;

/// A sender: network, reverse path and recipient, as a digest.
type Triplet = [u8; 16];

/// Who came when.
#[derive(Default)]
pub(crate) struct Greylist(Mutex<Senders>);

#[derive(Default)]
struct Senders {
    seen: HashMap<Triplet, Seen>,
    /// First bytes of the digests whose note is old.
    changed: BTreeSet<u8>,
}

#[derive(Clone, Copy)]
struct Seen {
    first: i64,
    known_until: i64,
}

impl Seen {
    fn is_of_use(self, now: i64) -> bool {
        self.known_until > now || now - self.first < FORGET_SECS
    }
}

impl Greylist {
    /// Whether mail from there by that sender to that recipient is taken now.
    pub(crate) fn knows(&self, address: IpAddr, from: &str, to: &str, now: i64) -> bool {
        let key = triplet(address, from, to);
        let mut senders = self.0.lock();
        if senders.seen.len() >= SENDERS_MAX {
            senders.seen.retain(|_, one| one.is_of_use(now));
            if senders.seen.len() >= SENDERS_MAX {
                // Better some spam than mail that does not come.
                return true;
            }
        }
        let one = senders.seen.entry(key).or_insert(Seen { first: now, known_until: 0 });
        let was_known = one.known_until > now;
        let mut known = true;
        if !was_known {
            let waited = now - one.first;
            if waited > FORGET_SECS {
                one.first = now;
            }
            known = (WAIT_SECS..=FORGET_SECS).contains(&waited);
        }
        if known {
            // A day more or less is not worth a write.
            let fresh = one.known_until - now > KNOWN_SECS - 86_400;
            one.known_until = if fresh { one.known_until } else { now + KNOWN_SECS };
            if fresh {
                return true;
            }
        }
        senders.changed.insert(key[0]);
        known
    }

    /// Takes in what was kept.
    async fn load(&self, shared: &Shared) {
        let notes = match shared.core.operator().notes(NOTES, NOTES_MAX).await {
            Ok(notes) => notes,
            Err(error) => {
                return tracing::error!(%error, "the greylist cannot be read; all senders come once more");
            }
        };
        let now = shared.now_secs();
        let mut senders = self.0.lock();
        for row in notes.iter().flat_map(|(_, bytes)| bytes.chunks_exact(SENDER_BYTES)) {
            let number = |at: usize| i64::from_be_bytes(row[at..at + 8].try_into().unwrap_or_default());
            let mut key = Triplet::default();
            key.copy_from_slice(&row[..16]);
            let seen = Seen { first: number(16), known_until: number(24) };
            if seen.is_of_use(now) {
                // Who came while this was read has waited since he came first.
                let one = senders.seen.entry(key).or_insert(seen);
                one.first = one.first.min(seen.first);
                one.known_until = one.known_until.max(seen.known_until);
            }
        }
    }

    /// Writes what changed.
    pub(crate) async fn save(&self, shared: &Shared) {
        let now = shared.now_secs();
        let notes: Vec<(u8, Vec<u8>)> = {
            let mut senders = self.0.lock();
            let changed = std::mem::take(&mut senders.changed);
            senders.seen.retain(|_, one| one.is_of_use(now));
            let note = |first: u8| {
                let rows = senders.seen.iter().filter(|(key, _)| key[0] == first).take(NOTE_SENDERS_MAX);
                let row = |(key, one): (&Triplet, &Seen)| {
                    [&key[..], &one.first.to_be_bytes(), &one.known_until.to_be_bytes()].concat()
                };
                (first, rows.flat_map(row).collect())
            };
            changed.into_iter().map(note).collect()
        };
        let operator = shared.core.operator();
        for (first, bytes) in notes {
            let bytes = (!bytes.is_empty()).then_some(&bytes[..]);
            if let Err(error) = operator.note(&format!("{NOTES}{first:02x}"), bytes).await {
                tracing::warn!(%error, "the greylist cannot be kept");
                self.0.lock().changed.insert(first);
            }
        }
    }
}

/// Keeps the greylist over restarts, until `stop`.
pub(crate) async fn run(shared: Arc<Shared>, stop: Stop) {
    if !shared.options.greylisting {
        return;
    }
    shared.greylist.load(&shared).await;
    while stop.run_until_cancelled(tokio::time::sleep(SAVE_PAUSE)).await.is_some() {
        shared.greylist.save(&shared).await;
    }
    shared.greylist.save(&shared).await;
}

fn triplet(address: IpAddr, from: &str, to: &str) -> Triplet {
    let text = format!("{}\0{}\0{}", wide(address), from.to_lowercase(), to.to_lowercase());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut key = Triplet::default();
    key.copy_from_slice(&digest.as_ref()[..16]);
    key
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
        assert!(!at("192.0.2.1", 62 + 86_400 + KNOWN_SECS + 1), "forgotten in the end");
        assert!(!at("198.51.100.1", 62));
        assert!(!at("198.51.100.1", 62 + FORGET_SECS + 1));
    }
}
