//! What an attendee's write means to the organizer: RFC 6638 §3.2.2.

use std::collections::BTreeSet;

use super::edits::{Edits, ended};
use super::essence::{Essence, Matters};
use super::outgoing::{Sparse, envelope};
use super::parts::{LAST_STAMP, Part, Parts, Party};
use super::{MESSAGE_BYTES_MAX, Making, Message, Method, Owner, Refusal, with_parts};
use crate::component::Component;
use crate::value::{Utc, unescape_text};

/// Instances newly taken out that are declined one by one; more of them are not answered.
const EXCLUSIONS_MAX: usize = 100;

/// What becomes of an attendee's write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttendeeWrite {
    /// What is to be stored where it is not what was given: the others' answers as they are known, SEQUENCE as the
    /// organizer has it, SCHEDULE-FORCE-SEND taken out. SCHEDULE-STATUS is not in it yet; see [`super::set_status`].
    pub stored: Option<Vec<u8>>,
    /// The answer, if there is one to give.
    pub reply: Option<Message>,
}

/// Judges an attendee's write: `old` is what was stored, if he took part already, `new` what is to be stored, none to
/// remove it. Whether an answer is wanted at all (Schedule-Reply, RFC 6638 §8.1) is the caller's to know.
///
/// # Errors
/// [`Refusal::AttendeeChange`] for a change that is the organizer's (RFC 6638 §3.2.2.1); [`Refusal::SameOrganizer`],
/// [`Refusal::Unreadable`], [`Refusal::TooMany`].
pub fn attendee_write(
    old: Option<&[u8]>,
    new: Option<&[u8]>,
    owner: &Owner,
    making: Making<'_>,
) -> Result<AttendeeWrite, Refusal> {
    match (old, new) {
        (None, None) => Ok(AttendeeWrite::default()),
        (Some(old), None) => with_parts(old, |old| {
            let reply = Answer::new(old, owner, making).declining()?;
            Ok(AttendeeWrite { stored: None, reply })
        }),
        (None, Some(new)) => {
            super::same_organizer(new)?;
            with_parts(new, |new| {
                let stored = settled(None, new, owner);
                let reply = Answer::new(new, owner, making).created()?;
                Ok(AttendeeWrite { stored, reply })
            })
        }
        (Some(old), Some(new)) => {
            super::same_organizer(new)?;
            with_parts(old, |old| {
                with_parts(new, |new| {
                    check(old, new, owner)?;
                    let stored = settled(Some(old), new, owner);
                    let bytes = stored.as_deref().unwrap_or(new.bytes());
                    // What is answered is what is stored: the revision that was asked about, and what was put back.
                    let reply = with_parts(bytes, |new| Answer::new(new, owner, making).changed(old))?;
                    Ok(AttendeeWrite { stored, reply })
                })
            })
        }
    }
}

/// What spoke for an instance before.
fn before<'s, 'd, 'a>(old: &'s Parts<'d, 'a>, id: Option<Utc>) -> Option<(&'s Part<'d, 'a>, bool)> {
    if let Some(part) = old.at(id) {
        return Some((part, true));
    }
    let master = old.master()?;
    old.has_instance(id?).then_some((master, false))
}

fn essence_before(old: &Parts<'_, '_>, id: Option<Utc>) -> Option<Essence> {
    let (part, own) = before(old, id)?;
    Some(match (own, id) {
        (false, Some(id)) => Essence::of_instance(old, part, id, Matters::NotToBeChanged),
        _ => Essence::of(old, part, Matters::NotToBeChanged),
    })
}

/// RFC 6638 §3.2.2.1.
fn check(old: &Parts<'_, '_>, new: &Parts<'_, '_>, owner: &Owner) -> Result<(), Refusal> {
    let refuse = |why| Err(Refusal::AttendeeChange(why));
    let organizer = |parts: &Parts<'_, '_>| parts.organizer().map(|party| party.canonical.clone());
    if organizer(old) != organizer(new) {
        return refuse("only the organizer hands an event on");
    }
    if old.master().is_some() != new.master().is_some() {
        return refuse("the recurring part of an event is the organizer's");
    }
    for part in &new.list {
        let Some(known) = essence_before(old, part.id) else {
            return refuse("an instance that the organizer did not make");
        };
        let now = Essence::of(new, part, Matters::NotToBeChanged);
        if let Some(why) = forbidden(&known, &now) {
            return refuse(why);
        }
        let was_in = before(old, part.id).is_some_and(|(part, _)| part.own(owner).is_some());
        if was_in && part.own(owner).is_none() {
            return refuse("an attendee declines; he does not take himself off the list");
        }
    }
    Ok(())
}

