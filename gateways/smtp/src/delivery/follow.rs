//! What an account's rules have sent when a mail arrives: copies to other addresses, and answers while its owner is
//! away.

use allod_core::Session;
use allod_core::post::{Arrival, Delivered, Envelope, Recipient, Vacation};
use allod_formats::mail::header::values;
use allod_model::Result;
use bytes::Bytes;
use mail_builder::MessageBuilder;
use mail_builder::headers::text::Text;

use crate::fields::{count, is, with_crlf, without};
use crate::limits::HOPS_MAX;
use crate::shared::Shared;
use crate::syntax::{domain_of, mailbox};

/// Sends it. What cannot be sent is logged: the mail itself has arrived.
pub(super) async fn follow(
    shared: &Shared,
    session: &Session,
    arrival: &Arrival,
    delivered: Delivered,
    message: &Bytes,
) {
    // A report on a copy must not make another copy.
    let copied = !arrival.from.is_empty() && count(message, "Received") <= HOPS_MAX / 2;
    for address in delivered.forward.iter().filter(|_| copied) {
        if let Err(error) = forward(session, arrival, address, message).await {
            tracing::warn!(account = %session.account(), %error, "a mail could not be forwarded");
        }
    }
    if let Some(vacation) = delivered.answer
        && let Err(error) = answer(shared, session, arrival, &vacation, message).await
    {
        tracing::warn!(account = %session.account(), %error, "an answer could not be sent");
    }
}

/// The mail as it came. Its reverse path is the address that it was sent to: this server speaks for no other, and
/// reports come back to whose rule it is.
async fn forward(session: &Session, arrival: &Arrival, address: &str, message: &Bytes) -> Result<()> {
    let Some(address) = mailbox(address).filter(|address| !address.eq_ignore_ascii_case(&arrival.to)) else {
        return Ok(());
    };
    let bytes = without(message, |field, _| is(field, "Return-Path") || is(field, "X-Spam-Status"));
    send(session, &arrival.to, &address, bytes).await
}

/// RFC 5230 §5, RFC 3834 §3.
async fn answer(
    shared: &Shared,
    session: &Session,
    arrival: &Arrival,
    vacation: &Vacation,
    message: &Bytes,
) -> Result<()> {
    let first = |name: &str| values(message, name).into_iter().next();
    let subject = match &vacation.subject {
        Some(subject) => subject.clone(),
        None => format!("Auto: {}", first("Subject").unwrap_or_default()),
    };
    let domain = domain_of(&arrival.to).unwrap_or_else(|| shared.options.hostname.clone());
    let mut builder = MessageBuilder::new()
        .from(arrival.to.clone())
        .to(arrival.from.clone())
        .subject(subject)
        .date(shared.now_secs())
        .message_id(format!("{}@{domain}", shared.unique()))
        .header("Auto-Submitted", Text::new("auto-replied"))
        .text_body(vacation.text.clone());
    if let Some(id) = first("Message-ID") {
        let id = id.trim().trim_start_matches('<').trim_end_matches('>').to_owned();
        builder = builder.in_reply_to(id.clone()).references(id);
    }
    // Invariant: writing into memory does not fail.
    let mut bytes = with_crlf(&builder.write_to_vec().unwrap_or_default());
    if domain.is_ascii() {
        let signed = shared.domain_keys(&domain).await?.sign(&bytes)?;
        bytes = [signed.into_bytes(), bytes].concat();
    }
    // RFC 3834 §3.3: nobody answers an answer.
    send(session, "", &arrival.from, bytes).await
}

async fn send(session: &Session, from: &str, to: &str, bytes: Vec<u8>) -> Result<()> {
    let recipients = vec![Recipient { address: to.to_owned(), ..Recipient::default() }];
    let utf8 = !(from.is_ascii() && to.is_ascii());
    let envelope = Envelope { from: from.to_owned(), recipients, utf8, ..Envelope::default() };
    let length = bytes.len() as u64;
    let staged = session.stage_message(length, futures_util::stream::iter([Ok(Bytes::from(bytes))])).await?;
    session.send(envelope, staged).await.map(drop)
}
