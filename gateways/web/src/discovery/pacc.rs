//! `user-agent-configuration.json` (draft-ietf-mailmaint-pacc-02). It knows hosts only, on the standard ports and encrypted
//! from the start, so a listener elsewhere is left out.

use serde_json::{Map, json};

use super::{Encryption, document, imap, submission};
use crate::respond::Answer;
use crate::visit::Visit;

/// Where it is looked for, at `ua-auto-config.DOMAIN`.
pub(super) const PLACE: &str = "/.well-known/user-agent-configuration.json";
const IMAPS_PORT: u16 = 993;
const SUBMISSIONS_PORT: u16 = 465;

/// The document. The same bytes each time for one host: its digest stands in the DNS.
pub(super) fn describe(visit: &Visit) -> Answer {
    let host = visit.host_name();
    let mut protocols = Map::new();
    let standard = |doors: Vec<super::Door>, port| {
        doors.iter().any(|door| door.port == port && door.encryption == Encryption::FromStart)
    };
    if standard(imap(visit), IMAPS_PORT) {
        protocols.insert("imap".into(), json!({ "host": host }));
    }
    if standard(submission(visit), SUBMISSIONS_PORT) {
        protocols.insert("smtp".into(), json!({ "host": host }));
    }
    if visit.peer.tls {
        let origin = visit.origin();
        protocols.insert("caldav".into(), json!({ "url": format!("{origin}/.well-known/caldav") }));
        protocols.insert("carddav".into(), json!({ "url": format!("{origin}/.well-known/carddav") }));
    }
    let configuration = json!({
        "protocols": protocols,
        "authentication": { "password": true },
        "info": { "provider": { "name": host, "shortName": host } },
    });
    Ok(document("application/json", configuration.to_string()))
}
