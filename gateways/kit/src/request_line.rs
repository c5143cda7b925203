//! A look at each request line of HTTP/1 before it is parsed.
//!
//! The parser drops a fragment from the request target without a word, so `DELETE /dir/#x` would delete `/dir/`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::watch::Activity;

/// How the HTTP/2 preface begins (RFC 9113 §3.4). No method of HTTP/1 may be called so.
const HTTP2_PREFACE: &[u8; 4] = b"PRI ";

/// A connection on which a request line with a fragment arrives as one that the parser refuses with 400.
///
/// Looked at is what comes while no request is under way, up to the end of a line: not bodies, and not what a client
/// sends ahead of an answer. **Invariant:** no byte of a body that anybody reads is changed.
pub(crate) struct StrictIo<T> {
    inner: T,
    activity: Activity,
    line: Line,
    /// How many requests had ended when `line` was begun.
    ended: u64,
    /// The connection speaks HTTP/2 and is left alone.
    is_http2: bool,
}

/// How far the request line has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Line {
    /// So many of its bytes were seen, and so many of them, from the first, are those of the HTTP/2 preface.
    Inside { seen: usize, preface: usize },
    /// Its end was seen.
    Past,
}

const BEGIN: Line = Line::Inside { seen: 0, preface: 0 };

impl<T> StrictIo<T> {
    pub(crate) fn new(inner: T, activity: Activity) -> Self {
        StrictIo { inner, activity, line: BEGIN, ended: 0, is_http2: false }
    }

    fn inspect(&mut self, bytes: &mut [u8]) {
        let Some(ended) = self.activity.ended().filter(|_| !self.is_http2) else { return };
        if ended != self.ended {
            (self.ended, self.line) = (ended, BEGIN);
        }
        self.line = self.line.advance(bytes);
        self.is_http2 = matches!(self.line, Line::Inside { preface, .. } if preface == HTTP2_PREFACE.len());
    }
}

impl Line {
    fn advance(self, bytes: &mut [u8]) -> Line {
        let Line::Inside { mut seen, mut preface } = self else { return Line::Past };
        for byte in bytes {
            match *byte {
                // RFC 9112 §2.2: empty lines before a request line are skipped.
                b'\r' | b'\n' if seen == 0 => continue,
                b'\n' => return Line::Past,
                // RFC 9112 §3.2: no form of a request target has a fragment. NUL is refused by the parser.
                b'#' => *byte = 0,
                _ => {}
            }
            if seen == preface && HTTP2_PREFACE.get(seen) == Some(byte) {
                preface += 1;
                if preface == HTTP2_PREFACE.len() {
                    break;
                }
            }
            seen += 1;
        }
        Line::Inside { seen, preface }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for StrictIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        self.inspect(&mut buffer.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for StrictIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(io: &mut StrictIo<()>, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        io.inspect(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn only_request_lines_are_changed() {
        let activity = Activity::new();
        let mut io = StrictIo::new((), activity.clone());
        assert_eq!(read(&mut io, "\r\nGET /a#b"), "\r\nGET /a\0b");
        assert_eq!(read(&mut io, "#c HTTP/1.1\r\nX: #\r\n"), "\0c HTTP/1.1\r\nX: #\r\n");
        assert_eq!(read(&mut io, "Y: #\r\n\r\n#"), "Y: #\r\n\r\n#");
        let busy = activity.enter();
        assert_eq!(read(&mut io, "a body\n# title"), "a body\n# title");
        drop(busy);
        assert_eq!(read(&mut io, "GET /# HTTP/1.1\r\n"), "GET /\0 HTTP/1.1\r\n");
    }

    #[test]
    fn http_2_is_left_alone() {
        let activity = Activity::new();
        let mut io = StrictIo::new((), activity.clone());
        assert_eq!(read(&mut io, "PR"), "PR");
        assert_eq!(read(&mut io, "I * HTTP/2.0\r\n\r\nSM\r\n\r\n#"), "I * HTTP/2.0\r\n\r\nSM\r\n\r\n#");
        drop(activity.enter());
        assert_eq!(read(&mut io, "#"), "#");
        let mut other = StrictIo::new((), Activity::new());
        assert_eq!(read(&mut other, "PROPFIND /# "), "PROPFIND /\0 ");
    }
}
