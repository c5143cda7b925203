//! Carrying commands out on an opened store.

use std::sync::Arc;
use std::time::Instant;

use allod_core::{AccountChange, CheckReport, NewCredential, Operator, Session};
use allod_model::{CredentialId, Grant, NameRule, Path, Seq, parse_grant};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::answer::{self, Failure};
use crate::filing;
use crate::moment::parse_moment;
use crate::request::Request;
use crate::sharing;

/// Rows of one list at most.
const LIST_MAX: usize = 10_000;

/// One thing that is served, for `allod status`.
#[derive(Clone, Debug)]
pub struct Served {
    /// `http`, `s3` …
    pub listener: &'static str,
    /// Where.
    pub url: String,
    /// Which protocols.
    pub protocols: &'static str,
}

/// Says what the DNS must hold for a domain, and if asked whether it does.
pub type Dns = Arc<dyn Fn(String, bool) -> BoxFuture<'static, Result<Value, Failure>> + Send + Sync>;

/// What commands act on.
#[derive(Clone)]
pub struct Context {
    /// The opened store.
    pub operator: Operator,
    /// The version of this server.
    pub version: &'static str,
    /// The data directory, for people.
    pub data: String,
    /// What is served; empty while the server is stopped.
    pub served: Vec<Served>,
    /// When serving began; `None` while the server is stopped.
    pub started: Option<Instant>,
    /// Where S3 clients are to connect, for new credentials.
    pub s3_endpoint: String,
    /// The region that S3 clients are told.
    pub s3_region: String,
    /// What stands before the token in the URL of a published calendar, and behind it.
    pub calendar_link: (String, &'static str),
    /// What stands before the token in the link of an invitation.
    pub invitation_link: String,
    /// The DNS of mail.
    pub dns: Dns,
}

/// Hears of progress: a line for people.
pub type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Carries one command out.
///
/// # Errors
/// [`Failure`] with a line that says what to do.
pub async fn execute(context: &Context, request: Request, progress: Progress<'_>) -> Result<Value, Failure> {
    let operator = &context.operator;
    match request {
        Request::AccountAdd { name, emails, quota, password } => {
            let change = AccountChange {
                emails: Some(emails),
                quota: Some(quota),
                password: password.map(|password| password.0),
            };
            Ok(answer::account(&operator.add_account(&name, change).await?))
        }
        Request::AccountList => Ok(operator.accounts().await?.iter().map(answer::account).collect()),
        Request::AccountShow { name } => Ok(answer::account(&operator.account(&name).await?)),
        Request::AccountSet { name, emails, quota, password } => {
            let quota = quota.map(|bytes| (bytes > 0).then_some(bytes));
            let change = AccountChange { emails, quota, password: password.map(|password| password.0) };
            Ok(answer::account(&operator.change_account(&name, change).await?))
        }
        Request::AccountInvite { name } => {
            let token = operator.invite(&name).await?;
            let expires = operator.core().now().plus_secs(allod_core::INVITATION_SECS);
            let link = format!("{}{}", context.invitation_link, &*token);
            Ok(json!({"account": name, "link": link, "expires": crate::show_moment(expires)}))
        }
        Request::AccountRemove { name } => {
            operator.remove_account(&name).await?;
            Ok(json!({"removed": name}))
        }
        Request::AppAdd { account, label, grants, expires_secs } => {
            app_add(context, &account, &label, grants, expires_secs).await
        }
        Request::AppList { account } => {
            Ok(operator.credentials(account.as_deref()).await?.iter().map(answer::credential).collect())
        }
        Request::AppShow { id } => Ok(answer::credential(&operator.credential(&id).await?)),
        Request::AppRevoke { id } => {
            operator.revoke_credential(&id).await?;
            Ok(json!({"revoked": id}))
        }
        Request::Status => status(context).await,
        Request::Check { rebuild } => check(operator, rebuild, progress).await,
        Request::Collect => {
            let done = operator.core().collect(true).await?;
            Ok(json!({"contents": done.contents, "chunks": done.chunks, "orphans": done.orphans}))
        }
        Request::Audit { account, limit } => {
            let events = operator.audit(&account, limit.min(LIST_MAX)).await?;
            Ok(events.iter().map(answer::audit_event).collect())
        }
        Request::Birthdays { account } => {
            operator.want_birthdays(&account).await?;
            Ok(json!({"account": account, "birthdays": true}))
        }
        Request::ShareAdd { .. } | Request::ShareList { .. } | Request::ShareRemove { .. } => {
            sharing::share(operator, request).await
        }
        Request::LinkAdd { .. } | Request::LinkRemove { .. } => sharing::link(context, request).await,
        Request::Dns { domain, check } => (context.dns)(domain, check).await,
        Request::FilingList { .. } | Request::FilingAdd { .. } | Request::FilingRemove { .. } => {
            filing::filing(operator, request).await
        }
        Request::VacationShow { .. } | Request::VacationSet { .. } | Request::VacationOff { .. } => {
            filing::vacation(operator, request).await
        }
        Request::QueueList { .. } | Request::QueueRetry { .. } | Request::QueueDrop { .. } => {
            queue(operator, request).await
        }
        other => execute_history(operator, other).await,
    }
}

async fn queue(operator: &Operator, request: Request) -> Result<Value, Failure> {
    let queue = operator.queue();
    match request {
        Request::QueueList { account } => {
            let waiting = queue.list(account.as_deref(), LIST_MAX).await?;
            Ok(waiting.iter().flat_map(answer::queued).collect())
        }
        Request::QueueRetry { id } => {
            queue.retry(&id).await?;
            Ok(json!({"retried": id}))
        }
        Request::QueueDrop { id } => {
            queue.drop_mail(&id).await?;
            Ok(json!({"dropped": id}))
        }
        _ => Err(Failure::invalid("this server does not know that command")),
    }
}

async fn execute_history(operator: &Operator, request: Request) -> Result<Value, Failure> {
    match request {
        Request::History { account, path, app, limit } => {
            let app = app.map(CredentialId);
            let (session, path) = (operator.session(&account)?, read_path(&path)?);
            let lines = session.log(&path, app.as_ref(), limit.min(LIST_MAX)).await?;
            Ok(lines.iter().map(answer::log_line).collect())
        }
        Request::Versions { account, path } => {
            let versions = operator.session(&account)?.versions(&read_path(&path)?).await?;
            Ok(versions.iter().map(answer::version).collect())
        }
        Request::Trash { account, limit } => {
            let things = operator.session(&account)?.trash(limit.min(LIST_MAX)).await?;
            Ok(things.iter().map(answer::trashed).collect())
        }
        Request::Restore { account, path, at, seq, dry_run } => {
            let session = operator.session(&account)?;
            restore(operator, &session, &read_path(&path)?, at, seq, dry_run).await
        }
        Request::Undo { account, app, since, dry_run } => {
            let since = moment(operator, &since)?;
            let done = operator.session(&account)?.undo(&CredentialId(app), since, dry_run).await?;
            Ok(done.iter().map(answer::outcome).collect())
        }
        _ => Err(Failure::invalid("this server does not know that command")),
    }
}

async fn restore(
    operator: &Operator,
    session: &Session,
    path: &Path,
    at: Option<String>,
    seq: Option<u64>,
    dry_run: bool,
) -> Result<Value, Failure> {
    let done = match (at, seq) {
        (Some(at), None) => session.restore(path, moment(operator, &at)?, dry_run).await?,
        (None, Some(seq)) => session.restore_as_of(path, Seq(seq), dry_run).await?,
        _ => return Err(Failure::invalid("say as of when: --at TIME or --seq N")),
    };
    Ok(done.iter().map(answer::outcome).collect())
}

fn moment(operator: &Operator, text: &str) -> Result<allod_model::Timestamp, Failure> {
    let usage = "write a moment as 2026-11-24T18:30:00Z, 2026-11-24 18:30, or an age such as 2h or 3d";
    parse_moment(text, operator.core().now())
        .ok_or_else(|| Failure::invalid(format!("'{text}' is no moment; {usage}")))
}

pub fn read_path(text: &str) -> Result<Path, Failure> {
    Ok(Path::parse(text.as_bytes(), NameRule::Strict)?)
}

async fn app_add(
    context: &Context,
    account: &str,
    label: &str,
    grants: Vec<String>,
    expires_secs: Option<u64>,
) -> Result<Value, Failure> {
    let parsed: Vec<Grant> = grants
        .iter()
        .map(|text| parse_grant(text).map_err(|error| Failure::invalid(error.to_string())))
        .collect::<Result<_, _>>()?;
    let now = context.operator.core().now();
    let expires = expires_secs.map(|secs| now.plus_secs(i64::try_from(secs).unwrap_or(i64::MAX)));
    let new: NewCredential = context.operator.add_credential(account, label, parsed, expires).await?;
    Ok(json!({
        "id": new.id.0,
        "account": account,
        "label": label,
        "username": account,
        "password": *new.password,
        "grants": grants,
        "expires": expires.map(crate::show_moment),
        "s3": {
            "endpoint": context.s3_endpoint,
            "region": context.s3_region,
            "access_key": new.access_key,
            "secret_key": *new.secret_key,
        },
        "bearer": *new.bearer,
    }))
}

async fn status(context: &Context) -> Result<Value, Failure> {
    let sizes = context.operator.core().sizes().await?;
    let accounts = context.operator.accounts().await?;
    let served: Vec<_> = context
        .served
        .iter()
        .map(|s| json!({"listener": s.listener, "url": s.url, "protocols": s.protocols}))
        .collect();
    Ok(json!({
        "version": context.version,
        "running": context.started.is_some(),
        "uptime_secs": context.started.map(|at| at.elapsed().as_secs()),
        "healthy": context.operator.core().is_ready().await,
        "data": context.data,
        "listeners": served,
        "accounts": accounts.len(),
        "documents": accounts.iter().map(|a| a.documents).sum::<u64>(),
        "used_bytes": accounts.iter().map(|a| a.used).sum::<u64>(),
        "engine": sizes.engine,
        "metadata_bytes": sizes.metadata_bytes,
        "blob_bytes": sizes.blob_bytes,
        "disk_free_bytes": sizes.disk_free_bytes,
    }))
}

async fn check(operator: &Operator, rebuild: bool, progress: Progress<'_>) -> Result<Value, Failure> {
    let tell = |what: &str, count: u64| match count {
        0 => progress(&format!("checking {what}")),
        _ => progress(&format!("checking {what}: {count}")),
    };
    let report: CheckReport = operator.core().check(rebuild, &tell).await?;
    Ok(json!({
        "clean": report.is_clean(),
        "records": report.records,
        "accounts": report.accounts,
        "entries": report.entries,
        "contents": report.contents,
        "chunks": report.chunks,
        "chunk_bytes": report.chunk_bytes,
        "problems": report.problems,
        "problems_total": report.problems_total,
        "mended": report.mended,
    }))
}
