//! A CANCEL that arrives at an attendee: RFC 5546 §3.2.5, RFC 6638 §4.1.

use super::derive::instance_edits;
use super::edits::{Edits, ended};
use super::incoming::method_of;
use super::parts::{LAST_STAMP, Part, Parts};
use super::request::{Applied, is_old};
use super::{Ignored, Method, Owner, with_parts};

/// Puts a CANCEL into the owner's object. What is cancelled gets STATUS:CANCELLED, so that he sees what became of it; an
/// instance of a series a component of its own that says so.
///
/// # Errors
/// Why it changes nothing.
pub fn apply_cancel(stored: &[u8], message: &[u8], owner: &Owner) -> Result<Applied, Ignored> {
    with_parts(message, |message| {
        if method_of(message) != Some(Method::Cancel) {
            return Err(Ignored::Method);
        }
        with_parts(stored, |stored| {
            let (Some(from), Some(known)) = (message.organizer(), stored.organizer()) else {
                return Err(Ignored::Stranger);
            };
            if from.canonical != known.canonical || message.uid() != stored.uid() {
                return Err(Ignored::Stranger);
            }
            if owner.is_canonical(&known.canonical)
                || !stored.list.iter().any(|part| part.own(owner).is_some())
            {
                return Err(Ignored::NotForOwner);
            }
            let bytes = cancelled(stored, message, owner)?;
            Ok(Applied { bytes, consequential: true })
        })
    })
}

fn cancelled(stored: &Parts<'_, '_>, message: &Parts<'_, '_>, owner: &Owner) -> Result<Vec<u8>, Ignored> {
    let mut edits = Edits::new(stored.bytes());
    let mut outcome = Err(Ignored::NotForOwner);
    // The whole last: it includes what else the message may say.
    if let Some(part) = message.master().filter(|part| is_for(part, owner)) {
        if is_old(stored, part) {
            return Err(Ignored::Old);
        }
        stored.list.iter().for_each(|known| mark(&mut edits, known, part));
        return Ok(edits.finish());
    }
    for part in message.list.iter().filter(|part| is_for(part, owner)) {
        let Some(id) = part.id else { continue };
        let own = stored.at(Some(id));
        if own.is_none() && !stored.has_instance(id) {
            // What he took out of his copy himself is cancelled all the same, and he hears of it.
            let known = stored.exclusions().contains(&id);
            outcome = outcome.or(Err(if known { Ignored::Old } else { Ignored::NothingThere }));
            continue;
        }
        if is_old(stored, part) {
            outcome = outcome.or(Err(Ignored::Old));
            continue;
        }
        outcome = Ok(());
        match (stored.master(), own) {
            (_, Some(own)) => mark(&mut edits, own, part),
            (Some(master), None) => {
                let mut instance = instance_edits(stored, master.component, id);
                mark(&mut instance, master, part);
                let block = ended(&instance.render(master.component.span()));
                edits.insert(stored.object.calendar().end().start, &block);
            }
            (None, None) => {}
        }
    }
    outcome.map(|()| edits.finish())
}

/// Whether it concerns the owner: for all, or for those whom it lists.
fn is_for(part: &Part<'_, '_>, owner: &Owner) -> bool {
    part.cancelled || part.attendees.is_empty() || part.own(owner).is_some()
}

/// STATUS:CANCELLED, and the revision that says so.
fn mark<'a>(edits: &mut Edits<'a>, known: &Part<'_, 'a>, by: &Part<'_, '_>) {
    let component = known.component;
    match component.first("STATUS") {
        Some(property) => edits.replace_line(property.span(), "STATUS:CANCELLED"),
        None => edits.insert_line(component.end().start, "STATUS:CANCELLED"),
    }
    if by.sequence > known.sequence {
        let line = format!("SEQUENCE:{}", by.sequence);
        match component.first("SEQUENCE") {
            Some(property) => edits.replace_line(property.span(), &line),
            None => edits.insert_line(component.end().start, &line),
        }
    }
    if let (Some(property), Some(stamp)) = (component.first("ORGANIZER"), by.stamp) {
        edits.set_parameters(property, &[(LAST_STAMP, Some(&stamp.to_string()))]);
    }
}
