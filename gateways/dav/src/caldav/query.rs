//! `calendar-query` (RFC 4791 §7.8).

use allod_core::Want;
use allod_formats::calendar::Object;
use allod_formats::zone::Zone;
use allod_formats::{Budget, Document, Limits};

use super::filter::filter_of;
use super::timezones;
use crate::error::{Answer, Doing, Failure};
use crate::filter::{Dialect, parse_limit};
use crate::handle::Call;
use crate::matches::Question;
use crate::plan::Plan;
use crate::query::{self, Query};
use crate::xml::Element;

/// Answers the report.
pub(crate) async fn handle(call: &Call, root: Element<'_>) -> Answer {
    let plan = Plan::of_report(root)?.unwrap_or_else(Plan::none);
    let filter = filter_of(root)?;
    let mut zone = timezones::of_query(root)?;
    if zone.is_none() && !call.slash {
        zone = of_parent(call).await?;
    }
    let question = Question::Events(filter, zone);
    let query = Query { plan, question, limit: parse_limit(root, Dialect::CalDav) };
    query::answer(call, query, |question, found| {
        let Question::Events(filter, zone) = question else { return false };
        let Ok(document) = Document::parse(&found.bytes, Limits::default()) else { return false };
        let Ok(object) = Object::of(&document) else { return false };
        let zone = zone.clone().unwrap_or_else(Zone::utc);
        // What cannot be told is shown rather than lost.
        filter.matches(&object, &zone, Budget::default()).unwrap_or(true)
    })
    .await
}

/// The zone of the calendar that a single object is in.
async fn of_parent(call: &Call) -> Result<Option<Zone>, Failure> {
    let failing = call.failing(Doing::Report);
    let node = call.session.stat(&call.path, call.want(), false).await.map_err(&failing)?;
    let Some(parent) = call.path.parent().filter(|_| !node.is_folder()) else { return Ok(None) };
    match call.session.stat(&parent, Want::Folder, true).await {
        Ok(node) => Ok(Some(timezones::of_collection(&node.properties))),
        // The session may see the object and not what it is in.
        Err(_) => Ok(None),
    }
}
