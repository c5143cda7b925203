//! The few facts that sorting, threading and searching headers ask of every message of a mailbox, kept in memory.
//!
//! A content never changes and its number is never given again, so what is kept is right for as long as it is kept. Texts
//! are kept once and stand as numbers: equal ones are compared as such, and an order is made of the different ones only.

use std::collections::HashMap;
use std::sync::Arc;

use allod_formats::mail::{Address, Facts, Sent, collate, display_name, fold, header, sort_subject};
use allod_meta::View;
use allod_model::ContentId;
use parking_lot::RwLock;

use crate::account::AccountHandle;
use crate::fault::Res;
use crate::mail::facts::{common, plain_address, structure_of};

/// Messages of one account of which facts are kept; some 600 bytes each.
const KEPT_MAX: usize = 100_000;
/// Fields that are searched most: those of addresses first.
pub const SEARCHED: [&str; 5] = ["from", "to", "cc", "subject", "message-id"];
/// Stands between the values of one field.
const BETWEEN: &str = "\0";

/// The number of a text.
pub type TextNumber = u32;
/// The number of the text without a letter.
pub const EMPTY: TextNumber = 0;

/// What is kept of a message.
pub struct Brief {
    pub sent: Option<Sent>,
    /// As SORT compares it.
    pub subject: TextNumber,
    pub is_reply: bool,
    pub id: Option<TextNumber>,
    pub references: Box<[TextNumber]>,
    /// Mailbox of the first address, as SORT compares it.
    pub from: TextNumber,
    pub to: TextNumber,
    pub cc: TextNumber,
    /// What is shown of the first address (RFC 5957).
    pub shown_from: TextNumber,
    pub shown_to: TextNumber,
    /// The values of [`SEARCHED`] fields, folded, addresses also as `mailbox@host`; none of a header that is very long.
    values: Option<[Box<str>; SEARCHED.len()]>,
}

impl Brief {
    fn of(facts: &Facts, header: Option<&[u8]>, texts: &mut Texts) -> Brief {
        let envelope = &facts.envelope;
        let shown = |addresses: &[Address]| {
            addresses.first().map(|address| collate(&display_name(address))).unwrap_or_default()
        };
        Brief {
            sent: facts.sent,
            subject: texts.number(&sort_subject(facts)),
            is_reply: facts.is_reply,
            id: facts.message_id.as_ref().map(|id| texts.number(id)),
            references: facts.references.iter().map(|id| texts.number(id)).collect(),
            from: texts.number(&mailbox(&envelope.from)),
            to: texts.number(&mailbox(&envelope.to)),
            cc: texts.number(&mailbox(&envelope.cc)),
            shown_from: texts.number(&shown(&envelope.from)),
            shown_to: texts.number(&shown(&envelope.to)),
            values: header.map(|header| searched(header, facts)),
        }
    }

    /// Whether a value of the field [`SEARCHED`] has at `n` holds a folded text; `None` when they are not kept.
    pub fn holds(&self, n: usize, needle: &str) -> Option<bool> {
        let values = self.values.as_ref()?;
        // What a field has none of holds nothing, not even an empty text; that is looked for in the header.
        Some(values[n].contains(needle)).filter(|_| !needle.is_empty())
    }
}

/// The values of [`SEARCHED`] fields.
fn searched(header: &[u8], facts: &Facts) -> [Box<str>; SEARCHED.len()] {
    let envelope = &facts.envelope;
    let lists = [&envelope.from, &envelope.to, &envelope.cc];
    std::array::from_fn(|n| {
        let written = header::values(header, SEARCHED[n]);
        let plain = lists.get(n).into_iter().flat_map(|list| list.iter().map(plain_address));
        let values: Vec<String> = written.iter().map(|value| fold(value)).chain(plain).collect();
        values.join(BETWEEN).into()
    })
}

/// RFC 5256 §3: the mailbox of the first address, or nothing.
fn mailbox(addresses: &[Address]) -> String {
    let first = addresses.first().and_then(|address| address.mailbox.as_deref());
    collate(&String::from_utf8_lossy(first.unwrap_or_default()))
}

/// Texts, each once.
struct Texts {
    numbers: HashMap<Arc<str>, TextNumber>,
    texts: Vec<Arc<str>>,
}

impl Default for Texts {
    fn default() -> Texts {
        let mut texts = Texts { numbers: HashMap::new(), texts: Vec::new() };
        texts.number("");
        texts
    }
}

impl Texts {
    fn number(&mut self, text: &str) -> TextNumber {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let (text, number): (Arc<str>, _) = (text.into(), self.texts.len() as TextNumber);
        self.texts.push(text.clone());
        self.numbers.insert(text, number);
        number
    }
}

/// Facts of messages. Numbers of texts mean something only among those of one group.
#[derive(Default)]
pub struct Group {
    /// For one question about more messages than are kept: each is met once.
    passing: bool,
    briefs: RwLock<HashMap<ContentId, Arc<Brief>>>,
    texts: RwLock<Texts>,
}

impl Group {
    /// Whether it is for more messages than are kept: then it holds no values of fields.
    pub fn is_passing(&self) -> bool {
        self.passing
    }

    /// The facts of a content, when they are kept.
    pub fn known(&self, content: ContentId) -> Option<Arc<Brief>> {
        self.briefs.read().get(&content).cloned()
    }

    /// The facts of a content.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn of(&self, view: &View, account: &AccountHandle, content: ContentId) -> Res<Arc<Brief>> {
        if let Some(known) = self.known(content) {
            return Ok(known);
        }
        let facts = structure_of(view, account, content)?;
        if self.passing {
            return Ok(Arc::new(Brief::of(&facts, None, &mut self.texts.write())));
        }
        let header = common(view, account, content)?;
        let brief = Arc::new(Brief::of(&facts, header.as_deref(), &mut self.texts.write()));
        self.briefs.write().insert(content, brief.clone());
        Ok(brief)
    }

    /// The places of texts in their order, by number: equal for equal texts.
    pub fn ranks(&self, numbers: impl Iterator<Item = TextNumber>) -> HashMap<TextNumber, u32> {
        let texts = self.texts.read();
        let mut different: Vec<TextNumber> = numbers.collect();
        different.sort_unstable();
        different.dedup();
        let text = |number: &TextNumber| texts.texts.get(*number as usize);
        different.sort_unstable_by(|a, b| text(a).cmp(&text(b)));
        different.into_iter().zip(0..).collect()
    }
}

/// Facts of an account's messages.
#[derive(Default)]
pub struct Briefs(RwLock<Arc<Group>>);

impl Briefs {
    /// The group for a question about `messages` messages. What would not fit is for that question alone.
    pub fn group(&self, messages: u64) -> Arc<Group> {
        if messages > KEPT_MAX as u64 {
            return Arc::new(Group { passing: true, ..Group::default() });
        }
        let kept = self.0.read().clone();
        if kept.briefs.read().len() + messages as usize <= 2 * KEPT_MAX {
            return kept;
        }
        let new = Arc::<Group>::default();
        *self.0.write() = new.clone();
        new
    }
}
