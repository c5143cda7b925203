//! Messages that come by mail (RFC 6047).

use allod_formats::calendar::itip::{Incoming, Method, canonical_address, incoming};
use allod_model::{Result, Timestamp};

use super::arrive::{Origin, Outcome};
use super::calendars::find_uid;
use super::job::Job;
use crate::operator::Operator;

/// What became of a message that came by mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mailed {
    /// The recipient's calendar and inbox have it.
    Taken,
    /// It changes nothing: it is no scheduling message, not from whom it says, or about what the recipient does not
    /// have. The mail is a mail like any other.
    Left,
}

impl Operator {
    /// Takes in a `text/calendar` part of a mail to an account. `sender` is the author's mail address, which the caller
    /// has verified: RFC 6047 §3 has a message trusted as far as that.
    ///
    /// An invitation to what the recipient does not know yet is left to him, lest anybody who can send a mail fills his
    /// calendar; what he accepts by his client is known from then on.
    ///
    /// # Errors
    /// `NotFound` without such an account; `Unavailable`.
    pub async fn take_mailed(&self, account: &str, sender: &str, message: &[u8]) -> Result<Mailed> {
        let session = self.session(account)?;
        let sender = canonical_address(sender);
        let Some(found) = incoming(message).filter(|found| is_from(found, &sender)) else {
            return Ok(Mailed::Left);
        };
        let known = {
            let view = session.view()?;
            find_uid(&view, session.keys(), &found.uid)?.is_some()
        };
        if !known {
            return Ok(Mailed::Left);
        }
        let job = Job::by_mail(&found, sender);
        let mut digest = [0; 16];
        digest.copy_from_slice(&session.handle().key().digest(message).0[..16]);
        let recipient = session.handle().clone();
        let outcome =
            self.core().arrive(recipient.clone(), Origin::Mail(digest), &job, message.to_vec()).await?;
        if outcome == (Outcome::Done { more: true }) {
            self.core().deliver_soon(recipient.id()).await;
        }
        Ok(match outcome {
            Outcome::Done { .. } => Mailed::Taken,
            Outcome::Nothing | Outcome::Refused(_) => Mailed::Left,
        })
    }
}

/// Whether a message can be that sender's: the organizer's own, or the answer of one who takes part.
fn is_from(found: &Incoming, sender: &str) -> bool {
    match found.method {
        Method::Request | Method::Cancel => found.organizer.canonical == sender,
        Method::Reply => found.attendees.iter().any(|attendee| attendee == sender),
    }
}

impl Job {
    fn by_mail(found: &Incoming, sender: String) -> Job {
        let made = Timestamp(0);
        let message = allod_formats::calendar::itip::Message {
            method: found.method,
            from: sender,
            to: Vec::new(),
            uid: found.uid.clone(),
            summary: None,
            asks_anew: false,
            follows_cancel: false,
            bytes: Vec::new(),
        };
        Job::of(&message, String::new(), None, false, made)
    }
}
