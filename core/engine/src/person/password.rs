//! Checking an account's password, and changing it.

use std::sync::OnceLock;

use allod_model::{Error, ErrorKind, Result};
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use zeroize::Zeroizing;

use crate::audit;
use crate::core::{Core, blocking};
use crate::keys::{GLOBAL_SHARD, global};
use crate::reading::Records;
use crate::record::{Account, encode};
use crate::session::Session;

impl Core {
    /// Whether `password` is the one that `hash` was made of. Takes as long without a hash as with one, so that the
    /// time does not tell which accounts there are. At most two at a time: each takes memory.
    pub(crate) async fn is_password(
        &self,
        hash: Option<String>,
        password: Zeroizing<String>,
    ) -> Result<bool> {
        // The semaphore is never closed.
        let _place = self.0.people.hashing.acquire().await.ok();
        blocking(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| nobody().to_owned());
            let parsed = argon2::password_hash::phc::PasswordHash::new(&hash).map_err(|e| {
                Error::new(ErrorKind::Corrupt, format!("a password's hash cannot be read: {e}"))
            })?;
            let right = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
            Ok(right && known)
        })
        .await
    }
}

/// The hash of a password that nobody has.
fn nobody() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        let hash = Argon2::default().hash_password(b"nobody's password");
        hash.map(|hash| hash.to_string()).unwrap_or_default()
    })
}

impl Session {
    /// Changes the account's password and ends all other sign-ins.
    ///
    /// # Errors
    /// `Denied` for an app; `Unauthenticated` when `old` is wrong; `Busy` after too many wrong ones; `InvalidContent`
    /// when the new one is too short.
    pub async fn change_password(&self, old: Zeroizing<String>, new: Zeroizing<String>) -> Result<()> {
        self.confirm(old).await?;
        let hash = crate::operator::hash_password(Some(new)).await?;
        let (account, now) = (self.handle().clone(), self.core().0.env.now());
        let (id, who) = (account.id(), self.credential());
        let record = self
            .core()
            .transact(GLOBAL_SHARD, move |txn| {
                let mut record: Account = txn.record(&global::account(id))?.ok_or_else(Error::not_found)?;
                record.password = hash.clone();
                txn.put(&global::account(id), &encode(&record))?;
                let event = audit::event(
                    now,
                    "password-changed",
                    who.as_ref(),
                    Some(super::PROTOCOL),
                    None,
                    String::new(),
                );
                audit::write(txn, id, &event)?;
                Ok(record)
            })
            .await?;
        account.set_record(record);
        self.core().end_web_sessions(&account, self.credential().as_ref()).await
    }
}
