//! What a write into a calendar means to others, found out before its commit and written with it.

use std::sync::Arc;

use allod_formats::calendar::itip::{
    self, Making, Message, Method, Owner, Refusal, Standing, attendee_write, keep_answers, organizer_write,
    set_status,
};
use allod_meta::{Lookup, View};
use allod_model::{ContentId, Detail, Error, ErrorKind, Kind, NodeId, Path, Precondition, Result, Seq};

use super::calendars::{check_not_default, find_uid, home, is_scheduled};
use super::making;
use super::route::{Outgoing, write};
use crate::commit::Commit;
use crate::content::Reader;
use crate::fault::{Fault, Res};
use crate::keys::Keys;
use crate::node::Want;
use crate::reading::Records;
use crate::record::{Entry, Folder, What, decode};
use crate::resolve::{find, folder_row, spot};
use crate::session::Session;

/// How often a write is arranged anew that another one overtook.
pub const OVERTAKEN_TRIES: usize = 8;
/// Objects of scheduling in a calendar that is removed.
const REMOVED_OBJECTS_MAX: usize = 10_000;
/// Folders and entries below one that is removed that are looked at.
const REMOVED_FOLDERS_MAX: usize = 1_000;
const REMOVED_ENTRIES_MAX: usize = 100_000;

/// What is to be done along with a write into a calendar.
#[derive(Clone, Default)]
pub struct Arranged {
    /// What is to be stored, where it is not what was given.
    pub stored: Option<Vec<u8>>,
    /// Whether the new object is a scheduling object resource.
    pub scheduled: bool,
    /// What it was found out of; it must still be so in the commit.
    seen: Seen,
    pub(super) outgoing: Arc<Vec<Outgoing>>,
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
    /// A folder in which, at any depth, this was the last change.
    Folder(Seq),
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
            Seen::Folder(seen) if seen != row.below => Err(overtaken()),
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
        let was = old.as_ref().map_or(Standing::None, |old| old.standing);
        if let (Some(was), Some(now)) = (&old, new)
            && uid_of(&was.bytes) != uid_of(now)
        {
            // Another event in the same place: the one goes, the other comes.
            let gone = self.arranged(old, None, Standing::None, owner, pre, reply)?;
            let mut come = self.arranged(None, new, now_standing, owner, pre, reply)?;
            let both = [gone.outgoing, come.outgoing].into_iter();
            come.outgoing = Arc::new(both.flat_map(|one| Arc::try_unwrap(one).unwrap_or_default()).collect());
            return Ok(come);
        }
        let old = old.as_ref().map(|old| old.bytes.as_slice());
        if let Some(new) = new {
            itip::same_organizer(new).map_err(refused)?;
            if was == Standing::None && now_standing.is_scheduling() {
                self.check_unique(&view, new)?;
            }
        }
        // RFC 6638 §3.2.10.1: the client saw all but the answers that came meanwhile. One that says nothing of what it
        // saw may know no answer either; they are not its to lose.
        let merged = match (was, old, new) {
            (Standing::Organizer, Some(old), Some(new))
                if pre.if_match.is_none() || pre.if_schedule_tag.is_some() =>
            {
                keep_answers(old, new, owner).map_err(refused)?
            }
            _ => None,
        };
        let given = merged.as_deref().or(new);
        let change = Change {
            was,
            now: now_standing,
            owner,
            strict: pre.if_match.is_some() && pre.if_schedule_tag.is_none(),
            making: making(self.core().0.env.now()),
        };
        let (mut stored, messages) = change.judge(old, given).map_err(refused)?;
        let messages = if reply || new.is_some() { messages } else { change.unanswered(messages) };
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
            // Only there are calendars by which people are invited.
            Some((_, Some(row))) if row.kind == Kind::Plain && !path.starts_with(&home()?) => {
                Ok(Arranged::default())
            }
            Some((entry, Some(row))) => self.arrange_folder(entry.node, &row, reply).await,
        }
    }

    /// A calendar, or a folder with calendars somewhere in it.
    async fn arrange_folder(&self, folder: NodeId, row: &Folder, reply: bool) -> Result<Arranged> {
        if !matches!(row.kind, Kind::Calendar | Kind::Plain) {
            return Ok(Arranged::default());
        }
        let (me, keys, kind) = (self.clone(), self.keys(), row.kind);
        let members = crate::core::blocking(move || scheduled_below(&me.view()?, keys, folder, kind)).await?;
        if kind == Kind::Plain && members.is_empty() {
            return Ok(Arranged::default());
        }
        let mut outgoing = Vec::new();
        for entry in &members {
            let one = self.arrange(Some(entry), None, &Precondition::default(), reply).await?;
            outgoing.extend(Arc::try_unwrap(one.outgoing).unwrap_or_default());
        }
        Ok(Arranged { seen: Seen::Folder(row.below), outgoing: Arc::new(outgoing), ..Arranged::default() })
    }
}

