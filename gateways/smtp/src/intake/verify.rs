//! Who sent it: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 9989), ARC (RFC 8617), and the sender's name in the DNS.

use std::time::Duration;

use mail_auth::common::headers::HeaderWriter;
use mail_auth::dmarc::Policy as DmarcPolicy;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    AuthenticatedMessage, AuthenticationResults, DkimOutput, DkimResult, DmarcOutput, DmarcResult,
    IprevResult, SpfOutput, SpfResult,
};

use crate::conversation::Origin;
use crate::shared::Shared;
use crate::syntax::domain_of;

/// Longest time for all of it. After it, what is not known is told as a failure for now.
const VERIFY_TIME_MAX: Duration = Duration::from_secs(20);

/// What is done with a mail for the sake of the author's domain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Policy {
    Take,
    Junk,
    Refuse,
}

/// What counts for the score.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Signals {
    pub(super) spf_fail: bool,
    pub(super) spf_softfail: bool,
    pub(super) dkim_fail: bool,
    pub(super) dmarc_fail: bool,
    pub(super) no_reverse_name: bool,
}

/// What was found.
pub(super) struct Verified {
    /// The field `Authentication-Results` (RFC 8601).
    pub(super) results: String,
    /// The author's address, if his domain stands for the mail.
    pub(super) author: Option<String>,
    /// The author's domain.
    pub(super) domain: Option<String>,
    pub(super) policy: Policy,
    pub(super) signals: Signals,
}

/// Verifies a mail. Never fails and never hangs: without a DNS all is told as a failure for now.
pub(super) async fn verify(shared: &Shared, origin: &Origin, from: &str, message: &[u8]) -> Verified {
    match tokio::time::timeout(VERIFY_TIME_MAX, ask(shared, origin, from, message)).await {
        Ok(verified) => verified,
        Err(_) => {
            let host = &shared.options.hostname;
            let results = format!(
                "Authentication-Results: {host};\r\n\tspf=temperror;\r\n\tdkim=temperror;\r\n\tdmarc=temperror\r\n"
            );
            Verified {
                results,
                author: None,
                domain: None,
                policy: Policy::Take,
                signals: Signals::default(),
            }
        }
    }
}

async fn ask(shared: &Shared, origin: &Origin, from: &str, message: &[u8]) -> Verified {
    let dns = shared.dns.authenticator();
    let (host, ip, helo) = (shared.options.hostname.as_str(), origin.address, origin.name.as_str());
    let Some(parsed) = AuthenticatedMessage::parse(message) else {
        let results = format!("Authentication-Results: {host}; none\r\n");
        return Verified {
            results,
            author: None,
            domain: None,
            policy: Policy::Take,
            signals: Signals::default(),
        };
    };
    // RFC 7208 §2.4: without a reverse path, postmaster at what the peer calls itself.
    let spf = async {
        match from {
            "" => dns.verify_spf(SpfParameters::verify_ehlo(ip, helo, host)).await,
            from => dns.verify_spf(SpfParameters::verify_mail_from(ip, helo, host, from)).await,
        }
    };
    let (spf, dkim, arc, reverse) =
        tokio::join!(spf, dns.verify_dkim(&parsed), dns.verify_arc(&parsed), dns.verify_iprev(ip));
    let envelope_domain = domain_of(from).unwrap_or_else(|| helo.to_lowercase());
    let dmarc = dns.verify_dmarc(DmarcParameters::new(&parsed, &dkim, &envelope_domain, &spf)).await;

    let author = parsed.froms().first().map(|from| from.to_lowercase()).unwrap_or_default();
    let mut results = AuthenticationResults::new(host).with_dkim_results(&dkim, &author);
    results = match from {
        "" => results.with_spf_ehlo_result(&spf, ip, helo),
        from => results.with_spf_mailfrom_result(&spf, ip, from, helo),
    };
    if *arc.result() != DkimResult::None {
        results = results.with_arc_result(&arc, ip);
    }
    let results = results.with_dmarc_result(&dmarc).with_iprev_result(&reverse, ip);
    let verified = parsed.froms().len() == 1 && stands_for(&author, &dmarc, &dkim, &spf, &envelope_domain);
    let dmarc_fail = matches!(dmarc.result(), DmarcResult::Fail(_));
    let signals = Signals {
        spf_fail: spf.result() == SpfResult::Fail,
        spf_softfail: spf.result() == SpfResult::SoftFail,
        dkim_fail: dkim.iter().any(is_failure) && !dkim.iter().any(|one| *one.result() == DkimResult::Pass),
        dmarc_fail,
        no_reverse_name: matches!(reverse.result, IprevResult::Fail(_) | IprevResult::PermError(_)),
    };
    let policy = match dmarc.policy() {
        DmarcPolicy::Reject if dmarc_fail => Policy::Refuse,
        DmarcPolicy::Quarantine if dmarc_fail => Policy::Junk,
        _ => Policy::Take,
    };
    let domain = domain_of(&author);
    Verified { results: results.to_header(), author: verified.then_some(author), domain, policy, signals }
}

fn is_failure(output: &DkimOutput<'_>) -> bool {
    matches!(output.result(), DkimResult::Fail(_) | DkimResult::PermError(_) | DkimResult::Neutral(_))
}

/// Whether the author's domain stands for the mail: by DMARC, or by what DMARC asks for where the domain has no record
/// of it.
fn stands_for(
    author: &str,
    dmarc: &DmarcOutput,
    dkim: &[DkimOutput<'_>],
    spf: &SpfOutput,
    envelope_domain: &str,
) -> bool {
    if dmarc.dmarc_record().is_some() {
        return dmarc.result() == DmarcResult::Pass;
    }
    let Some(domain) = domain_of(author) else { return false };
    let signed = dkim.iter().any(|one| {
        let by = one.signature().map(|signature| signature.d.to_lowercase()).unwrap_or_default();
        *one.result() == DkimResult::Pass
            && (by == domain || domain.ends_with(&format!(".{by}")) && by.contains('.'))
    });
    signed || (spf.result() == SpfResult::Pass && envelope_domain == domain)
}
