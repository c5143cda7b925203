//! Into mailboxes, by the account's rules; and what follows from them.

mod follow;

use std::sync::LazyLock;

use allod_core::Session;
use allod_core::mail::StagedMessage;
use allod_core::post::Arrival;
use allod_model::{NameRule, Path, Result};
use bytes::Bytes;

use crate::imip;
use crate::shared::Shared;

/// What is known of a mail that arrives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// Reverse path; empty for a report.
    pub(crate) from: String,
    /// It is taken for junk.
    pub(crate) junk: bool,
    /// The author's address, if it was verified that the mail is from there.
    pub(crate) author: Option<String>,
}

/// An account that is to have a mail, and the address by which it was reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct To {
    pub(crate) account: String,
    pub(crate) address: String,
}

/// Where mail arrives.
pub(crate) fn inbox() -> Path {
    static INBOX: LazyLock<Path> =
        // Invariant: the path is well formed.
        LazyLock::new(|| Path::parse(b"/Mail/INBOX", NameRule::Strict).expect("a path"));
    INBOX.clone()
}

/// A mail whose bytes are durable in each account that will have it, and that no mailbox holds yet.
pub(crate) struct Delivery(Vec<(Session, To, StagedMessage)>);

impl Delivery {
    /// Stores the bytes for each account; a repeated one gets one copy. Nothing is left behind when one of them fails.
    ///
    /// # Errors
    /// `NotFound` without such an account; `OverQuota`, `InvalidContent`, `Unavailable`.
    pub(crate) async fn stage(shared: &Shared, to: &[To], message: &Bytes) -> Result<Delivery> {
        let operator = shared.core.operator();
        let mut staged = Vec::with_capacity(to.len());
        for (number, one) in to.iter().enumerate() {
            if to[..number].iter().any(|other| other.account == one.account) {
                continue;
            }
            let session = operator.delivery(&one.account)?;
            let body = futures_util::stream::iter([Ok(message.clone())]);
            let message = session.stage_message(message.len() as u64, body).await?;
            staged.push((session, one.clone(), message));
        }
        Ok(Delivery(staged))
    }

    /// Puts it into the mailboxes. Returns the accounts that could not have it, with the reason; they were all well
    /// when it was staged.
    pub(crate) async fn finish(
        self,
        shared: &Shared,
        message: &Bytes,
        verdict: &Verdict,
    ) -> Vec<(String, allod_model::Error)> {
        let mut failed = Vec::new();
        for (session, to, staged) in self.0 {
            let arrival = Arrival { from: verdict.from.clone(), to: to.address.clone(), junk: verdict.junk };
            match session.take_mail(&arrival, staged).await {
                Ok(delivered) => {
                    follow::follow(shared, &session, &arrival, delivered, message).await;
                    imip::take(shared, &to.account, message, verdict).await;
                }
                Err(error) => failed.push((to.account, error)),
            }
        }
        failed
    }
}

/// Puts a message into an account's mailbox.
///
/// # Errors
/// As [`Delivery::stage`].
pub(crate) async fn deliver(shared: &Shared, to: To, message: Bytes, verdict: &Verdict) -> Result<()> {
    let staged = Delivery::stage(shared, &[to], &message).await?;
    match staged.finish(shared, &message, verdict).await.pop() {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}
