//! What all connections share, and what can be set.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use allod_core::Core;
use zeroize::Zeroizing;

use crate::dns::Dns;
use crate::intake::Greylist;
use crate::limits::{Budget, Counts, HELD_BYTES_MAX, Hourly, Times};
use crate::outbound::Policies;
use crate::sign::Keys;

/// Recipients that one account writes to in an hour, when nothing is set.
const HOUR_RECIPIENTS_MAX: usize = 500;
/// Connections from one address at once, when nothing is set.
const ADDRESS_CONNECTIONS_MAX: usize = 50;
/// From this score on a mail is put into Junk, when nothing is set; in tenths.
const JUNK_SCORE_TENTHS: i32 = 50;

/// What a listener is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Mail from the world, for the accounts of this server.
    Mx,
    /// Mail from the accounts' own apps, for anybody.
    Submission,
}

/// What can be set.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name of this machine in the DNS: in greetings, trace fields and MX records.
    pub hostname: String,
    /// Take passwords in plain text from other machines too.
    pub insecure: bool,
    /// The DNS server to ask; none: as the system is set up.
    pub resolver: Option<SocketAddr>,
    /// The server that takes all outgoing mail; none: each domain's own servers.
    pub smarthost: Option<Smarthost>,
    /// Lists of senders of spam in the DNS, such as `zen.spamhaus.org`. Mail from who is listed is refused.
    pub dnsbl: Vec<String>,
    /// Have senders that are not known yet come again.
    pub greylisting: bool,
    /// From this score on a mail is put into Junk, in tenths.
    pub junk_score_tenths: i32,
    /// The account that gets mail to `postmaster` where no account has that address; none: the first one.
    pub postmaster: Option<String>,
    /// Recipients that one account writes to in an hour.
    pub hour_recipients_max: usize,
    /// Connections from one address at once; from this machine itself as many as there are.
    pub address_connections_max: usize,
    /// The port of next hops.
    pub relay_port: u16,
    /// The port at which policies of MTA-STS are asked for.
    pub policy_port: u16,
    /// Certificates (DER) that are believed beside those of the system: of a smarthost, or of servers of the house.
    pub trusted: Vec<Vec<u8>>,
    /// Send to next hops on this machine too; without it, who names this machine in his DNS reaches nothing here.
    pub relay_loopback: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            hostname: "localhost".to_owned(),
            insecure: false,
            resolver: None,
            smarthost: None,
            dnsbl: Vec::new(),
            greylisting: false,
            junk_score_tenths: JUNK_SCORE_TENTHS,
            postmaster: None,
            hour_recipients_max: HOUR_RECIPIENTS_MAX,
            address_connections_max: ADDRESS_CONNECTIONS_MAX,
            relay_port: 25,
            policy_port: 443,
            trusted: Vec::new(),
            relay_loopback: false,
        }
    }
}

/// A server that takes all outgoing mail.
#[derive(Clone, Debug)]
pub struct Smarthost {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: SmarthostTls,
    /// User name and password, where it wants them.
    pub login: Option<(String, Zeroizing<String>)>,
}

/// How the connection to a smarthost is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SmarthostTls {
    /// From the start.
    Implicit,
    /// By STARTTLS, without which nothing is sent.
    StartTls,
    /// Not at all; for a server on this machine.
    None,
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) core: Core,
    pub(crate) options: Options,
    pub(crate) dns: Dns,
    pub(crate) keys: Keys,
    pub(crate) budget: Budget,
    pub(crate) addresses: Arc<Counts<IpAddr>>,
    pub(crate) hourly: Hourly,
    pub(crate) greylist: Greylist,
    pub(crate) times: Times,
    pub(crate) policies: Policies,
    /// Ask lists and the greylist of peers on this machine too: tests have no others.
    pub(crate) judges_loopback: AtomicBool,
}

impl Shared {
    pub(crate) fn new(core: Core, options: Options, times: Times) -> Shared {
        Shared {
            dns: Dns::new(options.resolver),
            keys: Keys::default(),
            budget: Budget::new(HELD_BYTES_MAX),
            addresses: Counts::new(options.address_connections_max),
            hourly: Hourly::new(options.hour_recipients_max),
            greylist: Greylist::default(),
            times,
            policies: Policies::default(),
            judges_loopback: AtomicBool::new(false),
            core,
            options,
        }
    }

    pub(crate) fn now_secs(&self) -> i64 {
        self.core.now().0 / 1000
    }
}

impl Shared {
    /// The account that gets mail to `postmaster` where no account has that address.
    pub(crate) async fn postmaster(&self) -> allod_model::Result<Option<String>> {
        if let Some(account) = &self.options.postmaster {
            return Ok(Some(account.clone()));
        }
        let accounts = self.core.operator().accounts().await?;
        let first = accounts.into_iter().min_by_key(|account| account.created);
        Ok(first.map(|account| account.name))
    }
}

impl Shared {
    /// A text that no other mail has.
    pub(crate) fn unique(&self) -> String {
        let mut bytes = [0; 16];
        // Without random numbers the time alone must do; the text is no secret.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        let random: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:x}.{random}", self.core.now().0)
    }
}
