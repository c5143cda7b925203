//! Sets of UIDs, and the UIDs of a mailbox in the order of their sequence numbers.

/// A set of UIDs as ranges in ascending order, both ends included, none touching the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidSet(Vec<(u32, u32)>);

impl UidSet {
    /// No UID.
    pub fn new() -> UidSet {
        UidSet::default()
    }

    /// Every UID.
    pub fn all() -> UidSet {
        UidSet(vec![(1, u32::MAX)])
    }

    /// From ranges in any order; ends may be swapped. UID 0 does not exist and is left out.
    pub fn from_ranges(ranges: impl IntoIterator<Item = (u32, u32)>) -> UidSet {
        let ends = ranges.into_iter().map(|(a, b)| (a.min(b).max(1), a.max(b))).filter(|(a, b)| a <= b);
        let mut sorted: Vec<_> = ends.collect();
        sorted.sort_unstable();
        let mut set: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match set.last_mut() {
                Some(open) if first <= open.1.saturating_add(1) => open.1 = open.1.max(last),
                _ => set.push((first, last)),
            }
        }
        UidSet(set)
    }

    /// Adds a UID; cheapest in ascending order.
    pub fn insert(&mut self, uid: u32) {
        if self.contains(uid) || uid == 0 {
            return;
        }
        match self.0.last_mut() {
            Some(open) if open.1.checked_add(1) == Some(uid) => open.1 = uid,
            Some(open) if uid < open.1 => {
                *self = UidSet::from_ranges(self.0.iter().copied().chain([(uid, uid)]));
            }
            _ => self.0.push((uid, uid)),
        }
    }

    /// Whether it holds a UID.
    pub fn contains(&self, uid: u32) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < uid);
        self.0.get(at).is_some_and(|(first, _)| *first <= uid)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// Each UID, ascending. A set from a client may name four billion.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// Those in both.
    pub fn intersection(&self, other: &UidSet) -> UidSet {
        let (mut ours, mut theirs, mut both) = (0, 0, Vec::new());
        while let (Some(a), Some(b)) = (self.0.get(ours), other.0.get(theirs)) {
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            if first <= last {
                both.push((first, last));
            }
            if a.1 < b.1 { ours += 1 } else { theirs += 1 }
        }
        UidSet(both)
    }

    /// Those in either.
    pub fn union(&self, other: &UidSet) -> UidSet {
        UidSet::from_ranges(self.0.iter().chain(&other.0).copied())
    }

    /// Those that are not in `other`.
    pub fn difference(&self, other: &UidSet) -> UidSet {
        let mut gaps = Vec::with_capacity(other.0.len() + 1);
        let mut next = 1u32;
        for (first, last) in &other.0 {
            if next < *first {
                gaps.push((next, first - 1));
            }
            match last.checked_add(1) {
                Some(after) => next = after,
                None => return self.intersection(&UidSet(gaps)),
            }
        }
        gaps.push((next, u32::MAX));
        self.intersection(&UidSet(gaps))
    }
}

impl FromIterator<u32> for UidSet {
    fn from_iter<I: IntoIterator<Item = u32>>(uids: I) -> UidSet {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for uid in uids {
            match ranges.last_mut() {
                Some(open) if open.1.checked_add(1) == Some(uid) => open.1 = uid,
                _ => ranges.push((uid, uid)),
            }
        }
        let ordered = ranges.first().is_none_or(|range| range.0 > 0)
            && ranges.windows(2).all(|pair| pair[0].1.saturating_add(1) < pair[1].0);
        if ordered { UidSet(ranges) } else { UidSet::from_ranges(ranges) }
    }
}

/// The UIDs of a mailbox as a session sees it; the place of each is its sequence number, counted from 1. Runs of UIDs
/// take a few bytes, so that a million messages without gaps cost nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uids {
    runs: Vec<Run>,
    count: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u32,
    last: u32,
    /// Sequence number of `first`.
    seq: u32,
}

impl Uids {
    /// From UIDs in ascending order.
    pub fn from_set(set: &UidSet) -> Uids {
        let mut uids = Uids::default();
        set.ranges().iter().for_each(|(first, last)| uids.push_run(*first, *last));
        uids
    }

    fn push_run(&mut self, first: u32, last: u32) {
        let seq = self.count + 1;
        self.count += last - first + 1;
        match self.runs.last_mut() {
            Some(run) if run.last.checked_add(1) == Some(first) => run.last = last,
            _ => self.runs.push(Run { first, last, seq }),
        }
    }

    /// How many messages.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The highest UID.
    pub fn last(&self) -> Option<u32> {
        self.runs.last().map(|run| run.last)
    }

    /// The UID of a sequence number.
    pub fn uid(&self, seq: u32) -> Option<u32> {
        if seq == 0 || seq > self.count {
            return None;
        }
        let at = self.runs.partition_point(|run| run.seq <= seq);
        let run = self.runs.get(at.checked_sub(1)?)?;
        Some(run.first + (seq - run.seq))
    }

