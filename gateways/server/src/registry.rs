//! The gateways of this build. A new one is one line here and one in the manifest.

use std::sync::Arc;

use allod_core::Core;
use allod_kit::Gateway;
use allod_s3::S3;
use allod_smtp::Smtp;
use allod_web::{Site, Web};

/// Gateways that mount on the shared HTTP listener.
pub fn http_gateways(
    core: &Core,
    site: Site,
    s3: Option<&S3>,
    smtp: Option<&Arc<Smtp>>,
) -> Vec<Arc<dyn Gateway>> {
    let mut gateways: Vec<Arc<dyn Gateway>> = vec![
        Arc::new(allod_dav::Dav::new(core.clone())),
        Arc::new(allod_remotestorage::RemoteStorage::new(core.clone())),
        Arc::new(Web::new(core.clone(), site)),
    ];
    gateways.extend(s3.map(|s3| Arc::new(s3.beside_others()) as Arc<dyn Gateway>));
    gateways.extend(smtp.map(|smtp| smtp.clone() as Arc<dyn Gateway>));
    gateways
}

/// The protocols served on the HTTP listener, for people.
pub const HTTP_PROTOCOLS: &str = "web page, WebDAV, CalDAV, CardDAV, remoteStorage";
/// The protocol served on the S3 listener, for people.
pub const S3_PROTOCOLS: &str = "S3";

/// The protocol served on the IMAP listeners, for people.
pub const IMAP: &str = "IMAP";
/// The same where encryption begins later.
pub const IMAP_START_TLS: &str = "IMAP, STARTTLS";

/// The protocol served on the listeners for mail, for people.
pub const SMTP: &str = "SMTP";
/// The same where encryption begins later.
pub const SMTP_START_TLS: &str = "SMTP, STARTTLS";
