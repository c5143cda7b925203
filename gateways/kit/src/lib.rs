//! Sockets, TLS, limits and shutdown: what every door of allod needs before its protocol begins.
//!
//! A gateway implements [`Gateway`]: it names itself and either *mounts* on the shared HTTP listener by host and path
//! ([`Mount`]), or listens by itself. [`Listener`] accepts connections, plain or by TLS, and refuses to serve
//! plain text to the world unless told to. [`serve_http`] speaks HTTP/1.1 and HTTP/2 on a listener and hands each
//! request to the gateway that [`HttpRouter`] finds for it; [`serve_tcp`] runs any other protocol, and [`StartTls`] encrypts a
//! connection that began in plain text.
//!
//! Everything has a limit, and the limits are here: size and time of a request's head, pauses in a body in either
//! direction, connections at once, time to finish at shutdown ([`HttpOptions`]). A panic in a gateway ends its
//! request with 500 and nothing else.
//!
//! The crate refuses to know: formats, kinds of folders, accounts. It never touches the store.
//!
//! ```no_run
//! # async fn run(dav: std::sync::Arc<dyn allod_kit::Gateway>) -> Result<(), allod_kit::ListenError> {
//! use allod_kit::{Binding, HttpOptions, HttpRouter, Listener, Stop, serve_http};
//! let listener = Listener::bind(Binding::plain("127.0.0.1:8080".parse().unwrap())).await?;
//! let router = HttpRouter::new(vec![dav], || true);
//! serve_http(listener, router.into(), HttpOptions::default(), Stop::new()).await;
//! # Ok(())
//! # }
//! ```

mod auth;
mod body;
mod fetch;
mod gateway;
mod http_server;
mod listener;
mod peer;
mod request_line;
mod router;
mod tcp_server;
mod tls;
mod watch;

pub use auth::{Authorization, parse_authorization};
pub use body::{RequestBody, ResponseBody, empty_body, full_body, stream_body};
pub use fetch::{FetchError, Get, HttpsClient};
pub use gateway::{Gateway, Mount, MountPath, Stop};
pub use http_server::{HttpOptions, serve_http};
pub use listener::{Accepted, Binding, Connection, ListenError, Listener, StartTls};
pub use peer::{Network, NetworkError, Peer, client_address};
pub use router::HttpRouter;
pub use tcp_server::{TcpOptions, serve_tcp};
pub use tls::{Tls, TlsError, read_certificates};

#[cfg(test)]
mod tests;
