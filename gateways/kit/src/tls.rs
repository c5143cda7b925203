//! Certificates and keys from PEM files, replaceable while the server runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// A certificate could not be used; the text says which file and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsError(String);

impl TlsError {
    pub(crate) fn new(text: String) -> TlsError {
        TlsError(text)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

/// A certificate chain and its key, shared by all listeners. Cheap to clone; [`Tls::reload`] acts on all clones.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
    provider: Arc<CryptoProvider>,
}

impl Tls {
    /// Reads a certificate chain (leaf first) and its private key, both PEM.
    ///
    /// # Errors
    /// [`TlsError`] when a file cannot be read, holds no certificate or key, or the two do not belong together.
    pub fn load(certificate: &Path, key: &Path) -> Result<Tls, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let current = RwLock::new(read_pair(certificate, key, &provider)?);
        let shared = Shared { certificate: certificate.to_owned(), key: key.to_owned(), current, provider };
        Ok(Tls(Arc::new(shared)))
    }

    /// Reads the files again; new connections get the new certificate. On failure the old one stays.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = read_pair(&self.0.certificate, &self.0.key, &self.0.provider)?;
        *self.0.current.write() = fresh;
        Ok(())
    }

    /// A configuration for servers that offers `alpn` protocols, best first.
    ///
    /// # Errors
    /// [`TlsError`] when the cryptography provider supports no usable version of TLS.
    pub fn server_config(&self, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = ServerConfig::builder_with_provider(self.0.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| TlsError(format!("TLS cannot be set up: {e}")))?
            .with_no_client_auth()
            .with_cert_resolver(self.0.clone());
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Shared {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().clone())
    }
}

/// The certificates in a PEM file, as DER.
///
/// # Errors
/// [`TlsError`] when it cannot be read or holds none.
pub fn read_certificates(file: &Path) -> Result<Vec<Vec<u8>>, TlsError> {
    let wrong = |what: String| TlsError(format!("{}: {what}", file.display()));
    let read: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let read =
        read.map_err(|error| wrong(format!("no certificate can be read ({error}); give a PEM file")))?;
    match read.is_empty() {
        true => Err(wrong("no certificate is in this file; give a PEM file".into())),
        false => Ok(read.into_iter().map(|one| one.as_ref().to_vec()).collect()),
    }
}

fn read_pair(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let wrong = |file: &Path, what: String| TlsError(format!("{}: {what}", file.display()));
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|e| wrong(certificate, format!("the certificate cannot be read ({e}); give a PEM file")))?;
    if chain.is_empty() {
        return Err(wrong(
            certificate,
            "no certificate is in this file; give a PEM file with the full chain".into(),
        ));
    }
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|e| wrong(key, format!("the private key cannot be read ({e}); give a PEM file")))?;
    let pair = CertifiedKey::from_der(chain, secret, provider)
        .map_err(|e| wrong(key, format!("certificate and key cannot be used together ({e})")))?;
    Ok(Arc::new(pair))
}
