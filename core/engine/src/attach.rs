//! Attachments of calendar objects that the server keeps (RFC 8607).
//!
//! The bytes are a file of the account, `Calendars/.attachments/ID/NAME`, like any other; the object names it by a URL
//! with a token of 200 random bits, so that everybody who is sent the object can read it without a login, and nobody else.

use std::sync::Arc;

use allod_formats::calendar::{Managed, ManagedError, Object, Rids, attach, detach, managed_ids, reattach};
use allod_formats::{Document, Limits};
use allod_meta::Lookup;
use allod_model::{
    AccountId, Detail, EntryKey, Error, ErrorKind, EtagMatch, Grant, Name, NameRule, NodeId, Path,
    Precondition, Result, Rights,
};
use bytes::Bytes;
use futures_util::Stream;
use serde::{Deserialize, Serialize};

use crate::access::Scope;
use crate::core::Core;
use crate::fault::Res;
use crate::keys::{GLOBAL_SHARD, global};
use crate::node::{Door, PutOptions, Want, Written};
use crate::read::OpenFile;
use crate::reading::Records;
use crate::record::{Entry, Place, encode};
use crate::secret;
use crate::session::Session;
use crate::sharing::path_of;

/// Largest attachment, in bytes.
pub const ATTACHMENT_BYTES_MAX: u64 = 256 << 20;
/// Attachments of one calendar object.
pub const ATTACHMENTS_MAX: usize = 100;
/// Where they lie.
const FOLDER: &str = "Calendars/.attachments";
/// Times that a change is tried while others change the object.
const TRIES_MAX: usize = 5;
/// Longest token looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 64;

/// What a client attaches.
#[derive(Clone, Debug, Default)]
pub struct NewAttachment {
    /// Its file name, as the client gave it.
    pub name: String,
    /// Its media type.
    pub media_type: Option<String>,
    /// The announced length in bytes.
    pub length: Option<u64>,
}

/// An attachment that was kept.
#[derive(Clone, Debug)]
pub struct Attached {
    /// Its MANAGED-ID.
    pub managed_id: String,
    /// The calendar object as it is now.
    pub written: Written,
}

/// Makes the URL of an attachment from its token and its name.
pub type AttachmentUrl<'a> = &'a (dyn Fn(&str, &Name) -> String + Send + Sync);

/// What a token opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TokenRecord {
    owner: AccountId,
    node: NodeId,
}

/// A file that was stored, before the object names it.
struct StoredFile {
    id: String,
    url: String,
    name: String,
    media_type: String,
    size: u64,
}

