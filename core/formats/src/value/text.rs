//! TEXT and its escapes (RFC 5545 §3.3.11, RFC 6350 §3.4).

use std::borrow::Cow;

/// Undoes the escapes of a TEXT value. A backslash before anything unknown stays; before `:` and `"`, which old
/// programs escape, it goes.
pub fn unescape_text(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match rest.next() {
            Some('n' | 'N') => text.push('\n'),
            Some(escaped @ (',' | ';' | '\\' | ':' | '"')) => text.push(escaped),
            Some(other) => text.extend(['\\', other]),
            None => text.push('\\'),
        }
    }
    Cow::Owned(text)
}

/// Writes a TEXT value. Control characters, which may not stand in one, are left out.
pub fn escape_text(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => value.push_str("\\n"),
            ',' | ';' | '\\' => value.extend(['\\', c]),
            c if c.is_ascii_control() && c != '\t' => {}
            c => value.push(c),
        }
    }
    value
}

/// Cuts a value at each `separator` that no backslash stands before; the parts stay escaped.
pub fn split_unescaped(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let mut escaped = false;
        for (at, c) in text.char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == separator {
                rest = Some(&text[at + separator.len_utf8()..]);
                return Some(&text[..at]);
            }
        }
        Some(text)
    })
}
