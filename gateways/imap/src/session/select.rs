//! SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 §6.3.2, RFC 7162 §3.2.5, RFC 8474).

use allod_core::Session;
use allod_core::mail::{MailboxChanges, Query, Selected, UidSet};
use allod_model::{ErrorKind, NodeId, Rights, Seq};

use super::Conversation;
use super::name::path_of;
use super::place::{Lent, Place};
use super::view::View;
use crate::print::{ids, set};
use crate::syntax::ast::{FetchItem, Mailbox, Qresync, Select, Set, SetBound};
use crate::wire::{Abort, Code, Completion, Output};

impl Conversation {
    pub(super) async fn select(&mut self, select: Select, out: &mut Output) -> Result<Completion, Abort> {
        if select.condstore || select.qresync.is_some() {
            enable_condstore(None, out);
        }
        if select.qresync.is_some() && !out.enabled().qresync {
            // RFC 7162 §3.2.5
            return Ok(Completion::bad("ENABLE QRESYNC first"));
        }
        // RFC 9051 §6.3.2: whatever comes of it, the old one is no longer selected.
        if self.view.take().is_some() {
            out.raw("* OK [CLOSED] The other mailbox is closed\r\n");
        }
        let Place { session, path, lent } = self.place(&select.mailbox).await?;
        let at = path_of(&select.mailbox)?;
        let lent = lent.map(|_| Lent { at, watch: session.watch() });
        let selected = session.select_mailbox(&path).await?;
        let names = session.keywords().await?;
        let read_only = select.read_only || selected.status.rights < Rights::Write;
        let keywords = selected.status.keywords.iter().filter_map(|name| names.id(name));
        let mut keywords: Vec<_> = keywords.collect();
        keywords.sort_unstable();
        let Selected { status, uids, first_unseen, recent } = selected;
        let recent = match (read_only, out.enabled().imap4rev2) {
            (_, true) => UidSet::new(),
            // RFC 3501 §6.3.2: EXAMINE takes nothing away.
            (true, _) if recent == 0 => UidSet::new(),
            (true, _) => uids.uids_of_seqs(uids.len().saturating_sub(recent) + 1, uids.len()),
            (false, _) => claim(&session, status.id, status.uid_next).await?.intersection(&uids.to_set()),
        };
        let view = View {
            session,
            lent,
            id: status.id,
            path,
            name: select.mailbox,
            read_only,
            uids,
            uid_next: status.uid_next,
            told: status.modseq,
            gone: UidSet::new(),
            recent,
            shown: Vec::new(),
            names,
            keywords,
            saved: UidSet::new(),
        };
        tell_selected(&view, status.uid_validity, first_unseen, out);
        let view = self.view.insert(Box::new(view));
        let validity = status.uid_validity;
        if let Some(known) = select.qresync.filter(|known| known.uid_validity == validity) {
            let id = view.id;
            self.catch_up(id, known, out).await?;
        }
        let word = if read_only { Code::READ_ONLY } else { Code::READ_WRITE };
        Ok(Completion::ok(if select.read_only { "Examined" } else { "Selected" }).with(word))
    }

    /// RFC 7162 §3.2.5: VANISHED (EARLIER) and the flags of what changed.
    async fn catch_up(&mut self, id: NodeId, known: Qresync, out: &mut Output) -> Result<(), Abort> {
        let changes = self.changes_since(id, Seq(known.mod_seq)).await?;
        let view = self.view()?;
        let all = view.uids.to_set();
        // What came after the client's last visit it cannot have known.
        let among = match &known.known_uids {
            Some(set) => known_set(set, view),
            None => UidSet::all(),
        };
        let mut vanished = changes.vanished.difference(&all);
        if changes.modseq == Seq(u64::MAX) {
            // Deletions are forgotten: all that is not there is gone. From message numbers that still fit their UIDs
            // the client knows up to where none is (§3.2.5.2).
            let below = view.uid_next.saturating_sub(1);
            vanished = UidSet::from_ranges([(1, below)]).difference(&all);
            if let Some((seqs, uids)) = &known.sequence_match {
                let from = first_mismatch(seqs, uids, view);
                vanished = vanished.intersection(&UidSet::from_ranges([(from, u32::MAX)]));
            }
        }
        let vanished = vanished.intersection(&among);
        if !vanished.is_empty() {
            out.raw("* VANISHED (EARLIER) ");
            set::set(out, &vanished);
            out.end();
        }
        let changed = changes.changed.intersection(&among).intersection(&all);
        let items = vec![FetchItem::Uid, FetchItem::Flags, FetchItem::ModSeq];
        self.show_rows(&changed, items, out).await
    }

