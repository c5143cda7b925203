//! An account's calendars: where an object of scheduling lies, and where a new one is put.

use std::ops::ControlFlow;

use allod_meta::{KeyRange, Lookup};
use allod_model::{Detail, EntryKey, Error, ErrorKind, Kind, Name, NameRule, NodeId, Path, Result, Rights};

use super::job::default_calendar_row;
use crate::commit::Commit;
use crate::components::Components;
use crate::fault::{Fault, Res, fail};
use crate::keys::{Keys, number_at};
use crate::reading::Records;
use crate::record::{AccountState, Entry, Folder, What, decode};
use crate::resolve::{find_folder, folder_row};
use crate::session::Session;

/// The folder that all calendars of an account stand in.
pub const HOME: &str = "Calendars";
/// Where new events are put as long as nothing else was said.
const FIRST: &str = "Personal";
/// Calendars looked at.
const CALENDARS_MAX: usize = 1_000;

/// A calendar of an account.
#[derive(Clone, Debug)]
pub struct Calendar {
    pub path: Path,
    pub folder: NodeId,
}

/// A calendar object found by its UID.
#[derive(Clone, Debug)]
pub struct Located {
    pub path: Path,
    pub folder: NodeId,
    pub key: EntryKey,
    pub entry: Entry,
}

pub fn home() -> Res<Path> {
    Ok(Path::parse(HOME.as_bytes(), NameRule::Strict)?)
}

