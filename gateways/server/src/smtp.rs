//! The SMTP gateway: its listeners, its settings, and what it says of the DNS.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use allod_admin::{Failure, Served};
use allod_core::Core;
use allod_kit::{Binding, Listener, StartTls, Tls, read_certificates};
use allod_smtp::{ALPN, Found, Options, Records, Role, Smarthost, SmarthostTls, Smtp};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::registry;
use crate::settings::Settings;
use crate::smtp_settings::SmarthostSettings;

/// The defaults without a certificate.
const SUBMISSION_PLAIN: &str = "127.0.0.1:1587";
const MX_PLAIN: &str = "127.0.0.1:1025";
/// The defaults with one: STARTTLS, TLS from the start, and STARTTLS for the world.
const SUBMISSION_START_TLS: &str = "0.0.0.0:587";
const SUBMISSION_TLS: &str = "0.0.0.0:465";
const MX: &str = "0.0.0.0:25";
/// The port on which mail programs speak TLS from the start (RFC 8314 §3.3).
const TLS_PORT: u16 = 465;
/// Ports of a smarthost.
const SMARTHOST_PORT: u16 = 587;
const SMARTHOST_PLAIN_PORT: u16 = 25;
/// Where the system keeps its name.
const HOSTNAME_FILE: &str = "/proc/sys/kernel/hostname";

/// Where mail is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Addresses {
    /// From apps; begins in plain text, with a certificate STARTTLS is offered.
    pub submission: Option<SocketAddr>,
    /// From apps, by TLS from the start.
    pub submission_tls: Option<SocketAddr>,
    /// From the world.
    pub mx: Option<SocketAddr>,
}

impl Addresses {
    /// As the settings have it. A submission address that is named stands alone; its port 465 means TLS from the start.
    ///
    /// # Errors
    /// A line that says what to do.
    pub fn of(settings: &Settings, with_tls: bool) -> Result<Addresses, String> {
        let smtp = settings.smtp();
        // Invariant: the defaults are addresses.
        let default = |text: &str| text.parse().ok();
        let mx = match smtp.mx_enabled {
            Some(false) => None,
            _ => smtp.mx.or_else(|| default(if with_tls { MX } else { MX_PLAIN })),
        };
        if smtp.submission_enabled == Some(false) {
            return Ok(Addresses { mx, ..Addresses::default() });
        }
        if smtp.submission_tls.is_some() && !with_tls {
            return Err("--submissions needs a certificate: give --tls-cert and --tls-key".into());
        }
        let (submission, submission_tls) = match (smtp.submission, smtp.submission_tls) {
            (None, None) if with_tls => (default(SUBMISSION_START_TLS), default(SUBMISSION_TLS)),
            (None, None) => (default(SUBMISSION_PLAIN), None),
            (Some(one), None) if with_tls && one.port() == TLS_PORT => (None, Some(one)),
            named => named,
        };
        Ok(Addresses { submission, submission_tls, mx })
    }
}

/// The gateway's options.
///
/// # Errors
/// A line that names the setting that is wrong.
pub fn options(settings: &Settings) -> Result<Options, String> {
    let set = settings.smtp();
    let mut options = Options { insecure: settings.insecure.unwrap_or(false), ..Options::default() };
    options.hostname = set.hostname.unwrap_or_else(system_name).to_lowercase();
    options.resolver = set.resolver;
    options.smarthost = set.smarthost.as_ref().map(smarthost).transpose()?;
    options.dnsbl = set.dnsbl.unwrap_or_default();
    options.greylisting = set.greylisting.unwrap_or(false);
    options.junk_score_tenths =
        set.junk_score.map_or(options.junk_score_tenths, |score| (score * 10.0) as i32);
    options.postmaster = set.postmaster;
    options.hour_recipients_max = set.hour_recipients_max.unwrap_or(options.hour_recipients_max);
    options.address_connections_max = set.address_connections_max.unwrap_or(options.address_connections_max);
    if let Some(file) = &set.trusted_certificates {
        options.trusted = read_certificates(file).map_err(|error| error.to_string())?;
    }
    options.relay_port = set.relay_port.unwrap_or(options.relay_port);
    options.relay_loopback = set.relay_loopback.unwrap_or(false);
    Ok(options)
}

