//! The few facts that sorting, threading and searching headers ask of every message of a mailbox, kept in memory.
//!
//! A content never changes and its number is never given again, so what is kept is right for as long as it is kept.

use std::collections::HashMap;
use std::sync::Arc;

use allod_formats::mail::{Address, Facts, Sent, collate, display_name, fold, header, sort_subject};
use allod_meta::View;
use allod_model::ContentId;
use parking_lot::RwLock;

use crate::account::AccountHandle;
use crate::fault::Res;
use crate::mail::facts::{HEADER, part, plain_address, structure_of};

/// Messages of one account of which facts are kept; some 600 bytes each.
const KEPT_MAX: usize = 50_000;
/// Fields that are searched most: those of addresses first.
pub const SEARCHED: [&str; 4] = ["from", "to", "cc", "subject"];

/// What is kept of a message.
pub struct Brief {
    pub sent: Option<Sent>,
    /// As SORT compares it.
    pub subject: String,
    pub is_reply: bool,
    pub id: Option<String>,
    pub references: Vec<String>,
    /// Mailbox of the first address, as SORT compares it.
    pub from: String,
    pub to: String,
    pub cc: String,
    /// What is shown of the first address (RFC 5957).
    pub shown_from: String,
    pub shown_to: String,
    /// The values of [`SEARCHED`] fields, folded, addresses also as `mailbox@host`; none of a header that is very long.
    pub values: Option<[Vec<String>; SEARCHED.len()]>,
}

impl Brief {
    fn of(facts: Facts, header: Option<&[u8]>) -> Brief {
        let envelope = &facts.envelope;
        let shown = |addresses: &[Address]| {
            addresses.first().map(|address| collate(&display_name(address))).unwrap_or_default()
        };
        let lists = [&envelope.from, &envelope.to, &envelope.cc];
        let values = header.map(|header| {
            std::array::from_fn(|n| {
                let written = header::values(header, SEARCHED[n]);
                let plain = lists.get(n).into_iter().flat_map(|list| list.iter().map(plain_address));
                written.iter().map(|value| fold(value)).chain(plain).collect()
            })
        });
        Brief {
            sent: facts.sent,
            subject: sort_subject(&facts),
            is_reply: facts.is_reply,
            from: mailbox(&envelope.from),
            to: mailbox(&envelope.to),
            cc: mailbox(&envelope.cc),
            shown_from: shown(&envelope.from),
            shown_to: shown(&envelope.to),
            values,
            id: facts.message_id,
            references: facts.references,
        }
    }
}

/// RFC 5256 §3: the mailbox of the first address, or nothing.
fn mailbox(addresses: &[Address]) -> String {
    let first = addresses.first().and_then(|address| address.mailbox.as_deref());
    collate(&String::from_utf8_lossy(first.unwrap_or_default()))
}

/// Facts of an account's messages.
#[derive(Default)]
pub struct Briefs(RwLock<HashMap<ContentId, Arc<Brief>>>);

impl Briefs {
    /// The facts of a content, when they are kept.
    pub fn known(&self, content: ContentId) -> Option<Arc<Brief>> {
        self.0.read().get(&content).cloned()
    }

    /// The facts of a content.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn of(&self, view: &View, account: &AccountHandle, content: ContentId) -> Res<Arc<Brief>> {
        if let Some(known) = self.0.read().get(&content) {
            return Ok(known.clone());
        }
        let facts = structure_of(view, account, content)?;
        let header = part(view, account, content, HEADER)?;
        let brief = Arc::new(Brief::of(facts, header.as_deref()));
        let mut known = self.0.write();
        if known.len() >= KEPT_MAX {
            // Whoever goes through more than fits gains nothing from keeping the last ones.
            known.clear();
        }
        known.insert(content, brief.clone());
        Ok(brief)
    }
}
