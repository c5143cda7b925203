//! Nothing is announced that is not there.

use super::*;

/// Each capability, and a command that only works where it is kept. INBOX is selected and holds one message.
const KEPT: [(&str, &str); 49] = [
    ("IMAP4rev1", "CHECK"),
    ("IMAP4rev2", "ENABLE IMAP4rev2"),
    ("LITERAL+", "STATUS {5+}\r\nINBOX (MESSAGES)"),
    ("ID", "ID NIL"),
    ("ENABLE", "ENABLE CONDSTORE"),
    // Seen before login.
    ("SASL-IR", "NOOP"),
    ("IDLE", "IDLE\r\nDONE"),
    ("NAMESPACE", "NAMESPACE"),
    ("UNSELECT", "UNSELECT"),
    ("UIDPLUS", "UID EXPUNGE 999"),
    ("MOVE", "UID MOVE 999 Trash"),
    ("CHILDREN", "LIST \"\" % RETURN (CHILDREN)"),
    ("SPECIAL-USE", "LIST (SPECIAL-USE) \"\" %"),
    ("CREATE-SPECIAL-USE", "CREATE Flags (USE (\\Flagged))"),
    ("LIST-EXTENDED", "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (\"INBOX\" \"S*\") RETURN (SUBSCRIBED)"),
    ("LIST-STATUS", "LIST \"\" % RETURN (STATUS (MESSAGES))"),
    ("LIST-MYRIGHTS", "LIST \"\" % RETURN (MYRIGHTS)"),
    ("STATUS=SIZE", "STATUS INBOX (SIZE)"),
    ("ESEARCH", "SEARCH RETURN (MIN MAX COUNT) ALL"),
    ("SEARCHRES", "SEARCH RETURN (SAVE) ALL"),
    ("SORT", "SORT (DATE) UTF-8 ALL"),
    ("SORT=DISPLAY", "SORT (DISPLAYFROM) UTF-8 ALL"),
    ("ESORT", "SORT RETURN (COUNT) (DATE) UTF-8 ALL"),
    ("THREAD=REFERENCES", "THREAD REFERENCES UTF-8 ALL"),
    ("THREAD=ORDEREDSUBJECT", "THREAD ORDEREDSUBJECT UTF-8 ALL"),
    ("CONDSTORE", "FETCH 1 (FLAGS) (CHANGEDSINCE 1)"),
    ("QRESYNC", "SELECT INBOX (QRESYNC (1 1))"),
    ("QUOTA", "GETQUOTAROOT INBOX"),
    ("QUOTA=RES-STORAGE", "GETQUOTAROOT INBOX"),
    ("BINARY", "FETCH 1 BINARY.SIZE[1]"),
    ("MULTIAPPEND", "APPEND INBOX {11+}\r\nSubject: a\n {11+}\r\nSubject: b\n"),
    ("REPLACE", "REPLACE 1 INBOX {11+}\r\nSubject: c\n"),
    ("OBJECTID", "FETCH 1 (EMAILID THREADID)"),
    ("SAVEDATE", "FETCH 1 SAVEDATE"),
    ("PREVIEW", "FETCH 1 (PREVIEW (LAZY))"),
    ("WITHIN", "SEARCH YOUNGER 60"),
    ("UTF8=ACCEPT", "ENABLE UTF8=ACCEPT"),
    ("METADATA", "GETMETADATA INBOX /private/comment"),
    ("ACL", "MYRIGHTS INBOX"),
    ("RIGHTS=texk", "GETACL INBOX"),
    ("NOTIFY", "NOTIFY SET (selected (MessageNew (UID) MessageExpunge)) (personal (MailboxName))"),
    ("PARTIAL", "SEARCH RETURN (PARTIAL 1:10) ALL"),
    ("COMPRESS=DEFLATE", "COMPRESS DEFLATE"),
    ("APPENDLIMIT", "STATUS INBOX (APPENDLIMIT)"),
    ("STARTTLS", "STARTTLS"),
    ("AUTH=PLAIN", "NOOP"),
    ("AUTH=LOGIN", "NOOP"),
    ("AUTH=OAUTHBEARER", "NOOP"),
    ("AUTH=XOAUTH2", "NOOP"),
];

fn words(answer: &str) -> Vec<String> {
    let line = answer.lines().find_map(|line| line.strip_prefix("* CAPABILITY ")).unwrap_or_default();
    line.split(' ').map(|word| word.split_once("LIMIT=").map_or(word, |_| "APPENDLIMIT").to_owned()).collect()
}

#[tokio::test]
async fn what_is_announced_is_kept() {
    let served = serve().await;
    let mut stranger = Client::connect(&served).await;
    for word in words(&stranger.ask("CAPABILITY").await) {
        assert!(KEPT.iter().any(|(kept, _)| *kept == word), "{word} is announced and not looked at");
    }
    let mut client = Client::alice(&served).await;
    let announced = words(&client.ask("CAPABILITY").await);
    assert!(announced.len() > 30, "{announced:?}");
    for word in announced {
        let (_, command) = KEPT.iter().find(|(kept, _)| *kept == word).unwrap_or_else(|| panic!("{word}"));
        let mut client = Client::alice(&served).await;
        client.ask("APPEND INBOX {21+}\r\nSubject: a\r\n\r\nA text.").await;
        client.ask("ENABLE QRESYNC").await;
        client.ask("SELECT INBOX").await;
        let answer = client.ask(command).await;
        let completion = answer.lines().last().unwrap();
        assert!(completion.contains(" OK "), "{word}: {command}: {answer}");
    }
}
