//! Which iCalendar components a calendar takes (`supported-calendar-component-set`, RFC 4791 §5.2.3).

use serde::{Deserialize, Serialize};

/// A set of iCalendar components that stand in calendars.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Components(u8);

const NAMES: [&str; 5] = ["VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"];

impl Default for Components {
    fn default() -> Self {
        Components::ALL
    }
}

impl Components {
    /// All that calendars know. Stored as zero, which is what calendars from before this set have.
    pub const ALL: Components = Components(0);

    /// The set of one, by its name in any case; `None` when calendars do not know it.
    pub fn named(name: &str) -> Option<Components> {
        let at = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        Some(Components(1 << at))
    }

    /// The set of several names; `None` when there is none, or one that calendars do not know.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Components> {
        let mut set = 0;
        for name in names {
            set |= Components::named(name)?.0;
        }
        (set != 0).then_some(Components(set))
    }

    /// The names in it, in upper case.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .into_iter()
            .enumerate()
            .filter(move |(at, _)| self.0 == 0 || self.0 & 1 << at != 0)
            .map(|(_, name)| name)
    }

    /// Whether the component of that name, in any case, is in it.
    pub fn allows(self, name: &str) -> bool {
        self.names().any(|known| known.eq_ignore_ascii_case(name))
    }

    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    pub(crate) fn from_bits(bits: u8) -> Components {
        Components(bits)
    }

    /// Whether everything in `other` is in it.
    pub fn holds(self, other: Components) -> bool {
        self.0 == 0 || other.0 != 0 && other.0 & !self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_components() {
        let todos = Components::parse(["vtodo", "VJOURNAL"]).unwrap();
        assert_eq!(todos.names().collect::<Vec<_>>(), ["VTODO", "VJOURNAL"]);
        assert!(todos.allows("VTODO") && !todos.allows("VEVENT"));
        let event = Components::named("VEVENT").unwrap();
        assert!(Components::ALL.holds(event) && !todos.holds(event) && !event.holds(Components::ALL));
        assert_eq!(Components::ALL.names().count(), NAMES.len());
        assert!(Components::parse(["VEVENT", "VALARM"]).is_none() && Components::parse([]).is_none());
    }
}
