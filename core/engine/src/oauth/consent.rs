//! A person's decision to let an app in.

use allod_meta::Txn;
use allod_model::{CredentialId, Error, ErrorKind, Grant, Result, Rights, Timestamp};
use zeroize::Zeroizing;

use super::client::{ClientKind, OauthClient};
use super::rows::{App, Code, Index, index, put_index};
use super::scope::{AppScope, is_within, scope_text};
use super::tokens::{CODE_SECS, USED_CODE_SECS, is_challenge};
use crate::core::Core;
use crate::fault::{Res, fail};
use crate::keys::{GLOBAL_SHARD, global};
use crate::reading::Records;
use crate::record::{Credential, encode};
use crate::secret;
use crate::session::Session;

/// Apps of one account that came by OAuth, at most.
pub const OAUTH_APPS_MAX: usize = 250;
/// Codes of one account, at most: those not redeemed yet, and those remembered.
const CODES_MAX: usize = 100;

/// How the app gets its token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Flow {
    /// RFC 6749 §4.2, for remoteStorage.
    Implicit,
    /// RFC 6749 §4.1, with the challenge of RFC 7636 by S256.
    Code {
        /// BASE64URL of the verifier's SHA-256.
        challenge: String,
    },
}

/// What a person allows.
#[derive(Clone, Debug)]
pub struct Consent {
    /// Whom.
    pub client: OauthClient,
    /// What was asked for.
    pub asked: Vec<AppScope>,
    /// What is given of it.
    pub given: Vec<AppScope>,
    /// Until when; `None`: until it is revoked.
    pub expires: Option<Timestamp>,
    /// How.
    pub flow: Flow,
}

/// What the app is sent.
pub enum Allowed {
    /// The token itself; it lives as long as the credential.
    Token {
        /// For `Authorization: Bearer`.
        token: Zeroizing<String>,
        /// What it opens.
        scope: String,
        /// Seconds until it ends.
        expires_secs: Option<u64>,
    },
    /// A code to be redeemed.
    Code(Zeroizing<String>),
}

impl Session {
    /// Lets an app in, as the signed-in person.
    ///
    /// # Errors
    /// `Denied` unless the session is a person's own, for more than was asked for, and for everything unless the password
    /// was shown lately ([`Session::confirm`]); `InvalidContent` for an expiry in
    /// the past, nothing given, or a flow that the app's kind can't use; `TooLarge` with too many apps or codes.
    pub async fn allow_app(&self, consent: Consent) -> Result<Allowed> {
        self.person()?;
        let now = self.core().now();
        if consent.given.is_empty() {
            return Err(Error::new(ErrorKind::InvalidContent, "nothing is given to the app"));
        }
        if !is_within(&consent.given, &consent.asked) {
            return Err(Error::denied());
        }
        if opens_everything(&consent.given) {
            self.check_confirmed()?;
        }
        if consent.expires.is_some_and(|at| at <= now) {
            return Err(Error::new(ErrorKind::InvalidContent, "the expiry lies in the past"));
        }
        self.forget_over().await?;
        match &consent.flow {
            // RFC 8252 §8.2: not for native apps; their address can be claimed by others.
            Flow::Implicit if consent.client.kind() == ClientKind::Native => {
                Err(Error::new(ErrorKind::InvalidContent, "an app on a device must use a code with PKCE"))
            }
            Flow::Implicit => self.give_token(consent, now).await,
            Flow::Code { challenge } if is_challenge(challenge) => {
                let challenge = challenge.clone();
                self.give_code(consent, challenge, now).await
            }
            Flow::Code { .. } => {
                Err(Error::new(ErrorKind::InvalidContent, "the PKCE challenge is not one of S256"))
            }
        }
    }

    /// Apps whose time is over make room for new ones.
    async fn forget_over(&self) -> Result<()> {
        let core = self.core();
        let (account, now) = (self.handle().id(), core.now());
        let known: Index = core.view()?.record(&global::oauth_index(account))?.unwrap_or_default();
        for id in known.apps {
            let over = core.credential(&id.0)?.is_some_and(|c| c.expires.is_some_and(|at| at <= now));
            if over {
                core.revoke_credential(&id.0).await?;
            }
        }
        Ok(())
    }

