//! Listing a bucket in true byte order of its keys, as one flat space.

use allod_model::{Name, Result};

use crate::fault::todo_yet;
use crate::node::Node;
use crate::object::*;
use crate::session::Session;

impl Session {
    /// Keys of a bucket in byte order; [`Node::object`] is filled. Reads no more than the page needs: whole folders are
    /// passed over where the delimiter hides what is in them.
    ///
    /// # Errors
    /// `NotFound` without the bucket.
    pub async fn scan(&self, bucket: &Name, request: ScanRequest) -> Result<Scan<Node>> {
        let _ = (bucket, request);
        todo_yet()
    }

    /// As [`Session::scan`], with every version and delete marker: keys in byte order, newest version first.
    /// `after_version`: within the key `request.after`, only what is older than this version.
    ///
    /// # Errors
    /// As [`Session::scan`].
    pub async fn scan_versions(
        &self,
        bucket: &Name,
        request: ScanRequest,
        after_version: Option<VersionId>,
    ) -> Result<Scan<ObjectVersion>> {
        let _ = (bucket, request, after_version);
        todo_yet()
    }
}
