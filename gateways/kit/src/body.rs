//! Bodies: what clients send, with an end to patience, and what gateways answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Incoming;

use crate::watch::Patience;

/// The body of an answer: whole or streamed. An error cuts the connection (HTTP/2: the stream), so that the client
/// knows that the body is not complete.
pub type ResponseBody = UnsyncBoxBody<Bytes, io::Error>;

/// A body of nothing.
pub fn empty_body() -> ResponseBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that is at hand; it leaves in one segment with the head.
pub fn full_body(bytes: impl Into<Bytes>) -> ResponseBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that comes in pieces; empty pieces are left out.
pub fn stream_body<S>(pieces: S) -> ResponseBody
where
    S: Stream<Item = io::Result<Bytes>> + Send + 'static,
{
    let frames = pieces.filter_map(|piece| async move {
        match piece {
            Ok(bytes) if bytes.is_empty() => None,
            piece => Some(piece.map(Frame::data)),
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

/// Unread rest of a request's body that is read and dropped so that the answer reaches the client; in bytes.
const DRAIN_BYTES_MAX: usize = 256 * 1024;
/// Longest time for that.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// The body of a request.
///
/// A body that delivers nothing for the configured time ends with an error of kind `TimedOut`. Reading is what
/// makes HTTP/1.1 send `100 Continue`: a gateway that does not want the body answers without touching it.
///
/// A small rest that nobody read is drained in the background: otherwise the connection would be reset, and the
/// client might never see the answer.
#[derive(Debug)]
pub struct RequestBody {
    /// `None` once drained away by [`Drop`], or for a body made of nothing.
    inner: Option<Incoming>,
    patience: Patience,
    /// The client waits for `100 Continue`, and nobody has asked for the body yet.
    withheld: bool,
    ended: bool,
}

impl RequestBody {
    pub(crate) fn new(inner: Incoming, idle: Duration, expects_continue: bool) -> Self {
        let ended = inner.is_end_stream();
        RequestBody { inner: Some(inner), patience: Patience::new(idle), withheld: expects_continue, ended }
    }

    /// A body of nothing, for requests that do not come from a socket.
    pub fn empty() -> Self {
        RequestBody { inner: None, patience: Patience::new(Duration::ZERO), withheld: false, ended: true }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        this.withheld = false;
        match Pin::new(inner).poll_frame(context) {
            Poll::Ready(frame) => {
                this.patience.renew();
                this.ended = !matches!(frame, Some(Ok(_)));
                Poll::Ready(frame.map(|f| f.map_err(broken)))
            }
            Poll::Pending => {
                ready!(this.patience.poll_end(context));
                this.inner = None;
                this.ended = true;
                let silent =
                    io::Error::new(io::ErrorKind::TimedOut, "the client stopped sending its request");
                Poll::Ready(Some(Err(silent)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        // A client that waits for `100 Continue` has sent nothing; asking now would invite it to.
        if self.ended || self.withheld {
            return;
        }
        let Some(inner) = self.inner.take().filter(|inner| !inner.is_end_stream()) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(DRAIN_TIME_MAX, drain(inner)));
        }
    }
}

async fn drain(mut body: Incoming) {
    let mut rest = DRAIN_BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(left) = rest.checked_sub(length) else { return };
        rest = left;
    }
}

fn broken(error: hyper::Error) -> io::Error {
    let kind = if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        io::ErrorKind::UnexpectedEof
    } else {
        io::ErrorKind::InvalidData
    };
    io::Error::new(kind, error)
}
