//! What an address book demands of the files in it: RFC 6352 §5.1 and §6.3.2.1.

use allod_formats::card::{Card, Facts as CardFacts, Policy};
use allod_formats::limits::OBJECT_BYTES_MAX;
use allod_formats::{Document, Limits};
use allod_model::{Detail, Error, ErrorKind, Kind, Name, Result};

use super::{Facts, Rules};
use crate::typed::{CardRow, Typed};

/// One vCard (3.0 or 4.0) a file, valid, with a UID that no other file of the address book has.
pub struct AddressBook;

impl Rules for AddressBook {
    fn kind(&self) -> Kind {
        Kind::AddressBook
    }

    fn content_bytes_max(&self) -> Option<u64> {
        Some(OBJECT_BYTES_MAX as u64)
    }

    /// RFC 6352 §5.2: an address book holds no collections.
    fn admits_folder(&self, _: Kind) -> bool {
        false
    }

    fn judge(&self, _: &Name, content: Option<&[u8]>) -> Result<Facts> {
        let refused = |demand, reason: String| {
            Error::new(ErrorKind::InvalidContent, reason).with(Detail::Demand("CARDDAV", demand))
        };
        let parsed = Document::parse(content.unwrap_or_default(), Limits::default());
        let document = parsed.map_err(|limit| refused("valid-address-data", limit.to_string()))?;
        let checked = Card::check(&document, Policy::default());
        let card = checked.map_err(|invalid| refused(invalid.precondition.name(), invalid.reason))?;
        let facts = CardFacts::of(&card);
        Ok(Facts {
            mail: None,
            typed: Some(Box::new(Typed::Card(CardRow::of(&card, &facts)))),
            uid: facts.uid,
            media_type: Some("text/vcard; charset=utf-8".to_owned()),
        })
    }
}
