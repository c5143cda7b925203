//! App credentials: making, finding, revoking; and the one way to a [`Session`].

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use allod_meta::{Lookup, Txn};
use allod_model::{AccountId, CredentialId, Detail, Error, ErrorKind, Grant, Protocol, Result, Timestamp};
use parking_lot::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::access::Scope;
use crate::account::AccountHandle;
use crate::audit;
use crate::core::Core;
use crate::fault::{Res, fail};
use crate::keys::{GLOBAL_SHARD, global};
use crate::node::Door;
use crate::reading::Records;
use crate::record::{Actor, Credential, LastUse, encode};
use crate::secret;
use crate::session::Session;
use crate::used::{UsedRights, UsedRow};

/// Longest label, in bytes.
pub const LABEL_BYTES_MAX: usize = 200;
/// Grants of one credential at most.
pub const GRANTS_MAX: usize = 64;
/// Credentials remembered in memory at most; beyond that the memory starts anew.
const CACHED_MAX: usize = 100_000;
/// Windows of one credential whose grants are remembered.
const SCOPES_MAX: usize = 16;
/// Longest access key looked up, in bytes.
const ACCESS_KEY_BYTES_MAX: usize = 128;
/// What is kept of a client's name, in bytes.
const CLIENT_BYTES_MAX: usize = 120;

/// A credential in use.
pub struct CredentialHandle {
    pub record: Credential,
    /// The S3 secret, unsealed at its first use.
    signing: OnceLock<Arc<Zeroizing<String>>>,
    /// Cancelled when it is revoked: open streams end then.
    pub revoked: CancellationToken,
    /// The grants that hold for each window it was used by.
    scopes: Mutex<Vec<(Vec<Protocol>, Arc<Scope>)>>,
    /// What it made use of.
    pub used: Arc<UsedRights>,
}

impl CredentialHandle {
    pub fn new(record: Credential, used: UsedRow) -> Self {
        CredentialHandle {
            used: Arc::new(UsedRights::new(used)),
            record,
            signing: OnceLock::new(),
            revoked: CancellationToken::new(),
            scopes: Mutex::default(),
        }
    }

    fn scope(&self, protocols: &[Protocol]) -> Arc<Scope> {
        let mut scopes = self.scopes.lock();
        if let Some((_, scope)) = scopes.iter().find(|(known, _)| known == protocols) {
            return scope.clone();
        }
        let scope = Scope::new(&self.record.grants, protocols);
        let scope = Arc::new(scope.noting(self.used.clone()));
        // Gateways register a handful of windows; the bound is for what may come.
        if scopes.len() < SCOPES_MAX {
            scopes.push((protocols.to_vec(), scope.clone()));
        }
        scope
    }
}

/// Credentials in use, found by the hash of the secret that was presented.
#[derive(Default)]
pub struct Credentials(RwLock<HashMap<[u8; 32], Arc<CredentialHandle>>>);

/// What a client presents to be let in.
pub enum Proof {
    /// Account name (or one of its mail addresses) and an app credential's password.
    Password {
        /// Account name or mail address.
        username: String,
        /// The secret.
        password: Zeroizing<String>,
    },
    /// A bearer token.
    Bearer(Zeroizing<String>),
    /// A request signed with an access key's secret. Present it only after the signature was found to be right.
    Signature(SigningKey),
    /// Nothing: opens what lies below `public` of one account, for reading a name that is known.
    Anonymous {
        /// The account; `None` where the server has but one.
        account: Option<String>,
    },
}

/// The secret by which a gateway checks signed requests, from [`Core::signing_key`].
#[derive(Clone)]
pub struct SigningKey {
    handle: Arc<CredentialHandle>,
    secret: Arc<Zeroizing<String>>,
}

impl SigningKey {
    /// The secret key. Never to be stored, logged or sent.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The access key it belongs to.
    pub fn access_key(&self) -> &str {
        &self.handle.record.access_key
    }
}

/// A new credential's secrets, which are shown once and never again.
pub struct NewCredential {
    /// Its id, not secret.
    pub id: CredentialId,
    /// For HTTP Basic, IMAP and SMTP.
    pub password: Zeroizing<String>,
    /// For `Authorization: Bearer`.
    pub bearer: Zeroizing<String>,
    /// For S3.
    pub access_key: String,
    /// For S3.
    pub secret_key: Zeroizing<String>,
}

