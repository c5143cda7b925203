//! DKIM signatures (RFC 6376, RFC 8463): one RSA and one Ed25519 key for each domain, made when first needed.

use std::collections::HashMap;
use std::sync::Arc;

use allod_model::{Error, ErrorKind, Result};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::KeyPair;
use mail_auth::common::crypto::{Ed25519Key, RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::{DkimSigner, Done};
use parking_lot::Mutex;

use crate::sasl::encode;
use crate::shared::Shared;

/// The selector of the RSA key, which everybody can check.
pub(crate) const RSA_SELECTOR: &str = "allod-rsa";
/// The selector of the Ed25519 key.
pub(crate) const ED25519_SELECTOR: &str = "allod-ed25519";

/// Fields that are signed where they are there (RFC 6376 §5.4.1).
const SIGNED: [&str; 16] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Id",
];

/// The keys that were used since the start.
#[derive(Default)]
pub(crate) struct Keys(Mutex<HashMap<String, Arc<DomainKeys>>>);

/// The keys of one domain.
pub(crate) struct DomainKeys {
    rsa: DkimSigner<RsaKey<Sha256>, Done>,
    ed25519: DkimSigner<Ed25519Key, Done>,
    /// `p=` of their records.
    pub(crate) rsa_public: String,
    pub(crate) ed25519_public: String,
}

impl DomainKeys {
    /// The fields of the signatures.
    ///
    /// # Errors
    /// `Unavailable` when the keys cannot be used.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<String> {
        let rsa = self.rsa.sign(message).map_err(|error| unusable(&error))?;
        let ed25519 = self.ed25519.sign(message).map_err(|error| unusable(&error))?;
        Ok(format!("{}{}", rsa.to_header(), ed25519.to_header()))
    }
}

impl Shared {
    /// A domain's keys; made and kept when there are none.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub(crate) async fn domain_keys(&self, domain: &str) -> Result<Arc<DomainKeys>> {
        if let Some(known) = self.keys.0.lock().get(domain) {
            return Ok(known.clone());
        }
        let rsa = self.kept(&format!("dkim/{domain}/rsa"), make_rsa).await?;
        let ed25519 = self.kept(&format!("dkim/{domain}/ed25519"), make_ed25519).await?;
        let keys = Arc::new(read(domain, &rsa, &ed25519)?);
        self.keys.0.lock().insert(domain.to_owned(), keys.clone());
        Ok(keys)
    }

    async fn kept(&self, name: &str, make: fn() -> Option<Vec<u8>>) -> Result<zeroize::Zeroizing<Vec<u8>>> {
        let operator = self.core.operator();
        if let Some(kept) = operator.sealed(name).await? {
            return Ok(kept);
        }
        let made = tokio::task::spawn_blocking(move || make().map(zeroize::Zeroizing::new)).await;
        let made = made.ok().flatten();
        let made = made.ok_or_else(|| Error::new(ErrorKind::Unavailable, "a key could not be made"))?;
        operator.keep_sealed(name, &made).await
    }
}

fn make_rsa() -> Option<Vec<u8>> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
    let der: Pkcs8V1Der<'static> = pair.as_der().ok()?;
    Some(der.as_ref().to_vec())
}

fn make_ed25519() -> Option<Vec<u8>> {
    Ed25519Key::generate_pkcs8().ok()
}

fn read(domain: &str, rsa: &[u8], ed25519: &[u8]) -> Result<DomainKeys> {
    let pair = RsaKeyPair::from_pkcs8(rsa).map_err(|error| unusable(&error))?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|error| unusable(&error))?;
    let rsa_public = encode(public.as_ref());
    let rsa_key = RsaKey::<Sha256>::from_key_der(rustls_pki_types::PrivateKeyDer::Pkcs8(rsa.to_vec().into()));
    let rsa_key = rsa_key.map_err(|error| unusable(&error))?;
    let ed25519_key =
        Ed25519Key::from_pkcs8_maybe_unchecked_der(ed25519).map_err(|error| unusable(&error))?;
    let ed25519_public = encode(ed25519_key.public_key());
    Ok(DomainKeys {
        rsa: DkimSigner::from_key(rsa_key).domain(domain).selector(RSA_SELECTOR).headers(SIGNED),
        ed25519: DkimSigner::from_key(ed25519_key).domain(domain).selector(ED25519_SELECTOR).headers(SIGNED),
        rsa_public,
        ed25519_public,
    })
}

fn unusable(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, format!("a DKIM key cannot be used: {error}"))
}
