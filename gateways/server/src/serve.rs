//! Serving: listeners, signals, the admin socket, and a clean end.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use allod_admin::{Context, SOCKET_NAME, Served};
use allod_core::Core;
use allod_kit::{Binding, Gateway, HttpOptions, HttpRouter, Listener, Stop, Tls, serve_http};
use allod_s3::S3;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::imap;
use crate::registry;
use crate::settings::Settings;
use crate::smtp;
use allod_web::Site;

/// The default for HTTP without a certificate.
const HTTP_PLAIN: &str = "127.0.0.1:8080";
/// The default for HTTP with one.
const HTTP_TLS: &str = "0.0.0.0:443";
/// The default for S3 without a certificate.
const S3_PLAIN: &str = "127.0.0.1:9000";
/// The default for S3 with one.
const S3_TLS: &str = "0.0.0.0:9000";
/// The longest a stop may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// What commands act on while no server runs.
pub fn stopped_context(core: &Core, data: &Path, settings: &Settings) -> Context {
    let tls = settings.tls_files().is_ok_and(|files| files.is_some());
    let address = s3_address(settings, tls).to_string();
    Context {
        operator: core.operator(),
        version: crate::VERSION,
        data: data.display().to_string(),
        served: Vec::new(),
        started: None,
        s3_endpoint: s3_endpoint(settings, &address, tls),
        s3_region: settings.s3().region().to_owned(),
        calendar_link: calendar_link(&http_url(settings)),
        invitation_link: page_url(settings, &http_url(settings)) + &allod_web::invitation_path(""),
        dns: smtp::dns(core, settings),
    }
}

/// Where the HTTP listener would be.
fn http_url(settings: &Settings) -> String {
    let tls = settings.tls_files().is_ok_and(|files| files.is_some());
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{}", settings.http.unwrap_or(default(HTTP_PLAIN, HTTP_TLS, tls)))
}

/// What people type to come to the web page: where it listens on all addresses, this machine's name.
pub fn page_url(settings: &Settings, served: &str) -> String {
    let (scheme, address) = served.split_once("://").unwrap_or(("http", served));
    let Ok(socket) = address.parse::<SocketAddr>() else { return served.to_owned() };
    if !socket.ip().is_unspecified() {
        return served.to_owned();
    }
    let name = smtp::host_name(settings);
    match (scheme, socket.port()) {
        ("https", 443) | ("http", 80) => format!("{scheme}://{name}"),
        (_, port) => format!("{scheme}://{name}:{port}"),
    }
}

/// What the web page tells people to connect to.
fn site(context: &Context, settings: &Settings, s3: bool) -> Site {
    let listener = |served: &Served| {
        let address: SocketAddr = served.url.split_once("://")?.1.parse().ok()?;
        let tls = matches!(served.listener, "imaps" | "submissions") || served.url.starts_with("https:");
        let start_tls = served.protocols.contains("STARTTLS");
        Some(allod_web::Listener { name: served.listener.to_owned(), port: address.port(), tls, start_tls })
    };
    Site {
        listeners: context.served.iter().skip(1).filter_map(listener).collect(),
        s3_endpoint: s3.then(|| context.s3_endpoint.clone()),
        s3_region: context.s3_region.clone(),
        security_contacts: settings.security_contacts.clone().unwrap_or_default(),
    }
}

fn calendar_link(url: &str) -> (String, &'static str) {
    (format!("{url}{}", allod_dav::PUBLISHED_PREFIX), allod_dav::PUBLISHED_SUFFIX)
}

