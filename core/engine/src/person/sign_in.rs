//! Signing in: the password, then the second factor where there is one.

use std::collections::HashMap;

use allod_model::{AccountId, Error, ErrorKind, Result, Timestamp};
use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::web_session::NewWebSession;
use crate::core::Core;
use crate::credential::blocked;
use crate::fault::{Res, fail};
use crate::node::Door;
use crate::secret;
use crate::session::Session;

/// Longest password that is looked at, in bytes.
pub const SIGN_IN_PASSWORD_BYTES_MAX: usize = 1024;
/// How long the second factor may take, in seconds.
const TICKET_SECS: i64 = 300;
/// Wrong second factors by which a ticket is used up.
const TICKET_FAILURES_MAX: u32 = 5;
/// Sign-ins half way at one time; more make the oldest go.
const TICKETS_MAX: usize = 1000;
/// How long a confirmation by password holds, in seconds.
const CONFIRMED_SECS: i64 = 15 * 60;

/// Where a sign-in has got to.
pub enum SignIn {
    /// Signed in.
    Done(NewWebSession),
    /// The password was right; a second factor is asked for.
    SecondFactor(Ticket),
}

/// A sign-in that waits for its second factor.
pub struct Ticket {
    /// To be presented with the second factor, within five minutes.
    pub token: Zeroizing<String>,
}

/// Sign-ins half way, by the hash of their token. In memory only: a restart makes people begin anew.
#[derive(Default)]
pub struct Tickets(Mutex<HashMap<[u8; 32], Pending>>);

#[derive(Clone)]
pub(super) struct Pending {
    pub account: AccountId,
    pub until: Timestamp,
    pub failures: u32,
}

impl Tickets {
    fn add(&self, hash: [u8; 32], pending: Pending, now: Timestamp) {
        let mut tickets = self.0.lock();
        if tickets.len() >= TICKETS_MAX {
            tickets.retain(|_, ticket| ticket.until > now);
        }
        if tickets.len() >= TICKETS_MAX {
            let oldest = tickets.iter().min_by_key(|(_, ticket)| ticket.until).map(|(hash, _)| *hash);
            oldest.map(|hash| tickets.remove(&hash));
        }
        tickets.insert(hash, pending);
    }

    /// The ticket, while it holds.
    pub(super) fn look(&self, hash: &[u8; 32], now: Timestamp) -> Option<Pending> {
        self.0.lock().get(hash).filter(|t| t.until > now && t.failures < TICKET_FAILURES_MAX).cloned()
    }

    pub(super) fn failed(&self, hash: &[u8; 32]) {
        if let Some(ticket) = self.0.lock().get_mut(hash) {
            ticket.failures += 1;
        }
    }

    pub(super) fn take(&self, hash: &[u8; 32]) -> Option<Pending> {
        self.0.lock().remove(hash)
    }
}

impl Core {
    /// Checks an account's password.
    ///
    /// # Errors
    /// `Unauthenticated`, the same for a wrong name and a wrong password; `Busy` with
    /// [`allod_model::Detail::RetryAfter`] after too many failures.
    pub async fn sign_in(&self, name: &str, password: Zeroizing<String>, door: &Door) -> Result<SignIn> {
        let account = match name.len() <= 254 {
            true => self.account_named(name.trim())?,
            false => None,
        };
        let id = account.as_ref().map(|account| account.id());
        self.check_not_blocked(id, door)?;
        let hash = account.as_ref().and_then(|account| account.record().password.clone());
        let short = password.len() <= SIGN_IN_PASSWORD_BYTES_MAX;
        let right = short && self.is_password(hash, password).await?;
        let now = self.0.env.now();
        let Some(account) = account.filter(|_| right) else {
            self.refuse_login(id, door, now);
            return Ok(fail(ErrorKind::Unauthenticated, "the name or the password is wrong")?);
        };
        if self.has_second_factor(account.id())? {
            let token = secret::web_token(&self.0.env);
            let hash = self.0.hasher.web("ticket", &token);
            let pending = Pending { account: account.id(), until: now.plus_secs(TICKET_SECS), failures: 0 };
            self.0.people.tickets.add(hash, pending, now);
            return Ok(SignIn::SecondFactor(Ticket { token }));
        }
        self.0.throttle.succeeded(account.id(), door.address, now);
        self.new_web_session(&account, door).await.map(SignIn::Done)
    }

    /// Refuses who failed too often. Unlike for app passwords, which nobody guesses, an address that is known for the
    /// account is slowed down too.
    fn check_not_blocked(&self, account: Option<AccountId>, door: &Door) -> Result<()> {
        let (now, throttle) = (self.0.env.now(), &self.0.throttle);
        let trusted = account.is_some_and(|account| throttle.is_trusted(account, door.address, now));
        let by_account =
            account.filter(|_| !trusted).and_then(|account| throttle.account_blocked(account, now));
        match throttle.address_blocked(door.address, now).or(by_account) {
            Some(secs) => Err(blocked(secs).into()),
            None => Ok(()),
        }
    }
}

impl Session {
    /// Asks the person for the password once more, before something that could take the account away.
    ///
    /// # Errors
    /// `Denied` for an app; `Unauthenticated`; `Busy` after too many wrong ones.
    pub async fn confirm(&self, password: Zeroizing<String>) -> Result<()> {
        let person = self.person()?.clone();
        let door = Door { protocols: Vec::new(), address: self.address(), client: None };
        let core = self.core();
        let id = self.handle().id();
        core.check_not_blocked(Some(id), &door)?;
        let hash = self.handle().record().password.clone();
        let short = password.len() <= SIGN_IN_PASSWORD_BYTES_MAX;
        if !short || !core.is_password(hash, password).await? {
            core.refuse_login(Some(id), &door, core.0.env.now());
            return Ok(fail(ErrorKind::Unauthenticated, "the password is wrong")?);
        }
        person.confirm(core.0.env.now());
        Ok(())
    }

    /// Whether the person has shown the password within the last quarter of an hour.
    pub fn is_confirmed(&self) -> bool {
        let now = self.core().0.env.now();
        self.person().is_ok_and(|person| now.secs() - person.confirmed().secs() < CONFIRMED_SECS)
    }

    /// Demands [`Session::is_confirmed`].
    ///
    /// # Errors
    /// `Denied`: ask for the password and [`Session::confirm`] it.
    pub(crate) fn check_confirmed(&self) -> Res<()> {
        self.person()?;
        match self.is_confirmed() {
            true => Ok(()),
            false => fail(ErrorKind::Denied, "this needs the account's password once more"),
        }
    }
}

/// What is wrong with a link that was followed.
pub(super) fn dead_link() -> Error {
    Error::new(ErrorKind::NotFound, "this link was used already, or it is too old")
}
