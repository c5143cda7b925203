//! The bytes of a connection in both directions: lines with their limits, messages, answers that wait for each other.

mod body;

use std::io;
use std::time::Duration;

use allod_kit::{Connection, StartTls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use crate::limits::{ANSWERS_BYTES_MAX, DISCARD_BYTES_MAX, Times, WRITE_TIME_MAX};
use crate::reply::Reply;

pub(crate) use body::{Arriving, Flaw, has_bare};

/// What is read at once, in bytes.
const READ_BYTES: usize = 16 << 10;

/// A connection.
pub(crate) struct Wire {
    io: Option<Connection>,
    received: Vec<u8>,
    /// How much of it was looked at.
    at: usize,
    answers: Vec<u8>,
    times: Times,
}

/// Why nothing more can come.
#[derive(Debug)]
pub(crate) enum WireEnd {
    /// The connection is over.
    Gone(io::Error),
    /// Nothing came for too long.
    Silent,
    /// Too much came: a line, or a message behind its limit.
    TooMuch,
    /// A line does not end with CRLF, or has a CR in it: where it ends for others cannot be known.
    Bare,
}

impl From<io::Error> for WireEnd {
    fn from(error: io::Error) -> Self {
        WireEnd::Gone(error)
    }
}

impl Wire {
    /// Over a connection.
    pub(crate) fn new(connection: Connection, times: Times) -> Wire {
        Wire { io: Some(connection), received: Vec::new(), at: 0, answers: Vec::new(), times }
    }

    /// Whether it is encrypted.
    pub(crate) fn is_tls(&self) -> bool {
        self.io.as_ref().is_some_and(Connection::is_tls)
    }

    /// Whether the peer has sent more than was asked for.
    pub(crate) fn has_more(&self) -> bool {
        self.at < self.received.len()
    }

    /// Writes an answer; it leaves when the peer's next line must be waited for (RFC 2920 §3.2).
    pub(crate) fn say(&mut self, reply: &Reply) {
        reply.write(&mut self.answers);
    }

    /// Writes bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.answers.extend_from_slice(bytes);
    }

    /// Has all answers leave.
    ///
    /// # Errors
    /// When the connection is over or the peer takes nothing.
    pub(crate) async fn flush(&mut self) -> Result<(), WireEnd> {
        let answers = std::mem::take(&mut self.answers);
        let Some(io) = &mut self.io else { return Err(gone()) };
        if answers.is_empty() {
            return Ok(());
        }
        let write = async {
            io.write_all(&answers).await?;
            io.flush().await
        };
        match timeout(WRITE_TIME_MAX, write).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(WireEnd::Silent),
        }
    }

    /// The next line without its CRLF. Cancel-safe.
    ///
    /// # Errors
    /// [`WireEnd`].
    pub(crate) async fn line(&mut self, bytes_max: usize, pause: Duration) -> Result<Vec<u8>, WireEnd> {
        let end = Instant::now() + pause;
        let mut looked = self.at;
        loop {
            if let Some(length) = memchr::memchr(b'\n', &self.received[looked..]) {
                let line_end = looked + length + 1;
                let line = self.received[self.at..line_end].to_vec();
                self.at = line_end;
                if line.len() > bytes_max {
                    return Err(WireEnd::TooMuch);
                }
                return match line.strip_suffix(b"\r\n") {
                    Some(text) if !text.contains(&b'\r') => Ok(text.to_vec()),
                    _ => Err(WireEnd::Bare),
                };
            }
            if self.received.len() - self.at >= bytes_max {
                return Err(WireEnd::TooMuch);
            }
            let seen = self.received.len() - self.at;
            self.receive(end).await?;
            looked = self.at + seen;
        }
    }

    /// A message up to the dot that ends it.
    ///
    /// # Errors
    /// [`WireEnd`].
    pub(crate) async fn dotted(&mut self, message: &mut Arriving) -> Result<(), WireEnd> {
        let end = Instant::now() + self.times.data;
        loop {
            let (taken, ended) = message.take_lines(&self.received[self.at..]);
            self.at += taken;
            if ended {
                return Ok(());
            }
            if message.came() > DISCARD_BYTES_MAX {
                return Err(WireEnd::TooMuch);
            }
            self.receive(end.min(Instant::now() + self.times.data_pause)).await?;
        }
    }

    /// A chunk of so many bytes.
    ///
    /// # Errors
    /// [`WireEnd`].
    pub(crate) async fn chunk(&mut self, bytes: u64, message: &mut Arriving) -> Result<(), WireEnd> {
        if bytes > (DISCARD_BYTES_MAX - message.came().min(DISCARD_BYTES_MAX)) as u64 {
            return Err(WireEnd::TooMuch);
        }
        let end = Instant::now() + self.times.data;
        let mut left = bytes as usize;
        loop {
            let there = left.min(self.received.len() - self.at);
            message.take_chunk(&self.received[self.at..self.at + there]);
            self.at += there;
            left -= there;
            if left == 0 {
                return Ok(());
            }
            self.receive(end.min(Instant::now() + self.times.data_pause)).await?;
        }
    }

    /// Receives more behind what was not looked at. What was answered leaves before.
    async fn receive(&mut self, end: Instant) -> Result<(), WireEnd> {
        self.flush().await?;
        self.received.drain(..self.at);
        self.at = 0;
        if self.received.is_empty() {
            self.received = Vec::new();
        }
        self.received.reserve(READ_BYTES);
        let Some(io) = &mut self.io else { return Err(gone()) };
        match timeout_at(end, io.read_buf(&mut self.received)).await {
            Ok(Ok(0)) => Err(gone()),
            Ok(read) => Ok(read.map(drop)?),
            Err(_) => Err(WireEnd::Silent),
        }
    }

    /// Keeps the answers of a peer that pipelines without reading from growing.
    ///
    /// # Errors
    /// As [`Wire::flush`].
    pub(crate) async fn relieve(&mut self) -> Result<(), WireEnd> {
        if self.answers.len() > ANSWERS_BYTES_MAX { self.flush().await } else { Ok(()) }
    }

    /// Encrypts the connection (RFC 3207). What was sent ahead of the handshake, whoever sent it, is forgotten.
    ///
    /// # Errors
    /// A failed handshake.
    pub(crate) async fn encrypt(&mut self, start_tls: &StartTls) -> Result<(), WireEnd> {
        self.flush().await?;
        (self.received, self.at) = (Vec::new(), 0);
        let Some(io) = self.io.take() else { return Err(gone()) };
        self.io = Some(Box::pin(start_tls.upgrade(io)).await?);
        Ok(())
    }

    /// Says that nothing more comes, and lets the peer read it.
    pub(crate) async fn close(&mut self, drain: Duration) {
        let Some(io) = &mut self.io else { return };
        let _ = io.shutdown().await;
        let mut sink = [0; 4096];
        let drained = async { while io.read(&mut sink).await.is_ok_and(|read| read > 0) {} };
        let _ = timeout(drain, drained).await;
    }
}

fn gone() -> WireEnd {
    WireEnd::Gone(io::ErrorKind::UnexpectedEof.into())
}
