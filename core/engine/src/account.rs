//! An opened account: its keys, its record, its watchers.

use std::sync::{Arc, OnceLock};

use allod_blobs::AccountKey;
use allod_model::{AccountId, ContentId};
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use crate::fault::{Res, fail};
use crate::keys::Keys;
use crate::mail::brief::Briefs;
use crate::mail::select::UidCache;
use crate::mail::spans::SpanWakes;
use crate::record::{Account, Body, Content};
use crate::watch::{Wakes, WatchSender};
use allod_model::ErrorKind;

/// Longest account name, in bytes.
pub const ACCOUNT_NAME_BYTES_MAX: usize = 64;

/// An account in use. Lives in [`crate::Core`]'s table as long as the process.
pub struct AccountHandle {
    id: AccountId,
    key: AccountKey,
    record: RwLock<Arc<Account>>,
    watch: WatchSender,
    /// Cancelled when the account is removed.
    closed: CancellationToken,
    /// Who is to hear that something derived is out of date.
    wakes: OnceLock<(Arc<Wakes>, Arc<SpanWakes>)>,
    uids: UidCache,
    briefs: Briefs,
}

impl AccountHandle {
    pub fn new(record: Account, key: AccountKey) -> Self {
        AccountHandle {
            id: record.id,
            key,
            record: RwLock::new(Arc::new(record)),
            watch: WatchSender::new(),
            closed: CancellationToken::new(),
            wakes: OnceLock::new(),
            uids: UidCache::default(),
            briefs: Briefs::default(),
        }
    }

    pub fn id(&self) -> AccountId {
        self.id
    }

    /// The shard whose only writer this account's commits are.
    pub fn shard(&self) -> u64 {
        self.id.0
    }

    pub fn keys(&self) -> Keys {
        Keys::new(self.id)
    }

    pub fn key(&self) -> &AccountKey {
        &self.key
    }

    pub fn record(&self) -> Arc<Account> {
        self.record.read().clone()
    }

    pub fn set_record(&self, record: Account) {
        *self.record.write() = Arc::new(record);
    }

    pub fn watch_sender(&self) -> WatchSender {
        self.watch.clone()
    }

    pub fn set_wakes(&self, wakes: Arc<Wakes>, spans: Arc<SpanWakes>) {
        // The first one stays: there is one for the process.
        let _ = self.wakes.set((wakes, spans));
    }

    pub fn wakes(&self) -> Option<Arc<Wakes>> {
        self.wakes.get().map(|(wakes, _)| wakes.clone())
    }

    /// Who is to hear that a span of a mailbox is whole.
    pub fn span_wakes(&self) -> Option<Arc<SpanWakes>> {
        self.wakes.get().map(|(_, spans)| spans.clone())
    }

    /// Facts of messages in memory.
    pub fn briefs(&self) -> &Briefs {
        &self.briefs
    }

    /// UIDs of mailboxes in use.
    pub fn uids(&self) -> &UidCache {
        &self.uids
    }

    pub fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// Small bytes as a content that lies in its own row, sealed under the account's key.
    pub fn inline_content(&self, id: ContentId, plain: &[u8]) -> Content {
        Content {
            size: plain.len() as u64,
            digest: self.key.digest(plain).0,
            body: Body::Inline(self.key.seal_inline(&context(id), plain)),
        }
    }

    /// The bytes of an inline content; `Corrupt` when they do not verify.
    pub fn open_inline(&self, id: ContentId, content: &Content) -> Res<Vec<u8>> {
        match &content.body {
            Body::Inline(sealed) => Ok(self.key.open_inline(&context(id), sealed)?),
            _ => fail(ErrorKind::Corrupt, "a small content is not stored in its row"),
        }
    }
}

/// Binds sealed bytes to their row, so that one can't be put in another's place.
fn context(id: ContentId) -> [u8; 9] {
    let mut context = [b'c'; 9];
    context[1..].copy_from_slice(&id.0.to_be_bytes());
    context
}

/// Why a name can't be an account's, or `None` when it can: lower-case letters, digits, `.`, `_`, `-`, beginning with
/// a letter or digit.
pub fn account_name_problem(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.is_empty() || name.len() > ACCOUNT_NAME_BYTES_MAX {
        return Some("an account name has 1 to 64 characters");
    }
    if !name.chars().all(|c| plain(c) || matches!(c, '.' | '_' | '-')) {
        return Some("an account name has only lower-case letters, digits, '.', '_' and '-'");
    }
    (!name.starts_with(plain)).then_some("an account name begins with a letter or digit")
}
