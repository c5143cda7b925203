//! The gateways of this build. A new one is one line here and one in the manifest.

use std::sync::Arc;

use allod_core::Core;
use allod_kit::Gateway;
use allod_s3::S3;

/// Gateways that mount on the shared HTTP listener.
pub fn http_gateways(core: &Core, s3: Option<&S3>) -> Vec<Arc<dyn Gateway>> {
    let mut gateways: Vec<Arc<dyn Gateway>> = vec![Arc::new(allod_dav::Dav::new(core.clone()))];
    gateways.extend(s3.map(|s3| Arc::new(s3.beside_others()) as Arc<dyn Gateway>));
    gateways
}

/// The protocols served on the HTTP listener, for people.
pub const HTTP_PROTOCOLS: &str = "WebDAV, CalDAV, CardDAV";
/// The protocol served on the S3 listener, for people.
pub const S3_PROTOCOLS: &str = "S3";

/// The protocol served on the IMAP listeners, for people.
pub const IMAP: &str = "IMAP";
/// The same where encryption begins later.
pub const IMAP_START_TLS: &str = "IMAP, STARTTLS";

/// Listeners of the contract that this build cannot serve yet: asking for one is answered with a warning.
pub const LATER: [&str; 2] = ["submission", "mx"];
