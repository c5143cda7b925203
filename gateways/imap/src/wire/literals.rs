//! The messages of APPEND and REPLACE, as they come.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;

use super::Abort;
use crate::syntax::ast::Message;

/// The messages that follow APPEND or REPLACE, one after the other. Nothing is held: they come at the pace in which
/// they are read. For any other command there are none.
pub(crate) struct Literals<'a> {
    _reader: PhantomData<&'a mut ()>,
}

impl Literals<'_> {
    /// The next message: what precedes its bytes. `None` after the last. Bytes of the one before that were not read
    /// are skipped.
    ///
    /// # Errors
    /// [`Abort::Answer`] with BAD when the command goes on in a way that cannot be read: it must store nothing then;
    /// [`Abort::Gone`].
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, Abort> {
        Ok(None)
    }

    /// The bytes of the message that [`Literals::next`] gave. The client is asked for them when the first is polled:
    /// who refuses before that gets none of them sent. An item that is an error (`Unavailable`) says that the
    /// connection ended before them.
    pub(crate) fn bytes(&mut self) -> MessageBytes<'_> {
        MessageBytes { _reader: PhantomData }
    }
}

/// A stream of exactly [`Message::size`] bytes.
pub(crate) struct MessageBytes<'a> {
    _reader: PhantomData<&'a mut ()>,
}

impl Stream for MessageBytes<'_> {
    type Item = allod_model::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}
