//! Events of other mailboxes, and `\Recent`.

use super::*;

const HELLO: &str = "Subject: hello\r\n\r\nhello\r\n";

/// RFC 5465.
#[tokio::test]
async fn events_are_told_between_commands() {
    let bench = Bench::new().await;
    let (mut client, mut other) = (bench.client().await, bench.client().await);
    client.talk(r#"
        C: CREATE Lists/Rust
        S: OK *
        C: NOTIFY SET (selected (AnnotationChange))
        S: NO [BADEVENT (MessageNew MessageExpunge FlagChange *
        C: NOTIFY SET (selected (MessageNew))
        S: BAD *
        C: NOTIFY SET (personal (MessageNew MessageExpunge FlagWhatever))
        S: NO [BADEVENT *
        C: NOTIFY SET STATUS (selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge)) (subtree Lists (MessageNew MessageExpunge FlagChange)) (personal (MailboxName SubscriptionChange MailboxMetadataChange))
        S: * STATUS Lists (MESSAGES 0 UIDNEXT 1 UIDVALIDITY *
        S: * STATUS Lists/Rust (MESSAGES 0 UIDNEXT 1 UIDVALIDITY *
        S: OK *
        C: SELECT INBOX
        S: ...
        S: OK *
        C: CREATE Mine
        S: OK *
    "#).await;
    assert_eq!(client.report(Moment::Between).await, [""; 0]);
    other.append("INBOX", "", HELLO).await;
    other.append("Lists/Rust", "", HELLO).await;
    other.append("Sent", "", HELLO).await;
    assert!(client.is_woken());
    while client.is_woken() {}
    let told = client.report(Moment::Between).await;
    assert_eq!(told[0], "* 1 EXISTS");
    assert_eq!(told[1], "* 1 FETCH (UID 1 BODY[HEADER.FIELDS (SUBJECT)] {18}\r\nSubject: hello\r\n\r\n)");
    assert!(told[2].starts_with("* STATUS Lists/Rust (MESSAGES 1 UIDNEXT 2 UIDVALIDITY "), "{told:?}");
    assert_eq!(told.len(), 3, "{told:?}");
    other.ask("SELECT INBOX").await;
    other.ask("STORE 1 +FLAGS (\\Deleted)").await;
    other.ask("EXPUNGE").await;
    other.ask("CREATE Lists/Go").await;
    other.ask("RENAME Mine Yours").await;
    other.ask("SUBSCRIBE Yours").await;
    other.ask("SETMETADATA Lists/Go (/shared/comment \"x\")").await;
    other.ask("DELETE Trash").await;
    while client.is_woken() {}
    let mut told = client.report(Moment::Between).await;
    told.sort();
    assert_eq!(
        told,
        [
            "* 1 EXPUNGE",
            "* LIST (\\HasChildren) \"/\" Lists",
            "* LIST (\\HasNoChildren) \"/\" Lists/Go",
            "* LIST (\\HasNoChildren) \"/\" Yours (\"OLDNAME\" (Mine))",
            "* LIST (\\NonExistent) \"/\" Trash",
            "* LIST (\\Subscribed) \"/\" Yours",
        ]
    );
    other.ask("SETMETADATA Lists/Go (/shared/comment \"y\")").await;
    assert_eq!(client.report(Moment::Between).await, ["* METADATA Lists/Go /shared/comment"]);
    // RFC 5465 §6.1: nothing was asked of the selected mailbox.
    client.talk("C: NOTIFY SET (mailboxes (Sent) (MessageNew MessageExpunge))\nS: OK *").await;
    other.append("INBOX", "", HELLO).await;
    client.talk("C: NOOP\nS: OK *").await;
    client
        .talk(
            "C: NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))\nS: * 1 EXISTS\nS: OK *",
        )
        .await;
    other.ask("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    other.ask("EXPUNGE").await;
    assert_eq!(client.report(Moment::Between).await, [""; 0]);
    client.talk("C: NOOP\nS: * 1 EXPUNGE\nS: OK *").await;
}

/// RFC 3501 §2.3.2.
#[tokio::test]
async fn one_session_is_the_first_to_be_told_of_a_message() {
    let bench = Bench::new().await;
    let (mut one, mut other) = (bench.client().await, bench.client().await);
    (one.recent, other.recent) = (true, true);
    one.append("INBOX", "", HELLO).await;
    one.append("INBOX", "", HELLO).await;
    one.talk(
        r"
        C: STATUS INBOX (RECENT)
        S: * STATUS INBOX (RECENT 2)
        S: OK *
        C: EXAMINE INBOX
        S: ...
        S: * 2 RECENT
        S: ...
        S: OK *
        C: SELECT INBOX
        S: ...
        S: * 2 RECENT
        S: ...
        S: OK *
        C: SEARCH RECENT
        S: * SEARCH 1 2
        S: OK *
        C: STORE 1 +FLAGS (\Recent)
        S: BAD *
    ",
    )
    .await;
    other
        .talk(
            r"
        C: SELECT INBOX
        S: ...
        S: * 0 RECENT
        S: ...
        S: OK *
        C: SEARCH OLD
        S: * SEARCH 1 2
        S: OK *
    ",
        )
        .await;
    other.append("INBOX", "", HELLO).await;
    one.talk("C: NOOP\nS: * 3 EXISTS\nS: * 2 RECENT\nS: OK *").await;
    other.talk("C: FETCH 3 FLAGS\nS: * 3 FETCH (FLAGS (\\Recent))\nS: OK *").await;
}
