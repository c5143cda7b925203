//! A message that arrives at an account of this server: into its calendar and its inbox, in one commit.

use std::ops::ControlFlow;
use std::sync::Arc;

use allod_blobs::Finished;
use allod_formats::calendar::itip::{
    Ignored, Method, apply_cancel, apply_reply, apply_request, incoming, refresh,
};
use allod_meta::{Direction, KeyRange, Lookup};
use allod_model::{AccountId, EntryKey, Error, ErrorKind, Kind, Name, NameRule, NodeId, Result};
use bytes::Bytes;

use super::arrange::{OVERTAKEN_TRIES, is_overtaken, overtaken};
use super::calendars::{self, Located};
use super::job::{self, Job, JobId};
use super::making;
use super::route::{Outgoing, write};
use crate::access::Scope;
use crate::account::AccountHandle;
use crate::audit;
use crate::commit::Commit;
use crate::content::{Reader, Upload};
use crate::core::Core;
use crate::fault::Res;
use crate::keys::Keys;
use crate::node::PutOptions;
use crate::reading::Records;
use crate::record::{Actor, Entry, File, What, hex};
use crate::rules::Facts;
use crate::session::Session;
use crate::typed::Typed;
use crate::write::{new_file, short_digest};

/// Messages in an inbox: not every client looks there, so the oldest go when new ones come.
const INBOX_MESSAGES_MAX: u64 = 1_000;
/// People of this server who are told of each other's answers; in a larger circle everybody would be busy with it.
const REFRESHED_PEOPLE_MAX: usize = 100;
const MEDIA_TYPE: &str = "text/calendar; charset=utf-8";
/// The window that deliveries come by, as history shows it.
pub const PROTOCOL: &str = "scheduling";

/// Where a message comes from.
#[derive(Clone, Copy)]
pub enum Origin {
    /// An account of this server, by one of its jobs.
    Account(AccountId, JobId),
    /// A mail; the digest of its message.
    Mail([u8; 16]),
}

impl Origin {
    /// Names what it makes.
    fn name(self) -> String {
        match self {
            Origin::Account(account, id) => id.text(account),
            Origin::Mail(digest) => format!("mail-{}", hex(&digest)),
        }
    }

    /// Whether it came before.
    fn is_known(self, rows: &impl Lookup, keys: Keys) -> Res<bool> {
        match self {
            Origin::Account(account, id) => {
                Ok(job::last_from(rows, keys, account)?.is_some_and(|last| last >= id))
            }
            Origin::Mail(_) => {
                let Some(inbox) = calendars::inbox(rows, keys)? else { return Ok(false) };
                Ok(rows.get(&keys.entry(inbox.folder, &item_key(&self.name())?))?.is_some())
            }
        }
    }
}

fn item_key(name: &str) -> Res<EntryKey> {
    Ok(EntryKey::file(&Name::new(format!("{name}.ics").as_bytes(), NameRule::Strict)?))
}

/// What became of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was taken in, now or before. `more`: the recipient's account has messages of its own to send now.
    Done { more: bool },
    /// There was nothing to do.
    Nothing,
    /// It was refused: a code of RFC 6638 §3.2.9.
    Refused(&'static str),
}

/// What a message makes of a recipient's account.
struct Change {
    /// The object, as it was and as it is to be; none when it stays.
    object: Option<ObjectChange>,
    /// Refreshes to the other attendees.
    outgoing: Vec<Outgoing>,
}

struct ObjectChange {
    located: Option<Located>,
    folder: NodeId,
    bytes: Vec<u8>,
    facts: Facts,
    /// Whether the schedule-tag changes.
    consequential: bool,
}

/// Stored bytes and the pins that keep them: hold it until the commit is durable.
#[derive(Clone)]
pub struct Stored {
    upload: Arc<Upload>,
    finished: Arc<Finished>,
}

impl Core {
    /// A session of the server itself on an account, for deliveries.
    pub(crate) fn delivery_session(&self, account: Arc<AccountHandle>) -> Session {
        let actor = Actor { credential: None, protocol: PROTOCOL.into(), address: None };
        Session::new(self.clone(), account, Arc::new(Scope::unlimited()), actor, None, None)
    }

