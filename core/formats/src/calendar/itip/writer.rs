//! Who hears what of an organizer's change: RFC 6638 §3.2.1.2 and §3.2.6.

use std::collections::{BTreeMap, BTreeSet};

use super::derive::{beginning, time_line};
use super::essence::{Essence, Matters};
use super::organizer::earlier;
use super::outgoing::{Sparse, envelope, request_block};
use super::parts::{Part, Parts, Party};
use super::{MESSAGE_BYTES_MAX, MESSAGES_BYTES_MAX, Making, Message, Method, PEOPLE_MAX, Refusal};
use crate::component::Component;
use crate::value::{Utc, unescape_text};

/// Instances newly taken out that are cancelled one by one; beyond, the whole object is sent.
const EXCLUSIONS_MAX: usize = 100;

/// What one attendee may see of an object (RFC 6638 §3.2.6), by places in the list of components.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct View {
    components: Vec<usize>,
    has_master: bool,
    /// Instances that he is not invited to, although he is to the series.
    without: Vec<usize>,
}

impl View {
    fn of(parts: &Parts<'_, '_>, attendee: &str) -> Option<View> {
        let takes_part = |part: &Part<'_, '_>| {
            !part.cancelled && part.attendee(attendee).is_some_and(|party| party.by_server)
        };
        let mut view = View { components: Vec::new(), has_master: false, without: Vec::new() };
        if parts.master().is_some_and(|master| master.cancelled) {
            return None;
        }
        view.has_master = parts.master().is_some_and(takes_part);
        for (place, part) in parts.list.iter().enumerate() {
            if takes_part(part) {
                view.components.push(place);
            } else if part.id.is_some() && view.has_master {
                view.without.push(place);
            }
        }
        if view.components.is_empty() { None } else { Some(view) }
    }

    fn has(&self, parts: &Parts<'_, '_>, id: Option<Utc>) -> bool {
        self.components.iter().any(|place| parts.list[*place].id == id)
    }

    /// Instances of the series that are not his.
    fn excluded(&self, parts: &Parts<'_, '_>) -> BTreeSet<Utc> {
        if !self.has_master {
            return BTreeSet::new();
        }
        let by_date = parts.exclusions().into_iter();
        by_date.chain(self.without.iter().filter_map(|place| parts.list[*place].id)).collect()
    }
}

/// What somebody saw before and sees now.
type Views = (Option<View>, Option<View>);

/// What of the old object is cancelled for an attendee.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cancelled {
    /// A component of the old object.
    Component(usize),
    /// An instance of its recurring component.
    Instance(Utc),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Draft {
    Cancel(Vec<Cancelled>),
    Request { view: View, asks_anew: bool, follows_cancel: bool },
}

/// Messages being written about a change.
pub(super) struct Writer<'s, 'd, 'a, 'o, 'b> {
    old: Option<&'s Parts<'o, 'b>>,
    new: Option<&'s Parts<'d, 'a>>,
    making: Making<'s>,
    /// Who is to get a REQUEST whatever changed.
    pub(super) forced: BTreeSet<String>,
    /// Whether the organizer's program counted SEQUENCE up in all components by itself, which says that something changed.
    pub(super) raised: bool,
    /// Who hears nothing.
    pub(super) but: Option<String>,
}

