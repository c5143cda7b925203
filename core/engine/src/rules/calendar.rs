//! What a calendar demands of the files in it: RFC 4791 §4.1 and §5.3.2.1.

use allod_formats::calendar::{Facts as CalendarFacts, Object, Policy};
use allod_formats::limits::OBJECT_BYTES_MAX;
use allod_formats::{Document, Limits};
use allod_model::{Detail, Error, ErrorKind, Kind, Name, Result};

use super::{Facts, Rules};
use crate::typed::{EventRow, Typed};

/// One iCalendar object a file, valid, without METHOD, with a UID that no other file of the calendar has.
pub struct Calendar;

impl Rules for Calendar {
    fn kind(&self) -> Kind {
        Kind::Calendar
    }

    fn content_bytes_max(&self) -> Option<u64> {
        Some(OBJECT_BYTES_MAX as u64)
    }

    /// RFC 4791 §5.3.1: a calendar holds no collections.
    fn admits_folder(&self, _: Kind) -> bool {
        false
    }

    fn judge(&self, _: &Name, content: Option<&[u8]>) -> Result<Facts> {
        let refused = |demand, reason: String| {
            Error::new(ErrorKind::InvalidContent, reason).with(Detail::Demand("CALDAV", demand))
        };
        let parsed = Document::parse(content.unwrap_or_default(), Limits::default());
        let document = parsed.map_err(|limit| refused("valid-calendar-data", limit.to_string()))?;
        let checked = Object::check(&document, &Policy::default());
        let object = checked.map_err(|invalid| refused(invalid.precondition.name(), invalid.reason))?;
        let Some(facts) = CalendarFacts::of(&object) else {
            return Err(refused("valid-calendar-object-resource", "a component without UID".to_owned()));
        };
        Ok(Facts {
            mail: None,
            typed: EventRow::of(&object, &facts).map(|event| Box::new(Typed::Event(event))),
            uid: Some(facts.uid).filter(|uid| !uid.is_empty()),
            media_type: Some("text/calendar; charset=utf-8".to_owned()),
        })
    }
}
