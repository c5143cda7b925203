//! Sorting messages (RFC 5256, RFC 5957).

use allod_model::{NodeId, Result};

use crate::fault::Res;
use crate::mail::brief::Brief;
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
        let mut messages = Vec::new();
        each_message(&view, self, mailbox, uids, 0, |uid, row| {
            let values: Option<Vec<Value>> = keys.iter().map(|key| row_value(key.by, &row)).collect();
            let values = match values {
                Some(values) => values,
                None => {
                    let brief = self.handle().briefs().of(&view, self.handle(), row.content)?;
                    keys.iter().map(|key| value(key.by, &row, &brief)).collect()
                }
            };
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

fn value(by: SortBy, row: &MessageRow, brief: &Brief) -> Value {
    match by {
        SortBy::Arrival => Value::Number(row.internal.0),
        SortBy::Date => Value::Number(sent_secs(row, brief)),
        SortBy::Size => Value::Number(row.size as i64),
        SortBy::Subject => Value::Text(brief.subject.clone()),
        SortBy::Cc => Value::Text(brief.cc.clone()),
        SortBy::From => Value::Text(brief.from.clone()),
        SortBy::To => Value::Text(brief.to.clone()),
        SortBy::DisplayFrom => Value::Text(brief.shown_from.clone()),
        SortBy::DisplayTo => Value::Text(brief.shown_to.clone()),
    }
}

/// What needs only the message's row.
fn row_value(by: SortBy, row: &MessageRow) -> Option<Value> {
    match by {
        SortBy::Arrival => Some(Value::Number(row.internal.0)),
        SortBy::Size => Some(Value::Number(row.size as i64)),
        _ => None,
    }
}

/// The sent date (RFC 5256 §2.2), in seconds since 1970.
pub fn sent_secs(row: &MessageRow, brief: &Brief) -> i64 {
    brief.sent.map_or(row.internal.secs(), |sent| sent.secs)
}
