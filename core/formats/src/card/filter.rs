//! The filters of addressbook-query: RFC 6352 §10.5.

use super::object::{Card, value_text};
use crate::calendar::ParamFilter;
use crate::collation::TextMatch;
use crate::property::Property;

/// A `filter`. Without any property filter it matches every card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// `test="allof"`; otherwise one match is enough.
    pub all_of: bool,
    /// Its `prop-filter`s.
    pub properties: Vec<PropFilter>,
}

/// A `prop-filter`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropFilter {
    /// Name of the property, in any case; with a group (`item1.TEL`) only that group counts.
    pub name: String,
    /// `is-not-defined`: then nothing else counts.
    pub is_not_defined: bool,
    /// `test="allof"`.
    pub all_of: bool,
    /// Its `text-match`es.
    pub texts: Vec<TextMatch>,
    /// Its `param-filter`s.
    pub parameters: Vec<ParamFilter>,
}

impl Filter {
    /// Whether the card matches.
    pub fn matches(&self, card: &Card<'_, '_>) -> bool {
        let mut properties = self.properties.iter();
        match self.all_of || self.properties.is_empty() {
            true => properties.all(|filter| filter.matches(card)),
            false => properties.any(|filter| filter.matches(card)),
        }
    }
}

/// Properties whose texts may be kept beside a card, so that most questions are answered without reading it.
pub const INDEXED: [&str; 7] = ["FN", "N", "NICKNAME", "EMAIL", "TEL", "ORG", "UID"];

/// The texts of a card's [`INDEXED`] properties, each with its property's place there.
pub fn indexed_texts(card: &Card<'_, '_>) -> Vec<(u8, String)> {
    let mut texts = Vec::new();
    for (place, name) in (0_u8..).zip(INDEXED) {
        texts.extend(card.component().all(name).map(|one| (place, value_text(one).into_owned())));
    }
    texts
}

impl Filter {
    /// Whether a card with these [`indexed_texts`] can match at all: cheap, and never wrong when it says no.
    pub fn may_match(&self, texts: &[(u8, String)]) -> bool {
        let mut tests = self.properties.iter().map(|filter| filter.may_match(texts));
        if self.all_of || self.properties.is_empty() {
            tests.all(|test| test)
        } else {
            tests.any(|test| test)
        }
    }
}

impl PropFilter {
    fn may_match(&self, texts: &[(u8, String)]) -> bool {
        let Some(place) = INDEXED.iter().position(|name| name.eq_ignore_ascii_case(&self.name)) else {
            return true;
        };
        let mut values = texts.iter().filter(|(of, _)| usize::from(*of) == place).map(|(_, text)| text);
        if self.is_not_defined {
            return values.next().is_none();
        }
        // What parameters say is not known here: with "any of" they may decide.
        let open = !self.parameters.is_empty() && !self.all_of;
        values.any(|value| {
            let mut tests = self.texts.iter().map(|text| text.matches(value));
            open || self.texts.is_empty()
                || if self.all_of { tests.all(|test| test) } else { tests.any(|test| test) }
        })
    }
}

/// Whether a property has that name: RFC 6352 §10.5.1 on groups.
pub(super) fn is_named(property: &Property<'_>, name: &str) -> bool {
    match name.split_once('.') {
        None => property.is(name),
        Some((group, name)) => {
            property.is(name) && property.group().is_some_and(|own| own.eq_ignore_ascii_case(group))
        }
    }
}

impl PropFilter {
    fn matches(&self, card: &Card<'_, '_>) -> bool {
        let mut named = card.component().properties().filter(|property| is_named(property, &self.name));
        if self.is_not_defined {
            return named.next().is_none();
        }
        named.any(|property| self.matches_one(property))
    }

    fn matches_one(&self, property: &Property<'_>) -> bool {
        if self.texts.is_empty() && self.parameters.is_empty() {
            return true;
        }
        let value = value_text(property);
        let mut tests = self
            .texts
            .iter()
            .map(|text| text.matches(&value))
            .chain(self.parameters.iter().map(|parameter| parameter.matches(property)));
        if self.all_of { tests.all(|test| test) } else { tests.any(|test| test) }
    }
}
