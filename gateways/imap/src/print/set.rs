//! Sets of numbers (RFC 9051 §9, `sequence-set`).

use allod_core::mail::{UidSet, Uids};

use crate::wire::Output;

/// `1:3,7`
pub(crate) fn set(out: &mut Output, set: &UidSet) {
    ranges(out, set.ranges().iter().copied());
}

/// The same as text, for response codes.
pub(crate) fn text(set: &UidSet) -> String {
    let mut text = String::new();
    for (first, last) in set.ranges() {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&first.to_string());
        if last > first {
            text.push(':');
            text.push_str(&last.to_string());
        }
    }
    text
}

/// The numbers of messages instead of their UIDs.
pub(crate) fn seqs(uids: &UidSet, view: &Uids) -> UidSet {
    let in_view = view.to_set().intersection(uids);
    let ends = in_view.ranges().iter();
    // A range of UIDs that are all in the view has no gap in it.
    UidSet::from_ranges(ends.filter_map(|(first, last)| Some((view.seq(*first)?, view.seq(*last)?))))
}

/// Numbers in the order given, neighbours put together: RFC 4315 §3 pairs both sets of a COPYUID in that order.
pub(crate) fn ordered(numbers: impl IntoIterator<Item = u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some(open) if open.1.checked_add(1) == Some(number) => open.1 = number,
            _ => ranges.push((number, number)),
        }
    }
    let words = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}:{last}"),
    });
    words.collect::<Vec<_>>().join(",")
}

fn ranges(out: &mut Output, ranges: impl Iterator<Item = (u32, u32)>) {
    for (nth, (first, last)) in ranges.enumerate() {
        out.raw(if nth == 0 { "" } else { "," }).number(first.into());
        if last > first {
            out.raw(":").number(last.into());
        }
    }
}
