//! From a request to its handler: who asks, for what place, by which method.

use std::net::IpAddr;

use allod_core::{Core, Door, Mount, Node, Proof, RemoveOptions, Session, Want};
use allod_kit::{Authorization, Peer, RequestBody, ResponseBody, empty_body, parse_authorization};
use allod_model::{Error, NameRule, Path, Precondition, Protocol, Timestamp};
use http::header::{ALLOW, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use http::uri::Authority;
use http::{HeaderMap, Method, Request, Response, StatusCode};

use crate::condition::{Tagged, parse_precondition};
use crate::error::{Answer, Doing, Failure};
use crate::nextcloud::{self, Window};
use crate::places::Places;
use crate::propfind::{Depth, parse_depth};
use crate::url::{Target, decode_parameter, parse_reference, parse_target};
use crate::{
    acl, caldav, checksum, get, lock, mkcol, post, propfind, proppatch, published, put, report, transfer,
    virtual_place, well_known,
};

/// Every method there is, in one list for all places, so that nothing can be learnt from it without login.
pub(crate) const ALLOWED: &str = "OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, MKCALENDAR, COPY, MOVE, PROPFIND, \
    PROPPATCH, LOCK, UNLOCK, REPORT, ACL, POST";
/// RFC 4918 §18, RFC 3744 §7.2, RFC 5689 §3.1, RFC 4791 §5.1, RFC 6352 §6.1, RFC 6638 §2, RFC 8607 §3.1.
const COMPLIANCE: &str = "1, 2, 3, access-control, extended-mkcol, calendar-access, addressbook, \
    calendar-auto-schedule, calendar-managed-attachments, calendarserver-sharing";
/// Longest `User-Agent` handed on, in bytes.
const CLIENT_BYTES_MAX: usize = 256;

/// A request to a place in the session's own tree.
pub(crate) struct Call {
    /// On the account's own tree, or on what another account lends it.
    pub(crate) session: Session,
    /// On the account's own tree.
    pub(crate) own: Session,
    /// How paths of `session` and URLs belong together.
    pub(crate) places: Places,
    /// The lent folder that the URL leads into.
    pub(crate) mount: Option<Box<Mount>>,
    /// The account's name.
    pub(crate) account: String,
    /// When the request came, by the store's clock.
    pub(crate) now: Timestamp,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    /// The place, in the tree of `session`.
    pub(crate) path: Path,
    /// The place as the URL has it.
    pub(crate) in_url: Path,
    /// The URL ended in a slash: a folder is meant.
    pub(crate) slash: bool,
    /// What stands behind the `?` of the URL.
    query: Option<String>,
    /// The authority of the request's target, if it names one.
    authority: Option<Authority>,
    /// Whether a trusted proxy stands between.
    proxied: bool,
    /// Whether the client's connection is encrypted.
    secure: bool,
}

impl Call {
    /// What the URL may name.
    pub(crate) fn want(&self) -> Want {
        if self.slash { Want::Folder } else { Want::Any }
    }

    /// One header as text; `None` when absent or not text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the URL's query has a word or a parameter of that name.
    pub(crate) fn has_query(&self, name: &str) -> bool {
        let query = self.query.as_deref().unwrap_or_default();
        query.split('&').any(|pair| pair.split('=').next() == Some(name))
    }

    /// The value of a parameter of the URL's query.
    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        let pairs = self.query.as_deref()?.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(own, _)| *own == name).map(|(_, value)| decode_parameter(value))
    }

    /// Scheme and authority of this server, as the client sees them.
    pub(crate) fn origin(&self) -> String {
        let forwarded = self.header("x-forwarded-host").filter(|_| self.proxied);
        let authority = self.authority.as_ref().map(Authority::as_str);
        let host = forwarded.or(authority).or_else(|| self.header(HOST.as_str())).unwrap_or("localhost");
        // What a client claims to have asked for becomes part of a URL: nothing but a host's characters.
        let host: String =
            host.chars().filter(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(*c)).collect();
        format!("{}://{host}", if self.secure { "https" } else { "http" })
    }

    /// Translates core's failures for what this call does.
    pub(crate) fn failing(&self, doing: Doing) -> impl Fn(Error) -> Failure {
        let places = self.places.clone();
        move |error| {
            Failure::of(error, doing, |path| {
                let path = Path::parse(path.as_bytes(), NameRule::Strict).unwrap_or_else(|_| Path::root());
                places.url(&path, path.is_root())
            })
        }
    }

    /// The conditions of the request.
    pub(crate) fn precondition(&self) -> Result<Precondition, Failure> {
        Ok(parse_precondition(&self.headers, |tag| match self.reference(tag) {
            Ok(Target::Tree { account, path, .. }) if account == self.account => {
                self.places.path(path).map_or(Tagged::Foreign, Tagged::Here)
            }
            _ => Tagged::Foreign,
        })?)
    }

    /// The lent folder itself, if that is the place.
    pub(crate) fn mount_root(&self) -> Option<&Mount> {
        self.mount.as_deref().filter(|mount| mount.path == self.path)
    }

    /// What stands at the place. A lent folder is seen with the borrower's own properties.
    ///
    /// # Errors
    /// As [`Session::stat`].
    pub(crate) async fn stat(&self, with_properties: bool) -> Result<Node, Error> {
        match self.mount_root() {
            Some(mount) => Ok(mount.node.clone()),
            None => self.session.stat(&self.path, self.want(), with_properties).await,
        }
    }

    /// A URL in a header.
    pub(crate) fn reference(&self, reference: &[u8]) -> Result<Target, Failure> {
        let named = nextcloud::with_account(reference.trim_ascii(), &self.account);
        Ok(parse_reference(&named, &self.hosts())?)
    }

    /// All names of this server that the request mentions; a proxy may have changed one of them.
    fn hosts(&self) -> Vec<&str> {
        let forwarded = self.header("x-forwarded-host").filter(|_| self.proxied);
        let authority = self.authority.as_ref().map(Authority::as_str);
        self.header(HOST.as_str()).into_iter().chain(forwarded).chain(authority).collect()
    }

    /// The URL of a place.
    pub(crate) fn url(&self, path: &Path, folder: bool) -> String {
        self.places.url(path, folder)
    }
}

