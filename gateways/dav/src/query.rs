//! What `calendar-query` and `addressbook-query` have in common: to which folders the question goes.

use allod_core::{Found, Node};
use allod_formats::calendar::CompFilter;
use allod_kit::full_body;
use allod_model::{Kind, Precondition};
use http::StatusCode;

use crate::caldav::inbox;
use crate::error::{Answer, Doing, Failure};
use crate::handle::{Call, xml};
use crate::matches::{self, Question};
use crate::plan::Plan;
use crate::propfind::{self, Depth, MULTISTATUS_HEAD, MULTISTATUS_TAIL, parse_depth, parse_prefer};
use crate::props::Subject;

/// A query that was read.
pub(crate) struct Query {
    pub(crate) plan: Plan,
    pub(crate) question: Question,
    /// At most so many rows.
    pub(crate) limit: Option<u64>,
}

/// Answers a query. `matches` judges a single object, and prepares the writer for it.
pub(crate) async fn answer(call: &Call, mut query: Query, matches: fn(&Question, &Found) -> bool) -> Answer {
    let failing = call.failing(Doing::Report);
    let node = call.stat(false).await.map_err(&failing)?;
    let preference = parse_prefer(&call.headers);
    query.plan.minimal |= preference.minimal;
    let writer =
        propfind::writer(&call.session, &call.places, query.plan, call.now).await.map_err(&failing)?;
    let body = if let Some(filter) = of_inbox(&node, &query.question) {
        let depth = parse_depth(&call.headers, Depth::One)?;
        match depth {
            Depth::Zero => full_body([MULTISTATUS_HEAD, MULTISTATUS_TAIL].concat()),
            Depth::One | Depth::Infinity => {
                let inbox = call.path.clone();
                inbox::multistatus(&call.session, writer, filter, inbox).await.map_err(&failing)?
            }
        }
    } else if node.is_folder() {
        let folders = folders(call, &node, query.question.kind()).await?;
        let asked = call.url(&call.path, true);
        matches::multistatus(&call.session, writer, query.question, folders, query.limit, asked)
            .await
            .map_err(&failing)?
    } else {
        let mut writer = writer;
        let mut out = MULTISTATUS_HEAD.to_vec();
        let found = single(call, query.question.kind(), writer.plan.needs_dead()).await?;
        if matches(&query.question, &found) {
            if let Question::Events(_, Some(zone)) = query.question {
                writer.zone = zone;
            }
            let url = call.url(&call.path, false);
            let subject = Subject::Node(&found.node, &[]);
            writer.response_with(&mut out, url.as_bytes(), subject, Some(&found.bytes));
        }
        out.extend_from_slice(MULTISTATUS_TAIL);
        full_body(out)
    };
    let mut response = xml(StatusCode::MULTI_STATUS, body);
    preference.applied(&mut response);
    Ok(response)
}

/// The filter of a question to the scheduling inbox.
fn of_inbox(node: &Node, question: &Question) -> Option<CompFilter> {
    let is_inbox = node.folder.is_some_and(|facts| facts.kind == Kind::Inbox);
    match question {
        Question::Events(filter, _) if is_inbox => Some(filter.clone()),
        Question::Events(..) | Question::Cards(_) => None,
    }
}

/// The folders that the question is about.
pub(crate) async fn folders(call: &Call, node: &Node, kind: Kind) -> Result<Vec<allod_model::Path>, Failure> {
    let own = node.folder.map(|facts| facts.kind);
    // RFC 4791 §7.8, RFC 6352 §8.6: without the header, 0 is meant, and then only the folder itself, which is no object,
    // is asked. Nobody wants to ask that; clients that leave the header out mean the members.
    let depth = parse_depth(&call.headers, Depth::One)?;
    match own {
        Some(own) if own == kind => Ok(match depth {
            Depth::Zero => Vec::new(),
            Depth::One | Depth::Infinity => vec![call.path.clone()],
        }),
        // A home and the like: its members are folders. By the letter depth 1 ends there; what is asked for are the
        // objects in them, and Apple's server and Cyrus answer so.
        Some(Kind::Plain) => match depth {
            Depth::Zero => Ok(Vec::new()),
            Depth::One | Depth::Infinity => {
                let found = matches::folders_within(&call.session, &call.path, kind).await;
                found.map_err(call.failing(Doing::Report))
            }
        },
        // RFC 3253 §3.6.
        _ => Err(Failure::forbidden("supported-report")),
    }
}

/// The one object that the question is about.
async fn single(call: &Call, kind: Kind, properties: bool) -> Result<Found, Failure> {
    let failing = call.failing(Doing::Report);
    if parent_kind(call, &call.path).await? != Some(kind) {
        return Err(Failure::forbidden("supported-report"));
    }
    let mut found =
        call.session.fetch(std::slice::from_ref(&call.path), properties).await.map_err(&failing)?;
    let one = found.pop().unwrap_or_else(|| Err(allod_model::Error::not_found()));
    one.map_err(failing)
}

/// The kind of the folder that a place is in; `None` when the session does not see it.
pub(crate) async fn parent_kind(call: &Call, path: &allod_model::Path) -> Result<Option<Kind>, Failure> {
    let Some(parent) = path.parent() else { return Ok(None) };
    match call.session.stat(&parent, allod_core::Want::Folder, false).await {
        Ok(node) => Ok(node.folder.map(|facts| facts.kind)),
        Err(error) if error.kind == allod_model::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(call.failing(Doing::Report)(error)),
    }
}

/// Conditions that a request may bring are judged before a report begins.
pub(crate) async fn judge(call: &Call) -> Result<(), Failure> {
    let precondition = call.precondition()?;
    if precondition == Precondition::default() {
        return Ok(());
    }
    let judged = call.session.judge_now(&call.path, &precondition, call.want()).await;
    judged.map_err(call.failing(Doing::Report))
}
