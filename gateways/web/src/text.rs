//! Every word that people read, by key, in each language.
//!
//! A language is one file of lines `key = text`; `{x}` stands for what is filled in. Tests hold the files to the same
//! keys and the same places to fill, and to the keys that pages ask for.

use std::collections::HashMap;
use std::sync::OnceLock;

const EN: &str = include_str!("../text/en.txt");
const DE: &str = include_str!("../text/de.txt");

/// The languages, in the order in which they are offered: code, own name, texts.
const LANGUAGES: [(&str, &str, &str); 2] = [("en", "English", EN), ("de", "Deutsch", DE)];

/// The texts of one language.
#[derive(Debug)]
pub(crate) struct Text {
    /// Its code: `en`, `de`.
    pub lang: &'static str,
    /// Its name in itself.
    pub name: &'static str,
    table: HashMap<&'static str, &'static str>,
}

impl Text {
    /// All languages.
    pub fn all() -> &'static [Text] {
        static ALL: OnceLock<Vec<Text>> = OnceLock::new();
        ALL.get_or_init(|| {
            let read = |(lang, name, file)| Text { lang, name, table: table(file) };
            LANGUAGES.into_iter().map(read).collect()
        })
    }

    /// The language of this code.
    pub fn of(lang: &str) -> Option<&'static Text> {
        Text::all().iter().find(|text| text.lang == lang)
    }

    /// The language that a browser asks for (RFC 9110 §12.5.4); English when it asks for none of ours.
    pub fn accepted(header: &str) -> &'static Text {
        let mut best: Option<(f32, &'static Text)> = None;
        for range in header.split(',').take(32) {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let weight =
                parts.find_map(|part| part.trim().strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            let primary = tag.split('-').next().unwrap_or_default();
            if let Some(text) = Text::of(primary)
                && weight > 0.0
                && best.is_none_or(|(known, _)| weight > known)
            {
                best = Some((weight, text));
            }
        }
        best.map_or(&Text::all()[0], |(_, text)| text)
    }

    /// The text of a key; the key itself when there is none, which a test rules out.
    pub fn s(&self, key: &str) -> &'static str {
        // A key that is asked for by name is one of the table's own.
        self.table.get(key).copied().unwrap_or("?")
    }

    /// Whether there is such a key.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The text of a key with its one place filled.
    pub fn fill(&self, key: &str, x: &str) -> String {
        self.s(key).replace("{x}", x)
    }

    /// The text of a key with two places filled.
    pub fn fill2(&self, key: &str, x: &str, y: &str) -> String {
        // Filled from the left, so that what is filled in is never searched.
        let (mut text, mut rest) = (String::new(), self.s(key));
        while let Some(at) = rest.find('{') {
            text.push_str(&rest[..at]);
            let (with, len) = match rest.get(at..at + 3) {
                Some("{x}") => (x, 3),
                Some("{y}") => (y, 3),
                _ => ("{", 1),
            };
            text.push_str(with);
            rest = &rest[at + len..];
        }
        text + rest
    }

    /// A text for a number of things: the key ends in `.one` or `.many`.
    pub fn count(&self, key: &str, n: u64) -> String {
        let form = if n == 1 { "one" } else { "many" };
        self.fill(&format!("{key}.{form}"), &n.to_string())
    }
}

fn table(file: &'static str) -> HashMap<&'static str, &'static str> {
    file.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, text)| (key.trim(), text.trim()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn places(text: &str) -> BTreeSet<&str> {
        ["{x}", "{y}"].into_iter().filter(|place| text.contains(place)).collect()
    }

    #[test]
    fn languages_have_the_same_keys_and_places() {
        let [en, de] = [&Text::all()[0], &Text::all()[1]];
        let keys = |text: &Text| text.table.keys().copied().collect::<BTreeSet<_>>();
        assert_eq!(keys(en), keys(de));
        for (key, text) in &en.table {
            assert_eq!(places(text), places(de.s(key)), "{key}");
            assert!(!text.is_empty() && !de.s(key).is_empty(), "{key}");
        }
        for (_, _, file) in LANGUAGES {
            let lines = file.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty());
            assert_eq!(lines.count(), en.table.len(), "a key stands once");
        }
    }

    /// Keys in quotes behind one of the functions that look them up.
    fn asked(text: &str, found: &mut BTreeSet<String>) {
        for call in
            [".s(\"", ".fill(\"", ".fill2(\"", ".count(\"", "Refusal::form(\"", "key: \"", "notice(\""]
        {
            for (at, _) in text.match_indices(call) {
                let rest = &text[at + call.len()..];
                let key = rest.split('"').next().unwrap_or_default();
                if call == ".count(\"" {
                    found.insert(format!("{key}.one"));
                    found.insert(format!("{key}.many"));
                } else {
                    found.insert(key.to_owned());
                }
            }
        }
    }

    #[test]
    fn pages_ask_for_keys_that_are_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = BTreeSet::new();
        let mut folders = vec![root.join("src"), root.join("templates")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("text.rs") {
                    asked(&std::fs::read_to_string(&path).unwrap(), &mut found);
                }
            }
        }
        assert!(found.len() > 20);
        for key in found {
            assert!(Text::all()[0].has(&key), "no text for {key}");
        }
    }

    #[test]
    fn the_language_that_is_wanted_most() {
        let table = [
            ("", "en"),
            ("de", "de"),
            ("de-AT,en;q=0.9", "de"),
            ("fr,en;q=0.5,de;q=0.7", "de"),
            ("x;q=y", "en"),
        ];
        for (header, lang) in table {
            assert_eq!(Text::accepted(header).lang, lang, "{header}");
        }
    }

    #[test]
    fn what_is_filled_in_is_not_filled_again() {
        let text = Text { lang: "en", name: "", table: table("a = {x} and {y}") };
        assert_eq!(text.fill2("a", "{y}", "2"), "{y} and 2");
    }
}
