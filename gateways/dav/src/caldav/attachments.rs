//! Attachments that the server keeps (RFC 8607): POST on a calendar object with an `action`, and what their URLs give.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use allod_core::{Attached, ByteRange, Core, Door, NewAttachment, Written};
use allod_formats::calendar::Rids;
use allod_kit::{RequestBody, ResponseBody, empty_body, stream_body};
use allod_model::{Error, Name, Protocol};
use futures_util::TryStreamExt;
use http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, LOCATION,
};
use http::{Method, Response, StatusCode};

use crate::error::{Answer, Doing, Failure};
use crate::filter::Dialect;
use crate::get::{self, etag_header, schedule_tag_header};
use crate::handle::{Call, client_of, empty};
use crate::propfind::parse_prefer;
use crate::put::{announced_length, pieces, represent};
use crate::refusal;
use crate::url::{decode_parameter, encode_segment};

/// Below this lie the attachments: `/attachments/TOKEN/NAME`.
pub(crate) const ATTACHMENTS_PREFIX: &str = "/attachments/";

/// Answers POST with an `action`.
pub(crate) async fn handle(call: &Call, action: &str, body: RequestBody) -> Answer {
    match action {
        "attachment-add" => add(call, body).await,
        "attachment-update" => update(call, body).await,
        "attachment-remove" => remove(call).await,
        // RFC 8607 §3.11.
        _ => Err(Dialect::CalDav.refused("valid-action-parameter", "this action is not known")),
    }
}

/// RFC 8607 §3.4.
async fn add(call: &Call, body: RequestBody) -> Answer {
    let new = new_attachment(call)?;
    let (rids, pre) = (rids(call), call.precondition()?);
    let link = Link::new(call);
    let url = |token: &str, name: &Name| link.url(token, name);
    let failure: Arc<OnceLock<Failure>> = Arc::default();
    let pieces = pieces(body, new.length, failure.clone());
    match call.session.attach(&call.path, rids, new, &url, pre, pieces).await {
        Ok(attached) => Ok(attached_answer(call, attached, &link, StatusCode::CREATED).await),
        Err(error) => Err(refused(call, error, failure).await),
    }
}

/// RFC 8607 §3.5.
async fn update(call: &Call, body: RequestBody) -> Answer {
    let (id, new, pre) = (managed_id(call)?, new_attachment(call)?, call.precondition()?);
    let link = Link::new(call);
    let url = |token: &str, name: &Name| link.url(token, name);
    let failure: Arc<OnceLock<Failure>> = Arc::default();
    let pieces = pieces(body, new.length, failure.clone());
    match call.session.reattach(&call.path, &id, new, &url, pre, pieces).await {
        Ok(attached) => Ok(attached_answer(call, attached, &link, StatusCode::NO_CONTENT).await),
        Err(error) => Err(refused(call, error, failure).await),
    }
}

/// RFC 8607 §3.6.
async fn remove(call: &Call) -> Answer {
    let (id, rids, pre) = (managed_id(call)?, rids(call), call.precondition()?);
    match call.session.detach(&call.path, &id, rids, pre).await {
        Ok(written) => Ok(written_answer(call, &written, StatusCode::NO_CONTENT).await),
        Err(error) => Err(refused(call, error, Arc::default()).await),
    }
}

async fn refused(call: &Call, error: Error, failure: Arc<OnceLock<Failure>>) -> Failure {
    match Arc::into_inner(failure).and_then(OnceLock::into_inner) {
        Some(failure) => failure,
        None => refusal::of_write(call, call.path.parent(), error, Doing::Write).await,
    }
}

/// Makes the URL of an attachment, and remembers it.
struct Link {
    origin: String,
    made: OnceLock<String>,
}

impl Link {
    fn new(call: &Call) -> Link {
        Link { origin: call.origin(), made: OnceLock::new() }
    }

    fn url(&self, token: &str, name: &Name) -> String {
        self.made.get_or_init(|| url_of(&self.origin, token, name)).clone()
    }
}

async fn attached_answer(
    call: &Call,
    attached: Attached,
    link: &Link,
    status: StatusCode,
) -> Response<ResponseBody> {
    let mut response = written_answer(call, &attached.written, status).await;
    // RFC 9110 §10.2.2: what was created is the attachment.
    if let Some(Ok(url)) = link.made.get().map(|url| HeaderValue::from_str(url)) {
        response.headers_mut().insert(LOCATION, url);
    }
    // RFC 8607 §5.1.
    if let Ok(id) = HeaderValue::from_str(&attached.managed_id) {
        response.headers_mut().insert("cal-managed-id", id);
    }
    response
}