impl Session {
    /// Attaches a file to instances of a calendar object (RFC 8607 §3.4.1).
    ///
    /// # Errors
    /// As [`Session::put`] of the object; `InvalidContent` with the name of the precondition for an instance that is
    /// none; `TooLarge` beyond [`ATTACHMENT_BYTES_MAX`] or [`ATTACHMENTS_MAX`].
    pub async fn attach<S>(
        &self,
        at: &Path,
        rids: Rids,
        new: NewAttachment,
        url: AttachmentUrl<'_>,
        pre: Precondition,
        body: S,
    ) -> Result<Attached>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        self.check_attaching(at, &pre).await?;
        let stored = self.store_attachment(&new, url, body).await?;
        let edit = |bytes: &[u8]| {
            check_count(bytes)?;
            attach(bytes, &rids, &stored.managed()).map_err(refused)
        };
        let outcome = self.edit_object(at, &pre, edit).await;
        self.attached(stored, outcome).await
    }

    /// Puts a new version of an attachment in place of another (RFC 8607 §3.4.2); it gets an id of its own.
    ///
    /// # Errors
    /// As [`Session::attach`]; `InvalidContent` when the object has no such attachment.
    pub async fn reattach<S>(
        &self,
        at: &Path,
        managed_id: &str,
        new: NewAttachment,
        url: AttachmentUrl<'_>,
        pre: Precondition,
        body: S,
    ) -> Result<Attached>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        self.check_attaching(at, &pre).await?;
        // Refused before the body is read.
        let (bytes, _) = self.whole_object(at).await?;
        if !ids_in(&bytes).iter().any(|id| id == managed_id) {
            return Err(refused(ManagedError::Id));
        }
        let stored = self.store_attachment(&new, url, body).await?;
        let edit = |bytes: &[u8]| reattach(bytes, managed_id, &stored.managed()).map_err(refused);
        let outcome = self.edit_object(at, &pre, edit).await;
        let attached = self.attached(stored, outcome).await?;
        self.drop_attachment(managed_id).await;
        Ok(attached)
    }

    /// Takes an attachment off instances of a calendar object; with the last of them the file goes to the trash
    /// (RFC 8607 §3.4.3).
    ///
    /// # Errors
    /// As [`Session::reattach`].
    pub async fn detach(
        &self,
        at: &Path,
        managed_id: &str,
        rids: Rids,
        pre: Precondition,
    ) -> Result<Written> {
        self.check_attaching(at, &pre).await?;
        let edit = |bytes: &[u8]| detach(bytes, managed_id, &rids).map_err(refused);
        let written = self.edit_object(at, &pre, edit).await?;
        let (bytes, _) = self.whole_object(at).await?;
        if !ids_in(&bytes).iter().any(|id| id == managed_id) {
            self.drop_attachment(managed_id).await;
        }
        Ok(written)
    }

    async fn check_attaching(&self, at: &Path, pre: &Precondition) -> Result<()> {
        self.scope().check_write(at, Rights::Write).map_err(|error| self.noted(at, error))?;
        let node = self.stat(at, Want::File, false).await?;
        if node.calendar.is_none() {
            return Err(Error::new(ErrorKind::WrongKind, "only calendar objects have attachments"));
        }
        self.judge_now(at, pre, Want::File).await
    }

    /// Reads the object, changes it, and writes it, unless it changed meanwhile: then again.
    async fn edit_object(
        &self,
        at: &Path,
        pre: &Precondition,
        edit: impl Fn(&[u8]) -> Result<Vec<u8>>,
    ) -> Result<Written> {
        let mut tries = 0;
        loop {
            let (bytes, etag) = self.whole_object(at).await?;
            let changed = edit(&bytes)?;
            let unchanged = Precondition { if_match: Some(EtagMatch::OneOf(vec![etag])), ..pre.clone() };
            let options = PutOptions { length: Some(changed.len() as u64), ..PutOptions::default() };
            let body = futures_util::stream::iter([Ok(Bytes::from(changed))]);
            match self.put(at, options, unchanged, body).await {
                Err(error) if error.kind == ErrorKind::PreconditionFailed && tries < TRIES_MAX => {
                    self.judge_now(at, pre, Want::File).await?;
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn whole_object(&self, at: &Path) -> Result<(Bytes, allod_model::Etag)> {
        let found = self.fetch(std::slice::from_ref(at), false).await?;
        let found = found.into_iter().next().unwrap_or_else(|| Err(Error::not_found()))?;
        Ok((found.bytes, found.node.etag))
    }

    /// A session on the folder of attachments, whatever the credential opens else.
    fn attachments(&self) -> Result<Session> {
        let grant = Grant {
            path: Path::parse(FOLDER.as_bytes(), NameRule::Strict)?,
            rights: Rights::Write,
            protocols: Vec::new(),
            except: Vec::new(),
            send: false,
            text: "attachments".into(),
        };
        Ok(self.on_behalf(self.handle().clone(), Arc::new(Scope::of(vec![grant])), self.actor().clone()))
    }

    async fn store_attachment<S>(
        &self,
        new: &NewAttachment,
        url: AttachmentUrl<'_>,
        body: S,
    ) -> Result<StoredFile>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        if new.length.is_some_and(|length| length > ATTACHMENT_BYTES_MAX) {
            return Err(too_large());
        }
        let env = &self.core().0.env;
        let (id, token) = (secret::id(env), secret::link(env));
        let name = file_name(&new.name)?;
        let path = attachment_folder(&id)?.join(name.clone());
        let options = PutOptions {
            media_type: new.media_type.clone(),
            length: new.length,
            make_parents: true,
            ..PutOptions::default()
        };
        let body = bounded(body);
        let written = self.attachments()?.put(&path, options, Precondition::default(), body).await?;
        let record = TokenRecord { owner: self.handle().id(), node: written.node.id };
        let row = global::attachment(&self.core().0.hasher.link(&token));
        let made = self.core().transact(GLOBAL_SHARD, move |txn| Ok(txn.put(&row, &encode(&record))?)).await;
        let stored = StoredFile {
            url: url(&token, &name),
            name: name.to_string(),
            media_type: new.media_type.clone().unwrap_or_default(),
            size: written.node.size,
            id,
        };
        match made {
            Ok(()) => Ok(stored),
            Err(error) => {
                self.drop_attachment(&stored.id).await;
                Err(error)
            }
        }
    }

    async fn attached(&self, stored: StoredFile, outcome: Result<Written>) -> Result<Attached> {
        match outcome {
            Ok(written) => Ok(Attached { managed_id: stored.id, written }),
            Err(error) => {
                self.drop_attachment(&stored.id).await;
                Err(error)
            }
        }
    }

    /// Puts an attachment that nothing names any more into the trash.
    async fn drop_attachment(&self, id: &str) {
        let drop = async {
            let folder = attachment_folder(id)?;
            self.attachments()?.remove(&folder, Want::Folder, Precondition::default()).await
        };
        if let Err(error) = drop.await
            && error.kind != ErrorKind::NotFound
        {
            tracing::warn!(%error, id, "an attachment that nothing names stays in {FOLDER}");
        }
    }
}

impl StoredFile {
    fn managed(&self) -> Managed<'_> {
        Managed {
            id: &self.id,
            uri: &self.url,
            media_type: &self.media_type,
            name: &self.name,
            size: self.size,
        }
    }
}

impl Core {
    /// Opens an attachment by the token in its URL.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn open_attachment(&self, token: &str, door: Door) -> Result<OpenFile> {
        let (session, path) = self.attachment_session(token, &door)?.ok_or_else(Error::not_found)?;
        session.open(&path, &Precondition::default()).await
    }

    fn attachment_session(&self, token: &str, door: &Door) -> Res<Option<(Session, Path)>> {
        if token.len() > TOKEN_BYTES_MAX {
            return Ok(None);
        }
        let view = self.view()?;
        let record: Option<TokenRecord> = view.record(&global::attachment(&self.0.hasher.link(token)))?;
        let Some(record) = record else { return Ok(None) };
        let Ok(account) = self.account(record.owner) else { return Ok(None) };
        let Some(path) = file_path(&view, account.keys(), record.node)? else { return Ok(None) };
        Ok(Some((self.reader(account, &path, door), path)))
    }
}