/// What of a change is the organizer's.
fn forbidden(old: &Essence, new: &Essence) -> Option<&'static str> {
    let addresses = |essence: &Essence| -> Vec<String> {
        essence.people.iter().map(|(address, _)| address.clone()).collect()
    };
    if (new.start, new.end) != (old.start, old.end) || new.offsets != old.offsets {
        return Some("the time of an event is the organizer's");
    }
    if new.rules != old.rules || new.dates != old.dates {
        return Some("the recurrence of an event is the organizer's");
    }
    if old.excluded.iter().any(|id| new.excluded.binary_search(id).is_err()) {
        return Some("only the organizer brings an instance back");
    }
    if addresses(new) != addresses(old) {
        return Some("the list of attendees is the organizer's");
    }
    if new.cancelled != old.cancelled || new.rest != old.rest {
        return Some("title, place and description of an event are the organizer's");
    }
    None
}

/// Overrides that the new object lacks although they say more than his own answer: the organizer's changes to an
/// instance, and what he cancelled. Clients lose them; without them the instance would be as the series has it.
fn lost<'s, 'd, 'a>(old: &'s Parts<'d, 'a>, new: &Parts<'_, '_>) -> Vec<&'s Part<'d, 'a>> {
    let (Some(master), Some(_)) = (old.master(), new.master()) else { return Vec::new() };
    let excluded = new.exclusions();
    let is_lost = |part: &&Part<'_, '_>| {
        let Some(id) = part.id.filter(|id| new.at(part.id).is_none() && !excluded.contains(id)) else {
            return false;
        };
        let series = Essence::of_instance(old, master, id, Matters::NotToBeChanged);
        let own = Essence::of(old, part, Matters::NotToBeChanged);
        part.cancelled || forbidden(&series, &own).is_some()
    };
    old.list.iter().filter(is_lost).collect()
}

/// What is lost, and overrides that stand for no more than answers to one instance: other people's stay, and his own is
/// as he gives it to the series now.
fn restored(old: &Parts<'_, '_>, new: &Parts<'_, '_>, owner: &Owner) -> Vec<Vec<u8>> {
    let mut blocks: Vec<Vec<u8>> =
        lost(old, new).iter().map(|part| ended(&old.bytes()[part.component.span()])).collect();
    let (Some(series), Some(master), excluded) = (old.master(), new.master(), new.exclusions()) else {
        return blocks;
    };
    let kept: BTreeSet<Option<Utc>> = lost(old, new).iter().map(|part| part.id).collect();
    for part in old.list.iter().filter(|part| new.at(part.id).is_none() && !kept.contains(&part.id)) {
        let others = part.attendees.iter().filter(|party| !owner.is_canonical(&party.canonical));
        let answered = others.into_iter().any(|party| {
            let in_series = series.attendee(&party.canonical);
            in_series.is_some_and(|in_series| in_series.partstat != party.partstat)
        });
        let gone = part.id.is_none_or(|id| excluded.contains(&id) || !new.has_instance(id));
        let Some(own) = master.own(owner).filter(|_| answered && !gone) else { continue };
        let mut edits = Edits::new(old.bytes());
        for line in part.lines(&own.canonical) {
            let rsvp = own.rsvp.then_some("TRUE");
            edits.set_parameters(line, &[("PARTSTAT", Some(&own.partstat)), ("RSVP", rsvp)]);
        }
        blocks.push(ended(&edits.render(part.component.span())));
    }
    blocks
}

