//! POST on the scheduling outbox: when others are busy (RFC 6638 §5).

use allod_core::BusyAnswer;
use allod_kit::{RequestBody, full_body};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};

use crate::body::read_text;
use crate::error::{Answer, Doing, Failure};
use crate::escape::escape_into;
use crate::filter::Dialect;
use crate::handle::{Call, xml};

/// Answers the request.
pub(crate) async fn handle(call: &Call, body: RequestBody) -> Answer {
    let kind = call.header(CONTENT_TYPE.as_str()).unwrap_or("text/calendar");
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("text/calendar") {
        // RFC 6638 §5.2.1.
        return Err(Dialect::CalDav.refused("supported-calendar-data", "what is posted is iCalendar"));
    }
    let request = read_text(body).await?;
    let request = request.ok_or_else(|| Failure::bad_request("POST on the outbox needs a body"))?;
    let answers = call.session.free_busy_of(&request).await.map_err(call.failing(Doing::Read))?;
    let mut response = xml(StatusCode::OK, full_body(written(&answers)));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// RFC 6638 §10.1.
fn written(answers: &[BusyAnswer]) -> Vec<u8> {
    let mut out = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<C:schedule-response xmlns:D=\"DAV:\" \
        xmlns:C=\"urn:ietf:params:xml:ns:caldav\">\n"
        .to_vec();
    for answer in answers {
        out.extend_from_slice(b"<C:response><C:recipient><D:href>");
        escape_into(&mut out, &answer.recipient);
        out.extend_from_slice(b"</D:href></C:recipient><C:request-status>");
        escape_into(&mut out, answer.status);
        out.extend_from_slice(b"</C:request-status>");
        if let Some(body) = &answer.body {
            out.extend_from_slice(b"<C:calendar-data>");
            super::data::write_bytes(&mut out, body);
            out.extend_from_slice(b"</C:calendar-data>");
        }
        out.extend_from_slice(b"</C:response>\n");
    }
    out.extend_from_slice(b"</C:schedule-response>\n");
    out
}
