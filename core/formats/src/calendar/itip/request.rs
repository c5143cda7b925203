//! A REQUEST that arrives at an attendee: RFC 5546 §3.2.2, RFC 6638 §4.1.

use std::collections::{BTreeSet, HashSet};

use super::derive::{beginning, instance_edits};
use super::edits::{Edits, ended};
use super::essence::{Essence, Matters};
use super::incoming::method_of;
use super::outgoing::tzids;
use super::parts::{LAST_STAMP, Part, Parts};
use super::{Ignored, Method, Owner, with_parts};
use crate::component::{Component, Item};
use crate::value::{Utc, When};

/// What becomes of an attendee's object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The object to be stored.
    pub bytes: Vec<u8>,
    /// Whether more changed than what others answered, so that the schedule-tag changes (RFC 6638 §3.2.10).
    pub consequential: bool,
}

/// What of an attendee's copy is his own: kept when the organizer's changes come. RFC 6638 §3.2.2.1.
const OWN: [&str; 6] = ["TRANSP", "CATEGORIES", "COLOR", "CLASS", "COMPLETED", "PERCENT-COMPLETE"];
const OWN_PREFIXES: [&str; 4] = ["X-MOZ-", "X-EVOLUTION-", "X-CALENDARSERVER-", "X-APPLE-TRAVEL-"];

/// Parameters that are between a client and its server, and have no business in a message.
const FOREIGN: [(&str, Option<&str>); 3] =
    [("SCHEDULE-AGENT", None), ("SCHEDULE-STATUS", None), ("SCHEDULE-FORCE-SEND", None)];

/// Puts a REQUEST into the owner's object, or makes one where none is `stored`. His own alarms, TRANSP, categories and
/// progress stay, and so does his answer, unless the instance was rescheduled or the organizer `asks_anew`.
///
/// # Errors
/// Why it changes nothing.
pub fn apply_request(
    stored: Option<&[u8]>,
    message: &[u8],
    owner: &Owner,
    asks_anew: bool,
) -> Result<Applied, Ignored> {
    with_parts(message, |message| {
        if method_of(message) != Some(Method::Request) {
            return Err(Ignored::Method);
        }
        let organizer = message.organizer().ok_or(Ignored::NotForOwner)?;
        let invited = message.list.iter().any(|part| part.own(owner).is_some());
        if !invited || owner.is_canonical(&organizer.canonical) {
            return Err(Ignored::NotForOwner);
        }
        let arrival = Arrival { message, owner, asks_anew };
        let Some(stored) = stored else {
            // Who declined and removed it does not get it back by every change.
            if message.list.iter().all(|part| arrival.is_declined(part)) {
                return Err(Ignored::NothingThere);
            }
            return Ok(Applied { bytes: arrival.whole(None), consequential: true });
        };
        with_parts(stored, |stored| {
            if stored.organizer().is_none_or(|known| known.canonical != organizer.canonical)
                || stored.uid() != message.uid()
            {
                return Err(Ignored::Stranger);
            }
            let bytes = arrival.onto(stored)?;
            let consequential =
                with_parts(&bytes, |now| Ok::<_, Ignored>(is_consequential(stored, now, owner)));
            Ok(Applied { consequential: consequential?, bytes })
        })
    })
}

/// Whether more differs than other people's answers.
fn is_consequential(old: &Parts<'_, '_>, new: &Parts<'_, '_>, owner: &Owner) -> bool {
    let same = |part: &Part<'_, '_>| {
        let essence = Essence::of(new, part, Matters::ToAttendees);
        let (before, known) = match old.at(part.id) {
            Some(known) => (Essence::of(old, known, Matters::ToAttendees), known),
            // An override that another one's answer made says what the series says.
            None => match (old.master(), part.id) {
                (Some(master), Some(id)) if old.has_instance(id) => {
                    (Essence::of_instance(old, master, id, Matters::ToAttendees), master)
                }
                _ => return false,
            },
        };
        let answer = |part: &Part<'_, '_>| part.own(owner).map(|party| party.partstat.clone());
        essence == before && answer(part) == answer(known)
    };
    let gone = old.list.iter().any(|part| new.at(part.id).is_none());
    gone || !new.list.iter().all(same)
}

