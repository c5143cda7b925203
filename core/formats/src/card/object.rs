//! A card: one VCARD and its version.

use std::borrow::Cow;

use crate::component::{Component, Document};
use crate::property::Property;
use crate::value::unescape_text;

/// Versions of vCard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// 2.1: read and imported, never stored in an address book.
    V2_1,
    /// 3.0: RFC 2426.
    V3,
    /// 4.0: RFC 6350.
    V4,
}

impl Version {
    /// As VERSION writes it.
    pub fn name(self) -> &'static str {
        match self {
            Version::V2_1 => "2.1",
            Version::V3 => "3.0",
            Version::V4 => "4.0",
        }
    }

    /// Reads a VERSION.
    pub fn named(name: &str) -> Option<Version> {
        [Version::V2_1, Version::V3, Version::V4].into_iter().find(|version| version.name() == name.trim())
    }
}

/// The one VCARD of a document. It need not be valid.
#[derive(Clone, Copy, Debug)]
pub struct Card<'d, 'a> {
    document: &'d Document<'a>,
    component: &'d Component<'a>,
}

impl<'d, 'a> Card<'d, 'a> {
    /// Takes the VCARD of a document; none when there is not exactly one.
    pub fn of(document: &'d Document<'a>) -> Option<Card<'d, 'a>> {
        let mut cards = document.components().filter(|component| component.is("VCARD"));
        let component = cards.next()?;
        cards.next().is_none().then_some(Card { document, component })
    }

    /// The original bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.document.bytes()
    }

    /// The VCARD.
    pub fn component(&self) -> &'d Component<'a> {
        self.component
    }

    /// Its version; without one that is known, 3.0.
    pub fn version(&self) -> Version {
        self.component.value("VERSION").and_then(Version::named).unwrap_or(Version::V3)
    }
}

/// The value of a property as text: quoted-printable and charset of vCard 2.1 undone, escapes undone.
pub fn value_text<'p>(property: &'p Property<'_>) -> Cow<'p, str> {
    match quoted_printable(property) {
        Some(decoded) => Cow::Owned(unescape_text(&decoded).into_owned()),
        None => unescape_text(property.value()),
    }
}

/// The decoded value of a quoted-printable property; none where it is not one.
pub(super) fn quoted_printable(property: &Property<'_>) -> Option<String> {
    if !property.has_parameter_value("ENCODING", "QUOTED-PRINTABLE") {
        return None;
    }
    let bytes = property.value().as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'=');
        let digits = pair.and_then(|pair| std::str::from_utf8(pair).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    let text = String::from_utf8(decoded);
    let text = text.unwrap_or_else(|error| crate::lines::windows_1252(error.as_bytes()));
    Some(text.replace("\r\n", "\n"))
}
