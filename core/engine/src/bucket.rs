//! Buckets: the top-level plain folders whose names are legal bucket names, and what is set for them.

use allod_model::{Name, Result};

use crate::fault::todo_yet;
use crate::object::{Bucket, BucketSettings};
use crate::session::Session;

impl Session {
    /// The buckets that the session may see, in byte order of their names.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn buckets(&self) -> Result<Vec<Bucket>> {
        todo_yet()
    }

    /// One bucket.
    ///
    /// # Errors
    /// `NotFound`, also for a folder that is not a bucket and for what the session must not know of.
    pub async fn bucket(&self, name: &Name) -> Result<Bucket> {
        let _ = name;
        todo_yet()
    }

    /// Makes a bucket, with object lock (and versions) switched on if asked.
    ///
    /// # Errors
    /// `Exists`; `InvalidContent` when the name is not legal for a bucket; `Denied`.
    pub async fn create_bucket(&self, name: &Name, object_lock: bool) -> Result<()> {
        let _ = (name, object_lock);
        todo_yet()
    }

    /// Removes a bucket that holds no object, no version and no upload.
    ///
    /// # Errors
    /// `NotFound`, `NotEmpty`, `Denied`, `Locked`.
    pub async fn delete_bucket(&self, name: &Name) -> Result<()> {
        let _ = name;
        todo_yet()
    }

    /// Changes what is set for a bucket: `change` gets the settings as they are and leaves them as they shall be. It
    /// may run more than once. Object lock cannot be switched off, nor versions while it is on.
    ///
    /// # Errors
    /// `NotFound`, `Denied`; `InvalidContent` for what cannot be; what `change` returns; `TooLarge`.
    pub async fn change_bucket(
        &self,
        name: &Name,
        change: impl FnMut(&mut BucketSettings) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let _ = (name, change);
        todo_yet()
    }
}
