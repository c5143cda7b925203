//! PROPPATCH (RFC 4918 §9.2): all instructions in order, or none.

use allod_core::PropertyChange;
use allod_kit::{RequestBody, ResponseBody, full_body};
use allod_model::Kind;
use http::{Response, StatusCode};

use crate::body::read_xml;
use crate::caldav::inbox_settings::InboxSettings;
use crate::error::{Answer, Doing, Failure};
use crate::handle::{Call, empty, xml};
use crate::plan::{Live, PROPERTIES_MAX, empty_element};
use crate::propfind::parse_prefer;
use crate::settable::{self, Refused};
use crate::xml::{CALDAV, Element};

/// Answers PROPPATCH on a place in the tree.
pub(crate) async fn handle(call: &Call, body: RequestBody) -> Answer {
    let document = read_xml(body).await?.ok_or_else(|| Failure::bad_request("PROPPATCH needs a body"))?;
    let mut update = parse_update(document.root())?;
    let failing = call.failing(Doing::Properties);
    let node = call.stat(false).await.map_err(&failing)?;
    if update.refused.is_empty() {
        // They are set only when nothing else stands in the way.
        let on_inbox = node.folder.is_some_and(|facts| facts.kind == Kind::Inbox);
        for (name, refused) in update.inbox.apply(call, on_inbox).await.map_err(&failing)? {
            update.refuse(name, refused);
        }
    }
    let url = call.url(&call.path, node.is_folder());
    if update.refused.is_empty() && !update.changes.is_empty() {
        let precondition = call.precondition()?;
        match call.mount_root() {
            // caldav-sharing §5.5.3: a name and a color of one's own for what is lent.
            Some(mount) => {
                call.own.set_mount_properties(&mount.at, update.changes).await.map_err(&failing)?;
            }
            None => {
                let changed =
                    call.session.set_properties(&call.path, call.want(), update.changes, precondition);
                changed.await.map_err(&failing)?;
            }
        }
    }
    let preference = parse_prefer(&call.headers);
    if preference.minimal && update.refused.is_empty() {
        // RFC 8144 §2.2: all went well, so there is nothing to say.
        let mut response = empty(StatusCode::OK);
        preference.applied(&mut response);
        return Ok(response);
    }
    Ok(answer(&url, &update.fine, &update.refused))
}

/// What a `propertyupdate` asks for.
#[derive(Default)]
struct Update {
    /// What is set of the scheduling inbox.
    inbox: InboxSettings,
    changes: Vec<PropertyChange>,
    /// The empty element of each property that could be changed.
    fine: Vec<String>,
    /// Of each that could not, and why.
    refused: Vec<(String, Refused)>,
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
        let element = empty_element(property.namespace(), property.name());
        let live = Live::named(property.namespace(), property.name());
        if set && self.inbox.take(live, property) {
            self.fine.push(element);
            return;
        }
        let changes = if set { settable::set(property) } else { settable::unset(property) };
        match changes {
            Ok(changes) => {
                self.changes.extend(changes);
                self.fine.push(element);
            }
            Err(refused) => self.refused.push((element, refused)),
        }
    }

    fn refuse(&mut self, name: &str, refused: Refused) {
        let element = empty_element(CALDAV, name);
        self.fine.retain(|fine| *fine != element);
        self.refused.push((element, refused));
    }
}

/// RFC 4918 §9.2.1: if one instruction fails, the others are 424.
pub(crate) fn answer(url: &str, fine: &[String], refused: &[(String, Refused)]) -> Response<ResponseBody> {
    let mut propstats: String = refused
        .iter()
        .map(|(element, Refused { status, condition })| {
            let error = match *condition {
                "" => String::new(),
                condition => format!("<D:error>{condition}</D:error>"),
            };
            format!(
                "<D:propstat><D:prop>{element}</D:prop><D:status>HTTP/1.1 {status}</D:status>{error}</D:propstat>"
            )
        })
        .collect();
    if !fine.is_empty() {
        let status = if refused.is_empty() { "200 OK" } else { "424 Failed Dependency" };
        propstats.push_str(&format!(
            "<D:propstat><D:prop>{}</D:prop><D:status>HTTP/1.1 {status}</D:status></D:propstat>",
            fine.concat()
        ));
    }
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\"><D:response>\
         <D:href>{url}</D:href>{propstats}</D:response></D:multistatus>\n"
    );
    xml(StatusCode::MULTI_STATUS, full_body(body))
}

#[cfg(test)]
mod tests {
    use allod_core::Property;
    use allod_model::Timestamp;

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
        assert_eq!(update.refused, [("<D:getetag/>".to_owned(), settable::PROTECTED)]);
        assert_eq!(update.fine, ["<D:displayname/>"]);
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
    fn properties_of_calendars() {
        const CALDAV: &str = "xmlns='urn:ietf:params:xml:ns:caldav'";
        let refused = |inside: &str| {
            let update = update(&format!("<D:set><D:prop>{inside}</D:prop></D:set>")).unwrap();
            update.refused.first().map(|(_, refused)| refused.condition.to_owned() + refused.status)
        };
        for (inside, wanted) in [
            (format!("<calendar-timezone {CALDAV}>x</calendar-timezone>"), Some("valid-calendar-data")),
            (
                format!("<calendar-timezone-id {CALDAV}>Mars/Base</calendar-timezone-id>"),
                Some("valid-timezone"),
            ),
            (format!("<calendar-timezone-id {CALDAV}>Europe/Berlin</calendar-timezone-id>"), None),
            (format!("<schedule-calendar-transp {CALDAV}><transparent/></schedule-calendar-transp>"), None),
            (format!("<schedule-calendar-transp {CALDAV}>opaque</schedule-calendar-transp>"), Some("409")),
            (
                format!(
                    "<supported-calendar-component-set {CALDAV}><comp name='VTODO'/></supported-calendar-component-set>"
                ),
                Some("cannot-modify-protected-property"),
            ),
            ("<getctag xmlns='http://calendarserver.org/ns/'>1</getctag>".to_owned(), Some("cannot-modify")),
            (format!("<calendar-description {CALDAV}>mine</calendar-description>"), None),
            ("<calendar-order xmlns='http://apple.com/ns/ical/'>3</calendar-order>".to_owned(), None),
        ] {
            let found = refused(&inside);
            let fits = match wanted {
                None => found.is_none(),
                Some(wanted) => found.as_ref().is_some_and(|found| found.contains(wanted)),
            };
            assert!(fits, "{inside}: {found:?}");
        }
    }

    #[test]
    fn quirk_apple_colors_keep_their_attribute() {
        let update = update(
            "<D:set><D:prop><A:calendar-color xmlns:A='http://apple.com/ns/ical/' symbolic-color='custom'>#FF2968FF\
             </A:calendar-color></D:prop></D:set>",
        )
        .unwrap();
        let [PropertyChange::Set(color)] = update.changes.as_slice() else { panic!("{:?}", update.changes) };
        assert!(color.xml.contains("symbolic-color=\"custom\"") && color.xml.contains("#FF2968FF"));
    }

    #[test]
    fn nothing_is_not_an_update() {
        assert!(update("").is_err());
        assert!(update("<D:set/>").is_err());
    }
}
