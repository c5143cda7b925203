//! What became of a message, in the object that it was sent for: SCHEDULE-STATUS (RFC 6638 §7.3).

use super::address::{address_of, canonical_address};
use super::edits::Edits;
use super::{Refusal, with_parts};

/// What became of the message to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The address, in any spelling.
    pub address: String,
    /// A code of RFC 6638 §3.2.9: `1.1`, `1.2`, `3.7` …
    pub status: String,
}

/// Sets SCHEDULE-STATUS on each ATTENDEE and ORGANIZER of these addresses, and takes SCHEDULE-FORCE-SEND from them.
/// None when nothing changes.
///
/// # Errors
/// [`Refusal::Unreadable`], [`Refusal::TooMany`].
pub fn set_status(bytes: &[u8], deliveries: &[Delivery]) -> Result<Option<Vec<u8>>, Refusal> {
    let known: Vec<(String, &str)> =
        deliveries.iter().map(|one| (canonical_address(&one.address), one.status.as_str())).collect();
    with_parts(bytes, |parts| {
        let mut edits = Edits::new(bytes);
        for part in &parts.list {
            let organizer = part.organizer.as_ref().map(|party| party.canonical.as_str());
            let properties = part.component.properties();
            for property in properties.filter(|one| one.is("ATTENDEE") || one.is("ORGANIZER")) {
                let address = address_of(property);
                // Of a message to the organizer it is told on ORGANIZER alone (RFC 6638 §3.2.9).
                if property.is("ATTENDEE") && organizer == Some(address.as_str()) {
                    continue;
                }
                if let Some((_, status)) = known.iter().find(|(known, _)| *known == address) {
                    let changes = [("SCHEDULE-STATUS", Some(*status)), ("SCHEDULE-FORCE-SEND", None)];
                    edits.set_parameters(property, &changes);
                }
            }
        }
        Ok(if edits.is_empty() { None } else { Some(edits.finish()) })
    })
}
