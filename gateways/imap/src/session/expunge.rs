//! EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9).

use super::Conversation;
use crate::syntax::ast::Set;
use crate::wire::{Abort, Code, Completion, Output};

impl Conversation {
    /// The answers EXPUNGE or VANISHED come with the other changes, at the end of the command.
    pub(super) async fn expunge(&mut self, uids: Option<Set>, out: &mut Output) -> Result<Completion, Abort> {
        let view = self.writable()?;
        // What the client was not told of it cannot mean.
        let within = match &uids {
            Some(set) => view.resolve(set, true)?,
            None => view.uids.to_set(),
        };
        let id = view.id;
        let gone = self.selected()?.expunge_messages(id, Some(&within)).await?;
        let completion = Completion::ok("Expunged");
        // RFC 7162 §3.2.7
        if out.enabled().qresync && !gone.is_empty() {
            return Ok(completion.with(self.highest(id).await?));
        }
        Ok(completion)
    }

    /// The selected mailbox, to be changed.
    ///
    /// # Errors
    /// BAD without one; NO when it is read-only.
    pub(super) fn writable(&mut self) -> Result<&mut super::View, Abort> {
        let view = self.view()?;
        if view.read_only {
            return Err(Completion::no(Code::NO_PERM, "The mailbox is read-only").into());
        }
        Ok(view)
    }
}