/// A write as scheduling sees it.
struct Change<'s> {
    was: Standing,
    now: Standing,
    owner: &'s Owner,
    /// The client knew what was stored.
    strict: bool,
    making: Making<'s>,
}

impl Change<'_> {
    /// What is to be stored where it is not what was given, and what is to be sent.
    fn judge(
        &self,
        old: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> std::result::Result<(Option<Vec<u8>>, Vec<Message>), Refusal> {
        match (self.was, self.now) {
            (Standing::Organizer, Standing::Attendee | Standing::OnHisOwn) => {
                Err(Refusal::OrganizerChange("an event keeps its organizer"))
            }
            (Standing::Organizer, Standing::None) if new.is_some_and(|new| self.is_anothers(new)) => {
                Err(Refusal::OrganizerChange("an event keeps its organizer"))
            }
            (Standing::Attendee, Standing::Organizer | Standing::None) if new.is_some() => {
                let why = "an attendee neither takes an event over nor himself off its list";
                Err(Refusal::AttendeeChange(why))
            }
            (Standing::Organizer, _) | (_, Standing::Organizer) => {
                let old = old.filter(|_| self.was == Standing::Organizer);
                let new = new.filter(|_| self.now == Standing::Organizer);
                let write = organizer_write(old, new, self.owner, self.strict, self.making)?;
                Ok((write.stored, write.messages))
            }
            (Standing::Attendee, Standing::Attendee | Standing::None) | (_, Standing::Attendee) => {
                let old = old.filter(|_| self.was == Standing::Attendee);
                let new = new.filter(|_| self.now == Standing::Attendee);
                let write = attendee_write(old, new, self.owner, self.making)?;
                Ok((write.stored, write.reply.into_iter().collect()))
            }
            _ => Ok((None, Vec::new())),
        }
    }

    /// Whether somebody else organizes it.
    fn is_anothers(&self, new: &[u8]) -> bool {
        let parties = itip::parties(new).unwrap_or_default();
        let mut organizers = parties.iter().filter_map(|part| part.organizer.as_ref());
        organizers.any(|organizer| !self.owner.is(&organizer.canonical))
    }

    /// RFC 6638 §8.1: no answer is wanted; what an organizer cancels is no answer.
    fn unanswered(&self, messages: Vec<Message>) -> Vec<Message> {
        messages.into_iter().filter(|message| message.method != Method::Reply).collect()
    }
}

/// What is scheduled in a calendar, or in those below a folder.
fn scheduled_below(rows: &impl Lookup, keys: Keys, folder: NodeId, kind: Kind) -> Res<Vec<Entry>> {
    let mut found = Vec::new();
    let mut folders = vec![(folder, kind)];
    let mut visited = 0;
    for _ in 0..REMOVED_FOLDERS_MAX {
        let Some((folder, kind)) = folders.pop() else { break };
        let prefix = keys.entries(folder);
        let range = allod_meta::KeyRange::prefix(&prefix);
        rows.each_in(&range, allod_meta::Direction::Forward, prefix.len(), &mut |key, value| {
            visited += 1;
            let is_folder = allod_model::EntryKey::from_bytes(key).is_folder();
            if kind == Kind::Calendar || is_folder {
                let entry: Entry = decode(value)?;
                match entry.what {
                    What::Folder { kind, .. } if matches!(kind, Kind::Calendar | Kind::Plain) => {
                        folders.push((entry.node, kind));
                    }
                    _ if is_scheduled(&entry) => found.push(entry),
                    _ => {}
                }
            }
            let more = found.len() < REMOVED_OBJECTS_MAX && visited < REMOVED_ENTRIES_MAX;
            Ok(if more { std::ops::ControlFlow::Continue(()) } else { std::ops::ControlFlow::Break(()) })
        })?;
    }
    Ok(found)
}

fn uid_of(bytes: &[u8]) -> Option<String> {
    let document = allod_formats::Document::parse(bytes, allod_formats::Limits::default()).ok()?;
    let object = allod_formats::calendar::Object::of(&document).ok()?;
    let uid = object.components().iter().find_map(|component| component.value("UID"))?.trim().to_owned();
    Some(uid)
}
