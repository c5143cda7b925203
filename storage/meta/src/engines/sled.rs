//! The engine named on the project's design card: sled 0.34.7, made durable and given snapshots.
//!
//! Three things that the store needs and sled lacks are supplied here.
//!
//! * **Durability.** `flush` only starts writing (`sync_file_range`), which a power failure undoes.
//!   After it, this adapter syncs sled's own files: the log, the files of large values, and the
//!   directory that names them.
//! * **Snapshots.** sled always shows its newest state, before it is durable. Each commit therefore
//!   keeps the values it replaced until it is durable and no snapshot from before it is left. A
//!   snapshot looks there first.
//!
//! * **Opening.** A process that ends while it opens the database can leave half a snapshot file, which sled
//!   then takes for the newest one and calls corrupt. Such files are removed first.
//!
//! One thing cannot be supplied: after an error, such as a full disk, sled waits for itself for ever when it is
//! dropped, and holds its lock until then. Its handle is then kept, and everything is `Unavailable` until
//! the process is started again. So nothing is written when the disk is nearly full.
//!
//! Its cache takes several times the memory that it is given.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use super::revive::{Failure, Handle, Revivable, guarded};
use super::settle::settle;
use super::{DirLock, Options, create_whole, make_dir, sync_dir};
use crate::engine::bounds_are_empty;
use crate::{Batch, Direction, Engine, Error, ErrorKind, Snapshot, Visit};

/// The database's directory within the data directory.
pub const DIR_NAME: &str = "meta.sled";

/// Pairs that a scan reads at a time.
const CHUNK_PAIRS: usize = 128;

/// Free bytes that must be left after a commit; sled grows its file by segments of half a MiB.
const FREE_BYTES_MIN: u64 = 8 << 20;

/// sled's threads give the lock back a little after the database is dropped: how often, and how far
/// apart, opening is tried.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// An open sled database.
pub struct Sled {
    database: Revivable<Arc<Opened>>,
}

struct Opened {
    db: sled::Db,
    files: Files,
    history: RwLock<History>,
    /// One commit at a time.
    committing: Mutex<()>,
    broken: AtomicBool,
}

/// What earlier snapshots must still see.
#[derive(Default)]
struct History {
    /// The newest commit that is on stable storage, counted from when the database was opened.
    durable: u64,
    /// By commit, the values that it replaced.
    replaced: BTreeMap<u64, BTreeMap<Vec<u8>, Option<sled::IVec>>>,
    /// How many snapshots are left of the state after each commit.
    readers: BTreeMap<u64, usize>,
}

impl History {
    /// Forgets what neither a snapshot nor an unfinished commit needs.
    fn prune(&mut self) {
        let oldest = self.readers.keys().next().copied().unwrap_or(self.durable).min(self.durable);
        self.replaced = self.replaced.split_off(&(oldest + 1));
    }

    /// The value of `key` after commit `version`, if a later commit has replaced it.
    fn lookup(&self, version: u64, key: &[u8]) -> Option<&Option<sled::IVec>> {
        self.replaced.range(version + 1..).find_map(|(_, replaced)| replaced.get(key))
    }
}

impl Handle for Arc<Opened> {
    const REVIVES: bool = false;

    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    fn set_broken(&self) {
        if !self.broken.swap(true, Ordering::Relaxed) {
            // One owner for ever, so that it is never dropped.
            std::mem::forget(self.clone());
        }
    }

    fn shut(self) -> Result<(), Error> {
        // Snapshots that are still about must not find a database that others may have opened.
        if self.broken.swap(true, Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Unavailable, "sled has been given up after an error"));
        }
        self.db.flush().map_err(|err| translate(&err).error)?;
        self.files.sync()
    }
}

impl Sled {
    /// Opens the database in `dir`/[`DIR_NAME`], making it with mode 0700 if it is missing.
    ///
    /// # Errors
    /// `Busy` when another process or handle has it open, `Corrupt` when the files are damaged,
    /// `NoSpace` or `Unavailable` by the operating system.
    pub fn open(dir: &Path, options: &Options) -> Result<Sled, Error> {
        let path = dir.join(DIR_NAME);
        let cache_bytes = options.cache_bytes as u64;
        let lock = DirLock::take(dir)?;
        create_whole(&path, |path| {
            make_dir(path)?;
            open_at(path, cache_bytes)?.shut()
        })?;
        let database = Revivable::open(Some(lock), move || open_at(&path, cache_bytes))?;
        Ok(Sled { database })
    }
}

