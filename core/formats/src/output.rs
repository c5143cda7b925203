//! Copies lines of the original, and writes the few lines that are ours.

use std::ops::Range;

use crate::component::Component;

/// Bytes of a written line before it is folded (RFC 5545 §3.1: SHOULD NOT be longer than 75 octets).
const LINE_BYTES_MAX: usize = 75;

/// Bytes on their way out, drawn from an original.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    original: &'a [u8],
    bytes: Vec<u8>,
}

impl<'a> Output<'a> {
    pub(crate) fn new(original: &'a [u8]) -> Output<'a> {
        Output { original, bytes: Vec::new() }
    }

    /// Copies a span as it stands, without a byte order mark; a last line without an end gets one.
    pub(crate) fn copy(&mut self, span: Range<usize>) {
        let mut from = span.start;
        if from == 0 && self.original.starts_with(b"\xEF\xBB\xBF") {
            from = span.end.min(3);
        }
        let copied = &self.original[from..span.end];
        self.bytes.extend_from_slice(copied);
        if !copied.is_empty() && !copied.ends_with(b"\n") {
            self.bytes.extend_from_slice(b"\r\n");
        }
    }

    /// Writes a line, folded between characters.
    pub(crate) fn line(&mut self, text: &str) {
        let mut rest = text;
        let mut room = LINE_BYTES_MAX;
        while rest.len() > room {
            let mut cut = room;
            while !rest.is_char_boundary(cut) {
                cut -= 1;
            }
            self.bytes.extend_from_slice(&rest.as_bytes()[..cut]);
            self.bytes.extend_from_slice(b"\r\n ");
            rest = &rest[cut..];
            room = LINE_BYTES_MAX - 1;
        }
        self.bytes.extend_from_slice(rest.as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Copies the line that closes a component; writes one where it is missing.
    pub(crate) fn close(&mut self, component: &Component<'_>) {
        if component.end().is_empty() {
            self.line(&format!("END:{}", component.name()));
        } else {
            self.copy(component.end());
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// A UID made of content: the same content gets the same one.
pub(crate) fn uid_of(content: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in content {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let hex = hasher.finalize().to_hex();
    // The form of a UUID of version 8: "custom" (RFC 9562 §5.8).
    format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}
