//! Uploads in parts: each part durable by itself, joined in one commit without being read again.
//!
//! Nothing of an upload under way is in the tree: it does not count against the quota, which is judged when the upload
//! is completed and, for each part, as if the part were a file of its own. What bounds it is the disk, and the time
//! after which it is given up.

use std::collections::VecDeque;
use std::ops::{Bound, ControlFlow};

use allod_meta::{KEY_BYTES_MAX, KeyRange, Lookup, View};
use allod_model::{
    Detail, Error, ErrorKind, Name, NameRule, NodeId, Path, Precondition, Result, Rights, Seq,
};

use crate::checksum::is_combinable;
use crate::commit::Commit;
use crate::core::blocking;
use crate::fault::{Res, fail};
use crate::keys::{Keys, number_at, unescape_numbered};
use crate::node::PutOptions;
use crate::object::*;
use crate::reading::Records;
use crate::record::{MultipartUpload, StoredPart, decode, encode, hex};
use crate::roll::{Met, Source};
use crate::session::Session;

/// Time for which a completed upload is remembered, in seconds.
pub const COMPLETED_SECS: i64 = 86_400;
/// Rows of the listing of uploads read at once.
const PAGE_ROWS: usize = 256;

/// An upload that was found.
pub struct UnderWay {
    /// Its row.
    pub row: Vec<u8>,
    pub number: u64,
    pub bucket: NodeId,
    pub record: MultipartUpload,
}

impl Session {
    /// Begins an upload in parts of the object `path`; `options` are those of the finished object. `checksum`: which
    /// one each part carries, and whether the object's is composite.
    ///
    /// # Errors
    /// As [`Session::put_object`]; `TooLarge` over [`UPLOADS_MAX`] uploads under way; `InvalidContent` for a checksum of
    /// the whole that cannot be found from those of the parts.
    pub async fn begin_upload(
        &self,
        path: &Path,
        options: PutOptions,
        checksum: Option<(ChecksumKind, bool)>,
    ) -> Result<UploadId> {
        let options = PutOptions { make_parents: true, raw: true, length: None, ..options };
        let check = || -> Res<()> {
            self.check_new_object(&self.view()?, path, &options.object)?;
            self.check_before_reading(path, &options, &Precondition::default())?;
            match checksum {
                Some((kind, false)) if !is_combinable(kind) => fail(
                    ErrorKind::InvalidContent,
                    "such a checksum of the whole cannot be found from the parts",
                ),
                _ => Ok(()),
            }
        };
        check().map_err(|fault| self.noted(path, fault.0))?;
        let (at, secret) = (path.clone(), self.core().0.env.random());
        self.commit(path, move |me, commit| {
            let (bucket, key) = me.upload_place(&*commit.txn, &at)?;
            let count = uploads_under_way(&*commit.txn, commit.keys)?;
            if count >= UPLOADS_MAX {
                return Err(Error::too_large("uploads under way", UPLOADS_MAX).into());
            }
            // Numbers of contents only go up, so an upload's tells its age.
            let number = commit.new_content().0;
            let record = MultipartUpload {
                secret,
                begun: commit.now,
                checksum,
                media_type: options.media_type.clone(),
                modified: options.modified,
                object: Object { written: Seq(0), parts: 0, checksum: None, ..options.object.clone() },
            };
            commit.txn.put(&commit.keys.upload(bucket, &key, number), &encode(&record))?;
            commit.txn.put(&commit.keys.upload_count(), &(count + 1).to_be_bytes())?;
            Ok(id_of(number, &secret))
        })
        .await
    }

    /// The bucket that an upload's path lies in, and the key there.
    fn upload_place(&self, rows: &impl Lookup, path: &Path) -> Res<(NodeId, Vec<u8>)> {
        let bucket = self.bucket_of(rows, path)?.node;
        let names: Vec<&[u8]> = path.names().iter().skip(1).map(Name::as_bytes).collect();
        Ok((bucket, names.join(&b'/')))
    }

    /// The upload of this id for this path.
    ///
    /// # Errors
    /// `NotFound` with `NoUpload`.
    pub(crate) fn find_upload(&self, rows: &impl Lookup, path: &Path, id: &UploadId) -> Res<UnderWay> {
        let (number, secret) = parse_id(id).ok_or_else(no_upload)?;
        let (bucket, key) = self.upload_place(rows, path)?;
        let row = self.keys().upload(bucket, &key, number);
        let record: Option<MultipartUpload> = match row.len() <= KEY_BYTES_MAX {
            true => rows.record(&row)?,
            false => None,
        };
        let record = record.filter(|record| record.secret == secret).ok_or_else(no_upload)?;
        Ok(UnderWay { row, number, bucket, record })
    }

