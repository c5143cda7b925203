//! An `.ics` or `.vcf` of many objects put into a calendar or an address book: one file for each UID.

use std::sync::Arc;

use allod_blobs::Finished;
use allod_formats::card::{Card, Version, convert};
use allod_formats::{Document, Limits, Piece, Sort, split};
use allod_meta::Lookup;
use allod_model::{
    EntryKey, Error, ErrorKind, Kind, Name, NameRule, NodeId, Path, Precondition, Result, Rights,
};
use bytes::Bytes;

use crate::commit::Commit;
use crate::content::Upload;
use crate::fault::{Res, fail};
use crate::node::{PutOptions, Written};
use crate::put::{Judged, Ready};
use crate::resolve::{find_folder, folder_row};
use crate::session::Session;

/// Largest file to import, in bytes.
pub const IMPORT_BYTES_MAX: usize = 64 << 20;
/// Objects written in one commit. A file of more takes several; done again, it goes on where it stopped.
const COMMIT_OBJECTS: usize = 1_000;
/// Longest part of a UID that becomes a file's name, in bytes.
const UID_NAME_BYTES_MAX: usize = 120;

/// An object of the file, judged.
struct Part {
    uid: String,
    bytes: Bytes,
    judged: Judged,
}

/// An object whose content is stored.
struct StoredPart {
    uid: String,
    judged: Arc<Judged>,
    upload: Arc<Upload>,
    finished: Arc<Finished>,
}

impl Session {
    /// Cuts a file into objects and writes each into a folder: over the one with its UID where there is one, else under
    /// a name of its own. All are judged before the first is written; nothing in the file may be left over.
    ///
    /// # Errors
    /// `InvalidContent` when the file is not of the folder's sort, an object is refused by its kind, or something in it
    /// belongs to no object; `WrongKind` when the folder is neither a calendar nor an address book; `TooLarge` beyond
    /// [`IMPORT_BYTES_MAX`]; else as [`Session::put`].
    pub async fn import(&self, folder: &Path, whole: Bytes) -> Result<Vec<Written>> {
        self.scope().check_write(folder, Rights::Append).map_err(|e| self.noted(folder, e))?;
        if whole.len() > IMPORT_BYTES_MAX {
            return Err(Error::too_large("bytes of an import", IMPORT_BYTES_MAX as u64));
        }
        let (me, at) = (self.clone(), folder.clone());
        let parts = crate::core::blocking(move || me.parts_of(&at, &whole)).await?;
        let used = folder_row(&self.view()?, self.keys(), NodeId::ROOT)?.bytes;
        self.check_room(parts.iter().map(|part| part.bytes.len() as u64).sum(), used)?;
        let mut written = Vec::with_capacity(parts.len());
        let mut parts = parts.into_iter().peekable();
        while parts.peek().is_some() {
            let mut stored = Vec::new();
            for part in parts.by_ref().take(COMMIT_OBJECTS) {
                stored.push(self.store_part(part, used).await?);
            }
            let (stored, at) = (Arc::new(stored), folder.clone());
            let in_commit = stored.clone();
            let write = move |me: &Session, commit: &mut Commit| {
                in_commit.iter().map(|part| me.import_in(commit, &at, part)).collect::<Res<Vec<_>>>()
            };
            written.extend(self.commit_many(folder, write).await?);
            // The pins must outlive the commit.
            drop(stored);
        }
        Ok(written)
    }

