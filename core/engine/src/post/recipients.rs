//! From a mail address to an account.

use allod_meta::Lookup;
use allod_model::{Error, Result};
use zeroize::Zeroizing;

use crate::access::Scope;
use crate::account::AccountHandle;
use crate::core::Core;
use crate::fault::{Fault, Res};
use crate::keys::{GLOBAL_SHARD, global};
use crate::operator::Operator;
use crate::session::Session;

/// What stands before the domain of an address that takes what is sent to no other one there.
const CATCH_ALL: &str = "*";

/// Bytes kept under one name at most.
const SEALED_BYTES_MAX: usize = 16 << 10;

/// Whom an address reaches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Addressee {
    /// The account's name.
    pub account: String,
    /// What was behind the `+`: `shop` of `alice+shop@example.org` (RFC 5233 calls it the detail).
    pub detail: Option<String>,
}

impl Operator {
    /// The account that an address reaches: one that has the address, or has it without `+detail`; one of that name in a
    /// domain of this server; one that takes all of the domain (`*@example.org`). Case does not matter.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn addressee(&self, address: &str) -> Result<Option<Addressee>> {
        Ok(self.core().addressee(address)?)
    }

    /// The domains in which some account has an address, and those that were set; without their order.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn own_domains(&self) -> Result<Vec<String>> {
        let mut domains = self.core().set_domains();
        for record in self.core().account_records()? {
            domains
                .extend(record.emails.iter().filter_map(|email| Some(email.rsplit_once('@')?.1.to_owned())));
        }
        domains.sort_unstable();
        domains.dedup();
        Ok(domains)
    }
}

impl Operator {
    /// A session that puts arriving mail into an account's mailboxes and does nothing else.
    ///
    /// # Errors
    /// `NotFound` without such an account.
    pub fn delivery(&self, account: &str) -> Result<Session> {
        self.session_for(account, "smtp", Scope::delivery())
    }

    /// Small bytes that the server keeps for itself, sealed under the master key: the private key of a domain's DKIM
    /// signatures. `None` when nothing is kept under this name.
    ///
    /// # Errors
    /// `Corrupt`, `Unavailable`.
    pub async fn sealed(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let row = self.core().view()?.get(&global::sealed(name)).map_err(Fault::from)?;
        let opened = row.map(|row| self.core().0.master.open(name.as_bytes(), &row)).transpose();
        Ok(opened.map_err(Fault::from)?.map(|plain| Zeroizing::new(plain.to_vec())))
    }

    /// Keeps bytes under a name, unless there are some already: what is kept then is returned.
    ///
    /// # Errors
    /// `TooLarge` beyond 16 KiB; `Unavailable`.
    pub async fn keep_sealed(&self, name: &str, plain: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        if plain.len() > SEALED_BYTES_MAX {
            return Err(Error::too_large("bytes that the server keeps for itself", SEALED_BYTES_MAX as u64));
        }
        let row = global::sealed(name);
        let sealed = self.core().0.master.seal(name.as_bytes(), plain);
        self.core()
            .transact(GLOBAL_SHARD, move |txn| {
                if txn.get(&row)?.is_none() {
                    txn.put(&row, &sealed)?;
                }
                Ok(())
            })
            .await?;
        self.sealed(name).await?.ok_or_else(Error::not_found)
    }
}

impl Core {
    fn addressee(&self, address: &str) -> Res<Option<Addressee>> {
        let address = address.trim().to_lowercase();
        let Some((local, domain)) = address.rsplit_once('@') else { return Ok(None) };
        let (user, detail) = match local.split_once('+') {
            Some((user, detail)) if !user.is_empty() => (user, Some(detail.to_owned())),
            _ => (local, None),
        };
        let found = |account: std::sync::Arc<AccountHandle>, detail: Option<String>| {
            Some(Addressee { account: account.record().name.clone(), detail })
        };
        if let Some(account) = self.account_named(&address)? {
            return Ok(found(account, None));
        }
        if let Some(account) = self.account_named(&format!("{user}@{domain}"))? {
            return Ok(found(account, detail));
        }
        if self.is_own_domain(&address)
            && let Some(account) = self.account_named(user)?
        {
            return Ok(found(account, detail));
        }
        let all = self.account_named(&format!("{CATCH_ALL}@{domain}"))?;
        Ok(all.and_then(|account| found(account, None)))
    }
}

impl Session {
    /// Whether the credential may send mail.
    pub fn may_send(&self) -> bool {
        self.scope().may_send()
    }

    /// Whether mail may be sent from an address: it reaches this very account.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn may_send_as(&self, address: &str) -> Result<bool> {
        let addressee = self.core().addressee(address)?;
        Ok(self.may_send() && addressee.is_some_and(|addressee| addressee.account == self.account()))
    }
}
