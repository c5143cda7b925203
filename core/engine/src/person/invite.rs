//! The first account of a server, and accounts whose person has yet to choose a password.

use std::sync::Arc;

use allod_meta::Lookup;
use allod_model::{AccountId, Error, Result, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::sign_in::{SignIn, dead_link};
use super::web_session::NewWebSession;
use crate::account::AccountHandle;
use crate::audit;
use crate::core::Core;
use crate::fault::Res;
use crate::keys::{GLOBAL_SHARD, global};
use crate::node::Door;
use crate::operator::{AccountChange, Operator, hash_password};
use crate::reading::Records;
use crate::record::{Account, encode};
use crate::secret;

/// How long an invitation can be followed, in seconds.
pub const INVITATION_SECS: i64 = 7 * 86_400;
/// Longest token looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 128;

/// An invitation to choose a password.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Invitation {
    account: AccountId,
    expires: Timestamp,
}

/// Who an open invitation is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    /// The account's name.
    pub account: String,
    /// Whether it has a password already, which the new one replaces.
    pub has_password: bool,
}

impl Operator {
    /// The secret by which the first account can be made at the web page, while there is none. Each call makes a new
    /// one; it is forgotten when the server stops.
    pub async fn offer_set_up(&self) -> Result<Option<Zeroizing<String>>> {
        let core = self.core();
        if !core.account_records()?.is_empty() {
            return Ok(None);
        }
        let token = secret::web_token(&core.0.env);
        *core.0.people.set_up.lock() = Some(core.0.hasher.web("set-up", &token));
        Ok(Some(token))
    }

    /// Makes the token of a link by which an account's person chooses a password, once, within a week. An earlier
    /// link for the account ends.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn invite(&self, account: &str) -> Result<Zeroizing<String>> {
        let core = self.core();
        let handle = self.handle(account)?;
        let (id, now) = (handle.id(), core.0.env.now());
        let token = secret::web_token(&core.0.env);
        let hash = core.0.hasher.web("invitation", &token);
        let record = Invitation { account: id, expires: now.plus_secs(INVITATION_SECS) };
        core.transact(GLOBAL_SHARD, move |txn| {
            if let Some(old) = txn.get(&global::invitation_of(id))?.and_then(|h| h.try_into().ok()) {
                txn.delete(&global::invitation(&old))?;
            }
            txn.put(&global::invitation(&hash), &encode(&record))?;
            txn.put(&global::invitation_of(id), &hash)?;
            let event = audit::event(now, "invited", None, None, None, String::new());
            audit::write(txn, id, &event)
        })
        .await?;
        Ok(token)
    }
}

impl Core {
    /// Whether there is no account yet.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.account_records()?.is_empty())
    }

    /// Whether `token` is the secret of [`Operator::offer_set_up`].
    pub fn is_set_up_token(&self, token: &str) -> bool {
        let hash = Some(self.0.hasher.web("set-up", token));
        token.len() <= TOKEN_BYTES_MAX && *self.0.people.set_up.lock() == hash
    }

    /// Makes the first account, and signs its person in.
    ///
    /// # Errors
    /// `NotFound` when the token is not the one of this start, or there is an account already; `InvalidContent` for a
    /// name, address or password that can't be.
    pub async fn set_up(
        &self,
        token: &str,
        name: &str,
        email: Option<String>,
        password: Zeroizing<String>,
        door: &Door,
    ) -> Result<NewWebSession> {
        if !self.is_set_up_token(token) {
            return Err(dead_link());
        }
        // Of two that come at once, one takes the secret.
        let Some(secret) = self.0.people.set_up.lock().take() else { return Err(dead_link()) };
        if !self.is_empty()? {
            return Err(dead_link());
        }
        let change = AccountChange {
            emails: Some(email.into_iter().collect()),
            quota: None,
            password: Some(password),
        };
        match self.operator().add_account(name, change).await {
            Ok(_) => {}
            Err(error) => {
                *self.0.people.set_up.lock() = Some(secret);
                return Err(error);
            }
        }
        let account = self.account_named(name)?.ok_or_else(Error::not_found)?;
        self.new_web_session(&account, door).await
    }

    /// Who an invitation is for.
    ///
    /// # Errors
    /// `NotFound` when it was followed already or is too old.
    pub async fn invited(&self, token: &str) -> Result<Invited> {
        let (account, _) = self.open_invitation(token)?;
        let record = account.record();
        Ok(Invited { account: record.name.clone(), has_password: record.password.is_some() })
    }

    fn open_invitation(&self, token: &str) -> Res<(Arc<AccountHandle>, [u8; 32])> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(dead_link().into());
        }
        let hash = self.0.hasher.web("invitation", token);
        let record: Option<Invitation> = self.view()?.record(&global::invitation(&hash))?;
        match record.filter(|record| record.expires > self.0.env.now()) {
            Some(record) => Ok((self.account(record.account).map_err(|_| dead_link())?, hash)),
            None => Err(dead_link().into()),
        }
    }

    /// Sets the password that an invited person chose, ends the account's other sign-ins, and signs the person in.
    ///
    /// # Errors
    /// `NotFound` as for [`Core::invited`]; `InvalidContent` when the password is too short.
    pub async fn accept_invitation(
        &self,
        token: &str,
        password: Zeroizing<String>,
        door: &Door,
    ) -> Result<SignIn> {
        let (account, hash) = self.open_invitation(token)?;
        let hashed = hash_password(Some(password.clone())).await?;
        let (id, now, address) = (account.id(), self.0.env.now(), door.address);
        let record = self
            .transact(GLOBAL_SHARD, move |txn| {
                // Of two that follow it at once, one finds it.
                if txn.get(&global::invitation(&hash))?.is_none() {
                    return Err(dead_link().into());
                }
                txn.delete(&global::invitation(&hash))?;
                txn.delete(&global::invitation_of(id))?;
                let mut record: Account = txn.record(&global::account(id))?.ok_or_else(dead_link)?;
                record.password = hashed.clone();
                txn.put(&global::account(id), &encode(&record))?;
                let event = audit::event(
                    now,
                    "password-changed",
                    None,
                    Some(super::PROTOCOL),
                    address,
                    "by invitation".into(),
                );
                audit::write(txn, id, &event)?;
                Ok(record)
            })
            .await?;
        account.set_record(record.clone());
        self.end_web_sessions(&account, None).await?;
        self.sign_in(&record.name, password, door).await
    }
}
