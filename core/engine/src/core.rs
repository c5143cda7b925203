//! The opened store: what every session, worker and operator command shares.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use allod_blobs::{BlobConfig, Blobs, MasterKey};
use allod_meta::{Durable, Lookup, Store, Txn, View};
use allod_model::{AccountId, Error, ErrorKind, Result};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::account::AccountHandle;
use crate::audit::AuditQueue;
use crate::credential::Credentials;
use crate::env::Env;
use crate::fault::{Fault, Res};
use crate::keys::global;
use crate::pins::Pins;
use crate::reading::Records;
use crate::record::Account;
use crate::rules::Registry;
use crate::secret::SecretHasher;
use crate::throttle::Throttle;
use crate::watch::Wakes;

/// Memory for messages being taken in at one time, in KiB: four of the largest.
const MAIL_ROOM_KIB: usize = 4 * (crate::mail::MESSAGE_BYTES_MAX as usize >> 10);

/// What is asked of an opened store.
pub struct Options {
    /// Where content lies.
    pub blobs: BlobConfig,
    /// How long what was overwritten or deleted can be had back, in seconds. Default 30 days.
    pub retention_secs: u64,
    /// How long deletions are remembered for sync tokens, in seconds. Default 90 days; at least the retention.
    pub tombstone_secs: u64,
    /// A day as rules of what is removed by itself count it, in seconds. Default 86,400; shorter only for tests.
    pub lifecycle_day_secs: u64,
    /// The local folder whose free space bounds what can be written; `None` when the disk is not ours to watch.
    pub disk: Option<PathBuf>,
    /// Free bytes to leave on that disk. Default 64 MiB.
    pub disk_reserve_bytes: u64,
    /// Clock and random numbers.
    pub env: Env,
}

impl Options {
    /// Defaults for content in `blobs`.
    pub fn new(blobs: BlobConfig) -> Self {
        Options {
            blobs,
            retention_secs: 30 * 86_400,
            tombstone_secs: 90 * 86_400,
            lifecycle_day_secs: 86_400,
            disk: None,
            disk_reserve_bytes: 64 << 20,
            env: Env::system(),
        }
    }
}

/// The opened store. Cheap to clone.
#[derive(Clone)]
pub struct Core(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub store: Store,
    pub blobs: Blobs,
    pub master: MasterKey,
    pub hasher: SecretHasher,
    pub env: Env,
    pub rules: Registry,
    pub credentials: Credentials,
    pub throttle: Throttle,
    pub people: crate::person::People,
    pub audit: AuditQueue,
    pub pins: Pins,
    pub retention_secs: u64,
    pub tombstone_secs: u64,
    pub lifecycle_day_secs: u64,
    pub disk: Option<PathBuf>,
    pub disk_reserve_bytes: u64,
    pub stopping: CancellationToken,
    pub wake: Notify,
    pub wakes: Arc<Wakes>,
    pub deliveries: crate::schedule::Deliveries,
    /// Packs whose records were moved, and the last moment at which somebody may look for them there.
    pub retired_packs: Mutex<BTreeMap<u64, u64>>,
    /// A mail waits to be sent.
    pub posted: Notify,
    /// Mails being sent, and messages being mailed.
    pub claims: crate::post::Claims,
    pub spans: Arc<crate::mail::spans::SpanWakes>,
    /// Memory for messages being taken in, in KiB.
    mail_room: Arc<tokio::sync::Semaphore>,
    accounts: RwLock<HashMap<AccountId, Arc<AccountHandle>>>,
}

impl Core {
    /// Opens the store over a metadata store and a master key.
    ///
    /// # Errors
    /// `Unavailable` when content can't be reached.
    pub async fn open(store: Store, master: MasterKey, options: Options) -> Result<Core> {
        let blobs = Blobs::open(&options.blobs).await.map_err(Fault::from)?;
        let hasher = SecretHasher::new(master.derive("allod 2026 lookup of credentials by secret"));
        Ok(Core(Arc::new(Shared {
            store,
            blobs,
            master,
            hasher,
            env: options.env,
            rules: Registry::standard(),
            credentials: Credentials::default(),
            throttle: Throttle::default(),
            people: crate::person::People::default(),
            audit: AuditQueue::default(),
            pins: Pins::default(),
            retention_secs: options.retention_secs,
            tombstone_secs: options.tombstone_secs.max(options.retention_secs),
            lifecycle_day_secs: options.lifecycle_day_secs.max(1),
            disk: options.disk,
            disk_reserve_bytes: options.disk_reserve_bytes,
            stopping: CancellationToken::new(),
            wake: Notify::new(),
            wakes: Arc::default(),
            deliveries: Default::default(),
            retired_packs: Mutex::default(),
            posted: Notify::new(),
            claims: Default::default(),
            spans: Arc::default(),
            mail_room: Arc::new(tokio::sync::Semaphore::new(MAIL_ROOM_KIB)),
            accounts: RwLock::default(),
        })))
    }

    /// Whether the store can be read and content can be reached.
    pub async fn is_ready(&self) -> bool {
        self.0.store.view().is_ok() && self.0.blobs.health().await.is_ok()
    }

    /// Whether the metadata can be read; cheap, for probes.
    pub fn is_readable(&self) -> bool {
        self.0.store.view().is_ok()
    }

    /// Writes what is still in memory (last uses, audit events) and closes the store. Commits that were
    /// acknowledged are durable already.
    pub async fn close(&self) -> Result<()> {
        self.0.stopping.cancel();
        self.flush_notes().await?;
        let store = self.0.store.clone();
        blocking(move || store.close().map_err(Fault::from)).await
    }