    /// Takes a message in. It changes the account once, however often it is delivered.
    ///
    /// # Errors
    /// What a later try can mend: `Unavailable`, `Busy`.
    pub(crate) async fn arrive(
        &self,
        recipient: Arc<AccountHandle>,
        origin: Origin,
        job: &Job,
        message: Vec<u8>,
    ) -> Result<Outcome> {
        let session = self.delivery_session(recipient.clone());
        let message = Arc::new(message);
        for _ in 0..OVERTAKEN_TRIES {
            match session.take_in(origin, job, &message).await {
                Err(error) if is_overtaken(&error) => continue,
                Err(error) => match error.kind {
                    ErrorKind::Unavailable | ErrorKind::Busy => return Err(error),
                    ErrorKind::InvalidContent | ErrorKind::UidConflict | ErrorKind::Denied => {
                        return Ok(Outcome::Refused("5.3"));
                    }
                    // What is wrong with one recipient must not hold up the others.
                    _ => {
                        tracing::warn!(%error, "a scheduling message could not be taken in");
                        return Ok(Outcome::Refused("5.1"));
                    }
                },
                Ok(outcome) => {
                    if matches!(outcome, Outcome::Done { .. }) && !job.silent {
                        let text = format!("{} of {} from {}", job.method().name(), job.uid, job.from);
                        let now = self.0.env.now();
                        let event = audit::event(now, "message-delivered", None, Some(PROTOCOL), None, text);
                        self.0.audit.push(recipient.id(), event);
                    }
                    return Ok(outcome);
                }
            }
        }
        Ok(Outcome::Refused("5.1"))
    }
}

impl Session {
    async fn take_in(&self, origin: Origin, job: &Job, message: &Arc<Vec<u8>>) -> Result<Outcome> {
        let view = self.view()?;
        let (keys, done) = (self.keys(), Outcome::Done { more: false });
        if origin.is_known(&view, keys)? {
            return Ok(done);
        }
        let Some(found) = incoming(message) else { return Ok(Outcome::Refused("5.3")) };
        let located = calendars::find_uid(&view, keys, &found.uid)?;
        let stored = match located.as_ref().and_then(|located| located.entry.file()) {
            Some(file) => {
                let reader = Reader::open(self.core(), self.handle(), &view, file.content)?;
                Some(reader.whole().await?)
            }
            None => None,
        };
        let (me, work, bytes) = (self.clone(), job.clone(), message.clone());
        let change =
            crate::core::blocking(move || me.change_for(&work, located, stored.as_deref(), &bytes)).await?;
        let change = match change {
            Ok(change) => change,
            Err(refused) => return Ok(refused),
        };
        let object = match &change.object {
            Some(object) => Some(self.keep(object.bytes.clone()).await?),
            None => None,
        };
        let item = match job.silent {
            false => Some(self.keep(message.to_vec()).await?),
            true => None,
        };
        let more = !change.outgoing.is_empty();
        let (change, name) = (Arc::new(change), origin.name());
        let about = calendars::home()?;
        let pins = (object.clone(), item.clone());
        let write = move |me: &Session, commit: &mut Commit| {
            if origin.is_known(&*commit.txn, commit.keys)? {
                return Ok(false);
            }
            if let (Some(object), Some(stored)) = (&change.object, &object) {
                put_object(commit, object, stored, &name)?;
            }
            if let Some(stored) = &item {
                put_item(commit, stored, &name)?;
            }
            me.check_quota(commit)?;
            write(commit, &change.outgoing)?;
            if let Origin::Account(account, id) = origin {
                job::remember(commit, account, id)?;
            }
            // The memory of a message that left nothing else behind must be written too.
            commit.touch_state();
            Ok(true)
        };
        let written = self.commit(&about, write).await?;
        // The pins must outlive the commit.
        drop(pins);
        Ok(Outcome::Done { more: more && written })
    }

    fn check_quota(&self, commit: &mut Commit) -> Res<()> {
        let used = commit.used()?;
        if self.handle().record().quota.is_some_and(|quota| used > quota) {
            return Err(Error::new(ErrorKind::OverQuota, "this would exceed the account's quota").into());
        }
        Ok(())
    }