    async fn give_token(&self, consent: Consent, now: Timestamp) -> Result<Allowed> {
        let core = self.core();
        let account = self.handle().id();
        let grants = grants_of(&consent.given);
        let scope = scope_text(&consent.given);
        let (new, record) =
            core.draft_credential(self.handle(), consent.client.name(), grants, consent.expires)?;
        let app = App {
            origin: consent.client.origin().to_owned(),
            client_id: consent.client.id().to_owned(),
            scope: scope.clone(),
            family: core.0.env.random(),
            generation: 0,
            access: Vec::new(),
        };
        core.transact(GLOBAL_SHARD, move |txn| {
            crate::credential::write_credential(txn, &record, now)?;
            let mut known = index(txn, account)?;
            add_app(txn, &mut known, &record, &app)?;
            put_index(txn, account, &known)
        })
        .await?;
        let expires_secs = consent.expires.map(|at| at.secs().saturating_sub(now.secs()).max(0) as u64);
        Ok(Allowed::Token { token: new.bearer, scope, expires_secs })
    }

    async fn give_code(&self, consent: Consent, challenge: String, now: Timestamp) -> Result<Allowed> {
        let core = self.core();
        let account = self.handle().id();
        let code = secret::link(&core.0.env);
        let hash = core.0.hasher.code(&code);
        let row = Code {
            account,
            client_id: consent.client.id().to_owned(),
            redirect_uri: consent.client.redirect_uri().to_owned(),
            origin: consent.client.origin().to_owned(),
            challenge,
            label: consent.client.name().to_owned(),
            scope: scope_text(&consent.given),
            grants: grants_of(&consent.given),
            expires: consent.expires,
            until: now.plus_secs(CODE_SECS),
            used: None,
        };
        core.transact(GLOBAL_SHARD, move |txn| {
            let mut known = index(txn, account)?;
            for (old, _) in known.codes.extract_if(.., |(_, at)| *at <= now) {
                txn.delete(&global::oauth_code(&old))?;
            }
            if known.codes.len() >= CODES_MAX {
                return Err(Error::too_large("codes of an account", CODES_MAX as u64).into());
            }
            known.codes.push((hash, now.plus_secs(USED_CODE_SECS)));
            txn.put(&global::oauth_code(&hash), &encode(&row))?;
            put_index(txn, account, &known)
        })
        .await?;
        Ok(Allowed::Code(code))
    }
}

/// Whether something of this lets an app change the whole account.
pub fn opens_everything(scopes: &[AppScope]) -> bool {
    let whole =
        |grant: &Grant| grant.path.is_root() && grant.except.is_empty() && grant.rights > Rights::Read;
    scopes.iter().flat_map(AppScope::grants).any(whole)
}

/// Writes what a new credential has by OAuth.
pub fn add_app(txn: &mut Txn<'_>, known: &mut Index, record: &Credential, app: &App) -> Res<()> {
    if known.apps.len() >= OAUTH_APPS_MAX {
        return fail(
            ErrorKind::TooLarge,
            format!("at most {OAUTH_APPS_MAX} apps can be let in; revoke those that are not needed"),
        );
    }
    known.apps.push(CredentialId(record.id.0.clone()));
    Ok(txn.put(&global::oauth_app(&record.id.0), &encode(app))?)
}

fn grants_of(scopes: &[AppScope]) -> Vec<Grant> {
    let mut grants: Vec<Grant> = Vec::new();
    for grant in scopes.iter().flat_map(AppScope::grants) {
        if !grants.contains(grant) {
            grants.push(grant.clone());
        }
    }
    grants
}

impl Core {
    /// Where an app credential that came by OAuth has its answers sent; `None` for others.
    pub(crate) fn oauth_origin(&self, id: &CredentialId) -> Res<Option<String>> {
        Ok(super::rows::app(&self.view()?, id)?.map(|app| app.origin))
    }
}
