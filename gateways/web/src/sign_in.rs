//! Signing in and out.

use allod_core::SignIn;
use allod_kit::RequestBody;
use allod_model::ErrorKind;
use askama::Template;
use http::StatusCode;
use zeroize::Zeroizing;

use crate::error::{Refusal, message};
use crate::frame::Frame;
use crate::respond::{Answer, forget_sign_in, keep_language, keep_sign_in, page_with, see};
use crate::text::Text;
use crate::visit::{Visit, own_path};

/// Where people come to when they asked for no page.
const FIRST_PAGE: &str = "/ui/";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    f: Frame,
    then: String,
    name: String,
    /// Nobody has an account yet.
    empty: bool,
    languages: &'static [Text],
}

/// The sign-in page.
pub(crate) fn page(visit: &Visit) -> Answer {
    if visit.person.is_some() {
        return Ok(see(visit.param("then").and_then(own_path).unwrap_or(FIRST_PAGE)));
    }
    show(visit, StatusCode::OK, visit.param("then").unwrap_or_default(), "", None)
}

fn show(visit: &Visit, status: StatusCode, then: &str, name: &str, alarm: Option<&'static str>) -> Answer {
    let mut f = Frame::new(visit, "", visit.text.s("sign-in.title"));
    if let Some(key) = alarm {
        f = f.alarmed(key);
    }
    let then = own_path(then).unwrap_or_default().to_owned();
    let empty = visit.core().is_empty()?;
    page_with(status, &SignInPage { f, then, name: name.to_owned(), empty, languages: Text::all() })
}

/// Takes name and password.
pub(crate) async fn submit(visit: &Visit, body: RequestBody) -> Answer {
    let form = visit.open_form(body).await?;
    let (name, then) = (form.text("name"), form.text("then"));
    let password = Zeroizing::new(form.text("password").to_owned());
    match visit.core().sign_in(name, password, &visit.door()).await {
        Ok(outcome) => go_on(visit, outcome, then).await,
        Err(error) if error.kind == ErrorKind::Unauthenticated => {
            show(visit, StatusCode::UNAUTHORIZED, then, name, Some("sign-in.wrong"))
        }
        Err(error) if error.kind == ErrorKind::Busy => {
            show(visit, StatusCode::TOO_MANY_REQUESTS, then, name, Some(message(error.kind)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Keeps the sign-in and leads to where the person was going. A sign-in that the browser had before ends: nobody goes
/// on in a session that was there before the password was shown.
pub(crate) async fn go_on(visit: &Visit, outcome: SignIn, then: &str) -> Answer {
    let mut response = see(own_path(then).unwrap_or(FIRST_PAGE));
    if let Some(before) = &visit.person {
        before.session.sign_out().await?;
    }
    match outcome {
        SignIn::Done(new) => keep_sign_in(visit, &mut response, &new.token),
        SignIn::SecondFactor(ticket) => return second(visit, StatusCode::OK, &ticket.token, then, None),
    }
    Ok(response)
}

#[derive(Template)]
#[template(path = "second.html")]
struct SecondPage {
    f: Frame,
    ticket: String,
    then: String,
}

fn second(
    visit: &Visit,
    status: StatusCode,
    ticket: &str,
    then: &str,
    alarm: Option<&'static str>,
) -> Answer {
    let mut f = Frame::new(visit, "", visit.text.s("second.title"));
    if let Some(key) = alarm {
        f = f.alarmed(key);
    }
    let then = own_path(then).unwrap_or_default().to_owned();
    page_with(status, &SecondPage { f, ticket: ticket.to_owned(), then })
}

/// Takes the code of the second factor.
pub(crate) async fn submit_code(visit: &Visit, body: RequestBody) -> Answer {
    let form = visit.open_form(body).await?;
    let (ticket, then) = (form.text("ticket"), form.text("then"));
    match visit.core().sign_in_with_code(ticket, form.text("code"), &visit.door()).await {
        Ok(new) => go_on(visit, SignIn::Done(new), then).await,
        Err(error) if error.kind == ErrorKind::Unauthenticated => {
            second(visit, StatusCode::UNAUTHORIZED, ticket, then, Some("second.wrong"))
        }
        Err(error) if error.kind == ErrorKind::Busy => {
            second(visit, StatusCode::TOO_MANY_REQUESTS, ticket, then, Some(message(error.kind)))
        }
        Err(error) if error.kind == ErrorKind::NotFound => {
            show(visit, StatusCode::UNAUTHORIZED, then, "", Some("second.over"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Ends the sign-in.
pub(crate) async fn leave(visit: &Visit, body: RequestBody) -> Answer {
    visit.form(body).await?;
    visit.session()?.sign_out().await?;
    let mut response = see("/ui/sign-in?done=signed-out");
    forget_sign_in(visit, &mut response);
    Ok(response)
}

/// Chooses the language.
pub(crate) async fn language(visit: &Visit, body: RequestBody) -> Answer {
    let form = visit.open_form(body).await?;
    let text = Text::of(form.text("language")).ok_or(Refusal::Malformed)?;
    let mut response = see(own_path(form.text("then")).unwrap_or(FIRST_PAGE));
    keep_language(visit, &mut response, text.lang);
    Ok(response)
}