/// Removes the files that sled was writing when it was ended; the caller holds the directory's lock.
fn remove_unfinished(path: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if name.starts_with(b"snap.") && name.ends_with(b".generating") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn open_at(path: &Path, cache_bytes: u64) -> Result<Arc<Opened>, Error> {
    remove_unfinished(path)
        .map_err(|err| Error::from_io(&format!("cannot tidy up {}", path.display()), &err))?;
    let config = || sled::Config::new().path(path).cache_capacity(cache_bytes).flush_every_ms(None);
    for attempt in 1.. {
        let opened = guarded(|| config().open().map_err(|err| translate(&err)));
        match opened.map_err(|failure| failure.error) {
            Ok(db) => {
                let files = Files::new(path)?;
                db.flush().map_err(|err| translate(&err).error)?;
                files.sync()?;
                sync_dir(path)?;
                return Ok(Arc::new(Opened {
                    db,
                    files,
                    history: RwLock::default(),
                    committing: Mutex::default(),
                    broken: AtomicBool::new(false),
                }));
            }
            Err(error) if error.kind == ErrorKind::Busy && attempt < LOCK_TRIES => {
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(ErrorKind::Busy, "the database stays locked"))
}

impl Engine for Sled {
    fn name(&self) -> &'static str {
        "sled"
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        self.database.with(|opened| {
            let mut history = opened.history.write();
            let version = history.durable;
            *history.readers.entry(version).or_default() += 1;
            Ok(Arc::new(SledSnapshot { opened: opened.clone(), version }) as Arc<dyn Snapshot>)
        })
    }

    fn commit(&self, batches: &[Batch]) -> Result<(), Error> {
        self.database.with(|opened| opened.commit(batches))
    }

    fn disk_bytes(&self) -> Result<u64, Error> {
        self.database.with(|opened| opened.db.size_on_disk().map_err(|err| translate(&err)))
    }

    fn close(&self) -> Result<(), Error> {
        self.database.close()
    }
}

impl Opened {
    fn commit(&self, batches: &[Batch]) -> Result<(), Failure> {
        let _one = self.committing.lock();
        self.files.check_room(batches.iter().map(Batch::bytes).sum())?;
        let stored = |key: &[u8]| self.db.get(key).map_err(|err| translate(&err));
        let changes = settle(batches, |key| Ok(stored(key)?.map(|value| value.to_vec())))?;
        let mut batch = sled::Batch::default();
        let mut replaced = BTreeMap::new();
        for (key, value) in changes {
            replaced.insert(key.to_vec(), stored(key)?);
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        let version = {
            let mut history = self.history.write();
            let version = history.durable + 1;
            history.replaced.insert(version, replaced);
            // Readers are kept out meanwhile: sled shows a batch while it is being applied.
            self.db.apply_batch(batch).map_err(|err| lost(&err))?;
            version
        };
        self.db.flush().map_err(|err| lost(&err))?;
        self.files.sync().map_err(|error| Failure { error, handle_lost: true })?;
        let mut history = self.history.write();
        history.durable = version;
        history.prune();
        Ok(())
    }
}

struct SledSnapshot {
    opened: Arc<Opened>,
    version: u64,
}

impl Drop for SledSnapshot {
    fn drop(&mut self) {
        let mut history = self.opened.history.write();
        if let Some(count) = history.readers.get_mut(&self.version) {
            *count -= 1;
            if *count == 0 {
                history.readers.remove(&self.version);
            }
        }
        history.prune();
    }
}

type Pairs = Vec<(sled::IVec, sled::IVec)>;

impl SledSnapshot {
    fn read<T>(&self, action: impl FnOnce(&History) -> Result<T, sled::Error>) -> Result<T, Error> {
        let opened = &self.opened;
        if opened.is_broken() {
            return Err(Error::new(ErrorKind::Unavailable, "the database was closed"));
        }
        let history = opened.history.read_recursive();
        guarded(|| action(&history).map_err(|err| translate(&err))).map_err(
            |Failure { error, handle_lost }| {
                if handle_lost {
                    opened.set_broken();
                }
                error
            },
        )
    }

    /// The next pairs of the range, and the last key looked at if there may be more behind it.
    fn chunk(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        dir: Direction,
    ) -> Result<(Pairs, Option<sled::IVec>), Error> {
        self.read(|history| {
            let range = self.opened.db.range::<&[u8], _>((from, to));
            let newest: Pairs = match dir {
                Direction::Forward => range.take(CHUNK_PAIRS).collect::<Result<_, _>>()?,
                Direction::Backward => range.rev().take(CHUNK_PAIRS).collect::<Result<_, _>>()?,
            };
            let full = newest.len() == CHUNK_PAIRS;
            let last = newest.last().filter(|_| full).map(|(key, _)| key.clone());
            // What later commits have replaced, within the part of the range just read.
            let part = match (&last, dir) {
                (None, _) => (from, to),
                (Some(last), Direction::Forward) => (from, Bound::Included(&last[..])),
                (Some(last), Direction::Backward) => (Bound::Included(&last[..]), to),
            };
            let mut merged: BTreeMap<sled::IVec, Option<sled::IVec>> =
                newest.into_iter().map(|(key, value)| (key, Some(value))).collect();
            for (_, replaced) in history.replaced.range(self.version + 1..).rev() {
                for (key, value) in replaced.range::<[u8], _>(part) {
                    merged.insert(key.as_slice().into(), value.clone());
                }
            }
            let mut pairs: Pairs =
                merged.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
            if dir == Direction::Backward {
                pairs.reverse();
            }
            Ok((pairs, last))
        })
    }
}

impl Snapshot for SledSnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.read(|history| {
            let value = match history.lookup(self.version, key) {
                Some(replaced) => replaced.clone(),
                None => self.opened.db.get(key)?,
            };
            Ok(value.map(|value| value.to_vec()))
        })
    }

    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        dir: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        let mut reached: Option<sled::IVec> = None;
        loop {
            let (from, to) = match (&reached, dir) {
                (None, _) => (from, to),
                (Some(key), Direction::Forward) => (Bound::Excluded(&key[..]), to),
                (Some(key), Direction::Backward) => (from, Bound::Excluded(&key[..])),
            };
            if bounds_are_empty(from, to) {
                return Ok(());
            }
            let (pairs, last) = self.chunk(from, to, dir)?;
            for (key, value) in &pairs {
                if visit(key, value).is_break() {
                    return Ok(());
                }
            }
            match last {
                Some(last) => reached = Some(last),
                None => return Ok(()),
            }
        }
    }
}

