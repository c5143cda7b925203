//! A command as it was understood: the words of RFC 9051, RFC 3501 and their extensions, as types.
//!
//! Strings are decoded: mailbox names are UTF-8 whatever form they came in, search strings are UTF-8 whatever their
//! CHARSET was. What cannot be built here cannot be asked for.

use allod_model::Timestamp;
use jiff::civil::Date;
use zeroize::Zeroizing;

/// A command and the tag that its last answer carries.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Tagged {
    /// RFC 9051 §2.2.1: what the client calls this command.
    pub(crate) tag: String,
    /// What it asks for.
    pub(crate) command: Command,
}

/// What a client can ask for.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Command {
    /// RFC 9051 §6.1.1.
    Capability,
    /// RFC 9051 §6.1.2.
    Noop,
    /// RFC 9051 §6.1.3.
    Logout,
    /// RFC 2971 §3.1: what the client says of itself; a value may be NIL.
    Id(Vec<(String, Option<String>)>),
    /// RFC 9051 §6.2.1.
    StartTls,
    /// RFC 9051 §6.2.2; the initial response (RFC 4959) decoded, `=` being empty.
    Authenticate { mechanism: String, initial: Option<Secret> },
    /// RFC 9051 §6.2.3.
    Login { username: String, password: Secret },
    /// RFC 5161: names, upper case.
    Enable(Vec<String>),
    /// RFC 4978: the algorithm, upper case.
    Compress(String),
    /// RFC 9051 §6.3.2, §6.3.3.
    Select(Select),
    /// RFC 9051 §6.3.4, RFC 6154 §3.
    Create { mailbox: Mailbox, special_use: Vec<SpecialUse> },
    /// RFC 9051 §6.3.5.
    Delete(Mailbox),
    /// RFC 9051 §6.3.6.
    Rename { from: Mailbox, to: Mailbox },
    /// RFC 9051 §6.3.7.
    Subscribe(Mailbox),
    /// RFC 9051 §6.3.8.
    Unsubscribe(Mailbox),
    /// RFC 9051 §6.3.9.
    List(List),
    /// RFC 3501 §6.3.9.
    Lsub { reference: String, pattern: String },
    /// RFC 2342, RFC 9051 §6.3.10.
    Namespace,
    /// RFC 9051 §6.3.11.
    Status { mailbox: Mailbox, items: Vec<StatusItem> },
    /// RFC 9051 §6.3.12, RFC 3502: the messages themselves come by [`crate::wire::Literals`].
    Append { mailbox: Mailbox },
    /// RFC 2177. Never handed to the conversation: the connection asks it for changes instead.
    Idle,
    /// RFC 9208 §4.1.1: the root's name.
    GetQuota(String),
    /// RFC 9208 §4.1.2.
    GetQuotaRoot(Mailbox),
    /// RFC 9208 §4.1.3: resource names upper case.
    SetQuota { root: String, limits: Vec<(String, u64)> },
    /// RFC 5464 §4.2. An empty mailbox name is the server.
    GetMetadata(GetMetadata),
    /// RFC 5464 §4.3. An empty mailbox name is the server; no value removes the entry.
    SetMetadata { mailbox: String, entries: Vec<(String, Option<Vec<u8>>)> },
    /// RFC 4314 §3.3.
    GetAcl(Mailbox),
    /// RFC 4314 §3.1.
    SetAcl { mailbox: Mailbox, identifier: String, change: RightsChange, rights: String },
    /// RFC 4314 §3.2.
    DeleteAcl { mailbox: Mailbox, identifier: String },
    /// RFC 4314 §3.4.
    ListRights { mailbox: Mailbox, identifier: String },
    /// RFC 4314 §3.5.
    MyRights(Mailbox),
    /// RFC 5465.
    Notify(Notify),
    /// RFC 3501 §6.4.1.
    Check,
    /// RFC 9051 §6.4.1.
    Close,
    /// RFC 9051 §6.4.2.
    Unselect,
    /// RFC 9051 §6.4.3; with a set, UID EXPUNGE (§6.4.9).
    Expunge { uids: Option<Set> },
    /// RFC 9051 §6.4.4.
    Search(Search),
    /// RFC 5256.
    Sort(Sort),
    /// RFC 5256.
    Thread(Thread),
    /// RFC 9051 §6.4.5.
    Fetch(Fetch),
    /// RFC 9051 §6.4.6.
    Store(Store),
    /// RFC 9051 §6.4.7.
    Copy { set: Set, uid: bool, mailbox: Mailbox },
    /// RFC 9051 §6.4.8.
    Move { set: Set, uid: bool, mailbox: Mailbox },
    /// RFC 8508: the one message comes by [`crate::wire::Literals`].
    Replace { message: SetBound, uid: bool, mailbox: Mailbox },
}

