//! What CardDAV demands of an address object resource: RFC 6352 §5.1, §6.3.2.1.

use std::fmt;

use super::object::{Card, Version};
use crate::component::{Document, ProblemKind};

/// The precondition that a refusal names (RFC 6352 §6.3.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precondition {
    /// `supported-address-data`: a version that is not kept.
    SupportedAddressData,
    /// `valid-address-data`.
    ValidAddressData,
}

impl Precondition {
    /// Its name as the standard gives it.
    pub fn name(self) -> &'static str {
        match self {
            Precondition::SupportedAddressData => "supported-address-data",
            Precondition::ValidAddressData => "valid-address-data",
        }
    }
}

/// Why a card is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// What it fails.
    pub precondition: Precondition,
    /// What is wrong, in words for a person who repairs it.
    pub reason: String,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.precondition.name(), self.reason)
    }
}

impl std::error::Error for Invalid {}

/// What an address book admits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether a card may do without a UID (RFC 6352 §5.1 demands one).
    pub uid_optional: bool,
    /// Whether control characters and bytes that are not UTF-8 are passed over.
    pub tolerate_bytes: bool,
}

impl<'d, 'a> Card<'d, 'a> {
    /// Takes the card of a document that a client wants to store, if it may stand in an address book.
    ///
    /// Tolerated: a missing N where there is FN and the other way round in 3.0, lines that are no properties within
    /// the card (some programs break long values without folding).
    ///
    /// # Errors
    /// The first demand that it fails.
    pub fn check(document: &'d Document<'a>, policy: Policy) -> Result<Card<'d, 'a>, Invalid> {
        let fail = |precondition, reason: String| Err(Invalid { precondition, reason });
        let data = |reason: String| fail(Precondition::ValidAddressData, reason);
        for problem in document.problems() {
            match problem.kind {
                ProblemKind::NotUtf8 | ProblemKind::Control if policy.tolerate_bytes => {}
                ProblemKind::NotUtf8 => return data(format!("byte {}: not UTF-8", problem.at)),
                ProblemKind::Control => return data(format!("byte {}: a control character", problem.at)),
                ProblemKind::NoProperty => {}
                ProblemKind::Unclosed => return data(format!("byte {}: BEGIN without END", problem.at)),
                ProblemKind::Unopened => return data(format!("byte {}: END without BEGIN", problem.at)),
            }
        }
        if document.components().count() != 1 {
            return data("not exactly one card; a file of many goes to the address book itself".to_owned());
        }
        let Some(card) = Card::of(document) else { return data("no card".to_owned()) };
        let component = card.component();
        let version = component.value("VERSION").map(str::trim);
        let version = match version.and_then(Version::named) {
            Some(version @ (Version::V3 | Version::V4)) => version,
            _ => {
                let reason = format!("VERSION {} is not kept", version.unwrap_or("(none)"));
                return fail(Precondition::SupportedAddressData, reason);
            }
        };
        if component.all("VERSION").count() > 1 || component.all("UID").count() > 1 {
            return data("VERSION or UID stands twice".to_owned());
        }
        let uid = component.value("UID").is_some_and(|uid| !uid.trim().is_empty());
        if !uid && !policy.uid_optional {
            return data("no UID".to_owned());
        }
        let named = |name: &str| component.first(name).is_some();
        // RFC 6350 §6.2.1: FN is REQUIRED; RFC 2426 §3.1: N as well.
        let has_name = named("FN") || (version == Version::V3 && named("N"));
        if !has_name {
            return data("neither FN nor N".to_owned());
        }
        Ok(card)
    }
}
