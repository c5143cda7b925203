//! What callers see of the tree: facts about files and folders, and what operations take and give.

use std::time::Duration;

use allod_model::{
    CredentialId, EntryKey, Etag, Kind, LockToken, Name, NodeId, Path, Protocol, Rights, Seq, Timestamp,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::components::Components;

/// What a caller wants a path's last name to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    /// The file if there is one, else the folder.
    Any,
    /// A file only.
    File,
    /// A folder only.
    Folder,
}

/// A file or a folder as listings show it.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// Stable identity.
    pub id: NodeId,
    /// Name in its folder; the root's is empty.
    pub name: Name,
    /// Facts of a folder; `None` for a file.
    pub folder: Option<FolderFacts>,
    /// Bytes of a file; for a folder all bytes below it.
    pub size: u64,
    /// Strong entity tag of a file: the content's digest. A folder's changes with anything below it.
    pub etag: Etag,
    /// Media type given at the last write; `None` if none was given.
    pub media_type: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// When its content (a folder: its members) last changed, or the time a client set.
    pub modified: Timestamp,
    /// The commit that last changed this entry.
    pub seq: Seq,
    /// Dead properties; filled only where the operation was asked for them.
    pub properties: Vec<Property>,
    /// What the session may do here.
    pub rights: Option<Rights>,
    /// Facts of a calendar object, for members of calendars.
    pub calendar: Option<EventFacts>,
    /// Facts of an object; filled only by the operations on objects.
    pub object: Option<Box<crate::object::ObjectFacts>>,
}

impl Node {
    /// Whether this is a folder.
    pub fn is_folder(&self) -> bool {
        self.folder.is_some()
    }
}

/// Facts of a folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FolderFacts {
    /// Which rules hold in it.
    pub kind: Kind,
    /// The last change among its direct members: its sync token.
    pub token: Seq,
    /// The highest change anywhere below.
    pub below: Seq,
    /// Files below, at any depth.
    pub documents: u64,
    /// Which components a calendar takes.
    pub components: Components,
    /// Whether the events of a calendar make nobody busy (RFC 6638 §9.1).
    pub transparent: bool,
    /// Whether its members are made by the server: nobody else writes there.
    pub derived: bool,
}

/// Facts of a calendar object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventFacts {
    /// The one kind of component that it holds, in upper case.
    pub component: &'static str,
    /// Changes when others must learn of a change (RFC 6638 §3.2.10); `None` for an object without scheduling.
    pub schedule_tag: Option<String>,
}

/// A dead property: a name in a namespace and its value as an XML fragment, kept as given.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Property {
    /// Namespace, possibly empty.
    pub namespace: String,
    /// Local name.
    pub name: String,
    /// The whole element as namespace-complete XML.
    pub xml: String,
}

/// One instruction of [`crate::Session::set_properties`], applied in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PropertyChange {
    /// Store or replace.
    Set(Property),
    /// Remove if present: (namespace, name).
    Remove(String, String),
    /// Set the time of last modification.
    Modified(Timestamp),
    /// Set the time of creation.
    Created(Timestamp),
    /// Whether the events of a calendar make nobody busy (`schedule-calendar-transp`, RFC 6638 §9.1); without effect on
    /// files.
    Transparent(bool),
}

/// How a file is to be written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PutOptions {
    /// Media type as the client gave it.
    pub media_type: Option<String>,
    /// Time of last modification to record instead of now.
    pub modified: Option<Timestamp>,
    /// The announced length in bytes; a stream of another length is refused and leaves nothing.
    pub length: Option<u64>,
    /// Create missing folders above; they vanish again when empty.
    pub make_parents: bool,
    /// Take names by the raw rule (S3).
    pub raw: bool,
    /// Take the MD5 in the same pass.
    pub md5: bool,
    /// What is kept beside the bytes; `written` and `parts` are core's own.
    pub object: crate::object::Object,
}