/// sled's files, to sync them behind its back.
struct Files {
    log: File,
    blobs: PathBuf,
    /// Files of large values that are synced already; they are written once.
    synced: Mutex<HashSet<OsString>>,
}

impl Files {
    fn new(path: &Path) -> Result<Files, Error> {
        let log = path.join("db");
        let log = File::open(&log)
            .map_err(|err| Error::from_io(&format!("cannot open {}", log.display()), &err))?;
        Ok(Files { log, blobs: path.join("blobs"), synced: Mutex::default() })
    }

    /// `NoSpace` when the disk could be full after writing so much.
    fn check_room(&self, bytes: usize) -> Result<(), Error> {
        let needed = FREE_BYTES_MIN + 2 * bytes as u64;
        match rustix::fs::statvfs(&self.blobs) {
            Ok(disk) if disk.f_bavail * disk.f_frsize < needed => {
                Err(Error::new(ErrorKind::NoSpace, "the disk that holds the metadata is nearly full"))
            }
            _ => Ok(()),
        }
    }

    fn sync(&self) -> Result<(), Error> {
        self.sync_files().map_err(|err| Error::from_io("cannot sync sled's files", &err))
    }

    fn sync_files(&self) -> std::io::Result<()> {
        let mut synced = self.synced.lock();
        let mut present = HashSet::new();
        let mut news = false;
        for entry in std::fs::read_dir(&self.blobs)? {
            let entry = entry?;
            let name = entry.file_name();
            if !synced.contains(&name) {
                match File::open(entry.path()) {
                    Ok(file) => file.sync_all()?,
                    // Replaced and removed meanwhile.
                    Err(err) if err.kind() == std::io::ErrorKind::NotFound => continue,
                    Err(err) => return Err(err),
                }
                news = true;
            }
            present.insert(name);
        }
        if news {
            File::open(&self.blobs)?.sync_all()?;
        }
        *synced = present;
        // Last, for it refers to the others.
        self.log.sync_data()
    }
}

/// An error in the middle of a commit, after which sled's state is not known.
fn lost(err: &sled::Error) -> Failure {
    Failure { handle_lost: true, ..translate(err) }
}

fn translate(err: &sled::Error) -> Failure {
    let (kind, handle_lost) = match err {
        // sled has no error of its own for this.
        sled::Error::Io(io) if io.to_string().contains("could not acquire lock") => (ErrorKind::Busy, false),
        sled::Error::Io(io) => (Error::from_io("sled", io).kind, true),
        sled::Error::Corruption { .. } => (ErrorKind::Corrupt, true),
        sled::Error::ReportableBug(_) => (ErrorKind::Corrupt, true),
        sled::Error::CollectionNotFound(_) | sled::Error::Unsupported(_) => (ErrorKind::Unavailable, false),
    };
    Failure { error: Error::new(kind, format!("sled: {err}")), handle_lost }
}
