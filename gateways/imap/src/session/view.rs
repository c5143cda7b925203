//! The selected mailbox as the client was told of it.

use allod_core::Session;
use allod_core::mail::{Flags, KeywordId, Keywords, UidSet, Uids};
use allod_model::{NodeId, Path, Seq};

use super::place::Lent;
use crate::print::flags;
use crate::print::set;
use crate::syntax::ast::{Mailbox, Set, SetBound};
use crate::wire::{Abort, Completion, Output};

/// Commits of which it is kept that the client saw their flags.
const SHOWN_MAX: usize = 64;

/// The selected mailbox.
///
/// **Invariant:** `uids` are the messages that the client counts: they change only together with an EXISTS, EXPUNGE or
/// VANISHED.
pub(crate) struct View {
    /// The session that opens it.
    pub(crate) session: Session,
    pub(crate) id: NodeId,
    /// Its path in that session's tree.
    pub(crate) path: Path,
    pub(crate) name: Mailbox,
    pub(crate) read_only: bool,
    /// Another account lends it.
    pub(super) lent: Option<Lent>,
    pub(crate) uids: Uids,
    /// UIDNEXT as of [`View::told`].
    pub(crate) uid_next: u32,
    /// What changed up to here is told, or noted in [`View::gone`].
    pub(crate) told: Seq,
    /// Messages that are gone, while the client still counts them.
    pub(crate) gone: UidSet,
    /// Messages that came while the mailbox was selected (RFC 3501 §2.3.2).
    pub(crate) recent: UidSet,
    /// Flags that an answer told already, by their MODSEQ.
    pub(crate) shown: Vec<(Seq, UidSet)>,
    /// Names of keywords.
    pub(crate) names: Keywords,
    /// Keywords that a FLAGS answer told, ascending.
    pub(crate) keywords: Vec<KeywordId>,
    /// RFC 5182: `$`.
    pub(crate) saved: UidSet,
}

impl View {
    /// The UIDs that a set means, among those that the client counts.
    ///
    /// # Errors
    /// BAD for a message number that is not there (RFC 9051 §2.3.1.2).
    pub(crate) fn resolve(&self, set: &Set, uid: bool) -> Result<UidSet, Abort> {
        if !uid
            && let Set::Ranges(ranges) = set
            && ranges.iter().flat_map(|(a, b)| [a, b]).any(
                |bound| matches!(bound, SetBound::Number(number) if *number == 0 || *number > self.uids.len()),
            )
        {
            return Err(Completion::bad("There is no message of this number").into());
        }
        Ok(self.among(set, uid))
    }

    /// As [`View::resolve`]; numbers that are not there mean nothing.
    pub(crate) fn among(&self, set: &Set, uid: bool) -> UidSet {
        let Set::Ranges(ranges) = set else { return self.saved.intersection(&self.uids.to_set()) };
        if self.uids.is_empty() {
            return UidSet::new();
        }
        let last = if uid { self.uids.last().unwrap_or(0) } else { self.uids.len() };
        let number = |bound: &SetBound| match bound {
            SetBound::Number(number) => *number,
            SetBound::Last => last,
        };
        let numbers = UidSet::from_ranges(ranges.iter().map(|(a, b)| (number(a), number(b))));
        if uid {
            return numbers.intersection(&self.uids.to_set());
        }
        let of_seqs = numbers
            .ranges()
            .iter()
            .flat_map(|(first, last)| self.uids.uids_of_seqs(*first, *last).ranges().to_vec());
        UidSet::from_ranges(of_seqs)
    }

    /// A set of UIDs as this command names messages.
    pub(crate) fn numbers(&self, uids: &UidSet, uid: bool) -> UidSet {
        if uid { uids.clone() } else { set::seqs(uids, &self.uids) }
    }

    /// Notes that the client saw a message's flags as of `seq`.
    pub(crate) fn show(&mut self, uid: u32, seq: Seq) {
        if seq <= self.told {
            return;
        }
        // Beyond the bound they will be told twice.
        match self.shown.iter().position(|(known, _)| *known == seq) {
            Some(at) => self.shown[at].1.insert(uid),
            None if self.shown.len() < SHOWN_MAX => self.shown.push((seq, UidSet::from_iter([uid]))),
            None => {}
        }
    }

    /// Whether the client knows a message's flags as of `seq`.
    pub(crate) fn saw(&self, uid: u32, seq: Seq) -> bool {
        seq <= self.told || self.shown.iter().any(|(known, uids)| *known == seq && uids.contains(uid))
    }

    /// Whether all of these keywords were told.
    pub(crate) fn knows(&self, keywords: &[KeywordId]) -> bool {
        keywords.iter().all(|id| self.keywords.binary_search(id).is_ok())
    }

    /// Tells of keywords that the client does not know (RFC 9051 §7.3.5).
    pub(crate) fn learn(&mut self, out: &mut Output, keywords: &[KeywordId]) {
        self.keywords.extend(keywords);
        self.keywords.sort_unstable();
        self.keywords.dedup();
        self.tell_flags(out);
    }

    /// FLAGS and PERMANENTFLAGS.
    pub(crate) fn tell_flags(&self, out: &mut Output) {
        let names = || self.keywords.iter().filter_map(|id| self.names.name(*id));
        out.raw("* FLAGS ");
        flags::possible(out, names(), false);
        out.raw("\r\n* OK [PERMANENTFLAGS ");
        if self.read_only {
            out.raw("()] Read-only\r\n");
        } else {
            flags::possible(out, names(), true);
            out.raw("] Flags that stay\r\n");
        }
    }

    /// `FLAGS (…)`
    pub(crate) fn flags(&self, out: &mut Output, uid: u32, flags: Flags, keywords: &[KeywordId]) {
        out.raw("FLAGS ");
        let recent = !out.enabled().imap4rev2 && self.recent.contains(uid);
        flags::flags(out, flags, recent, keywords, &self.names);
    }
}
