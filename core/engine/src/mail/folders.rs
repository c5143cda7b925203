//! Mailboxes as a tree: below the folder `Mail` of an account.

use std::ops::ControlFlow;

use allod_meta::{KeyRange, Lookup, View};
use allod_model::{
    EntryKey, Error, ErrorKind, Kind, Name, NameRule, NodeId, Path, Precondition, Result, Rights,
};
use serde::{Deserialize, Serialize};

use crate::access::Sight;
use crate::commit::Commit;
use crate::fault::{Res, fail};
use crate::lock::{self, Touch};
use crate::mail::rows::mailbox_row;
use crate::mail::uids::UidSet;
use crate::node::{TransferOptions, Want};
use crate::reading::Records;
use crate::record::{Entry, What, decode};
use crate::resolve::{find_folder, spot};
use crate::session::Session;

/// The folder that mailboxes are in.
pub const HOME: &str = "Mail";
/// The mailbox that cannot be removed, in [`HOME`].
pub const INBOX: &str = "INBOX";
/// Mailboxes of one account that are listed.
pub const MAILBOXES_MAX: usize = 20_000;
/// Subscribed names of one account.
const SUBSCRIPTIONS_MAX: usize = 20_000;
/// Longest subscribed name, in bytes: the longest key less what is before it.
const SUBSCRIPTION_BYTES_MAX: usize = 380;

