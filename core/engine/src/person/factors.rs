//! The second factor: codes of an authenticator app (RFC 6238), and recovery codes for when the phone is gone.

use allod_meta::Txn;
use allod_model::{AccountId, Error, ErrorKind, Result, Timestamp};
use serde::{Deserialize, Serialize};
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use super::sign_in::dead_link;
use super::web_session::NewWebSession;
use crate::audit;
use crate::core::Core;
use crate::credential::blocked;
use crate::fault::{Res, fail};
use crate::keys::{GLOBAL_SHARD, global};
use crate::node::Door;
use crate::reading::Records;
use crate::record::{AuditEvent, encode};
use crate::secret;
use crate::session::Session;

/// Recovery codes that are made at a time.
pub const RECOVERY_CODES: usize = 10;
/// Bytes of an authenticator's secret (RFC 4226 §4 recommends 160 bits).
const SECRET_BYTES: usize = 20;
/// Seconds of one code, and its digits: what every authenticator app knows.
const STEP_SECS: u64 = 30;
const DIGITS: u8 = 6;

/// An account's second factors as they are stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Factors {
    authenticator: Option<Authenticator>,
    /// Keyed hashes; each works once.
    recovery: Vec<[u8; 32]>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Authenticator {
    #[serde(with = "serde_bytes")]
    sealed_secret: Vec<u8>,
    since: Timestamp,
    /// The step of the last code that was taken: each code works once (RFC 6238 §5.2).
    last_step: u64,
    /// Wrong codes in a row, and when the last one came: guesses get slower.
    failures: u32,
    failed_at: Timestamp,
}

/// What a person's sign-in needs beside the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorInfo {
    /// Since when an authenticator app is asked; `None` when none is.
    pub authenticator: Option<Timestamp>,
    /// Recovery codes that are left.
    pub recovery: usize,
}

/// A secret for an authenticator app that is not in force yet.
pub struct NewAuthenticator {
    /// To be typed in, in base32.
    pub secret: Zeroizing<String>,
    /// To be scanned: `otpauth://…`.
    pub url: Zeroizing<String>,
}

/// Wrong codes in a row before the account waits, and for how long then, in seconds, doubling.
const FAILURES_FREE: u32 = 5;
const FAILURE_WAIT_SECS: i64 = 30;
const FAILURE_WAIT_SECS_MAX: i64 = 3600;

impl Authenticator {
    /// Seconds to wait before the next code is looked at.
    fn wait_secs(&self, now: Timestamp) -> Option<u64> {
        let over = self.failures.checked_sub(FAILURES_FREE)?;
        let wait = (FAILURE_WAIT_SECS << over.min(16)).min(FAILURE_WAIT_SECS_MAX);
        let left = self.failed_at.secs() + wait - now.secs();
        (left > 0).then_some(left as u64)
    }
}

fn totp(secret: &[u8]) -> Totp {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_step_duration(STEP_SECS)
        .with_skew(1)
        .with_secret(secret)
        .build_noncompliant()
}

fn sealing_context(account: AccountId) -> Vec<u8> {
    [b"authenticator".as_slice(), &account.0.to_be_bytes()].concat()
}

impl Core {
    /// Whether the password alone does not open the account.
    pub(super) fn has_second_factor(&self, account: AccountId) -> Res<bool> {
        let factors: Option<Factors> = self.view()?.record(&global::factors(account))?;
        Ok(factors.is_some_and(|factors| factors.authenticator.is_some()))
    }

    /// The second half of a sign-in: a code of the authenticator app, or a recovery code.
    ///
    /// # Errors
    /// `NotFound` when the ticket is over: begin anew; `Unauthenticated` when the code is wrong; `Busy` after too many
    /// wrong ones.
    pub async fn sign_in_with_code(&self, ticket: &str, code: &str, door: &Door) -> Result<NewWebSession> {
        let (hash, now) = (self.0.hasher.web("ticket", ticket), self.0.env.now());
        let pending = self.0.people.tickets.look(&hash, now).ok_or_else(dead_link)?;
        let account = self.account(pending.account)?;
        if let Some(secs) = self.0.throttle.address_blocked(door.address, now) {
            return Err(blocked(secs).into());
        }
        if !self.take_code(account.id(), code).await? {
            self.0.people.tickets.failed(&hash);
            self.refuse_login(Some(account.id()), door, now);
            return Ok(fail(ErrorKind::Unauthenticated, "the code is wrong")?);
        }
        // Of two that come at once with two right codes, one takes the ticket.
        self.0.people.tickets.take(&hash).ok_or_else(dead_link)?;
        self.0.throttle.succeeded(account.id(), door.address, now);
        self.new_web_session(&account, door).await
    }

