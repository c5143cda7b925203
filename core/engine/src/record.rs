//! Stored records: postcard behind one version byte, so that an old shape stays readable when a new one comes.

use allod_model::{
    AccountId, ContentId, CredentialId, EntryKey, Error, ErrorKind, Etag, Grant, Kind, NodeId, Result, Seq,
    Timestamp,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use allod_blobs::Placement;

use crate::components::Components;
use crate::mail::rows::MailRow;
use crate::object::{Checksum, ChecksumKind, DefaultRetention, Object, Versioning};
use crate::typed::{CardRow, EventRow, Typed};

/// The shape that this code writes.
const SHAPE: u8 = 4;
/// The shape before objects: some records lack the optional facts at their end, which are all absent there.
const SHAPE_BEFORE_OBJECTS: u8 = 1;
/// The shape before [`Folder::ruled`], absent there in the same way.
const SHAPE_BEFORE_RULED: u8 = 2;
/// The shape before [`File::typed`] and the settings of calendars, absent there in the same way.
const SHAPE_BEFORE_TYPED: u8 = 3;
/// What absent facts look like: more zeros than any record has new fields.
const ABSENT: [u8; 16] = [0; 16];

/// Writes a record.
pub fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    // Invariant: records are plain data without maps of unknown length, so postcard cannot refuse them.
    postcard::to_extend(record, vec![SHAPE]).expect("plain data encodes")
}

/// Reads a record; `Corrupt` when it has another shape.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    match bytes.split_first() {
        Some((&SHAPE, rest)) => postcard::from_bytes(rest).map_err(unreadable),
        Some((&(SHAPE_BEFORE_OBJECTS | SHAPE_BEFORE_RULED | SHAPE_BEFORE_TYPED), rest)) => {
            postcard::from_bytes(&[rest, &ABSENT].concat()).map_err(unreadable)
        }
        Some((shape, _)) => Err(Error::new(
            ErrorKind::Corrupt,
            format!("a stored record has shape {shape}; this version of allod knows up to {SHAPE}"),
        )),
        None => Err(Error::new(ErrorKind::Corrupt, "a stored record is empty")),
    }
}

fn unreadable(error: postcard::Error) -> Error {
    Error::new(ErrorKind::Corrupt, format!("a stored record cannot be read: {error}"))
}

/// An account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    pub emails: Vec<String>,
    /// Bytes; `None` for no limit.
    pub quota: Option<u64>,
    /// argon2id, PHC string; opens the web page only.
    pub password: Option<String>,
    pub created: Timestamp,
    /// The account's key, sealed by the master key.
    #[serde(with = "serde_bytes")]
    pub wrapped_key: Vec<u8>,
}

/// Counters of an account, rewritten with each commit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AccountState {
    /// The last commit.
    pub seq: Seq,
    pub next_node: u64,
    pub next_content: u64,
    /// Changes up to here may be forgotten: older sync tokens are refused.
    pub horizon: Seq,
    /// History up to here was let go.
    pub purged: Seq,
    /// Locks that are stored, expired ones included.
    pub locks: u64,
    /// Time of the last commit; times of commits never go back.
    pub time: Timestamp,
    /// The last commit that changed a birthday, or which address books there are. Shape 4.
    pub cards: Seq,
    /// Birthdays are derived as of this commit. Shape 4.
    pub birthdays: Seq,
    /// The calendar of birthdays, 0 before there is one. Shape 4.
    pub birthdays_folder: u64,
}

/// An app credential. Secrets are stored as keyed hashes, the S3 secret sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credential {
    pub id: CredentialId,
    pub account: AccountId,
    pub label: String,
    pub grants: Vec<Grant>,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    pub password_hash: [u8; 32],
    pub bearer_hash: [u8; 32],
    pub access_key: String,
    pub sealed_s3_secret: Vec<u8>,
}

/// When, whence and with what a credential was last used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    pub time: Timestamp,
    pub protocol: String,
    pub address: Option<String>,
    pub client: Option<String>,
}

/// A name in a folder and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub node: NodeId,
    /// The commit that last changed this entry.
    pub seq: Seq,
    pub created: Timestamp,
    pub modified: Timestamp,
    /// Dead properties, kept as a content of their own so that history holds them too.
    pub properties: Option<ContentId>,
    pub what: What,
}

/// File or folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    File(File),
    Folder { kind: Kind, pinned: bool },
}

/// What an entry knows of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    pub content: ContentId,
    pub size: u64,
    /// Keyed digest of the content, shortened: the strong ETag.
    pub digest: [u8; 16],
    pub media_type: Option<String>,
    /// Only when the bytes came by a gateway that takes it (S3).
    pub md5: Option<[u8; 16]>,
    /// The identity that must be unique in its folder, where the folder's kind has one.
    pub uid: Option<String>,
    /// What is kept beside the bytes of an object; `None` when that is nothing. Shape 2.
    pub object: Option<Box<Object>>,
    /// What the rules of a typed folder found in the bytes. Shape 4.
    pub typed: Option<Box<Typed>>,
}

