//! The `Range` header (RFC 9110 §14).

use allod_core::ByteRange;

/// More ranges than this are answered with the whole file.
pub const RANGES_MAX: usize = 16;

/// What a `Range` header asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ranges {
    /// The whole file: no header, another unit, malformed, or too many ranges.
    Whole,
    /// Nothing that the file has: 416.
    Unsatisfiable,
    /// These, in the order asked for; neighbours that touch or overlap are one.
    Some(Vec<ByteRange>),
}

/// Reads a `Range` header for a file of `size` bytes.
pub fn parse_ranges(header: &str, size: u64) -> Ranges {
    // RFC 9110 §14.2: a unit that is not understood, or a malformed set, is ignored.
    let Some((unit, set)) = header.split_once('=') else { return Ranges::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Ranges::Whole;
    }
    let mut ranges: Vec<ByteRange> = Vec::new();
    let mut count = 0;
    for spec in set.split(',').map(str::trim).filter(|spec| !spec.is_empty()) {
        count += 1;
        if count > RANGES_MAX {
            return Ranges::Whole;
        }
        match parse_spec(spec, size) {
            None => return Ranges::Whole,
            Some(None) => {}
            Some(Some(range)) => add(&mut ranges, range),
        }
    }
    // RFC 9110 §17.15: overlapping ranges must not make the answer larger than the file.
    if ranges.iter().map(|range| range.end - range.start).sum::<u64>() > size {
        return Ranges::Whole;
    }
    match (count, ranges.is_empty()) {
        (0, _) => Ranges::Whole,
        (_, true) => Ranges::Unsatisfiable,
        _ => Ranges::Some(ranges),
    }
}

/// `None`: malformed; `Some(None)`: beyond the end.
fn parse_spec(spec: &str, size: u64) -> Option<Option<ByteRange>> {
    let (first, last) = spec.split_once('-')?;
    if first.is_empty() {
        let length = number(last)?.min(size);
        return Some((length > 0).then(|| ByteRange { start: size - length, end: size }));
    }
    let start = number(first)?;
    let end = match last {
        "" => size,
        last => {
            let last = number(last)?;
            if last < start {
                return None;
            }
            last.saturating_add(1).min(size)
        }
    };
    Some((start < size).then_some(ByteRange { start, end }))
}

/// Digits only; a number too large for 64 bits lies beyond any file.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

fn add(ranges: &mut Vec<ByteRange>, range: ByteRange) {
    if let Some(last) = ranges.last_mut()
        && range.start <= last.end
        && last.start <= range.end
    {
        last.start = last.start.min(range.start);
        last.end = last.end.max(range.end);
        return;
    }
    ranges.push(range);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_answers() {
        let some = |pairs: &[(u64, u64)]| {
            Ranges::Some(pairs.iter().map(|(start, end)| ByteRange { start: *start, end: *end }).collect())
        };
        let many = format!("bytes={}", "0-0,".repeat(17));
        let table = [
            ("bytes=0-499", 1000, some(&[(0, 500)])), // RFC 9110 §14.1.2
            ("bytes=-500", 10_000, some(&[(9_500, 10_000)])),
            ("bytes=9500-", 10_000, some(&[(9_500, 10_000)])),
            ("bytes= 0-0, -1", 10_000, some(&[(0, 1), (9_999, 10_000)])),
            ("bytes=500-600,601-999", 10_000, some(&[(500, 1000)])),
            ("bytes=500-700,601-999", 10_000, some(&[(500, 1000)])),
            ("Bytes=0-", 5, some(&[(0, 5)])),
            ("bytes=0-99", 5, some(&[(0, 5)])),
            ("bytes=-99", 5, some(&[(0, 5)])),
            ("bytes=0-99999999999999999999999", 5, some(&[(0, 5)])),
            ("bytes=9-,0-1", 5, some(&[(0, 2)])),
            ("bytes=0-97,99-,0-97", 100, Ranges::Whole),
            ("bytes=5-", 5, Ranges::Unsatisfiable),
            ("bytes=-0", 5, Ranges::Unsatisfiable),
            ("bytes=0-", 0, Ranges::Unsatisfiable),
            ("bytes=99999999999999999999999-", 5, Ranges::Unsatisfiable),
            ("bytes=3-1", 5, Ranges::Whole),
            ("bytes=+1-2", 5, Ranges::Whole),
            ("bytes=1", 5, Ranges::Whole),
            ("bytes=a-b", 5, Ranges::Whole),
            ("bytes=", 5, Ranges::Whole),
            ("bytes", 5, Ranges::Whole),
            ("items=0-1", 5, Ranges::Whole),
            (many.as_str(), 5, Ranges::Whole),
        ];
        for (header, size, wanted) in table {
            assert_eq!(parse_ranges(header, size), wanted, "{header}");
        }
    }

    proptest! {
        #[test]
        fn ranges_lie_within_the_file(header in "bytes=[0-9,-]{0,30}", size in 0_u64..100) {
            if let Ranges::Some(ranges) = parse_ranges(&header, size) {
                prop_assert!(ranges.iter().all(|r| r.start < r.end && r.end <= size));
            }
        }

        #[test]
        fn never_panics(header: String, size: u64) {
            parse_ranges(&header, size);
        }
    }
}
