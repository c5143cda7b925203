//! The default engine: one file, a copy-on-write tree, by the redb crate.
//!
//! Every commit is in two phases with quick-repair: the allocator's state is written along, so that
//! a database of millions of keys opens at once after a kill or a power failure instead of being
//! read through. One table maps keys to records.
//!
//! What quick-repair costs: redb trusts the allocator's state that it finds. Values are protected by
//! the store's checksums, but a file damaged in that state can make redb panic, even while it unwinds
//! from a panic, which ends the process. Nothing wrong is served, yet only a copy helps then.

use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{
    BackendError, Builder, Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable,
    StorageBackend, TableDefinition,
};

use super::revive::{Failure, Handle, Revivable, guarded};
use super::settle::settle;
use super::{DirLock, Options, create_whole, open_private};
use crate::engine::bounds_are_empty;
use crate::{Batch, Direction, Engine, Error, ErrorKind, Snapshot, Visit};

/// The database's file name within its directory.
pub const FILE_NAME: &str = "meta.redb";

const TABLE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("allod");

/// An open redb database.
pub struct Redb {
    disk: Arc<dyn Disk>,
    database: Revivable<Opened>,
}

struct Opened {
    database: Database,
    /// Shared with snapshots: a read may be the first to meet an error.
    broken: Arc<AtomicBool>,
}

impl Handle for Opened {
    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    fn set_broken(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    fn shut(self) -> Result<(), Error> {
        self.database.close().map_err(|err| translate(err).error)
    }
}

/// Where the database's bytes are: a file, or a double of the disk in tests.
pub trait Disk: Send + Sync + 'static {
    /// Hands the bytes to redb. Called again after an error, when the former handle is gone.
    ///
    /// # Errors
    /// Those of opening the file.
    fn attach(&self) -> Result<Box<dyn StorageBackend>, Error>;

    /// The size in bytes.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be found out.
    fn len_bytes(&self) -> Result<u64, Error>;
}

impl Redb {
    /// Opens `dir`/[`FILE_NAME`], creating it with mode 0600. `dir` must exist.
    ///
    /// # Errors
    /// `Busy` when another process or handle has it open, `Corrupt` when the file is damaged or not
    /// a database, `NoSpace` or `Unavailable` by the operating system.
    pub fn open(dir: &Path, options: &Options) -> Result<Redb, Error> {
        let lock = DirLock::take(dir)?;
        let path = dir.join(FILE_NAME);
        create_whole(&path, |path| {
            drop(open_private(path, true)?);
            open_on(&FileOnDisk { path: path.to_owned() }, options.cache_bytes)?.shut()
        })?;
        Redb::locked(Some(lock), FileOnDisk { path }, options)
    }

    /// Opens a database on any disk.
    ///
    /// # Errors
    /// As [`Redb::open`].
    pub fn on_disk(disk: impl Disk, options: &Options) -> Result<Redb, Error> {
        Redb::locked(None, disk, options)
    }

    fn locked(lock: Option<DirLock>, disk: impl Disk, options: &Options) -> Result<Redb, Error> {
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let cache_bytes = options.cache_bytes;
        let database = Revivable::open(lock, {
            let disk = disk.clone();
            move || open_on(&*disk, cache_bytes)
        })?;
        Ok(Redb { disk, database })
    }
}

fn open_on(disk: &dyn Disk, cache_bytes: usize) -> Result<Opened, Error> {
    let backend = Attached(disk.attach()?);
    let opened = guarded(|| {
        let mut builder = Builder::new();
        builder.set_cache_size(cache_bytes);
        builder.set_repair_callback(|progress| {
            tracing::warn!(done = progress.progress(), "the database is being repaired");
        });
        let database = builder.create_with_backend(backend).map_err(translate)?;
        make_table(&database).map_err(translate)?;
        Ok(Opened { database, broken: Arc::default() })
    });
    opened.map_err(|failure| failure.error)
}

/// The table must exist before it can be read; an existing one costs no commit.
fn make_table(database: &Database) -> Result<(), redb::Error> {
    match database.begin_read()?.open_table(TABLE) {
        Ok(_) => return Ok(()),
        Err(redb::TableError::TableDoesNotExist(_)) => {}
        Err(err) => return Err(err.into()),
    }
    let mut write = database.begin_write()?;
    write.set_durability(Durability::Immediate)?;
    write.set_quick_repair(true);
    write.open_table(TABLE)?;
    write.commit()?;
    Ok(())
}