    /// What is known of an upload.
    ///
    /// # Errors
    /// `NotFound` with [`Detail::NoUpload`].
    pub async fn upload(&self, path: &Path, id: &UploadId) -> Result<UploadFacts> {
        let look = || -> Res<UploadFacts> {
            self.scope().check_read(path)?;
            let found = self.find_upload(&self.view()?, path, id)?;
            Ok(facts(found.number, &found.record))
        };
        Ok(look()?)
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
        let look = || -> Res<(Vec<Part>, bool)> {
            self.scope().check_read(path)?;
            let view = self.view()?;
            let found = self.find_upload(&view, path, id)?;
            let prefix = self.keys().upload_parts(found.number);
            let range = KeyRange::prefix(&prefix).after(&self.keys().upload_part(found.number, after));
            let (mut parts, mut more) = (Vec::new(), false);
            view.each(&range, prefix.len(), |number, value| {
                more = parts.len() == limit.min(SCAN_ITEMS_MAX);
                if more {
                    return Ok(ControlFlow::Break(()));
                }
                parts.push(decode::<StoredPart>(value)?.numbered(part_at(number)));
                Ok(ControlFlow::Continue(()))
            })?;
            Ok((parts, more))
        };
        Ok(look()?)
    }

    /// Uploads under way in a bucket, in byte order of keys and then by age. `after_id`: within the key
    /// `request.after`, only those behind this upload. Where a page ends within a key, `next` names the key, and the
    /// last item the upload to go on behind.
    ///
    /// # Errors
    /// As [`Session::scan`].
    pub async fn uploads(
        &self,
        bucket: &Name,
        request: ScanRequest,
        after_id: Option<&UploadId>,
    ) -> Result<Scan<UploadFacts>> {
        let (me, bucket) = (self.clone(), bucket.clone());
        let behind = after_id.and_then(parse_id).map(|(number, _)| number);
        blocking(move || {
            let view = me.view()?;
            let root = me.bucket_entry(&view, &bucket)?.node;
            let mut rows = Rows::new(&me, &view, root, Path::root().join(bucket), behind);
            crate::roll::page(&mut rows, &request, |_, (number, record)| Ok(Some(facts(number, &record))))
        })
        .await
    }

    /// Gives an upload up; its parts go.
    ///
    /// # Errors
    /// As [`Session::upload`]; `Denied`.
    pub async fn abort_upload(&self, path: &Path, id: &UploadId) -> Result<()> {
        self.scope().check_write(path, Rights::Append).map_err(|e| self.noted(path, e))?;
        let (at, id) = (path.clone(), id.clone());
        self.commit_many(path, move |me, commit| {
            let found = me.find_upload(&*commit.txn, &at, &id)?;
            remove_upload(commit, &found.row, found.number, &[])
        })
        .await
    }
}

impl StoredPart {
    pub fn numbered(self, number: u32) -> Part {
        let StoredPart { size, md5, checksum, modified, .. } = self;
        Part { number, size, md5, checksum, modified }
    }
}

/// Takes an upload's rows away, in the commit that ends it. Parts that are not in `kept` (ascending) are let go of;
/// the references to the others have moved on.
pub fn remove_upload(commit: &mut Commit, row: &[u8], number: u64, kept: &[u32]) -> Res<()> {
    for (part, stored) in stored_parts(&*commit.txn, commit.keys, number)? {
        commit.txn.delete(&commit.keys.upload_part(number, part))?;
        if kept.binary_search(&part).is_err() {
            commit.release(stored.content)?;
        }
    }
    commit.txn.delete(row)?;
    let left = uploads_under_way(&*commit.txn, commit.keys)?.saturating_sub(1);
    match left {
        0 => commit.txn.delete(&commit.keys.upload_count())?,
        _ => commit.txn.put(&commit.keys.upload_count(), &left.to_be_bytes())?,
    }
    Ok(())
}

