//! What can be set of mail: `[smtp]` in `allod.toml`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::settings::Domains;

/// How mail is sent and taken.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpServing {
    /// Whether mail from apps is taken; it is unless this says `false`.
    pub submission_enabled: Option<bool>,
    /// Where, beginning in plain text; with a certificate STARTTLS is offered and needed.
    pub submission: Option<SocketAddr>,
    /// Where, by TLS from the start.
    pub submission_tls: Option<SocketAddr>,
    /// Whether mail from the world is taken; it is unless this says `false`.
    pub mx_enabled: Option<bool>,
    /// Where.
    pub mx: Option<SocketAddr>,
    /// Domains in which every account has an address by its name.
    pub domains: Option<Domains>,
    /// The name of this machine in the DNS. Default: as the system has it.
    pub hostname: Option<String>,
    /// The server that takes all outgoing mail. Default: the servers of each domain.
    pub smarthost: Option<SmarthostSettings>,
    /// The DNS server to ask. Default: as the system is set up.
    pub resolver: Option<SocketAddr>,
    /// Lists of senders of spam in the DNS, whose mail is refused.
    pub dnsbl: Option<Vec<String>>,
    /// Have senders that are not known yet come again.
    pub greylisting: Option<bool>,
    /// From this score on a mail is put into Junk.
    pub junk_score: Option<f64>,
    /// The account that gets mail to `postmaster`. Default: the oldest one.
    pub postmaster: Option<String>,
    /// Recipients that one account writes to in an hour.
    pub hour_recipients_max: Option<usize>,
    /// Connections from one address at once.
    pub address_connections_max: Option<usize>,
    /// A file of certificates (PEM) that are believed beside those of the system: of a smarthost of one's own.
    pub trusted_certificates: Option<PathBuf>,
    /// The port of other servers, for tests.
    pub relay_port: Option<u16>,
    /// Send to servers on this machine too, for tests.
    pub relay_loopback: Option<bool>,
}

/// A server that takes all outgoing mail.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmarthostSettings {
    /// Its name.
    pub host: String,
    /// Its port. Default: that of its encryption.
    pub port: Option<u16>,
    /// `implicit`, `starttls` (default), or `none` on this machine.
    pub tls: Option<String>,
    /// User name, where it wants one.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// A file that holds the password.
    pub password_file: Option<PathBuf>,
}

impl SmtpServing {
    /// These settings, with what is unset taken from `other`.
    pub fn or(self, other: SmtpServing) -> SmtpServing {
        // An address that is named stands alone, so those of another place are not added to it.
        let named = self.submission.is_some() || self.submission_tls.is_some();
        let (submission, submission_tls) = match named {
            true => (self.submission, self.submission_tls),
            false => (other.submission, other.submission_tls),
        };
        SmtpServing {
            submission_enabled: self.submission_enabled.or(other.submission_enabled),
            submission,
            submission_tls,
            mx_enabled: self.mx_enabled.or(other.mx_enabled),
            mx: self.mx.or(other.mx),
            domains: self.domains.or(other.domains),
            hostname: self.hostname.or(other.hostname),
            smarthost: self.smarthost.or(other.smarthost),
            resolver: self.resolver.or(other.resolver),
            dnsbl: self.dnsbl.or(other.dnsbl),
            greylisting: self.greylisting.or(other.greylisting),
            junk_score: self.junk_score.or(other.junk_score),
            postmaster: self.postmaster.or(other.postmaster),
            hour_recipients_max: self.hour_recipients_max.or(other.hour_recipients_max),
            address_connections_max: self.address_connections_max.or(other.address_connections_max),
            trusted_certificates: self.trusted_certificates.or(other.trusted_certificates),
            relay_port: self.relay_port.or(other.relay_port),
            relay_loopback: self.relay_loopback.or(other.relay_loopback),
        }
    }

    /// Domains in which every account has an address by its name.
    pub fn domains(&self) -> Vec<String> {
        match &self.domains {
            None => Vec::new(),
            Some(Domains::One(name)) => vec![name.clone()],
            Some(Domains::Several(names)) => names.clone(),
        }
    }
}