    /// Waits for memory for a message of this many bytes; it is given back when the permit goes.
    pub(crate) async fn mail_room(&self, bytes: u64) -> Option<tokio::sync::OwnedSemaphorePermit> {
        let kib = (bytes >> 10).clamp(1, MAIL_ROOM_KIB as u64) as u32;
        // The semaphore is never closed.
        self.0.mail_room.clone().acquire_many_owned(kib).await.ok()
    }

    pub(crate) fn view(&self) -> Res<View> {
        Ok(self.0.store.view()?)
    }

    /// Runs a transaction on the blocking pool and waits until it is durable.
    pub(crate) async fn transact<T: Send + 'static>(
        &self,
        shard: u64,
        body: impl FnMut(&mut Txn<'_>) -> Res<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.0.store.clone();
        let submitted = blocking(move || store.submit(shard, body)).await;
        settle(submitted).await
    }

    /// As [`Core::transact`], for a body that takes microseconds: it runs where it is called unless it would have to
    /// wait there, which spares two changes of thread.
    pub(crate) async fn transact_briefly<T: Send + 'static>(
        &self,
        shard: u64,
        body: impl FnMut(&mut Txn<'_>) -> Res<T> + Send + 'static,
    ) -> Result<T> {
        if self.0.store.would_wait(shard) {
            return self.transact(shard, body).await;
        }
        let attempt = std::panic::AssertUnwindSafe(|| self.0.store.submit(shard, body).map_err(Error::from));
        let submitted = std::panic::catch_unwind(attempt).unwrap_or_else(|_| Err(failed_unexpectedly()));
        settle(submitted).await
    }

    /// An account's handle by id.
    pub(crate) fn account(&self, id: AccountId) -> Res<Arc<AccountHandle>> {
        if let Some(handle) = self.0.accounts.read().get(&id) {
            return Ok(handle.clone());
        }
        let record: Account = self.view()?.record(&global::account(id))?.ok_or_else(Error::not_found)?;
        self.adopt(record)
    }

    /// An account's handle by name or mail address; the part behind `@` of its own name does not matter.
    pub(crate) fn account_named(&self, name: &str) -> Res<Option<Arc<AccountHandle>>> {
        let name = name.to_ascii_lowercase();
        let view = self.view()?;
        let row = match view.get(&global::account_named(&name))? {
            Some(row) => Some(row),
            None => view.get(&global::account_with_email(&name))?,
        };
        match row.and_then(|row| crate::keys::number_at(&row)) {
            Some(id) => self.account(AccountId(id)).map(Some),
            None => Ok(None),
        }
    }

    /// Takes an account into the table. Of two that race, one wins: all sessions share one handle.
    pub(crate) fn adopt(&self, record: Account) -> Res<Arc<AccountHandle>> {
        let key = self.0.master.unwrap(&record.wrapped_key, &key_context(record.id))?;
        let mut accounts = self.0.accounts.write();
        let handle =
            accounts.entry(record.id).or_insert_with(|| Arc::new(AccountHandle::new(record, key))).clone();
        handle.set_wakes(self.0.wakes.clone(), self.0.spans.clone());
        Ok(handle)
    }

    pub(crate) fn forget_account(&self, id: AccountId) {
        if let Some(handle) = self.0.accounts.write().remove(&id) {
            handle.closed().cancel();
        }
    }

    /// All accounts, by id.
    pub(crate) fn account_records(&self) -> Res<Vec<Account>> {
        let mut records = Vec::new();
        let prefix = global::accounts();
        self.view()?.each(&allod_meta::KeyRange::prefix(&prefix), prefix.len(), |_, value| {
            records.push(crate::record::decode(value)?);
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        Ok(records)
    }
}

/// Binds a wrapped account key to its account.
pub(crate) fn key_context(id: AccountId) -> Vec<u8> {
    [b"account".as_slice(), &id.0.to_be_bytes()].concat()
}

/// Waits until a transaction is durable; its own refusal comes first.
pub(crate) async fn settle<T>(submitted: Result<(T, Durable)>) -> Result<T> {
    let (value, durable) = submitted?;
    durable.await.map_err(Fault::from)?;
    Ok(value)
}

/// Runs blocking work off the async threads. A panic there becomes `Unavailable` for this caller alone.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Res<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(Error::from),
        Err(panic) => {
            tracing::error!(%panic, "an operation failed unexpectedly");
            Err(failed_unexpectedly())
        }
    }
}

fn failed_unexpectedly() -> Error {
    Error::new(ErrorKind::Unavailable, "the operation failed unexpectedly; see the server's log")
}

/// How much a store holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// The metadata engine's name.
    pub engine: &'static str,
    /// Bytes of metadata on disk.
    pub metadata_bytes: u64,
    /// Bytes of content in the blob store, history included.
    pub blob_bytes: u64,
    /// Free bytes of the disk beyond the reserve.
    pub disk_free_bytes: Option<u64>,
}

impl Core {
    /// The time by the store's clock.
    pub fn now(&self) -> allod_model::Timestamp {
        self.0.env.now()
    }

    /// How much is stored. Lists the blob store: for the operator, not for each request.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sizes(&self) -> Result<Sizes> {
        let totals = self.0.blobs.totals().await.map_err(Fault::from)?;
        Ok(Sizes {
            engine: self.0.store.engine_name(),
            metadata_bytes: self.0.store.disk_bytes().map_err(Fault::from)?,
            blob_bytes: totals.object_bytes + totals.pack_bytes,
            disk_free_bytes: self.free_bytes(),
        })
    }
}
