//! Reading commands: lines, literals, and the messages of APPEND, within limits.

use std::io;
use std::time::Duration;

use super::transport::Transport;
use super::{Code, Completion};
use crate::limits::{
    COMMAND_BYTES_MAX, COMMAND_TIME_MAX, DISCARD_BYTES_MAX, LINE_BYTES_MAX, LITERALS_MAX, LOGIN_BYTES_MAX,
    PAUSE_TIME_MAX,
};
use crate::syntax::append::{self, Head};
use crate::syntax::literal::{Announced, announced};
use crate::syntax::{Bad, Reading, bad, tag};

/// The client is told to send its literal.
pub(crate) const GO_AHEAD: &[u8] = b"+ Ready\r\n";

/// The reading half of a connection. Keeps nothing while nothing was sent.
pub(crate) struct Reader {
    transport: Transport,
    received: Vec<u8>,
}

/// What came.
pub(crate) enum Incoming {
    /// A whole command, without the CRLF that ends it.
    Command(Vec<u8>),
    /// APPEND or REPLACE up to its first message.
    Streamed(Head, Announced),
    /// It cannot be understood or is too long; its rest was skipped.
    Refused(Option<String>, Completion),
}

/// Why nothing more can come.
#[derive(Debug)]
pub(crate) enum ReadEnd {
    /// The connection is over.
    Gone(io::Error),
    /// It has to be ended, with these words.
    Bye(&'static str),
}

impl From<io::Error> for ReadEnd {
    fn from(error: io::Error) -> Self {
        ReadEnd::Gone(error)
    }
}

impl Reader {
    /// The reading half of `transport`.
    pub(crate) fn new(transport: Transport) -> Reader {
        Reader { transport, received: Vec::new() }
    }

    /// What was received and not yet looked at.
    pub(crate) fn received(&mut self) -> &mut Vec<u8> {
        &mut self.received
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Throws away what was received: what came before TLS must not be obeyed after it (CVE-2011-0411).
    pub(crate) fn forget(&mut self) {
        self.received = Vec::new();
    }

    /// Waits until something has been received. Cancel-safe.
    pub(crate) async fn wait(&mut self) -> io::Result<()> {
        if self.received.is_empty() { self.receive().await } else { Ok(()) }
    }

    /// Receives more. Cancel-safe.
    async fn receive(&mut self) -> io::Result<()> {
        match self.transport.read_more(&mut self.received).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Receives more, if the client does not pause for too long.
    pub(crate) async fn receive_soon(&mut self) -> io::Result<()> {
        match tokio::time::timeout(PAUSE_TIME_MAX, self.receive()).await {
            Ok(received) => received,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the client sends nothing")),
        }
    }

    /// The next line, without its CRLF. Without `\r` it is taken as well.
    pub(crate) async fn line(&mut self, bytes_max: usize) -> Result<Vec<u8>, ReadEnd> {
        let mut looked = 0;
        loop {
            if let Some(at) = self.received[looked..].iter().position(|byte| *byte == b'\n') {
                let end = looked + at;
                let mut line = self.take(end + 1);
                line.truncate(end);
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return if line.len() > bytes_max { Err(too_long()) } else { Ok(line) };
            }
            looked = self.received.len();
            if looked > bytes_max {
                return Err(too_long());
            }
            self.receive_soon().await?;
        }
    }

    /// Takes `count` bytes of what was received.
    fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.received.split_off(count);
        std::mem::replace(&mut self.received, rest)
    }

    /// Reads the next command; once logged in, its messages excepted.
    pub(crate) async fn command(&mut self, reading: Reading, logged_in: bool) -> Result<Incoming, ReadEnd> {
        match tokio::time::timeout(COMMAND_TIME_MAX, self.read_command(reading, logged_in)).await {
            Ok(read) => read,
            Err(_) => Err(ReadEnd::Bye("This command took too long")),
        }
    }

    async fn read_command(&mut self, reading: Reading, logged_in: bool) -> Result<Incoming, ReadEnd> {
        let bytes_max = if logged_in { COMMAND_BYTES_MAX } else { LOGIN_BYTES_MAX };
        let line_max = LINE_BYTES_MAX.min(bytes_max);
        let mut command = self.line(line_max).await?;
        let mut literals = 0;
        while let Some(literal) = announced(&command) {
            if logged_in && append::is_streamed(&command) {
                match append::head(&command, reading) {
                    Ok(Some(head)) => return Ok(Incoming::Streamed(head, literal)),
                    Ok(None) => {}
                    Err(bad) => return self.refuse(&command, literal, bad).await,
                }
            }
            literals += 1;
            let room = (bytes_max as u64).saturating_sub(command.len() as u64);
            if literal.size > room || literals > LITERALS_MAX {
                // RFC 7888 §4, RFC 9051 §7.1: the command is too long to be held.
                let bad = bad("This command is too long").with(Code::TOO_BIG);
                return self.refuse(&command, literal, bad).await;
            }
            if !literal.without_waiting {
                self.transport.write(GO_AHEAD).await?;
            }
            command.extend_from_slice(b"\r\n");
            self.literal(literal.size as usize, &mut command).await?;
            // What follows a literal begins a line of its own: `{3}` in it is another announcement.
            let line = self.line(line_max).await?;
            if command.len() + line.len() > bytes_max {
                return Err(too_long());
            }
            let ends = announced(&line).is_none();
            command.extend_from_slice(&line);
            if ends {
                break;
            }
        }
        Ok(Incoming::Command(command))
    }

    async fn literal(&mut self, size: usize, command: &mut Vec<u8>) -> io::Result<()> {
        let mut left = size;
        while left > 0 {
            if self.received.is_empty() {
                self.receive_soon().await?;
            }
            let piece = self.take(left.min(self.received.len()));
            left -= piece.len();
            command.extend_from_slice(&piece);
        }
        Ok(())
    }

    async fn refuse(&mut self, command: &[u8], literal: Announced, bad: Bad) -> Result<Incoming, ReadEnd> {
        let tag = tag(command);
        self.skip_command(Some(literal)).await?;
        Ok(Incoming::Refused(tag, bad))
    }

    /// Skips the rest of a command that was refused where it announced `literal`. A client that waits for leave to send
    /// it will not: for it the command is over.
    pub(crate) async fn skip_command(&mut self, literal: Option<Announced>) -> Result<(), ReadEnd> {
        let mut next = literal;
        while let Some(literal) = next {
            if !literal.without_waiting {
                return Ok(());
            }
            self.skip(literal.size).await?;
            next = announced(&self.line(LINE_BYTES_MAX).await?);
        }
        Ok(())
    }

    /// Skips what the client has sent or will send without being asked.
    pub(crate) async fn skip(&mut self, size: u64) -> Result<(), ReadEnd> {
        // RFC 7888 §4: a literal too large to be thrown away ends the connection.
        if size > DISCARD_BYTES_MAX {
            return Err(ReadEnd::Bye("This literal is too large"));
        }
        let mut left = size as usize;
        while left > 0 {
            if self.received.is_empty() {
                self.receive_soon().await?;
            }
            left -= self.take(left.min(self.received.len())).len();
        }
        Ok(())
    }

    /// Skips what comes until the client has closed its side or `time` is over, so that its last answer is not lost
    /// to a reset.
    pub(crate) async fn drain(&mut self, time: Duration) {
        let drain = async {
            while self.receive().await.is_ok() {
                self.received.clear();
            }
        };
        let _ = tokio::time::timeout(time, drain).await;
    }
}

fn too_long() -> ReadEnd {
    ReadEnd::Bye("This line is too long")
}
