//! An object read for scheduling: its components, who takes part in each, which instance each is.

use std::collections::BTreeSet;

use super::Unsound;
use super::address::{Owner, address_of};
use super::{ATTENDEES_MAX, COMPONENTS_MAX, Refusal, with_parts};
use crate::calendar::Object;
use crate::component::Component;
use crate::limits::LIST_VALUES_MAX;
use crate::property::Property;
use crate::recur::{Times, identity};
use crate::value::{Utc, When};
use crate::zone::{Zone, wall_of};

/// Holds the DTSTAMP of the last message that was applied: on the ORGANIZER of an attendee's object, on each ATTENDEE
/// of an organizer's. RFC 5546 §2.1.5 asks to keep it; DTSTAMP itself is written anew by clients.
pub(super) const LAST_STAMP: &str = "X-ALLOD-DTSTAMP";

/// What it may cost to look for one instance.
const INSTANCE_STEPS: u64 = 20_000;

/// An ORGANIZER or ATTENDEE and what scheduling asks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The calendar user address as written.
    pub address: String,
    /// The form by which it is compared; see [`super::canonical_address`].
    pub canonical: String,
    /// CN.
    pub name: Option<String>,
    /// PARTSTAT in upper case; `NEEDS-ACTION` where it is missing.
    pub partstat: String,
    /// ROLE in upper case; `REQ-PARTICIPANT` where it is missing.
    pub role: String,
    /// CUTYPE in upper case; `INDIVIDUAL` where it is missing.
    pub cutype: String,
    /// RSVP.
    pub rsvp: bool,
    /// Whether the server sends to it: SCHEDULE-AGENT is `SERVER` or missing. Unknown values are as `NONE` (RFC 6638
    /// §7.1).
    pub by_server: bool,
    /// SCHEDULE-STATUS.
    pub status: Option<String>,
    /// SCHEDULE-FORCE-SEND in upper case.
    pub force_send: Option<String>,
    /// When its last message was made; see [`LAST_STAMP`].
    pub(super) last: Option<Utc>,
}

impl Party {
    fn of(property: &Property<'_>) -> Party {
        let upper = |name: &str| property.parameter(name).map(|value| value.trim().to_ascii_uppercase());
        Party {
            address: property.value().trim().to_owned(),
            canonical: address_of(property),
            name: property.parameter("CN").map(|name| name.into_owned()),
            partstat: upper("PARTSTAT").unwrap_or_else(|| "NEEDS-ACTION".to_owned()),
            role: upper("ROLE").unwrap_or_else(|| "REQ-PARTICIPANT".to_owned()),
            cutype: upper("CUTYPE").unwrap_or_else(|| "INDIVIDUAL".to_owned()),
            rsvp: property.has_parameter_value("RSVP", "TRUE"),
            by_server: upper("SCHEDULE-AGENT").is_none_or(|agent| agent == "SERVER"),
            status: property.parameter("SCHEDULE-STATUS").map(|status| status.into_owned()),
            force_send: upper("SCHEDULE-FORCE-SEND"),
            last: property.parameter(LAST_STAMP).and_then(|stamp| Utc::parse(&stamp)),
        }
    }
}

/// Who takes part in the recurring component, or in one instance that has a component of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceParties {
    /// Which instance: where it would begin without its override. None: all that have no component of their own.
    pub instance: Option<Utc>,
    /// ORGANIZER.
    pub organizer: Option<Party>,
    /// ATTENDEEs in their order.
    pub attendees: Vec<Party>,
    /// STATUS:CANCELLED.
    pub cancelled: bool,
}

/// What an object is to the owner of the calendar that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No scheduling object resource.
    None,
    /// He organizes it (RFC 6638 §3.2.1).
    Organizer,
    /// He takes part, and the server speaks for him (RFC 6638 §3.2.2).
    Attendee,
    /// He takes part, and his client or nobody speaks for him (SCHEDULE-AGENT of the ORGANIZER, RFC 6638 §3.2.2.3).
    OnHisOwn,
}

impl Standing {
    /// Whether it is a scheduling object resource, which has a schedule-tag.
    pub fn is_scheduling(self) -> bool {
        self != Standing::None
    }
}

