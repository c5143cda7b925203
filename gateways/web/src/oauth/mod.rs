//! OAuth 2.0 (RFC 6749) on the wire: the consent page, the token endpoint, and what is said about them.
//!
//! What apps may have, tokens and their ends are core's ([`allod_core::oauth`]). Here requests are read, the person is
//! asked in plain words, and answers are sent to where the app is at home.
//!
//! There is no registration, so any site can ask. Hence nothing is ever sent to an app before the person has answered:
//! not even an error, or this page would forward anybody anywhere. What is wrong with a request is shown, with a link back.
//!
//! | file | standard |
//! |---|---|
//! | `request` | authorization requests: RFC 6749 §4.1.1, §4.2.1; RFC 7636 |
//! | `consent` | the page, and answers: RFC 6749 §4.1.2, §4.2.2; RFC 9207 |
//! | `token` | RFC 6749 §3.2; revocation, RFC 7009 |
//! | `metadata` | RFC 8414 |
//! | `login_flow` | Nextcloud's Login Flow v2 |

mod consent;
pub(crate) mod login_flow;
mod metadata;
mod request;
mod token;

use allod_kit::{Mount, RequestBody, ResponseBody, empty_body};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::error::Refusal;
use crate::respond::Answer;
use crate::visit::Visit;

const AUTHORIZE: &str = "/oauth/authorize";
const TOKEN: &str = "/oauth/token";
const REVOKE: &str = "/oauth/revoke";
const METADATA: &str = "/.well-known/oauth-authorization-server";
const LOGIN: &str = "/oauth/login/";

/// The places of this module.
pub(crate) fn mounts() -> Vec<Mount> {
    let mut mounts = vec![Mount::prefix("/oauth/"), Mount::exact(METADATA, &[])];
    mounts.extend(login_flow::PLACES.iter().map(|place| Mount::exact(place, &[])));
    mounts
}

/// Answers a request for one of this module's places.
pub(crate) async fn handle(visit: &Visit, body: RequestBody) -> Answer {
    let path = visit.path.as_str();
    match path {
        TOKEN | REVOKE | METADATA => return Ok(open(visit, body).await),
        _ if login_flow::PLACES.contains(&path) => return login_flow::handle(visit, body).await,
        _ => {}
    }
    if let Some(token) = path.strip_prefix(LOGIN) {
        return login_flow::page(visit, token, body).await;
    }
    match path.strip_prefix(AUTHORIZE) {
        Some("" | "/") => consent::handle(visit, None, body).await,
        Some(rest) if rest.starts_with('/') => {
            consent::handle(visit, Some(rest.trim_matches('/')), body).await
        }
        _ => Err(Refusal::NotFound),
    }
}

/// Places that apps of every origin may ask: what they get, they get by a secret and not by a cookie.
async fn open(visit: &Visit, body: RequestBody) -> Response<ResponseBody> {
    let mut response = match (visit.path.as_str(), &visit.method) {
        (_, &Method::OPTIONS) => preflight(),
        (METADATA, &Method::GET | &Method::HEAD) => metadata::describe(visit),
        (TOKEN, &Method::POST) => token::issue(visit, body).await,
        (REVOKE, &Method::POST) => token::revoke(visit, body).await,
        _ => {
            let mut response = Response::new(empty_body());
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            let allowed = if visit.path == METADATA { "GET, HEAD, OPTIONS" } else { "POST, OPTIONS" };
            response.headers_mut().insert(http::header::ALLOW, HeaderValue::from_static(allowed));
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
    response
}

fn preflight() -> Response<ResponseBody> {
    let mut response = Response::new(empty_body());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert("access-control-allow-methods", HeaderValue::from_static("GET, POST"));
    headers.insert("access-control-allow-headers", HeaderValue::from_static("Content-Type, Authorization"));
    headers.insert("access-control-max-age", HeaderValue::from_static("7200"));
    response
}
