//! An arriving mail finds its place.

use std::sync::Arc;

use allod_meta::Lookup;
use allod_model::{Path, Result, Timestamp};

use super::filing::{Arrival, Filing, Vacation, Verdict, filing, is_personal};
use crate::commit::Commit;
use crate::fault::Res;
use crate::keys::number_at;
use crate::mail::append::Part;
use crate::mail::folders::{SpecialUse, inbox};
use crate::mail::{Flags, StagedMessage};
use crate::session::Session;

/// What was done with a mail, and what is left to whoever sends mails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Mailboxes that have it, and its UID there.
    pub mailboxes: Vec<(Path, u32)>,
    /// Addresses that it is to be forwarded to.
    pub forward: Vec<String>,
    /// The answer to be sent to its author; it is noted that he got one.
    pub answer: Option<Vacation>,
}

impl Session {
    /// Puts an arriving mail where the account's rules say: durable in all its mailboxes or in none.
    ///
    /// # Errors
    /// `OverQuota`, `Denied`, `Unavailable`.
    pub async fn take_mail(&self, arrival: &Arrival, staged: StagedMessage) -> Result<Delivered> {
        let rules = filing(&self.view()?, self.handle())?;
        let junk = self.mailbox_for(SpecialUse::Junk).await?;
        let trash = self.mailbox_for(SpecialUse::Trash).await?;
        let verdict = rules.judge(arrival, staged.facts(), staged.size(), &junk, &trash);
        let Verdict { mailboxes, flags, keywords, forward } = verdict;
        let mailboxes = self.there(mailboxes).await?;
        let answer = self.answer(&rules, arrival, &staged);
        let part = Arc::new(Part::of(staged, flags, keywords));
        let (keep, targets, hash) = (part.clone(), mailboxes.clone(), answer.as_ref().map(|(_, hash)| *hash));
        let days = answer.as_ref().map_or(0, |(vacation, _)| vacation.days);
        let body = move |me: &Session, commit: &mut Commit| {
            let uids = me.append_everywhere(commit, &targets, &part)?;
            let answers = match hash {
                Some(hash) => note_answer(commit, &hash, days)?,
                None => false,
            };
            Ok((uids, answers))
        };
        let (uids, answers) = self.commit(&inbox(), body).await?;
        // The pins must outlive the commit.
        drop(keep);
        Ok(Delivered {
            mailboxes: mailboxes.into_iter().zip(uids).collect(),
            forward,
            answer: answer.map(|(vacation, _)| vacation).filter(|_| answers),
        })
    }

    /// Those mailboxes that are there; the inbox, made anew if it must be, when none is.
    async fn there(&self, wanted: Vec<Path>) -> Result<Vec<Path>> {
        let mut there = Vec::new();
        for path in wanted {
            if self.mailbox_status(&path).await.is_ok() {
                there.push(path);
            }
        }
        if there.is_empty() {
            if self.mailbox_status(&inbox()).await.is_err() {
                self.create_mailbox(&inbox(), None).await?;
            }
            there.push(inbox());
        }
        Ok(there)
    }

    /// The answer that a mail may get, and by what its author is remembered.
    fn answer(
        &self,
        rules: &Filing,
        arrival: &Arrival,
        staged: &StagedMessage,
    ) -> Option<(Vacation, [u8; 16])> {
        let vacation = rules.vacation.clone()?;
        let now = self.core().0.env.now();
        let away =
            vacation.from.is_none_or(|from| from <= now) && vacation.until.is_none_or(|until| now < until);
        let facts = staged.facts();
        let header = facts.header.as_deref().unwrap_or_default();
        if !away || !is_personal(arrival, &self.addresses(), &facts.facts, header) {
            return None;
        }
        let digest = self.handle().key().digest(arrival.from.to_lowercase().as_bytes()).0;
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        Some((vacation, hash))
    }
}

/// Notes that a sender gets an answer, unless he had one lately.
fn note_answer(commit: &mut Commit, hash: &[u8; 16], days: u32) -> Res<bool> {
    let row = commit.keys.answered(hash);
    let last = commit.txn.get(&row)?.and_then(|bytes| number_at(&bytes)).unwrap_or(0);
    let next = Timestamp(last as i64).plus_secs(i64::from(days.max(1)) * 86_400);
    if last > 0 && commit.now < next {
        return Ok(false);
    }
    commit.txn.put(&row, &(commit.now.0 as u64).to_be_bytes())?;
    Ok(true)
}

impl Part {
    fn of(staged: StagedMessage, flags: Flags, keywords: Vec<String>) -> Part {
        Part::new(staged, flags, keywords, None)
    }
}
