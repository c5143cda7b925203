//! A REPLY that arrives at the organizer: RFC 5546 §3.2.3, RFC 6638 §4.2.

use super::derive::instance_edits;
use super::edits::{Edits, ended};
use super::essence::{Essence, Matters};
use super::incoming::method_of;
use super::parts::{LAST_STAMP, Part, Parts, Party};
use super::{Ignored, Method, Owner, canonical_address, with_parts};
use crate::property::Property;
use crate::property::caret_encoded;
use crate::value::Utc;

/// What a person says beside his answer, where the organizer's clients look for it.
const COMMENT: &str = "X-CALENDARSERVER-ATTENDEE-COMMENT";
const COMMENT_BY: &str = "X-CALENDARSERVER-ATTENDEE-REF";
/// Bytes of a comment that are kept.
const COMMENT_BYTES_MAX: usize = 4096;

/// What becomes of an organizer's object. Its schedule-tag stays (RFC 6638 §3.2.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedReply {
    /// The object to be stored.
    pub bytes: Vec<u8>,
    /// Whether an answer is another one than before, so that the other attendees may hear of it.
    pub changed: bool,
}

/// Puts a REPLY into the owner's object. `sender` is who really sent it: only his own answer is taken.
///
/// # Errors
/// Why it changes nothing. One who was not invited is [`Ignored::Stranger`].
pub fn apply_reply(
    stored: &[u8],
    message: &[u8],
    sender: &str,
    owner: &Owner,
) -> Result<AppliedReply, Ignored> {
    let sender = canonical_address(sender);
    with_parts(message, |message| {
        if method_of(message) != Some(Method::Reply) {
            return Err(Ignored::Method);
        }
        with_parts(stored, |stored| {
            let organizer = stored.organizer().ok_or(Ignored::NotForOwner)?;
            if !owner.is_canonical(&organizer.canonical) || message.uid() != stored.uid() {
                return Err(Ignored::NotForOwner);
            }
            let mut taking = Taking {
                stored,
                message,
                sender: &sender,
                edits: Edits::new(stored.bytes()),
                changed: false,
                series: None,
                outcome: Err(Ignored::Stranger),
            };
            // The series first: an answer to it does not undo one to an instance in the same message.
            let (series, instances): (Vec<_>, Vec<_>) =
                message.list.iter().partition(|part| part.id.is_none());
            for part in series.into_iter().chain(instances) {
                if let Some(party) = part.attendee(&sender) {
                    taking.take(part, party);
                }
            }
            taking.outcome?;
            Ok(AppliedReply { bytes: taking.edits.finish(), changed: taking.changed })
        })
    })
}

struct Taking<'s, 'd, 'a> {
    stored: &'s Parts<'d, 'a>,
    message: &'s Parts<'s, 's>,
    sender: &'s str,
    edits: Edits<'a>,
    changed: bool,
    /// What the message answers for the series.
    series: Option<String>,
    outcome: Result<(), Ignored>,
}

impl<'a> Taking<'_, '_, 'a> {
    fn take(&mut self, reply: &Part<'_, '_>, answer: &Party) {
        let stored = self.stored;
        if let Some(part) = stored.at(reply.id) {
            let Some(known) = part.attendee(self.sender) else { return };
            let late = reply.stamp.zip(known.last).is_some_and(|(stamp, last)| stamp < last);
            if late || (reply.sequence < part.sequence && !self.is_of_the_same_time(reply, part)) {
                self.outcome = self.outcome.or(Err(Ignored::Old));
                return;
            }
            self.changed |= known.partstat != answer.partstat;
            self.outcome = Ok(());
            if reply.id.is_none() {
                self.series = Some(answer.partstat.clone());
            }
            answer_in(&mut self.edits, part, self.sender, reply, answer);
            return;
        }
        // RFC 5546 §4.7.2: an instance that is not.
        let (Some(master), Some(id)) = (stored.master(), reply.id) else { return self.nothing() };
        let Some(known) = master.attendee(self.sender) else { return };
        if !stored.has_instance(id) {
            return self.nothing();
        }
        if reply.sequence < master.sequence && !self.is_of_the_same_time(reply, master) {
            self.outcome = self.outcome.or(Err(Ignored::Old));
            return;
        }
        self.outcome = Ok(());
        if self.series.as_ref().unwrap_or(&known.partstat) == &answer.partstat {
            return;
        }
        self.changed = true;
        let block = self.instance(master, id, reply, answer);
        self.edits.insert(stored.object.calendar().end().start, &block);
    }