/// The new object as it is stored; none when that is what was given.
fn settled(old: Option<&Parts<'_, '_>>, new: &Parts<'_, '_>, owner: &Owner) -> Option<Vec<u8>> {
    let mut edits = Edits::new(new.bytes());
    for part in &new.list {
        let known = old.and_then(|old| before(old, part.id)).map(|(part, _)| part);
        if let Some(property) = part.component.first("ORGANIZER") {
            let last = known.and_then(|part| part.organizer.as_ref()?.last).map(|last| last.to_string());
            let unknown = part.organizer.as_ref().and_then(|party| party.force_send.as_deref());
            let mut changes = vec![("SCHEDULE-FORCE-SEND", None)];
            changes.extend(last.as_deref().map(|last| (LAST_STAMP, Some(last))));
            // RFC 6638 §7.3: it is the server's.
            let status = known.and_then(|part| part.organizer.as_ref()?.status.as_deref());
            changes.extend(status.map(|status| ("SCHEDULE-STATUS", Some(status))));
            // RFC 6638 §7.2
            changes.extend(
                unknown.filter(|method| *method != "REPLY").map(|_| ("SCHEDULE-STATUS", Some("2.3"))),
            );
            // Of two, the later counts.
            let places: Vec<usize> =
                (0..changes.len()).filter(|place| changes[*place].0 == "SCHEDULE-STATUS").collect();
            if let [first, _] = places[..] {
                changes.remove(first);
            }
            edits.set_parameters(property, &changes);
        }
        let Some(known) = known else { continue };
        for (property, party) in part.component.all("ATTENDEE").zip(&part.attendees) {
            let Some(answer) = known.attendee(&party.canonical) else { continue };
            if owner.is_canonical(&party.canonical) || answer.partstat == party.partstat {
                continue;
            }
            let mut changes = vec![("PARTSTAT", Some(answer.partstat.as_str()))];
            changes.push(("RSVP", answer.rsvp.then_some("TRUE")));
            edits.set_parameters(property, &changes);
        }
        // It is the organizer's: a higher one would make his next message look old, a lower one the answer.
        if part.sequence != known.sequence {
            let line = format!("SEQUENCE:{}", known.sequence);
            match part.component.first("SEQUENCE") {
                Some(property) => edits.replace_line(property.span(), &line),
                None => edits.insert_line(part.component.end().start, &line),
            }
        }
    }
    let end = new.object.calendar().end().start;
    for block in old.map(|old| restored(old, new, owner)).unwrap_or_default() {
        edits.insert(end, &block);
    }
    if edits.is_empty() { None } else { Some(edits.finish()) }
}

/// A REPLY being put together: the components of `parts`, or of what was stored before.
struct Answer<'s, 'd, 'a> {
    parts: &'s Parts<'d, 'a>,
    owner: &'s Owner,
    making: Making<'s>,
    blocks: Vec<Vec<u8>>,
    from: Option<Party>,
    zones: Vec<&'d Component<'a>>,
}

