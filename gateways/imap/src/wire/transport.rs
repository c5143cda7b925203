//! The connection's bytes, shared by its reading and its writing half.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use allod_kit::Connection;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use super::deflate::Deflate;

/// Longest time that the client may take nothing of an answer.
const TAKES_NOTHING_MAX: Duration = Duration::from_secs(120);
/// What is read at once, in bytes.
const READ_BYTES: usize = 16 * 1024;

/// A connection that can be exchanged under both halves: STARTTLS, COMPRESS. One task owns both, so the lock never
/// waits.
#[derive(Clone)]
pub(crate) struct Transport(Arc<Mutex<Io>>);

/// What carries the bytes.
pub(crate) enum Io {
    /// A socket, plain or by TLS.
    Socket(Connection),
    /// RFC 4978: a socket with compression.
    Deflate(Box<Deflate>),
    /// Nothing: it is being exchanged.
    Closed,
    /// Tests.
    #[cfg(test)]
    Memory(tokio::io::DuplexStream),
}

impl Transport {
    /// Over `io`.
    pub(crate) fn new(io: Io) -> Transport {
        Transport(Arc::new(Mutex::new(io)))
    }

    /// Takes out what carries the bytes; reading and writing fail until [`Transport::put`].
    pub(crate) fn take(&self) -> Io {
        std::mem::replace(&mut self.0.lock(), Io::Closed)
    }

    /// Puts in what carries the bytes from now on.
    pub(crate) fn put(&self, io: Io) {
        *self.0.lock() = io;
    }

    /// Whether compression is on.
    pub(crate) fn is_compressed(&self) -> bool {
        matches!(*self.0.lock(), Io::Deflate(_))
    }

    /// Reads what there is behind what `buffer` holds; 0 at the end. While it waits, an empty buffer has no memory.
    pub(crate) fn poll_read_more(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        buffer.reserve(READ_BYTES);
        let read = poll_read_buf(Pin::new(&mut *self.0.lock()), context, buffer);
        if buffer.is_empty() {
            *buffer = Vec::new();
        }
        read
    }

    /// As [`Transport::poll_read_more`]. Cancel-safe.
    ///
    /// # Errors
    /// Whatever the connection says.
    pub(crate) async fn read_more(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        std::future::poll_fn(|context| self.poll_read_more(context, buffer)).await
    }

    /// Writes some of it.
    pub(crate) fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut *self.0.lock()).poll_write(context, bytes) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            other => other,
        }
    }

    /// Has leave what was written.
    pub(crate) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_flush(context)
    }

    /// Writes all of it and has it leave.
    ///
    /// # Errors
    /// Whatever the connection says; `TimedOut` when the client takes nothing.
    pub(crate) async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = patient(std::future::poll_fn(|context| self.poll_write(context, bytes))).await?;
            bytes = &bytes[written..];
        }
        patient(std::future::poll_fn(|context| self.poll_flush(context))).await
    }

    /// Says that nothing more will be written.
    ///
    /// # Errors
    /// Whatever the connection says.
    pub(crate) async fn shutdown(&self) -> io::Result<()> {
        std::future::poll_fn(|context| Pin::new(&mut *self.0.lock()).poll_shutdown(context)).await
    }
}

async fn patient<T>(write: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(TAKES_NOTHING_MAX, write).await {
        Ok(written) => written,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")),
    }
}

fn closed<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Io::Socket(io) => Pin::new(io).poll_read(context, buffer),
            Io::Deflate(io) => Pin::new(io).poll_read(context, buffer),
            Io::Closed => closed(),
            #[cfg(test)]
            Io::Memory(io) => Pin::new(io).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Io::Socket(io) => Pin::new(io).poll_write(context, bytes),
            Io::Deflate(io) => Pin::new(io).poll_write(context, bytes),
            Io::Closed => closed(),
            #[cfg(test)]
            Io::Memory(io) => Pin::new(io).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Io::Socket(io) => Pin::new(io).poll_flush(context),
            Io::Deflate(io) => Pin::new(io).poll_flush(context),
            Io::Closed => closed(),
            #[cfg(test)]
            Io::Memory(io) => Pin::new(io).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Io::Socket(io) => Pin::new(io).poll_shutdown(context),
            Io::Deflate(io) => Pin::new(io).poll_shutdown(context),
            Io::Closed => closed(),
            #[cfg(test)]
            Io::Memory(io) => Pin::new(io).poll_shutdown(context),
        }
    }
}
