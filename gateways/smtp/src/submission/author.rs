//! Who wrote a message, by its own word (RFC 5322 §3.6.2).

use allod_formats::mail::{Address, read};

use crate::fields::count;
use crate::syntax::mailbox;

/// The addresses of the fields that say it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Authors {
    /// From: one at least.
    pub(super) from: Vec<String>,
    /// Sender.
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
    let sender = if count(message, "Sender") == 1 { addresses(&envelope.sender)? } else { Vec::new() };
    Ok(Authors { from, sender })
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
        ] {
            assert!(from(wrong).is_err(), "{wrong}: {:?}", from(wrong));
        }
        let both = authors(b"From: a@b.example\r\nSender: c@d.example\r\n\r\n").unwrap();
        assert_eq!(both.sender, ["c@d.example"]);
    }
}
