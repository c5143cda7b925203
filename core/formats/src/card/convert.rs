//! A card in another version: 3.0 to 4.0 and back, 2.1 to either. Only lines that the other version writes otherwise are
//! written; all others are copied, unknown ones and Apple's labelled groups included.

use super::facts::PartialDate;
use super::object::{Card, Version, quoted_printable};
use crate::component::Item;
use crate::output::Output;
use crate::property::{Property, caret_encoded};

/// The year that stands for none in Apple's 3.0 cards.
const APPLE_YEAR: i32 = 1604;

/// The card in that version; in its own it is a copy. To 2.1 nothing is converted.
pub fn convert(card: &Card<'_, '_>, version: Version) -> Vec<u8> {
    if version == card.version() || version == Version::V2_1 {
        return card.bytes().to_vec();
    }
    let component = card.component();
    let from = card.version();
    let mut out = Output::new(card.bytes());
    out.copy(component.begin());
    let has_version = component.first("VERSION").is_some();
    if !has_version {
        out.line(&format!("VERSION:{}", version.name()));
    }
    for item in component.items() {
        match item {
            Item::Property(property) if property.is("VERSION") => {
                out.line(&format!("VERSION:{}", version.name()));
                // RFC 2426 §3.1.2: 3.0 demands an N.
                if version == Version::V3 && component.first("N").is_none() {
                    let name = component.value("FN").unwrap_or_default();
                    out.line(&format!("N:{};;;;", name.replace(';', "\\;").replace("\\\\;", "\\;")));
                }
            }
            Item::Property(property) => match converted(property, from, version) {
                Some(line) => out.line(&line),
                None => out.copy(property.span()),
            },
            item => out.copy(item.span()),
        }
    }
    out.close(component);
    out.finish()
}

/// The line in the other version; none where it stays.
fn converted(property: &Property<'_>, from: Version, to: Version) -> Option<String> {
    let mut line = Draft::of(property);
    if from == Version::V2_1 {
        line.modernise(property);
    }
    let name = property.name().to_ascii_uppercase();
    match to {
        Version::V4 => line.become_4(&name),
        Version::V3 if from == Version::V4 => line.become_3(&name),
        _ => {}
    }
    line.changed.then(|| line.written())
}

/// A line being changed.
struct Draft {
    group: Option<String>,
    name: String,
    parameters: Vec<(String, Vec<String>)>,
    value: String,
    changed: bool,
}

impl Draft {
    fn of(property: &Property<'_>) -> Draft {
        let parameters = property.parameters().map(|one| {
            (one.name().to_ascii_uppercase(), one.values().map(|value| value.into_owned()).collect())
        });
        Draft {
            group: property.group().map(str::to_owned),
            name: property.name().to_owned(),
            parameters: parameters.collect(),
            value: property.value().to_owned(),
            changed: false,
        }
    }

    fn written(&self) -> String {
        let mut line = self.group.as_ref().map_or(String::new(), |group| format!("{group}."));
        line.push_str(&self.name);
        for (name, values) in &self.parameters {
            let values: Vec<String> = values.iter().map(|value| caret_encoded(value)).collect();
            line.push_str(&format!(";{name}={}", values.join(",")));
        }
        line.push(':');
        line.push_str(&self.value);
        line
    }

    fn rename(&mut self, name: &str) {
        self.name = name.to_owned();
        self.changed = true;
    }

    /// Takes a parameter out; gives its first value.
    fn take(&mut self, name: &str) -> Option<String> {
        let index = self.parameters.iter().position(|(own, _)| own == name)?;
        self.changed = true;
        self.parameters.remove(index).1.into_iter().next()
    }

    /// Takes one value out of TYPE.
    fn take_type(&mut self, wanted: &str) -> bool {
        let mut found = false;
        for (_, values) in self.parameters.iter_mut().filter(|(name, _)| name == "TYPE") {
            let before = values.len();
            values.retain(|value| !value.eq_ignore_ascii_case(wanted));
            found |= values.len() < before;
        }
        self.parameters.retain(|(_, values)| !values.is_empty());
        self.changed |= found;
        found
    }

    fn add(&mut self, name: &str, value: &str) {
        self.parameters.push((name.to_owned(), vec![value.to_owned()]));
        self.changed = true;
    }

    /// vCard 2.1 to 3.0: encodings undone, bare words named.
    fn modernise(&mut self, property: &Property<'_>) {
        self.changed |= property.parameters().any(|one| one.as_written().find('=').is_none());
        let decoded = quoted_printable(property);
        let plain = decoded.as_deref().unwrap_or(property.value());
        let is_base64 = property.has_parameter_value("ENCODING", "BASE64");
        let escaped = plain.replace('\r', "").replace('\n', "\\n");
        if is_base64 {
            self.value = plain.split_whitespace().collect();
        } else if !property.is("CATEGORIES") && !property.is("URL") && !property.is("NICKNAME") {
            self.value = commas_escaped(&escaped);
        } else {
            self.value = escaped;
        }
        self.changed |= self.value != property.value();
        self.take("CHARSET");
        if self.take("ENCODING").is_some() && is_base64 {
            self.add("ENCODING", "b");
        }
    }

