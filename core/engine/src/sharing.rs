//! Calendars, address books and mailboxes lent to other accounts of the server.
//!
//! The owner's folder stays where it is; the borrower finds it in his own home under a name of its own. Reaching
//! through that name gives a session on the owner's account whose scope is the folder, so all rules, locks, the history
//! and the sync tokens are the owner's. A share names the folder by its id: it survives a rename, and ends with the
//! folder, with either account, or when one of the two ends it; each request looks again.

use std::ops::ControlFlow;
use std::sync::Arc;

use allod_meta::{KeyRange, Lookup, Txn};
use allod_model::{
    AccountId, EntryKey, Error, ErrorKind, Grant, Kind, Name, NameRule, NodeId, Path, Result, Rights,
    Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::access::{Scope, Sight};
use crate::audit;
use crate::fault::{Res, fail};
use crate::keys::{GLOBAL_SHARD, Keys, global};
use crate::node::{Node, Property, PropertyChange, Want};
use crate::reading::Records;
use crate::record::{Actor, Folder, decode, encode};
use crate::resolve::{find, find_folder, load_node};
use crate::session::Session;
use crate::write::{PROPERTIES_BYTES_MAX, apply_to};

/// Accounts that one folder can be shared with.
pub const SHARES_MAX: usize = 200;
/// Folders that one account can be lent.
pub const MOUNTS_MAX: usize = 200;
/// Folders above a shared one, at most.
const DEPTH_MAX: usize = 512;

/// A share as it is stored, under the borrower.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ShareRecord {
    owner: AccountId,
    folder: NodeId,
    kind: Kind,
    rights: Rights,
    since: Timestamp,
    /// What the borrower set for himself: a name, a color.
    properties: Vec<Property>,
}

/// With whom a folder is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The account's name.
    pub account: String,
    /// Its first mail address.
    pub address: Option<String>,
    /// What it may do.
    pub rights: Rights,
    /// Since when.
    pub since: Timestamp,
}

/// A folder of another account, as it stands in the borrower's home.
#[derive(Clone)]
pub struct Mount {
    /// Its place in the borrower's tree.
    pub at: Path,
    /// Who lends it.
    pub owner: String,
    /// The session on the owner's account; it opens this folder only.
    pub session: Session,
    /// The folder's path there.
    pub path: Path,
    /// The folder, with the rights that the borrower has in it, and with his own properties over the owner's.
    pub node: Node,
}

/// The folder that a home of this kind is.
fn home_of(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Calendar => Some("Calendars"),
        Kind::AddressBook => Some("Contacts"),
        Kind::Mailbox => Some(crate::mail::folders::HOME),
        Kind::Plain | Kind::Inbox | Kind::Outbox => None,
    }
}

fn kind_of_home(path: &Path) -> Option<Kind> {
    let [name] = path.names() else { return None };
    [Kind::Calendar, Kind::AddressBook, Kind::Mailbox]
        .into_iter()
        .find(|kind| home_of(*kind).is_some_and(|home| home.as_bytes() == name.as_bytes()))
}

impl Session {
    /// Shares a calendar, an address book or a mailbox with another account, or changes what that one may do. Only the owner's own
    /// credentials can, with all rights on the folder.
    ///
    /// # Errors
    /// `NotFound` without such a folder or account; `WrongKind` for another kind of folder; `Denied`; `TooLarge` beyond
    /// [`SHARES_MAX`] or [`MOUNTS_MAX`]; `InvalidContent` for the owner himself or append-only rights.
    pub async fn share(&self, folder: &Path, with: &str, rights: Rights) -> Result<()> {
        let outcome = self.share_as(folder, with, rights).await;
        outcome.map_err(|error| self.noted(folder, error))
    }

