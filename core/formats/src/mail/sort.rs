//! What SORT compares (RFC 5256 §3, RFC 5957).

use super::{Address, Facts, word};
use crate::collation::Collation;

/// The form in which texts are put in order: `i;unicode-casemap` (RFC 5051), as RFC 5256 §3 demands.
pub fn collate(text: &str) -> String {
    Collation::UnicodeCasemap.key(text)
}

/// The key of SORT SUBJECT.
pub fn sort_subject(facts: &Facts) -> String {
    collate(&facts.base_subject)
}

/// An address for people: its name, decoded, else `mailbox@host`. Its [collated](collate) form is the key of SORT
/// DISPLAYFROM and DISPLAYTO (RFC 5957 §3). A group is its name; its end is empty.
pub fn display_name(address: &Address) -> String {
    if let Some(name) = address.name.as_deref().filter(|name| !name.is_empty()) {
        return word::decode(name);
    }
    let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(super::header::text).unwrap_or_default();
    match &address.host {
        Some(host) if host == super::address::NO_HOST => text(&address.mailbox),
        Some(_) => format!("{}@{}", text(&address.mailbox), text(&address.host)),
        None => text(&address.mailbox),
    }
}