struct Arrival<'s, 'd, 'a> {
    message: &'s Parts<'d, 'a>,
    owner: &'s Owner,
    asks_anew: bool,
}

impl<'a> Arrival<'_, '_, 'a> {
    /// Whether the organizer knows that the owner declined.
    fn is_declined(&self, part: &Part<'_, '_>) -> bool {
        !self.asks_anew && part.own(self.owner).is_none_or(|party| party.partstat == "DECLINED")
    }

    fn onto(&self, stored: &Parts<'_, '_>) -> Result<Vec<u8>, Ignored> {
        let excluded = stored.exclusions();
        let gone = |part: &Part<'_, '_>| {
            let absent = counterpart(stored, part.id).is_none();
            self.is_declined(part) && part.id.is_some_and(|id| absent || excluded.contains(&id))
        };
        let fresh =
            |part: &&Part<'_, '_>| part.own(self.owner).is_some() && !is_old(stored, part) && !gone(part);
        let list: Vec<&Part<'_, 'a>> = self.message.list.iter().filter(fresh).collect();
        if list.is_empty() {
            return Err(Ignored::Old);
        }
        let over = stored.master().is_some_and(|master| master.cancelled);
        // What he had was sent to others, and is not his (RFC 6638 §3.2.6).
        let uninvited = !stored.list.iter().any(|part| part.own(self.owner).is_some());
        let alone = self.message.master().is_none() && (over || uninvited);
        if alone || list.iter().any(|part| part.id.is_none()) {
            return Ok(self.whole(Some(stored)));
        }
        Ok(self.instances(stored, &list))
    }

    /// The message becomes the object; what is the owner's own comes over from what was stored.
    fn whole(&self, stored: Option<&Parts<'_, '_>>) -> Vec<u8> {
        let message = self.message;
        let calendar = message.object.calendar();
        let mut edits = Edits::new(message.bytes());
        calendar.all("METHOD").for_each(|property| edits.remove(property.span()));
        let master = message.master();
        let gone = self.declined_and_gone(stored);
        for part in &message.list {
            // Who removed it all gets back only what he did not decline.
            let removed = stored.is_none() && part.id.is_some() && self.is_declined(part);
            let excluded = removed || part.id.is_some_and(|id| gone.iter().any(|(other, _)| *other == id));
            if part.own(self.owner).is_none() || excluded {
                edits.remove(part.component.span());
                // RFC 6638 §3.2.6: to him, the series is without it.
                let (Some(master), Some(id)) = (master, part.id) else { continue };
                let line = gone.iter().find(|(other, _)| *other == id).map(|(_, line)| line.clone());
                let like = beginning(master.component);
                let made = || super::derive::time_line(message, "EXDATE", like?, id);
                if let Some(line) = line.or_else(made).filter(|_| master.own(self.owner).is_some()) {
                    edits.insert_line(master.component.end().start, &line);
                }
                continue;
            }
            let counterpart = stored.and_then(|stored| counterpart(stored, part.id).map(|own| (stored, own)));
            self.take_in(&mut edits, part, part.id, counterpart);
        }
        let lines = gone.iter().filter(|(id, _)| message.at(Some(*id)).is_none()).map(|(_, line)| line);
        if let Some(master) = master {
            lines.for_each(|line| edits.insert_line(master.component.end().start, line));
        }
        if let Some(stored) = stored {
            for block in self.own_overrides(stored) {
                edits.insert(calendar.end().start, &block);
            }
            self.keep_cancelled(stored, &mut edits);
        }
        edits.finish()
    }

