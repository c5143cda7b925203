//! What is stored of OAuth, in the server's shard.

use allod_meta::Txn;
use allod_model::{AccountId, CredentialId, Grant, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fault::Res;
use crate::keys::global;
use crate::reading::Records;
use crate::record::encode;

/// A code, by its keyed hash. Once redeemed it stays for a while, so that a second use is noticed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Code {
    pub account: AccountId,
    pub client_id: String,
    pub redirect_uri: String,
    pub origin: String,
    /// RFC 7636 §4.2, by S256.
    pub challenge: String,
    pub label: String,
    pub scope: String,
    pub grants: Vec<Grant>,
    /// When what it gives ends.
    pub expires: Option<Timestamp>,
    /// When the code itself ends.
    pub until: Timestamp,
    /// The credential that it gave.
    pub used: Option<CredentialId>,
}

/// What an app credential has beyond others when it came by OAuth.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct App {
    pub origin: String,
    pub client_id: String,
    pub scope: String,
    /// Makes refresh tokens; never told.
    pub family: [u8; 32],
    /// Counts refresh tokens: the one that counts now. 0: there is none.
    pub generation: u64,
    /// Keyed hashes of access tokens, and when each ends; oldest first.
    pub access: Vec<([u8; 32], Timestamp)>,
}

/// An access token, by its keyed hash.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Access {
    pub credential: CredentialId,
    /// By which the credential in use is remembered.
    pub bearer_hash: [u8; 32],
    pub until: Timestamp,
}

/// What an account has of all this, so that it can be bounded.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Index {
    /// Codes, and when each may be forgotten.
    pub codes: Vec<([u8; 32], Timestamp)>,
    pub apps: Vec<CredentialId>,
}

pub fn index(txn: &Txn<'_>, account: AccountId) -> Res<Index> {
    Ok(txn.record(&global::oauth_index(account))?.unwrap_or_default())
}

pub fn put_index(txn: &mut Txn<'_>, account: AccountId, index: &Index) -> Res<()> {
    Ok(txn.put(&global::oauth_index(account), &encode(index))?)
}

pub fn app(rows: &impl Records, credential: &CredentialId) -> Res<Option<App>> {
    rows.record(&global::oauth_app(&credential.0))
}

/// Forgets what a credential has by OAuth, along with the credential.
pub fn forget(txn: &mut Txn<'_>, account: AccountId, credential: &CredentialId) -> Res<()> {
    let Some(app) = app(&*txn, credential)? else { return Ok(()) };
    for (hash, _) in &app.access {
        txn.delete(&global::oauth_access(hash))?;
    }
    txn.delete(&global::oauth_app(&credential.0))?;
    let mut known = index(txn, account)?;
    known.apps.retain(|id| id != credential);
    put_index(txn, account, &known)
}

/// Forgets the codes of an account that goes; its apps went with their credentials.
pub fn forget_account(txn: &mut Txn<'_>, account: AccountId) -> Res<()> {
    for (hash, _) in index(txn, account)?.codes {
        txn.delete(&global::oauth_code(&hash))?;
    }
    Ok(txn.delete(&global::oauth_index(account))?)
}
