//! The SMTP windows on the store: submission (RFC 6409), mail from the world (RFC 5321), and the way out.
//!
//! A connection (`conversation`) reads commands within limits and knows what is allowed when; `syntax` understands
//! them; `wire` moves the bytes and knows the one end a message has. A mail from the world goes through `intake`, which
//! verifies who sent it and judges it, to `delivery`, which puts it into mailboxes. A mail from an account's own app
//! goes through `submission`, which binds its sender to the login, signs it, delivers it here and puts the rest into
//! core's queue. `outbound` empties the queue: next hops, retries, reports to the sender. `imip` carries invitations
//! both ways. `records` says what the DNS must hold for all of it.
//!
//! The crate refuses to know: whom an address reaches, who may send as whom, what a mailbox takes, what waits. Core
//! decides that.
//!
//! ```no_run
//! # async fn run(core: allod_core::Core, listener: allod_kit::Listener) -> Result<(), allod_kit::ListenError> {
//! use allod_kit::{Gateway, Stop};
//! let smtp = allod_smtp::Smtp::new(core, allod_smtp::Options::default());
//! smtp.add(allod_smtp::Role::Mx, listener, None);
//! smtp.serve(Stop::new()).await
//! # }
//! ```

mod conversation;
mod delivery;
mod dns;
mod fields;
mod imip;
mod intake;
mod limits;
mod outbound;
mod records;
mod reply;
mod sasl;
mod shared;
mod sign;
mod submission;
mod syntax;
mod wire;

use std::sync::Arc;

use allod_core::Core;
use allod_kit::{
    Gateway, ListenError, Listener, Mount, Peer, RequestBody, ResponseBody, StartTls, Stop, TcpOptions,
    full_body, serve_tcp,
};
use async_trait::async_trait;
use futures_util::future::join_all;
use parking_lot::Mutex;

pub use records::{Found, Record, Records};
pub use shared::{Options, Role, Smarthost, SmarthostTls};

use crate::limits::Times;
use crate::shared::Shared;

/// What is offered in a TLS handshake: SMTP has no name there.
pub const ALPN: &[&[u8]] = &[];

/// The SMTP gateway.
pub struct Smtp {
    shared: Arc<Shared>,
    listeners: Mutex<Vec<(Role, Listener, Option<StartTls>)>>,
}

impl Smtp {
    /// A gateway to the accounts of `core`, without listeners yet.
    pub fn new(core: Core, options: Options) -> Smtp {
        Smtp::with_times(core, options, Times::default())
    }

    fn with_times(core: Core, options: Options, times: Times) -> Smtp {
        Smtp { shared: Arc::new(Shared::new(core, options, times)), listeners: Mutex::default() }
    }

    /// Adds a listener for [`Gateway::serve`]; `start_tls` is offered on its connections unless they are encrypted.
    pub fn add(&self, role: Role, listener: Listener, start_tls: Option<StartTls>) {
        self.listeners.lock().push((role, listener, start_tls));
    }

    /// What the DNS must hold for a domain, and how to look whether it does.
    pub fn records(&self) -> Records {
        Records::new(self.shared.clone())
    }
}

#[async_trait]
impl Gateway for Smtp {
    fn name(&self) -> &'static str {
        "smtp"
    }

    /// RFC 8461 §3.2: the policy by which others encrypt what they send here.
    fn mounts(&self) -> Vec<Mount> {
        vec![Mount::exact("/.well-known/mta-sts.txt", &["GET", "HEAD"])]
    }

    async fn handle(&self, _: http::Request<RequestBody>, _: Peer) -> http::Response<ResponseBody> {
        let mut response = http::Response::new(full_body(records::policy(&self.shared.options.hostname)));
        let kind = http::HeaderValue::from_static("text/plain");
        response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
        response
    }

    async fn serve(&self, stop: Stop) -> Result<(), ListenError> {
        let listeners = std::mem::take(&mut *self.listeners.lock());
        let serving = listeners.into_iter().map(|(role, listener, start_tls)| {
            let (shared, stop) = (self.shared.clone(), stop.clone());
            let closing = stop.clone();
            serve_tcp(listener, TcpOptions::default(), stop, move |accepted| {
                conversation::serve(shared.clone(), role, start_tls.clone(), accepted, closing.clone())
            })
        });
        let sending = outbound::run(self.shared.clone(), stop.clone());
        let inviting = imip::run(self.shared.clone(), stop.clone());
        let greylisting = intake::greylist::run(self.shared.clone(), stop.clone());
        tokio::join!(join_all(serving), sending, inviting, greylisting);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
