//! Serving: listeners, signals, the admin socket, and a clean end.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use allod_admin::{Context, SOCKET_NAME, Served};
use allod_core::Core;
use allod_kit::{Binding, HttpOptions, HttpRouter, Listener, Stop, Tls, serve_http};
use tokio::signal::unix::{SignalKind, signal};

use crate::registry;
use crate::settings::Settings;

/// The default for HTTP without a certificate.
const HTTP_PLAIN: &str = "127.0.0.1:8080";
/// The default for HTTP with one.
const HTTP_TLS: &str = "0.0.0.0:443";
/// The longest a stop may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Where S3 is to be served; new credentials name it.
const S3_ENDPOINT: &str = "http://127.0.0.1:9000";

/// What commands act on while no server runs.
pub fn stopped_context(core: &Core, data: &Path) -> Context {
    Context {
        operator: core.operator(),
        version: crate::VERSION,
        data: data.display().to_string(),
        served: Vec::new(),
        started: None,
        s3_endpoint: S3_ENDPOINT.into(),
    }
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
    let (listener, served) = bind_http(settings, tls.as_ref()).await?;
    let mut context = stopped_context(&core, data);
    context.served = vec![served];
    context.started = Some(Instant::now());
    let admin = allod_admin::serve(&data.join(SOCKET_NAME), context.clone(), stop.clone()).await;
    admin.map_err(|error| format!("cannot make the admin socket in {}: {error}", data.display()))?;
    core.start_workers();

    let options = HttpOptions { trusted_proxies: settings.proxies()?, ..HttpOptions::default() };
    let probe = core.clone();
    let router = HttpRouter::new(registry::http_gateways(&core), move || probe.is_readable());
    let http = tokio::spawn(serve_http(listener, Arc::new(router), options, stop.clone()));
    ready(&context.served);
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);

    signals.wait(tls.as_ref()).await;
    tracing::info!("stopping");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    stop.cancel();
    let end = async {
        if let Err(error) = http.await {
            tracing::error!(%error, "the HTTP listener failed");
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

fn load_tls(settings: &Settings) -> Result<Option<Tls>, String> {
    match settings.tls_files()? {
        Some((cert, key)) => Tls::load(cert, key).map(Some).map_err(|error| error.to_string()),
        None => Ok(None),
    }
}

async fn bind_http(settings: &Settings, tls: Option<&Tls>) -> Result<(Listener, Served), String> {
    let address: SocketAddr = match settings.http {
        Some(address) => address,
        None => {
            let default = if tls.is_some() { HTTP_TLS } else { HTTP_PLAIN };
            // Invariant: the defaults are addresses.
            default.parse().expect("a default address parses")
        }
    };
    let binding = match tls {
        Some(tls) => Binding::https(address, tls.clone()),
        None => Binding { insecure: settings.insecure.unwrap_or(false), ..Binding::plain(address) },
    };
    let listener = Listener::bind(binding).await.map_err(|error| error.to_string())?;
    let bound = listener.local_addr().map_err(|error| error.to_string())?;
    let scheme = if listener.is_tls() { "https" } else { "http" };
    let url = format!("{scheme}://{bound}");
    Ok((listener, Served { listener: "http", url, protocols: registry::HTTP_PROTOCOLS }))
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
