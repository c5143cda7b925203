//! Where each row lies. Every key of an account starts with its prefix; shard 0 holds what is the server's.
//!
//! | table | key after the prefix | value |
//! |---|---|---|
//! | `M` | – | [`crate::record::AccountState`] |
//! | `E` | folder, entry key | [`crate::record::Entry`] |
//! | `F` | folder | [`crate::record::Folder`] |
//! | `N` | file node | [`crate::record::Place`] |
//! | `C` | content | [`crate::record::Content`] |
//! | `R` | content | count of references, absent means one |
//! | `G` | content, page | page of a long content's chunk list |
//! | `K` | chunk name | [`crate::record::Chunk`] |
//! | `X` | folder, seq, entry key | latest change of each member: 1 live, 0 gone |
//! | `T` | folder, entry key | seq of the tombstone |
//! | `V` | folder, escaped entry key, seq | the entry as it was before the commit `seq` |
//! | `L` | seq, part | [`crate::record::CommitRecord`]; further parts hold more deltas |
//! | `O` | folder, escaped name, token | [`crate::node::Lock`] |
//! | `D` | content | when its last reference went |
//! | `W` | content | when an upload began to register its chunk list |
//! | `I` | folder, UID | key of the member that has this UID |
//! | `Y` | folder, escaped entry key, inverted order | [`crate::record::Kept`]: versions behind the current one, newest first |
//! | `B` | bucket's folder | [`crate::BucketSettings`] |
//! | `U` | bucket's folder, escaped key, upload | [`crate::record::MultipartUpload`]; the table's bare prefix: how many |
//! | `A` | upload, part | [`crate::record::StoredPart`] of an upload under way |
//! | `Z` | upload | [`crate::record::CompletedUpload`], for a day |
//! | `J` | content, page | page of a joined content's list of [`crate::record::StoredPart`]s |
//! | `H` | bucket's folder | [`crate::record::LifecycleRun`] |
//! | `Q` | folder, class, begin, entry key | when a member of a calendar takes place: [`crate::times`] |
//! | `S` | part, … | messages of scheduling on their way: [`crate::schedule`] |
//! | `P` | folder | a subtree out of the tree, to be taken apart |
//!
//! Tables with small letters belong to mailboxes: [`crate::mail`]; `q` holds mails that wait to be sent and `r` rules
//! for those that arrive: [`crate::post`].

use allod_model::{AccountId, ContentId, EntryKey, NodeId, Seq};

/// The shard of accounts, credentials and audit.
pub const GLOBAL_SHARD: u64 = 0;

/// One table of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Table {
    State = b'M',
    Entry = b'E',
    Folder = b'F',
    Node = b'N',
    Content = b'C',
    Refs = b'R',
    Manifest = b'G',
    Chunk = b'K',
    Change = b'X',
    Tombstone = b'T',
    Version = b'V',
    Log = b'L',
    Lock = b'O',
    Dying = b'D',
    Pending = b'W',
    Purge = b'P',
    Uid = b'I',
    Kept = b'Y',
    Bucket = b'B',
    Upload = b'U',
    UploadPart = b'A',
    Completed = b'Z',
    Joined = b'J',
    Lifecycle = b'H',
    Times = b'Q',
    Schedule = b'S',
    Mailbox = b'b',
    Message = b'm',
    MailChange = b'x',
    Vanished = b'v',
    MailFacts = b'e',
    MailPart = b'p',
    Thread = b't',
    Keywords = b'k',
    Subscription = b's',
    Annotation = b'n',
    Inner = b'f',
    Span = b'g',
    Queue = b'q',
    Filing = b'r',
}

/// Builds keys of one account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keys(AccountId);

const PREFIX_BYTES: usize = 10;

impl Keys {
    pub fn new(account: AccountId) -> Self {
        Keys(account)
    }

    /// Everything of the account.
    pub fn all(self) -> Vec<u8> {
        let mut key = vec![b'a'];
        key.extend_from_slice(&self.0.0.to_be_bytes());
        key
    }

    /// The prefix of a table.
    pub fn table(self, table: Table) -> Vec<u8> {
        let mut key = Vec::with_capacity(PREFIX_BYTES + 8 + 40);
        key.push(b'a');
        key.extend_from_slice(&self.0.0.to_be_bytes());
        key.push(table as u8);
        key
    }