/// Where a file stands; `None` when it is not in the tree.
fn file_path(rows: &impl Lookup, keys: crate::keys::Keys, node: NodeId) -> Res<Option<Path>> {
    let place: Option<Place> = rows.record(&keys.node(node))?;
    let Some(place) = place.filter(|place| place.detached.is_none()) else { return Ok(None) };
    let entry: Option<Entry> = rows.record(&keys.entry(place.parent, &place.key))?;
    if entry.is_none_or(|entry| entry.node != node) {
        return Ok(None);
    }
    Ok(path_of(rows, keys, place.parent)?.map(|folder| folder.join(EntryKey::name(&place.key))))
}

fn attachment_folder(id: &str) -> Result<Path> {
    Ok(Path::parse(FOLDER.as_bytes(), NameRule::Strict)?.join(Name::new(id.as_bytes(), NameRule::Strict)?))
}

/// A name that a file can have, as close to the given one as may be.
fn file_name(given: &str) -> Result<Name> {
    let base = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = base.chars().filter(|c| !c.is_control()).take(80).collect();
    let clean = clean.trim().trim_start_matches('.');
    Name::new(if clean.is_empty() { "attachment" } else { clean }.as_bytes(), NameRule::Strict)
}

fn ids_in(bytes: &[u8]) -> Vec<String> {
    let Ok(document) = Document::parse(bytes, Limits::default()) else { return Vec::new() };
    Object::of(&document).map(|object| managed_ids(&object)).unwrap_or_default()
}

fn check_count(bytes: &[u8]) -> Result<()> {
    if ids_in(bytes).len() < ATTACHMENTS_MAX {
        return Ok(());
    }
    let error =
        Error::new(ErrorKind::InvalidContent, format!("an object has at most {ATTACHMENTS_MAX} attachments"));
    Err(error.with(Detail::Demand("CALDAV", "max-attachments-per-resource")))
}

fn too_large() -> Error {
    let error = Error::new(
        ErrorKind::InvalidContent,
        format!("an attachment has at most {ATTACHMENT_BYTES_MAX} bytes"),
    );
    error.with(Detail::Demand("CALDAV", "max-attachment-size"))
}

fn refused(error: ManagedError) -> Error {
    let (name, reason) = match error {
        ManagedError::Rid => ("valid-rid-parameter", "rid names no instance of this object"),
        ManagedError::Id => ("valid-managed-id-parameter", "this object has no such attachment"),
        ManagedError::Unreadable => ("valid-calendar-data", "the calendar object cannot be read"),
    };
    Error::new(ErrorKind::InvalidContent, reason).with(Detail::Demand("CALDAV", name))
}

/// The body until it is longer than an attachment may be.
fn bounded<S>(body: S) -> impl Stream<Item = Result<Bytes>> + Send + Unpin
where
    S: Stream<Item = Result<Bytes>> + Send + Unpin,
{
    use futures_util::StreamExt;
    let mut size = 0;
    body.map(move |piece| {
        let piece = piece?;
        size += piece.len() as u64;
        if size > ATTACHMENT_BYTES_MAX { Err(too_large()) } else { Ok(piece) }
    })
}
