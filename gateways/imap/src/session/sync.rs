//! What changed in the selected mailbox, told where the protocol allows (RFC 9051 §7.5.1, RFC 7162).

use allod_core::mail::{MailboxChanges, MessageParts, Query, UidSet};
use allod_model::{Error, ErrorKind, Seq};

use super::Conversation;
use super::select::claim;
use super::view::View;
use crate::print::set;
use crate::wire::{Abort, Output};

/// What may be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Telling {
    /// Everything.
    All,
    /// Message numbers must stay as they are.
    KeepNumbers,
    /// Nothing.
    Nothing,
}

/// Messages of which flags are read at a time.
const PAGE_MESSAGES: usize = 1000;

impl Conversation {
    /// Tells what changed since the last time.
    ///
    /// # Errors
    /// Core's and the connection's. When the mailbox is gone, the connection ends.
    pub(super) async fn sync(&mut self, out: &mut Output, telling: Telling, uid: bool) -> Result<(), Abort> {
        let (messages, flags) = self.notify.as_ref().map_or((true, true), |notify| notify.of_selected());
        if telling == Telling::Nothing || self.view.is_none() || !messages {
            return Ok(());
        }
        match self.sync_view(out, telling, uid, flags).await {
            Err(Abort::Answer(_)) if self.is_gone().await => send_away(out).await,
            outcome => outcome,
        }
    }

    /// A mailbox that is no longer lent is as one that was removed.
    pub(super) async fn check_lent(&mut self, out: &mut Output) -> Result<(), Abort> {
        let is_lent = self.view.as_ref().is_some_and(|view| view.lent.is_some());
        if is_lent && !Box::pin(self.renew_lent()).await? { send_away(out).await } else { Ok(()) }
    }

    async fn is_gone(&self) -> bool {
        let Some(view) = &self.view else { return false };
        let look = view.session.mailbox_changes(view.id, Seq(u64::MAX)).await;
        look.is_err_and(|error| error.kind == ErrorKind::NotFound)
    }

    async fn sync_view(
        &mut self,
        out: &mut Output,
        telling: Telling,
        uid: bool,
        with_flags: bool,
    ) -> Result<(), Abort> {
        let Some(changes) = self.changes().await? else { return Ok(()) };
        let Some(view) = self.view.as_deref_mut() else { return Ok(()) };
        let old = view.uids.to_set();
        view.gone = view.gone.union(&changes.vanished.intersection(&old));
        if telling == Telling::All && !view.gone.is_empty() {
            tell_gone(view, out).await?;
        }
        let new = tell_new(view, out, &changes).await?;
        let flags = changes.changed.intersection(&old).difference(&view.gone);
        let flags = self.not_shown(flags).await?;
        if let Some(view) = self.view.as_deref_mut() {
            view.told = changes.modseq;
            view.shown.clear();
            view.shown.shrink_to_fit();
        }
        if with_flags {
            self.tell_flags_of(out, &flags, uid || self.notify.is_some()).await?;
        }
        self.tell_items_of(out, &new).await
    }

    /// RFC 5465 §5.2: what the client wants to know of each new message.
    async fn tell_items_of(&mut self, out: &mut Output, new: &UidSet) -> Result<(), Abort> {
        let items = self.notify.as_ref().map_or(Vec::new(), |notify| notify.items().to_vec());
        if items.is_empty() || new.is_empty() {
            return Ok(());
        }
        Box::pin(self.show_rows(new, items, out)).await
    }

    /// What changed since the last time; `None` when there is nothing to do.
    async fn changes(&self) -> Result<Option<MailboxChanges>, Abort> {
        let Some(view) = &self.view else { return Ok(None) };
        match view.session.mailbox_changes(view.id, view.told).await {
            Ok(changes) if changes.modseq <= view.told && view.gone.is_empty() => Ok(None),
            Ok(changes) => Ok(Some(changes)),
            Err(error) if error.kind == ErrorKind::HorizonPassed => Ok(Some(self.compare(view).await?)),
            Err(error) => Err(error.into()),
        }
    }

    /// The changes of a mailbox whose deletions are forgotten, found by looking at all of it.
    async fn compare(&self, view: &View) -> Result<MailboxChanges, Error> {
        let now = view.session.mailbox_changes(view.id, Seq(u64::MAX)).await?;
        let all = view.session.search_messages(view.id, &Query::All).await?;
        let since = Query::ModSeq(Seq(view.told.0.saturating_add(1)));
        let changed = view.session.search_messages(view.id, &since).await?;
        Ok(MailboxChanges { changed, vanished: view.uids.to_set().difference(&all), ..now })
    }

