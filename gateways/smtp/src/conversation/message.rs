//! DATA and BDAT: the message itself.

use super::transaction::Transaction;
use super::{End, Peer};
use crate::intake;
use crate::limits::{Budget, Share};
use crate::reply::Reply;
use crate::shared::Role;
use crate::submission;
use crate::wire::{Arriving, Flaw};

/// Where a mail comes from.
pub(crate) struct Origin {
    /// The peer's address.
    pub(crate) address: std::net::IpAddr,
    /// What it calls itself.
    pub(crate) name: String,
    /// How it came, for `Received` (RFC 3848, RFC 6531 §4.3).
    pub(crate) protocol: &'static str,
}

impl Peer {
    /// RFC 5321 §4.1.1.4.
    pub(super) async fn data(&mut self) -> Result<(), End> {
        // Whoever sends its message without leave has it read as commands where leave is not given.
        self.synchronized()?;
        if let Some(reply) = self.not_ready() {
            return self.answer(reply).await;
        }
        if self.transaction.as_ref().is_some_and(|transaction| transaction.chunks.is_some()) {
            // RFC 3030 §2: one or the other.
            return self.answer(Reply::new(503, "5.5.1", "This mail comes by BDAT")).await;
        }
        self.wire.say(&Reply::new(354, "", "Go ahead; end with a dot"));
        let mut arriving = Arriving::new(self.shared.budget.share());
        self.wire.dotted(&mut arriving).await?;
        let Some(transaction) = self.transaction.take() else { return Ok(()) };
        self.finish(transaction, arriving, true).await
    }

    /// RFC 3030 §2: the chunk follows at once, whatever comes of it.
    pub(super) async fn bdat(&mut self, bytes: u64, last: bool) -> Result<(), End> {
        if let Some(reply) = self.not_ready() {
            self.wire.chunk(bytes, &mut Arriving::new(Budget::new(0).share())).await?;
            self.transaction = None;
            return self.answer(reply).await;
        }
        let Some(mut transaction) = self.transaction.take() else { return Ok(()) };
        let share = || self.shared.budget.share();
        let mut arriving = transaction.chunks.take().unwrap_or_else(|| Arriving::new(share()));
        self.wire.chunk(bytes, &mut arriving).await?;
        if last {
            return self.finish(transaction, arriving, false).await;
        }
        transaction.chunks = Some(arriving);
        self.transaction = Some(transaction);
        self.answer(Reply::new(250, "2.0.0", format!("{bytes} bytes taken"))).await
    }

    fn not_ready(&self) -> Option<Reply> {
        match &self.transaction {
            None => Some(Reply::new(503, "5.5.1", "Say MAIL first")),
            Some(transaction) if transaction.recipients.is_empty() => {
                Some(Reply::new(503, "5.5.1", "There is no recipient"))
            }
            Some(_) => None,
        }
    }

    async fn finish(
        &mut self,
        transaction: Transaction,
        arriving: Arriving,
        by_lines: bool,
    ) -> Result<(), End> {
        let (message, share): (Vec<u8>, Share) = match arriving.finish() {
            Ok(whole) => whole,
            Err(Flaw::TooLarge) => {
                return self.answer(Reply::new(552, "5.3.4", "The mail is too large")).await;
            }
            Err(Flaw::NoRoom) => {
                return self.answer(Reply::new(452, "4.3.1", "Too much at once; try again")).await;
            }
            Err(Flaw::LongLine) => return self.answer(Reply::new(554, "5.6.0", "A line is too long")).await,
            Err(Flaw::Bare) => {
                let reply = Reply::new(554, "5.6.0", "CR or LF stands alone in the message");
                // What follows may have been meant as part of the message: it is not obeyed.
                return if by_lines { Err(End::Bye(reply)) } else { self.answer(reply).await };
            }
        };
        let origin = Origin {
            address: self.address,
            name: self.hello.as_ref().map(|hello| hello.name.clone()).unwrap_or_default(),
            protocol: self.protocol(&transaction),
        };
        let reply = match (self.role, &self.session) {
            (Role::Mx, _) => Box::pin(intake::take(&self.shared, &origin, &transaction, message)).await,
            (Role::Submission, Some(session)) => {
                Box::pin(submission::take(&self.shared, session, &origin, transaction, message)).await
            }
            (Role::Submission, None) => Reply::new(530, "5.7.0", "Log in first"),
        };
        drop(share);
        self.answer(reply).await
    }

    fn protocol(&self, transaction: &Transaction) -> &'static str {
        let extended = self.hello.as_ref().is_some_and(|hello| hello.extended);
        match (transaction.mail.utf8, extended, self.wire.is_tls(), self.session.is_some()) {
            (true, _, true, true) => "UTF8SMTPSA",
            (true, _, true, false) => "UTF8SMTPS",
            (true, _, false, true) => "UTF8SMTPA",
            (true, _, false, false) => "UTF8SMTP",
            (false, false, ..) => "SMTP",
            (false, true, true, true) => "ESMTPSA",
            (false, true, true, false) => "ESMTPS",
            (false, true, false, true) => "ESMTPA",
            (false, true, false, false) => "ESMTP",
        }
    }
}
