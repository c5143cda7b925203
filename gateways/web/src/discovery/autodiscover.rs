//! Outlook's autodiscover: a small XML document asks, and its second version asks in JSON where to ask.

use allod_kit::{RequestBody, ResponseBody};
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde_json::json;

use super::xml::escaped;
use super::{Door, Encryption, document, domain_of, imap, submission};
use crate::error::Refusal;
use crate::respond::{Answer, json};
use crate::visit::Visit;

/// Where Outlook asks, in the spellings it uses.
pub(super) const PLACES: [&str; 5] = [
    "/autodiscover/autodiscover.xml",
    "/Autodiscover/Autodiscover.xml",
    "/AutoDiscover/AutoDiscover.xml",
    "/autodiscover/autodiscover.json",
    "/Autodiscover/Autodiscover.json",
];
/// The form of the second version that has the address in its path.
pub(super) const JSON_PREFIX: &str = "/autodiscover/autodiscover.json/";
/// Largest question, in bytes.
const QUESTION_BYTES_MAX: usize = 16 * 1024;
const RESPONSE: &str = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006";
const OUTLOOK: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";

/// Whether a path is one of these places.
pub(super) fn is_here(path: &str) -> bool {
    PLACES.contains(&path) || path.starts_with(JSON_PREFIX)
}

/// Answers either form.
pub(super) async fn handle(visit: &Visit, body: RequestBody) -> Answer {
    let is_json = visit.path.to_ascii_lowercase().contains("autodiscover.json");
    match visit.method {
        Method::GET | Method::HEAD if is_json => Ok(where_to_ask(visit)),
        Method::POST if !is_json => settings(visit, body).await,
        _ => Err(Refusal::Method),
    }
}

fn where_to_ask(visit: &Visit) -> Response<ResponseBody> {
    let asked = visit.query.iter().find(|(name, _)| name.eq_ignore_ascii_case("protocol"));
    match asked {
        Some((_, protocol)) if protocol.eq_ignore_ascii_case("autodiscoverv1") => json(&json!({
            "Protocol": "AutodiscoverV1",
            "Url": format!("{}{}", visit.origin(), PLACES[0]),
        })),
        _ => {
            let mut response = json(&json!({
                "ErrorCode": "ProtocolNotSupported",
                "ErrorMessage": "The supported protocols are 'AutodiscoverV1'.",
            }));
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    }
}

async fn settings(visit: &Visit, body: RequestBody) -> Answer {
    let read = Limited::new(body, QUESTION_BYTES_MAX).collect().await.map_err(|_| Refusal::Malformed)?;
    let bytes = read.to_bytes();
    let question = std::str::from_utf8(&bytes).map_err(|_| Refusal::Malformed)?;
    let address = between(question, "EMailAddress").ok_or(Refusal::Malformed)?;
    let known = domain_of(visit, Some(address)).is_some() && address.contains('@');
    let wanted = between(question, "AcceptableResponseSchema").is_none_or(|schema| schema.trim() == OUTLOOK);
    let doors = (imap(visit), submission(visit));
    if !known || !wanted || doors.0.is_empty() && doors.1.is_empty() {
        return Ok(document("text/xml; charset=utf-8", refusal()));
    }
    let host = visit.host_name();
    let mut protocols = String::new();
    // Outlook takes the first of each.
    if let Some(door) = doors.0.first() {
        protocols += &protocol("IMAP", host, door, address, "");
    }
    if let Some(door) = doors.1.first() {
        protocols +=
            &protocol("SMTP", host, door, address, "<UsePOPAuth>off</UsePOPAuth><SMTPLast>off</SMTPLast>");
    }
    let name = escaped(address.trim());
    Ok(document(
        "text/xml; charset=utf-8",
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Autodiscover xmlns=\"{RESPONSE}\"><Response xmlns=\"{OUTLOOK}\">\
             <User><DisplayName>{name}</DisplayName></User><Account><AccountType>email</AccountType>\
             <Action>settings</Action>{protocols}</Account></Response></Autodiscover>\n"
        ),
    ))
}

fn protocol(kind: &str, host: &str, door: &Door, address: &str, more: &str) -> String {
    let (ssl, encryption) = match door.encryption {
        Encryption::FromStart => ("on", "SSL"),
        Encryption::StartTls => ("on", "TLS"),
        Encryption::None => ("off", "None"),
    };
    let (host, port, login) = (escaped(host), door.port, escaped(address.trim()));
    format!(
        "<Protocol><Type>{kind}</Type><Server>{host}</Server><Port>{port}</Port><LoginName>{login}</LoginName>\
         <DomainRequired>off</DomainRequired><SPA>off</SPA><SSL>{ssl}</SSL><Encryption>{encryption}</Encryption>\
         <AuthRequired>on</AuthRequired>{more}</Protocol>"
    )
}

fn refusal() -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Autodiscover xmlns=\"{RESPONSE}\"><Response><Error \
         Time=\"00:00:00\" Id=\"0\"><ErrorCode>601</ErrorCode><Message>Provider is not available</Message>\
         <DebugData/></Error></Response></Autodiscover>\n"
    )
}

/// The text of the first element of this name. The question has a fixed form, and whatever else comes is no address.
fn between<'a>(text: &'a str, element: &str) -> Option<&'a str> {
    let begin = text.find(&format!("<{element}>"))? + element.len() + 2;
    let end = text[begin..].find(&format!("</{element}>"))?;
    Some(&text[begin..begin + end])
}
