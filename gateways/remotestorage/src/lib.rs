//! The remoteStorage window on the store: apps in a browser keep a person's data in the person's own folders.
//!
//! [`RemoteStorage`] mounts on the shared HTTP listener. It serves each account's tree at `/storage/ACCOUNT/` as
//! draft-dejong-remotestorage-26 says, and WebFinger (RFC 7033), by which an app finds from `alice@cloud.example` where
//! that is and where to ask for a token. Asking is done elsewhere: the consent page belongs to the web gateway, tokens
//! belong to core.
//!
//! | file | section of the draft |
//! |---|---|
//! | `place` | 3, 4: names and URLs |
//! | `folder` | 4: folder descriptions |
//! | `document`, `range` | 4: documents |
//! | `condition` | 6: versions |
//! | `cors` | 7 |
//! | `handle` | 5, 9: who may do what, in the draft's status codes |
//! | `webfinger` | 10 |
//!
//! A module is the top-level folder of its name, so a note that an app writes lies in `/notes/` for every other window
//! too. The crate refuses to know: who may do what (core's session), and what a folder accepts (core's rules).
//!
//! ```no_run
//! # fn mount(core: allod_core::Core) {
//! use std::sync::Arc;
//! let gateway = allod_remotestorage::RemoteStorage::new(core);
//! let router = allod_kit::HttpRouter::new(vec![Arc::new(gateway)], || true);
//! # }
//! ```

#![allow(missing_docs, reason = "modules are private; what is exported is documented")]

mod condition;
mod cors;
mod document;
mod error;
mod folder;
mod handle;
mod place;
mod range;
mod webfinger;

use allod_core::Core;
use allod_kit::{Gateway, Mount, Peer, RequestBody, ResponseBody};
use async_trait::async_trait;
use http::{Request, Response};

/// Below which accounts' storages lie.
pub const STORAGE_PREFIX: &str = "/storage/";
/// Where apps ask what an account has (RFC 7033 §10.1).
const WEBFINGER: &str = "/.well-known/webfinger";

/// The gateway.
pub struct RemoteStorage {
    core: Core,
}

impl RemoteStorage {
    /// A gateway to the accounts of `core`.
    pub fn new(core: Core) -> RemoteStorage {
        RemoteStorage { core }
    }
}

#[async_trait]
impl Gateway for RemoteStorage {
    fn name(&self) -> &'static str {
        "remotestorage"
    }

    fn mounts(&self) -> Vec<Mount> {
        vec![Mount::prefix(STORAGE_PREFIX), Mount::exact(WEBFINGER, &[])]
    }

    async fn handle(&self, request: Request<RequestBody>, peer: Peer) -> Response<ResponseBody> {
        if request.uri().path() == WEBFINGER {
            return webfinger::handle(&request, &peer);
        }
        handle::handle(&self.core, request, peer).await
    }
}

#[cfg(test)]
mod tests;
