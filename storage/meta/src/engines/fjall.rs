//! A log-structured engine by the fjall crate: the fast second choice.
//!
//! A commit appends the whole group to the journal and syncs it once, before any reader can see it.
//! Compaction is left to fjall's own threads. Opening after a kill reads the journal again, which
//! takes seconds where redb takes none.

use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};

use super::revive::{Failure, Handle, Revivable, guarded};
use super::settle::settle;
use super::{DirLock, Options, create_whole, make_dir};
use crate::engine::bounds_are_empty;
use crate::{Batch, Direction, Engine, Error, ErrorKind, Snapshot, Visit};

/// The database's directory within the data directory.
pub const DIR_NAME: &str = "meta.fjall";

/// The one keyspace that holds everything.
const KEYSPACE: &str = "allod";

/// Writes kept in memory until they are sorted into a table, in bytes.
const MEMTABLE_BYTES: u64 = 8 << 20;

/// Threads that flush and compact.
const WORKERS: usize = 1;

/// An open fjall database.
pub struct Fjall {
    database: Revivable<Arc<Opened>>,
}

struct Opened {
    database: Database,
    keyspace: Keyspace,
    broken: AtomicBool,
}

impl Handle for Arc<Opened> {
    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    fn set_broken(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    fn shut(self) -> Result<(), Error> {
        // Everything acknowledged is synced; the last owner's destructor stops the threads.
        Ok(())
    }
}

impl Fjall {
    /// Opens the database in `dir`/[`DIR_NAME`], making it with mode 0700 if it is missing.
    ///
    /// # Errors
    /// `Busy` when another process or handle has it open, `Corrupt` when the files are damaged,
    /// `NoSpace` or `Unavailable` by the operating system.
    pub fn open(dir: &Path, options: &Options) -> Result<Fjall, Error> {
        let path = dir.join(DIR_NAME);
        let cache_bytes = options.cache_bytes as u64;
        let lock = DirLock::take(dir)?;
        create_whole(&path, |path| {
            make_dir(path)?;
            open_at(path, cache_bytes)?.shut()
        })?;
        let database = Revivable::open(Some(lock), move || open_at(&path, cache_bytes))?;
        Ok(Fjall { database })
    }
}

fn open_at(path: &Path, cache_bytes: u64) -> Result<Arc<Opened>, Error> {
    let opened = guarded(|| {
        let database = Database::builder(path)
            .cache_size(cache_bytes)
            .worker_threads(WORKERS)
            .open()
            .map_err(|err| translate(&err))?;
        let keyspace = database
            .keyspace(KEYSPACE, || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES))
            .map_err(|err| translate(&err))?;
        Ok(Arc::new(Opened { database, keyspace, broken: AtomicBool::new(false) }))
    });
    opened.map_err(|failure| failure.error)
}

impl Engine for Fjall {
    fn name(&self) -> &'static str {
        "fjall"
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        self.database.with(|opened| {
            let snapshot = opened.database.snapshot();
            Ok(Arc::new(FjallSnapshot { snapshot, opened: Arc::downgrade(opened) }) as Arc<dyn Snapshot>)
        })
    }

    fn commit(&self, batches: &[Batch]) -> Result<(), Error> {
        self.database.with(|opened| {
            // Writes of one batch carry one number, so a key may occur only once in it.
            let changes = settle(batches, |key| match opened.keyspace.get(key) {
                Ok(value) => Ok(value.map(|value| value.to_vec())),
                Err(err) => Err(translate(&err)),
            })?;
            let mut batch = opened.database.batch().durability(Some(PersistMode::SyncData));
            for (key, value) in changes {
                match value {
                    Some(value) => batch.insert(&opened.keyspace, key, value),
                    None => batch.remove(&opened.keyspace, key),
                }
            }
            batch.commit().map_err(|err| translate(&err))
        })
    }

    fn disk_bytes(&self) -> Result<u64, Error> {
        self.database.with(|opened| opened.database.disk_space().map_err(|err| translate(&err)))
    }

    fn close(&self) -> Result<(), Error> {
        self.database.close()
    }
}

struct FjallSnapshot {
    snapshot: fjall::Snapshot,
    /// Weak, so that views which are still about do not keep the database open and locked.
    opened: Weak<Opened>,
}

impl FjallSnapshot {
    fn read<T>(&self, action: impl FnOnce(&Keyspace) -> Result<T, fjall::Error>) -> Result<T, Error> {
        let Some(opened) = self.opened.upgrade() else {
            return Err(Error::new(ErrorKind::Unavailable, "the database was closed"));
        };
        guarded(|| action(&opened.keyspace).map_err(|err| translate(&err))).map_err(
            |Failure { error, handle_lost }| {
                if handle_lost {
                    opened.set_broken();
                }
                error
            },
        )
    }
}

impl Snapshot for FjallSnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.read(|keyspace| Ok(self.snapshot.get(keyspace, key)?.map(|value| value.to_vec())))
    }

    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        dir: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        if bounds_are_empty(from, to) {
            return Ok(());
        }
        let mut range = self.read(|keyspace| Ok(self.snapshot.range::<&[u8], _>(keyspace, (from, to))))?;
        loop {
            let pair = self.read(|_| {
                let next = match dir {
                    Direction::Forward => range.next(),
                    Direction::Backward => range.next_back(),
                };
                next.map(fjall::Guard::into_inner).transpose()
            })?;
            let Some((key, value)) = pair else { return Ok(()) };
            if visit(&key, &value).is_break() {
                return Ok(());
            }
        }
    }
}

fn translate(err: &fjall::Error) -> Failure {
    use fjall::LsmError as Lsm;
    let (kind, handle_lost) = match err {
        fjall::Error::Io(io) | fjall::Error::Storage(Lsm::Io(io)) => (Error::from_io("fjall", io).kind, true),
        fjall::Error::Poisoned => (ErrorKind::Unavailable, true),
        fjall::Error::Locked => (ErrorKind::Busy, false),
        fjall::Error::Storage(_)
        | fjall::Error::JournalRecovery(_)
        | fjall::Error::InvalidVersion(_)
        | fjall::Error::Decompress(_)
        | fjall::Error::InvalidTrailer
        | fjall::Error::InvalidTag(_)
        | fjall::Error::Unrecoverable => (ErrorKind::Corrupt, false),
        _ => (ErrorKind::Unavailable, false),
    };
    Failure { error: Error::new(kind, format!("fjall: {err}")), handle_lost }
}
