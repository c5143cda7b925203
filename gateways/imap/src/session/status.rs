//! STATUS (RFC 9051 §6.3.11, RFC 7162, RFC 8474, RFC 9208, RFC 7889).

use allod_core::Session;
use allod_core::mail::{MESSAGE_BYTES_MAX, MailboxStatus};
use allod_model::Path;

use super::Conversation;
use super::select::enable_condstore;
use crate::print::ids;
use crate::syntax::ast::{Mailbox, StatusItem};
use crate::wire::{Abort, Completion, Output};

impl Conversation {
    pub(super) async fn status(
        &mut self,
        mailbox: Mailbox,
        items: Vec<StatusItem>,
        out: &mut Output,
    ) -> Result<Completion, Abort> {
        if items.contains(&StatusItem::HighestModSeq) {
            enable_condstore(self.view.as_deref(), out);
        }
        let place = self.place(&mailbox).await?;
        let (status, recent) = look(&place.session, &place.path, &items).await?;
        tell_status(out, &mailbox.0, &status, recent, &items);
        Ok(Completion::ok("Status told"))
    }
}

/// A mailbox's counters, and how many messages are recent where that is asked.
pub(super) async fn look(
    session: &Session,
    path: &Path,
    items: &[StatusItem],
) -> allod_model::Result<(MailboxStatus, u32)> {
    let status = session.mailbox_status(path).await?;
    let recent = match items.contains(&StatusItem::Recent) {
        true => session.recent_messages(status.id).await?,
        false => 0,
    };
    Ok((status, recent))
}

/// `* STATUS name (…)`
pub(super) fn tell_status(
    out: &mut Output,
    name: &str,
    status: &MailboxStatus,
    recent: u32,
    items: &[StatusItem],
) {
    out.raw("* STATUS ").mailbox(name).raw(" (");
    for (nth, item) in items.iter().enumerate() {
        out.raw(if nth == 0 { "" } else { " " });
        match item {
            StatusItem::Messages => number(out, "MESSAGES ", status.exists.into()),
            StatusItem::Recent => number(out, "RECENT ", recent.into()),
            StatusItem::UidNext => number(out, "UIDNEXT ", status.uid_next.into()),
            StatusItem::UidValidity => number(out, "UIDVALIDITY ", status.uid_validity.into()),
            StatusItem::Unseen => number(out, "UNSEEN ", status.unseen.into()),
            StatusItem::Deleted => number(out, "DELETED ", status.deleted.into()),
            StatusItem::Size => number(out, "SIZE ", status.bytes),
            StatusItem::HighestModSeq => number(out, "HIGHESTMODSEQ ", status.modseq.0),
            StatusItem::DeletedStorage => number(out, "DELETED-STORAGE ", status.deleted_bytes),
            StatusItem::AppendLimit => number(out, "APPENDLIMIT ", MESSAGE_BYTES_MAX),
            StatusItem::MailboxId => _ = out.raw("MAILBOXID (").raw(ids::mailbox(status.id)).raw(")"),
        }
    }
    out.raw(")\r\n");
}

fn number(out: &mut Output, word: &str, number: u64) {
    out.raw(word).number(number);
}
