//! What a file carries beside its bytes when it is also an object: metadata, tags, checksum, version, hold.
//!
//! An object is a file in a bucket, and a bucket is a plain folder at the top of the tree. Nothing here is needed to
//! read the bytes; a file written by a window that knows no metadata simply has none.

use allod_model::{Name, Seq, Timestamp};
use serde::{Deserialize, Serialize};

use crate::node::Node;

/// Bytes of an object's user metadata, names and values together (S3's limit is 2 KiB).
pub const METADATA_BYTES_MAX: usize = 2 * 1024;
/// Bytes of an object's facts that are kept as headers, all together.
pub const HEADERS_BYTES_MAX: usize = 8 * 1024;
/// Tags of one object at most.
pub const OBJECT_TAGS_MAX: usize = 10;
/// Parts of an upload at most; they are numbered from 1.
pub const PARTS_MAX: u32 = 10_000;
/// Uploads in parts under way in one account at most.
pub const UPLOADS_MAX: u64 = 10_000;
/// The smallest part but the last, in bytes.
pub const PART_BYTES_MIN: u64 = 5 << 20;
/// The largest part, in bytes.
pub const PART_BYTES_MAX: u64 = 5 << 30;
/// Keys, prefixes, parts, uploads or versions of one page at most.
pub const SCAN_ITEMS_MAX: usize = 1000;

/// Facts of a file that is also an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// The commit that wrote this revision as a version of its own; 0 when it is the null version.
    pub written: Seq,
    /// Number of parts that it was uploaded in; 0 when it came in one piece.
    pub parts: u32,
    /// User metadata, names in lower case.
    pub metadata: Vec<(String, String)>,
    /// What is given back with the bytes and otherwise has no meaning here.
    pub headers: Vec<(HeaderKind, String)>,
    /// Tags, names unique.
    pub tags: Vec<(String, String)>,
    /// The checksum that the client asked to have kept; it was compared before the object became visible.
    pub checksum: Option<Checksum>,
    /// Until when this version must stay.
    pub retention: Option<Retention>,
    /// Must stay until this is taken off.
    pub legal_hold: bool,
    /// The class the client named; kept and shown, without effect.
    pub storage_class: Option<String>,
}

/// A fact about content that clients store and get back to the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HeaderKind {
    /// `Cache-Control`.
    CacheControl,
    /// `Content-Disposition`.
    ContentDisposition,
    /// `Content-Encoding`, without `aws-chunked`.
    ContentEncoding,
    /// `Content-Language`.
    ContentLanguage,
    /// `Expires`.
    Expires,
    /// Where a website would send its visitor.
    RedirectLocation,
}

/// An algorithm of checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumKind {
    /// CRC-32 (ISO HDLC), 4 bytes.
    Crc32,
    /// CRC-32C (Castagnoli), 4 bytes.
    Crc32c,
    /// CRC-64/NVME, 8 bytes.
    Crc64Nvme,
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
}

/// A checksum of a whole object, or of its parts' checksums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// The algorithm.
    pub kind: ChecksumKind,
    /// Taken over the parts' checksums, one after the other, instead of over the bytes.
    pub composite: bool,
    /// Its bytes, most significant first.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
}

/// How firmly a version is retained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetentionMode {
    /// Who may write may end it early by saying so.
    Governance,
    /// Nobody can end it early.
    Compliance,
}

/// Keeps a version from being removed, overwritten or moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// How firmly.
    pub mode: RetentionMode,
    /// Until when.
    pub until: Timestamp,
}

/// Names one version of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VersionId {
    /// The version written while its bucket kept no versions.
    Null,
    /// The version that a commit wrote.
    Seq(Seq),
}

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// It never did.
    #[default]
    Off,
    /// Each write makes a version.
    Enabled,
    /// It did; writes now make the null version.
    Suspended,
}