    /// Instances that he saw cancelled stay so, where the organizer's series is without them.
    fn keep_cancelled(&self, stored: &Parts<'_, '_>, edits: &mut Edits<'a>) {
        let message = self.message;
        let (own, excluded) = (stored.exclusions(), message.exclusions());
        let without =
            |id: &Utc| message.at(Some(*id)).is_none() && excluded.contains(id) && !own.contains(id);
        let cancelled = stored.list.iter().filter(|part| part.cancelled);
        let kept: Vec<_> = cancelled.filter(|part| part.id.as_ref().is_some_and(without)).collect();
        let ids: BTreeSet<Utc> = kept.iter().filter_map(|part| part.id).collect();
        include(edits, message, &ids);
        let first = first_component(message);
        for zone in missing_zones(stored, message, &kept) {
            edits.insert(first, &stored.bytes()[zone.span()]);
        }
        for part in &kept {
            edits.insert(message.object.calendar().end().start, &stored.bytes()[part.component.span()]);
        }
    }

    /// Instances that the owner took out of his series himself, and that he declined as far as the organizer knows; with
    /// the EXDATE. What an organizer cancels and brings back he asks for anew (RFC 6638 §3.2.8).
    fn declined_and_gone(&self, stored: Option<&Parts<'_, '_>>) -> Vec<(Utc, String)> {
        let Some((stored, master)) = stored.and_then(|stored| Some((stored, stored.master()?))) else {
            return Vec::new();
        };
        let mut gone = Vec::new();
        for excluded in stored.excluded(master) {
            let part = counterpart(self.message, Some(excluded.id));
            let declined =
                part.and_then(|part| part.own(self.owner)).is_some_and(|party| party.partstat == "DECLINED");
            let there =
                || self.message.at(Some(excluded.id)).is_some() || self.message.has_instance(excluded.id);
            if declined && !self.asks_anew && there() {
                gone.push((excluded.id, format!("{}:{}", excluded.property.head(), excluded.value)));
            }
        }
        gone
    }

    /// Overrides that were no more than the owner's own answer to an instance, made anew of the series as it is now.
    fn own_overrides(&self, stored: &Parts<'_, '_>) -> Vec<Vec<u8>> {
        let (Some(master), Some(known)) = (self.message.master(), stored.master()) else { return Vec::new() };
        let now = Essence::of(self.message, master, Matters::ToAttendees);
        let before = Essence::of(stored, known, Matters::ToAttendees);
        if master.own(self.owner).is_none() || now.is_rescheduled_from(&before) || self.asks_anew {
            return Vec::new();
        }
        let mut blocks = Vec::new();
        for part in stored.list.iter().filter(|part| self.message.at(part.id).is_none()) {
            let Some(id) = part.id.filter(|id| self.message.has_instance(*id)) else { continue };
            let own = Essence::of(stored, part, Matters::NotToBeChanged);
            let series = Essence::of_instance(stored, known, id, Matters::NotToBeChanged);
            let unlike = Essence { sequence: own.sequence, people: own.people.clone(), ..series } != own;
            if unlike || part.own(self.owner).is_none() {
                continue;
            }
            let mut edits = instance_edits(self.message, master.component, id);
            self.take_in(&mut edits, master, Some(id), Some((stored, part)));
            blocks.push(ended(&edits.render(master.component.span())));
        }
        blocks
    }

    /// Some instances only: the rest of the object stays.
    fn instances(&self, stored: &Parts<'_, '_>, list: &[&Part<'_, 'a>]) -> Vec<u8> {
        let mut edits = Edits::new(stored.bytes());
        let calendar = stored.object.calendar();
        let mut blocks = Vec::new();
        for part in list {
            let mut taken = Edits::new(self.message.bytes());
            let own = counterpart(stored, part.id).map(|own| (stored, own));
            self.take_in(&mut taken, part, part.id, own);
            let block = ended(&taken.render(part.component.span()));
            match stored.at(part.id) {
                Some(known) => edits.replace(known.component.span(), &block),
                None => blocks.push(block),
            }
        }
        include(&mut edits, stored, &list.iter().filter_map(|part| part.id).collect());
        for zone in missing_zones(self.message, stored, list) {
            edits.insert(first_component(stored), &self.message.bytes()[zone.span()]);
        }
        blocks.iter().for_each(|block| edits.insert(calendar.end().start, block));
        edits.finish()
    }