impl Core {
    /// Lets a client in, or says why not.
    ///
    /// # Errors
    /// `Unauthenticated`; `Busy` with [`Detail::RetryAfter`] after too many failures; `Denied` when the credential is
    /// good but for other protocols.
    pub async fn authenticate(&self, proof: Proof, door: Door) -> Result<Session> {
        Ok(self.admit(proof, door)?)
    }

    fn admit(&self, proof: Proof, door: Door) -> Res<Session> {
        let now = self.0.env.now();
        let (named, handle) = match &proof {
            Proof::Password { username, password } => {
                let hash = self.0.hasher.password(password);
                (self.account_named(username)?, self.credential_by(hash, &global::secret(&hash))?)
            }
            Proof::Bearer(token) => {
                let hash = self.0.hasher.bearer(token);
                match token.starts_with(secret::ACCESS_PREFIX) {
                    true => (None, self.credential_by_access(&hash, now)?),
                    false => (None, self.credential_by(hash, &global::secret(&hash))?),
                }
            }
            Proof::Signature(key) => (None, Some(key.handle.clone())),
            Proof::Anonymous { account } => return self.admit_anyone(account.as_deref(), door),
        };
        let account = named.as_ref().map(|a| a.id()).or(handle.as_ref().map(|h| h.record.account));
        if let Some(secs) = self.blocked_secs(account, &door, now) {
            return Err(blocked(secs));
        }
        let valid = handle.filter(|handle| match &proof {
            Proof::Password { .. } => named.as_ref().is_some_and(|a| a.id() == handle.record.account),
            Proof::Bearer(_) | Proof::Signature(_) => true,
            Proof::Anonymous { .. } => false,
        });
        let Some(handle) = valid.filter(|h| !is_over(&h.record, now) && !h.revoked.is_cancelled()) else {
            self.refuse_login(named.map(|a| a.id()), &door, now);
            return fail(
                ErrorKind::Unauthenticated,
                "the name or the app password is wrong, or it was revoked",
            );
        };
        let account = self.account(handle.record.account)?;
        self.0.throttle.succeeded(account.id(), door.address, now);
        self.open_session(account, handle, door, now)
    }

    /// Seconds that this door must wait after too many failures.
    pub(crate) fn blocked_secs(
        &self,
        account: Option<AccountId>,
        door: &Door,
        now: Timestamp,
    ) -> Option<u64> {
        let throttle = &self.0.throttle;
        if account.is_some_and(|account| throttle.is_trusted(account, door.address, now)) {
            return None;
        }
        let by_account = account.and_then(|account| throttle.account_blocked(account, now));
        throttle.address_blocked(door.address, now).or(by_account)
    }

    fn open_session(
        &self,
        account: Arc<AccountHandle>,
        handle: Arc<CredentialHandle>,
        door: Door,
        now: Timestamp,
    ) -> Res<Session> {
        let scope = handle.scope(&door.protocols);
        let protocol = door.protocols.first().map(|p| p.0.clone()).unwrap_or_default();
        if scope.is_empty() {
            let text = format!("{} is not granted to '{}'", protocol, handle.record.label);
            let id = Some(&handle.record.id);
            let refused = audit::event(now, "refused", id, Some(&protocol), door.address, text);
            self.0.audit.push(account.id(), refused);
            return Err(Error::denied().into());
        }
        let client = door.client.map(|c| shorten(&c));
        let address = door.address.map(|a| a.to_string());
        let last = LastUse { time: now, protocol: protocol.clone(), address: address.clone(), client };
        self.0.audit.used(&handle.record.id, last);
        let actor = Actor { credential: Some(handle.record.id.clone()), protocol, address };
        Ok(Session::new(self.clone(), account, scope, actor, Some(handle), door.address))
    }

    /// Notes what a client says of itself after it was let in.
    pub(crate) fn named(&self, actor: &Actor, client: &str) {
        let Some(credential) = &actor.credential else { return };
        let (protocol, address) = (actor.protocol.clone(), actor.address.clone());
        let client = Some(shorten(client));
        let last = LastUse { time: self.0.env.now(), protocol, address, client };
        self.0.audit.used(credential, last);
    }

