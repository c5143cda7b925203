//! REPORT (RFC 3253 §3.6): which reports there are, and where.

use allod_kit::RequestBody;
use allod_model::Kind;

use crate::body::read_report;
use crate::error::{Answer, Failure};
use crate::handle::Call;
use crate::props::Subject;
use crate::visit::Visit;
use crate::xml::{CALDAV, CARDDAV, DAV};
use crate::{caldav, carddav, expand_property, principal_reports, sync_collection};

/// Reports of every place.
const EVERYWHERE: [&str; 5] = [
    "D:expand-property",
    "D:principal-match",
    "D:principal-property-search",
    "D:principal-search-property-set",
    "D:acl-principal-prop-set",
];
const OF_FOLDERS: [&str; 1] = ["D:sync-collection"];
const OF_CALENDARS: [&str; 3] = ["C:calendar-query", "C:calendar-multiget", "C:free-busy-query"];
const OF_ADDRESS_BOOKS: [&str; 2] = ["CR:addressbook-query", "CR:addressbook-multiget"];

/// Appends the value of `supported-report-set` (RFC 3253 §3.1.5).
pub(crate) fn write_supported(out: &mut Vec<u8>, subject: Subject<'_>) {
    let own: &[&str] = match subject.kind() {
        Some(Kind::Calendar) => &OF_CALENDARS,
        Some(Kind::AddressBook) => &OF_ADDRESS_BOOKS,
        // RFC 6638 §2.2.
        Some(Kind::Inbox) => &OF_CALENDARS[..2],
        Some(Kind::Plain | Kind::Mailbox | Kind::Outbox) | None => &[],
    };
    let folders: &[&str] = if subject.kind().is_some() { &OF_FOLDERS } else { &[] };
    for name in EVERYWHERE.iter().chain(folders).chain(own) {
        out.extend_from_slice(b"<D:supported-report><D:report><");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"/></D:report></D:supported-report>");
    }
}

/// Answers REPORT on a place in the tree.
pub(crate) async fn handle(call: &Call, body: RequestBody) -> Answer {
    let document = read_report(body).await?;
    let root = document.root();
    match (root.namespace(), root.name()) {
        (DAV, "sync-collection") => sync_collection::handle(call, root).await,
        (CALDAV, "calendar-query") => caldav::query::handle(call, root).await,
        (CALDAV, "calendar-multiget") => caldav::multiget::handle(call, root).await,
        (CALDAV, "free-busy-query") => caldav::freebusy::handle(call, root).await,
        (CARDDAV, "addressbook-query") => carddav::query::handle(call, root).await,
        (CARDDAV, "addressbook-multiget") => carddav::multiget::handle(call, root).await,
        (DAV, "expand-property") => expand_property::handle(&Visit::of(call), root).await,
        (DAV, "principal-match") if root.dav_child("principal-property").is_some() => {
            principal_reports::owned(call, root).await
        }
        (DAV, _) => principal_reports::handle(&Visit::of(call), root).await,
        // RFC 3253 §3.6: a report that is not supported here.
        _ => Err(Failure::forbidden("supported-report")),
    }
}

/// Answers REPORT on a place that is in no tree.
pub(crate) async fn handle_virtual(visit: &Visit<'_>, body: RequestBody) -> Answer {
    let document = read_report(body).await?;
    let root = document.root();
    match (root.namespace(), root.name()) {
        (DAV, "expand-property") => expand_property::handle(visit, root).await,
        (DAV, _) => principal_reports::handle(visit, root).await,
        _ => Err(Failure::forbidden("supported-report")),
    }
}