impl File {
    /// The facts of a calendar object.
    pub fn event(&self) -> Option<&EventRow> {
        match self.typed.as_deref() {
            Some(Typed::Event(event)) => Some(event),
            _ => None,
        }
    }

    /// The facts of a card.
    pub fn card(&self) -> Option<&CardRow> {
        match self.typed.as_deref() {
            Some(Typed::Card(card)) => Some(card),
            _ => None,
        }
    }

    /// What the entry of a message holds.
    pub fn mail(&self) -> Option<&MailRow> {
        match self.typed.as_deref() {
            Some(Typed::Mail(mail)) => Some(mail),
            _ => None,
        }
    }

    /// As [`File::mail`], to change it.
    pub fn mail_mut(&mut self) -> Option<&mut MailRow> {
        match self.typed.as_deref_mut() {
            Some(Typed::Mail(mail)) => Some(mail),
            _ => None,
        }
    }

    /// Says which commit last changed what others must learn of a calendar object (RFC 6638 §3.2.10).
    pub fn schedule_at(&mut self, commit: Option<Seq>) {
        if let Some(Typed::Event(event)) = self.typed.as_deref_mut() {
            event.schedule = commit;
        }
    }

    /// Takes what a folder's rules found in the bytes.
    pub fn know(&mut self, facts: &crate::rules::Facts) {
        self.uid = facts.uid.clone();
        // A message that comes from another mailbox brings its flags.
        if !(self.mail().is_some() && facts.mail.is_some()) {
            self.typed = facts.typed.clone();
        }
    }

    /// Changes what is kept beside the bytes.
    pub fn change_object(&mut self, change: impl FnOnce(&mut Object)) {
        let mut object = self.object.take().map_or_else(Object::default, |object| *object);
        change(&mut object);
        self.object = (object != Object::default()).then(|| Box::new(object));
    }

    /// The commit that wrote this revision as a version; 0 for the null version.
    pub fn written(&self) -> Seq {
        self.object.as_ref().map_or(Seq(0), |object| object.written)
    }

    /// Whether a retention, over or not, or a legal hold was put on it.
    pub fn has_hold(&self) -> bool {
        self.object.as_ref().is_some_and(|object| object.retention.is_some() || object.legal_hold)
    }

    /// Whether it must stay at this moment.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.object.as_ref().is_some_and(|object| {
            object.legal_hold || object.retention.is_some_and(|retention| retention.until > now)
        })
    }

    /// The entity tag as S3 defines it, without quotes. Content whose MD5 is not known, and content that came in
    /// parts, has a form that nobody takes for an MD5.
    pub fn object_etag(&self) -> String {
        let parts = self.object.as_ref().map_or(0, |object| object.parts);
        match self.md5 {
            Some(md5) if parts == 0 => hex(&md5),
            Some(md5) => format!("{}-{parts}", hex(&md5)),
            None => format!("{}-1", hex(&self.digest)),
        }
    }
}

impl Entry {
    pub fn file(&self) -> Option<&File> {
        match &self.what {
            What::File(file) => Some(file),
            What::Folder { .. } => None,
        }
    }

    /// A copy is no version of anything yet, and nothing holds it.
    pub fn forget_version(&mut self) {
        if let What::File(file) = &mut self.what {
            file.change_object(|object| {
                object.written = Seq(0);
                object.retention = None;
                object.legal_hold = false;
            });
            // Nobody was invited to a copy.
            file.schedule_at(None);
        }
    }

    pub fn is_folder(&self) -> bool {
        matches!(self.what, What::Folder { .. })
    }

    /// The contents that this entry holds a reference to.
    pub fn contents(&self) -> impl Iterator<Item = ContentId> {
        self.file().map(|f| f.content).into_iter().chain(self.properties)
    }
}

impl File {
    pub fn etag(&self) -> Etag {
        Etag(hex(&self.digest))
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}

/// A folder's own row: where it stands, and the roll-up of what is below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    pub parent: NodeId,
    pub key: EntryKey,
    /// Set while the folder is out of the tree, in history: the commit that removed it.
    pub detached: Option<Seq>,
    pub kind: Kind,
    /// Asked for by name: stays when empty.
    pub pinned: bool,
    pub modified: Timestamp,
    /// Last change among direct members.
    pub token: Seq,
    /// Highest change at any depth.
    pub below: Seq,
    /// Direct members.
    pub members: u64,
    /// Files at any depth.
    pub documents: u64,
    /// Bytes of files at any depth.
    pub bytes: u64,
    /// What every write below a bucket must know of it; only in the bucket's own row. Shape 2.
    pub bucket: Option<Box<BucketFlags>>,
    /// Replaced versions and delete markers kept at any depth. Shape 2.
    pub kept: u64,
    /// Files and kept versions at any depth that have a retention or a hold, over or not. Shape 2.
    pub held: u64,
    /// A bucket whose rules remove objects by their age or at a date. Shape 3: what was set before is not known here
    /// until the bucket's settings are written again.
    pub ruled: bool,
    /// Which components a calendar takes. Shape 4.
    pub components: Components,
    /// A calendar whose events make nobody busy (RFC 6638 §9.1). Shape 4.
    pub transparent: bool,
    /// Its members are made by the server and by nobody else. Shape 4.
    pub derived: bool,
}