    /// Makes a component of the message one of the owner's, with what is his own from `known`.
    fn take_in(
        &self,
        edits: &mut Edits<'a>,
        part: &Part<'_, 'a>,
        id: Option<Utc>,
        known: Option<(&Parts<'_, '_>, &Part<'_, '_>)>,
    ) {
        let component = part.component;
        let own_items: Vec<&Item<'_>> = known
            .map(|(_, known)| known.component.items().iter().filter(|item| is_own(item)).collect())
            .unwrap_or_default();
        let has = |name: &str| {
            own_items.iter().any(|item| matches!(item, Item::Property(property) if property.is(name)))
        };
        let answer = known.and_then(|(stored, known)| self.standing_answer(part, id, stored, known));
        let stamp = part.stamp.map(|stamp| stamp.to_string());
        for item in component.items() {
            match item {
                // Alarms are everybody's own.
                Item::Component(inner) if inner.is("VALARM") => edits.remove(inner.span()),
                Item::Component(_) | Item::Stray(_) => {}
                Item::Property(property) if property.is("REQUEST-STATUS") || has(property.name()) => {
                    edits.remove(property.span());
                }
                Item::Property(property) if property.is("ORGANIZER") => {
                    let mut changes = FOREIGN.to_vec();
                    changes.push((LAST_STAMP, stamp.as_deref()));
                    // What became of the answer that was sent last is still so.
                    let status = known.and_then(|(_, known)| known.organizer.as_ref()?.status.as_deref());
                    changes[1].1 = status;
                    edits.set_parameters(property, &changes);
                }
                Item::Property(property) if property.is("ATTENDEE") => {
                    let mut changes = FOREIGN.to_vec();
                    changes.push((LAST_STAMP, None));
                    if self.owner.is_canonical(&super::address::address_of(property)) {
                        changes.extend(answer.as_deref().map(|answer| ("PARTSTAT", Some(answer))));
                    }
                    edits.set_parameters(property, &changes);
                }
                Item::Property(_) => {}
            }
        }
        if let Some((stored, _)) = known {
            for item in own_items {
                edits.insert(component.end().start, &stored.bytes()[item.span()]);
            }
        }
    }

    /// The owner's answer, where it still stands.
    fn standing_answer(
        &self,
        part: &Part<'_, '_>,
        id: Option<Utc>,
        stored: &Parts<'_, '_>,
        known: &Part<'_, '_>,
    ) -> Option<String> {
        let answer = known.own(self.owner).map(|party| party.partstat.clone())?;
        // What he took out, or was not invited to, the answer to the series is none to.
        let excluded = known.id.is_none() && id.is_some_and(|id| stored.exclusions().contains(&id));
        if answer == "NEEDS-ACTION" || self.asks_anew || excluded {
            return None;
        }
        // RFC 6638 §3.2.8: an instance that he saw cancelled is brought back, so all are asked again.
        let excluded = self.message.exclusions();
        let brought_back = |part: &Part<'_, '_>| {
            let here = |id: Utc| self.message.at(Some(id)).is_none() && !excluded.contains(&id);
            part.cancelled && part.id.is_some_and(|id| here(id) && self.message.has_instance(id))
        };
        if id.is_none() && stored.list.iter().any(brought_back) {
            return None;
        }
        // Of an instance that was not his until now, he said nothing with the series.
        if let (None, Some(id)) = (known.id, id)
            && stored.excluded(known).iter().any(|excluded| excluded.id == id)
        {
            return None;
        }
        let before = match (known.id, id) {
            (None, Some(id)) => Essence::of_instance(stored, known, id, Matters::ToAttendees),
            _ => Essence::of(stored, known, Matters::ToAttendees),
        };
        let now = match (part.id, id) {
            (None, Some(id)) => Essence::of_instance(self.message, part, id, Matters::ToAttendees),
            _ => Essence::of(self.message, part, Matters::ToAttendees),
        };
        (!now.is_rescheduled_from(&before) && !before.cancelled).then_some(answer)
    }
}

