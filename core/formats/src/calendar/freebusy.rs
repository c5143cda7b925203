//! Free-busy: the busy periods of objects, merged, as a VFREEBUSY (RFC 4791 §7.10, RFC 5545 §3.6.4, RFC 7953).

use std::fmt::Write;
use std::ops::ControlFlow;

use super::object::Object;
use super::overlap::period_times;
use crate::component::Component;
use crate::limits::Budget;
use crate::recur::Expansion;
use crate::value::{Period, Utc, escape_text};
use crate::zone::Zone;

/// How busy somebody is, the weaker first (RFC 5545 §3.2.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BusyKind {
    /// `BUSY-TENTATIVE`.
    Tentative,
    /// `BUSY-UNAVAILABLE`.
    Unavailable,
    /// `BUSY`.
    Busy,
}

/// A busy period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Where it begins.
    pub start: Utc,
    /// Where it ends.
    pub end: Utc,
    /// How busy.
    pub kind: BusyKind,
}

/// Periods of one object before they are merged.
const PERIODS_MAX: usize = 20_000;

/// The busy periods of an object within a window, cut to it, not merged; and whether the budget sufficed.
pub fn busy_periods(
    object: &Object<'_, '_>,
    (start, end): (Utc, Utc),
    default: &Zone,
    budget: Budget,
) -> (Vec<Busy>, bool) {
    let components = object.components();
    let mut busy = Vec::new();
    let mut add = |from: Utc, to: Utc, kind: BusyKind| {
        let (from, to) = (from.max(start), to.min(end));
        if from < to {
            busy.push(Busy { start: from, end: to, kind });
        }
    };
    let kinds: Vec<Option<BusyKind>> = components.iter().map(|component| event_kind(component)).collect();
    let mut whole = true;
    if kinds.iter().any(Option::is_some) {
        let (periods, all) = of_events(object, &kinds, (start, end), default, budget);
        periods.into_iter().for_each(|busy| add(busy.start, busy.end, busy.kind));
        whole = all;
    }
    for component in components.iter().filter(|component| component.is("VFREEBUSY")) {
        for property in component.all("FREEBUSY") {
            let kind = match property.parameter("FBTYPE").map(|kind| kind.to_ascii_uppercase()).as_deref() {
                Some("FREE") => continue,
                Some("BUSY-TENTATIVE") => BusyKind::Tentative,
                Some("BUSY-UNAVAILABLE") => BusyKind::Unavailable,
                _ => BusyKind::Busy,
            };
            for value in property.value().split(',') {
                let period = Period::parse(value, None);
                if let Some((from, to)) =
                    period.and_then(|period| period_times(&period, object.zones(), default))
                {
                    add(from, to, kind);
                }
            }
        }
    }
    for component in components.iter().filter(|component| component.is("VAVAILABILITY")) {
        let (periods, all) = unavailable(object, component, (start, end), default, budget);
        periods.into_iter().for_each(|busy| add(busy.start, busy.end, busy.kind));
        whole &= all;
    }
    (busy, whole)
}

