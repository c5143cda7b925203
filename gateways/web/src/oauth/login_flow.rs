//! Nextcloud's Login Flow v2: a program asks for a link, shows it in a browser, and waits until the person has agreed there.
//!
//! The program gets an app credential like any other. It is made when the program comes for it, so that nothing secret
//! waits here, and it is told once.
//!
//! A link of this sort can be sent by a stranger who waits for its outcome. So the page says from where it was asked for,
//! and asks to go on only for who has just begun this.

use std::collections::HashMap;

use allod_core::Session;
use allod_kit::RequestBody;
use allod_model::{ErrorKind, Grant, Timestamp, parse_grant};
use askama::Template;
use http::header::USER_AGENT;
use http::{Method, StatusCode};
use parking_lot::Mutex;
use serde_json::json;

use super::LOGIN;
use crate::error::Refusal;
use crate::frame::Frame;
use crate::respond::{Answer, json, page_with};
use crate::visit::Visit;

/// Where programs begin, and where they ask how it stands.
pub(super) const PLACES: [&str; 4] =
    ["/index.php/login/v2", "/login/v2", "/index.php/login/v2/poll", "/login/v2/poll"];
/// How long a flow waits for the person, in seconds.
const FLOW_SECS: i64 = 20 * 60;
/// Flows at once, and of one address.
const FLOWS_MAX: usize = 1000;
const FLOWS_PER_ADDRESS_MAX: usize = 20;
/// What is kept of a program's name, in bytes.
const LABEL_BYTES_MAX: usize = 80;
/// What a program can be given: the preset and the key of its name.
const CORNERS: [(&str, &str); 3] =
    [("files", "flow.files"), ("calendar", "flow.calendar"), ("contacts", "flow.contacts")];

/// Flows under way. In memory only: after a restart a program asks anew.
#[derive(Default)]
pub(crate) struct Flows(Mutex<HashMap<String, Flow>>);

struct Flow {
    /// The secret of the page.
    page: String,
    label: String,
    address: String,
    until: Timestamp,
    /// What the person agreed to.
    agreed: Option<(Session, Vec<Grant>)>,
}

#[derive(Template)]
#[template(path = "login_flow.html")]
struct FlowPage {
    f: Frame,
    action: String,
    address: String,
    corners: Vec<(&'static str, &'static str)>,
    done: bool,
}

/// Answers programs.
pub(super) async fn handle(visit: &Visit, body: RequestBody) -> Answer {
    if visit.method != Method::POST {
        return Err(Refusal::Method);
    }
    match visit.path.ends_with("/poll") {
        true => poll(visit, body).await,
        false => begin(visit),
    }
}

fn begin(visit: &Visit) -> Answer {
    let now = visit.core().now();
    let (poll, page) = (visit.core().random_token(), visit.core().random_token());
    let address = visit.peer.client.to_string();
    let mut flows = visit.web.flows.0.lock();
    flows.retain(|_, flow| flow.until > now);
    let own = flows.values().filter(|flow| flow.address == address).count();
    if flows.len() >= FLOWS_MAX || own >= FLOWS_PER_ADDRESS_MAX {
        return Err(allod_model::Error::new(ErrorKind::Busy, "too many sign-ins are under way").into());
    }
    let origin = visit.origin();
    let answer = json!({
        "poll": { "token": poll.as_str(), "endpoint": format!("{origin}/index.php/login/v2/poll") },
        "login": format!("{origin}{LOGIN}{}", page.as_str()),
    });
    let flow = Flow {
        page: page.to_string(),
        label: label(visit),
        address,
        until: now.plus_secs(FLOW_SECS),
        agreed: None,
    };
    flows.insert(poll.to_string(), flow);
    Ok(json(&answer))
}

fn label(visit: &Visit) -> String {
    let name = visit.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(LABEL_BYTES_MAX).collect();
    let name = name.trim();
    if name.is_empty() { "Nextcloud".to_owned() } else { name.to_owned() }
}

async fn poll(visit: &Visit, body: RequestBody) -> Answer {
    let form = visit.read_form(body).await?;
    let (token, now) = (form.text("token"), visit.core().now());
    let flow = {
        let mut flows = visit.web.flows.0.lock();
        let ready = flows.get(token).is_some_and(|flow| flow.until > now && flow.agreed.is_some());
        if ready { flows.remove(token) } else { None }
    };
    // Not yet, never, or no more: programs ask again until they tire.
    let Some(Flow { agreed: Some((session, grants)), label, .. }) = flow else { return Ok(wait()) };
    let made = session.add_app(&label, grants, None).await?;
    Ok(json(&json!({
        "server": visit.origin(),
        "loginName": session.account(),
        "appPassword": made.password.as_str(),
    })))
}

fn wait() -> http::Response<allod_kit::ResponseBody> {
    let mut response = json(&json!([]));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// Answers the person.
pub(super) async fn page(visit: &Visit, token: &str, body: RequestBody) -> Answer {
    let now = visit.core().now();
    let found = {
        let flows = visit.web.flows.0.lock();
        let open = |flow: &&Flow| flow.page == token && flow.until > now && flow.agreed.is_none();
        flows.values().find(open).map(|flow| (flow.label.clone(), flow.address.clone()))
    };
    let (label, address) = found.ok_or(Refusal::form("flow.dead"))?;
    visit.session()?;
    let show = |done, alarm: Option<&'static str>| {
        let mut f = Frame::new(visit, "", visit.text.fill("flow.title", &label));
        if let Some(key) = alarm {
            f = f.alarmed(key);
        }
        let corners = CORNERS.iter().map(|(preset, key)| (*preset, visit.text.s(key))).collect();
        let action = visit.path.clone();
        page_with(StatusCode::OK, &FlowPage { f, action, address: address.clone(), corners, done })
    };
    match visit.method {
        Method::GET | Method::HEAD => return show(false, None),
        Method::POST => {}
        _ => return Err(Refusal::Method),
    }
    let form = visit.form(body).await?;
    let mut grants = Vec::new();
    for (preset, _) in CORNERS.iter().filter(|(preset, _)| form.get(preset).is_some()) {
        grants.push(parse_grant(preset).map_err(|_| Refusal::Malformed)?);
    }
    if form.get("decision") == Some("allow") && grants.is_empty() {
        return show(false, Some("oauth.nothing"));
    }
    {
        let mut flows = visit.web.flows.0.lock();
        if form.get("decision") != Some("allow") {
            flows.retain(|_, flow| flow.page != token);
            return Err(Refusal::form("flow.denied"));
        }
        let flow = flows.values_mut().find(|flow| flow.page == token && flow.agreed.is_none());
        let flow = flow.ok_or(Refusal::form("flow.dead"))?;
        flow.agreed = Some((visit.session()?.clone(), grants));
    }
    show(true, None)
}
