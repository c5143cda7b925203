//! Fields of a message's header as they stand there.

use allod_formats::mail::header::{Field, fields};

/// How many fields have that name.
pub(crate) fn count(message: &[u8], name: &str) -> usize {
    fields(message).filter(|field| is(field, name)).count()
}

/// Whether a field has that name, whatever its case.
pub(crate) fn is(field: &Field<'_>, name: &str) -> bool {
    field.name.eq_ignore_ascii_case(name.as_bytes())
}

/// The message without the fields that `unwanted` names; their value comes with them.
pub(crate) fn without(message: &[u8], mut unwanted: impl FnMut(&Field<'_>, &[u8]) -> bool) -> Vec<u8> {
    let mut kept = Vec::with_capacity(message.len());
    let mut at = 0;
    for field in fields(message) {
        if unwanted(&field, field.value.of(message)) {
            kept.extend_from_slice(&message[at..field.span.start as usize]);
            at = field.span.end as usize;
        }
    }
    kept.extend_from_slice(&message[at..]);
    kept
}

/// With each end of line as mail has it: a text that somebody wrote may have others.
pub(crate) fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(bytes.len() + 16);
    let mut last = 0;
    for &byte in bytes {
        match byte {
            b'\n' if last == b'\r' => {}
            b'\r' | b'\n' => whole.extend_from_slice(b"\r\n"),
            byte => whole.push(byte),
        }
        last = byte;
    }
    whole
}

/// The time as a field has it (RFC 5322 §3.3).
pub(crate) fn date(secs: i64) -> String {
    let at = jiff::Timestamp::from_second(secs).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// What may stand in a comment or a value: printable ASCII without what would end it.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if ('!'..='~').contains(&c) && !"()\\;\"".contains(c) { c } else { '?' })
        .take(255)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_go_with_their_folds() {
        let message = b"A: 1\r\nBcc: x,\r\n y\r\nB: 2\r\nbcc : z\r\n\r\nBcc: body\r\n";
        let kept = without(message, |field, _| is(field, "Bcc"));
        assert_eq!(kept, b"A: 1\r\nB: 2\r\n\r\nBcc: body\r\n");
        assert_eq!(count(message, "bcc"), 2);
        assert_eq!(with_crlf(b"a\r\nb\nc\rd\r\r\n\n"), b"a\r\nb\r\nc\r\nd\r\n\r\n\r\n");
        assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 +0000");
    }
}
