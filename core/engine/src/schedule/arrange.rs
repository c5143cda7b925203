//! What a write into a calendar means to others, found out before its commit and written with it.

use std::sync::Arc;

use allod_formats::calendar::itip::{
    self, Delivery, Message, Owner, Refusal, Standing, attendee_write, keep_answers, organizer_write,
    set_status,
};
use allod_formats::limits::OBJECT_BYTES_MAX;
use allod_meta::{Lookup, View};
use allod_model::{
    AccountId, ContentId, Detail, Error, ErrorKind, Kind, NodeId, Path, Precondition, Result, Seq,
};

use super::arrive::Stored;
use super::calendars::{check_not_default, find_uid, is_scheduled};
use super::job::{self, Job};
use super::making;
use crate::commit::Commit;
use crate::content::Reader;
use crate::core::Core;
use crate::fault::{Fault, Res};
use crate::keys::{Keys, global, number_at};
use crate::node::Want;
use crate::reading::Records;
use crate::record::{Entry, File, Folder, What, decode};
use crate::resolve::{find, folder_row, spot};
use crate::rules::Facts;
use crate::session::Session;

/// How often a write is arranged anew that another one overtook.
pub const OVERTAKEN_TRIES: usize = 8;
/// Objects of scheduling in a calendar that is removed.
const REMOVED_OBJECTS_MAX: usize = 10_000;
/// Messages that wait for somebody to fetch them, of one account.
const WAITING_MAX: usize = 10_000;

/// What is to be done along with a write into a calendar.
#[derive(Clone, Default)]
pub struct Arranged {
    /// What is to be stored, where it is not what was given.
    pub stored: Option<Vec<u8>>,
    /// Whether the new object is a scheduling object resource.
    pub scheduled: bool,
    /// What it was found out of; it must still be so in the commit.
    seen: Seen,
    outgoing: Arc<Vec<Outgoing>>,
}

/// What stood at the place of a write.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
enum Seen {
    /// It did not matter.
    #[default]
    Anything,
    /// Nothing that is scheduled.
    NothingScheduled,
    /// This content.
    Content(ContentId),
    /// A folder in this state.
    Folder(Seq),
}

/// A message and where it goes.
pub struct Outgoing {
    pub message: Message,
    /// Addresses of accounts of this server.
    pub local: Vec<(String, AccountId)>,
    /// Others.
    pub outside: Vec<String>,
    pub silent: bool,
}

/// A write that was overtaken by another one between looking and the commit.
pub fn overtaken() -> Fault {
    Error::new(ErrorKind::Busy, "the event changed meanwhile; try again").with(Detail::RetryAfter(0)).into()
}

/// Whether a write is to be arranged anew.
pub fn is_overtaken(error: &Error) -> bool {
    error.kind == ErrorKind::Busy && error.detail == Detail::RetryAfter(0)
}

pub fn refused(refusal: Refusal) -> Error {
    let error = Error::new(ErrorKind::InvalidContent, refusal.reason());
    error.with(Detail::Demand("CALDAV", refusal.precondition()))
}

impl Arranged {
    /// Demands that what was looked at is still there.
    pub fn demand(&self, old: Option<&Entry>) -> Res<()> {
        let content = old.and_then(Entry::file).map(|file| file.content);
        let holds = match self.seen {
            Seen::Anything | Seen::Folder(_) => true,
            Seen::NothingScheduled => !old.is_some_and(is_scheduled),
            Seen::Content(seen) => content == Some(seen),
        };
        if holds { Ok(()) } else { Err(overtaken()) }
    }

    /// As [`Arranged::demand`], for what is removed: an object, or a calendar with all its events.
    pub fn demand_removal(&self, commit: &mut Commit, entry: &Entry) -> Res<()> {
        if !entry.is_folder() {
            return self.demand(Some(entry));
        }
        check_not_default(commit, entry.node)?;
        let row = commit.folder(entry.node)?;
        match self.seen {
            Seen::Folder(seen) if seen != row.token => Err(overtaken()),
            _ => Ok(()),
        }
    }

    /// The commit that others must learn of, for the new object's facts.
    pub fn schedule(&self, commit: &Commit) -> Option<Seq> {
        self.scheduled.then_some(commit.seq)
    }

