//! Sets of messages, ranges, numbers.

use super::ast::{ByteRange, PartialRange, Set, SetBound};
use super::cursor::Cursor;
use super::{Bad, bad};

/// Ranges of one set at most.
const RANGES_MAX: usize = 20_000;

/// `sequence-set` (RFC 9051 §9), `$` included (RFC 5182).
pub(crate) fn set(cursor: &mut Cursor<'_>) -> Result<Set, Bad> {
    if cursor.eat(b'$') {
        return Ok(Set::Saved);
    }
    let mut ranges = Vec::new();
    loop {
        let first = bound(cursor)?;
        let last = if cursor.eat(b':') { bound(cursor)? } else { first };
        if ranges.len() == RANGES_MAX {
            return Err(bad("this set has too many ranges"));
        }
        ranges.push((first, last));
        if !cursor.eat(b',') {
            return Ok(Set::Ranges(ranges));
        }
    }
}

/// Whether a set, not a word, is next.
pub(crate) fn is_set_next(cursor: &Cursor<'_>) -> bool {
    cursor.peek().is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'$'))
}

/// `seq-number`.
pub(crate) fn bound(cursor: &mut Cursor<'_>) -> Result<SetBound, Bad> {
    if cursor.eat(b'*') { Ok(SetBound::Last) } else { cursor.nz_number().map(SetBound::Number) }
}

/// `partial-range` (RFC 9394 §4): `1:100` or `-1:-100`.
pub(crate) fn partial_range(cursor: &mut Cursor<'_>) -> Result<PartialRange, Bad> {
    let from_end = cursor.eat(b'-');
    let first = cursor.nz_number()?;
    cursor.expect(b':')?;
    if cursor.eat(b'-') != from_end {
        return Err(bad("both ends of a partial range count from the same end"));
    }
    let last = cursor.nz_number()?;
    Ok(PartialRange { first: first.min(last), last: first.max(last), from_end })
}

/// `<offset.length>`, if it is next.
pub(crate) fn byte_range(cursor: &mut Cursor<'_>) -> Result<Option<ByteRange>, Bad> {
    if !cursor.eat(b'<') {
        return Ok(None);
    }
    let offset = cursor.number()?;
    cursor.expect(b'.')?;
    let length = cursor.nz_number()?;
    cursor.expect(b'>')?;
    Ok(Some(ByteRange { offset, length }))
}
