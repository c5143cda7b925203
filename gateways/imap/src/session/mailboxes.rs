//! CREATE, DELETE, RENAME, SUBSCRIBE (RFC 9051 §6.3.4 ff., RFC 6154 §3).

use allod_core::mail::SpecialUse as Use;
use allod_model::ErrorKind;

use super::Conversation;
use super::name::{INBOX, path_of};
use super::place::Place;
use crate::print::ids;
use crate::syntax::ast::{Mailbox, SpecialUse};
use crate::wire::{Abort, Code, Completion, Output};

/// How deep in the tree stands what others lend: directly below the home of mailboxes.
const LENT_DEPTH: usize = 2;

impl Conversation {
    pub(super) async fn create(
        &mut self,
        mailbox: Mailbox,
        special_use: Vec<SpecialUse>,
    ) -> Result<Completion, Abort> {
        // RFC 9051 §6.3.4: a delimiter at the end says that there will be more below; nothing is different here.
        let mailbox = Mailbox(mailbox.0.strip_suffix('/').unwrap_or(&mailbox.0).to_owned());
        let special = match special_use.as_slice() {
            [] => None,
            [one] => Some(special(*one)),
            // RFC 6154 §3: a mailbox has one use here.
            _ => return Ok(Completion::no(Code::USE_ATTR, "A mailbox can have one use only")),
        };
        let Place { session, path, .. } = self.place(&mailbox).await?;
        let id = session.create_mailbox(&path, special).await?;
        // RFC 8474 §4.1
        let code = Code::new(format!("MAILBOXID ({})", ids::mailbox(id)));
        Ok(Completion::ok("Created").with(code))
    }

    pub(super) async fn delete(&mut self, mailbox: Mailbox, out: &mut Output) -> Result<Completion, Abort> {
        if mailbox.0 == INBOX {
            // RFC 9051 §6.3.5
            return Ok(Completion::no(Code::CANNOT, "INBOX stays"));
        }
        let at = path_of(&mailbox)?;
        let Place { session, path, lent } = self.place(&mailbox).await?;
        match lent {
            // RFC 4314 §4: what is lent is given back, not removed.
            Some(_) if at.depth() == LENT_DEPTH => self.session.leave(&at).await?,
            _ => session.delete_mailbox(&path).await?,
        }
        self.forget(&mailbox, out);
        Ok(Completion::ok("Deleted"))
    }

    pub(super) async fn rename(
        &mut self,
        from: Mailbox,
        to: Mailbox,
        out: &mut Output,
    ) -> Result<Completion, Abort> {
        let (old, new) = (path_of(&from)?, path_of(&to)?);
        let places = (self.place(&from).await?, self.place(&to).await?);
        if places.0.lent.is_some() || places.1.lent.is_some() {
            return Ok(Completion::no(Code::CANNOT, "What others lend has the name that they give it"));
        }
        match self.session.rename_mailbox(&old, &new).await {
            // RFC 9051 §6.3.6: a mailbox cannot go into itself.
            Err(error) if error.kind == ErrorKind::WrongKind => {
                return Ok(Completion::no(Code::CANNOT, "A mailbox cannot be put there"));
            }
            outcome => outcome?,
        }
        if from.0 != INBOX
            && let Some(view) = &mut self.view
            && view.path.starts_with(&old)
        {
            let inside = view.path.names()[old.depth()..].iter().cloned();
            view.path = inside.fold(new, |path, name| path.join(name));
            view.name = Mailbox(format!("{}{}", to.0, &view.name.0[from.0.len()..]));
        }
        if from.0 != INBOX && out.enabled().imap4rev2 {
            // RFC 9051 §6.3.9.7
            out.raw("* LIST () \"/\" ").mailbox(&to.0).raw(" (\"OLDNAME\" (").mailbox(&from.0).raw("))\r\n");
        }
        Ok(Completion::ok("Renamed"))
    }

    pub(super) async fn subscribe(&mut self, mailbox: Mailbox, on: bool) -> Result<Completion, Abort> {
        let path = path_of(&mailbox)?;
        self.session.subscribe(&path, on).await?;
        Ok(Completion::ok(if on { "Subscribed" } else { "No longer subscribed" }))
    }
}

fn special(of: SpecialUse) -> Use {
    match of {
        SpecialUse::All => Use::All,
        SpecialUse::Archive => Use::Archive,
        SpecialUse::Drafts => Use::Drafts,
        SpecialUse::Flagged => Use::Flagged,
        SpecialUse::Important => Use::Important,
        SpecialUse::Junk => Use::Junk,
        SpecialUse::Sent => Use::Sent,
        SpecialUse::Trash => Use::Trash,
    }
}
