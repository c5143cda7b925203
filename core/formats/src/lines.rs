//! Logical lines of iCalendar and vCard, each with the bytes it came from: RFC 5545 §3.1, RFC 6350 §3.2.

use std::borrow::Cow;
use std::ops::Range;

/// One logical line: what it says, unfolded, and where it stands in the original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The bytes of the original, folds and line end included.
    pub span: Range<usize>,
    /// The line without folds and line end. Bytes that are not UTF-8 are read as Windows-1252.
    pub text: Cow<'a, str>,
    /// Whether the bytes were UTF-8.
    pub utf8: bool,
}

/// Cuts bytes into logical lines. The spans of all lines, put together, are the input.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    /// Reads `bytes` from the start; a byte order mark belongs to the first line's span and not to its text.
    pub fn new(bytes: &'a [u8]) -> Self {
        Lines { bytes, at: 0 }
    }

    /// The physical line at `from`: where its text ends, and where the next one starts.
    fn physical(&self, from: usize) -> (usize, usize) {
        match self.bytes[from..].iter().position(|byte| *byte == b'\n') {
            Some(length) => {
                let end = from + length;
                let text_end = if end > from && self.bytes[end - 1] == b'\r' { end - 1 } else { end };
                (text_end, end + 1)
            }
            None => {
                let end = self.bytes.len();
                let text_end = if end > from && self.bytes[end - 1] == b'\r' { end - 1 } else { end };
                (text_end, end)
            }
        }
    }

    fn folded(&self, at: usize) -> bool {
        matches!(self.bytes.get(at), Some(b' ' | b'\t'))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let start = self.at;
        if start >= self.bytes.len() {
            return None;
        }
        let text_start = if start == 0 && self.bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { start };
        let (text_end, mut next) = self.physical(text_start);
        let first = &self.bytes[text_start..text_end];
        let mut joined: Option<Vec<u8>> = None;
        let soft_breaks = is_quoted_printable(first);
        loop {
            let soft = soft_breaks && joined.as_deref().unwrap_or(first).ends_with(b"=");
            let folded = self.folded(next);
            if next >= self.bytes.len() || !(soft || folded) {
                break;
            }
            let (text_end, after) = self.physical(next);
            let text = joined.get_or_insert_with(|| first.to_vec());
            if soft {
                text.pop();
            }
            let from = if folded && !soft { next + 1 } else { next };
            text.extend_from_slice(&self.bytes[from..text_end]);
            next = after;
        }
        self.at = next;
        let (text, utf8) = match joined {
            Some(bytes) => match String::from_utf8(bytes) {
                Ok(text) => (Cow::Owned(text), true),
                Err(error) => (Cow::Owned(windows_1252(error.as_bytes())), false),
            },
            None => match std::str::from_utf8(first) {
                Ok(text) => (Cow::Borrowed(text), true),
                Err(_) => (Cow::Owned(windows_1252(first)), false),
            },
        };
        Some(Line { span: start..next, text, utf8 })
    }
}

/// Whether a line's parameters say that `=` at its end is a soft break (vCard 2.1 §2.1.3).
fn is_quoted_printable(line: &[u8]) -> bool {
    const WORD: &[u8] = b"QUOTED-PRINTABLE";
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return false };
    line[..colon].windows(WORD.len()).any(|window| window.eq_ignore_ascii_case(WORD))
}

/// Reads bytes of unknown make: a total mapping, so nothing is refused and the length stays bounded.
pub(crate) fn windows_1252(bytes: &[u8]) -> String {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    let map = |byte: &u8| match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        _ => char::from(*byte),
    };
    bytes.iter().map(map).collect()
}
