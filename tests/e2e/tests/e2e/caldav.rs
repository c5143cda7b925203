//! CalDAV on the wire: the examples of RFC 4791 with the data of its Appendix B, and what real clients need.

use std::thread;

use allod_tests::{App, Reply, Request, Server};

const PERSONAL: &str = "/Calendars/Personal/";
/// RFC 4791, Appendix B: `abcd1.ics` to `abcd8.ics`.
const APPENDIX_B: &str = include_str!("rfc4791_appendix_b.ics");

struct Scene {
    server: Server,
    app: App,
}

impl Scene {
    fn new() -> Scene {
        let server = Server::start();
        let app = server.app(&["all"]);
        Scene { server, app }
    }

    fn put(&self, path: &str, body: &str) -> u16 {
        let put = Request::dav("PUT", &self.app, path).header("Content-Type", "text/calendar");
        self.server.send(&put.body(body)).status
    }

    fn report(&self, path: &str, depth: &str, body: &str) -> Reply {
        self.server.send(&Request::dav("REPORT", &self.app, path).header("Depth", depth).body(body))
    }

    /// The last parts of the hrefs that a query finds.
    fn query(&self, prop: &str, inside: &str) -> (Vec<String>, String) {
        let body = format!(
            "<C:calendar-query xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><D:prop><D:getetag/>{prop}</D:prop>\
             <C:filter><C:comp-filter name=\"VCALENDAR\">{inside}</C:comp-filter></C:filter></C:calendar-query>"
        );
        let reply = self.report(PERSONAL, "1", &body);
        assert_eq!(reply.status, 207, "{}", reply.text());
        (names(&reply.text()), reply.text().replace("&#13;", ""))
    }
}

