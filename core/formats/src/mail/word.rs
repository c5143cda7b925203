//! Encoded words (RFC 2047), with what programs make of them.

use super::{body, charset};

/// A decoded encoded word: its bytes in its charset.
struct Word<'a> {
    charset: &'a [u8],
    bytes: Vec<u8>,
    /// Bytes of the source that it took.
    length: usize,
}

/// Decodes the encoded words of an unfolded value. White space between two of them goes away (§6.2), and bytes of
/// neighbours in one charset are put together first, for a character may have been cut in two.
pub(super) fn decode(value: &[u8]) -> String {
    if memchr::memmem::find(value, b"=?").is_none() {
        return charset::guess(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut plain = 0; // where text begins that is not written yet
    let mut pending: Option<(&[u8], Vec<u8>)> = None;
    let mut at = 0;
    while let Some(found) = memchr::memmem::find(&value[at..], b"=?") {
        let start = at + found;
        let Some(word) = parse(&value[start..]) else {
            at = start + 2;
            continue;
        };
        let between = &value[plain..start];
        let neighbours = pending.is_some() && between.iter().all(u8::is_ascii_whitespace);
        match &mut pending {
            Some((charset, bytes)) if neighbours && charset.eq_ignore_ascii_case(word.charset) => {
                bytes.extend_from_slice(&word.bytes);
            }
            _ => {
                flush(&mut out, pending.take());
                if !neighbours {
                    out.push_str(&charset::guess(between));
                }
                pending = Some((word.charset, word.bytes));
            }
        }
        at = start + word.length;
        plain = at;
    }
    flush(&mut out, pending);
    out.push_str(&charset::guess(&value[plain..]));
    out
}

fn flush(out: &mut String, pending: Option<(&[u8], Vec<u8>)>) {
    if let Some((label, bytes)) = pending {
        out.push_str(&charset::decode(&bytes, label));
    }
}

/// The encoded word that `value` begins with: `=?charset?encoding?text?=`.
fn parse(value: &[u8]) -> Option<Word<'_>> {
    let (charset, rest) = token(&value[2..])?;
    let (encoding, rest) = token(rest)?;
    let text = &rest[..end_of_text(rest)?];
    let bytes = match encoding {
        [b'B' | b'b'] => body::base64(text),
        [b'Q' | b'q'] => q(text),
        _ => return None,
    };
    Some(Word { charset, bytes, length: value.len() - rest.len() + text.len() + 2 })
}

/// A token up to `?`; short, so that a value of many `=?` stays cheap.
fn token(value: &[u8]) -> Option<(&[u8], &[u8])> {
    const TOKEN_BYTES_MAX: usize = 64;
    let head = &value[..value.len().min(TOKEN_BYTES_MAX + 1)];
    let end = head.iter().position(|byte| *byte == b'?')?;
    let token = &value[..end];
    let plain = !token.is_empty() && token.iter().all(|byte| byte.is_ascii_graphic());
    plain.then(|| (token, &value[end + 1..]))
}

/// Where `?=` stands. Spaces within are against §2 and common; another `=?` is not part of it.
fn end_of_text(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr(b'?', &text[at..])?;
        match text.get(at + 1) {
            Some(b'=') => return Some(at),
            _ if at > 0 && text[at - 1] == b'=' => return None,
            _ => at += 1,
        }
    }
}

/// The Q encoding (§4.2).
fn q(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'_' => out.push(b' '),
            b'=' => match body::hex_pair(&text[at + 1..]) {
                Some(byte) => {
                    out.push(byte);
                    at += 2;
                }
                None => out.push(b'='),
            },
            byte => out.push(byte),
        }
        at += 1;
    }
    out
}
