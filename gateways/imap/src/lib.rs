//! The IMAP window on the store: RFC 9051, RFC 3501 and their extensions.
//!
//! A connection (`connection`) reads commands, knows who speaks and what is allowed when; `syntax` understands them;
//! a conversation (`session`) carries them out on a session of core; `wire` moves the bytes in both directions, so
//! that a message of any size passes through and is never held.
//!
//! The crate refuses to know: who may do what, what a mailbox takes, which UID comes next. Core decides that.

//!
//! ```no_run
//! # async fn run(core: allod_core::Core, listener: allod_kit::Listener) -> Result<(), allod_kit::ListenError> {
//! use allod_kit::{Gateway, Stop};
//! let imap = allod_imap::Imap::new(core, allod_imap::Options::default());
//! imap.add(listener, None);
//! imap.serve(Stop::new()).await
//! # }
//! ```

mod auth;
mod capability;
mod connection;
mod error;
mod limits;
mod print;
mod session;
mod syntax;
mod wire;

use std::sync::Arc;

use allod_core::Core;
use allod_kit::{Gateway, ListenError, Listener, StartTls, Stop, TcpOptions, serve_tcp};
use async_trait::async_trait;
use futures_util::future::join_all;
use parking_lot::Mutex;

use crate::connection::Shared;
use crate::limits::Places;

/// What is offered in a TLS handshake.
pub const ALPN: &[&[u8]] = &[b"imap"];
/// Connections of one account at once, when nothing is set.
pub const ACCOUNT_CONNECTIONS_MAX: usize = 1_000;
/// Connections from one address at once, when nothing is set.
pub const ADDRESS_CONNECTIONS_MAX: usize = 1_000;

/// What can be set.
#[derive(Clone, Debug)]
pub struct Options {
    /// Take passwords in plain text from other machines too.
    pub insecure: bool,
    /// Connections of one account at once.
    pub account_connections_max: usize,
    /// Connections from one address at once; from this machine itself as many as there are.
    pub address_connections_max: usize,
    /// The version that clients are told (RFC 2971).
    pub version: String,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            insecure: false,
            account_connections_max: ACCOUNT_CONNECTIONS_MAX,
            address_connections_max: ADDRESS_CONNECTIONS_MAX,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// The IMAP gateway.
pub struct Imap {
    shared: Arc<Shared>,
    listeners: Mutex<Vec<(Listener, Option<StartTls>)>>,
}

impl Imap {
    /// A gateway to the accounts of `core`, without listeners yet.
    pub fn new(core: Core, options: Options) -> Imap {
        let places = Places::new(options.address_connections_max, options.account_connections_max);
        Imap { shared: Arc::new(Shared { core, options, places }), listeners: Mutex::default() }
    }

    /// Adds a listener for [`Gateway::serve`]; `start_tls` is offered on its connections unless they are encrypted.
    pub fn add(&self, listener: Listener, start_tls: Option<StartTls>) {
        self.listeners.lock().push((listener, start_tls));
    }
}

#[async_trait]
impl Gateway for Imap {
    fn name(&self) -> &'static str {
        "imap"
    }

    async fn serve(&self, stop: Stop) -> Result<(), ListenError> {
        let listeners = std::mem::take(&mut *self.listeners.lock());
        let serving = listeners.into_iter().map(|(listener, start_tls)| {
            let (shared, stop) = (self.shared.clone(), stop.clone());
            let closing = stop.clone();
            serve_tcp(listener, TcpOptions::default(), stop, move |accepted| {
                connection::serve(shared.clone(), start_tls.clone(), accepted, closing.clone())
            })
        });
        join_all(serving).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