    fn become_4(&mut self, name: &str) {
        self.take("CHARSET");
        match name {
            "X-ADDRESSBOOKSERVER-KIND" => self.rename("KIND"),
            "X-ADDRESSBOOKSERVER-MEMBER" => self.rename("MEMBER"),
            "X-ANNIVERSARY" | "X-EVOLUTION-ANNIVERSARY" => self.rename("ANNIVERSARY"),
            "X-GENDER" => self.rename("GENDER"),
            _ => {}
        }
        match name {
            "PHOTO" | "LOGO" | "SOUND" | "KEY" => self.media_to_4(name),
            "BDAY" | "X-ANNIVERSARY" | "X-EVOLUTION-ANNIVERSARY" | "ANNIVERSARY" => self.date_to_4(),
            _ if self.take_type("pref") => self.add("PREF", "1"),
            _ => {}
        }
    }

    fn become_3(&mut self, name: &str) {
        match name {
            // 3.0 has no kinds; the group is what Apple's programs read.
            "KIND" if self.value.trim().eq_ignore_ascii_case("group") => {
                self.rename("X-ADDRESSBOOKSERVER-KIND")
            }
            "MEMBER" => self.rename("X-ADDRESSBOOKSERVER-MEMBER"),
            "GENDER" => self.rename("X-GENDER"),
            "ANNIVERSARY" => self.rename("X-ANNIVERSARY"),
            _ => {}
        }
        match name {
            "PHOTO" | "LOGO" | "SOUND" | "KEY" => self.media_to_3(),
            "BDAY" | "ANNIVERSARY" => self.date_to_3(),
            "TEL" if self.value.starts_with("tel:") => {
                self.take("VALUE");
                self.value = self.value["tel:".len()..].to_owned();
            }
            _ => {}
        }
        if let Some(preference) = self.take("PREF")
            && preference.trim() == "1"
        {
            self.add("TYPE", "pref");
        }
    }

    /// RFC 6350 §6.2.4: inline media are `data:` URIs.
    fn media_to_4(&mut self, name: &str) {
        let is_inline = self.parameters.iter().any(|(own, values)| {
            own == "ENCODING"
                && values.iter().any(|value| value.eq_ignore_ascii_case("b") || value == "BASE64")
        });
        if !is_inline {
            return;
        }
        self.take("ENCODING");
        self.take("VALUE");
        let kind = self.take("TYPE").map_or_else(String::new, |kind| kind.to_ascii_lowercase());
        let media = match (name, kind.as_str()) {
            (_, kind) if kind.contains('/') => kind.to_owned(),
            ("SOUND", "") => "audio/basic".to_owned(),
            ("SOUND", kind) => format!("audio/{kind}"),
            ("KEY", "") => "application/octet-stream".to_owned(),
            ("KEY", "pgp") => "application/pgp-keys".to_owned(),
            ("KEY", "x509") => "application/pkix-cert".to_owned(),
            ("KEY", kind) => format!("application/{kind}"),
            (_, "") => "image/jpeg".to_owned(),
            (_, "jpg") => "image/jpeg".to_owned(),
            (_, kind) => format!("image/{kind}"),
        };
        let content: String = self.value.split_whitespace().collect();
        self.value = format!("data:{media};base64,{content}");
    }

    fn media_to_3(&mut self) {
        let media = self.take("MEDIATYPE");
        let inline = self.value.strip_prefix("data:").and_then(|rest| rest.split_once(','));
        let Some((head, content)) = inline.filter(|(head, _)| head.ends_with(";base64")) else {
            if !self.parameters.iter().any(|(name, _)| name == "VALUE") {
                self.add("VALUE", "uri");
            }
            return;
        };
        let media = head.split(';').next().filter(|media| !media.is_empty()).map(str::to_owned).or(media);
        let content = content.to_owned();
        let kind = match media.as_deref().unwrap_or("image/jpeg") {
            "application/pgp-keys" => "PGP".to_owned(),
            "application/pkix-cert" => "X509".to_owned(),
            media => media.rsplit('/').next().unwrap_or(media).to_ascii_uppercase(),
        };
        self.take("VALUE");
        self.add("ENCODING", "b");
        self.add("TYPE", &kind);
        self.value = content;
    }

    fn date_to_4(&mut self) {
        let omitted = self.take("X-APPLE-OMIT-YEAR").and_then(|year| year.trim().parse::<i32>().ok());
        self.take("VALUE");
        let has_time = self.value.contains(['T', 't']);
        let Some(date) = PartialDate::parse(&self.value).filter(|_| !has_time) else { return };
        let year = date.year.filter(|year| omitted != Some(*year));
        let year = year.map_or_else(|| "--".to_owned(), |year| format!("{year:04}"));
        let value = format!("{year}{:02}{:02}", date.month, date.day);
        self.changed |= value != self.value;
        self.value = value;
    }

    fn date_to_3(&mut self) {
        let has_time = self.value.contains(['T', 't']);
        let Some(date) = PartialDate::parse(&self.value).filter(|_| !has_time) else { return };
        if date.year.is_none() {
            self.add("X-APPLE-OMIT-YEAR", &APPLE_YEAR.to_string());
        }
        let year = date.year.unwrap_or(APPLE_YEAR);
        let value = format!("{year:04}-{:02}-{:02}", date.month, date.day);
        self.changed |= value != self.value;
        self.value = value;
    }
}

/// Escapes each comma that is not: 2.1 knows no such escape, and some programs wrote it all the same.
fn commas_escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut before = None;
    for c in value.chars() {
        if c == ',' && before != Some('\\') {
            out.push('\\');
        }
        out.push(c);
        before = Some(c);
    }
    out
}
