//! What the operator may do: accounts, credentials, and sessions on an account's behalf.

use std::sync::Arc;

use allod_blobs::AccountKey;
use allod_meta::{KeyRange, Lookup, Txn};
use allod_model::{
    AccountId, CredentialId, EntryKey, Error, ErrorKind, Grant, Kind, NodeId, Path, Result, Rights, Seq,
    Timestamp,
};
use argon2::PasswordHasher;
use zeroize::Zeroizing;

use crate::access::Scope;
use crate::account::{AccountHandle, account_name_problem};
use crate::audit;
use crate::commit::Commit;
use crate::components::Components;
use crate::core::{Core, blocking, key_context};
use crate::credential::NewCredential;
use crate::fault::{Fault, Res, fail};
use crate::keys::{GLOBAL_SHARD, global};
use crate::mail::SpecialUse;
use crate::reading::Records;
use crate::record::{
    Account, AccountState, Actor, AuditEvent, Credential, Entry, Folder, LastUse, What, decode, encode,
};
use crate::resolve::{ABOVE_ROOT, folder_row, root_key};
use crate::session::Session;

/// Mail addresses of one account at most.
pub const EMAILS_MAX: usize = 100;
/// Shortest account password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 8;

/// What every new account starts with.
const FIRST_FOLDERS: [(&str, &[(&str, Kind)]); 4] = [
    (
        "Mail",
        &[
            ("INBOX", Kind::Mailbox),
            ("Drafts", Kind::Mailbox),
            ("Sent", Kind::Mailbox),
            ("Archive", Kind::Mailbox),
            ("Junk", Kind::Mailbox),
            ("Trash", Kind::Mailbox),
        ],
    ),
    ("Calendars", &[("Personal", Kind::Calendar), ("inbox", Kind::Inbox), ("outbox", Kind::Outbox)]),
    ("Contacts", &[("Personal", Kind::AddressBook)]),
    ("public", &[]),
];

/// The operator's door. Whoever holds it may do everything: it is made by the server itself, never from the network.
#[derive(Clone)]
pub struct Operator(Core);

/// An account as the operator sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountInfo {
    /// Its name.
    pub name: String,
    /// Mail addresses.
    pub emails: Vec<String>,
    /// Quota in bytes.
    pub quota: Option<u64>,
    /// When it was made.
    pub created: Timestamp,
    /// Whether a password for the web page is set.
    pub has_password: bool,
    /// Bytes of all current files.
    pub used: u64,
    /// Current files.
    pub documents: u64,
    /// Commits so far.
    pub seq: Seq,
    /// Its app credentials.
    pub credentials: u64,
}

/// What to change of an account; `None` leaves it.
#[derive(Clone, Default)]
pub struct AccountChange {
    /// A new list of mail addresses.
    pub emails: Option<Vec<String>>,
    /// A new quota; `Some(None)` for none.
    pub quota: Option<Option<u64>>,
    /// A new password for the web page.
    pub password: Option<Zeroizing<String>>,
}

/// A credential as the operator sees it; no secrets.
#[derive(Clone, PartialEq, Debug)]
pub struct CredentialInfo {
    /// Its id.
    pub id: CredentialId,
    /// The account it opens.
    pub account: String,
    /// Its label.
    pub label: String,
    /// Its grants.
    pub grants: Vec<Grant>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// When, whence and with what it was last used.
    pub last_use: Option<LastUse>,
    /// Its S3 access key.
    pub access_key: String,
    /// Where the app is at home, when it was let in by OAuth: `https://litewrite.net`.
    pub origin: Option<String>,
}

impl Core {
    /// The operator's door.
    pub fn operator(&self) -> Operator {
        Operator(self.clone())
    }
}

impl Operator {
    /// The store.
    pub fn core(&self) -> &Core {
        &self.0
    }

