//! Invitations by mail, both ways (RFC 6047).

use std::sync::Arc;
use std::time::Duration;

use allod_core::post::{Envelope, Recipient};
use allod_core::{Claimed, Outbox, Settled};
use allod_formats::calendar::itip::Method;
use allod_formats::mail::{Inner, Part, decode_body, read};
use allod_kit::Stop;
use allod_model::{ErrorKind, Result};
use bytes::Bytes;
use mail_builder::MessageBuilder;
use mail_builder::headers::content_type::ContentType;
use mail_builder::mime::MimePart;

use crate::delivery::Verdict;
use crate::shared::Shared;
use crate::syntax::{domain_of, mailbox};

/// Messages taken at once.
const BATCH: usize = 20;
/// For how long.
const LEASE: Duration = Duration::from_secs(300);
/// After this it is looked for messages in any case.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Parts of one mail that are looked at.
const PARTS_MAX: usize = 5;
/// Largest part that is looked at, in bytes.
const PART_BYTES_MAX: u32 = 1 << 20;

/// Mails what calendars have to say to people elsewhere, until `stop`.
pub(crate) async fn run(shared: Arc<Shared>, stop: Stop) {
    let outbox = shared.core.operator().outbox();
    loop {
        match claim(&shared, &outbox).await {
            Ok(claimed) => {
                let full = claimed.len() == BATCH;
                for one in claimed {
                    let settled = mail(&shared, &one).await;
                    if let Err(error) = outbox.settle(&one.id, settled).await {
                        tracing::warn!(%error, "an invitation could not be settled");
                    }
                }
                if full && !stop.is_cancelled() {
                    continue;
                }
            }
            Err(error) => tracing::error!(%error, "invitations cannot be read"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = outbox.posted() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

/// What is to be mailed. A server without a domain of its own has no address to mail it from: it waits.
async fn claim(shared: &Shared, outbox: &Outbox) -> Result<Vec<Claimed>> {
    if shared.core.operator().own_domains().await?.is_empty() {
        return Ok(Vec::new());
    }
    outbox.claim(BATCH, LEASE).await
}

/// Puts one message into the queue as a mail.
async fn mail(shared: &Shared, claimed: &Claimed) -> Settled {
    let (Some(from), Some(to)) = (address(&claimed.from), address(&claimed.to)) else {
        return Settled::Failed("5.1");
    };
    match send(shared, claimed, &from, &to).await {
        Ok(()) => Settled::Sent,
        // The organizer's address is none of the account's.
        Err(error) if matches!(error.kind, ErrorKind::Denied | ErrorKind::InvalidContent) => {
            tracing::warn!(account = %claimed.account, %error, "an invitation cannot be mailed");
            Settled::Failed("5.2")
        }
        Err(error) => {
            tracing::warn!(account = %claimed.account, %error, "an invitation is mailed later");
            Settled::Later
        }
    }
}

async fn send(shared: &Shared, claimed: &Claimed, from: &str, to: &str) -> Result<()> {
    let session = shared.core.operator().delivery(&claimed.account)?;
    let mut message = written(shared, claimed, from, to);
    if let Some(domain) = domain_of(from).filter(|domain| domain.is_ascii()) {
        let signed = shared.domain_keys(&domain).await?.sign(&message)?;
        message = [signed.into_bytes(), message].concat();
    }
    let utf8 = !(from.is_ascii() && to.is_ascii());
    let recipients = vec![Recipient { address: to.to_owned(), ..Recipient::default() }];
    let envelope = Envelope { from: from.to_owned(), recipients, utf8, ..Envelope::default() };
    let length = message.len() as u64;
    let body = futures_util::stream::iter([Ok(Bytes::from(message))]);
    let staged = session.stage_message(length, body).await?;
    session.send(envelope, staged).await.map(drop)
}

/// RFC 6047 §4: the text for people, and the object beside it.
fn written(shared: &Shared, claimed: &Claimed, from: &str, to: &str) -> Vec<u8> {
    let what = claimed.summary.clone().unwrap_or_else(|| "an event".to_owned());
    let (subject, text) = match claimed.method {
        Method::Request => (format!("Invitation: {what}"), format!("{from} invites you to: {what}")),
        Method::Reply => (format!("Answer: {what}"), format!("{from} answers your invitation to: {what}")),
        Method::Cancel => (format!("Cancelled: {what}"), format!("{from} has cancelled: {what}")),
    };
    let kind = ContentType::new("text/calendar")
        .attribute("charset", "utf-8")
        .attribute("method", claimed.method.name());
    let object = String::from_utf8_lossy(&claimed.bytes).into_owned();
    let parts = vec![MimePart::new("text/plain", format!("{text}\n")), MimePart::new(kind, object)];
    let domain = domain_of(from).unwrap_or_else(|| shared.options.hostname.clone());
    let builder = MessageBuilder::new()
        .from(from.to_owned())
        .to(to.to_owned())
        .subject(subject)
        .date(shared.now_secs())
        .message_id(format!("{}@{domain}", shared.unique()))
        .body(MimePart::new("multipart/alternative", parts));
    // Invariant: writing into memory does not fail.
    crate::fields::with_crlf(&builder.write_to_vec().unwrap_or_default())
}

/// Gives the calendar parts of a mail that arrived to the account's calendars, as far as its author was verified.
pub(crate) async fn take(shared: &Shared, account: &str, message: &Bytes, verdict: &Verdict) {
    let Some(author) = verdict.author.as_ref().filter(|_| !verdict.junk) else { return };
    // Most mail has none: no need to take it apart.
    if memchr::memmem::find(message, b"alendar").is_none()
        && memchr::memmem::find(message, b"ALENDAR").is_none()
    {
        return;
    }
    let mut parts = Vec::new();
    calendars(&read(message).root, &mut parts);
    for part in parts {
        let encoded = part.body.of(message);
        let Ok(decoded) = decode_body(encoded, part.encoding.as_deref()) else { continue };
        match shared.core.operator().take_mailed(account, author, &decoded).await {
            Ok(taken) => tracing::debug!(account, ?taken, "an invitation came by mail"),
            Err(error) => tracing::warn!(account, %error, "an invitation that came by mail was left"),
        }
    }
}

/// The parts that are `text/calendar` with a METHOD (RFC 6047 §2.4).
fn calendars(part: &Part, found: &mut Vec<Part>) {
    match &part.inner {
        Inner::Multipart(parts) => parts.iter().for_each(|part| calendars(part, found)),
        // What somebody forwards is not sent by whom it names.
        Inner::Message(..) => {}
        Inner::Leaf => {
            let is_calendar = part.media_type.eq_ignore_ascii_case(b"text")
                && part.subtype.eq_ignore_ascii_case(b"calendar")
                && part.parameter("method").is_some();
            let small = part.body.end.saturating_sub(part.body.start) <= PART_BYTES_MAX;
            if is_calendar && small && found.len() < PARTS_MAX {
                found.push(part.clone());
            }
        }
    }
}

/// The address of a calendar user.
fn address(user: &str) -> Option<String> {
    let (scheme, address) = user.split_once(':')?;
    scheme.eq_ignore_ascii_case("mailto").then(|| mailbox(address.trim())).flatten()
}
