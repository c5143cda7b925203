//! The allod server: settings, the wiring of store and gateways, and the command line of the binary `allod`.
//!
//! [`Settings`] come from flags, environment and the settings file, in that order. [`open::Opened`] is the store as
//! they describe it; [`serve`] puts gateways in front of it; [`cli`] is what people type. Every command goes through
//! the admin socket when a server runs on the data directory, and opens the store itself otherwise.
//!
//! The crate refuses to know: protocols and rules. A new gateway is one line in [`registry`].

pub mod cli;
pub mod imap;
pub mod logging;
pub mod open;
mod output;
pub mod registry;
pub mod serve;
pub mod settings;
pub mod smtp;
pub mod smtp_settings;

pub use settings::Settings;

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
