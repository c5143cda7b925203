//! The messages of APPEND and REPLACE, as they come.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use allod_model::{Error, ErrorKind};
use bytes::Bytes;
use futures_util::Stream;
use tokio::time::{Instant, Sleep};

use super::Abort;
use super::reader::{GO_AHEAD, ReadEnd, Reader};
use crate::limits::{LINE_BYTES_MAX, PAUSE_TIME_MAX};
use crate::syntax::append;
use crate::syntax::ast::Message;
use crate::syntax::literal::{Announced, announced};

/// The messages that follow APPEND or REPLACE, one after the other. Nothing is held: they come at the pace in which
/// they are read. For any other command there are none.
pub(crate) struct Literals<'a> {
    reader: &'a mut Reader,
    state: State,
    /// Why the connection cannot go on, once that is known.
    end: Option<ReadEnd>,
}

/// Where in the command the client is.
enum State {
    /// Before the bytes of this message; it was not handed out yet.
    Announced(Message, Announced),
    /// In the bytes of a message.
    Within(Within),
    /// After the command.
    Over,
}

struct Within {
    /// Bytes to come.
    left: u64,
    /// The client waits for leave to send them, of which so much was not said yet.
    unsaid: &'static [u8],
    /// Whether leave still has to be flushed.
    unflushed: bool,
    /// A `)` closes the message (RFC 6855 §4).
    utf8: bool,
}

impl Within {
    fn is_begun(&self) -> bool {
        self.unsaid.len() < GO_AHEAD.len()
    }
}

impl<'a> Literals<'a> {
    /// No messages: another command.
    pub(crate) fn none(reader: &'a mut Reader) -> Literals<'a> {
        Literals { reader, state: State::Over, end: None }
    }

    /// Beginning with this one.
    pub(crate) fn begin(reader: &'a mut Reader, first: Message, literal: Announced) -> Literals<'a> {
        Literals { reader, state: State::Announced(first, literal), end: None }
    }

    /// The next message: what precedes its bytes. `None` after the last. Bytes of the one before that were not read
    /// are skipped.
    ///
    /// # Errors
    /// [`Abort::Answer`] with BAD when the command goes on in a way that cannot be read: it must store nothing then;
    /// [`Abort::Gone`].
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, Abort> {
        if let State::Within(_) = self.state {
            self.end_message().await?;
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Announced(message, literal) => {
                let unsaid = if literal.without_waiting { b"" } else { GO_AHEAD };
                let within = Within { left: message.size, unsaid, unflushed: false, utf8: message.utf8 };
                self.state = State::Within(within);
                Ok(Some(message))
            }
            _ => Ok(None),
        }
    }

    /// Reads on behind a message's bytes.
    async fn end_message(&mut self) -> Result<(), Abort> {
        while std::future::poll_fn(|context| self.poll_piece(context)).await.transpose()?.is_some() {}
        let State::Within(Within { utf8, .. }) = self.state else { return Ok(()) };
        self.state = State::Over;
        let line = self.reader.line(LINE_BYTES_MAX).await.map_err(|end| self.over(end))?;
        let literal = announced(&line);
        match (append::tail(&line, utf8), literal) {
            (Ok(Some(message)), Some(literal)) => self.state = State::Announced(message, literal),
            (Ok(_), _) => {}
            (Err(bad), literal) => {
                self.reader.skip_command(literal).await.map_err(|end| self.over(end))?;
                return Err(bad.into());
            }
        }
        Ok(())
    }

    fn over(&mut self, end: ReadEnd) -> Abort {
        self.end = Some(end);
        Abort::Gone(std::io::ErrorKind::ConnectionAborted.into())
    }

    /// The bytes of the message that [`Literals::next`] gave. The client is asked for them when the first is polled:
    /// who refuses before that gets none of them sent. An item that is an error (`Unavailable`) says that the
    /// connection ended before them.
    pub(crate) fn bytes(&mut self) -> MessageBytes<'_, 'a> {
        MessageBytes { literals: self, pause: None }
    }

    /// Skips what is left of the command, so that the next one can be read.
    ///
    /// # Errors
    /// The connection has to end.
    pub(crate) async fn finish(mut self) -> Result<(), ReadEnd> {
        if let Some(end) = self.end.take() {
            return Err(end);
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Announced(_, literal) => self.reader.skip_command(Some(literal)).await,
            // It was refused, and the client waits: for it the command is over.
            State::Within(within) if !within.unsaid.is_empty() && !within.is_begun() => Ok(()),
            State::Within(within) => {
                let rest = Announced { start: 0, size: within.left, without_waiting: true };
                self.reader.skip_command(Some(rest)).await
            }
            State::Over => Ok(()),
        }
    }

    /// The next piece of a message's bytes.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<std::io::Result<Bytes>>> {
        let State::Within(within) = &mut self.state else { return Poll::Ready(None) };
        let transport = self.reader.transport().clone();
        while !within.unsaid.is_empty() {
            match ready!(transport.poll_write(context, within.unsaid)) {
                Ok(written) => within.unsaid = &within.unsaid[written..],
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            within.unflushed = true;
        }
        if within.unflushed {
            if let Err(error) = ready!(transport.poll_flush(context)) {
                return Poll::Ready(Some(Err(error)));
            }
            within.unflushed = false;
        }
        if within.left == 0 {
            return Poll::Ready(None);
        }
        let received = self.reader.received();
        if received.is_empty() {
            match ready!(transport.poll_read_more(context, received)) {
                Ok(0) => return Poll::Ready(Some(Err(std::io::ErrorKind::UnexpectedEof.into()))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        let count = usize::try_from(within.left).unwrap_or(usize::MAX).min(received.len());
        let rest = received.split_off(count);
        let piece = std::mem::replace(received, rest);
        within.left -= count as u64;
        Poll::Ready(Some(Ok(piece.into())))
    }
}

/// A stream of exactly [`Message::size`] bytes.
pub(crate) struct MessageBytes<'a, 'b> {
    literals: &'a mut Literals<'b>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl MessageBytes<'_, '_> {
    /// Whether the client has paused for too long.
    fn poll_pause(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(PAUSE_TIME_MAX)));
        pause.as_mut().poll(context)
    }

    fn end(&mut self, error: std::io::Error) -> Poll<Option<allod_model::Result<Bytes>>> {
        self.literals.end = Some(ReadEnd::Gone(error));
        let told = Error::new(ErrorKind::Unavailable, "the client went away");
        Poll::Ready(Some(Err(told)))
    }
}

/// The pause is measured anew once this much of it is over.
const RENEWED_AFTER: Duration = Duration::from_secs(5);

impl Stream for MessageBytes<'_, '_> {
    type Item = allod_model::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.literals.end.is_some() {
            return Poll::Ready(None);
        }
        match this.literals.poll_piece(context) {
            Poll::Ready(piece) => {
                let end = Instant::now() + PAUSE_TIME_MAX;
                if let Some(pause) = &mut this.pause
                    && pause.deadline() + RENEWED_AFTER < end
                {
                    pause.as_mut().reset(end);
                }
                match piece {
                    Some(Err(error)) => this.end(error),
                    Some(Ok(piece)) => Poll::Ready(Some(Ok(piece))),
                    None => Poll::Ready(None),
                }
            }
            Poll::Pending => {
                ready!(this.poll_pause(context));
                this.end(std::io::ErrorKind::TimedOut.into())
            }
        }
    }
}
