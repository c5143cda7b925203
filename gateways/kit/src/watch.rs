//! Watching connections: which are idle, and which no longer take what they asked for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::ResponseBody;

/// How busy one connection is.
#[derive(Clone)]
pub(crate) struct Activity(Arc<Mutex<State>>);

struct State {
    requests: usize,
    ended: u64,
    idle_since: Instant,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Activity(Arc::new(Mutex::new(State { requests: 0, ended: 0, idle_since: Instant::now() })))
    }

    /// Counts a request until the guard is dropped.
    pub(crate) fn enter(&self) -> Busy {
        self.0.lock().requests += 1;
        Busy(self.clone())
    }

    /// How many requests have ended; `None` while one is under way.
    pub(crate) fn ended(&self) -> Option<u64> {
        let state = self.0.lock();
        (state.requests == 0).then_some(state.ended)
    }

    /// Resolves once no request has been under way for `limit`.
    pub(crate) async fn idle_for(&self, limit: Duration) {
        loop {
            let rest = {
                let state = self.0.lock();
                match state.requests {
                    0 => limit.saturating_sub(state.idle_since.elapsed()),
                    _ => limit,
                }
            };
            if rest.is_zero() {
                return;
            }
            tokio::time::sleep(rest).await;
        }
    }
}

/// A request under way.
pub(crate) struct Busy(Activity);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        state.requests -= 1;
        state.ended += 1;
        state.idle_since = Instant::now();
    }
}

/// The body of an answer; its request is under way until it has been sent.
pub(crate) struct BusyBody {
    pub(crate) inner: ResponseBody,
    pub(crate) _busy: Busy,
}

impl Body for BusyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Measures how long somebody has kept us waiting. Made to cost next to nothing while things move: the timer is kept
/// and looks at the clock again only when it goes off.
#[derive(Debug)]
pub(crate) struct Patience {
    limit: Duration,
    /// When the present wait began; `None` while there is none.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Patience { limit, since: None, timer: None }
    }

    /// Something moved.
    pub(crate) fn renew(&mut self) {
        self.since = None;
    }

    /// Nothing moved: ready once that has lasted for the limit.
    pub(crate) fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let end = *self.since.get_or_insert_with(Instant::now) + self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() >= end {
                return Poll::Ready(());
            }
            timer.as_mut().reset(end);
        }
    }
}

/// A connection that fails with `TimedOut` when the other end takes nothing for `limit` although there is something
/// to send.
pub(crate) struct PatientIo<T> {
    inner: T,
    patience: Patience,
}

impl<T> PatientIo<T> {
    pub(crate) fn new(inner: T, limit: Duration) -> Self {
        PatientIo { inner, patience: Patience::new(limit) }
    }

    fn judge<R>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.patience.renew();
            return written;
        }
        ready!(self.patience.poll_end(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for PatientIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for PatientIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.judge(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.judge(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.judge(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(context);
        self.judge(context, shut)
    }
}