    pub(crate) fn refuse_login(&self, account: Option<AccountId>, door: &Door, now: Timestamp) {
        self.0.throttle.failed(account, door.address, now);
        let protocol = door.protocols.first().map_or("", |p| &p.0);
        tracing::info!(protocol, address = ?door.address, "login refused");
        if let Some(account) = account {
            let text = "wrong or revoked secret".to_owned();
            let failed = audit::event(now, "login-failed", None, Some(protocol), door.address, text);
            self.0.audit.push(account, failed);
        }
    }

    /// The secret of an access key, for checking a signature. Nobody is let in by this.
    ///
    /// # Errors
    /// `Unauthenticated` when there is no such key; `Busy` with [`Detail::RetryAfter`] after too many failures.
    pub async fn signing_key(&self, access_key: &str, door: &Door) -> Result<SigningKey> {
        Ok(self.find_signing_key(access_key, door)?)
    }

    fn find_signing_key(&self, access_key: &str, door: &Door) -> Res<SigningKey> {
        let now = self.0.env.now();
        let handle = match access_key.len() <= ACCESS_KEY_BYTES_MAX {
            true => self.credential_by(access_key_hash(access_key), &global::access_key(access_key))?,
            false => None,
        };
        let account = handle.as_ref().map(|handle| handle.record.account);
        if let Some(secs) = self.blocked_secs(account, door, now) {
            return Err(blocked(secs));
        }
        let Some(handle) = handle.filter(|h| !is_over(&h.record, now) && !h.revoked.is_cancelled()) else {
            self.refuse_login(None, door, now);
            return fail(ErrorKind::Unauthenticated, "there is no such access key, or it was revoked");
        };
        let secret = match handle.signing.get() {
            Some(secret) => secret.clone(),
            None => {
                let sealed = &handle.record.sealed_s3_secret;
                let plain = self.0.master.open(access_key.as_bytes(), sealed)?;
                let text = String::from_utf8(plain.to_vec())
                    .map_err(|_| Error::new(ErrorKind::Corrupt, "an S3 secret cannot be read"))?;
                handle.signing.get_or_init(|| Arc::new(Zeroizing::new(text))).clone()
            }
        };
        Ok(SigningKey { handle, secret })
    }

    /// The account that an access key belongs to.
    pub(crate) fn account_of_key(&self, access_key: &str) -> Res<Option<Arc<AccountHandle>>> {
        if access_key.len() > ACCESS_KEY_BYTES_MAX {
            return Ok(None);
        }
        let handle = self.credential_by(access_key_hash(access_key), &global::access_key(access_key))?;
        handle.map(|handle| self.account(handle.record.account)).transpose()
    }

    /// Counts a wrong signature as a failed login.
    pub fn signature_failed(&self, key: &SigningKey, door: &Door) {
        self.refuse_login(Some(key.handle.record.account), door, self.0.env.now());
    }

    /// Anybody, for what is below `public`.
    fn admit_anyone(&self, account: Option<&str>, door: Door) -> Res<Session> {
        let refused = || fail(ErrorKind::Unauthenticated, "this needs a credential");
        let account = match account {
            Some(name) => match self.account_named(name)? {
                Some(account) => account,
                None => return refused(),
            },
            None => match self.account_records()?.as_slice() {
                [only] => self.account(only.id)?,
                _ => return refused(),
            },
        };
        let protocol = door.protocols.first().map(|p| p.0.clone()).unwrap_or_default();
        let address = door.address.map(|a| a.to_string());
        let actor = Actor { credential: None, protocol, address };
        let scope = Arc::new(Scope::public());
        Ok(Session::new(self.clone(), account, scope, actor, None, door.address))
    }