    /// Stores bytes of the server's own.
    pub(crate) async fn keep(&self, bytes: Vec<u8>) -> Result<Stored> {
        let upload = Upload::new(self.core().clone(), self.handle().clone());
        let (account, key) = (self.handle().id().0, self.handle().key().clone());
        let writer = self.core().0.blobs.writer(account, key, upload.clone(), false);
        let body = futures_util::stream::iter([Ok(Bytes::from(bytes))]);
        let finished = self.receive(writer, &PutOptions::default(), 0, body).await?;
        Ok(Stored { upload, finished: Arc::new(finished) })
    }

    /// What a message changes; or why it changes nothing.
    fn change_for(
        &self,
        job: &Job,
        located: Option<Located>,
        stored: Option<&[u8]>,
        message: &[u8],
    ) -> Res<std::result::Result<Change, Outcome>> {
        let owner = self.owner();
        let nothing = Outcome::Nothing;
        let stays = |ignored: Ignored| match ignored {
            // A newer one was here before: it is still told of.
            Ignored::Old => Ok(Change { object: None, outgoing: Vec::new() }),
            // RFC 6638 §4.2: SHOULD be ignored; whoever sent it learns nothing of what is there.
            Ignored::NothingThere | Ignored::NotForOwner => Err(nothing.clone()),
            Ignored::Stranger | Ignored::Unreadable | Ignored::Method => Err(Outcome::Refused("5.3")),
        };
        let mut outgoing = Vec::new();
        let (bytes, consequential) = match (job.method(), stored) {
            (Method::Request, stored) => match apply_request(stored, message, &owner, job.asks_anew) {
                // RFC 6638 §3.2.10: a refresh alone never makes an object.
                Ok(_) if stored.is_none() && job.silent => return Ok(Err(nothing)),
                Ok(applied) => (applied.bytes, applied.consequential),
                Err(ignored) => return Ok(stays(ignored)),
            },
            (_, None) => return Ok(Err(nothing)),
            (Method::Cancel, Some(stored)) => match apply_cancel(stored, message, &owner) {
                Ok(applied) => (applied.bytes, applied.consequential),
                Err(ignored) => return Ok(stays(ignored)),
            },
            (Method::Reply, Some(stored)) => match apply_reply(stored, message, &job.from, &owner) {
                Ok(applied) => {
                    if applied.changed {
                        outgoing = self.refreshes(&applied.bytes, &job.from)?;
                    }
                    (applied.bytes, false)
                }
                Err(ignored) => return Ok(stays(ignored)),
            },
        };
        self.take_over(located, bytes, consequential, outgoing)
    }

    /// RFC 6638 §4.2: the other attendees hear of an answer. Only those of this server: nobody wants a mail for each.
    fn refreshes(&self, bytes: &[u8], replied: &str) -> Res<Vec<Outgoing>> {
        let view = self.view()?;
        let messages = refresh(bytes, replied, making(self.core().0.env.now())).unwrap_or_default();
        let outgoing = self.core().route(&view, self.handle().id(), messages, true)?.0;
        let people: usize = outgoing.iter().map(|out| out.local.len()).sum();
        Ok(if people > REFRESHED_PEOPLE_MAX { Vec::new() } else { outgoing })
    }

    fn take_over(
        &self,
        located: Option<Located>,
        bytes: Vec<u8>,
        consequential: bool,
        outgoing: Vec<Outgoing>,
    ) -> Res<std::result::Result<Change, Outcome>> {
        let name = Name::new(b"event.ics", NameRule::Strict)?;
        // RFC 6638 §4: what a calendar demands, it demands of deliveries too.
        let Ok(facts) = self.core().0.rules.of(Kind::Calendar)?.judge(&name, Some(&bytes)) else {
            return Ok(Err(Outcome::Refused("5.3")));
        };
        let component = facts.typed.as_deref().and_then(|typed| match typed {
            Typed::Event(event) => Some(event.component),
            Typed::Card(_) | Typed::Mail(_) => None,
        });
        let folder = match &located {
            Some(located) => located.folder,
            None => {
                let component = component.unwrap_or_default();
                match calendars::default_calendar(&self.view()?, self.keys(), component)? {
                    Some(calendar) => calendar.folder,
                    // RFC 6638 §4.3: MUST reject.
                    None => return Ok(Err(Outcome::Refused("5.3"))),
                }
            }
        };
        let object = Some(ObjectChange { located, folder, bytes, facts, consequential });
        Ok(Ok(Change { object, outgoing }))
    }
}

