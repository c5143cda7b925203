//! Which page answers.

use std::sync::Arc;

use allod_kit::{Peer, RequestBody, ResponseBody};
use askama::Template;
use http::header::{ALLOW, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response};

use crate::error::Refusal;
use crate::frame::Frame;
use crate::respond::{Answer, json, page_with, secure, see, url_part};
use crate::visit::Visit;
use crate::{
    Shared, activity, apps, assets, calendar, connect, contacts, discovery, files, home, mail, oauth, raw,
    set_up, settings, sign_in, space, trash, undo, upload, zip,
};

/// Answers one request.
pub(crate) async fn handle(
    web: &Arc<Shared>,
    request: Request<RequestBody>,
    peer: Peer,
) -> Response<ResponseBody> {
    let (parts, body) = request.into_parts();
    let visit = Visit::of(web, parts, peer).await;
    let answer = match is_ours(&visit.path) {
        true => route(&visit, body).await,
        false if discovery::is_here(&visit.path) => discovery::handle(&visit, body).await,
        false => oauth::handle(&visit, body).await,
    };
    secure(finish(&visit, answer))
}

/// Whether a path belongs to the page itself.
fn is_ours(path: &str) -> bool {
    path == "/" || path == "/ui" || path.starts_with("/ui/")
}

/// Turns a refusal into its page.
pub(crate) fn finish(visit: &Visit, answer: Answer) -> Response<ResponseBody> {
    let refusal = match answer {
        Ok(response) => return response,
        Err(refusal) => refusal,
    };
    if let Refusal::Core(error) = &refusal
        && matches!(error.kind, allod_model::ErrorKind::Corrupt | allod_model::ErrorKind::Unavailable)
    {
        tracing::error!(%error, path = %visit.path, "a page failed");
    }
    let (status, key) = refusal.words();
    let mut response = match refusal {
        _ if visit.wants_json() => {
            let mut response = json(&serde_json::json!({"error": visit.text.s(key)}));
            *response.status_mut() = status;
            response
        }
        Refusal::SignIn if visit.method == Method::GET => see(&sign_in_first(visit)),
        _ => error_page(visit, &refusal),
    };
    if let Some(secs) = refusal.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(secs));
    }
    if matches!(refusal, Refusal::Method) {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
    }
    response
}

/// The address of the sign-in page that leads back here.
pub(crate) fn sign_in_first(visit: &Visit) -> String {
    let mut then = visit.path.clone();
    if !visit.query.is_empty() {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&visit.query).finish();
        then = format!("{then}?{query}");
    }
    format!("/ui/sign-in?then={}", url_part(then.as_bytes()))
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    f: Frame,
    message: &'static str,
}

fn error_page(visit: &Visit, refusal: &Refusal) -> Response<ResponseBody> {
    let (status, key) = refusal.words();
    let page =
        ErrorPage { f: Frame::new(visit, "", visit.text.s("error.title")), message: visit.text.s(key) };
    page_with(status, &page).unwrap_or_else(|_| {
        let mut response = Response::new(allod_kit::full_body("this page cannot be made\n"));
        *response.status_mut() = status;
        response
    })
}

async fn route(visit: &Visit, body: RequestBody) -> Answer {
    let path = visit.path.clone();
    let rest = path.strip_prefix("/ui").unwrap_or_default();
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let get = matches!(visit.method, Method::GET | Method::HEAD);
    let post = visit.method == Method::POST;
    if !get && !post && visit.method != Method::PUT {
        return Err(Refusal::Method);
    }
    match parts.as_slice() {
        [] if get => home::page(visit),
        ["static", name] if get => assets::serve(visit, name),
        ["apple.mobileconfig"] if post => discovery::apple::download(visit, body).await,
        ["sign-in"] if get => sign_in::page(visit),
        ["sign-in"] if post => sign_in::submit(visit, body).await,
        ["sign-in", "code"] if post => sign_in::submit_code(visit, body).await,
        ["sign-out"] if post => sign_in::leave(visit, body).await,
        ["language"] if post => sign_in::language(visit, body).await,
        ["set-up", token] if get => set_up::page(visit, token),
        ["set-up", token] if post => set_up::submit(visit, token, body).await,
        ["welcome", token] if get => set_up::welcome(visit, token).await,
        ["welcome", token] if post => set_up::accept(visit, token, body).await,
        _ if visit.person.is_none() => Err(Refusal::SignIn),
        ["apps", rest @ ..] => apps_route(visit, rest, get, body).await,
        ["connect"] if get => connect::page(visit),
        ["connect", client] if get => connect::client_page(visit, client),
        ["connect", client] if post => connect::make(visit, client, body).await,
        ["activity"] if get => activity::page(visit).await,
        ["settings", rest @ ..] => settings::route(visit, rest, get, body).await,
        ["files", ..] if get => files::page(visit).await,
        ["files", ..] if post => files::change(visit, body).await,
        ["mail", ..] if get => mail::page(visit).await,
        ["calendar"] if get => calendar::page(visit).await,
        ["contacts"] if get => contacts::page(visit).await,
        ["space", ..] if get => space::page(visit).await,
        ["raw", ..] if get => raw::serve(visit).await,
        ["zip", ..] if get => zip::serve(visit).await,
        ["upload", ..] if !get && !post => upload::take(visit, body).await,
        ["versions", ..] if get => trash::versions(visit).await,
        ["versions", ..] if post => trash::bring_back(visit, body).await,
        ["trash"] if get => trash::page(visit).await,
        ["trash"] if post => trash::restore(visit, body).await,
        _ => Err(Refusal::NotFound),
    }
}

async fn apps_route(visit: &Visit, rest: &[&str], get: bool, body: RequestBody) -> Answer {
    match (rest, get) {
        ([], true) => apps::page(visit).await,
        (["new"], true) => apps::new(visit).await,
        (["new"], false) => apps::make(visit, body).await,
        ([id], true) => apps::one(visit, id).await,
        ([id, "state"], true) => apps::state(visit, id).await,
        ([id, "revoke"], false) => apps::revoke(visit, id, body).await,
        ([id, "narrow"], false) => apps::narrow(visit, id, body).await,
        ([id, "undo"], true) => undo::preview(visit, id).await,
        ([id, "undo"], false) => undo::carry_out(visit, id, body).await,
        _ => Err(Refusal::NotFound),
    }
}
