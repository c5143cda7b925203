//! What SEARCH looks through (RFC 9051 §6.4.4: HEADER apart, TEXT and BODY).

use std::borrow::Cow;

use super::body::decoded;
use super::fold::fold_into;
use super::{Facts, Inner, Part, SEARCH_TEXT_BYTES_MAX, header, html, part_text, structure};

/// The text of a message in [folded](super::fold) form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchText {
    /// All headers, those of parts and inner messages too: `name: value`, and the decoded names of files. A space stands
    /// between fields.
    pub header: String,
    /// All text parts, those of inner messages too; of HTML, what it shows. A space stands between parts.
    pub body: String,
}

/// Gives what SEARCH TEXT and BODY look through: headers with encoded words decoded, texts out of their encodings and
/// charsets. Each is at most [`SEARCH_TEXT_BYTES_MAX`] long; what comes later is not found.
pub fn search_text(bytes: &[u8], facts: &Facts) -> SearchText {
    let mut text = SearchText::default();
    collect(bytes, &facts.root, 0, &mut text);
    text
}

fn collect(bytes: &[u8], part: &Part, depth: usize, text: &mut SearchText) {
    headers(part.header.of(bytes), &mut text.header);
    if let Some(name) = part.file_name() {
        add(&name, &mut text.header);
    }
    match &part.inner {
        Inner::Leaf if text.body.len() < SEARCH_TEXT_BYTES_MAX => {
            if let Some(shown) = shown(bytes, part) {
                add(&shown, &mut text.body);
            }
        }
        Inner::Leaf => {}
        Inner::Multipart(parts) => parts.iter().for_each(|part| collect(bytes, part, depth, text)),
        Inner::Message(_, inner) => match decoded(part.body.of(bytes), part.encoding.as_deref()) {
            // RFC 2046 §5.2.1 forbids to encode a message; it is found nevertheless.
            Ok(Cow::Owned(message)) if depth < ENCODED_DEPTH_MAX => {
                collect(&message, &structure::message(&message).1, depth + 1, text);
            }
            _ => collect(bytes, inner, depth, text),
        },
    }
}

/// Encoded messages within encoded messages that are looked into.
const ENCODED_DEPTH_MAX: usize = 4;

/// A text part as it is shown.
pub(super) fn shown(bytes: &[u8], part: &Part) -> Option<String> {
    let text = part_text(bytes, part)?;
    Some(if part.subtype.eq_ignore_ascii_case(b"html") { html::to_text(&text) } else { text })
}

fn headers(bytes: &[u8], out: &mut String) {
    for field in header::fields(bytes) {
        if out.len() >= SEARCH_TEXT_BYTES_MAX {
            return;
        }
        add(&header::text(field.name), out);
        out.push_str(": ");
        fold_into(&header::decoded(field.value.of(bytes)), out, SEARCH_TEXT_BYTES_MAX);
    }
}

/// Adds a text and a space before it.
fn add(text: &str, out: &mut String) {
    if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
    fold_into(text, out, SEARCH_TEXT_BYTES_MAX);
}
