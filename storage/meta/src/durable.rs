//! The promise that a batch becomes durable, and the waiting for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::{Condvar, Mutex};

use crate::{Error, ErrorKind};

/// Resolves when a transaction is on stable storage: `Ok` if it is, the error if it failed.
///
/// It is a future for asynchronous callers and has [`Durable::wait`] for blocking ones. Dropping it
/// changes nothing: the transaction is committed all the same.
#[must_use = "nothing is durable before this has resolved"]
#[derive(Debug)]
pub struct Durable {
    /// `None` when there is nothing to wait for.
    ticket: Option<Arc<Ticket>>,
    /// Where this waiter's waker is kept in the ticket.
    slot: Option<usize>,
}

impl Durable {
    pub(crate) fn now() -> Durable {
        Durable { ticket: None, slot: None }
    }

    pub(crate) fn when(ticket: Arc<Ticket>) -> Durable {
        Durable { ticket: Some(ticket), slot: None }
    }

    /// Blocks the thread until the transaction is durable. Not for asynchronous code, which awaits.
    ///
    /// # Errors
    /// Why the transaction, or one before it whose writes it has read, could not be committed:
    /// `NoSpace`, `Unavailable`, `Corrupt`, `Conflict`, `Fenced` or `Unknown`. After the first three
    /// it may nevertheless be found applied as a whole.
    pub fn wait(self) -> Result<(), Error> {
        self.ticket.map_or(Ok(()), |ticket| ticket.wait())
    }

    /// The outcome if there is one already, without waiting.
    pub fn outcome(&self) -> Option<Result<(), Error>> {
        self.ticket.as_ref().map_or(Some(Ok(())), |ticket| ticket.outcome())
    }
}

impl Future for Durable {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = &mut *self;
        let Some(ticket) = &this.ticket else { return Poll::Ready(Ok(())) };
        ticket.poll(&mut this.slot, cx.waker())
    }
}

/// What a batch's waiters share.
#[derive(Debug, Default)]
pub(crate) struct Ticket {
    state: Mutex<TicketState>,
    resolved: Condvar,
}

#[derive(Debug, Default)]
struct TicketState {
    outcome: Option<Result<(), Error>>,
    wakers: Vec<Waker>,
}

impl Ticket {
    fn wait(&self) -> Result<(), Error> {
        let mut state = self.state.lock();
        loop {
            if let Some(outcome) = &state.outcome {
                return outcome.clone();
            }
            self.resolved.wait(&mut state);
        }
    }

    pub(crate) fn outcome(&self) -> Option<Result<(), Error>> {
        self.state.lock().outcome.clone()
    }

    fn poll(&self, slot: &mut Option<usize>, waker: &Waker) -> Poll<Result<(), Error>> {
        let mut state = self.state.lock();
        if let Some(outcome) = &state.outcome {
            return Poll::Ready(outcome.clone());
        }
        match *slot {
            // **Invariant:** wakers leave the list only when the ticket is resolved.
            Some(index) => state.wakers[index].clone_from(waker),
            None => {
                *slot = Some(state.wakers.len());
                state.wakers.push(waker.clone());
            }
        }
        Poll::Pending
    }

    fn resolve(&self, outcome: Result<(), Error>) {
        let wakers = {
            let mut state = self.state.lock();
            if state.outcome.is_some() {
                return;
            }
            state.outcome = Some(outcome);
            std::mem::take(&mut state.wakers)
        };
        self.resolved.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The side of a ticket that resolves it. Dropped unresolved it fails, so that nobody waits for
/// ever for a batch that was lost to a bug.
#[derive(Debug)]
pub(crate) struct Promise(Arc<Ticket>);

impl Promise {
    pub(crate) fn new() -> Promise {
        Promise(Arc::default())
    }

    pub(crate) fn ticket(&self) -> Arc<Ticket> {
        self.0.clone()
    }

    pub(crate) fn resolve(self, outcome: Result<(), Error>) {
        self.0.resolve(outcome);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.0.resolve(Err(Error::new(ErrorKind::Unavailable, "the committing thread has stopped")));
    }
}
