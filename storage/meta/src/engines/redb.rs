//! The default engine: one file, a copy-on-write tree, by the redb crate.
//!
//! A commit is written to a journal and synced there, and taken by redb in memory (`journal`). When
//! the journal is full, and at the end, redb commits durably instead, in two phases with quick-repair:
//! the allocator's state is written along, so that a database of millions of keys opens at once after a
//! kill or a power failure instead of being read through. One table maps keys to records; another holds
//! the number of the last journal record that the first contains.
//!
//! What quick-repair costs: redb trusts the allocator's state that it finds. Values are protected by
//! the store's checksums, but a file damaged in that state can make redb panic, even while it unwinds
//! from a panic, which ends the process. Nothing wrong is served, yet only a copy helps then.

use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use redb::backends::FileBackend;
use redb::{
    BackendError, Builder, Database, Durability, ReadOnlyTable, ReadableDatabase, StorageBackend,
    TableDefinition, WriteTransaction,
};

use self::journal::{Change, Journal};
use super::revive::{Failure, Handle, Revivable, guarded};
use super::settle::{Changes, settle};
use super::{DirLock, Options, create_whole, open_private};
use crate::engine::bounds_are_empty;
use crate::{Batch, Direction, Engine, Error, ErrorKind, Snapshot, Visit};

/// The database's file name within its directory.
pub const FILE_NAME: &str = "meta.redb";

/// The journal's file name within its directory.
pub const JOURNAL_NAME: &str = "meta.journal";

/// The last journal record that the database contains, under the key of nothing.
const CONTAINED: TableDefinition<'static, (), u64> = TableDefinition::new("journal");

/// Free bytes below which nothing is written any more. redb refuses even to read after it has met a full
/// disk, so it must not meet one.
const FREE_BYTES_MIN: u64 = 2 << 20;
/// Free bytes below which every commit is durable in redb itself: it then uses freed pages at once.
const FREE_BYTES_ROOMY: u64 = 512 << 20;

/// What a change can take beyond its key and value: new copies of the pages on the way to it.
const CHANGE_BYTES: usize = 8 << 10;

/// What tells this database's journal from others', under the key of nothing.
const SEED: TableDefinition<'static, (), u32> = TableDefinition::new("journal seed");
const TABLE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("allod");

/// An open redb database.
pub struct Redb {
    disk: Arc<dyn Disk>,
    database: Revivable<Opened>,
}

struct Opened {
    database: Database,
    journal: Mutex<Journal>,
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
        // Nothing is left to replay after a clean end. On a full disk it is: the journal keeps it.
        match self.checkpoint() {
            Err(failure) if failure.error.kind == ErrorKind::NoSpace => {
                tracing::warn!("the disk is full; the journal will be taken up at the next start");
                return Ok(());
            }
            checkpoint => checkpoint.map_err(|failure| failure.error)?,
        }
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

    /// The journal's bytes, likewise.
    ///
    /// # Errors
    /// Those of opening the file.
    fn attach_journal(&self) -> Result<Box<dyn StorageBackend>, Error>;

    /// Free bytes where the database lies, if that is known.
    fn free_bytes(&self) -> Option<u64>;

    /// The size of both in bytes.
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
        let (path, journal) = (dir.join(FILE_NAME), dir.join(JOURNAL_NAME));
        create_whole(&path, |path| {
            // One left from a database that is gone must not be replayed into a new one.
            match std::fs::remove_file(&journal) {
                Err(err) if err.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::from_io(&format!("cannot remove {}", journal.display()), &err));
                }
                _ => {}
            }
            drop(open_private(path, true)?);
            let disk = FileOnDisk { path: path.to_owned(), journal: journal.clone() };
            open_on(&disk, options.cache_bytes)?.shut()
        })?;
        Redb::locked(Some(lock), FileOnDisk { path, journal }, options)
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
        make_tables(&database).map_err(translate)?;
        let (seed, contained) = journal_state(&database).map_err(translate)?;
        let opened = Journal::open(disk.attach_journal()?, seed, contained);
        let (journal, records) = opened.map_err(|err| translate(redb::Error::Io(err)))?;
        let opened = Opened { database, journal: Mutex::new(journal), broken: Arc::default() };
        if !records.is_empty() {
            opened.replay(&records)?;
        }
        Ok(opened)
    });
    opened.map_err(|failure| failure.error)
}

/// The journal's seed, and its last record that the database contains.
fn journal_state(database: &Database) -> Result<(u32, u64), redb::Error> {
    let read = database.begin_read()?;
    let seed = read.open_table(SEED)?.get(())?.map_or(0, |seed| seed.value());
    let contained = read.open_table(CONTAINED)?.get(())?.map_or(0, |number| number.value());
    Ok((seed, contained))
}

/// The tables must exist before they can be read; existing ones cost no commit.
fn make_tables(database: &Database) -> Result<(), redb::Error> {
    match database.begin_read()?.open_table(SEED) {
        Ok(_) => return Ok(()),
        Err(redb::TableError::TableDoesNotExist(_)) => {}
        Err(err) => return Err(err.into()),
    }
    let mut write = database.begin_write()?;
    write.set_durability(Durability::Immediate)?;
    write.set_quick_repair(true);
    write.open_table(TABLE)?;
    write.open_table(CONTAINED)?;
    let mut seed = [0; 4];
    getrandom::fill(&mut seed).map_err(|err| redb::Error::Io(io::Error::other(err.to_string())))?;
    write.open_table(SEED)?.insert((), u32::from_le_bytes(seed))?;
    write.commit()?;
    Ok(())
}

