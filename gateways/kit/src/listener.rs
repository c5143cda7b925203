//! Accepting connections, plain or by TLS.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::{Tls, TlsError};

/// Longest time for a TLS handshake.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// Pause after a failed accept, mostly because all file descriptors are in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Address and port; port 0 takes one from the system.
    pub address: SocketAddr,
    /// The certificate for implicit TLS; `None`: plain text.
    pub tls: Option<Tls>,
    /// Protocols offered in the TLS handshake, best first.
    pub alpn: &'static [&'static [u8]],
    /// Serve plain text to other machines too.
    pub insecure: bool,
    /// The protocol begins in plain text and takes no password before STARTTLS.
    pub start_tls: bool,
}

impl Binding {
    /// Plain text; refused by [`Listener::bind`] unless the address is this machine's own.
    pub fn plain(address: SocketAddr) -> Binding {
        Binding { address, tls: None, alpn: &[], insecure: false, start_tls: false }
    }

    /// HTTP/2 and HTTP/1.1 by TLS.
    pub fn https(address: SocketAddr, tls: Tls) -> Binding {
        Binding { tls: Some(tls), alpn: &[b"h2", b"http/1.1"], ..Binding::plain(address) }
    }

    /// Another protocol by TLS from the start.
    pub fn tls(address: SocketAddr, tls: Tls, alpn: &'static [&'static [u8]]) -> Binding {
        Binding { tls: Some(tls), alpn, ..Binding::plain(address) }
    }

    /// A protocol that begins in plain text and takes no password before [`crate::StartTls`].
    pub fn start_tls(address: SocketAddr) -> Binding {
        Binding { start_tls: true, ..Binding::plain(address) }
    }
}

/// Why a listener could not be opened; the text says what to do.
#[derive(Debug)]
pub enum ListenError {
    /// Plain text on an address that other machines reach, without leave.
    PlainText(SocketAddr),
    /// The system refused the address.
    Bind(SocketAddr, io::Error),
    /// The certificate cannot be used.
    Tls(TlsError),
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::PlainText(address) => write!(
                f,
                "{address} can be reached by other machines and would send passwords unencrypted: give \
                 --tls-cert and --tls-key, listen on 127.0.0.1, or allow it by --insecure"
            ),
            ListenError::Bind(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "{address} is in use by another program: stop it or choose another port")
            }
            ListenError::Bind(address, error) if error.kind() == io::ErrorKind::PermissionDenied => {
                write!(
                    f,
                    "no right to listen on {address}: choose a port above 1023 or grant CAP_NET_BIND_SERVICE"
                )
            }
            ListenError::Bind(address, error) => write!(f, "cannot listen on {address}: {error}"),
            ListenError::Tls(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ListenError {}

impl From<TlsError> for ListenError {
    fn from(error: TlsError) -> Self {
        ListenError::Tls(error)
    }
}

/// An open listening socket.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Arc<ServerConfig>>,
}

impl Listener {
    /// Opens the socket.
    ///
    /// # Errors
    /// [`ListenError`].
    pub async fn bind(binding: Binding) -> Result<Listener, ListenError> {
        let address = binding.address;
        let allowed = binding.tls.is_some() || binding.start_tls || binding.insecure;
        if !allowed && !address.ip().to_canonical().is_loopback() {
            return Err(ListenError::PlainText(address));
        }
        let tls = binding.tls.map(|tls| tls.server_config(binding.alpn)).transpose()?;
        let tcp = TcpListener::bind(address).await.map_err(|e| ListenError::Bind(address, e))?;
        Ok(Listener { tcp, tls })
    }

    /// The address it listens on, with the port the system chose.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Whether connections are encrypted from the start.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Waits for the next connection. Never fails: trouble is logged and accepting goes on after a pause.
    /// Cancellation loses no connection.
    pub async fn accept(&self) -> Accepted {
        loop {
            match self.tcp.accept().await {
                Ok((tcp, address)) => {
                    // Small answers must not wait for the client's delayed acknowledgement.
                    if let Err(error) = tcp.set_nodelay(true) {
                        tracing::debug!(%address, %error, "no TCP_NODELAY");
                    }
                    return Accepted { tcp, address, tls: self.tls.clone() };
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// A connection that has been accepted but has not said anything yet.
pub struct Accepted {
    tcp: TcpStream,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
}

impl Accepted {
    /// The other end.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a TLS handshake is to be done.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Completes the TLS handshake, if there is one to do. To be called in the connection's own task.
    ///
    /// # Errors
    /// A failed handshake; `TimedOut` after 10 s.
    pub async fn handshake(self) -> io::Result<Connection> {
        match self.tls {
            Some(config) => handshake(config, self.tcp).await,
            None => Ok(Connection::Plain(self.tcp)),
        }
    }
}

/// Encrypts connections that began in plain text.
#[derive(Clone)]
pub struct StartTls(Arc<ServerConfig>);

impl StartTls {
    /// With this certificate.
    ///
    /// # Errors
    /// As [`Tls::server_config`].
    pub fn new(tls: &Tls, alpn: &[&[u8]]) -> Result<StartTls, TlsError> {
        tls.server_config(alpn).map(StartTls)
    }

    /// Completes the handshake. Whatever was read from the connection before must be thrown away first.
    ///
    /// # Errors
    /// A failed handshake; `TimedOut` after 10 s; `InvalidInput` when it is encrypted already.
    pub async fn upgrade(&self, connection: Connection) -> io::Result<Connection> {
        match connection {
            Connection::Plain(tcp) => handshake(self.0.clone(), tcp).await,
            Connection::Tls(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "already encrypted")),
        }
    }
}

async fn handshake(config: Arc<ServerConfig>, tcp: TcpStream) -> io::Result<Connection> {
    let handshake = TlsAcceptor::from(config).accept(tcp);
    let stream = tokio::time::timeout(HANDSHAKE_TIME_MAX, handshake)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "TLS handshake took too long"))??;
    Ok(Connection::Tls(Box::new(stream)))
}

/// A connection ready for its protocol.
pub enum Connection {
    /// Unencrypted.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// Whether it is encrypted.
    pub fn is_tls(&self) -> bool {
        matches!(self, Connection::Tls(_))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Connection::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Connection::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Connection::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Connection::Plain(stream) => stream.is_write_vectored(),
            Connection::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_flush(context),
            Connection::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Connection::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
