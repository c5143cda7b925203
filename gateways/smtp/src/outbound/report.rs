//! Reports to the sender (RFC 3461, RFC 3464): what failed, what is late, what arrived.
//!
//! **Invariant:** a report goes into a mailbox of this server and never over the wire. Core lets nobody send but as an
//! address of his own, so there is always one; and nobody elsewhere hears of a mail he did not write.

use std::fmt::Write;

use allod_core::post::{
    Attempt, NOTIFY_DELAY, NOTIFY_FAILURE, NOTIFY_NEVER, NOTIFY_SUCCESS, Queue, Queued, QueuedRecipient,
    RecipientState,
};
use bytes::Bytes;

use super::send::PASSED_ON;
use crate::delivery::{To, Verdict, deliver};
use crate::fields::date;
use crate::shared::Shared;

/// Largest mail that is returned as a whole, in bytes.
const RETURNED_BYTES_MAX: usize = 1 << 20;

/// What a report says of one recipient.
struct Told<'a> {
    recipient: &'a QueuedRecipient,
    /// RFC 3464 §2.3.3.
    action: &'static str,
    answer: String,
}

/// Tells the sender what will never be delivered, and what was where he asked for it.
pub(super) async fn failed(shared: &Shared, queue: &Queue, mail: &Queued, attempts: &[Attempt]) {
    let mut told = Vec::new();
    for (one, attempt) in mail.recipients.iter().zip(attempts) {
        let notify = one.recipient.notify;
        match attempt {
            // RFC 3461 §4.1: failures are told unless it was said otherwise.
            Attempt::Failed(answer) if notify == 0 || notify & NOTIFY_FAILURE != 0 => {
                told.push(Told { recipient: one, action: "failed", answer: answer.clone() });
            }
            Attempt::Delivered(answer) if notify & NOTIFY_SUCCESS != 0 && !answer.starts_with(PASSED_ON) => {
                // RFC 3461 §5.2.2: the next server tells nothing.
                let here = answer.starts_with("2.0.0 ");
                let action = if here { "delivered" } else { "relayed" };
                told.push(Told { recipient: one, action, answer: answer.clone() });
            }
            _ => {}
        }
    }
    let (bad, good): (Vec<Told<'_>>, Vec<Told<'_>>) =
        told.into_iter().partition(|one| one.action == "failed");
    if !bad.is_empty() {
        let intro = "This mail could not be delivered to:";
        report(shared, queue, mail, "Undelivered mail", intro, &bad).await;
    }
    if !good.is_empty() {
        report(shared, queue, mail, "Delivered mail", "This mail was delivered to:", &good).await;
    }
}

/// Tells the sender that a mail is late, once. Returns whether there was anything to tell.
pub(super) async fn late(shared: &Shared, queue: &Queue, mail: &Queued) -> bool {
    let waits = |one: &&QueuedRecipient| {
        let notify = one.recipient.notify;
        let asked = notify == 0 || notify & NOTIFY_DELAY != 0;
        one.state == RecipientState::Waiting
            && !one.told_late
            && one.tries > 0
            && asked
            && notify & NOTIFY_NEVER == 0
    };
    let told: Vec<Told<'_>> = mail
        .recipients
        .iter()
        .filter(waits)
        .map(|one| Told { recipient: one, action: "delayed", answer: one.answer.clone() })
        .collect();
    if told.is_empty() {
        return false;
    }
    let intro = "This mail could not be delivered yet, and is tried for some days more, to:";
    report(shared, queue, mail, "Delayed mail", intro, &told).await;
    true
}

