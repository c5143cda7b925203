//! The token endpoint (RFC 6749 §3.2) and revocation (RFC 7009). Apps are public clients: a code is bound to its app by
//! PKCE, a refresh token by its rotation.

use allod_core::oauth::{CodeUse, IssuedTokens};
use allod_kit::{RequestBody, ResponseBody, empty_body};
use allod_model::{Detail, Error, ErrorKind};
use http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER};
use http::{Response, StatusCode};
use serde_json::json;
use zeroize::Zeroizing;

use crate::respond::{header, json};
use crate::visit::{Form, Visit};

/// The parameters that count, each at most once (RFC 6749 §3.2).
const PARAMETERS: [&str; 9] = [
    "grant_type",
    "code",
    "redirect_uri",
    "client_id",
    "code_verifier",
    "refresh_token",
    "scope",
    "token",
    "token_type_hint",
];

/// An answer by RFC 6749 §5.2.
struct Refused(StatusCode, &'static str, String, Option<u64>);

impl Refused {
    fn request(why: &str) -> Refused {
        Refused(StatusCode::BAD_REQUEST, "invalid_request", why.to_owned(), None)
    }

    fn into_response(self) -> Response<ResponseBody> {
        let Refused(status, error, why, retry) = self;
        let mut response = json(&json!({ "error": error, "error_description": why }));
        *response.status_mut() = status;
        if let Some(secs) = retry {
            header(&mut response, RETRY_AFTER, &secs.to_string());
        }
        response
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        let retry = match error.detail {
            Detail::RetryAfter(secs) => Some(secs),
            _ => None,
        };
        let (status, word) = match error.kind {
            ErrorKind::Unauthenticated | ErrorKind::NotFound => (StatusCode::BAD_REQUEST, "invalid_grant"),
            ErrorKind::InvalidContent => (StatusCode::BAD_REQUEST, "invalid_scope"),
            ErrorKind::Denied => (StatusCode::BAD_REQUEST, "unauthorized_client"),
            ErrorKind::TooLarge => (StatusCode::BAD_REQUEST, "access_denied"),
            ErrorKind::Busy => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        };
        Refused(status, word, error.message, retry)
    }
}

/// Answers POST on the token endpoint.
pub(super) async fn issue(visit: &Visit, body: RequestBody) -> Response<ResponseBody> {
    match exchange(visit, body).await {
        Ok(tokens) => json(&json!({
            "access_token": tokens.access.as_str(),
            "token_type": "Bearer",
            "expires_in": tokens.expires_secs,
            "refresh_token": tokens.refresh.as_str(),
            "scope": tokens.scope,
        })),
        Err(refused) => refused.into_response(),
    }
}

async fn exchange(visit: &Visit, body: RequestBody) -> Result<IssuedTokens, Refused> {
    let form = read(visit, body).await?;
    let needed = |name: &str| {
        let value = form.get(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| Refused::request(&format!("'{name}' is missing")))
    };
    let door = visit.door();
    match needed("grant_type")? {
        "authorization_code" => {
            let request = CodeUse {
                code: Zeroizing::new(needed("code")?.to_owned()),
                client_id: needed("client_id")?.to_owned(),
                redirect_uri: needed("redirect_uri")?.to_owned(),
                verifier: Zeroizing::new(needed("code_verifier")?.to_owned()),
            };
            Ok(visit.core().redeem_code(request, &door).await?)
        }
        "refresh_token" => {
            let (token, client) = (needed("refresh_token")?, needed("client_id")?);
            let scope = form.get("scope").filter(|scope| !scope.is_empty());
            Ok(visit.core().refresh_tokens(token, client, scope, &door).await?)
        }
        _ => {
            let why = "grant_type must be 'authorization_code' or 'refresh_token'".to_owned();
            Err(Refused(StatusCode::BAD_REQUEST, "unsupported_grant_type", why, None))
        }
    }
}

/// Answers POST on the revocation endpoint.
pub(super) async fn revoke(visit: &Visit, body: RequestBody) -> Response<ResponseBody> {
    let end = async {
        let form = read(visit, body).await?;
        let token = form.get("token").filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| Refused::request("'token' is missing"))?;
        let client = form.get("client_id").filter(|client| !client.is_empty());
        visit.core().revoke_token(token, client, &visit.door()).await.map_err(Refused::from)
    };
    match end.await {
        // RFC 7009 §2.2: also when there was no such token.
        Ok(()) => {
            let mut response = Response::new(empty_body());
            header(&mut response, CACHE_CONTROL, "no-store");
            response
        }
        Err(refused) => refused.into_response(),
    }
}

async fn read(visit: &Visit, body: RequestBody) -> Result<Form, Refused> {
    if visit.headers.contains_key(AUTHORIZATION) {
        // RFC 6749 §5.2. There are no secrets of clients here that could be right.
        let why = "apps have no secret here; leave the Authorization header out".to_owned();
        return Err(Refused(StatusCode::UNAUTHORIZED, "invalid_client", why, None));
    }
    let unreadable = |_| Refused::request("send application/x-www-form-urlencoded");
    let form = visit.read_form(body).await.map_err(unreadable)?;
    match PARAMETERS.iter().find(|name| form.all(name).count() > 1) {
        Some(name) => Err(Refused::request(&format!("'{name}' stands there twice"))),
        None => Ok(form),
    }
}
