//! The first account of a server, and accounts whose person follows an invitation.

use allod_core::{PASSWORD_CHARS_MIN, SignIn};
use allod_kit::RequestBody;
use allod_model::ErrorKind;
use askama::Template;
use http::StatusCode;
use zeroize::Zeroizing;

use crate::error::{Refusal, message};
use crate::frame::Frame;
use crate::respond::{Answer, page_with};
use crate::sign_in::go_on;
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "set_up.html")]
struct SetUpPage {
    f: Frame,
    /// Where the form goes.
    action: String,
    /// The account's name where it is given.
    account: Option<String>,
    name: String,
    email: String,
    least: usize,
}

/// The page that makes the first account.
pub(crate) fn page(visit: &Visit, token: &str) -> Answer {
    if !visit.core().is_set_up_token(token) {
        return Err(Refusal::form("set-up.dead"));
    }
    show(visit, StatusCode::OK, token, "", "", None)
}

fn show(
    visit: &Visit,
    status: StatusCode,
    token: &str,
    name: &str,
    email: &str,
    alarm: Option<&'static str>,
) -> Answer {
    let mut f = Frame::new(visit, "", visit.text.s("set-up.title"));
    if let Some(key) = alarm {
        f = f.alarmed(key);
    }
    let action = crate::set_up_path(token);
    let (name, email) = (name.to_owned(), email.to_owned());
    page_with(status, &SetUpPage { f, action, account: None, name, email, least: PASSWORD_CHARS_MIN })
}

/// Makes the first account.
pub(crate) async fn submit(visit: &Visit, token: &str, body: RequestBody) -> Answer {
    let form = visit.open_form(body).await?;
    if !visit.core().is_set_up_token(token) {
        return Err(Refusal::form("set-up.dead"));
    }
    let (name, email) = (form.text("name").trim(), form.text("email").trim());
    let again = |key| show(visit, StatusCode::UNPROCESSABLE_ENTITY, token, name, email, Some(key));
    if let Some(key) = problem(form.text("password"), form.text("again")) {
        return again(key);
    }
    let password = Zeroizing::new(form.text("password").to_owned());
    let address = Some(email.to_owned()).filter(|email| !email.is_empty());
    match visit.core().set_up(token, name, address, password, &visit.door()).await {
        Ok(new) => go_on(visit, SignIn::Done(new), "/ui/connect").await,
        Err(error) if error.kind == ErrorKind::InvalidContent => again("set-up.invalid"),
        Err(error) if error.kind == ErrorKind::NotFound => Err(Refusal::form("set-up.dead")),
        Err(error) => again(message(error.kind)),
    }
}

/// What is wrong with a new password; the key of a text.
pub(crate) fn problem(password: &str, again: &str) -> Option<&'static str> {
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return Some("set-up.short");
    }
    (password != again).then_some("set-up.differ")
}

/// The page that an invitation leads to.
pub(crate) async fn welcome(visit: &Visit, token: &str) -> Answer {
    show_welcome(visit, StatusCode::OK, token, None).await
}

async fn show_welcome(visit: &Visit, status: StatusCode, token: &str, alarm: Option<&'static str>) -> Answer {
    let invited = match visit.core().invited(token).await {
        Err(error) if error.kind == ErrorKind::NotFound => return Err(Refusal::form("set-up.dead")),
        invited => invited?,
    };
    let mut f = Frame::new(visit, "", visit.text.s("welcome.title"));
    if let Some(key) = alarm {
        f = f.alarmed(key);
    }
    let page = SetUpPage {
        f,
        action: crate::invitation_path(token),
        account: Some(invited.account),
        name: String::new(),
        email: String::new(),
        least: PASSWORD_CHARS_MIN,
    };
    page_with(status, &page)
}

/// Takes the password that an invited person chose.
pub(crate) async fn accept(visit: &Visit, token: &str, body: RequestBody) -> Answer {
    let form = visit.open_form(body).await?;
    if let Some(key) = problem(form.text("password"), form.text("again")) {
        return show_welcome(visit, StatusCode::UNPROCESSABLE_ENTITY, token, Some(key)).await;
    }
    let password = Zeroizing::new(form.text("password").to_owned());
    match visit.core().accept_invitation(token, password, &visit.door()).await {
        Ok(outcome) => go_on(visit, outcome, "/ui/connect").await,
        Err(error) if error.kind == ErrorKind::NotFound => Err(Refusal::form("set-up.dead")),
        Err(error) => Err(error.into()),
    }
}