/// Whether a commit of redb is durable by itself, or by the journal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durable {
    BySync,
    ByJournal,
}

impl Opened {
    fn begin(&self, durable: Durable) -> Result<WriteTransaction, Failure> {
        let mut write = self.database.begin_write().map_err(translate)?;
        match durable {
            Durable::BySync => {
                write.set_durability(Durability::Immediate).map_err(translate)?;
                write.set_quick_repair(true);
            }
            Durable::ByJournal => write.set_durability(Durability::None).map_err(translate)?,
        }
        Ok(write)
    }

    /// `roomy`: the database may grow for a while before it uses freed pages again.
    fn commit(&self, batches: &[Batch], roomy: bool) -> Result<(), Failure> {
        let mut journal = self.journal.lock();
        let changes = {
            let read = self.database.begin_read().map_err(translate)?;
            let table = read.open_table(TABLE).map_err(translate)?;
            // Transactions of one shard touch the same few keys: each is written once a group.
            settle(batches, |key| match table.get(key) {
                Ok(value) => Ok(value.map(|value| value.value().to_vec())),
                Err(err) => Err(translate(err)),
            })?
        };
        let number = journal.next_number();
        if !roomy || !journal.fits(&changes) {
            self.write(&changes, number, Durable::BySync)?;
            journal.restart(number);
            return Ok(());
        }
        journal.append(&changes).map_err(|err| translate(redb::Error::Io(err)))?;
        let taken = self.write(&changes, number, Durable::ByJournal);
        if let Err(failure) = taken {
            // It was refused, so it must not come back when the journal is replayed.
            let back = journal.take_back(&changes);
            let failure = back.err().map_or(failure, |err| translate(redb::Error::Io(err)));
            return Err(Failure { handle_lost: true, ..failure });
        }
        Ok(())
    }

    fn write(&self, changes: &Changes<'_>, number: u64, durable: Durable) -> Result<(), Failure> {
        let write = self.begin(durable)?;
        {
            let mut table = write.open_table(TABLE).map_err(translate)?;
            for (key, value) in changes {
                match value {
                    Some(value) => drop(table.insert(*key, *value).map_err(translate)?),
                    None => drop(table.remove(*key).map_err(translate)?),
                }
            }
            let mut contained = write.open_table(CONTAINED).map_err(translate)?;
            contained.insert((), number).map_err(translate)?;
        }
        write.commit().map_err(translate)
    }

    /// Takes what the journal holds beyond the database.
    fn replay(&self, records: &[Vec<Change>]) -> Result<(), Failure> {
        let number = self.journal.lock().next_number() - 1;
        let mut changes = Changes::new();
        for (key, value) in records.iter().flatten() {
            changes.insert(key, value.as_deref());
        }
        // In memory: so a store on a full disk can still be read. The journal goes on to hold the records.
        self.write(&changes, number, Durable::ByJournal)
    }

    /// Makes everything durable in the database itself.
    fn checkpoint(&self) -> Result<(), Failure> {
        let mut journal = self.journal.lock();
        if journal.is_empty() {
            return Ok(());
        }
        let number = journal.next_number() - 1;
        self.write(&Changes::new(), number, Durable::BySync)?;
        journal.restart(number);
        Ok(())
    }
}

impl Engine for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        self.database.with(|Opened { database, broken, .. }| {
            let read = database.begin_read().map_err(translate)?;
            let table = read.open_table(TABLE).map_err(translate)?;
            Ok(Arc::new(RedbSnapshot { table, broken: broken.clone() }) as Arc<dyn Snapshot>)
        })
    }

    fn commit(&self, batches: &[Batch]) -> Result<(), Error> {
        let bytes: usize =
            batches.iter().map(|batch| 2 * batch.bytes() + CHANGE_BYTES * batch.ops.len()).sum();
        let free = self.disk.free_bytes();
        if free.is_some_and(|free| free < FREE_BYTES_MIN + bytes as u64) {
            return Err(Error::new(ErrorKind::NoSpace, "the disk that holds the metadata is full"));
        }
        let roomy = free.is_none_or(|free| free >= FREE_BYTES_ROOMY);
        self.database.with(|opened| opened.commit(batches, roomy))
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
    journal: PathBuf,
}

impl Disk for FileOnDisk {
    fn attach(&self) -> Result<Box<dyn StorageBackend>, Error> {
        let file = open_private(&self.path, false)?;
        let backend = FileBackend::new(file).map_err(|err| translate(err).error)?;
        Ok(Box::new(backend))
    }

    fn attach_journal(&self) -> Result<Box<dyn StorageBackend>, Error> {
        let file = open_private(&self.journal, true)?;
        let backend = FileBackend::new(file).map_err(|err| translate(err).error)?;
        super::sync_dir(self.journal.parent().unwrap_or(&self.journal))?;
        Ok(Box::new(backend))
    }

    fn free_bytes(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.path).ok()?;
        Some(disk.f_bavail * disk.f_frsize)
    }

    fn len_bytes(&self) -> Result<u64, Error> {
        Ok(blocks(&self.path)? + blocks(&self.journal)?)
    }
}

/// The bytes that a file takes on the disk.
fn blocks(path: &Path) -> Result<u64, Error> {
    let meta = std::fs::metadata(path)
        .map_err(|err| Error::from_io(&format!("cannot look at {}", path.display()), &err))?;
    #[cfg(unix)]
    return Ok(std::os::unix::fs::MetadataExt::blocks(&meta) * 512);
    #[cfg(not(unix))]
    Ok(meta.len())
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

mod journal;

#[cfg(test)]
mod double;
#[cfg(test)]
mod tests;
