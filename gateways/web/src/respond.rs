//! Answers and their security headers.

use std::fmt::Write;

use allod_kit::{ResponseBody, empty_body, full_body};
use askama::Template;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};
use serde_json::Value;

use crate::error::Refusal;
use crate::visit::{COOKIE_LANGUAGE, Visit};

/// What pages answer with.
pub(crate) type Answer = Result<Response<ResponseBody>, Refusal>;

/// What a page may load and do: its own scripts, styles and pictures, nothing inline, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     media-src 'self'; font-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'";

/// A page.
pub(crate) fn page(template: &impl Template) -> Answer {
    page_with(StatusCode::OK, template)
}

/// A page with another status.
pub(crate) fn page_with(status: StatusCode, template: &impl Template) -> Answer {
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a page cannot be made");
        Refusal::from(allod_model::Error::new(allod_model::ErrorKind::Unavailable, "a page cannot be made"))
    })?;
    let mut response = Response::new(full_body(html));
    *response.status_mut() = status;
    header(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
    header(&mut response, CACHE_CONTROL, "no-store");
    Ok(response)
}

/// Leads on to a path of this server, by GET.
pub(crate) fn see(path: &str) -> Response<ResponseBody> {
    let mut response = Response::new(empty_body());
    *response.status_mut() = StatusCode::SEE_OTHER;
    header(&mut response, LOCATION, path);
    header(&mut response, CACHE_CONTROL, "no-store");
    response
}

/// Something for a script.
pub(crate) fn json(value: &Value) -> Response<ResponseBody> {
    let mut response = Response::new(full_body(value.to_string()));
    header(&mut response, CONTENT_TYPE, "application/json");
    header(&mut response, CACHE_CONTROL, "no-store");
    response
}

/// Sets a header whose value may come from elsewhere; one that can't be a header is left out.
pub(crate) fn header(response: &mut Response<ResponseBody>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Has the browser keep the sign-in. Not readable by scripts; `Lax`, since links from elsewhere must find the person
/// signed in (an app's request for consent is one) while no foreign form carries it.
pub(crate) fn keep_sign_in(visit: &Visit, response: &mut Response<ResponseBody>, token: &str) {
    let secs = allod_core::WEB_SESSION_SECS;
    set_cookie(visit, response, visit.cookie_name(), token, secs, true);
}

/// Has the browser forget the sign-in.
pub(crate) fn forget_sign_in(visit: &Visit, response: &mut Response<ResponseBody>) {
    set_cookie(visit, response, visit.cookie_name(), "", 0, true);
}

/// Has the browser keep the language.
pub(crate) fn keep_language(visit: &Visit, response: &mut Response<ResponseBody>, lang: &'static str) {
    set_cookie(visit, response, COOKIE_LANGUAGE, lang, 365 * 86_400, false);
}

fn set_cookie(
    visit: &Visit,
    response: &mut Response<ResponseBody>,
    name: &str,
    value: &str,
    secs: i64,
    secret: bool,
) {
    let mut cookie = format!("{name}={value}; Path=/; Max-Age={secs}; SameSite=Lax");
    if secret {
        cookie.push_str("; HttpOnly");
    }
    if visit.peer.tls {
        cookie.push_str("; Secure");
    }
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// Puts the security headers on an answer; what the answer says itself stays.
pub(crate) fn secure(mut response: Response<ResponseBody>) -> Response<ResponseBody> {
    let headers = response.headers_mut();
    let fixed = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With `no-referrer` browsers would send `Origin: null` along with our own forms.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("x-frame-options"), "DENY"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// A policy like that of all pages, which lets forms lead on to one more place (an app's redirect).
pub(crate) fn policy_with_form_target(response: &mut Response<ResponseBody>, target: &str) {
    let plain = target.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b';' | b',' | b'\''));
    let target = if plain { target } else { "" };
    let policy = POLICY.replace("form-action 'self'", &format!("form-action 'self' {target}"));
    header(response, CONTENT_SECURITY_POLICY, &policy);
}

/// A text as part of a URL's path.
pub(crate) fn url_part(text: &[u8]) -> String {
    let mut url = String::with_capacity(text.len());
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                url.push(char::from(*byte))
            }
            // Writing into a string does not fail.
            _ => drop(write!(url, "%{byte:02X}")),
        }
    }
    url
}