/// The outcome of a write.
#[derive(Clone, PartialEq, Debug)]
pub struct Written {
    /// The file or folder as it is now.
    pub node: Node,
    /// Whether it did not exist before.
    pub created: bool,
    /// Whether what is stored is not what was given: scheduling wrote into it (RFC 6638 §3.2.1.1), so that the client
    /// must read it again and gets no entity tag for what it sent.
    pub altered: bool,
}

/// How a file is to be removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RemoveOptions {
    /// Whoever organizes an event hears nothing of it (`Schedule-Reply: F`, RFC 6638 §8.1).
    pub no_reply: bool,
}

/// How a folder is to be made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FolderOptions {
    /// The folder's kind.
    pub kind: Kind,
    /// Dead properties to start with (RFC 5689).
    pub properties: Vec<Property>,
    /// Which components a calendar is to take.
    pub components: Components,
    /// See [`FolderFacts::transparent`].
    pub transparent: bool,
}

/// How a move or copy treats what is at the destination, and how deep a copy goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransferOptions {
    /// Replace what is there; otherwise `PreconditionFailed`.
    pub overwrite: bool,
    /// Copy only the folder itself, not its members (`Depth: 0`).
    pub shallow: bool,
}

/// A page of a folder's members in byte order of their keys.
#[derive(Clone, PartialEq, Debug)]
pub struct Listing {
    /// The members that the session may see.
    pub nodes: Vec<Node>,
    /// Pass this as `after` to go on; `None` at the end.
    pub next: Option<EntryKey>,
}

/// A member's latest change since a token.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// Its key in the folder.
    pub key: EntryKey,
    /// As it is now; `None` when it is gone.
    pub node: Option<Node>,
}

/// What changed among a folder's direct members since a token (RFC 6578 `sync-level` 1).
#[derive(Clone, PartialEq, Debug)]
pub struct Changes {
    /// Each changed member once, oldest change first.
    pub changes: Vec<Change>,
    /// The token to ask with next.
    pub token: Seq,
    /// Whether the limit cut the list: ask again with `token`.
    pub more: bool,
}

/// How full an account is, in bytes (RFC 4331).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    /// Bytes of current files; history is not counted.
    pub used: u64,
    /// The limit; `None` when there is none.
    pub limit: Option<u64>,
    /// What can still be written: the rest of the quota, or the free space of the disk if that is less.
    pub available: Option<u64>,
}

/// A lock as RFC 4918 §6 defines it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lock {
    /// The token.
    pub token: LockToken,
    /// The locked path.
    pub root: Path,
    /// Whether everything below is locked too (`Depth: infinity`).
    pub deep: bool,
    /// Exclusive or shared.
    pub exclusive: bool,
    /// The client's `owner` element as XML, kept as given.
    pub owner: Option<String>,
    /// When it ends by itself.
    pub expires: Timestamp,
    /// Who took it.
    pub credential: CredentialId,
}

/// What a client asks of a new lock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LockRequest {
    /// See [`Lock::deep`].
    pub deep: bool,
    /// See [`Lock::exclusive`].
    pub exclusive: bool,
    /// See [`Lock::owner`]; at most 4 KiB.
    pub owner: Option<String>,
    /// How long it is wanted; core bounds it. `None`: as long as core allows.
    pub timeout: Option<Duration>,
}

/// Which bytes of a file are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// One past the last byte; at most the size.
    pub end: u64,
}

/// A stream of a file's bytes; each piece was verified before it is handed out. Ends with an error when damage
/// is met or the credential is revoked.
pub type ByteStream = std::pin::Pin<Box<dyn futures_util::Stream<Item = allod_model::Result<Bytes>> + Send>>;

/// Where a request comes from, for grants, history, audit and throttling.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Door {
    /// The protocols of the window it came by: a grant for any of them counts; the first is written into history.
    pub protocols: Vec<Protocol>,
    /// The peer's address.
    pub address: Option<std::net::IpAddr>,
    /// What the client calls itself (`User-Agent`, IMAP `ID`); core shortens it.
    pub client: Option<String>,
}