fn names(multistatus: &str) -> Vec<String> {
    let hrefs = multistatus.split("<D:href>").skip(1).filter_map(|rest| rest.split('<').next());
    hrefs.map(|href| href.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

fn event(uid: &str, start: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20240101T000000Z\r\n\
         DTSTART:{start}\r\nDURATION:PT1H\r\nX-ODD;A=\"b\":kept\r\n  as it is\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// RFC 4791 §7.8.1 to §7.8.9.
#[test]
fn the_examples_of_the_standard() {
    let scene = Scene::new();
    let objects = APPENDIX_B.split_inclusive("END:VCALENDAR\n");
    for (number, object) in objects.enumerate() {
        let path = format!("{PERSONAL}abcd{}.ics", number + 1);
        assert_eq!(scene.put(&path, &object.replace('\n', "\r\n")), 201, "{path}");
    }
    let range = |start: &str, end: &str| format!("<C:time-range start=\"{start}\" end=\"{end}\"/>");
    let within =
        |name: &str, inside: &str| format!("<C:comp-filter name=\"{name}\">{inside}</C:comp-filter>");

    // §7.8.1: parts of events within a time range.
    let parts = "<C:calendar-data><C:comp name=\"VCALENDAR\"><C:prop name=\"VERSION\"/><C:comp name=\"VEVENT\"><C:prop name=\"SUMMARY\"/>\
        <C:prop name=\"UID\"/><C:prop name=\"DTSTART\"/><C:prop name=\"DTEND\"/><C:prop name=\"DURATION\"/><C:prop name=\"RRULE\"/>\
        <C:prop name=\"RDATE\"/><C:prop name=\"EXRULE\"/><C:prop name=\"EXDATE\"/><C:prop name=\"RECURRENCE-ID\"/></C:comp>\
        <C:comp name=\"VTIMEZONE\"/></C:comp></C:calendar-data>";
    let day = within("VEVENT", &range("20060104T000000Z", "20060105T000000Z"));
    let (found, text) = scene.query(parts, &day);
    assert_eq!(found, ["abcd2.ics", "abcd3.ics"]);
    assert!(text.contains("TZOFFSETFROM:-0500") && text.contains("SUMMARY:Event #2 bis"), "{text}");
    assert!(!text.contains("DTSTAMP") && !text.contains("PRODID") && !text.contains("ATTENDEE"), "{text}");

    // §7.8.2: only the overrides that matter.
    let days = range("20060103T000000Z", "20060105T000000Z");
    let limited =
        format!("<C:calendar-data>{}</C:calendar-data>", days.replace("time-range", "limit-recurrence-set"));
    let (found, text) = scene.query(&limited, &within("VEVENT", &days));
    assert_eq!(found, ["abcd2.ics", "abcd3.ics"]);
    assert!(
        text.contains("RRULE:FREQ=DAILY;COUNT=5")
            && text.contains("RECURRENCE-ID;TZID=US/Eastern:20060104T120000")
    );

    // §7.8.3: each instance for itself, in UTC.
    let expanded = limited.replace("limit-recurrence-set", "expand");
    let (found, text) = scene.query(&expanded, &within("VEVENT", &days));
    assert_eq!(found, ["abcd2.ics", "abcd3.ics"]);
    for wanted in [
        "DTSTART:20060103T170000Z",
        "RECURRENCE-ID:20060103T170000Z",
        "DTSTART:20060104T190000Z",
        "RECURRENCE-ID:20060104T170000Z",
        "DTSTART:20060104T150000Z",
    ] {
        assert!(text.contains(wanted), "{wanted} {text}");
    }
    assert!(!text.contains("RRULE") && !text.contains("VTIMEZONE") && !text.contains("20060102"), "{text}");

    // §7.8.4: stored free-busy.
    let day = range("20060102T000000Z", "20060103T000000Z");
    let busy =
        format!("<C:calendar-data>{}</C:calendar-data>", day.replace("time-range", "limit-freebusy-set"));
    let (found, text) = scene.query(&busy, &within("VFREEBUSY", &day));
    assert_eq!((found, text.matches("FREEBUSY;").count()), (vec!["abcd8.ics".to_owned()], 1));

    // §7.8.5: by an alarm. The data of the appendix has it ring before the day begins in any zone west of Greenwich.
    let alarm = within("VTODO", &within("VALARM", &range("20060105T230000Z", "20060106T100000Z")));
    assert_eq!(scene.query("<C:calendar-data/>", &alarm).0, ["abcd5.ics"]);

    // §7.8.6: by UID.
    let uid = "<C:prop-filter name=\"UID\"><C:text-match collation=\"i;octet\">DC6C50A017428C5216A2F1CD@example.com</C:text-match></C:prop-filter>";
    assert_eq!(scene.query("<C:calendar-data/>", &within("VEVENT", uid)).0, ["abcd3.ics"]);

    // §7.8.7: by what an attendee answered.
    let attendee = "<C:prop-filter name=\"ATTENDEE\"><C:text-match collation=\"i;ascii-casemap\">mailto:lisa@example.com</C:text-match>\
        <C:param-filter name=\"PARTSTAT\"><C:text-match collation=\"i;ascii-casemap\">NEEDS-ACTION</C:text-match></C:param-filter></C:prop-filter>";
    assert_eq!(scene.query("<C:calendar-data/>", &within("VEVENT", attendee)).0, ["abcd3.ics"]);

    // §7.8.8: all events.
    assert_eq!(scene.query("<C:calendar-data/>", &within("VEVENT", "")).0.len(), 3);

    // §7.8.9: what is still to be done.
    let pending = "<C:prop-filter name=\"COMPLETED\"><C:is-not-defined/></C:prop-filter>\
        <C:prop-filter name=\"STATUS\"><C:text-match negate-condition=\"yes\">CANCELLED</C:text-match></C:prop-filter>";
    assert_eq!(scene.query("<C:calendar-data/>", &within("VTODO", pending)).0, ["abcd4.ics", "abcd5.ics"]);

    // §7.8.10: a filter that makes no sense in a collation that nobody knows.
    let odd = "<C:calendar-query xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><D:prop><C:calendar-data/></D:prop><C:filter>\
        <C:comp-filter name=\"VCALENDAR\"><C:comp-filter name=\"VEVENT\"><C:prop-filter name=\"X-ABC-GUID\"><C:text-match collation=\"i;odd\">ABC</C:text-match>\
        </C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>";
    let reply = scene.report(PERSONAL, "1", odd);
    assert!(reply.status == 403 && reply.text().contains("supported-collation"), "{}", reply.text());

    free_busy(&scene);
}

/// RFC 4791 §7.10.1.
fn free_busy(scene: &Scene) {
    let query = "<C:free-busy-query xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><C:time-range start=\"20060104T140000Z\" end=\"20060105T220000Z\"/></C:free-busy-query>";
    let reply = scene.report(PERSONAL, "1", query);
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/calendar; charset=utf-8")));
    let text = reply.text();
    for wanted in [
        "DTSTART:20060104T140000Z",
        "DTEND:20060105T220000Z",
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060104T150000Z/20060104T160000Z",
        "FREEBUSY:20060104T190000Z/20060104T200000Z",
        "FREEBUSY:20060105T170000Z/20060105T180000Z",
    ] {
        assert!(text.contains(wanted), "{wanted} {text}");
    }
}

#[test]
fn an_event_comes_back_byte_for_byte_whatever_the_way() {
    let mut scene = Scene::new();
    let object = event("bytes", "20240105T090000Z");
    assert_eq!(scene.put(&format!("{PERSONAL}e.ics"), &object), 201);
    scene.server.stop();
    scene.server.serve();
    let reply = scene.server.send(&Request::dav("GET", &scene.app, &format!("{PERSONAL}e.ics")));
    assert_eq!(reply.text(), object);
    let etag = reply.header("etag").unwrap().to_owned();
    let multiget = "<C:calendar-multiget xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><D:prop><D:getetag/><C:calendar-data/></D:prop>\
        <D:href>/dav/alice/Calendars/Personal/e.ics</D:href></C:calendar-multiget>";
    let text = scene.report(PERSONAL, "1", multiget).text();
    let data = text.split("<C:calendar-data>").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(data.replace("&#13;", "\r").replace("&quot;", "\""), object);
    assert!(text.contains(&etag), "{etag} {text}");
    scene.server.assert_sound();
}

/// A first synchronization of more than a page, with the contents, is complete.
#[test]
fn a_first_synchronization_is_complete() {
    const EVENTS: usize = 2300;
    let scene = Scene::new();
    let events: String = (0..EVENTS)
        .map(|n| {
            format!("BEGIN:VEVENT\r\nUID:e{n}\r\nDTSTAMP:20240101T000000Z\r\nDTSTART:20240105T090000Z\r\nEND:VEVENT\r\n")
        })
        .collect();
    let whole = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\n{events}END:VCALENDAR\r\n");
    let import =
        Request::dav("POST", &scene.app, PERSONAL).header("Content-Type", "text/calendar").body(whole);
    assert_eq!(scene.server.send(&import).status, 207);
    let sync = |token: &str, prop: &str| {
        let body = format!(
            "<D:sync-collection xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><D:sync-token>{token}</D:sync-token>\
             <D:sync-level>1</D:sync-level><D:prop><D:getetag/>{prop}</D:prop></D:sync-collection>"
        );
        let reply = scene.report(PERSONAL, "0", &body);
        assert_eq!((reply.status, reply.whole), (207, true));
        let text = reply.text();
        let token =
            text.split("<D:sync-token>").nth(1).and_then(|rest| rest.split('<').next()).unwrap().to_owned();
        (text, token)
    };
    let (text, token) = sync("", "<C:calendar-data/>");
    assert_eq!(text.matches("BEGIN:VEVENT").count(), EVENTS);
    assert_eq!(text.matches("<D:response>").count(), EVENTS);
    let (text, again) = sync(&token, "<C:calendar-data/>");
    assert_eq!((text.matches("<D:response>").count(), again), (0, token));
    let (text, _) = sync("", "");
    let hrefs: String =
        names(&text).iter().map(|name| format!("<D:href>/dav/alice{PERSONAL}{name}</D:href>")).collect();
    let multiget = format!(
        "<C:calendar-multiget xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><D:prop><C:calendar-data/></D:prop>{hrefs}\
         <D:href>/dav/alice/Calendars/Personal/none.ics</D:href></C:calendar-multiget>"
    );
    let text = scene.report(PERSONAL, "1", &multiget).text();
    assert_eq!((text.matches("BEGIN:VEVENT").count(), text.matches("404 Not Found").count()), (EVENTS, 1));
}

#[test]
fn one_uid_is_stored_once_whoever_comes_first() {
    let scene = Scene::new();
    for round in 0..5 {
        let object = event(&format!("raced-{round}"), "20240105T090000Z");
        let mut statuses: Vec<u16> = thread::scope(|scope| {
            let tasks: Vec<_> = (0..4)
                .map(|n| {
                    let (scene, object) = (&scene, &object);
                    scope.spawn(move || scene.put(&format!("{PERSONAL}{round}-{n}.ics"), object))
                })
                .collect();
            tasks.into_iter().map(|task| task.join().unwrap()).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 403, 403, 403]);
    }
}

#[test]
fn a_narrow_credential_sees_its_corner_only() {
    let scene = Scene::new();
    assert_eq!(scene.put(&format!("{PERSONAL}e.ics"), &event("mine", "20240105T090000Z")), 201);
    let only = scene.server.app(&["calendar"]);
    let contacts = scene.server.app(&["contacts"]);
    let reading = scene.server.app(&["/Calendars/Personal:r@caldav"]);
    let homes = "<D:propfind xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\" xmlns:R=\"urn:ietf:params:xml:ns:carddav\"><D:prop>\
        <C:calendar-home-set/><R:addressbook-home-set/></D:prop></D:propfind>";
    for (app, calendars, cards) in [(&only, true, false), (&contacts, false, true), (&reading, true, false)] {
        let propfind =
            Request::new("PROPFIND", "/principals/alice/").login(app).header("Depth", "0").body(homes);
        let text = scene.server.send(&propfind).text();
        assert_eq!(
            (text.contains("/dav/alice/Calendars/<"), text.contains("/dav/alice/Contacts/<")),
            (calendars, cards),
            "{text}"
        );
    }
    let query = "<R:addressbook-query xmlns:D=\"DAV:\" xmlns:R=\"urn:ietf:params:xml:ns:carddav\"><D:prop><R:address-data/></D:prop></R:addressbook-query>";
    let calendar_query = "<C:calendar-query xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><D:prop><C:calendar-data/></D:prop>\
        <C:filter><C:comp-filter name=\"VCALENDAR\"/></C:filter></C:calendar-query>";
    let multiget = "<C:calendar-multiget xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><D:prop><C:calendar-data/></D:prop>\
        <D:href>/dav/alice/Calendars/Personal/e.ics</D:href></C:calendar-multiget>";
    let busy = "<C:free-busy-query xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><C:time-range start=\"20240101T000000Z\" end=\"20240201T000000Z\"/></C:free-busy-query>";
    for (app, path, body) in [
        (&only, "/Contacts/Personal/", query),
        (&contacts, PERSONAL, calendar_query),
        (&contacts, PERSONAL, multiget),
        (&contacts, PERSONAL, busy),
        (&contacts, "/Calendars/", calendar_query),
    ] {
        let reply =
            scene.server.send(&Request::dav("REPORT", app, path).header("Depth", "infinity").body(body));
        assert_eq!(reply.status, 404, "{path} {}", reply.text());
    }
    // What a report names is judged each for itself.
    let reply = scene.server.send(&Request::dav("REPORT", &contacts, "/Contacts/Personal/").body(multiget));
    assert!(!reply.text().contains("VEVENT"), "{}", reply.text());
    let root = Request::dav("PROPFIND", &only, "/").header("Depth", "1");
    let text = scene.server.send(&root).text();
    assert!(text.contains("/Calendars/<") && !text.contains("Contacts") && !text.contains("Mail"), "{text}");
    for (method, status) in
        [("REPORT", 207), ("PUT", 403), ("DELETE", 403), ("PROPPATCH", 403), ("MKCALENDAR", 403)]
    {
        let (path, body) = match method {
            "REPORT" => (PERSONAL, calendar_query.to_owned()),
            "MKCALENDAR" => ("/Calendars/New/", String::new()),
            "PROPPATCH" => (PERSONAL, "<D:propertyupdate xmlns:D=\"DAV:\"><D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set></D:propertyupdate>".to_owned()),
            _ => ("/Calendars/Personal/e.ics", event("mine", "20250105T090000Z")),
        };
        let reply = scene.server.send(&Request::dav(method, &reading, path).header("Depth", "1").body(body));
        assert!(
            reply.status == status || (method == "DELETE" && reply.status == 400),
            "{method}: {} {}",
            reply.status,
            reply.text()
        );
    }
    let webdav = scene.server.app(&["/Calendars:rw@webdav"]);
    assert_eq!(scene.server.send(&Request::dav("GET", &webdav, "/Calendars/Personal/e.ics")).status, 200);
}
