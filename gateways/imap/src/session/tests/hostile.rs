//! What no client means: everything is answered, and nothing is lost.

use super::*;

#[tokio::test]
async fn extremes_are_answered() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    for _ in 0..3 {
        client.append("INBOX", "(\\Seen)", "a: b\r\n\r\nc").await;
    }
    client.ask("SELECT INBOX (CONDSTORE)").await;
    for command in [
        "FETCH 4294967295 FLAGS",
        "FETCH 0 FLAGS",
        "FETCH 1:4294967295 FLAGS",
        "FETCH *:* FLAGS",
        "UID FETCH 4294967295:* FLAGS",
        "UID FETCH 4294967294:4294967295 FLAGS",
        "UID FETCH 1:4294967295 (FLAGS) (CHANGEDSINCE 18446744073709551615)",
        "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 9223372036854775807 VANISHED)",
        "UID FETCH 1:* (UID) (PARTIAL 4294967295:4294967294)",
        "UID FETCH 1:* (UID) (PARTIAL -1:-4294967295)",
        "UID FETCH 1:* (UID) (PARTIAL 1:4294967295)",
        "UID SEARCH RETURN (PARTIAL -4294967295:-4294967294) ALL",
        "UID SEARCH RETURN (PARTIAL 4294967294:4294967295) ALL",
        "FETCH 1 BODY[4294967295.4294967295]<4294967295.4294967295>",
        "FETCH 1 BODY[]<4294967295.4294967295>",
        "FETCH 1 (BINARY[1]<4294967295.1> BINARY.SIZE[] BINARY[])",
        "FETCH 1 BODY[HEADER.FIELDS (\"\" \"a b\" \"\\\"\")]",
        "FETCH 1 (UID UID FLAGS FLAGS BODY[] BODY[] ENVELOPE ENVELOPE)",
        "FETCH $ FLAGS",
        "SEARCH LARGER 18446744073709551615",
        "SEARCH SMALLER 0",
        "SEARCH OLDER 18446744073709551615 YOUNGER 18446744073709551615",
        "SEARCH OLDER 4294967295 YOUNGER 4294967295",
        "SEARCH BEFORE 31-Dec-9999 SINCE 1-Jan-0001 NOT ON 1-Jan-0001",
        "SEARCH SENTBEFORE 1-Jan-0000",
        "SEARCH MODSEQ 18446744073709551615",
        "SEARCH 1:4294967295 UID 1:4294967295 NOT 4294967295:*",
        "SEARCH EMAILID M99999999999999999999 THREADID T",
        "SEARCH KEYWORD a TEXT \"\" BODY \"\" HEADER \"\" \"\"",
        "STORE 1 (UNCHANGEDSINCE 18446744073709551615) +FLAGS ()",
        "STORE 1 (UNCHANGEDSINCE 0) FLAGS (\\Seen)",
        "STORE 1 +FLAGS (a] b)",
        "UID EXPUNGE 1:4294967295",
        "UID COPY 4294967295 Archive",
        "UID MOVE 4294967290:* Nowhere",
        "COPY 1 INBOX/",
        "SELECT INBOX (QRESYNC (1 18446744073709551615 1:* (1:* 1:*)))",
        "LIST \"\" \"%%%%*****%%%%/*%*\"",
        "LIST \"../..\" *",
        "RENAME INBOX INBOX",
        "RENAME INBOX INBOX/Inner",
        "CREATE INBOX/INBOX/inbox",
        "DELETE Archive/",
        "STATUS \"\" (MESSAGES)",
        "SUBSCRIBE \"*\"",
        "SETMETADATA \"\" (/private/a NIL)",
        "GETMETADATA (DEPTH infinity MAXSIZE 0) \"\" (/private /shared)",
        "REPLACE * INBOX {8+}\r\na: b\r\n\r\n",
        "NOTIFY SET (mailboxes (a b c) NONE) (subtree INBOX NONE)",
        "NOTIFY NONE",
    ] {
        let told = client.ask(command).await;
        let last = told.last().unwrap_or_else(|| panic!("{command}: nothing"));
        assert!(["OK", "NO", "BAD"].iter().any(|word| last.starts_with(word)), "{command}: {told:?}");
        assert!(!last.contains("SERVERBUG") && !last.contains("CORRUPTION"), "{command}: {told:?}");
        if client.ask("CHECK").await.last().unwrap().starts_with("BAD") {
            client.ask("SELECT INBOX (CONDSTORE)").await;
        }
    }
    let told = client.ask("STATUS INBOX/Inner (MESSAGES)").await;
    assert_eq!(told[0], "* STATUS INBOX/Inner (MESSAGES 3)");
}
