//! LOCK and UNLOCK (RFC 4918 §9.10, §9.11).

use std::time::Duration;

use allod_core::{Lock, LockRequest, Want};
use allod_kit::{RequestBody, ResponseBody, full_body};
use allod_model::ErrorKind;
use http::header::HeaderValue;
use http::{HeaderMap, Response, StatusCode};

use crate::body::read_xml;
use crate::condition::parse_lock_token;
use crate::error::{Answer, Doing, Failure};
use crate::handle::{Call, empty, xml};
use crate::propfind::{Depth, parse_depth};
use crate::props::{Held, write_active_lock};
use crate::quirks::quirk_npm_webdav_bare_token;
use crate::xml::Element;

/// Longest `owner` element, in bytes.
const OWNER_BYTES_MAX: usize = 4 * 1024;

/// Answers LOCK on a place in the tree.
pub(crate) async fn lock(call: &Call, body: RequestBody) -> Answer {
    let timeout = parse_timeout(&call.headers);
    let depth = parse_depth(&call.headers, Depth::Infinity)?;
    let Some(document) = read_xml(body).await? else { return refresh(call, timeout).await };
    let (exclusive, owner) = parse_lockinfo(document.root())?;
    let deep = match depth {
        Depth::Infinity => true,
        Depth::Zero => false,
        // RFC 4918 §9.10.3.
        Depth::One => return Err(Failure::bad_request("LOCK works with Depth 0 or infinity")),
    };
    let failing = call.failing(Doing::Lock);
    let found = call.session.stat(&call.path, call.want(), false).await;
    let on_folder = match found {
        Ok(node) => node.is_folder(),
        // RFC 4918 §9.10.4: a file comes to be there; a URL that ends in a slash names none.
        Err(error) if error.kind == ErrorKind::NotFound && call.slash => {
            return Err(Failure::new(StatusCode::CONFLICT, "there is no such folder"));
        }
        Err(error) if error.kind == ErrorKind::NotFound => false,
        Err(error) => return Err(failing(error)),
    };
    let request = LockRequest { deep, exclusive, owner, timeout };
    let precondition = call.precondition()?;
    let (lock, created) = call.session.lock(&call.path, request, precondition).await.map_err(failing)?;
    let token = HeaderValue::from_str(&format!("<{}>", lock.token));
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = discovery(call, status, lock, on_folder);
    if let Ok(token) = token {
        // RFC 4918 §9.10.1: only a new lock has its token in the header.
        response.headers_mut().insert("lock-token", token);
    }
    Ok(response)
}

/// RFC 4918 §9.10.2: no body means that a lock, named by `If`, is to last longer.
async fn refresh(call: &Call, timeout: Option<Duration>) -> Answer {
    let precondition = call.precondition()?;
    if precondition.lock_tokens.is_empty() {
        return Err(Failure::bad_request("LOCK without a body refreshes a lock, which If must name"));
    }
    let failing = call.failing(Doing::Lock);
    let lock = call.session.refresh_lock(&call.path, timeout, precondition).await.map_err(failing)?;
    let node = call.session.stat(&lock.root, Want::Any, false).await;
    Ok(discovery(call, StatusCode::OK, lock, node.is_ok_and(|node| node.is_folder())))
}

fn discovery(call: &Call, status: StatusCode, lock: Lock, on_folder: bool) -> Response<ResponseBody> {
    let mut out =
        b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:prop xmlns:D=\"DAV:\"><D:lockdiscovery>".to_vec();
    write_active_lock(&mut out, &Held { lock, on_folder }, &call.places, call.now);
    out.extend_from_slice(b"</D:lockdiscovery></D:prop>\n");
    xml(status, full_body(out))
}

/// Whether the lock is exclusive, and its `owner` element as it is to be kept.
fn parse_lockinfo(root: Element<'_>) -> Result<(bool, Option<String>), Failure> {
    let wrong = || Failure::bad_request("the body of LOCK is a lockinfo element for a write lock");
    let scope = root.dav_child("lockscope").filter(|_| root.is_dav("lockinfo")).ok_or_else(wrong)?;
    let kind = root.dav_child("locktype").ok_or_else(wrong)?;
    if kind.dav_child("write").is_none() {
        return Err(wrong());
    }
    let exclusive = scope.dav_child("exclusive").is_some();
    if exclusive == scope.dav_child("shared").is_some() {
        return Err(wrong());
    }
    let owner = root.dav_child("owner").map(Element::fragment);
    if owner.as_ref().is_some_and(|owner| owner.len() > OWNER_BYTES_MAX) {
        return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the owner of the lock is too long"));
    }
    Ok((exclusive, owner))
}

/// RFC 4918 §10.7: the first that is understood counts. `None`: as long as may be.
fn parse_timeout(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all("timeout").iter().filter_map(|value| value.to_str().ok());
    for word in values.flat_map(|value| value.split(',')).map(str::trim) {
        if word.eq_ignore_ascii_case("infinite") {
            return None;
        }
        if let Some(Ok(seconds)) =
            word.get(7..).filter(|_| word[..7].eq_ignore_ascii_case("second-")).map(str::parse)
        {
            return Some(Duration::from_secs(seconds));
        }
    }
    None
}

/// Answers UNLOCK on a place in the tree.
pub(crate) async fn unlock(call: &Call) -> Answer {
    // RFC 4918 §9.11.
    let header =
        call.headers.get("lock-token").ok_or_else(|| Failure::bad_request("Lock-Token is missing"))?;
    let token = match quirk_npm_webdav_bare_token(header) {
        Some(token) => token,
        None => parse_lock_token(header.as_bytes())?,
    };
    call.session.unlock(&call.path, &token).await.map_err(call.failing(Doing::Unlock))?;
    Ok(empty(StatusCode::NO_CONTENT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Document;

    #[test]
    fn timeouts() {
        let timeout = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("timeout", value.parse().unwrap());
            parse_timeout(&headers)
        };
        assert_eq!(timeout("Second-3600"), Some(Duration::from_secs(3600)));
        assert_eq!(timeout("Extend, second-60, Infinite"), Some(Duration::from_secs(60)));
        assert_eq!(timeout("Infinite, Second-4100000000"), None);
        assert_eq!(timeout("Second-x"), None);
        assert_eq!(timeout("Seco"), None);
    }

    #[test]
    fn lockinfo() {
        let parse = |xml: &str| parse_lockinfo(Document::parse(xml.as_bytes()).unwrap().root());
        let (exclusive, owner) = parse(
            "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>\
             <D:owner><D:href>http://example.org/~ejw/contact.html</D:href></D:owner></D:lockinfo>",
        )
        .unwrap(); // RFC 4918 §9.10.7
        assert!(exclusive);
        let kept =
            "<D:owner xmlns:D=\"DAV:\"><D:href>http://example.org/~ejw/contact.html</D:href></D:owner>";
        assert_eq!(owner.as_deref(), Some(kept));
        let shared =
            "<lockinfo xmlns='DAV:'><lockscope><shared/></lockscope><locktype><write/></locktype></lockinfo>";
        assert!(!parse(shared).unwrap().0);
        for bad in [
            "<lockinfo xmlns='DAV:'/>",
            "<lockinfo xmlns='DAV:'><lockscope/><locktype><write/></locktype></lockinfo>",
            "<lockinfo xmlns='DAV:'><lockscope><shared/></lockscope><locktype/></lockinfo>",
            "<x xmlns='DAV:'><lockscope><shared/></lockscope><locktype><write/></locktype></x>",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