/// What an object is to the owner. One that cannot be read, or is too large, is nothing.
pub fn standing(bytes: &[u8], owner: &Owner) -> Standing {
    if !super::may_schedule(bytes) {
        return Standing::None;
    }
    with_parts(bytes, |parts| Ok::<_, Unsound>(parts.standing(owner))).unwrap_or(Standing::None)
}

/// Who takes part, component by component.
///
/// # Errors
/// [`Refusal::Unreadable`], [`Refusal::TooMany`].
pub fn parties(bytes: &[u8]) -> Result<Vec<InstanceParties>, Refusal> {
    with_parts(bytes, |parts| {
        let of = |part: &Part<'_, '_>| InstanceParties {
            instance: part.id,
            organizer: part.organizer.clone(),
            attendees: part.attendees.clone(),
            cancelled: part.cancelled,
        };
        Ok(parts.list.iter().map(of).collect())
    })
}

/// Refuses an object whose components name different organizers.
///
/// # Errors
/// [`Refusal::SameOrganizer`] (RFC 6638 §3.2.4.2); [`Refusal::Unreadable`], [`Refusal::TooMany`].
pub fn same_organizer(bytes: &[u8]) -> Result<(), Refusal> {
    with_parts(bytes, |parts| {
        let mut organizers = parts.list.iter().filter_map(|part| part.organizer.as_ref());
        let first = organizers.next().map(|party| &party.canonical);
        let same = organizers.all(|party| Some(&party.canonical) == first);
        if same { Ok(()) } else { Err(Refusal::SameOrganizer) }
    })
}

/// An object ready to be asked.
#[derive(Debug)]
pub(super) struct Parts<'d, 'a> {
    pub(super) object: Object<'d, 'a>,
    pub(super) list: Vec<Part<'d, 'a>>,
    /// When the recurring component takes place.
    pub(super) times: Option<Times>,
}

/// One of its components.
#[derive(Debug)]
pub(super) struct Part<'d, 'a> {
    pub(super) component: &'d Component<'a>,
    /// None: the recurring (or only) component.
    pub(super) id: Option<Utc>,
    pub(super) organizer: Option<Party>,
    pub(super) attendees: Vec<Party>,
    pub(super) sequence: u64,
    pub(super) stamp: Option<Utc>,
    pub(super) cancelled: bool,
}

impl<'d, 'a> Parts<'d, 'a> {
    pub(super) fn of(object: Object<'d, 'a>) -> Result<Parts<'d, 'a>, Unsound> {
        let components = object.components();
        if components.len() > COMPONENTS_MAX {
            return Err(Unsound::TooMany("too many instances with a component of their own"));
        }
        let utc = Zone::utc();
        let master = components.iter().find(|one| one.first("RECURRENCE-ID").is_none());
        let times = master.and_then(|component| Times::of(component, object.zones(), &utc));
        let mut list = Vec::with_capacity(components.len());
        let mut attendees = 0;
        for component in components {
            let id = component.first("RECURRENCE-ID").and_then(When::of);
            let id = id.map(|id| identity(&id, times.as_ref(), object.zones(), &utc).0);
            let part = Part::of(component, id);
            attendees += part.attendees.len();
            if attendees > ATTENDEES_MAX {
                return Err(Unsound::TooMany("too many attendees to schedule with"));
            }
            list.push(part);
        }
        Ok(Parts { object, list, times })
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.object.bytes()
    }

    pub(super) fn master(&self) -> Option<&Part<'d, 'a>> {
        self.list.iter().find(|part| part.id.is_none())
    }

    pub(super) fn at(&self, id: Option<Utc>) -> Option<&Part<'d, 'a>> {
        self.list.iter().find(|part| part.id == id)
    }

    pub(super) fn organizer(&self) -> Option<&Party> {
        self.list.iter().find_map(|part| part.organizer.as_ref())
    }

    /// Whether all of it is past.
    pub(super) fn is_over(&self, now: Utc) -> bool {
        let extent = self.object.expansion(&Zone::utc()).extent();
        extent.and_then(|extent| extent.last).is_some_and(|last| last < now)
    }

    pub(super) fn uid(&self) -> &str {
        self.list.iter().find_map(|part| part.component.value("UID")).map_or("", str::trim)
    }

