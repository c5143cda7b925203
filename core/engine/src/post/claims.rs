//! Who works on what just now.
//!
//! A claim says that a worker of this process has taken something, and it goes with the process: what was under way at a
//! kill is free again at the next start, and taking it costs no commit. Were several processes to work on one store, a
//! claim would have to lie in it, with the name of the process.

use std::collections::HashMap;

use allod_model::Timestamp;
use parking_lot::Mutex;

/// Claims by name.
#[derive(Default)]
pub(crate) struct Claims(Mutex<HashMap<String, Timestamp>>);

impl Claims {
    /// Takes it until then; `false` when somebody has it.
    pub(crate) fn take(&self, id: &str, now: Timestamp, until: Timestamp) -> bool {
        let mut taken = self.0.lock();
        if taken.get(id).is_some_and(|until| *until > now) {
            return false;
        }
        taken.insert(id.to_owned(), until);
        true
    }

    /// Until when somebody has it.
    pub(crate) fn until(&self, id: &str) -> Option<Timestamp> {
        self.0.lock().get(id).copied()
    }

    /// Whether nobody has it.
    pub(crate) fn is_free(&self, id: &str, now: Timestamp) -> bool {
        self.until(id).is_none_or(|until| until <= now)
    }

    /// Gives it back, or forgets what is gone.
    pub(crate) fn give_back(&self, id: &str) {
        self.0.lock().remove(id);
    }
}