    /// Without those whose flags an answer told already.
    async fn not_shown(&self, mut flags: UidSet) -> Result<UidSet, Abort> {
        let Some(view) = &self.view else { return Ok(flags) };
        for (seq, uids) in &view.shown {
            flags = flags.difference(uids);
            let later = match view.session.mailbox_changes(view.id, *seq).await {
                Ok(later) => later.changed.intersection(uids),
                Err(_) => uids.clone(),
            };
            flags = flags.union(&later);
        }
        Ok(flags.intersection(&view.uids.to_set()).difference(&view.gone))
    }

    async fn tell_flags_of(&mut self, out: &mut Output, uids: &UidSet, uid: bool) -> Result<(), Abort> {
        let mut after = 0;
        while !uids.is_empty() {
            let Some(view) = self.view.as_deref_mut() else { return Ok(()) };
            let parts = MessageParts::default();
            let page = view.session.messages(view.id, uids, after, PAGE_MESSAGES, parts).await?;
            if page.iter().any(|message| !view.knows(&message.keywords)) {
                view.names = view.session.keywords().await?;
                let all: Vec<_> = page.iter().flat_map(|message| message.keywords.clone()).collect();
                view.learn(out, &all);
            }
            let enabled = out.enabled();
            for message in &page {
                let Some(seq) = view.uids.seq(message.uid) else { continue };
                out.raw("* ").number(seq.into()).raw(" FETCH (");
                // RFC 9051 §7.5.2, RFC 7162 §3.2.4: the UID is told along.
                if uid || enabled.qresync || enabled.imap4rev2 {
                    out.raw("UID ").number(message.uid.into()).raw(" ");
                }
                view.flags(out, message.uid, message.flags, &message.keywords);
                if enabled.condstore {
                    out.raw(" MODSEQ (").number(message.modseq.0).raw(")");
                }
                out.raw(")\r\n").flow().await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE_MESSAGES => after = last.uid,
                _ => break,
            }
        }
        Ok(())
    }
}

/// RFC 2180 §3.3: who still has a mailbox selected that is gone is sent away.
async fn send_away(out: &mut Output) -> Result<(), Abort> {
    out.raw("* BYE The mailbox was removed\r\n").flush().await?;
    Err(Abort::Gone(std::io::ErrorKind::ConnectionAborted.into()))
}

/// EXPUNGE for each, or VANISHED.
async fn tell_gone(view: &mut View, out: &mut Output) -> Result<(), Abort> {
    let gone = std::mem::take(&mut view.gone);
    if out.enabled().qresync {
        // RFC 7162 §3.2.10.2
        out.raw("* VANISHED ");
        set::set(out, &gone);
        out.end();
    } else {
        // From the last to the first: no number moves before it is told.
        for (first, last) in set::seqs(&gone, &view.uids).ranges().iter().rev() {
            for seq in (*first..=*last).rev() {
                out.raw("* ").number(seq.into()).raw(" EXPUNGE\r\n").flow().await?;
            }
        }
    }
    view.uids.remove(&gone);
    view.recent = view.recent.difference(&gone);
    view.saved = view.saved.difference(&gone);
    Ok(())
}

/// EXISTS, and RECENT for clients of RFC 3501.
async fn tell_new(view: &mut View, out: &mut Output, changes: &MailboxChanges) -> Result<UidSet, Abort> {
    let new = changes.changed.intersection(&UidSet::from_ranges([(view.uid_next, u32::MAX)]));
    view.uid_next = view.uid_next.max(changes.uid_next);
    let Some((_, last)) = new.ranges().last() else { return Ok(new) };
    view.uid_next = view.uid_next.max(last.saturating_add(1));
    new.iter().for_each(|uid| view.uids.push(uid));
    if !view.read_only && !out.enabled().imap4rev2 {
        let claimed = claim(&view.session, view.id, view.uid_next).await?;
        view.recent = view.recent.union(&new.intersection(&claimed));
    }
    out.raw("* ").number(view.uids.len().into()).raw(" EXISTS\r\n");
    if !out.enabled().imap4rev2 {
        out.raw("* ").number(view.recent.len()).raw(" RECENT\r\n");
    }
    Ok(new)
}
