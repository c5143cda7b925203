//! What an organizer's write means to the attendees: RFC 6638 §3.2.1, with its tables.

use std::collections::BTreeSet;

use super::derive::instance_edits;
use super::edits::{Edits, ended};
use super::essence::{Essence, Matters};
use super::parts::{Part, Parts};
use super::writer::Writer;
use super::{Making, Message, Owner, Refusal, with_parts};
use crate::value::Utc;

/// What becomes of an organizer's write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganizerWrite {
    /// What is to be stored where it is not what was given: answers kept or asked for anew, SEQUENCE counted up,
    /// SCHEDULE-FORCE-SEND taken out. SCHEDULE-STATUS is not in it yet; see [`super::set_status`].
    pub stored: Option<Vec<u8>>,
    /// What is to be sent, in this order.
    pub messages: Vec<Message>,
}

/// Judges an organizer's write: `old` is what was stored, if he organized it already, `new` what is to be stored, none
/// to remove it (or when the new object is none that he organizes).
///
/// `strict`: the client knew what was stored when it wrote, so that answers which it changed were not changed by
/// accident; otherwise they are quietly kept.
///
/// # Errors
/// [`Refusal::OrganizerChange`] for an answer changed on an attendee's behalf while `strict`, or another organizer;
/// [`Refusal::SameOrganizer`], [`Refusal::Unreadable`], [`Refusal::TooMany`].
pub fn organizer_write(
    old: Option<&[u8]>,
    new: Option<&[u8]>,
    owner: &Owner,
    strict: bool,
    making: Making<'_>,
) -> Result<OrganizerWrite, Refusal> {
    match (old, new) {
        (None, None) => Ok(OrganizerWrite::default()),
        (Some(old), None) => with_parts(old, |old| {
            Ok(OrganizerWrite { stored: None, messages: Writer::new(Some(old), None, making).messages()? })
        }),
        (None, Some(new)) => judged(None, new, owner, strict, making),
        (Some(old), Some(new)) => with_parts(old, |old| judged(Some(old), new, owner, strict, making)),
    }
}

fn judged(
    old: Option<&Parts<'_, '_>>,
    new: &[u8],
    owner: &Owner,
    strict: bool,
    making: Making<'_>,
) -> Result<OrganizerWrite, Refusal> {
    super::same_organizer(new)?;
    let (mut stored, forced, raised) = with_parts(new, |new| {
        let organizer = new.organizer().map(|party| &party.canonical);
        if old.is_some() && organizer.is_some_and(|organizer| !owner.is_canonical(organizer)) {
            return Err(Refusal::OrganizerChange("an event keeps its organizer"));
        }
        let asks = old.is_some() || !new.is_over(making.now);
        let edits = Settling { old, new, owner, strict, asks }.edits()?;
        let stored = if edits.is_empty() { None } else { Some(edits.finish()) };
        Ok((stored, forced(new), old.is_some_and(|old| !is_behind(old, new))))
    })?;
    let announced = with_parts(stored.as_deref().unwrap_or(new), |new| announced(old, new, owner, making))?;
    stored = announced.or(stored);
    let bytes = stored.as_deref().unwrap_or(new);
    let messages = with_parts(bytes, |new| {
        let mut writer = Writer::new(old, Some(new), making);
        writer.forced = forced;
        writer.raised = raised;
        writer.messages()
    })?;
    Ok(OrganizerWrite { stored, messages })
}

/// Tells the other attendees of an answer: a REQUEST for each that the server sends to, but for `replied` (RFC 6638
/// §4.2: SHOULD). It changes nothing but PARTSTAT, so their schedule-tags stay.
///
/// # Errors
/// [`Refusal::Unreadable`], [`Refusal::TooMany`].
pub fn refresh(stored: &[u8], replied: &str, making: Making<'_>) -> Result<Vec<Message>, Refusal> {
    let replied = super::canonical_address(replied);
    with_parts(stored, |parts| {
        let mut writer = Writer::new(None, Some(parts), making);
        writer.but = Some(replied);
        writer.messages()
    })
}

/// Who is to get a REQUEST whatever changed: RFC 6638 §3.2.7.
fn forced(parts: &Parts<'_, '_>) -> BTreeSet<String> {
    let attendees = parts.list.iter().flat_map(|part| &part.attendees);
    let forced = attendees.filter(|party| party.force_send.as_deref() == Some("REQUEST"));
    forced.map(|party| party.canonical.clone()).collect()
}

