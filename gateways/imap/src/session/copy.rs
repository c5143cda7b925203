//! COPY and MOVE (RFC 9051 §6.4.7, §6.4.8, RFC 4315).

use allod_core::mail::{Transferred, UidSet};
use allod_model::{ErrorKind, Path};

use super::Conversation;
use super::name::path_of;
use super::store::ended;
use crate::print::set;
use crate::syntax::ast::{Mailbox, Set};
use crate::wire::{Abort, Code, Completion, Output};

impl Conversation {
    pub(super) async fn copy(&mut self, set: Set, uid: bool, to: Mailbox) -> Result<Completion, Abort> {
        let uids = self.view()?.resolve(&set, uid)?;
        let target = self.target(&to).await?;
        let (uids, missing) = self.still_there(uids).await?;
        if !missing.is_empty() && !uid {
            // RFC 9051 §6.4.7: all or none.
            return Ok(ended("", &missing, false));
        }
        if uids.is_empty() {
            return Ok(Completion::ok("There was nothing to copy"));
        }
        let id = self.view()?.id;
        let done = self.session.copy_messages(id, &uids, &target).await?;
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
        let done = self.session.move_messages(id, &uids, &target).await?;
        // RFC 6851 §4.3: untagged, before the EXPUNGE answers.
        if let Some(code) = copied(&done) {
            out.raw("* OK [").raw(code.0.as_bytes()).raw("] Moved\r\n");
        }
        let missing = uids.difference(&done.pairs.iter().map(|pair| pair.0).collect());
        let completion = ended("Moved", &missing, uid);
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
    pub(super) async fn target(&self, mailbox: &Mailbox) -> Result<Path, Abort> {
        let path = path_of(mailbox)?;
        match self.session.mailbox_status(&path).await {
            Ok(_) => Ok(path),
            Err(error) if error.kind == ErrorKind::NotFound => Err(no_target()),
            Err(error) => Err(error.into()),
        }
    }

    /// Those that still are in the selected mailbox, and those that are not.
    async fn still_there(&mut self, uids: UidSet) -> Result<(UidSet, UidSet), Abort> {
        let view = self.view()?;
        let (id, told, gone) = (view.id, view.told, view.gone.clone());
        let changes = self.changes_since(id, told).await?;
        let left = uids.difference(&gone).difference(&changes.vanished);
        let missing = uids.difference(&left);
        Ok((left, missing))
    }
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
