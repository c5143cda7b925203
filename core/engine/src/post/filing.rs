//! What an account does with arriving mail: rules that file it, and an answer while its owner is away.
//!
//! Rules are tried in order; each that holds does what it says, and the first that says so ends it. A mail that no rule
//! filed goes to the mailbox for junk when it is taken for that, else to the inbox. Nothing that a rule says can lose a
//! mail: what cannot be filed where the rule wants it goes to the inbox.

use allod_formats::mail::{Facts, fold, header};
use allod_meta::Lookup;
use allod_model::{Error, ErrorKind, NameRule, Path, Result, Rights, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fault::Res;
use crate::keys::{Keys, Table};
use crate::mail::folders::{SpecialUse, home, inbox};
use crate::mail::{Flags, MailFacts};
use crate::record::{decode, encode};
use crate::session::Session;

/// Rules of one account.
pub const RULES_MAX: usize = 200;
/// Conditions of one rule, and actions.
const PARTS_MAX: usize = 50;
/// Bytes of all rules and the answer together.
const FILING_BYTES_MAX: usize = 48 << 10;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What its owner calls it.
    pub name: String,
    /// Whether it is tried.
    pub enabled: bool,
    /// One of the conditions is enough; otherwise all must hold. A rule without conditions always holds.
    pub any: bool,
    /// Conditions.
    pub conditions: Vec<Condition>,
    /// What is done.
    pub actions: Vec<Action>,
    /// No further rule is tried.
    pub stop: bool,
}

/// What a rule asks of a mail. Case does not matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// A value of this header field has this text.
    Header {
        /// The field's name.
        name: String,
        /// How it is compared.
        how: Match,
        /// The text.
        text: String,
    },
    /// The address that it was sent to: envelope recipient.
    SentTo(Match, String),
    /// More bytes than this.
    Larger(u64),
    /// It is taken for junk.
    Junk,
    /// The opposite.
    Not(Box<Condition>),
}

/// How a text is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Match {
    /// It is somewhere in it.
    Contains,
    /// It is all of it.
    Is,
    /// It begins with it.
    Begins,
    /// It ends with it.
    Ends,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Into this mailbox, instead of the inbox.
    File(String),
    /// With these flags.
    Mark(Flags),
    /// With this keyword.
    Keyword(String),
    /// Also to this address elsewhere.
    Forward(String),
    /// Into the mailbox for what is thrown away.
    Discard,
}

/// An answer while the owner is away (RFC 5230 says when none is sent).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vacation {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
    /// Subject; `Re: …` of the mail when there is none.
    pub subject: Option<String>,
    /// Text.
    pub text: String,
    /// Nobody is answered twice within so many days.
    pub days: u32,
}

/// Rules and answer of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filing {
    /// Rules, in the order in which they are tried.
    pub rules: Vec<Rule>,
    /// The answer.
    pub vacation: Option<Vacation>,
}

/// What is known of a mail beside its bytes when it arrives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Reverse path; empty for a report.
    pub from: String,
    /// The address that it was sent to.
    pub to: String,
    /// Whether it is taken for junk.
    pub junk: bool,
}

/// What the rules say of a mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub mailboxes: Vec<Path>,
    pub flags: Flags,
    pub keywords: Vec<String>,
    pub forward: Vec<String>,
}

impl Filing {
    /// Tries the rules; `junk` and `trash` are the mailboxes for these.
    pub(crate) fn judge(
        &self,
        arrival: &Arrival,
        mail: &MailFacts,
        size: u64,
        junk: &Path,
        trash: &Path,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        let header = mail.header.as_deref().unwrap_or_default();
        for rule in self.rules.iter().filter(|rule| rule.enabled) {
            let holds = |condition: &Condition| condition.holds(arrival, header, size);
            let applies = match rule.any && !rule.conditions.is_empty() {
                true => rule.conditions.iter().any(holds),
                false => rule.conditions.iter().all(holds),
            };
            if !applies {
                continue;
            }
            for action in &rule.actions {
                verdict.take(action, trash);
            }
            if rule.stop {
                break;
            }
        }
        if verdict.mailboxes.is_empty() {
            verdict.mailboxes.push(if arrival.junk { junk.clone() } else { inbox() });
        }
        verdict
    }
}

impl Verdict {
    fn take(&mut self, action: &Action, trash: &Path) {
        match action {
            Action::File(name) => {
                if let Ok(path) = mailbox_path(name)
                    && !self.mailboxes.contains(&path)
                {
                    self.mailboxes.push(path);
                }
            }
            Action::Mark(flags) => self.flags = self.flags.with(*flags),
            Action::Keyword(name) => self.keywords.push(name.clone()),
            Action::Forward(address) => self.forward.push(address.clone()),
            Action::Discard => self.mailboxes = vec![trash.clone()],
        }
    }
}

impl Condition {
    fn holds(&self, arrival: &Arrival, header: &[u8], size: u64) -> bool {
        match self {
            Condition::Header { name, how, text } => {
                header::values(header, name).iter().any(|value| how.holds(value, text))
            }
            Condition::SentTo(how, text) => how.holds(&arrival.to, text),
            Condition::Larger(bytes) => size > *bytes,
            Condition::Junk => arrival.junk,
            Condition::Not(inner) => !inner.holds(arrival, header, size),
        }
    }

    fn depth(&self) -> usize {
        match self {
            Condition::Not(inner) => 1 + inner.depth(),
            _ => 1,
        }
    }
}