/// RFC 5546 §2.1.5: by SEQUENCE, then by DTSTAMP. What was cancelled comes back by a later message whatever its
/// SEQUENCE: an organizer who restores what he removed starts where he was.
pub(super) fn is_old(stored: &Parts<'_, '_>, part: &Part<'_, '_>) -> bool {
    let Some(known) = counterpart(stored, part.id) else { return false };
    let last = known.organizer.as_ref().and_then(|organizer| organizer.last).or(known.stamp);
    let earlier = part.stamp.zip(last).is_some_and(|(stamp, last)| stamp < last);
    if known.id != part.id {
        // An instance that has no component of its own here yet.
        return part.sequence <= known.sequence
            && earlier
            && known.organizer.as_ref().is_some_and(|o| o.last.is_some());
    }
    if known.cancelled && !part.cancelled && part.stamp.zip(last).is_some_and(|(stamp, last)| stamp >= last) {
        return false;
    }
    part.sequence < known.sequence || (part.sequence == known.sequence && earlier)
}

/// What speaks for an instance: its own component, else the series.
fn counterpart<'s, 'd, 'a>(stored: &'s Parts<'d, 'a>, id: Option<Utc>) -> Option<&'s Part<'d, 'a>> {
    stored.at(id).or_else(|| stored.master())
}

fn is_own(item: &Item<'_>) -> bool {
    match item {
        Item::Component(component) => component.is("VALARM"),
        Item::Property(property) => {
            let name = property.name().to_ascii_uppercase();
            OWN.contains(&name.as_str()) || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        }
        Item::Stray(_) => false,
    }
}

/// Where the first component stands that is no zone.
fn first_component(parts: &Parts<'_, '_>) -> usize {
    let calendar = parts.object.calendar();
    let first = calendar.components().find(|one| !one.is("VTIMEZONE"));
    first.map_or(calendar.end().start, |one| one.begin().start)
}

/// Zones that components of one object name, and that another does not have.
fn missing_zones<'d, 'a>(
    from: &Parts<'d, 'a>,
    to: &Parts<'_, '_>,
    list: &[&Part<'_, '_>],
) -> Vec<&'d Component<'a>> {
    let mut named = HashSet::new();
    list.iter().for_each(|part| tzids(part.component, &mut named));
    let tzid = |zone: &Component<'_>| zone.value("TZID").map(|tzid| tzid.trim().to_owned());
    let zones = |calendar: &'d Component<'a>| calendar.components().filter(|one| one.is("VTIMEZONE"));
    let known: HashSet<Option<String>> = {
        let all = to.object.calendar().components().filter(|one| one.is("VTIMEZONE"));
        all.map(tzid).collect()
    };
    let wanted = |zone: &&'d Component<'a>| {
        let tzid = tzid(zone);
        !known.contains(&tzid) && tzid.is_some_and(|tzid| named.contains(&tzid))
    };
    zones(from.object.calendar()).filter(wanted).collect()
}

/// Takes instances out of the EXDATEs of the series.
fn include<'a>(edits: &mut Edits<'a>, stored: &Parts<'_, 'a>, ids: &BTreeSet<Utc>) {
    let Some(master) = stored.master() else { return };
    for property in master.component.all("EXDATE") {
        let tzid = property.parameter("TZID");
        let excludes = |value: &&str| {
            When::parse(value, tzid.as_deref()).is_some_and(|when| ids.contains(&stored.id_of(&when)))
        };
        let all: Vec<&str> = property.value().split(',').collect();
        let kept: Vec<&str> = all.iter().copied().filter(|value| !excludes(value)).collect();
        if kept.is_empty() {
            edits.remove(property.span());
        } else if kept.len() < all.len() {
            edits.replace_line(property.span(), &format!("{}:{}", property.head(), kept.join(",")));
        }
    }
}
