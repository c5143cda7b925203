//! The commands that every client uses.

use super::*;

const HELLO: &str = "From: Fred Foobar <foobar@Blurdybloop.example>\r\nSubject: afternoon meeting\r\n\
    To: mooch@owatagu.siam.edu.example\r\nMessage-Id: <B27397-0100000@Blurdybloop.example>\r\n\
    Date: Wed, 17 Jul 1996 02:23:25 -0700\r\n\r\nHello Joe, do you think we can meet?\r\n";

#[tokio::test]
async fn a_message_is_put_in_and_read() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    let told = client.append("INBOX", "(\\Flagged work) \"17-Jul-1996 02:44:25 -0700\"", HELLO).await;
    assert!(told[0].starts_with("OK [APPENDUID "), "{told:?}");
    client.talk(r#"
        C: SELECT inbox
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft work)
        S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft work \*)] *
        S: * 1 EXISTS
        S: * OK [UNSEEN 1] *
        S: * OK [UIDVALIDITY *
        S: * OK [UIDNEXT 2] *
        S: * OK [HIGHESTMODSEQ *
        S: * OK [MAILBOXID (F*
        S: OK [READ-WRITE] Selected
        C: FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE UID)
        S: * 1 FETCH (FLAGS (\Flagged work) INTERNALDATE "17-Jul-1996 09:44:25 +0000" RFC822.SIZE 241 UID 1)
        S: OK *
        C: FETCH 1 ENVELOPE
        S: * 1 FETCH (ENVELOPE ("Wed, 17 Jul 1996 02:23:25 -0700" "afternoon meeting" (("Fred Foobar" NIL "foobar" "Blurdybloop.example")) (("Fred Foobar" NIL "foobar" "Blurdybloop.example")) (("Fred Foobar" NIL "foobar" "Blurdybloop.example")) ((NIL NIL "mooch" "owatagu.siam.edu.example")) NIL NIL NIL "<B27397-0100000@Blurdybloop.example>"))
        S: OK *
        C: FETCH 1 (BODY BODYSTRUCTURE)
        S: * 1 FETCH (BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 38 1) BODYSTRUCTURE ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 38 1 NIL NIL NIL NIL))
        S: OK *
        C: FETCH 1 BODY.PEEK[HEADER.FIELDS (DATE From)]
        S: * 1 FETCH (BODY[HEADER.FIELDS (DATE From)] {89}\r\nFrom: Fred Foobar <foobar@Blurdybloop.example>\r\nDate: Wed, 17 Jul 1996 02:23:25 -0700\r\n\r\n)
        S: OK *
        C: FETCH 1 BODY[TEXT]<0.5>
        S: * 1 FETCH (BODY[TEXT]<0> {5}\r\nHello FLAGS (\Flagged \Seen work))
        S: OK *
        C: UID FETCH 1 (BODY[1] BODY[2] BODY[1.MIME])
        S: * 1 FETCH (UID 1 BODY[1] {38}\r\nHello Joe, do you think we can meet?\r\n BODY[2] NIL BODY[1.MIME] {203}\r\n*
        S: OK *
        C: NOOP
        S: OK *
        C: FETCH 2 FLAGS
        S: BAD *
        C: UID FETCH 7 FLAGS
        S: OK *
        C: STATUS INBOX (MESSAGES UNSEEN UIDNEXT RECENT SIZE DELETED)
        S: * STATUS INBOX (MESSAGES 1 UNSEEN 0 UIDNEXT 2 RECENT 0 SIZE 241 DELETED 0)
        S: OK *
    "#).await;
}

#[tokio::test]
async fn flags_change_and_messages_go() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    for _ in 0..4 {
        client.append("INBOX", "", HELLO).await;
    }
    client
        .talk(
            r#"
        C: SELECT INBOX
        S: ...
        S: OK *
        C: STORE 2:3 +FLAGS (\Deleted)
        S: * 2 FETCH (FLAGS (\Deleted))
        S: * 3 FETCH (FLAGS (\Deleted))
        S: OK *
        C: STORE 1 FLAGS.SILENT (\Seen $Label1)
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Label1)
        S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Label1 \*)] *
        S: OK *
        C: UID STORE 4 +FLAGS \Answered
        S: * 4 FETCH (UID 4 FLAGS (\Answered))
        S: OK *
        C: NOOP
        S: OK *
        C: SEARCH DELETED
        S: * SEARCH 2 3
        S: OK *
        C: SEARCH KEYWORD $label1 SEEN
        S: * SEARCH 1
        S: OK *
        C: UID EXPUNGE 3
        S: * 3 EXPUNGE
        S: OK *
        C: EXPUNGE
        S: * 2 EXPUNGE
        S: OK *
        C: UID SEARCH RETURN (MIN MAX ALL COUNT) ALL
        S: * ESEARCH (TAG "a14") UID MIN 1 MAX 4 ALL 1,4 COUNT 2
        S: OK *
    "#
            .replace("a9", "a14")
            .as_str(),
        )
        .await;
}

