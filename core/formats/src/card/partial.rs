//! Parts of a card for a report, in the version that it asks for: `address-data`, RFC 6352 §10.4.

use std::borrow::Cow;

use super::convert::convert;
use super::filter::is_named;
use super::object::{Card, Version};
use crate::calendar::PropSelection;
use crate::component::{Document, Item};
use crate::limits::Limits;
use crate::output::Output;

/// What a report wants of each card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Its properties; none: all. VERSION always goes out, for nothing can read a card without it.
    pub properties: Option<Vec<PropSelection>>,
    /// The version; none: that of the card.
    pub version: Option<Version>,
}

/// The selected parts. Where everything is wanted as it is, it is the original to the byte.
pub fn partial<'a>(card: &Card<'_, 'a>, selection: &Selection) -> Cow<'a, [u8]> {
    let picked = match &selection.properties {
        None => Cow::Borrowed(card.bytes()),
        Some(wanted) => Cow::Owned(pick(card, wanted)),
    };
    let Some(version) = selection.version.filter(|version| *version != card.version()) else { return picked };
    let converted = Document::parse(&picked, Limits { bytes: usize::MAX, ..Limits::default() })
        .ok()
        .and_then(|document| Some(convert(&Card::of(&document)?, version)));
    converted.map_or(picked, Cow::Owned)
}

fn pick(card: &Card<'_, '_>, wanted: &[PropSelection]) -> Vec<u8> {
    let component = card.component();
    let mut out = Output::new(card.bytes());
    out.copy(component.begin());
    for item in component.items() {
        let Item::Property(property) = item else { continue };
        let found = wanted.iter().find(|one| is_named(property, &one.name));
        match found {
            Some(one) if one.no_value => out.line(&format!("{}:", property.head())),
            Some(_) => out.copy(property.span()),
            None if property.is("VERSION") => out.copy(property.span()),
            None => {}
        }
    }
    out.close(component);
    out.finish()
}
