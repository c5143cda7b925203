//! MTA-STS (RFC 8461): what a domain says by HTTPS of the servers that take its mail, and that they are to be encrypted to.
//!
//! A policy that was seen once holds until it expires, over a restart too: whoever can suppress the DNS or HTTPS for a
//! while takes nobody's encryption away.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use allod_kit::{Get, HttpsClient};
use parking_lot::Mutex;

use super::route::is_elsewhere;
use crate::shared::Shared;

/// Largest policy, in bytes (RFC 8461 §3.3 suggests a limit, and 64 KiB).
const POLICY_BYTES_MAX: usize = 64 << 10;
/// Longest time to fetch one (RFC 8461 §3.3 suggests a minute).
const FETCH_TIME_MAX: Duration = Duration::from_secs(20);
/// After a failure the same policy is not fetched for this long, in seconds (RFC 8461 §3.3: five minutes).
const FETCH_AGAIN_SECS: i64 = 300;
/// Longest time that a policy holds, in seconds (RFC 8461 §3.2: a year).
const AGE_SECS_MAX: i64 = 31_557_600;
/// Servers named by one policy.
const SERVERS_MAX: usize = 100;
/// Domains whose policies are kept.
const POLICIES_MAX: usize = 10_000;
/// Addresses of a policy's host that are tried.
const ADDRESSES_MAX: usize = 4;
/// Under what names they are kept.
const NOTES: &str = "mta-sts/";

/// What is done where no server can be encrypted to as the policy has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    Enforce,
    Testing,
    None,
}

/// A domain's policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Policy {
    pub(super) mode: Mode,
    servers: Vec<String>,
    /// Of its record in the DNS.
    id: String,
    /// Seconds.
    until: i64,
}

/// Policies that are known, and what was fetched in vain.
#[derive(Default)]
pub(crate) struct Policies {
    known: Mutex<Option<HashMap<String, Arc<Policy>>>>,
    failed: Mutex<HashMap<String, i64>>,
}

impl Policy {
    /// Whether a server is one of the policy's (RFC 8461 §4.1).
    pub(super) fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_lowercase();
        self.servers.iter().any(|server| match server.strip_prefix("*.") {
            // One label, and the leftmost.
            Some(rest) => {
                host.split_once('.').is_some_and(|(first, after)| !first.is_empty() && after == rest)
            }
            None => *server == host,
        })
    }
}

/// The policy by which mail to a domain is sent now; `None` where there is none.
pub(super) async fn policy(shared: &Shared, domain: &str) -> Option<Arc<Policy>> {
    let now = shared.now_secs();
    let known = known(shared, domain).await.filter(|policy| policy.until > now);
    let Some(id) = advertised(shared, domain).await else { return known };
    if known.as_ref().is_some_and(|policy| policy.id == id) {
        return known;
    }
    let failure = format!("{domain} {id}");
    if shared.policies.failed.lock().get(&failure).is_some_and(|at| now - at < FETCH_AGAIN_SECS) {
        return known;
    }
    match fetch(shared, domain, &id).await {
        Ok(fresh) => {
            let fresh = Arc::new(fresh);
            keep(shared, domain, &fresh).await;
            Some(fresh)
        }
        Err(why) => {
            tracing::info!(
                domain,
                why,
                "a policy of MTA-STS cannot be had; the one before holds, if there is one"
            );
            let mut failed = shared.policies.failed.lock();
            failed.retain(|_, at| now - *at < FETCH_AGAIN_SECS);
            if failed.len() < POLICIES_MAX {
                failed.insert(failure, now);
            }
            known
        }
    }
}

/// The id that the domain's record has (RFC 8461 §3.1); `None` unless there is one such record and it is well formed.
async fn advertised(shared: &Shared, domain: &str) -> Option<String> {
    let texts = shared.dns.texts(&format!("_mta-sts.{domain}")).await.ok()?;
    let mut records = texts.iter().filter(|text| text.starts_with("v=STSv1;"));
    let record = records.next().filter(|_| records.next().is_none())?;
    let id = record.split(';').find_map(|field| field.trim().strip_prefix("id="))?.trim();
    let well_formed = (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    well_formed.then(|| id.to_owned())
}

async fn fetch(shared: &Shared, domain: &str, id: &str) -> Result<Policy, String> {
    let host = format!("mta-sts.{domain}");
    let found = shared.dns.addresses(&host).await.map_err(|_| format!("{host} has no address"))?;
    let may = |address: &std::net::IpAddr| shared.options.relay_loopback || is_elsewhere(*address);
    let port = shared.options.policy_port;
    let addresses: Vec<SocketAddr> = found
        .into_iter()
        .filter(may)
        .take(ADDRESSES_MAX)
        .map(|address| SocketAddr::new(address, port))
        .collect();
    let client = HttpsClient::new(&shared.options.trusted).map_err(|error| error.to_string())?;
    let get = Get {
        host: &host,
        addresses: &addresses,
        path: "/.well-known/mta-sts.txt",
        body_bytes_max: POLICY_BYTES_MAX,
        time_max: FETCH_TIME_MAX,
    };
    let answer = client.get(&get).await.map_err(|error| error.to_string())?;
    // RFC 8461 §3.3: a redirect is a failure as any other.
    if answer.status() != http::StatusCode::OK {
        return Err(format!("{host} answers {}", answer.status()));
    }
    let kind = answer.headers().get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("text/plain") {
        return Err(format!("{host} sends {kind}, not text/plain"));
    }
    let text = std::str::from_utf8(answer.body()).map_err(|_| format!("{host} sends no text"))?;
    parse(text, id, shared.now_secs()).ok_or_else(|| format!("what {host} sends is no policy"))
}

/// RFC 8461 §3.2.
fn parse(text: &str, id: &str, now: i64) -> Option<Policy> {
    let (mut version, mut mode, mut age, mut servers) = (None, None, None, Vec::new());
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (key, value) = line.split_once(':')?;
        let (key, value) = (key.trim(), value.trim());
        match key {
            // Repeated, the first one counts; of `mx` all do.
            "version" => _ = version.get_or_insert(value),
            "mode" => _ = mode.get_or_insert(value),
            "max_age" => _ = age.get_or_insert(value),
            "mx" if servers.len() < SERVERS_MAX => {
                servers.push(value.trim_end_matches('.').to_ascii_lowercase());
            }
            _ => {}
        }
    }
    let mode = match mode? {
        "enforce" => Mode::Enforce,
        "testing" => Mode::Testing,
        "none" => Mode::None,
        _ => return None,
    };
    let age = age.filter(|age| age.len() <= 10 && age.bytes().all(|b| b.is_ascii_digit()))?;
    let age: i64 = age.parse().ok()?;
    let complete = version == Some("STSv1") && (mode == Mode::None || !servers.is_empty());
    complete.then(|| Policy { mode, servers, id: id.to_owned(), until: now + age.min(AGE_SECS_MAX) })
}

