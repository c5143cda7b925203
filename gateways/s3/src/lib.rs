//! The S3-compatible window on the store.
//!
//! [`S3`] serves the S3 API at the root of its own listener, and on the shared one for the host names that are set. Buckets
//! are the account's top-level folders, keys are the paths below them, access keys come with app credentials and open
//! what these grant. What can be told apart by S3 alone – versions, object lock, multipart uploads, tags – core keeps
//! for every window; this crate translates.
//!
//! A request travels so: [`handle`] finds what it is about (`place`) and which operation it asks for (`route`), refuses
//! what is not served here (`refusals`), has its signature checked (`signature`) and lets the operation run on a
//! session. Content is streamed and never held: its framing is taken off (`chunked`) and everything that the request
//! claims of it is taken in passing (`content`, `claims`) and compared before anybody can see the object.
//!
//! `s3s` checks Signature V4 and reads the protocol's documents. Its routing, its own reading of bodies and its
//! answers are not used; `core/DECISIONS.md` says why.
//!
//! The crate refuses to know: who may do what, whether a condition holds, what a bucket may be called, what is held.
//!
//! ```no_run
//! # fn mount(core: allod_core::Core) {
//! use std::sync::Arc;
//! let s3 = allod_s3::S3::new(core, allod_s3::Options::default());
//! let router = allod_kit::HttpRouter::new(vec![Arc::new(s3)], || true);
//! # }
//! ```

mod answer;
mod attributes;
mod bucket;
mod checksum;
mod chunked;
mod claims;
mod condition;
mod content;
mod copy;
mod cors;
mod delete;
mod error;
mod facts;
mod form;
mod get;
mod handle;
mod lifecycle;
mod listing;
mod lock;
mod multipart;
mod parts;
mod place;
mod policy;
mod post;
mod put;
mod query;
mod range;
mod refusals;
mod route;
mod settings;
mod signature;
mod tagging;
mod version;
mod versions;
mod xml;

use std::sync::Arc;

use allod_core::Core;
use allod_kit::{Gateway, Mount, Peer, RequestBody, ResponseBody};
use async_trait::async_trait;
use http::{Request, Response};

use crate::handle::Shared;
use crate::signature::Gatekeeper;

/// The region that is told when none is set. Clients may sign for any.
pub const REGION_DEFAULT: &str = "us-east-1";

/// What can be set.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names below which buckets are host names: with `s3.example.org`, `photos.s3.example.org` is the bucket `photos`.
    /// Requests to these names on the shared HTTP listener come here too.
    pub domains: Vec<String>,
    /// The region that is told to clients. Requests signed for any other are served all the same.
    pub region: String,
}

impl Default for Options {
    fn default() -> Self {
        Options { domains: Vec::new(), region: REGION_DEFAULT.to_owned() }
    }
}

/// The S3 gateway.
pub struct S3 {
    shared: Arc<Shared>,
    /// Mounted by host name only, beside other gateways.
    beside_others: bool,
}

impl S3 {
    /// A gateway to the accounts of `core`, for a listener of its own: it claims every path on every host.
    pub fn new(core: Core, options: Options) -> S3 {
        let domains = options.domains.iter().map(|domain| domain.to_ascii_lowercase()).collect();
        let shared = Shared { core, gatekeeper: Gatekeeper::new(), domains, region: options.region };
        S3 { shared: Arc::new(shared), beside_others: false }
    }

    /// The same gateway for a listener that others share: it claims the host names that are set, and those below them.
    pub fn beside_others(&self) -> S3 {
        S3 { shared: self.shared.clone(), beside_others: true }
    }
}

#[async_trait]
impl Gateway for S3 {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn mounts(&self) -> Vec<Mount> {
        if !self.beside_others {
            return vec![Mount::prefix("/"), Mount::exact("*", &["OPTIONS"])];
        }
        let hosts = self.shared.domains.iter().flat_map(|domain| [domain.clone(), format!("*.{domain}")]);
        hosts.map(|host| Mount { host: Some(host), ..Mount::prefix("/") }).collect()
    }

    async fn handle(&self, request: Request<RequestBody>, peer: Peer) -> Response<ResponseBody> {
        handle::handle(&self.shared, request, peer).await
    }
}
