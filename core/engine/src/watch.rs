//! Live changes: who waits for something to happen in an account hears of each durable commit.

use std::collections::BTreeSet;

use allod_model::{AccountId, NodeId, Seq};
use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast};

/// Commits that a slow watcher may lag behind before it is told to look for itself.
const WATCH_BACKLOG: usize = 1024;

/// One durable commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub seq: Seq,
    /// Folders whose direct members changed.
    pub folders: Vec<NodeId>,
}

/// The sending side; one per account.
#[derive(Clone)]
pub struct WatchSender(broadcast::Sender<Event>);

impl WatchSender {
    pub(crate) fn new() -> Self {
        WatchSender(broadcast::channel(WATCH_BACKLOG).0)
    }

    pub(crate) fn publish(&self, seq: Seq, folders: Vec<NodeId>) {
        // Nobody listening is no error.
        let _ = self.0.send(Event { seq, folders });
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch(self.0.subscribe())
    }
}

/// Accounts in which something derived is out of date; each is named once, however often it is woken.
#[derive(Default)]
pub struct Wakes {
    waiting: Mutex<BTreeSet<AccountId>>,
    notify: Notify,
}

impl Wakes {
    pub(crate) fn wake(&self, account: AccountId) {
        self.waiting.lock().insert(account);
        self.notify.notify_one();
    }

    /// Waits until an account was woken. Cancel-safe.
    pub(crate) async fn next(&self) -> AccountId {
        loop {
            if let Some(account) = self.waiting.lock().pop_first() {
                return account;
            }
            self.notify.notified().await;
        }
    }
}

/// Hears of changes in the order of commits.
pub struct Watch(broadcast::Receiver<Event>);

impl Watch {
    /// The next change. `None` when events were missed (look at the tree again, then go on) or the account is gone.
    /// Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await.ok()
    }
}
