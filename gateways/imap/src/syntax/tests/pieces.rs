//! FETCH, STORE and their kin; dates; names.

use super::super::cursor::Cursor;
use super::super::date::date_time;
use super::super::literal::{Announced, announced};
use super::super::mailbox::{decode, encode};
use super::*;

fn section(part: &[u32], text: Option<SectionText>, peek: bool, partial: Option<ByteRange>) -> FetchItem {
    FetchItem::Section(SectionFetch { section: Section { part: part.to_vec(), text }, peek, partial })
}

#[test]
fn fetching() {
    use FetchItem::*;
    let fields = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect();
    let table = [
        (
            "2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])",
            vec![
                Flags,
                section(&[], Some(SectionText::HeaderFields(fields(&["DATE", "FROM"]))), false, None),
            ],
        ),
        ("1 ALL", vec![Flags, InternalDate, Size, Envelope]),
        ("1 fast ", vec![Flags, InternalDate, Size]),
        ("1 FULL", vec![Flags, InternalDate, Size, Envelope, Body]),
        ("1 BODY[]", vec![section(&[], None, false, None)]),
        (
            "1 BODY.PEEK[]<0.2048>",
            vec![section(&[], None, true, Some(ByteRange { offset: 0, length: 2048 }))],
        ),
        ("1 (body  BODYSTRUCTURE UID )", vec![Body, BodyStructure, Uid]),
        ("1 BODY[4.2.2.1.MIME]", vec![section(&[4, 2, 2, 1], Some(SectionText::Mime), false, None)]),
        ("1 BODY[1]", vec![section(&[1], None, false, None)]),
        ("1 BODY[TEXT]", vec![section(&[], Some(SectionText::Text), false, None)]),
        (
            "1 BODY.PEEK[3.HEADER.FIELDS.NOT (\"a\" {1}\r\nb)]",
            vec![section(&[3], Some(SectionText::HeaderFieldsNot(fields(&["a", "b"]))), true, None)],
        ),
        ("1 (RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE)", vec![Rfc822, Rfc822Header, Rfc822Text, Size]),
        ("1 (MODSEQ EMAILID THREADID SAVEDATE)", vec![ModSeq, EmailId, ThreadId, SaveDate]),
        ("1 (PREVIEW (LAZY))", vec![Preview { lazy: true }]),
        ("1 (PREVIEW UID)", vec![Preview { lazy: false }, Uid]),
        ("1 PREVIEW", vec![Preview { lazy: false }]),
        (
            "1 (BINARY[1.2]<5.10> BINARY.PEEK[] BINARY.SIZE[2])",
            vec![
                Binary { part: vec![1, 2], peek: false, partial: Some(ByteRange { offset: 5, length: 10 }) },
                Binary { part: vec![], peek: true, partial: None },
                BinarySize { part: vec![2] },
            ],
        ),
    ];
    for (line, items) in table {
        let Command::Fetch(found) = read(&format!("FETCH {line}")) else { panic!("{line}") };
        assert_eq!(found.items, items, "{line}");
    }
    let with = |changed_since, vanished, partial| Fetch {
        set: range(1, SetBound::Last),
        uid: true,
        items: vec![FetchItem::Flags],
        changed_since,
        vanished,
        partial,
    };
    let partial = PartialRange { first: 23_500, last: 24_000, from_end: false };
    let table = [
        ("UID FETCH 1:* FLAGS", with(None, false, None)),
        ("uid  fetch 1:* (FLAGS) (CHANGEDSINCE 12345)", with(Some(12_345), false, None)),
        ("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED)", with(Some(12_345), true, None)),
        ("UID FETCH 1:* (FLAGS) (PARTIAL 24000:23500)", with(None, false, Some(partial))),
    ];
    for (line, wanted) in table {
        assert_eq!(read(line), Command::Fetch(wanted), "{line}");
    }
}

