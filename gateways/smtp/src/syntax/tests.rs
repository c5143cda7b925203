use super::*;

const MX: Announced = Announced { submission: false };
const APP: Announced = Announced { submission: true };

fn code(line: &str, announced: Announced) -> u16 {
    command(line.as_bytes(), announced).map_or_else(|reply| reply.code, |_| 250)
}

#[test]
fn paths_are_kept_or_refused() {
    let long = format!("{}@example.org", "a".repeat(250));
    let table = [
        ("a@example.org", Some("a@example.org")),
        ("A.b+c@Example.ORG", Some("A.b+c@Example.ORG")),
        ("@relay.example,@b.example:a@example.org", Some("a@example.org")),
        ("\"a\"@example.org", Some("a@example.org")),
        ("\"a b\"@example.org", Some("\"a b\"@example.org")),
        ("\"a@b\"@example.org", Some("\"a@b\"@example.org")),
        ("\"a\\\"b\"@example.org", Some("\"a\\\"b\"@example.org")),
        ("a@[192.0.2.1]", Some("a@[192.0.2.1]")),
        ("a@[IPv6:2001:db8::1]", Some("a@[IPv6:2001:db8::1]")),
        ("jürgen@müller.example", Some("jürgen@müller.example")),
        ("a@localhost", Some("a@localhost")),
        ("a..b@example.org", None),
        (".a@example.org", None),
        ("a b@example.org", None),
        ("a@b@example.org", None),
        ("a@example..org", None),
        ("a@-example.org", None),
        ("a@example.org.", None),
        ("a@[300.1.1.1]", None),
        ("@example.org", None),
        ("a@", None),
        ("a", None),
        ("\"a\"b\"@example.org", None),
        ("\"\"@example.org", None),
        (long.as_str(), None),
    ];
    for (path, expected) in table {
        assert_eq!(mailbox(path).as_deref(), expected, "{path}");
    }
}

#[test]
fn commands_are_understood() {
    let mail = |line: &str| match command(line.as_bytes(), APP) {
        Ok(Command::Mail(mail)) => mail,
        other => panic!("{line}: {other:?}"),
    };
    let full = mail(
        "mail from:<a@example.org> size=100 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+2B1 HOLDFOR=60 AUTH=<>",
    );
    assert_eq!((full.from.as_str(), full.size, full.body), ("a@example.org", Some(100), Body::EightBit));
    assert_eq!((full.utf8, full.return_full, full.id.as_deref()), (true, Some(false), Some("QQ+1")));
    assert_eq!(full.hold, Some(Hold::For(60)));
    assert_eq!(mail("MAIL FROM:<>").from, "");
    assert_eq!(mail("MAIL FROM: <a@b>").from, "a@b");
    assert_eq!(mail("MAIL FROM:<\"a>b\"@c>").from, "\"a>b\"@c");
    let line = b"RCPT TO:<b@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bx@example.org";
    let Ok(Command::Rcpt(rcpt)) = command(line, APP) else { panic!() };
    assert_eq!((rcpt.notify, rcpt.original.as_deref()), (5, Some("rfc822;b+x@example.org")));
    let Ok(Command::Rcpt(rcpt)) = command(b"RCPT TO:<Postmaster>", MX) else { panic!() };
    assert_eq!(rcpt.to, "postmaster");
    assert_eq!(command(b"BDAT 10 last", MX), Ok(Command::Bdat { bytes: 10, last: true }));
    let auth = Command::Auth { mechanism: "PLAIN".into(), initial: Some("=".into()) };
    assert_eq!(command(b"auth plain =", APP), Ok(auth));
}

#[test]
fn what_is_refused() {
    let table = [
        ("FOO", MX, 500),
        ("", MX, 500),
        ("EHLO", MX, 501),
        ("DATA now", MX, 501),
        ("EXPN list", MX, 502),
        ("ETRN example.org", MX, 502),
        ("MAIL", MX, 501),
        ("MAIL FROM:a@example.org", MX, 501),
        ("MAIL FROM:<a@example.org", MX, 501),
        ("MAIL FROM:<a@example.org>SIZE=1", MX, 501),
        ("MAIL FROM:<a b@example.org>", MX, 553),
        ("MAIL FROM:<a@example.org> SIZE=x", MX, 501),
        ("MAIL FROM:<a@example.org> SIZE=1 SIZE=2", MX, 501),
        ("MAIL FROM:<a@example.org> BODY=BINARYMIME", MX, 555),
        ("MAIL FROM:<a@example.org> REQUIRETLS", APP, 555),
        ("MAIL FROM:<a@example.org> RET=FULL", MX, 555),
        ("MAIL FROM:<a@example.org> HOLDFOR=1", MX, 555),
        ("MAIL FROM:<a@example.org> HOLDFOR=99999999999", APP, 501),
        ("MAIL FROM:<ü@example.org>", MX, 553),
        ("RCPT TO:<>", MX, 553),
        ("RCPT TO:<a@example.org> NOTIFY=NEVER,DELAY", APP, 501),
        ("RCPT TO:<a@example.org> ORCPT=rfc822;a+0D+0Ab", APP, 501),
        ("RCPT TO:<a@example.org> NOTIFY=NEVER", MX, 555),
        ("BDAT -1", MX, 501),
        ("BDAT 99999999999999999999", MX, 501),
        ("BDAT 1 FIRST", MX, 501),
        ("AUTH", APP, 501),
        ("NOOP \u{7}", MX, 500),
        ("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>", MX, 500),
    ];
    for (line, announced, expected) in table {
        assert_eq!(code(line, announced), expected, "{line}");
    }
    assert_eq!(command(b"MAIL FROM:<\xff@example.org>", MX).unwrap_err().code, 500);
    assert!(is_foreign(b"GET / HTTP/1.1") && !is_foreign(b"EHLO a"));
}

proptest::proptest! {
    /// Whatever comes is understood or refused, and an address that is taken is taken again as it was given on.
    #[test]
    fn any_line_has_an_answer(line in "(MAIL FROM:|RCPT TO:|BDAT |AUTH |EHLO )?[ -~\\PC]{0,60}", submission: bool) {
        let _ = command(line.as_bytes(), Announced { submission });
    }

    #[test]
    fn addresses_are_stable(path in "[ -~]{0,12}@[a-z.\\[\\]0-9-]{0,12}") {
        if let Some(address) = mailbox(&path) {
            proptest::prop_assert_eq!(mailbox(&address), Some(address.clone()));
            proptest::prop_assert!(!address.contains(['\r', '\n']));
        }
    }
}
