//! Whole commands.

use jiff::civil::date;
use zeroize::Zeroizing;

use super::*;

fn secret(text: &str) -> Secret {
    Secret(Zeroizing::new(text.as_bytes().to_vec()))
}

#[test]
fn before_login() {
    let login = |username: &str, password: &str| Command::Login {
        username: username.to_owned(),
        password: secret(password),
    };
    let table = [
        ("CAPABILITY", Command::Capability),
        ("noop ", Command::Noop),
        ("Logout", Command::Logout),
        ("STARTTLS", Command::StartTls),
        ("LOGIN SMITH SESAME", login("SMITH", "SESAME")),
        ("login  \"a b\"   \"c\\\"\\\\d\"  ", login("a b", "c\"\\d")),
        ("LOGIN {11}\r\nFRED FOOBAR {7}\r\nfat man", login("FRED FOOBAR", "fat man")),
        ("LOGIN {3+}\r\nüb \"pä\"", login("üb", "pä")),
        ("LOGIN a \"\"", login("a", "")),
        ("AUTHENTICATE plain", Command::Authenticate { mechanism: "PLAIN".to_owned(), initial: None }),
        // RFC 4959 §4.
        (
            "AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=",
            Command::Authenticate {
                mechanism: "PLAIN".to_owned(),
                initial: Some(secret("test\0test\0test")),
            },
        ),
        (
            "AUTHENTICATE XOAUTH2 =",
            Command::Authenticate { mechanism: "XOAUTH2".to_owned(), initial: Some(secret("")) },
        ),
        ("ID NIL", Command::Id(vec![])),
        (
            "ID (\"name\" \"sodr\" \"version\" \"19.34\" \"vendor\" NIL)",
            Command::Id(vec![
                ("name".to_owned(), Some("sodr".to_owned())),
                ("version".to_owned(), Some("19.34".to_owned())),
                ("vendor".to_owned(), None),
            ]),
        ),
        ("ID ()", Command::Id(vec![])),
    ];
    for (line, wanted) in table {
        assert_eq!(read(line), wanted, "{line}");
    }
}

#[test]
fn mailboxes() {
    let select = |mailbox, read_only, condstore| {
        Command::Select(Select { mailbox, read_only, condstore, qresync: None })
    };
    let table = [
        ("SELECT inbox", select(inbox(), false, false)),
        ("EXAMINE  \"blurdybloop\" ", select(mailbox("blurdybloop"), true, false)),
        ("SELECT INBOX (CONDSTORE)", select(inbox(), false, true)),
        ("SELECT {5}\r\nINBOX", select(inbox(), false, false)),
        ("SELECT &U,BTFw-/&ZeVnLIqe-", select(mailbox("台北/日本語"), false, false)),
        ("SELECT \"Entw&APw-rfe\"", select(mailbox("Entwürfe"), false, false)),
        // In 8 bits although nothing was enabled.
        ("SELECT \"Entwürfe\"", select(mailbox("Entwürfe"), false, false)),
        ("SELECT Inbox/Kids", select(mailbox("INBOX/Kids"), false, false)),
        ("SELECT InboxNot", select(mailbox("InboxNot"), false, false)),
        ("CREATE owatagusiam/", Command::Create { mailbox: mailbox("owatagusiam/"), special_use: vec![] }),
        (
            "CREATE MyDrafts (USE (\\Drafts))",
            Command::Create { mailbox: mailbox("MyDrafts"), special_use: vec![SpecialUse::Drafts] },
        ),
        (
            "CREATE E (USE (\\Sent \\Trash))",
            Command::Create { mailbox: mailbox("E"), special_use: vec![SpecialUse::Sent, SpecialUse::Trash] },
        ),
        ("DELETE foo", Command::Delete(mailbox("foo"))),
        ("RENAME INBOX old-mail", Command::Rename { from: inbox(), to: mailbox("old-mail") }),
        ("SUBSCRIBE #news.comp.mail.mime", Command::Subscribe(mailbox("#news.comp.mail.mime"))),
        ("UNSUBSCRIBE {1+}\r\na", Command::Unsubscribe(mailbox("a"))),
        ("NAMESPACE", Command::Namespace),
        ("GETQUOTA \"\"", Command::GetQuota(String::new())),
        ("GETQUOTAROOT inBOX", Command::GetQuotaRoot(inbox())),
        (
            "SETQUOTA \"\" (storage 512)",
            Command::SetQuota { root: String::new(), limits: vec![("STORAGE".to_owned(), 512)] },
        ),
        ("ENABLE condstore  QRESYNC", Command::Enable(vec!["CONDSTORE".to_owned(), "QRESYNC".to_owned()])),
        (
            "ENABLE UTF8=ACCEPT IMAP4rev2 X-GOOD",
            Command::Enable(vec!["UTF8=ACCEPT".to_owned(), "IMAP4REV2".to_owned(), "X-GOOD".to_owned()]),
        ),
        ("COMPRESS deflate", Command::Compress("DEFLATE".to_owned())),
        ("CHECK", Command::Check),
        ("IDLE", Command::Idle),
        ("CLOSE", Command::Close),
        ("UNSELECT", Command::Unselect),
        ("EXPUNGE", Command::Expunge { uids: None }),
        ("UID EXPUNGE 3000:3002", Command::Expunge { uids: Some(range(3000, number(3002))) }),
    ];
    for (line, wanted) in table {
        assert_eq!(read(line), wanted, "{line}");
    }
}

