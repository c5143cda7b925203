//! Rights (RFC 4314). Core knows reading, filing and everything; the standard's letters come in these bundles.

use allod_core::Share;
use allod_model::{Error, ErrorKind, Rights};

use super::Conversation;
use super::place::Place;
use crate::syntax::ast::{Mailbox, RightsChange};
use crate::wire::{Abort, Code, Completion, Output};

/// All letters (RFC 4314 §2.1).
const ALL: &str = "lrswipkxtea";
/// What comes with reading.
const READING: &str = "lr";
/// What comes with writing, beside reading.
const WRITING: &str = "swipkxte";
/// Of these, what cannot be left out.
const WRITING_NEEDED: &str = "swite";

/// What a session may do, in the standard's letters.
pub(super) fn rights_letters(rights: Rights) -> &'static str {
    match rights {
        Rights::Read => READING,
        // What comes can be filed, and mailboxes can be made; nothing that is there changes.
        Rights::Append => "lrik",
        Rights::Write => ALL,
    }
}

/// The same in a mailbox that another account lends: lending it on is the owner's alone.
fn lent_letters(rights: Rights) -> &'static str {
    match rights {
        Rights::Write => "lrswipkxte",
        rights => rights_letters(rights),
    }
}

/// What letters ask for: nothing, reading, or writing.
///
/// # Errors
/// BAD for a letter that is none; NO where they part what belongs together.
fn understood(letters: &str) -> Result<Option<Rights>, Abort> {
    // RFC 4314 §2.1.1: `c` and `d` are of old, and `p` means nothing here.
    let letters = letters.replace('c', "k").replace('d', "te");
    if letters.chars().any(|letter| !ALL.contains(letter) || letter == 'a') {
        let known = letters.chars().all(|letter| ALL.contains(letter));
        return Err(match known {
            true => Completion::no(Code::CANNOT, "Only the owner administers a mailbox").into(),
            false => Completion::bad("There is no such right").into(),
        });
    }
    let has = |wanted: &str| wanted.chars().all(|letter| letters.contains(letter));
    if has(WRITING_NEEDED) && has(READING) {
        return Ok(Some(Rights::Write));
    }
    match letters.chars().filter(|letter| *letter != 'p').all(|letter| READING.contains(letter)) {
        true => Ok(Some(Rights::Read).filter(|_| letters.contains(['l', 'r']))),
        false => Err(Completion::no(Code::CANNOT, "Rights here are lr, or lrswipkxte").into()),
    }
}

impl Conversation {
    pub(super) async fn my_rights(
        &mut self,
        mailbox: Mailbox,
        out: &mut Output,
    ) -> Result<Completion, Abort> {
        let place = self.place(&mailbox).await?;
        let status = place.session.mailbox_status(&place.path).await?;
        let letters = match place.lent {
            Some(rights) => lent_letters(rights.min(status.rights)),
            None => rights_letters(status.rights),
        };
        out.raw("* MYRIGHTS ").mailbox(&mailbox.0).raw(" ").raw(letters).end();
        Ok(Completion::ok("Rights told"))
    }

    pub(super) async fn get_acl(&mut self, mailbox: Mailbox, out: &mut Output) -> Result<Completion, Abort> {
        let place = self.administered(&mailbox).await?;
        let shares = self.session.shares(&place.path).await?;
        out.raw("* ACL ").mailbox(&mailbox.0).raw(" ").astring(self.session.account()).raw(" ").raw(ALL);
        for Share { account, rights, .. } in &shares {
            out.raw(" ").astring(account).raw(" ").raw(lent_letters(*rights));
        }
        out.end();
        Ok(Completion::ok("Rights told"))
    }

    /// RFC 4314 §3.7: none is always there; two bundles, each whole.
    pub(super) async fn list_rights(
        &mut self,
        mailbox: Mailbox,
        identifier: String,
        out: &mut Output,
    ) -> Result<Completion, Abort> {
        self.administered(&mailbox).await?;
        let is_owner = identifier == self.session.account();
        out.raw("* LISTRIGHTS ").mailbox(&mailbox.0).raw(" ").astring(&identifier).raw(" ");
        match is_owner {
            true => out.raw(ALL),
            false => out.raw("\"\" ").raw(READING).raw(" ").raw(WRITING),
        };
        out.end();
        Ok(Completion::ok("Rights told"))
    }

    pub(super) async fn set_acl(
        &mut self,
        mailbox: Mailbox,
        identifier: String,
        change: RightsChange,
        letters: String,
    ) -> Result<Completion, Abort> {
        let place = self.administered(&mailbox).await?;
        self.check_identifier(&identifier)?;
        let shares = self.session.shares(&place.path).await?;
        let before = shares.iter().find(|share| share.account == identifier).map(|share| share.rights);
        let before = before.map_or("", lent_letters);
        let after = match change {
            RightsChange::Replace => letters,
            RightsChange::Add => format!("{before}{letters}"),
            RightsChange::Remove => {
                let letters = letters.replace('c', "k").replace('d', "te");
                before.chars().filter(|letter| !letters.contains(*letter)).collect()
            }
        };
        let rights = match (change, understood(&after)) {
            // What is left of a bundle is not enough for it.
            (RightsChange::Remove, Err(_)) => Some(Rights::Read).filter(|_| after.contains('r')),
            (_, rights) => rights?,
        };
        match rights {
            Some(rights) => self.session.share(&place.path, &identifier, rights).await?,
            None => match self.session.unshare(&place.path, &identifier).await {
                Err(error) if error.kind == ErrorKind::NotFound && before.is_empty() => {}
                outcome => outcome?,
            },
        }
        Ok(Completion::ok("Rights set"))
    }

    pub(super) async fn delete_acl(
        &mut self,
        mailbox: Mailbox,
        identifier: String,
    ) -> Result<Completion, Abort> {
        let place = self.administered(&mailbox).await?;
        self.check_identifier(&identifier)?;
        match self.session.unshare(&place.path, &identifier).await {
            // RFC 4314 §3.2: nothing to take away is no error.
            Err(Error { kind: ErrorKind::NotFound, .. }) => {}
            outcome => outcome?,
        }
        Ok(Completion::ok("Rights taken away"))
    }

    /// A mailbox whose rights this session may know and set.
    ///
    /// # Errors
    /// NO [NOPERM] in one that another account lends.
    async fn administered(&self, mailbox: &Mailbox) -> Result<Place, Abort> {
        let place = self.place(mailbox).await?;
        let status = place.session.mailbox_status(&place.path).await?;
        if place.lent.is_some() || status.rights < Rights::Write {
            return Err(Completion::no(Code::NO_PERM, "Only the owner administers a mailbox").into());
        }
        Ok(place)
    }

    fn check_identifier(&self, identifier: &str) -> Result<(), Abort> {
        let refused = |text| Err(Completion::no(Code::CANNOT, text).into());
        match identifier {
            // RFC 4314 §2: negative rights are optional.
            text if text.starts_with('-') => refused("There are no negative rights here"),
            "anyone" | "anonymous" => refused("Mailboxes are lent to accounts by name"),
            text if text == self.session.account() => refused("The owner has all rights always"),
            _ => Ok(()),
        }
    }
}