    async fn share_as(&self, folder: &Path, with: &str, rights: Rights) -> Result<()> {
        self.check_lending(folder)?;
        let (id, row) = find_folder(&self.view()?, self.keys(), folder)?;
        if home_of(row.kind).is_none() {
            return Err(Error::new(
                ErrorKind::WrongKind,
                "only calendars, address books and mailboxes can be shared",
            ));
        }
        if rights == Rights::Append {
            return Err(Error::new(
                ErrorKind::InvalidContent,
                "a share is for reading, or for reading and writing",
            ));
        }
        let borrower = self.core().account_named(with)?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no account '{with}' on this server"))
        })?;
        if borrower.id() == self.handle().id() {
            return Err(Error::new(ErrorKind::InvalidContent, "a folder cannot be shared with its owner"));
        }
        let (owner, to, now) = (self.handle().id(), borrower.id(), self.core().0.env.now());
        let name = mount_name(folder, &self.account())?;
        let record =
            ShareRecord { owner, folder: id, kind: row.kind, rights, since: now, properties: Vec::new() };
        let text = format!("{folder} with {} ({})", borrower.record().name, rights.as_str());
        let who = self.credential();
        self.core()
            .transact(GLOBAL_SHARD, move |txn| {
                let lent = global::lent_to(owner, id, to);
                match txn.get(&lent)? {
                    Some(at) => {
                        let old: ShareRecord =
                            txn.record(&global::mount(to, &at))?.ok_or_else(Error::not_found)?;
                        txn.put(&global::mount(to, &at), &encode(&ShareRecord { rights, ..old }))?;
                    }
                    None => {
                        let at = free_mount(txn, to, &name)?;
                        check_count(txn, &global::lent(owner, id), SHARES_MAX)?;
                        check_count(txn, &global::mounts(to), MOUNTS_MAX)?;
                        txn.put(&lent, at.as_bytes())?;
                        txn.put(&global::mount(to, at.as_bytes()), &encode(&record))?;
                    }
                }
                let shared = audit::event(now, "shared", who.as_ref(), None, None, text.clone());
                audit::write(txn, owner, &shared)
            })
            .await
    }

    /// Ends a share.
    ///
    /// # Errors
    /// `NotFound` when the folder is not shared with that account; `Denied`.
    pub async fn unshare(&self, folder: &Path, with: &str) -> Result<()> {
        self.check_lending(folder).map_err(|error| self.noted(folder, error))?;
        let (id, _) = find_folder(&self.view()?, self.keys(), folder)?;
        let borrower = self.core().account_named(with)?.ok_or_else(Error::not_found)?;
        self.end_share(self.handle().id(), id, borrower.id(), format!("{folder} with {with}")).await
    }

    async fn end_share(&self, owner: AccountId, folder: NodeId, to: AccountId, text: String) -> Result<()> {
        let (now, who) = (self.core().0.env.now(), self.credential());
        self.core()
            .transact(GLOBAL_SHARD, move |txn| {
                let lent = global::lent_to(owner, folder, to);
                let at = txn.get(&lent)?.ok_or_else(Error::not_found)?;
                txn.delete(&lent)?;
                txn.delete(&global::mount(to, &at))?;
                let ended = audit::event(now, "unshared", who.as_ref(), None, None, text.clone());
                audit::write(txn, owner, &ended)
            })
            .await
    }

    /// With whom a folder is shared.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn shares(&self, folder: &Path) -> Result<Vec<Share>> {
        Ok(self.shares_now(folder)?)
    }

    fn shares_now(&self, folder: &Path) -> Res<Vec<Share>> {
        self.scope().check_read(folder)?;
        let view = self.view()?;
        let (id, _) = find_folder(&view, self.keys(), folder)?;
        let prefix = global::lent(self.handle().id(), id);
        let mut shares = Vec::new();
        for (key, at) in view.scan_prefix(&prefix, None, SHARES_MAX)? {
            let to = AccountId(crate::keys::number_at(key.get(prefix.len()..).unwrap_or(&[])).unwrap_or(0));
            let record: Option<ShareRecord> = view.record(&global::mount(to, &at))?;
            // An account that was removed is no longer shared with.
            let (Some(record), Ok(account)) = (record, self.core().account(to)) else { continue };
            let account = account.record();
            shares.push(Share {
                account: account.name.clone(),
                address: account.emails.first().cloned(),
                rights: record.rights,
                since: record.since,
            });
        }
        Ok(shares)
    }

    /// What others lend to this account, in its home of calendars, address books or mailboxes; nothing for any other folder.
    ///
    /// # Errors
    /// `Unauthenticated`, `Unavailable`, `Corrupt`.
    pub async fn mounts(&self, home: &Path) -> Result<Vec<Mount>> {
        Ok(self.mounts_now(home)?)
    }

    fn mounts_now(&self, home: &Path) -> Res<Vec<Mount>> {
        let Some(kind) = kind_of_home(home).filter(|_| self.is_own()) else { return Ok(Vec::new()) };
        let view = self.view()?;
        let prefix = global::mounts(self.handle().id());
        let mut records = Vec::new();
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |name, value| {
            let record: ShareRecord = decode(value)?;
            if record.kind == kind {
                records.push((Name::new(name, NameRule::Strict)?, record));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let mut mounts = Vec::new();
        for (name, record) in records {
            let at = home.join(name);
            // What is the account's own goes first.
            let own = find(&view, self.keys(), &at, Want::Any).is_ok();
            if !own && let Some(mount) = self.mount(at, record)? {
                mounts.push(mount);
            }
        }
        Ok(mounts)
    }

    /// The lent folder that a path leads into, and the way from there; `None` when the path is the account's own.
    ///
    /// # Errors
    /// As [`Session::mounts`].
    pub async fn through(&self, path: &Path) -> Result<Option<(Mount, Path)>> {
        Ok(self.through_now(path)?)
    }

    fn through_now(&self, path: &Path) -> Res<Option<(Mount, Path)>> {
        let [home, name, rest @ ..] = path.names() else { return Ok(None) };
        let home = Path::from_names(vec![home.clone()]);
        let Some(kind) = kind_of_home(&home).filter(|_| self.is_own()) else { return Ok(None) };
        let view = self.view()?;
        let row = global::mount(self.handle().id(), name.as_bytes());
        let record: Option<ShareRecord> = view.record(&row)?;
        let Some(record) = record.filter(|record| record.kind == kind) else { return Ok(None) };
        let at = home.join(name.clone());
        if find(&view, self.keys(), &at, Want::Any).is_ok() {
            return Ok(None);
        }
        let mount = self.mount(at, record)?;
        Ok(mount.map(|mount| {
            let inside = rest.iter().fold(mount.path.clone(), |path, name| path.join(name.clone()));
            (mount, inside)
        }))
    }

    /// What a share opens now; nothing when its folder or its owner is gone, or this credential may not see it.
    fn mount(&self, at: Path, record: ShareRecord) -> Res<Option<Mount>> {
        let Sight::Granted(own) = self.scope().sight(&at) else { return Ok(None) };
        let Ok(account) = self.core().account(record.owner) else { return Ok(None) };
        let view = self.view()?;
        let Some(path) = path_of(&view, account.keys(), record.folder)? else { return Ok(None) };
        let rights = own.min(record.rights);
        let grant = Grant {
            path: path.clone(),
            rights,
            protocols: Vec::new(),
            except: Vec::new(),
            send: false,
            text: "shared".into(),
        };
        let owner = account.record().name.clone();
        let session = self.reaching(account, Arc::new(Scope::of(vec![grant])));
        let (key, entry) = find(&view, session.keys(), &path, Want::Folder)?;
        let mut node = load_node(&view, session.handle(), &key, &entry, true)?;
        node.rights = Some(rights);
        for own in record.properties {
            node.properties.retain(|one| (&one.namespace, &one.name) != (&own.namespace, &own.name));
            node.properties.push(own);
        }
        Ok(Some(Mount { at, owner, session, path, node }))
    }

    /// Changes what the borrower sees of a lent folder: his own properties over the owner's.
    ///
    /// # Errors
    /// `NotFound` when nothing is lent there; `Denied`; `TooLarge`.
    pub async fn set_mount_properties(&self, at: &Path, changes: Vec<PropertyChange>) -> Result<()> {
        self.scope().check_write(at, Rights::Write).map_err(|error| self.noted(at, error))?;
        let (me, name) = (self.handle().id(), at.last().cloned().ok_or_else(Error::not_found)?);
        self.core()
            .transact(GLOBAL_SHARD, move |txn| {
                let row = global::mount(me, name.as_bytes());
                let mut record: ShareRecord = txn.record(&row)?.ok_or_else(Error::not_found)?;
                changes.iter().for_each(|change| apply_to(change, &mut record.properties));
                let bytes = encode(&record);
                if bytes.len() > PROPERTIES_BYTES_MAX {
                    let limit = PROPERTIES_BYTES_MAX as u64;
                    return Err(Error::too_large("bytes of a resource's properties", limit).into());
                }
                Ok(txn.put(&row, &bytes)?)
            })
            .await
    }

    /// Gives a lent folder back: it leaves the borrower's home.
    ///
    /// # Errors
    /// `NotFound` when nothing is lent there; `Denied`.
    pub async fn leave(&self, at: &Path) -> Result<()> {
        self.scope().check_write(at, Rights::Write).map_err(|error| self.noted(at, error))?;
        let name = at.last().ok_or_else(Error::not_found)?;
        let row = global::mount(self.handle().id(), name.as_bytes());
        let record: ShareRecord = self.view()?.record(&row)?.ok_or_else(Error::not_found)?;
        let text = format!("{at} was given back by {}", self.account());
        self.end_share(record.owner, record.folder, self.handle().id(), text).await
    }

    /// Lending takes all rights on the folder, and one's own tree.
    fn check_lending(&self, folder: &Path) -> Result<()> {
        if !self.is_own() {
            return Err(Error::denied());
        }
        self.scope().check_write_below(folder, Rights::Write)
    }
}

/// Under which name a folder appears at the borrower's.
fn mount_name(folder: &Path, owner: &str) -> Result<String> {
    let name = folder.last().map(ToString::to_string).unwrap_or_default();
    let short: String = name.chars().take(40).collect();
    Ok(format!("{short} ({owner})"))
}

fn free_mount(txn: &Txn<'_>, to: AccountId, name: &str) -> Res<String> {
    for n in 1..=MOUNTS_MAX + 1 {
        let name = if n == 1 { name.to_owned() } else { format!("{name} {n}") };
        if txn.get(&global::mount(to, name.as_bytes()))?.is_none() {
            return Ok(name);
        }
    }
    fail(ErrorKind::Exists, "there is no free name for it")
}

fn check_count(txn: &Txn<'_>, prefix: &[u8], max: usize) -> Res<()> {
    match txn.scan_prefix(prefix, None, max)?.len() < max {
        true => Ok(()),
        false => Err(Error::too_large("shares", max as u64).into()),
    }
}

/// Where a folder stands; `None` when it is not in the tree.
pub fn path_of(rows: &impl Lookup, keys: Keys, folder: NodeId) -> Res<Option<Path>> {
    let (mut names, mut at) = (Vec::new(), folder);
    while at != NodeId::ROOT {
        let row: Option<Folder> = rows.record(&keys.folder(at))?;
        let Some(row) = row.filter(|row| row.detached.is_none() && names.len() < DEPTH_MAX) else {
            return Ok(None);
        };
        // A folder that was taken out with one above it has no mark of its own; the entries tell.
        if rows.get(&keys.entry(row.parent, &row.key))?.is_none() {
            return Ok(None);
        }
        names.push(EntryKey::name(&row.key));
        at = row.parent;
    }
    names.reverse();
    Ok(Some(Path::from_names(names)))
}

impl Session {
    /// A session that reaches into another account, by what that one lends.
    fn reaching(&self, account: Arc<crate::account::AccountHandle>, scope: Arc<Scope>) -> Session {
        let actor =
            Actor { address: self.address().map(|address| address.to_string()), ..self.actor().clone() };
        self.on_behalf(account, scope, actor)
    }
}