fn absent<T>(found: Res<T>) -> Res<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Fault(error)) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::WrongKind) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The folders of one kind that stand in the home.
fn members(rows: &impl Lookup, keys: Keys, kind: Kind) -> Res<Vec<Calendar>> {
    let home = home()?;
    let Some((id, _)) = absent(find_folder(rows, keys, &home))? else { return Ok(Vec::new()) };
    let prefix = keys.entries(id);
    let mut found = Vec::new();
    rows.each_in(
        &KeyRange::prefix(&prefix),
        allod_meta::Direction::Forward,
        prefix.len(),
        &mut |key, value| {
            let key = EntryKey::from_bytes(key);
            if key.is_folder() {
                let entry: Entry = decode(value)?;
                if matches!(entry.what, What::Folder { kind: own, .. } if own == kind) {
                    found.push(Calendar { path: home.join(key.name()), folder: entry.node });
                }
            }
            Ok(if found.len() < CALENDARS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        },
    )?;
    Ok(found)
}

pub fn calendars(rows: &impl Lookup, keys: Keys) -> Res<Vec<Calendar>> {
    members(rows, keys, Kind::Calendar)
}

/// The scheduling inbox, if the account has one.
pub fn inbox(rows: &impl Lookup, keys: Keys) -> Res<Option<Calendar>> {
    Ok(members(rows, keys, Kind::Inbox)?.into_iter().next())
}

/// The object with that UID, in whatever calendar; one that is scheduled comes first.
pub fn find_uid(rows: &impl Lookup, keys: Keys, uid: &str) -> Res<Option<Located>> {
    let mut found: Option<Located> = None;
    for calendar in calendars(rows, keys)? {
        let Some(key) = rows.get(&keys.uid(calendar.folder, uid))? else { continue };
        let key = EntryKey::from_bytes(&key);
        let Some(entry) = rows.record::<Entry>(&keys.entry(calendar.folder, &key))? else { continue };
        let scheduled = is_scheduled(&entry);
        if scheduled || found.is_none() {
            let path = calendar.path.join(key.name());
            found = Some(Located { path, folder: calendar.folder, key, entry });
        }
        if scheduled {
            break;
        }
    }
    Ok(found)
}

/// Whether an entry is a scheduling object resource.
pub fn is_scheduled(entry: &Entry) -> bool {
    entry.file().and_then(|file| file.event()).is_some_and(|event| event.schedule.is_some())
}

/// Where new events or tasks are put: what was chosen, else the first calendar of an account, else any that takes such
/// components and is its owner's to write.
pub fn default_calendar(rows: &impl Lookup, keys: Keys, component: Components) -> Res<Option<Calendar>> {
    let state: Option<AccountState> = rows.record(&keys.state())?;
    let derived = state.map(|state| NodeId(state.birthdays_folder));
    let mut all = Vec::new();
    for calendar in calendars(rows, keys)? {
        let takes = folder_row(rows, keys, calendar.folder)?.components.holds(component);
        if takes && Some(calendar.folder) != derived {
            all.push(calendar);
        }
    }
    let chosen = chosen(rows, keys)?;
    let by_choice = all.iter().find(|calendar| Some(calendar.folder) == chosen);
    let named = |one: &&Calendar| one.path.last().is_some_and(|name| name.as_bytes() == FIRST.as_bytes());
    Ok(by_choice.or_else(|| all.iter().find(named)).or_else(|| all.first()).cloned())
}

fn chosen(rows: &impl Lookup, keys: Keys) -> Res<Option<NodeId>> {
    Ok(rows.get(&default_calendar_row(keys))?.and_then(|bytes| number_at(&bytes)).map(NodeId))
}

/// Refuses to remove the calendar that new events are put into: RFC 6638 §4.3.1.1.
pub fn check_not_default(commit: &Commit, folder: NodeId) -> Res<()> {
    if chosen(&*commit.txn, commit.keys)? == Some(folder) {
        let error =
            Error::new(ErrorKind::Denied, "invitations are put into this calendar; choose another first");
        return Err(error.with(Detail::Demand("CALDAV", "default-calendar-needed")).into());
    }
    Ok(())
}

impl Session {
    /// The calendar that invitations are put into (`schedule-default-calendar-URL`, RFC 6638 §9.2); `None` without any
    /// calendar.
    ///
    /// # Errors
    /// `NotFound` without rights in the inbox; `Unauthenticated`, `Unavailable`.
    pub async fn default_calendar(&self) -> Result<Option<Path>> {
        let look = || -> Res<Option<Path>> {
            self.scope().check_read(&self.inbox_path()?)?;
            let events = Components::named("VEVENT").unwrap_or_default();
            Ok(default_calendar(&self.view()?, self.keys(), events)?.map(|calendar| calendar.path))
        };
        Ok(look()?)
    }

    /// Chooses the calendar that invitations are put into.
    ///
    /// # Errors
    /// `InvalidContent` with the demand `valid-schedule-default-calendar-URL` (RFC 6638 §4.3.1.2) when it is not one of
    /// the account's calendars; `Denied`.
    pub async fn set_default_calendar(&self, calendar: &Path) -> Result<()> {
        let inbox = self.inbox_path()?;
        self.scope().check_write(&inbox, Rights::Write).map_err(|error| self.noted(&inbox, error))?;
        let wanted = calendar.clone();
        self.commit(&inbox, move |_, commit| {
            let all = calendars(&*commit.txn, commit.keys)?;
            let derived = NodeId(commit.state.birthdays_folder);
            let Some(chosen) = all.iter().find(|one| one.path == wanted && one.folder != derived) else {
                let error =
                    Error::new(ErrorKind::InvalidContent, "invitations go into a calendar of the account");
                return Err(error
                    .with(Detail::Demand("CALDAV", "valid-schedule-default-calendar-URL"))
                    .into());
            };
            let row = default_calendar_row(commit.keys);
            Ok(commit.txn.put(&row, &chosen.folder.0.to_be_bytes())?)
        })
        .await
    }

    fn inbox_path(&self) -> Result<Path> {
        Path::parse(format!("{HOME}/inbox").as_bytes(), NameRule::Strict)
    }
}

/// A free name in a calendar for an object of that UID; `job` makes it free.
pub fn new_name(commit: &Commit, folder: NodeId, uid: &str, job: &str) -> Res<EntryKey> {
    let digest = blake3::hash(uid.as_bytes()).to_hex();
    for stem in [&digest[..32], job] {
        let key = EntryKey::file(&Name::new(format!("{stem}.ics").as_bytes(), NameRule::Strict)?);
        if commit.entry(folder, &key)?.is_none() {
            return Ok(key);
        }
    }
    fail(ErrorKind::Exists, "the names that an invitation could have are taken")
}

/// The row of a folder that was seen as a calendar.
pub fn still_there(commit: &Commit, folder: NodeId) -> Res<Option<Folder>> {
    let row = folder_row(&*commit.txn, commit.keys, folder).ok();
    Ok(row.filter(|row| row.detached.is_none()))
}
