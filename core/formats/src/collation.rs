//! Collations of text matches: RFC 4790 §9, RFC 5051, and the matches themselves (RFC 4791 §9.7.5, RFC 6352 §10.5.4).

use unicode_normalization::UnicodeNormalization;

/// How texts are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collation {
    /// `i;ascii-casemap`: the letters A to Z have no case. What CalDAV takes when nothing is said.
    #[default]
    AsciiCasemap,
    /// `i;octet`: to the byte.
    Octet,
    /// `i;unicode-casemap`: no letter has case, and characters are taken apart. What CardDAV takes.
    UnicodeCasemap,
}

impl Collation {
    /// The collation of that name; `default` and the empty name mean `otherwise`. None: answer `supported-collation`.
    pub fn named(name: &str, otherwise: Collation) -> Option<Collation> {
        Some(match name {
            "" | "default" => otherwise,
            "i;ascii-casemap" => Collation::AsciiCasemap,
            "i;octet" => Collation::Octet,
            "i;unicode-casemap" => Collation::UnicodeCasemap,
            _ => return None,
        })
    }

    /// The form of a text that is compared byte by byte.
    pub fn key(self, text: &str) -> String {
        match self {
            Collation::AsciiCasemap => text.to_ascii_lowercase(),
            Collation::Octet => text.to_owned(),
            Collation::UnicodeCasemap if text.is_ascii() => text.to_ascii_uppercase(),
            // RFC 5051 §2: titlecase each character, then decompose it with compatibility mappings.
            Collation::UnicodeCasemap => text.chars().flat_map(titlecase).nfkd().collect(),
        }
    }
}

/// The simple titlecase mapping: that of upper case but for a handful of digraphs, and none where it would grow.
fn titlecase(c: char) -> impl Iterator<Item = char> {
    let mapped = match c {
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        c => {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(single), None) => single,
                _ => c,
            }
        }
    };
    std::iter::once(mapped)
}

/// Where a text must hold the wanted one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatchType {
    /// Anywhere.
    #[default]
    Contains,
    /// It is the wanted one.
    Equals,
    /// At its beginning.
    StartsWith,
    /// At its end.
    EndsWith,
}

/// A `text-match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextMatch {
    key: String,
    collation: Collation,
    match_type: MatchType,
    negate: bool,
}

impl TextMatch {
    /// Looks for `text`; with `negate`, for texts that do not hold it.
    pub fn new(text: &str, collation: Collation, match_type: MatchType, negate: bool) -> TextMatch {
        TextMatch { key: collation.key(text), collation, match_type, negate }
    }

    /// Whether `text` matches, `negate` taken into account.
    pub fn matches(&self, text: &str) -> bool {
        self.holds(text) != self.negate
    }

    /// Whether it asks for texts that do not hold the wanted one.
    pub fn is_negated(&self) -> bool {
        self.negate
    }

    /// Whether `text` holds the wanted one, whatever `negate` says.
    pub fn holds(&self, text: &str) -> bool {
        let text = self.collation.key(text);
        match self.match_type {
            MatchType::Contains => text.contains(&self.key),
            MatchType::Equals => text == self.key,
            MatchType::StartsWith => text.starts_with(&self.key),
            MatchType::EndsWith => text.ends_with(&self.key),
        }
    }
}
