//! MAIL and RCPT: what each listener takes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use allod_core::mail::MESSAGE_BYTES_MAX as STORED_BYTES_MAX;
use allod_core::post::Addressee;
use allod_model::Error;

use super::Peer;
use crate::delivery::{self, To};
use crate::limits::{MAILS_MAX, MESSAGE_BYTES_MAX, MX_RECIPIENTS_MAX, SUBMISSION_RECIPIENTS_MAX};
use crate::reply::{Reply, refusal};
use crate::shared::Role;
use crate::syntax::{Mail, Rcpt, domain_of, local_of};
use crate::wire::Arriving;

/// Longest time for a question to the DNS at RCPT.
const LOOKUP_TIME_MAX: Duration = Duration::from_secs(10);

/// A mail under way.
pub(crate) struct Transaction {
    pub(crate) mail: Mail,
    pub(crate) recipients: Vec<Recipient>,
    /// What came by BDAT.
    pub(super) chunks: Option<Arriving>,
}

/// One recipient that was taken.
pub(crate) struct Recipient {
    pub(crate) rcpt: Rcpt,
    /// The account, if it is one of this server.
    pub(crate) here: Option<Addressee>,
}

impl Recipient {
    /// The account that has it, if it is one of this server.
    pub(crate) fn to(&self) -> Option<To> {
        let account = self.here.as_ref()?.account.clone();
        Some(To { account, address: self.rcpt.to.clone() })
    }
}

impl Peer {
    /// RFC 5321 §4.1.1.2.
    pub(super) async fn mail(&mut self, mail: Mail) -> Reply {
        if self.hello.is_none() {
            return Reply::new(503, "5.5.1", "Say EHLO first");
        }
        if self.transaction.is_some() {
            return Reply::new(503, "5.5.1", "There is a mail under way");
        }
        self.mails += 1;
        if self.mails > MAILS_MAX {
            return Reply::new(421, "4.7.0", "Enough mails for one connection; come again");
        }
        // RFC 1870 §6.1.
        if mail.size.is_some_and(|size| size > MESSAGE_BYTES_MAX as u64) {
            return Reply::new(552, "5.3.4", format!("A mail has at most {MESSAGE_BYTES_MAX} bytes"));
        }
        if self.role == Role::Submission {
            let Some(session) = &self.session else {
                return Reply::new(530, "5.7.0", "Log in first");
            };
            if !mail.from.is_empty() {
                match session.may_send_as(&mail.from).await {
                    Ok(true) => {}
                    Ok(false) => {
                        return Reply::new(550, "5.7.1", "This sender's address is not one of yours");
                    }
                    Err(error) => return refusal(&error),
                }
            }
        }
        self.transaction = Some(Transaction { mail, recipients: Vec::new(), chunks: None });
        Reply::new(250, "2.1.0", "Sender taken")
    }

    /// RFC 5321 §4.1.1.3.
    pub(super) async fn rcpt(&mut self, rcpt: Rcpt) -> Reply {
        let Some(transaction) = &self.transaction else {
            return Reply::new(503, "5.5.1", "Say MAIL first");
        };
        if transaction.chunks.is_some() {
            return Reply::new(503, "5.5.1", "Recipients come before the message");
        }
        let most = match self.role {
            Role::Mx => MX_RECIPIENTS_MAX,
            Role::Submission => SUBMISSION_RECIPIENTS_MAX,
        };
        if transaction.recipients.len() >= most {
            // RFC 5321 §4.5.3.1.10.
            return Reply::new(452, "4.5.3", format!("At most {most} recipients; send the rest by itself"));
        }
        if !transaction.mail.utf8 && !rcpt.to.is_ascii() {
            // RFC 6531 §3.5.
            return Reply::new(553, "5.6.7", "This address needs SMTPUTF8");
        }
        let here = match self.addressee(&rcpt.to).await {
            Ok(here) => here,
            Err(reply) => return reply,
        };
        if let Some(addressee) = &here
            && let Err(reply) = self.check_mailbox(&addressee.account).await
        {
            return reply;
        }
        if self.role == Role::Mx
            && let Some(reply) = self.suspicious(&rcpt.to).await
        {
            return reply;
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.recipients.push(Recipient { rcpt, here });
        }
        Reply::new(250, "2.1.5", "Recipient taken")
    }

    /// The account that an address reaches; `None` for one elsewhere, which only the listener for apps takes.
    async fn addressee(&mut self, address: &str) -> Result<Option<Addressee>, Reply> {
        let operator = self.shared.core.operator();
        let told = |error: Error| refusal(&error);
        if let Some(found) = operator.addressee(address).await.map_err(told)? {
            return Ok(Some(found));
        }
        let domain = domain_of(address);
        let own = match &domain {
            None => true,
            Some(domain) => operator.own_domains().await.map_err(told)?.contains(domain),
        };
        if own && local_of(address).eq_ignore_ascii_case("postmaster") {
            // RFC 5321 §4.5.1: somebody reads it.
            let postmaster = self.shared.postmaster().await.map_err(told)?;
            let here = postmaster.map(|account| Addressee { account, detail: None });
            return here.map(Some).ok_or_else(|| Reply::new(550, "5.1.1", "Nobody is here yet"));
        }
        if own {
            return Err(Reply::new(550, "5.1.1", "There is no such mailbox"));
        }
        if self.role == Role::Mx {
            return Err(Reply::new(550, "5.7.1", "Mail for others is not taken here"));
        }
        if domain.is_some_and(|domain| domain.starts_with('[') || !domain.contains('.')) {
            return Err(Reply::new(550, "5.1.2", "Mail goes to domains, not to machines"));
        }
        Ok(None)
    }

    async fn check_mailbox(&mut self, account: &str) -> Result<(), Reply> {
        let size = self.transaction.as_ref().and_then(|transaction| transaction.mail.size);
        let size = size.unwrap_or(0).min(STORED_BYTES_MAX);
        let session = self.shared.core.operator().delivery(account).map_err(|error| refusal(&error))?;
        let checked = session.check_append(&delivery::inbox(), size).await;
        checked.map(drop).map_err(|error| refusal(&error))
    }

    /// Whether the sender is one of those who send spam, or one to be tried.
    async fn suspicious(&mut self, to: &str) -> Option<Reply> {
        if self.address.is_loopback() && !self.shared.judges_loopback.load(Ordering::Relaxed) {
            return None;
        }
        if self.listed.is_none() {
            let mut found = None;
            for list in &self.shared.options.dnsbl {
                let asked = self.shared.dns.lists(list, self.address);
                if tokio::time::timeout(LOOKUP_TIME_MAX, asked).await.unwrap_or(false) {
                    found = Some(list.clone());
                    break;
                }
            }
            self.listed = Some(found);
        }
        if let Some(Some(list)) = &self.listed {
            return Some(Reply::new(
                554,
                "5.7.1",
                format!("Your address {} is listed by {list}", self.address),
            ));
        }
        let from = self.transaction.as_ref().map_or("", |transaction| transaction.mail.from.as_str());
        let now = self.shared.now_secs();
        let known =
            !self.shared.options.greylisting || self.shared.greylist.knows(self.address, from, to, now);
        (!known).then(|| Reply::new(451, "4.7.1", "Not known yet: try again in some minutes"))
    }
}
