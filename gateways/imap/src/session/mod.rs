//! What the commands do: a conversation on a session of core.

use allod_core::Session;

use crate::syntax::ast::Tagged;
use crate::wire::{Abort, Completion, Enabled, Literals, Output};

/// When changes are told without a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    /// During IDLE: everything may be told, EXPUNGE too.
    Idle,
    /// Between commands, because of NOTIFY.
    Between,
}

/// One client's conversation after login. It knows the selected mailbox and what the client was told of it.
pub(crate) struct Conversation {
    _session: Session,
}

impl Conversation {
    /// Begins, with nothing selected.
    pub(crate) fn new(session: Session) -> Conversation {
        Conversation { _session: session }
    }

    /// Runs one command. Untagged answers go to `out`, unsolicited ones at its end where this command allows them;
    /// the connection writes the tagged one. Messages of APPEND and REPLACE come by `body`.
    ///
    /// # Errors
    /// [`Abort`]: another way to give the completion, or the connection is gone.
    pub(crate) async fn run(
        &mut self,
        tagged: Tagged,
        out: &mut Output,
        body: &mut Literals<'_>,
    ) -> Result<Completion, Abort> {
        let _ = (tagged, out, body);
        Ok(Completion::bad("Unknown command"))
    }

    /// Whether a mailbox is selected.
    pub(crate) fn is_selected(&self) -> bool {
        false
    }

    /// The client enabled something more (RFC 5161); `enabled` is all of it.
    pub(crate) fn enable(&mut self, enabled: Enabled) {
        let _ = enabled;
    }

    /// Whether changes are to be told between commands too (RFC 5465).
    pub(crate) fn notifies(&self) -> bool {
        false
    }

    /// Resolves when there may be something for [`Conversation::report`]. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        std::future::pending().await
    }

    /// Tells what changed.
    ///
    /// # Errors
    /// As [`Conversation::run`].
    pub(crate) async fn report(&mut self, out: &mut Output, moment: Moment) -> Result<(), Abort> {
        let _ = (out, moment);
        Ok(())
    }
}
