//! Tokens: a code is redeemed for the first ones, a refresh token for the next, and any of them revokes them all.
//!
//! A refresh token is `allod_r_CREDENTIAL_GENERATION_MAC`: the keyed hash of the credential's secret family and the
//! generation. So nothing but the present generation is stored, and an old token is known for what it is for ever.

use std::sync::Arc;

use allod_meta::Txn;
use allod_model::{CredentialId, Error, ErrorKind, Result, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::consent::add_app;
use super::rows::{self, Access, App, Code, index, put_index};
use crate::core::Core;
use crate::credential::{CredentialHandle, write_credential};
use crate::fault::Res;
use crate::keys::{GLOBAL_SHARD, global};
use crate::node::Door;
use crate::reading::Records;
use crate::record::{Credential, encode};
use crate::secret;

/// How long a code can be redeemed, in seconds.
pub const CODE_SECS: i64 = 60;
/// How long a code is remembered, so that a second use is noticed, in seconds.
pub const USED_CODE_SECS: i64 = 3600;
/// How long an access token lives, in seconds.
pub const ACCESS_SECS: i64 = 3600;
/// Access tokens of one app at once; a further one ends the oldest.
const ACCESS_MAX: usize = 16;
/// Longest token or code looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 256;
/// Lengths that a verifier may have (RFC 7636 §4.1).
const VERIFIER_BYTES: std::ops::RangeInclusive<usize> = 43..=128;
/// A BASE64URL of 32 bytes.
const CHALLENGE_BYTES: usize = 43;
const REFRESH_PREFIX: &str = "allod_r_";

/// A code as an app presents it.
pub struct CodeUse {
    /// The code.
    pub code: Zeroizing<String>,
    /// Must be what the request had.
    pub client_id: String,
    /// Must be what the request had, to the letter.
    pub redirect_uri: String,
    /// RFC 7636 §4.1.
    pub verifier: Zeroizing<String>,
}

/// What an app gets for a code or a refresh token.
pub struct IssuedTokens {
    /// For `Authorization: Bearer`.
    pub access: Zeroizing<String>,
    /// Seconds until it ends.
    pub expires_secs: u64,
    /// For the next ones; it can be used once.
    pub refresh: Zeroizing<String>,
    /// What they open.
    pub scope: String,
}

/// What a transaction found.
enum Outcome {
    Issued(String, Timestamp),
    Refused,
    /// Used a second time: what it gave must go.
    Stolen(CredentialId),
}

impl Core {
    /// A secret that nobody guesses, for a gateway's own short-lived needs.
    pub fn random_token(&self) -> Zeroizing<String> {
        secret::link(&self.0.env)
    }

    /// Redeems a code. A code that comes a second time revokes what it gave the first time.
    ///
    /// # Errors
    /// `Unauthenticated` when it is unknown, over, used, or another app's; `Busy` after too many failures; `TooLarge` with
    /// too many apps.
    pub async fn redeem_code(&self, request: CodeUse, door: &Door) -> Result<IssuedTokens> {
        let now = self.now();
        self.demand_patience(door, now)?;
        let hash = self.0.hasher.code(shortened(&request.code));
        let Some(code) = self.view()?.record::<Code>(&global::oauth_code(&hash))? else {
            return Err(self.refuse_token(door, now));
        };
        let account = self.account(code.account)?;
        let (_, credential) =
            self.draft_credential(&account, &code.label, code.grants.clone(), code.expires)?;
        let (family, access) = (self.0.env.random::<32>(), secret::access_token(&self.0.env));
        let access_hash = self.0.hasher.bearer(&access);
        let refresh = self.refresh_token(&credential.id, &family, 1);
        let outcome = self
            .transact(GLOBAL_SHARD, move |txn| {
                redeem(txn, &hash, &request, &credential, family, access_hash, now)
            })
            .await?;
        self.concluded(outcome, access, refresh, door, now).await
    }

    /// Redeems a refresh token. One that was used before revokes the app.
    ///
    /// # Errors
    /// As [`Core::redeem_code`]; `InvalidContent` when `scope` is not what was given.
    pub async fn refresh_tokens(
        &self,
        token: &str,
        client_id: &str,
        scope: Option<&str>,
        door: &Door,
    ) -> Result<IssuedTokens> {
        let now = self.now();
        self.demand_patience(door, now)?;
        let Some((id, app, generation)) = self.read_refresh(token)? else {
            return Err(self.refuse_token(door, now));
        };
        if app.client_id != client_id {
            return Err(self.refuse_token(door, now));
        }
        if let Some(scope) = scope {
            demand_same(scope, &app.scope)?;
        }
        let access = secret::access_token(&self.0.env);
        let access_hash = self.0.hasher.bearer(&access);
        let refresh = self.refresh_token(&id, &app.family, generation + 1);
        let family = app.family;
        let outcome = self
            .transact(GLOBAL_SHARD, move |txn| renew(txn, &id, &family, generation, access_hash, now))
            .await?;
        self.concluded(outcome, access, refresh, door, now).await
    }

    /// Revokes the app that a token of any kind belongs to (RFC 7009), at once and on open connections too. A token that
    /// is unknown or no app's is none: that is no failure. `client_id`, where it is told, must be the app's.
    ///
    /// # Errors
    /// `Denied` when the token is another app's; `Busy` after too many failures.
    pub async fn revoke_token(&self, token: &str, client_id: Option<&str>, door: &Door) -> Result<()> {
        let now = self.now();
        self.demand_patience(door, now)?;
        let Some((id, app)) = self.app_of(token)? else { return Ok(()) };
        if client_id.is_some_and(|told| told != app.client_id) {
            return Err(Error::denied());
        }
        match self.revoke_credential(&id.0).await {
            // Somebody else was faster.
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    fn app_of(&self, token: &str) -> Res<Option<(CredentialId, App)>> {
        if let Some((id, app, _)) = self.read_refresh(token)? {
            return Ok(Some((id, app)));
        }
        let (view, hash) = (self.view()?, self.0.hasher.bearer(shortened(token)));
        let id = match view.record::<Access>(&global::oauth_access(&hash))? {
            Some(access) => Some(access.credential),
            None => {
                let own = allod_meta::Lookup::get(&view, &global::secret(&hash))?;
                own.map(|id| CredentialId(String::from_utf8_lossy(&id).into_owned()))
            }
        };
        let Some(id) = id else { return Ok(None) };
        // Credentials that came otherwise are not revoked by whoever finds their token.
        Ok(rows::app(&view, &id)?.map(|app| (id, app)))
    }

    /// The credential that an access token stands for, while it lives.
    pub(crate) fn credential_by_access(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Res<Option<Arc<CredentialHandle>>> {
        match self.view()?.record::<Access>(&global::oauth_access(hash))? {
            Some(access) if access.until > now => {
                self.credential_by(access.bearer_hash, &global::secret(&access.bearer_hash))
            }
            _ => Ok(None),
        }
    }

    fn refresh_token(&self, id: &CredentialId, family: &[u8; 32], generation: u64) -> Zeroizing<String> {
        let mac = self.0.hasher.refresh(id, family, generation);
        let mac = URL_SAFE_NO_PAD.encode(mac);
        Zeroizing::new(format!("{REFRESH_PREFIX}{}_{generation}_{mac}", id.0))
    }

    /// A refresh token that was once given out, whether or not it still counts.
    fn read_refresh(&self, token: &str) -> Res<Option<(CredentialId, App, u64)>> {
        let parts = shortened(token).strip_prefix(REFRESH_PREFIX).map(|rest| rest.splitn(3, '_'));
        let Some(mut parts) = parts else { return Ok(None) };
        let (Some(id), Some(generation), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
            return Ok(None);
        };
        let Ok(generation) = generation.parse::<u64>() else { return Ok(None) };
        let id = CredentialId(id.to_owned());
        let Some(app) = rows::app(&self.view()?, &id)? else { return Ok(None) };
        let right = self.refresh_token(&id, &app.family, generation);
        // Compared by keyed hash, so that time tells nothing.
        let same = self.0.hasher.bearer(&right) == self.0.hasher.bearer(token);
        Ok((same && generation > 0 && generation <= app.generation).then_some((id, app, generation)))
    }

    async fn concluded(
        &self,
        outcome: Outcome,
        access: Zeroizing<String>,
        refresh: Zeroizing<String>,
        door: &Door,
        now: Timestamp,
    ) -> Result<IssuedTokens> {
        match outcome {
            Outcome::Issued(scope, until) => {
                let expires_secs = until.secs().saturating_sub(now.secs()).max(0) as u64;
                Ok(IssuedTokens { access, expires_secs, refresh, scope })
            }
            Outcome::Refused => Err(self.refuse_token(door, now)),
            Outcome::Stolen(id) => {
                tracing::warn!(credential = %id, "a code or a refresh token came twice; the app is revoked");
                match self.revoke_credential(&id.0).await {
                    Err(error) if error.kind != ErrorKind::NotFound => Err(error),
                    _ => Err(self.refuse_token(door, now)),
                }
            }
        }
    }

    fn demand_patience(&self, door: &Door, now: Timestamp) -> Res<()> {
        match self.blocked_secs(None, door, now) {
            Some(secs) => Err(crate::credential::blocked(secs)),
            None => Ok(()),
        }
    }

    fn refuse_token(&self, door: &Door, now: Timestamp) -> Error {
        self.refuse_login(None, door, now);
        Error::new(ErrorKind::Unauthenticated, "the code or token is unknown, over, used or another app's")
    }
}

fn redeem(
    txn: &mut Txn<'_>,
    hash: &[u8; 32],
    request: &CodeUse,
    credential: &Credential,
    family: [u8; 32],
    access_hash: [u8; 32],
    now: Timestamp,
) -> Res<Outcome> {
    let key = global::oauth_code(hash);
    let Some(mut code) = txn.record::<Code>(&key)? else { return Ok(Outcome::Refused) };
    if let Some(given) = code.used {
        return Ok(Outcome::Stolen(given));
    }
    let mine = code.client_id == request.client_id
        && code.redirect_uri == request.redirect_uri
        && is_verified(&request.verifier, &code.challenge);
    let over = code.until <= now || code.expires.is_some_and(|at| at <= now);
    if !mine || over {
        // Whoever holds it without the rest must not try again.
        txn.delete(&key)?;
        return Ok(Outcome::Refused);
    }
    write_credential(txn, credential, now)?;
    let mut app = App {
        origin: code.origin.clone(),
        client_id: code.client_id.clone(),
        scope: code.scope.clone(),
        family,
        generation: 1,
        access: Vec::new(),
    };
    let until = add_access(txn, &mut app, credential, access_hash, now)?;
    let mut known = index(txn, code.account)?;
    add_app(txn, &mut known, credential, &app)?;
    put_index(txn, code.account, &known)?;
    let scope = code.scope.clone();
    code.used = Some(credential.id.clone());
    txn.put(&key, &encode(&code))?;
    Ok(Outcome::Issued(scope, until))
}

fn renew(
    txn: &mut Txn<'_>,
    id: &CredentialId,
    family: &[u8; 32],
    generation: u64,
    access_hash: [u8; 32],
    now: Timestamp,
) -> Res<Outcome> {
    let credential = txn.record::<Credential>(&global::credential(&id.0))?;
    let (Some(mut app), Some(credential)) = (rows::app(&*txn, id)?, credential) else {
        return Ok(Outcome::Refused);
    };
    if app.family != *family || credential.expires.is_some_and(|at| at <= now) {
        return Ok(Outcome::Refused);
    }
    if app.generation != generation {
        return Ok(Outcome::Stolen(id.clone()));
    }
    app.generation += 1;
    let until = add_access(txn, &mut app, &credential, access_hash, now)?;
    txn.put(&global::oauth_app(&id.0), &encode(&app))?;
    Ok(Outcome::Issued(app.scope, until))
}

/// Writes an access token's row; those that are over, and the oldest beyond the bound, go.
fn add_access(
    txn: &mut Txn<'_>,
    app: &mut App,
    credential: &Credential,
    hash: [u8; 32],
    now: Timestamp,
) -> Res<Timestamp> {
    let until = now.plus_secs(ACCESS_SECS);
    let until = credential.expires.map_or(until, |at| at.min(until));
    let beyond = (app.access.len() + 1).saturating_sub(ACCESS_MAX);
    let gone: Vec<_> = app.access.drain(..beyond).collect();
    let over = app.access.extract_if(.., |(_, at)| *at <= now);
    for (old, _) in gone.into_iter().chain(over) {
        txn.delete(&global::oauth_access(&old))?;
    }
    app.access.push((hash, until));
    let row = Access { credential: credential.id.clone(), bearer_hash: credential.bearer_hash, until };
    txn.put(&global::oauth_access(&hash), &encode(&row))?;
    Ok(until)
}

/// RFC 6749 §6: never more than was given. Less is refused too, since the new token would open all of it.
fn demand_same(asked: &str, given: &str) -> Result<()> {
    let words = |text: &str| {
        let mut words: Vec<String> = text.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect();
        words.sort();
        words.dedup();
        words
    };
    match words(asked) == words(given) {
        true => Ok(()),
        false => {
            Err(Error::new(ErrorKind::InvalidContent, "a refresh token gives what was given, nothing else"))
        }
    }
}

/// Whether a challenge can be one of S256 (RFC 7636 §4.2).
pub fn is_challenge(challenge: &str) -> bool {
    challenge.len() == CHALLENGE_BYTES && URL_SAFE_NO_PAD.decode(challenge).is_ok()
}

/// RFC 7636 §4.6.
fn is_verified(verifier: &str, challenge: &str) -> bool {
    let sound = verifier.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    let made = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    sound
        && VERIFIER_BYTES.contains(&verifier.len())
        && blake3::hash(made.as_bytes()) == blake3::hash(challenge.as_bytes())
}

fn shortened(token: &str) -> &str {
    let end =
        token.char_indices().map(|(at, _)| at).take_while(|at| *at <= TOKEN_BYTES_MAX).last().unwrap_or(0);
    if token.len() <= TOKEN_BYTES_MAX { token } else { &token[..end] }
}