/// Bytes that are overwritten when dropped, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// A mailbox's name in UTF-8, levels parted by `/`. Every spelling of INBOX, also as the first level, is `INBOX`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct Mailbox(pub(crate) String);

impl Mailbox {
    /// RFC 9051 §5.1: INBOX in any case is one mailbox.
    pub(crate) fn new(name: impl Into<String>) -> Mailbox {
        let mut name = name.into();
        let first = name.split('/').next().unwrap_or_default();
        if first.eq_ignore_ascii_case("INBOX") {
            name.replace_range(..5, "INBOX");
        }
        Mailbox(name)
    }
}

/// SELECT or EXAMINE.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Select {
    pub(crate) mailbox: Mailbox,
    /// EXAMINE.
    pub(crate) read_only: bool,
    /// RFC 7162 §3.1.8.
    pub(crate) condstore: bool,
    /// RFC 7162 §3.2.5.
    pub(crate) qresync: Option<Qresync>,
}

/// RFC 7162 §3.2.5: what the client knows of a mailbox.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Qresync {
    pub(crate) uid_validity: u32,
    pub(crate) mod_seq: u64,
    pub(crate) known_uids: Option<Set>,
    /// Message numbers and the UIDs that belong to them.
    pub(crate) sequence_match: Option<(Set, Set)>,
}

/// RFC 6154 §2, RFC 8457.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SpecialUse {
    All,
    Archive,
    Drafts,
    Flagged,
    Important,
    Junk,
    Sent,
    Trash,
}

/// RFC 9051 §2.3.2. A keyword keeps the case it was sent in.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Flag {
    Seen,
    Answered,
    Flagged,
    Deleted,
    Draft,
    /// Of the server's making alone (RFC 3501).
    Recent,
    Keyword(String),
}

/// Message numbers or UIDs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Set {
    /// Ranges in the order they came; a bound is a number or `*`, and the greater may stand first.
    Ranges(Vec<(SetBound, SetBound)>),
    /// `$`: what the last SEARCH saved (RFC 5182).
    Saved,
}

/// A number above zero, or `*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SetBound {
    Number(u32),
    /// `*`, the greatest in the mailbox.
    Last,
}

/// RFC 9051 §6.3.9, RFC 5258.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct List {
    pub(crate) reference: String,
    /// One at least. In the basic form one, possibly empty.
    pub(crate) patterns: Vec<String>,
    pub(crate) select: ListSelect,
    pub(crate) returns: ListReturn,
    /// Selection options, several patterns or RETURN were used: CHILDINFO and the like may be told.
    pub(crate) extended: bool,
    /// Older Outlook's XLIST: the answer is called so.
    pub(crate) xlist: bool,
}

/// RFC 5258 §3.1, RFC 6154 §5.2.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct ListSelect {
    pub(crate) subscribed: bool,
    pub(crate) remote: bool,
    pub(crate) recursive_match: bool,
    pub(crate) special_use: bool,
}

/// RFC 5258 §3.2, RFC 5819, RFC 6154 §5.2, RFC 8440.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct ListReturn {
    pub(crate) subscribed: bool,
    pub(crate) children: bool,
    pub(crate) special_use: bool,
    pub(crate) my_rights: bool,
    pub(crate) status: Option<Vec<StatusItem>>,
}

/// RFC 9051 §6.3.11, RFC 7162, RFC 8474, RFC 9208, RFC 7889.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
    Size,
    HighestModSeq,
    MailboxId,
    DeletedStorage,
    AppendLimit,
}

