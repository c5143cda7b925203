//! The index of times of a calendar: which members can take place within a window, without reading the others.
//!
//! Members lie in classes by the length of their span, and within a class by where they begin. A question looks in
//! each class at those that begin at most that length before the window: so the cost depends on what there is in the
//! window, not on how old or how long the calendar is.

use std::ops::{Bound, ControlFlow};

use allod_meta::{KeyRange, Lookup};
use allod_model::{EntryKey, NodeId};

use crate::components::Components;
use crate::fault::Res;
use crate::keys::Keys;
use crate::reading::Records;
use crate::typed::{EventRow, Span};

/// The class of spans without an end. Smaller ones hold spans shorter than 4 to the power of class, in seconds.
const ENDLESS: u8 = 32;
/// The class of members without times.
const TIMELESS: u8 = 33;

/// Where a member lies in the index: the key, and what is told of it there.
pub fn row(keys: Keys, folder: NodeId, key: &EntryKey, event: &EventRow) -> (Vec<u8>, Vec<u8>) {
    let (class, first) = match event.span {
        None => (TIMELESS, 0),
        Some(span) => (class_of(span), span.first),
    };
    let mut row = at(keys, folder, class, first);
    row.extend_from_slice(key.as_bytes());
    let last = event.span.and_then(|span| span.last).unwrap_or(i64::MAX);
    let mut value = vec![event.component.bits()];
    value.extend_from_slice(&last.to_be_bytes());
    (row, value)
}

fn class_of(span: Span) -> u8 {
    let Some(last) = span.last else { return ENDLESS };
    let length = last.saturating_sub(span.first).max(0) as u64;
    (64 - length.leading_zeros()).div_ceil(2) as u8
}

fn at(keys: Keys, folder: NodeId, class: u8, first: i64) -> Vec<u8> {
    let mut row = keys.times(folder);
    row.push(class);
    row.extend_from_slice(&ordered(first));
    row
}

/// Bytes in the order of the numbers.
fn ordered(number: i64) -> [u8; 8] {
    ((number as u64) ^ (1 << 63)).to_be_bytes()
}

/// The members of `component` whose span touches the window, in byte order of their keys.
pub fn within(
    rows: &impl Lookup,
    keys: Keys,
    folder: NodeId,
    component: Option<Components>,
    (from, to): (i64, i64),
) -> Res<Vec<EntryKey>> {
    let mut found = Vec::new();
    let prefix = keys.times(folder).len() + 9;
    for class in 0..=TIMELESS {
        let (earliest, latest) = match class {
            TIMELESS => (0, 0),
            ENDLESS => (i64::MIN, to),
            _ => (from.saturating_sub(longest(class)), to),
        };
        let (start, end) =
            (at(keys, folder, class, earliest), at(keys, folder, class, latest.saturating_add(1)));
        let range = KeyRange::new(Bound::Included(&start), Bound::Excluded(&end));
        rows.each(&range, prefix, |key, value| {
            let (kind, last) = value.split_first().unwrap_or((&0, &[]));
            let last = last.try_into().map_or(i64::MAX, i64::from_be_bytes);
            let wanted = component.is_none_or(|wanted| wanted.holds(Components::from_bits(*kind)));
            if wanted && (class == TIMELESS || last >= from) {
                found.push(EntryKey::from_bytes(key));
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    found.sort_unstable();
    Ok(found)
}

/// The longest span of a class, in seconds.
fn longest(class: u8) -> i64 {
    1_i64.checked_shl(u32::from(class) * 2).filter(|length| *length > 0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_no_longer_than_its_class_allows() {
        for length in [0, 1, 2, 3, 4, 15, 16, 17, 3600, 86_400, 31_536_000, i64::MAX / 2, i64::MAX] {
            let class = class_of(Span { first: 0, last: Some(length) });
            assert!(class < ENDLESS + 1 && longest(class) >= length, "{length}: class {class}");
        }
    }

    #[test]
    fn numbers_keep_their_order() {
        let numbers = [i64::MIN, -5, -1, 0, 1, 7, i64::MAX];
        assert!(numbers.windows(2).all(|pair| ordered(pair[0]) < ordered(pair[1])));
    }
}