    /// Makes an account with its first folders.
    ///
    /// # Errors
    /// `InvalidContent` for a name, address or password that can't be; `Exists`.
    pub async fn add_account(&self, name: &str, change: AccountChange) -> Result<AccountInfo> {
        if let Some(problem) = account_name_problem(name) {
            return Err(Error::new(ErrorKind::InvalidContent, problem));
        }
        let core = self.0.clone();
        let emails = clean_emails(change.emails.unwrap_or_default())?;
        let password = hash_password(change.password).await?;
        let key = AccountKey::from_bytes(&core.0.env.random());
        let draft = Account {
            id: AccountId(0),
            name: name.to_owned(),
            emails,
            quota: change.quota.flatten(),
            password,
            created: core.0.env.now(),
            wrapped_key: Vec::new(),
        };
        let maker = core.clone();
        // Nobody knows the new account's shard before this is durable, so its rows can be written from this one.
        let record = core
            .transact(GLOBAL_SHARD, move |txn| {
                let id = next_account(txn)?;
                let wrapped_key = maker.0.master.wrap(&key, &key_context(id));
                let record = Account { id, wrapped_key, ..draft.clone() };
                claim_names(txn, &record)?;
                txn.put(&global::account(id), &encode(&record))?;
                let made =
                    audit::event(record.created, "account-created", None, None, None, record.name.clone());
                audit::write(txn, id, &made)?;
                plant_tree(txn, &AccountHandle::new(record.clone(), key.clone()))?;
                Ok(record)
            })
            .await?;
        core.adopt(record.clone())?;
        Ok(self.account_info(&record)?)
    }

    /// All accounts by id.
    pub async fn accounts(&self) -> Result<Vec<AccountInfo>> {
        let records = self.0.account_records()?;
        Ok(records.iter().map(|record| self.account_info(record)).collect::<Res<_>>()?)
    }