    /// The objects of a file, each judged by the folder's rules.
    fn parts_of(&self, folder: &Path, whole: &[u8]) -> Res<Vec<Part>> {
        let view = self.view()?;
        let (_, row) = find_folder(&view, self.keys(), folder)?;
        let sort = match row.kind {
            Kind::Calendar => Sort::Calendar,
            Kind::AddressBook => Sort::Card,
            _ => return fail(ErrorKind::WrongKind, "only calendars and address books take imports"),
        };
        let limits = Limits { bytes: IMPORT_BYTES_MAX, ..Limits::default() };
        let refused = |reason: String| Error::new(ErrorKind::InvalidContent, reason);
        let document = Document::parse(whole, limits).map_err(|limit| refused(limit.to_string()))?;
        let pieces = split(&document);
        if let Some(rest) = pieces.left_over().first() {
            let line = whole[..rest.start].iter().filter(|byte| **byte == b'\n').count() + 1;
            return Err(refused(format!("line {line} belongs to no object; nothing was imported")).into());
        }
        let rules = self.core().0.rules.of(row.kind)?;
        let name = Name::new(b"import", NameRule::Strict)?;
        let mut parts = Vec::new();
        for piece in pieces {
            if piece.sort != sort {
                return Err(refused(format!("{} does not belong into this folder", piece.kind)).into());
            }
            let bytes = modern(&piece);
            let facts = rules.judge(&name, Some(&bytes)).map_err(|error| Error {
                message: format!("{} {}: {}", piece.kind, piece.uid, error.message),
                ..error
            })?;
            let uid = facts.uid.clone().unwrap_or(piece.uid);
            // Whoever imports files what was arranged elsewhere: nobody is invited by it.
            let arranged = Some(self.filed(&bytes));
            parts.push(Part {
                uid,
                bytes: Bytes::from(bytes),
                judged: Judged { kind: row.kind, facts, arranged },
            });
        }
        match parts.is_empty() {
            true => Err(refused("there is no object in this file".into()).into()),
            false => Ok(parts),
        }
    }

    async fn store_part(&self, part: Part, used: u64) -> Result<StoredPart> {
        let upload = Upload::new(self.core().clone(), self.handle().clone());
        let (account, key) = (self.handle().id().0, self.handle().key().clone());
        let writer = self.core().0.blobs.writer(account, key, upload.clone(), false);
        let body = futures_util::stream::iter([Ok(part.bytes)]);
        let finished = self.receive(writer, &PutOptions::default(), used, body).await?;
        Ok(StoredPart { uid: part.uid, judged: Arc::new(part.judged), upload, finished: Arc::new(finished) })
    }

    fn import_in(&self, commit: &mut Commit, folder: &Path, part: &StoredPart) -> Res<Written> {
        let (id, row) = find_folder(&*commit.txn, commit.keys, folder)?;
        let holder = commit.txn.get(&commit.keys.uid(id, &part.uid))?;
        let name = match holder {
            Some(key) => EntryKey::from_bytes(&key).name(),
            None => free_name(commit, id, row.kind, &part.uid)?,
        };
        let (path, pre) = (folder.join(name), Precondition::default());
        self.scope().check_write(&path, Rights::Append)?;
        self.place(commit, &path, &PutOptions::default(), &pre, &part.judged, |commit| {
            let finished = &part.finished;
            let content = part.upload.record(commit, finished.size, finished.digest.0, &finished.stored)?;
            Ok(Ready { content, size: finished.size, digest: finished.digest.0, md5: finished.md5 })
        })
    }
}

/// A card of the old version in one that address books keep.
fn modern(piece: &Piece) -> Vec<u8> {
    if piece.sort == Sort::Card
        && let Ok(document) = Document::parse(&piece.bytes, Limits::default())
        && let Some(card) = Card::of(&document)
        && card.version() == Version::V2_1
    {
        return convert(&card, Version::V3);
    }
    piece.bytes.clone()
}

/// A name for an object that has none, made from its UID.
fn free_name(commit: &Commit, folder: NodeId, kind: Kind, uid: &str) -> Res<Name> {
    let extension = if kind == Kind::AddressBook { "vcf" } else { "ics" };
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    let stem: String = uid.chars().filter(plain).take(UID_NAME_BYTES_MAX).collect();
    let digest = blake3::hash(uid.as_bytes()).to_hex();
    let told = stem == uid && !stem.is_empty() && !stem.starts_with('.');
    let names = [told.then(|| format!("{stem}.{extension}")), Some(format!("{}.{extension}", &digest[..32]))];
    for name in names.into_iter().flatten() {
        let name = Name::new(name.as_bytes(), NameRule::Strict)?;
        let taken = commit.entry(folder, &EntryKey::file(&name))?.is_some();
        if !taken {
            return Ok(name);
        }
    }
    fail(ErrorKind::Exists, "the names that this object could have are taken")
}
