//! MKCALENDAR (RFC 4791 §5.3.1).

use allod_core::FolderOptions;
use allod_kit::RequestBody;
use allod_model::Kind;
use http::StatusCode;

use crate::error::{Answer, Doing, Failure};
use crate::handle::Call;
use crate::mkcol::{created, make, parse_wishes, read_wishes};
use crate::proppatch;
use crate::xml::CALDAV;

/// Answers MKCALENDAR on a place in the tree.
pub(crate) async fn handle(call: &Call, body: RequestBody) -> Answer {
    let options = match read_wishes(call, body).await? {
        None => FolderOptions { kind: Kind::Calendar, ..FolderOptions::default() },
        Some(document) => {
            if !document.root().is(CALDAV, "mkcalendar") {
                let message = "the body of MKCALENDAR is a mkcalendar element";
                return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
            }
            let wishes = parse_wishes(document.root(), Kind::Calendar)?;
            if !wishes.refused.is_empty() {
                if call.stat(false).await.is_ok() {
                    return Err(Failure::forbidden("resource-must-be-null"));
                }
                // RFC 4791 §5.3.1.1: 207 says what stood in the way; nothing was made.
                let url = call.url(&call.path, true);
                return Ok(proppatch::answer(&url, &wishes.fine, &wishes.refused));
            }
            wishes.options
        }
    };
    make(call, options, Doing::MakeCalendar).await?;
    Ok(created())
}