    /// One account.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn account(&self, name: &str) -> Result<AccountInfo> {
        let handle = self.handle(name)?;
        Ok(self.account_info(&handle.record())?)
    }

    pub(crate) fn handle(&self, name: &str) -> Res<Arc<AccountHandle>> {
        match self.0.account_named(name)? {
            Some(handle) => Ok(handle),
            None => {
                fail(ErrorKind::NotFound, format!("there is no account '{name}'; see: allod account list"))
            }
        }
    }

    fn account_info(&self, record: &Account) -> Res<AccountInfo> {
        let view = self.0.view()?;
        let keys = crate::keys::Keys::new(record.id);
        let root = folder_row(&view, keys, NodeId::ROOT)?;
        let state: AccountState = view.record(&keys.state())?.unwrap_or_default();
        let credentials = self.credential_records()?.iter().filter(|c| c.account == record.id).count() as u64;
        Ok(AccountInfo {
            name: record.name.clone(),
            emails: record.emails.clone(),
            quota: record.quota,
            created: record.created,
            has_password: record.password.is_some(),
            used: root.bytes,
            documents: root.documents,
            seq: state.seq,
            credentials,
        })
    }

    /// Changes an account.
    ///
    /// # Errors
    /// `NotFound`; `Exists` when an address belongs to another account; `InvalidContent`.
    pub async fn change_account(&self, name: &str, change: AccountChange) -> Result<AccountInfo> {
        let handle = self.handle(name)?;
        let id = handle.id();
        let emails = change.emails.map(clean_emails).transpose()?;
        let new_password = change.password.is_some();
        let password = hash_password(change.password).await?;
        let now = self.0.0.env.now();
        let record = self
            .0
            .transact(GLOBAL_SHARD, move |txn| {
                let old: Account = txn.record(&global::account(id))?.ok_or_else(Error::not_found)?;
                let mut record = old.clone();
                if let Some(emails) = &emails {
                    for email in &old.emails {
                        txn.delete(&global::account_with_email(email))?;
                    }
                    record.emails = emails.clone();
                    claim_emails(txn, &record)?;
                }
                if let Some(quota) = change.quota {
                    record.quota = quota;
                }
                if let Some(password) = &password {
                    record.password = Some(password.clone());
                }
                txn.put(&global::account(id), &encode(&record))?;
                let changed = audit::event(now, "account-changed", None, None, None, record.name.clone());
                audit::write(txn, id, &changed)?;
                Ok(record)
            })
            .await?;
        handle.set_record(record.clone());
        if new_password {
            self.0.end_web_sessions(&handle, None).await?;
        }
        Ok(self.account_info(&record)?)
    }

    /// Removes an account at once and for good: its key goes first, so its content is unreadable everywhere; its rows
    /// and objects are taken apart in the background.
    ///
    /// # Errors
    /// `NotFound`; `Denied` with `Held` while a retention or a legal hold keeps something in it.
    pub async fn remove_account(&self, name: &str) -> Result<()> {
        let handle = self.handle(name)?;
        let (id, record) = (handle.id(), handle.record());
        crate::versions::check_nothing_held(
            &self.0.view()?,
            handle.keys(),
            NodeId::ROOT,
            self.0.0.env.now(),
        )?;
        let credentials: Vec<_> =
            self.credential_records()?.into_iter().filter(|c| c.account == id).collect();
        for credential in &credentials {
            self.0.revoke_credential(&credential.id.0).await?;
        }
        self.0.forget_person(&handle).await?;
        self.0
            .transact(GLOBAL_SHARD, move |txn| {
                txn.delete(&global::account(id))?;
                txn.delete(&global::account_named(&record.name))?;
                for email in &record.emails {
                    txn.delete(&global::account_with_email(email))?;
                }
                crate::oauth::rows::forget_account(txn, id)?;
                let events = txn.scan_prefix(&global::audit(id), None, audit::AUDIT_EVENTS_MAX + 100)?;
                events.iter().try_for_each(|(key, _)| txn.delete(key))?;
                Ok(txn.put(&global::removed_account(id), &[1])?)
            })
            .await?;
        self.0.forget_account(id);
        self.0.wake_collector();
        Ok(())
    }

    /// Makes an app credential. Folders that its grants name and that are not there are made, so that it opens
    /// something.
    ///
    /// # Errors
    /// `NotFound` without such an account; `InvalidContent` for a label, a grant or an expiry that can't be.
    pub async fn add_credential(
        &self,
        account: &str,
        label: &str,
        grants: Vec<Grant>,
        expires: Option<Timestamp>,
    ) -> Result<NewCredential> {
        let handle = self.handle(account)?;
        if expires.is_some_and(|at| at <= self.0.0.env.now()) {
            return Err(Error::new(ErrorKind::InvalidContent, "the expiry lies in the past"));
        }
        let corners: Vec<Path> =
            grants.iter().filter(|g| g.rights >= Rights::Append).map(|g| g.path.clone()).collect();
        let new = self.0.make_credential(&handle, label, grants, expires).await?;
        let session = self.session(account)?;
        for corner in corners {
            session.ensure_folder(&corner).await?;
        }
        Ok(new)
    }

    /// Credentials of one account, or of all.
    ///
    /// # Errors
    /// `NotFound` without such an account.
    pub async fn credentials(&self, account: Option<&str>) -> Result<Vec<CredentialInfo>> {
        let only = account.map(|name| self.handle(name)).transpose()?.map(|handle| handle.id());
        let records = self.credential_records()?;
        let mut infos = Vec::new();
        for record in records.into_iter().filter(|r| only.is_none_or(|id| id == r.account)) {
            infos.push(self.credential_info(record)?);
        }
        infos.sort_by(|a, b| (&a.account, a.created).cmp(&(&b.account, b.created)));
        Ok(infos)
    }

    /// One credential.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn credential(&self, id: &str) -> Result<CredentialInfo> {
        let record = self.0.credential(id)?.ok_or_else(|| no_credential(id))?;
        Ok(self.credential_info(record)?)
    }

    fn credential_records(&self) -> Res<Vec<Credential>> {
        let mut records = Vec::new();
        let range = KeyRange::prefix(&global::credentials());
        self.0.view()?.each(&range, 0, |_, value| {
            records.push(decode(value)?);
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        Ok(records)
    }

    fn credential_info(&self, record: Credential) -> Res<CredentialInfo> {
        let account = self.0.account(record.account)?.record().name.clone();
        let last_use = self.0.last_use(&record.id)?;
        let origin = self.0.oauth_origin(&record.id)?;
        Ok(CredentialInfo {
            id: record.id,
            account,
            label: record.label,
            grants: record.grants,
            created: record.created,
            expires: record.expires,
            last_use,
            access_key: record.access_key,
            origin,
        })
    }

    /// Revokes a credential at once, on open connections too.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn revoke_credential(&self, id: &str) -> Result<()> {
        self.0.revoke_credential(id).await.map_err(|error| match error.kind {
            ErrorKind::NotFound => no_credential(id),
            _ => error,
        })
    }

    /// A session on an account's behalf, for restore, undo and checks.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn session(&self, account: &str) -> Result<Session> {
        self.session_for(account, "operator", Scope::unlimited())
    }

    pub(crate) fn session_for(&self, account: &str, protocol: &str, scope: Scope) -> Result<Session> {
        let handle = self.handle(account)?;
        let actor = Actor { credential: None, protocol: protocol.into(), address: None };
        Ok(Session::new(self.0.clone(), handle, Arc::new(scope), actor, None, None))
    }

    /// Wants the calendar of birthdays again after it was removed.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn want_birthdays(&self, account: &str) -> Result<()> {
        let handle = self.handle(account)?;
        self.0.want_birthdays(&handle).await?;
        // The worker would do it too; a stopped server has none.
        self.0.derive_birthdays(&handle).await
    }

    /// The newest `limit` events of an account's audit log.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn audit(&self, account: &str, limit: usize) -> Result<Vec<AuditEvent>> {
        let handle = self.handle(account)?;
        self.0.flush_notes().await?;
        let core = self.0.clone();
        blocking(move || core.audit_events(handle.id(), limit)).await
    }
}

