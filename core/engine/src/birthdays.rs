//! The calendar of birthdays and anniversaries, derived from the address books in `Contacts`.
//!
//! A worker follows the account: when a commit changes a birthday, or which address books there are, it brings the
//! calendar `Calendars/Birthdays` up to date in a commit of its own. The calendar is made with the first birthday; who
//! removes it does not want it, and does not get it again.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use allod_formats::card::{Occasion, OccasionKind, write_occasion};
use allod_formats::value::Utc;
use allod_meta::{KeyRange, View};
use allod_model::{EntryKey, ErrorKind, Kind, Name, NameRule, NodeId, Path, Result, Seq};

use crate::account::AccountHandle;
use crate::commit::Commit;
use crate::components::Components;
use crate::core::{Core, blocking};
use crate::fault::{Res, fail};
use crate::reading::Records;
use crate::record::{AccountState, Actor, Entry, File, What, decode};
use crate::resolve::find_folder;
use crate::sharing::path_of;
use crate::typed::{CardRow, Day};
use crate::write::{new_file, short_digest};

const PRODUCT: &str = "-//allod//birthdays//EN";
/// Events written in one commit.
const COMMIT_EVENTS: usize = 500;
/// Names tried for the calendar.
const NAMES_MAX: usize = 10;

/// Whether a change can change what is derived.
pub fn concerns(folder: NodeId, key: &EntryKey, before: Option<&Entry>, new: Option<&Entry>) -> bool {
    let told = |entry: Option<&Entry>| {
        let card = entry.and_then(Entry::file).and_then(File::card)?;
        let days = (card.birthday, card.anniversary);
        (days != (None, None)).then(|| (days, card.name.clone()))
    };
    let shelf = |entry: Option<&Entry>| match entry.map(|entry| (&entry.what, entry.node)) {
        Some((What::Folder { kind: Kind::AddressBook, .. }, node)) => Some(node),
        Some((What::Folder { .. }, node)) if folder == NodeId::ROOT && key.as_bytes() == b"Contacts/" => {
            Some(node)
        }
        _ => None,
    };
    told(before) != told(new) || shelf(before) != shelf(new)
}

/// The calendar as it is to be: names of files and their bytes.
type Wanted = BTreeMap<EntryKey, Vec<u8>>;

/// What is to be written and removed.
#[derive(Clone)]
struct Plan {
    /// `None`: it is to be made.
    folder: Option<NodeId>,
    changes: Vec<(EntryKey, Option<Vec<u8>>)>,
    /// The plan is true of this commit.
    as_of: Seq,
}

impl Core {
    /// Brings birthdays up to date wherever they get out of date, from what was left before on. Ends never.
    pub(crate) async fn keep_birthdays(&self) {
        match self.account_records() {
            Ok(records) => records.iter().for_each(|record| self.0.wakes.wake(record.id)),
            Err(fault) => {
                tracing::warn!(error = %fault.0, "birthdays are brought up to date with the next change")
            }
        }
        loop {
            let id = self.0.wakes.next().await;
            // An account that was removed meanwhile has no birthdays.
            let Ok(account) = self.account(id) else { continue };
            if let Err(error) = self.derive_birthdays(&account).await {
                tracing::warn!(%error, account = %account.record().name, "birthdays are out of date");
            }
        }
    }

    /// Brings one account's birthdays up to date.
    ///
    /// # Errors
    /// `OverQuota`, `Busy`, `Corrupt`, `Unavailable`.
    pub(crate) async fn derive_birthdays(&self, account: &Arc<AccountHandle>) -> Result<()> {
        let (core, handle) = (self.clone(), account.clone());
        let Some(plan) = blocking(move || plan(&core.view()?, &handle)).await? else { return Ok(()) };
        let mut folder = plan.folder;
        let mut parts: Vec<Vec<_>> = plan.changes.chunks(COMMIT_EVENTS).map(<[_]>::to_vec).collect();
        // Nothing to change: only that it was looked at is noted.
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            folder = Some(self.derive_part(account, folder, part, None).await?);
        }
        if plan.changes.is_empty() {
            return self
                .step(account, move |commit| {
                    commit.touch_state();
                    commit.state.birthdays = plan.as_of;
                    Ok(())
                })
                .await;
        }
        self.derive_part(account, folder, last, Some(plan.as_of)).await.map(drop)
    }

    async fn derive_part(
        &self,
        account: &Arc<AccountHandle>,
        folder: Option<NodeId>,
        part: Vec<(EntryKey, Option<Vec<u8>>)>,
        as_of: Option<Seq>,
    ) -> Result<NodeId> {
        let (core, handle, now) = (self.clone(), account.clone(), self.0.env.now());
        let body = move |txn: &mut allod_meta::Txn<'_>| {
            let mut commit = Commit::begin(txn, &handle, now)?;
            commit.deriving = true;
            let id = match folder {
                Some(id) => id,
                None => make_calendar(&mut commit)?,
            };
            for (key, bytes) in &part {
                write_event(&core, &mut commit, id, key, bytes.as_deref())?;
            }
            if let Some(as_of) = as_of {
                commit.state.birthdays = as_of;
            }
            commit.finish(&Actor { credential: None, protocol: "birthdays".into(), address: None })?;
            Ok(id)
        };
        self.transact(account.shard(), body).await
    }

    /// Wants the calendar of birthdays again after it was removed.
    pub(crate) async fn want_birthdays(&self, account: &Arc<AccountHandle>) -> Result<()> {
        self.step(account, |commit| {
            commit.touch_state();
            commit.state.birthdays_folder = 0;
            commit.state.birthdays = Seq(0);
            commit.state.cards = commit.state.cards.max(Seq(1));
            Ok(())
        })
        .await?;
        self.0.wakes.wake(account.id());
        Ok(())
    }
}

