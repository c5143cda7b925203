//! The page on which a person lets an app in, or does not.

use allod_core::oauth::{Allowed, AppScope, ClientKind, Consent, ScopeChoice, Subject, opens_everything};
use allod_kit::RequestBody;
use allod_model::{Error, ErrorKind, Timestamp};
use askama::Template;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{Method, Response, StatusCode};
use zeroize::Zeroizing;

use super::request::{CARRIED, Request, Wrong, location};
use crate::error::Refusal;
use crate::frame::Frame;
use crate::respond::{Answer, header, page_with, policy_with_form_target};
use crate::text::Text;
use crate::visit::{Form, Visit};

/// How long an app can be let in for: value, days.
const ENDS: [(&str, i64); 4] = [("", 0), ("1d", 1), ("30d", 30), ("365d", 365)];
const DAY_SECS: i64 = 86_400;

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage {
    f: Frame,
    /// Who asks: the host alone.
    name: String,
    /// The kind of app, as a key of the texts.
    kind: &'static str,
    /// The name is one in other scripts, encoded.
    foreign: bool,
    action: String,
    carried: Vec<(&'static str, String)>,
    wishes: Vec<Wish>,
    ends: Vec<(&'static str, String)>,
    /// The account's password is asked for.
    password: bool,
}

/// One scope in words.
struct Wish {
    at: usize,
    words: String,
    /// The folders it opens.
    folders: String,
    writes: bool,
}

#[derive(Template)]
#[template(path = "consent_error.html")]
struct ErrorPage {
    f: Frame,
    why: String,
    back: Option<(String, String)>,
}

/// Answers GET and POST on `/oauth/authorize` and `/oauth/authorize/ACCOUNT`.
pub(super) async fn handle(visit: &Visit, account: Option<&str>, body: RequestBody) -> Answer {
    let asks = |name: &str| -> Vec<&str> {
        visit.query.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    };
    match visit.method {
        Method::GET | Method::HEAD => match Request::read(asks, &visit.origin()) {
            Err(wrong) => refuse(visit, wrong),
            Ok(request) => {
                check_account(visit, account)?;
                show(visit, StatusCode::OK, &request, asks, None)
            }
        },
        Method::POST => {
            let form = visit.form(body).await?;
            check_account(visit, account)?;
            decide(visit, &form).await
        }
        _ => Err(Refusal::Method),
    }
}

/// Nobody signed in: sign in first. Somebody else than the app asks for: say so.
fn check_account(visit: &Visit, account: Option<&str>) -> Result<(), Refusal> {
    let own = visit.session()?.account();
    match account {
        Some(account) if account != own => Err(Refusal::form("oauth.other-account")),
        _ => Ok(()),
    }
}

fn refuse(visit: &Visit, wrong: Wrong) -> Answer {
    let (why, back) = match wrong {
        Wrong::Client(why) => (why, None),
        Wrong::Request { back, name, why } => (why, Some((back, name))),
    };
    let f = Frame::new(visit, "", visit.text.s("oauth.wrong"));
    page_with(StatusCode::BAD_REQUEST, &ErrorPage { f, why, back })
}

fn show<'a>(
    visit: &Visit,
    status: StatusCode,
    request: &Request,
    value: impl Fn(&str) -> Vec<&'a str>,
    alarm: Option<&'static str>,
) -> Answer {
    let client = &request.client;
    let name = client.name().to_owned();
    let mut f = Frame::new(visit, "", visit.text.fill("oauth.title", &name));
    if let Some(key) = alarm {
        f = f.alarmed(key);
    }
    let carried = CARRIED.iter().filter_map(|name| Some((*name, value(name).first()?.to_string()))).collect();
    let wishes = request.scopes.iter().enumerate().map(|(at, scope)| wish(visit.text, at, scope)).collect();
    let ends = ENDS.iter().map(|(value, days)| (*value, end_words(visit.text, *days))).collect();
    let page = ConsentPage {
        f,
        foreign: name.split('.').any(|label| label.starts_with("xn--")),
        name,
        kind: match client.kind() {
            ClientKind::Web => "oauth.web",
            ClientKind::Loopback => "oauth.loopback",
            ClientKind::Native => "oauth.native",
        },
        action: visit.path.clone(),
        carried,
        wishes,
        ends,
        password: opens_everything(&request.scopes) && !visit.session()?.is_confirmed(),
    };
    let mut response = page_with(status, &page)?;
    // Chromium holds the redirect after a form to the form's policy.
    policy_with_form_target(&mut response, client.origin());
    Ok(response)
}

fn wish(text: &Text, at: usize, scope: &AppScope) -> Wish {
    let what = match scope.subject() {
        Subject::Module(name) => name.clone(),
        Subject::Everything => text.s("oauth.everything").to_owned(),
        Subject::Preset("calendar") => text.s("oauth.calendar").to_owned(),
        Subject::Preset("contacts") => text.s("oauth.contacts").to_owned(),
        Subject::Preset("mail") => text.s("oauth.mail").to_owned(),
        Subject::Preset(_) => text.s("oauth.files").to_owned(),
        Subject::Folder(path) => path.to_string(),
    };
    let appends = scope.grants().iter().all(|grant| grant.rights == allod_model::Rights::Append);
    let words = match (scope.writes(), scope.sends()) {
        (true, true) => text.fill("oauth.wish.send", &what),
        (true, false) if appends => text.fill("oauth.wish.add", &what),
        (true, false) => text.fill("oauth.wish.change", &what),
        _ => text.fill("oauth.wish.read", &what),
    };
    let folders = scope.grants().iter().map(|grant| grant.path.to_string()).collect::<Vec<_>>().join(", ");
    Wish { at, words, folders, writes: scope.writes() }
}

fn end_words(text: &Text, days: i64) -> String {
    match days {
        0 => text.s("oauth.end.never").to_owned(),
        days => text.count("oauth.end", days as u64),
    }
}

async fn decide(visit: &Visit, form: &Form) -> Answer {
    let value = |name: &str| -> Vec<&str> {
        // What the page made of a request has each parameter once; a forged form does not matter more than that.
        form.get(name).into_iter().collect()
    };
    let issuer = visit.origin();
    let request = match Request::read(value, &issuer) {
        Ok(request) => request,
        Err(wrong) => return refuse(visit, wrong),
    };
    if form.get("decision") != Some("allow") {
        let pairs = [("error", "access_denied")];
        return Ok(go(&location(&request.client, &request.flow, &pairs, request.state.as_deref(), &issuer)));
    }
    let again = |status, key| show(visit, status, &request, value, Some(key));
    let given = match given(&request, form) {
        Ok(given) if given.is_empty() => return again(StatusCode::UNPROCESSABLE_ENTITY, "oauth.nothing"),
        Ok(given) => given,
        Err(_) => return again(StatusCode::UNPROCESSABLE_ENTITY, "oauth.within-wrong"),
    };
    let session = visit.session()?;
    if opens_everything(&given) && !session.is_confirmed() {
        match session.confirm(Zeroizing::new(form.text("password").to_owned())).await {
            Ok(()) => {}
            Err(error) if error.kind == ErrorKind::Unauthenticated => {
                return again(StatusCode::UNAUTHORIZED, "sign-in.wrong");
            }
            Err(error) => return Err(error.into()),
        }
    }
    let expires = end_of(form.text("end"), visit.core().now()).ok_or(Refusal::Malformed)?;
    let (client, flow) = (request.client.clone(), request.flow.clone());
    let consent = Consent { client, asked: request.scopes.clone(), given, expires, flow };
    let allowed = session.allow_app(consent).await?;
    Ok(go(&answer(&request, &allowed, &issuer)))
}

/// What is left of the app's wishes.
fn given(request: &Request, form: &Form) -> Result<Vec<AppScope>, Error> {
    let mut given = Vec::new();
    for (at, scope) in request.scopes.iter().enumerate() {
        let choice = ScopeChoice {
            keep: form.get(&format!("keep-{at}")).is_some(),
            read_only: form.get(&format!("read-{at}")).is_some(),
            within: form.text(&format!("within-{at}")).trim().to_owned(),
        };
        given.extend(scope.narrowed(&choice)?);
    }
    Ok(given)
}

fn end_of(value: &str, now: Timestamp) -> Option<Option<Timestamp>> {
    let (_, days) = ENDS.iter().find(|(known, _)| *known == value)?;
    Some((*days > 0).then(|| now.plus_secs(days * DAY_SECS)))
}

fn answer(request: &Request, allowed: &Allowed, issuer: &str) -> String {
    let state = request.state.as_deref();
    match allowed {
        Allowed::Code(code) => location(&request.client, &request.flow, &[("code", code)], state, issuer),
        Allowed::Token { token, scope, expires_secs } => {
            let secs = expires_secs.map(|secs| secs.to_string());
            let mut pairs =
                vec![("access_token", token.as_str()), ("token_type", "bearer"), ("scope", scope.as_str())];
            pairs.extend(secs.as_deref().map(|secs| ("expires_in", secs)));
            location(&request.client, &request.flow, &pairs, state, issuer)
        }
    }
}

/// RFC 9700 §4.12: 303, so that no browser sends the form on.
fn go(location: &str) -> Response<allod_kit::ResponseBody> {
    let mut response = Response::new(allod_kit::empty_body());
    *response.status_mut() = StatusCode::SEE_OTHER;
    header(&mut response, LOCATION, location);
    header(&mut response, CACHE_CONTROL, "no-store");
    // The answer holds a secret: the page it leads to must not learn of this one, nor tell others.
    header(&mut response, http::header::REFERRER_POLICY, "no-referrer");
    response
}
