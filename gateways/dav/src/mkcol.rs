//! MKCOL, plain (RFC 4918 §9.3) and extended (RFC 5689): folders, calendars and address books.

use allod_core::{Components, FolderOptions, Node, Property, PropertyChange};
use allod_kit::{RequestBody, ResponseBody, full_body};
use allod_model::{Detail, Error, ErrorKind, Kind};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use crate::body::read_text;
use crate::error::{Answer, Doing, Failure};
use crate::get::etag_header;
use crate::handle::{Call, empty, xml};
use crate::nextcloud::file_id;
use crate::plan::{Live, PROPERTIES_MAX, empty_element};
use crate::settable::{self, Refused, SENSELESS};
use crate::xml::{CALDAV, CARDDAV, Document, Element};

/// Answers MKCOL on a place in the tree.
pub(crate) async fn handle(call: &Call, body: RequestBody) -> Answer {
    let wishes = match read_wishes(call, body).await? {
        None => Wishes::default(),
        Some(document) => {
            if !document.root().is_dav("mkcol") {
                let message = "the body of MKCOL is a mkcol element";
                return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
            }
            parse_wishes(document.root(), Kind::Plain)?
        }
    };
    if !wishes.refused.is_empty() {
        return Ok(refusal(&wishes));
    }
    let node = make(call, wishes.options, Doing::MakeFolder).await?;
    let mut response = created();
    if let Ok(id) = HeaderValue::from_str(&file_id(&node)) {
        response.headers_mut().insert("oc-fileid", id);
    }
    if let Some(etag) = etag_header(&node) {
        response.headers_mut().insert("oc-etag", etag);
    }
    Ok(response)
}

/// Makes a folder.
pub(crate) async fn make(call: &Call, options: FolderOptions, doing: Doing) -> Result<Node, Failure> {
    let kind = options.kind;
    let made = call.session.make_folder(&call.path, options, call.precondition()?).await;
    made.map_err(|error| match location_condition(&error, kind) {
        Some(failure) => failure,
        None => call.failing(doing)(error),
    })
}

/// RFC 4791 §5.3.1, RFC 6352 §6.3.1: the place takes no folder of that kind.
pub(crate) fn location_condition(error: &Error, kind: Kind) -> Option<Failure> {
    if error.kind != ErrorKind::InvalidContent || error.detail != Detail::None {
        return None;
    }
    match kind {
        Kind::Calendar => Some(Failure::condition(CALDAV, "calendar-collection-location-ok", "")),
        Kind::AddressBook => Some(Failure::condition(CARDDAV, "addressbook-collection-location-ok", "")),
        Kind::Plain | Kind::Mailbox | Kind::Inbox | Kind::Outbox => None,
    }
}

