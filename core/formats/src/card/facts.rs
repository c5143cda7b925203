//! What is kept beside a card, so that lists, search and the birthday calendar need not read it again.

use super::object::{Card, Version, quoted_printable, value_text};
use crate::collation::Collation;
use crate::property::Property;
use crate::value::{Date, split_unescaped, unescape_text};

/// Facts of a card, drawn from its bytes. Texts are unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// UID as written.
    pub uid: Option<String>,
    /// VERSION.
    pub version: Version,
    /// FN, or what stands for it: N, ORG, an address.
    pub name: String,
    /// What lists are sorted by: family name first, without case.
    pub sort_key: String,
    /// EMAIL.
    pub emails: Vec<String>,
    /// TEL, without the `tel:` of a URI.
    pub phones: Vec<String>,
    /// The first part of ORG.
    pub organization: Option<String>,
    /// CATEGORIES.
    pub categories: Vec<String>,
    /// KIND or X-ADDRESSBOOKSERVER-KIND, in lower case; `individual` where nothing is said.
    pub kind: String,
    /// MEMBER or X-ADDRESSBOOKSERVER-MEMBER: UIDs without `urn:uuid:`, and other URIs as they are.
    pub members: Vec<String>,
    /// BDAY.
    pub birthday: Option<PartialDate>,
    /// ANNIVERSARY, X-ANNIVERSARY, or the `_$!<Anniversary>!$_` that Apple labels.
    pub anniversary: Option<PartialDate>,
    /// Whether it has a PHOTO.
    pub has_photo: bool,
}

/// A day that may lack its year (RFC 6350 §4.3.1, `--0314`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartialDate {
    /// The year, if it was given.
    pub year: Option<i32>,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl PartialDate {
    /// Reads `19850412`, `1985-04-12`, `--0412`, `--04-12`, each with or without a time. A date without its day is none.
    pub fn parse(text: &str) -> Option<PartialDate> {
        let text = text.trim().split(['T', 't', ' ']).next()?;
        let (year, rest) = match text.strip_prefix("--") {
            Some(rest) => (None, rest),
            None => {
                let year = text.get(..4)?;
                if !year.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                (Some(year.parse().ok()?), text[4..].strip_prefix('-').unwrap_or(&text[4..]))
            }
        };
        let (month, day) = rest.split_once('-').or_else(|| Some((rest.get(..2)?, rest.get(2..)?)))?;
        if month.len() != 2 || day.len() != 2 {
            return None;
        }
        let (month, day) = (month.parse().ok()?, day.parse().ok()?);
        // A leap year stands for any.
        Date::new(year.unwrap_or(2000), month, day)?;
        Some(PartialDate { year, month, day })
    }

    /// Reads a property; a year that Apple marks as made up (X-APPLE-OMIT-YEAR) is none.
    pub fn of(property: &Property<'_>) -> Option<PartialDate> {
        let mut date = PartialDate::parse(property.value())?;
        let omitted =
            property.parameter("X-APPLE-OMIT-YEAR").and_then(|year| year.trim().parse::<i32>().ok());
        if omitted.is_some() && omitted == date.year {
            date.year = None;
        }
        Some(date)
    }
}

impl Facts {
    /// Draws the facts of a card.
    pub fn of(card: &Card<'_, '_>) -> Facts {
        let component = card.component();
        let texts = |name: &str| -> Vec<String> {
            let values = component.all(name).map(|property| value_text(property).trim().to_owned());
            values.filter(|text| !text.is_empty()).collect()
        };
        let emails = texts("EMAIL");
        let phone = |text: String| text.strip_prefix("tel:").map_or(text.clone(), str::to_owned);
        let organization = component.first("ORG").map(|property| parts(property).swap_remove(0));
        let organization = organization.filter(|text| !text.is_empty());
        let names = component.first("N").map(parts).unwrap_or_default();
        let part = |index: usize| names.get(index).map_or("", String::as_str);
        let assembled = [part(3), part(1), part(2), part(0), part(4)]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        let name = texts("FN")
            .into_iter()
            .next()
            .or(Some(assembled).filter(|name| !name.is_empty()))
            .or_else(|| organization.clone())
            .or_else(|| emails.first().cloned())
            .unwrap_or_default();
        let kind = component.value("KIND").or_else(|| component.value("X-ADDRESSBOOKSERVER-KIND"));
        let categories =
            component.all("CATEGORIES").flat_map(|one| split_unescaped(one.value(), ',').collect::<Vec<_>>());
        let members =
            component.properties().filter(|one| one.is("MEMBER") || one.is("X-ADDRESSBOOKSERVER-MEMBER"));
        Facts {
            uid: component.value("UID").map(|uid| uid.trim().to_owned()).filter(|uid| !uid.is_empty()),
            version: card.version(),
            sort_key: sort_key(card, &names, &name),
            name,
            phones: texts("TEL").into_iter().map(phone).collect(),
            emails,
            organization,
            categories: categories.map(|one| unescape_text(one).trim().to_owned()).collect(),
            kind: kind.map_or_else(|| "individual".to_owned(), |kind| kind.trim().to_ascii_lowercase()),
            members: members.map(|one| bare_uid(one.value()).to_owned()).collect(),
            birthday: component.first("BDAY").and_then(PartialDate::of),
            anniversary: anniversary(card),
            has_photo: component.first("PHOTO").is_some(),
        }
    }

    /// Whether it is a group of others.
    pub fn is_group(&self) -> bool {
        self.kind == "group"
    }
}

/// The parts of a structured value, unescaped; at least one.
fn parts(property: &Property<'_>) -> Vec<String> {
    let decoded = quoted_printable(property);
    let value = decoded.as_deref().unwrap_or(property.value());
    split_unescaped(value, ';').map(|part| unescape_text(part).trim().to_owned()).collect()
}

fn bare_uid(member: &str) -> &str {
    let member = member.trim();
    const PREFIX: &str = "urn:uuid:";
    match member.get(..PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => &member[PREFIX.len()..],
        _ => member,
    }
}

fn sort_key(card: &Card<'_, '_>, names: &[String], name: &str) -> String {
    let component = card.component();
    let given = component
        .first("N")
        .and_then(|n| n.parameter("SORT-AS"))
        .map(|sort| sort.into_owned())
        .or_else(|| component.first("SORT-STRING").map(|sort| value_text(sort).into_owned()));
    let text = match given {
        Some(given) => given,
        None if names.iter().take(2).any(|part| !part.is_empty()) => {
            let family_first = names.iter().take(2).filter(|part| !part.is_empty());
            family_first.map(String::as_str).collect::<Vec<_>>().join(" ")
        }
        None => name.to_owned(),
    };
    Collation::UnicodeCasemap.key(text.trim())
}

fn anniversary(card: &Card<'_, '_>) -> Option<PartialDate> {
    let component = card.component();
    let named = ["ANNIVERSARY", "X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY"];
    if let Some(date) = named.iter().find_map(|name| component.first(name).and_then(PartialDate::of)) {
        return Some(date);
    }
    component.all("X-ABDATE").find_map(|property| {
        let group = property.group()?;
        let label = component.all("X-ABLABEL").find(|label| label.group() == Some(group))?;
        label.value().contains("Anniversary").then(|| PartialDate::of(property))?
    })
}
