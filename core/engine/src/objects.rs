//! Objects of a bucket: write, read, remove, copy, and what is kept with them.

use allod_model::{Path, Precondition, Result};
use bytes::Bytes;
use futures_util::Stream;

use crate::fault::todo_yet;
use crate::node::{Node, PutOptions, Written};
use crate::object::*;
use crate::read::OpenFile;
use crate::session::Session;

impl Session {
    /// As [`Session::put`], for an object: replaces what the key shows while a bucket that keeps versions keeps the old
    /// one, also when it is held. The bucket (the first name of `path`) must be there; folders below it are made.
    /// `at_end` runs once all bytes have come, before anything is visible: it may refuse, and may complete the facts
    /// (a checksum sent behind the body).
    ///
    /// # Errors
    /// As [`Session::put`]; `NotFound` without the bucket; what `at_end` returns.
    pub async fn put_object<S>(
        &self,
        path: &Path,
        options: PutOptions,
        pre: Precondition,
        body: S,
        at_end: impl FnOnce(&Arrived, &mut Object) -> Result<()> + Send,
    ) -> Result<Written>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        let _ = (path, options, pre, body, at_end);
        todo_yet()
    }

    /// Opens an object for reading; [`Node::object`] is filled.
    ///
    /// # Errors
    /// `NotFound`, with [`allod_model::Detail::DeleteMarker`] when what the key shows, or the version named, is a
    /// delete marker, and with [`allod_model::Detail::NoVersion`] when there is no such version; as [`Session::open`].
    pub async fn open_object(
        &self,
        path: &Path,
        version: Option<VersionId>,
        pre: &Precondition,
    ) -> Result<OpenFile> {
        let _ = (path, version, pre);
        todo_yet()
    }

    /// Facts of an object without opening it; [`Node::object`] is filled.
    ///
    /// # Errors
    /// As [`Session::open_object`].
    pub async fn stat_object(
        &self,
        path: &Path,
        version: Option<VersionId>,
        pre: &Precondition,
    ) -> Result<Node> {
        let _ = (path, version, pre);
        todo_yet()
    }

    /// The parts in which an object was uploaded, after the part `after`; empty when it came in one piece.
    ///
    /// # Errors
    /// As [`Session::open_object`].
    pub async fn object_parts(
        &self,
        path: &Path,
        version: Option<VersionId>,
        after: u32,
        limit: usize,
    ) -> Result<Vec<Part>> {
        let _ = (path, version, after, limit);
        todo_yet()
    }

    /// The bytes of one part of an object as a range of it, and how many parts there are; part 1 of an object that came
    /// in one piece is the whole.
    ///
    /// # Errors
    /// As [`Session::open_object`]; `InvalidContent` when there is no such part.
    pub async fn part_range(
        &self,
        path: &Path,
        version: Option<VersionId>,
        number: u32,
    ) -> Result<(crate::node::ByteRange, u32)> {
        let _ = (path, version, number);
        todo_yet()
    }

    /// Removes objects of one bucket, each judged by itself, in one commit; one outcome for each, in order. In a bucket
    /// that keeps versions, a delete without a version puts a delete marker. Removing what is not there succeeds.
    /// `bypass`: end a governance retention.
    ///
    /// # Errors
    /// For each: `Denied` (also for a version that is held), `Locked`, `PreconditionFailed`. As a whole: `TooLarge`
    /// over [`SCAN_ITEMS_MAX`] requests, `Unavailable`.
    pub async fn delete_objects(
        &self,
        requests: Vec<DeleteRequest>,
        bypass: bool,
    ) -> Result<Vec<Result<Deleted>>> {
        let _ = (requests, bypass);
        todo_yet()
    }

    /// Copies an object in one commit; the content is shared. Onto itself only with something to change. Returns the
    /// copy and the version of the source that was read.
    ///
    /// # Errors
    /// As [`Session::open_object`] for the source and [`Session::put_object`] for the destination.
    pub async fn copy_object(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
        pre: Precondition,
    ) -> Result<(Written, ObjectFacts)> {
        let _ = (from, to, options, pre);
        todo_yet()
    }

    /// Changes what is kept with a version. `bypass`: shorten or end a governance retention.
    ///
    /// # Errors
    /// As [`Session::stat_object`]; `Denied` when a retention forbids it; `InvalidContent` for a retention in the past
    /// or in a bucket without object lock.
    pub async fn change_object(
        &self,
        path: &Path,
        version: Option<VersionId>,
        change: ObjectChange,
        bypass: bool,
    ) -> Result<ObjectFacts> {
        let _ = (path, version, change, bypass);
        todo_yet()
    }
}