impl<'s, 'd, 'a, 'o, 'b> Writer<'s, 'd, 'a, 'o, 'b> {
    pub(super) fn new(
        old: Option<&'s Parts<'o, 'b>>,
        new: Option<&'s Parts<'d, 'a>>,
        making: Making<'s>,
    ) -> Writer<'s, 'd, 'a, 'o, 'b> {
        Writer { old, new, making, forced: BTreeSet::new(), raised: false, but: None }
    }

    fn organizer(&self) -> Option<&Party> {
        self.new.and_then(Parts::organizer).or(self.old.and_then(Parts::organizer))
    }

    /// Who may hear of it: canonical addresses with the address as written; the new object's counts.
    fn people(&self, organizer: &Party) -> Result<BTreeMap<String, String>, Refusal> {
        let mut people: BTreeMap<String, String> = BTreeMap::new();
        let olds = self.old.iter().flat_map(|parts| &parts.list);
        let news = self.new.iter().flat_map(|parts| &parts.list);
        for party in olds.flat_map(|part| &part.attendees).chain(news.flat_map(|part| &part.attendees)) {
            // RFC 6638 §3.2.1: never to the attendee that is the organizer.
            if party.canonical != organizer.canonical && self.but.as_ref() != Some(&party.canonical) {
                people.insert(party.canonical.clone(), party.address.clone());
            }
        }
        if people.len() > PEOPLE_MAX {
            return Err(Refusal::TooMany("too many people to schedule with"));
        }
        Ok(people)
    }

    /// Whether anybody is to hear anything.
    pub(super) fn says_something(&self) -> Result<bool, Refusal> {
        let Some(organizer) = self.organizer() else { return Ok(false) };
        Ok(!self.drafts(&self.people(organizer)?).is_empty())
    }

    /// What is to be said to whom: people who see the same hear the same, and who are to get the same get one message.
    fn drafts<'p>(&self, people: &'p BTreeMap<String, String>) -> BTreeMap<Draft, Vec<&'p String>> {
        let mut known: BTreeMap<Views, Vec<Draft>> = BTreeMap::new();
        let mut drafts: BTreeMap<Draft, Vec<&String>> = BTreeMap::new();
        for canonical in people.keys() {
            let view = |parts: Option<&Parts<'_, '_>>| parts.and_then(|parts| View::of(parts, canonical));
            let (views, asks) = ((view(self.old), view(self.new)), self.forced.contains(canonical));
            let for_all = known.entry(views).or_insert_with_key(|views| self.drafts_for(views, false));
            let his =
                if asks { self.drafts_for(&(view(self.old), view(self.new)), true) } else { for_all.clone() };
            for draft in his {
                drafts.entry(draft).or_default().push(canonical);
            }
        }
        drafts
    }

    pub(super) fn messages(&self) -> Result<Vec<Message>, Refusal> {
        let Some(organizer) = self.organizer() else { return Ok(Vec::new()) };
        let people = self.people(organizer)?;
        let drafts = self.drafts(&people);
        let mut messages = Vec::with_capacity(drafts.len());
        let mut total = 0;
        for (draft, to) in drafts {
            let bytes = match &draft {
                Draft::Cancel(cancelled) => self.cancel(cancelled, &to),
                Draft::Request { view, .. } => self.request(view),
            };
            total += bytes.len();
            if bytes.len() > MESSAGE_BYTES_MAX || total > MESSAGES_BYTES_MAX {
                return Err(Refusal::TooLarge);
            }
            let parts = self.new.map_or_else(|| summary_of(self.old), |new| summary_of(Some(new)));
            let (uid, summary) = parts;
            messages.push(Message {
                method: if matches!(draft, Draft::Cancel(_)) { Method::Cancel } else { Method::Request },
                from: organizer.address.clone(),
                to: to.iter().filter_map(|canonical| people.get(*canonical).cloned()).collect(),
                uid,
                summary,
                asks_anew: matches!(draft, Draft::Request { asks_anew: true, .. }),
                follows_cancel: matches!(draft, Draft::Request { follows_cancel: true, .. }),
                bytes,
            });
        }
        Ok(messages)
    }

    /// RFC 6638 §3.2.1.2, a row and a column of its table at a time.
    fn drafts_for(&self, (old, new): &Views, asks_anew: bool) -> Vec<Draft> {
        let old = self.old.zip(old.as_ref());
        let new = self.new.zip(new.as_ref());
        let request = |view: &View| Draft::Request { view: view.clone(), asks_anew, follows_cancel: false };
        match (old, new) {
            (None, None) => Vec::new(),
            (None, Some((_, view))) => vec![request(view)],
            (Some((_, view)), None) => vec![Draft::Cancel(whole(view, self.old))],
            (Some((_, old_view)), Some((_, view))) if old_view.has_master && !view.has_master => {
                vec![Draft::Cancel(whole(old_view, self.old)), request(view)]
            }
            (Some(old), Some(new)) => {
                let mut drafts = Vec::new();
                let cancelled = cancelled_instances(old, new);
                if let Some(cancelled) = cancelled.as_ref().filter(|cancelled| !cancelled.is_empty()) {
                    drafts.push(Draft::Cancel(cancelled.clone()));
                }
                match changed(old, new) {
                    _ if cancelled.is_none() || asks_anew => drafts.push(request(new.1)),
                    Changed::Nothing if self.raised => drafts.push(request(new.1)),
                    Changed::All => drafts.push(request(new.1)),
                    Changed::Overrides(components) => {
                        let view = View { components, has_master: false, without: Vec::new() };
                        drafts.push(request(&view));
                    }
                    Changed::Exclusions if !drafts.is_empty() => {
                        drafts.push(Draft::Request { view: new.1.clone(), asks_anew, follows_cancel: true })
                    }
                    Changed::Exclusions | Changed::Nothing => {}
                }
                drafts
            }
        }
    }

    fn request(&self, view: &View) -> Vec<u8> {
        // Invariant: a view for a request is one of the new object.
        let Some(parts) = self.new else { return Vec::new() };
        let without = view.without.iter().map(|place| &parts.list[*place]);
        let exclusions: Vec<String> = without
            .filter_map(|part| {
                let id = part.component.first("RECURRENCE-ID")?;
                // In the manner of the series, so that it names the instance for all.
                let like = parts.master().and_then(|master| beginning(master.component)).unwrap_or(id);
                time_line(parts, "EXDATE", like, part.id?)
            })
            .collect();
        let chosen: Vec<&Part<'_, '_>> = view.components.iter().map(|place| &parts.list[*place]).collect();
        let block = |part: &&Part<'_, '_>| {
            let exclusions = if part.id.is_none() { &exclusions[..] } else { &[] };
            request_block(parts, part, self.making, exclusions)
        };
        let blocks: Vec<Vec<u8>> = chosen.iter().map(block).collect();
        let components: Vec<&Component<'_>> = chosen.iter().map(|part| part.component).collect();
        envelope(parts, Method::Request, self.making, &components, &blocks)
    }

    fn cancel(&self, cancelled: &[Cancelled], to: &[&String]) -> Vec<u8> {
        // Invariant: what is cancelled is of the old object.
        let Some(parts) = self.old else { return Vec::new() };
        let to: Vec<String> = to.iter().map(|address| (*address).clone()).collect();
        let (mut components, mut blocks) = (Vec::new(), Vec::new());
        for one in cancelled {
            let (part, instance) = match one {
                Cancelled::Component(place) => (Some(&parts.list[*place]), None),
                Cancelled::Instance(id) => (parts.master(), Some(*id)),
            };
            let Some(part) = part else { continue };
            let id = instance.or(part.id);
            let gone = self.is_gone(id);
            let sparse = Sparse {
                parts,
                part,
                instance,
                sequence: self.cancel_sequence(part, id, gone),
                cancelled: gone,
                attendees: Some(&to).filter(|_| !gone).map(Vec::as_slice),
                partstat: None,
            };
            components.push(part.component);
            blocks.push(sparse.block(self.making));
        }
        envelope(parts, Method::Cancel, self.making, &components, &blocks)
    }

    /// Whether an instance, or the whole, takes place for nobody.
    fn is_gone(&self, id: Option<Utc>) -> bool {
        let Some(new) = self.new else { return true };
        if new.master().is_some_and(|master| master.cancelled) {
            return true;
        }
        match new.at(id) {
            Some(part) => part.cancelled,
            None => id.is_none_or(|id| !new.has_instance(id)),
        }
    }

    /// RFC 5546 §3.2.5: a later revision of what is gone; where it takes place for others, theirs. By how much it is later
    /// is left open: a whole that is removed counts by two, as Apple's server has it.
    fn cancel_sequence(&self, part: &Part<'_, '_>, id: Option<Utc>, gone: bool) -> u64 {
        let step = if self.new.is_none() { 2 } else { u64::from(gone) };
        let next = part.sequence.saturating_add(step);
        let now = self.new.and_then(|new| new.at(id).or(new.master()));
        now.map_or(next, |now| now.sequence.max(next))
    }
}

