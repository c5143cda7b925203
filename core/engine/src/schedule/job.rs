//! Messages on their way, as rows of the sender's account.

use std::ops::ControlFlow;

use allod_formats::calendar::itip::{Message, Method};
use allod_meta::{KeyRange, Lookup};
use allod_model::{AccountId, Seq, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account::AccountHandle;
use crate::commit::{Commit, missing};
use crate::fault::Res;
use crate::keys::{Keys, number_at};
use crate::reading::Records;
use crate::record::{decode, encode};

/// Bytes of a message in one row.
const PIECE_BYTES: usize = 32 * 1024;

/// Jobs to accounts of this server, and to anybody else.
pub const LOCAL: u8 = 0;
pub const OUTSIDE: u8 = 3;
const PIECES: u8 = 1;
const LAST: u8 = 2;
const DEFAULT_CALENDAR: u8 = 4;

/// A job's number: the commit that made it, the message within it, the recipient.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct JobId(pub Seq, pub u32, pub u32);

/// One message to one recipient.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Job {
    pub from: String,
    pub to: String,
    /// The recipient's account; `None` for anybody else.
    pub account: Option<AccountId>,
    pub method: u8,
    pub uid: String,
    pub summary: Option<String>,
    /// See [`Message::asks_anew`].
    pub asks_anew: bool,
    /// A refresh: it changes the recipient's object and leaves nothing in his inbox.
    pub silent: bool,
    pub made: Timestamp,
    /// How many rows its bytes take.
    pub pieces: u32,
    /// A claim of earlier versions, which lay here. Deliberately not looked at: whoever made it is gone.
    pub claimed_before: Timestamp,
}

impl Job {
    pub fn of(
        message: &Message,
        to: String,
        account: Option<AccountId>,
        silent: bool,
        now: Timestamp,
    ) -> Job {
        Job {
            from: message.from.clone(),
            to,
            account,
            method: match message.method {
                Method::Request => 0,
                Method::Reply => 1,
                Method::Cancel => 2,
            },
            uid: message.uid.clone(),
            summary: message.summary.clone(),
            asks_anew: message.asks_anew,
            silent,
            made: now,
            pieces: message.bytes.len().div_ceil(PIECE_BYTES) as u32,
            claimed_before: Timestamp(0),
        }
    }

    pub fn method(&self) -> Method {
        match self.method {
            0 => Method::Request,
            1 => Method::Reply,
            _ => Method::Cancel,
        }
    }

    pub fn part(&self) -> u8 {
        if self.account.is_some() { LOCAL } else { OUTSIDE }
    }
}

impl JobId {
    /// As text: what it made in a recipient's inbox is named by it.
    pub fn text(self, sender: AccountId) -> String {
        format!("{:x}-{:x}-{:x}-{:x}", sender.0, self.0.0, self.1, self.2)
    }

    pub fn parse(text: &str) -> Option<(AccountId, JobId)> {
        let mut parts = text.split('-').map(|part| u64::from_str_radix(part, 16).ok());
        let mut next = || parts.next().flatten();
        let (account, seq, message, recipient) = (next()?, next()?, next()?, next()?);
        let id = JobId(Seq(seq), u32::try_from(message).ok()?, u32::try_from(recipient).ok()?);
        parts.next().is_none().then_some((AccountId(account), id))
    }

    pub fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.0.0.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.1.to_be_bytes());
        bytes[12..].copy_from_slice(&self.2.to_be_bytes());
        bytes
    }

    pub fn read(bytes: &[u8]) -> Option<JobId> {
        let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        Some(JobId(Seq(number_at(bytes)?), word(8)?, word(12)?))
    }

    fn message(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&self.bytes()[..12]);
        bytes
    }
}

pub fn row(keys: Keys, part: u8, id: JobId) -> Vec<u8> {
    [keys.schedule(part), id.bytes().to_vec()].concat()
}

fn of_message(keys: Keys, part: u8, id: JobId) -> Vec<u8> {
    [keys.schedule(part), id.message().to_vec()].concat()
}

