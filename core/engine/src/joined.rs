//! Contents that are other contents one after the other: what an upload in parts leaves behind.
//!
//! Nothing is read or written again when parts are joined: the list of parts takes over their references. The
//! collector gives them back page by page when the joined content goes. **Invariant:** a part is never itself joined.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use allod_meta::Lookup;
use allod_model::{ContentId, Error, ErrorKind, Path, Precondition, Result};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use md5::Digest as _;

use crate::account::AccountHandle;
use crate::commit::{Commit, missing};
use crate::content::{Pieces, Reader, into_blob_error};
use crate::fault::{Res, fail};
use crate::keys::Keys;
use crate::node::ByteRange;
use crate::object::{PARTS_MAX, Part, VersionId};
use crate::reading::Records;
use crate::record::{Body, Content, StoredPart, encode};
use crate::session::Session;

/// Parts of one page of a joined content's list; a page stays well below the longest value.
pub const PAGE_PARTS: usize = 400;
/// Sets the digest of a joined content apart from that of bytes.
const DIGEST_DOMAIN: &[u8] = b"allod joined content 1\0";

/// The digest of a joined content: over the digests and sizes of its parts, not over its bytes, which are not read
/// again. So equal bytes joined from other parts have another strong entity tag, and the same parts have the same.
pub fn digest(account: &AccountHandle, parts: &[StoredPart]) -> [u8; 32] {
    let mut hasher = account.key().digest_hasher();
    hasher.update(DIGEST_DOMAIN);
    for part in parts {
        hasher.update(&part.digest);
        hasher.update(&part.size.to_be_bytes());
    }
    hasher.finish().0
}

/// MD5 over the MD5s of the parts: what S3 shows, with their number behind it, as the entity tag.
pub fn md5(parts: &[StoredPart]) -> [u8; 16] {
    let mut hasher = md5::Md5::new();
    parts.iter().for_each(|part| hasher.update(part.md5));
    hasher.finalize().into()
}

/// Writes a content that consists of `parts` and takes over one reference to each. It starts with one reference.
pub fn write(commit: &mut Commit, parts: &[StoredPart], digest: [u8; 32]) -> Res<ContentId> {
    if parts.len() > PARTS_MAX as usize {
        return Err(Error::too_large("parts of a content", PARTS_MAX.into()).into());
    }
    let id = commit.new_content();
    let (mut size, mut ends) = (0, Vec::new());
    for (page, parts) in (0..).zip(parts.chunks(PAGE_PARTS)) {
        size += parts.iter().map(|part| part.size).sum::<u64>();
        ends.push(size);
        commit.txn.put(&commit.keys.joined(id, page), &encode(&parts))?;
    }
    let body = Body::Joined { parts: parts.len() as u32, ends };
    commit.write_content(id, &Content { size, digest, body })?;
    Ok(id)
}

/// A page of a joined content's list of parts; empty behind the last.
pub fn page(rows: &impl Lookup, keys: Keys, id: ContentId, body: &Body, n: usize) -> Res<Vec<StoredPart>> {
    match body {
        Body::Joined { ends, .. } if n < ends.len() => {
            rows.record(&keys.joined(id, n as u32))?.ok_or_else(|| missing("a page of a list of parts"))
        }
        _ => Ok(Vec::new()),
    }
}

/// Parts of a content after the number `after`, ascending, up to `limit`; none when it is not joined.
pub fn joined_parts(
    rows: &impl Lookup,
    keys: Keys,
    id: ContentId,
    content: &Content,
    after: u32,
    limit: usize,
) -> Res<Vec<Part>> {
    let (mut n, mut skip) = (after as usize / PAGE_PARTS, after as usize % PAGE_PARTS);
    let mut found = Vec::new();
    while found.len() < limit {
        let parts = page(rows, keys, id, &content.body, n)?;
        if parts.is_empty() {
            break;
        }
        let first = n * PAGE_PARTS + skip + 1;
        let numbered = (first as u32..).zip(parts.into_iter().skip(skip));
        found.extend(numbered.take(limit - found.len()).map(|(number, part)| Part {
            number,
            size: part.size,
            md5: part.md5,
            checksum: part.checksum,
            modified: part.modified,
        }));
        (n, skip) = (n + 1, 0);
    }
    Ok(found)
}

