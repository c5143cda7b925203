//! What every page shares: title, navigation, language, the form token.

use crate::assets;
use crate::icons;
use crate::text::Text;
use crate::visit::Visit;

/// What the layout shows around a page.
pub(crate) struct Frame {
    text: &'static Text,
    /// The page's title.
    pub title: String,
    /// Which entry of the navigation is lit.
    pub place: &'static str,
    /// The account's name; `None` when nobody is signed in.
    pub account: Option<String>,
    /// What forms bring along.
    pub token: String,
    /// Told once at the top: a key of the texts that came with the address, or text.
    pub notice: Option<String>,
    /// The same, for what went wrong.
    pub alarm: Option<String>,
}

impl Frame {
    /// A frame for this visit; `place` is the entry of the navigation that is lit.
    pub fn new(visit: &Visit, place: &'static str, title: impl Into<String>) -> Frame {
        let text = visit.text;
        // A notice in the address is a key of ours, never text: nobody can put words into the page by a link.
        let told = |name| {
            let key = format!("notice.{}", visit.param(name)?);
            text.has(&key).then(|| text.s(&key).to_owned())
        };
        Frame {
            text,
            title: title.into(),
            place,
            account: visit.person.as_ref().map(|person| person.session.account()),
            token: visit.person.as_ref().map(|person| person.form_token.clone()).unwrap_or_default(),
            notice: told("done"),
            alarm: told("failed"),
        }
    }

    /// The same with something that went wrong.
    pub fn alarmed(mut self, key: &'static str) -> Frame {
        self.alarm = Some(self.text.s(key).to_owned());
        self
    }

    /// A text.
    pub fn s(&self, key: &str) -> &'static str {
        self.text.s(key)
    }

    /// The text of a key with a value behind it: `new` and `files` is `new.files`.
    pub fn s_of(&self, key: &str, value: &str) -> &'static str {
        self.text.s(&format!("{key}.{value}"))
    }

    /// A text with one place filled.
    pub fn fill(&self, key: &str, x: &str) -> String {
        self.text.fill(key, x)
    }

    /// A text for a number of things.
    pub fn count(&self, key: &str, n: &u64) -> String {
        self.text.count(key, *n)
    }

    /// The language's code.
    pub fn lang(&self) -> &'static str {
        self.text.lang
    }

    /// The address of a file of the page's own.
    pub fn asset(&self, name: &str) -> String {
        assets::url(name)
    }

    /// An icon, as HTML.
    pub fn icon(&self, name: &str) -> String {
        icons::icon(name)
    }

    /// The entries of the navigation: place, address, key, whether it is lit.
    pub fn nav(&self) -> Vec<(&'static str, String, &'static str, bool)> {
        PLACES
            .iter()
            .map(|place| {
                (*place, format!("/ui/{place}"), self.text.s(&format!("nav.{place}")), *place == self.place)
            })
            .collect()
    }
}

/// The places of the page, in the order of the navigation.
pub(crate) const PLACES: [&str; 9] =
    ["files", "mail", "calendar", "contacts", "apps", "connect", "activity", "space", "settings"];
