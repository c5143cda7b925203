//! The base subject (RFC 5256 §2.1).

use super::{header, word};

/// Takes from a Subject what marks replies, forwards and lists. The second is true when it was a reply or forward. The
/// case of what is left is kept; whoever compares uses [`collate`](super::collate).
pub fn base_subject(subject: &[u8]) -> (String, bool) {
    // Step 1: to UTF-8, each run of white space is one space.
    let decoded = word::decode(&header::collapse(subject));
    let decoded = String::from_utf8_lossy(&header::collapse(decoded.as_bytes())).into_owned();
    let mut text = decoded.as_str();
    let mut is_reply = false;
    loop {
        // Step 2.
        loop {
            let trimmed = text.trim_end_matches([' ', '\t']);
            match strip_suffix(trimmed, "(fwd)") {
                Some(rest) => {
                    text = rest;
                    is_reply = true;
                }
                None => {
                    text = trimmed;
                    break;
                }
            }
        }
        // Steps 3 to 5.
        while let Some(rest) = without_leader(text, &mut is_reply) {
            text = rest;
        }
        // Step 6.
        match strip_prefix(text, "[fwd:").and_then(|rest| rest.strip_suffix(']')) {
            Some(rest) => {
                text = rest;
                is_reply = true;
            }
            None => return (text.to_owned(), is_reply),
        }
    }
}

/// The text without what leads it; none when nothing does.
fn without_leader<'a>(text: &'a str, is_reply: &mut bool) -> Option<&'a str> {
    if text.starts_with([' ', '\t']) {
        return Some(text.trim_start_matches([' ', '\t']));
    }
    // All blobs at once: each alone would be looked at again and again.
    let (mut rest, mut last) = (text, text);
    while let Some(after) = blob(rest) {
        (last, rest) = (rest, after);
    }
    if let Some(after) = refwd(rest) {
        *is_reply = true;
        return Some(after);
    }
    // Step 4: not if nothing was left.
    let kept = if rest.is_empty() { last } else { rest };
    (kept.len() < text.len()).then_some(kept)
}

/// `subj-blob`: `[…]` and white space.
fn blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    let rest = inner[end..].strip_prefix(']')?;
    Some(rest.trim_start_matches([' ', '\t']))
}

/// `subj-refwd`: `Re:`, `Fw:`, `Fwd:`, with a blob before the colon or not.
fn refwd(text: &str) -> Option<&str> {
    let rest = ["re", "fwd", "fw"].iter().find_map(|word| strip_prefix(text, word))?;
    let rest = rest.trim_start_matches([' ', '\t']);
    let rest = blob(rest).unwrap_or(rest);
    rest.strip_prefix(':')
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

fn strip_suffix<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(suffix.len())?;
    text.get(at..)?.eq_ignore_ascii_case(suffix).then(|| &text[..at])
}