async fn report(
    shared: &Shared,
    queue: &Queue,
    mail: &Queued,
    subject: &str,
    intro: &str,
    told: &[Told<'_>],
) {
    // RFC 5321 §6.1: what came without a reverse path is answered by nothing.
    if mail.envelope.from.is_empty() {
        return;
    }
    let operator = shared.core.operator();
    let account = match operator.addressee(&mail.envelope.from).await {
        Ok(Some(addressee)) => addressee.account,
        // The address was taken from the account meanwhile.
        Ok(None) => mail.account.clone(),
        Err(error) => {
            tracing::error!(id = %mail.id, %error, "the sender of a report is not found");
            return;
        }
    };
    let original = queue.bytes(&mail.id).await.unwrap_or_default();
    let bytes = written(shared, mail, subject, intro, told, &original);
    let to = To { account: account.clone(), address: mail.envelope.from.clone() };
    if let Err(error) = deliver(shared, to, Bytes::from(bytes), &Verdict::default()).await {
        tracing::error!(id = %mail.id, %account, %error, "a report could not be delivered");
    }
}

fn written(
    shared: &Shared,
    mail: &Queued,
    subject: &str,
    intro: &str,
    told: &[Told<'_>],
    original: &[u8],
) -> Vec<u8> {
    let host = &shared.options.hostname;
    let boundary = format!("=_{}", shared.unique());
    let now = date(shared.now_secs());
    let mut text = String::new();
    // Invariant: writing into a string does not fail.
    let _ = write!(
        text,
        "Return-Path: <>\r\nFrom: Mail delivery <MAILER-DAEMON@{host}>\r\nTo: <{}>\r\nSubject: {subject}\r\n\
         Date: {now}\r\nMessage-ID: <{}@{host}>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{intro}\r\n\r\n",
        mail.envelope.from,
        shared.unique()
    );
    for one in told {
        let _ = write!(text, "  {}\r\n      {}\r\n", one.recipient.recipient.address, line(&one.answer));
    }
    let kind = if mail.envelope.utf8 { "global-delivery-status" } else { "delivery-status" };
    let _ = write!(
        text,
        "\r\n--{boundary}\r\nContent-Type: message/{kind}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         Reporting-MTA: dns; {host}\r\nArrival-Date: {}\r\n",
        date(mail.since.0 / 1000)
    );
    if let Some(id) = &mail.envelope.id {
        let _ = write!(text, "Original-Envelope-Id: {}\r\n", line(id));
    }
    for one in told {
        text.push_str("\r\n");
        text.push_str(&status(one));
    }
    let whole = mail.envelope.return_full.unwrap_or(true) && original.len() <= RETURNED_BYTES_MAX;
    let failed = told.iter().any(|one| one.action == "failed");
    // RFC 3461 §4.3: the whole mail only with a failure.
    let (kind, part) = if whole && failed {
        ("message/rfc822", original)
    } else {
        let head = memchr::memmem::find(original, b"\r\n\r\n").map_or(original.len(), |at| at + 2);
        ("text/rfc822-headers", &original[..head])
    };
    let _ =
        write!(text, "\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
    [text.as_bytes(), part, format!("\r\n--{boundary}--\r\n").as_bytes()].concat()
}

/// RFC 3464 §2.3.
fn status(told: &Told<'_>) -> String {
    let recipient = &told.recipient.recipient;
    let kind = if recipient.address.is_ascii() { "rfc822" } else { "utf-8" };
    let mut text = String::new();
    if let Some(original) = &recipient.original {
        text.push_str(&format!("Original-Recipient: {}\r\n", line(original)));
    }
    text.push_str(&format!("Final-Recipient: {kind}; {}\r\n", recipient.address));
    text.push_str(&format!("Action: {}\r\nStatus: {}\r\n", told.action, enhanced(&told.answer, told.action)));
    if told.answer.as_bytes().get(..3).is_some_and(|code| code.iter().all(u8::is_ascii_digit)) {
        text.push_str(&format!("Diagnostic-Code: smtp; {}\r\n", line(&told.answer)));
    }
    text
}

/// The status (RFC 3463) that an answer holds, or the one that its code stands for.
fn enhanced(answer: &str, action: &str) -> String {
    let class = match action {
        "failed" => "5",
        "delayed" => "4",
        _ => "2",
    };
    let is_status = |word: &&str| {
        let mut numbers = word.split('.');
        let numeric = |part: Option<&str>| {
            part.is_some_and(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
        };
        numbers.next() == Some(class)
            && numeric(numbers.next())
            && numeric(numbers.next())
            && numbers.next().is_none()
    };
    let found = answer.split_whitespace().take(3).find(is_status);
    found.map_or_else(|| format!("{class}.0.0"), str::to_owned)
}

/// One line of printable text.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_found() {
        let table = [
            ("550 5.1.1 no such user", "failed", "5.1.1"),
            ("5.1.2 no such domain", "failed", "5.1.2"),
            ("550 No", "failed", "5.0.0"),
            ("4.4.7 old: 450 4.2.0 x", "failed", "5.0.0"),
            ("451 4.7.1 later", "delayed", "4.7.1"),
            ("250 2.0.0 Ok", "relayed", "2.0.0"),
            ("550 1.2.3.4 5.x.1", "failed", "5.0.0"),
        ];
        for (answer, action, expected) in table {
            assert_eq!(enhanced(answer, action), expected, "{answer}");
        }
    }
}