impl Match {
    fn holds(self, value: &str, text: &str) -> bool {
        let (value, text) = (fold(value.trim()), fold(text.trim()));
        match self {
            Match::Contains => value.contains(&text),
            Match::Is => value == text,
            Match::Begins => value.starts_with(&text),
            Match::Ends => value.ends_with(&text),
        }
    }
}

/// A mailbox by its name as mail clients show it: `Lists/rust`.
pub fn mailbox_path(name: &str) -> Result<Path> {
    let inner = Path::parse(name.as_bytes(), NameRule::Strict)?;
    if inner.is_root() {
        return Err(Error::new(ErrorKind::InvalidContent, "a mailbox has a name"));
    }
    Ok(inner.names().iter().fold(home(), |path, name| path.join(name.clone())))
}

impl Keys {
    fn filing(self) -> Vec<u8> {
        self.table(Table::Filing)
    }

    /// When a sender was last answered.
    pub(crate) fn answered(self, hash: &[u8; 16]) -> Vec<u8> {
        [self.table(Table::Filing).as_slice(), b"a", hash].concat()
    }
}

/// Rules and answer of an account.
pub(crate) fn filing(rows: &impl Lookup, account: &crate::account::AccountHandle) -> Res<Filing> {
    let key = account.keys().filing();
    let Some(sealed) = rows.get(&key)? else { return Ok(Filing::default()) };
    Ok(decode(&account.key().open_inline(&key, &sealed)?)?)
}

impl Session {
    /// Rules and answer of the account.
    ///
    /// # Errors
    /// `Denied`, `Corrupt`.
    pub async fn filing(&self) -> Result<Filing> {
        self.scope().check_read(&home())?;
        Ok(filing(&self.view()?, self.handle())?)
    }

    /// Replaces rules and answer.
    ///
    /// # Errors
    /// `Denied`; `InvalidContent` for a mailbox or an address that cannot be, `TooLarge`.
    pub async fn set_filing(&self, filing: Filing) -> Result<()> {
        self.scope().check_write_below(&home(), Rights::Write).map_err(|e| self.noted(&home(), e))?;
        check(&filing)?;
        if filing.rules.iter().any(|rule| rule.actions.iter().any(|a| matches!(a, Action::Forward(_))))
            && !self.may_send()
        {
            return Err(self.noted(&home(), Error::denied()));
        }
        let plain = encode(&filing);
        if plain.len() > FILING_BYTES_MAX {
            return Err(Error::too_large("bytes of an account's rules", FILING_BYTES_MAX as u64));
        }
        self.commit(&home(), move |me, commit| {
            let key = commit.keys.filing();
            let sealed = me.handle().key().seal_inline(&key, &plain);
            Ok(commit.txn.put(&key, &sealed)?)
        })
        .await
    }

    /// The mailbox that is for something; the inbox when there is none.
    pub(crate) async fn mailbox_for(&self, special: SpecialUse) -> Result<Path> {
        let found = self.mailboxes().await?.into_iter().find(|info| info.special == Some(special));
        Ok(found.map_or_else(inbox, |info| info.path))
    }
}

fn check(filing: &Filing) -> Result<()> {
    let refused = |message: String| Err(Error::new(ErrorKind::InvalidContent, message));
    if filing.rules.len() > RULES_MAX {
        return Err(Error::too_large("rules of an account", RULES_MAX as u64));
    }
    for rule in &filing.rules {
        if rule.conditions.len() > PARTS_MAX || rule.actions.len() > PARTS_MAX {
            return Err(Error::too_large("conditions or actions of a rule", PARTS_MAX as u64));
        }
        if rule.conditions.iter().any(|condition| condition.depth() > 4) {
            return refused(format!("the rule '{}' says 'not' too often", rule.name));
        }
        for action in &rule.actions {
            match action {
                Action::File(name) => drop(mailbox_path(name)?),
                Action::Forward(address)
                    if !address.contains('@') || address.contains(char::is_whitespace) =>
                {
                    return refused(format!("'{address}' is no mail address"));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether a mail is one that a person who is away answers (RFC 5230 §4.5, §4.6; RFC 3834 §2).
pub(crate) fn is_personal(arrival: &Arrival, own: &[String], facts: &Facts, header: &[u8]) -> bool {
    let from = arrival.from.to_lowercase();
    let local = from.split('@').next().unwrap_or_default();
    let automatic = from.is_empty()
        || arrival.junk
        || local.contains("noreply")
        || local.contains("no-reply")
        || local.starts_with("owner-")
        || local.ends_with("-request")
        || matches!(local, "mailer-daemon" | "postmaster" | "listserv" | "majordomo");
    let bulk = header::fields(header).any(|field| {
        let name = String::from_utf8_lossy(field.name).to_ascii_lowercase();
        let value = header.get(field.value.start as usize..field.value.end as usize).unwrap_or_default();
        let value = String::from_utf8_lossy(value).trim().to_ascii_lowercase();
        name.starts_with("list-")
            || (name == "auto-submitted" && value != "no")
            || (name == "precedence" && matches!(value.as_str(), "bulk" | "list" | "junk"))
            || name == "x-auto-response-suppress"
    });
    let addressed = facts.envelope.to.iter().chain(&facts.envelope.cc).any(|address| {
        let part = |part: &Option<Vec<u8>>| {
            String::from_utf8_lossy(part.as_deref().unwrap_or_default()).to_lowercase()
        };
        let full = format!("{}@{}", part(&address.mailbox), part(&address.host));
        own.contains(&full) || full == arrival.to.to_lowercase()
    });
    !automatic && !bulk && addressed
}
