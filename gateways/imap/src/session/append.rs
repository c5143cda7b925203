//! APPEND and REPLACE (RFC 9051 §6.3.12, RFC 3502, RFC 8508).

use allod_core::mail::{Appended, NewMessage};
use allod_model::ErrorKind;

use super::Conversation;
use super::copy::no_target;
use super::place::Place;
use crate::print::{flags, set};
use crate::syntax::ast::{Mailbox, Message, Set, SetBound};
use crate::wire::{Abort, Code, Completion, Literals, Output};

/// Messages of one APPEND.
const APPEND_MESSAGES_MAX: usize = 500;

impl Conversation {
    pub(super) async fn append(
        &mut self,
        mailbox: Mailbox,
        body: &mut Literals<'_>,
    ) -> Result<Completion, Abort> {
        let place = self.place(&mailbox).await?;
        let mut messages = Vec::new();
        while let Some(message) = body.next().await? {
            if messages.len() == APPEND_MESSAGES_MAX {
                return Ok(Completion::no(Code::LIMIT, "Too many messages for one APPEND"));
            }
            messages.push(stage(&place, message, body).await?);
        }
        if messages.is_empty() {
            return Ok(Completion::bad("There is no message"));
        }
        let appended = place.session.append(&place.path, messages).await.map_err(or_try_create)?;
        Ok(Completion::ok("Appended").with(appended_code(&appended)))
    }

    pub(super) async fn replace(
        &mut self,
        message: SetBound,
        uid: bool,
        mailbox: Mailbox,
        out: &mut Output,
        body: &mut Literals<'_>,
    ) -> Result<Completion, Abort> {
        let view = self.writable()?;
        let old = view.resolve(&Set::Ranges(vec![(message, message)]), uid)?;
        let id = view.id;
        let Some((old, _)) = old.ranges().first().copied() else {
            // RFC 8508 §3.4
            return Ok(Completion::no(Code::NON_EXISTENT, "There is no such message"));
        };
        let target = self.target(&mailbox).await?;
        let Some(message) = body.next().await? else {
            return Ok(Completion::bad("There is no message"));
        };
        let new = stage(&target, message, body).await?;
        if body.next().await?.is_some() {
            return Ok(Completion::bad("REPLACE takes one message"));
        }
        let session = self.selected()?;
        if session.account() != target.session.account() {
            // RFC 8508 §3: in one step, or not at all.
            return Ok(Completion::no(Code::CANNOT, "The mailboxes are of two accounts"));
        }
        let appended = session.replace_message((id, old), &target.path, new).await?;
        // RFC 8508 §3.1: APPENDUID untagged, before the EXPUNGE of the old one.
        out.raw("* OK [").raw(appended_code(&appended).0.as_bytes()).raw("] Replacement appended\r\n");
        Ok(Completion::ok("Replaced"))
    }
}

/// Takes in a message. What refuses it does so before its bytes are asked for.
async fn stage(place: &Place, message: Message, body: &mut Literals<'_>) -> Result<NewMessage, Abort> {
    place.session.check_append(&place.path, message.size).await.map_err(or_try_create)?;
    let staged = place.session.stage_message(message.size, body.bytes()).await?;
    let (flags, keywords) = flags::sorted(message.flags);
    Ok(NewMessage { staged, flags, keywords, internal: message.date })
}

/// RFC 9051 §6.3.12: the client may make the mailbox and try again.
fn or_try_create(error: allod_model::Error) -> Abort {
    if error.kind == ErrorKind::NotFound { no_target() } else { error.into() }
}

fn appended_code(appended: &Appended) -> Code {
    let uids = set::ordered(appended.uids.iter().copied());
    Code::new(format!("APPENDUID {} {uids}", appended.uid_validity))
}
