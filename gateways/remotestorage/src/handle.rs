//! From a request to its handler: who asks, for what place, by which method.

use allod_core::{Core, Door, Proof, Session};
use allod_kit::{Authorization, Peer, RequestBody, ResponseBody, parse_authorization};
use allod_model::Protocol;
use http::header::{ALLOW, AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode};

use crate::cors;
use crate::document;
use crate::error::{Answer, Failure};
use crate::folder;
use crate::place::Place;

/// Longest `User-Agent` handed on, in bytes.
const CLIENT_BYTES_MAX: usize = 256;

/// A request to a place.
pub struct Call {
    pub session: Session,
    pub place: Place,
    pub method: Method,
    pub headers: HeaderMap,
}

impl Call {
    /// One header as text; `None` when absent or not text.
    pub fn header(&self, name: http::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Draft §6.
    pub fn cache_control(&self) -> &'static str {
        if self.place.is_public() { "no-cache, public" } else { "no-cache" }
    }
}

/// Answers a request below `/storage/`.
pub async fn handle(core: &Core, request: Request<RequestBody>, peer: Peer) -> Response<ResponseBody> {
    let (head, body) = request.into_parts();
    let asked = head.headers.clone();
    let mut response = match head.method {
        Method::OPTIONS => cors::preflight(),
        _ => answer(core, head, body, &peer).await.unwrap_or_else(Failure::into_response),
    };
    cors::open(&asked, response.headers_mut());
    response
}

async fn answer(core: &Core, head: http::request::Parts, body: RequestBody, peer: &Peer) -> Answer {
    let (method, headers) = (head.method, head.headers);
    if !matches!(method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE) {
        let refused =
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "a storage knows GET, HEAD, PUT and DELETE");
        return Err(refused.with(ALLOW, cors::METHODS));
    }
    let place = Place::parse(head.uri.path())?;
    let writes = matches!(method, Method::PUT | Method::DELETE);
    // A `?` that an app forgot to encode would cut the name short: nothing is written there.
    if writes && head.uri.query().is_some() {
        return Err(Failure::bad_request("a URL with a query names no document; encode '?' as %3F"));
    }
    let session = match place.is_public_document() && !writes {
        // Draft §9: always allowed, whatever token comes along.
        true => anybody(core, &place, &headers, peer).await?,
        false => authenticate(core, &headers, peer).await?,
    };
    let call = Call { session, place, method, headers };
    // What belongs to others is not to be known of: known and unknown accounts get the same answer.
    if call.session.account() != call.place.account {
        return Err(Failure::insufficient_scope());
    }
    let revoked = call.session.clone();
    tokio::select! {
        biased;
        answer = route(&call, body) => answer,
        () = revoked.revoked() => Err(Failure::invalid_token()),
    }
}

async fn route(call: &Call, body: RequestBody) -> Answer {
    match (call.method.as_str(), call.place.folder) {
        ("GET" | "HEAD", true) => folder::describe(call).await,
        ("GET" | "HEAD", false) => document::get(call).await,
        // Draft §4, §5.
        (_, true) => {
            Err(Failure::bad_request("folders come and go with their documents; they are not written"))
        }
        ("PUT", false) => document::put(call, body).await,
        _ => document::delete(call).await,
    }
}

async fn anybody(core: &Core, place: &Place, headers: &HeaderMap, peer: &Peer) -> Result<Session, Failure> {
    let proof = Proof::Anonymous { account: Some(place.account.clone()) };
    // An account that is not there has no such document either.
    core.authenticate(proof, door(headers, peer)).await.map_err(|_| Failure::not_found())
}

async fn authenticate(core: &Core, headers: &HeaderMap, peer: &Peer) -> Result<Session, Failure> {
    let token = match parse_authorization(headers) {
        Some(Authorization::Bearer(token)) => token,
        _ if headers.contains_key(AUTHORIZATION) => return Err(Failure::invalid_token()),
        _ => return Err(Failure::unauthenticated()),
    };
    Ok(core.authenticate(Proof::Bearer(token), door(headers, peer)).await?)
}

fn door(headers: &HeaderMap, peer: &Peer) -> Door {
    // A browser's name says less than the app's own address.
    let client = headers.get(http::header::ORIGIN).or_else(|| headers.get(USER_AGENT)).map(|value| {
        let bytes = value.as_bytes();
        String::from_utf8_lossy(&bytes[..bytes.len().min(CLIENT_BYTES_MAX)]).into_owned()
    });
    Door { protocols: vec![Protocol::new("remotestorage")], address: Some(peer.client), client }
}
