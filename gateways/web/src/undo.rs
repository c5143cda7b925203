//! Taking back what an app did.

use allod_core::{Action, Outcome};
use allod_kit::RequestBody;
use allod_model::{CredentialId, Timestamp, parse_duration_secs};
use askama::Template;

use crate::error::Refusal;
use crate::frame::Frame;
use crate::respond::{self, Answer, see};
use crate::visit::Visit;

/// Paths told one by one; of more there is the number.
const TOLD_MAX: usize = 200;
/// The times that are offered.
const SINCE: [&str; 5] = ["1h", "24h", "7d", "14d", "30d"];

#[derive(Template)]
#[template(path = "undo.html")]
struct UndoPage {
    f: Frame,
    id: String,
    since: &'static str,
    offered: Vec<(&'static str, String)>,
    restored: usize,
    removed: usize,
    skipped: usize,
    lines: Vec<(&'static str, String, String)>,
    more: usize,
    done: bool,
}

/// Shows what undoing would do.
pub(crate) async fn preview(visit: &Visit, id: &str) -> Answer {
    let since = offered(visit.param("since").unwrap_or("24h"));
    let outcomes =
        visit.session()?.undo(&CredentialId(id.to_owned()), since_time(visit, since)?, true).await?;
    show(visit, id, since, &outcomes, false)
}

/// Undoes it.
pub(crate) async fn carry_out(visit: &Visit, id: &str, body: RequestBody) -> Answer {
    let form = visit.form(body).await?;
    let since = offered(form.text("since"));
    let time = since_time(visit, since)?;
    let outcomes = visit.session()?.undo(&CredentialId(id.to_owned()), time, false).await?;
    if outcomes.is_empty() {
        return Ok(see(&format!("/ui/apps/{}/undo?since={since}", respond::url_part(id.as_bytes()))));
    }
    show(visit, id, since, &outcomes, true)
}

fn offered(since: &str) -> &'static str {
    SINCE.into_iter().find(|offered| *offered == since).unwrap_or("24h")
}

fn since_time(visit: &Visit, since: &str) -> Result<Timestamp, Refusal> {
    let secs = parse_duration_secs(since).ok_or(Refusal::Malformed)?;
    Ok(visit.core().now().plus_secs(-i64::try_from(secs).unwrap_or(i64::MAX)))
}

fn show(visit: &Visit, id: &str, since: &'static str, outcomes: &[Outcome], done: bool) -> Answer {
    let text = visit.text;
    let count =
        |wanted: fn(&Action) -> bool| outcomes.iter().filter(|outcome| wanted(&outcome.action)).count();
    let line = |outcome: &Outcome| match &outcome.action {
        Action::Restored => ("good", text.s("undo.restored").to_owned(), outcome.path.clone()),
        Action::Removed => ("warn", text.s("undo.removed").to_owned(), outcome.path.clone()),
        Action::Skipped(_) => ("", text.s("undo.skipped").to_owned(), outcome.path.clone()),
    };
    let page = UndoPage {
        f: Frame::new(visit, "apps", text.s("undo.title")),
        id: id.to_owned(),
        since,
        offered: SINCE
            .into_iter()
            .map(|since| (since, text.s(&format!("since.{since}")).to_owned()))
            .collect(),
        restored: count(|action| *action == Action::Restored),
        removed: count(|action| *action == Action::Removed),
        skipped: count(|action| matches!(action, Action::Skipped(_))),
        lines: outcomes.iter().take(TOLD_MAX).map(line).collect(),
        more: outcomes.len().saturating_sub(TOLD_MAX),
        done,
    };
    respond::page(&page)
}