async fn written_answer(call: &Call, written: &Written, status: StatusCode) -> Response<ResponseBody> {
    let mut response = empty(status);
    if parse_prefer(&call.headers).representation {
        represent(call, &mut response, &written.node.etag).await;
    }
    let headers = response.headers_mut();
    // The object as a whole is new to the client, but it is told which state it is in.
    if let Some(etag) = etag_header(&written.node) {
        headers.insert(ETAG, etag);
    }
    if let Some(tag) = schedule_tag_header(&written.node) {
        headers.insert("schedule-tag", tag);
    }
    response
}

/// RFC 8607 §3.3.2: which instances; without the parameter, all.
fn rids(call: &Call) -> Rids {
    match call.query_value("rid") {
        Some(rid) if !rid.is_empty() => Rids::Some(rid.split(',').map(|rid| rid.trim().to_owned()).collect()),
        _ => Rids::All,
    }
}

/// RFC 8607 §3.3.3.
fn managed_id(call: &Call) -> Result<String, Failure> {
    let id = call.query_value("managed-id").filter(|id| !id.is_empty());
    id.ok_or_else(|| {
        Dialect::CalDav.refused("valid-managed-id-parameter", "managed-id says which attachment")
    })
}

fn new_attachment(call: &Call) -> Result<NewAttachment, Failure> {
    let name = call.header(CONTENT_DISPOSITION.as_str()).and_then(file_name).unwrap_or_default();
    let media_type = call.header(CONTENT_TYPE.as_str()).map(str::to_owned);
    Ok(NewAttachment { name, media_type, length: announced_length(call)? })
}

/// The name in a `Content-Disposition` (RFC 6266 §4.3): the one in UTF-8 first.
fn file_name(disposition: &str) -> Option<String> {
    let parameter = |wanted: &str| {
        parameters(disposition).into_iter().find(|(name, _)| name == wanted).map(|(_, value)| value)
    };
    let encoded = parameter("filename*").and_then(|value| {
        let (charset, rest) = value.split_once('\'')?;
        let (_, text) = rest.split_once('\'')?;
        charset.eq_ignore_ascii_case("utf-8").then(|| decode_parameter(text))
    });
    encoded.or_else(|| parameter("filename")).filter(|name| !name.is_empty())
}

/// The parameters of a header: names in lower case, values unquoted.
fn parameters(header: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = header.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ';', '\t']).to_ascii_lowercase();
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let (value, left) = after.split_once(';').unwrap_or((after, ""));
                (value.trim().to_owned(), left)
            }
        };
        found.push((name, value));
        rest = left;
    }
    found
}

fn unquote(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

fn url_of(origin: &str, token: &str, name: &Name) -> String {
    let mut url = format!("{origin}{ATTACHMENTS_PREFIX}").into_bytes();
    encode_segment(&mut url, token.as_bytes());
    url.push(b'/');
    encode_segment(&mut url, name.as_bytes());
    // **Invariant:** an origin is ASCII, and so is what is percent-encoded.
    String::from_utf8(url).unwrap_or_default()
}

/// The token in the path of an attachment.
pub(crate) fn token(path: &str) -> Option<&str> {
    path.strip_prefix(ATTACHMENTS_PREFIX)?.split('/').next().filter(|token| !token.is_empty())
}

/// Answers GET and HEAD of an attachment, for whoever was sent its URL.
pub(crate) async fn open(
    core: &Core,
    token: &str,
    method: &Method,
    headers: &HeaderMap,
    address: IpAddr,
) -> Answer {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Failure::method_not_allowed());
    }
    let failing = |error| Failure::of(error, Doing::Read, str::to_owned);
    let protocols = vec![Protocol::new("caldav")];
    let door = Door { protocols, address: Some(address), client: client_of(headers) };
    let file = core.open_attachment(token, door).await.map_err(failing)?;
    let mut response: Response<ResponseBody> = Response::new(empty_body());
    let size = file.node.size;
    if *method == Method::GET && size > 0 {
        let bytes = file.begin(ByteRange { start: 0, end: size }).await.map_err(failing)?;
        *response.body_mut() = stream_body(bytes.map_err(io::Error::other));
    }
    let headers = response.headers_mut();
    get::describe(headers, &file.node);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
    let mut disposition = b"attachment; filename*=UTF-8''".to_vec();
    encode_segment(&mut disposition, file.node.name.as_bytes());
    if let Ok(value) = HeaderValue::from_bytes(&disposition) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        for (disposition, name) in [
            ("attachment; filename=agenda.txt", Some("agenda.txt")),
            ("attachment;filename=\"a; b\\\".txt\"; x=y", Some("a; b\".txt")),
            ("attachment; filename=\"x.txt\"; filename*=UTF-8''%e2%82%ac%20rates.txt", Some("€ rates.txt")),
            ("attachment; filename*=latin1''x; filename=y", Some("y")),
            ("attachment", None),
            ("attachment; filename=\"\"", None),
        ] {
            assert_eq!(file_name(disposition).as_deref(), name, "{disposition}");
        }
        assert_eq!(token("/attachments/abc/x.txt"), Some("abc"));
        assert_eq!(token("/attachments/"), None);
    }
}
