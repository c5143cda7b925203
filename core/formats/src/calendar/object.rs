//! A calendar object: one VCALENDAR, its components and zones.

use crate::component::{Component, Document};
use crate::recur::Expansion;
use crate::zone::{Zone, Zones};

/// The one VCALENDAR of a document, with its zones at hand. It need not be valid.
#[derive(Clone, Debug)]
pub struct Object<'d, 'a> {
    document: &'d Document<'a>,
    calendar: &'d Component<'a>,
    zones: Zones,
}

/// Why a document holds no calendar object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectError {
    /// No VCALENDAR at the top.
    None,
    /// More than one.
    Several,
}

impl<'d, 'a> Object<'d, 'a> {
    /// Takes the VCALENDAR of a document.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn of(document: &'d Document<'a>) -> Result<Object<'d, 'a>, ObjectError> {
        let mut calendars = document.components().filter(|component| component.is("VCALENDAR"));
        let calendar = calendars.next().ok_or(ObjectError::None)?;
        if calendars.next().is_some() {
            return Err(ObjectError::Several);
        }
        Ok(Object { document, calendar, zones: Zones::of(calendar) })
    }

    /// The original bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.document.bytes()
    }

    /// The document that it stands in.
    pub fn document(&self) -> &'d Document<'a> {
        self.document
    }

    /// The VCALENDAR.
    pub fn calendar(&self) -> &'d Component<'a> {
        self.calendar
    }

    /// The zones that its TZIDs mean.
    pub fn zones(&self) -> &Zones {
        &self.zones
    }

    /// The components other than VTIMEZONE, in their order; instances name them by their place in it.
    pub fn components(&self) -> Vec<&'d Component<'a>> {
        self.calendar.components().filter(|component| !component.is("VTIMEZONE")).collect()
    }

    /// Makes it ready to be asked when it takes place. Days and floating times are placed in `default`
    /// (`calendar-timezone`, RFC 4791 §5.2.2).
    pub fn expansion(&self, default: &Zone) -> Expansion {
        Expansion::new(&self.components(), &self.zones, default)
    }
}
