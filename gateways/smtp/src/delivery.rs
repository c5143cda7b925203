//! Into mailboxes.

use std::sync::LazyLock;

use allod_core::Session;
use allod_core::mail::{NewMessage, StagedMessage};
use allod_model::{ErrorKind, NameRule, Path, Result};
use bytes::Bytes;

use crate::imip;
use crate::shared::Shared;

/// What is known of a mail that arrives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// It belongs into Junk.
    pub(crate) junk: bool,
    /// The author's address, if it was verified that the mail is from there.
    pub(crate) author: Option<String>,
}

/// Where mail arrives.
pub(crate) fn inbox() -> Path {
    folder(b"/Mail/INBOX")
}

fn folder(path: &'static [u8]) -> Path {
    static INBOX: LazyLock<Path> =
        // Invariant: these paths are well formed.
        LazyLock::new(|| Path::parse(b"/Mail/INBOX", NameRule::Strict).expect("a path"));
    static JUNK: LazyLock<Path> =
        LazyLock::new(|| Path::parse(b"/Mail/Junk", NameRule::Strict).expect("a path"));
    if path == b"/Mail/Junk" { JUNK.clone() } else { INBOX.clone() }
}

/// A mail whose bytes are durable in each account that will have it, and that no mailbox holds yet.
pub(crate) struct Delivery(Vec<(Session, StagedMessage)>);

impl Delivery {
    /// Stores the bytes for each account; a repeated one gets one copy. Nothing is left behind when one of them fails.
    ///
    /// # Errors
    /// `NotFound` without such an account; `OverQuota`, `InvalidContent`, `Unavailable`.
    pub(crate) async fn stage(shared: &Shared, accounts: &[String], message: &Bytes) -> Result<Delivery> {
        let operator = shared.core.operator();
        let mut staged = Vec::with_capacity(accounts.len());
        for (number, account) in accounts.iter().enumerate() {
            if accounts[..number].contains(account) {
                continue;
            }
            let session = operator.delivery(account)?;
            let body = futures_util::stream::iter([Ok(message.clone())]);
            let one = session.stage_message(message.len() as u64, body).await?;
            staged.push((session, one));
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
        for (session, staged) in self.0 {
            let account = session.account();
            match put(&session, staged, verdict).await {
                Ok(()) => imip::take(shared, &account, message, verdict).await,
                Err(error) => failed.push((account, error)),
            }
        }
        failed
    }
}

async fn put(session: &Session, staged: StagedMessage, verdict: &Verdict) -> Result<()> {
    let mut place = inbox();
    if verdict.junk {
        let junk = folder(b"/Mail/Junk");
        // Somebody may have done away with it.
        match session.check_append(&junk, 0).await {
            Ok(_) => place = junk,
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::WrongKind) => {}
            Err(error) => return Err(error),
        }
    }
    let message = NewMessage { staged, flags: Default::default(), keywords: Vec::new(), internal: None };
    session.append(&place, vec![message]).await.map(drop)
}

/// Puts a message into an account's mailbox.
///
/// # Errors
/// As [`Delivery::stage`].
pub(crate) async fn deliver(shared: &Shared, account: &str, message: Bytes, verdict: &Verdict) -> Result<()> {
    let staged = Delivery::stage(shared, &[account.to_owned()], &message).await?;
    match staged.finish(shared, &message, verdict).await.pop() {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}