/// What a listing, a read or a write shows of an object beside the [`Node`].
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectFacts {
    /// The entity tag as S3 defines it, without quotes: the MD5 in hexadecimal; with `-N` behind it for an upload in N
    /// parts, and `-1` for content whose MD5 is not known.
    pub etag: String,
    /// Which version this is.
    pub version: VersionId,
    /// Whether the bucket keeps, or once kept, versions: only then a version id is to be shown.
    pub versioned: bool,
    /// When a rule of the bucket will remove it, and the rule's name; reads and writes of what a key shows tell it,
    /// listings do not.
    pub expiry: Option<(Timestamp, String)>,
    /// Everything else that is kept with it.
    pub object: Object,
}

/// Text that says which: a bucket as listings show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// Its name.
    pub name: Name,
    /// When it was made.
    pub created: Timestamp,
    /// What was set for it.
    pub settings: BucketSettings,
}

/// What can be set for a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketSettings {
    /// See [`Versioning`].
    pub versioning: Versioning,
    /// Object lock was switched on, which is for ever and needs versions; inside: what new objects get.
    pub object_lock: Option<Option<DefaultRetention>>,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// Which web pages may read answers, in the order in which they are tried.
    pub cors: Vec<CorsRule>,
    /// What is removed by itself.
    pub lifecycle: Vec<LifecycleRule>,
    /// Settings that only a gateway knows, by name: kept and given back, 20 KiB each at most.
    pub documents: Vec<(String, String)>,
}

/// The retention that objects get when their writer asks for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultRetention {
    /// How firmly.
    pub mode: RetentionMode,
    /// How long.
    pub period: Period,
}

/// A time span as people set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Period {
    /// Days of 24 hours.
    Days(u32),
    /// Years of 365 days.
    Years(u32),
}

/// Which pages of other origins may use a bucket (Fetch standard §3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorsRule {
    /// A name for people.
    pub id: Option<String>,
    /// Origins, each with at most one `*`.
    pub origins: Vec<String>,
    /// Methods.
    pub methods: Vec<String>,
    /// Request headers, each with at most one `*`.
    pub headers: Vec<String>,
    /// Response headers that the page may read.
    pub expose: Vec<String>,
    /// How long a browser may remember the answer, in seconds.
    pub max_age_secs: Option<u32>,
}

/// One rule of what is removed by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleRule {
    /// A name, unique in the bucket.
    pub id: String,
    /// Whether it acts.
    pub enabled: bool,
    /// Written in the old form, with the prefix directly in the rule: given back in that form.
    pub bare_prefix: bool,
    /// Only keys that begin so.
    pub prefix: Option<String>,
    /// Only objects with all of these tags.
    pub tags: Vec<(String, String)>,
    /// Only objects larger than this, in bytes.
    pub larger_than: Option<u64>,
    /// Only objects smaller than this, in bytes.
    pub smaller_than: Option<u64>,
    /// Current objects go after so many days.
    pub days: Option<u32>,
    /// Current objects go from this moment on.
    pub date: Option<Timestamp>,
    /// A delete marker with no version below it goes.
    pub lone_markers: bool,
    /// Versions go so many days after they were replaced.
    pub noncurrent_days: Option<u32>,
    /// So many of the newest replaced versions stay although older.
    pub noncurrent_keep: Option<u32>,
    /// Uploads never completed go after so many days.
    pub abort_days: Option<u32>,
}

/// What a scan is to find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanRequest {
    /// Only keys that begin so.
    pub prefix: Vec<u8>,
    /// Keys that have this behind the prefix are shown as one common prefix; empty: none are.
    pub delimiter: Vec<u8>,
    /// Only keys and common prefixes behind this one, in byte order.
    pub after: Vec<u8>,
    /// Items of the page at most; core caps it at [`SCAN_ITEMS_MAX`].
    pub limit: usize,
}

/// One item of a scan.
#[derive(Clone, Debug, PartialEq)]
pub enum ScanItem<T> {
    /// What stands at a key.
    Key(Vec<u8>, T),
    /// All keys with this beginning.
    Prefix(Vec<u8>),
}

