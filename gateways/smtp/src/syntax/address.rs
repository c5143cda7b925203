//! Addresses of envelopes (RFC 5321 §4.1.2, RFC 6531 §3.3).

use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest address, in bytes (RFC 5321 §4.5.3.1.3, without the angle brackets).
const ADDRESS_BYTES_MAX: usize = 254;
/// Longest domain, in bytes.
const DOMAIN_BYTES_MAX: usize = 253;
/// Longest label of a domain, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// Where the `>` stands that ends a path: not one in quotes.
pub(super) fn path_end(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// A mailbox `local@domain`, quoted only as far as it must be; `None` when it is none. A source route before it is
/// passed over (RFC 5321 §4.1.1.3).
pub(crate) fn mailbox(path: &str) -> Option<String> {
    let path = match path.strip_prefix('@') {
        Some(route) => route.split_once(':')?.1,
        None => path,
    };
    let (local, domain) = split(path)?;
    if !is_domain(domain) && !is_literal(domain) {
        return None;
    }
    let local = match local.strip_prefix('"') {
        Some(quoted) => unquoted(quoted.strip_suffix('"')?)?,
        None if is_dot_string(local) => local.to_owned(),
        None => return None,
    };
    let address = format!("{local}@{domain}");
    (address.len() <= ADDRESS_BYTES_MAX).then_some(address)
}

/// The domain of a mailbox, in lower case.
pub(crate) fn domain_of(mailbox: &str) -> Option<String> {
    split(mailbox).map(|(_, domain)| domain.to_lowercase())
}

/// What stands before the domain.
pub(crate) fn local_of(mailbox: &str) -> &str {
    split(mailbox).map_or(mailbox, |(local, _)| local)
}

/// A domain contains no `@`, so the last one stands before it.
fn split(mailbox: &str) -> Option<(&str, &str)> {
    mailbox.rsplit_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty())
}

fn is_dot_string(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// RFC 5322 §3.2.3, with all that is not ASCII (RFC 6531 §3.3).
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii()
}

/// What is in quotes, with quotes only where it needs them.
fn unquoted(inner: &str) -> Option<String> {
    let mut plain = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.push(chars.next()?),
            '"' => return None,
            c => plain.push(c),
        }
    }
    if is_dot_string(&plain) {
        return Some(plain);
    }
    let escaped = plain.replace('\\', "\\\\").replace('"', "\\\"");
    (!plain.is_empty()).then(|| format!("\"{escaped}\""))
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        let fits = (1..=LABEL_BYTES_MAX).contains(&label.len());
        let edges = !label.starts_with('-') && !label.ends_with('-');
        fits && edges && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c) || !c.is_ascii())
    };
    domain.len() <= DOMAIN_BYTES_MAX && domain.split('.').all(is_label)
}

/// RFC 5321 §4.1.3.
fn is_literal(domain: &str) -> bool {
    let Some(inner) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return false };
    let v6 = inner.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:")).map(|_| &inner[5..]);
    match v6 {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => inner.parse::<Ipv4Addr>().is_ok(),
    }
}