#[tokio::test]
async fn copies_and_moves() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    for _ in 0..3 {
        client.append("INBOX", "(\\Seen)", HELLO).await;
    }
    client.learn("archive", "STATUS Archive (UIDVALIDITY)", "UIDVALIDITY ").await;
    client
        .talk(
            r#"
        C: SELECT INBOX
        S: ...
        S: OK *
        C: COPY 1:2 Nowhere
        S: NO [TRYCREATE] *
        C: COPY 1:2 Archive
        S: OK [COPYUID <archive> 1:2 1:2] *
        C: UID MOVE 2:3 Archive
        S: * OK [COPYUID <archive> 2:3 3:4] *
        S: * 3 EXPUNGE
        S: * 2 EXPUNGE
        S: OK *
        C: SELECT Archive
        S: * OK [CLOSED] *
        S: ...
        S: * 4 EXISTS
        S: ...
        S: OK [READ-WRITE] Selected
        C: FETCH 1:* FLAGS
        S: * 1 FETCH (FLAGS (\Seen))
        S: * 2 FETCH (FLAGS (\Seen))
        S: * 3 FETCH (FLAGS (\Seen))
        S: * 4 FETCH (FLAGS (\Seen))
        S: OK *
        C: CLOSE
        S: OK *
        C: FETCH 1 FLAGS
        S: BAD *
    "#,
        )
        .await;
}

#[tokio::test]
async fn two_sessions_hear_of_each_other() {
    let bench = Bench::new().await;
    let (mut one, mut other) = (bench.client().await, bench.client().await);
    one.append("INBOX", "", HELLO).await;
    one.append("INBOX", "", HELLO).await;
    one.talk("C: SELECT INBOX\nS: ...\nS: OK *").await;
    other.talk("C: SELECT INBOX\nS: ...\nS: OK *").await;
    assert!(!other.is_woken());
    one.talk(
        r"
        C: STORE 1 +FLAGS.SILENT (\Deleted)
        S: OK *
        C: EXPUNGE
        S: * 1 EXPUNGE
        S: OK *
        C: STORE 1 +FLAGS (\Flagged)
        S: * 1 FETCH (FLAGS (\Flagged))
        S: OK *
    ",
    )
    .await;
    one.append("INBOX", "(late)", HELLO).await;
    assert!(other.is_woken());
    other
        .talk(
            r"
        C: FETCH 1:2 FLAGS
        S: * 2 FETCH (FLAGS (\Flagged))
        S: * 3 EXISTS
        S: OK [EXPUNGEISSUED] *
        C: FETCH 3 FLAGS
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft late)
        S: * OK [PERMANENTFLAGS *
        S: * 3 FETCH (FLAGS (late))
        S: OK *
        C: COPY 1 Archive
        S: OK There was nothing to copy
        C: SEARCH ALL
        S: * SEARCH 2 3
        S: OK *
        C: IDLE
        S: * 1 EXPUNGE
        C: FETCH 1:* (UID)
        S: * 1 FETCH (UID 2)
        S: * 2 FETCH (UID 3)
        S: OK *
    ",
        )
        .await;
}
