//! Uploads in parts: each part durable by itself, joined in one commit without being read again.

use allod_model::{Name, Path, Precondition, Result};
use bytes::Bytes;
use futures_util::Stream;

use crate::fault::todo_yet;
use crate::node::{ByteRange, PutOptions, Written};
use crate::object::*;
use crate::session::Session;

impl Session {
    /// Begins an upload in parts of the object `path`; `options` are those of the finished object. `checksum`: which
    /// one each part carries, and whether the object's is composite.
    ///
    /// # Errors
    /// As [`Session::put_object`]; `TooLarge` with too many uploads under way.
    pub async fn begin_upload(
        &self,
        path: &Path,
        options: PutOptions,
        checksum: Option<(ChecksumKind, bool)>,
    ) -> Result<UploadId> {
        let _ = (path, options, checksum);
        todo_yet()
    }

    /// What is known of an upload.
    ///
    /// # Errors
    /// `NotFound` with [`allod_model::Detail::NoUpload`].
    pub async fn upload(&self, path: &Path, id: &UploadId) -> Result<UploadFacts> {
        let _ = (path, id);
        todo_yet()
    }

    /// Stores a part; one of the same number is replaced. `at_end` as for [`Session::put_object`]: it returns the
    /// checksum to keep with the part.
    ///
    /// # Errors
    /// As [`Session::upload`]; `TooLarge`, `OverQuota`, what `at_end` returns.
    #[allow(clippy::too_many_arguments)]
    pub async fn upload_part<S>(
        &self,
        path: &Path,
        id: &UploadId,
        number: u32,
        length: Option<u64>,
        body: S,
        at_end: impl FnOnce(&Arrived) -> Result<Option<Checksum>> + Send,
    ) -> Result<Part>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        let _ = (path, id, number, length, body, at_end);
        todo_yet()
    }

    /// Stores a part that is a range of an object (all of it when `None`). Returns the part and the source's facts.
    /// The part carries the upload's checksum, computed here.
    ///
    /// # Errors
    /// As [`Session::upload_part`]; as [`Session::open_object`] for the source; `InvalidContent` for a range beyond it.
    #[allow(clippy::too_many_arguments)]
    pub async fn copy_part(
        &self,
        path: &Path,
        id: &UploadId,
        number: u32,
        from: &Path,
        version: Option<VersionId>,
        range: Option<ByteRange>,
        source_pre: &Precondition,
    ) -> Result<(Part, ObjectFacts)> {
        let _ = (path, id, number, from, version, range, source_pre);
        todo_yet()
    }

    /// Stored parts after the number `after`, ascending, up to `limit`; and whether more follow.
    ///
    /// # Errors
    /// As [`Session::upload`].
    pub async fn parts(
        &self,
        path: &Path,
        id: &UploadId,
        after: u32,
        limit: usize,
    ) -> Result<(Vec<Part>, bool)> {
        let _ = (path, id, after, limit);
        todo_yet()
    }

    /// Uploads under way in a bucket, in byte order of keys and then by age. `after_id`: within the key
    /// `request.after`, only those behind this upload.
    ///
    /// # Errors
    /// As [`Session::scan`].
    pub async fn uploads(
        &self,
        bucket: &Name,
        request: ScanRequest,
        after_id: Option<&UploadId>,
    ) -> Result<Scan<UploadFacts>> {
        let _ = (bucket, request, after_id);
        todo_yet()
    }

    /// Joins the chosen parts into the object, in one commit. Asked again with the same parts after it succeeded, it
    /// answers the same (a client that did not hear the answer). `checksum`: the object's, as the client claims it;
    /// compared with what the parts give. `size`: likewise.
    ///
    /// # Errors
    /// As [`Session::put_object`]; `NotFound` with [`allod_model::Detail::NoUpload`]; `InvalidContent` with
    /// [`allod_model::Detail::NoPart`] (a part is missing or has another tag or checksum),
    /// [`allod_model::Detail::PartOrder`] or [`allod_model::Detail::PartTooSmall`].
    pub async fn complete_upload(
        &self,
        path: &Path,
        id: &UploadId,
        parts: Vec<PartChoice>,
        checksum: Option<Checksum>,
        size: Option<u64>,
        pre: Precondition,
    ) -> Result<Written> {
        let _ = (path, id, parts, checksum, size, pre);
        todo_yet()
    }

    /// Gives an upload up; its parts go.
    ///
    /// # Errors
    /// As [`Session::upload`].
    pub async fn abort_upload(&self, path: &Path, id: &UploadId) -> Result<()> {
        let _ = (path, id);
        todo_yet()
    }
}
