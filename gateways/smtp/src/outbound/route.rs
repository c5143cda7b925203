//! Where mail for a domain goes (RFC 5321 §5.1).

use std::net::{IpAddr, SocketAddr};

use allod_core::post::Attempt;
use allod_model::Timestamp;

use super::sts::{self, Mode};
use crate::dns::NoAnswer;
use crate::shared::{Shared, SmarthostTls};

/// Mail exchangers of a domain that are tried.
const EXCHANGERS_MAX: usize = 5;
/// Addresses of one of them that are tried.
const ADDRESSES_MAX: usize = 4;

/// A server to be tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NextHop {
    pub(crate) host: String,
    pub(crate) address: SocketAddr,
    pub(crate) security: Security,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Security {
    /// To whoever he is, if he offers it (RFC 7435).
    Opportunistic,
    /// To nobody but the server of that name: its domain asks for it (RFC 8461).
    Verified,
    /// To the smarthost, as is set.
    Smarthost(SmarthostTls),
}

/// What the connections to a domain's servers are counted by: all domains have one smarthost.
pub(crate) fn hop(shared: &Shared, domain: String) -> String {
    match &shared.options.smarthost {
        Some(_) => String::new(),
        None => domain,
    }
}

/// The servers for a domain, best first.
///
/// # Errors
/// What is to become of the recipients where there is none.
pub(crate) async fn next_hops(shared: &Shared, domain: &str) -> Result<Vec<NextHop>, Attempt> {
    if let Some(smarthost) = &shared.options.smarthost {
        let addresses = match smarthost.host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) if smarthost.host == "localhost" => vec![IpAddr::from([127, 0, 0, 1])],
            Err(_) => shared.dns.addresses(&smarthost.host).await.map_err(|_| {
                Attempt::Later(
                    format!("4.4.3 The address of {} is not known now", smarthost.host),
                    Timestamp(0),
                )
            })?,
        };
        let hop = |address| NextHop {
            host: smarthost.host.clone(),
            address: SocketAddr::new(address, smarthost.port),
            security: Security::Smarthost(smarthost.tls),
        };
        return Ok(addresses.into_iter().take(ADDRESSES_MAX).map(hop).collect());
    }
    let mut hosts = exchangers(shared, domain).await?;
    let security = by_policy(shared, domain, &mut hosts).await?;
    let mut hops = Vec::new();
    let mut why = Attempt::Failed(format!("5.1.2 {domain} has no server that can be reached"));
    for host in hosts {
        match shared.dns.addresses(&host).await {
            Ok(addresses) => {
                let may = |address: &IpAddr| shared.options.relay_loopback || is_elsewhere(*address);
                for address in addresses.into_iter().filter(may).take(ADDRESSES_MAX) {
                    let address = SocketAddr::new(address, shared.options.relay_port);
                    hops.push(NextHop { host: host.clone(), address, security });
                }
            }
            Err(NoAnswer::Unavailable) => {
                why = Attempt::Later(format!("4.4.3 The address of {host} is not known now"), Timestamp(0));
            }
            Err(NoAnswer::NoName | NoAnswer::NoRecords) => {}
        }
    }
    if hops.is_empty() { Err(why) } else { Ok(hops) }
}

/// Leaves those servers that the domain's policy names (RFC 8461 §5), and says how they are encrypted to.
async fn by_policy(shared: &Shared, domain: &str, hosts: &mut Vec<String>) -> Result<Security, Attempt> {
    let Some(policy) = sts::policy(shared, domain).await else { return Ok(Security::Opportunistic) };
    match policy.mode {
        Mode::None => Ok(Security::Opportunistic),
        Mode::Testing => {
            for host in hosts.iter().filter(|host| !policy.names(host)) {
                tracing::warn!(domain, host, "not in the domain's policy of MTA-STS, which is being tested");
            }
            Ok(Security::Opportunistic)
        }
        Mode::Enforce => {
            hosts.retain(|host| policy.names(host));
            match hosts.is_empty() {
                true => {
                    let text = format!("4.7.5 No server of {domain} is one that its MTA-STS policy names");
                    Err(Attempt::Later(text, Timestamp(0)))
                }
                false => Ok(Security::Verified),
            }
        }
    }
}

async fn exchangers(shared: &Shared, domain: &str) -> Result<Vec<String>, Attempt> {
    let found = match shared.dns.exchangers(domain).await {
        Ok(found) => found,
        // RFC 5321 §5.1: without MX the domain itself.
        Err(NoAnswer::NoRecords) => return Ok(vec![domain.to_owned()]),
        Err(NoAnswer::NoName) => {
            return Err(Attempt::Failed(format!("5.1.2 The domain {domain} does not exist")));
        }
        Err(NoAnswer::Unavailable) => {
            return Err(Attempt::Later(format!("4.4.3 The DNS does not answer for {domain}"), Timestamp(0)));
        }
    };
    // RFC 7505 §3.
    if found.iter().all(|(_, host)| host.is_empty()) {
        return Err(Attempt::Failed(format!("5.1.10 {domain} takes no mail")));
    }
    // RFC 5321 §5.1: those that are not better than this server are not asked, or mail would go in circles.
    let own = found.iter().find(|(_, host)| host.eq_ignore_ascii_case(&shared.options.hostname));
    let limit = own.map_or(u32::from(u16::MAX) + 1, |(preference, _)| u32::from(*preference));
    let better =
        found.into_iter().filter(|(preference, host)| u32::from(*preference) < limit && !host.is_empty());
    let hosts: Vec<String> = better.map(|(_, host)| host).take(EXCHANGERS_MAX).collect();
    match hosts.is_empty() {
        true => Err(Attempt::Failed(format!("5.4.6 Mail for {domain} leads back to this server"))),
        false => Ok(hosts),
    }
}

/// Whether an address is that of another machine: what a stranger writes into his DNS must not reach what listens here
/// only for this machine.
pub(super) fn is_elsewhere(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast() || local)
}
