//! Sorting messages (RFC 5256, RFC 5957).

use std::sync::Arc;

use allod_meta::View;
use allod_model::{NodeId, Result};

use crate::fault::Res;
use crate::mail::brief::{Brief, EMPTY, Group, TextNumber};
use crate::mail::fetch::each_row;
use crate::mail::rows::{Held, mailbox_row};
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
        let group = self.briefs_for(&view, mailbox, uids)?;
        let with_brief = keys.iter().any(|key| !matches!(key.by, SortBy::Arrival | SortBy::Size));
        // One value for each key of each message, all in one list.
        let (mut messages, mut values) = (Vec::new(), Vec::new());
        each_row(&view, self, mailbox, uids, 0, |uid, row| {
            let brief = match with_brief {
                true => Some(group.of(&view, self.handle(), row.content)?),
                false => None,
            };
            messages.push(uid);
            values.extend(keys.iter().map(|key| value(key.by, row, brief.as_deref())));
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        for (nth, key) in keys.iter().enumerate() {
            let count = values.len();
            let column = || (nth..count).step_by(keys.len());
            if key.by.is_text() {
                let ranks = group.ranks(column().map(|at| values[at] as TextNumber));
                column().for_each(|at| values[at] = ranks[&(values[at] as TextNumber)].into());
            }
            if key.reverse {
                column().for_each(|at| values[at] = u64::MAX - values[at]);
            }
        }
        Ok(in_order(&messages, &values, keys.len()))
    }

    /// The facts kept in memory for a question about these messages.
    pub(crate) fn briefs_for(&self, view: &View, mailbox: NodeId, uids: &UidSet) -> Res<Arc<Group>> {
        let row = mailbox_row(view, self.keys(), mailbox)?;
        Ok(self.handle().briefs().group(uids.len().min(row.exists.into())))
    }
}

/// UIDs in the order of their values, of which each has `width`; then in their own.
fn in_order(uids: &[u32], values: &[u64], width: usize) -> Vec<u32> {
    let of = |at: u32| values.get(at as usize * width..(at as usize + 1) * width).unwrap_or(&[]);
    // Most pairs differ by their first value, which lies at hand.
    let mut order: Vec<(u64, u32)> =
        (0..uids.len() as u32).map(|at| (of(at).first().copied().unwrap_or(0), at)).collect();
    match width {
        0 | 1 => order.sort_unstable(),
        _ => order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| (of(a.1), a.1).cmp(&(of(b.1), b.1)))),
    }
    order.into_iter().map(|(_, at)| uids[at as usize]).collect()
}

impl SortBy {
    fn is_text(self) -> bool {
        !matches!(self, SortBy::Arrival | SortBy::Date | SortBy::Size)
    }
}

/// What a message is compared by: a number in the order of the key, or the number of a text.
fn value(by: SortBy, row: &Held, brief: Option<&Brief>) -> u64 {
    let text = |number: fn(&Brief) -> TextNumber| brief.map_or(EMPTY, number).into();
    match by {
        SortBy::Arrival => ascending(row.internal.0),
        SortBy::Date => ascending(brief.map_or(row.internal.secs(), |brief| sent_secs(row, brief))),
        SortBy::Size => row.size,
        SortBy::Subject => text(|brief| brief.subject),
        SortBy::Cc => text(|brief| brief.cc),
        SortBy::From => text(|brief| brief.from),
        SortBy::To => text(|brief| brief.to),
        SortBy::DisplayFrom => text(|brief| brief.shown_from),
        SortBy::DisplayTo => text(|brief| brief.shown_to),
    }
}

/// A number without a sign, in the same order.
fn ascending(number: i64) -> u64 {
    number as u64 ^ (1 << 63)
}

/// The sent date (RFC 5256 §2.2), in seconds since 1970.
pub fn sent_secs(row: &Held, brief: &Brief) -> i64 {
    brief.sent.map_or(row.internal.secs(), |sent| sent.secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_decide_one_after_the_other() {
        let uids = [3, 5, 8, 9];
        assert_eq!(in_order(&uids, &[2, 1, 2, 1], 1), [5, 9, 3, 8]);
        assert_eq!(in_order(&uids, &[2, 7, 2, 6, 1, 9, 2, 6], 2), [8, 5, 9, 3]);
        assert_eq!(in_order(&uids, &[], 0), uids);
        assert!(ascending(-5) < ascending(0) && ascending(0) < ascending(i64::MAX));
    }
}
