//! The connection's bytes, shared by its reading and its writing half.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use allod_kit::Connection;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Longest time that the client may take nothing of an answer.
const TAKES_NOTHING_MAX: Duration = Duration::from_secs(120);

/// A connection that can be exchanged under both halves: STARTTLS, COMPRESS. One task owns both, so the lock never
/// waits.
#[derive(Clone)]
pub(crate) struct Transport(Arc<Mutex<Io>>);

/// What carries the bytes.
pub(crate) enum Io {
    /// A socket, plain or by TLS.
    Socket(Connection),
    /// Tests.
    #[cfg(test)]
    Memory(tokio::io::DuplexStream),
}

impl Transport {
    /// Over `io`.
    pub(crate) fn new(io: Io) -> Transport {
        Transport(Arc::new(Mutex::new(io)))
    }

    /// Reads what there is; 0 at the end. Cancel-safe.
    ///
    /// # Errors
    /// Whatever the connection says.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        std::future::poll_fn(|context| {
            let mut read = ReadBuf::new(buffer);
            match self.0.lock().poll_read(context, &mut read) {
                Poll::Ready(Ok(())) => Poll::Ready(Ok(read.filled().len())),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Writes all of it and has it leave.
    ///
    /// # Errors
    /// Whatever the connection says; `TimedOut` when the client takes nothing.
    pub(crate) async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let write = std::future::poll_fn(|context| self.0.lock().poll_write(context, bytes));
            let written = patient(write).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[written..];
        }
        patient(std::future::poll_fn(|context| self.0.lock().poll_flush(context))).await
    }
}

async fn patient<T>(write: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(TAKES_NOTHING_MAX, write).await {
        Ok(written) => written,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")),
    }
}

impl Io {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Io::Socket(io) => Pin::new(io).poll_read(context, buffer),
            #[cfg(test)]
            Io::Memory(io) => Pin::new(io).poll_read(context, buffer),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Io::Socket(io) => Pin::new(io).poll_write(context, bytes),
            #[cfg(test)]
            Io::Memory(io) => Pin::new(io).poll_write(context, bytes),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Io::Socket(io) => Pin::new(io).poll_flush(context),
            #[cfg(test)]
            Io::Memory(io) => Pin::new(io).poll_flush(context),
        }
    }
}
