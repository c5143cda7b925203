//! MKCOL, plain (RFC 4918 §9.3) and extended (RFC 5689).

use allod_core::{FolderOptions, Property};
use allod_kit::{RequestBody, full_body};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use crate::body::read_text;
use crate::error::{Answer, Doing, Failure};
use crate::handle::{Call, empty, xml};
use crate::plan::{Live, PROPERTIES_MAX, empty_element};
use crate::xml::{Document, Element};

/// Answers MKCOL on a place in the tree.
pub(crate) async fn handle(call: &Call, body: RequestBody) -> Answer {
    let wishes = match read_wishes(call, body).await? {
        None => Wishes::default(),
        Some(document) => match parse_mkcol(document.root())? {
            wishes if wishes.refused.is_empty() => wishes,
            wishes => return Ok(refusal(&wishes)),
        },
    };
    let options = FolderOptions { properties: wishes.properties, ..FolderOptions::default() };
    let precondition = call.precondition()?;
    let failing = call.failing(Doing::MakeFolder);
    call.session.make_folder(&call.path, options, precondition).await.map_err(failing)?;
    let mut response = empty(StatusCode::CREATED);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

async fn read_wishes(call: &Call, body: RequestBody) -> Result<Option<Document>, Failure> {
    let Some(bytes) = read_text(body).await? else { return Ok(None) };
    let kind = call.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(kind.as_str(), "application/xml" | "text/xml") {
        // RFC 4918 §9.3.1: a body of a type that is not understood.
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body of MKCOL is XML"));
    }
    Ok(Some(Document::parse(&bytes)?))
}

/// What an extended MKCOL asks for.
#[derive(Default)]
struct Wishes {
    properties: Vec<Property>,
    /// The element that stands for each property, and the condition that it fails.
    refused: Vec<(String, &'static str)>,
    /// The elements of the others.
    fine: Vec<String>,
}

fn parse_mkcol(root: Element<'_>) -> Result<Wishes, Failure> {
    if !root.is_dav("mkcol") {
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body of MKCOL is a mkcol element"));
    }
    let mut wishes = Wishes::default();
    let props = root.children().filter(|set| set.is_dav("set")).filter_map(|set| set.dav_child("prop"));
    for property in props.flat_map(Element::children) {
        if wishes.refused.len() + wishes.fine.len() == PROPERTIES_MAX {
            return Err(Failure::bad_request("too many properties"));
        }
        let (namespace, name) = (property.namespace(), property.name());
        let element = empty_element(namespace, name);
        match Live::named(namespace, name) {
            // RFC 5689 §3.3: a type that is not supported. Plain folders are.
            Some(Live::ResourceType) if !is_plain(property) => {
                wishes.refused.push((element, "valid-resourcetype"))
            }
            Some(Live::ResourceType) => wishes.fine.push(element),
            None | Some(Live::DisplayName) => {
                let (namespace, name) = (namespace.to_owned(), name.to_owned());
                wishes.properties.retain(|p| p.namespace != namespace || p.name != name);
                wishes.properties.push(Property { namespace, name, xml: property.fragment() });
                wishes.fine.push(element);
            }
            Some(_) => wishes.refused.push((element, "cannot-modify-protected-property")),
        }
    }
    Ok(wishes)
}

fn is_plain(resource_type: Element<'_>) -> bool {
    let mut types = resource_type.children();
    types.next().is_some_and(|kind| kind.is_dav("collection")) && types.next().is_none()
}

/// RFC 5689 §3: all or nothing, and what stood in the way.
fn refusal(wishes: &Wishes) -> Response<allod_kit::ResponseBody> {
    let mut out =
        String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:mkcol-response xmlns:D=\"DAV:\">");
    for (element, condition) in &wishes.refused {
        out.push_str(&format!(
            "<D:propstat><D:prop>{element}</D:prop><D:status>HTTP/1.1 403 Forbidden</D:status>\
             <D:error><D:{condition}/></D:error></D:propstat>"
        ));
    }
    if !wishes.fine.is_empty() {
        let elements = wishes.fine.concat();
        out.push_str(&format!(
            "<D:propstat><D:prop>{elements}</D:prop><D:status>HTTP/1.1 424 Failed Dependency</D:status></D:propstat>"
        ));
    }
    out.push_str("</D:mkcol-response>\n");
    xml(StatusCode::FORBIDDEN, full_body(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(inside: &str) -> Wishes {
        let xml = format!(
            "<D:mkcol xmlns:D='DAV:' xmlns:E='urn:e'><D:set><D:prop>{inside}</D:prop></D:set></D:mkcol>"
        );
        parse_mkcol(Document::parse(xml.as_bytes()).unwrap().root()).unwrap()
    }

    #[test]
    fn plain_folders_with_properties() {
        let wishes = wishes(
            "<D:resourcetype><D:collection/></D:resourcetype><D:displayname>Special Resource</D:displayname>",
        );
        assert!(wishes.refused.is_empty());
        assert_eq!(wishes.properties.len(), 1);
        assert_eq!(
            wishes.properties[0].xml,
            "<D:displayname xmlns:D=\"DAV:\">Special Resource</D:displayname>"
        );
    }

    #[test]
    fn other_types_are_refused() {
        // RFC 5689 §3.5.
        let special = wishes("<D:resourcetype><D:collection/><E:special-resource/></D:resourcetype><E:p/>");
        assert_eq!(special.refused, [("<D:resourcetype/>".to_owned(), "valid-resourcetype")]);
        assert_eq!(special.fine, ["<x:p xmlns:x=\"urn:e\"/>"]);
        assert_eq!(wishes("<D:resourcetype/>").refused.len(), 1);
        assert_eq!(wishes("<D:getetag>x</D:getetag>").refused[0].1, "cannot-modify-protected-property");
    }
}
