//! How much a mail looks like spam: a few rules that everybody can follow, each with its points in tenths.
//!
//! The names of the rules that matched stand in `X-Spam-Status`, so that nobody has to guess why a mail is in Junk.

use allod_formats::mail::header::values;

use super::has;
use super::verify::Verified;
use crate::conversation::Origin;

/// A rule that matched: its name and its points.
type Match = (&'static str, i32);

/// What was found.
pub(super) struct Score(Vec<Match>);

impl Score {
    /// All points together, in tenths.
    pub(super) fn tenths(&self) -> i32 {
        self.0.iter().map(|(_, tenths)| tenths).sum()
    }

    /// As fields of the message.
    pub(super) fn field(&self, junk: bool, needed: i32) -> String {
        let names: Vec<&str> = self.0.iter().map(|(name, _)| *name).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(",\r\n\t\t") };
        let (answer, flag) = if junk { ("Yes", "X-Spam-Flag: YES\r\n") } else { ("No", "") };
        let (score, needed) = (points(self.tenths()), points(needed));
        format!("{flag}X-Spam-Status: {answer}, score={score} required={needed}\r\n\ttests={names}\r\n")
    }
}

fn points(tenths: i32) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    format!("{sign}{}.{}", tenths.abs() / 10, tenths.abs() % 10)
}

/// Judges a mail.
pub(super) fn score(origin: &Origin, message: &[u8], verified: &Verified) -> Score {
    let mut found: Vec<Match> = Vec::new();
    let mut rule = |matches: bool, name, tenths| {
        if matches {
            found.push((name, tenths));
        }
    };
    let signals = &verified.signals;
    // The domain of the envelope says that this machine does not send for it.
    rule(signals.spf_fail, "SPF_FAIL", 25);
    rule(signals.spf_softfail, "SPF_SOFTFAIL", 10);
    // It was signed, and no signature holds: changed on the way, or forged.
    rule(signals.dkim_fail, "DKIM_INVALID", 10);
    // The author's domain has a policy, and the mail does not meet it.
    rule(signals.dmarc_fail, "DMARC_FAIL", 25);
    // The author's domain stands for it.
    rule(verified.author.is_some(), "AUTHOR_VERIFIED", -10);
    // The address has no name, or one that does not lead back.
    rule(signals.no_reverse_name, "NO_REVERSE_NAME", 15);
    // A server has a name with a dot.
    rule(!origin.name.contains('.') || origin.name.starts_with('['), "HELO_NO_NAME", 10);
    // RFC 5322 §3.6: these two are in every mail.
    rule(!has(message, "Date"), "NO_DATE", 15);
    rule(!has(message, "From"), "NO_FROM", 20);
    rule(!has(message, "Message-ID"), "NO_MESSAGE_ID", 10);
    rule(!has(message, "To") && !has(message, "Cc"), "NO_RECIPIENTS", 5);
    let subject = values(message, "Subject").into_iter().next().unwrap_or_default();
    let letters = subject.chars().filter(|c| c.is_alphabetic()).count();
    let shouts = letters >= 10 && subject.chars().filter(|c| c.is_alphabetic()).all(char::is_uppercase);
    rule(shouts, "SUBJECT_SHOUTS", 10);
    rule(lends_a_name(message), "FROM_NAME_IS_OTHER_ADDRESS", 25);
    Score(found)
}

/// Whether the author's name is an address in another domain than the one it is from: `"bank@bank.example" <x@y>`.
fn lends_a_name(message: &[u8]) -> bool {
    let Some(from) = values(message, "From").into_iter().next() else { return false };
    let Some((name, address)) = from.rsplit_once('<') else { return false };
    let domain_of = |text: &str| {
        let (_, domain) = text.rsplit_once('@')?;
        let end =
            domain.find(|c: char| !(c.is_ascii_alphanumeric() || "-.".contains(c))).unwrap_or(domain.len());
        Some(domain[..end].trim_end_matches('.').to_lowercase()).filter(|domain| domain.contains('.'))
    };
    match (domain_of(name), domain_of(address)) {
        (Some(shown), Some(real)) => shown != real && !real.ends_with(&format!(".{shown}")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::verify::{Policy, Signals};
    use super::*;

    fn judged(name: &str, message: &str, signals: Signals) -> String {
        let origin = Origin { address: "192.0.2.1".parse().unwrap(), name: name.into(), protocol: "ESMTP" };
        let verified =
            Verified { results: String::new(), author: None, domain: None, policy: Policy::Take, signals };
        let score = score(&origin, message.as_bytes(), &verified);
        format!("{} {}", score.tenths(), score.0.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn rules_add_up() {
        let good = "From: A <a@x.example>\r\nTo: b@y.example\r\nDate: d\r\nMessage-ID: <m@x>\r\nSubject: Hello\r\n\r\n";
        assert_eq!(judged("mx.x.example", good, Signals::default()), "0 ");
        assert_eq!(judged("[192.0.2.1]", good, Signals::default()), "10 HELO_NO_NAME");
        let failing = Signals { spf_fail: true, no_reverse_name: true, ..Signals::default() };
        assert_eq!(judged("mx.x.example", good, failing), "40 SPF_FAIL NO_REVERSE_NAME");
        let lent =
            "From: \"service@bank.example\" <a@x.example>\r\nTo: b@y\r\nDate: d\r\nMessage-ID: <m@x>\r\n\r\n";
        assert_eq!(judged("mx.x.example", lent, Signals::default()), "25 FROM_NAME_IS_OTHER_ADDRESS");
        let bare = judged("x", "Subject: BUY THIS NOW\r\n\r\n", Signals::default());
        assert_eq!(bare, "70 HELO_NO_NAME NO_DATE NO_FROM NO_MESSAGE_ID NO_RECIPIENTS SUBJECT_SHOUTS");
    }

    #[test]
    fn the_field_explains() {
        let score = Score(vec![("NO_DATE", 15), ("AUTHOR_VERIFIED", -10)]);
        let text = "X-Spam-Status: No, score=0.5 required=5.0\r\n\ttests=NO_DATE,\r\n\t\tAUTHOR_VERIFIED\r\n";
        assert_eq!(score.field(false, 50), text);
    }
}