/// Brings the new object into the state in which it is stored.
struct Settling<'s, 'd, 'a, 'o, 'b> {
    old: Option<&'s Parts<'o, 'b>>,
    new: &'s Parts<'d, 'a>,
    owner: &'s Owner,
    strict: bool,
    /// Whether people who are new to it are to answer: an event of the past is filed with the answers that it had.
    asks: bool,
}

impl<'a> Settling<'_, '_, 'a, '_, '_> {
    fn edits(&self) -> Result<Edits<'a>, Refusal> {
        let mut edits = Edits::new(self.new.bytes());
        for part in &self.new.list {
            self.settle(part, &mut edits)?;
        }
        for block in self.moved_back() {
            edits.insert(self.new.object.calendar().end().start, &block);
        }
        Ok(edits)
    }

    /// Instances that lost their override and so take place at the time of the series again: RFC 6638 §3.2.8 asks for
    /// new answers, for which each needs a component of its own.
    fn moved_back(&self) -> Vec<Vec<u8>> {
        let (Some(old), Some(master)) = (self.old, self.new.master()) else { return Vec::new() };
        let now = Essence::of(self.new, master, Matters::ToAttendees);
        if earlier(old, None).is_none_or(|(_, before)| now.is_rescheduled_from(&before)) {
            return Vec::new();
        }
        let mut blocks = Vec::new();
        for part in old.list.iter().filter(|part| self.new.at(part.id).is_none()) {
            let Some(id) = part.id.filter(|id| self.new.has_instance(*id)) else { continue };
            let before = Essence::of(old, part, Matters::ToAttendees);
            let now = Essence::of_instance(self.new, master, id, Matters::ToAttendees);
            if !now.is_rescheduled_from(&before) && !part.cancelled {
                continue;
            }
            let mut edits = instance_edits(self.new, master.component, id);
            let mut asked = false;
            for (property, party) in master.component.all("ATTENDEE").zip(&master.attendees) {
                let answers = party.by_server && !self.owner.is_canonical(&party.canonical);
                let partstat = answers.then_some(("PARTSTAT", Some("NEEDS-ACTION")));
                let changes: Vec<_> = [("SCHEDULE-FORCE-SEND", None)].into_iter().chain(partstat).collect();
                edits.set_parameters(property, &changes);
                asked |= answers;
            }
            if asked {
                blocks.push(ended(&edits.render(master.component.span())));
            }
        }
        blocks
    }

    fn settle(&self, part: &Part<'_, 'a>, edits: &mut Edits<'a>) -> Result<(), Refusal> {
        let before = self.old.and_then(|old| earlier(old, part.id));
        let essence = Essence::of(self.new, part, Matters::ToAttendees);
        let rescheduled = before.as_ref().is_some_and(|(_, old)| essence.is_rescheduled_from(old));
        let properties = part.component.all("ATTENDEE").zip(&part.attendees);
        for (property, party) in properties {
            let known = before.as_ref().and_then(|(old, _)| old.attendee(&party.canonical));
            let answers = party.by_server && !self.owner.is_canonical(&party.canonical);
            let unasked = party.partstat == "NEEDS-ACTION";
            let mut partstat = None;
            if answers && (rescheduled || (known.is_none() && self.asks)) {
                // RFC 6638 §3.2.8
                partstat = Some("NEEDS-ACTION").filter(|_| !unasked);
            } else if let Some(known) = known.filter(|known| answers && known.partstat != party.partstat) {
                // RFC 6638 §3.2.1: an answer is the attendee's to change, or the organizer's to ask for again.
                let asks = unasked && (self.strict || party.force_send.is_some());
                if self.strict && !unasked {
                    return Err(Refusal::OrganizerChange("an attendee's answer is changed by himself only"));
                }
                partstat = Some(known.partstat.as_str()).filter(|_| !asks);
            }
            let mut changes = vec![("SCHEDULE-FORCE-SEND", None)];
            changes.extend(partstat.map(|partstat| ("PARTSTAT", Some(partstat))));
            if answers && partstat.is_some_and(|partstat| partstat != "NEEDS-ACTION") {
                // Whoever answered need not be asked to.
                changes.push(("RSVP", None));
            }
            // RFC 6638 §7.2
            let unknown = party.force_send.as_deref().is_some_and(|method| method != "REQUEST");
            if unknown {
                changes.push(("SCHEDULE-STATUS", Some("2.3")));
            }
            edits.set_parameters(property, &changes);
        }
        Ok(())
    }
}