/// Answers a request of any kind.
pub(crate) async fn handle(core: &Core, request: Request<RequestBody>, peer: Peer) -> Response<ResponseBody> {
    let (head, body) = request.into_parts();
    if well_known::is_here(head.uri.path()) {
        return well_known::redirect();
    }
    // Windows asks before it logs in, and takes anything but 200 for "no WebDAV here".
    if head.method == Method::OPTIONS {
        return options();
    }
    if let Some(token) = published::token(head.uri.path()) {
        let answer = published::handle(core, token, &head.method, &head.headers, peer.client).await;
        return answer.unwrap_or_else(Failure::into_response);
    }
    if let Some(token) = caldav::attachments::token(head.uri.path()) {
        let answer = caldav::attachments::open(core, token, &head.method, &head.headers, peer.client).await;
        return answer.unwrap_or_else(Failure::into_response);
    }
    if nextcloud::PLACES.contains(&head.uri.path()) {
        let (path, query) = (head.uri.path(), head.uri.query());
        let answer = nextcloud::document(core, path, query, &head.method, &head.headers, &peer).await;
        return answer.unwrap_or_else(Failure::into_response);
    }
    let answer = async {
        let window = Window::of(head.uri.path());
        // Where the URL names no account, it is that of who logs in.
        let early = match window {
            Window::WebDav => None,
            _ => Some(parse_target(head.uri.path().as_bytes())?),
        };
        let session = authenticate(core, &head.headers, peer.client, window.protocols()).await?;
        let target = match early {
            Some(target) => target,
            None => parse_target(&nextcloud::with_account(head.uri.path().as_bytes(), &session.account()))?,
        };
        let revoked = session.clone();
        let asked =
            Asked { session, target, window, now: core.now(), proxied: peer.proxied, secure: peer.tls };
        tokio::select! {
            biased;
            answer = route(asked, head, body) => answer,
            () = revoked.revoked() => Err(Failure::unauthenticated()),
        }
    };
    answer.await.unwrap_or_else(Failure::into_response)
}

/// RFC 4918 §10.1, §18. The body is empty and the same everywhere.
fn options() -> Response<ResponseBody> {
    let mut response = Response::new(empty_body());
    let headers = response.headers_mut();
    headers.insert("dav", HeaderValue::from_static(COMPLIANCE));
    headers.insert(ALLOW, HeaderValue::from_static(ALLOWED));
    headers.insert("ms-author-via", HeaderValue::from_static("DAV"));
    headers.insert("accept-ranges", HeaderValue::from_static("bytes"));
    response
}

pub(crate) async fn authenticate(
    core: &Core,
    headers: &HeaderMap,
    address: IpAddr,
    protocols: Vec<Protocol>,
) -> Result<Session, Failure> {
    let proof = match parse_authorization(headers).ok_or_else(Failure::unauthenticated)? {
        Authorization::Basic { username, password } => Proof::Password { username, password },
        Authorization::Bearer(token) => Proof::Bearer(token),
    };
    let client = client_of(headers);
    let door = Door { protocols, address: Some(address), client };
    core.authenticate(proof, door).await.map_err(|error| Failure::of(error, Doing::Read, str::to_owned))
}

