//! SEARCH, SORT and THREAD (RFC 9051 §6.4.4, RFC 5256, RFC 5267, RFC 5182, RFC 9394).

use allod_core::mail::{self, Forest, MessageParts, UidSet};
use allod_model::{NodeId, Seq};

use super::Conversation;
use super::query::{asks_mod_seq, query};
use super::select::enable_condstore;
use crate::print::set;
use crate::syntax::ast::{PartialRange, Search, SearchKey, SearchReturn, Sort, SortBy, Thread, ThreadBy};
use crate::wire::{Abort, Completion, Output};

/// Messages whose MODSEQ is read at a time.
const PAGE_MESSAGES: usize = 1000;

/// What was found: UIDs in the order of the answer.
struct Found {
    uids: Vec<u32>,
    uid: bool,
    /// The highest MODSEQ is told (RFC 7162 §3.1.5).
    mod_seq: bool,
}

impl Conversation {
    pub(super) async fn search(
        &mut self,
        tag: String,
        search: Search,
        out: &mut Output,
    ) -> Result<Completion, Abort> {
        let mod_seq = asks_mod_seq(&search.key);
        let found = self.found(search.key, search.returns.as_ref(), out).await?;
        let found = Found { uids: found.iter().collect(), uid: search.uid, mod_seq };
        let returns = match search.returns {
            // RFC 9051 §6.4.4: the plain answer is gone from rev2.
            None if out.enabled().imap4rev2 => Some(SearchReturn { all: true, ..SearchReturn::default() }),
            returns => returns,
        };
        match returns {
            Some(returns) => self.tell_extended(&tag, &found, &returns, true, out).await?,
            None => self.tell_plain("* SEARCH", &found, out).await?,
        }
        Ok(Completion::ok("Searched"))
    }

    pub(super) async fn sort(
        &mut self,
        tag: String,
        sort: Sort,
        out: &mut Output,
    ) -> Result<Completion, Abort> {
        let mod_seq = asks_mod_seq(&sort.key);
        let found = self.found(sort.key, sort.returns.as_ref(), out).await?;
        let id = self.view()?.id;
        let keys = sort.criteria.iter().map(|key| mail::SortKey { by: by(key.by), reverse: key.reverse });
        let keys: Vec<_> = keys.collect();
        let uids = self.selected()?.sort_messages(id, &found, &keys).await?;
        let found = Found { uids, uid: sort.uid, mod_seq };
        match sort.returns {
            Some(returns) => self.tell_extended(&tag, &found, &returns, false, out).await?,
            None => self.tell_plain("* SORT", &found, out).await?,
        }
        Ok(Completion::ok("Sorted"))
    }

    pub(super) async fn thread(&mut self, thread: Thread, out: &mut Output) -> Result<Completion, Abort> {
        let found = self.found(thread.key, None, out).await?;
        let by = match thread.algorithm {
            ThreadBy::OrderedSubject => mail::ThreadBy::OrderedSubject,
            ThreadBy::References => mail::ThreadBy::References,
        };
        let view = self.view()?;
        let id = view.id;
        let forest = self.selected()?.thread_messages(id, &found, by).await?;
        let view = self.view()?;
        out.raw("* THREAD");
        if !forest.roots.is_empty() {
            out.raw(" ");
        }
        for root in &forest.roots {
            let number = |uid: u32| if thread.uid { Some(uid) } else { view.uids.seq(uid) };
            tell_thread(out, &forest, *root, &number);
            out.flow().await?;
        }
        out.end();
        Ok(Completion::ok("Threaded"))
    }

    /// The messages that a key takes, among those that the client counts. A failed search with SAVE empties `$`
    /// (RFC 5182 §2.1).
    async fn found(
        &mut self,
        key: SearchKey,
        returns: Option<&SearchReturn>,
        out: &mut Output,
    ) -> Result<UidSet, Abort> {
        if asks_mod_seq(&key) {
            enable_condstore(self.view.as_deref(), out);
        }
        let view = self.view()?;
        let (id, query) = (view.id, query(key, view));
        let found = self.selected()?.search_messages(id, &query).await;
        let view = self.view()?;
        match found {
            Ok(found) => Ok(found.intersection(&view.uids.to_set())),
            Err(error) => {
                if returns.is_some_and(|returns| returns.save) {
                    view.saved = UidSet::new();
                }
                Err(error.into())
            }
        }
    }

    async fn tell_plain(&mut self, word: &str, found: &Found, out: &mut Output) -> Result<(), Abort> {
        let view = self.view()?;
        let id = view.id;
        out.raw(word);
        for uid in &found.uids {
            let number = if found.uid { Some(*uid) } else { view.uids.seq(*uid) };
            if let Some(number) = number {
                out.raw(" ").number(number.into()).flow().await?;
            }
        }
        if found.mod_seq && !found.uids.is_empty() {
            let highest = self.highest_of(id, &found.uids.iter().copied().collect()).await?;
            out.raw(" (MODSEQ ").number(highest.0).raw(")");
        }
        out.end();
        Ok(())
    }

