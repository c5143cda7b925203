//! Message-IDs as threads are made of them (RFC 5256 §2 and §3, REFERENCES step 1).

use std::collections::{HashSet, VecDeque};

/// Message-IDs that are kept of a message's ancestors: some of the oldest and the nearest.
pub const REFERENCES_MAX: usize = 100;
/// Of these, how many of the oldest.
const OLDEST_MAX: usize = 10;
/// Longest Message-ID in bytes; a line has 998 (RFC 5322 §2.1.1). A longer one is none.
const ID_BYTES_MAX: usize = 998;

/// The first Message-ID in a value, without brackets and quotes; none when there is no valid one.
pub fn message_id(value: &[u8]) -> Option<String> {
    ids(value).next()
}

/// The ancestors that References names, oldest first, else the first of In-Reply-To. Each is there once and the parent is
/// the last; the message itself is not among them.
pub fn references<'a>(
    references: impl Iterator<Item = &'a [u8]>,
    in_reply_to: Option<&[u8]>,
    own: Option<&str>,
) -> Vec<String> {
    let mut oldest = Vec::new();
    let mut nearest = VecDeque::new();
    for id in references.flat_map(ids).filter(|id| own != Some(id)) {
        if oldest.len() < OLDEST_MAX {
            oldest.push(id);
        } else {
            if nearest.len() == REFERENCES_MAX - OLDEST_MAX {
                nearest.pop_front();
            }
            nearest.push_back(id);
        }
    }
    oldest.extend(nearest);
    let Some(parent) = oldest.pop() else {
        return in_reply_to.and_then(message_id).filter(|id| own != Some(id)).into_iter().collect();
    };
    let mut seen = HashSet::from([parent.clone()]);
    oldest.retain(|id| seen.insert(id.clone()));
    oldest.push(parent);
    oldest
}

/// The valid Message-IDs in a value, in order.
fn ids(value: &[u8]) -> impl Iterator<Item = String> {
    let mut rest = value;
    std::iter::from_fn(move || {
        while let Some(start) = memchr::memchr(b'<', rest) {
            rest = &rest[start + 1..];
            let (id, length) = id(rest);
            rest = &rest[length..];
            if id.is_some() {
                return id;
            }
        }
        None
    })
}

/// What stands up to `>`, and how far it was read. A quoted left side is the same as one without quotes.
fn id(value: &[u8]) -> (Option<String>, usize) {
    let mut out = Vec::new();
    let (mut quoted, mut at_sign) = (false, None);
    let head = &value[..value.len().min(2 * ID_BYTES_MAX)];
    let mut bytes = head.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' if at_sign.is_none() => quoted = !quoted,
            b'\\' => out.extend(bytes.next().map(|(_, byte)| *byte)),
            b'>' if !quoted => {
                let valid =
                    at_sign.is_some_and(|sign| sign > 0 && sign + 1 < out.len()) && out.len() <= ID_BYTES_MAX;
                return (valid.then(|| super::header::text(&out)), at + 1);
            }
            b'<' if !quoted => return (None, at),
            // Long ones get folded against the standard.
            b' ' | b'\t' | b'\r' | b'\n' if !quoted => {}
            b'\r' | b'\n' => {}
            b'@' if !quoted => {
                at_sign = Some(out.len());
                out.push(b'@');
            }
            _ => out.push(*byte),
        }
    }
    // Not again from the next bracket within: each byte is read once.
    (None, head.len())
}