    /// Whether an answer to an earlier revision (RFC 5546 §2.1.5) is to what still takes place at the same time: SEQUENCE
    /// counts changes of the title too, and an answer on its way by mail is not lost by one.
    fn is_of_the_same_time(&self, reply: &Part<'_, '_>, part: &Part<'_, '_>) -> bool {
        let matters = Matters::ToAttendees;
        let now = match (part.id, reply.id) {
            (None, Some(id)) => Essence::of_instance(self.stored, part, id, matters),
            _ => Essence::of(self.stored, part, matters),
        };
        let said = Essence::of(self.message, reply, matters);
        let has_end = ["DTEND", "DUE", "DURATION"].iter().any(|name| reply.component.first(name).is_some());
        // Not every program repeats how it recurs.
        let recurs_by_word = said.rules.is_empty() && said.dates.is_empty();
        said.start.is_some()
            && said.start == now.start
            && (!has_end || said.end == now.end)
            && (recurs_by_word || (&said.rules, &said.dates) == (&now.rules, &now.dates))
    }

    fn nothing(&mut self) {
        if self.outcome == Err(Ignored::Stranger) {
            self.outcome = Err(Ignored::NothingThere);
        }
    }

    /// A component of its own for an instance that is answered otherwise than the series.
    fn instance(&self, master: &Part<'_, 'a>, id: Utc, reply: &Part<'_, '_>, answer: &Party) -> Vec<u8> {
        let mut edits = instance_edits(self.stored, master.component, id);
        answer_in(&mut edits, master, self.sender, reply, answer);
        ended(&edits.render(master.component.span()))
    }
}

/// Writes an answer into a component.
fn answer_in<'a>(
    edits: &mut Edits<'a>,
    part: &Part<'_, 'a>,
    sender: &str,
    reply: &Part<'_, '_>,
    answer: &Party,
) {
    let status = status_of(reply);
    let stamp = reply.stamp.map(|stamp| stamp.to_string());
    let delegate =
        reply.lines(sender).find_map(|line| line.parameter("DELEGATED-TO").map(|to| to.into_owned()));
    for property in part.lines(sender) {
        let mut changes =
            vec![("PARTSTAT", Some(answer.partstat.as_str())), ("SCHEDULE-STATUS", Some(&status))];
        changes.extend(delegate.as_deref().map(|to| ("DELEGATED-TO", Some(to))));
        changes.extend(stamp.as_deref().map(|stamp| (LAST_STAMP, Some(stamp))));
        // Whoever answered need not be asked to (RSVP: RFC 5545 §3.2.17).
        if answer.partstat != "NEEDS-ACTION" {
            changes.extend([("SCHEDULE-FORCE-SEND", None), ("RSVP", None)]);
        }
        edits.set_parameters(property, &changes);
    }
    comment_in(edits, part, sender, reply);
}

/// The codes of REQUEST-STATUS (RFC 6638 §4.2): each once, `2.0` where there is none.
fn status_of(reply: &Part<'_, '_>) -> String {
    let mut codes: Vec<String> = Vec::new();
    for property in reply.component.all("REQUEST-STATUS") {
        let code = property.value().split(';').next().unwrap_or_default().trim();
        let legal =
            !code.is_empty() && code.len() <= 16 && code.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if legal && codes.len() < 8 && !codes.iter().any(|known| known == code) {
            codes.push(code.to_owned());
        }
    }
    if codes.is_empty() { "2.0".to_owned() } else { codes.join(",") }
}

fn comment_in<'a>(edits: &mut Edits<'a>, part: &Part<'_, 'a>, sender: &str, reply: &Part<'_, '_>) {
    let by = |property: &&Property<'_>| {
        property.parameter(COMMENT_BY).is_some_and(|by| canonical_address(&by) == sender)
    };
    let Some(comment) = reply.component.value("COMMENT").map(str::trim) else { return };
    part.component.all(COMMENT).filter(by).for_each(|property| edits.remove(property.span()));
    if comment.is_empty() || comment.len() > COMMENT_BYTES_MAX {
        return;
    }
    let line = format!("{COMMENT};{COMMENT_BY}={}:{comment}", caret_encoded(sender));
    edits.insert_line(part.component.end().start, &line);
}
