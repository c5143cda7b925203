//! What is no command.

use super::super::{Reading, command, tag};
use crate::wire::Status;

fn refused(line: &str) -> (Status, String) {
    match command(line.as_bytes(), Reading::default()) {
        Ok(tagged) => panic!("{line}: {tagged:?}"),
        Err(bad) => (bad.status, bad.code.map(|code| code.0.into_owned()).unwrap_or_default()),
    }
}

#[test]
fn is_bad() {
    let lines = [
        "",
        " ",
        "A1",
        "A1 ",
        "A1 XYZZY",
        "A1 XYZZY a",
        "+ NOOP",
        "A+ NOOP",
        "A1 NOOP x",
        "(A NOOP",
        "A1 LOGIN",
        "A1 LOGIN a",
        "A1 LOGIN a b c",
        "A1 LOGIN \"a b",
        "A1 LOGIN {3}\r\nab",
        "A1 LOGIN \"a\\",
        "A1 SELECT",
        "A1 SELECT \"\"",
        "A1 SELECT a b",
        "A1 SELECT a (FOO)",
        "A1 SELECT a (QRESYNC (0 1))",
        "A1 CREATE a (USE \\Drafts)",
        "A1 CREATE a (X)",
        "A1 LIST \"\"",
        "A1 LIST (FOO) \"\" *",
        "A1 LIST (RECURSIVEMATCH) \"\" *",
        "A1 LIST \"\" ()",
        "A1 LIST \"\" * RETURN",
        "A1 LIST \"\" * RETURN (FOO)",
        "A1 STATUS a ()",
        "A1 STATUS a (FOO)",
        "A1 STATUS a",
        "A1 FETCH 0 FLAGS",
        "A1 FETCH 1",
        "A1 FETCH 1 ()",
        "A1 FETCH 1 (FLAGS",
        "A1 FETCH 1 FLAGS)",
        "A1 FETCH 1 BODY[MIME]",
        "A1 FETCH 1 BODY[1.]",
        "A1 FETCH 1 BODY[0]",
        "A1 FETCH 1 BODY[]<1>",
        "A1 FETCH 1 BODY[]<1.0>",
        "A1 FETCH 1 BINARY[TEXT]",
        "A1 FETCH 1 BODY[HEADER.FIELDS ()]",
        "A1 FETCH 1: FLAGS",
        "A1 FETCH a FLAGS",
        "A1 FETCH 4294967296 FLAGS",
        "A1 FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
        "A1 UID FETCH 1 FLAGS (VANISHED)",
        "A1 FETCH 1 (PREVIEW(LAZY))",
        "A1 FETCH 1 FLAGS (PARTIAL 1:-2)",
        "A1 STORE 1 FLAGS",
        "A1 STORE 1 FLAGS (\\Foo)",
        "A1 STORE 1 +FLAG (a)",
        "A1 STORE 1 FLAGS (\\Recent)",
        "A1 COPY 1",
        "A1 COPY a b",
        "A1 UID",
        "A1 UID NOOP",
        "A1 UID EXPUNGE",
        "A1 EXPUNGE 1",
        "A1 SEARCH",
        "A1 SEARCH FOO",
        "A1 SEARCH FROM",
        "A1 SEARCH (",
        "A1 SEARCH ()",
        "A1 SEARCH NOT",
        "A1 SEARCH OR ALL",
        "A1 SEARCH SINCE 32-Jan-2020",
        "A1 SEARCH SINCE 1-Foo-2020",
        "A1 SEARCH RETURN (FOO) ALL",
        "A1 SEARCH RETURN (ALL PARTIAL 1:2) ALL",
        "A1 SEARCH RETURN (PARTIAL 1:2 PARTIAL 2:3) ALL",
        "A1 SORT () UTF-8 ALL",
        "A1 SORT (FOO) UTF-8 ALL",
        "A1 THREAD FOO UTF-8 ALL",
        "A1 SETACL a b R",
        "A1 SETACL a b",
        "A1 NOTIFY",
        "A1 NOTIFY SET",
        "A1 NOTIFY SET (selected)",
        "A1 NOTIFY SET (selected ())",
        "A1 NOTIFY SET (else NONE)",
        "A1 ENABLE",
        "A1 COMPRESS LZMA",
        "A1 ID",
        "A1 ID (a)",
        "A1 GETQUOTA",
        "A1 SETQUOTA \"\" STORAGE 1",
        "A1 APPEND INBOX",
        "A1 APPEND INBOX \"text\"",
        "A1 REPLACE 1 INBOX",
        "A1 AUTHENTICATE",
        "A1 AUTHENTICATE PLAIN ***",
    ];
    for line in lines {
        assert_eq!(refused(line).0, Status::Bad, "{line}");
    }
}

#[test]
fn is_refused_with_a_code() {
    let (status, code) = refused("A1 SEARCH CHARSET KLINGON ALL");
    assert_eq!((status, code.as_str()), (Status::No, "BADCHARSET (US-ASCII UTF-8)"));
    let (status, code) = refused("A1 SELECT &nonsense");
    assert_eq!((status, code.as_str()), (Status::No, "CANNOT"));
    let (status, code) = refused("A1 CREATE a (USE (\\Foo))");
    assert_eq!((status, code.as_str()), (Status::No, "USEATTR"));
}

#[test]
fn charset_after_utf8_accept() {
    let reading = Reading { utf8: true, no_charset: true };
    assert!(command(b"A1 SEARCH CHARSET UTF-8 ALL", reading).is_err());
    assert!(command("A1 SEARCH SUBJECT \"Grüße\"".as_bytes(), reading).is_ok());
}

#[test]
fn depth_has_an_end() {
    let deep = format!("A1 SEARCH {}ALL{}", "(".repeat(150), ")".repeat(150));
    assert!(command(deep.as_bytes(), Reading::default()).is_ok());
    for deep in ["(".repeat(100_000), "NOT ".repeat(100_000), "OR ALL ".repeat(100_000)] {
        assert_eq!(refused(&format!("A1 SEARCH {deep}")).0, Status::Bad);
    }
}

#[test]
fn its_tag_is_found() {
    let table = [("A1 FOO", Some("A1")), ("A1", Some("A1")), ("", None), ("+ OK", None), ("\"a\" b", None)];
    for (line, wanted) in table {
        assert_eq!(tag(line.as_bytes()).as_deref(), wanted, "{line}");
    }
}