#[test]
fn qresync() {
    let line = "SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541 (1,3,10 30,40,50)))";
    let numbers = |numbers: &[u32]| Set::Ranges(numbers.iter().map(|n| (number(*n), number(*n))).collect());
    let known = vec![(number(41), number(41)), (number(43), number(211)), (number(214), number(541))];
    let wanted = Qresync {
        uid_validity: 67_890_007,
        mod_seq: 20_050_715_194_045_000,
        known_uids: Some(Set::Ranges(known)),
        sequence_match: Some((numbers(&[1, 3, 10]), numbers(&[30, 40, 50]))),
    };
    let select =
        |qresync| Command::Select(Select { mailbox: inbox(), read_only: false, condstore: false, qresync });
    assert_eq!(read(line), select(Some(wanted)));
    let short = Qresync { uid_validity: 1, mod_seq: 2, known_uids: None, sequence_match: None };
    assert_eq!(read("SELECT INBOX (QRESYNC (1 2))"), select(Some(short)));
}

#[test]
fn listing() {
    let basic = |reference: &str, pattern: &str| List {
        reference: reference.to_owned(),
        patterns: vec![pattern.to_owned()],
        ..List::default()
    };
    let extended = |pattern| List { extended: true, ..basic("", pattern) };
    let table = [
        ("LIST \"\" \"\"", basic("", "")),
        ("list  ~/Mail/  %", basic("~/Mail/", "%")),
        ("LIST \"\" *", basic("", "*")),
        ("LIST \"\" \"Entw&APw-*\"", basic("", "Entwü*")),
        ("XLIST \"\" \"*\"", List { xlist: true, ..basic("", "*") }),
        (
            "LIST (SUBSCRIBED) \"\" \"*\"",
            List { select: ListSelect { subscribed: true, ..ListSelect::default() }, ..extended("*") },
        ),
        (
            "LIST () \"\" (\"INBOX\" \"Drafts\" \"Sent/%\")",
            List {
                patterns: vec!["INBOX".to_owned(), "Drafts".to_owned(), "Sent/%".to_owned()],
                ..extended("")
            },
        ),
        (
            "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"%\" RETURN (CHILDREN)",
            List {
                select: ListSelect { subscribed: true, recursive_match: true, ..ListSelect::default() },
                returns: ListReturn { children: true, ..ListReturn::default() },
                ..extended("%")
            },
        ),
        (
            "LIST (SPECIAL-USE REMOTE) \"\" % RETURN (SPECIAL-USE SUBSCRIBED MYRIGHTS STATUS (MESSAGES UNSEEN))",
            List {
                select: ListSelect { special_use: true, remote: true, ..ListSelect::default() },
                returns: ListReturn {
                    subscribed: true,
                    children: false,
                    special_use: true,
                    my_rights: true,
                    status: Some(vec![StatusItem::Messages, StatusItem::Unseen]),
                },
                ..extended("%")
            },
        ),
        ("LIST \"\" % RETURN ()", extended("%")),
    ];
    for (line, wanted) in table {
        assert_eq!(read(line), Command::List(wanted), "{line}");
    }
    let lsub = Command::Lsub { reference: "#news.".to_owned(), pattern: "comp.mail.*".to_owned() };
    assert_eq!(read("LSUB \"#news.\" \"comp.mail.*\""), lsub);
    use StatusItem::*;
    let items = vec![
        UidNext,
        Messages,
        Recent,
        UidValidity,
        Unseen,
        Deleted,
        Size,
        HighestModSeq,
        MailboxId,
        AppendLimit,
    ];
    let line = "STATUS blurdybloop (UIDNEXT MESSAGES RECENT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ MAILBOXID \
                APPENDLIMIT)";
    assert_eq!(read(line), Command::Status { mailbox: mailbox("blurdybloop"), items });
}

