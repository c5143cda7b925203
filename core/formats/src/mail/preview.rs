//! A message in some words (RFC 8970).

use super::fold::is_ignorable;
use super::{Inner, Part, body, charset, html};

/// Characters of a preview; RFC 8970 §3.3 recommends 200.
pub const PREVIEW_CHARS_MAX: usize = 200;
/// Bytes of an encoded body that are looked at: of plain text, and of HTML, which begins with styles.
const PLAIN_BYTES_MAX: usize = 8 * 1024;
const HTML_BYTES_MAX: usize = 128 * 1024;

/// The first text for people: plain where there is a choice. Quotes, what announces them, and the signature are left out
/// unless there is nothing else.
pub(super) fn preview(bytes: &[u8], root: &Part) -> String {
    of_part(bytes, root).unwrap_or_default()
}

fn of_part(bytes: &[u8], part: &Part) -> Option<String> {
    match &part.inner {
        Inner::Leaf => of_text(bytes, part),
        Inner::Multipart(parts) if part.subtype.eq_ignore_ascii_case(b"alternative") => {
            let plain = parts.iter().filter(|part| is_plain(part)).find_map(|part| of_part(bytes, part));
            plain.or_else(|| parts.iter().find_map(|part| of_part(bytes, part)))
        }
        Inner::Multipart(parts) => parts.iter().find_map(|part| of_part(bytes, part)),
        Inner::Message(_, inner) => of_part(bytes, inner),
    }
}

fn is_plain(part: &Part) -> bool {
    part.media_type.eq_ignore_ascii_case(b"text") && part.subtype.eq_ignore_ascii_case(b"plain")
}

fn of_text(bytes: &[u8], part: &Part) -> Option<String> {
    let attached =
        part.disposition.as_ref().is_some_and(|found| found.kind.eq_ignore_ascii_case(b"attachment"));
    let html = part.subtype.eq_ignore_ascii_case(b"html");
    if attached || !(html || is_plain(part)) {
        return None;
    }
    let whole = part.body.of(bytes);
    let encoded = &whole[..whole.len().min(if html { HTML_BYTES_MAX } else { PLAIN_BYTES_MAX })];
    let decoded = body::decoded(encoded, part.encoding.as_deref()).ok()?;
    let mut decoded = &decoded[..];
    // A character that was cut would make UTF-8 look like something else.
    if encoded.len() < whole.len()
        && let Err(error) = std::str::from_utf8(decoded)
        && error.error_len().is_none()
    {
        decoded = &decoded[..error.valid_up_to()];
    }
    let text = charset::decode(decoded, part.parameter("charset").unwrap_or_default());
    let preview = if html {
        let own = shorten(html::to_text_without_quotes(&text).lines());
        if own.is_empty() { shorten(html::to_text(&text).lines()) } else { own }
    } else {
        let own = shorten(own_lines(&text).into_iter());
        if own.is_empty() { shorten(text.lines()) } else { own }
    };
    (!preview.is_empty()).then_some(preview)
}

/// The lines that are no quotes, up to the signature.
fn own_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = Vec::new();
    let mut chars = 0;
    for line in text.lines() {
        // RFC 3676 §4.3; the space at its end gets lost often.
        if line.trim_end() == "--" {
            break;
        }
        if line.starts_with('>') {
            // `On Monday, Jane wrote:`
            let announced = lines.iter().rposition(|line| !line.trim().is_empty());
            if let Some(at) = announced.filter(|at| lines[*at].trim_end().ends_with(':')) {
                lines.truncate(at);
            }
            continue;
        }
        chars += line.trim().len();
        lines.push(line);
        // Enough even if a line goes.
        if chars > 8 * PREVIEW_CHARS_MAX {
            break;
        }
    }
    lines
}

/// White space collapsed, and no more characters than a preview has.
fn shorten<'a>(pieces: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    let mut left = PREVIEW_CHARS_MAX;
    for piece in pieces {
        let mut begins = true;
        for c in piece.chars() {
            if is_ignorable(c) {
                continue;
            }
            if c.is_whitespace() || c.is_control() {
                begins = true;
                continue;
            }
            let space = begins && !out.is_empty();
            if left < 1 + usize::from(space) {
                return out;
            }
            out.extend(space.then_some(' '));
            out.push(c);
            left -= 1 + usize::from(space);
            begins = false;
        }
    }
    out
}
