//! What is announced is there.

use super::*;
use crate::capability;

/// A command for each capability that has one. It need not succeed; it must be understood.
const COMMANDS: &[(&str, &str)] = &[
    ("IMAP4rev1", "NOOP"),
    ("IMAP4rev2", "ENABLE IMAP4rev2"),
    ("LITERAL+", "SELECT {5+}\r\nINBOX"),
    ("ENABLE", "ENABLE CONDSTORE"),
    ("NAMESPACE", "NAMESPACE"),
    ("UNSELECT", "UNSELECT"),
    ("UIDPLUS", "UID EXPUNGE 1"),
    ("MOVE", "UID MOVE 1 Archive"),
    ("CHILDREN", "LIST \"\" % RETURN (CHILDREN)"),
    ("SPECIAL-USE", "LIST (SPECIAL-USE) \"\" *"),
    ("CREATE-SPECIAL-USE", "CREATE Elsewhere (USE (\\Archive))"),
    ("LIST-EXTENDED", "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (* %)"),
    ("LIST-STATUS", "LIST \"\" * RETURN (STATUS (MESSAGES))"),
    ("LIST-MYRIGHTS", "LIST \"\" * RETURN (MYRIGHTS)"),
    ("STATUS=SIZE", "STATUS INBOX (SIZE)"),
    ("ESEARCH", "SEARCH RETURN (MIN) ALL"),
    ("SEARCHRES", "SEARCH RETURN (SAVE) ALL"),
    ("SORT", "SORT (SUBJECT) UTF-8 ALL"),
    ("SORT=DISPLAY", "SORT (DISPLAYFROM) UTF-8 ALL"),
    ("ESORT", "SORT RETURN (COUNT) (SUBJECT) UTF-8 ALL"),
    ("THREAD=REFERENCES", "THREAD REFERENCES UTF-8 ALL"),
    ("THREAD=ORDEREDSUBJECT", "THREAD ORDEREDSUBJECT UTF-8 ALL"),
    ("CONDSTORE", "SEARCH MODSEQ 1"),
    ("QRESYNC", "ENABLE QRESYNC"),
    ("QUOTA", "GETQUOTAROOT INBOX"),
    ("QUOTA=RES-STORAGE", "GETQUOTA \"\""),
    ("BINARY", "UID FETCH 1 BINARY.SIZE[1]"),
    ("MULTIAPPEND", "APPEND INBOX {8+}\r\na: b\r\n\r\n {8+}\r\na: b\r\n\r\n"),
    ("REPLACE", "UID REPLACE 1 INBOX {8+}\r\na: b\r\n\r\n"),
    ("OBJECTID", "UID FETCH 1 (EMAILID THREADID)"),
    ("SAVEDATE", "UID FETCH 1 SAVEDATE"),
    ("PREVIEW", "UID FETCH 1 (PREVIEW (LAZY))"),
    ("WITHIN", "SEARCH YOUNGER 5"),
    ("UTF8=ACCEPT", "ENABLE UTF8=ACCEPT"),
    ("METADATA", "GETMETADATA INBOX /shared/comment"),
    ("ACL", "MYRIGHTS INBOX"),
    ("RIGHTS=texk", "LISTRIGHTS INBOX bob"),
    ("NOTIFY", "NOTIFY SET (selected (MessageNew MessageExpunge))"),
    ("PARTIAL", "UID SEARCH RETURN (PARTIAL 1:2) ALL"),
    ("APPENDLIMIT", "STATUS INBOX (APPENDLIMIT)"),
    // Those of the connection, which has its own tests.
    ("ID", ""),
    ("IDLE", ""),
    ("SASL-IR", ""),
    ("COMPRESS=DEFLATE", ""),
];

#[tokio::test]
async fn each_capability_has_its_command() {
    let announced = capability::logged_in(false, 1);
    let bench = Bench::new().await;
    for word in announced.split(' ') {
        let word = word.split_once("LIMIT=").map_or(word, |_| "APPENDLIMIT");
        let known = COMMANDS.iter().find(|(capability, _)| *capability == word);
        let (_, command) = known.unwrap_or_else(|| panic!("{word} has no command here"));
        if command.is_empty() {
            continue;
        }
        let mut client = bench.client().await;
        client.ask("SELECT INBOX").await;
        let told = client.ask(command).await;
        assert!(!told.last().unwrap().starts_with("BAD"), "{word}: {command}: {told:?}");
    }
}
