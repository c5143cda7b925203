//! The DNS.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use mail_auth::MessageAuthenticator;

/// Longest time for one question to one server.
const QUESTION_TIME_MAX: Duration = Duration::from_secs(3);
/// Answers of one list that are looked at.
const ANSWERS_MAX: usize = 50;

/// Why a question has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoAnswer {
    /// The name does not exist.
    NoName,
    /// The name has no such records.
    NoRecords,
    /// Nobody knows for now.
    Unavailable,
}

/// Asks the DNS.
pub(crate) struct Dns(MessageAuthenticator);

impl Dns {
    /// Asking one server, or as the system is set up. Without any, each question goes unanswered at once.
    pub(crate) fn new(server: Option<SocketAddr>) -> Dns {
        let mut options = ResolverOpts::default();
        let config = match server {
            Some(server) => at(server),
            None => match hickory_resolver::system_conf::read_system_conf() {
                Ok((config, system)) => {
                    options = system;
                    config
                }
                Err(error) => {
                    tracing::warn!(%error, "no DNS server is known");
                    ResolverConfig::from_parts(None, Vec::new(), Vec::new())
                }
            },
        };
        options.timeout = QUESTION_TIME_MAX;
        options.attempts = 1;
        // A name of mail is a whole name.
        options.ndots = 0;
        let config = ResolverConfig::from_parts(None, Vec::new(), config.name_servers().to_vec());
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        // Invariant: building fails only over TLS settings and trust anchors, of which none are given.
        let resolver = builder.with_options(options).build().expect("a resolver without TLS can be built");
        Dns(MessageAuthenticator(resolver))
    }

    /// For SPF, DKIM and DMARC.
    pub(crate) fn authenticator(&self) -> &MessageAuthenticator {
        &self.0
    }

    /// Mail exchangers, best first; a null MX (RFC 7505) is one with an empty name.
    pub(crate) async fn exchangers(&self, domain: &str) -> Result<Vec<(u16, String)>, NoAnswer> {
        let mut found: Vec<(u16, String)> = Vec::new();
        for data in self.ask(domain, RecordType::MX).await? {
            if let RData::MX(mx) = data {
                let name = mx.exchange.to_ascii();
                found.push((mx.preference, name.trim_end_matches('.').to_lowercase()));
            }
        }
        found.sort();
        if found.is_empty() { Err(NoAnswer::NoRecords) } else { Ok(found) }
    }

    /// Addresses of a host, IPv4 first.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, NoAnswer> {
        let (v4, v6) = tokio::join!(self.ask(host, RecordType::A), self.ask(host, RecordType::AAAA));
        let why = match (&v4, &v6) {
            (Err(NoAnswer::Unavailable), _) | (_, Err(NoAnswer::Unavailable)) => NoAnswer::Unavailable,
            (Err(NoAnswer::NoName), _) => NoAnswer::NoName,
            _ => NoAnswer::NoRecords,
        };
        let found = v4.into_iter().chain(v6).flatten().filter_map(|data| match data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        });
        let found: Vec<IpAddr> = found.collect();
        if found.is_empty() { Err(why) } else { Ok(found) }
    }

    /// Texts.
    pub(crate) async fn texts(&self, name: &str) -> Result<Vec<String>, NoAnswer> {
        let found = self.ask(name, RecordType::TXT).await?;
        let texts = found.iter().filter_map(|data| match data {
            RData::TXT(txt) => {
                let whole: Vec<u8> = txt.txt_data.iter().flat_map(|part| part.iter().copied()).collect();
                Some(String::from_utf8_lossy(&whole).into_owned())
            }
            _ => None,
        });
        Ok(texts.collect())
    }

    /// Services: priority, weight, port, host.
    pub(crate) async fn services(&self, name: &str) -> Result<Vec<(u16, u16, u16, String)>, NoAnswer> {
        let found = self.ask(name, RecordType::SRV).await?;
        let services = found.iter().filter_map(|data| match data {
            RData::SRV(srv) => {
                let host = srv.target.to_ascii().trim_end_matches('.').to_lowercase();
                Some((srv.priority, srv.weight, srv.port, host))
            }
            _ => None,
        });
        Ok(services.collect())
    }

    /// Whether a list has an address (RFC 5782 §2.1).
    pub(crate) async fn lists(&self, list: &str, address: IpAddr) -> bool {
        let reversed = match address {
            IpAddr::V4(v4) => v4.octets().iter().rev().map(|octet| format!("{octet}.")).collect::<String>(),
            IpAddr::V6(v6) => {
                let nibbles = v6.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
                nibbles.map(|nibble| format!("{nibble:x}.")).collect()
            }
        };
        let answer = self.ask(&format!("{reversed}{list}"), RecordType::A).await.unwrap_or_default();
        // RFC 5782 §2.1: any in 127/8; Spamhaus tells its own errors in 127.255/16.
        answer
            .iter()
            .any(|data| matches!(data, RData::A(a) if a.0.octets()[0] == 127 && a.0.octets()[1] != 255))
    }

    async fn ask(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, NoAnswer> {
        let name = format!("{}.", name.trim_end_matches('.'));
        match self.0.resolver().lookup(name, kind).await {
            Ok(found) => {
                let answers = found.answers().iter().take(ANSWERS_MAX);
                Ok(answers.map(|record| record.data.clone()).collect())
            }
            Err(error) => Err(reason(&error)),
        }
    }
}

fn reason(error: &NetError) -> NoAnswer {
    if error.is_nx_domain() {
        NoAnswer::NoName
    } else if error.is_no_records_found() {
        NoAnswer::NoRecords
    } else {
        NoAnswer::Unavailable
    }
}

fn at(server: SocketAddr) -> ResolverConfig {
    let with_port = |mut connection: ConnectionConfig| {
        connection.port = server.port();
        connection
    };
    let connections = vec![with_port(ConnectionConfig::udp()), with_port(ConnectionConfig::tcp())];
    let name_server = NameServerConfig::new(server.ip(), true, connections);
    ResolverConfig::from_parts(None, Vec::new(), vec![name_server])
}