    /// Takes a code if it is right; it is used up in the same transaction.
    async fn take_code(&self, account: AccountId, code: &str) -> Result<bool> {
        let typed: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').take(64).collect();
        let (core, now) = (self.clone(), self.0.env.now());
        self.transact(GLOBAL_SHARD, move |txn| {
            let row = global::factors(account);
            let Some(mut factors) = txn.record::<Factors>(&row)? else { return Ok(false) };
            let hash = core.0.hasher.web("recovery", &typed.to_ascii_lowercase());
            if let Some(at) = factors.recovery.iter().position(|known| *known == hash) {
                factors.recovery.remove(at);
                note(txn, account, now, "recovery-code-used")?;
                txn.put(&row, &encode(&factors))?;
                return Ok(true);
            }
            let Some(authenticator) = &mut factors.authenticator else { return Ok(false) };
            if let Some(secs) = authenticator.wait_secs(now) {
                return Err(blocked(secs));
            }
            let secret = core.0.master.open(&sealing_context(account), &authenticator.sealed_secret)?;
            let step = totp(&secret).check(&typed, now.secs().max(0) as u64);
            let fresh = step.filter(|step| *step > authenticator.last_step);
            match fresh {
                Some(step) => (authenticator.last_step, authenticator.failures) = (step, 0),
                None => {
                    authenticator.failures = authenticator.failures.saturating_add(1);
                    authenticator.failed_at = now;
                }
            }
            txn.put(&row, &encode(&factors))?;
            Ok(fresh.is_some())
        })
        .await
    }
}

fn note(txn: &mut Txn<'_>, account: AccountId, now: Timestamp, word: &str) -> Res<()> {
    let event: AuditEvent = audit::event(now, word, None, Some(super::PROTOCOL), None, String::new());
    audit::write(txn, account, &event)
}

impl Session {
    /// What this person's sign-in needs beside the password.
    ///
    /// # Errors
    /// `Denied` for an app.
    pub async fn factors(&self) -> Result<FactorInfo> {
        self.person()?;
        let view = self.view()?;
        let factors: Factors = view.record(&global::factors(self.handle().id()))?.unwrap_or_default();
        Ok(FactorInfo {
            authenticator: factors.authenticator.map(|authenticator| authenticator.since),
            recovery: factors.recovery.len(),
        })
    }

    /// Makes a secret for an authenticator app. It is not in force before [`Session::add_authenticator`].
    ///
    /// # Errors
    /// `Denied` for an app.
    pub fn new_authenticator(&self, site: &str) -> Result<NewAuthenticator> {
        self.person()?;
        let bytes = Zeroizing::new(self.core().0.env.random::<SECRET_BYTES>());
        let secret = Zeroizing::new(totp(&*bytes).secret().to_base32());
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let site: String = site.chars().filter(plain).take(100).collect();
        let url = format!(
            "otpauth://totp/{site}:{}?secret={}&issuer={site}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECS}",
            self.account(),
            &*secret
        );
        Ok(NewAuthenticator { secret, url: url.into() })
    }

    /// Puts an authenticator app in force, once a code shows that it has the secret; returns recovery codes, which are
    /// shown once.
    ///
    /// # Errors
    /// `Denied` for an app or when the password was not shown lately; `Exists` when there is one already;
    /// `InvalidContent` when the secret is none or the code does not fit it.
    pub async fn add_authenticator(&self, secret: &str, code: &str) -> Result<Vec<Zeroizing<String>>> {
        self.check_confirmed()?;
        let wrong = || Error::new(ErrorKind::InvalidContent, "the code does not fit the secret");
        let plain = totp_rs::Secret::try_from_base32(secret.trim()).map_err(|_| wrong())?;
        let plain = Zeroizing::new(plain.as_bytes().to_vec());
        if plain.len() != SECRET_BYTES {
            return Err(wrong());
        }
        let core = self.core();
        let now = core.0.env.now();
        let typed: String = code.chars().filter(char::is_ascii_digit).take(16).collect();
        let step = totp(&plain).check(&typed, now.secs().max(0) as u64).ok_or_else(wrong)?;
        let codes: Vec<_> = (0..RECOVERY_CODES).map(|_| secret::recovery_code(&core.0.env)).collect();
        let hash = |code: &Zeroizing<String>| core.0.hasher.web("recovery", &code.replace('-', ""));
        let id = self.handle().id();
        let factors = Factors {
            authenticator: Some(Authenticator {
                sealed_secret: core.0.master.seal(&sealing_context(id), &plain),
                since: now,
                last_step: step,
                failures: 0,
                failed_at: Timestamp(0),
            }),
            recovery: codes.iter().map(hash).collect(),
        };
        core.transact(GLOBAL_SHARD, move |txn| {
            let row = global::factors(id);
            if txn.record::<Factors>(&row)?.is_some_and(|known| known.authenticator.is_some()) {
                return fail(ErrorKind::Exists, "there is an authenticator app already; remove it first");
            }
            txn.put(&row, &encode(&factors))?;
            note(txn, id, now, "authenticator-added")
        })
        .await?;
        Ok(codes)
    }

    /// Makes the password alone enough again.
    ///
    /// # Errors
    /// `Denied` for an app or when the password was not shown lately.
    pub async fn remove_authenticator(&self) -> Result<()> {
        self.check_confirmed()?;
        let (id, now) = (self.handle().id(), self.core().0.env.now());
        self.core()
            .transact(GLOBAL_SHARD, move |txn| {
                txn.delete(&global::factors(id))?;
                note(txn, id, now, "authenticator-removed")
            })
            .await
    }
}
