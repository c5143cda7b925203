//! The WebDAV window on the store.
//!
//! [`Dav`] mounts on the shared HTTP listener and serves each account's whole tree at `/dav/ACCOUNT/`, its principal
//! at `/principals/ACCOUNT/`, and the way to both from `/`, where people find a page that says how to connect. It speaks RFC 4918 classes 1, 2 and 3, quota (RFC 4331),
//! extended MKCOL (RFC 5689), the current principal (RFC 5397) and `sync-collection` on every folder (RFC 6578).
//!
//! A request is parsed into core's words, one operation of the session decides, and its outcome is printed. The
//! crate refuses to know: what may be done, which locks hold, whether a condition is true. Conditions and lock
//! tokens go along with the operation and are judged in the commit that it makes.
//!
//! Everything streams: file contents both ways, listings and reports page by page. Everything a client sends has a
//! limit: XML is read within bounds and never expanded (`xml`), headers are parsed by hand without backtracking.
//!
//! ```no_run
//! # fn mount(core: allod_core::Core) {
//! use std::sync::Arc;
//! let dav = allod_dav::Dav::new(core);
//! let router = allod_kit::HttpRouter::new(vec![Arc::new(dav)], || true);
//! # }
//! ```

mod acl;
mod body;
mod caldav;
mod carddav;
mod checksum;
mod error;
mod expand_property;
mod export;
mod filter;
mod get;
mod handle;
mod import;
mod index_page;
mod landing;
mod live;
mod lock;
mod matches;
mod mkcol;
mod multiget;
mod pages;
mod places;
mod plan;
mod post;
mod principal;
mod principal_reports;
mod propfind;
mod proppatch;
mod props;
mod published;
mod put;
mod query;
mod quirks;
mod refusal;
mod report;
mod settable;
mod sharing;
mod sync_collection;
mod transfer;
mod virtual_place;
mod visit;
mod well_known;

pub mod condition;
pub mod date;
pub mod escape;
pub mod range;
pub mod url;
pub mod xml;

pub use published::{PUBLISHED_PREFIX, PUBLISHED_SUFFIX};

use allod_core::Core;
use allod_kit::{Gateway, Mount, Peer, RequestBody, ResponseBody};
use async_trait::async_trait;
use http::{Request, Response};

/// The WebDAV gateway.
pub struct Dav {
    core: Core,
}

impl Dav {
    /// A gateway to the accounts of `core`.
    pub fn new(core: Core) -> Dav {
        Dav { core }
    }
}

#[async_trait]
impl Gateway for Dav {
    fn name(&self) -> &'static str {
        "dav"
    }

    fn mounts(&self) -> Vec<Mount> {
        let discovery: &[&str] = &["OPTIONS", "PROPFIND", "REPORT", "GET", "HEAD", "DELETE", "COPY", "MOVE"];
        let [well_caldav, well_carddav] = well_known::PLACES;
        vec![
            Mount::prefix(PUBLISHED_PREFIX),
            Mount::prefix(caldav::attachments::ATTACHMENTS_PREFIX),
            Mount::prefix(well_caldav),
            Mount::prefix(well_carddav),
            Mount::prefix(url::DAV_PREFIX),
            Mount::prefix(url::PRINCIPALS_PREFIX),
            Mount::exact("/", discovery),
            Mount::exact("*", &["OPTIONS"]),
        ]
    }

    async fn handle(&self, request: Request<RequestBody>, peer: Peer) -> Response<ResponseBody> {
        handle::handle(&self.core, request, peer).await
    }
}

#[cfg(test)]
mod tests;