    /// Whether anybody is to hear of it.
    pub fn sends(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Writes the messages into the commit that makes them true.
    pub fn send(&self, commit: &mut Commit) -> Res<()> {
        write(commit, &self.outgoing)
    }
}

/// Writes messages into a commit of their sender's account.
pub fn write(commit: &mut Commit, outgoing: &[Outgoing]) -> Res<()> {
    write_all(commit, &outgoing.iter().collect::<Vec<_>>())
}

fn write_all(commit: &mut Commit, outgoing: &[&Outgoing]) -> Res<()> {
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
        let waiting = job::list(view, keys, job::OUTSIDE, None, WAITING_MAX)?.len();
        let mut room = WAITING_MAX - waiting;
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
                    None if silent => continue,
                    None if room == 0 => "5.1",
                    None => {
                        room -= 1;
                        out.outside.push(to.clone());
                        "1.1"
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

/// The object that a write meets.
struct Met {
    bytes: Vec<u8>,
    standing: Standing,
}

impl Session {
    /// The owner of the account's calendars.
    pub(crate) fn owner(&self) -> Owner {
        Owner::new(self.addresses())
    }

    /// Arranges a write by [`Session::put`].
    ///
    /// # Errors
    /// As [`Session::arrange`].
    pub(crate) async fn arrange_put(&self, path: &Path, new: &[u8], pre: &Precondition) -> Result<Arranged> {
        let old = {
            let view = self.view()?;
            spot(&view, self.keys(), path).ok().and_then(|spot| spot.file)
        };
        self.arrange(old.as_ref(), Some(new), pre, true).await
    }

    /// An object that was arranged elsewhere.
    pub(crate) fn filed(&self, bytes: &[u8]) -> Arranged {
        Arranged { scheduled: itip::standing(bytes, &self.owner()).is_scheduling(), ..Arranged::default() }
    }

    /// Arranges that `new` takes the place of `old` in a calendar; without `new`, that `old` goes. With `reply` off, an
    /// organizer hears nothing of what goes (RFC 6638 §8.1).
    ///
    /// # Errors
    /// `InvalidContent` with the demand of RFC 6638 §3.2.4 that the write fails.
    pub(crate) async fn arrange(
        &self,
        old: Option<&Entry>,
        new: Option<&[u8]>,
        pre: &Precondition,
        reply: bool,
    ) -> Result<Arranged> {
        let owner = self.owner();
        let scheduled = old.filter(|entry| is_scheduled(entry)).and_then(Entry::file);
        let now_standing = new.map_or(Standing::None, |new| itip::standing(new, &owner));
        if scheduled.is_none() && now_standing == Standing::None {
            return Ok(Arranged { seen: Seen::NothingScheduled, ..Arranged::default() });
        }
        let seen = match scheduled {
            Some(file) => Seen::Content(file.content),
            None => Seen::NothingScheduled,
        };
        let old_bytes = match scheduled {
            Some(file) => {
                let view = self.view()?;
                Some(Reader::open(self.core(), self.handle(), &view, file.content)?.whole().await?)
            }
            None => None,
        };
        let (me, new, pre) = (self.clone(), new.map(<[u8]>::to_vec), pre.clone());
        crate::core::blocking(move || {
            let met = old_bytes.map(|bytes| Met { standing: itip::standing(&bytes, &owner), bytes });
            let mut arranged = me.arranged(met, new.as_deref(), now_standing, &owner, &pre, reply)?;
            arranged.seen = seen;
            Ok(arranged)
        })
        .await
    }

    fn arranged(
        &self,
        old: Option<Met>,
        new: Option<&[u8]>,
        now_standing: Standing,
        owner: &Owner,
        pre: &Precondition,
        reply: bool,
    ) -> Res<Arranged> {
        let view = self.view()?;
        let making = making(self.core().0.env.now());
        let was = old.as_ref().map_or(Standing::None, |old| old.standing);
        let old = old.as_ref().map(|old| old.bytes.as_slice());
        if let Some(new) = new {
            itip::same_organizer(new).map_err(refused)?;
            if was == Standing::None && now_standing.is_scheduling() {
                self.check_unique(&view, new)?;
            }
        }
        // RFC 6638 §3.2.10.1: the client saw all but the answers that came meanwhile.
        let merged = match (was, old, new) {
            (Standing::Organizer, Some(old), Some(new)) if pre.if_schedule_tag.is_some() => {
                keep_answers(old, new, owner).map_err(refused)?
            }
            _ => None,
        };
        let given = merged.as_deref().or(new);
        let (mut stored, messages) = match (was, now_standing) {
            (Standing::Organizer, Standing::Attendee | Standing::OnHisOwn) => {
                return Err(refused(Refusal::OrganizerChange("an event keeps its organizer")).into());
            }
            (Standing::Attendee, Standing::Organizer | Standing::None) if new.is_some() => {
                let why = "an attendee neither takes an event over nor himself off its list";
                return Err(refused(Refusal::AttendeeChange(why)).into());
            }
            (Standing::Organizer, _) | (_, Standing::Organizer) => {
                let old = old.filter(|_| was == Standing::Organizer);
                let new = given.filter(|_| now_standing == Standing::Organizer);
                let strict = pre.if_match.is_some() && pre.if_schedule_tag.is_none();
                let write = organizer_write(old, new, owner, strict, making).map_err(refused)?;
                (write.stored, write.messages)
            }
            (Standing::Attendee, Standing::Attendee | Standing::None) | (_, Standing::Attendee) => {
                let old = old.filter(|_| was == Standing::Attendee);
                let new = given.filter(|_| now_standing == Standing::Attendee);
                let write = attendee_write(old, new, owner, making).map_err(refused)?;
                (write.stored, write.reply.into_iter().filter(|_| reply || new.is_some()).collect())
            }
            _ => (None, Vec::new()),
        };
        stored = stored.or(merged);
        let (outgoing, statuses) = self.core().route(&view, self.handle().id(), messages, false)?;
        if let Some(new) = new {
            let told = set_status(stored.as_deref().unwrap_or(new), &statuses).map_err(refused)?;
            stored = told.or(stored).filter(|stored| stored != new);
        }
        Ok(Arranged {
            stored,
            scheduled: now_standing.is_scheduling(),
            seen: Seen::Anything,
            outgoing: Arc::new(outgoing),
        })
    }

    /// RFC 6638 §3.2.4.1: one UID is scheduled in one calendar.
    fn check_unique(&self, view: &View, new: &[u8]) -> Res<()> {
        let Some(uid) = uid_of(new) else { return Ok(()) };
        match find_uid(view, self.keys(), &uid)?.filter(|found| is_scheduled(&found.entry)) {
            None => Ok(()),
            Some(found) => {
                let message = format!("{} has the same UID", found.path);
                let demand = Detail::Demand("CALDAV", "unique-scheduling-object-resource");
                Err(Error::new(ErrorKind::InvalidContent, message).with(demand).into())
            }
        }
    }

    /// Arranges that what stands at a path goes: an object, or a calendar with all that is in it (RFC 6638 §3.2.3.2).
    /// What will be refused anyway is arranged for nothing.
    pub(crate) async fn arrange_removal(&self, path: &Path, want: Want, reply: bool) -> Result<Arranged> {
        let found = {
            let view = self.view()?;
            match find(&view, self.keys(), path, want) {
                Ok((_, entry)) if entry.is_folder() => {
                    let row = folder_row(&view, self.keys(), entry.node)?;
                    Some((entry, Some(row)))
                }
                Ok((_, entry)) => Some((entry, None)),
                Err(_) => None,
            }
        };
        match found {
            None => Ok(Arranged::default()),
            Some((entry, None)) => self.arrange(Some(&entry), None, &Precondition::default(), reply).await,
            Some((entry, Some(row))) => self.arrange_calendar(entry.node, &row, reply).await,
        }
    }

    async fn arrange_calendar(&self, folder: NodeId, row: &Folder, reply: bool) -> Result<Arranged> {
        if row.kind != Kind::Calendar {
            return Ok(Arranged::default());
        }
        let (me, keys) = (self.clone(), self.keys());
        let members = crate::core::blocking(move || scheduled_members(&me.view()?, keys, folder)).await?;
        let mut outgoing = Vec::new();
        for entry in &members {
            let one = self.arrange(Some(entry), None, &Precondition::default(), reply).await?;
            outgoing.extend(Arc::try_unwrap(one.outgoing).unwrap_or_default());
        }
        Ok(Arranged { seen: Seen::Folder(row.token), outgoing: Arc::new(outgoing), ..Arranged::default() })
    }

    /// Arranges that a file comes into a calendar, or goes out of one, by a move or a copy (RFC 6638 §3.2.3.3 and
    /// §3.2.3.4). `copy`: what stands at `from` stays there.
    ///
    /// # Errors
    /// As [`Session::arrange`].
    pub(crate) async fn arrange_transfer(&self, from: &Path, to: &Path, copy: bool) -> Result<Transfer> {
        let look = || -> Res<Option<(Entry, Kind, Kind, Option<Entry>)>> {
            let view = self.view()?;
            let Ok((_, entry)) = find(&view, self.keys(), from, Want::Any) else { return Ok(None) };
            let (Ok(source), Ok(target)) = (spot(&view, self.keys(), from), spot(&view, self.keys(), to))
            else {
                return Ok(None);
            };
            let kind = |id| folder_row(&view, self.keys(), id).map(|row| row.kind);
            Ok(Some((entry, kind(source.parent())?, kind(target.parent())?, target.file)))
        };
        let Some((entry, source, target, replaced)) = look()? else { return Ok(Transfer::default()) };
        let pre = Precondition::default();
        let Some(file) = entry.file() else { return Ok(Transfer::default()) };
        let mut transfer = Transfer::default();
        match (source, target) {
            (Kind::Calendar, Kind::Calendar) => {
                if copy && is_scheduled(&entry) {
                    let why = "an event that people were invited to stands in one calendar";
                    let demand = Detail::Demand("CALDAV", "unique-scheduling-object-resource");
                    return Err(Error::new(ErrorKind::InvalidContent, why).with(demand));
                }
                transfer.keeps = is_scheduled(&entry);
                // What is replaced goes.
                transfer.target = self.arrange(replaced.as_ref(), None, &pre, true).await?;
            }
            (Kind::Calendar, _) if !copy => {
                transfer.source = self.arrange(Some(&entry), None, &pre, true).await?
            }
            (Kind::Calendar, _) => {}
            (_, Kind::Calendar) if file.size <= OBJECT_BYTES_MAX as u64 => {
                let reader = Reader::open(self.core(), self.handle(), &self.view()?, file.content)?;
                let bytes = reader.whole().await?;
                transfer.target = self.arrange(replaced.as_ref(), Some(&bytes), &pre, true).await?;
                if let Some(stored) = transfer.target.stored.take() {
                    transfer.stored = Some(self.keep(stored).await?);
                }
            }
            _ => {}
        }
        Ok(transfer)
    }
}

/// What scheduling does along with a move or a copy.
#[derive(Clone, Default)]
pub struct Transfer {
    source: Arranged,
    target: Arranged,
    /// What is stored instead of what came.
    stored: Option<Stored>,
    /// Moved between calendars: it is scheduled as it was.
    keeps: bool,
}

impl Transfer {
    pub fn sends(&self) -> bool {
        self.source.sends() || self.target.sends()
    }

    /// Whether what is stored is not what came.
    pub fn alters(&self) -> bool {
        self.stored.is_some()
    }

    /// Does its part in the commit, before the entry `moved` is put in place of `replaced`. Gives the content that the
    /// entry must not name any more, if it was changed.
    pub fn apply(
        &self,
        commit: &mut Commit,
        original: &Entry,
        replaced: Option<&Entry>,
        moved: &mut Entry,
    ) -> Res<()> {
        self.source.demand(Some(original))?;
        self.target.demand(replaced)?;
        if let What::File(file) = &mut moved.what {
            if let Some(stored) = &self.stored {
                let facts = Facts {
                    uid: file.uid.clone(),
                    media_type: file.media_type.clone(),
                    typed: file.typed.clone(),
                };
                let given = file.content;
                *file = File { object: file.object.clone(), ..stored.file(commit, &facts)? };
                commit.release(given)?;
            }
            let scheduled = self.target.scheduled || self.keeps;
            file.schedule_at(scheduled.then_some(commit.seq));
        }
        let all: Vec<&Outgoing> = self.source.outgoing.iter().chain(self.target.outgoing.iter()).collect();
        write_all(commit, &all)
    }
}

fn scheduled_members(rows: &impl Lookup, keys: Keys, folder: NodeId) -> Res<Vec<Entry>> {
    let prefix = keys.entries(folder);
    let mut found = Vec::new();
    let range = allod_meta::KeyRange::prefix(&prefix);
    rows.each_in(&range, allod_meta::Direction::Forward, prefix.len(), &mut |_, value| {
        let entry: Entry = decode(value)?;
        if is_scheduled(&entry) {
            found.push(entry);
        }
        let more = found.len() < REMOVED_OBJECTS_MAX;
        Ok(if more { std::ops::ControlFlow::Continue(()) } else { std::ops::ControlFlow::Break(()) })
    })?;
    Ok(found)
}

fn uid_of(bytes: &[u8]) -> Option<String> {
    let document = allod_formats::Document::parse(bytes, allod_formats::Limits::default()).ok()?;
    let object = allod_formats::calendar::Object::of(&document).ok()?;
    let uid = object.components().iter().find_map(|component| component.value("UID"))?.trim().to_owned();
    Some(uid)
}