/// The name of this machine, as it was set or as the system has it.
pub fn host_name(settings: &Settings) -> String {
    settings.smtp().hostname.unwrap_or_else(system_name).to_lowercase()
}

fn system_name() -> String {
    let name = fs::read_to_string(HOSTNAME_FILE).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

fn smarthost(set: &SmarthostSettings) -> Result<Smarthost, String> {
    let tls = match set.tls.as_deref() {
        Some("implicit") => SmarthostTls::Implicit,
        Some("starttls") => SmarthostTls::StartTls,
        Some("none") => SmarthostTls::None,
        None if set.port == Some(TLS_PORT) => SmarthostTls::Implicit,
        None => SmarthostTls::StartTls,
        Some(other) => return Err(format!("smarthost: tls is implicit, starttls or none, not '{other}'")),
    };
    let port = set.port.unwrap_or(match tls {
        SmarthostTls::Implicit => TLS_PORT,
        SmarthostTls::StartTls => SMARTHOST_PORT,
        SmarthostTls::None => SMARTHOST_PLAIN_PORT,
    });
    let password = match (&set.password, &set.password_file) {
        (Some(password), _) => Some(password.clone()),
        (None, Some(file)) => {
            let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        (None, None) => None,
    };
    let login = match (&set.username, password) {
        (Some(username), Some(password)) => Some((username.clone(), Zeroizing::new(password))),
        (None, None) => None,
        _ => return Err("smarthost: a login needs both username and password".into()),
    };
    Ok(Smarthost { host: set.host.clone(), port, tls, login })
}

/// The gateway with its listeners, and what is served where; `None` when all of it is switched off.
///
/// # Errors
/// A line that says what to do.
pub async fn bind(
    core: &Core,
    settings: &Settings,
    tls: Option<&Tls>,
) -> Result<Option<(Arc<Smtp>, Vec<Served>)>, String> {
    let addresses = Addresses::of(settings, tls.is_some())?;
    if addresses == Addresses::default() {
        return Ok(None);
    }
    core.set_own_domains(settings.smtp().domains());
    let smtp = Smtp::new(core.clone(), options(settings)?);
    let mut served = Vec::new();
    let insecure = settings.insecure.unwrap_or(false);
    let beginning_plain =
        [(Role::Submission, "submission", addresses.submission), (Role::Mx, "mx", addresses.mx)];
    for (role, name, address) in beginning_plain {
        let Some(address) = address else { continue };
        let told = |error: &dyn std::fmt::Display| {
            format!("SMTP: {error} (--{name} ADDR:PORT; --no-{name} leaves it out)")
        };
        let start_tls = tls.map(|tls| StartTls::new(tls, ALPN)).transpose().map_err(|error| told(&error))?;
        let binding = match tls {
            Some(_) => Binding::start_tls(address),
            None => Binding { insecure, ..Binding::plain(address) },
        };
        let listener = Listener::bind(binding).await.map_err(|error| told(&error))?;
        let protocols = if tls.is_some() { registry::SMTP_START_TLS } else { registry::SMTP };
        served.push(serving(name, "smtp", &listener, protocols)?);
        smtp.add(role, listener, start_tls);
    }
    if let (Some(address), Some(tls)) = (addresses.submission_tls, tls) {
        let binding = Binding::tls(address, tls.clone(), ALPN);
        let listener = Listener::bind(binding).await.map_err(|error| {
            format!("SMTP: {error} (--submissions ADDR:PORT; --no-submission leaves it out)")
        })?;
        served.push(serving("submissions", "smtps", &listener, registry::SMTP)?);
        smtp.add(Role::Submission, listener, None);
    }
    Ok(Some((Arc::new(smtp), served)))
}

fn serving(
    listener: &'static str,
    scheme: &str,
    bound: &Listener,
    protocols: &'static str,
) -> Result<Served, String> {
    let address = bound.local_addr().map_err(|error| error.to_string())?;
    Ok(Served { listener, url: format!("{scheme}://{address}"), protocols })
}

/// What `allod dns` asks.
pub fn dns(core: &Core, settings: &Settings) -> allod_admin::Dns {
    let options = options(settings);
    let core = core.clone();
    Arc::new(move |domain, check| {
        let (core, options) = (core.clone(), options.clone());
        Box::pin(async move {
            let records = Smtp::new(core, options.map_err(Failure::invalid)?).records();
            answer(&records, &domain, check).await
        })
    })
}

async fn answer(records: &Records, domain: &str, check: bool) -> Result<Value, Failure> {
    let domain = domain.trim_end_matches('.').to_lowercase();
    let mut rows = Vec::new();
    let mut complete = true;
    for record in records.of(&domain).await? {
        let mut row = json!({
            "name": record.name, "type": record.kind, "value": record.value, "purpose": record.purpose,
        });
        if check {
            let (state, found) = match records.check(&record).await {
                Found::Right => ("right", None),
                Found::Other(found) => ("other", Some(found)),
                Found::Missing => ("missing", None),
                Found::Unknown => ("unknown", None),
            };
            complete &= state == "right";
            row["state"] = json!(state);
            row["found"] = json!(found);
        }
        rows.push(row);
    }
    Ok(match check {
        true => json!({"domain": domain, "records": rows, "complete": complete}),
        false => json!({"domain": domain, "records": rows}),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp_settings::SmtpServing;

    fn of(smtp: SmtpServing, with_tls: bool) -> Result<[String; 3], String> {
        let found = Addresses::of(&Settings { smtp: Some(smtp), ..Settings::default() }, with_tls)?;
        let text = |address: Option<SocketAddr>| address.map(|a| a.to_string()).unwrap_or_default();
        Ok([text(found.submission), text(found.submission_tls), text(found.mx)])
    }

    #[test]
    fn where_it_is_served() {
        let none = SmtpServing::default;
        let at = |text: &str| Some(text.parse().unwrap());
        let table = [
            (none(), false, ["127.0.0.1:1587", "", "127.0.0.1:1025"]),
            (none(), true, ["0.0.0.0:587", "0.0.0.0:465", "0.0.0.0:25"]),
            (
                SmtpServing { submission: at("0.0.0.0:465"), ..none() },
                true,
                ["", "0.0.0.0:465", "0.0.0.0:25"],
            ),
            (
                SmtpServing { submission: at("0.0.0.0:2587"), ..none() },
                true,
                ["0.0.0.0:2587", "", "0.0.0.0:25"],
            ),
            (SmtpServing { submission_enabled: Some(false), ..none() }, false, ["", "", "127.0.0.1:1025"]),
            (SmtpServing { mx_enabled: Some(false), ..none() }, false, ["127.0.0.1:1587", "", ""]),
            (SmtpServing { mx: at("127.0.0.1:26"), ..none() }, false, ["127.0.0.1:1587", "", "127.0.0.1:26"]),
        ];
        for (smtp, with_tls, expected) in table {
            assert_eq!(of(smtp.clone(), with_tls).unwrap(), expected, "{smtp:?}");
        }
        let wrong = SmtpServing { submission_tls: at("0.0.0.0:465"), ..none() };
        assert!(of(wrong, false).unwrap_err().contains("--tls-cert"));
    }

    #[test]
    fn a_smarthost_is_read() {
        let text = "[smtp]\nhostname = \"MX.example.org\"\njunk_score = 7.5\n\
                    [smtp.smarthost]\nhost = \"relay.example\"\nport = 465\nusername = \"u\"\npassword = \"p\"\n";
        let settings: Settings = toml::from_str(text).unwrap();
        let options = options(&settings).unwrap();
        assert_eq!((options.hostname.as_str(), options.junk_score_tenths), ("mx.example.org", 75));
        let smarthost = options.smarthost.unwrap();
        assert_eq!((smarthost.port, smarthost.tls), (465, SmarthostTls::Implicit));
        assert_eq!(smarthost.login.unwrap().0, "u");
    }
}