    /// The sequence number of a UID.
    pub fn seq(&self, uid: u32) -> Option<u32> {
        let at = self.runs.partition_point(|run| run.last < uid);
        let run = self.runs.get(at).filter(|run| run.first <= uid)?;
        Some(run.seq + (uid - run.first))
    }

    /// How many UIDs are above one.
    pub fn count_above(&self, uid: u32) -> u32 {
        let at = self.runs.partition_point(|run| run.last <= uid);
        let Some(run) = self.runs.get(at) else { return 0 };
        self.count + 1 - (run.seq + uid.saturating_add(1).saturating_sub(run.first))
    }

    /// The UIDs of a stretch of sequence numbers, both ends included; what is beyond the end is left out.
    pub fn uids_of_seqs(&self, first: u32, last: u32) -> UidSet {
        let (first, last) = (first.min(last).max(1), first.max(last).min(self.count));
        let mut ranges = Vec::new();
        let mut at = self.runs.partition_point(|run| run.seq <= first).saturating_sub(1);
        while let Some(run) = self.runs.get(at).filter(|run| run.seq <= last) {
            let end = run.seq + (run.last - run.first);
            let (from, to) = (first.max(run.seq), last.min(end));
            if from <= to {
                ranges.push((run.first + (from - run.seq), run.first + (to - run.seq)));
            }
            at += 1;
        }
        UidSet(ranges)
    }

    /// Adds a UID above all others.
    pub fn push(&mut self, uid: u32) {
        debug_assert!(self.last().is_none_or(|last| last < uid), "UIDs only ascend");
        self.push_run(uid, uid);
    }

    /// Takes UIDs out.
    pub fn remove(&mut self, gone: &UidSet) {
        let left = self.to_set().difference(gone);
        *self = Uids::from_set(&left);
    }

    /// As a set.
    pub fn to_set(&self) -> UidSet {
        UidSet(self.runs.iter().map(|run| (run.first, run.last)).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(uids: &BTreeSet<u32>) -> UidSet {
        uids.iter().copied().collect()
    }

    #[test]
    fn ranges_come_in_any_order() {
        let set = UidSet::from_ranges([(9, 7), (1, 2), (3, 3), (0, 0), (u32::MAX, u32::MAX)]);
        assert_eq!(set.ranges(), [(1, 3), (7, 9), (u32::MAX, u32::MAX)]);
        assert_eq!(UidSet::all().difference(&set).ranges(), [(4, 6), (10, u32::MAX - 1)]);
        assert_eq!(UidSet::all().difference(&UidSet::all()), UidSet::new());
        assert_eq!(UidSet::from_iter([0, 5, 4]).ranges(), [(4, 5)]);
    }

    proptest! {
        #[test]
        fn sets_are_as_those_of_the_standard_library(
            one in prop::collection::btree_set(1u32..60, 0..40),
            other in prop::collection::btree_set(1u32..60, 0..40),
        ) {
            let (a, b) = (set(&one), set(&other));
            prop_assert_eq!(a.union(&b), set(&one.union(&other).copied().collect()));
            prop_assert_eq!(a.intersection(&b), set(&one.intersection(&other).copied().collect()));
            prop_assert_eq!(a.difference(&b), set(&one.difference(&other).copied().collect()));
            prop_assert_eq!(a.len(), one.len() as u64);
            let mut grown = UidSet::new();
            other.iter().rev().chain(&one).for_each(|uid| grown.insert(*uid));
            prop_assert_eq!(grown, a.union(&b));
            for uid in 0..61 {
                prop_assert_eq!(a.contains(uid), one.contains(&uid));
            }
        }

        #[test]
        fn sequence_numbers_count_uids(
            all in prop::collection::btree_set(1u32..90, 0..60),
            gone in prop::collection::btree_set(1u32..90, 0..60),
            span in (0u32..70, 0u32..70),
        ) {
            let mut uids = Uids::from_set(&set(&all));
            uids.remove(&set(&gone));
            let left: Vec<u32> = all.difference(&gone).copied().collect();
            prop_assert_eq!(uids.len() as usize, left.len());
            prop_assert_eq!(uids.last(), left.last().copied());
            for (seq, uid) in (1..).zip(&left) {
                prop_assert_eq!(uids.uid(seq), Some(*uid));
                prop_assert_eq!(uids.seq(*uid), Some(seq));
            }
            prop_assert_eq!(uids.uid(left.len() as u32 + 1), None);
            for uid in 0..91 {
                prop_assert_eq!(uids.count_above(uid) as usize, left.iter().filter(|known| **known > uid).count());
            }
            let (first, last) = (span.0.min(span.1).max(1) as usize, span.0.max(span.1) as usize);
            let within = left.iter().copied().take(last).skip(first - 1);
            prop_assert_eq!(uids.uids_of_seqs(span.0, span.1), within.collect::<UidSet>());
        }
    }
}
