//! What sorting, threading and lists of messages need.

use super::crlf;
use crate::mail::{
    Address, REFERENCES_MAX, base_subject, display_name, message_id, read, references, sent, sort_subject,
};

#[test]
fn dates() {
    for (date, secs, offset) in [
        // RFC 5322 appendix A
        ("Fri, 21 Nov 1997 09:55:06 -0600", 880_127_706, -360),
        ("Tue, 1 Jul 2003 10:52:37 +0200", 1_057_049_557, 120),
        ("Thu, 13 Feb 1969 23:32:54 -0330", -27_723_426, -210),
        (
            "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)",
            -27_723_480,
            -210,
        ),
        ("21 Nov 97 09:55:06 GMT", 880_106_106, 0),
        // RFC 5322 §4.3
        ("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880_127_706, -360),
        ("1 Jan 49 00:00 UT", 2_493_072_000, 0),
        ("1 Jan 50 00:00 UT", -631_152_000, 0),
        ("1 Jan 101 00:00 UT", 978_307_200, 0),
        ("1 Jan 2000 00:00 EST", 946_702_800, -300),
        ("1 Jan 2000 00:00 A", 946_684_800, 0),
        // as programs write it
        ("Sat Jan  1 00:00:00 2000", 946_684_800, 0),
        ("Sat Jan  1 00:00:00 CET 2000", 946_681_200, 60),
        ("1-Jan-2000 00:00:00 +0000", 946_684_800, 0),
        ("2000-01-01 00:00:00 +0100", 946_681_200, 60),
        ("2000-01-01T00:00:00Z", 946_684_800, 0),
        ("2000-01-01T00:00:00.5+01:00", 946_681_200, 60),
        ("Saturday, 1 January 2000 00:00:00 GMT+01:00", 946_681_200, 60),
        ("Sat,1 Jan 2000 00:00:00 +0100", 946_681_200, 60),
        ("1 Jan 2000", 946_684_800, 0),
        ("1 Jan 2000 00.00.01", 946_684_801, 0),
        ("31 Dec 1998 23:59:60 +0000", 915_148_799, 0),
        ("29 Feb 2000 00:00 +9999", 951_782_400, 0),
    ] {
        let found = sent(date.as_bytes()).unwrap_or_else(|| panic!("{date}"));
        assert_eq!((found.secs, found.offset_minutes), (secs, offset), "{date}");
    }
    for bad in
        ["", "today", "32 Jan 2000", "30 Feb 2000", "1 Foo 2000", "1 Jan 2000 25:00", "00:00:00", "Jan 2000"]
    {
        assert_eq!(sent(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn base_subjects() {
    for (subject, base, is_reply) in [
        ("hello", "hello", false),
        ("Re: hello", "hello", true),
        ("RE : hello", "hello", true),
        ("Re[2]: hello", "hello", true),
        ("Re [list] : hello", "hello", true),
        ("[list] hello", "hello", false),
        ("[list] Re: hello", "hello", true),
        ("Re: [list] [other] fwd: hello", "hello", true),
        ("[list]", "[list]", false),
        ("[a] [b]", "[b]", false),
        ("Re: [list]", "[list]", true),
        ("hello (fwd)", "hello", true),
        ("hello (fwd) (FWD) ", "hello", true),
        ("[Fwd: hello]", "hello", true),
        ("[Fwd: Re: [x] hello (fwd)]", "hello", true),
        ("[fwd: [fwd: a]]", "a", true),
        ("fw: a\tb  c", "a b c", true),
        ("=?utf-8?q?Re:_gr=C3=BC=C3=9Fe?=", "grüße", true),
        ("Re: =?utf-8?q?Fwd:?= x", "x", true),
        ("regards", "regards", false),
        ("Aw: hello", "Aw: hello", false),
        ("", "", false),
        ("Re:", "", true),
        ("a [b] c", "a [b] c", false),
    ] {
        assert_eq!(base_subject(subject.as_bytes()), (base.to_owned(), is_reply), "{subject}");
    }
}

#[test]
fn ids() {
    for (value, id) in [
        ("<a@b>", Some("a@b")),
        // RFC 5256 §2.2's own
        ("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>", Some("01KF8JCEOCBS0045PS@xxx.yyy.com")),
        ("<\"01KF8JCEOCBS004\\5PS\"@xxx.yyy.com>", Some("01KF8JCEOCBS0045PS@xxx.yyy.com")),
        ("Your message of \"Monday\" <a@b> and <c@d>", Some("a@b")),
        ("<a@\r\n b>", Some("a@b")),
        ("<a@[1.2.3.4]>", Some("a@[1.2.3.4]")),
        ("<a>", None),
        ("<@b>", None),
        ("<a@>", None),
        ("a@b", None),
        ("<a <c@d>", Some("c@d")),
        ("<\"a>b\"@c>", Some("a>b@c")),
    ] {
        assert_eq!(message_id(value.as_bytes()).as_deref(), id, "{value}");
    }
}

#[test]
fn ancestors() {
    let of = |value: &str, reply: Option<&str>| {
        references(std::iter::once(value.as_bytes()), reply.map(str::as_bytes), Some("own@x"))
    };
    assert_eq!(of("<a@b> <c@d>\r\n\t<e@f>", Some("<z@z>")), ["a@b", "c@d", "e@f"]);
    assert_eq!(of("<a@b><c@d>,<a@b>", None), ["c@d", "a@b"], "the parent is the last");
    assert_eq!(of("<a@b> <a@b> <c@d> <own@x>", None), ["a@b", "c@d"]);
    assert_eq!(of("", Some("<z@z> <y@y>")), ["z@z"]);
    assert_eq!(of("nothing", Some("<own@x>")), [""; 0]);
    let many: String = (0..1000).map(|n| format!("<{n}@x> ")).collect();
    let kept = of(&many, None);
    assert_eq!(
        (kept.len(), &kept[0][..], &kept[10][..], &kept[99][..]),
        (REFERENCES_MAX, "0@x", "910@x", "999@x")
    );
}

#[test]
fn names_for_people() {
    let address = |name: Option<&str>, mailbox: &str, host: Option<&str>| Address {
        name: name.map(Into::into),
        route: None,
        mailbox: Some(mailbox.into()),
        host: host.map(Into::into),
    };
    assert_eq!(display_name(&address(Some("=?utf-8?q?J=C3=B6rg?="), "a", Some("b"))), "Jörg");
    assert_eq!(display_name(&address(None, "a", Some("b"))), "a@b");
    assert_eq!(display_name(&address(None, "group", None)), "group");
    assert_eq!(sort_subject(&read(b"Subject: Re: =?utf-8?q?=C3=A4?=\r\n\r\n")), "A\u{308}");
}

#[test]
fn previews() {
    let html = "Content-Type: text/html; charset=utf-8\n\n";
    for (message, preview) in [
        ("A: b\n\nHello,\n\n  how are\tyou?\n".to_owned(), "Hello, how are you?"),
        ("A: b\n\nYes.\n\nOn Monday, Jane wrote:\n> Really?\n> x\n\n-- \nJoe\n".to_owned(), "Yes."),
        ("A: b\n\n> only quotes\n".to_owned(), "> only quotes"),
        ("A: b\n\n".to_owned(), ""),
        (format!("A: b\n\n{}", "ä".repeat(300)), &"ä".repeat(200)),
        (format!("A: b\n\n{}", "ä".repeat(10_000)), &"ä".repeat(200)),
        (format!("A: b\n\nx{}", "ä".repeat(10_000)), &format!("x{}", "ä".repeat(199))),
        (
            format!("{html}<html><head><title>T</title><style>p{{}}</style></head><p>One &amp; two<br>three<blockquote>q</blockquote>"),
            "One & two three",
        ),
        (
            "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>html\n--b\n\nplain\n--b--".to_owned(),
            "plain",
        ),
        (
            "Content-Type: multipart/alternative; boundary=b\n\n--b\n\n \n--b\nContent-Type: text/html\n\n<p>html\n--b--".to_owned(),
            "html",
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: attachment\n\nno\n--b\n\nyes\n--b--".to_owned(),
            "yes",
        ),
    ] {
        assert_eq!(read(&crlf(&message)).preview, preview, "{message}");
    }
}

#[test]
fn attachments() {
    let multipart =
        |part: &str| format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n{part}\n\nx\n--b--\n");
    for (part, has) in [
        ("A: b", false),
        ("Content-Disposition: attachment", true),
        ("Content-Disposition: ATTACHMENT; filename=x", true),
        ("Content-Disposition: inline; filename=x", false),
        ("Content-Type: application/pdf; name=x", true),
        ("Content-Type: application/pdf; name*=utf-8''x", true),
        ("Content-Type: application/pdf", false),
        ("Content-Type: message/rfc822", false),
    ] {
        assert_eq!(read(&crlf(&multipart(part))).has_attachment, has, "{part}");
    }
}
