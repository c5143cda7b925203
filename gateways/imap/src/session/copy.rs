//! COPY and MOVE (RFC 9051 §6.4.7, §6.4.8, RFC 4315).

use allod_core::Session;
use allod_core::mail::{Flags, MarkChange, MessageParts, NewMessage, Operation, Transferred, UidSet};
use allod_model::{ErrorKind, NodeId};

use super::Conversation;
use super::place::Place;
use super::store::ended;
use crate::print::set;
use crate::syntax::ast::{Mailbox, Set};
use crate::wire::{Abort, Code, Completion, Output};

/// Messages carried from one account to another in one step.
const PAGE_MESSAGES: usize = 50;

impl Conversation {
    pub(super) async fn copy(&mut self, set: Set, uid: bool, to: Mailbox) -> Result<Completion, Abort> {
        let uids = self.view()?.resolve(&set, uid)?;
        let target = self.target(&to).await?;
        if uids.is_empty() {
            return Ok(Completion::ok("There was nothing to copy"));
        }
        let id = self.view()?.id;
        let done = match self.is_own(&target) {
            true => self.session.copy_messages(id, &uids, &target.path).await?,
            false => carry(&self.selected()?, id, &uids, &target).await?,
        };
        Ok(match copied(&done) {
            Some(code) => Completion::ok("Copied").with(code),
            None => Completion::ok("There was nothing to copy"),
        })
    }

    pub(super) async fn move_(
        &mut self,
        set: Set,
        uid: bool,
        to: Mailbox,
        out: &mut Output,
    ) -> Result<Completion, Abort> {
        let uids = self.writable()?.resolve(&set, uid)?;
        let target = self.target(&to).await?;
        let id = self.view()?.id;
        if uids.is_empty() {
            return Ok(Completion::ok("There was nothing to move"));
        }
        let done = match self.is_own(&target) {
            true => self.session.move_messages(id, &uids, &target.path).await?,
            false => {
                let session = self.selected()?;
                let done = carry(&session, id, &uids, &target).await?;
                take_out(&session, id, &done).await?;
                done
            }
        };
        // RFC 6851 §4.3: untagged, before the EXPUNGE answers.
        if let Some(code) = copied(&done) {
            out.raw("* OK [").raw(code.0.as_bytes()).raw("] Moved\r\n");
        }
        let missing = uids.difference(&done.pairs.iter().map(|pair| pair.0).collect());
        let completion = ended("Moved", &missing);
        // RFC 7162 §3.2.8
        if out.enabled().qresync && completion.code.is_none() && !done.pairs.is_empty() {
            return Ok(completion.with(self.highest(id).await?));
        }
        Ok(completion)
    }

    /// Where messages are to go.
    ///
    /// # Errors
    /// NO [TRYCREATE] when there is no such mailbox (RFC 9051 §6.4.7).
    pub(super) async fn target(&self, mailbox: &Mailbox) -> Result<Place, Abort> {
        let place = self.place(mailbox).await?;
        match place.session.mailbox_status(&place.path).await {
            Ok(_) => Ok(place),
            Err(error) if error.kind == ErrorKind::NotFound => Err(no_target()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether both the selected mailbox and this one are the account's own.
    fn is_own(&self, target: &Place) -> bool {
        target.lent.is_none() && self.view.as_ref().is_some_and(|view| view.lent.is_none())
    }
}

/// Copies messages between accounts: their bytes are read here and written there. Those that are gone are left out.
async fn carry(from: &Session, id: NodeId, uids: &UidSet, to: &Place) -> Result<Transferred, Abort> {
    let names = from.keywords().await?;
    let (mut done, mut after) = (Transferred::default(), 0);
    loop {
        let page = from.messages(id, uids, after, PAGE_MESSAGES, MessageParts::default()).await?;
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for message in &page {
            let file = match from.open_message(id, message.uid).await {
                Err(error) if error.kind == ErrorKind::NotFound => continue,
                file => file?,
            };
            let staged = to.session.stage_message(message.size, file.read(None)).await?;
            let keywords = message.keywords.iter().filter_map(|id| names.name(*id)).map(str::to_owned);
            let internal = Some(message.internal);
            new.push(NewMessage { staged, flags: message.flags, keywords: keywords.collect(), internal });
            old.push(message.uid);
        }
        if !new.is_empty() {
            let appended = to.session.append(&to.path, new).await?;
            (done.mailbox, done.uid_validity) = (appended.mailbox, appended.uid_validity);
            done.pairs.extend(old.into_iter().zip(appended.uids));
        }
        match page.last() {
            Some(last) if page.len() == PAGE_MESSAGES => after = last.uid,
            _ => return Ok(done),
        }
    }
}

/// Removes messages that were carried: whatever fails, each is in one mailbox at least.
async fn take_out(from: &Session, id: NodeId, carried: &Transferred) -> Result<(), Abort> {
    let uids: UidSet = carried.pairs.iter().map(|pair| pair.0).collect();
    let (operation, flags) = (Operation::Add, Flags::DELETED);
    let change = MarkChange { operation, flags, keywords: Vec::new(), unchanged_since: None };
    from.mark_messages(id, &uids, change).await?;
    from.expunge_messages(id, Some(&uids)).await?;
    Ok(())
}

/// NO [TRYCREATE].
pub(super) fn no_target() -> Abort {
    Completion::no(Code::TRY_CREATE, "There is no such mailbox").into()
}

/// `COPYUID validity from to`
fn copied(done: &Transferred) -> Option<Code> {
    if done.pairs.is_empty() {
        return None;
    }
    let from = set::ordered(done.pairs.iter().map(|pair| pair.0));
    let to = set::ordered(done.pairs.iter().map(|pair| pair.1));
    Some(Code::new(format!("COPYUID {} {from} {to}", done.uid_validity)))
}
