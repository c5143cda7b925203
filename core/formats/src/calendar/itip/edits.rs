//! Changes of an original: lines replaced, left out, put in; everything else is copied to the byte.

use std::ops::Range;

use crate::output::Output;
use crate::property::{Property, caret_encoded};

/// Changes gathered for an original.
#[derive(Clone, Debug)]
pub(super) struct Edits<'a> {
    original: &'a [u8],
    list: Vec<(Range<usize>, Vec<u8>)>,
}

impl<'a> Edits<'a> {
    pub(super) fn new(original: &'a [u8]) -> Edits<'a> {
        Edits { original, list: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn remove(&mut self, span: Range<usize>) {
        self.list.push((span, Vec::new()));
    }

    /// Puts bytes in before what stands at `at`.
    pub(super) fn insert(&mut self, at: usize, bytes: &[u8]) {
        self.list.push((at..at, ended(bytes)));
    }

    /// Writes bytes in place of others.
    pub(super) fn replace(&mut self, span: Range<usize>, bytes: &[u8]) {
        self.list.push((span, ended(bytes)));
    }

    /// Puts a line in before what stands at `at`.
    pub(super) fn insert_line(&mut self, at: usize, text: &str) {
        self.list.push((at..at, folded(text)));
    }

    /// Writes a line in place of another.
    pub(super) fn replace_line(&mut self, span: Range<usize>, text: &str) {
        self.list.push((span, folded(text)));
    }

    /// Changes parameters of a property; nothing is done when that would change nothing. A property is changed once.
    pub(super) fn set_parameters(&mut self, property: &Property<'_>, changes: &[(&str, Option<&str>)]) {
        let text = with_parameters(property, changes);
        if text != property.text() {
            self.replace_line(property.span(), &text);
        }
    }

    /// A part of the original with the changes that lie in it.
    pub(super) fn render(&self, span: Range<usize>) -> Vec<u8> {
        let mut list: Vec<&(Range<usize>, Vec<u8>)> =
            self.list.iter().filter(|(at, _)| at.start >= span.start && at.end <= span.end).collect();
        // Stable: what is put in at one place stays in its order, before what is replaced there.
        list.sort_by_key(|(at, _)| (at.start, at.end));
        let mut bytes = Vec::with_capacity(span.len() + 256);
        let mut from = span.start;
        for (at, new) in list {
            // Within what is already left out.
            if at.start < from {
                continue;
            }
            bytes.extend_from_slice(&self.original[from..at.start]);
            if !new.is_empty() && !bytes.is_empty() && !bytes.ends_with(b"\n") {
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(new);
            from = at.end;
        }
        bytes.extend_from_slice(&self.original[from..span.end]);
        bytes
    }

    /// The whole.
    pub(super) fn finish(&self) -> Vec<u8> {
        self.render(0..self.original.len())
    }
}

/// Bytes with a line end behind them.
pub(super) fn ended(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn folded(text: &str) -> Vec<u8> {
    let mut out = Output::new(b"");
    out.line(text);
    out.finish()
}

/// A property's line with parameters set (`Some`) or left out (`None`); the others stay as they were written.
pub(super) fn with_parameters(property: &Property<'_>, changes: &[(&str, Option<&str>)]) -> String {
    let head = property.head();
    let name_end = head.find(';').unwrap_or(head.len());
    let mut text = head[..name_end].to_owned();
    let mut done = vec![false; changes.len()];
    for parameter in property.parameters() {
        let found = changes.iter().position(|(name, _)| parameter.name().eq_ignore_ascii_case(name));
        let Some(place) = found else {
            text.push_str(parameter.as_written());
            continue;
        };
        let (name, value) = changes[place];
        match value {
            Some(value) if !std::mem::replace(&mut done[place], true) => {
                let same = parameter.values().next().is_some_and(|old| old == value);
                match same {
                    true => text.push_str(parameter.as_written()),
                    false => text.push_str(&format!(";{name}={}", caret_encoded(value))),
                }
            }
            _ => {}
        }
    }
    for ((name, value), done) in changes.iter().zip(done) {
        if let (Some(value), false) = (value, done) {
            text.push_str(&format!(";{name}={}", caret_encoded(value)));
        }
    }
    text.push(':');
    text.push_str(property.value());
    text
}
