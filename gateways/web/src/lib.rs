//! The web page: where a person sees everything, lets apps in, and takes what they did back.
//!
//! [`Web`] mounts on the shared HTTP listener at `/ui/` and, for browsers, at `/`. Pages are made here from templates
//! (`templates/`), with small scripts and one style sheet of our own origin (`static/`); nothing is loaded from
//! elsewhere, and every page works without scripts where it can.
//!
//! | file | what |
//! |---|---|
//! | `visit` | a request: who, in which language, from where; forms and their tokens |
//! | `respond`, `error` | answers, their security headers, and pages for what went wrong |
//! | `text` | every word that people read, in English and German |
//! | `sign_in`, `set_up`, `settings` | getting in, and what that takes |
//! | `apps`, `corner`, `undo`, `activity` | who has what, and what they did |
//! | `connect` | step by step for each program and device |
//! | `mail`, `calendar`, `contacts`, `space` | views |
//! | `files`, `raw`, `upload`, `zip`, `trash` | the drive |
//!
//! How a request travels: [`visit::Visit`] finds the person by the cookie (core decides), `route` picks the page, the page
//! calls the session's operations and prints a template. A form is believed only with the token that is bound to the
//! sign-in, and only from a page of this origin.
//!
//! The crate refuses to know: what may be done. It holds no rule about data, and never serves a file of the drive so that
//! it could run as a script of this origin (`respond::file`).

mod activity;
mod apps;
mod assets;
mod calendar;
mod connect;
mod contacts;
mod corner;
mod discovery;
mod error;
mod files;
mod frame;
mod home;
mod icons;
mod mail;
mod oauth;
mod place;
mod qr;
mod raw;
mod respond;
mod route;
mod set_up;
mod settings;
mod show;
mod sign_in;
mod site;
mod space;
mod text;
mod trash;
mod undo;
mod upload;
mod visit;
mod zip;

pub use site::{Listener, Site};

use std::sync::Arc;

use allod_core::Core;
use allod_kit::{Gateway, Mount, Peer, RequestBody, ResponseBody};
use async_trait::async_trait;
use http::{Request, Response};

/// Where the page lies.
pub const UI_PREFIX: &str = "/ui/";

/// The gateway.
pub struct Web(Arc<Shared>);

pub(crate) struct Shared {
    pub core: Core,
    pub site: Site,
    pub flows: oauth::login_flow::Flows,
}

impl Web {
    /// A page for the accounts of `core`; `site` says what else this server offers, for the instructions.
    pub fn new(core: Core, site: Site) -> Web {
        Web(Arc::new(Shared { core, site, flows: Default::default() }))
    }
}

#[async_trait]
impl Gateway for Web {
    fn name(&self) -> &'static str {
        "web"
    }

    fn mounts(&self) -> Vec<Mount> {
        let mut mounts = vec![Mount::prefix(UI_PREFIX), Mount::exact("/", &["GET", "HEAD"])];
        mounts.extend(oauth::mounts());
        mounts.extend(discovery::mounts());
        mounts
    }

    async fn handle(&self, request: Request<RequestBody>, peer: Peer) -> Response<ResponseBody> {
        route::handle(&self.0, request, peer).await
    }
}

/// The path of a link that `serve` or `allod account invite` prints, for a secret.
pub fn set_up_path(token: &str) -> String {
    format!("{UI_PREFIX}set-up/{token}")
}

/// As [`set_up_path`], for an invitation.
pub fn invitation_path(token: &str) -> String {
    format!("{UI_PREFIX}welcome/{token}")
}

#[cfg(test)]
mod tests;