/// What is remembered of a domain. The first call reads what was kept before the start.
async fn known(shared: &Shared, domain: &str) -> Option<Arc<Policy>> {
    if let Some(known) = &*shared.policies.known.lock() {
        return known.get(domain).cloned();
    }
    let operator = shared.core.operator();
    let notes = match operator.notes(NOTES, POLICIES_MAX).await {
        Ok(notes) => notes,
        Err(error) => {
            tracing::error!(%error, "the policies of other domains cannot be read");
            return None;
        }
    };
    let mut read = HashMap::new();
    let now = shared.now_secs();
    for (name, bytes) in notes {
        match restored(&String::from_utf8_lossy(&bytes)).filter(|policy| policy.until > now) {
            Some(policy) => _ = read.insert(name, Arc::new(policy)),
            None => drop(operator.note(&format!("{NOTES}{name}"), None).await),
        }
    }
    let mut known = shared.policies.known.lock();
    known.get_or_insert(read).get(domain).cloned()
}

async fn keep(shared: &Shared, domain: &str, policy: &Arc<Policy>) {
    let now = shared.now_secs();
    let (room, expired) = {
        let mut known = shared.policies.known.lock();
        let known = known.get_or_insert_default();
        let expired: Vec<String> = match known.len() >= POLICIES_MAX {
            true => known.iter().filter(|(_, one)| one.until <= now).map(|(name, _)| name.clone()).collect(),
            false => Vec::new(),
        };
        known.retain(|name, _| !expired.contains(name));
        let room = known.len() < POLICIES_MAX || known.contains_key(domain);
        if room {
            known.insert(domain.to_owned(), policy.clone());
        }
        (room, expired)
    };
    let operator = shared.core.operator();
    for name in expired {
        let _ = operator.note(&format!("{NOTES}{name}"), None).await;
    }
    let text = kept(policy);
    if room && let Err(error) = operator.note(&format!("{NOTES}{domain}"), Some(text.as_bytes())).await {
        tracing::warn!(%error, domain, "a policy of MTA-STS is forgotten at the next start");
    }
}

/// As it is kept: id and end, then the policy as its domain would write it.
fn kept(policy: &Policy) -> String {
    let mode = match policy.mode {
        Mode::Enforce => "enforce",
        Mode::Testing => "testing",
        Mode::None => "none",
    };
    let servers: String = policy.servers.iter().map(|server| format!("mx: {server}\n")).collect();
    format!("{} {}\nversion: STSv1\nmode: {mode}\n{servers}max_age: 0\n", policy.id, policy.until)
}

fn restored(text: &str) -> Option<Policy> {
    let (head, rest) = text.split_once('\n')?;
    let (id, until) = head.split_once(' ')?;
    Some(Policy { until: until.parse().ok()?, ..parse(rest, id, 0)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read() {
        let text = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n";
        let policy = parse(text, "1", 100).unwrap();
        assert_eq!((policy.mode, policy.until, policy.servers.len()), (Mode::Enforce, 604_900, 3));
        assert_eq!(restored(&kept(&policy)), Some(policy.clone()));
        // RFC 8461 §4.1.
        for (host, right) in [
            ("mail.example.com", true),
            ("MAIL.example.com.", true),
            ("a.mail.example.com", false),
            ("mail.example.net", true),
            ("example.net", false),
            ("a.b.example.net", false),
            (".example.net", false),
            ("mailexample.net", false),
        ] {
            assert_eq!(policy.names(host), right, "{host}");
        }
        let lf = parse("version:STSv1\nmode:none\nmax_age:86400\nunknown: x\n", "1", 0).unwrap();
        assert_eq!(lf.mode, Mode::None);
        assert_eq!(
            parse("version: STSv1\nmode: testing\nmx: a.b\nmax_age: 9999999999\n", "1", 0).unwrap().until,
            AGE_SECS_MAX
        );
        for wrong in [
            "",
            "version: STSv2\nmode: enforce\nmx: a.b\nmax_age: 1\n",
            "version: STSv1\nmode: enforce\nmax_age: 1\n",
            "version: STSv1\nmode: never\nmx: a.b\nmax_age: 1\n",
            "version: STSv1\nmode: enforce\nmx: a.b\n",
            "version: STSv1\nmode: enforce\nmx: a.b\nmax_age: -1\n",
            "<html>\nversion: STSv1\nmode: enforce\nmx: a.b\nmax_age: 1\n",
        ] {
            assert_eq!(parse(wrong, "1", 0), None, "{wrong}");
        }
    }
}
