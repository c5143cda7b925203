//! What the engines on disk have in common: a handle that an error can make useless, and that is
//! then opened anew.
//!
//! Embedded engines refuse everything after an input or output error until they are opened again,
//! so a disk that was full for a moment would end the service. Here the next call opens the files
//! anew: what was acknowledged is there, the failed group is there whole or not at all.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parking_lot::{Mutex, RwLock};

use super::DirLock;
use crate::{Error, ErrorKind};

/// An opened database of some engine.
pub(crate) trait Handle: Send + Sync + 'static {
    /// Whether this process can open the files again after an error.
    const REVIVES: bool = true;

    /// Whether an error has made the handle useless.
    fn is_broken(&self) -> bool;

    /// Remembers that it has.
    fn set_broken(&self);

    /// Closes the files in good order.
    fn shut(self) -> Result<(), Error>;
}

/// What went wrong, and whether the handle can still be used.
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) handle_lost: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure { error, handle_lost: false }
    }
}

/// A handle and the way to get another one.
pub(crate) struct Revivable<H> {
    state: RwLock<State<H>>,
    open: Box<dyn Fn() -> Result<H, Error> + Send + Sync>,
    /// Given back after the handle.
    lock: Mutex<Option<DirLock>>,
}

enum State<H> {
    Open(H),
    Lost,
    Closed,
}

impl<H: Handle> Revivable<H> {
    /// Opens the first handle. The lock is held until the database is closed.
    pub(crate) fn open(
        lock: Option<DirLock>,
        open: impl Fn() -> Result<H, Error> + Send + Sync + 'static,
    ) -> Result<Revivable<H>, Error> {
        let first = open()?;
        Ok(Revivable { state: RwLock::new(State::Open(first)), open: Box::new(open), lock: Mutex::new(lock) })
    }

    /// Runs `action` on the open handle, which is replaced first if it is broken.
    pub(crate) fn with<T>(&self, action: impl FnOnce(&H) -> Result<T, Failure>) -> Result<T, Error> {
        self.revive()?;
        match &*self.state.read() {
            State::Open(handle) => guarded(|| action(handle)).map_err(|Failure { error, handle_lost }| {
                if handle_lost {
                    tracing::warn!(%error, "the database will be opened again");
                    handle.set_broken();
                }
                error
            }),
            State::Lost => Err(Error::new(ErrorKind::Unavailable, "the database is being opened again")),
            State::Closed => Err(Error::new(ErrorKind::Unavailable, "the database is closed")),
        }
    }

    fn revive(&self) -> Result<(), Error> {
        let sound = |state: &State<H>| match state {
            State::Open(handle) => !handle.is_broken(),
            State::Lost => false,
            State::Closed => true,
        };
        if sound(&self.state.read()) {
            return Ok(());
        }
        if !H::REVIVES {
            let message = "an error has made the database useless until the process is started again";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        let mut state = self.state.write();
        if sound(&state) {
            return Ok(());
        }
        let former = std::mem::replace(&mut *state, State::Lost);
        // Its lock must be gone before the next one is opened; its destructor may meet the same
        // broken disk.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(former)));
        *state = State::Open(self.open_guarded()?);
        Ok(())
    }

    fn open_guarded(&self) -> Result<H, Error> {
        guarded(|| Ok((self.open)()?)).map_err(|failure| failure.error)
    }

    /// Closes the handle; further calls of [`Revivable::with`] are `Unavailable`.
    pub(crate) fn close(&self) -> Result<(), Error> {
        let shut = match std::mem::replace(&mut *self.state.write(), State::Closed) {
            State::Open(handle) => guarded(|| Ok(handle.shut()?)).map_err(|failure| failure.error),
            State::Lost | State::Closed => Ok(()),
        };
        self.lock.lock().take();
        shut
    }
}

/// Runs a piece of an engine. On a damaged file engines may panic, which is an answer like any other.
pub(crate) fn guarded<T>(action: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(action)).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        let error = Error::new(ErrorKind::Corrupt, format!("the engine has panicked: {message}"));
        Err(Failure { error, handle_lost: true })
    })
}