impl Engine for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        self.database.with(|Opened { database, broken }| {
            let read = database.begin_read().map_err(translate)?;
            let table = read.open_table(TABLE).map_err(translate)?;
            Ok(Arc::new(RedbSnapshot { table, broken: broken.clone() }) as Arc<dyn Snapshot>)
        })
    }

    fn commit(&self, batches: &[Batch]) -> Result<(), Error> {
        self.database.with(|opened| {
            let mut write = opened.database.begin_write().map_err(translate)?;
            write.set_durability(Durability::Immediate).map_err(translate)?;
            write.set_quick_repair(true);
            {
                let mut table = write.open_table(TABLE).map_err(translate)?;
                // Transactions of one shard touch the same few keys: each is written once a group.
                let changes = settle(batches, |key| match table.get(key) {
                    Ok(value) => Ok(value.map(|value| value.value().to_vec())),
                    Err(err) => Err(translate(err)),
                })?;
                for (key, value) in changes {
                    match value {
                        Some(value) => drop(table.insert(key, value).map_err(translate)?),
                        None => drop(table.remove(key).map_err(translate)?),
                    }
                }
            }
            write.commit().map_err(translate)
        })
    }

    fn disk_bytes(&self) -> Result<u64, Error> {
        self.disk.len_bytes()
    }

    fn close(&self) -> Result<(), Error> {
        self.database.close()
    }
}

struct RedbSnapshot {
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
    broken: Arc<AtomicBool>,
}

impl RedbSnapshot {
    fn read<T>(&self, action: impl FnOnce() -> Result<T, redb::StorageError>) -> Result<T, Error> {
        guarded(|| action().map_err(translate)).map_err(|Failure { error, handle_lost }| {
            if handle_lost {
                self.broken.store(true, Ordering::Relaxed);
            }
            error
        })
    }
}

impl Snapshot for RedbSnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.read(|| Ok(self.table.get(key)?.map(|value| value.value().to_vec())))
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
        let mut range = self.read(|| self.table.range::<&[u8]>((from, to)))?;
        loop {
            let next = self.read(|| {
                let next = match dir {
                    Direction::Forward => range.next(),
                    Direction::Backward => range.next_back(),
                };
                let next = next.transpose()?;
                // In a damaged page this is where redb panics, so it is done once in here.
                if let Some((key, value)) = &next {
                    let _ = (key.value(), value.value());
                }
                Ok(next)
            })?;
            let Some((key, value)) = next else { return Ok(()) };
            if visit(key.value(), value.value()).is_break() {
                return Ok(());
            }
        }
    }
}

fn translate(err: impl Into<redb::Error>) -> Failure {
    let err = err.into();
    let message = format!("redb: {err}");
    let (kind, handle_lost) = match &err {
        redb::Error::Io(io) => (Error::from_io("redb", io).kind, true),
        redb::Error::PreviousIo | redb::Error::LockPoisoned(_) => (ErrorKind::Unavailable, true),
        redb::Error::DatabaseAlreadyOpen => (ErrorKind::Busy, false),
        redb::Error::Corrupted(_)
        | redb::Error::RepairAborted
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::UpgradeRequired(_) => (ErrorKind::Corrupt, false),
        redb::Error::ValueTooLarge(_) => (ErrorKind::TooLarge, false),
        // Includes DatabaseClosed: a snapshot that outlived its handle.
        _ => (ErrorKind::Unavailable, false),
    };
    Failure { error: Error::new(kind, message), handle_lost }
}

struct FileOnDisk {
    path: PathBuf,
}

impl Disk for FileOnDisk {
    fn attach(&self) -> Result<Box<dyn StorageBackend>, Error> {
        let file = open_private(&self.path, false)?;
        let backend = FileBackend::new(file).map_err(|err| translate(err).error)?;
        Ok(Box::new(backend))
    }

    fn len_bytes(&self) -> Result<u64, Error> {
        let meta = std::fs::metadata(&self.path)
            .map_err(|err| Error::from_io(&format!("cannot look at {}", self.path.display()), &err))?;
        #[cfg(unix)]
        return Ok(std::os::unix::fs::MetadataExt::blocks(&meta) * 512);
        #[cfg(not(unix))]
        Ok(meta.len())
    }
}

/// Passes a boxed backend on as a backend.
#[derive(Debug)]
struct Attached(Box<dyn StorageBackend>);

impl StorageBackend for Attached {
    fn len(&self) -> Result<u64, io::Error> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod double;
#[cfg(test)]
mod tests;
