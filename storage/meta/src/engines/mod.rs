//! The engines, one file each, and how one is chosen and opened.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use crate::{Engine, Error, ErrorKind};

#[cfg(feature = "fjall")]
pub mod fjall;
pub mod memory;
pub mod redb;
mod revive;
mod settle;
#[cfg(feature = "sled")]
pub mod sled;

/// Memory that an engine may use for its cache when the configuration does not say, in bytes.
/// Chosen so that a server at rest stays below 60 MiB altogether.
pub const CACHE_BYTES_DEFAULT: usize = 16 << 20;

/// The file within a data directory that whoever has its database open has locked.
const LOCK_NAME: &str = "meta.lock";

/// The engines that allod knows by name, whether or not this build contains them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// Nothing is kept; for tests.
    Memory,
    /// One file, a copy-on-write tree. The default.
    #[default]
    Redb,
    /// A directory, a log-structured tree. Needs the cargo feature `fjall`.
    Fjall,
    /// A directory, a lock-free tree. Needs the cargo feature `sled`.
    Sled,
}

impl EngineKind {
    /// Every engine, the default first among those that keep something.
    pub const ALL: [EngineKind; 4] =
        [EngineKind::Redb, EngineKind::Fjall, EngineKind::Sled, EngineKind::Memory];

    /// The name used in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            EngineKind::Memory => "memory",
            EngineKind::Redb => "redb",
            EngineKind::Fjall => "fjall",
            EngineKind::Sled => "sled",
        }
    }

    /// Whether this build contains the engine.
    pub fn is_available(self) -> bool {
        match self {
            EngineKind::Memory | EngineKind::Redb => true,
            EngineKind::Fjall => cfg!(feature = "fjall"),
            EngineKind::Sled => cfg!(feature = "sled"),
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EngineKind {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<EngineKind, UnknownEngine> {
        let known = EngineKind::ALL.into_iter().find(|kind| kind.as_str() == name);
        known.ok_or_else(|| UnknownEngine { name: name.to_owned() })
    }
}

/// A configured engine name that allod does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownEngine {
    /// The name as written.
    pub name: String,
}

impl fmt::Display for UnknownEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown metadata engine `{}` (known:", self.name)?;
        for kind in EngineKind::ALL {
            write!(f, " {kind}")?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for UnknownEngine {}

/// How to open an engine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Memory for the engine's cache, in bytes.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { cache_bytes: CACHE_BYTES_DEFAULT }
    }
}

/// Opens the database of the given kind in `dir`, making both if they are missing; new files can be
/// read by their owner alone. The database is locked against other processes until it is closed.
///
/// # Errors
/// `Busy` when another process or handle has it open, `Corrupt` when the files are damaged or not a
/// database, `NoSpace` or `Unavailable` when the directory cannot be written or the engine is not
/// part of this build.
pub fn open(dir: &Path, kind: EngineKind, options: &Options) -> Result<Arc<dyn Engine>, Error> {
    match kind {
        EngineKind::Memory => Ok(Arc::new(memory::Memory::new())),
        EngineKind::Redb => {
            make_dir(dir)?;
            Ok(Arc::new(redb::Redb::open(dir, options)?))
        }
        #[cfg(feature = "fjall")]
        EngineKind::Fjall => {
            make_dir(dir)?;
            Ok(Arc::new(fjall::Fjall::open(dir, options)?))
        }
        #[cfg(feature = "sled")]
        EngineKind::Sled => {
            make_dir(dir)?;
            Ok(Arc::new(sled::Sled::open(dir, options)?))
        }
        #[cfg(not(all(feature = "fjall", feature = "sled")))]
        absent => Err(Error::new(
            ErrorKind::Unavailable,
            format!("this build does not contain the engine {absent}; build with the feature `{absent}`"),
        )),
    }
}

/// Makes `dir`, for its owner alone, and puts its name on stable storage.
fn make_dir(dir: &Path) -> Result<(), Error> {
    if dir.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|err| Error::from_io(&format!("cannot make {}", dir.display()), &err))?;
    match dir.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_dir(Path::new(".")),
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// Puts the names within `dir` on stable storage.
fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|err| Error::from_io(&format!("cannot sync {}", dir.display()), &err))
}

/// The right to a data directory's database, whatever its engine, until it is dropped.
///
/// The engines' own locks come too late for the making of a database, and sled gives its lock back
/// only a while after it is closed.
struct DirLock {
    _file: File,
}

impl DirLock {
    fn take(dir: &Path) -> Result<DirLock, Error> {
        let path = dir.join(LOCK_NAME);
        let file = open_private(&path, true)?;
        match file.try_lock() {
            Ok(()) => Ok(DirLock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(Error::new(ErrorKind::Busy, format!("another process has locked {}", path.display())))
            }
            Err(TryLockError::Error(err)) => {
                Err(Error::from_io(&format!("cannot lock {}", path.display()), &err))
            }
        }
    }
}

/// Opens a file to read and write, with mode 0600 if it is made.
fn open_private(path: &Path, create: bool) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(create).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|err| Error::from_io(&format!("cannot open {}", path.display()), &err))
}

/// Makes the database at `path`, a file or a directory, unless it is there. It appears whole or not
/// at all: engines do not open what a kill or a power failure leaves of their own making. The caller
/// holds the directory's lock.
fn create_whole(path: &Path, build: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = Path::new(&unfinished);
    let failed = |err| Error::from_io(&format!("cannot make {}", path.display()), &err);
    if unfinished.is_dir() {
        std::fs::remove_dir_all(unfinished).map_err(failed)?;
    } else if unfinished.exists() {
        std::fs::remove_file(unfinished).map_err(failed)?;
    }
    build(unfinished)?;
    sync_tree(unfinished).and_then(|()| std::fs::rename(unfinished, path)).map_err(failed)?;
    sync_dir(path.parent().unwrap_or(path))
}

fn sync_tree(path: &Path) -> std::io::Result<()> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        for entry in std::fs::read_dir(path)? {
            sync_tree(&entry?.path())?;
        }
    }
    file.sync_all()
}
