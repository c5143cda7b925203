//! The filters of calendar-query: RFC 4791 §9.7 and §9.9, as a model that a gateway fills from XML.

use crate::collation::TextMatch;
use crate::recur::Extent;
use crate::value::Utc;

/// A stretch of time: start inclusive, end exclusive; a missing side is open (RFC 4791 §9.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// Where it begins.
    pub start: Option<Utc>,
    /// Where it ends.
    pub end: Option<Utc>,
}

impl TimeRange {
    /// Start, or the beginning of time.
    pub fn from(&self) -> Utc {
        self.start.unwrap_or(Utc(i64::MIN))
    }

    /// End, or the end of time.
    pub fn to(&self) -> Utc {
        self.end.unwrap_or(Utc(i64::MAX))
    }

    /// Whether the point lies in it.
    pub fn holds(&self, at: Utc) -> bool {
        self.from() <= at && self.to() > at
    }
}

/// A `comp-filter`. The outermost one is about the VCALENDAR.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompFilter {
    /// Name of the component, in any case.
    pub name: String,
    /// `is-not-defined`: then nothing else counts.
    pub is_not_defined: bool,
    /// An instance must overlap it.
    pub time_range: Option<TimeRange>,
    /// All of them must match.
    pub properties: Vec<PropFilter>,
    /// All of them must match.
    pub components: Vec<CompFilter>,
}

/// A `prop-filter`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropFilter {
    /// Name of the property, in any case.
    pub name: String,
    /// `is-not-defined`: then nothing else counts.
    pub is_not_defined: bool,
    /// The value must lie in it.
    pub time_range: Option<TimeRange>,
    /// The value must match it.
    pub text_match: Option<TextMatch>,
    /// All of them must match, on the same property.
    pub parameters: Vec<ParamFilter>,
}

/// A `param-filter`; CardDAV's has the same form (RFC 6352 §10.5.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParamFilter {
    /// Name of the parameter, in any case.
    pub name: String,
    /// `is-not-defined`: then nothing else counts.
    pub is_not_defined: bool,
    /// A value must match it.
    pub text_match: Option<TextMatch>,
}

impl ParamFilter {
    /// Whether a property's parameters match.
    pub fn matches(&self, property: &crate::Property<'_>) -> bool {
        let defined =
            property.parameters().any(|parameter| parameter.name().eq_ignore_ascii_case(&self.name));
        if self.is_not_defined || !defined {
            return self.is_not_defined && !defined;
        }
        let Some(wanted) = &self.text_match else { return true };
        // "Not this value" means that no value is this one.
        property.parameter_values(&self.name).any(|value| wanted.holds(&value)) != wanted.is_negated()
    }
}

impl CompFilter {
    /// The filter on the kinds of components within a filter on the VCALENDAR, when there is just one and it asks for
    /// a time: what an index of extents can be asked for first.
    pub fn window(&self) -> Option<TimeRange> {
        match self.components.as_slice() {
            [only] if !only.is_not_defined => only.time_range,
            _ => None,
        }
    }

    /// Whether an object with one kind of component and that extent can match at all: cheap, and never wrong when it
    /// says no.
    pub fn may_match(&self, kind: &str, extent: Option<&Extent>) -> bool {
        if self.is_not_defined || !self.name.eq_ignore_ascii_case("VCALENDAR") {
            return true;
        }
        self.components.iter().all(|inner| {
            let same = inner.name.eq_ignore_ascii_case(kind);
            if inner.name.eq_ignore_ascii_case("VTIMEZONE") {
                return true;
            }
            if inner.is_not_defined || !same {
                return inner.is_not_defined && !same;
            }
            match (&inner.time_range, extent) {
                (Some(range), Some(extent)) => extent.touches(range.start, range.end),
                _ => true,
            }
        })
    }
}