/// The new object as it is sent, where others are to hear of a change and the client did not see to it; none when it
/// stays as it is.
fn announced(
    old: Option<&Parts<'_, '_>>,
    new: &Parts<'_, '_>,
    owner: &Owner,
    making: Making<'_>,
) -> Result<Option<Vec<u8>>, Refusal> {
    let mut edits = Edits::new(new.bytes());
    let mut writer = Writer::new(old, Some(new), making);
    writer.raised = old.is_some_and(|old| !is_behind(old, new));
    let changed = writer.says_something()?;
    if changed {
        new.list.iter().for_each(|part| ask(&mut edits, part, owner));
    }
    if let Some(old) = old {
        count(&mut edits, old, new, changed);
    }
    Ok(if edits.is_empty() { None } else { Some(edits.finish()) })
}

/// Who has not answered is asked to (RSVP, RFC 5545 §3.2.17), unless the organizer said that he need not, or that he is
/// told only to know of it.
fn ask<'a>(edits: &mut Edits<'a>, part: &Part<'_, 'a>, owner: &Owner) {
    for (property, party) in part.component.all("ATTENDEE").zip(&part.attendees) {
        let answers = party.by_server && !owner.is_canonical(&party.canonical);
        let unasked = party.partstat == "NEEDS-ACTION" && property.parameter("RSVP").is_none();
        if answers && unasked && party.role != "NON-PARTICIPANT" {
            edits.set_parameters(property, &[("RSVP", Some("TRUE"))]);
        }
    }
}

/// Counts SEQUENCE up where others hear of a change and the client did not (RFC 6638 §3.2.5, RFC 5546 §2.1.4). All
/// components count together, so that each instance is known to be newer than what was sent before, whatever component
/// spoke for it.
fn count<'a>(edits: &mut Edits<'a>, old: &Parts<'_, '_>, new: &Parts<'_, 'a>, changed: bool) {
    let highest = |parts: &Parts<'_, '_>| parts.list.iter().map(|part| part.sequence).max().unwrap_or(0);
    if changed && is_behind(old, new) {
        let next = highest(old).saturating_add(1).max(highest(new));
        new.list.iter().for_each(|part| set_sequence(edits, part, next));
        return;
    }
    for part in &new.list {
        // A client that does not know how far the server counted must not fall behind it.
        let least = before(old, part).filter(|least| part.sequence < *least);
        least.into_iter().for_each(|least| set_sequence(edits, part, least));
    }
}

/// The SEQUENCE that was known of a component's instances.
fn before(old: &Parts<'_, '_>, part: &Part<'_, '_>) -> Option<u64> {
    old.at(part.id).or(old.master()).map(|old| old.sequence)
}

/// Whether the organizer's program left a component's SEQUENCE where it was.
fn is_behind(old: &Parts<'_, '_>, new: &Parts<'_, '_>) -> bool {
    let behind = |part: &Part<'_, '_>| before(old, part).is_some_and(|known| part.sequence <= known);
    new.list.iter().any(behind)
}

fn set_sequence<'a>(edits: &mut Edits<'a>, part: &Part<'_, 'a>, sequence: u64) {
    let line = format!("SEQUENCE:{sequence}");
    match part.component.first("SEQUENCE") {
        Some(_) if part.sequence == sequence => {}
        Some(property) => edits.replace_line(property.span(), &line),
        None => edits.insert_line(part.component.end().start, &line),
    }
}

/// The component that spoke for an instance before, and what it said of it.
pub(super) fn earlier<'s, 'd, 'a>(
    old: &'s Parts<'d, 'a>,
    id: Option<Utc>,
) -> Option<(&'s Part<'d, 'a>, Essence)> {
    if let Some(part) = old.at(id) {
        return Some((part, Essence::of(old, part, Matters::ToAttendees)));
    }
    let (master, id) = (old.master()?, id?);
    let known = old.has_instance(id);
    known.then(|| (master, Essence::of_instance(old, master, id, Matters::ToAttendees)))
}