fn summary_of(parts: Option<&Parts<'_, '_>>) -> (String, Option<String>) {
    let Some(parts) = parts else { return Default::default() };
    let main = parts.master().or(parts.list.first());
    let summary = main.and_then(|part| part.component.value("SUMMARY"));
    (parts.uid().to_owned(), summary.map(|summary| unescape_text(summary).into_owned()))
}

/// Everything that he saw of the old object: the series stands for its instances.
fn whole(view: &View, old: Option<&Parts<'_, '_>>) -> Vec<Cancelled> {
    let master = |place: &&usize| old.is_some_and(|old| old.list[**place].id.is_none());
    match view.components.iter().find(master) {
        Some(place) => vec![Cancelled::Component(*place)],
        None => view.components.iter().map(|place| Cancelled::Component(*place)).collect(),
    }
}

/// Instances that were his and no longer are. None: too many to name.
fn cancelled_instances(
    (old, old_view): (&Parts<'_, '_>, &View),
    (new, view): (&Parts<'_, '_>, &View),
) -> Option<Vec<Cancelled>> {
    let mut cancelled = Vec::new();
    if !old_view.has_master {
        if view.has_master {
            return Some(cancelled);
        }
        let gone = old_view.components.iter().filter(|place| !view.has(new, old.list[**place].id));
        return Some(gone.map(|place| Cancelled::Component(*place)).collect());
    }
    let before = old_view.excluded(old);
    for id in view.excluded(new).difference(&before) {
        let place = old_view.components.iter().find(|place| old.list[**place].id == Some(*id));
        match place {
            Some(place) => cancelled.push(Cancelled::Component(*place)),
            None if old.has_instance(*id) => cancelled.push(Cancelled::Instance(*id)),
            None => {}
        }
        if cancelled.len() > EXCLUSIONS_MAX {
            return None;
        }
    }
    Some(cancelled)
}

