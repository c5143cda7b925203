//! Mail between this server and others: who is reached by an address, what waits to be sent.
//!
//! A mail to be sent lies in its sender's account, its bytes as any content, in one row with its envelope and what is
//! known of each recipient. The row goes when every recipient is settled. What is being sent is claimed by the worker, in
//! memory: a restart takes up at once what was under way, and a worker that hangs loses it after a time.

mod arrive;
mod claims;
mod filing;
mod notes;
mod queue;
mod recipients;

pub use arrive::Delivered;
pub use filing::{Action, Arrival, Condition, Filing, Match, RULES_MAX, Rule, Vacation, mailbox_path};
pub use queue::{
    Attempt, Envelope, NOTIFY_DELAY, NOTIFY_FAILURE, NOTIFY_NEVER, NOTIFY_SUCCESS, QUEUED_MAX, Queue, Queued,
    QueuedRecipient, RECIPIENTS_MAX, Recipient, RecipientState,
};
pub use recipients::Addressee;

pub(crate) use claims::Claims;
pub(crate) use queue::contents as queued_contents;
