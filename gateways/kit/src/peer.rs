//! Who is at the other end, and whom to believe about it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::HeaderMap;

/// Most entries of `X-Forwarded-For` that are looked at.
const FORWARDED_MAX: usize = 32;

/// Who sent a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// The other end of the connection: the client, or a proxy.
    pub socket: SocketAddr,
    /// The client's address: that of the connection, or what a trusted proxy says.
    pub client: IpAddr,
    /// Whether the client's connection is encrypted: to us, or to a trusted proxy by its word.
    pub tls: bool,
    /// Whether the other end is a trusted proxy, whose `X-Forwarded-*` headers are to be believed.
    pub proxied: bool,
}

impl Peer {
    /// Who sent a request with these headers over a connection from `socket`, encrypted or not.
    pub(crate) fn of(socket: SocketAddr, encrypted: bool, headers: &HeaderMap, trusted: &[Network]) -> Peer {
        let proxied = is_trusted(socket.ip(), trusted);
        let says_tls =
            || headers.get("x-forwarded-proto").is_some_and(|p| p.as_bytes().eq_ignore_ascii_case(b"https"));
        let client = client_address(socket.ip(), headers, trusted);
        Peer { socket, client, tls: encrypted || (proxied && says_tls()), proxied }
    }
}

/// An address or a range of addresses, written `10.0.0.1` or `10.0.0.0/8` or `fd00::/8`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// The text is neither an address nor a range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkError(String);

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no address or range of addresses; write 192.0.2.7 or 10.0.0.0/8", self.0)
    }
}

impl std::error::Error for NetworkError {}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(longest);
        if bits > longest {
            return Err(wrong());
        }
        Ok(Network { address, bits })
    }
}

impl Network {
    /// Whether `address` lies in the range; an IPv4 address mapped into IPv6 counts as itself.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let bits = if self.address.is_ipv4() { self.bits } else { self.bits.saturating_sub(96) };
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                a.to_bits() & mask == b.to_bits() & mask
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                a.to_bits() & mask == b.to_bits() & mask
            }
            _ => false,
        }
    }
}

/// The client's address: walks `X-Forwarded-For` from its right end as long as the one who speaks is trusted.
pub fn client_address(socket: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let mut client = socket.to_canonical();
    if !is_trusted(client, trusted) {
        return client;
    }
    let values: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    let steps = values.iter().rev().flat_map(|value| value.rsplit(','));
    for step in steps.take(FORWARDED_MAX) {
        let Some(address) = forwarded_address(step.trim()) else { break };
        client = address;
        if !is_trusted(client, trusted) {
            break;
        }
    }
    client
}

fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// Some proxies add the port.
fn forwarded_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(socket: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|t| t.parse().unwrap()).collect();
        client_address(socket.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn forwarded_only_by_trusted_proxies() {
        assert_eq!(client("192.0.2.9", &["1.2.3.4"], &[]), "192.0.2.9");
        assert_eq!(client("192.0.2.9", &["1.2.3.4"], &["10.0.0.0/8"]), "192.0.2.9");
        assert_eq!(client("10.1.1.1", &["1.2.3.4"], &["10.0.0.0/8"]), "1.2.3.4");
        // What the client itself wrote stands left of what the proxy added, and is not believed.
        assert_eq!(client("10.1.1.1", &["6.6.6.6, 1.2.3.4"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(client("10.1.1.1", &["1.2.3.4, 10.2.2.2"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(client("10.1.1.1", &["1.2.3.4", "10.2.2.2"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(client("10.1.1.1", &["nonsense"], &["10.0.0.0/8"]), "10.1.1.1");
        assert_eq!(client("::ffff:10.1.1.1", &["[2001:db8::1]:99"], &["10.0.0.0/8"]), "2001:db8::1");
        assert_eq!(client("::1", &["1.2.3.4:55"], &["::1"]), "1.2.3.4");
    }

    #[test]
    fn networks() {
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("203.0.113.5".parse().unwrap()) && !all.contains("::1".parse().unwrap()));
        let ula: Network = "fd00::/8".parse().unwrap();
        assert!(ula.contains("fd12::1".parse().unwrap()) && !ula.contains("fe80::1".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0", "host", "10.0.0.0/x"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
