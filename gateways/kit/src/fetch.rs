//! One GET by HTTPS, for the few things that a server must ask of others: policies and the like.
//!
//! Strict on purpose: the certificate must be good for the name, nothing is redirected, and time and size have limits.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::TlsError;

/// Largest header of an answer, in bytes.
const HEADER_BYTES_MAX: usize = 16 << 10;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Get<'a> {
    /// The host's name: the certificate must be good for it.
    pub host: &'a str,
    /// Where it is found; tried in order.
    pub addresses: &'a [SocketAddr],
    /// Path, and query if there is one.
    pub path: &'a str,
    /// Largest body, in bytes.
    pub body_bytes_max: usize,
    /// Longest time for all of it.
    pub time_max: Duration,
}

/// Why there is no answer, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchError(String);

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FetchError {}

/// Asks by HTTPS.
#[derive(Clone)]
pub struct HttpsClient(TlsConnector);

impl HttpsClient {
    /// Believes whom the system believes, and whoever signed with `extra` (DER).
    ///
    /// # Errors
    /// [`TlsError`] when one of them is no certificate.
    pub fn new(extra: &[Vec<u8>]) -> Result<HttpsClient, TlsError> {
        let told = |error: &dyn fmt::Display| TlsError::new(format!("HTTPS cannot be set up: {error}"));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let extra = extra.iter().map(|der| CertificateDer::from(der.clone()));
        let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(extra, provider.clone())
            .map_err(|error| told(&error))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| told(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(HttpsClient(TlsConnector::from(Arc::new(config))))
    }

    /// The answer, whatever its status.
    ///
    /// # Errors
    /// [`FetchError`]: nobody answers, the certificate is no good, a limit is passed.
    pub async fn get(&self, get: &Get<'_>) -> Result<http::Response<Bytes>, FetchError> {
        let late = |_| FetchError(format!("{} took too long", get.host));
        tokio::time::timeout(get.time_max, self.ask(get)).await.map_err(late)?
    }

    async fn ask(&self, get: &Get<'_>) -> Result<http::Response<Bytes>, FetchError> {
        let told = |error: &dyn fmt::Display| FetchError(format!("{}: {error}", get.host));
        let name = ServerName::try_from(get.host.to_owned()).map_err(|error| told(&error))?;
        let tcp = TcpStream::connect(get.addresses).await.map_err(|error| told(&error))?;
        let tls = self.0.connect(name, tcp).await.map_err(|error| told(&error))?;
        let mut builder = hyper::client::conn::http1::Builder::new();
        builder.max_buf_size(HEADER_BYTES_MAX);
        let (mut sender, connection) =
            builder.handshake(TokioIo::new(tls)).await.map_err(|error| told(&error))?;
        let request = http::Request::get(get.path)
            .header(http::header::HOST, get.host)
            .header(http::header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|error| told(&error))?;
        let answer = async {
            let (head, body) = sender.send_request(request).await.map_err(|error| told(&error))?.into_parts();
            let body =
                Limited::new(body, get.body_bytes_max).collect().await.map_err(|error| told(&error))?;
            Ok(http::Response::from_parts(head, body.to_bytes()))
        };
        // The connection lives as long as its answer is waited for.
        tokio::select! {
            biased;
            answer = answer => answer,
            () = async { let _ = connection.await; std::future::pending::<()>().await } => Err(told(&"closed")),
        }
    }
}
