//! A process that writes is ended at any moment: killed, or by the loss of power. What it has been told is
//! durable must be there, whole; what it was not told is there whole or not at all.

// Clippy's leave for tests covers only the test functions themselves.
#![allow(clippy::unwrap_used)]

mod image;
mod kill;
mod power_loss;
mod recording;
mod writer;

/// The writing process. As a test of its own it does nothing.
#[test]
fn child() {
    if let Ok(dir) = std::env::var("META_CRASH_DIR") {
        writer::run(std::path::Path::new(&dir));
    }
}

/// A number from the environment.
fn environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}