/// When the instances of an event make busy. Where the budget ends before they do, the whole window counts as busy: who
/// trusts the answer must not book over what was not looked at.
fn of_events(
    object: &Object<'_, '_>,
    kinds: &[Option<BusyKind>],
    (start, end): (Utc, Utc),
    default: &Zone,
    budget: Budget,
) -> (Vec<Busy>, bool) {
    let mut busy: Vec<Busy> = Vec::new();
    let (mut steps, mut full) = (budget.steps, false);
    let whole = object.expansion(default).visit(start, end, &mut steps, &mut |instance| {
        if let Some(kind) = kinds[instance.component]
            && instance.start < end
            && instance.end > start
        {
            busy.push(Busy { start: instance.start, end: instance.end, kind });
            if busy.len() == PERIODS_MAX {
                busy = merge_busy(std::mem::take(&mut busy));
                full = busy.len() > PERIODS_MAX / 2;
                if full {
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    });
    let whole = whole && !full;
    if !whole && let Some(kind) = kinds.iter().flatten().max().copied() {
        return (vec![Busy { start, end, kind }], false);
    }
    (busy, whole)
}

/// RFC 4791 §7.10: opaque events that are not cancelled.
pub(super) fn event_kind(component: &Component<'_>) -> Option<BusyKind> {
    let is = |name: &str, value: &str| {
        component.value(name).is_some_and(|found| found.trim().eq_ignore_ascii_case(value))
    };
    if !component.is("VEVENT") || is("TRANSP", "TRANSPARENT") || is("STATUS", "CANCELLED") {
        return None;
    }
    Some(if is("STATUS", "TENTATIVE") { BusyKind::Tentative } else { BusyKind::Busy })
}

/// What a VAVAILABILITY leaves of the window when its AVAILABLE parts are taken out (RFC 7953 §4).
fn unavailable(
    object: &Object<'_, '_>,
    component: &Component<'_>,
    (start, end): (Utc, Utc),
    default: &Zone,
    budget: Budget,
) -> (Vec<Busy>, bool) {
    let kind = match component.value("BUSYTYPE").map(|kind| kind.trim().to_ascii_uppercase()).as_deref() {
        Some("BUSY") => BusyKind::Busy,
        Some("BUSY-TENTATIVE") => BusyKind::Tentative,
        _ => BusyKind::Unavailable,
    };
    let zones = object.zones();
    let time = |name: &str| component.first(name).and_then(crate::value::When::of);
    let own_start = time("DTSTART").map_or(start, |when| zones.utc_of(&when, default)).max(start);
    let own_end = crate::recur::Times::of(component, zones, default)
        .filter(|times| times.end != crate::recur::End::Implied)
        .map(|times| times.first_end())
        .or_else(|| time("DTEND").map(|when| zones.utc_of(&when, default)));
    let own_end = own_end.unwrap_or(end).min(end);
    let parts: Vec<&Component<'_>> = component.components().filter(|part| part.is("AVAILABLE")).collect();
    let mut uids: Vec<&str> = parts.iter().map(|part| part.value("UID").unwrap_or_default()).collect();
    uids.sort_unstable();
    uids.dedup();
    let mut free: Vec<(Utc, Utc)> = Vec::new();
    let mut whole = true;
    for uid in uids {
        let of_uid: Vec<&Component<'_>> =
            parts.iter().copied().filter(|part| part.value("UID").unwrap_or_default() == uid).collect();
        let instances = Expansion::new(&of_uid, zones, default).between(own_start, own_end, budget);
        whole &= !instances.cut_off;
        free.extend(instances.list.into_iter().map(|instance| (instance.start, instance.end)));
    }
    free.sort_unstable();
    let mut busy = Vec::new();
    let mut at = own_start;
    for (from, to) in free {
        if from > at {
            busy.push(Busy { start: at, end: from, kind });
        }
        at = at.max(to);
    }
    if at < own_end {
        busy.push(Busy { start: at, end: own_end, kind });
    }
    (busy, whole)
}

/// Sorts and merges: where periods overlap the busier kind counts, and periods of one kind that touch become one.
pub fn merge_busy(mut periods: Vec<Busy>) -> Vec<Busy> {
    periods.retain(|busy| busy.start < busy.end);
    let mut edges: Vec<(Utc, BusyKind, i32)> = Vec::with_capacity(periods.len() * 2);
    for busy in periods {
        edges.push((busy.start, busy.kind, 1));
        edges.push((busy.end, busy.kind, -1));
    }
    edges.sort_unstable_by_key(|edge| edge.0);
    let mut merged: Vec<Busy> = Vec::new();
    let mut open = [0_i32; 3];
    let mut since = Utc(0);
    let kinds = [BusyKind::Tentative, BusyKind::Unavailable, BusyKind::Busy];
    for (at, kind, change) in edges {
        let strongest = kinds.into_iter().rev().find(|kind| open[*kind as usize] > 0);
        if let Some(kind) = strongest.filter(|_| since < at) {
            match merged.last_mut().filter(|last| last.kind == kind && last.end == since) {
                Some(last) => last.end = at,
                None => merged.push(Busy { start: since, end: at, kind }),
            }
        }
        since = at;
        open[kind as usize] += change;
    }
    merged
}

/// A VCALENDAR with a VFREEBUSY of merged periods. `stamp` is now; `product` names the server (PRODID).
pub fn write_freebusy(
    periods: &[Busy],
    (start, end): (Utc, Utc),
    stamp: Utc,
    uid: &str,
    product: &str,
) -> String {
    let mut text = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n");
    let (uid, product) = (escape_text(uid), escape_text(product));
    // Writing into a String cannot fail.
    let _ = write!(
        text,
        "PRODID:{product}\r\nBEGIN:VFREEBUSY\r\nUID:{uid}\r\nDTSTAMP:{stamp}\r\nDTSTART:{start}\r\nDTEND:{end}\r\n"
    );
    for busy in periods {
        let kind = match busy.kind {
            BusyKind::Busy => "",
            BusyKind::Tentative => ";FBTYPE=BUSY-TENTATIVE",
            BusyKind::Unavailable => ";FBTYPE=BUSY-UNAVAILABLE",
        };
        let _ = write!(text, "FREEBUSY{kind}:{}/{}\r\n", busy.start, busy.end);
    }
    text.push_str("END:VFREEBUSY\r\nEND:VCALENDAR\r\n");
    text
}
