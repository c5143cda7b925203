//! What is announced, and when.

/// RFC 9051 §6.1.1: of both revisions. What holds in every state.
const ALWAYS: &str = "IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE SASL-IR";
/// The ways to log in.
const MECHANISMS: &str = "AUTH=PLAIN AUTH=LOGIN AUTH=OAUTHBEARER AUTH=XOAUTH2";
/// What holds once somebody is known.
const LOGGED_IN: &str = "IDLE NAMESPACE UNSELECT UIDPLUS MOVE CHILDREN SPECIAL-USE CREATE-SPECIAL-USE LIST-EXTENDED \
    LIST-STATUS LIST-MYRIGHTS STATUS=SIZE ESEARCH SEARCHRES SORT SORT=DISPLAY ESORT THREAD=REFERENCES \
    THREAD=ORDEREDSUBJECT CONDSTORE QRESYNC QUOTA QUOTA=RES-STORAGE BINARY MULTIAPPEND REPLACE \
    OBJECTID SAVEDATE PREVIEW WITHIN UTF8=ACCEPT METADATA ACL RIGHTS=texk NOTIFY PARTIAL";

/// Before login. `start_tls`: it can be asked for; `may_login`: passwords are taken.
pub(crate) fn before_login(start_tls: bool, may_login: bool) -> String {
    let start_tls = if start_tls { " STARTTLS" } else { "" };
    match may_login {
        true => format!("{ALWAYS}{start_tls} {MECHANISMS}"),
        // RFC 9051 §6.2.3: no password in plain text.
        false => format!("{ALWAYS}{start_tls} LOGINDISABLED"),
    }
}

/// After login.
pub(crate) fn logged_in(compressed: bool, append_bytes_max: u64) -> String {
    // RFC 4978 §3: not announced again once it is on.
    let compress = if compressed { "" } else { " COMPRESS=DEFLATE" };
    // RFC 7889 §3.1: one limit for all mailboxes.
    format!("{ALWAYS} {LOGGED_IN}{compress} APPENDLIMIT={append_bytes_max}")
}