    /// What changed since a MODSEQ that a client names. Where deletions since then are forgotten, `modseq` is the
    /// greatest that there is, and none are named.
    pub(super) async fn changes_since(&self, id: NodeId, since: Seq) -> Result<MailboxChanges, Abort> {
        match self.selected()?.mailbox_changes(id, since).await {
            Err(error) if error.kind == ErrorKind::HorizonPassed => {
                let query = Query::ModSeq(Seq(since.0.saturating_add(1)));
                let changed = self.selected()?.search_messages(id, &query).await?;
                Ok(MailboxChanges { changed, modseq: Seq(u64::MAX), ..MailboxChanges::default() })
            }
            changes => Ok(changes?),
        }
    }

    pub(super) async fn close(&mut self, out: &mut Output) -> Result<Completion, Abort> {
        let view = self.view()?;
        let (id, read_only, known) = (view.id, view.read_only, view.uids.to_set());
        let mut completion = Completion::ok("Closed");
        if !read_only {
            let gone = self.selected()?.expunge_messages(id, Some(&known)).await?;
            if out.enabled().qresync && !gone.is_empty() {
                completion = completion.with(self.highest(id).await?);
            }
        }
        self.view = None;
        Ok(completion)
    }

    pub(super) fn unselect(&mut self) -> Result<Completion, Abort> {
        self.view()?;
        self.view = None;
        Ok(Completion::ok("Closed, nothing was expunged"))
    }

    /// `HIGHESTMODSEQ n`
    pub(super) async fn highest(&self, id: NodeId) -> Result<Code, Abort> {
        let now = self.selected()?.mailbox_changes(id, Seq(u64::MAX)).await?;
        Ok(Code::new(format!("HIGHESTMODSEQ {}", now.modseq)))
    }

    /// Whether this is the selected mailbox, now closed.
    pub(super) fn forget(&mut self, mailbox: &Mailbox, out: &mut Output) {
        if self.view.as_ref().is_some_and(|view| view.name == *mailbox) {
            self.view = None;
            out.raw("* OK [CLOSED] The mailbox is closed\r\n");
        }
    }
}

/// Takes what is recent below a UID for this session.
pub(super) async fn claim(session: &Session, id: NodeId, below: u32) -> Result<UidSet, Abort> {
    let claimed = session.claim_recent(id, below.saturating_sub(1)).await?;
    Ok(UidSet::from_ranges(claimed))
}

/// RFC 7162 §3.1: from a command that speaks of MODSEQ on, it is told; at first, the mailbox's.
pub(super) fn enable_condstore(view: Option<&View>, out: &mut Output) {
    let mut enabled = out.enabled();
    if let Some(view) = view.filter(|_| !enabled.condstore) {
        out.raw("* OK [HIGHESTMODSEQ ").number(view.told.0).raw("] Highest\r\n");
    }
    enabled.condstore = true;
    out.set_enabled(enabled);
}

fn tell_selected(view: &View, uid_validity: u32, first_unseen: Option<u32>, out: &mut Output) {
    view.tell_flags(out);
    out.raw("* ").number(view.uids.len().into()).raw(" EXISTS\r\n");
    let enabled = out.enabled();
    if !enabled.imap4rev2 {
        out.raw("* ").number(view.recent.len()).raw(" RECENT\r\n");
        if let Some(seq) = first_unseen.and_then(|uid| view.uids.seq(uid)) {
            out.raw("* OK [UNSEEN ").number(seq.into()).raw("] First that is not seen\r\n");
        }
    }
    out.raw("* OK [UIDVALIDITY ").number(uid_validity.into()).raw("] UIDs are valid\r\n");
    out.raw("* OK [UIDNEXT ").number(view.uid_next.into()).raw("] Predicted next UID\r\n");
    out.raw("* OK [HIGHESTMODSEQ ").number(view.told.0).raw("] Highest\r\n");
    out.raw("* OK [MAILBOXID (").raw(ids::mailbox(view.id)).raw(")] Unique\r\n");
    if enabled.imap4rev2 {
        // RFC 9051 §6.3.2
        out.raw("* LIST () \"/\" ").mailbox(&view.name.0).end();
    }
}

/// UIDs that a client names of its own memory, `*` being the last one that was given.
pub(super) fn known_set(set: &Set, view: &View) -> UidSet {
    let Set::Ranges(ranges) = set else { return UidSet::new() };
    let last = view.uid_next.saturating_sub(1);
    let number = |bound: &SetBound| match bound {
        SetBound::Number(number) => *number,
        SetBound::Last => last,
    };
    UidSet::from_ranges(ranges.iter().map(|(a, b)| (number(a), number(b))))
}

/// The UID from which on the client's memory may differ: after the last pair that fits.
fn first_mismatch(seqs: &Set, uids: &Set, view: &View) -> u32 {
    let (seqs, uids) = (known_set(seqs, view), known_set(uids, view));
    if seqs.len() != uids.len() {
        return 1;
    }
    let pairs = seqs.iter().zip(uids.iter());
    let fitting = pairs.take_while(|(seq, uid)| view.uids.uid(*seq) == Some(*uid));
    fitting.last().map_or(1, |(_, uid)| uid.saturating_add(1))
}