/// What a mailbox is for (RFC 6154).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SpecialUse {
    /// `\All`
    All,
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Flagged`
    Flagged,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
    /// `\Important` (RFC 8457)
    Important,
}

impl SpecialUse {
    /// What a mailbox of this name in a new account is for.
    pub(crate) fn of_name(name: &str) -> Option<SpecialUse> {
        match name {
            "Archive" => Some(SpecialUse::Archive),
            "Drafts" => Some(SpecialUse::Drafts),
            "Junk" => Some(SpecialUse::Junk),
            "Sent" => Some(SpecialUse::Sent),
            "Trash" => Some(SpecialUse::Trash),
            _ => None,
        }
    }
}

/// A mailbox, or a folder on the way to one, as LIST shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxInfo {
    /// Its place in the account's tree: `Mail/INBOX`.
    pub path: Path,
    /// Its id.
    pub id: NodeId,
    /// Whether it holds messages; otherwise it is a plain folder (`\Noselect`).
    pub selectable: bool,
    /// Whether there are folders in it.
    pub children: bool,
    /// What it is for.
    pub special: Option<SpecialUse>,
    /// What the session may do in it; none for the way to something that it may see.
    pub rights: Option<Rights>,
}

/// The folder that mailboxes are in.
pub fn home() -> Path {
    // Invariant: a plain word is a name.
    Path::parse(HOME.as_bytes(), NameRule::Strict).expect("a name")
}

impl Session {
    /// All mailboxes and folders below `Mail` that the session may see, each before what is in it, in byte order.
    ///
    /// # Errors
    /// `Unavailable`; `TooLarge` with more than [`MAILBOXES_MAX`].
    pub async fn mailboxes(&self) -> Result<Vec<MailboxInfo>> {
        let me = self.clone();
        crate::core::blocking(move || {
            let view = me.view()?;
            let mut found = Vec::new();
            match find_folder(&view, me.keys(), &home()) {
                Ok((id, _)) => me.inner_mailboxes(&view, &home(), id, Kind::Plain, &mut found)?,
                Err(fault) if fault.0.kind == ErrorKind::NotFound => return Ok(found),
                Err(fault) => return Err(fault),
            };
            Ok(found)
        })
        .await
    }

    /// Adds what is in a folder; whether there was anything.
    fn inner_mailboxes(
        &self,
        view: &View,
        path: &Path,
        folder: NodeId,
        kind: Kind,
        found: &mut Vec<MailboxInfo>,
    ) -> Res<bool> {
        let mut any = false;
        for (key, entry) in inner_folders(view, self, folder, kind)? {
            let What::Folder { kind, .. } = entry.what else { continue };
            let at = path.join(key.name());
            let sight = self.scope().sight(&at);
            if sight == Sight::Hidden || !matches!(kind, Kind::Mailbox | Kind::Plain) {
                continue;
            }
            if found.len() >= MAILBOXES_MAX {
                return Err(Error::too_large("mailboxes of an account", MAILBOXES_MAX as u64).into());
            }
            any = true;
            let place = found.len();
            found.push(MailboxInfo {
                path: at.clone(),
                id: entry.node,
                selectable: kind == Kind::Mailbox && sight != Sight::Passage,
                children: false,
                special: mailbox_row(view, self.keys(), entry.node)?.special,
                rights: match sight {
                    Sight::Granted(rights) => Some(rights),
                    Sight::Passage | Sight::Hidden => None,
                },
            });
            found[place].children = self.inner_mailboxes(view, &at, entry.node, kind, found)?;
        }
        Ok(any)
    }

    /// Makes a mailbox, and those above it that are missing. It stays when it is empty.
    ///
    /// # Errors
    /// `Exists`; `InvalidContent` for a name that cannot be, or outside of `Mail`; `Denied`, `Locked`.
    pub async fn create_mailbox(&self, path: &Path, special: Option<SpecialUse>) -> Result<NodeId> {
        self.scope().check_write(path, Rights::Append).map_err(|e| self.noted(path, e))?;
        demand_below_home(path)?;
        let at = path.clone();
        self.commit(path, move |me, commit| me.create_mailbox_in(commit, &at, special)).await
    }

    fn create_mailbox_in(
        &self,
        commit: &mut Commit,
        path: &Path,
        special: Option<SpecialUse>,
    ) -> Res<NodeId> {
        for depth in 1..=path.depth() {
            let at = Path::from_names(path.names()[..depth].to_vec());
            let last = depth == path.depth();
            let spot = spot(&*commit.txn, commit.keys, &at)?;
            if !spot.is_empty() {
                if last || spot.folder.is_none() {
                    return fail(ErrorKind::Exists, format!("{at} exists already"));
                }
                continue;
            }
            self.scope().check_write(&at, Rights::Append)?;
            self.check_new_name(&spot.name, false)?;
            // Only the home itself is no mailbox.
            let kind = if depth == 1 { Kind::Plain } else { Kind::Mailbox };
            self.check_parent_admits(commit, &spot, kind)?;
            lock::check(commit, &at, &spot, Touch::Membership, &[])?;
            let entry = commit.create_folder(kind, true);
            let id = entry.node;
            commit.replace(spot.parent(), &spot.folder_key(), Some(entry))?;
            if last {
                if special.is_some() {
                    commit.change_mailbox(id)?.special = special;
                }
                return Ok(id);
            }
        }
        fail(ErrorKind::Exists, "that exists already")
    }

    /// Removes a mailbox with its messages into history.
    ///
    /// # Errors
    /// `NotFound`; `NotEmpty` when there are mailboxes in it; `Denied` for the inbox, too; `Locked`.
    pub async fn delete_mailbox(&self, path: &Path) -> Result<()> {
        demand_below_home(path)?;
        if *path == inbox() {
            return Err(Error::new(ErrorKind::Denied, "the inbox cannot be removed"));
        }
        {
            let view = self.view()?;
            self.scope().check_read(path)?;
            let (id, row) = find_folder(&view, self.keys(), path)?;
            if !inner_folders(&view, self, id, row.kind)?.is_empty() {
                let message = "there are mailboxes in it; remove them first";
                return Err(Error::new(ErrorKind::NotEmpty, message));
            }
        }
        self.remove(path, Want::Folder, Precondition::default()).await
    }

    /// Renames a mailbox with what is in it; mailboxes above the new name that are missing are made. The inbox stays: its
    /// messages are moved (RFC 9051 §6.3.6).
    ///
    /// # Errors
    /// `NotFound`, `Exists`, `Denied`, `Locked`; `InvalidContent` for a name that cannot be, or outside of `Mail`.
    pub async fn rename_mailbox(&self, from: &Path, to: &Path) -> Result<()> {
        demand_below_home(from)?;
        demand_below_home(to)?;
        let row = {
            let view = self.view()?;
            self.scope().check_read(from)?;
            if spot(&view, self.keys(), to).is_ok_and(|spot| !spot.is_empty()) {
                return Err(Error::new(ErrorKind::Exists, format!("{to} exists already")));
            }
            find_folder(&view, self.keys(), from)?
        };
        if *from == inbox() {
            self.create_mailbox(to, None).await?;
            return self.move_messages(row.0, &UidSet::all(), to).await.map(drop);
        }
        let above = to.parent().unwrap_or_default();
        if above.depth() > 1 && find_folder(&self.view()?, self.keys(), &above).is_err() {
            self.create_mailbox(&above, None).await?;
        }
        let options = TransferOptions { overwrite: false, shallow: false };
        self.rename(from, to, options, Precondition::default()).await.map(drop)
    }

    /// Names that are subscribed, in byte order; they need not exist (RFC 9051 §6.3.7).
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn subscriptions(&self) -> Result<Vec<Path>> {
        Ok(self.subscriptions_now()?)
    }

    fn subscriptions_now(&self) -> Res<Vec<Path>> {
        let prefix = self.keys().subscriptions();
        let mut found = Vec::new();
        self.view()?.each(&KeyRange::prefix(&prefix), prefix.len(), |key, _| {
            found.extend(Path::parse(key, NameRule::Strict));
            Ok(ControlFlow::Continue(()))
        })?;
        found.retain(|path| self.scope().sight(path) != Sight::Hidden);
        Ok(found)
    }

    /// Puts a name among the subscribed ones or takes it out.
    ///
    /// # Errors
    /// `Denied`; `TooLarge` for a long name or too many.
    pub async fn subscribe(&self, path: &Path, subscribed: bool) -> Result<()> {
        self.scope().check_read(path)?;
        let name = path.to_string();
        if name.len() > SUBSCRIPTION_BYTES_MAX {
            return Err(Error::too_large("bytes of a subscribed name", SUBSCRIPTION_BYTES_MAX as u64));
        }
        self.commit(path, move |_, commit| {
            if !subscribed {
                return Ok(commit.txn.delete(&commit.keys.subscription(name.as_bytes()))?);
            }
            let known = commit.txn.scan_prefix(&commit.keys.subscriptions(), None, SUBSCRIPTIONS_MAX)?;
            if known.len() >= SUBSCRIPTIONS_MAX {
                return Err(Error::too_large("subscriptions", SUBSCRIPTIONS_MAX as u64).into());
            }
            Ok(commit.txn.put(&commit.keys.subscription(name.as_bytes()), &[])?)
        })
        .await
    }
}

/// The inbox.
pub fn inbox() -> Path {
    // Invariant: a plain word is a name.
    home().join(Name::new(INBOX.as_bytes(), NameRule::Strict).expect("a name"))
}

fn demand_below_home(path: &Path) -> Result<()> {
    if path.depth() > 1 && path.starts_with(&home()) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidContent, format!("mailboxes are below {HOME}")))
}

/// The folders in a folder: in a mailbox found without going through its messages.
fn inner_folders(view: &View, session: &Session, folder: NodeId, kind: Kind) -> Res<Vec<(EntryKey, Entry)>> {
    let keys = session.keys();
    let mut found = Vec::new();
    if kind == Kind::Mailbox {
        let prefix = keys.inner_mailboxes(folder);
        let mut names = Vec::new();
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |key, _| {
            names.push(EntryKey::from_bytes(key));
            Ok(ControlFlow::Continue(()))
        })?;
        for key in names {
            if let Some(entry) = view.record(&keys.entry(folder, &key))? {
                found.push((key, entry));
            }
        }
        return Ok(found);
    }
    let prefix = keys.entries(folder);
    view.each(&KeyRange::prefix(&prefix), prefix.len(), |key, value| {
        let key = EntryKey::from_bytes(key);
        if key.is_folder() {
            found.push((key, decode(value)?));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}