    /// ESEARCH (RFC 9051 §7.3.4).
    async fn tell_extended(
        &mut self,
        tag: &str,
        found: &Found,
        returns: &SearchReturn,
        ascending: bool,
        out: &mut Output,
    ) -> Result<(), Abort> {
        let view = self.view()?;
        let id = view.id;
        let uids = &found.uids;
        let seq = |uid: &u32| view.uids.seq(*uid);
        let number = |uid: &u32| if found.uid { Some(*uid) } else { seq(uid) };
        let page = returns.partial.map(|range| (range, partial(uids, range)));
        // The first and last are of the order of the answer (RFC 5267 §3.1).
        let (min, max) = (uids.first(), uids.last());
        // RFC 5182 §2.4: what is saved is what is returned; with ALL, COUNT or neither, all that was found.
        let whole =
            returns.all || returns.count || !(returns.min || returns.max || returns.partial.is_some());
        let ends = || {
            let min = min.filter(|_| returns.min).into_iter();
            let of_page = page.iter().flat_map(|(_, uids)| uids.iter());
            min.chain(max.filter(|_| returns.max)).chain(of_page).copied()
        };
        let kept: UidSet = if whole { uids.iter().copied().collect() } else { ends().collect() };
        let silent = returns.save
            && !(returns.min || returns.max || returns.all || returns.count || returns.partial.is_some());
        if !silent {
            out.raw("* ESEARCH (TAG ").string(tag).raw(")").raw(if found.uid { " UID" } else { "" });
            if let Some(first) = min.and_then(number).filter(|_| returns.min) {
                out.raw(" MIN ").number(first.into());
            }
            if let Some(last) = max.and_then(number).filter(|_| returns.max) {
                out.raw(" MAX ").number(last.into());
            }
            if returns.all && !uids.is_empty() {
                out.raw(" ALL ").raw(numbers(uids.iter().filter_map(number), ascending));
            }
            if returns.count {
                out.raw(" COUNT ").number(uids.len() as u64);
            }
            if let Some((range, uids)) = &page {
                tell_partial(out, *range, numbers(uids.iter().filter_map(number), ascending));
            }
            if found.mod_seq && !kept.is_empty() {
                let highest = self.highest_of(id, &kept).await?;
                out.raw(" MODSEQ ").number(highest.0);
            }
            out.end();
        }
        if returns.save {
            self.view()?.saved = kept;
        }
        Ok(())
    }

    /// The highest MODSEQ of some messages.
    async fn highest_of(&self, id: NodeId, uids: &UidSet) -> Result<Seq, Abort> {
        let (mut highest, mut after) = (Seq(1), 0);
        loop {
            let parts = MessageParts::default();
            let page = self.selected()?.messages(id, uids, after, PAGE_MESSAGES, parts).await?;
            highest = page.iter().map(|message| message.modseq).fold(highest, Seq::max);
            match page.last() {
                Some(last) if page.len() == PAGE_MESSAGES => after = last.uid,
                _ => return Ok(highest),
            }
        }
    }
}

fn by(by: SortBy) -> mail::SortBy {
    match by {
        SortBy::Arrival => mail::SortBy::Arrival,
        SortBy::Cc => mail::SortBy::Cc,
        SortBy::Date => mail::SortBy::Date,
        SortBy::DisplayFrom => mail::SortBy::DisplayFrom,
        SortBy::DisplayTo => mail::SortBy::DisplayTo,
        SortBy::From => mail::SortBy::From,
        SortBy::Size => mail::SortBy::Size,
        SortBy::Subject => mail::SortBy::Subject,
        SortBy::To => mail::SortBy::To,
    }
}

/// `PARTIAL (1:10 3,5)`, NIL when nothing is there (RFC 9394 §3.1).
fn tell_partial(out: &mut Output, range: PartialRange, numbers: String) {
    let sign = if range.from_end { "-" } else { "" };
    out.raw(" PARTIAL (").raw(sign).number(range.first.into()).raw(":").raw(sign);
    out.number(range.last.into()).raw(" ");
    out.raw(if numbers.is_empty() { "NIL" } else { &numbers }).raw(")");
}

/// Numbers of a SEARCH as a set, those of a SORT in their order.
fn numbers(numbers: impl Iterator<Item = u32>, ascending: bool) -> String {
    if ascending { set::text(&numbers.collect()) } else { set::ordered(numbers) }
}

fn partial(uids: &[u32], range: PartialRange) -> &[u32] {
    let count = uids.len();
    let place = |nth: u32| (nth as usize).min(count.saturating_add(1));
    let (from, to) = match range.from_end {
        false => (place(range.first).saturating_sub(1), place(range.last).min(count)),
        true => ((count + 1).saturating_sub(place(range.last)).max(1) - 1, {
            (count + 1).saturating_sub(place(range.first))
        }),
    };
    uids.get(from..to.min(count)).unwrap_or_default()
}

/// `(3 6 (4 23)(44 7 96))` (RFC 5256 §4), without recursion: a thread may be deeper than a stack.
fn tell_thread(out: &mut Output, forest: &Forest, root: usize, number: &dyn Fn(u32) -> Option<u32>) {
    enum Step {
        /// A node; whether it needs a space before it.
        Enter(usize, bool),
        Text(&'static str),
    }
    out.raw("(");
    let mut steps = vec![Step::Text(")"), Step::Enter(root, false)];
    while let Some(step) = steps.pop() {
        let (place, spaced) = match step {
            Step::Text(text) => {
                out.raw(text);
                continue;
            }
            Step::Enter(place, spaced) => (place, spaced),
        };
        let Some(node) = forest.nodes.get(place) else { continue };
        let told = node.uid.and_then(number);
        if let Some(number) = told {
            out.raw(if spaced { " " } else { "" }).number(number.into());
        }
        let spaced = spaced || told.is_some();
        match node.children.as_slice() {
            [] => {}
            [only] => steps.push(Step::Enter(*only, spaced)),
            several => {
                if spaced {
                    out.raw(" ");
                }
                for child in several.iter().rev() {
                    steps.extend([Step::Text(")"), Step::Enter(*child, false), Step::Text("(")]);
                }
            }
        }
    }
}