/// All parts of an upload, by number.
pub fn stored_parts(rows: &impl Lookup, keys: Keys, number: u64) -> Res<Vec<(u32, StoredPart)>> {
    let prefix = keys.upload_parts(number);
    let mut parts = Vec::new();
    rows.each(&KeyRange::prefix(&prefix), prefix.len(), |number, value| {
        parts.push((part_at(number), decode(value)?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(parts)
}

fn uploads_under_way(rows: &impl Lookup, keys: Keys) -> Res<u64> {
    Ok(rows.get(&keys.upload_count())?.and_then(|count| number_at(&count)).unwrap_or(0))
}

fn part_at(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_be_bytes)
}

fn facts(number: u64, record: &MultipartUpload) -> UploadFacts {
    UploadFacts {
        id: id_of(number, &record.secret),
        begun: record.begun,
        checksum: record.checksum,
        storage_class: record.object.storage_class.clone(),
    }
}

/// An id says which upload, and something that only its client knows.
fn id_of(number: u64, secret: &[u8; 8]) -> UploadId {
    UploadId(format!("{}{}", hex(&number.to_be_bytes()), hex(secret)))
}

pub fn parse_id(id: &UploadId) -> Option<(u64, [u8; 8])> {
    let plain = |text: &&str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let text = Some(id.0.as_str()).filter(|text| text.len() == 32).filter(plain)?;
    let (number, secret) = text.split_at_checked(16)?;
    let secret = u64::from_str_radix(secret, 16).ok()?.to_be_bytes();
    Some((u64::from_str_radix(number, 16).ok()?, secret))
}

/// There is no such upload, or it has ended.
pub fn no_upload() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such upload under way").with(Detail::NoUpload)
}

/// The rows of a bucket's uploads, as keys to be listed.
struct Rows<'a> {
    session: &'a Session,
    view: &'a View,
    bucket: NodeId,
    path: Path,
    /// Everything in the bucket may be seen.
    uniform: bool,
    /// Within the key to begin behind: only uploads behind this one.
    behind: Option<u64>,
    from: Bound<Vec<u8>>,
    page: VecDeque<(Vec<u8>, Vec<u8>)>,
    ended: bool,
    key: Vec<u8>,
    passed: Vec<u8>,
}

impl<'a> Rows<'a> {
    fn new(session: &'a Session, view: &'a View, bucket: NodeId, path: Path, behind: Option<u64>) -> Self {
        let uniform = session.scope().uniform_below(&path).is_some();
        Rows {
            session,
            view,
            bucket,
            path,
            uniform,
            behind,
            from: Bound::Unbounded,
            page: VecDeque::new(),
            ended: false,
            key: Vec::new(),
            passed: Vec::new(),
        }
    }

    fn read(&mut self) -> Res<()> {
        let prefix = self.session.keys().uploads_in(self.bucket);
        let whole = KeyRange::prefix(&prefix);
        let range = KeyRange::new(self.from.as_ref().map(Vec::as_slice), whole.to());
        let page = &mut self.page;
        self.view.each(&range, 0, |row, value| {
            page.push_back((row.to_vec(), value.to_vec()));
            Ok(if page.len() < PAGE_ROWS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        self.ended = self.page.len() < PAGE_ROWS;
        if let Some((last, _)) = self.page.back() {
            self.from = Bound::Excluded(last.clone());
        }
        Ok(())
    }

    fn is_seen(&self, key: &[u8]) -> bool {
        let granted = || {
            let key = Path::parse(key, NameRule::Raw).ok()?;
            let names = self.path.names().iter().chain(key.names()).cloned().collect();
            self.session.scope().check_read(&Path::from_names(names)).ok()
        };
        self.uniform || granted().is_some()
    }
}

impl Source for Rows<'_> {
    type Item = (u64, MultipartUpload);

    fn seek(&mut self, key: &[u8], inclusive: bool) -> Res<()> {
        let keys = self.session.keys();
        let mut row = keys.uploads_of(self.bucket, key);
        self.from = match (inclusive, self.behind.take()) {
            (true, _) => Bound::Included(row),
            (false, Some(number)) => Bound::Excluded(keys.upload(self.bucket, key, number)),
            (false, None) => {
                // Behind all rows of the key: the end of its name is 00 01.
                row.pop();
                row.push(2);
                Bound::Included(row)
            }
        };
        self.page.clear();
        self.ended = false;
        Ok(())
    }

    fn next(&mut self) -> Res<Option<Met<Self::Item>>> {
        loop {
            if self.page.is_empty() && !self.ended {
                self.read()?;
            }
            let Some((row, value)) = self.page.pop_front() else { return Ok(None) };
            let prefix = self.session.keys().uploads_in(self.bucket).len();
            let Some((key, number)) = row.get(prefix..).and_then(unescape_numbered) else { continue };
            self.key = key;
            self.passed.clone_from(&self.key);
            if self.is_seen(&self.key) {
                return Ok(Some(Met::Key((number, decode(&value)?))));
            }
        }
    }

    fn key(&self) -> &[u8] {
        &self.key
    }

    fn enter(&mut self) {}

    fn holds_keys(&mut self) -> Res<Option<bool>> {
        Ok(Some(false))
    }

    fn passed(&mut self) -> &mut Vec<u8> {
        &mut self.passed
    }
}
