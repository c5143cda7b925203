//! PROPPATCH (RFC 4918 §9.2): all instructions in order, or none.

use allod_core::{Property, PropertyChange};
use allod_kit::{RequestBody, ResponseBody, full_body};
use allod_model::Timestamp;
use http::{Response, StatusCode};

use crate::body::read_xml;
use crate::date::{parse_http_date, parse_iso_date};
use crate::error::{Answer, Doing, Failure};
use crate::handle::{Call, empty, xml};
use crate::plan::{Live, PROPERTIES_MAX, empty_element};
use crate::propfind::parse_prefer;
use crate::quirks::{quirk_rclone_lastmodified, quirk_windows_times};
use crate::xml::Element;

/// Answers PROPPATCH on a place in the tree.
pub(crate) async fn handle(call: &Call, body: RequestBody) -> Answer {
    let document = read_xml(body).await?.ok_or_else(|| Failure::bad_request("PROPPATCH needs a body"))?;
    let update = parse_update(document.root())?;
    let failing = call.failing(Doing::Properties);
    let node = call.session.stat(&call.path, call.want(), false).await.map_err(&failing)?;
    let url = call.url(&call.path, node.is_folder());
    if update.refused.is_empty() {
        let precondition = call.precondition()?;
        call.session
            .set_properties(&call.path, call.want(), update.changes, precondition)
            .await
            .map_err(&failing)?;
    }
    let preference = parse_prefer(&call.headers);
    if preference.minimal && update.refused.is_empty() {
        // RFC 8144 §2.2: all went well, so there is nothing to say.
        let mut response = empty(StatusCode::NO_CONTENT);
        preference.applied(&mut response);
        return Ok(response);
    }
    Ok(answer(&url, &update.fine, &update.refused))
}

/// What a `propertyupdate` asks for.
#[derive(Default)]
struct Update {
    changes: Vec<PropertyChange>,
    /// The empty element of each property that could be changed.
    fine: Vec<String>,
    /// Of each that could not.
    refused: Vec<String>,
}

fn parse_update(root: Element<'_>) -> Result<Update, Failure> {
    if !root.is_dav("propertyupdate") {
        return Err(Failure::bad_request("the body of PROPPATCH is a propertyupdate element"));
    }
    let mut update = Update::default();
    for instruction in root.children() {
        let set = instruction.is_dav("set");
        if !set && !instruction.is_dav("remove") {
            continue;
        }
        for property in instruction.children().filter(|prop| prop.is_dav("prop")).flat_map(Element::children)
        {
            if update.fine.len() + update.refused.len() == PROPERTIES_MAX {
                return Err(Failure::bad_request("too many properties"));
            }
            update.take(property, set);
        }
    }
    if update.fine.is_empty() && update.refused.is_empty() {
        return Err(Failure::bad_request("PROPPATCH names no property"));
    }
    Ok(update)
}

impl Update {
    fn take(&mut self, property: Element<'_>, set: bool) {
        let (namespace, name) = (property.namespace(), property.name());
        let element = empty_element(namespace, name);
        let change = match (Live::named(namespace, name), set) {
            (None | Some(Live::DisplayName), true) => {
                let text = property.text();
                let time = quirk_windows_times(namespace, name, &text);
                let seconds = quirk_rclone_lastmodified(namespace, name, &text);
                self.changes.extend(time.or(seconds).map(PropertyChange::Modified));
                let (namespace, name) = (namespace.to_owned(), name.to_owned());
                Some(PropertyChange::Set(Property { namespace, name, xml: property.fragment() }))
            }
            (None | Some(Live::DisplayName), false) => {
                Some(PropertyChange::Remove(namespace.to_owned(), name.to_owned()))
            }
            // RFC 4918 §15.1, §15.7 let a server take these; copying programs keep times by them.
            (Some(Live::LastModified), true) => any_date(&property.text()).map(PropertyChange::Modified),
            (Some(Live::CreationDate), true) => any_date(&property.text()).map(PropertyChange::Created),
            (Some(_), _) => None,
        };
        match change {
            Some(change) => {
                self.changes.push(change);
                self.fine.push(element);
            }
            None => self.refused.push(element),
        }
    }
}

