//! Contents: from a stream to rows and chunks, and back.

use std::sync::Arc;

use allod_blobs::{ChunkIndex, ChunkName, ChunkRef, ChunkSource, Placement, Stored};
use allod_meta::Lookup;
use allod_model::{ContentId, Error, ErrorKind};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use parking_lot::Mutex;

use crate::account::AccountHandle;
use crate::commit::{Commit, missing};
use crate::core::Core;
use crate::fault::{Fault, Res};
use crate::reading::Records;
use crate::record::{Body, Chunk, ChunkPart, Content, decode, encode};

/// Chunk lists up to this length stay in the content's row.
const FEW_CHUNKS_MAX: usize = 64;
/// Parts of one page of a chunk list; what the writer gives, and well below the longest value.
const PAGE_PARTS_MAX: usize = 1500;

/// The index that a writer of content asks, and what is to be undone when the upload comes to nothing.
///
/// Holds its pins until dropped: keep it until the commit is durable.
pub struct Upload {
    core: Core,
    account: Arc<AccountHandle>,
    pinned: Mutex<Vec<ChunkName>>,
    /// Shared with the transactions that register pages: an upload that is dropped during one still knows its content.
    registered: Arc<Mutex<Option<(ContentId, u32)>>>,
}

impl Upload {
    pub fn new(core: Core, account: Arc<AccountHandle>) -> Arc<Self> {
        Arc::new(Upload { core, account, pinned: Mutex::default(), registered: Arc::default() })
    }

    /// Writes the rows of a finished content into the commit that uses it. The content starts with one reference.
    pub fn record(
        &self,
        commit: &mut Commit,
        size: u64,
        digest: [u8; 32],
        stored: &Stored,
    ) -> Res<ContentId> {
        let registered = *self.registered.lock();
        let id = registered.map_or_else(|| commit.new_content(), |(id, _)| id);
        let body = match stored {
            Stored::Inline { plain } => {
                let content = commit.account.inline_content(id, plain);
                commit.write_content(id, &content)?;
                return Ok(id);
            }
            Stored::Chunks { last_page } => {
                let parts = claim_chunks(commit, last_page)?;
                match registered {
                    None if parts.len() <= FEW_CHUNKS_MAX => Body::Few(parts),
                    None => {
                        write_page(commit, id, 0, &parts)?;
                        Body::Paged(1)
                    }
                    Some((_, pages)) => {
                        write_page(commit, id, pages, &parts)?;
                        commit.txn.delete(&commit.keys.pending(id))?;
                        Body::Paged(pages + 1)
                    }
                }
            }
        };
        commit.write_content(id, &Content { size, digest, body })?;
        Ok(id)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let id = self.account.id();
        self.core.0.pins.unpin(id, self.pinned.get_mut());
        if let Some((content, _)) = &*self.registered.lock() {
            // The row in `W` stays when the upload came to nothing; the collector undoes its pages.
            self.core.0.pins.end_upload(id, *content);
        }
    }
}

#[async_trait]
impl ChunkIndex for Upload {
    async fn claim(&self, name: &ChunkName) -> allod_blobs::Result<Option<Placement>> {
        self.core.0.pins.pin(self.account.id(), *name).await;
        self.pinned.lock().push(*name);
        let row = self.account.keys().chunk(&name.0);
        let found: Option<Chunk> =
            self.core.view().and_then(|view| view.record(&row)).map_err(into_blob_error)?;
        Ok(found.map(|chunk| chunk.placement))
    }

    async fn page(&self, refs: Vec<ChunkRef>) -> allod_blobs::Result<()> {
        let known = *self.registered.lock();
        let (account, now) = (self.account.clone(), self.core.0.env.now());
        let (pins, registered) = (self.core.clone(), self.registered.clone());
        let outcome = self
            .core
            .transact(self.account.shard(), move |txn| {
                let mut commit = Commit::begin(txn, &account, now)?;
                let (id, page) = known.unwrap_or_else(|| (commit.new_content(), 0));
                // Before the row can be seen: the collector must not take it for an abandoned one.
                pins.0.pins.begin_upload(account.id(), id);
                *registered.lock() = Some((id, page));
                commit.txn.put(&commit.keys.pending(id), &now.0.to_be_bytes())?;
                let parts = claim_chunks(&mut commit, &refs)?;
                write_page(&mut commit, id, page, &parts)?;
                commit.finish_quietly()?;
                Ok((id, page + 1))
            })
            .await;
        let next = outcome.map_err(|error| into_blob_error(Fault(error)))?;
        *self.registered.lock() = Some(next);
        Ok(())
    }
}

/// Counts one more reference on each chunk, and writes the row of those that are new.
fn claim_chunks(commit: &mut Commit, refs: &[ChunkRef]) -> Res<Vec<ChunkPart>> {
    refs.iter()
        .map(|chunk| {
            let row = commit.keys.chunk(&chunk.name.0);
            let known: Option<Chunk> = commit.txn.record(&row)?;
            let record = match known {
                Some(known) => Chunk { refs: known.refs + 1, ..known },
                None => Chunk { refs: 1, placement: chunk.placement },
            };
            commit.txn.put(&row, &encode(&record))?;
            Ok((chunk.name.0, chunk.plain_len))
        })
        .collect()
}

fn write_page(commit: &mut Commit, id: ContentId, page: u32, parts: &[ChunkPart]) -> Res<()> {
    if parts.len() > PAGE_PARTS_MAX {
        return Err(Error::too_large("chunks of a page", PAGE_PARTS_MAX as u64).into());
    }
    Ok(commit.txn.put(&commit.keys.manifest(id, page), &encode(&parts))?)
}