pub(crate) fn created() -> Response<ResponseBody> {
    let mut response = empty(StatusCode::CREATED);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Reads the body, if there is one.
pub(crate) async fn read_wishes(call: &Call, body: RequestBody) -> Result<Option<Document>, Failure> {
    let Some(bytes) = read_text(body).await? else { return Ok(None) };
    let kind = call.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(kind.as_str(), "application/xml" | "text/xml" | "") {
        // RFC 4918 §9.3.1: a body of a type that is not understood. One that does not say is looked at.
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is XML, and says so"));
    }
    Ok(Some(Document::parse(&bytes)?))
}

/// What the body asks for.
#[derive(Default)]
pub(crate) struct Wishes {
    pub(crate) options: FolderOptions,
    /// The element that stands for each property that cannot be, and why.
    pub(crate) refused: Vec<(String, Refused)>,
    /// The elements of the others.
    pub(crate) fine: Vec<String>,
}

/// RFC 5689 §3.3: a type that is not supported.
const WRONG_TYPE: Refused = Refused { status: "403 Forbidden", condition: "<D:valid-resourcetype/>" };

/// Reads `mkcol` or `mkcalendar`. `kind` is what is made when the body does not say.
pub(crate) fn parse_wishes(root: Element<'_>, kind: Kind) -> Result<Wishes, Failure> {
    let mut wishes =
        Wishes { options: FolderOptions { kind, ..FolderOptions::default() }, ..Wishes::default() };
    let props = || root.children().filter(|set| set.is_dav("set")).filter_map(|set| set.dav_child("prop"));
    // The type decides what else makes sense, wherever it stands.
    let types = props().flat_map(Element::children).filter(|property| property.is_dav("resourcetype"));
    for property in types {
        let element = empty_element(property.namespace(), property.name());
        match parse_type(property) {
            Some(found) if kind == Kind::Plain || found == kind => {
                wishes.options.kind = found;
                wishes.fine.push(element);
            }
            _ => wishes.refused.push((element, WRONG_TYPE)),
        }
    }
    for property in props().flat_map(Element::children) {
        if wishes.refused.len() + wishes.fine.len() > PROPERTIES_MAX {
            return Err(Failure::bad_request("too many properties"));
        }
        if !property.is_dav("resourcetype") {
            wishes.take(property);
        }
    }
    Ok(wishes)
}

impl Wishes {
    fn take(&mut self, property: Element<'_>) {
        let element = empty_element(property.namespace(), property.name());
        let live = Live::named(property.namespace(), property.name());
        let refused = match live {
            // RFC 4791 §5.2.3: set at creation, protected ever after.
            Some(Live::SupportedCalendarComponentSet) if self.options.kind == Kind::Calendar => {
                match parse_components(property) {
                    Some(components) => {
                        self.options.components = components;
                        None
                    }
                    None => Some(SENSELESS),
                }
            }
            // Times begin now.
            Some(Live::CreationDate | Live::LastModified) => Some(settable::PROTECTED),
            _ => match settable::set(property) {
                Ok(changes) => {
                    changes.into_iter().for_each(|change| self.apply(change));
                    None
                }
                Err(refused) => Some(refused),
            },
        };
        match refused {
            Some(refused) => self.refused.push((element, refused)),
            None => self.fine.push(element),
        }
    }

    fn apply(&mut self, change: PropertyChange) {
        let mut drop = |namespace: &str, name: &str| {
            let same = |own: &Property| own.namespace == namespace && own.name == name;
            self.options.properties.retain(|own| !same(own));
        };
        match change {
            PropertyChange::Set(property) => {
                drop(&property.namespace, &property.name);
                self.options.properties.push(property);
            }
            PropertyChange::Remove(namespace, name) => drop(&namespace, &name),
            PropertyChange::Transparent(transparent) => self.options.transparent = transparent,
            PropertyChange::Modified(_) | PropertyChange::Created(_) => {}
        }
    }
}

/// Which kind of folder a type means; `None` for one that is not supported.
fn parse_type(resource_type: Element<'_>) -> Option<Kind> {
    let mut collection = false;
    let mut kind = Kind::Plain;
    for one in resource_type.children() {
        let named = match (one.namespace(), one.name()) {
            ("DAV:", "collection") => {
                collection = true;
                continue;
            }
            (CALDAV, "calendar") => Kind::Calendar,
            (CARDDAV, "addressbook") => Kind::AddressBook,
            _ => return None,
        };
        if kind != Kind::Plain {
            return None;
        }
        kind = named;
    }
    collection.then_some(kind)
}

/// RFC 4791 §5.2.3. VTIMEZONE may stand in any calendar, so saying it changes nothing.
fn parse_components(property: Element<'_>) -> Option<Components> {
    let names: Vec<&str> = property
        .children()
        .filter(|comp| comp.is(CALDAV, "comp"))
        .map(|comp| comp.attribute("name").unwrap_or_default().trim())
        .filter(|name| !name.eq_ignore_ascii_case("VTIMEZONE"))
        .collect();
    Components::parse(names)
}

/// RFC 5689 §3: all or nothing, and what stood in the way.
fn refusal(wishes: &Wishes) -> Response<ResponseBody> {
    let mut out =
        String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:mkcol-response xmlns:D=\"DAV:\">");
    for (element, Refused { status, condition }) in &wishes.refused {
        out.push_str(&format!(
            "<D:propstat><D:prop>{element}</D:prop><D:status>HTTP/1.1 {status}</D:status>\
             <D:error>{condition}</D:error></D:propstat>"
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
            "<D:mkcol xmlns:D='DAV:' xmlns:E='urn:e' xmlns:C='urn:ietf:params:xml:ns:caldav' \
             xmlns:R='urn:ietf:params:xml:ns:carddav'><D:set><D:prop>{inside}</D:prop></D:set></D:mkcol>"
        );
        parse_wishes(Document::parse(xml.as_bytes()).unwrap().root(), Kind::Plain).unwrap()
    }

    #[test]
    fn plain_folders_with_properties() {
        let wishes = wishes(
            "<D:resourcetype><D:collection/></D:resourcetype><D:displayname>Special Resource</D:displayname>",
        );
        assert!(wishes.refused.is_empty());
        assert_eq!((wishes.options.kind, wishes.options.properties.len()), (Kind::Plain, 1));
        assert_eq!(
            wishes.options.properties[0].xml,
            "<D:displayname xmlns:D=\"DAV:\">Special Resource</D:displayname>"
        );
    }

    #[test]
    fn calendars_and_address_books() {
        let calendar = wishes(
            "<C:supported-calendar-component-set><C:comp name='VTODO'/><C:comp name='VTIMEZONE'/></C:supported-calendar-component-set>\
             <C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>\
             <D:resourcetype><D:collection/><C:calendar/></D:resourcetype>",
        );
        assert!(calendar.refused.is_empty(), "{:?}", calendar.refused);
        let options = calendar.options;
        assert!(options.kind == Kind::Calendar && options.transparent);
        assert_eq!(options.components.names().collect::<Vec<_>>(), ["VTODO"]);
        let book = wishes("<D:resourcetype><R:addressbook/><D:collection/></D:resourcetype>");
        assert_eq!(book.options.kind, Kind::AddressBook);
        let unknown = wishes(
            "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>\
             <C:supported-calendar-component-set><C:comp name='VPOLL'/></C:supported-calendar-component-set>",
        );
        assert_eq!(unknown.refused[0].1, SENSELESS);
        let plain = wishes(
            "<C:supported-calendar-component-set><C:comp name='VTODO'/></C:supported-calendar-component-set>",
        );
        assert_eq!(plain.refused[0].1, settable::PROTECTED);
    }

    #[test]
    fn other_types_are_refused() {
        // RFC 5689 §3.5.
        let special = wishes("<D:resourcetype><D:collection/><E:special-resource/></D:resourcetype><E:p/>");
        assert_eq!(special.refused, [("<D:resourcetype/>".to_owned(), WRONG_TYPE)]);
        assert_eq!(special.fine, ["<x:p xmlns:x=\"urn:e\"/>"]);
        for wrong in ["", "<C:calendar/>", "<D:collection/><C:calendar/><R:addressbook/>", "<D:principal/>"] {
            let found = wishes(&format!("<D:resourcetype>{wrong}</D:resourcetype>"));
            assert_eq!(found.refused.len(), 1, "{wrong}");
        }
        assert_eq!(wishes("<D:getetag>x</D:getetag>").refused[0].1, settable::PROTECTED);
    }
}