    pub(super) fn standing(&self, owner: &Owner) -> Standing {
        // RFC 5546 §1.4: nobody is invited to a journal.
        let schedules = |part: &Part<'_, '_>| part.component.is("VEVENT") || part.component.is("VTODO");
        let Some(organizer) = self.organizer().filter(|_| self.list.iter().all(schedules)) else {
            return Standing::None;
        };
        let mut attendees = self.list.iter().flat_map(|part| &part.attendees);
        if owner.is_canonical(&organizer.canonical) {
            // RFC 6638 §1.3: an object that one or more others take part in; one that he is alone in needs no messages
            // and keeps its tag, since others can come.
            return if attendees.next().is_some() { Standing::Organizer } else { Standing::None };
        }
        if !attendees.any(|party| owner.is_canonical(&party.canonical)) {
            return Standing::None;
        }
        if organizer.by_server { Standing::Attendee } else { Standing::OnHisOwn }
    }

    /// The instances that a component's EXDATEs take out, with the property and the value that did it.
    pub(super) fn excluded(&self, part: &Part<'d, 'a>) -> Vec<Exclusion<'d, 'a>> {
        let mut found = Vec::new();
        for property in part.component.all("EXDATE") {
            let tzid = property.parameter("TZID");
            for value in property.value().split(',') {
                if found.len() == LIST_VALUES_MAX {
                    return found;
                }
                if let Some(when) = When::parse(value, tzid.as_deref()) {
                    found.push(Exclusion { id: self.id_of(&when), property, value: value.trim().to_owned() });
                }
            }
        }
        found
    }

    /// The instances that the EXDATEs of the recurring component take out.
    pub(super) fn exclusions(&self) -> BTreeSet<Utc> {
        let excluded = self.master().map(|master| self.excluded(master)).unwrap_or_default();
        excluded.into_iter().map(|excluded| excluded.id).collect()
    }

    /// Which instance a time means.
    pub(super) fn id_of(&self, when: &When) -> Utc {
        identity(when, self.times.as_ref(), self.object.zones(), &Zone::utc()).0
    }

    /// Whether an instance is among those of the recurring component: made by its rules, and not taken out.
    pub(super) fn has_instance(&self, id: Utc) -> bool {
        let Some(master) = self.master() else { return false };
        let components = [master.component];
        let expansion = crate::recur::Expansion::new(&components, self.object.zones(), &Zone::utc());
        let mut found = false;
        let mut steps = INSTANCE_STEPS;
        expansion.visit(id, id, &mut steps, &mut |instance| {
            found = instance.recurrence_id == id;
            if found { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
        });
        found
    }
}

/// An instance taken out by an EXDATE.
#[derive(Debug)]
pub(super) struct Exclusion<'d, 'a> {
    pub(super) id: Utc,
    pub(super) property: &'d Property<'a>,
    pub(super) value: String,
}

impl<'d, 'a> Part<'d, 'a> {
    fn of(component: &'d Component<'a>, id: Option<Utc>) -> Part<'d, 'a> {
        let stamp = component.first("DTSTAMP").and_then(When::of).map(|when| Utc(wall_of(&when).0));
        Part {
            component,
            id,
            organizer: component.first("ORGANIZER").map(Party::of),
            attendees: component.all("ATTENDEE").map(Party::of).collect(),
            sequence: component.value("SEQUENCE").and_then(|n| n.trim().parse().ok()).unwrap_or(0),
            stamp,
            cancelled: component.value("STATUS").is_some_and(|s| s.trim().eq_ignore_ascii_case("CANCELLED")),
        }
    }

    pub(super) fn attendee(&self, canonical: &str) -> Option<&Party> {
        self.attendees.iter().find(|party| party.canonical == canonical)
    }

    /// The owner's own ATTENDEE.
    pub(super) fn own(&self, owner: &Owner) -> Option<&Party> {
        self.attendees.iter().find(|party| owner.is_canonical(&party.canonical))
    }

    /// The ATTENDEE properties of an address.
    pub(super) fn lines<'s>(&'s self, canonical: &'s str) -> impl Iterator<Item = &'d Property<'a>> + 's {
        let named = self.component.properties().filter(|property| property.is("ATTENDEE"));
        named.filter(move |property| address_of(property) == canonical)
    }
}