    fn numbered(self, table: Table, number: u64) -> Vec<u8> {
        let mut key = self.table(table);
        key.extend_from_slice(&number.to_be_bytes());
        key
    }

    pub fn state(self) -> Vec<u8> {
        self.table(Table::State)
    }

    pub fn entries(self, folder: NodeId) -> Vec<u8> {
        self.numbered(Table::Entry, folder.0)
    }

    pub fn entry(self, folder: NodeId, key: &EntryKey) -> Vec<u8> {
        with(self.entries(folder), key.as_bytes())
    }

    pub fn folder(self, folder: NodeId) -> Vec<u8> {
        self.numbered(Table::Folder, folder.0)
    }

    pub fn node(self, node: NodeId) -> Vec<u8> {
        self.numbered(Table::Node, node.0)
    }

    pub fn content(self, content: ContentId) -> Vec<u8> {
        self.numbered(Table::Content, content.0)
    }

    pub fn refs(self, content: ContentId) -> Vec<u8> {
        self.numbered(Table::Refs, content.0)
    }

    pub fn manifest(self, content: ContentId, page: u32) -> Vec<u8> {
        with(self.numbered(Table::Manifest, content.0), &page.to_be_bytes())
    }

    pub fn chunk(self, name: &[u8]) -> Vec<u8> {
        with(self.table(Table::Chunk), name)
    }

    pub fn changes(self, folder: NodeId) -> Vec<u8> {
        self.numbered(Table::Change, folder.0)
    }

    pub fn change(self, folder: NodeId, seq: Seq, key: &EntryKey) -> Vec<u8> {
        with(with(self.changes(folder), &seq.0.to_be_bytes()), key.as_bytes())
    }

    pub fn tombstone(self, folder: NodeId, key: &EntryKey) -> Vec<u8> {
        with(self.numbered(Table::Tombstone, folder.0), key.as_bytes())
    }

    pub fn versions_of_folder(self, folder: NodeId) -> Vec<u8> {
        self.numbered(Table::Version, folder.0)
    }

    pub fn versions(self, folder: NodeId, key: &EntryKey) -> Vec<u8> {
        escape(self.versions_of_folder(folder), key.as_bytes())
    }

    pub fn version(self, folder: NodeId, key: &EntryKey, seq: Seq) -> Vec<u8> {
        with(self.versions(folder, key), &seq.0.to_be_bytes())
    }

    pub fn kept_in(self, folder: NodeId) -> Vec<u8> {
        self.numbered(Table::Kept, folder.0)
    }

    pub fn kept_of(self, folder: NodeId, key: &EntryKey) -> Vec<u8> {
        escape(self.kept_in(folder), key.as_bytes())
    }

    /// The order of a version is the commit that wrote it; inverted, so that the newest comes first.
    pub fn kept(self, folder: NodeId, key: &EntryKey, order: Seq) -> Vec<u8> {
        with(self.kept_of(folder, key), &(!order.0).to_be_bytes())
    }

    pub fn bucket(self, folder: NodeId) -> Vec<u8> {
        self.numbered(Table::Bucket, folder.0)
    }

    pub fn lifecycle(self, bucket: NodeId) -> Vec<u8> {
        self.numbered(Table::Lifecycle, bucket.0)
    }

    /// How many uploads are under way in the account.
    pub fn upload_count(self) -> Vec<u8> {
        self.table(Table::Upload)
    }

    pub fn uploads_in(self, bucket: NodeId) -> Vec<u8> {
        self.numbered(Table::Upload, bucket.0)
    }

    pub fn uploads_of(self, bucket: NodeId, key: &[u8]) -> Vec<u8> {
        escape(self.uploads_in(bucket), key)
    }

    /// Uploads are numbered in the order in which they were begun.
    pub fn upload(self, bucket: NodeId, key: &[u8], number: u64) -> Vec<u8> {
        with(self.uploads_of(bucket, key), &number.to_be_bytes())
    }

    pub fn upload_parts(self, upload: u64) -> Vec<u8> {
        self.numbered(Table::UploadPart, upload)
    }

    pub fn upload_part(self, upload: u64, part: u32) -> Vec<u8> {
        with(self.upload_parts(upload), &part.to_be_bytes())
    }

    pub fn completed(self, upload: u64) -> Vec<u8> {
        self.numbered(Table::Completed, upload)
    }

    pub fn joined_pages(self, content: ContentId) -> Vec<u8> {
        self.numbered(Table::Joined, content.0)
    }

