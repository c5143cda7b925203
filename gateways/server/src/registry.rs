//! The gateways of this build. A new one is one line here and one in the manifest.

use std::sync::Arc;

use allod_core::Core;
use allod_kit::Gateway;

/// Gateways that mount on the shared HTTP listener.
pub fn http_gateways(core: &Core) -> Vec<Arc<dyn Gateway>> {
    vec![Arc::new(allod_dav::Dav::new(core.clone()))]
}

/// The protocols served on the HTTP listener, for people.
pub const HTTP_PROTOCOLS: &str = "WebDAV";

/// Listeners of the contract that this build cannot serve yet: asking for one is answered with a warning.
pub const LATER: [&str; 4] = ["s3", "imap", "submission", "mx"];
