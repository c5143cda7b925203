//! APPEND and REPLACE.

use allod_model::Timestamp;

use super::super::append::{head, is_streamed, tail};
use super::*;

fn message(size: u64) -> Message {
    Message { flags: vec![], date: None, size, binary: false, utf8: false }
}

#[test]
fn heads() {
    let append = |name: &str| Command::Append { mailbox: mailbox(name) };
    let seen = vec![Flag::Seen];
    let date = Some(Timestamp::from_secs(767_994_725));
    let table = [
        (
            "APPEND saved-messages (\\Seen) {310}",
            append("saved-messages"),
            Message { flags: seen.clone(), ..message(310) },
        ),
        (
            "append inbox  (\\Seen)  \" 3-May-1994 20:52:05 +0100\"  {9+}",
            append("INBOX"),
            Message { flags: seen, date, ..message(9) },
        ),
        ("APPEND {2}\r\nab ~{42}", append("ab"), Message { binary: true, ..message(42) }),
        ("APPEND a UTF8 (~{7}", append("a"), Message { binary: true, utf8: true, ..message(7) }),
        (
            "REPLACE 4 Drafts {312}",
            Command::Replace { message: number(4), uid: false, mailbox: mailbox("Drafts") },
            message(312),
        ),
        (
            "UID REPLACE * Drafts (\\Draft) {0+}",
            Command::Replace { message: SetBound::Last, uid: true, mailbox: mailbox("Drafts") },
            Message { flags: vec![Flag::Draft], ..message(0) },
        ),
    ];
    for (line, command, wanted) in table {
        let input = format!("A {line}");
        assert!(is_streamed(input.as_bytes()), "{line}");
        match head(input.as_bytes(), Reading::default()) {
            Ok(Some(found)) => {
                assert_eq!((found.tagged.tag.as_str(), found.tagged.command), ("A", command), "{line}");
                assert_eq!(found.message, wanted, "{line}");
            }
            Ok(None) => panic!("{line}: not whole"),
            Err(bad) => panic!("{line}: {bad:?}"),
        }
    }
    for not_whole in ["A APPEND {5}", "A APPEND {5+}", "A REPLACE 1 {5}"] {
        assert!(matches!(head(not_whole.as_bytes(), Reading::default()), Ok(None)), "{not_whole}");
    }
    for bad in [
        "A APPEND a (\\Foo) {3}",
        "A APPEND a \"x\" {3}",
        "A UID APPEND a {3}",
        "A REPLACE 0 a {3}",
        "A APPEND a{3}",
    ] {
        assert!(head(bad.as_bytes(), Reading::default()).is_err(), "{bad}");
    }
    for other in ["A LOGIN {3}", "A APPENDIX a {3}", "A UID FETCH {3}", "{3}"] {
        assert!(!is_streamed(other.as_bytes()), "{other}");
    }
}

#[test]
fn tails() {
    assert_eq!(tail(b"", false), Ok(None));
    assert_eq!(tail(b"  ", false), Ok(None));
    assert_eq!(tail(b")", true), Ok(None));
    assert_eq!(tail(b" {3}", false), Ok(Some(message(3))));
    let keyword = vec![Flag::Keyword("a".to_owned())];
    assert_eq!(tail(b" ) (a) {3+}", true), Ok(Some(Message { flags: keyword, ..message(3) })));
    for (bad, utf8) in [("x", false), (")", false), ("", true), (" (\\Seen)", false), (" x {3}", false)] {
        assert!(tail(bad.as_bytes(), utf8).is_err(), "{bad}");
    }
}
