//! GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208): the account's tree is one quota root, `""`.

use allod_core::Quota;

use super::Conversation;
use crate::syntax::ast::Mailbox;
use crate::wire::{Abort, Code, Completion, Output};

/// RFC 9208 §5.1: STORAGE is counted in units of so many octets.
const UNIT_BYTES: u64 = 1024;

impl Conversation {
    pub(super) async fn get_quota(&mut self, root: String, out: &mut Output) -> Result<Completion, Abort> {
        let quota = self.session.quota().await?;
        if !root.is_empty() || quota.limit.is_none() {
            return Ok(Completion::no(Code::NON_EXISTENT, "There is no such quota root"));
        }
        tell_quota(out, &quota);
        Ok(Completion::ok("Quota told"))
    }

    pub(super) async fn get_quota_root(
        &mut self,
        mailbox: Mailbox,
        out: &mut Output,
    ) -> Result<Completion, Abort> {
        let place = self.place(&mailbox).await?;
        place.session.mailbox_status(&place.path).await?;
        out.raw("* QUOTAROOT ").mailbox(&mailbox.0);
        let quota = self.session.quota().await?;
        // How full another account is concerns that one.
        if place.lent.is_some() || quota.limit.is_none() {
            out.end();
            return Ok(Completion::ok("There is no limit of this account"));
        }
        out.raw(" \"\"\r\n");
        tell_quota(out, &quota);
        Ok(Completion::ok("Quota told"))
    }

    pub(super) fn set_quota(&self) -> Completion {
        Completion::no(Code::NO_PERM, "The operator sets quotas")
    }
}

fn tell_quota(out: &mut Output, quota: &Quota) {
    let Some(limit) = quota.limit else { return };
    out.raw("* QUOTA \"\" (STORAGE ").number(quota.used.div_ceil(UNIT_BYTES));
    out.raw(" ").number(limit / UNIT_BYTES).raw(")\r\n");
}
