//! Logs: structured, on stderr, never holding a secret.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// What s3s may log.
const S3S_SILENT: &str = "s3s=off";

/// Starts logging. `ALLOD_LOG` filters as `RUST_LOG` does elsewhere (`info`, `allod_dav=debug`); `ALLOD_LOG_FORMAT=json`
/// writes JSON lines.
pub fn start(default: &str) {
    // s3s calls every refused signature an error of its own and prints what it was sent.
    let filter = EnvFilter::try_from_env("ALLOD_LOG")
        .unwrap_or_else(|_| EnvFilter::new(default))
        .add_directive(S3S_SILENT.parse().unwrap_or_default());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    let json = std::env::var("ALLOD_LOG_FORMAT").is_ok_and(|format| format == "json");
    // A second start, as in tests, keeps the first.
    let _ = if json { builder.json().try_init() } else { builder.with_target(false).try_init() };
}
