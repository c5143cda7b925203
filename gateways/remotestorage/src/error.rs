//! Answers that say no, in the draft's status codes (§5).

use allod_core::Node;
use allod_kit::{ResponseBody, full_body};
use allod_model::{Detail, Error, ErrorKind};
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};

/// What a handler gives.
pub type Answer = Result<Response<ResponseBody>, Failure>;

/// Seconds after which to try again when core names none.
const RETRY_SECS: u64 = 5;

/// A refusal: status, a line for developers, and headers.
#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    message: String,
    /// Boxed: most refusals have few, and results with one in them stay small.
    headers: Box<HeaderMap>,
}

impl Failure {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Failure {
        Failure { status, message: message.into(), headers: Box::default() }
    }

    pub fn bad_request(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn not_found() -> Failure {
        Failure::new(StatusCode::NOT_FOUND, "there is nothing of that name")
    }

    pub fn uri_too_long() -> Failure {
        Failure::new(StatusCode::URI_TOO_LONG, "the name is too long, or too many folders deep")
    }

    /// RFC 6750 §3: no token.
    pub fn unauthenticated() -> Failure {
        Failure::new(StatusCode::UNAUTHORIZED, "this needs a token")
            .with(WWW_AUTHENTICATE, "Bearer realm=\"allod\"")
    }

    /// RFC 6750 §3.1: a token that is not or no longer good.
    pub fn invalid_token() -> Failure {
        Failure::new(StatusCode::UNAUTHORIZED, "the token is not valid, or it was revoked")
            .with(WWW_AUTHENTICATE, "Bearer realm=\"allod\", error=\"invalid_token\"")
    }

    /// RFC 6750 §3.1: a token that opens something else.
    pub fn insufficient_scope() -> Failure {
        Failure::new(StatusCode::FORBIDDEN, "the token does not open this")
            .with(WWW_AUTHENTICATE, "Bearer realm=\"allod\", error=\"insufficient_scope\"")
    }

    /// With one more header.
    pub fn with(mut self, name: http::HeaderName, value: &str) -> Failure {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// With the version that stands in the way (draft §12.5).
    pub fn with_version(self, node: Option<&Node>) -> Failure {
        match node {
            Some(node) => self.with(ETAG, &format!("\"{}\"", node.etag)),
            None => self,
        }
    }

    pub fn into_response(self) -> Response<ResponseBody> {
        let quiet = self.status == StatusCode::NOT_MODIFIED;
        let body = if quiet { allod_kit::empty_body() } else { full_body(self.message + "\n") };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if !quiet {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        headers.extend(*self.headers);
        response
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let retry = match error.detail {
            Detail::RetryAfter(secs) => secs,
            _ => RETRY_SECS,
        };
        let status = match error.kind {
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            // Draft §5: a document where a folder is, or the reverse.
            ErrorKind::Exists | ErrorKind::NotEmpty | ErrorKind::WrongKind | ErrorKind::UidConflict => {
                StatusCode::CONFLICT
            }
            ErrorKind::InvalidContent => StatusCode::BAD_REQUEST,
            ErrorKind::PreconditionFailed if error.detail == Detail::NotModified => StatusCode::NOT_MODIFIED,
            ErrorKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            ErrorKind::Locked => StatusCode::LOCKED,
            ErrorKind::Denied => return Failure::insufficient_scope(),
            ErrorKind::Unauthenticated => return Failure::invalid_token(),
            ErrorKind::OverQuota => StatusCode::INSUFFICIENT_STORAGE,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Busy => {
                let busy = Failure::new(StatusCode::TOO_MANY_REQUESTS, error.message);
                return busy.with(RETRY_AFTER, &retry.to_string());
            }
            ErrorKind::Unavailable => {
                let away = Failure::new(StatusCode::SERVICE_UNAVAILABLE, "the storage cannot be used now");
                return away.with(RETRY_AFTER, &retry.to_string());
            }
            ErrorKind::HorizonPassed | ErrorKind::Corrupt => {
                return Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the stored data cannot be read");
            }
        };
        Failure::new(status, error.message)
    }
}
