//! Objects as files of this machine.
//!
//! A file is written under another name, synced, and renamed, and its folder is synced: after a power failure it is
//! whole or absent. Files lie in 256 folders per account, all made at once, so that making them costs one sync.
//! What a crash leaves unfinished lies in one folder and is removed when the store is opened again.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::RwLock;

use crate::{ChunkName, Error, Result, budget::Buf, disk, name::hex};

const UNFINISHED: &str = "unfinished";
/// Numbers for unfinished files. One sequence for the whole process: what an abandoned writer still has under way must
/// not meet the files of a store that was closed and opened again.
static NEXT_UNFINISHED: AtomicU64 = AtomicU64::new(0);

/// A folder with objects.
pub(super) struct LocalObjects {
    folder: PathBuf,
    /// Held to write while folders are made, so that nobody answers for a file in a folder that is not durable yet.
    making_folders: RwLock<()>,
}

impl LocalObjects {
    /// Takes over a folder, which exists. Nobody else has it open.
    pub(super) fn open(folder: &Path) -> Result<LocalObjects> {
        let unfinished = folder.join(UNFINISHED);
        disk::create_folder(&unfinished)?;
        let objects = folder.join(super::OBJECTS);
        disk::create_folder(&objects)?;
        for left in entries(&unfinished)? {
            fs::remove_file(&left).map_err(|e| Error::io(format!("cannot remove {}", left.display()), e))?;
        }
        // A process that was killed may have made folders and not synced them.
        for account in entries(&objects)? {
            disk::sync_folder(&account)?;
        }
        disk::sync_folder(&objects)?;
        Ok(LocalObjects { folder: folder.to_owned(), making_folders: RwLock::new(()) })
    }

    fn account_folder(&self, account: u64) -> PathBuf {
        self.folder.join(super::OBJECTS).join(account.to_string())
    }

    fn path(&self, account: u64, name: &ChunkName) -> PathBuf {
        let hex = name.hex();
        let mut path = self.account_folder(account);
        path.push(&hex[..2]);
        path.push(hex);
        path
    }

    /// Stores an object, durable on return.
    pub(super) fn put(&self, account: u64, name: &ChunkName, sealed: &[u8]) -> Result<()> {
        let number = NEXT_UNFINISHED.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.folder.join(UNFINISHED).join(number.to_string());
        let path = self.path(account, name);
        let stored = write_synced(&unfinished, sealed)
            .map_err(|e| Error::io(format!("cannot store {}", path.display()), e))
            .and_then(|()| self.publish(account, &unfinished, &path));
        if stored.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        stored
    }

    fn publish(&self, account: u64, unfinished: &Path, path: &Path) -> Result<()> {
        let fail = |e| Error::io(format!("cannot store {}", path.display()), e);
        match fs::rename(unfinished, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_folders(account)?;
                fs::rename(unfinished, path).map_err(fail)?;
            }
            renamed => {
                renamed.map_err(fail)?;
                drop(self.making_folders.read());
            }
        }
        // **Invariant:** `path` was made by joining, so it has a parent.
        disk::sync_folder(path.parent().expect("an object lies in a folder"))
    }

    fn make_folders(&self, account: u64) -> Result<()> {
        let _guard = self.making_folders.write();
        let folder = self.account_folder(account);
        disk::create_folder(&folder)?;
        for byte in 0..=u8::MAX {
            let inner = folder.join(hex(&[byte]));
            match fs::create_dir(&inner) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(Error::io(format!("cannot create {}", inner.display()), error));
                }
                _ => {}
            }
        }
        disk::sync_folder(&folder)
    }

    /// Reads an object into `buf`; a longer one than it has room for is damage.
    pub(super) fn get(&self, account: u64, name: &ChunkName, buf: &mut Buf) -> Result<()> {
        let path = self.path(account, name);
        let fail = |e| Error::io(format!("cannot read {}", path.display()), e);
        let mut file = File::open(&path).map_err(fail)?;
        let len = file.metadata().map_err(fail)?.len();
        if len > buf.capacity() as u64 {
            return Err(Error::corrupt(format!("{} is longer than its reference says", path.display())));
        }
        buf.set_len(len as usize);
        file.read_exact(buf).map_err(fail)
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|e| Error::io(format!("cannot list {}", folder.display()), e))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}
