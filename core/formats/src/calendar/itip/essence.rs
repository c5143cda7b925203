//! What a component says, in a form that two programs' spellings of it have in common, so that changes can be judged.

use super::parts::{Part, Parts};
use crate::component::Component;
use crate::recur::Times;
use crate::value::{Period, Utc, When, unescape_text};
use crate::zone::Zone;

/// A component by meaning. PARTSTAT and what else is each person's own is not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Essence {
    /// Where it begins, whether it is about days, and where its first instance ends.
    pub(super) start: Option<(Utc, bool)>,
    pub(super) end: Option<Utc>,
    /// How the clock of its zone goes, where it recurs.
    pub(super) offsets: Vec<i32>,
    /// RRULE and EXRULE, parts in order.
    pub(super) rules: Vec<String>,
    /// RDATE.
    pub(super) dates: Vec<Utc>,
    /// EXDATE.
    pub(super) excluded: Vec<Utc>,
    /// Address and ROLE of each attendee.
    pub(super) people: Vec<(String, String)>,
    pub(super) cancelled: bool,
    pub(super) sequence: u64,
    /// Names and values of the other properties that matter.
    pub(super) rest: Vec<(String, String)>,
}

/// Which properties matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matters {
    /// Those whose change the attendees are to hear of.
    ToAttendees,
    /// Those that an attendee may not change (RFC 6638 §3.2.2.1).
    NotToBeChanged,
}

/// What stands in a field of its own, or belongs to one person's copy (RFC 6638 §3.2.2.1 items 2 to 5 and 9).
const NEVER: [&str; 24] = [
    "UID",
    "DTSTART",
    "DTEND",
    "DUE",
    "DURATION",
    "RECURRENCE-ID",
    "ATTENDEE",
    "ORGANIZER",
    "SEQUENCE",
    "DTSTAMP",
    "CREATED",
    "LAST-MODIFIED",
    "TRANSP",
    "PERCENT-COMPLETE",
    "COMPLETED",
    "REQUEST-STATUS",
    "CATEGORIES",
    "COLOR",
    "CLASS",
    "COMMENT",
    "RRULE",
    "RDATE",
    "EXDATE",
    "EXRULE",
];

/// What the organizer alone decides. Other properties are an attendee's to change: clients add their own and spell
/// others anew, and one that is refused the whole event loses his answer.
const ORGANIZERS: [&str; 3] = ["SUMMARY", "DESCRIPTION", "LOCATION"];

impl Essence {
    /// Of a component as it stands.
    pub(super) fn of(parts: &Parts<'_, '_>, part: &Part<'_, '_>, matters: Matters) -> Essence {
        let times = match part.id {
            None => parts.times.clone(),
            Some(_) => Times::of(part.component, parts.object.zones(), &Zone::utc()),
        };
        let mut essence = Essence::timeless(part, matters);
        essence.start = times.as_ref().map(|times| (times.start, times.is_date));
        essence.end = times.as_ref().map(Times::first_end);
        let names = ["RRULE", "EXRULE"];
        let rules = names.iter().flat_map(|name| part.component.all(name));
        essence.rules = rules.map(|property| rule_text(property.name(), property.value())).collect();
        essence.rules.sort_unstable();
        essence.dates = dates(parts, part.component);
        essence.excluded = parts.excluded(part).into_iter().map(|excluded| excluded.id).collect();
        essence.excluded.sort_unstable();
        essence.excluded.dedup();
        if let Some(times) = times.filter(|_| !essence.rules.is_empty()) {
            const HALF_A_YEAR_S: i64 = 182 * 86_400;
            let near = [times.start, Utc(times.start.0.saturating_add(HALF_A_YEAR_S))];
            essence.offsets = near.iter().map(|at| times.zone.offset_s(*at)).collect();
        }
        essence
    }

    /// Of one instance of the recurring component, as if it had a component of its own.
    pub(super) fn of_instance(
        parts: &Parts<'_, '_>,
        master: &Part<'_, '_>,
        id: Utc,
        matters: Matters,
    ) -> Essence {
        let mut essence = Essence::timeless(master, matters);
        if let Some(times) = &parts.times {
            essence.start = Some((id, times.is_date));
            essence.end = Some(times.end_of(times.zone.wall(id), id));
        }
        essence
    }

    fn timeless(part: &Part<'_, '_>, matters: Matters) -> Essence {
        let mut people: Vec<(String, String)> =
            part.attendees.iter().map(|party| (party.canonical.clone(), party.role.clone())).collect();
        people.sort_unstable();
        people.dedup_by(|one, other| one.0 == other.0);
        Essence {
            start: None,
            end: None,
            offsets: Vec::new(),
            rules: Vec::new(),
            dates: Vec::new(),
            excluded: Vec::new(),
            people,
            cancelled: part.cancelled,
            sequence: part.sequence,
            rest: rest(part.component, matters),
        }
    }

