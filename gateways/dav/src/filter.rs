//! What the filters of CalDAV and CardDAV have in common: text matches, parameters, limits.

use allod_formats::calendar::ParamFilter;
use allod_formats::collation::{Collation, MatchType, TextMatch};

use crate::error::Failure;
use crate::xml::{CALDAV, CARDDAV, Element};

/// RFC 4791 §7.5, RFC 6352 §8.3: what `supported-collation-set` lists.
pub(crate) const COLLATIONS: [&str; 3] = ["i;ascii-casemap", "i;octet", "i;unicode-casemap"];
/// Most tests in one filter: each is put to each object.
pub(crate) const FILTER_TESTS_MAX: usize = 256;
/// Longest text looked for, in bytes.
pub(crate) const MATCH_BYTES_MAX: usize = 4096;

/// Which of the two a filter belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    CalDav,
    CardDav,
}

impl Dialect {
    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Dialect::CalDav => CALDAV,
            Dialect::CardDav => CARDDAV,
        }
    }

    /// 403 with one of its conditions.
    pub(crate) fn refused(self, condition: &'static str, message: &str) -> Failure {
        Failure::condition(self.namespace(), condition, message)
    }

    /// What the filter says makes no sense. Only CalDAV has a condition for it (RFC 4791 §7.8).
    pub(crate) fn invalid(self, message: &str) -> Failure {
        match self {
            Dialect::CalDav => self.refused("valid-filter", message),
            Dialect::CardDav => Failure::bad_request(message),
        }
    }

    fn collation(self) -> Collation {
        match self {
            // RFC 4791 §9.7.5.
            Dialect::CalDav => Collation::AsciiCasemap,
            // RFC 6352 §10.5.4.
            Dialect::CardDav => Collation::UnicodeCasemap,
        }
    }
}

/// Reads filters, and counts their tests.
pub(crate) struct Parser {
    pub(crate) dialect: Dialect,
    tests: usize,
}

impl Parser {
    pub(crate) fn new(dialect: Dialect) -> Parser {
        Parser { dialect, tests: 0 }
    }

    /// One test more.
    ///
    /// # Errors
    /// `supported-filter` when there are too many.
    pub(crate) fn count(&mut self) -> Result<(), Failure> {
        self.tests += 1;
        match self.tests > FILTER_TESTS_MAX {
            true => Err(self.dialect.refused("supported-filter", "the filter has too many tests")),
            false => Ok(()),
        }
    }

    /// The children of the filter's own namespace. Others are passed over, as RFC 4918 §17 demands.
    pub(crate) fn children<'a>(&self, of: Element<'a>) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let namespace = self.dialect.namespace();
        of.children().filter(move |child| child.namespace() == namespace)
    }

    /// The `name` that each filter has.
    pub(crate) fn name(&self, of: Element<'_>) -> Result<String, Failure> {
        let name = of.attribute("name").map(str::trim).filter(|name| !name.is_empty());
        name.map(str::to_owned).ok_or_else(|| self.dialect.invalid("a filter without a name"))
    }

    /// Whether `is-not-defined` is said. Nothing may stand beside it.
    pub(crate) fn is_not_defined(&self, of: Element<'_>) -> Result<bool, Failure> {
        let said = self.children(of).any(|child| child.name() == "is-not-defined");
        if said && self.children(of).nth(1).is_some() {
            return Err(self.dialect.invalid("is-not-defined stands alone"));
        }
        Ok(said)
    }

    /// A `text-match`.
    ///
    /// # Errors
    /// `supported-collation`; what [`Dialect::invalid`] gives.
    pub(crate) fn text_match(&mut self, of: Element<'_>) -> Result<TextMatch, Failure> {
        self.count()?;
        let text = of.whole_text();
        if text.len() > MATCH_BYTES_MAX {
            return Err(self.dialect.refused("supported-filter", "the text to look for is too long"));
        }
        let name = of.attribute("collation").unwrap_or_default();
        let collation = Collation::named(name, self.dialect.collation())
            .ok_or_else(|| self.dialect.refused("supported-collation", "this collation is not known"))?;
        let negate = match of.attribute("negate-condition") {
            None | Some("no") => false,
            Some("yes") => true,
            Some(_) => return Err(self.dialect.invalid("negate-condition is yes or no")),
        };
        // RFC 4791 §9.7.5 knows substrings only; clients send CardDAV's attribute to both.
        let match_type = match of.attribute("match-type") {
            None | Some("contains") => MatchType::Contains,
            Some("equals") => MatchType::Equals,
            Some("starts-with") => MatchType::StartsWith,
            Some("ends-with") => MatchType::EndsWith,
            Some(_) => return Err(self.dialect.invalid("this match-type is not known")),
        };
        Ok(TextMatch::new(&text, collation, match_type, negate))
    }

    /// A `param-filter` (RFC 4791 §9.7.3, RFC 6352 §10.5.2).
    pub(crate) fn param_filter(&mut self, of: Element<'_>) -> Result<ParamFilter, Failure> {
        self.count()?;
        let mut filter =
            ParamFilter { name: self.name(of)?, is_not_defined: self.is_not_defined(of)?, text_match: None };
        for child in self.children(of) {
            match child.name() {
                "text-match" if filter.text_match.is_none() => {
                    filter.text_match = Some(self.text_match(child)?);
                }
                "is-not-defined" => {}
                _ => return Err(self.dialect.invalid("a param-filter holds one text-match")),
            }
        }
        Ok(filter)
    }
}

/// The `limit` of a query: at most so many results. `None`: no limit, and what cannot be read is none, since a server
/// may disregard it (RFC 6352 §10.6.1).
pub(crate) fn parse_limit(root: Element<'_>, dialect: Dialect) -> Option<u64> {
    let limit = root.child(dialect.namespace(), "limit")?;
    limit.child(dialect.namespace(), "nresults")?.text().parse().ok()
}