#[test]
fn metadata_and_rights() {
    let get = |mailbox: &str, entries: &[&str], max_size, depth| {
        let entries = entries.iter().map(|entry| (*entry).to_owned()).collect();
        Command::GetMetadata(GetMetadata { mailbox: mailbox.to_owned(), entries, max_size, depth })
    };
    let set = |entry: &str, value: Option<&str>| Command::SetMetadata {
        mailbox: "INBOX".to_owned(),
        entries: vec![(entry.to_owned(), value.map(|value| value.as_bytes().to_vec()))],
    };
    let rights = |change, rights: &str| Command::SetAcl {
        mailbox: inbox(),
        identifier: "Fred".to_owned(),
        change,
        rights: rights.to_owned(),
    };
    let table = [
        ("GETMETADATA \"\" /shared/comment", get("", &["/shared/comment"], None, Depth::Zero)),
        (
            "GETMETADATA (DEPTH 1) INBOX (/private/filters/values)",
            get("INBOX", &["/private/filters/values"], None, Depth::One),
        ),
        (
            "GETMETADATA (MAXSIZE 1024 DEPTH infinity) INBOX (/shared/comment /private/comment)",
            get("INBOX", &["/shared/comment", "/private/comment"], Some(1024), Depth::Infinity),
        ),
        ("SETMETADATA INBOX (/private/comment NIL)", set("/private/comment", None)),
        ("SETMETADATA INBOX (/private/comment {3}\r\na\r\n)", set("/private/comment", Some("a\r\n"))),
        ("SETMETADATA INBOX ( /private/comment ~{3+}\r\na\0b )", set("/private/comment", Some("a\0b"))),
        ("SETMETADATA INBOX (/private/comment \"Grüße\")", set("/private/comment", Some("Grüße"))),
        ("SETACL INBOX Fred rwipslxetad", rights(RightsChange::Replace, "rwipslxetad")),
        ("SETACL INBOX Fred +cd", rights(RightsChange::Add, "cd")),
        ("SETACL INBOX Fred -w", rights(RightsChange::Remove, "w")),
        ("SETACL INBOX Fred \"\"", rights(RightsChange::Replace, "")),
        ("GETACL INBOX", Command::GetAcl(inbox())),
        ("DELETEACL INBOX Fred", Command::DeleteAcl { mailbox: inbox(), identifier: "Fred".to_owned() }),
        (
            "LISTRIGHTS ~/Mail/saved smith",
            Command::ListRights { mailbox: mailbox("~/Mail/saved"), identifier: "smith".to_owned() },
        ),
        ("MYRIGHTS INBOX", Command::MyRights(inbox())),
    ];
    for (line, wanted) in table {
        assert_eq!(read(line), wanted, "{line}");
    }
}

#[test]
fn notify() {
    assert_eq!(read("NOTIFY NONE"), Command::Notify(Notify::None));
    let line = "NOTIFY SET STATUS (selected MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge) \
                (subtree Lists MessageNew FlagChange) (mailboxes (misc INBOX) NONE) (personal (MailboxName Else))";
    // RFC 5465 writes the events without parentheses in none of its examples; with them in all.
    let line = line
        .replace("selected MessageNew", "selected (MessageNew")
        .replace("MessageExpunge)", "MessageExpunge))");
    let line = line.replace("Lists MessageNew FlagChange", "Lists (MessageNew FlagChange)");
    let headers = SectionText::HeaderFields(vec!["from".to_owned(), "to".to_owned(), "subject".to_owned()]);
    let section = Section { part: vec![], text: Some(headers) };
    let items = vec![FetchItem::Uid, FetchItem::Section(SectionFetch { section, peek: true, partial: None })];
    let wanted = vec![
        EventGroup {
            filter: MailboxFilter::Selected,
            events: vec![NotifyEvent::MessageNew(items), NotifyEvent::MessageExpunge],
        },
        EventGroup {
            filter: MailboxFilter::Subtree(vec![mailbox("Lists")]),
            events: vec![NotifyEvent::MessageNew(vec![]), NotifyEvent::FlagChange],
        },
        EventGroup { filter: MailboxFilter::Mailboxes(vec![mailbox("misc"), inbox()]), events: vec![] },
        EventGroup {
            filter: MailboxFilter::Personal,
            events: vec![NotifyEvent::MailboxName, NotifyEvent::Unknown("ELSE".to_owned())],
        },
    ];
    assert_eq!(read(&line), Command::Notify(Notify::Set { status: true, groups: wanted }));
}