    pub fn joined(self, content: ContentId, page: u32) -> Vec<u8> {
        with(self.joined_pages(content), &page.to_be_bytes())
    }

    pub fn log_of(self, seq: Seq) -> Vec<u8> {
        self.numbered(Table::Log, seq.0)
    }

    pub fn log(self, seq: Seq, part: u32) -> Vec<u8> {
        with(self.log_of(seq), &part.to_be_bytes())
    }

    pub fn locks(self, folder: NodeId, name: &[u8]) -> Vec<u8> {
        escape(self.numbered(Table::Lock, folder.0), name)
    }

    pub fn lock(self, folder: NodeId, name: &[u8], token: &str) -> Vec<u8> {
        with(self.locks(folder, name), token.as_bytes())
    }

    pub fn dying(self, content: ContentId) -> Vec<u8> {
        self.numbered(Table::Dying, content.0)
    }

    pub fn pending(self, content: ContentId) -> Vec<u8> {
        self.numbered(Table::Pending, content.0)
    }

    /// UIDs may be long; a hash keeps the key short.
    pub fn uid(self, folder: NodeId, uid: &str) -> Vec<u8> {
        with(self.numbered(Table::Uid, folder.0), &blake3::hash(uid.as_bytes()).as_bytes()[..24])
    }

    pub fn times(self, folder: NodeId) -> Vec<u8> {
        self.numbered(Table::Times, folder.0)
    }

    /// One part of what is kept for scheduling.
    pub fn schedule(self, part: u8) -> Vec<u8> {
        with(self.table(Table::Schedule), &[part])
    }

    pub fn purge(self, folder: NodeId) -> Vec<u8> {
        self.numbered(Table::Purge, folder.0)
    }
}

fn with(mut key: Vec<u8>, tail: &[u8]) -> Vec<u8> {
    key.extend_from_slice(tail);
    key
}

/// Appends `bytes` so that order is kept and no name is a prefix of another: NUL becomes 00 FF, the end is 00 01.
fn escape(mut key: Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    for byte in bytes {
        key.push(*byte);
        if *byte == 0 {
            key.push(0xff);
        }
    }
    key.extend_from_slice(&[0, 1]);
    key
}

/// Reads back an escaped name followed by eight bytes of number: (name, number).
pub fn unescape_numbered(tail: &[u8]) -> Option<(Vec<u8>, u64)> {
    let (escaped, number) = tail.split_at_checked(tail.len().checked_sub(8)?)?;
    let escaped = escaped.strip_suffix(&[0, 1])?;
    let mut name = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(byte) = bytes.next() {
        name.push(*byte);
        if *byte == 0 && bytes.next() != Some(&0xff) {
            return None;
        }
    }
    Some((name, number_at(number)?))
}

/// Reads eight big-endian bytes.
pub fn number_at(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?))
}

/// Rows of the server itself, in [`GLOBAL_SHARD`].
pub mod global {
    use super::{AccountId, NodeId, with};

    pub fn next_account() -> Vec<u8> {
        b"gn".to_vec()
    }

    pub fn account_named(name: &str) -> Vec<u8> {
        with(b"ga".to_vec(), name.as_bytes())
    }

    pub fn account_with_email(email: &str) -> Vec<u8> {
        with(b"ge".to_vec(), email.as_bytes())
    }

    pub fn accounts() -> Vec<u8> {
        b"gA".to_vec()
    }

    pub fn account(id: AccountId) -> Vec<u8> {
        with(accounts(), &id.0.to_be_bytes())
    }

    pub fn credentials() -> Vec<u8> {
        b"gc".to_vec()
    }

    pub fn credential(id: &str) -> Vec<u8> {
        with(credentials(), id.as_bytes())
    }

    /// By the keyed hash of a password or bearer token.
    pub fn secret(hash: &[u8; 32]) -> Vec<u8> {
        with(b"gs".to_vec(), hash)
    }

    pub fn access_key(key: &str) -> Vec<u8> {
        with(b"gk".to_vec(), key.as_bytes())
    }

    pub fn last_use(credential: &str) -> Vec<u8> {
        with(b"gl".to_vec(), credential.as_bytes())
    }

    /// Which rights a credential made use of.
    pub fn used_rights(credential: &str) -> Vec<u8> {
        with(b"gR".to_vec(), credential.as_bytes())
    }

    pub fn audit(account: AccountId) -> Vec<u8> {
        with(b"gu".to_vec(), &account.0.to_be_bytes())
    }

