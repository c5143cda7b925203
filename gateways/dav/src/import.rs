//! A file of many events or cards, sent to a calendar or an address book itself: one object for each UID.

use allod_kit::{RequestBody, full_body};
use allod_model::Kind;
use bytes::BytesMut;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;

use crate::body::broken;
use crate::error::{Answer, Doing, Failure};
use crate::handle::{Call, xml};
use crate::plan::{Ask, Live, Plan};
use crate::propfind::{self, MULTISTATUS_HEAD, MULTISTATUS_TAIL};
use crate::query::judge;
use crate::refusal;

/// Whether a body can be a file of events or cards.
pub(crate) fn is_import(call: &Call) -> bool {
    let kind = call.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    ["text/calendar", "text/vcard", "text/x-vcard"].iter().any(|known| known.eq_ignore_ascii_case(essence))
}

/// Answers PUT or POST of a file on a folder: a multistatus of what was written.
///
/// # Errors
/// 405 where the folder is neither a calendar nor an address book; what core refuses.
pub(crate) async fn handle(call: &Call, mut body: RequestBody) -> Answer {
    let failing = call.failing(Doing::Write);
    let node = call.session.stat(&call.path, allod_core::Want::Folder, false).await.map_err(&failing)?;
    if !node.folder.is_some_and(|facts| matches!(facts.kind, Kind::Calendar | Kind::AddressBook)) {
        return Err(Failure::method_not_allowed());
    }
    judge(call).await?;
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        if whole.len() + data.len() > allod_core::IMPORT_BYTES_MAX {
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the file is too large to be imported"));
        }
        whole.extend_from_slice(&data);
    }
    let written = match call.session.import(&call.path, whole.freeze()).await {
        Ok(written) => written,
        Err(error) => {
            let folder = Some(call.path.clone());
            return Err(refusal::of_write(call, folder, error, Doing::Write).await);
        }
    };
    let mut plan = Plan::none();
    plan.ask(Ask::Live(Live::Etag));
    let mut writer = propfind::writer(&call.session, &call.places, plan, call.now).await.map_err(&failing)?;
    let url = call.url(&call.path, true);
    let mut out = MULTISTATUS_HEAD.to_vec();
    for one in &written {
        writer.member(&mut out, url.as_bytes(), &one.node, &[]);
    }
    out.extend_from_slice(MULTISTATUS_TAIL);
    Ok(xml(StatusCode::MULTI_STATUS, full_body(out)))
}
