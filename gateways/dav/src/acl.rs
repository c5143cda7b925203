//! Access control as clients read it (RFC 3744). Who may do what is decided by the grants of each credential; nothing is
//! granted by ACL, so these properties show what the credential of the request may do.

use allod_model::{Kind, Rights};

use crate::error::{Answer, Doing, Failure};
use crate::handle::Call;
use crate::plan::Live;
use crate::props::{Subject, write_href};

/// The privileges there are, with those that they contain one level deeper (RFC 3744 §3, RFC 4791 §6.1.1).
const SUPPORTED: [(usize, &str, &str); 21] = [
    (0, "D:all", "Everything"),
    (1, "D:read", "Read"),
    (2, "D:read-current-user-privilege-set", "Read what one may do"),
    (2, "C:read-free-busy", "Read when one is busy"),
    (1, "D:write", "Write"),
    (2, "D:write-properties", "Write properties"),
    (2, "D:write-content", "Write contents"),
    (2, "D:bind", "Add members"),
    (2, "D:unbind", "Remove members"),
    (1, "D:unlock", "Remove locks"),
    (1, "D:read-acl", "Read who may do what"),
    (1, "D:write-acl", "Change who may do what"),
    (1, "C:schedule-deliver", "Get scheduling messages"),
    (2, "C:schedule-deliver-invite", "Get invitations"),
    (2, "C:schedule-deliver-reply", "Get answers to invitations"),
    (2, "C:schedule-query-freebusy", "Be asked when one is busy"),
    (1, "C:schedule-send", "Send scheduling messages"),
    (2, "C:schedule-send-invite", "Send invitations"),
    (2, "C:schedule-send-reply", "Send answers to invitations"),
    (2, "C:schedule-send-freebusy", "Ask when others are busy"),
    (0, "", ""),
];

const READ: &[&str] = &["D:read", "D:read-current-user-privilege-set", "D:read-acl"];
const APPEND: &[&str] = &["D:bind"];
/// DAVx5 takes a collection without `write` for read-only.
const WRITE: &[&str] =
    &["D:write", "D:write-properties", "D:write-content", "D:bind", "D:unbind", "D:unlock"];

const INBOX: [&str; 4] = [
    "C:schedule-deliver",
    "C:schedule-deliver-invite",
    "C:schedule-deliver-reply",
    "C:schedule-query-freebusy",
];
const OUTBOX: [&str; 4] =
    ["C:schedule-send", "C:schedule-send-invite", "C:schedule-send-reply", "C:schedule-send-freebusy"];

/// Appends the value of a property of access control.
pub(crate) fn write(out: &mut Vec<u8>, live: Live, subject: Subject<'_>, principal: &str) {
    match live {
        Live::SupportedPrivilegeSet => write_supported(out),
        Live::CurrentUserPrivilegeSet => write_privileges(out, subject),
        Live::Acl => {
            out.extend_from_slice(b"<D:ace><D:principal>");
            write_href(out, principal);
            out.extend_from_slice(b"</D:principal><D:grant>");
            write_privileges(out, subject);
            out.extend_from_slice(b"</D:grant><D:protected/></D:ace>");
        }
        // RFC 3744 §5.6.
        Live::AclRestrictions => out.extend_from_slice(b"<D:grant-only/><D:no-invert/>"),
        // RFC 3744 §5.7: nothing is inherited, so it is empty.
        _ => {}
    }
}

fn write_privileges(out: &mut Vec<u8>, subject: Subject<'_>) {
    let (rights, kind) = match subject {
        Subject::Node(node, _) => (node.rights, node.folder.map(|facts| facts.kind)),
        Subject::Place(_) | Subject::Principal => (Some(Rights::Read), None),
    };
    let mut privilege = |name: &str| {
        out.extend_from_slice(b"<D:privilege><");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"/></D:privilege>");
    };
    if rights.is_none() {
        return privilege("D:read-current-user-privilege-set");
    }
    READ.iter().for_each(|name| privilege(name));
    let more: &[&str] = match kind {
        // RFC 4791 §6.1.1.
        Some(Kind::Calendar) => &["C:read-free-busy"],
        // RFC 6638 §6.1, §6.2.
        Some(Kind::Inbox) => &INBOX,
        Some(Kind::Outbox) => &OUTBOX,
        Some(Kind::Plain | Kind::AddressBook | Kind::Mailbox) | None => &[],
    };
    more.iter().for_each(|name| privilege(name));
    match rights {
        Some(Rights::Append) => APPEND.iter().for_each(|name| privilege(name)),
        Some(Rights::Write) => WRITE.iter().for_each(|name| privilege(name)),
        Some(Rights::Read) | None => {}
    }
}

/// RFC 3744 §5.3.
fn write_supported(out: &mut Vec<u8>) {
    for pair in SUPPORTED.windows(2) {
        let ((depth, name, text), next) = (pair[0], pair[1].0);
        out.extend_from_slice(b"<D:supported-privilege><D:privilege><");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"/></D:privilege><D:description xml:lang=\"en\">");
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(b"</D:description>");
        // The last row closes all that is open.
        let closed = if pair[1].1.is_empty() { depth + 1 } else { (depth + 1).saturating_sub(next) };
        for _ in 0..closed {
            out.extend_from_slice(b"</D:supported-privilege>");
        }
    }
}

/// Answers ACL: nobody has the privilege to change it by this door.
pub(crate) async fn handle(call: &Call) -> Answer {
    call.session.stat(&call.path, call.want(), false).await.map_err(call.failing(Doing::Read))?;
    // RFC 3744 §8.1: without `write-acl` the answer is 403 with this condition.
    Err(Failure::forbidden("need-privileges"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Document;

    #[test]
    fn supported_privileges_nest() {
        let mut out = b"<D:r xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'>".to_vec();
        write_supported(&mut out);
        out.extend_from_slice(b"</D:r>");
        let document = Document::parse(&out).unwrap();
        let all = document.root().children().next().unwrap();
        let below = all.children().filter(|child| child.is_dav("supported-privilege")).count();
        assert_eq!((document.root().children().count(), below), (1, 7));
    }
}
