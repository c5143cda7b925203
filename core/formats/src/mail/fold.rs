//! The form of texts that are searched.

use unicode_normalization::UnicodeNormalization;

/// The form in which texts are compared: no case and no compatibility forms (RFC 5051 in spirit; canonical order, case
/// folded to lower case), and each run of white space is one space, so that a phrase is found whether or not a line ends
/// in it. Control characters and what shows nothing are left out. Folding twice changes nothing.
///
/// White space at the ends stays, as one space: `fold("a ")` is not found at the end of `ab`.
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold_into(text, &mut out, usize::MAX);
    out
}

/// Adds the folded text until `out` has `max` bytes; it ends at a character. False: there was more.
pub(super) fn fold_into(text: &str, out: &mut String, max: usize) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        // Texts are mostly ASCII: they go a road of their own, but for a character before a combining one.
        let ascii = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
        let ascii = if ascii == rest.len() { ascii } else { ascii.saturating_sub(1) };
        if !fold_ascii(&rest[..ascii], out, max) {
            return false;
        }
        rest = &rest[ascii..];
        let other = other_length(rest);
        if !fold_other(&rest[..other], out, max) {
            return false;
        }
        rest = &rest[other..];
    }
    true
}

fn fold_ascii(text: &str, out: &mut String, max: usize) -> bool {
    let room = max.saturating_sub(out.len());
    let mut spaced = out.ends_with(' ');
    let mut folded = [0; 512];
    for piece in text.as_bytes()[..text.len().min(room)].chunks(folded.len()) {
        let mut length = 0;
        for byte in piece {
            let to = ASCII[usize::from(*byte)];
            folded[length] = to;
            // Without a branch: what is to be left out is written over.
            length += usize::from(to != 0 && !(spaced && to == b' '));
            spaced = to == b' ' || spaced && to == 0;
        }
        out.push_str(std::str::from_utf8(&folded[..length]).unwrap_or_default());
    }
    text.len() <= room
}

/// What becomes of an ASCII character; 0: nothing.
const ASCII: [u8; 128] = {
    let mut table = [0; 128];
    let mut at = b' ';
    while at < 127 {
        table[at as usize] = at.to_ascii_lowercase();
        at += 1;
    }
    let white = [b'\t', b'\n', 0x0b, 0x0c, b'\r'];
    let mut at = 0;
    while at < white.len() {
        table[white[at] as usize] = b' ';
        at += 1;
    }
    table
};

/// How far the text is that must be looked at as a whole: up to two ASCII characters in a row.
fn other_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = usize::from(bytes.first().is_some_and(u8::is_ascii));
    while at < bytes.len() {
        if bytes[at].is_ascii() && bytes.get(at + 1).is_none_or(u8::is_ascii) {
            return at;
        }
        at += 1;
    }
    at
}

fn fold_other(text: &str, out: &mut String, max: usize) -> bool {
    // Lower case of a decomposed character can be composed anew and the other way round: two rounds settle it.
    for c in text.nfkd().flat_map(simple_fold).nfkd().flat_map(simple_fold).nfkd() {
        if out.len() >= max {
            return false;
        }
        push(c, out);
    }
    true
}

/// Case folding: upper case first, so that `ß`, `ς` and the like have one form.
fn simple_fold(c: char) -> impl Iterator<Item = char> {
    c.to_uppercase().flat_map(char::to_lowercase)
}

fn push(c: char, out: &mut String) {
    if c.is_whitespace() {
        if !out.ends_with(' ') {
            out.push(' ');
        }
    } else if !c.is_control() && !is_ignorable(c) {
        out.push(c);
    }
}

/// Characters that show nothing: soft hyphens, joiners, marks of direction, what newsletters fill their first lines with.
pub(super) fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}