    /// A credential in use, remembered by `hash`; `row` names it in the store.
    pub(crate) fn credential_by(&self, hash: [u8; 32], row: &[u8]) -> Res<Option<Arc<CredentialHandle>>> {
        let hash = &hash;
        if let Some(handle) = self.0.credentials.0.read().get(hash) {
            return Ok(Some(handle.clone()));
        }
        // The table is held while looking, so that a revocation can't slip in between reading and remembering.
        let mut known = self.0.credentials.0.write();
        let view = self.view()?;
        let Some(id) = view.get(row)? else { return Ok(None) };
        let id = String::from_utf8_lossy(&id).into_owned();
        let Some(record) = view.record::<Credential>(&global::credential(&id))? else { return Ok(None) };
        if known.len() >= CACHED_MAX {
            known.retain(|_, handle| Arc::strong_count(handle) > 1);
        }
        let same = record.lookups().iter().find_map(|hash| known.get(hash).cloned());
        let handle = match same {
            Some(handle) => handle,
            None => {
                let used = view.record(&global::used_rights(&record.id.0))?.unwrap_or_default();
                Arc::new(CredentialHandle::new(record, used))
            }
        };
        known.insert(*hash, handle.clone());
        Ok(Some(handle))
    }

    /// Makes a credential.
    pub(crate) async fn make_credential(
        &self,
        account: &AccountHandle,
        label: &str,
        grants: Vec<Grant>,
        expires: Option<Timestamp>,
    ) -> Result<NewCredential> {
        let (new, record) = self.draft_credential(account, label, grants, expires)?;
        let now = record.created;
        self.transact(GLOBAL_SHARD, move |txn| write_credential(txn, &record, now)).await?;
        Ok(new)
    }

    /// A credential that is not written yet.
    pub(crate) fn draft_credential(
        &self,
        account: &AccountHandle,
        label: &str,
        grants: Vec<Grant>,
        expires: Option<Timestamp>,
    ) -> Result<(NewCredential, Credential)> {
        if label.is_empty() || label.len() > LABEL_BYTES_MAX || label.chars().any(char::is_control) {
            let message = format!("a label has 1 to {LABEL_BYTES_MAX} bytes and no control characters");
            return Err(Error::new(ErrorKind::InvalidContent, message));
        }
        if grants.is_empty() || grants.len() > GRANTS_MAX {
            let message = format!("a credential has 1 to {GRANTS_MAX} grants; add --grant");
            return Err(Error::new(ErrorKind::InvalidContent, message));
        }
        let (env, now) = (&self.0.env, self.0.env.now());
        let new = NewCredential {
            id: CredentialId(secret::id(env)),
            password: secret::password(env),
            bearer: secret::bearer(env),
            access_key: secret::access_key(env),
            secret_key: secret::s3_secret(env),
        };
        let record = Credential {
            id: new.id.clone(),
            account: account.id(),
            label: label.to_owned(),
            grants,
            created: now,
            expires,
            password_hash: self.0.hasher.password(&new.password),
            bearer_hash: self.0.hasher.bearer(&new.bearer),
            access_key: new.access_key.clone(),
            sealed_s3_secret: self.0.master.seal(new.access_key.as_bytes(), new.secret_key.as_bytes()),
        };
        Ok((new, record))
    }

    /// Revokes a credential: no new request is let in, and open ones end within a second.
    ///
    /// # Errors
    /// `NotFound`.
    pub(crate) async fn revoke_credential(&self, id: &str) -> Result<()> {
        let record = self.credential(id)?.ok_or_else(Error::not_found)?;
        let (gone, now) = (record.clone(), self.0.env.now());
        self.transact(GLOBAL_SHARD, move |txn| {
            for key in [
                global::credential(&gone.id.0),
                global::secret(&gone.password_hash),
                global::secret(&gone.bearer_hash),
                global::access_key(&gone.access_key),
                global::last_use(&gone.id.0),
                global::used_rights(&gone.id.0),
            ] {
                txn.delete(&key)?;
            }
            crate::oauth::rows::forget(txn, gone.account, &gone.id)?;
            let text = format!("'{}'", gone.label);
            let revoked = audit::event(now, "credential-revoked", Some(&gone.id), None, None, text);
            audit::write(txn, gone.account, &revoked)
        })
        .await?;
        self.drop_from_memory(&record);
        Ok(())
    }

    pub(crate) fn drop_from_memory(&self, record: &Credential) {
        let mut known = self.0.credentials.0.write();
        for hash in record.lookups() {
            if let Some(handle) = known.remove(&hash) {
                handle.revoked.cancel();
            }
        }
    }

