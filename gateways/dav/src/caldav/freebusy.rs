//! `free-busy-query` (RFC 4791 §7.10).

use allod_core::Want;
use allod_formats::calendar::{Busy, merge_busy, write_freebusy};
use allod_formats::value::Utc;
use allod_kit::full_body;
use allod_model::Kind;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};

use super::filter::parse_time_range;
use super::timezones;
use crate::error::{Answer, Doing, Failure};
use crate::handle::Call;
use crate::query;
use crate::xml::{CALDAV, Element};

/// What PRODID says of objects that the server makes.
pub(crate) const PRODUCT: &str = "-//allod//allod//EN";
/// Longest range asked for, in seconds: what is answered must be gathered first.
const RANGE_S_MAX: i64 = 20 * 366 * 86_400;

/// Answers the report.
pub(crate) async fn handle(call: &Call, root: Element<'_>) -> Answer {
    let failing = call.failing(Doing::Report);
    let element = root.child(CALDAV, "time-range");
    let range = element.ok_or_else(|| Failure::bad_request("free-busy-query holds a time-range"))?;
    let range =
        parse_time_range(range).map_err(|failure| Failure::bad_request(failure.message().to_owned()))?;
    let (Some(start), Some(end)) = (range.start, range.end) else {
        return Err(Failure::bad_request("the time-range of a free-busy-query has both sides"));
    };
    if end.0 - start.0 > RANGE_S_MAX {
        // RFC 4791 §7.10: the result must be within limits.
        return Err(Failure::forbidden("number-of-matches-within-limits"));
    }
    let node = call.stat(false).await.map_err(&failing)?;
    if !node.is_folder() {
        // RFC 4791 §7.10: on collections only.
        return Err(Failure::forbidden("supported-report"));
    }
    let mut busy: Vec<Busy> = Vec::new();
    for folder in query::folders(call, &node, Kind::Calendar).await? {
        let calendar = call.session.stat(&folder, Want::Folder, true).await.map_err(&failing)?;
        // RFC 6638 §9.1: nobody is busy by what is in it.
        if calendar.folder.is_some_and(|facts| facts.transparent) {
            continue;
        }
        let zone = timezones::of_collection(&calendar.properties);
        busy.extend(call.session.busy(&folder, (start, end), &zone).await.map_err(&failing)?);
    }
    let stamp = Utc(call.now.secs());
    let uid = format!("freebusy-{}-{stamp}", node.id.0);
    let text = write_freebusy(&merge_busy(busy), (start, end), stamp, &uid, PRODUCT);
    let mut response = Response::new(full_body(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}
