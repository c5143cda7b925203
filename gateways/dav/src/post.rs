//! POST: what it means depends on where it goes.

use allod_kit::RequestBody;
use allod_model::Kind;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::error::{Answer, Doing, Failure};
use crate::handle::Call;
use crate::{caldav, import, sharing};

/// Answers POST on a place in the tree.
pub(crate) async fn handle(call: &Call, body: RequestBody) -> Answer {
    if let Some(action) = call.query_value("action") {
        return caldav::attachments::handle(call, &action, body).await;
    }
    let node = call.stat(false).await.map_err(call.failing(Doing::Read))?;
    match node.folder.map(|facts| facts.kind) {
        Some(Kind::Outbox) => caldav::outbox::handle(call, body).await,
        // RFC 6638 §5: busy times are asked for at the outbox.
        Some(Kind::Inbox) => Err(Failure::new(StatusCode::FORBIDDEN, "post to the outbox")),
        Some(Kind::Calendar | Kind::AddressBook) if is_xml(call) => sharing::handle(call, body).await,
        Some(Kind::Calendar | Kind::AddressBook) if import::is_import(call) => {
            import::handle(call, body).await
        }
        _ => Err(Failure::method_not_allowed()),
    }
}

/// Whether the body says that it is XML.
fn is_xml(call: &Call) -> bool {
    let kind = call.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    ["application/xml", "text/xml"].iter().any(|known| known.eq_ignore_ascii_case(essence))
}
