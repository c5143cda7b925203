//! Those who are signed in: tokens, their ends, and their list.

use std::collections::HashMap;
use std::sync::Arc;

use allod_meta::{KeyRange, Lookup, Txn};
use allod_model::{AccountId, CredentialId, Error, ErrorKind, Result, Timestamp};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::PROTOCOL;
use crate::account::AccountHandle;
use crate::audit;
use crate::core::Core;
use crate::credential::{CredentialHandle, shorten};
use crate::fault::{Res, fail};
use crate::keys::{GLOBAL_SHARD, global};
use crate::node::Door;
use crate::reading::Records;
use crate::record::{Credential, LastUse, decode, encode, hex};
use crate::secret;
use crate::session::Session;

/// A sign-in ends after this time, in seconds.
pub const WEB_SESSION_SECS: i64 = 90 * 86_400;
/// A sign-in that is not used ends after this time, in seconds.
pub const WEB_SESSION_IDLE_SECS: i64 = 14 * 86_400;
/// Sign-ins of one account at one time; a further one ends the oldest.
pub const WEB_SESSIONS_MAX: usize = 50;
/// Sign-ins remembered in memory at most.
const CACHED_MAX: usize = 10_000;
/// Longest token looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 128;

/// A sign-in as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct WebSession {
    id: CredentialId,
    account: AccountId,
    created: Timestamp,
    expires: Timestamp,
    address: Option<String>,
    client: Option<String>,
}

/// A sign-in in use.
pub struct WebHandle {
    record: WebSession,
    /// The same as a credential: ends streams and stands in history.
    pub credential: Arc<CredentialHandle>,
    hash: [u8; 32],
    /// When the password was last shown.
    confirmed: Mutex<Timestamp>,
}

impl WebHandle {
    fn new(record: WebSession, hash: [u8; 32]) -> Self {
        let credential = CredentialHandle::new(
            Credential {
                id: record.id.clone(),
                account: record.account,
                label: PROTOCOL.into(),
                grants: Vec::new(),
                created: record.created,
                expires: Some(record.expires),
                password_hash: [0; 32],
                bearer_hash: [0; 32],
                access_key: String::new(),
                sealed_s3_secret: Vec::new(),
            },
            crate::used::UsedRow::default(),
        );
        let confirmed = Mutex::new(record.created);
        WebHandle { record, credential: Arc::new(credential), hash, confirmed }
    }

    pub(super) fn confirm(&self, now: Timestamp) {
        *self.confirmed.lock() = now;
    }

    pub(super) fn confirmed(&self) -> Timestamp {
        *self.confirmed.lock()
    }
}

/// Sign-ins in use, by the hash of their token.
#[derive(Default)]
pub struct WebSessions(RwLock<HashMap<[u8; 32], Arc<WebHandle>>>);

/// A new sign-in.
pub struct NewWebSession {
    /// What the browser is to keep. Told once.
    pub token: Zeroizing<String>,
    /// The session that it opens.
    pub session: Session,
}

