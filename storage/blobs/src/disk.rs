//! The few things about folders that `std` leaves to us.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

use crate::{Error, ErrorKind, Result};

/// Makes the entries of a folder durable. Nothing to do where folders cannot be synced.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder)
            .and_then(|file| file.sync_all())
            .map_err(|e| Error::io(format!("cannot sync the folder {}", folder.display()), e))?;
    }
    Ok(())
}

/// Creates a folder and those above it, durably.
pub(crate) fn create_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = parent(folder);
    create_folder(above)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::io(format!("cannot create {}", folder.display()), error))
        }
        _ => sync_folder(above),
    }
}

/// The folder in which a path lies; relative paths lie in the current one.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Takes the lock of a folder for this process, as long as the file lives.
///
/// # Errors
/// `Unavailable` if another has it.
pub(crate) fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let fail = |e| Error::io(format!("cannot lock {}", path.display()), e);
    let file = File::options().create(true).append(true).open(&path).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::new(
            ErrorKind::Unavailable,
            format!("another process has the store in {} open", folder.display()),
        )),
        Err(TryLockError::Error(error)) => Err(fail(error)),
    }
}
