//! The WebDAV, CalDAV and CardDAV window on the store.
//!
//! [`Dav`] mounts on the shared HTTP listener and serves each account's whole tree at `/dav/ACCOUNT/`, its principal
//! at `/principals/ACCOUNT/`, and the way to both from `/` (whose GET is the web page's) and from
//! `/.well-known/caldav` and `/.well-known/carddav`. Folders of the kinds calendar and address book are CalDAV and
//! CardDAV collections wherever they stand; what other accounts lend stands in the homes (`places`).
//!
//! | file | standard |
//! |---|---|
//! | `propfind`, `proppatch`, `put`, `get`, `lock`, `transfer`, `condition` | RFC 4918 classes 1, 2, 3; RFC 4331; RFC 8144 |
//! | `mkcol` | RFC 5689 |
//! | `sync_collection` | RFC 6578 |
//! | `acl`, `principal`, `principal_reports` | RFC 3744, RFC 5397 |
//! | `expand_property`, `report` | RFC 3253 §3.6, §3.8 |
//! | `caldav` | RFC 4791; scheduling, RFC 6638; time zones, RFC 7809; attachments, RFC 8607 |
//! | `carddav` | RFC 6352 |
//! | `well_known` | RFC 6764 |
//! | `sharing`, `published` | caldav-sharing |
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
mod live;
mod lock;
mod matches;
mod mkcol;
mod multiget;
mod nextcloud;
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
mod sync_tree;
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

/// The gateway.
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
        // The others are refused at `/`, but by a gateway that knows the place.
        let discovery: &[&str] = &[
            "OPTIONS",
            "PROPFIND",
            "REPORT",
            "DELETE",
            "COPY",
            "MOVE",
            "PROPPATCH",
            "MKCOL",
            "MKCALENDAR",
            "LOCK",
            "UNLOCK",
            "ACL",
        ];
        let [well_caldav, well_carddav] = well_known::PLACES;
        let documents = nextcloud::PLACES.iter().map(|place| Mount::exact(place, &[]));
        let places = vec![
            Mount::prefix(PUBLISHED_PREFIX),
            Mount::prefix(caldav::attachments::ATTACHMENTS_PREFIX),
            Mount::prefix(well_caldav),
            Mount::prefix(well_carddav),
            Mount::prefix(nextcloud::REMOTE_PREFIX),
            Mount::prefix(url::DAV_PREFIX),
            Mount::prefix(url::PRINCIPALS_PREFIX),
            Mount::exact("/", discovery),
            Mount::exact("*", &["OPTIONS"]),
        ];
        places.into_iter().chain(documents).collect()
    }

    async fn handle(&self, request: Request<RequestBody>, peer: Peer) -> Response<ResponseBody> {
        handle::handle(&self.core, request, peer).await
    }
}

#[cfg(test)]
mod tests;