fn piece_row(keys: Keys, id: JobId, piece: u32) -> Vec<u8> {
    [of_message(keys, PIECES, id), piece.to_be_bytes().to_vec()].concat()
}

fn context(id: JobId, piece: u32) -> Vec<u8> {
    [b"schedule".as_slice(), &id.message(), &piece.to_be_bytes()].concat()
}

/// Writes a message and its jobs into the sender's commit. `number` is the message's place in the commit.
pub fn write(commit: &mut Commit, number: u32, message: &Message, jobs: &[Job]) -> Res<()> {
    let (keys, seq) = (commit.keys, commit.seq);
    let id = JobId(seq, number, 0);
    for (piece, bytes) in message.bytes.chunks(PIECE_BYTES).enumerate() {
        let piece = piece as u32;
        let sealed = commit.account.key().seal_inline(&context(id, piece), bytes);
        commit.txn.put(&piece_row(keys, id, piece), &sealed)?;
    }
    for (recipient, job) in jobs.iter().enumerate() {
        let id = JobId(seq, number, recipient as u32);
        commit.txn.put(&row(keys, job.part(), id), &encode(job))?;
    }
    Ok(())
}

/// The bytes of a job's message.
pub fn bytes(rows: &impl Lookup, sender: &AccountHandle, id: JobId, job: &Job) -> Res<Vec<u8>> {
    let mut bytes = Vec::new();
    for piece in 0..job.pieces {
        let sealed = rows.get(&piece_row(sender.keys(), id, piece))?;
        let sealed = sealed.ok_or_else(|| missing("a piece of a scheduling message"))?;
        bytes.extend_from_slice(&sender.key().open_inline(&context(id, piece), &sealed)?);
    }
    Ok(bytes)
}

/// Jobs of one part in their order, as many as `most`, after one of them.
pub fn list(
    rows: &impl Lookup,
    keys: Keys,
    part: u8,
    after: Option<JobId>,
    most: usize,
) -> Res<Vec<(JobId, Job)>> {
    let prefix = keys.schedule(part);
    let mut range = KeyRange::prefix(&prefix);
    if let Some(after) = after {
        range = range.after(&row(keys, part, after));
    }
    let mut found = Vec::new();
    if most == 0 {
        return Ok(found);
    }
    rows.each_in(&range, allod_meta::Direction::Forward, prefix.len(), &mut |key, value| {
        if let Some(id) = JobId::read(key) {
            found.push((id, decode(value)?));
        }
        Ok(if found.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(found)
}

/// Takes a job out, and its message with the last one.
pub fn finish(commit: &mut Commit, part: u8, id: JobId) -> Res<()> {
    let keys = commit.keys;
    commit.txn.delete(&row(keys, part, id))?;
    for part in [LOCAL, OUTSIDE] {
        if !commit.txn.scan_prefix(&of_message(keys, part, id), None, 1)?.is_empty() {
            return Ok(());
        }
    }
    let pieces = commit.txn.scan_prefix(&of_message(keys, PIECES, id), None, usize::MAX)?;
    Ok(pieces.iter().try_for_each(|(key, _)| commit.txn.delete(key))?)
}

/// The last job that came to an account from a sender.
pub fn last_from(rows: &impl Lookup, keys: Keys, sender: AccountId) -> Res<Option<JobId>> {
    Ok(rows.get(&last_row(keys, sender))?.and_then(|bytes| JobId::read(&bytes)))
}

pub fn remember(commit: &mut Commit, sender: AccountId, id: JobId) -> Res<()> {
    let row = last_row(commit.keys, sender);
    Ok(commit.txn.put(&row, &id.bytes())?)
}

fn last_row(keys: Keys, sender: AccountId) -> Vec<u8> {
    [keys.schedule(LAST), sender.0.to_be_bytes().to_vec()].concat()
}

pub fn default_calendar_row(keys: Keys) -> Vec<u8> {
    keys.schedule(DEFAULT_CALENDAR)
}
