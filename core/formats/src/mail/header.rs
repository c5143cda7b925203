//! The fields of a header as they stand there (RFC 5322 §2.2), and what IMAP asks of them.

use std::collections::HashSet;

use super::lexer::is_white;
use super::{Span, charset, word};

/// One field of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name as given, without white space before the colon.
    pub name: &'a [u8],
    /// The whole field within the header: folds and line end included.
    pub span: Span,
    /// What stands after the colon, folds included, without the line end.
    pub value: Span,
}

/// The fields of a header, in order. It ends at the first empty line; a line that is no field is passed over, and so is
/// what is folded below it.
pub fn fields(header: &[u8]) -> Fields<'_> {
    Fields { header: super::addressable(header), at: 0, ended: false }
}

/// See [`fields`].
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    header: &'a [u8],
    at: usize,
    /// The empty line was read.
    ended: bool,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            if let (_, Some(field)) = self.line()? {
                return Some(field);
            }
        }
    }
}

impl<'a> Fields<'a> {
    /// The next line with its folds, and the field it is, if it is one.
    fn line(&mut self) -> Option<(Span, Option<Field<'a>>)> {
        let start = self.at;
        let end = logical_line(self.header, start)?;
        self.at = end;
        let text_end = without_line_end(self.header, start, end);
        let line = &self.header[start..text_end];
        if line.is_empty() {
            self.at = self.header.len();
            self.ended = true;
            return None;
        }
        let span = super::span(start, end);
        let field = colon(line).and_then(|colon| {
            let name = line[..colon].trim_ascii_end();
            let value = super::span(start + colon + 1, text_end);
            (!name.is_empty() && !is_blank(line[0])).then_some(Field { name, span, value })
        });
        Some((span, field))
    }
}

/// The colon that ends a field's name: it must stand in the line's first physical line.
fn colon(line: &[u8]) -> Option<usize> {
    match memchr::memchr2(b':', b'\n', line) {
        Some(at) if line[at] == b':' => Some(at),
        _ => None,
    }
}

/// Length of the header that a message begins with, its empty line included.
pub(super) fn length(message: &[u8]) -> usize {
    let mut at = 0;
    while let Some(length) = memchr::memchr(b'\n', &message[at..]) {
        let line = &message[at..=at + length];
        at += length + 1;
        if line == b"\n" || line == b"\r\n" {
            return at;
        }
    }
    message.len()
}

/// Where the line at `start` ends with all that is folded below it; none at the end of the header.
fn logical_line(header: &[u8], start: usize) -> Option<usize> {
    if start >= header.len() {
        return None;
    }
    let mut end = start;
    loop {
        end = memchr::memchr(b'\n', &header[end..]).map_or(header.len(), |at| end + at + 1);
        let empty = end == start + 1 || &header[start..end] == b"\r\n";
        if empty || !header.get(end).copied().is_some_and(is_blank) {
            return Some(end);
        }
    }
}

fn without_line_end(header: &[u8], start: usize, end: usize) -> usize {
    let line = &header[start..end];
    let Some(line) = line.strip_suffix(b"\n") else { return end };
    start + line.strip_suffix(b"\r").unwrap_or(line).len()
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The fields of those names – with `not`, all other lines, even those that are no fields – as they stand there and in
/// their order, then an empty line: BODY[HEADER.FIELDS (…)] and BODY[HEADER.FIELDS.NOT (…)]. The case of names does not
/// matter. With `not` a header that lacks the empty line (a message without a body) stays without it.
pub fn select(header: &[u8], names: &[impl AsRef<[u8]>], not: bool) -> Vec<u8> {
    /// Up to so many names are compared one after the other; more of them are looked up.
    const FEW_NAMES: usize = 48;
    let many: Option<HashSet<Vec<u8>>> = (names.len() > FEW_NAMES)
        .then(|| names.iter().map(|name| name.as_ref().to_ascii_lowercase()).collect());
    let is_named = |name: &[u8]| match &many {
        Some(many) => many.contains(&name.to_ascii_lowercase()),
        None => names.iter().any(|known| known.as_ref().eq_ignore_ascii_case(name)),
    };
    let mut out = Vec::with_capacity(header.len().min(2048));
    let mut lines = fields(header);
    while let Some((span, field)) = lines.line() {
        let named = field.is_some_and(|field| is_named(field.name));
        if named != not {
            let bytes = span.of(header);
            out.extend_from_slice(bytes);
            if !not && !bytes.ends_with(b"\n") {
                out.extend_from_slice(b"\r\n");
            }
        }
    }
    // RFC 9051 §6.4.5: the empty line belongs to every subset of the header, unless there is none and no body. For a
    // list of fields Dovecot writes it nevertheless, as clients expect.
    if !not || lines.ended {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// What all fields of that name say, in order: unfolded, without white space around, encoded words decoded (RFC 2047),
/// other bytes read as UTF-8, else as Windows-1252.
pub fn values(header: &[u8], name: &str) -> Vec<String> {
    let of_name = fields(header).filter(|field| field.name.eq_ignore_ascii_case(name.as_bytes()));
    of_name.map(|field| decoded(field.value.of(header))).collect()
}

/// A field's value for people.
pub(super) fn decoded(value: &[u8]) -> String {
    word::decode(unfold(value).trim_ascii_end())
}

/// A field's value on one line: line ends are taken out, the white space of a fold stays as it is, and that at the end.
pub(super) fn unfold(value: &[u8]) -> Vec<u8> {
    let value = value.trim_ascii_start();
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return value.to_vec();
    }
    value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect()
}

/// A field's value with each run of white space as one space, and none at the ends.
pub(super) fn collapse(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for word in value.split(|byte| is_white(*byte)).filter(|word| !word.is_empty()) {
        out.extend((!out.is_empty()).then_some(b' '));
        out.extend_from_slice(word);
    }
    out
}

/// Bytes without a charset of their own.
pub(super) fn text(bytes: &[u8]) -> String {
    charset::guess(bytes)
}
