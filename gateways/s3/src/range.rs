//! `Range` as S3 takes it: one range. Several, and what is malformed, are answered with the whole (RFC 9110 §14.2).

use allod_core::ByteRange;

/// What is to be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// Everything.
    Whole,
    /// A part.
    Part(ByteRange),
    /// A part that is not there.
    Unsatisfiable,
}

/// Reads a `Range` header for content of `size` bytes.
pub(crate) fn parse_range(text: &str, size: u64) -> Wanted {
    let Some((unit, range)) = text.trim().split_once('=') else { return Wanted::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Whole;
    }
    let Some((first, last)) = range.trim().split_once('-') else { return Wanted::Whole };
    let (Some(first), Some(last)) = (position(first), position(last)) else { return Wanted::Whole };
    let (start, end) = match (first, last) {
        (None, None) => return Wanted::Whole,
        (None, Some(suffix)) => (size.saturating_sub(suffix), if suffix == 0 { 0 } else { size }),
        (Some(first), None) => (first, size),
        (Some(first), Some(last)) if last < first => return Wanted::Whole,
        (Some(first), Some(last)) => (first, last.saturating_add(1).min(size)),
    };
    if start < end { Wanted::Part(ByteRange { start, end }) } else { Wanted::Unsatisfiable }
}

/// Reads `x-amz-copy-source-range`: both ends named, as S3 demands. `None` when it is not of that form.
pub(crate) fn parse_copy_range(text: &str) -> Option<ByteRange> {
    let (first, last) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (position(first)??, position(last)??);
    (first <= last && last < u64::MAX).then(|| ByteRange { start: first, end: last + 1 })
}

/// `Some(None)` for nothing; `None` for what is no position. A position beyond all sizes is the greatest there is.
fn position(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    text.bytes().all(|b| b.is_ascii_digit()).then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let part = |start, end| Wanted::Part(ByteRange { start, end });
        let table = [
            ("bytes=0-499", 1000, part(0, 500)),
            ("bytes=-500", 10_000, part(9_500, 10_000)),
            ("bytes=-500", 5, part(0, 5)),
            ("bytes=9500-", 10_000, part(9_500, 10_000)),
            ("Bytes = 4-99999999999999999999999", 5, part(4, 5)),
            ("bytes=5-", 5, Wanted::Unsatisfiable),
            ("bytes=5-9", 5, Wanted::Unsatisfiable),
            ("bytes=-0", 5, Wanted::Unsatisfiable),
            ("bytes=0-", 0, Wanted::Unsatisfiable),
            ("bytes=-1", 0, Wanted::Unsatisfiable),
            ("bytes=99999999999999999999999-", 5, Wanted::Unsatisfiable),
            ("bytes=3-1", 5, Wanted::Whole),
            ("bytes=0-1,3-4", 5, Wanted::Whole),
            ("bytes=-", 5, Wanted::Whole),
            ("bytes=+1-2", 5, Wanted::Whole),
            ("bytes", 5, Wanted::Whole),
            ("items=0-1", 5, Wanted::Whole),
        ];
        for (text, size, wanted) in table {
            assert_eq!(parse_range(text, size), wanted, "{text}");
        }
        assert_eq!(parse_copy_range("bytes=1-1"), Some(ByteRange { start: 1, end: 2 }));
        for wrong in ["bytes=1-", "bytes=-1", "1-2", "bytes=2-1", "bytes=a-b", "bytes=0-18446744073709551615"]
        {
            assert_eq!(parse_copy_range(wrong), None, "{wrong}");
        }
    }
}
