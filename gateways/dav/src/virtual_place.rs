//! Places that are not in any tree: `/`, `/dav/`, `/principals/` and the principals.
//!
//! Clients find their way by them (RFC 5397), and Explorer insists on asking the parent of what it mounts.

use allod_core::{Session, Want};
use allod_kit::{RequestBody, ResponseBody, full_body};
use allod_model::{Error, Path, Timestamp};
use http::{HeaderMap, Response, StatusCode};

use crate::error::{Answer, Doing, Failure};
use crate::handle::xml;
use crate::index_page::html;
use crate::places::Places;
use crate::propfind::{self, Depth, MULTISTATUS_HEAD, MULTISTATUS_TAIL, Question};
use crate::props::{Subject, Writer};
use crate::report;
use crate::url::{DAV_PREFIX, PRINCIPALS_PREFIX, Target, principal_url, tree_base};
use crate::visit::Visit;

/// Answers a request to one of these places. `asked`: the URL's path where it is another name for the place.
pub(crate) async fn handle(
    session: &Session,
    target: &Target,
    method: &str,
    headers: &HeaderMap,
    body: RequestBody,
    now: Timestamp,
    asked: Option<&str>,
) -> Answer {
    match method {
        "PROPFIND" => find(session, target, propfind::parse(headers, body).await?, now, asked).await,
        "GET" | "HEAD" => Ok(page(session)),
        "REPORT" => {
            let visit = Visit { session, headers, target: target.clone(), now };
            report::handle_virtual(&visit, body).await
        }
        "PROPPATCH" | "LOCK" | "DELETE" | "COPY" | "MOVE" | "MKCOL" | "MKCALENDAR" | "ACL" => {
            Err(Failure::new(StatusCode::FORBIDDEN, "nothing can be changed here"))
        }
        _ => Err(Failure::method_not_allowed()),
    }
}

async fn find(
    session: &Session,
    target: &Target,
    question: Question,
    now: Timestamp,
    asked: Option<&str>,
) -> Answer {
    let Question { plan, depth, preference } = question;
    // RFC 4918 §9.1: a server may refuse infinite depth, with this condition.
    if depth == Depth::Infinity {
        return Err(Failure::forbidden("propfind-finite-depth"));
    }
    let failing = |error| Failure::of(error, Doing::Read, str::to_owned);
    let dead = plan.needs_dead();
    let mut writer =
        propfind::writer(session, &Places::own(&session.account()), plan, now).await.map_err(failing)?;
    let mut out = MULTISTATUS_HEAD.to_vec();
    let own = principal_url(&session.account());
    let (url, subject) = match target {
        Target::Root => ("/", Subject::Place("allod")),
        Target::Trees => (DAV_PREFIX, Subject::Place("dav")),
        Target::Principals => (PRINCIPALS_PREFIX, Subject::Place("principals")),
        Target::Principal { .. } | Target::Tree { .. } => (own.as_str(), Subject::Principal),
    };
    if depth == Depth::Zero || !preference.no_root {
        writer.response(&mut out, asked.unwrap_or(url).as_bytes(), subject);
    }
    if depth == Depth::One {
        members(session, target, &mut writer, &mut out, dead).await.map_err(failing)?;
    }
    out.extend_from_slice(MULTISTATUS_TAIL);
    let mut response = xml(StatusCode::MULTI_STATUS, full_body(out));
    preference.applied(&mut response);
    Ok(response)
}

/// Only what is the session's own is listed.
async fn members(
    session: &Session,
    target: &Target,
    writer: &mut Writer,
    out: &mut Vec<u8>,
    dead: bool,
) -> Result<(), Error> {
    match target {
        Target::Root => {
            writer.response(out, DAV_PREFIX.as_bytes(), Subject::Place("dav"));
            writer.response(out, PRINCIPALS_PREFIX.as_bytes(), Subject::Place("principals"));
        }
        Target::Trees => {
            let root = session.stat(&Path::root(), Want::Folder, dead).await?;
            let url = tree_base(&session.account()) + "/";
            writer.response(out, url.as_bytes(), Subject::Node(&root, &[]));
        }
        Target::Principals => {
            let url = principal_url(&session.account());
            writer.response(out, url.as_bytes(), Subject::Principal);
        }
        Target::Principal { .. } | Target::Tree { .. } => {}
    }
    Ok(())
}

/// A page for people that points to the account's tree.
fn page(session: &Session) -> Response<ResponseBody> {
    // **Invariant:** a percent-encoded URL needs no escaping in HTML.
    let url = tree_base(&session.account()) + "/";
    let text =
        format!("<!DOCTYPE html><html lang=\"en\"><title>allod</title><a href=\"{url}\">{url}</a></html>\n");
    html(full_body(text))
}
