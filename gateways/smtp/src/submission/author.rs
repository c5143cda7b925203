//! Who wrote a message, by its own word (RFC 5322 §3.6.2).

use allod_formats::mail::header::fields;
use allod_formats::mail::{Address, read};

use crate::fields::{count, is};
use crate::syntax::mailbox;

/// The addresses of the fields that say it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Authors {
    /// From: one at least.
    pub(super) from: Vec<String>,
    /// Sender, and who sent it once more (RFC 5322 §3.6.6): Resent-From and Resent-Sender.
    pub(super) sender: Vec<String>,
}

/// Reads them.
///
/// # Errors
/// What is wrong: whoever reads it could see another author in it.
pub(super) fn authors(message: &[u8]) -> Result<Authors, &'static str> {
    match count(message, "From") {
        0 => return Err("The From field is missing"),
        1 => {}
        _ => return Err("There is more than one From field"),
    }
    if count(message, "Sender") > 1 {
        return Err("There is more than one Sender field");
    }
    let envelope = read(message).envelope;
    let from = addresses(&envelope.from)?;
    if from.is_empty() {
        return Err("The From field has no address");
    }
    // Where there is no such field, the facts repeat From.
    let mut sender = if count(message, "Sender") == 1 { addresses(&envelope.sender)? } else { Vec::new() };
    for field in fields(message) {
        if is(&field, "Resent-From") || is(&field, "Resent-Sender") {
            // Each block of these fields has its own, so there may be several.
            let alone = [b"From:" as &[u8], field.value.of(message), b"\r\n\r\n"].concat();
            let again = addresses(&read(&alone).envelope.from)?;
            if again.is_empty() {
                return Err("Who sends it once more has no address");
            }
            sender.extend(again);
        }
    }
    let shown = fields(message).filter(|field| is(field, "From") || is(field, "Sender"));
    if shown.into_iter().any(|field| has_second_address(field.value.of(message))) {
        return Err("From or Sender has an address in a name without quotes");
    }
    Ok(Authors { from, sender })
}

/// Whether an `@` stands in a name without quotes, as in `x@y.example <a@b.example>`: some readers take the first for the
/// author, others the second.
fn has_second_address(value: &[u8]) -> bool {
    let (mut quoted, mut escaped, mut depth, mut seen) = (false, false, 0u32, false);
    for byte in value {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' if depth == 0 => quoted = !quoted,
            _ if quoted => {}
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            b'@' => seen = true,
            b'<' if seen => return true,
            b',' | b';' | b'>' => seen = false,
            _ => {}
        }
    }
    false
}

fn addresses(found: &[Address]) -> Result<Vec<String>, &'static str> {
    let address = |one: &Address| {
        let text = |bytes: &Option<Vec<u8>>| String::from_utf8(bytes.clone().unwrap_or_default()).ok();
        let (local, host) = (text(&one.mailbox)?, text(&one.host)?);
        mailbox(&format!("{local}@{host}")).or_else(|| mailbox(&format!("\"{local}\"@{host}")))
    };
    found.iter().map(|one| address(one).ok_or("From or Sender has something that is no address")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authors_are_read_or_refused() {
        let from =
            |fields: &str| authors(format!("{fields}\r\n\r\nx\r\n").as_bytes()).map(|authors| authors.from);
        assert_eq!(from("From: A <a@b.example>"), Ok(vec!["a@b.example".into()]));
        assert_eq!(
            from("From: a@b.example, C <c@d.example>"),
            Ok(vec!["a@b.example".into(), "c@d.example".into()])
        );
        assert_eq!(from("From: \"evil@x.example\" <a@b.example>"), Ok(vec!["a@b.example".into()]));
        for wrong in [
            "To: a@b.example",
            "From: a@b.example\r\nFrom: c@d.example",
            "From : a@b.example\r\nfrom: c@d.example",
            "From: a@b.example\r\nSender: a@b.example\r\nSender: c@d.example",
            "From: ",
            "From: undisclosed:;",
            "From: Friends: a@b.example;",
            "From: x@y.example <a@b.example>",
            "From: a@b.example, x@y.example <a@b.example>",
            "From: A (c) x@y.example (d <) <a@b.example>",
            "From: a@b.example\r\nSender: x@y.example <a@b.example>",
            "From: a@b.example\r\nResent-From: ",
        ] {
            assert!(from(wrong).is_err(), "{wrong}: {:?}", from(wrong));
        }
        let both = authors(b"From: a@b.example\r\nSender: c@d.example\r\n\r\n").unwrap();
        assert_eq!(both.sender, ["c@d.example"]);
        let resent =
            authors(b"From: a@b.example\r\nResent-From: c@d.example\r\nResent-Sender: e@f.example\r\n\r\n");
        assert_eq!(resent.unwrap().sender, ["c@d.example", "e@f.example"]);
        assert_eq!(from("From: (x@y.example) \"x@y.example\" <a@b.example>"), Ok(vec!["a@b.example".into()]));
    }
}
