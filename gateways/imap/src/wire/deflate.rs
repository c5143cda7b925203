//! RFC 4978: a connection whose bytes are compressed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use allod_kit::Connection;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

/// Compressed bytes that are read at once.
const READ_BYTES: usize = 4 * 1024;
/// Compressed bytes that wait to be written at most, before more are made.
const WAITING_BYTES: usize = 64 * 1024;
/// Room for what one step of the encoder makes, in bytes.
const STEP_BYTES: usize = 8 * 1024;

/// Raw deflate in both directions. What comes in is inflated into the reader's buffer and no further, so that a few
/// bytes that stand for many cost nothing until somebody asks for them.
pub(crate) struct Deflate {
    inner: Connection,
    decoder: Decompress,
    encoder: Compress,
    /// Compressed, to be inflated.
    incoming: Vec<u8>,
    /// Compressed, to be written.
    outgoing: Vec<u8>,
    /// The encoder holds something back.
    held: bool,
    ended: bool,
}

impl Deflate {
    /// From here on. `received`: what the client sent already.
    pub(crate) fn new(inner: Connection, received: Vec<u8>) -> Deflate {
        Deflate {
            inner,
            decoder: Decompress::new(false),
            encoder: Compress::new(Compression::fast(), false),
            incoming: received,
            outgoing: Vec::new(),
            held: false,
            ended: false,
        }
    }

    /// Inflates what is there; says how much came out.
    fn inflate(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<usize> {
        let (before_in, before_out) = (self.decoder.total_in(), self.decoder.total_out());
        let room = buffer.initialize_unfilled();
        let status = self.decoder.decompress(&self.incoming, room, FlushDecompress::Sync);
        let wrong = |_| io::Error::new(io::ErrorKind::InvalidData, "what came is not compressed");
        if status.map_err(wrong)? == Status::StreamEnd {
            self.ended = true;
        }
        let used = (self.decoder.total_in() - before_in) as usize;
        let made = (self.decoder.total_out() - before_out) as usize;
        self.incoming.drain(..used);
        buffer.advance(made);
        Ok(made)
    }

    fn deflate(&mut self, bytes: &[u8], flush: FlushCompress) -> io::Result<usize> {
        self.outgoing.reserve(STEP_BYTES);
        let before = self.encoder.total_in();
        self.encoder.compress_vec(bytes, &mut self.outgoing, flush).map_err(io::Error::other)?;
        Ok((self.encoder.total_in() - before) as usize)
    }

    fn poll_write_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, &self.outgoing))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.drain(..written);
        }
        self.outgoing = Vec::new();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Deflate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while buffer.remaining() > 0 && !this.ended {
            // The decoder may still hold some of what it was given before.
            if this.inflate(buffer)? > 0 {
                break;
            }
            if this.ended {
                break;
            }
            this.incoming.reserve(READ_BYTES);
            let read = poll_read_buf(Pin::new(&mut this.inner), context, &mut this.incoming);
            if this.incoming.is_empty() {
                this.incoming = Vec::new();
            }
            if ready!(read)? == 0 {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Deflate {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.outgoing.len() >= WAITING_BYTES {
            ready!(self.poll_write_out(context))?;
        }
        let mut used = 0;
        while used < bytes.len() && self.outgoing.len() < WAITING_BYTES {
            used += self.deflate(&bytes[used..], FlushCompress::None)?;
        }
        self.held = true;
        Poll::Ready(Ok(used))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.held {
            let before = self.outgoing.len();
            self.deflate(&[], FlushCompress::Sync)?;
            // There was room left: all of it is out.
            self.held = self.outgoing.len() == self.outgoing.capacity() && self.outgoing.len() > before;
        }
        ready!(self.poll_write_out(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
