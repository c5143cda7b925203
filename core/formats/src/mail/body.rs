//! Bodies out of their transfer encodings (RFC 2045 §6), and as text.

use std::borrow::Cow;

use super::{Inner, Part, charset};

/// A Content-Transfer-Encoding that nobody can take off. Answer UNKNOWN-CTE (RFC 3516 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownEncoding;

impl std::fmt::Display for UnknownEncoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("unknown Content-Transfer-Encoding")
    }
}

impl std::error::Error for UnknownEncoding {}

/// Takes off a part's transfer encoding: what BINARY[…] gives (RFC 3516). Damage is passed over: what cannot be base64
/// is skipped, what cannot be quoted-printable stays as it is.
///
/// # Errors
/// [`UnknownEncoding`] for all but `7bit`, `8bit`, `binary`, `base64`, `quoted-printable` and none.
pub fn decode_body(encoded: &[u8], encoding: Option<&[u8]>) -> Result<Vec<u8>, UnknownEncoding> {
    decoded(encoded, encoding).map(Cow::into_owned)
}

pub(super) fn decoded<'a>(
    encoded: &'a [u8],
    encoding: Option<&[u8]>,
) -> Result<Cow<'a, [u8]>, UnknownEncoding> {
    let encoding = encoding.unwrap_or_default().trim_ascii();
    let is = |name: &str| encoding.eq_ignore_ascii_case(name.as_bytes());
    if ["", "7bit", "8bit", "binary", "7-bit", "8-bit"].iter().any(|name| is(name)) {
        Ok(Cow::Borrowed(encoded))
    } else if is("base64") {
        Ok(Cow::Owned(base64(encoded)))
    } else if is("quoted-printable") {
        Ok(Cow::Owned(quoted_printable(encoded)))
    } else {
        Err(UnknownEncoding)
    }
}

/// A text part's body as UTF-8, its line ends as they are; none when it is no text or its encoding is unknown.
pub fn part_text(bytes: &[u8], part: &Part) -> Option<String> {
    if !part.media_type.eq_ignore_ascii_case(b"text") || part.inner != Inner::Leaf {
        return None;
    }
    let body = decoded(part.body.of(bytes), part.encoding.as_deref()).ok()?;
    Some(charset::decode(&body, part.parameter("charset").unwrap_or_default()))
}

const BAD: u8 = 255;
const BASE64: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [BAD; 256];
    let mut at = 0;
    while at < 64 {
        table[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    table
};

/// Base64 of any damage: other bytes are skipped, and after padding it begins anew, for pieces are put together often.
pub(super) fn base64(encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0);
    let mut at = 0;
    while at < encoded.len() {
        // The usual case: four characters of the alphabet.
        if count == 0
            && let Some(four) = encoded.get(at..at + 4)
        {
            let [a, b, c, d] = [0, 1, 2, 3].map(|i: usize| BASE64[usize::from(four[i])]);
            if a | b | c | d < 64 {
                let word = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
                out.extend_from_slice(&word.to_be_bytes()[1..]);
                at += 4;
                continue;
            }
        }
        let byte = encoded[at];
        at += 1;
        let value = BASE64[usize::from(byte)];
        if value != BAD {
            bits = bits << 6 | u32::from(value);
            count += 1;
            if count == 4 {
                out.extend_from_slice(&bits.to_be_bytes()[1..]);
                (bits, count) = (0, 0);
            }
        } else if byte == b'=' {
            rest(&mut out, bits, count);
            (bits, count) = (0, 0);
        }
    }
    rest(&mut out, bits, count);
    out
}

/// What one to three characters at the end still say.
fn rest(out: &mut Vec<u8>, bits: u32, count: u32) {
    match count {
        2 => out.push((bits >> 4) as u8),
        3 => out.extend_from_slice(&((bits >> 2) as u16).to_be_bytes()),
        _ => {}
    }
}

/// Quoted-printable (RFC 2045 §6.7): white space at the end of a line goes away, a soft line break too.
fn quoted_printable(encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded.len());
    for line in encoded.split_inclusive(|byte| *byte == b'\n') {
        let (text, line_end) = match line.strip_suffix(b"\n") {
            Some(text) => match text.strip_suffix(b"\r") {
                Some(text) => (text, &b"\r\n"[..]),
                None => (text, &b"\n"[..]),
            },
            None => (line, &b""[..]),
        };
        let kept =
            text.len() - text.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        let text = &text[..kept];
        match text.strip_suffix(b"=") {
            Some(text) => quoted_line(&mut out, text),
            None => {
                quoted_line(&mut out, text);
                out.extend_from_slice(line_end);
            }
        }
    }
    out
}

fn quoted_line(out: &mut Vec<u8>, mut text: &[u8]) {
    while let Some(at) = memchr::memchr(b'=', text) {
        out.extend_from_slice(&text[..at]);
        text = &text[at + 1..];
        match hex_pair(text) {
            Some(byte) => {
                out.push(byte);
                text = &text[2..];
            }
            None => out.push(b'='),
        }
    }
    out.extend_from_slice(text);
}

/// The byte that two hexadecimal digits name.
pub(super) fn hex_pair(text: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let (high, low) = (digit(text.first()?)?, digit(text.get(1)?)?);
    Some((high << 4 | low) as u8)
}
