//! Answers that are written page by page.

use std::future::Future;
use std::io;

use allod_core::Found;
use allod_kit::{ResponseBody, full_body, stream_body};
use allod_model::Error;
use bytes::Bytes;
use futures_util::stream::try_unfold;

/// Something long that is written in pages.
pub(crate) trait Pages: Send + 'static {
    /// Appends the next page, and the end after the last; whether more follow.
    fn page(&mut self, out: &mut Vec<u8>) -> impl Future<Output = Result<bool, Error>> + Send;
}

/// `head`, then all pages. What goes wrong with the first of them still gets a status of its own.
pub(crate) async fn paged(mut head: Vec<u8>, mut pages: impl Pages) -> Result<ResponseBody, Error> {
    let more = pages.page(&mut head).await?;
    Ok(if more { pages_after(head, pages) } else { full_body(head) })
}

/// `first`, then the pages that follow. A failure, or the end of the credential, cuts the connection.
pub(crate) fn pages_after(first: Vec<u8>, rest: impl Pages) -> ResponseBody {
    let pages = try_unfold((Some(first), Some(rest)), |(ready, rest)| async move {
        if let Some(ready) = ready {
            return Ok(Some((Bytes::from(ready), (None, rest))));
        }
        let Some(mut rest) = rest else { return Ok::<_, io::Error>(None) };
        let mut out = Vec::new();
        let more = rest.page(&mut out).await.map_err(io::Error::other)?;
        Ok(Some((Bytes::from(out), (None, more.then_some(rest)))))
    });
    stream_body(pages)
}

/// How many files to fetch at a time with their contents, so that a page holds a bounded number of bytes, about: of as
/// many as would have been right the last time.
pub(crate) struct Fetching {
    count: usize,
}

/// Files fetched at first.
const FETCH_FIRST: usize = 32;
/// Most files fetched at a time.
const FETCH_MAX: usize = 256;
/// Bytes fetched at a time, about.
const FETCH_BYTES: u64 = 2 * 1024 * 1024;

impl Default for Fetching {
    fn default() -> Fetching {
        Fetching { count: FETCH_FIRST }
    }
}

impl Fetching {
    /// How many to fetch.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Takes note of what came.
    pub(crate) fn learn<'a>(&mut self, found: impl Iterator<Item = &'a Found>) {
        let (files, bytes) =
            found.fold((0, 0), |(files, bytes), one| (files + 1, bytes + one.bytes.len() as u64));
        if let Some(average) = bytes.checked_div(files) {
            let count = usize::try_from(FETCH_BYTES / average.max(1)).unwrap_or(FETCH_MAX);
            self.count = count.clamp(1, FETCH_MAX);
        }
    }
}