    /// A credential by id.
    pub(crate) fn credential(&self, id: &str) -> Res<Option<Credential>> {
        self.view()?.record(&global::credential(id))
    }

    /// What credentials in use made use of since the last time, by id.
    pub(crate) fn unwritten_uses(&self) -> Vec<(CredentialId, UsedRow)> {
        let known = self.0.credentials.0.read();
        let unwritten =
            |handle: &Arc<CredentialHandle>| Some((handle.record.id.clone(), handle.used.unwritten()?));
        known.values().filter_map(unwritten).collect()
    }

    /// What a credential ever made use of.
    pub(crate) fn used_rights(&self, record: &Credential) -> Res<UsedRow> {
        let known = self.0.credentials.0.read();
        if let Some(handle) = record.lookups().iter().find_map(|hash| known.get(hash)) {
            return Ok(handle.used.row());
        }
        drop(known);
        Ok(self.view()?.record(&global::used_rights(&record.id.0))?.unwrap_or_default())
    }

    /// Changes the grants of a credential; open connections end and come back with what is left.
    pub(crate) async fn replace_grants(&self, id: &str, grants: Vec<Grant>) -> Result<()> {
        let (id, now) = (id.to_owned(), self.0.env.now());
        let record = self
            .transact(GLOBAL_SHARD, move |txn| {
                let row = global::credential(&id);
                let mut record: Credential = txn.record(&row)?.ok_or_else(Error::not_found)?;
                record.grants = grants.clone();
                txn.put(&row, &encode(&record))?;
                let texts: Vec<_> = grants.iter().map(|grant| grant.text.as_str()).collect();
                let text = format!("'{}' to {}", record.label, texts.join(" "));
                let event = audit::event(now, "credential-narrowed", Some(&record.id), None, None, text);
                audit::write(txn, record.account, &event)?;
                Ok(record)
            })
            .await?;
        self.drop_from_memory(&record);
        Ok(())
    }

    /// When a credential was last used.
    pub(crate) fn last_use(&self, id: &CredentialId) -> Res<Option<LastUse>> {
        match self.0.audit.last_use(id) {
            Some(last) => Ok(Some(last)),
            None => self.view()?.record(&global::last_use(&id.0)),
        }
    }
}

/// Writes a new credential.
pub fn write_credential(txn: &mut Txn<'_>, record: &Credential, now: Timestamp) -> Res<()> {
    if txn.get(&global::account(record.account))?.is_none() {
        return Err(Error::not_found().into());
    }
    let name = record.id.0.as_bytes();
    txn.put(&global::credential(&record.id.0), &encode(record))?;
    txn.put(&global::secret(&record.password_hash), name)?;
    txn.put(&global::secret(&record.bearer_hash), name)?;
    txn.put(&global::access_key(&record.access_key), name)?;
    let grants: Vec<_> = record.grants.iter().map(|g| g.text.as_str()).collect();
    let text = format!("'{}' with {}", record.label, grants.join(" "));
    let made = audit::event(now, "credential-created", Some(&record.id), None, None, text);
    audit::write(txn, record.account, &made)
}

impl Credential {
    /// By what a credential in use is remembered.
    fn lookups(&self) -> [[u8; 32]; 3] {
        [self.password_hash, self.bearer_hash, access_key_hash(&self.access_key)]
    }
}

fn access_key_hash(access_key: &str) -> [u8; 32] {
    *blake3::Hasher::new_derive_key("allod 2026 access key in memory")
        .update(access_key.as_bytes())
        .finalize()
        .as_bytes()
}

fn is_over(record: &Credential, now: Timestamp) -> bool {
    record.expires.is_some_and(|expires| expires <= now)
}

pub fn blocked(secs: u64) -> crate::fault::Fault {
    let message = format!("too many failed logins; try again in {secs} s");
    Error::new(ErrorKind::Busy, message).with(Detail::RetryAfter(secs)).into()
}

pub fn shorten(client: &str) -> String {
    let mut end = client.len().min(CLIENT_BYTES_MAX);
    while !client.is_char_boundary(end) {
        end -= 1;
    }
    client[..end].chars().filter(|c| !c.is_control()).collect()
}