#[test]
fn storing() {
    let store = |change, silent, flags: &[Flag], unchanged_since| {
        let flags = flags.to_vec();
        Command::Store(Store { set: range(2, number(4)), uid: false, change, silent, flags, unchanged_since })
    };
    let table = [
        ("STORE 2:4 +FLAGS (\\Deleted)", store(FlagsChange::Add, false, &[Flag::Deleted], None)),
        (
            "STORE 2:4 -flags.silent \\seen $Junk ",
            store(FlagsChange::Remove, true, &[Flag::Seen, Flag::Keyword("$Junk".to_owned())], None),
        ),
        ("STORE 2:4 FLAGS ()", store(FlagsChange::Replace, false, &[], None)),
        (
            "STORE 2:4 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\Deleted)",
            store(FlagsChange::Add, true, &[Flag::Deleted], Some(320_162_338)),
        ),
    ];
    for (line, wanted) in table {
        assert_eq!(read(line), wanted, "{line}");
    }
    let copy = Command::Copy { set: range(2, number(4)), uid: false, mailbox: mailbox("MEETING") };
    assert_eq!(read("COPY 2:4 MEETING"), copy);
    assert_eq!(read("UID MOVE $ foo"), Command::Move { set: Set::Saved, uid: true, mailbox: mailbox("foo") });
    assert_eq!(read("MOVE 42 foo"), Command::Move { set: one(42), uid: false, mailbox: mailbox("foo") });
    let backwards = Set::Ranges(vec![(SetBound::Last, number(3)), (number(1), number(1))]);
    assert_eq!(read("COPY *:3,1 a"), Command::Copy { set: backwards, uid: false, mailbox: mailbox("a") });
}

#[test]
fn moments() {
    let table = [
        ("\"17-Jul-1996 02:44:25 -0700\"", Some(837_596_665)),
        ("\" 1-Jan-1970 00:00:00 +0000\"", Some(0)),
        ("\"01-jan-1970 02:00:00 +0200\"", Some(0)),
        ("\"31-Dec-2016 23:59:60 +0000\"", Some(1_483_228_799)),
        ("{26}\r\n29-Feb-2024 12:00:00 +0545", Some(1_709_187_300)),
        ("\"29-Feb-2023 12:00:00 +0000\"", None),
        ("\"17-Jul-1996\"", None),
        ("\"17-Jul-1996 02:44:25\"", None),
        ("\"17-Jul-1996 25:44:25 -0700\"", None),
        ("\"17-Jul-1996 02:44:25 -99\"", None),
        ("\"17-Jul-99999 02:44:25 +0000\"", None),
    ];
    for (text, wanted) in table {
        let found = date_time(&mut Cursor::new(text.as_bytes())).ok().map(|time| time.secs());
        assert_eq!(found, wanted, "{text}");
    }
}

#[test]
fn names() {
    let table = [
        ("INBOX", "INBOX"),
        ("Hello & co", "Hello &- co"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("Entwürfe", "Entw&APw-rfe"),
        ("📬 post", "&2D3c7A- post"),
        ("a\u{0}b\u{7f}", "a&AAA-b&AH8-"),
        ("&", "&-"),
        ("", ""),
    ];
    for (plain, encoded) in table {
        assert_eq!(encode(plain), encoded);
        assert_eq!(decode(encoded.as_bytes()).as_deref(), Some(plain));
    }
    // Not by the rules, but there is no doubt about what is meant.
    assert_eq!(decode(b"&AGE-b").as_deref(), Some("ab"));
    for wrong in [&b"&"[..], b"a&b", b"&A-", b"&2D0-", b"&AP-", b"\xc3\xbc", b"&Jjo!", b"&A/A-"] {
        assert_eq!(decode(wrong), None, "{}", String::from_utf8_lossy(wrong));
    }
}

#[test]
fn announcements() {
    let found = |start, size, without_waiting| Some(Announced { start, size, without_waiting });
    let table = [
        ("A LOGIN {5}", found(8, 5, false)),
        ("A LOGIN {5+}", found(8, 5, true)),
        ("A APPEND x ~{0+}", found(11, 0, true)),
        ("{99999999999999999999999}", found(0, u64::MAX, false)),
        ("A NOOP", None),
        ("{}", None),
        ("{+}", None),
        ("{5-}", None),
        ("{5} ", None),
        ("5}", None),
        ("", None),
    ];
    for (line, wanted) in table {
        assert_eq!(announced(line.as_bytes()), wanted, "{line}");
    }
}