/// RFC 5464 §4.2.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct GetMetadata {
    pub(crate) mailbox: String,
    pub(crate) entries: Vec<String>,
    pub(crate) max_size: Option<u32>,
    pub(crate) depth: Depth,
}

/// RFC 5464 §4.2.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Depth {
    #[default]
    Zero,
    One,
    Infinity,
}

/// RFC 4314 §3.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RightsChange {
    Replace,
    Add,
    Remove,
}

/// RFC 5465 §3.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Notify {
    None,
    Set {
        /// STATUS answers for the mailboxes at once.
        status: bool,
        groups: Vec<EventGroup>,
    },
}

/// RFC 5465 §6.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct EventGroup {
    pub(crate) filter: MailboxFilter,
    /// Empty: NONE.
    pub(crate) events: Vec<NotifyEvent>,
}

/// RFC 5465 §6.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum MailboxFilter {
    Selected,
    SelectedDelayed,
    Inboxes,
    Personal,
    Subscribed,
    Subtree(Vec<Mailbox>),
    Mailboxes(Vec<Mailbox>),
}

/// RFC 5465 §5. An event of the standard that this server never has is kept, so that it can be answered.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum NotifyEvent {
    MessageNew(Vec<FetchItem>),
    MessageExpunge,
    FlagChange,
    AnnotationChange,
    MailboxName,
    SubscriptionChange,
    MailboxMetadataChange,
    ServerMetadataChange,
    /// One that the standard does not know, upper case: NO [BADEVENT].
    Unknown(String),
}

/// RFC 9051 §6.4.4, RFC 5182, RFC 9394.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Search {
    pub(crate) uid: bool,
    /// `None`: the plain answer of RFC 3501 (or ESEARCH ALL once IMAP4rev2 is enabled).
    pub(crate) returns: Option<SearchReturn>,
    pub(crate) key: SearchKey,
}

/// What an extended search returns. `RETURN ()` is `all`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct SearchReturn {
    pub(crate) min: bool,
    pub(crate) max: bool,
    pub(crate) all: bool,
    pub(crate) count: bool,
    pub(crate) save: bool,
    pub(crate) partial: Option<PartialRange>,
}

/// RFC 9394 §3: the n-th to the m-th; negative ones count from the end. Ordered: `first` is nearer its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PartialRange {
    pub(crate) first: u32,
    pub(crate) last: u32,
    pub(crate) from_end: bool,
}

/// One condition, or several.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum SearchKey {
    All,
    And(Vec<SearchKey>),
    Or(Box<SearchKey>, Box<SearchKey>),
    Not(Box<SearchKey>),
    /// Message numbers.
    Sequence(Set),
    Uid(Set),
    /// SEEN, KEYWORD x and the like. The `UN` forms are [`SearchKey::Not`] of it; `RECENT` never holds.
    Flag(Flag),
    Bcc(String),
    Body(String),
    Cc(String),
    From(String),
    Subject(String),
    Text(String),
    To(String),
    /// The field's name as sent; an empty value asks for its presence.
    Header(String, String),
    Before(Date),
    On(Date),
    Since(Date),
    SentBefore(Date),
    SentOn(Date),
    SentSince(Date),
    /// More octets than this.
    Larger(u64),
    /// Fewer octets than this.
    Smaller(u64),
    /// RFC 5032: older than so many seconds.
    Older(u64),
    /// RFC 5032: not older than so many seconds.
    Younger(u64),
    /// RFC 7162 §3.1.5: this or greater. The entry name and type are read and, as the standard allows, ignored.
    ModSeq(u64),
    /// RFC 8474.
    EmailId(String),
    /// RFC 8474.
    ThreadId(String),
    /// RFC 8514.
    SavedBefore(Date),
    /// RFC 8514.
    SavedOn(Date),
    /// RFC 8514.
    SavedSince(Date),
    /// RFC 8514.
    SaveDateSupported,
}

