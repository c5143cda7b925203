//! Ranges of keys, against the definition.

use std::ops::Bound;

use proptest::prelude::*;

use super::{KeyRange, bounds_are_empty};

/// Short keys over few bytes, so that they meet.
fn key() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0xfe), Just(0xff)], 0..4)
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![Just(Bound::Unbounded), key().prop_map(Bound::Included), key().prop_map(Bound::Excluded)]
}

fn contains(range: &KeyRange, key: &[u8]) -> bool {
    let above = match range.from() {
        Bound::Unbounded => true,
        Bound::Included(from) => key >= from,
        Bound::Excluded(from) => key > from,
    };
    let below = match range.to() {
        Bound::Unbounded => true,
        Bound::Included(to) => key <= to,
        Bound::Excluded(to) => key < to,
    };
    above && below
}

/// Keys that are enough to find one in any range between the keys of [`key`].
fn every_key() -> Vec<Vec<u8>> {
    let mut keys = vec![Vec::new()];
    for len in 0..4 {
        let longer: Vec<Vec<u8>> = keys
            .iter()
            .filter(|key| key.len() == len)
            .flat_map(|key| [0u8, 1, 2, 0xfe, 0xff].map(|byte| [&key[..], &[byte]].concat()))
            .collect();
        keys.extend(longer);
    }
    keys
}

proptest! {
    #[test]
    fn a_prefix_is_the_keys_that_begin_with_it(prefix in key(), key in key()) {
        prop_assert_eq!(contains(&KeyRange::prefix(&prefix), &key), key.starts_with(&prefix));
    }

    #[test]
    fn after_and_before_only_narrow(from in bound(), to in bound(), place in key(), key in key()) {
        let slice = |bound: &Bound<Vec<u8>>| bound.clone();
        let (from, to) = (slice(&from), slice(&to));
        let range = KeyRange::new(from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice));
        let inside = contains(&range, &key);
        prop_assert_eq!(contains(&range.clone().after(&place), &key), inside && key > place);
        prop_assert_eq!(contains(&range.before(&place), &key), inside && key < place);
    }

    #[test]
    fn a_range_is_empty_when_no_key_lies_in_it(from in bound(), to in bound()) {
        let bounds = (from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice));
        let range = KeyRange::new(bounds.0, bounds.1);
        let empty = !every_key().iter().any(|key| contains(&range, key));
        prop_assert_eq!(bounds_are_empty(bounds.0, bounds.1), empty);
        prop_assert_eq!(range.is_empty(), empty);
    }
}