/// What the client calls itself.
pub(crate) fn client_of(headers: &HeaderMap) -> Option<String> {
    headers.get(USER_AGENT).map(|agent| {
        let bytes = agent.as_bytes();
        String::from_utf8_lossy(&bytes[..bytes.len().min(CLIENT_BYTES_MAX)]).into_owned()
    })
}

/// Who asks, for what, when and by which way.
struct Asked {
    session: Session,
    target: Target,
    window: Window,
    now: Timestamp,
    proxied: bool,
    secure: bool,
}

async fn route(asked: Asked, head: http::request::Parts, body: RequestBody) -> Answer {
    let Asked { session, target, window, now, proxied, secure } = asked;
    let method = head.method.as_str();
    let own = session.account();
    let (path, slash) = match target {
        // What belongs to others is not there.
        Target::Principal { account } | Target::Tree { account, .. } if account != own => {
            return Err(Failure::not_found());
        }
        Target::Tree { path, slash, .. } => (path, slash),
        Target::Root | Target::Trees | Target::Principals | Target::Principal { .. } => {
            let asked = Some(head.uri.path()).filter(|path| path.starts_with(nextcloud::REMOTE_PREFIX));
            return virtual_place::handle(&session, &target, method, &head.headers, body, now, asked).await;
        }
    };
    // A `?` that a client forgot to encode would cut the name short: read on, but write nothing there.
    if head.uri.query().is_some() && !matches!(method, "GET" | "HEAD" | "PROPFIND" | "REPORT" | "POST") {
        return Err(Failure::bad_request(
            "a URL with a query names nothing that can be written; encode '?' as %3F",
        ));
    }
    let lent =
        session.through(&path).await.map_err(|error| Failure::of(error, Doing::Read, str::to_owned))?;
    let in_url = path.clone();
    let (places, reached, path, mount) = match lent {
        Some((mount, path)) => {
            (Places::lent(&own, &mount).within(window), mount.session.clone(), path, Some(Box::new(mount)))
        }
        None => (Places::own(&own).within(window), session.clone(), path, None),
    };
    let call = Call {
        session: reached,
        own: session,
        places,
        mount,
        account: own,
        now,
        method: head.method,
        headers: head.headers,
        path,
        in_url,
        slash,
        query: head.uri.query().map(str::to_owned),
        authority: head.uri.authority().cloned(),
        proxied,
        secure,
    };
    if window == Window::Uploads && call.method.as_str() == "MKCOL" {
        nextcloud::prepare(&call.own, now).await?;
    }
    match call.method.as_str() {
        "GET" | "HEAD" => get::handle(&call).await,
        "PUT" => put::handle(&call, body).await,
        "DELETE" => delete(&call).await,
        "MKCOL" => mkcol::handle(&call, body).await,
        "COPY" | "MOVE" => transfer::handle(&call).await,
        "PROPFIND" => propfind::handle(&call, body).await,
        "PROPPATCH" => proppatch::handle(&call, body).await,
        "LOCK" => lock::lock(&call, body).await,
        "UNLOCK" => lock::unlock(&call).await,
        "REPORT" => report::handle(&call, body).await,
        "MKCALENDAR" => caldav::mkcalendar::handle(&call, body).await,
        "ACL" => acl::handle(&call).await,
        "PATCH" => checksum::handle(&call).await,
        "POST" => post::handle(&call, body).await,
        // RFC 9110 §15.6.2.
        _ => Err(Failure::new(StatusCode::NOT_IMPLEMENTED, "this method is not known here")),
    }
}

/// DELETE (RFC 4918 §9.6): all or nothing, whatever lies below.
async fn delete(call: &Call) -> Answer {
    // RFC 4918 §9.6.1: no Depth but infinity on a collection. On a file, 0 says the same.
    match parse_depth(&call.headers, Depth::Infinity)? {
        Depth::Infinity => {}
        Depth::Zero if !call.slash => {}
        Depth::Zero | Depth::One => {
            return Err(Failure::bad_request("DELETE works with Depth: infinity only"));
        }
    }
    let precondition = call.precondition()?;
    if let Some(mount) = call.mount_root() {
        // What was lent is given back; it stays with its owner.
        call.own.leave(&mount.at).await.map_err(call.failing(Doing::Write))?;
        return Ok(empty(StatusCode::NO_CONTENT));
    }
    // RFC 6638 §8.1: whoever organizes it is not to hear of it.
    let no_reply = call.header("schedule-reply").is_some_and(|reply| reply.trim().eq_ignore_ascii_case("F"));
    let options = RemoveOptions { no_reply };
    let removed = call.session.remove_with(&call.path, call.want(), precondition, options).await;
    removed.map_err(call.failing(Doing::Write))?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(empty_body());
    *response.status_mut() = status;
    response
}

/// An answer whose body is XML.
pub(crate) fn xml(status: StatusCode, body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
    response
}