/// Serves until SIGTERM or SIGINT, then finishes what was acknowledged. `ready` runs once everything listens.
///
/// # Errors
/// A line that says what to do.
pub async fn serve(
    core: Core,
    data: &Path,
    settings: &Settings,
    ready: impl FnOnce(&[Served]),
) -> Result<(), String> {
    let stop = Stop::new();
    // Taken before anything is announced: a stop that comes right after `ready` is a clean one.
    let signals = Signals::listen()?;
    let tls = load_tls(settings)?;
    let http =
        bind(settings.http.unwrap_or(default(HTTP_PLAIN, HTTP_TLS, tls.is_some())), settings, tls.as_ref());
    let http = http.await?;
    let mut context = stopped_context(&core, data, settings);
    context.served = vec![http.served("http", registry::HTTP_PROTOCOLS)];
    context.calendar_link = calendar_link(&context.served[0].url);
    context.invitation_link = page_url(settings, &context.served[0].url) + &allod_web::invitation_path("");
    let s3 = bind_s3(&core, settings, tls.as_ref()).await?;
    if let Some((_, bound)) = &s3 {
        context.s3_endpoint = s3_endpoint(settings, &bound.address, tls.is_some());
        context.served.push(bound.served("s3", registry::S3_PROTOCOLS));
    }
    let imap = imap::bind(&core, settings, tls.as_ref()).await?;
    if let Some((_, served)) = &imap {
        context.served.extend(served.iter().cloned());
    }
    let smtp = smtp::bind(&core, settings, tls.as_ref()).await?;
    if let Some((_, served)) = &smtp {
        context.served.extend(served.iter().cloned());
    }
    context.started = Some(Instant::now());
    let admin = allod_admin::serve(&data.join(SOCKET_NAME), context.clone(), stop.clone()).await;
    admin.map_err(|error| format!("cannot make the admin socket in {}: {error}", data.display()))?;
    core.start_workers();

    let options = HttpOptions { trusted_proxies: settings.proxies()?, ..HttpOptions::default() };
    let spawn = |listener, gateways| {
        let probe = core.clone();
        let router = Arc::new(HttpRouter::new(gateways, move || probe.is_readable()));
        tokio::spawn(serve_http(listener, router, options.clone(), stop.clone()))
    };
    let beside = registry::http_gateways(
        &core,
        site(&context, settings, s3.is_some()),
        s3.as_ref().map(|(gateway, _)| gateway),
        smtp.as_ref().map(|(gateway, _)| gateway),
    );
    let mut serving = vec![spawn(http.listener, beside)];
    if let Some((gateway, bound)) = s3 {
        serving.push(spawn(bound.listener, vec![Arc::new(gateway) as Arc<dyn Gateway>]));
    }
    if let Some((gateway, _)) = imap {
        serving.push(spawn_own(Arc::new(gateway), stop.clone()));
    }
    if let Some((gateway, _)) = smtp {
        serving.push(spawn_own(gateway, stop.clone()));
    }
    ready(&context.served);
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);

    signals.wait(tls.as_ref()).await;
    tracing::info!("stopping");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    stop.cancel();
    let end = async {
        for listener in serving {
            if let Err(error) = listener.await {
                tracing::error!(%error, "a listener failed");
            }
        }
        core.close().await
    };
    match tokio::time::timeout(STOP_TIMEOUT - Duration::from_millis(500), end).await {
        Ok(closed) => closed.map_err(|error| format!("the store did not close cleanly: {error}")),
        Err(_) => {
            tracing::warn!("some requests did not end in time; nothing acknowledged is lost");
            Ok(())
        }
    }
}

/// Runs a gateway that listens by itself.
fn spawn_own(gateway: Arc<dyn Gateway>, stop: Stop) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = gateway.serve(stop).await {
            tracing::error!(gateway = gateway.name(), %error, "a listener failed");
        }
    })
}

fn load_tls(settings: &Settings) -> Result<Option<Tls>, String> {
    match settings.tls_files()? {
        Some((cert, key)) => Tls::load(cert, key).map(Some).map_err(|error| error.to_string()),
        None => Ok(None),
    }
}

/// An open listener of HTTP.
struct Bound {
    listener: Listener,
    address: String,
}

impl Bound {
    fn served(&self, listener: &'static str, protocols: &'static str) -> Served {
        let scheme = if self.listener.is_tls() { "https" } else { "http" };
        Served { listener, url: format!("{scheme}://{}", self.address), protocols }
    }
}

async fn bind(address: SocketAddr, settings: &Settings, tls: Option<&Tls>) -> Result<Bound, String> {
    let binding = match tls {
        Some(tls) => Binding::https(address, tls.clone()),
        None => Binding { insecure: settings.insecure.unwrap_or(false), ..Binding::plain(address) },
    };
    let listener = Listener::bind(binding).await.map_err(|error| error.to_string())?;
    let bound = listener.local_addr().map_err(|error| error.to_string())?;
    Ok(Bound { listener, address: bound.to_string() })
}

/// The S3 gateway and its listener, unless it is switched off.
async fn bind_s3(core: &Core, settings: &Settings, tls: Option<&Tls>) -> Result<Option<(S3, Bound)>, String> {
    let s3 = settings.s3();
    if s3.enabled == Some(false) {
        return Ok(None);
    }
    let bound = bind(s3_address(settings, tls.is_some()), settings, tls).await;
    let bound = bound.map_err(|error| format!("S3: {error} (--s3 ADDR:PORT; --no-s3 leaves it out)"))?;
    let options = allod_s3::Options { domains: s3.domains(), region: s3.region().to_owned() };
    Ok(Some((S3::new(core.clone(), options), bound)))
}

fn s3_address(settings: &Settings, tls: bool) -> SocketAddr {
    settings.s3().listen.unwrap_or(default(S3_PLAIN, S3_TLS, tls))
}

/// Where S3 clients are to connect: the first name that is set, else the address.
fn s3_endpoint(settings: &Settings, address: &str, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    let port = address.rsplit(':').next().unwrap_or_default();
    match settings.s3().domains().first() {
        Some(name) => format!("{scheme}://{name}:{port}"),
        None => format!("{scheme}://{address}"),
    }
}

fn default(plain: &str, with_tls: &str, tls: bool) -> SocketAddr {
    // Invariant: the defaults are addresses.
    if tls { with_tls } else { plain }.parse().expect("a default address parses")
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> Result<Signals, String> {
        let take = |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
        Ok(Signals {
            terminate: take(SignalKind::terminate())?,
            interrupt: take(SignalKind::interrupt())?,
            hangup: take(SignalKind::hangup())?,
        })
    }

    /// Waits for the signal to stop; SIGHUP reads the certificate anew.
    async fn wait(mut self, tls: Option<&Tls>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => match tls.map(Tls::reload) {
                    Some(Ok(())) => tracing::info!("certificate read anew"),
                    Some(Err(error)) => tracing::error!(%error, "the old certificate stays"),
                    None => {}
                },
            }
        }
    }
}
