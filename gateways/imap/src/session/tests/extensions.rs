//! CONDSTORE, QRESYNC, searches, sections.

use super::*;

fn simple(subject: &str, more: &str) -> String {
    format!("From: a@example\r\nSubject: {subject}\r\n{more}\r\nbody of {subject}\r\n")
}

/// RFC 7162 §3.1.
#[tokio::test]
async fn conditional_store() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    for _ in 0..3 {
        client.append("INBOX", "", &simple("x", "")).await;
    }
    let first = client.learn("first", "SELECT INBOX (CONDSTORE)", "HIGHESTMODSEQ ").await;
    client
        .talk(
            r#"
        C: STORE 2 +FLAGS.SILENT (\Flagged)
        S: * 2 FETCH (MODSEQ (*
        S: OK *
        C: STORE 1:3 (UNCHANGEDSINCE <first>) +FLAGS (\Seen)
        S: * 1 FETCH (FLAGS (\Seen) MODSEQ (*
        S: * 3 FETCH (FLAGS (\Seen) MODSEQ (*
        S: OK [MODIFIED 2] *
        C: UID STORE 2 (UNCHANGEDSINCE 1) FLAGS.SILENT ()
        S: OK [MODIFIED 2] *
        C: NOOP
        S: OK *
        C: FETCH 1:* (FLAGS) (CHANGEDSINCE <first>)
        S: * 1 FETCH (FLAGS (\Seen) MODSEQ (*
        S: * 2 FETCH (FLAGS (\Flagged) MODSEQ (*
        S: * 3 FETCH (FLAGS (\Seen) MODSEQ (*
        S: OK *
    "#,
        )
        .await;
    let highest = client.learn("highest", "STATUS INBOX (HIGHESTMODSEQ)", "HIGHESTMODSEQ ").await;
    assert!(highest.parse::<u64>().unwrap() > first.parse::<u64>().unwrap() + 1);
    client
        .talk(
            r#"
        C: FETCH 1:* (FLAGS) (CHANGEDSINCE <highest>)
        S: OK *
        C: SEARCH MODSEQ <highest>
        S: * SEARCH 1 3 (MODSEQ <highest>)
        S: OK *
        C: SEARCH RETURN (COUNT) MODSEQ <highest>
        S: * ESEARCH (TAG "a13") COUNT 2 MODSEQ <highest>
        S: OK *
        C: SEARCH SUBJECT nothing MODSEQ 1
        S: * SEARCH
        S: OK *
        C: FETCH 1 MODSEQ
        S: * 1 FETCH (MODSEQ (<highest>))
        S: OK *
    "#,
        )
        .await;
}

/// RFC 7162 §3.1: the first command that speaks of MODSEQ brings the mailbox's.
#[tokio::test]
async fn the_highest_is_told_when_it_begins_to_matter() {
    let bench = Bench::new().await;
    for command in ["ENABLE CONDSTORE", "SEARCH MODSEQ 1", "FETCH 1 MODSEQ", "STATUS Sent (HIGHESTMODSEQ)"] {
        let mut client = bench.client().await;
        client.append("INBOX", "", &simple("x", "")).await;
        client.ask("SELECT INBOX").await;
        let told = client.ask(command).await;
        assert!(told[0].starts_with("* OK [HIGHESTMODSEQ "), "{command}: {told:?}");
        let told = client.ask(command).await;
        assert!(!told[0].starts_with("* OK [HIGHESTMODSEQ "), "{command}: {told:?}");
    }
}

/// RFC 7162 §3.2.
#[tokio::test]
async fn quick_resynchronization() {
    let bench = Bench::new().await;
    let (mut client, mut other) = (bench.client().await, bench.client().await);
    for _ in 0..10 {
        client.append("INBOX", "", &simple("x", "")).await;
    }
    let validity = client.learn("validity", "STATUS INBOX (UIDVALIDITY)", "UIDVALIDITY ").await;
    let seen = client.learn("seen", "STATUS INBOX (HIGHESTMODSEQ)", "HIGHESTMODSEQ ").await;
    client.talk("C: SELECT INBOX (QRESYNC (1 1))\nS: BAD *\nC: ENABLE QRESYNC\nS: OK *\nC: SELECT INBOX\nS: ...\nS: OK *").await;
    client
        .talk(
            r#"
        C: STORE 3:5 +FLAGS.SILENT (\Deleted)
        S: * 3 FETCH (UID 3 MODSEQ (*
        S: * 4 FETCH (UID 4 MODSEQ (*
        S: * 5 FETCH (UID 5 MODSEQ (*
        S: OK *
        C: EXPUNGE
        S: * VANISHED 3:5
        S: OK [HIGHESTMODSEQ *
        C: STORE 1 +FLAGS (\Flagged)
        S: * 1 FETCH (UID 1 FLAGS (\Flagged) MODSEQ (*
        S: OK *
        C: UID FETCH 1:* (FLAGS) (CHANGEDSINCE <seen> VANISHED)
        S: * VANISHED (EARLIER) 3:5
        S: * 1 FETCH (UID 1 FLAGS (\Flagged) MODSEQ (*
        S: OK *
        C: UID MOVE 10 Archive
        S: * OK [COPYUID *
        S: * VANISHED 10
        S: OK [HIGHESTMODSEQ *
    "#,
        )
        .await;
    other.known = vec![("validity".into(), validity), ("seen".into(), seen)];
    other
        .talk(
            r#"
        C: ENABLE QRESYNC UTF8=ACCEPT
        S: OK *
        C: SELECT INBOX (QRESYNC (<validity> <seen> 1:8))
        S: * FLAGS *
        S: * OK [PERMANENTFLAGS *
        S: * 6 EXISTS
        S: ...
        S: * VANISHED (EARLIER) 3:5
        S: * 1 FETCH (UID 1 FLAGS (\Flagged) MODSEQ (*
        S: OK *
        C: SELECT INBOX (QRESYNC (99 <seen>))
        S: * OK [CLOSED] *
        S: ...
        S: * OK [MAILBOXID *
        S: OK *
    "#,
        )
        .await;
    client.talk("C: UID STORE 6 +FLAGS.SILENT (\\Deleted)\nS: * 3 FETCH (UID 6 MODSEQ (*\nS: OK *\nC: CLOSE\nS: OK [HIGHESTMODSEQ *").await;
    other.talk("C: IDLE\nS: * VANISHED 6").await;
}

#[tokio::test]
async fn searches() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    let texts = [
        (
            "(\\Seen)",
            "\"01-Feb-2024 10:00:00 +0000\"",
            "Caf\u{e9}",
            "Date: Thu, 1 Feb 2024 10:00:00 +0100\r\n",
        ),
        ("(\\Flagged)", "\"02-Feb-2024 10:00:00 +0000\"", "lunch", "To: bob@example\r\nX-Kind: Work\r\n"),
        ("()", "\"03-Feb-2024 10:00:00 +0000\"", "re: lunch", "Cc: carol@example\r\n"),
    ];
    for (flags, date, subject, more) in texts {
        client.append("INBOX", &format!("{flags} {date}"), &simple(subject, more)).await;
    }
    client.ask("SELECT INBOX").await;
    for (key, wanted) in [
        ("ALL", " 1 2 3"),
        ("UNSEEN", " 2 3"),
        ("NOT SEEN FLAGGED", " 2"),
        ("OR SEEN FLAGGED", " 1 2"),
        ("2:*", " 2 3"),
        ("UID 2:2", " 2"),
        ("99", ""),
        ("SUBJECT lunch", " 2 3"),
        ("CHARSET UTF-8 SUBJECT {5+}\r\ncaf\u{e9}", " 1"),
        ("TO bob", " 2"),
        ("CC CAROL", " 3"),
        ("HEADER X-Kind work", " 2"),
        ("HEADER X-Kind \"\"", " 2"),
        ("BODY \"of lunch\"", " 2"),
        ("TEXT carol", " 3"),
        ("ON 2-Feb-2024", " 2"),
        ("SINCE 2-Feb-2024", " 2 3"),
        ("BEFORE 2-Feb-2024", " 1"),
        ("SENTON 1-Feb-2024", " 1"),
        ("LARGER 10 SMALLER 10000", " 1 2 3"),
        ("YOUNGER 10", ""),
        ("OLDER 10", " 1 2 3"),
        ("SAVEDATESUPPORTED", " 1 2 3"),
        ("EMAILID Mnothing", ""),
        ("NOT (SUBJECT lunch)", " 1"),
        ("DELETED", ""),
        ("NEW", " 2 3"),
        ("KEYWORD never", ""),
        ("UNKEYWORD never", " 1 2 3"),
    ] {
        let told = client.ask(&format!("SEARCH {key}")).await;
        assert_eq!(told[0], format!("* SEARCH{wanted}"), "{key}: {told:?}");
    }
    let tag = |client: &Client| format!("a{}", client.tag + 1);
    for (command, wanted) in [
        ("SEARCH RETURN () ALL", "ALL 1:3"),
        ("SEARCH RETURN (MIN) UNSEEN", "MIN 2"),
        ("UID SEARCH RETURN (PARTIAL 1:2) ALL", "UID PARTIAL (1:2 1:2)"),
        ("UID SEARCH RETURN (PARTIAL -1:-2) ALL", "UID PARTIAL (-1:-2 2:3)"),
        ("UID SEARCH RETURN (PARTIAL 7:9) ALL", "UID PARTIAL (7:9 NIL)"),
        ("SEARCH RETURN (COUNT ALL) DELETED", "COUNT 0"),
        ("SEARCH RETURN (SAVE COUNT) FLAGGED", "COUNT 1"),
        ("SORT RETURN (ALL) (REVERSE ARRIVAL) UTF-8 ALL", "ALL 3,2,1"),
        ("SORT RETURN (COUNT MIN) (REVERSE ARRIVAL) UTF-8 ALL", "MIN 3 COUNT 3"),
    ] {
        let tag = tag(&client);
        let told = client.ask(command).await;
        assert_eq!(told[0], format!("* ESEARCH (TAG \"{tag}\") {wanted}"), "{command}");
    }
    client
        .talk(
            r#"
        C: FETCH $ (UID)
        S: * 2 FETCH (UID 2)
        S: OK *
        C: SEARCH RETURN (SAVE) SUBJECT lunch
        S: OK *
        C: SEARCH $ FLAGGED
        S: * SEARCH 2
        S: OK *
        C: UID STORE $ +FLAGS.SILENT (\Answered)
        S: OK *
        C: SEARCH ANSWERED
        S: * SEARCH 2 3
        S: OK *
        C: SORT (SUBJECT REVERSE DATE) UTF-8 ALL
        S: * SORT 1 3 2
        S: OK *
        C: UID SORT (SIZE) UTF-8 DELETED
        S: * SORT
        S: OK *
        C: THREAD ORDEREDSUBJECT UTF-8 ALL
        S: * THREAD (1)(2 3)
        S: OK *
        C: UID THREAD REFERENCES UTF-8 UNSEEN
        S: * THREAD (2 3)
        S: OK *
        C: ENABLE IMAP4rev2
        S: OK *
        C: SEARCH UNSEEN
        S: * ESEARCH (TAG *
        S: OK *
        C: UID FETCH 1:* (UID) (PARTIAL -1:-2)
        S: * 2 FETCH (UID 2)
        S: * 3 FETCH (UID 3)
        S: OK *
    "#,
        )
        .await;
}

const NESTED: &str = "From: a@example\r\nSubject: outer\r\nContent-Type: multipart/mixed; boundary=\"=_b\"\r\n\r\n\
preamble\r\n--=_b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n\
aGVsbG8gAHdvcmxk\r\n--=_b\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; filename=x.eml\r\n\r\n\
Subject: inner\r\nFrom: b@example\r\n\r\ninner text\r\n--=_b\r\nContent-Type: text/x-odd\r\n\
Content-Transfer-Encoding: x-unknown\r\n\r\nodd\r\n--=_b--\r\n";

#[tokio::test]
async fn sections_and_decoded_parts() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    client.append("INBOX", "", NESTED).await;
    client.talk(r#"
        C: EXAMINE INBOX
        S: ...
        S: OK [READ-ONLY] *
        C: FETCH 1 BODY[2]
        S: * 1 FETCH (BODY[2] {45}\r\nSubject: inner\r\nFrom: b@example\r\n\r\ninner text)
        S: OK *
        C: FETCH 1 (BODY[2.HEADER] BODY[2.TEXT] BODY[2.1] BODY[2.2] BODY[2.MIME])
        S: * 1 FETCH (BODY[2.HEADER] {35}\r\nSubject: inner\r\nFrom: b@example\r\n\r\n BODY[2.TEXT] {10}\r\ninner text BODY[2.1] {10}\r\ninner text BODY[2.2] NIL BODY[2.MIME] {81}\r\n*
        S: OK *
        C: FETCH 1 BODY[2.HEADER.FIELDS.NOT (from)]<9.5>
        S: * 1 FETCH (BODY[2.HEADER.FIELDS.NOT (from)]<9> {5}\r\ninner)
        S: OK *
        C: FETCH 1 (BINARY[1] BINARY.SIZE[1] BINARY.PEEK[1]<0.5>)
        S: * 1 FETCH (BINARY[1] ~{12}\r\nhello *
        S: OK *
        C: FETCH 1 BINARY.PEEK[3]
        S: * 1 FETCH (BINARY[3] NIL)
        S: NO [UNKNOWN-CTE] *
        C: FETCH 1 (BODY[1.HEADER] BODY[4] BODY[1]<100.5>)
        S: * 1 FETCH (BODY[1.HEADER] NIL BODY[4] NIL BODY[1]<100> {0}\r\n)
        S: OK *
        C: FETCH 1 BODYSTRUCTURE
        S: * 1 FETCH (BODYSTRUCTURE (("text" "plain" ("charset" "utf-8") NIL NIL "base64" 16 0 NIL NIL NIL NIL)("message" "rfc822" NIL NIL NIL "7bit" 45 (NIL "inner" ((NIL NIL "b" "example")) ((NIL NIL "b" "example")) ((NIL NIL "b" "example")) NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 0 NIL NIL NIL NIL) 3 NIL ("attachment" ("filename" "x.eml")) NIL NIL)("text" "x-odd" ("charset" "us-ascii") NIL NIL "x-unknown" 3 0 NIL NIL NIL NIL) "mixed" ("boundary" "=_b") NIL NIL NIL))
        S: OK *
        C: FETCH 1 (EMAILID THREADID PREVIEW SAVEDATE)
        S: * 1 FETCH (EMAILID (M*
        S: OK *
        C: FETCH 1 FLAGS
        S: * 1 FETCH (FLAGS ())
        S: OK *
        C: STORE 1 +FLAGS (\Seen)
        S: NO *
    "#).await;
    let whole = client.ask("FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT)").await;
    let told = format!("* 1 FETCH (RFC822 {{{}}}\r\n{NESTED} RFC822.HEADER ", NESTED.len());
    assert!(whole[0].starts_with(&told), "{whole:?}");
}

/// A message longer than what is gathered passes through whole, byte for byte.
#[tokio::test]
async fn a_large_message_passes_through() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    let body: String = (0..40_000).map(|n| format!("line {n} of a long message\r\n")).collect();
    let whole = simple("large", "") + &body;
    client.append("INBOX", "", &whole).await;
    client.ask("SELECT INBOX").await;
    let told = client.ask("FETCH 1 BODY.PEEK[]").await;
    assert_eq!(told[0], format!("* 1 FETCH (BODY[] {{{}}}\r\n{whole})", whole.len()));
    let told = client.ask("FETCH 1 BODY.PEEK[]<500000.300000>").await;
    assert_eq!(told[0], format!("* 1 FETCH (BODY[]<500000> {{300000}}\r\n{})", &whole[500_000..800_000]));
}

#[tokio::test]
async fn several_messages_and_replacements() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    client.learn("drafts", "STATUS Drafts (UIDVALIDITY)", "UIDVALIDITY ").await;
    client
        .talk(
            r#"
        C: APPEND Drafts (\Draft) {5+}\r\na: b\n (\Seen) {5+}\r\nc: d\n
        S: OK [APPENDUID <drafts> 1:2] *
        C: APPEND Drafts {1+}\r\nx
        S: NO [CANNOT] *
        C: APPEND Nowhere {5+}\r\na: b\n
        S: NO [TRYCREATE] *
        C: SELECT Drafts
        S: ...
        S: OK *
        C: UID REPLACE 1 Drafts (\Draft) {5+}\r\ne: f\n
        S: * OK [APPENDUID <drafts> 3] *
        S: * 1 EXPUNGE
        S: * 2 EXISTS
        S: OK *
        C: REPLACE 1 Sent {5+}\r\ng: h\n
        S: * OK [APPENDUID *
        S: * 1 EXPUNGE
        S: OK *
        C: UID REPLACE 9 Drafts {5+}\r\ne: f\n
        S: NO [NONEXISTENT] *
        C: FETCH 1:* (FLAGS BODY.PEEK[])
        S: * 1 FETCH (FLAGS (\Draft) BODY[] {5}\r\ne: f\n)
        S: OK *
    "#,
        )
        .await;
}

/// A header longer than what is kept at hand.
#[tokio::test]
async fn a_long_header_is_read_from_the_message() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    let long: String = (0..5000).map(|n| format!("X-{n}: some value of a field\r\n")).collect();
    let (header, body) = (format!("Subject: long\r\n{long}\r\n"), "text\r\n");
    client.append("INBOX", "(\\Seen)", &format!("{header}{body}")).await;
    client.ask("SELECT INBOX").await;
    client.talk("C: FETCH 1 BODY[HEADER.FIELDS (subject)]\nS: * 1 FETCH (BODY[HEADER.FIELDS (subject)] {17}\\r\\nSubject: long\\r\\n\\r\\n)\nS: OK *").await;
    let told = client.ask("FETCH 1 (RFC822.HEADER BODY[TEXT])").await;
    let wanted =
        format!("* 1 FETCH (RFC822.HEADER {{{}}}\r\n{header} BODY[TEXT] {{6}}\r\ntext\r\n)", header.len());
    assert!(told[0] == wanted, "{}", &told[0][..100]);
}

/// Deletions are forgotten some day; whoever asks about older ones looks at the whole mailbox.
#[tokio::test]
async fn forgotten_deletions_are_found_by_looking() {
    let bench = Bench::new().await;
    let (mut client, mut other) = (bench.client().await, bench.client().await);
    for _ in 0..5 {
        client.append("INBOX", "", &simple("x", "")).await;
    }
    let validity = other.learn("validity", "STATUS INBOX (UIDVALIDITY)", "UIDVALIDITY ").await;
    let old = other.learn("old", "STATUS INBOX (HIGHESTMODSEQ)", "HIGHESTMODSEQ ").await;
    client.ask("SELECT INBOX").await;
    other.talk("C: SELECT INBOX\nS: ...\nS: OK *\nC: STORE 2:3 +FLAGS.SILENT (\\Deleted)\nS: ...\nS: OK *\nC: CLOSE\nS: OK *").await;
    other.append("INBOX", "(\\Flagged)", &simple("y", "")).await;
    bench.clock.advance_secs(200 * 86_400);
    other.append("INBOX", "", &simple("z", "")).await;
    bench.core.collect(true).await.unwrap();
    let session = bench.session("alice", &["all"]).await;
    let id = session.mailbox_status(&crate::session::name::parse("INBOX").unwrap()).await.unwrap().id;
    let forgotten = session.mailbox_changes(id, allod_model::Seq(old.parse().unwrap())).await.unwrap_err();
    assert_eq!(forgotten.kind, allod_model::ErrorKind::HorizonPassed);
    client
        .talk(
            r"
        C: NOOP
        S: * 3 EXPUNGE
        S: * 2 EXPUNGE
        S: * 5 EXISTS
        S: OK *
        C: FETCH 1:* (UID FLAGS)
        S: * 1 FETCH (UID 1 FLAGS ())
        S: * 2 FETCH (UID 4 FLAGS ())
        S: * 3 FETCH (UID 5 FLAGS ())
        S: * 4 FETCH (UID 6 FLAGS (\Flagged))
        S: * 5 FETCH (UID 7 FLAGS ())
        S: OK *
        C: NOOP
        S: OK *
    ",
        )
        .await;
    let mut late = bench.client().await;
    late.known = vec![("validity".into(), validity), ("old".into(), old)];
    late.talk(
        r"
        C: ENABLE QRESYNC
        S: OK *
        C: SELECT INBOX (QRESYNC (<validity> <old> 1:5))
        S: ...
        S: * VANISHED (EARLIER) 2:3
        S: OK *
        C: SELECT INBOX (QRESYNC (<validity> <old> 1:5 (1,2 1,2)))
        S: ...
        S: * VANISHED (EARLIER) 2:3
        S: OK *
        C: UID FETCH 1:6 (FLAGS) (CHANGEDSINCE <old> VANISHED)
        S: * VANISHED (EARLIER) 2:3
        S: * 4 FETCH (UID 6 FLAGS (\Flagged) MODSEQ (*
        S: OK *
    ",
    )
    .await;
}
