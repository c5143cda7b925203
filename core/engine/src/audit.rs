//! The audit log: grants and refusals. Events gather in memory and are written in batches; those of the operator
//! (accounts, credentials) are written in the transaction that makes the change.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::ControlFlow;

use allod_meta::{Direction, KeyRange, Lookup, Txn};
use allod_model::{AccountId, CredentialId, Result, Timestamp};
use parking_lot::Mutex;

use crate::core::Core;
use crate::fault::Res;
use crate::keys::{GLOBAL_SHARD, global};
use crate::reading::Records;
use crate::record::{AuditEvent, LastUse, decode, encode};

/// Events waiting at most; more are counted and noted as one.
const QUEUE_EVENTS_MAX: usize = 1000;
/// Events kept per account; older ones are dropped.
pub const AUDIT_EVENTS_MAX: usize = 10_000;
/// Equal refusals within this time are noted once, in seconds.
const REPEAT_SECS: i64 = 60;

/// What waits to be written.
#[derive(Default)]
pub struct AuditQueue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    events: Vec<(AccountId, AuditEvent)>,
    dropped: u64,
    recent: HashMap<(AccountId, String), Timestamp>,
    uses: HashMap<CredentialId, LastUse>,
}

impl AuditQueue {
    /// Notes an event unless an equal one was noted within the last minute.
    pub fn push(&self, account: AccountId, event: AuditEvent) {
        let mut waiting = self.0.lock();
        let key = (account, format!("{} {:?} {}", event.event, event.credential, event.text));
        let now = event.time;
        if waiting.recent.get(&key).is_some_and(|at| now.secs() - at.secs() < REPEAT_SECS) {
            return;
        }
        if waiting.recent.len() >= QUEUE_EVENTS_MAX {
            waiting.recent.retain(|_, at| now.secs() - at.secs() < REPEAT_SECS);
        }
        if waiting.events.len() >= QUEUE_EVENTS_MAX || waiting.recent.len() >= QUEUE_EVENTS_MAX {
            waiting.dropped += 1;
            return;
        }
        waiting.recent.insert(key, now);
        waiting.events.push((account, event));
    }

    /// Notes that a credential was used.
    pub fn used(&self, credential: &CredentialId, last: LastUse) {
        let mut waiting = self.0.lock();
        match waiting.uses.get_mut(credential) {
            Some(known) => *known = last,
            None => drop(waiting.uses.insert(credential.clone(), last)),
        }
    }

    /// A use that is not written yet.
    pub fn last_use(&self, credential: &CredentialId) -> Option<LastUse> {
        self.0.lock().uses.get(credential).cloned()
    }
}

/// Builds an event about a request.
pub fn event(
    time: Timestamp,
    event: &str,
    credential: Option<&CredentialId>,
    protocol: Option<&str>,
    address: Option<IpAddr>,
    text: String,
) -> AuditEvent {
    AuditEvent {
        time,
        event: event.to_owned(),
        credential: credential.map(|id| id.0.clone()),
        protocol: protocol.map(str::to_owned),
        address: address.map(|a| a.to_string()),
        text,
    }
}

/// Writes an event inside a transaction of the global shard.
pub fn write(txn: &mut Txn<'_>, account: AccountId, event: &AuditEvent) -> Res<()> {
    let mut n = 0;
    while txn.get(&global::audit_event(account, event.time.0, n))?.is_some() {
        n += 1;
    }
    Ok(txn.put(&global::audit_event(account, event.time.0, n), &encode(event))?)
}

impl Core {
    /// Writes what gathered: audit events and last uses.
    pub(crate) async fn flush_notes(&self) -> Result<()> {
        let (events, uses, dropped) = {
            let mut waiting = self.0.audit.0.lock();
            let dropped = std::mem::take(&mut waiting.dropped);
            (std::mem::take(&mut waiting.events), std::mem::take(&mut waiting.uses), dropped)
        };
        if dropped > 0 {
            tracing::warn!(dropped, "more audit events came than can be kept");
        }
        let rights = self.unwritten_uses();
        if events.is_empty() && uses.is_empty() && rights.is_empty() {
            return Ok(());
        }
        self.transact(GLOBAL_SHARD, move |txn| {
            for (account, event) in &events {
                write(txn, *account, event)?;
            }
            for (credential, used) in &rights {
                if txn.get(&global::credential(&credential.0))?.is_some() {
                    txn.put(&global::used_rights(&credential.0), &encode(used))?;
                }
            }
            for (credential, last) in &uses {
                // A credential revoked meanwhile leaves nothing behind.
                if txn.get(&global::credential(&credential.0))?.is_some()
                    || crate::person::is_signed_in(txn, &credential.0)?
                {
                    txn.put(&global::last_use(&credential.0), &encode(last))?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Drops the oldest events of an account beyond [`AUDIT_EVENTS_MAX`].
    pub(crate) async fn trim_audit(&self, account: AccountId) -> Result<()> {
        let prefix = global::audit(account);
        let mut seen = 0;
        let mut old = Vec::new();
        let view = self.view()?;
        view.each_in(&KeyRange::prefix(&prefix), Direction::Backward, 0, &mut |key, _| {
            seen += 1;
            if seen > AUDIT_EVENTS_MAX {
                old.push(key.to_vec());
            }
            Ok(if old.len() < 10_000 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        if old.is_empty() {
            return Ok(());
        }
        self.transact(GLOBAL_SHARD, move |txn| Ok(old.iter().try_for_each(|key| txn.delete(key))?)).await
    }

    /// The newest `limit` events of an account, newest first.
    pub(crate) fn audit_events(&self, account: AccountId, limit: usize) -> Res<Vec<AuditEvent>> {
        let mut events = Vec::new();
        let range = KeyRange::prefix(&global::audit(account));
        self.view()?.each_in(&range, Direction::Backward, 0, &mut |_, value| {
            events.push(decode(value)?);
            Ok(if events.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(events)
    }
}
