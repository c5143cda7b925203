//! Apps that are let in by OAuth 2.0: what they may ask for, what a person allows, and the tokens they get.
//!
//! An app that was let in is an app credential like any other: it has a label, grants, an expiry and a last use, it is
//! listed and revoked like any other, and revoking it cuts open connections. What is special is how its secret reaches
//! it:
//!
//! - *implicit* (RFC 6749 §4.2, as remoteStorage asks for): the credential's own bearer token, handed out at consent.
//! - *code* (RFC 6749 §4.1 with RFC 7636): a code that can be redeemed once within a minute by whoever knows the
//!   verifier; it makes the credential and gives a short-lived access token and a refresh token that changes with each
//!   use. A code or a refresh token that comes a second time was stolen from somebody: the credential is revoked.
//!
//! There is no registration. An app is known by where its answers go: the origin of its redirect URI, or the URI's
//! scheme on a phone ([`OauthClient`]).
//!
//! | file | holds |
//! |---|---|
//! | `client` | who asks: redirect URIs |
//! | `scope` | what for: scope strings and their grants, and narrowing them |
//! | `consent` | a person's decision |
//! | `tokens` | redeeming, refreshing, revoking |
//! | `rows` | what is stored |

mod client;
mod consent;
pub(crate) mod rows;
mod scope;
mod tokens;

pub use client::{ClientKind, OauthClient, REDIRECT_URI_BYTES_MAX};
pub use consent::{Allowed, Consent, Flow, OAUTH_APPS_MAX, opens_everything};
pub use scope::{AppScope, SCOPE_BYTES_MAX, SCOPES_ASKED_MAX, ScopeChoice, Subject, parse_scope, scope_text};
pub use tokens::{ACCESS_SECS, CODE_SECS, CodeUse, IssuedTokens};

#[cfg(test)]
mod tests;
