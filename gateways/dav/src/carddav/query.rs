//! `addressbook-query` (RFC 6352 §8.6).

use allod_formats::card::Card;
use allod_formats::{Document, Limits};

use super::filter::filter_of;
use crate::error::Answer;
use crate::filter::{Dialect, parse_limit};
use crate::handle::Call;
use crate::matches::Question;
use crate::plan::Plan;
use crate::query::{self, Query};
use crate::xml::Element;

/// Answers the report.
pub(crate) async fn handle(call: &Call, root: Element<'_>) -> Answer {
    let plan = Plan::of_report(root)?.unwrap_or_else(Plan::none);
    let question = Question::Cards(filter_of(root)?);
    let query = Query { plan, question, limit: parse_limit(root, Dialect::CardDav) };
    query::answer(call, query, |question, found| {
        let Question::Cards(filter) = question else { return false };
        let Ok(document) = Document::parse(&found.bytes, Limits::default()) else { return false };
        Card::of(&document).is_some_and(|card| filter.matches(&card))
    })
    .await
}