impl<'s, 'd, 'a> Answer<'s, 'd, 'a> {
    fn new(parts: &'s Parts<'d, 'a>, owner: &'s Owner, making: Making<'s>) -> Answer<'s, 'd, 'a> {
        Answer { parts, owner, making, blocks: Vec::new(), from: None, zones: Vec::new() }
    }

    /// Answers for a component, or for one instance of it.
    fn add(&mut self, parts: &Parts<'_, '_>, part: &Part<'_, '_>, instance: Option<Utc>, partstat: &str) {
        let Some(party) = part.own(self.owner) else { return };
        let own = [party.canonical.clone()];
        let sparse = Sparse {
            parts,
            part,
            instance,
            sequence: part.sequence,
            cancelled: false,
            attendees: Some(&own),
            partstat: Some(partstat),
        };
        self.blocks.push(sparse.block(self.making));
        self.from.get_or_insert_with(|| party.clone());
    }

    /// RFC 6638 §3.2.2.4 and §8.1: who removes it declines.
    fn declining(mut self) -> Result<Option<Message>, Refusal> {
        let parts = self.parts;
        if parts.master().is_some_and(|master| master.cancelled) {
            return Ok(None);
        }
        for part in parts.list.iter().filter(|part| !part.cancelled) {
            if part.own(self.owner).is_some_and(|party| party.partstat != "DECLINED") {
                self.add(parts, part, None, "DECLINED");
                self.zones.push(part.component);
            }
        }
        self.finish()
    }

    /// RFC 6638 §3.2.2.2: an invitation that came by another way, with his answer in it. What is over is filed, not
    /// answered.
    fn created(mut self) -> Result<Option<Message>, Refusal> {
        let parts = self.parts;
        let forced = is_forced(parts);
        if parts.is_over(self.making.now) && !forced {
            return Ok(None);
        }
        for part in parts.list.iter().filter(|part| !part.cancelled) {
            if let Some(party) =
                part.own(self.owner).filter(|party| forced || party.partstat != "NEEDS-ACTION")
            {
                self.add(parts, part, None, &party.partstat.clone());
                self.zones.push(part.component);
            }
        }
        self.finish()
    }

    /// RFC 6638 §3.2.2.3.
    fn changed(mut self, old: &Parts<'_, '_>) -> Result<Option<Message>, Refusal> {
        let parts = self.parts;
        let forced = is_forced(parts);
        let answer = |parts: &Parts<'_, '_>| {
            parts.master().and_then(|master| Some(master.own(self.owner)?.partstat.clone()))
        };
        let series = answer(parts).filter(|series| answer(old).as_ref() != Some(series));
        for part in parts.list.iter().filter(|part| !part.cancelled) {
            let Some(party) = part.own(self.owner) else { continue };
            let known = before(old, part.id).and_then(|(part, _)| part.own(self.owner));
            let changed = known.is_none_or(|known| known.partstat != party.partstat);
            // The organizer need not know of a component that said what the series said until now.
            let apart = part.id.is_some() && series.as_ref().is_some_and(|series| *series != party.partstat);
            if changed || apart || forced {
                self.add(parts, part, None, &party.partstat.clone());
                self.zones.push(part.component);
            }
        }
        let (excluded, known) = (parts.exclusions(), old.exclusions());
        for id in excluded.difference(&known).take(EXCLUSIONS_MAX) {
            let Some((part, own)) = before(old, Some(*id)) else { continue };
            if part.own(self.owner).is_some_and(|party| party.partstat != "DECLINED") && !part.cancelled {
                self.add(old, part, (!own).then_some(*id), "DECLINED");
                self.zones.extend(parts.master().map(|master| master.component));
            }
        }
        // An answer to one instance that was taken back: that of the series counts again. Without a series, who takes
        // the instance out declines it.
        let lost: BTreeSet<Option<Utc>> = lost(old, parts).iter().map(|part| part.id).collect();
        let gone = old.list.iter().filter(|part| part.id.is_some() && parts.at(part.id).is_none());
        for part in gone.filter(|part| !lost.contains(&part.id)) {
            let Some(id) = part.id.filter(|id| !excluded.contains(id)) else { continue };
            let Some(party) = part.own(self.owner).filter(|_| !part.cancelled) else { continue };
            match parts.master() {
                Some(master) => {
                    let series = master.own(self.owner).map(|party| party.partstat.clone());
                    if let Some(partstat) = series.filter(|partstat| *partstat != party.partstat) {
                        self.add(parts, master, Some(id), &partstat);
                        self.zones.push(master.component);
                    }
                }
                None if party.partstat != "DECLINED" => self.add(old, part, None, "DECLINED"),
                None => {}
            }
        }
        self.finish()
    }

    fn finish(self) -> Result<Option<Message>, Refusal> {
        let (Some(from), Some(organizer)) = (self.from, self.parts.organizer()) else { return Ok(None) };
        let bytes = envelope(self.parts, Method::Reply, self.making, &self.zones, &self.blocks);
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        let main = self.parts.master().or(self.parts.list.first());
        let summary = main.and_then(|part| part.component.value("SUMMARY"));
        Ok(Some(Message {
            method: Method::Reply,
            from: from.address,
            to: vec![organizer.address.clone()],
            uid: self.parts.uid().to_owned(),
            summary: summary.map(|summary| unescape_text(summary).into_owned()),
            asks_anew: false,
            follows_cancel: false,
            bytes,
        }))
    }
}

/// RFC 6638 §3.2.7, from an attendee to the organizer.
fn is_forced(parts: &Parts<'_, '_>) -> bool {
    let mut organizers = parts.list.iter().filter_map(|part| part.organizer.as_ref());
    organizers.any(|party| party.force_send.as_deref() == Some("REPLY"))
}
