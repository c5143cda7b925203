//! The structure of a message: one pass over its lines, each part with its exact place.

use super::header::Field;
use super::{
    ADDRESSES_MAX, DEPTH_MAX, Envelope, Inner, PARTS_MAX, Part, Span, content, envelope, header, parameter,
    span,
};

/// Takes a message apart: its envelope, and itself as a part.
pub(super) fn message(bytes: &[u8]) -> (Envelope, Part) {
    let mut scanner = Scanner {
        bytes,
        at: 0,
        lines: 0,
        floor: 0,
        boundaries: Vec::new(),
        parts: 0,
        addresses: ADDRESSES_MAX,
    };
    let (envelope, part, _) = scanner.part(Sort::Message, 0);
    (envelope, part)
}

/// What a part is when its header does not say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// The content of `message/rfc822`, or the whole: it has an envelope.
    Message,
    /// In a multipart: text.
    Plain,
    /// In `multipart/digest`: a message (RFC 2046 §5.1.5).
    Digest,
}

/// What ended a part.
#[derive(Clone, Copy, Debug)]
struct End {
    /// Where its bytes end: before the line end that belongs to the boundary.
    at: usize,
    /// Line ends before `at`.
    lines: u32,
    /// Which boundary it was, and whether it was the closing one; none at the end of the message.
    boundary: Option<(usize, bool)>,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    /// Start of a line that is not read yet.
    at: usize,
    /// Line ends before `at`.
    lines: u32,
    /// What follows the last boundary: a part does not end before it begins.
    floor: usize,
    /// Boundaries of the multiparts around, outermost first.
    boundaries: Vec<Vec<u8>>,
    parts: usize,
    addresses: usize,
}

impl<'a> Scanner<'a> {
    /// Reads a part from its header on.
    fn part(&mut self, sort: Sort, depth: usize) -> (Envelope, Part, End) {
        self.parts += 1;
        let start = self.at;
        let cut = self.header();
        let mut part = Part { header: span(start, cut.map_or(self.at, |end| end.at)), ..Part::default() };
        let envelope = self.describe(&mut part, sort);
        let lines = self.lines;
        let end = match cut {
            Some(end) => {
                part.inner = without_body(&part, end.at);
                end
            }
            None => self.body(&mut part, depth),
        };
        // Without a body the boundary's line end is taken from the header.
        let bound = |at: u32| at.min(end.at as u32);
        let (start, body) = (bound(part.header.start), bound(part.header.end));
        part.header = Span { start, end: body };
        part.body = span(body as usize, end.at);
        part.lines = end.lines.saturating_sub(lines);
        (envelope, part, end)
    }

    /// Reads a header up to and with its empty line. Some: a boundary cut it off.
    fn header(&mut self) -> Option<End> {
        loop {
            let start = self.at;
            if start >= self.bytes.len() {
                return None;
            }
            let lines = self.lines;
            let line = self.line();
            if line == b"\n" || line == b"\r\n" {
                return None;
            }
            if let Some(boundary) = self.boundary(line) {
                return Some(self.end(start, lines, boundary));
            }
        }
    }

    /// Fills in what the header says.
    fn describe(&mut self, part: &mut Part, sort: Sort) -> Envelope {
        let bytes = part.header.of(self.bytes);
        let mut envelope = Envelope::default();
        for Field { name, value, .. } in header::fields(bytes) {
            let value = value.of(bytes);
            content::describe(part, name, value);
            if sort == Sort::Message {
                self.addresses -= envelope::note(&mut envelope, name, value, self.addresses);
            }
        }
        // RFC 2045 §5.2: so is what has no valid type.
        if part.media_type.is_empty() || part.subtype.is_empty() {
            part.parameters.clear();
            let (media_type, subtype) =
                if sort == Sort::Digest { ("message", "rfc822") } else { ("text", "plain") };
            (part.media_type, part.subtype) = (media_type.into(), subtype.into());
        }
        envelope
    }

    fn body(&mut self, part: &mut Part, depth: usize) -> End {
        let full = depth >= DEPTH_MAX || self.parts >= PARTS_MAX;
        if part.media_type.eq_ignore_ascii_case(b"multipart") {
            let boundary = parameter::joined(&part.parameters, "boundary").filter(|_| !full);
            let Some((mut boundary, _)) = boundary else {
                part.inner = Inner::Multipart(Vec::new());
                return self.pass_to_boundary();
            };
            boundary.truncate(BOUNDARY_BYTES_MAX);
            let (parts, end) = self.multipart(boundary, part.subtype.eq_ignore_ascii_case(b"digest"), depth);
            part.inner = Inner::Multipart(parts);
            return end;
        }
        if part.is_message() {
            let (envelope, inner, end) =
                if full { self.opaque() } else { self.part(Sort::Message, depth + 1) };
            part.inner = Inner::Message(Box::new(envelope), Box::new(inner));
            return end;
        }
        self.pass_to_boundary()
    }

