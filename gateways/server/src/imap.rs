//! The IMAP gateway's listeners.

use std::net::SocketAddr;

use allod_admin::Served;
use allod_core::Core;
use allod_imap::{ALPN, Imap, Options};
use allod_kit::{Binding, Listener, StartTls, Tls};

use crate::registry;
use crate::settings::Settings;

/// The default without a certificate.
const PLAIN: &str = "127.0.0.1:1143";
/// The defaults with one: STARTTLS, and TLS from the start.
const START_TLS: &str = "0.0.0.0:143";
const TLS: &str = "0.0.0.0:993";
/// The port on which mail programs speak TLS from the start (RFC 8314 §3.2).
const TLS_PORT: u16 = 993;

/// Where IMAP is served: one or both of them, unless it is switched off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Addresses {
    /// Begins in plain text; with a certificate STARTTLS is offered.
    pub plain: Option<SocketAddr>,
    /// TLS from the start.
    pub tls: Option<SocketAddr>,
}

impl Addresses {
    /// As the settings have it. One that is named stands alone; its port 993 means TLS from the start.
    ///
    /// # Errors
    /// A line that says what to do.
    pub fn of(settings: &Settings, with_tls: bool) -> Result<Addresses, String> {
        let imap = settings.imap();
        if imap.enabled == Some(false) {
            return Ok(Addresses::default());
        }
        if imap.listen_tls.is_some() && !with_tls {
            return Err("--imaps needs a certificate: give --tls-cert and --tls-key".into());
        }
        // Invariant: the defaults are addresses.
        let default = |text: &str| text.parse().ok();
        Ok(match (imap.listen, imap.listen_tls) {
            (None, None) if with_tls => Addresses { plain: default(START_TLS), tls: default(TLS) },
            (None, None) => Addresses { plain: default(PLAIN), tls: None },
            (Some(one), None) if with_tls && one.port() == TLS_PORT => {
                Addresses { plain: None, tls: Some(one) }
            }
            (plain, tls) => Addresses { plain, tls },
        })
    }
}

/// The gateway with its listeners, and what is served where; `None` when it is switched off.
///
/// # Errors
/// A line that says what to do.
pub async fn bind(
    core: &Core,
    settings: &Settings,
    tls: Option<&Tls>,
) -> Result<Option<(Imap, Vec<Served>)>, String> {
    let addresses = Addresses::of(settings, tls.is_some())?;
    if addresses == Addresses::default() {
        return Ok(None);
    }
    let told =
        |error: &dyn std::fmt::Display| format!("IMAP: {error} (--imap ADDR:PORT; --no-imap leaves it out)");
    let insecure = settings.insecure.unwrap_or(false);
    let mut options = Options { insecure, version: crate::VERSION.to_owned(), ..Options::default() };
    let set = settings.imap();
    options.account_connections_max = set.account_connections_max.unwrap_or(options.account_connections_max);
    options.address_connections_max = set.address_connections_max.unwrap_or(options.address_connections_max);
    let imap = Imap::new(core.clone(), options);
    let mut served = Vec::new();
    if let Some(address) = addresses.plain {
        let start_tls = tls.map(|tls| StartTls::new(tls, ALPN)).transpose().map_err(|error| told(&error))?;
        let binding = match tls {
            Some(_) => Binding::start_tls(address),
            None => Binding { insecure, ..Binding::plain(address) },
        };
        let listener = Listener::bind(binding).await.map_err(|error| told(&error))?;
        let protocols = if tls.is_some() { registry::IMAP_START_TLS } else { registry::IMAP };
        served.push(serving("imap", &listener, protocols)?);
        imap.add(listener, start_tls);
    }
    if let (Some(address), Some(tls)) = (addresses.tls, tls) {
        let binding = Binding::tls(address, tls.clone(), ALPN);
        let listener = Listener::bind(binding).await.map_err(|error| told(&error))?;
        served.push(serving("imaps", &listener, registry::IMAP)?);
        imap.add(listener, None);
    }
    Ok(Some((imap, served)))
}

fn serving(scheme: &'static str, listener: &Listener, protocols: &'static str) -> Result<Served, String> {
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    Ok(Served { listener: scheme, url: format!("{scheme}://{address}"), protocols })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ImapServing;

    fn of(
        listen: Option<&str>,
        listen_tls: Option<&str>,
        with_tls: bool,
    ) -> Result<(String, String), String> {
        let parse = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        let imap = ImapServing { listen: parse(listen), listen_tls: parse(listen_tls), ..Default::default() };
        let found = Addresses::of(&Settings { imap: Some(imap), ..Settings::default() }, with_tls)?;
        let text = |address: Option<SocketAddr>| address.map(|a| a.to_string()).unwrap_or_default();
        Ok((text(found.plain), text(found.tls)))
    }

    #[test]
    fn where_it_is_served() {
        let table = [
            (None, None, false, ("127.0.0.1:1143", "")),
            (None, None, true, ("0.0.0.0:143", "0.0.0.0:993")),
            (Some("127.0.0.1:2143"), None, false, ("127.0.0.1:2143", "")),
            (Some("127.0.0.1:2143"), None, true, ("127.0.0.1:2143", "")),
            (Some("0.0.0.0:993"), None, true, ("", "0.0.0.0:993")),
            (None, Some("0.0.0.0:2993"), true, ("", "0.0.0.0:2993")),
            (Some("0.0.0.0:2143"), Some("0.0.0.0:2993"), true, ("0.0.0.0:2143", "0.0.0.0:2993")),
        ];
        for (listen, listen_tls, with_tls, (plain, tls)) in table {
            assert_eq!(
                of(listen, listen_tls, with_tls),
                Ok((plain.to_owned(), tls.to_owned())),
                "{listen:?}"
            );
        }
        assert!(of(None, Some("0.0.0.0:993"), false).unwrap_err().contains("--tls-cert"));
    }
}
