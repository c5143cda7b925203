//! Mail between this server and others: who is reached by an address, what waits to be sent.
//!
//! A mail to be sent lies in its sender's account, its bytes as any content, in one row with its envelope and what is
//! known of each recipient. The row goes when every recipient is settled. What is sent is claimed for a time, so that a
//! worker that dies leaves nothing behind but a wait.

mod arrive;
mod filing;
mod queue;
mod recipients;

pub use arrive::Delivered;
pub use filing::{Action, Arrival, Condition, Filing, Match, RULES_MAX, Rule, Vacation, mailbox_path};
pub use queue::{
    Attempt, Envelope, NOTIFY_DELAY, NOTIFY_FAILURE, NOTIFY_NEVER, NOTIFY_SUCCESS, QUEUED_MAX, Queue, Queued,
    QueuedRecipient, RECIPIENTS_MAX, Recipient, RecipientState,
};
pub use recipients::Addressee;

pub(crate) use queue::contents as queued_contents;