impl<T> ScanItem<T> {
    /// The key or the common prefix.
    pub fn key(&self) -> &[u8] {
        match self {
            ScanItem::Key(key, _) | ScanItem::Prefix(key) => key,
        }
    }
}

/// A page of a scan, in byte order of its keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan<T> {
    /// Keys and common prefixes. May be fewer than asked for, or none, although more follow.
    pub items: Vec<ScanItem<T>>,
    /// Scan on after this key (and version, in a scan of versions); `None` at the end.
    pub next: Option<(Vec<u8>, Option<VersionId>)>,
}

/// A version of an object, or the mark that it was deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectVersion {
    /// Which.
    pub id: VersionId,
    /// Whether it is what the key shows now.
    pub latest: bool,
    /// When it was written.
    pub modified: Timestamp,
    /// The object; `None` for a delete marker.
    pub node: Option<Node>,
}

/// What a delete did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Deleted {
    /// The version removed for good, or the delete marker that was put; `None` in a bucket without versions.
    pub version: Option<VersionId>,
    /// Whether that version is a delete marker.
    pub marker: bool,
}

/// One of several deletes.
#[derive(Clone, Debug)]
pub struct DeleteRequest {
    /// The object.
    pub path: allod_model::Path,
    /// Which version to remove for good; `None`: the object as it is shown.
    pub version: Option<VersionId>,
    /// Conditions on what is there; where nothing is, they hold.
    pub pre: allod_model::Precondition,
    /// Only if it has so many bytes.
    pub size: Option<u64>,
    /// Only if it was last modified in this second.
    pub modified: Option<Timestamp>,
}

/// A change of what is kept with a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectChange {
    /// Replaces all tags.
    Tags(Vec<(String, String)>),
    /// Puts on or takes off the legal hold.
    LegalHold(bool),
    /// Sets, extends, shortens or ends the retention.
    Retention(Option<Retention>),
}

/// How an object is copied.
#[derive(Clone, Debug, Default)]
pub struct CopyOptions {
    /// Which version of the source; `None`: the one it shows.
    pub version: Option<VersionId>,
    /// Conditions on the source.
    pub source_pre: allod_model::Precondition,
    /// Media type and facts of the copy instead of the source's; tags, retention and hold aside.
    pub replace: Option<(Option<String>, Object)>,
    /// Tags of the copy instead of the source's.
    pub tags: Option<Vec<(String, String)>>,
    /// Retention of the copy; never taken from the source.
    pub retention: Option<Retention>,
    /// Legal hold of the copy; never taken from the source.
    pub legal_hold: bool,
    /// Storage class of the copy.
    pub storage_class: Option<String>,
    /// Keep this checksum with the copy; `None`: the source's if it is one over the bytes.
    pub checksum: Option<ChecksumKind>,
}

/// Names an upload in parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UploadId(pub String);

/// An upload in parts, as listings show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadFacts {
    /// Its id.
    pub id: UploadId,
    /// When it was begun.
    pub begun: Timestamp,
    /// The checksum that its parts carry, and whether the object's will be made of theirs.
    pub checksum: Option<(ChecksumKind, bool)>,
    /// The class named at its beginning.
    pub storage_class: Option<String>,
}

/// A part of an upload, or of an object that was uploaded in parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// From 1; the parts of a finished object are numbered without gaps.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// MD5 of its bytes.
    pub md5: [u8; 16],
    /// Its checksum.
    pub checksum: Option<Checksum>,
    /// When it was stored.
    pub modified: Timestamp,
}

/// What the finishing client says of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartChoice {
    /// Its number.
    pub number: u32,
    /// Its entity tag without quotes; must be that of the stored part.
    pub etag: String,
    /// Its checksum, if the client names it; must be that of the stored part.
    pub checksum: Option<Checksum>,
}

/// What core found of a body that has been read whole, for the last check before it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Bytes.
    pub size: u64,
    /// MD5, where it was asked for.
    pub md5: Option<[u8; 16]>,
}
