//! The operator's commands, over the local admin socket or directly on a stopped store.
//!
//! [`Request`] is what can be asked; [`execute`] carries it out on an opened store; [`serve`] does that for whoever
//! connects to the socket, which only the server's own user can; [`call`] asks a running server. So each command works
//! the same whether the server runs or not.
//!
//! On the wire: one line of JSON asks, any number of `{"progress": …}` lines follow, then one `{"done": …}` or
//! `{"failed": …}`.
//!
//! The crate refuses to know: terminals, tables, exit codes. Those are the command line's.

mod answer;
mod execute;
mod filing;
mod moment;
mod request;
mod sharing;
mod socket;

pub use answer::Failure;
pub use execute::{Context, Dns, Served, execute};
pub use moment::{parse_moment, show_moment};
pub use request::{Password, Request};
pub use socket::{SOCKET_NAME, call, serve};

#[cfg(test)]
mod tests;