/// What changed of what somebody sees, but for instances cancelled.
enum Changed {
    Nothing,
    /// EXDATE of the series only: what he is to know of it is said by a CANCEL.
    Exclusions,
    /// These overrides only (RFC 5546 §4.4.1).
    Overrides(Vec<usize>),
    All,
}

fn changed((old, old_view): (&Parts<'_, '_>, &View), (new, view): (&Parts<'_, '_>, &View)) -> Changed {
    let excluded = view.excluded(new);
    let mine = |id: &Utc| view.has(new, Some(*id));
    if old_view.has_master && !old_view.excluded(old).difference(&excluded).all(mine) {
        return Changed::All;
    }
    // An instance that is as the series again.
    let again = |place: &usize| {
        let id = old.list[*place].id;
        !view.has(new, id) && id.is_some_and(|id| !excluded.contains(&id)) && view.has_master
    };
    if old_view.components.iter().any(again) {
        return Changed::All;
    }
    let differs = |place: &usize| {
        let part = &new.list[*place];
        let essence = Essence::of(new, part, Matters::ToAttendees);
        let seen = old_view.has(old, part.id) || (part.id.is_some() && old_view.has_master);
        let before = earlier(old, part.id).filter(|_| seen);
        before.is_none_or(|(_, old)| !essence.same_but_exclusions(&old))
    };
    let changed: Vec<usize> = view.components.iter().copied().filter(differs).collect();
    if changed.iter().any(|place| new.list[*place].id.is_none()) || old_view.has_master != view.has_master {
        Changed::All
    } else if view.has_master && old.exclusions() != new.exclusions() {
        if changed.is_empty() { Changed::Exclusions } else { Changed::All }
    } else if changed.is_empty() {
        Changed::Nothing
    } else {
        Changed::Overrides(changed)
    }
}
