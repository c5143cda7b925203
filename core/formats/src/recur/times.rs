//! When one component takes place: DTSTART with DTEND, DUE or DURATION, in its zone.

use crate::component::Component;
use crate::value::{DAY_S, Duration, Utc, Wall, When};
use crate::zone::{Zone, Zones, wall_of};

/// Longer than all the years that are computed with.
const FOR_EVER_S: i64 = 400_000_000_000;

/// Where a component begins and how long it lasts.
#[derive(Clone, Debug)]
pub struct Times {
    /// Where it begins; of a VTODO without DTSTART, where it is due.
    pub start: Utc,
    /// The same on the clock of its zone.
    pub wall: Wall,
    /// The zone that the rules of the component count in.
    pub zone: Zone,
    /// Whether it is about whole days.
    pub is_date: bool,
    /// Whether it means the same points in time for everybody; days and floating times do not.
    pub is_absolute: bool,
    /// Which property said how it ends.
    pub end: End,
    length: Length,
}

/// How a component says where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Not at all: a day for DATE, nothing for DATE-TIME (RFC 5545 §3.6.1).
    Implied,
    /// By DTEND.
    DtEnd,
    /// By DURATION.
    Duration,
    /// By DUE, with a DTSTART.
    Due,
    /// By DUE alone.
    DueOnly,
}

/// RFC 5545 §3.8.5.3: DTEND makes an exact length, DURATION a nominal one.
#[derive(Clone, Copy, Debug)]
enum Length {
    Exact(i64),
    Nominal(Duration),
}

impl Times {
    /// Reads them; days and floating times are placed in `default`. None without DTSTART (of a VTODO: and DUE).
    pub fn of(component: &Component<'_>, zones: &Zones, default: &Zone) -> Option<Times> {
        let due = component.first("DUE").filter(|_| component.is("VTODO")).and_then(When::of);
        let start = component.first("DTSTART").and_then(When::of);
        let (start, only_due) = match (start, &due) {
            (Some(start), _) => (start, false),
            (None, Some(due)) => (due.clone(), true),
            (None, None) => return None,
        };
        let zone = zones.zone_of(&start, default);
        let mut times = Times {
            start: zones.utc_of(&start, default),
            wall: wall_of(&start),
            is_date: start.is_date(),
            is_absolute: zones.is_absolute(&start),
            zone,
            end: End::Implied,
            length: Length::Nominal(Duration { days: i64::from(start.is_date()), seconds: 0 }),
        };
        if only_due {
            times.end = End::DueOnly;
            times.length = Length::Exact(0);
            return Some(times);
        }
        if component.is("VAVAILABILITY") {
            // RFC 7953 §3.1: without an end it holds for ever.
            times.length = Length::Exact(FOR_EVER_S);
        }
        let dtend = component.first("DTEND").filter(|_| !component.is("VTODO")).and_then(When::of);
        if component.is("VTODO") && times.is_date {
            times.length = Length::Exact(0);
        }
        if let Some(end) = dtend.or(due) {
            times.end = if component.is("VTODO") { End::Due } else { End::DtEnd };
            times.end_at(&end, zones, default);
        } else if let Some(duration) = component.value("DURATION").and_then(Duration::parse) {
            times.end = End::Duration;
            if duration.nominal_s() >= 0 {
                times.length = Length::Nominal(duration);
            }
        }
        Some(times)
    }

    fn end_at(&mut self, end: &When, zones: &Zones, default: &Zone) {
        if let (true, When::Date(end)) = (self.is_date, end) {
            // A day that ends where it begins is what some programs write for one day.
            let days = (end.days() - self.wall.date().days()).max(i64::from(self.end == End::DtEnd));
            self.length = Length::Nominal(Duration { days, seconds: 0 });
            return;
        }
        self.length = Length::Exact((zones.utc_of(end, default).0 - self.start.0).max(0));
    }

    /// Where an instance ends that begins at `start`, when the clock of the zone shows `wall`.
    pub fn end_of(&self, wall: Wall, start: Utc) -> Utc {
        match self.length {
            Length::Exact(seconds) => Utc(start.0.saturating_add(seconds)),
            Length::Nominal(Duration { days: 0, seconds }) => Utc(start.0.saturating_add(seconds)),
            Length::Nominal(duration) => {
                let end = self.zone.at(Wall(wall.0.saturating_add(duration.days.saturating_mul(DAY_S))));
                Utc(end.0.saturating_add(duration.seconds).max(start.0))
            }
        }
    }

    /// Where the first instance ends.
    pub fn first_end(&self) -> Utc {
        self.end_of(self.wall, self.start)
    }

    /// At most how long an instance lasts, changes of the clock included.
    pub(super) fn length_max_s(&self) -> i64 {
        match self.length {
            Length::Exact(seconds) => seconds,
            Length::Nominal(Duration { days: 0, seconds }) => seconds,
            Length::Nominal(duration) => duration.nominal_s().max(0).saturating_add(DAY_S),
        }
    }

    /// Whether it lasts no time at all.
    pub fn is_zero(&self) -> bool {
        match self.length {
            Length::Exact(seconds) => seconds == 0,
            Length::Nominal(duration) => duration.nominal_s() == 0,
        }
    }
}
