//! Calendar user addresses (RFC 5545 §3.3.3) and whose they are.

use crate::property::Property;

/// Bytes of an address that are looked at.
const ADDRESS_BYTES_MAX: usize = 1024;

/// The form by which addresses are compared: without case, `mailto:` put before a bare mail address.
pub fn canonical_address(address: &str) -> String {
    let trimmed = address.trim().trim_matches('"');
    let mut end = trimmed.len().min(ADDRESS_BYTES_MAX);
    while !trimmed.is_char_boundary(end) {
        end -= 1;
    }
    let lower = trimmed[..end].to_lowercase();
    match lower.strip_prefix("mailto:") {
        Some(rest) => format!("mailto:{}", rest.trim().split('?').next().unwrap_or_default()),
        None if lower.contains('@') && !lower.contains(':') && !lower.contains('/') => {
            format!("mailto:{lower}")
        }
        None => lower,
    }
}

/// The canonical address of an ORGANIZER or ATTENDEE. One that is no mail address may give one beside it (EMAIL, RFC
/// 7986 §6.2), as some clients do with the address of a principal.
pub(super) fn address_of(property: &Property<'_>) -> String {
    let own = canonical_address(property.value());
    if own.starts_with("mailto:") {
        return own;
    }
    match property.parameter("EMAIL").map(|email| canonical_address(&email)) {
        Some(email) if email.starts_with("mailto:") => email,
        _ => own,
    }
}

/// The addresses of a calendar's owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner(Vec<String>);

impl Owner {
    /// Takes his addresses in any spelling.
    pub fn new<S: AsRef<str>>(addresses: impl IntoIterator<Item = S>) -> Owner {
        Owner(addresses.into_iter().map(|address| canonical_address(address.as_ref())).collect())
    }

    /// Whether an address is his.
    pub fn is(&self, address: &str) -> bool {
        self.is_canonical(&canonical_address(address))
    }

    pub(super) fn is_canonical(&self, address: &str) -> bool {
        self.0.iter().any(|own| own == address)
    }

    /// The canonical addresses.
    pub fn addresses(&self) -> &[String] {
        &self.0
    }
}
