//! Mail from an account's own app: bound to its addresses, completed, signed, delivered here or queued.

mod author;

use allod_core::Session;
use allod_core::post::{Envelope, Recipient as QueuedTo};
use allod_model::{ErrorKind, Timestamp};
use bytes::Bytes;

use crate::conversation::{Origin, Recipient, Transaction};
use crate::delivery::{Delivery, To, Verdict};
use crate::fields::{count, date, is, plain, without};
use crate::limits::HOPS_MAX;
use crate::reply::{Reply, refusal};
use crate::shared::Shared;
use crate::syntax::{Hold, Mail, domain_of};

/// Takes a mail. Positive only when every recipient here has it, and what goes elsewhere is in the queue.
pub(crate) async fn take(
    shared: &Shared,
    session: &Session,
    origin: &Origin,
    transaction: Transaction,
    message: Vec<u8>,
) -> Reply {
    let author = match check(session, &message).await {
        Ok(author) => author,
        Err(reply) => return reply,
    };
    if !shared.hourly.take(&session.account(), transaction.recipients.len(), shared.now_secs()) {
        let most = shared.options.hour_recipients_max;
        return Reply::new(450, "4.7.1", format!("At most {most} recipients an hour; try again later"));
    }
    let message = completed(shared, origin, message, &author);
    let signed = match sign(shared, &author, &message).await {
        Ok(signed) => signed,
        Err(error) => return refusal(&error),
    };
    let message = [signed.into_bytes(), message].concat();
    store(shared, session, transaction, author, message).await
}

/// Whose mail it is: From and Sender are the account's own, as the envelope is.
async fn check(session: &Session, message: &[u8]) -> Result<String, Reply> {
    if let Err(reason) = allod_formats::mail::is_message(message) {
        return Err(Reply::new(554, "5.6.0", format!("This is no message: {reason}")));
    }
    if count(message, "Received") > HOPS_MAX {
        return Err(Reply::new(554, "5.4.6", "This mail goes round in circles"));
    }
    let authors = author::authors(message).map_err(|text| Reply::new(554, "5.6.0", text))?;
    for address in authors.from.iter().chain(&authors.sender) {
        match session.may_send_as(address).await {
            Ok(true) => {}
            Ok(false) => {
                return Err(Reply::new(550, "5.7.1", format!("{address} in From or Sender is not yours")));
            }
            Err(error) => return Err(refusal(&error)),
        }
    }
    // Invariant: there is one at least, or `authors` had refused it.
    Ok(authors.from.into_iter().next().unwrap_or_default())
}

/// RFC 6409 §8: with what is missing, and without what is nobody else's business.
fn completed(shared: &Shared, origin: &Origin, message: Vec<u8>, author: &str) -> Vec<u8> {
    let now = shared.now_secs();
    let host = &shared.options.hostname;
    let mut head = String::new();
    // Deliberately without the app's address: it would tell every recipient where the sender is.
    head.push_str(&format!(
        "Received: from {} by {host} with {};\r\n\t{}\r\n",
        plain(&origin.name),
        origin.protocol,
        date(now)
    ));
    if count(&message, "Date") == 0 {
        head.push_str(&format!("Date: {}\r\n", date(now)));
    }
    if count(&message, "Message-ID") == 0 {
        let domain = domain_of(author).unwrap_or_else(|| host.clone());
        head.push_str(&format!("Message-ID: <{}@{domain}>\r\n", shared.unique()));
    }
    let kept = without(&message, |field, _| is(field, "Bcc") || is(field, "Return-Path"));
    [head.into_bytes(), kept].concat()
}

async fn sign(shared: &Shared, author: &str, message: &[u8]) -> allod_model::Result<String> {
    let Some(domain) = domain_of(author).filter(|domain| domain.is_ascii()) else { return Ok(String::new()) };
    shared.domain_keys(&domain).await?.sign(message)
}

async fn store(
    shared: &Shared,
    session: &Session,
    transaction: Transaction,
    author: String,
    message: Vec<u8>,
) -> Reply {
    let Transaction { mail, recipients, .. } = transaction;
    let hold_until = mail.hold.map(|hold| match hold {
        Hold::For(secs) => Timestamp((shared.now_secs() + secs as i64) * 1000),
        Hold::Until(secs) => Timestamp(secs * 1000),
    });
    // What is held waits in the queue, wherever it goes.
    let (here, elsewhere): (Vec<Recipient>, Vec<Recipient>) =
        recipients.into_iter().partition(|one| one.here.is_some() && hold_until.is_none());
    let to: Vec<To> = here.iter().filter_map(Recipient::to).collect();
    let return_path = format!("Return-Path: <{}>\r\n", mail.from);
    let delivered = Bytes::from([return_path.as_bytes(), &message].concat());
    // All that can fail comes first; the bytes lie in all accounts before anybody has the mail.
    let staged = match Delivery::stage(shared, &to, &delivered).await {
        Ok(staged) => staged,
        Err(error) => return refusal(&error),
    };
    let utf8 = mail.utf8;
    let envelope = |to: Vec<Recipient>| envelope(&mail, to, hold_until);
    let mut queued = String::new();
    if !elsewhere.is_empty() {
        match queue(session, envelope(elsewhere), &message).await {
            Ok(id) => queued = id,
            Err(error) if error.kind == ErrorKind::TooLarge => {
                return Reply::new(452, "4.3.1", "Too many mails of yours wait to be sent");
            }
            Err(error) => return refusal(&error),
        }
    }
    tracing::debug!(account = %session.account(), id = %queued, utf8, "a mail was taken");
    let verdict = Verdict { from: mail.from.clone(), junk: false, author: Some(author) };
    let failed = staged.finish(shared, &delivered, &verdict).await;
    let left: Vec<Recipient> = here
        .into_iter()
        .filter(|one| {
            let account = one.here.as_ref().map(|addressee| &addressee.account);
            failed.iter().any(|(failed, _)| Some(failed) == account)
        })
        .collect();
    if !left.is_empty() {
        // The rest is done already, so the mail is taken; those who could not have it now get it from the queue.
        if let Err(error) = queue(session, envelope(left), &message).await {
            return refusal(&error);
        }
    }
    match queued.is_empty() {
        true => Reply::new(250, "2.0.0", "Delivered"),
        false => Reply::new(250, "2.0.0", format!("Queued as {queued}")),
    }
}

fn envelope(mail: &Mail, recipients: Vec<Recipient>, hold_until: Option<Timestamp>) -> Envelope {
    let recipients = recipients.into_iter().map(|one| QueuedTo {
        address: one.rcpt.to,
        notify: one.rcpt.notify,
        original: one.rcpt.original,
    });
    Envelope {
        from: mail.from.clone(),
        recipients: recipients.collect(),
        return_full: mail.return_full,
        id: mail.id.clone(),
        utf8: mail.utf8,
        hold_until,
    }
}

/// Puts a mail into the queue of the session's account.
async fn queue(session: &Session, envelope: Envelope, message: &[u8]) -> allod_model::Result<String> {
    let bytes = Bytes::copy_from_slice(message);
    let length = bytes.len() as u64;
    let staged = session.stage_message(length, futures_util::stream::iter([Ok(bytes)])).await?;
    session.send(envelope, staged).await
}
