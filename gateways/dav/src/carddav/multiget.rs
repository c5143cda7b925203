//! `addressbook-multiget` (RFC 6352 §8.7).

use allod_model::Kind;

use crate::error::Answer;
use crate::handle::Call;
use crate::multiget;
use crate::plan::Plan;
use crate::xml::Element;

/// Answers the report.
pub(crate) async fn handle(call: &Call, root: Element<'_>) -> Answer {
    let plan = Plan::of_report(root)?.unwrap_or_else(Plan::none);
    multiget::answer(call, root, plan, Kind::AddressBook).await
}
