//! How core's answers look as JSON.

use allod_core::post::{Queued, QueuedRecipient, RecipientState};
use allod_core::{AccountInfo, Action, AuditEvent, CredentialInfo, LogLine, Outcome, Trashed, Version};
use allod_model::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::moment::show_moment;

/// Why a command failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// A word for machines: `not-found`, `exists`, `invalid` …
    pub code: String,
    /// One line that says what to do.
    pub message: String,
}

impl Failure {
    /// A command that cannot be understood.
    pub fn invalid(message: impl Into<String>) -> Self {
        Failure { code: "invalid".into(), message: message.into() }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.kind {
            ErrorKind::NotFound => "not-found",
            ErrorKind::Exists => "exists",
            ErrorKind::NotEmpty => "not-empty",
            ErrorKind::WrongKind => "wrong-kind",
            ErrorKind::InvalidContent => "invalid",
            ErrorKind::UidConflict => "uid-conflict",
            ErrorKind::PreconditionFailed => "precondition-failed",
            ErrorKind::Locked => "locked",
            ErrorKind::Denied => "denied",
            ErrorKind::Unauthenticated => "unauthenticated",
            ErrorKind::OverQuota => "over-quota",
            ErrorKind::TooLarge => "too-large",
            ErrorKind::HorizonPassed => "horizon-passed",
            ErrorKind::Busy => "busy",
            ErrorKind::Corrupt => "corrupt",
            ErrorKind::Unavailable => "unavailable",
        };
        Failure { code: code.into(), message: error.message }
    }
}

pub fn account(info: &AccountInfo) -> Value {
    json!({
        "name": info.name,
        "emails": info.emails,
        "quota": info.quota,
        "created": show_moment(info.created),
        "web_password": info.has_password,
        "used_bytes": info.used,
        "documents": info.documents,
        "commits": info.seq.0,
        "apps": info.credentials,
    })
}

pub fn credential(info: &CredentialInfo) -> Value {
    let last = info.last_use.as_ref().map(|last| {
        json!({
            "time": show_moment(last.time),
            "protocol": last.protocol,
            "address": last.address,
            "client": last.client,
        })
    });
    json!({
        "id": info.id.0,
        "account": info.account,
        "label": info.label,
        "grants": info.grants.iter().map(|grant| &grant.text).collect::<Vec<_>>(),
        "created": show_moment(info.created),
        "expires": info.expires.map(show_moment),
        "last_use": last,
        "s3_access_key": info.access_key,
    })
}

pub fn log_line(line: &LogLine) -> Value {
    let changes: Vec<_> =
        line.changes.iter().map(|(path, what)| json!({"path": path, "what": what})).collect();
    json!({
        "seq": line.seq.0,
        "time": show_moment(line.time),
        "app": line.credential.as_ref().map(|id| &id.0),
        "protocol": line.protocol,
        "address": line.address,
        "changes": changes,
    })
}

pub fn version(version: &Version) -> Value {
    json!({
        "seq": version.seq.0,
        "until": version.until.0,
        "size": version.size,
        "etag": version.etag.0,
        "modified": show_moment(version.modified),
    })
}

pub fn trashed(thing: &Trashed) -> Value {
    json!({
        "path": thing.path,
        "seq": thing.seq.0,
        "removed": show_moment(thing.time),
        "app": thing.credential.as_ref().map(|id| &id.0),
        "size": thing.size,
    })
}

pub fn outcome(outcome: &Outcome) -> Value {
    let (action, reason) = match &outcome.action {
        Action::Restored => ("restored", None),
        Action::Removed => ("removed", None),
        Action::Skipped(reason) => ("skipped", Some(reason)),
    };
    json!({"path": outcome.path, "action": action, "reason": reason})
}

/// One row for each recipient of a mail that waits.
pub fn queued(mail: &Queued) -> Vec<Value> {
    let row = |one: &QueuedRecipient| {
        let state = match one.state {
            RecipientState::Waiting => "waiting",
            RecipientState::Delivered => "delivered",
            RecipientState::Failed => "failed",
        };
        json!({
            "id": mail.id,
            "account": mail.account,
            "from": mail.envelope.from,
            "to": one.recipient.address,
            "state": state,
            "tries": one.tries,
            "since": show_moment(mail.since),
            "next": show_moment(one.next),
            "size": mail.size,
            "answer": one.answer,
        })
    };
    mail.recipients.iter().map(row).collect()
}

pub fn audit_event(event: &AuditEvent) -> Value {
    json!({
        "time": show_moment(event.time),
        "event": event.event,
        "app": event.credential,
        "protocol": event.protocol,
        "address": event.address,
        "text": event.text,
    })
}
