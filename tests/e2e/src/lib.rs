//! A real `allod` process in a temporary folder, and a client that controls every byte it sends.
//!
//! The binary is the one built beside the tests (`cargo build -p allod-server`), or the one named by `ALLOD_BIN`.

mod browser;
mod http;
mod imap;
mod s3;
mod server;

pub use browser::{Browser, form};
pub use http::{Connection, Reply, Request};
pub use imap::{Answer, Imap, Line};
pub use s3::{Signer, UNSIGNED, hex};
pub use server::{App, Server, run, run_reading};