/// All chunks of a page of a content's list; `None` behind the last page.
pub fn page(
    rows: &impl Lookup,
    account: &AccountHandle,
    id: ContentId,
    body: &Body,
    n: u32,
) -> Res<Option<Vec<ChunkPart>>> {
    match body {
        Body::Inline(_) => Ok(None),
        Body::Few(parts) => Ok((n == 0).then(|| parts.clone())),
        Body::Paged(pages) if n < *pages => {
            let row = rows
                .get(&account.keys().manifest(id, n))?
                .ok_or_else(|| missing("a page of a chunk list"))?;
            Ok(Some(decode(&row)?))
        }
        Body::Paged(_) | Body::Joined { .. } => Ok(None),
    }
}

/// Bytes of a content, in order.
pub type Pieces = std::pin::Pin<Box<dyn futures_util::Stream<Item = allod_blobs::Result<Bytes>> + Send>>;

/// An open content: it stays readable while this lives.
pub struct Reader {
    pub core: Core,
    pub account: Arc<AccountHandle>,
    pub id: ContentId,
    pub content: Content,
    moment: u64,
}

impl Reader {
    /// Opens a content.
    ///
    /// # Errors
    /// `Corrupt` when its row is missing.
    pub fn open(
        core: &Core,
        account: &Arc<AccountHandle>,
        view: &impl Lookup,
        id: ContentId,
    ) -> Res<Arc<Reader>> {
        let moment = core.0.pins.begin_reading(account.id(), id);
        let content: Res<Option<Content>> = view.record(&account.keys().content(id));
        let content = match content {
            Ok(Some(content)) => content,
            other => {
                core.0.pins.end_reading(account.id(), id, moment);
                return Err(other.err().unwrap_or_else(|| missing("a content's row")));
            }
        };
        Ok(Arc::new(Reader { core: core.clone(), account: account.clone(), id, content, moment }))
    }

    /// The whole content, when it lies in its row.
    pub fn inline(&self) -> Option<Res<Bytes>> {
        match &self.content.body {
            Body::Inline(_) => Some(self.account.open_inline(self.id, &self.content).map(Bytes::from)),
            _ => None,
        }
    }

    /// The whole content in memory; the caller has bounded its size.
    pub async fn whole(self: Arc<Self>) -> allod_model::Result<Vec<u8>> {
        if let Some(plain) = self.inline() {
            return Ok(plain?.to_vec());
        }
        let size = self.content.size;
        let mut pieces = std::pin::pin!(self.stream(0..size));
        let mut whole = Vec::with_capacity(size as usize);
        while let Some(piece) = pieces.next().await {
            whole.extend_from_slice(&piece.map_err(Fault::from)?);
        }
        Ok(whole)
    }

    /// A stream over a part of the content.
    pub fn stream(self: Arc<Self>, range: std::ops::Range<u64>) -> Pieces {
        if matches!(self.content.body, Body::Joined { .. }) {
            return crate::joined::read(self, range);
        }
        let (blobs, account, size) = (self.core.0.blobs.clone(), self.account.clone(), self.content.size);
        Box::pin(blobs.reader(account.id().0, account.key().clone(), self, size, range))
    }

    /// The page that holds `offset`, and where it begins.
    fn page_at(&self, offset: u64) -> Res<(usize, u64)> {
        let view = self.core.view()?;
        let (mut n, mut start) = (0, 0);
        while let Some(parts) = page(&view, &self.account, self.id, &self.content.body, n)? {
            let end = start + parts.iter().map(|(_, len)| u64::from(*len)).sum::<u64>();
            if offset < end {
                break;
            }
            (n, start) = (n + 1, end);
        }
        Ok((n as usize, start))
    }

    fn refs(&self, n: u32) -> Res<Vec<ChunkRef>> {
        let view = self.core.view()?;
        let Some(parts) = page(&view, &self.account, self.id, &self.content.body, n)? else {
            return Ok(Vec::new());
        };
        parts.into_iter().map(|part| chunk_ref(&view, &self.account, part)).collect()
    }
}

/// Where a chunk lies now; the index knows, since packs are rewritten.
pub fn chunk_ref(rows: &impl Lookup, account: &AccountHandle, part: ChunkPart) -> Res<ChunkRef> {
    let (name, plain_len) = part;
    let chunk: Option<Chunk> = rows.record(&account.keys().chunk(&name))?;
    let placement = chunk.ok_or_else(|| missing("a chunk's row"))?.placement;
    Ok(ChunkRef { name: ChunkName(name), plain_len, placement, fresh: false })
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.core.0.pins.end_reading(self.account.id(), self.id, self.moment);
    }
}

#[async_trait]
impl ChunkSource for Reader {
    async fn page(&self, n: usize) -> allod_blobs::Result<Vec<ChunkRef>> {
        self.refs(u32::try_from(n).unwrap_or(u32::MAX)).map_err(into_blob_error)
    }

    async fn find(&self, offset: u64) -> allod_blobs::Result<(usize, u64)> {
        self.page_at(offset).map_err(into_blob_error)
    }
}

pub fn into_blob_error(fault: Fault) -> allod_blobs::Error {
    let kind = match fault.0.kind {
        ErrorKind::Corrupt => allod_blobs::ErrorKind::Corrupt,
        ErrorKind::OverQuota => allod_blobs::ErrorKind::NoSpace,
        ErrorKind::TooLarge => allod_blobs::ErrorKind::TooLarge,
        _ => allod_blobs::ErrorKind::Unavailable,
    };
    allod_blobs::Error::new(kind, fault.0.message)
}
