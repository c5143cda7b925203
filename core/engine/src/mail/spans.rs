//! The signatures of many messages turned round, so that a search reads a few rows for thousands of messages.
//!
//! The UIDs of a mailbox are cut into spans. When all UIDs of a span are given out, a worker puts together, for each
//! class of three bytes, which of the span's messages may hold it. That never changes: a UID stands for the same bytes
//! for ever. Messages behind the last whole span are found by their own signatures.

use std::collections::BTreeSet;
use std::sync::Arc;

use allod_meta::{Lookup, View};
use allod_model::{AccountId, NodeId, Result};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::account::AccountHandle;
use crate::core::{Core, blocking};
use crate::fault::Res;
use crate::keys::Keys;
use crate::mail::facts::{SIGNATURE, part};
use crate::mail::rows::{MessageRow, mailbox_row, uid_at};
use crate::mail::signature::{SIGNATURE_BITS, Signature};
use crate::mail::uids::UidSet;
use crate::reading::Records;

/// UIDs of one span; few in tests, so that they have several.
pub const SPAN_UIDS: u32 = if cfg!(test) { 64 } else { 4096 };
/// Bytes of the bits of one class.
const CLASS_BYTES: usize = SPAN_UIDS as usize / 8;
/// Classes in one row.
const ROW_CLASSES: usize = 8;

/// The UIDs of a span.
fn uids_of(span: u32) -> (u32, u32) {
    let first = span * SPAN_UIDS + 1;
    (first, first.saturating_add(SPAN_UIDS - 1))
}

/// Mailboxes with whole spans to be put together; each is named once.
#[derive(Default)]
pub struct SpanWakes {
    waiting: Mutex<BTreeSet<(AccountId, NodeId)>>,
    notify: Notify,
}

impl SpanWakes {
    pub(crate) fn wake(&self, account: AccountId, mailbox: NodeId) {
        self.waiting.lock().insert((account, mailbox));
        self.notify.notify_one();
    }

    /// Waits for a mailbox. Cancel-safe.
    async fn next(&self) -> (AccountId, NodeId) {
        loop {
            if let Some(next) = self.waiting.lock().pop_first() {
                return next;
            }
            self.notify.notified().await;
        }
    }
}

impl Core {
    /// Puts spans together wherever they get whole. Ends never.
    pub(crate) async fn keep_spans(&self) {
        loop {
            let (account, mailbox) = self.0.spans.next().await;
            // An account that was removed meanwhile has no mailboxes.
            let Ok(account) = self.account(account) else { continue };
            if let Err(error) = self.build_spans(&account, mailbox).await {
                tracing::warn!(%error, "searches in a mailbox stay slower until the next try");
            }
        }
    }

    /// Puts together what is missing of a mailbox.
    ///
    /// # Errors
    /// `Corrupt`, `Unavailable`.
    pub(crate) async fn build_spans(&self, account: &Arc<AccountHandle>, mailbox: NodeId) -> Result<()> {
        let last = mailbox_row(&self.view()?, account.keys(), mailbox)?.last_uid;
        for span in 0..last / SPAN_UIDS {
            if is_built(&self.view()?, account.keys(), mailbox, span)? {
                continue;
            }
            let (core, handle) = (self.clone(), account.clone());
            let rows = blocking(move || turned(&core.view()?, &handle, mailbox, span)).await?;
            self.step(account, move |commit| {
                // A mailbox that is being taken apart gets nothing more.
                if commit.txn.get(&commit.keys.folder(mailbox))?.is_none() {
                    return Ok(());
                }
                for (key, sealed) in &rows {
                    commit.txn.put(key, sealed)?;
                }
                Ok(commit.txn.put(&commit.keys.span(mailbox, span), &[])?)
            })
            .await?;
        }
        Ok(())
    }
}

pub fn is_built(rows: &impl Lookup, keys: Keys, mailbox: NodeId, span: u32) -> Res<bool> {
    Ok(rows.get(&keys.span(mailbox, span))?.is_some())
}

/// The rows of a span, sealed.
fn turned(view: &View, account: &AccountHandle, mailbox: NodeId, span: u32) -> Res<Vec<(Vec<u8>, Vec<u8>)>> {
    let keys = account.keys();
    let (first, last) = uids_of(span);
    let mut bits = vec![0u8; SIGNATURE_BITS * CLASS_BYTES];
    let (from, to) = (keys.message(mailbox, first), keys.message(mailbox, last));
    let range = allod_meta::KeyRange::new(std::ops::Bound::Included(&from), std::ops::Bound::Included(&to));
    view.each(&range, keys.messages(mailbox).len(), |key, value| {
        let at = (uid_at(key).unwrap_or(first) - first) as usize;
        let message: MessageRow = crate::record::decode(value)?;
        // Without a signature, a message may hold anything.
        let signature = part(view, account, message.content, SIGNATURE)?;
        let signature = signature.map_or_else(Signature::full, |bytes| Signature::from_bytes(&bytes));
        for class in signature.classes() {
            bits[usize::from(class) * CLASS_BYTES + at / 8] |= 1 << (at % 8);
        }
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    let rows = bits.chunks(ROW_CLASSES * CLASS_BYTES).enumerate().map(|(row, bits)| {
        let key = keys.span_row(mailbox, span, row as u16);
        let sealed = account.key().seal_inline(&key, bits);
        (key, sealed)
    });
    Ok(rows.collect())
}

/// The UIDs of a mailbox whose messages may hold all of the classes; those of spans that are not put together yet are
/// among them.
pub fn candidates(
    view: &View,
    account: &AccountHandle,
    mailbox: NodeId,
    last_uid: u32,
    classes: &[u16],
) -> Res<UidSet> {
    let keys = account.keys();
    let whole = last_uid / SPAN_UIDS;
    let mut found: Vec<(u32, u32)> = Vec::new();
    for span in 0..whole {
        let (first, last) = uids_of(span);
        if !is_built(view, keys, mailbox, span)? {
            found.push((first, last));
            continue;
        }
        let mut both = [0xffu8; CLASS_BYTES];
        for class in classes {
            let class = usize::from(*class);
            let key = keys.span_row(mailbox, span, (class / ROW_CLASSES) as u16);
            let sealed = view.get(&key)?.ok_or_else(|| crate::commit::missing("a row of a span"))?;
            let row = account.key().open_inline(&key, &sealed)?;
            let bits = row.get(class % ROW_CLASSES * CLASS_BYTES..).unwrap_or(&[]);
            both.iter_mut().zip(bits).for_each(|(left, bits)| *left &= bits);
            if both.iter().all(|byte| *byte == 0) {
                break;
            }
        }
        for (at, byte) in both.iter().enumerate().filter(|(_, byte)| **byte != 0) {
            let uids = (0..8u32).filter(|bit| byte & (1 << bit) != 0).map(|bit| first + at as u32 * 8 + bit);
            found.extend(uids.map(|uid| (uid, uid)));
        }
    }
    found.push((whole.saturating_mul(SPAN_UIDS) + 1, u32::MAX));
    Ok(UidSet::from_ranges(found))
}
