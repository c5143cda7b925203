//! Where a mailbox is: in the account's own tree, or lent by another account (RFC 4314).

use allod_core::{Session, Watch};
use allod_model::{Path, Rights};

use super::Conversation;
use super::name::path_of;
use crate::syntax::ast::Mailbox;
use crate::wire::Abort;

/// A mailbox's place.
pub(super) struct Place {
    /// The session that opens it.
    pub(super) session: Session,
    /// Its path there.
    pub(super) path: Path,
    /// Whether another account lends it, and what may be done in it then.
    pub(super) lent: Option<Rights>,
}

/// What a selected mailbox keeps that another account lends.
pub(super) struct Lent {
    /// Its path in the borrower's tree.
    pub(super) at: Path,
    /// Hears of the owner's changes.
    pub(super) watch: Watch,
}

impl Conversation {
    /// Where the mailbox of this name is, or would be.
    ///
    /// # Errors
    /// NO [CANNOT] for a name that no mailbox can have; core's.
    pub(super) async fn place(&self, mailbox: &Mailbox) -> Result<Place, Abort> {
        self.place_of(path_of(mailbox)?).await
    }

    pub(super) async fn place_of(&self, path: Path) -> Result<Place, Abort> {
        Ok(match self.session.through(&path).await? {
            Some((mount, inside)) => Place {
                session: mount.session,
                path: inside,
                lent: Some(mount.node.rights.unwrap_or(Rights::Read)),
            },
            None => Place { session: self.session.clone(), path, lent: None },
        })
    }

    /// The session that opens the selected mailbox.
    ///
    /// # Errors
    /// BAD when there is none.
    pub(super) fn selected(&self) -> Result<Session, Abort> {
        match &self.view {
            Some(view) => Ok(view.session.clone()),
            None => Err(super::none_selected()),
        }
    }

    /// Looks again whether a lent mailbox still is: what it opens is judged when it is asked for.
    ///
    /// # Errors
    /// As [`Conversation::place`].
    pub(super) async fn renew_lent(&mut self) -> Result<bool, Abort> {
        let Some(view) = self.view.as_deref() else { return Ok(true) };
        let Some(lent) = &view.lent else { return Ok(true) };
        let place = self.place_of(lent.at.clone()).await?;
        if let (Some(view), Some(rights)) = (self.view.as_deref_mut(), place.lent) {
            view.read_only |= rights < Rights::Write;
            view.session = place.session;
            view.path = place.path;
            return Ok(true);
        }
        Ok(false)
    }
}