/// A sign-in in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSessionInfo {
    /// Its id, not secret.
    pub id: CredentialId,
    /// When it began.
    pub created: Timestamp,
    /// When it ends at the latest.
    pub expires: Timestamp,
    /// When, from where and with what browser it was last used; at first, where it began.
    pub last_use: LastUse,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl Core {
    /// Signs a person in, whose proofs were all found right. Of too many sign-ins the oldest ends.
    pub(super) async fn new_web_session(
        &self,
        account: &Arc<AccountHandle>,
        door: &Door,
    ) -> Result<NewWebSession> {
        let (env, now) = (&self.0.env, self.0.env.now());
        let token = secret::web_token(env);
        let hash = self.0.hasher.web("session", &token);
        let record = WebSession {
            id: CredentialId(secret::web_session_id(env)),
            account: account.id(),
            created: now,
            expires: now.plus_secs(WEB_SESSION_SECS),
            address: door.address.map(|a| a.to_string()),
            client: door.client.as_deref().map(shorten),
        };
        let mut known = self.web_session_records(account.id())?;
        known.sort_by_key(|(_, record)| record.created);
        let surplus = (known.len() + 1).saturating_sub(WEB_SESSIONS_MAX);
        for (old, record) in known.into_iter().take(surplus) {
            self.end_web_session(old, &record).await?;
        }
        let (row, id) = (record.clone(), account.id());
        let address = door.address;
        self.transact(GLOBAL_SHARD, move |txn| {
            if txn.get(&global::account(id))?.is_none() {
                return Err(Error::not_found().into());
            }
            txn.put(&global::web_session(&hash), &encode(&row))?;
            txn.put(&global::web_session_of(id, &row.id.0), &hash)?;
            txn.put(&global::web_session_id(&row.id.0), &[])?;
            let text = row.client.clone().unwrap_or_default();
            let event = audit::event(now, "signed-in", Some(&row.id), Some(PROTOCOL), address, text);
            audit::write(txn, id, &event)
        })
        .await?;
        let handle = Arc::new(WebHandle::new(record, hash));
        self.0.people.sessions.0.write().insert(hash, handle.clone());
        let session = Session::of_person(self.clone(), account.clone(), handle, door.address);
        Ok(NewWebSession { token, session })
    }

    /// Lets in who is signed in.
    ///
    /// # Errors
    /// `Unauthenticated` when the token is none, or its sign-in has ended.
    pub async fn web_session(&self, token: &str, door: &Door) -> Result<Session> {
        Ok(self.find_web_session(token, door)?)
    }

    fn find_web_session(&self, token: &str, door: &Door) -> Res<Session> {
        let over = || fail(ErrorKind::Unauthenticated, "nobody is signed in");
        if token.len() > TOKEN_BYTES_MAX {
            return over();
        }
        // 200 random bits: nobody guesses them, so a wrong one is an old one and is not throttled.
        let Some(handle) = self.web_handle(self.0.hasher.web("session", token))? else { return over() };
        let now = self.0.env.now();
        let seen = self.last_use(&handle.record.id)?.map_or(handle.record.created, |last| last.time);
        let idle = now.secs() - seen.secs() >= WEB_SESSION_IDLE_SECS;
        if idle || handle.record.expires <= now || handle.credential.revoked.is_cancelled() {
            return over();
        }
        let Ok(account) = self.account(handle.record.account) else { return over() };
        self.0.audit.used(
            &handle.record.id,
            LastUse {
                time: now,
                protocol: PROTOCOL.into(),
                address: door.address.map(|a| a.to_string()),
                client: door.client.as_deref().map(shorten),
            },
        );
        Ok(Session::of_person(self.clone(), account, handle, door.address))
    }

    /// As for credentials: the table is held while looking, so that an end can't slip in between.
    fn web_handle(&self, hash: [u8; 32]) -> Res<Option<Arc<WebHandle>>> {
        let sessions = &self.0.people.sessions.0;
        if let Some(handle) = sessions.read().get(&hash) {
            return Ok(Some(handle.clone()));
        }
        let mut known = sessions.write();
        let Some(record) = self.view()?.record::<WebSession>(&global::web_session(&hash))? else {
            return Ok(None);
        };
        if known.len() >= CACHED_MAX {
            known.retain(|_, handle| Arc::strong_count(handle) > 1);
        }
        Ok(Some(known.entry(hash).or_insert_with(|| Arc::new(WebHandle::new(record, hash))).clone()))
    }

    fn web_session_records(&self, account: AccountId) -> Res<Vec<([u8; 32], WebSession)>> {
        let view = self.view()?;
        let mut records = Vec::new();
        view.each(&KeyRange::prefix(&global::web_sessions_of(account)), 0, |_, value| {
            if let Ok(hash) = <[u8; 32]>::try_from(value)
                && let Some(row) = view.get(&global::web_session(&hash))?
            {
                records.push((hash, decode(&row)?));
            }
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        Ok(records)
    }

    /// Ends a sign-in at once, on open connections too.
    async fn end_web_session(&self, hash: [u8; 32], record: &WebSession) -> Result<()> {
        let (account, id, now) = (record.account, record.id.clone(), self.0.env.now());
        self.transact(GLOBAL_SHARD, move |txn| {
            txn.delete(&global::web_session(&hash))?;
            txn.delete(&global::web_session_of(account, &id.0))?;
            txn.delete(&global::web_session_id(&id.0))?;
            txn.delete(&global::last_use(&id.0))?;
            let event = audit::event(now, "signed-out", Some(&id), Some(PROTOCOL), None, String::new());
            audit::write(txn, account, &event)
        })
        .await?;
        if let Some(handle) = self.0.people.sessions.0.write().remove(&hash) {
            handle.credential.revoked.cancel();
        }
        Ok(())
    }

    /// Ends all sign-ins of an account but one.
    pub(crate) async fn end_web_sessions(
        &self,
        account: &AccountHandle,
        but: Option<&CredentialId>,
    ) -> Result<()> {
        for (hash, record) in self.web_session_records(account.id())? {
            if Some(&record.id) != but {
                self.end_web_session(hash, &record).await?;
            }
        }
        Ok(())
    }

    /// Removes what is kept of an account's person.
    pub(crate) async fn forget_person(&self, account: &AccountHandle) -> Result<()> {
        self.end_web_sessions(account, None).await?;
        let id = account.id();
        self.transact(GLOBAL_SHARD, move |txn| {
            if let Some(hash) = txn.get(&global::invitation_of(id))?.and_then(|h| h.try_into().ok()) {
                txn.delete(&global::invitation(&hash))?;
                txn.delete(&global::invitation_of(id))?;
            }
            Ok(txn.delete(&global::factors(id))?)
        })
        .await
    }

    /// Ends sign-ins that are over by themselves. Their tokens open nothing any more; this takes their rows.
    pub(crate) async fn sweep_web_sessions(&self, account: AccountId) -> Result<()> {
        let now = self.0.env.now();
        for (hash, record) in self.web_session_records(account)? {
            let seen = self.last_use(&record.id)?.map_or(record.created, |last| last.time);
            if record.expires <= now || now.secs() - seen.secs() >= WEB_SESSION_IDLE_SECS {
                self.end_web_session(hash, &record).await?;
            }
        }
        Ok(())
    }
}

impl Session {
    /// What each form of the page must bring along, so that no other site's form is taken for it. Bound to the
    /// sign-in, and of no use for signing in.
    ///
    /// # Errors
    /// `Denied` for an app.
    pub fn form_token(&self) -> Result<String> {
        let person = self.person()?;
        let hash = self.core().0.hasher.web("form", &hex(&person.hash));
        Ok(hex(&hash[..20]))
    }

    /// Ends this sign-in.
    ///
    /// # Errors
    /// `Denied` for an app.
    pub async fn sign_out(&self) -> Result<()> {
        let person = self.person()?.clone();
        self.core().end_web_session(person.hash, &person.record).await
    }

    /// The account's sign-ins, the last used first.
    ///
    /// # Errors
    /// `Denied` for an app.
    pub async fn web_sessions(&self) -> Result<Vec<WebSessionInfo>> {
        let me = self.person()?.record.id.clone();
        let now = self.core().0.env.now();
        let mut infos = Vec::new();
        for (_, record) in self.core().web_session_records(self.handle().id())? {
            let began = LastUse {
                time: record.created,
                protocol: PROTOCOL.into(),
                address: record.address,
                client: record.client,
            };
            let last_use = self.core().last_use(&record.id)?.unwrap_or(began);
            let idle = now.secs() - last_use.time.secs() >= WEB_SESSION_IDLE_SECS;
            if record.expires > now && !idle {
                let current = record.id == me;
                let (id, created, expires) = (record.id, record.created, record.expires);
                infos.push(WebSessionInfo { id, created, expires, last_use, current });
            }
        }
        infos.sort_by_key(|info| std::cmp::Reverse(info.last_use.time));
        Ok(infos)
    }

    /// Ends one of the account's sign-ins.
    ///
    /// # Errors
    /// `Denied` for an app; `NotFound`.
    pub async fn end_web_session(&self, id: &str) -> Result<()> {
        self.person()?;
        let core = self.core();
        let records = core.web_session_records(self.handle().id())?;
        match records.iter().find(|(_, record)| record.id.0 == id) {
            Some((hash, record)) => core.end_web_session(*hash, record).await,
            None => Err(Error::not_found()),
        }
    }

    /// Ends all sign-ins but this one.
    ///
    /// # Errors
    /// `Denied` for an app.
    pub async fn end_other_web_sessions(&self) -> Result<()> {
        let me = self.person()?.record.id.clone();
        self.core().end_web_sessions(self.handle(), Some(&me)).await
    }
}

/// Whether a sign-in of this id is still there.
pub fn is_signed_in(txn: &Txn<'_>, id: &str) -> Res<bool> {
    Ok(txn.get(&global::web_session_id(id))?.is_some())
}
