//! Sorting messages (RFC 5256, RFC 5957).

use allod_formats::mail::{Address, Facts, collate, display_name, sort_subject};
use allod_model::{NodeId, Result};

use crate::fault::Res;
use crate::mail::facts::structure_of;
use crate::mail::fetch::each_message;
use crate::mail::rows::MessageRow;
use crate::mail::uids::UidSet;
use crate::session::Session;

/// By what messages are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// INTERNALDATE.
    Arrival,
    /// Mailbox of the first Cc.
    Cc,
    /// Date field, INTERNALDATE where there is none.
    Date,
    /// Mailbox of the first From.
    From,
    /// Bytes.
    Size,
    /// Base subject.
    Subject,
    /// Mailbox of the first To.
    To,
    /// What is shown of the first From (RFC 5957).
    DisplayFrom,
    /// What is shown of the first To (RFC 5957).
    DisplayTo,
}

/// One key of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// By what.
    pub by: SortBy,
    /// Greatest first.
    pub reverse: bool,
}

/// What messages are compared by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(i64),
    Text(String),
}

impl Session {
    /// UIDs in the order of `keys`; messages that are equal by all of them are in the order of their UIDs. Those that
    /// are gone are left out.
    ///
    /// # Errors
    /// `NotFound` when the mailbox is gone; `Corrupt`.
    pub async fn sort_messages(&self, mailbox: NodeId, uids: &UidSet, keys: &[SortKey]) -> Result<Vec<u32>> {
        let (me, uids, keys) = (self.clone(), uids.clone(), keys.to_vec());
        crate::core::blocking(move || me.sort_now(mailbox, &uids, &keys)).await
    }

    fn sort_now(&self, mailbox: NodeId, uids: &UidSet, keys: &[SortKey]) -> Res<Vec<u32>> {
        let view = self.view()?;
        self.check_mailbox(&view, mailbox)?;
        let rows_only = keys.iter().all(|key| matches!(key.by, SortBy::Arrival | SortBy::Size));
        let mut messages = Vec::new();
        each_message(&view, self, mailbox, uids, 0, |uid, row| {
            let facts = match rows_only {
                true => None,
                false => Some(structure_of(&view, self.handle(), row.content)?),
            };
            let facts = facts.unwrap_or_default();
            let values: Vec<Value> = keys.iter().map(|key| value(key.by, &row, &facts)).collect();
            messages.push((values, uid));
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        messages.sort_by(|(one, a), (other, b)| {
            let pairs = keys.iter().zip(one.iter().zip(other));
            let orders = pairs.map(|(key, (one, other))| match key.reverse {
                true => other.cmp(one),
                false => one.cmp(other),
            });
            orders.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then).then(a.cmp(b))
        });
        Ok(messages.into_iter().map(|(_, uid)| uid).collect())
    }
}

fn value(by: SortBy, row: &MessageRow, facts: &Facts) -> Value {
    // RFC 5256 §3: the mailbox of the first address, or nothing.
    let mailbox = |addresses: &[Address]| {
        let first = addresses.first().and_then(|address| address.mailbox.as_deref());
        Value::Text(collate(&String::from_utf8_lossy(first.unwrap_or_default())))
    };
    let shown = |addresses: &[Address]| {
        Value::Text(addresses.first().map(display_name).map(|name| collate(&name)).unwrap_or_default())
    };
    match by {
        SortBy::Arrival => Value::Number(row.internal.0),
        SortBy::Date => Value::Number(sent_secs(row, facts)),
        SortBy::Size => Value::Number(row.size as i64),
        SortBy::Subject => Value::Text(sort_subject(facts)),
        SortBy::Cc => mailbox(&facts.envelope.cc),
        SortBy::From => mailbox(&facts.envelope.from),
        SortBy::To => mailbox(&facts.envelope.to),
        SortBy::DisplayFrom => shown(&facts.envelope.from),
        SortBy::DisplayTo => shown(&facts.envelope.to),
    }
}

/// The sent date (RFC 5256 §2.2), in seconds since 1970.
pub fn sent_secs(row: &MessageRow, facts: &Facts) -> i64 {
    facts.sent.map_or(row.internal.secs(), |sent| sent.secs)
}
