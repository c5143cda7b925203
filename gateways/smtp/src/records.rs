//! What the DNS must hold for a domain whose mail comes here, and whether it does.

use std::sync::Arc;

use allod_model::Result;

use crate::dns::NoAnswer;
use crate::shared::Shared;
use crate::sign::{ED25519_SELECTOR, RSA_SELECTOR};

/// One record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its name, whole, without the last dot.
    pub name: String,
    /// `MX`, `TXT`, `SRV`.
    pub kind: &'static str,
    /// What it says.
    pub value: String,
    /// What it is for, for people.
    pub purpose: &'static str,
}

/// What the DNS says of a [`Record`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// It is there.
    Right,
    /// Another one stands in its place.
    Other(String),
    /// There is none.
    Missing,
    /// The DNS does not answer.
    Unknown,
}

/// Makes and looks up records.
pub struct Records(Arc<Shared>);

impl Records {
    pub(crate) fn new(shared: Arc<Shared>) -> Records {
        Records(shared)
    }

    /// All records for a domain; its DKIM keys are made when it has none.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn of(&self, domain: &str) -> Result<Vec<Record>> {
        let keys = self.0.domain_keys(domain).await?;
        let host = &self.0.options.hostname;
        let sends = match &self.0.options.smarthost {
            Some(smarthost) => format!("v=spf1 mx a:{} -all", smarthost.host),
            None => "v=spf1 mx -all".to_owned(),
        };
        let record = |name: String, kind, value: String, purpose| Record { name, kind, value, purpose };
        let txt =
            |name: &str, value: String, purpose| record(format!("{name}.{domain}"), "TXT", value, purpose);
        let srv = |service: &str, port: u16, purpose| {
            record(format!("{service}._tcp.{domain}"), "SRV", format!("0 1 {port} {host}."), purpose)
        };
        Ok(vec![
            record(
                domain.to_owned(),
                "MX",
                format!("10 {host}."),
                "mail for the domain comes to this server",
            ),
            record(domain.to_owned(), "TXT", sends, "SPF: who sends mail of the domain"),
            txt(
                &format!("{RSA_SELECTOR}._domainkey"),
                format!("v=DKIM1; k=rsa; p={}", keys.rsa_public),
                "DKIM: the key of its signatures",
            ),
            txt(
                &format!("{ED25519_SELECTOR}._domainkey"),
                format!("v=DKIM1; k=ed25519; p={}", keys.ed25519_public),
                "DKIM: the key of its shorter signatures",
            ),
            txt(
                "_dmarc",
                format!("v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}"),
                "DMARC: what others do with forgeries",
            ),
            txt("_mta-sts", format!("v=STSv1; id={}", policy_id(host)), "MTA-STS: mail comes encrypted"),
            record(
                format!("mta-sts.{domain}"),
                "CNAME",
                format!("{host}."),
                "MTA-STS: where its policy is read",
            ),
            txt(
                "_smtp._tls",
                format!("v=TLSRPTv1; rua=mailto:postmaster@{domain}"),
                "TLS-RPT: who hears when encryption fails",
            ),
            srv("_imaps", 993, "mail programs find IMAP"),
            srv("_submissions", 465, "mail programs find submission"),
            srv("_submission", 587, "older mail programs find submission"),
            srv("_caldavs", 443, "calendars are found"),
            srv("_carddavs", 443, "address books are found"),
        ])
    }

    /// Looks a record up.
    pub async fn check(&self, record: &Record) -> Found {
        let dns = &self.0.dns;
        let name = &record.name;
        let found = match record.kind {
            "MX" => dns.exchangers(name).await.map(|found| {
                found.into_iter().map(|(preference, host)| format!("{preference} {host}.")).collect()
            }),
            "SRV" => dns.services(name).await.map(|found| {
                let texts = found
                    .into_iter()
                    .map(|(priority, weight, port, host)| format!("{priority} {weight} {port} {host}."));
                texts.collect()
            }),
            "CNAME" => return self.check_alias(record).await,
            _ => dns.texts(name).await,
        };
        match found {
            Ok(found) => compare(record, &found),
            Err(NoAnswer::NoName | NoAnswer::NoRecords) => Found::Missing,
            Err(NoAnswer::Unavailable) => Found::Unknown,
        }
    }

    /// Another name for a host, or a record of its own: what counts is where it leads.
    async fn check_alias(&self, record: &Record) -> Found {
        let host = record.value.trim_end_matches('.');
        match (self.0.dns.addresses(&record.name).await, self.0.dns.addresses(host).await) {
            (Err(NoAnswer::NoName | NoAnswer::NoRecords), _) => Found::Missing,
            (Ok(found), Ok(wanted)) if found.iter().any(|one| wanted.contains(one)) => Found::Right,
            (Ok(found), Ok(_)) => {
                Found::Other(found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
            _ => Found::Unknown,
        }
    }
}

fn compare(record: &Record, found: &[String]) -> Found {
    // Numbers of preference are the operator's affair; so is white space.
    let plain = |text: &str| {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let start =
            if record.kind == "MX" { text.find(|c: char| !c.is_ascii_digit()).unwrap_or(0) } else { 0 };
        text[start..].to_owned()
    };
    let wanted = plain(&record.value);
    if found.iter().any(|one| plain(one).eq_ignore_ascii_case(&wanted)) {
        return Found::Right;
    }
    // At one name stand texts of many kinds.
    let kind = record.value.split([';', ' ']).next().unwrap_or_default().to_owned();
    let same_kind = |one: &&String| record.kind != "TXT" || one.starts_with(&kind);
    match found.iter().find(same_kind) {
        Some(other) => Found::Other(other.clone()),
        None => Found::Missing,
    }
}

/// The policy of MTA-STS (RFC 8461 §3.2).
pub(crate) fn policy(host: &str) -> String {
    format!("version: STSv1\r\nmode: enforce\r\nmx: {host}\r\nmax_age: 604800\r\n")
}

/// Changes with the policy (RFC 8461 §3.1).
fn policy_id(host: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, policy(host).as_bytes());
    digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_compared() {
        let spf = Record { name: "x".into(), kind: "TXT", value: "v=spf1 mx -all".into(), purpose: "" };
        assert_eq!(compare(&spf, &["google=1".into(), "v=spf1  mx -all".into()]), Found::Right);
        assert_eq!(compare(&spf, &["v=spf1 -all".into()]), Found::Other("v=spf1 -all".into()));
        assert_eq!(compare(&spf, &["google=1".into()]), Found::Missing);
        let mx = Record { name: "x".into(), kind: "MX", value: "10 mx.example.".into(), purpose: "" };
        assert_eq!(compare(&mx, &["20 mx.example.".into()]), Found::Right);
        assert_eq!(compare(&mx, &["10 other.example.".into()]), Found::Other("10 other.example.".into()));
    }
}