/// What is to be done; nothing when all is as it should be or nobody wants it.
fn plan(view: &View, account: &AccountHandle) -> Res<Option<Plan>> {
    let keys = account.keys();
    let state: AccountState = view.record(&keys.state())?.unwrap_or_default();
    if state.cards <= state.birthdays {
        return Ok(None);
    }
    let wanted = wanted(view, account)?;
    let folder = match state.birthdays_folder {
        0 => None,
        id if path_of(view, keys, NodeId(id))?.is_none() => return Ok(None),
        id => Some(NodeId(id)),
    };
    let mut changes = Vec::new();
    let mut there: BTreeMap<EntryKey, [u8; 16]> = BTreeMap::new();
    if let Some(folder) = folder {
        let prefix = keys.entries(folder);
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |key, value| {
            if let What::File(file) = decode::<Entry>(value)?.what {
                there.insert(EntryKey::from_bytes(key), file.digest);
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    for (key, bytes) in wanted {
        let digest = short_digest(&account.key().digest(&bytes).0);
        if there.remove(&key) != Some(digest) {
            changes.push((key, Some(bytes)));
        }
    }
    changes.extend(there.into_keys().map(|key| (key, None)));
    Ok(Some(Plan { folder, changes, as_of: state.seq }))
}

/// The events that the address books in `Contacts` ask for.
fn wanted(view: &View, account: &AccountHandle) -> Res<Wanted> {
    let keys = account.keys();
    let mut wanted = Wanted::new();
    let home = match find_folder(view, keys, &home("Contacts")?) {
        Ok((home, _)) => home,
        Err(fault) if fault.0.kind == ErrorKind::NotFound => return Ok(wanted),
        Err(fault) => return Err(fault),
    };
    let prefix = keys.entries(home);
    let mut books = Vec::new();
    view.each(&KeyRange::prefix(&prefix), prefix.len(), |_, value| {
        let entry: Entry = decode(value)?;
        if matches!(entry.what, What::Folder { kind: Kind::AddressBook, .. }) {
            books.push(entry.node);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    for book in books {
        let prefix = keys.entries(book);
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |_, value| {
            let entry: Entry = decode(value)?;
            let Some(file) = entry.file() else { return Ok(ControlFlow::Continue(())) };
            for occasion in file.card().into_iter().flat_map(|card| occasions(card, file.uid.as_deref())) {
                // The stamp is the card's birth, so that an event changes only when it says something else.
                let bytes =
                    write_occasion(&occasion, &summary(&occasion), Utc(entry.created.0 / 1000), PRODUCT);
                let name = Name::new(format!("{}.ics", occasion.uid).as_bytes(), NameRule::Strict)?;
                wanted.insert(EntryKey::file(&name), bytes);
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(wanted)
}

fn occasions(card: &CardRow, uid: Option<&str>) -> Vec<Occasion> {
    let of = |kind, day: Option<Day>| Some(Occasion::new(kind, day?.into(), uid, &card.name));
    let days = [of(OccasionKind::Birthday, card.birthday), of(OccasionKind::Anniversary, card.anniversary)];
    days.into_iter().flatten().collect()
}

/// Says it without a word of any language.
fn summary(occasion: &Occasion) -> String {
    let sign = match occasion.kind {
        OccasionKind::Birthday => "🎂",
        OccasionKind::Anniversary => "💍",
    };
    match occasion.date.year {
        Some(year) => format!("{sign} {} ({year})", occasion.name),
        None => format!("{sign} {}", occasion.name),
    }
}

fn home(name: &str) -> Result<Path> {
    Path::parse(name.as_bytes(), NameRule::Strict)
}

fn make_calendar(commit: &mut Commit) -> Res<NodeId> {
    let (home, _) = find_folder(&*commit.txn, commit.keys, &home("Calendars")?)?;
    for n in 1..=NAMES_MAX {
        let name = if n == 1 { "Birthdays".to_owned() } else { format!("Birthdays {n}") };
        let name = Name::new(name.as_bytes(), NameRule::Strict)?;
        let (file, key) = (EntryKey::file(&name), EntryKey::folder(&name));
        if commit.entry(home, &file)?.is_some() || commit.entry(home, &key)?.is_some() {
            continue;
        }
        let entry = commit.create_folder(Kind::Calendar, true);
        let row = commit.change_folder(entry.node)?;
        (row.derived, row.transparent) = (true, true);
        row.components = Components::named("VEVENT").unwrap_or_default();
        commit.state.birthdays_folder = entry.node.0;
        let id = entry.node;
        commit.replace(home, &key, Some(entry))?;
        return Ok(id);
    }
    fail(ErrorKind::Exists, "every name for the calendar of birthdays is taken")
}

fn write_event(
    core: &Core,
    commit: &mut Commit,
    folder: NodeId,
    key: &EntryKey,
    bytes: Option<&[u8]>,
) -> Res<()> {
    let Some(bytes) = bytes else { return commit.replace(folder, key, None) };
    let facts = core.0.rules.of(Kind::Calendar)?.judge(&key.name(), Some(bytes))?;
    let file = File {
        content: commit.store_inline(bytes)?,
        size: bytes.len() as u64,
        digest: short_digest(&commit.account.key().digest(bytes).0),
        media_type: facts.media_type.clone(),
        md5: None,
        uid: facts.uid,
        object: None,
        typed: facts.typed,
    };
    let modified = commit.now;
    let entry = match commit.entry(folder, key)? {
        Some(old) => Entry { seq: commit.seq, modified, what: What::File(file), ..old },
        None => new_file(commit, file, modified),
    };
    commit.replace(folder, key, Some(entry))
}
