//! Chunks that uploads rely on and that the collector must leave alone, and the reverse.
//!
//! **Invariant:** a chunk is never both pinned and dying. An upload pins a name before it looks whether the chunk is
//! stored; the collector marks a name as dying before it removes the row, and keeps the mark until the bytes are gone.
//! So an upload either sees the chunk and it stays, or waits and stores it anew. In memory: one process owns the store.

use std::collections::{BTreeMap, HashMap, HashSet};

use allod_blobs::ChunkName;
use allod_model::{AccountId, ContentId, NodeId};
use parking_lot::Mutex;
use tokio::sync::Notify;

type Key = (AccountId, ChunkName);

#[derive(Default)]
struct Tables {
    pinned: HashMap<Key, u32>,
    dying: HashSet<Key>,
    reading: HashMap<(AccountId, ContentId), u32>,
    /// Readers by the moment at which they began.
    readers: BTreeMap<u64, u32>,
    moment: u64,
    uploading: HashSet<(AccountId, ContentId)>,
    staging: HashSet<(AccountId, NodeId)>,
}

/// The tables of pinned and dying chunks.
#[derive(Default)]
pub struct Pins {
    tables: Mutex<Tables>,
    freed: Notify,
}

impl Pins {
    /// Pins a chunk, once it is not dying. Undo with [`Pins::unpin`].
    pub async fn pin(&self, account: AccountId, name: ChunkName) {
        loop {
            let freed = self.freed.notified();
            {
                let mut tables = self.tables.lock();
                if !tables.dying.contains(&(account, name)) {
                    *tables.pinned.entry((account, name)).or_insert(0) += 1;
                    return;
                }
            }
            freed.await;
        }
    }

    pub fn unpin(&self, account: AccountId, names: &[ChunkName]) {
        let mut tables = self.tables.lock();
        for name in names {
            decrement(&mut tables.pinned, (account, *name));
        }
    }

    pub fn is_pinned(&self, account: AccountId, name: &ChunkName) -> bool {
        self.tables.lock().pinned.contains_key(&(account, *name))
    }

    /// Marks all of `names` as dying, or none when one of them is pinned.
    pub fn mark_dying(&self, account: AccountId, names: &[ChunkName]) -> bool {
        let mut tables = self.tables.lock();
        if names.iter().any(|name| tables.pinned.contains_key(&(account, *name))) {
            return false;
        }
        tables.dying.extend(names.iter().map(|name| (account, *name)));
        true
    }

    pub fn unmark_dying(&self, account: AccountId, names: &[ChunkName]) {
        let mut tables = self.tables.lock();
        for name in names {
            tables.dying.remove(&(account, *name));
        }
        drop(tables);
        self.freed.notify_waiters();
    }

    /// A content is being read; the collector leaves it. Returns the moment, for [`Pins::end_reading`].
    pub fn begin_reading(&self, account: AccountId, content: ContentId) -> u64 {
        let mut tables = self.tables.lock();
        *tables.reading.entry((account, content)).or_insert(0) += 1;
        let moment = tables.moment;
        *tables.readers.entry(moment).or_insert(0) += 1;
        moment
    }

    pub fn end_reading(&self, account: AccountId, content: ContentId, moment: u64) {
        let mut tables = self.tables.lock();
        decrement(&mut tables.reading, (account, content));
        if let std::collections::btree_map::Entry::Occupied(mut count) = tables.readers.entry(moment) {
            match *count.get() {
                0 | 1 => drop(count.remove()),
                more => *count.get_mut() = more - 1,
            }
        }
    }

    /// Begins a new moment and returns the one that ends: when [`Pins::is_past`] says so, nobody who began to read
    /// up to now still does.
    pub fn next_moment(&self) -> u64 {
        let mut tables = self.tables.lock();
        tables.moment += 1;
        tables.moment - 1
    }

    pub fn is_past(&self, moment: u64) -> bool {
        self.tables.lock().readers.keys().next().is_none_or(|oldest| *oldest > moment)
    }

    pub fn is_read(&self, account: AccountId, content: ContentId) -> bool {
        self.tables.lock().reading.contains_key(&(account, content))
    }

    /// An upload registers the chunk list of this content; the collector leaves it.
    pub fn begin_upload(&self, account: AccountId, content: ContentId) {
        self.tables.lock().uploading.insert((account, content));
    }

    pub fn end_upload(&self, account: AccountId, content: ContentId) {
        self.tables.lock().uploading.remove(&(account, content));
    }

    pub fn is_uploading(&self, account: AccountId, content: ContentId) -> bool {
        self.tables.lock().uploading.contains(&(account, content))
    }

    /// A copy is put together in this folder, which no path leads to yet; the collector leaves it.
    pub fn begin_staging(&self, account: AccountId, folder: NodeId) {
        self.tables.lock().staging.insert((account, folder));
    }

    pub fn end_staging(&self, account: AccountId, folder: NodeId) {
        self.tables.lock().staging.remove(&(account, folder));
    }

    pub fn is_staging(&self, account: AccountId, folder: NodeId) -> bool {
        self.tables.lock().staging.contains(&(account, folder))
    }
}

fn decrement<K: std::hash::Hash + Eq>(table: &mut HashMap<K, u32>, key: K) {
    if let std::collections::hash_map::Entry::Occupied(mut count) = table.entry(key) {
        match *count.get() {
            0 | 1 => drop(count.remove()),
            more => *count.get_mut() = more - 1,
        }
    }
}
