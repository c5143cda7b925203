//! Which way each message goes, and its rows in the commit that makes it true.

use allod_formats::calendar::itip::{self, Delivery, Message};
use allod_meta::{Lookup, View};
use allod_model::AccountId;

use super::job::{self, Job};
use crate::commit::Commit;
use crate::core::Core;
use crate::fault::Res;
use crate::keys::{Keys, global, number_at};

/// Messages that wait for somebody to fetch them, of one account.
const WAITING_MAX: usize = 10_000;

/// A message and where it goes.
pub struct Outgoing {
    pub message: Message,
    /// Addresses of accounts of this server.
    pub local: Vec<(String, AccountId)>,
    /// Others.
    pub outside: Vec<String>,
    pub silent: bool,
}

/// Writes messages into a commit of their sender's account.
pub fn write(commit: &mut Commit, outgoing: &[Outgoing]) -> Res<()> {
    write_all(commit, &outgoing.iter().collect::<Vec<_>>())
}

pub fn write_all(commit: &mut Commit, outgoing: &[&Outgoing]) -> Res<()> {
    let now = commit.now;
    for (number, out) in outgoing.iter().enumerate() {
        let local = out.local.iter().map(|(to, account)| (to, Some(*account)));
        let all = local.chain(out.outside.iter().map(|to| (to, None)));
        let jobs: Vec<Job> =
            all.map(|(to, account)| Job::of(&out.message, to.clone(), account, out.silent, now)).collect();
        if !jobs.is_empty() {
            job::write(commit, number as u32, &out.message, &jobs)?;
        }
    }
    Ok(())
}

impl Core {
    /// The account that a calendar user address belongs to.
    pub(crate) fn account_of_address(&self, rows: &impl Lookup, address: &str) -> Res<Option<AccountId>> {
        let canonical = itip::canonical_address(address);
        let Some(email) = canonical.strip_prefix("mailto:") else { return Ok(None) };
        let row = rows.get(&global::account_with_email(email))?;
        Ok(row.and_then(|row| number_at(&row)).map(AccountId))
    }

    /// Finds the way for each message, and says what is to be told of it in the object.
    pub(crate) fn route(
        &self,
        view: &View,
        sender: AccountId,
        messages: Vec<Message>,
        silent: bool,
    ) -> Res<(Vec<Outgoing>, Vec<Delivery>)> {
        let (mut outgoing, mut statuses) = (Vec::new(), Vec::new());
        let keys = Keys::new(sender);
        // Counted when the first message to elsewhere comes.
        let mut room = None;
        for message in messages {
            let mut out = Outgoing { message, local: Vec::new(), outside: Vec::new(), silent };
            for to in std::mem::take(&mut out.message.to) {
                // RFC 6638 §3.2.9
                let status = match self.account_of_address(view, &to)? {
                    // Another address of the sender's own.
                    Some(account) if account == sender => continue,
                    Some(account) => {
                        out.local.push((to.clone(), account));
                        "1.2"
                    }
                    None if !itip::canonical_address(&to).starts_with("mailto:")
                        || self.is_own_domain(&to) =>
                    {
                        "3.7"
                    }
                    None if silent || out.message.follows_cancel => continue,
                    None => {
                        let free = match room {
                            Some(free) => free,
                            None => {
                                WAITING_MAX - job::list(view, keys, job::OUTSIDE, None, WAITING_MAX)?.len()
                            }
                        };
                        room = Some(free.saturating_sub(1));
                        if free > 0 {
                            out.outside.push(to.clone());
                        }
                        if free > 0 { "1.1" } else { "5.1" }
                    }
                };
                statuses.push(Delivery { address: to, status: status.to_owned() });
            }
            if !out.local.is_empty() || !out.outside.is_empty() {
                outgoing.push(out);
            }
        }
        Ok((outgoing, statuses))
    }
}
