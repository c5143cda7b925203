//! Parts of uploads under way: received, or copied from an object.

use std::sync::Arc;

use allod_model::{ContentId, Error, ErrorKind, NodeId, Path, Precondition, Result, Rights};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use md5::Digest as _;
use parking_lot::Mutex;

use crate::checksum::Hasher;
use crate::commit::{Commit, missing};
use crate::content::{Reader, Upload};
use crate::fault::{Res, fail};
use crate::node::{ByteRange, PutOptions};
use crate::object::*;
use crate::objects::as_source;
use crate::put::Ready;
use crate::read::OpenFile;
use crate::reading::Records;
use crate::record::{Body, StoredPart, encode};
use crate::resolve::folder_row;
use crate::session::Session;
use crate::upload::UnderWay;

/// A part whose content is durable, on its way into the rows.
struct NewPart {
    number: u32,
    md5: [u8; 16],
    checksum: Option<Checksum>,
}

/// An object that a part is copied from.
struct Original {
    file: OpenFile,
    content: ContentId,
    digest: [u8; 32],
    joined: bool,
    md5: Option<[u8; 16]>,
    checksum: Option<Checksum>,
}

impl Session {
    /// Stores a part; one of the same number is replaced. `at_end` as for [`Session::put_object`]: it returns the
    /// checksum to keep with the part.
    ///
    /// # Errors
    /// As [`Session::upload`]; `TooLarge`, `OverQuota`, `Denied`, what `at_end` returns; `InvalidContent` for a number
    /// that is not from 1 to [`PARTS_MAX`] or a checksum of another kind than the upload's.
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
        let used = self.check_part(path, id, number, length).map_err(|fault| self.noted(path, fault.0))?.1;
        self.write_part(path, id, number, (length, used), body, at_end).await
    }

    /// What can be refused before a part is read. Returns the upload, and how much the account's files take, in bytes.
    fn check_part(
        &self,
        path: &Path,
        id: &UploadId,
        number: u32,
        length: Option<u64>,
    ) -> Res<(UnderWay, u64)> {
        self.scope().check_write(path, Rights::Append)?;
        let view = self.view()?;
        let found = self.find_upload(&view, path, id)?;
        if !(1..=PARTS_MAX).contains(&number) {
            return fail(ErrorKind::InvalidContent, format!("parts are numbered from 1 to {PARTS_MAX}"));
        }
        if length.is_some_and(|length| length > PART_BYTES_MAX) {
            return Err(Error::too_large("bytes of a part", PART_BYTES_MAX).into());
        }
        let used = folder_row(&view, self.keys(), NodeId::ROOT)?.bytes;
        self.check_room(length.unwrap_or(0), used)?;
        Ok((found, used))
    }

    /// Receives a part and keeps it. `room`: the announced length, and bytes of the account's files.
    async fn write_part<S>(
        &self,
        path: &Path,
        id: &UploadId,
        number: u32,
        room: (Option<u64>, u64),
        body: S,
        at_end: impl FnOnce(&Arrived) -> Result<Option<Checksum>> + Send,
    ) -> Result<Part>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        let upload = Upload::new(self.core().clone(), self.handle().clone());
        let (account, key) = (self.handle().id().0, self.handle().key().clone());
        let writer = self.core().0.blobs.writer(account, key, upload.clone(), true);
        let options = PutOptions { length: room.0, ..PutOptions::default() };
        let finished = self.receive(writer, &options, room.1, bounded(body)).await?;
        let checksum = at_end(&Arrived { size: finished.size, md5: finished.md5 })?;
        let md5 = finished.md5.ok_or_else(|| Error::from(missing("the MD5 of a part")))?;
        let keep = upload.clone();
        let part = self
            .keep_part(path, id, NewPart { number, md5, checksum }, move |commit| {
                let digest = finished.digest.0;
                let content = upload.record(commit, finished.size, digest, &finished.stored)?;
                Ok(Ready { content, size: finished.size, digest, md5: finished.md5 })
            })
            .await;
        // The pins must outlive the commit.
        drop(keep);
        part
    }

    /// Writes a part's row; what stood there is let go of.
    async fn keep_part(
        &self,
        path: &Path,
        id: &UploadId,
        new: NewPart,
        mut content: impl FnMut(&mut Commit) -> Res<Ready> + Send + 'static,
    ) -> Result<Part> {
        let (at, id) = (path.clone(), id.clone());
        self.commit(path, move |me, commit| {
            let found = me.find_upload(&*commit.txn, &at, &id)?;
            if let (Some((kind, _)), Some(checksum)) = (found.record.checksum, &new.checksum)
                && checksum.kind != kind
            {
                return fail(ErrorKind::InvalidContent, "the part's checksum is not of the upload's kind");
            }
            let Ready { content, size, digest, .. } = content(commit)?;
            let row = commit.keys.upload_part(found.number, new.number);
            if let Some(old) = commit.txn.record::<StoredPart>(&row)? {
                commit.release(old.content)?;
            }
            let (md5, checksum, modified) = (new.md5, new.checksum.clone(), commit.now);
            let part = StoredPart { content, size, digest, md5, checksum, modified };
            commit.txn.put(&row, &encode(&part))?;
            Ok(part.numbered(new.number))
        })
        .await
    }

    /// Stores a part that is a range of an object (all of it when `None`). Returns the part and the source's facts.
    /// The part carries the upload's checksum, computed here. A whole object is shared, not stored again.
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
        let noted = |fault: crate::fault::Fault| self.noted(path, fault.0);
        self.check_part(path, id, number, None).map_err(noted)?;
        let source = self.original(from, version, source_pre).map_err(|fault| as_source(fault.0))?;
        let facts = source.file.node.object.as_deref().cloned().ok_or_else(Error::not_found)?;
        let size = source.file.node.size;
        let range = range.unwrap_or(ByteRange { start: 0, end: size });
        if range.start > range.end || range.end > size {
            return Err(Error::new(ErrorKind::InvalidContent, "the range is not within the source"));
        }
        let length = range.end - range.start;
        let (found, used) = self.check_part(path, id, number, Some(length)).map_err(noted)?;
        let kind = found.record.checksum.map(|(kind, _)| kind);
        if length == size && !source.joined {
            return Ok((self.share_part(path, id, number, source, kind).await?, facts));
        }
        let hasher = Arc::new(Mutex::new(kind.map(Hasher::new)));
        let seen = hasher.clone();
        let body = source.file.read(Some(range)).inspect(move |piece| {
            if let (Some(hasher), Ok(piece)) = (&mut *seen.lock(), piece) {
                hasher.update(piece);
            }
        });
        let at_end = move |_: &Arrived| Ok(hasher.lock().take().map(Hasher::finish));
        let part = self.write_part(path, id, number, (Some(length), used), body, at_end).await?;
        Ok((part, facts))
    }

    fn original(&self, from: &Path, version: Option<VersionId>, pre: &Precondition) -> Res<Original> {
        let view = self.view()?;
        let (node, entry) = self.find_object(&view, from, version, pre)?;
        let file = entry.file().ok_or_else(Error::not_found)?;
        let reader = Reader::open(self.core(), self.handle(), &view, file.content)?;
        let object = file.object.as_deref();
        Ok(Original {
            content: file.content,
            digest: reader.content.digest,
            joined: matches!(reader.content.body, Body::Joined { .. }),
            md5: file.md5.filter(|_| object.is_none_or(|object| object.parts == 0)),
            checksum: object.and_then(|object| object.checksum.clone()).filter(|sum| !sum.composite),
            file: OpenFile::new(node, reader, self.clone()),
        })
    }

    /// Takes a whole content up as a part. It is read only for sums that are not known yet.
    async fn share_part(
        &self,
        path: &Path,
        id: &UploadId,
        number: u32,
        source: Original,
        kind: Option<ChecksumKind>,
    ) -> Result<Part> {
        let Original { file, content, digest, md5, checksum, .. } = source;
        let checksum = checksum.filter(|checksum| Some(checksum.kind) == kind);
        let (md5, checksum) = match md5 {
            Some(md5) if kind.is_none() || checksum.is_some() => (md5, checksum),
            _ => {
                let (mut md5, mut hasher) = (md5::Md5::new(), kind.map(Hasher::new));
                let mut pieces = file.read(None);
                while let Some(piece) = pieces.next().await {
                    let piece = piece?;
                    md5.update(&piece);
                    if let Some(hasher) = &mut hasher {
                        hasher.update(&piece);
                    }
                }
                (md5.finalize().into(), hasher.map(Hasher::finish))
            }
        };
        let size = file.node.size;
        let part = self
            .keep_part(path, id, NewPart { number, md5, checksum }, move |commit| {
                commit.retain(content)?;
                Ok(Ready { content, size, digest, md5: Some(md5) })
            })
            .await;
        // Open until it is retained, so that it does not go meanwhile.
        drop(file);
        part
    }
}

/// A body that ends with an error beyond the largest part.
fn bounded<S>(body: S) -> impl Stream<Item = Result<Bytes>> + Send + Unpin
where
    S: Stream<Item = Result<Bytes>> + Send + Unpin,
{
    let mut seen = 0;
    body.map(move |piece| {
        let piece = piece?;
        seen += piece.len() as u64;
        if seen > PART_BYTES_MAX {
            Err(Error::too_large("bytes of a part", PART_BYTES_MAX))
        } else {
            Ok(piece)
        }
    })
}
