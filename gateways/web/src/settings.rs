//! Settings: password, second factor, sign-ins, language.

use allod_kit::RequestBody;
use allod_model::ErrorKind;
use askama::Template;
use http::StatusCode;
use zeroize::Zeroizing;

use crate::error::{Refusal, message};
use crate::frame::Frame;
use crate::respond::{Answer, forget_sign_in, page_with, see};
use crate::set_up::problem;
use crate::show::{self, When};
use crate::text::Text;
use crate::visit::Visit;

struct SignedIn {
    id: String,
    current: bool,
    whence: String,
    when: When,
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    f: Frame,
    name: String,
    addresses: Vec<String>,
    authenticator: Option<When>,
    recovery: u64,
    sessions: Vec<SignedIn>,
    languages: &'static [Text],
}

#[derive(Template)]
#[template(path = "authenticator.html")]
struct AuthenticatorPage {
    f: Frame,
    secret: String,
    qr: String,
    confirmed: bool,
}

#[derive(Template)]
#[template(path = "recovery.html")]
struct RecoveryPage {
    f: Frame,
    codes: Vec<String>,
}

/// Which page or form.
pub(crate) async fn route(visit: &Visit, rest: &[&str], get: bool, body: RequestBody) -> Answer {
    match (rest, get) {
        ([], true) => show(visit, StatusCode::OK, None).await,
        (["password"], false) => password(visit, body).await,
        (["authenticator"], true) => new_authenticator(visit, StatusCode::OK, None, None),
        (["authenticator"], false) => add_authenticator(visit, body).await,
        (["authenticator", "remove"], false) => remove_authenticator(visit, body).await,
        (["sessions", "others"], false) => {
            visit.form(body).await?;
            visit.session()?.end_other_web_sessions().await?;
            Ok(see("/ui/settings?done=sessions-ended"))
        }
        (["sessions", id], false) => end_session(visit, id, body).await,
        _ => Err(Refusal::NotFound),
    }
}

async fn show(visit: &Visit, status: StatusCode, alarm: Option<&'static str>) -> Answer {
    let (session, text, now) = (visit.session()?, visit.text, visit.core().now());
    let mut f = Frame::new(visit, "settings", text.s("nav.settings"));
    if let Some(key) = alarm {
        f = f.alarmed(key);
    }
    let factors = session.factors().await?;
    let sessions = session.web_sessions().await?.into_iter().map(|info| SignedIn {
        id: info.id.0,
        current: info.current,
        whence: show::whence(text, &info.last_use),
        when: When::of(text, info.last_use.time, now),
    });
    let page = SettingsPage {
        f,
        name: session.account(),
        addresses: session.addresses(),
        authenticator: factors.authenticator.map(|since| When::of(text, since, now)),
        recovery: factors.recovery as u64,
        sessions: sessions.collect(),
        languages: Text::all(),
    };
    page_with(status, &page)
}

async fn password(visit: &Visit, body: RequestBody) -> Answer {
    let form = visit.form(body).await?;
    if let Some(key) = problem(form.text("password"), form.text("again")) {
        return show(visit, StatusCode::UNPROCESSABLE_ENTITY, Some(key)).await;
    }
    let secret = |name| Zeroizing::new(form.text(name).to_owned());
    match visit.session()?.change_password(secret("old"), secret("password")).await {
        Ok(()) => Ok(see("/ui/settings?done=password-changed")),
        Err(error) => show(visit, StatusCode::FORBIDDEN, Some(refused(error.kind))).await,
    }
}

fn refused(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unauthenticated => "confirm.wrong",
        ErrorKind::Denied => "confirm.needed",
        kind => message(kind),
    }
}

fn new_authenticator(
    visit: &Visit,
    status: StatusCode,
    secret: Option<&str>,
    alarm: Option<&'static str>,
) -> Answer {
    let session = visit.session()?;
    let mut f = Frame::new(visit, "settings", visit.text.s("authenticator.title"));
    if let Some(key) = alarm {
        f = f.alarmed(key);
    }
    let made = session.new_authenticator(visit.host_name())?;
    let (secret, url) = match secret {
        Some(secret) => (secret.to_owned(), made.url.replace(made.secret.as_str(), secret)),
        None => (made.secret.to_string(), made.url.to_string()),
    };
    let qr = crate::qr::svg(&url, visit.text.s("authenticator.qr"));
    page_with(status, &AuthenticatorPage { f, secret, qr, confirmed: session.is_confirmed() })
}

async fn add_authenticator(visit: &Visit, body: RequestBody) -> Answer {
    let form = visit.form(body).await?;
    let session = visit.session()?;
    let secret = form.text("secret");
    let plain = secret.len() <= 64 && secret.bytes().all(|b| b.is_ascii_alphanumeric());
    let again = |key| {
        new_authenticator(visit, StatusCode::UNPROCESSABLE_ENTITY, Some(secret).filter(|_| plain), Some(key))
    };
    if !form.text("password").is_empty()
        && let Err(error) = session.confirm(Zeroizing::new(form.text("password").to_owned())).await
    {
        return again(refused(error.kind));
    }
    match session.add_authenticator(secret, form.text("code")).await {
        Ok(codes) => {
            let f = Frame::new(visit, "settings", visit.text.s("recovery.title"));
            let codes = codes.iter().map(|code| code.to_string()).collect();
            page_with(StatusCode::OK, &RecoveryPage { f, codes })
        }
        Err(error) if error.kind == ErrorKind::InvalidContent => again("authenticator.wrong"),
        Err(error) => again(refused(error.kind)),
    }
}

async fn remove_authenticator(visit: &Visit, body: RequestBody) -> Answer {
    let form = visit.form(body).await?;
    let session = visit.session()?;
    if let Err(error) = session.confirm(Zeroizing::new(form.text("password").to_owned())).await {
        return show(visit, StatusCode::FORBIDDEN, Some(refused(error.kind))).await;
    }
    session.remove_authenticator().await?;
    Ok(see("/ui/settings?done=authenticator-removed"))
}

async fn end_session(visit: &Visit, id: &str, body: RequestBody) -> Answer {
    visit.form(body).await?;
    let session = visit.session()?;
    let own = session.credential().is_some_and(|own| own.0 == id);
    session.end_web_session(id).await?;
    if own {
        let mut response = see("/ui/sign-in?done=signed-out");
        forget_sign_in(visit, &mut response);
        return Ok(response);
    }
    Ok(see("/ui/settings?done=session-ended"))
}