#[test]
fn searching() {
    let search = |returns, key| Command::Search(Search { uid: false, returns, key });
    let plain = |key| search(None, key);
    let text = |text: &str| text.to_owned();
    let returns = |change: fn(&mut SearchReturn)| {
        let mut returns = SearchReturn::default();
        change(&mut returns);
        Some(returns)
    };
    let since = SearchKey::Since(date(1994, 2, 1));
    let table = [
        (
            "SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
            plain(SearchKey::And(vec![
                flag(Flag::Flagged),
                since.clone(),
                not(SearchKey::From(text("Smith"))),
            ])),
        ),
        ("SEARCH TEXT \"string not in mailbox\"", plain(SearchKey::Text(text("string not in mailbox")))),
        ("SEARCH CHARSET UTF-8 TEXT {8}\r\nмать", plain(SearchKey::Text(text("мать")))),
        ("SEARCH (SINCE \"01-Feb-1994\")", plain(since)),
        (
            "SEARCH 2,4:7 UID $",
            plain(SearchKey::And(vec![
                SearchKey::Sequence(Set::Ranges(vec![(number(2), number(2)), (number(4), number(7))])),
                SearchKey::Uid(Set::Saved),
            ])),
        ),
        ("SEARCH $", plain(SearchKey::Sequence(Set::Saved))),
        (
            "SEARCH RETURN (MIN COUNT) FLAGGED",
            search(returns(|r| (r.min, r.count) = (true, true)), flag(Flag::Flagged)),
        ),
        ("SEARCH RETURN () ALL", search(returns(|r| r.all = true), SearchKey::All)),
        (
            "SEARCH RETURN (SAVE) OR KEYWORD x (UNSEEN DRAFT)",
            search(
                returns(|r| r.save = true),
                SearchKey::Or(
                    Box::new(flag(Flag::Keyword(text("x")))),
                    Box::new(SearchKey::And(vec![not(flag(Flag::Seen)), flag(Flag::Draft)])),
                ),
            ),
        ),
        (
            "SEARCH RETURN (PARTIAL -1:-100) HEADER Message-ID \"\"",
            search(
                returns(|r| r.partial = Some(PartialRange { first: 1, last: 100, from_end: true })),
                SearchKey::Header(text("Message-ID"), String::new()),
            ),
        ),
        ("SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338", plain(SearchKey::ModSeq(620_162_338))),
        (
            "SEARCH OR NOT MODSEQ 720162338 LARGER 50000",
            plain(SearchKey::Or(
                Box::new(not(SearchKey::ModSeq(720_162_338))),
                Box::new(SearchKey::Larger(50_000)),
            )),
        ),
        (
            "SEARCH YOUNGER 259200 EMAILID M1 SAVEDBEFORE 1-Jan-2020 SAVEDATESUPPORTED",
            plain(SearchKey::And(vec![
                SearchKey::Younger(259_200),
                SearchKey::EmailId(text("M1")),
                SearchKey::SavedBefore(date(2020, 1, 1)),
                SearchKey::SaveDateSupported,
            ])),
        ),
        (
            "SEARCH NEW OLD",
            plain(SearchKey::And(vec![
                SearchKey::And(vec![flag(Flag::Recent), not(flag(Flag::Seen))]),
                not(flag(Flag::Recent)),
            ])),
        ),
    ];
    for (line, wanted) in table {
        assert_eq!(read(line), wanted, "{line}");
    }
    let latin = read_bytes(b"UID SEARCH CHARSET ISO-8859-1 SUBJECT {5+}\r\nGr\xfc\xdfe");
    assert_eq!(
        latin,
        Command::Search(Search { uid: true, returns: None, key: SearchKey::Subject(text("Grüße")) })
    );
}

#[test]
fn sorting() {
    let by = |by| SortKey { reverse: false, by };
    let sort = Sort {
        uid: true,
        returns: None,
        criteria: vec![
            by(SortBy::Subject),
            SortKey { reverse: true, by: SortBy::Date },
            by(SortBy::DisplayFrom),
        ],
        key: SearchKey::All,
    };
    assert_eq!(read("UID SORT (SUBJECT REVERSE DATE DISPLAYFROM) UTF-8 ALL"), Command::Sort(sort));
    let returns = Some(SearchReturn { all: true, ..SearchReturn::default() });
    let sort = Sort { uid: false, returns, criteria: vec![by(SortBy::Arrival)], key: flag(Flag::Seen) };
    assert_eq!(read("SORT RETURN (ALL) (ARRIVAL) US-ASCII SEEN"), Command::Sort(sort));
    let since = SearchKey::Since(date(2000, 3, 5));
    let thread = Thread { uid: false, algorithm: ThreadBy::References, key: since };
    assert_eq!(read("THREAD references UTF-8 SINCE 5-MAR-2000"), Command::Thread(thread));
}