/// Where a part lies in its content, and how many there are; a content that is not joined has one.
pub fn joined_range(
    rows: &impl Lookup,
    keys: Keys,
    id: ContentId,
    content: &Content,
    number: u32,
) -> Res<Option<(ByteRange, u32)>> {
    let Body::Joined { parts: count, ends } = &content.body else {
        return Ok((number == 1).then_some((ByteRange { start: 0, end: content.size }, 1)));
    };
    if number == 0 || number > *count {
        return Ok(None);
    }
    let (n, within) = ((number - 1) as usize / PAGE_PARTS, (number - 1) as usize % PAGE_PARTS);
    let parts = page(rows, keys, id, &content.body, n)?;
    let before = n.checked_sub(1).and_then(|n| ends.get(n)).copied().unwrap_or(0);
    let start = before + parts.iter().take(within).map(|part| part.size).sum::<u64>();
    let size = parts.get(within).ok_or_else(|| missing("a part in its list"))?.size;
    Ok(Some((ByteRange { start, end: start + size }, *count)))
}

impl Session {
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
        let look = || -> Res<Vec<Part>> {
            let view = self.view()?;
            let (id, content) = self.object_content(&view, path, version)?;
            joined_parts(&view, self.keys(), id, &content, after, limit.min(PARTS_MAX as usize))
        };
        Ok(look()?)
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
    ) -> Result<(ByteRange, u32)> {
        let look = || -> Res<(ByteRange, u32)> {
            let view = self.view()?;
            let (id, content) = self.object_content(&view, path, version)?;
            match joined_range(&view, self.keys(), id, &content, number)? {
                Some(found) => Ok(found),
                None => fail(ErrorKind::InvalidContent, "the object has no part of this number"),
            }
        };
        Ok(look()?)
    }

    fn object_content(
        &self,
        rows: &impl Lookup,
        path: &Path,
        version: Option<VersionId>,
    ) -> Res<(ContentId, Content)> {
        let (_, entry) = self.find_object(rows, path, version, &Precondition::default())?;
        let id = entry.file().ok_or_else(Error::not_found)?.content;
        let content = rows.record(&self.keys().content(id))?.ok_or_else(|| missing("a content's row"))?;
        Ok((id, content))
    }
}

/// Reads a joined content part by part. `whole` keeps the parts from being collected.
struct Chain {
    whole: Arc<Reader>,
    range: Range<u64>,
    /// Where the next part begins.
    at: u64,
    page: usize,
    parts: VecDeque<StoredPart>,
    part: Option<Pieces>,
}

/// The bytes of `range` of a joined content. Parts are opened one after the other, each when its turn comes.
pub fn read(whole: Arc<Reader>, range: Range<u64>) -> Pieces {
    let ends = match &whole.content.body {
        Body::Joined { ends, .. } => ends.as_slice(),
        _ => &[],
    };
    let page = ends.partition_point(|end| *end <= range.start);
    let at = page.checked_sub(1).and_then(|n| ends.get(n)).copied().unwrap_or(0);
    let chain = Chain { whole, range, at, page, parts: VecDeque::new(), part: None };
    Box::pin(stream::unfold(Some(chain), |chain| async {
        let mut chain = chain?;
        match chain.next().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(chain))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    }))
}

impl Chain {
    async fn next(&mut self) -> allod_blobs::Result<Option<Bytes>> {
        loop {
            if let Some(part) = &mut self.part {
                match part.next().await {
                    Some(piece) => return piece.map(Some),
                    None => self.part = None,
                }
            }
            if self.at >= self.range.end {
                return Ok(None);
            }
            self.part = self.open_next().map_err(into_blob_error)?;
        }
    }

    /// Opens the next part; `None` when nothing of it is asked for.
    fn open_next(&mut self) -> Res<Option<Pieces>> {
        let Reader { core, account, id, content, .. } = &*self.whole;
        let view = core.view()?;
        if self.parts.is_empty() {
            self.parts = page(&view, account.keys(), *id, &content.body, self.page)?.into();
            self.page += 1;
        }
        let part = self.parts.pop_front().ok_or_else(|| missing("a part of a joined content"))?;
        let (start, end) = (self.at, self.at + part.size);
        self.at = end;
        let from = self.range.start.max(start) - start;
        let to = self.range.end.min(end).saturating_sub(start);
        if from >= to {
            return Ok(None);
        }
        let reader = Reader::open(core, account, &view, part.content)?;
        if matches!(reader.content.body, Body::Joined { .. }) || reader.content.size != part.size {
            return fail(ErrorKind::Corrupt, "a part of a joined content is not what its list says");
        }
        if let Some(plain) = reader.inline() {
            let piece = plain?.slice(from as usize..to as usize);
            return Ok(Some(Box::pin(stream::once(async { Ok(piece) }))));
        }
        Ok(Some(reader.stream(from..to)))
    }
}
