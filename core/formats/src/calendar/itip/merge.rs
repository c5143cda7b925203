//! An organizer's change meets answers that came meanwhile: RFC 6638 §3.2.10.1.

use super::derive::instance_edits;
use super::edits::{Edits, ended};
use super::essence::{Essence, Matters};
use super::parts::{LAST_STAMP, Part, Parts, Party};
use super::{Owner, Refusal, with_parts};
use crate::value::Utc;

/// Takes the attendees' answers of what is `stored` over into what the organizer writes, whose client saw the same
/// schedule-tag but perhaps not the answers. None when nothing changes.
///
/// # Errors
/// [`Refusal::Unreadable`], [`Refusal::TooMany`].
pub fn keep_answers(stored: &[u8], new: &[u8], owner: &Owner) -> Result<Option<Vec<u8>>, Refusal> {
    with_parts(stored, |stored| {
        with_parts(new, |new| {
            let mut edits = Edits::new(new.bytes());
            for part in &new.list {
                let known = stored.at(part.id).or_else(|| stored.master());
                if let Some(known) = known {
                    answers(&mut edits, part, known, owner);
                }
            }
            for block in answered_instances(stored, new, owner) {
                edits.insert(new.object.calendar().end().start, &block);
            }
            Ok(if edits.is_empty() { None } else { Some(edits.finish()) })
        })
    })
}

/// Sets what the server knows of each attendee.
fn answers<'a>(edits: &mut Edits<'a>, part: &Part<'_, 'a>, known: &Part<'_, '_>, owner: &Owner) {
    for (property, party) in part.component.all("ATTENDEE").zip(&part.attendees) {
        let Some(answer) = known.attendee(&party.canonical) else { continue };
        // Whom the organizer asks anew has not answered yet.
        if !party.by_server || owner.is_canonical(&party.canonical) || party.force_send.is_some() {
            continue;
        }
        let last = answer.last.map(|last| last.to_string());
        let mut changes = vec![("PARTSTAT", Some(answer.partstat.as_str()))];
        changes.extend(answer.status.as_deref().map(|status| ("SCHEDULE-STATUS", Some(status))));
        changes.extend(last.as_deref().map(|last| (LAST_STAMP, Some(last))));
        // Whoever answered need not be asked to.
        changes.extend((answer.partstat != "NEEDS-ACTION").then_some(("RSVP", None)));
        if party.partstat != answer.partstat || party.last != answer.last {
            edits.set_parameters(property, &changes);
        }
    }
}

/// Components that stand for nothing but an answer to one instance, and that the client did not know of.
fn answered_instances(stored: &Parts<'_, '_>, new: &Parts<'_, '_>, owner: &Owner) -> Vec<Vec<u8>> {
    let (Some(known), Some(master)) = (stored.master(), new.master()) else { return Vec::new() };
    let mut blocks = Vec::new();
    for part in stored.list.iter().filter(|part| new.at(part.id).is_none()) {
        let Some(id) = part.id.filter(|id| new.has_instance(*id)) else { continue };
        if is_answer(stored, known, part, id) {
            let mut edits = instance_edits(new, master.component, id);
            answers(&mut edits, master, part, owner);
            blocks.push(ended(&edits.render(master.component.span())));
        }
    }
    blocks
}

/// Whether an override says what the series says, but for somebody's answer.
fn is_answer(stored: &Parts<'_, '_>, series: &Part<'_, '_>, part: &Part<'_, '_>, id: Utc) -> bool {
    let own = Essence::of(stored, part, Matters::ToAttendees);
    let of_series = Essence::of_instance(stored, series, id, Matters::ToAttendees);
    let other = |party: &Party| {
        let in_series = series.attendee(&party.canonical);
        in_series.is_some_and(|in_series| in_series.partstat != party.partstat && party.last.is_some())
    };
    own == of_series && part.attendees.iter().any(other)
}