impl Stored {
    /// A file's row with these bytes as its content.
    pub fn file(&self, commit: &mut Commit, facts: &Facts) -> Res<File> {
        let finished = &self.finished;
        let content = self.upload.record(commit, finished.size, finished.digest.0, &finished.stored)?;
        Ok(File {
            content,
            size: finished.size,
            digest: short_digest(&finished.digest.0),
            media_type: facts.media_type.clone(),
            md5: None,
            uid: facts.uid.clone(),
            object: None,
            typed: facts.typed.clone(),
        })
    }
}

/// Writes the object that a message changed, if it is still as it was.
fn put_object(commit: &mut Commit, object: &ObjectChange, stored: &Stored, job: &str) -> Res<()> {
    let row = calendars::still_there(commit, object.folder)?.ok_or_else(overtaken)?;
    if row.kind != Kind::Calendar {
        return Err(overtaken());
    }
    let uid = object.facts.uid.clone().unwrap_or_default();
    let (key, old) = match &object.located {
        Some(located) => {
            let now = commit.entry(located.folder, &located.key)?;
            let content = |entry: &Entry| entry.file().map(|file| file.content);
            if now.as_ref().and_then(content) != content(&located.entry) {
                return Err(overtaken());
            }
            (located.key.clone(), now)
        }
        None => {
            if calendars::find_uid(&*commit.txn, commit.keys, &uid)?.is_some() {
                return Err(overtaken());
            }
            (calendars::new_name(commit, object.folder, &uid, job)?, None)
        }
    };
    check_unlocked(commit, object)?;
    let known =
        old.as_ref().and_then(Entry::file).and_then(|file| file.event()).and_then(|event| event.schedule);
    let mut file = stored.file(commit, &object.facts)?;
    if let Some(Typed::Event(event)) = file.typed.as_deref_mut() {
        // RFC 6638 §3.2.10
        event.schedule = known.filter(|_| !object.consequential).or(Some(commit.seq));
    }
    let entry = match old {
        None => new_file(commit, file, commit.now),
        Some(old) => {
            if let Some(properties) = old.properties {
                commit.retain(properties)?;
            }
            Entry { seq: commit.seq, modified: commit.now, what: What::File(file), ..old }
        }
    };
    commit.replace(object.folder, &key, Some(entry))
}

/// A lock taken at one door binds this one too.
fn check_unlocked(commit: &mut Commit, object: &ObjectChange) -> Res<()> {
    let Some(located) = &object.located else { return Ok(()) };
    let spot = crate::resolve::spot(&*commit.txn, commit.keys, &located.path)?;
    crate::lock::check(commit, &located.path, &spot, crate::lock::Touch::Content, &[])
}

/// Removes the member that has stood in a folder for the longest time.
fn drop_oldest(commit: &mut Commit, folder: NodeId) -> Res<()> {
    let prefix = commit.keys.changes(folder);
    let mut oldest = None;
    let range = KeyRange::prefix(&prefix);
    commit.txn.each_in(&range, Direction::Forward, prefix.len() + 8, &mut |key, live| {
        if live == [1] {
            oldest = Some(EntryKey::from_bytes(key));
        }
        Ok(if oldest.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    oldest.map_or(Ok(()), |key| commit.replace(folder, &key, None))
}

/// Writes a message into the inbox. An account without one does without it.
fn put_item(commit: &mut Commit, stored: &Stored, name: &str) -> Res<()> {
    let Some(inbox) = calendars::inbox(&*commit.txn, commit.keys)? else { return Ok(()) };
    if commit.folder(inbox.folder)?.members >= INBOX_MESSAGES_MAX {
        drop_oldest(commit, inbox.folder)?;
    }
    let key = item_key(name)?;
    let facts = Facts { media_type: Some(MEDIA_TYPE.to_owned()), ..Facts::default() };
    let file = stored.file(commit, &facts)?;
    let entry = new_file(commit, file, commit.now);
    commit.replace(inbox.folder, &key, Some(entry))
}
