//! Time zones: by the file's own VTIMEZONE, by IANA name, by a Windows name (RFC 5545 §3.6.5, RFC 7809).

mod names;
mod table;

use std::sync::{Arc, OnceLock};

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::component::Component;
use crate::value::{Utc, Wall, When};
use table::Table;

/// A zone: how a wall clock there goes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Zone(Inner);

#[derive(Clone, Debug)]
enum Inner {
    Utc,
    Named(TimeZone),
    Rules(Arc<Table>),
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone(Inner::Utc)
    }

    /// The zone that a TZID names without a VTIMEZONE: an IANA name, such a name behind a prefix
    /// (`/freeassociation.sourceforge.net/Europe/Berlin`), or a Windows name. None when it is nobody's name.
    pub fn named(tzid: &str) -> Option<Zone> {
        let tzid = tzid.trim().trim_matches('"');
        if ["UTC", "Z", "GMT", "Etc/UTC", "Etc/GMT"].iter().any(|name| tzid.eq_ignore_ascii_case(name)) {
            return Some(Zone::utc());
        }
        if let Some(zone) = iana(tzid) {
            return Some(zone);
        }
        if let Some(name) = names::iana_of_windows(tzid) {
            return iana(name);
        }
        // The name stands at the end of a path whose beginning says who made it.
        let mut rest = tzid;
        for _ in 0..8 {
            let Some((_, after)) = rest.split_once('/') else { break };
            rest = after;
            if rest.contains('/')
                && let Some(zone) = iana(rest)
            {
                return Some(zone);
            }
        }
        None
    }

    /// The zone that the rules of a VTIMEZONE make; none when it has no sane observance.
    pub fn of_component(component: &Component<'_>) -> Option<Zone> {
        Table::new(component).map(|table| Zone(Inner::Rules(Arc::new(table))))
    }

    /// The zone of a `calendar-timezone` property: a whole VCALENDAR with one VTIMEZONE (RFC 4791 §5.2.2). Where the
    /// rules are not sane, the name counts.
    pub fn of_calendar(calendar: &Component<'_>) -> Option<Zone> {
        let component = calendar.components().find(|component| component.is("VTIMEZONE"))?;
        Zone::of_component(component).or_else(|| Zone::named(component.value("TZID")?))
    }

    /// Whether it is UTC itself.
    pub fn is_utc(&self) -> bool {
        matches!(self.0, Inner::Utc)
    }

    /// When the clock shows `wall`. A time that the clock skips is read with the offset before the gap; of a time that
    /// it shows twice, the first counts (RFC 5545 §3.3.5).
    pub fn at(&self, wall: Wall) -> Utc {
        match &self.0 {
            Inner::Utc => Utc(wall.0),
            Inner::Rules(table) => Utc(wall.0 - i64::from(table.offset_of_wall(wall))),
            Inner::Named(zone) => named_at(zone, wall).unwrap_or(Utc(wall.0)),
        }
    }

    /// What the clock shows at `utc`.
    pub fn wall(&self, utc: Utc) -> Wall {
        Wall(utc.0.saturating_add(i64::from(self.offset_s(utc))))
    }

    /// Seconds east of UTC at `utc`.
    pub fn offset_s(&self, utc: Utc) -> i32 {
        match &self.0 {
            Inner::Utc => 0,
            Inner::Rules(table) => table.offset_at(utc),
            Inner::Named(zone) => {
                let timestamp = jiff::Timestamp::from_second(utc.0);
                timestamp.map_or(0, |timestamp| zone.to_offset(timestamp).seconds())
            }
        }
    }
}

fn named_at(zone: &TimeZone, wall: Wall) -> Option<Utc> {
    let date = wall.date();
    let second = wall.second_of_day();
    let time = jiff::civil::DateTime::new(
        date.year() as i16,
        date.month() as i8,
        date.day() as i8,
        (second / 3600) as i8,
        (second / 60 % 60) as i8,
        (second % 60) as i8,
        0,
    );
    let timestamp = zone.to_ambiguous_timestamp(time.ok()?).compatible().ok()?;
    Some(Utc(timestamp.as_second()))
}

fn iana(name: &str) -> Option<Zone> {
    static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
    if name.is_empty() || name.len() > 64 || !name.is_ascii() {
        return None;
    }
    let zone = DATABASE.get_or_init(TimeZoneDatabase::bundled).get(name).ok()?;
    Some(Zone(Inner::Named(zone)))
}

/// The zones of one calendar file: those that it brings, and behind them those that are known by name.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    own: Vec<(String, Zone)>,
}

impl Zones {
    /// Reads the VTIMEZONEs of a VCALENDAR. One without a sane observance counts as absent.
    pub fn of(calendar: &Component<'_>) -> Zones {
        let mut own: Vec<(String, Zone)> = Vec::new();
        for component in calendar.components().filter(|component| component.is("VTIMEZONE")) {
            let Some(tzid) = component.value("TZID").map(str::trim) else { continue };
            if own.iter().any(|(name, _)| name == tzid) {
                continue;
            }
            if let Some(zone) = Zone::of_component(component) {
                own.push((tzid.to_owned(), zone));
            }
        }
        Zones { own }
    }

    /// The zone of a TZID: by the file's rules, else by name, else none; then its times float.
    pub fn find(&self, tzid: &str) -> Option<Zone> {
        let own = self.own.iter().find(|(name, _)| name == tzid);
        own.map(|(_, zone)| zone.clone()).or_else(|| Zone::named(tzid))
    }

    /// The zone in which `when` is to be read; days and floating times are read in `default`.
    pub fn zone_of(&self, when: &When, default: &Zone) -> Zone {
        match when {
            When::Date(_) | When::Floating(_) => default.clone(),
            When::Utc(_) => Zone::utc(),
            When::Zoned(_, tzid) => self.find(tzid).unwrap_or_else(|| default.clone()),
        }
    }

    /// The point in time that `when` names; of a day, its midnight.
    pub fn utc_of(&self, when: &When, default: &Zone) -> Utc {
        match when {
            When::Utc(utc) => *utc,
            _ => self.zone_of(when, default).at(wall_of(when)),
        }
    }

    /// Whether `when` means the same point in time for everybody.
    pub fn is_absolute(&self, when: &When) -> bool {
        match when {
            When::Date(_) | When::Floating(_) => false,
            When::Utc(_) => true,
            When::Zoned(_, tzid) => self.find(tzid).is_some(),
        }
    }
}

/// What the clock of its own zone shows.
pub(crate) fn wall_of(when: &When) -> Wall {
    match when {
        When::Date(date) => date.midnight(),
        When::Floating(wall) | When::Zoned(wall, _) => *wall,
        When::Utc(utc) => Wall(utc.0),
    }
}

#[cfg(test)]
pub(crate) fn windows_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    names::WINDOWS.iter().copied()
}
