//! Who did what, in pages, newest first: writes from the history, the rest from the audit log.

use std::ops::ControlFlow;

use allod_model::{CredentialId, Result, Seq};

use crate::fault::Res;
use crate::history::LogLine;
use crate::log::backward;
use crate::record::AuditEvent;
use crate::session::Session;

/// Commits of one page at most.
pub const ACTIVITY_PAGE_MAX: usize = 200;
/// Commits looked at for one page when only some are wanted; the page goes on from there.
const LOOKED_AT_MAX: usize = 20_000;
/// Changes of one commit that are told by path; a larger commit says how many there are.
const CHANGES_MAX: usize = 20;

/// Some of what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Commits, newest first.
    pub lines: Vec<ActivityLine>,
    /// Ask with this to go on; `None` at the end.
    pub next: Option<Seq>,
}

/// A commit, and how much of it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityLine {
    /// The commit; its changes are the first ones.
    pub line: LogLine,
    /// How many changes it has.
    pub changes: usize,
}

impl Session {
    /// A page of what was written in the account before the commit `before`, newest first, optionally by one
    /// credential or sign-in only.
    ///
    /// # Errors
    /// `Denied` for an app.
    pub async fn activity(
        &self,
        before: Option<Seq>,
        by: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Activity> {
        self.person()?;
        let (me, by) = (self.clone(), by.cloned());
        crate::core::blocking(move || me.activity_now(before, by.as_ref(), limit.min(ACTIVITY_PAGE_MAX)))
            .await
    }

    fn activity_now(&self, before: Option<Seq>, by: Option<&CredentialId>, limit: usize) -> Res<Activity> {
        let view = self.view()?;
        let mut activity = Activity { lines: Vec::new(), next: None };
        let mut looked_at = 0;
        backward(&view, self.keys(), before, &mut |seq, mut record| {
            looked_at += 1;
            if by.is_none() || record.actor.credential.as_ref() == by {
                let changes = record.deltas.len();
                record.deltas.truncate(CHANGES_MAX);
                activity.lines.push(ActivityLine { line: self.line(&view, seq, record)?, changes });
            }
            if activity.lines.len() < limit && looked_at < LOOKED_AT_MAX {
                return Ok(ControlFlow::Continue(()));
            }
            activity.next = Some(seq).filter(|seq| seq.0 > 1);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(activity)
    }

    /// The newest events of the account's audit log: sign-ins, apps made and revoked, refusals.
    ///
    /// # Errors
    /// `Denied` for an app.
    pub async fn events(&self, limit: usize) -> Result<Vec<AuditEvent>> {
        self.person()?;
        self.core().operator().audit(&self.account(), limit.min(ACTIVITY_PAGE_MAX)).await
    }
}