impl Session {
    /// Makes a folder and those above it, where they are missing; asked for by name, they stay.
    pub(crate) async fn ensure_folder(&self, path: &Path) -> Result<()> {
        let at = path.clone();
        self.commit(path, move |_, commit| {
            let mut folder = NodeId::ROOT;
            for name in at.names() {
                let key = EntryKey::folder(name);
                folder = match commit.entry(folder, &key)? {
                    Some(entry) => entry.node,
                    None if commit.entry(folder, &EntryKey::file(name))?.is_some() => return Ok(()),
                    None => {
                        let entry = commit.create_folder(Kind::Plain, true);
                        let id = entry.node;
                        commit.replace(folder, &key, Some(entry))?;
                        id
                    }
                };
            }
            Ok(())
        })
        .await
    }
}

fn no_credential(id: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no app credential '{id}'; see: allod app list"))
}

fn next_account(txn: &mut Txn<'_>) -> Res<AccountId> {
    let last = txn.get(&global::next_account())?.and_then(|row| crate::keys::number_at(&row)).unwrap_or(0);
    let next = last + 1;
    txn.put(&global::next_account(), &next.to_be_bytes())?;
    Ok(AccountId(next))
}

fn claim_names(txn: &mut Txn<'_>, record: &Account) -> Res<()> {
    let row = global::account_named(&record.name);
    if txn.get(&row)?.is_some() || txn.get(&global::account_with_email(&record.name))?.is_some() {
        return fail(ErrorKind::Exists, format!("the account '{}' exists already", record.name));
    }
    txn.put(&row, &record.id.0.to_be_bytes())?;
    claim_emails(txn, record)
}

fn claim_emails(txn: &mut Txn<'_>, record: &Account) -> Res<()> {
    for email in &record.emails {
        let row = global::account_with_email(email);
        if txn.get(&row)?.is_some() {
            return fail(ErrorKind::Exists, format!("the address '{email}' belongs to an account already"));
        }
        txn.put(&row, &record.id.0.to_be_bytes())?;
    }
    Ok(())
}

