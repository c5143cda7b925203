//! How programs find out by themselves what is here and how to get it, from nothing but a mail address or a host.
//!
//! | file | what | who asks |
//! |---|---|---|
//! | `autoconfig` | draft-ietf-mailmaint-autoconfig, versions 1.1 and 1.2 | Thunderbird, K-9, Evolution, KMail |
//! | `autodiscover` | Outlook's autodiscover, XML and JSON | Outlook |
//! | `pacc` | draft-ietf-mailmaint-pacc-02 | newer programs |
//! | `apple` | configuration profiles | iPhone, iPad, Mac |
//! | here | `security.txt` (RFC 9116), `change-password` (W3C) | people who found a hole; password managers |
//!
//! What is told comes from what is served: a listener that is not there is not announced. Answers are the same for every
//! address, so that nobody learns here who has an account.

pub(crate) mod apple;
mod autoconfig;
mod autodiscover;
mod pacc;
mod xml;

use allod_kit::{Mount, RequestBody, ResponseBody, full_body};
use http::header::CONTENT_TYPE;
use http::{Method, Response};

use crate::error::Refusal;
use crate::respond::{Answer, header, see};
use crate::site::Listener;
use crate::visit::Visit;

const SECURITY: &str = "/.well-known/security.txt";
const CHANGE_PASSWORD: &str = "/.well-known/change-password";
/// How long a `security.txt` may be believed, in seconds; RFC 9116 §2.5.5 wants less than a year.
const SECURITY_SECS: i64 = 90 * 86_400;
/// Longest mail address, in bytes (RFC 5321 §4.5.3.1.3).
const ADDRESS_BYTES_MAX: usize = 254;

/// The places of this module.
pub(crate) fn mounts() -> Vec<Mount> {
    let places = [SECURITY, CHANGE_PASSWORD, pacc::PLACE].into_iter();
    places
        .chain(autoconfig::PLACES)
        .chain(autodiscover::PLACES)
        .map(|place| Mount::exact(place, &[]))
        .chain([Mount::prefix(autodiscover::JSON_PREFIX)])
        .collect()
}

/// Whether a path is one of this module's places.
pub(crate) fn is_here(path: &str) -> bool {
    let places = [SECURITY, CHANGE_PASSWORD, pacc::PLACE];
    places.contains(&path) || autoconfig::PLACES.contains(&path) || autodiscover::is_here(path)
}

/// Answers a request for one of this module's places.
pub(crate) async fn handle(visit: &Visit, body: RequestBody) -> Answer {
    let path = visit.path.as_str();
    if autodiscover::is_here(path) {
        return autodiscover::handle(visit, body).await;
    }
    if !matches!(visit.method, Method::GET | Method::HEAD) {
        return Err(Refusal::Method);
    }
    match path {
        SECURITY => security(visit),
        // W3C change-password: leads to the page where it is done.
        CHANGE_PASSWORD => Ok(see("/ui/settings")),
        pacc::PLACE => pacc::describe(visit),
        _ => autoconfig::describe(visit),
    }
}

/// RFC 9116, where the operator says whom to tell.
fn security(visit: &Visit) -> Answer {
    let contacts = &visit.web.site.security_contacts;
    if contacts.is_empty() {
        return Err(Refusal::NotFound);
    }
    let until = visit.core().now().plus_secs(SECURITY_SECS).secs();
    let until = jiff::Timestamp::from_second(until).map_err(|_| Refusal::NotFound)?;
    let contacts: String = contacts.iter().map(|contact| format!("Contact: {contact}\n")).collect();
    Ok(document(
        "text/plain; charset=utf-8",
        format!("{contacts}Expires: {until}\nPreferred-Languages: en, de\n"),
    ))
}

fn document(kind: &str, text: String) -> Response<ResponseBody> {
    let mut response = Response::new(full_body(text));
    header(&mut response, CONTENT_TYPE, kind);
    header(&mut response, http::header::CACHE_CONTROL, "no-cache");
    response
}

/// How a listener is encrypted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encryption {
    FromStart,
    StartTls,
    None,
}

/// A listener for mail programs.
struct Door {
    port: u16,
    encryption: Encryption,
}

/// The listeners of these names that are there, the best encrypted first. Plain ones count only on a server that has
/// no certificate at all, for trying things out on one machine.
fn doors(visit: &Visit, names: [&str; 2]) -> Vec<Door> {
    let listeners = &visit.web.site.listeners;
    let door = |listener: &Listener| Door {
        port: listener.port,
        encryption: match (listener.tls, listener.start_tls) {
            (true, _) => Encryption::FromStart,
            (false, true) => Encryption::StartTls,
            (false, false) => Encryption::None,
        },
    };
    let mut doors: Vec<Door> =
        listeners.iter().filter(|listener| names.contains(&listener.name.as_str())).map(door).collect();
    if doors.iter().any(|door| door.encryption != Encryption::None) {
        doors.retain(|door| door.encryption != Encryption::None);
    }
    doors.sort_by_key(|door| door.encryption != Encryption::FromStart);
    doors
}

fn imap(visit: &Visit) -> Vec<Door> {
    doors(visit, ["imaps", "imap"])
}

fn submission(visit: &Visit) -> Vec<Door> {
    doors(visit, ["submissions", "submission"])
}

/// The domain of a mail address that may be one; from nothing, the host itself.
fn domain_of(visit: &Visit, address: Option<&str>) -> Option<String> {
    let domain = match address {
        None | Some("") => visit.host_name(),
        Some(address) if address.len() > ADDRESS_BYTES_MAX => return None,
        // Some programs ask for a bare domain.
        Some(address) => address.rsplit('@').next().unwrap_or_default(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']' | ':');
    (!domain.is_empty() && domain.chars().all(plain)).then(|| domain.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