    /// Whether it takes place at other times than `old`: RFC 6638 §3.2.8. Fewer instances, and instances that end
    /// nothing but the series, are no reschedule.
    pub(super) fn is_rescheduled_from(&self, old: &Essence) -> bool {
        if self.start != old.start || self.end != old.end {
            return true;
        }
        let reinstated = old.excluded.iter().any(|id| self.excluded.binary_search(id).is_err());
        let added = self.dates.iter().any(|date| old.dates.binary_search(date).is_err());
        if reinstated || added {
            return true;
        }
        if self.rules == old.rules {
            return self.offsets != old.offsets && !self.rules.is_empty();
        }
        !(self.rules.is_empty() || is_shortened(&self.rules, &old.rules))
    }

    /// The same but for EXDATE, of which attendees hear instance by instance, and SEQUENCE, which counts what changed
    /// elsewhere too.
    pub(super) fn same_but_exclusions(&self, other: &Essence) -> bool {
        let less = |essence: &Essence| Essence { excluded: Vec::new(), sequence: 0, ..essence.clone() };
        less(self) == less(other)
    }
}

/// Whether each rule is what it was, or ends earlier.
fn is_shortened(rules: &[String], old: &[String]) -> bool {
    let cut = |rule: &str| -> (String, Option<String>, Option<u64>) {
        let (mut rest, mut until, mut count) = (Vec::new(), None, None);
        for part in rule.split(';') {
            match part.split_once('=') {
                Some(("UNTIL", value)) => until = Some(value.to_owned()),
                Some(("COUNT", value)) => count = value.parse().ok(),
                _ => rest.push(part),
            }
        }
        (rest.join(";"), until, count)
    };
    rules.len() == old.len()
        && rules.iter().zip(old).all(|(new, old)| {
            let ((rest, until, count), (old_rest, old_until, old_count)) = (cut(new), cut(old));
            let earlier = match (&until, &old_until) {
                (None, None) => true,
                (Some(_), None) => old_count.is_none(),
                (Some(new), Some(old)) => new <= old,
                (None, Some(_)) => false,
            };
            let fewer = match (count, old_count) {
                (None, None) => true,
                (Some(_), None) => old_until.is_none(),
                (Some(new), Some(old)) => new <= old,
                (None, Some(_)) => false,
            };
            rest == old_rest && earlier && fewer
        })
}

fn rule_text(name: &str, value: &str) -> String {
    let mut pieces: Vec<String> = value.split(';').map(|piece| piece.trim().to_ascii_uppercase()).collect();
    // What is taken for granted where it is missing.
    pieces.retain(|piece| !piece.is_empty() && piece != "INTERVAL=1" && piece != "WKST=MO");
    pieces.sort_unstable();
    format!("{};{}", name.to_ascii_uppercase(), pieces.join(";"))
}

fn dates(parts: &Parts<'_, '_>, component: &Component<'_>) -> Vec<Utc> {
    let mut dates = Vec::new();
    for property in component.all("RDATE") {
        let tzid = property.parameter("TZID");
        for value in property.value().split(',').take(crate::limits::LIST_VALUES_MAX) {
            let when = Period::parse(value, tzid.as_deref()).map(|period| period.start);
            let when = when.or_else(|| When::parse(value, tzid.as_deref()));
            dates.extend(when.map(|when| parts.id_of(&when)));
        }
    }
    dates.sort_unstable();
    dates.dedup();
    dates
}

fn rest(component: &Component<'_>, matters: Matters) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for property in component.properties() {
        let name = property.name().to_ascii_uppercase();
        let counts = match matters {
            Matters::ToAttendees => !name.starts_with("X-") && !NEVER.contains(&name.as_str()),
            Matters::NotToBeChanged => ORGANIZERS.contains(&name.as_str()),
        };
        // A to-do's STATUS is its owner's progress, unless it is cancelled, which has a field of its own.
        if !counts || (name == "STATUS" && component.is("VTODO")) {
            continue;
        }
        // Programs differ in the spaces and line ends that they keep.
        let value = unescape_text(property.value()).split_whitespace().collect::<Vec<_>>().join(" ");
        // CONFIRMED is what an event without STATUS is taken for; an empty text says nothing.
        let nothing = match name.as_str() {
            "STATUS" => value.eq_ignore_ascii_case("CONFIRMED"),
            "PRIORITY" => value == "0",
            _ => value.is_empty(),
        };
        if !nothing {
            rows.push((name, value));
        }
    }
    rows.sort_unstable();
    rows.dedup();
    rows
}