/// The part of a bucket's settings that decides about writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketFlags {
    pub versioning: Versioning,
    /// See [`crate::BucketSettings::object_lock`].
    pub object_lock: Option<Option<DefaultRetention>>,
}

/// What a bucket keeps of a key that shows something else by now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// A replaced version.
    Version(Entry),
    /// A mark that it was deleted. `null`: it is the null version.
    Marker { null: bool, time: Timestamp },
}

/// Where a file node stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub parent: NodeId,
    pub key: EntryKey,
    pub detached: Option<Seq>,
}

/// An immutable content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub size: u64,
    pub digest: [u8; 32],
    pub body: Body,
}

/// Where a content's bytes lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Here, sealed.
    Inline(#[serde(with = "serde_bytes")] Vec<u8>),
    /// In a few chunks: name and plain length.
    Few(Vec<ChunkPart>),
    /// In many chunks: so many pages in the table `G`.
    Paged(u32),
    /// In other contents, one after the other: so many parts, in pages of the table `J`; where each page ends, in
    /// bytes of the whole. The list holds one reference to each of them; none is itself joined.
    Joined { parts: u32, ends: Vec<u64> },
}

/// A part of an upload under way, or of a joined content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPart {
    pub content: ContentId,
    pub size: u64,
    pub digest: [u8; 32],
    pub md5: [u8; 16],
    pub checksum: Option<Checksum>,
    pub modified: Timestamp,
}

/// An upload in parts that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultipartUpload {
    /// The second half of its id.
    pub secret: [u8; 8],
    pub begun: Timestamp,
    /// The checksum of each part, and whether the object's is made of theirs.
    pub checksum: Option<(ChecksumKind, bool)>,
    pub media_type: Option<String>,
    pub modified: Option<Timestamp>,
    pub object: Object,
}

/// How far the rules of a bucket were applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleRun {
    /// The day on which the run began, counted from 1970.
    pub day: i64,
    /// All keys up to this one were looked at; `None` when the run is over.
    pub after: Option<Vec<u8>>,
}

/// An upload that was completed, so that the client that did not hear of it can ask again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedUpload {
    pub secret: [u8; 8],
    pub bucket: NodeId,
    pub time: Timestamp,
    /// Hash of the parts that the client chose.
    pub choice: [u8; 32],
    /// The content that it made.
    pub content: ContentId,
    pub created: bool,
}

/// One chunk in a content: its name and its length in plain bytes.
pub type ChunkPart = ([u8; 32], u32);

/// A stored chunk: how many contents hold it, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    pub refs: u64,
    pub placement: Placement,
}

/// One commit in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRecord {
    pub time: Timestamp,
    pub actor: Actor,
    pub deltas: Vec<Delta>,
}

/// Who did it, and by which window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// `None`: the operator or the server itself.
    pub credential: Option<CredentialId>,
    pub protocol: String,
    pub address: Option<String>,
}

/// One entry that a commit changed. What it was before lies in the table `V` when `existed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    pub folder: NodeId,
    pub key: EntryKey,
    pub existed: bool,
    pub exists: bool,
}

/// An event of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    pub time: Timestamp,
    /// One of a closed list of words: `account-created`, `credential-created`, `credential-revoked`, `refused`,
    /// `login-failed` …
    pub event: String,
    pub credential: Option<String>,
    pub protocol: Option<String>,
    pub address: Option<String>,
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What shape 1 wrote for a file: no `object` behind `uid`.
    #[derive(Serialize)]
    struct OldEntry(NodeId, Seq, Timestamp, Timestamp, Option<ContentId>, OldWhat);

    #[derive(Serialize)]
    enum OldWhat {
        File(ContentId, u64, [u8; 16], Option<String>, Option<[u8; 16]>, Option<String>),
    }

    #[test]
    fn records_from_before_objects_are_read() {
        let what = OldWhat::File(ContentId(4), 5, [6; 16], Some("a/b".into()), None, Some("uid".into()));
        let old = OldEntry(NodeId(1), Seq(2), Timestamp(3), Timestamp(4), None, what);
        let bytes = postcard::to_extend(&old, vec![SHAPE_BEFORE_OBJECTS]).unwrap();
        let entry: Entry = decode(&bytes).unwrap();
        let file = entry.file().unwrap();
        assert_eq!((file.size, file.uid.as_deref(), &file.object), (5, Some("uid"), &None));
        let again: Entry = decode(&encode(&entry)).unwrap();
        assert_eq!(again, entry);
        assert!(decode::<Entry>(&[9, 0]).is_err());
    }
}
