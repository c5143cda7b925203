//! From flags to a rule.

use allod_admin::Request;
use allod_core::mail::Flags;
use allod_core::post::{Action, Condition, Match, Rule};
use allod_model::parse_size;

use super::args::{FilingCommand, RuleArgs};

/// The request that a command makes.
///
/// # Errors
/// A line that says what is wrong with the rule.
pub fn filing_request(command: FilingCommand) -> Result<Request, String> {
    Ok(match command {
        FilingCommand::List { account } => Request::FilingList { account },
        FilingCommand::Remove { account, name } => Request::FilingRemove { account, name },
        FilingCommand::Add(args) => {
            let (account, position) = (args.account.clone(), args.position);
            Request::FilingAdd { account, rule: rule(*args)?, position }
        }
    })
}

fn rule(args: RuleArgs) -> Result<Rule, String> {
    let mut conditions = Vec::new();
    let mut has = |name: &str, texts: Vec<String>| {
        let each = texts.into_iter().map(|text| Condition::Header {
            name: name.to_owned(),
            how: Match::Contains,
            text,
        });
        conditions.extend(each);
    };
    has("From", args.from);
    has("To", args.to);
    has("Subject", args.subject);
    for header in args.header {
        let Some((name, text)) = header.split_once(':').filter(|(name, _)| !name.trim().is_empty()) else {
            return Err(format!("--header '{header}': write NAME:TEXT, such as List-Id:rust-lang"));
        };
        has(name.trim(), vec![text.trim().to_owned()]);
    }
    conditions.extend(args.sent_to.into_iter().map(|address| Condition::SentTo(Match::Is, address)));
    if let Some(text) = args.larger {
        let bytes = parse_size(&text).ok_or_else(|| format!("--larger '{text}': write it such as 5M"))?;
        conditions.push(Condition::Larger(bytes));
    }
    conditions.extend(args.junk.then_some(Condition::Junk));
    let mut actions: Vec<Action> = args.file.into_iter().map(Action::File).collect();
    actions.extend(args.forward.into_iter().map(Action::Forward));
    actions.extend(args.keyword.into_iter().map(Action::Keyword));
    actions.extend(args.seen.then_some(Action::Mark(Flags::SEEN)));
    actions.extend(args.flagged.then_some(Action::Mark(Flags::FLAGGED)));
    actions.extend(args.discard.then_some(Action::Discard));
    if actions.is_empty() && !args.stop {
        return Err(
            "say what is to be done: --file, --forward, --keyword, --seen, --flagged, --discard or --stop"
                .into(),
        );
    }
    Ok(Rule { name: args.name, enabled: true, any: args.any, conditions, actions, stop: args.stop })
}