    pub fn audit_event(account: AccountId, time_ms: i64, n: u32) -> Vec<u8> {
        with(with(audit(account), &(time_ms as u64).to_be_bytes()), &n.to_be_bytes())
    }

    /// What is lent to an account, by its name in the borrower's home.
    pub fn mounts(borrower: AccountId) -> Vec<u8> {
        with(b"gm".to_vec(), &borrower.0.to_be_bytes())
    }

    pub fn mount(borrower: AccountId, name: &[u8]) -> Vec<u8> {
        with(mounts(borrower), name)
    }

    /// To whom a folder is lent.
    pub fn lent(owner: AccountId, folder: NodeId) -> Vec<u8> {
        with(with(b"gh".to_vec(), &owner.0.to_be_bytes()), &folder.0.to_be_bytes())
    }

    pub fn lent_to(owner: AccountId, folder: NodeId, borrower: AccountId) -> Vec<u8> {
        with(lent(owner, folder), &borrower.0.to_be_bytes())
    }

    /// What a link opens, by the keyed hash of its token.
    pub fn link(hash: &[u8; 32]) -> Vec<u8> {
        with(b"gp".to_vec(), hash)
    }

    /// The file that an attachment's token opens, by the keyed hash of the token.
    pub fn attachment(hash: &[u8; 32]) -> Vec<u8> {
        with(b"gt".to_vec(), hash)
    }

    /// The sealed token of a folder's link.
    pub fn link_of(owner: AccountId, folder: NodeId) -> Vec<u8> {
        with(with(b"gq".to_vec(), &owner.0.to_be_bytes()), &folder.0.to_be_bytes())
    }

    /// An authorization code, by its keyed hash.
    pub fn oauth_code(hash: &[u8; 32]) -> Vec<u8> {
        with(b"go".to_vec(), hash)
    }

    /// An access token, by its keyed hash.
    pub fn oauth_access(hash: &[u8; 32]) -> Vec<u8> {
        with(b"gx".to_vec(), hash)
    }

    /// What a credential has beyond others when it came by OAuth.
    pub fn oauth_app(credential: &str) -> Vec<u8> {
        with(b"gy".to_vec(), credential.as_bytes())
    }

    /// What an account has by OAuth.
    pub fn oauth_index(account: AccountId) -> Vec<u8> {
        with(b"gv".to_vec(), &account.0.to_be_bytes())
    }

    /// Bytes that the server keeps for itself, by name.
    pub fn sealed(name: &str) -> Vec<u8> {
        with(b"gz".to_vec(), name.as_bytes())
    }

    /// What a gateway keeps for itself and may replace, by name.
    pub fn note(name: &str) -> Vec<u8> {
        with(b"gN".to_vec(), name.as_bytes())
    }

    /// A sign-in at the web page, by the keyed hash of its token.
    pub fn web_session(hash: &[u8; 32]) -> Vec<u8> {
        with(b"gw".to_vec(), hash)
    }

    /// The sign-ins of an account.
    pub fn web_sessions_of(account: AccountId) -> Vec<u8> {
        with(b"gv".to_vec(), &account.0.to_be_bytes())
    }

    /// The hash of one of them, by its id.
    pub fn web_session_of(account: AccountId, id: &str) -> Vec<u8> {
        with(web_sessions_of(account), id.as_bytes())
    }

    /// That there is a sign-in of this id.
    pub fn web_session_id(id: &str) -> Vec<u8> {
        with(b"gx".to_vec(), id.as_bytes())
    }

    /// What an account's sign-in needs beside the password.
    pub fn factors(account: AccountId) -> Vec<u8> {
        with(b"gf".to_vec(), &account.0.to_be_bytes())
    }

    /// An invitation, by the keyed hash of its token.
    pub fn invitation(hash: &[u8; 32]) -> Vec<u8> {
        with(b"gi".to_vec(), hash)
    }

    /// The hash of the invitation that is open for an account.
    pub fn invitation_of(account: AccountId) -> Vec<u8> {
        with(b"gj".to_vec(), &account.0.to_be_bytes())
    }

    /// Accounts removed whose rows are still being taken apart.
    pub fn removed() -> Vec<u8> {
        b"gr".to_vec()
    }

    pub fn removed_account(id: AccountId) -> Vec<u8> {
        with(removed(), &id.0.to_be_bytes())
    }
}