/// RFC 5256 §3, RFC 5267 (RETURN), RFC 5957 (DISPLAY).
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Sort {
    pub(crate) uid: bool,
    pub(crate) returns: Option<SearchReturn>,
    /// One at least, the most significant first.
    pub(crate) criteria: Vec<SortKey>,
    pub(crate) key: SearchKey,
}

/// One criterion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SortKey {
    pub(crate) reverse: bool,
    pub(crate) by: SortBy,
}

/// RFC 5256 §3, RFC 5957 §3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SortBy {
    Arrival,
    Cc,
    Date,
    DisplayFrom,
    DisplayTo,
    From,
    Size,
    Subject,
    To,
}

/// RFC 5256 §3.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Thread {
    pub(crate) uid: bool,
    pub(crate) algorithm: ThreadBy,
    pub(crate) key: SearchKey,
}

/// RFC 5256 §3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ThreadBy {
    OrderedSubject,
    References,
}

/// RFC 9051 §6.4.5.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Fetch {
    pub(crate) set: Set,
    pub(crate) uid: bool,
    /// Macros are spread out. UID FETCH does not add `Uid` here.
    pub(crate) items: Vec<FetchItem>,
    /// RFC 7162 §3.1.4.1.
    pub(crate) changed_since: Option<u64>,
    /// RFC 7162 §3.2.6; only with UID FETCH and CHANGEDSINCE.
    pub(crate) vanished: bool,
    /// RFC 9394 §3.3.
    pub(crate) partial: Option<PartialRange>,
}

/// What of a message is wanted.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum FetchItem {
    Envelope,
    Flags,
    InternalDate,
    Size,
    Uid,
    /// BODYSTRUCTURE without extension data.
    Body,
    BodyStructure,
    ModSeq,
    EmailId,
    ThreadId,
    SaveDate,
    /// RFC 8970.
    Preview {
        lazy: bool,
    },
    /// BODY[…] and BODY.PEEK[…].
    Section(SectionFetch),
    /// RFC 3501: the whole, by its old name; sets \Seen.
    Rfc822,
    /// RFC 3501: as BODY.PEEK[HEADER].
    Rfc822Header,
    /// RFC 3501: as BODY[TEXT].
    Rfc822Text,
    /// RFC 3516: the decoded part. An empty path is the whole message.
    Binary {
        part: Vec<u32>,
        peek: bool,
        partial: Option<ByteRange>,
    },
    /// RFC 3516: the decoded part's size.
    BinarySize {
        part: Vec<u32>,
    },
}

/// RFC 9051 §6.4.5.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct SectionFetch {
    pub(crate) section: Section,
    pub(crate) peek: bool,
    pub(crate) partial: Option<ByteRange>,
}

/// `<offset.length>`: so many octets from there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ByteRange {
    pub(crate) offset: u32,
    /// Above zero.
    pub(crate) length: u32,
}

/// A part of a message and what of it. `[]` is no part and no text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Section {
    pub(crate) part: Vec<u32>,
    pub(crate) text: Option<SectionText>,
}

/// RFC 9051 §6.4.5.1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum SectionText {
    Header,
    HeaderFields(Vec<String>),
    HeaderFieldsNot(Vec<String>),
    Text,
    /// Only of a part.
    Mime,
}

/// RFC 9051 §6.4.6.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Store {
    pub(crate) set: Set,
    pub(crate) uid: bool,
    pub(crate) change: FlagsChange,
    pub(crate) silent: bool,
    pub(crate) flags: Vec<Flag>,
    /// RFC 7162 §3.1.3.
    pub(crate) unchanged_since: Option<u64>,
}

/// FLAGS, +FLAGS, -FLAGS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FlagsChange {
    Replace,
    Add,
    Remove,
}

/// What precedes the bytes of one message of APPEND or REPLACE.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Message {
    pub(crate) flags: Vec<Flag>,
    /// When absent: now.
    pub(crate) date: Option<Timestamp>,
    /// Octets of the literal.
    pub(crate) size: u64,
    /// RFC 3516: `~{…}`; it may hold NUL, and bodies in BINARY encoding.
    pub(crate) binary: bool,
    /// RFC 6855 §4: in the UTF8 form; headers may hold UTF-8.
    pub(crate) utf8: bool,
}