    /// A message that is not looked into: a text without a header.
    fn opaque(&mut self) -> (Envelope, Part, End) {
        let (start, lines) = (self.at, self.lines);
        let end = self.pass_to_boundary();
        let lines = end.lines.saturating_sub(lines);
        (Envelope::default(), Part { lines, ..plain(start.min(end.at), end.at) }, end)
    }

    /// Reads the parts of a multipart and what stands around them.
    fn multipart(&mut self, boundary: Vec<u8>, digest: bool, depth: usize) -> (Vec<Part>, End) {
        let own = self.boundaries.len();
        self.boundaries.push(boundary);
        let mut parts = Vec::new();
        let mut end = self.pass_to_boundary();
        while let Some((index, closing)) = end.boundary
            && index == own
        {
            if closing {
                self.boundaries.truncate(own);
                return (parts, self.pass_to_boundary());
            }
            if self.parts >= PARTS_MAX {
                // The rest is one leaf: its boundary means nothing any more.
                self.boundaries.truncate(own);
            }
            let (_, part, ended) = self.part(if digest { Sort::Digest } else { Sort::Plain }, depth + 1);
            parts.push(part);
            end = ended;
        }
        self.boundaries.truncate(own);
        (parts, end)
    }

    /// Passes lines up to and with the next boundary.
    fn pass_to_boundary(&mut self) -> End {
        loop {
            let start = self.at;
            if start >= self.bytes.len() {
                return End { at: self.bytes.len(), lines: self.lines, boundary: None };
            }
            let lines = self.lines;
            let line = self.line();
            if let Some(boundary) = self.boundary(line) {
                return self.end(start, lines, boundary);
            }
        }
    }

    /// A part's end at the boundary line that stands at `at` and was just read. The line end before it belongs to the
    /// boundary (RFC 2046 §5.1.1).
    fn end(&mut self, at: usize, lines: u32, boundary: (usize, bool)) -> End {
        let body = &self.bytes[self.floor.min(at)..at];
        let (length, lines) = match body.strip_suffix(b"\n") {
            Some(text) => (body.len() - text.strip_suffix(b"\r").unwrap_or(text).len(), lines - 1),
            None => (0, lines),
        };
        self.floor = self.at;
        End { at: at - length, lines, boundary: Some(boundary) }
    }

    /// Reads a line with its end.
    fn line(&mut self) -> &'a [u8] {
        let start = self.at;
        match memchr::memchr(b'\n', &self.bytes[start..]) {
            Some(length) => {
                self.at = start + length + 1;
                self.lines += 1;
            }
            None => self.at = self.bytes.len(),
        }
        &self.bytes[start..self.at]
    }

    /// The boundary that a line is, and whether it is a closing one. What follows on the line does not matter
    /// (RFC 2046 §5.1.1: only white space may), for boundaries get cut; of several the longest counts, then the inner.
    fn boundary(&self, line: &[u8]) -> Option<(usize, bool)> {
        let text = line.strip_prefix(b"--")?;
        if self.boundaries.is_empty() {
            return None;
        }
        let text = &text[..text.len().min(BOUNDARY_BYTES_MAX + 4)].trim_ascii_end();
        let mut best: Option<usize> = None;
        for (index, boundary) in self.boundaries.iter().enumerate().rev() {
            if text.starts_with(boundary)
                && best.is_none_or(|best| self.boundaries[best].len() < boundary.len())
            {
                best = Some(index);
                if text[boundary.len()..].is_empty() || &text[boundary.len()..] == b"--" {
                    break;
                }
            }
        }
        best.map(|index| (index, text[self.boundaries[index].len()..].starts_with(b"--")))
    }
}

/// A text without a header.
fn plain(start: usize, end: usize) -> Part {
    Part {
        header: span(start, start),
        body: span(start, end),
        media_type: b"text".to_vec(),
        subtype: b"plain".to_vec(),
        ..Part::default()
    }
}

/// What is in a part whose header was cut off by a boundary.
fn without_body(part: &Part, at: usize) -> Inner {
    if part.is_message() {
        Inner::Message(Box::default(), Box::new(plain(at, at)))
    } else if part.media_type.eq_ignore_ascii_case(b"multipart") {
        Inner::Multipart(Vec::new())
    } else {
        Inner::Leaf
    }
}

/// Longest boundary that is told from another, in bytes; 70 are allowed (RFC 2046 §5.1.1).
const BOUNDARY_BYTES_MAX: usize = 200;