fn any_date(text: &str) -> Option<Timestamp> {
    parse_http_date(text).or_else(|| parse_iso_date(text))
}

/// RFC 4918 §9.2.1: if one instruction fails, the others are 424.
fn answer(url: &str, fine: &[String], refused: &[String]) -> Response<ResponseBody> {
    let propstat = |elements: &[String], status: &str, error: &str| match elements {
        [] => String::new(),
        _ => format!(
            "<D:propstat><D:prop>{}</D:prop><D:status>HTTP/1.1 {status}</D:status>{error}</D:propstat>",
            elements.concat()
        ),
    };
    let propstats = if refused.is_empty() {
        propstat(fine, "200 OK", "")
    } else {
        let error = "<D:error><D:cannot-modify-protected-property/></D:error>";
        propstat(refused, "403 Forbidden", error) + &propstat(fine, "424 Failed Dependency", "")
    };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\"><D:response>\
         <D:href>{url}</D:href>{propstats}</D:response></D:multistatus>\n"
    );
    xml(StatusCode::MULTI_STATUS, full_body(body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Document;

    fn update(inside: &str) -> Result<Update, Failure> {
        let xml = format!(
            "<D:propertyupdate xmlns:D='DAV:' xmlns:Z='urn:schemas-microsoft-com:'>{inside}</D:propertyupdate>"
        );
        parse_update(Document::parse(xml.as_bytes()).unwrap().root())
    }

    #[test]
    fn instructions_in_order() {
        let update = update(
            "<D:set><D:prop xml:lang='de'><a xmlns='urn:a'>1</a></D:prop></D:set>\
             <D:remove><D:prop><a xmlns='urn:a'/></D:prop></D:remove>",
        )
        .unwrap();
        let xml = "<a xml:lang=\"de\" xmlns=\"urn:a\">1</a>".to_owned();
        let property = Property { namespace: "urn:a".to_owned(), name: "a".to_owned(), xml };
        let removed = PropertyChange::Remove("urn:a".to_owned(), "a".to_owned());
        assert_eq!(update.changes, [PropertyChange::Set(property), removed]);
        assert!(update.refused.is_empty());
    }

    #[test]
    fn protected_properties_fail_the_others() {
        let update = update(
            "<D:set><D:prop><D:getetag>x</D:getetag><D:displayname>n</D:displayname></D:prop></D:set>",
        )
        .unwrap();
        assert_eq!(
            (update.refused.concat(), update.fine.concat()),
            ("<D:getetag/>".into(), "<D:displayname/>".into())
        );
    }

    #[test]
    fn quirk_windows_times_are_applied_and_kept() {
        let update = update(
            "<D:set><D:prop><Z:Win32LastModifiedTime>Sun, 06 Nov 1994 08:49:37 GMT</Z:Win32LastModifiedTime>\
             <Z:Win32FileAttributes>00000020</Z:Win32FileAttributes></D:prop></D:set>",
        )
        .unwrap();
        assert_eq!(update.changes.len(), 3);
        assert_eq!(update.changes[0], PropertyChange::Modified(Timestamp::from_secs(784_111_777)));
        assert_eq!(update.fine.len(), 2);
    }

    #[test]
    fn times_are_taken() {
        for (name, text) in [
            ("getlastmodified", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("lastmodified", "784111777"),
            ("creationdate", "1994-11-06T08:49:37Z"),
        ] {
            let update =
                update(&format!("<D:set><D:prop><D:{name}>{text}</D:{name}></D:prop></D:set>")).unwrap();
            let time = Timestamp::from_secs(784_111_777);
            let change = &update.changes[0];
            assert!(
                *change == PropertyChange::Modified(time) || *change == PropertyChange::Created(time),
                "{name}"
            );
        }
        let wrong =
            update("<D:set><D:prop><D:getlastmodified>x</D:getlastmodified></D:prop></D:set>").unwrap();
        assert_eq!(wrong.refused.len(), 1);
    }

    #[test]
    fn nothing_is_not_an_update() {
        assert!(update("").is_err());
        assert!(update("<D:set/>").is_err());
    }
}