fn clean_emails(emails: Vec<String>) -> Res<Vec<String>> {
    if emails.len() > EMAILS_MAX {
        return Err(Error::too_large("mail addresses of an account", EMAILS_MAX as u64).into());
    }
    let mut clean: Vec<String> = emails.iter().map(|email| email.trim().to_ascii_lowercase()).collect();
    clean.dedup();
    for email in &clean {
        let sound = email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@') && email.len() <= 254
        });
        if !sound || email.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return fail(ErrorKind::InvalidContent, format!("'{email}' is no mail address"));
        }
    }
    Ok(clean)
}

pub(crate) async fn hash_password(password: Option<Zeroizing<String>>) -> Result<Option<String>> {
    let Some(password) = password else { return Ok(None) };
    if password.chars().count() < PASSWORD_CHARS_MIN {
        let message = format!("an account password has at least {PASSWORD_CHARS_MIN} characters");
        return Err(Error::new(ErrorKind::InvalidContent, message));
    }
    blocking(move || {
        let hash = argon2::Argon2::default().hash_password(password.as_bytes());
        let hash = hash.map_err(|e| Fault(Error::new(ErrorKind::Unavailable, e.to_string())))?;
        Ok(Some(hash.to_string()))
    })
    .await
}

/// Writes a new account's rows and first folders as its first commit.
fn plant_tree(txn: &mut Txn<'_>, account: &AccountHandle) -> Res<()> {
    let (keys, now) = (account.keys(), account.record().created);
    let state =
        AccountState { next_node: NodeId::ROOT.0 + 1, next_content: 1, time: now, ..AccountState::default() };
    txn.put(&keys.state(), &encode(&state))?;
    let seq = Seq(1);
    let row = |parent, detached| Folder {
        parent,
        key: root_key(),
        detached,
        kind: Kind::Plain,
        pinned: true,
        modified: now,
        token: seq,
        below: seq,
        members: 0,
        documents: 0,
        bytes: 0,
        bucket: None,
        kept: 0,
        held: 0,
        ruled: false,
        components: Components::ALL,
        transparent: false,
        derived: false,
    };
    // What is above the root counts as out of the tree, so that nothing is carried beyond it.
    txn.put(&keys.folder(ABOVE_ROOT), &encode(&Folder { members: 1, ..row(ABOVE_ROOT, Some(Seq(0))) }))?;
    txn.put(&keys.folder(NodeId::ROOT), &encode(&row(ABOVE_ROOT, None)))?;
    let root = Entry {
        node: NodeId::ROOT,
        seq,
        created: now,
        modified: now,
        properties: None,
        what: What::Folder { kind: Kind::Plain, pinned: true },
    };
    txn.put(&keys.entry(ABOVE_ROOT, &root_key()), &encode(&root))?;
    txn.put(&keys.change(ABOVE_ROOT, seq, &root_key()), &[1])?;
    let mut commit = Commit::begin(txn, account, now)?;
    for (name, inner) in FIRST_FOLDERS {
        let folder = make(&mut commit, NodeId::ROOT, name, Kind::Plain)?;
        for (name, kind) in inner {
            let inner = make(&mut commit, folder, name, *kind)?;
            if *kind == Kind::Mailbox {
                furnish(&mut commit, inner, name)?;
            }
        }
    }
    commit.finish(&Actor { credential: None, protocol: "operator".into(), address: None }).map(drop)
}

/// Mail clients look for what a mailbox is for, and show what is subscribed.
fn furnish(commit: &mut Commit, mailbox: NodeId, name: &str) -> Res<()> {
    if let Some(special) = SpecialUse::of_name(name) {
        commit.change_mailbox(mailbox)?.special = Some(special);
    }
    let path = format!("/{}/{name}", crate::mail::folders::HOME);
    Ok(commit.txn.put(&commit.keys.subscription(path.as_bytes()), &[])?)
}

fn make(commit: &mut Commit, parent: NodeId, name: &str, kind: Kind) -> Res<NodeId> {
    let name = allod_model::Name::new(name.as_bytes(), allod_model::NameRule::Strict)?;
    let entry = commit.create_folder(kind, true);
    let id = entry.node;
    commit.replace(parent, &EntryKey::folder(&name), Some(entry))?;
    Ok(id)
}
