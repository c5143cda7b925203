//! Commands about what an account does with arriving mail: rules, and an answer while its owner is away.

use allod_core::Operator;
use allod_core::mail::Flags;
use allod_core::post::{Action, Condition, Filing, Match, Rule, Vacation};
use allod_model::Timestamp;
use serde_json::{Value, json};

use crate::answer::Failure;
use crate::moment::{parse_moment, show_moment};
use crate::request::Request;

/// Rules of an account.
pub async fn filing(operator: &Operator, request: Request) -> Result<Value, Failure> {
    match request {
        Request::FilingList { account } => {
            let rules = operator.session(&account)?.filing().await?.rules;
            Ok(rules.iter().enumerate().map(|(number, rule)| shown(number + 1, rule)).collect())
        }
        Request::FilingAdd { account, rule, position } => {
            let session = operator.session(&account)?;
            let mut filing = session.filing().await?;
            if filing.rules.iter().any(|known| known.name == rule.name) {
                return Err(Failure::invalid(format!(
                    "there is a rule '{}' already: choose another name, or remove it first",
                    rule.name
                )));
            }
            let last = filing.rules.len();
            let at = position.map_or(last, |position| position.saturating_sub(1).min(last));
            let answer = shown(at + 1, &rule);
            filing.rules.insert(at, rule);
            session.set_filing(filing).await?;
            Ok(answer)
        }
        Request::FilingRemove { account, name } => {
            let session = operator.session(&account)?;
            let Filing { rules, vacation } = session.filing().await?;
            let count = rules.len();
            let rules: Vec<Rule> = rules.into_iter().filter(|rule| rule.name != name).collect();
            if rules.len() == count {
                return Err(Failure::invalid(format!(
                    "there is no rule '{name}'; `allod filing list {account}` shows them"
                )));
            }
            session.set_filing(Filing { rules, vacation }).await?;
            Ok(json!({"removed": name}))
        }
        _ => Err(Failure::invalid("this server does not know that command")),
    }
}

/// The answer while somebody is away.
pub async fn vacation(operator: &Operator, request: Request) -> Result<Value, Failure> {
    let now = operator.core().now();
    match request {
        Request::VacationShow { account } => {
            Ok(away(&account, operator.session(&account)?.filing().await?.vacation.as_ref(), now))
        }
        Request::VacationSet { account, text, subject, from, until, days } => {
            let moment = |text: Option<String>| -> Result<Option<Timestamp>, Failure> {
                let Some(text) = text else { return Ok(None) };
                let read = parse_moment(&text, now).ok_or_else(|| {
                    Failure::invalid(format!("'{text}' is no moment: write 2026-12-24 or 2026-12-24 18:00"))
                })?;
                Ok(Some(read))
            };
            let (from, until) = (moment(from)?, moment(until)?);
            if until.is_some_and(|until| until <= now || from.is_some_and(|from| until <= from)) {
                return Err(Failure::invalid("it would be over before it begins"));
            }
            let session = operator.session(&account)?;
            let vacation = Vacation { from, until, subject, text, days };
            let answer = away(&account, Some(&vacation), now);
            session.set_filing(Filing { vacation: Some(vacation), ..session.filing().await? }).await?;
            Ok(answer)
        }
        Request::VacationOff { account } => {
            let session = operator.session(&account)?;
            session.set_filing(Filing { vacation: None, ..session.filing().await? }).await?;
            Ok(away(&account, None, now))
        }
        _ => Err(Failure::invalid("this server does not know that command")),
    }
}

fn away(account: &str, vacation: Option<&Vacation>, now: Timestamp) -> Value {
    let Some(vacation) = vacation else { return json!({"account": account, "state": "off"}) };
    let state = match (vacation.from, vacation.until) {
        (Some(from), _) if now < from => "later",
        (_, Some(until)) if until <= now => "over",
        _ => "on",
    };
    json!({
        "account": account,
        "state": state,
        "from": vacation.from.map(show_moment),
        "until": vacation.until.map(show_moment),
        "subject": vacation.subject,
        "text": vacation.text,
        "days": vacation.days,
    })
}

fn shown(position: usize, rule: &Rule) -> Value {
    let between = if rule.any { " or " } else { " and " };
    let when: Vec<String> = rule.conditions.iter().map(condition).collect();
    let mut then: Vec<String> = rule.actions.iter().map(action).collect();
    then.extend(rule.stop.then(|| "stop".to_owned()));
    json!({
        "position": position,
        "name": rule.name,
        "enabled": rule.enabled,
        "when": if when.is_empty() { "always".to_owned() } else { when.join(between) },
        "then": then.join(", "),
    })
}

fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Header { name, how, text } => format!("{name} {} '{text}'", word(*how)),
        Condition::SentTo(how, text) => format!("sent to {} '{text}'", word(*how)),
        Condition::Larger(bytes) => format!("larger than {bytes} bytes"),
        Condition::Junk => "taken for junk".to_owned(),
        Condition::Not(inner) => format!("not ({})", self::condition(inner)),
    }
}

fn word(how: Match) -> &'static str {
    match how {
        Match::Contains => "contains",
        Match::Is => "is",
        Match::Begins => "begins with",
        Match::Ends => "ends with",
    }
}

fn action(action: &Action) -> String {
    match action {
        Action::File(mailbox) => format!("file in {mailbox}"),
        Action::Mark(flags) => {
            let names = [(Flags::SEEN, "read"), (Flags::FLAGGED, "flagged"), (Flags::ANSWERED, "answered")];
            let set: Vec<&str> =
                names.iter().filter(|(flag, _)| flags.has(*flag)).map(|(_, name)| *name).collect();
            format!("mark {}", set.join(" and "))
        }
        Action::Keyword(name) => format!("keyword {name}"),
        Action::Forward(address) => format!("forward to {address}"),
        Action::Discard => "throw away".to_owned(),
    }
}
