//! The `Range` header (RFC 9110 §14), for one range; a set of several is answered with the whole document.

use allod_core::ByteRange;

/// What a `Range` header asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// The whole document: another unit, malformed, or several ranges.
    Whole,
    /// Nothing that the document has: 416.
    Beyond,
    /// These bytes.
    Part(ByteRange),
}

/// Reads a `Range` header for a document of `size` bytes.
pub fn parse(header: &str, size: u64) -> Asked {
    let set = header.split_once('=').filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"));
    let Some((first, last)) = set.and_then(|(_, set)| set.trim().split_once('-')) else {
        return Asked::Whole;
    };
    let number = |digits: &str| -> Option<u64> {
        let sound = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        // A number too large for 64 bits lies beyond any document.
        sound.then(|| digits.parse().unwrap_or(u64::MAX))
    };
    let range = match (first, last) {
        ("", last) => number(last).map(|length| (size - length.min(size), size)),
        (first, "") => number(first).map(|start| (start, size)),
        (first, last) => match (number(first), number(last)) {
            (Some(start), Some(last)) if start <= last => Some((start, last.saturating_add(1).min(size))),
            _ => None,
        },
    };
    match range {
        None => Asked::Whole,
        Some((start, end)) if start < end && start < size => Asked::Part(ByteRange { start, end }),
        Some(_) => Asked::Beyond,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_answers() {
        let part = |start, end| Asked::Part(ByteRange { start, end });
        let table = [
            ("bytes=0-499", 1000, part(0, 500)),
            ("bytes=-500", 10_000, part(9_500, 10_000)),
            ("bytes=9500-", 10_000, part(9_500, 10_000)),
            ("bytes=0-99", 5, part(0, 5)),
            ("bytes=-99", 5, part(0, 5)),
            ("bytes=5-", 5, Asked::Beyond),
            ("bytes=-0", 5, Asked::Beyond),
            ("bytes=0-", 0, Asked::Beyond),
            ("bytes=0-1,3-4", 5, Asked::Whole),
            ("bytes=3-1", 5, Asked::Whole),
            ("bytes=x", 5, Asked::Whole),
            ("items=0-1", 5, Asked::Whole),
        ];
        for (header, size, wanted) in table {
            assert_eq!(parse(header, size), wanted, "{header}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_within(header in "bytes=[0-9-]{0,12}|.*", size in 0_u64..100) {
            if let Asked::Part(range) = parse(&header, size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }
    }
}
