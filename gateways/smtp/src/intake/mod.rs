//! Mail from the world: verified, judged, traced, delivered.

pub(crate) mod greylist;
mod score;
mod verify;

use allod_formats::mail::header::fields;
use bytes::Bytes;

use crate::conversation::{Origin, Recipient, Transaction};
use crate::delivery::{Delivery, To, Verdict};
use crate::fields::{count, date, is, plain, without};
use crate::limits::HOPS_MAX;
use crate::reply::{Reply, refusal};
use crate::shared::Shared;

pub(crate) use greylist::Greylist;
pub(crate) use verify::Policy;

/// Takes a mail. Positive only when every recipient has it on stable storage.
pub(crate) async fn take(
    shared: &Shared,
    origin: &Origin,
    transaction: &Transaction,
    message: Vec<u8>,
) -> Reply {
    if let Err(reply) = check(&message) {
        return reply;
    }
    let verified = verify::verify(shared, origin, &transaction.mail.from, &message).await;
    if verified.policy == Policy::Refuse {
        // RFC 9989: the author's domain has it so. Said now, to whoever sends it: nobody gets a bounce for a forgery.
        let domain = verified.domain.as_deref().unwrap_or("the author");
        return Reply::new(550, "5.7.1", format!("The DMARC policy of {domain} refuses this mail"));
    }
    let score = score::score(origin, &message, &verified);
    let junk = verified.policy == Policy::Junk || score.tenths() >= shared.options.junk_score_tenths;
    let mut whole = String::new();
    // RFC 5321 §4.4: the final delivery adds it.
    whole.push_str(&format!("Return-Path: <{}>\r\n", transaction.mail.from));
    whole.push_str(&verified.results);
    whole.push_str(&score.field(junk, shared.options.junk_score_tenths));
    whole.push_str(&received(shared, origin, transaction));
    let mut bytes = whole.into_bytes();
    bytes.extend_from_slice(&cleaned(&message, &shared.options.hostname));
    let verdict = Verdict { from: transaction.mail.from.clone(), junk, author: verified.author };
    store(shared, transaction, Bytes::from(bytes), &verdict).await
}

async fn store(shared: &Shared, transaction: &Transaction, message: Bytes, verdict: &Verdict) -> Reply {
    let to: Vec<To> = transaction.recipients.iter().filter_map(Recipient::to).collect();
    let staged = match Delivery::stage(shared, &to, &message).await {
        Ok(staged) => staged,
        Err(error) => return refusal(&error),
    };
    let failed = staged.finish(shared, &message, verdict).await;
    match failed.first() {
        None => Reply::new(250, "2.0.0", "Delivered"),
        Some((account, error)) => {
            tracing::warn!(%account, %error, "a mail could not be delivered after its bytes were stored");
            // One answer stands for all recipients, so all are asked for again.
            let reply = refusal(error);
            if reply.code < 500 { reply } else { Reply::new(451, "4.3.0", "Not delivered to all; try again") }
        }
    }
}

/// What no mail may be, whoever sends it.
fn check(message: &[u8]) -> Result<(), Reply> {
    if let Err(reason) = allod_formats::mail::is_message(message) {
        return Err(Reply::new(554, "5.6.0", format!("This is no message: {reason}")));
    }
    if count(message, "Received") > HOPS_MAX {
        return Err(Reply::new(554, "5.4.6", "This mail goes round in circles"));
    }
    // RFC 5322 §3.6: one at most. With two, what is verified and what is shown could differ.
    if count(message, "From") > 1 {
        return Err(Reply::new(554, "5.6.0", "There is more than one From field"));
    }
    Ok(())
}

/// The message without what only this server may say.
fn cleaned(message: &[u8], hostname: &str) -> Vec<u8> {
    without(message, |field, value| {
        // RFC 8601 §5: results that another wrote in our name.
        let forged = is(field, "Authentication-Results") && authority(value).eq_ignore_ascii_case(hostname);
        forged || is(field, "Return-Path") || is(field, "X-Spam-Status") || is(field, "X-Spam-Flag")
    })
}

/// The authserv-id of a field's value (RFC 8601 §2.2).
fn authority(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let mut depth = 0u32;
    let mut bare = String::new();
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            c if depth == 0 => bare.push(c),
            _ => {}
        }
    }
    let first = bare.split(';').next().unwrap_or_default();
    first.split_whitespace().next().unwrap_or_default().trim_matches('"').to_owned()
}

/// RFC 5321 §4.4.
fn received(shared: &Shared, origin: &Origin, transaction: &Transaction) -> String {
    let address = match origin.address {
        std::net::IpAddr::V4(v4) => format!("[{v4}]"),
        std::net::IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    };
    // Only where it tells no recipient of another.
    let to = match &transaction.recipients[..] {
        [one] => format!("\r\n\tfor <{}>", one.rcpt.to),
        _ => String::new(),
    };
    format!(
        "Received: from {} ({address})\r\n\tby {} with {}{to};\r\n\t{}\r\n",
        plain(&origin.name),
        shared.options.hostname,
        origin.protocol,
        date(shared.now_secs())
    )
}

/// Whether a message has a field of that name.
fn has(message: &[u8], name: &str) -> bool {
    fields(message).any(|field| is(&field, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_in_our_name_go() {
        let message = b"Authentication-Results: (c (d)) MX.example.org 1; spf=pass\r\n\
            authentication-results: other.example; spf=pass\r\n\
            X-Spam-Flag: NO\r\nReturn-Path: <x@y>\r\nFrom: a@b\r\n\r\nAuthentication-Results: mx.example.org\r\n";
        let kept = String::from_utf8(cleaned(message, "mx.example.org")).unwrap();
        let wanted = "authentication-results: other.example; spf=pass\r\nFrom: a@b\r\n\r\n\
            Authentication-Results: mx.example.org\r\n";
        assert_eq!(kept, wanted);
    }

    #[test]
    fn what_no_mail_may_be() {
        let code = |message: &[u8]| check(message).err().map(|reply| reply.code);
        assert_eq!(code(b"From: a@b\r\n\r\nx\r\n"), None);
        assert_eq!(code(b"From: a@b\r\nfrom: c@d\r\n\r\nx\r\n"), Some(554));
        assert_eq!(code(b"no field\r\n"), Some(554));
        assert_eq!(code(b""), Some(554));
        let circle = "Received: x\r\n".repeat(HOPS_MAX + 1);
        assert_eq!(code(format!("{circle}\r\n").as_bytes()), Some(554));
    }
}
