//! Reading: references come in pages, chunks come verified, and some are read ahead.

use std::{collections::VecDeque, ops::Range, sync::Arc, vec};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    AccountKey, ChunkRef, Error, Result,
    blobs::{Inner, sealed_len_max},
    budget::Buf,
};

/// Gives the references of one content, page by page. Core implements it over its index.
#[async_trait]
pub trait ChunkSource: Send + Sync {
    /// Page `n`, from 0. Pages have any length; an empty one is behind the last.
    async fn page(&self, n: usize) -> Result<Vec<ChunkRef>>;

    /// The page to begin with for a read at `offset`, and the offset in the content of its first byte (at most
    /// `offset`). The default begins at the beginning: seeking then walks through the pages before.
    async fn find(&self, offset: u64) -> Result<(usize, u64)> {
        let _ = offset;
        Ok((0, 0))
    }
}

/// A content whose references fit in one page.
#[async_trait]
impl ChunkSource for Vec<ChunkRef> {
    async fn page(&self, n: usize) -> Result<Vec<ChunkRef>> {
        Ok(if n == 0 { self.clone() } else { Vec::new() })
    }
}

struct Reader {
    inner: Arc<Inner>,
    account: u64,
    key: AccountKey,
    source: Arc<dyn ChunkSource>,
    size: u64,
    range: Range<u64>,
    page: usize,
    refs: vec::IntoIter<ChunkRef>,
    /// Offset in the content of the first byte of the next reference.
    at: u64,
    begun: bool,
    ahead: VecDeque<Ahead>,
}

/// A chunk that is being read.
struct Ahead {
    opened: AbortOnDropHandle<Result<(Buf, Range<usize>)>>,
    /// The part of its plaintext that was asked for.
    part: Range<usize>,
}

pub(crate) fn stream(
    inner: Arc<Inner>,
    account: u64,
    key: AccountKey,
    source: Arc<dyn ChunkSource>,
    size: u64,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let reader = Reader {
        inner,
        account,
        key,
        source,
        size,
        range,
        page: 0,
        refs: Vec::new().into_iter(),
        at: 0,
        begun: false,
        ahead: VecDeque::new(),
    };
    stream::unfold(Some(reader), |reader| async {
        let mut reader = reader?;
        match reader.next().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(reader))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if !self.begun {
            self.begin().await?;
        }
        // One to hand out, and those ahead of it.
        while self.at < self.range.end && self.ahead.len() <= self.inner.read_ahead {
            if !self.read_next().await? {
                break;
            }
        }
        let Some(Ahead { opened, part }) = self.ahead.pop_front() else { return Ok(None) };
        let (buf, plain) = opened.await.map_err(Error::task)??;
        Ok(Some(Bytes::from_owner(buf).slice(plain.start + part.start..plain.start + part.end)))
    }

    async fn begin(&mut self) -> Result<()> {
        if self.range.start > self.range.end || self.range.end > self.size {
            return Err(Error::invalid(format!("{:?} is not within {} bytes", self.range, self.size)));
        }
        if self.range.is_empty() {
            self.at = self.range.end;
        } else {
            (self.page, self.at) = self.source.find(self.range.start).await?;
            if self.at > self.range.start {
                return Err(Error::invalid("the source of references begins behind what was asked for"));
            }
        }
        self.begun = true;
        Ok(())
    }

    /// Starts to read the next chunk of the range; false if the budget has no room for it now.
    async fn read_next(&mut self) -> Result<bool> {
        let chunk = self.next_in_range().await?;
        let capacity = sealed_len_max(&chunk)?;
        let buf = match self.ahead.is_empty() {
            true => self.inner.budget.buf(capacity),
            false => match self.inner.budget.try_buf(capacity) {
                Some(buf) => buf,
                None => return Ok(false),
            },
        };
        self.refs.next();
        let end = self.at + u64::from(chunk.plain_len);
        let from = self.range.start.max(self.at) - self.at;
        let to = self.range.end.min(end) - self.at;
        self.at = end;
        let fetched = self.inner.clone().fetch(self.account, self.key.clone(), chunk, buf);
        let opened = AbortOnDropHandle::new(tokio::spawn(fetched));
        self.ahead.push_back(Ahead { opened, part: from as usize..to as usize });
        Ok(true)
    }

    /// The next reference that has bytes in the range; it stays in `refs`.
    async fn next_in_range(&mut self) -> Result<ChunkRef> {
        loop {
            while let Some(chunk) = self.refs.as_slice().first() {
                let end = self.at + u64::from(chunk.plain_len);
                if end > self.size {
                    return Err(Error::corrupt("the references of a content exceed its size"));
                }
                if end > self.range.start {
                    return Ok(*chunk);
                }
                self.at = end;
                self.refs.next();
            }
            let page = self.source.page(self.page).await?;
            if page.is_empty() {
                return Err(Error::corrupt("the references of a content end before its size"));
            }
            self.page += 1;
            self.refs = page.into_iter();
        }
    }
}

#[cfg(test)]
mod tests;
