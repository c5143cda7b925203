//! CalDAV over a socket: what clients do first, and what they get.

use super::*;

const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nBEGIN:VEVENT\r\nUID:one\r\nDTSTAMP:20240101T000000Z\r\n\
    DTSTART:20240105T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=3\r\nSUMMARY:Daily & <more>\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
const TODO: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nBEGIN:VTODO\r\nUID:two\r\nDTSTAMP:20240101T000000Z\r\n\
    DUE:20240105T090000Z\r\nSUMMARY:Do\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";

#[tokio::test]
async fn discovery_from_nothing_but_the_host() {
    const PRINCIPAL: &str =
        r#"<d:propfind xmlns:d="DAV:"><d:prop><d:current-user-principal/></d:prop></d:propfind>"#;
    const HOMES: &str = r#"<d:propfind xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:r="urn:ietf:params:xml:ns:carddav"><d:prop>
        <c:calendar-home-set/><r:addressbook-home-set/><c:calendar-user-address-set/><c:schedule-inbox-URL/>
        <c:schedule-outbox-URL/><d:resourcetype/><d:principal-URL/><d:group-membership/></d:prop></d:propfind>"#;
    const CALENDARS: &str = r#"<d:propfind xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:s="http://calendarserver.org/ns/"><d:prop>
        <d:resourcetype/><c:supported-calendar-component-set/><s:getctag/><d:current-user-privilege-set/></d:prop></d:propfind>"#;
    const ANONYMOUS: (&str, &str) = ("Anonymous", "1");
    let mut steps = Vec::new();
    for (method, status) in [("GET", 301), ("PROPFIND", 301), ("OPTIONS", 301), ("PUT", 301), ("REPORT", 301)]
    {
        for url in ["/.well-known/caldav", "/.well-known/carddav", "/.well-known/caldav/"] {
            steps.push(step(method, url, status).with(&[ANONYMOUS]).holds(&["location: /dav/"]));
        }
    }
    steps.extend([
        step("PROPFIND", "/.well-known/caldav", 301).holds(&["location: /dav/"]),
        step("PROPFIND", "/dav/", 401).with(&[ANONYMOUS]).body(PRINCIPAL),
        step("PROPFIND", "/dav/", 207)
            .with(&[("Depth", "0")])
            .body(PRINCIPAL)
            .holds(&["<D:current-user-principal><D:href>/principals/alice/</D:href>"]),
        step("PROPFIND", "/principals/alice/", 207).with(&[("Depth", "0")]).body(HOMES).holds(&[
            "<C:calendar-home-set><D:href>/dav/alice/Calendars/</D:href></C:calendar-home-set>",
            "<CR:addressbook-home-set><D:href>/dav/alice/Contacts/</D:href></CR:addressbook-home-set>",
            "<C:schedule-inbox-URL><D:href>/dav/alice/Calendars/inbox/</D:href>",
            "<C:calendar-user-address-set><D:href>/principals/alice/</D:href>",
            "<D:principal/>",
            "!404",
        ]),
        step("PROPFIND", "/dav/alice/Calendars/", 207).with(&[("Depth", "1")]).body(CALENDARS).holds(&[
            "<D:href>/dav/alice/Calendars/Personal/</D:href>",
            "<D:collection/><C:calendar/>",
            "<C:comp name=\"VEVENT\"/>",
            "<CS:getctag>urn:allod:sync:",
            "<D:privilege><D:write/></D:privilege>",
            "<C:schedule-inbox/>",
        ]),
        step("PROPFIND", "/dav/alice/Contacts/", 207)
            .with(&[("Depth", "1")])
            .body(CALENDARS)
            .holds(&["<D:collection/><CR:addressbook/>"]),
        step("OPTIONS", "/dav/alice/Calendars/", 200).holds(&[
            "calendar-access",
            "addressbook",
            "access-control",
        ]),
    ]);
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn calendars_are_made_with_all_that_is_wished() {
    const MAKE: &str = r##"<?xml version="1.0" encoding="utf-8" ?><C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:A="http://apple.com/ns/ical/">
        <D:set><D:prop><D:displayname>Tasks</D:displayname><C:calendar-description xml:lang="en">Only tasks.</C:calendar-description>
        <A:calendar-color symbolic-color="blue">#0000FFFF</A:calendar-color>
        <C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set>
        <C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id></D:prop></D:set></C:mkcalendar>"##;
    const BAD: &str = r#"<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop><D:displayname>T</D:displayname>
        <C:calendar-timezone>nonsense</C:calendar-timezone></D:prop></D:set></C:mkcalendar>"#;
    const ASK: &str = r#"<d:propfind xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:a="http://apple.com/ns/ical/"><d:prop>
        <d:displayname/><c:calendar-description/><c:supported-calendar-component-set/><a:calendar-color/><c:calendar-timezone-id/>
        <c:supported-calendar-data/><c:max-resource-size/><c:min-date-time/><c:supported-collation-set/><c:schedule-calendar-transp/>
        </d:prop></d:propfind>"#;
    const XML: (&str, &str) = ("Content-Type", "text/xml; charset=utf-8");
    let steps = [
        step("MKCALENDAR", "/dav/alice/Calendars/tasks/", 201).with(&[XML]).body(MAKE).holds(&["cache-control: no-cache"]),
        step("PROPFIND", "/dav/alice/Calendars/tasks/", 207).with(&[("Depth", "0")]).body(ASK).holds(&[
            "Tasks<", "Only tasks.", "symbolic-color=\"blue\"", "Europe/Berlin",
            "<C:supported-calendar-component-set><C:comp name=\"VTODO\"/></C:supported-calendar-component-set>",
            "<C:schedule-calendar-transp><C:opaque/>", "i;ascii-casemap", "!404",
        ]),
        step("PROPFIND", "/dav/alice/Calendars/tasks/", 207)
            .with(&[("Depth", "0")])
            .holds(&["Tasks<", "calendar-color", "!calendar-description", "!supported-calendar-component-set"]),
        step("PUT", "/dav/alice/Calendars/tasks/e.ics", 403).body(EVENT).holds(&["<C:supported-calendar-component"]),
        step("PUT", "/dav/alice/Calendars/tasks/t.ics", 201).body(TODO),
        step("MKCALENDAR", "/dav/alice/Calendars/tasks/", 403).holds(&["<D:resource-must-be-null"]),
        step("MKCALENDAR", "/dav/alice/Calendars/tasks/inner", 403).holds(&["calendar-collection-location-ok"]),
        step("MKCALENDAR", "/dav/alice/none/inner", 409),
        step("MKCALENDAR", "/dav/alice/Calendars/bad", 207).with(&[XML]).body(BAD).holds(&["valid-calendar-data", "424"]),
        step("PROPFIND", "/dav/alice/Calendars/bad", 404).with(&[("Depth", "0")]),
        step("MKCALENDAR", "/dav/alice/Calendars/plain", 201),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn events_are_asked_for() {
    const DATA: &str = r#"<c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><d:getetag/><c:calendar-data/></d:prop>
        <c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT"><c:time-range start="20240106T000000Z" end="20240107T000000Z"/></c:comp-filter></c:comp-filter></c:filter></c:calendar-query>"#;
    const EMPTY: &str = r#"<c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><d:getetag/></d:prop>
        <c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT"><c:time-range start="20250106T000000Z"/></c:comp-filter></c:comp-filter></c:filter></c:calendar-query>"#;
    const EXPAND: &str = r#"<c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><c:calendar-data><c:expand start="20240106T000000Z" end="20240107T000000Z"/></c:calendar-data></d:prop>
        <c:filter><c:comp-filter name="VCALENDAR"/></c:filter></c:calendar-query>"#;
    const JCAL: &str = r#"<c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><c:calendar-data content-type="application/calendar+json"/></d:prop>
        <c:filter><c:comp-filter name="VCALENDAR"/></c:filter></c:calendar-query>"#;
    const MULTIGET: &str = r#"<c:calendar-multiget xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><d:getetag/><c:calendar-data/></d:prop>
        <d:href>/dav/alice/Calendars/Personal/e.ics</d:href><d:href>http://{host}/dav/alice/Calendars/Personal/%65.ics</d:href><d:href>e.ics</d:href>
        <d:href>/dav/alice/Calendars/Personal/none.ics</d:href><d:href>http://elsewhere.example/dav/alice/Calendars/Personal/e.ics</d:href>
        <d:href>/dav/bob/Calendars/Personal/e.ics</d:href><d:href>/dav/alice/loose.ics</d:href></c:calendar-multiget>"#;
    const BUSY: &str = r#"<c:free-busy-query xmlns:c="urn:ietf:params:xml:ns:caldav"><c:time-range start="20240104T000000Z" end="20240110T000000Z"/></c:free-busy-query>"#;
    const SYNC: &str = r#"<d:sync-collection xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:sync-token/><d:sync-level>1</d:sync-level><d:prop><d:getetag/><c:calendar-data/></d:prop></d:sync-collection>"#;
    const TYPES: &str = r#"<d:propfind xmlns:d="DAV:"><d:prop><d:getcontenttype/></d:prop></d:propfind>"#;
    const HOME: &str = "/dav/alice/Calendars/Personal/";
    const ONE: (&str, &str) = ("Depth", "1");
    let steps = [
        step("PUT", "/dav/alice/Calendars/Personal/e.ics", 201).body(EVENT),
        step("PUT", "/dav/alice/Calendars/Personal/t.ics", 201).body(TODO),
        step("PUT", "/dav/alice/loose.ics", 201).body(EVENT),
        step("REPORT", HOME, 207).with(&[ONE]).body(DATA).holds(&[
            "<D:href>/dav/alice/Calendars/Personal/e.ics</D:href>",
            "<C:calendar-data>BEGIN:VCALENDAR&#13;\nVERSION:2.0",
            "Daily &amp; &lt;more&gt;",
            "!t.ics",
            "!404",
        ]),
        step("REPORT", HOME, 207).with(&[("Depth", "0")]).body(DATA).holds(&["!e.ics"]),
        step("REPORT", HOME, 207).body(DATA).holds(&["e.ics"]),
        step("REPORT", "/dav/alice/Calendars/", 207).with(&[("Depth", "infinity")]).body(DATA).holds(&["e.ics"]),
        step("REPORT", "/dav/alice/Calendars/Personal/e.ics", 207).body(DATA).holds(&["e.ics</D:href>", "BEGIN:VEVENT"]),
        step("REPORT", "/dav/alice/Calendars/Personal/t.ics", 207).body(DATA).holds(&["!t.ics</D:href>"]),
        step("REPORT", HOME, 207).with(&[ONE]).body(EMPTY).holds(&["!<D:response>"]),
        step("REPORT", HOME, 207).with(&[ONE]).body(EXPAND).holds(&["RECURRENCE-ID:20240106T090000Z", "!RRULE"]),
        step("REPORT", HOME, 403).with(&[ONE]).body(JCAL).holds(&["<C:supported-calendar-data"]),
        step("REPORT", "/dav/alice/", 207).with(&[ONE]).body(DATA).holds(&["!<D:response>"]),
        step("REPORT", "/dav/alice/Contacts/Personal/", 403).with(&[ONE]).body(DATA).holds(&["supported-report"]),
        step("REPORT", HOME, 207).body(MULTIGET).holds(&[
            "<D:href>/dav/alice/Calendars/Personal/e.ics</D:href><D:propstat>",
            "/%65.ics</D:href><D:propstat>",
            "<D:href>e.ics</D:href><D:propstat>",
            "<D:href>/dav/alice/Calendars/Personal/none.ics</D:href><D:status>HTTP/1.1 404 Not Found</D:status>",
            "<D:href>http://elsewhere.example/dav/alice/Calendars/Personal/e.ics</D:href><D:status>HTTP/1.1 404",
            "<D:href>/dav/bob/Calendars/Personal/e.ics</D:href><D:status>HTTP/1.1 404",
            "<D:href>/dav/alice/loose.ics</D:href><D:status>HTTP/1.1 404",
        ]),
        step("REPORT", HOME, 200).with(&[ONE]).body(BUSY).holds(&[
            "content-type: text/calendar",
            "FREEBUSY:20240105T090000Z/20240105T100000Z",
            "END:VFREEBUSY",
        ]),
        step("REPORT", HOME, 207).body(SYNC).holds(&["BEGIN:VTODO", "BEGIN:VEVENT", "<D:sync-token>"]),
        step("PROPFIND", HOME, 207).with(&[ONE]).body(TYPES).holds(&[
            "text/calendar; charset=utf-8; component=VEVENT",
            "component=VTODO",
        ]),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn principals_are_searched_and_properties_expanded() {
    const EXPAND: &str = r#"<d:expand-property xmlns:d="DAV:"><d:property name="current-user-principal"><d:property name="displayname"/>
        <d:property name="calendar-home-set" namespace="urn:ietf:params:xml:ns:caldav"><d:property name="resourcetype"/></d:property></d:property>
        <d:property name="calendar-proxy-read-for" namespace="http://calendarserver.org/ns/"><d:property name="displayname"/></d:property></d:expand-property>"#;
    const SET: &str = r#"<d:principal-search-property-set xmlns:d="DAV:"/>"#;
    const SEARCH: &str = r#"<d:principal-property-search xmlns:d="DAV:"><d:property-search><d:prop><d:displayname/></d:prop><d:match>LIC</d:match></d:property-search>
        <d:prop><d:displayname/></d:prop><d:apply-to-principal-collection-set/></d:principal-property-search>"#;
    const MISS: &str = r#"<d:principal-property-search xmlns:d="DAV:"><d:property-search><d:prop><d:displayname/></d:prop><d:match>bob</d:match></d:property-search></d:principal-property-search>"#;
    const SELF: &str =
        r#"<d:principal-match xmlns:d="DAV:"><d:self/><d:prop><d:displayname/></d:prop></d:principal-match>"#;
    const ACL: &str = r#"<d:acl-principal-prop-set xmlns:d="DAV:"><d:prop><d:displayname/></d:prop></d:acl-principal-prop-set>"#;
    const APPLE: &str = r#"<c:calendarserver-principal-search xmlns:c="http://calendarserver.org/ns/"/>"#;
    const PROPS: &str = r#"<d:propfind xmlns:d="DAV:"><d:prop><d:acl/><d:supported-privilege-set/><d:supported-report-set/><d:supported-method-set/><d:resource-id/><d:owner/></d:prop></d:propfind>"#;
    let mut steps = Vec::new();
    for url in ["/", "/principals/", "/principals/alice/", "/dav/alice/", "/dav/alice/Calendars/"] {
        steps.extend([
            step("REPORT", url, 207).body(EXPAND).holds(&[
                "<D:current-user-principal><D:response><D:href>/principals/alice/</D:href><D:propstat><D:prop><D:displayname>alice</D:displayname>",
                "<C:calendar-home-set><D:response><D:href>/dav/alice/Calendars/</D:href>",
                "<x:calendar-proxy-read-for xmlns:x=\"http://calendarserver.org/ns/\"/></D:prop><D:status>HTTP/1.1 404",
            ]),
            step("REPORT", url, 200).body(SET).holds(&["<D:displayname/>", "xml:lang=\"en\""]),
            step("REPORT", url, 207).body(SEARCH).holds(&["/principals/alice/</D:href>"]),
            step("REPORT", url, 207).body(MISS).holds(&["!<D:response>"]),
            step("REPORT", url, 400).with(&[("Depth", "1")]).body(SEARCH),
            step("REPORT", url, 207).body(ACL).holds(&["/principals/alice/</D:href>"]),
            step("REPORT", url, 403).body(APPLE).holds(&["supported-report"]),
        ]);
    }
    steps.extend([
        step("REPORT", "/principals/", 207).body(SELF).holds(&["<D:displayname>alice"]),
        step("REPORT", "/dav/alice/", 207).body(SELF).holds(&["!<D:response>"]),
        step("PROPFIND", "/dav/alice/Calendars/Personal/", 207).with(&[("Depth", "0")]).body(PROPS).holds(&[
            "<D:ace><D:principal><D:href>/principals/alice/</D:href></D:principal><D:grant>",
            "<C:read-free-busy/>",
            "<C:calendar-multiget/>",
            "<D:supported-method name=\"MKCALENDAR\"/>",
            "!404",
        ]),
        step("ACL", "/dav/alice/", 403).holds(&["need-privileges"]),
    ]);
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn refusals_of_put_say_what_is_wrong() {
    const CARD: &str =
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:one\r\nFN:Ada\r\nN:Lovelace;Ada;;;\r\nEND:VCARD\r\n";
    const CALENDAR: (&str, &str) = ("Content-Type", "text/calendar; charset=utf-8");
    let steps = [
        step("PUT", "/dav/alice/Calendars/Personal/a.ics", 201).with(&[CALENDAR]).body(EVENT),
        step("PUT", "/dav/alice/Calendars/Personal/b.ics", 403).with(&[CALENDAR]).body(EVENT).holds(&[
            "<C:no-uid-conflict xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><D:href>/dav/alice/Calendars/Personal/a.ics</D:href>",
        ]),
        step("PUT", "/dav/alice/Contacts/Personal/a.vcf", 201).body(CARD),
        step("PUT", "/dav/alice/Contacts/Personal/b.vcf", 403).body(CARD).holds(&[
            "<C:no-uid-conflict xmlns:C=\"urn:ietf:params:xml:ns:carddav\"><D:href>/dav/alice/Contacts/Personal/a.vcf</D:href>",
        ]),
        step("PUT", "/dav/alice/Calendars/Personal/c.ics", 403)
            .with(&[("Content-Type", "application/calendar+json")])
            .body("[]")
            .holds(&["<C:supported-calendar-data"]),
        step("PUT", "/dav/alice/Contacts/Personal/c.vcf", 403)
            .with(&[("Content-Type", "text/calendar")])
            .body(CARD)
            .holds(&["<C:supported-address-data xmlns:C=\"urn:ietf:params:xml:ns:carddav\""]),
        step("PUT", "/dav/alice/Calendars/Personal/c.ics", 403).with(&[CALENDAR]).body("x").holds(&["<C:valid-calendar-data"]),
        step("COPY", "/dav/alice/Calendars/Personal/a.ics", 403)
            .with(&[("Destination", "/dav/alice/Calendars/Personal/d.ics")])
            .holds(&["no-uid-conflict", "/a.ics</D:href>"]),
        step("MKCOL", "/dav/alice/f", 201),
        step("MOVE", "/dav/alice/f", 403)
            .with(&[("Destination", "/dav/alice/Calendars/Personal/f")])
            .holds(&["calendar-collection-location-ok"]),
        step("PUT", "/dav/alice/Calendars/Personal/a.ics", 200)
            .with(&[CALENDAR, ("Prefer", "return=representation")])
            .body(EVENT)
            .holds(&["BEGIN:VEVENT", "preference-applied: return=representation", "component=VEVENT"]),
        step("PUT", "/dav/alice/Calendars/Personal/a.ics", 412)
            .with(&[CALENDAR, ("If-None-Match", "*"), ("Prefer", "return=representation")])
            .body(EVENT)
            .holds(&["BEGIN:VEVENT", "etag: "]),
        step("GET", "/dav/alice/Calendars/Personal/a.ics", 200).holds(&["content-type: text/calendar; charset=utf-8; component=VEVENT"]),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn whole_calendars_come_and_go() {
    const ZONE: &str = "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:STANDARD\r\nDTSTART:19961027T030000\r\nTZOFFSETFROM:+0200\r\n\
        TZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";
    let event = |n: u32| {
        format!(
            "BEGIN:VEVENT\r\nUID:e{n}\r\nDTSTAMP:20240101T000000Z\r\nDTSTART;TZID=Europe/Berlin:20240105T0{n}0000\r\nEND:VEVENT\r\n"
        )
    };
    let whole = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nMETHOD:PUBLISH\r\n{ZONE}{}{}END:VCALENDAR\r\n",
        event(1),
        event(2)
    );
    let cards = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:A\r\nN:A;;;;\r\nEND:VCARD\r\nBEGIN:VCARD\r\nVERSION:3.0\r\nUID:2\r\nFN:B\r\nN:B;;;;\r\nEND:VCARD\r\n";
    let mut client = Client::new().await;
    let calendar = [("Content-Type", "text/calendar")];
    for method in ["PUT", "POST"] {
        let reply = client.ask(method, "/dav/alice/Calendars/Personal/", &calendar, &whole).await;
        assert_eq!((reply.status, reply.body.matches("<D:getetag>").count()), (207, 2), "{}", reply.body);
    }
    let vcard = [("Content-Type", "text/vcard")];
    assert_eq!(client.ask("POST", "/dav/alice/Contacts/Personal/", &vcard, cards).await.status, 207);
    assert_eq!(client.ask("POST", "/dav/alice/Contacts/Personal/", &calendar, &whole).await.status, 403);
    assert_eq!(client.ask("PUT", "/dav/alice/", &calendar, &whole).await.status, 405);
    assert_eq!(client.ask("POST", "/dav/alice/Contacts/Personal/", &[], cards).await.status, 405);
    for (url, headers) in [
        ("/dav/alice/Calendars/Personal/?export", &[][..]),
        ("/dav/alice/Calendars/Personal", &[("Accept", "text/calendar")]),
        ("/dav/alice/Calendars/Personal/", &[("Accept", "text/calendar;q=0.9, text/html;q=0")]),
    ] {
        let reply = client.ask("GET", url, headers, "").await;
        assert_eq!(reply.status, 200, "{url}");
        assert!(reply.header("content-type").unwrap().starts_with("text/calendar"), "{}", reply.head);
        for (part, count) in
            [("BEGIN:VCALENDAR", 1), ("BEGIN:VTIMEZONE", 1), ("BEGIN:VEVENT", 2), ("METHOD", 0)]
        {
            assert_eq!(reply.body.matches(part).count(), count, "{part}: {}", reply.body);
        }
        assert!(
            reply.body.contains("X-WR-CALNAME:Personal\r\n") && reply.body.ends_with("END:VCALENDAR\r\n")
        );
        assert!(client.ask("HEAD", url, headers, "").await.body.is_empty());
    }
    let reply = client.ask("GET", "/dav/alice/Contacts/Personal/?export", &[], "").await;
    assert_eq!(reply.body, cards);
    for (url, headers) in [
        ("/dav/alice/Calendars/Personal/", &[("Accept", "text/html,*/*")][..]),
        ("/dav/alice/Calendars/Personal/", &[("Accept", "text/calendar;q=0.0")]),
        ("/dav/alice/?export", &[]),
    ] {
        let reply = client.ask("GET", url, headers, "").await;
        assert!(reply.header("content-type").unwrap().starts_with("text/html"), "{url} {headers:?}");
    }
}

#[tokio::test]
async fn a_home_is_synchronized_with_all_that_is_in_it() {
    const DEEP: &str = r#"<d:sync-collection xmlns:d="DAV:"><d:sync-token>{sync}</d:sync-token><d:sync-level>infinite</d:sync-level><d:prop><d:getetag/></d:prop></d:sync-collection>"#;
    const FIRST: &str = r#"<d:sync-collection xmlns:d="DAV:"><d:sync-token/><d:sync-level>infinite</d:sync-level><d:prop><d:getetag/></d:prop></d:sync-collection>"#;
    const DATA: &str = r#"<d:sync-collection xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:sync-token/><d:sync-level>infinite</d:sync-level><d:prop><c:calendar-data/></d:prop></d:sync-collection>"#;
    const FLAT: &str = r#"<d:sync-collection xmlns:d="DAV:"><d:sync-token>{sync}</d:sync-token><d:sync-level>1</d:sync-level><d:prop><d:resourcetype/></d:prop></d:sync-collection>"#;
    const OLD: &str = r#"<d:sync-collection xmlns:d="DAV:"><d:sync-token>{sync}</d:sync-token><d:prop><d:getetag/></d:prop></d:sync-collection>"#;
    const LIMIT: &str = r#"<d:sync-collection xmlns:d="DAV:"><d:sync-token/><d:sync-level>infinite</d:sync-level><d:limit><d:nresults>1</d:nresults></d:limit><d:prop/></d:sync-collection>"#;
    const BAD: &str = r#"<d:sync-collection xmlns:d="DAV:"><d:sync-token>urn:x</d:sync-token><d:sync-level>1</d:sync-level><d:prop/></d:sync-collection>"#;
    const HOME: &str = "/dav/alice/Calendars/";
    const EVENT_ROW: &str = "/dav/alice/Calendars/Personal/e.ics</D:href><D:propstat>";
    let steps = [
        step("PUT", "/dav/alice/Calendars/Personal/e.ics", 201).body(EVENT),
        step("REPORT", HOME, 207).body(FIRST).holds(&[
            EVENT_ROW,
            "/dav/alice/Calendars/Personal/</D:href>",
            "<D:sync-token>",
        ]),
        step("REPORT", HOME, 207).body(DEEP).holds(&["!<D:response>"]),
        step("PUT", "/dav/alice/Calendars/Personal/t.ics", 201).body(TODO),
        step("REPORT", HOME, 207).body(DEEP).holds(&[
            "Personal/t.ics</D:href><D:propstat>",
            "!e.ics",
            "Personal/</D:href>",
        ]),
        step("DELETE", "/dav/alice/Calendars/Personal/t.ics", 204),
        step("REPORT", HOME, 207)
            .with(&[("Depth", "infinity")])
            .body(OLD)
            .holds(&["Personal/t.ics</D:href><D:status>HTTP/1.1 404"]),
        step("MKCALENDAR", "/dav/alice/Calendars/Work/", 201),
        step("MOVE", "/dav/alice/Calendars/Personal/e.ics", 201)
            .with(&[("Destination", "/dav/alice/Calendars/Work/e.ics")]),
        step("REPORT", HOME, 207).body(DEEP).holds(&[
            "/dav/alice/Calendars/Work/</D:href>",
            "/dav/alice/Calendars/Work/e.ics</D:href><D:propstat>",
            "/dav/alice/Calendars/Personal/e.ics</D:href><D:status>HTTP/1.1 404",
        ]),
        step("PUT", "/dav/alice/Calendars/Work/t.ics", 201).body(TODO),
        step("REPORT", HOME, 207).body(FLAT).holds(&[
            "/dav/alice/Calendars/Work/</D:href>",
            "!Personal",
            "!t.ics",
        ]),
        step("REPORT", HOME, 207).body(FLAT).holds(&["!<D:response>"]),
        step("DELETE", "/dav/alice/Calendars/Work/", 204),
        step("REPORT", HOME, 207)
            .body(DEEP)
            .holds(&["/dav/alice/Calendars/Work/</D:href><D:status>HTTP/1.1 404", "!e.ics"]),
        step("PUT", "/dav/alice/Calendars/Personal/e.ics", 201).body(EVENT),
        step("REPORT", HOME, 207).body(DATA).holds(&[
            "Personal/e.ics</D:href><D:propstat>",
            "BEGIN:VEVENT",
            "<D:sync-token>",
        ]),
        step("REPORT", HOME, 507).body(LIMIT).holds(&["number-of-matches-within-limits"]),
        step("REPORT", "/dav/alice/", 207).body(FIRST).holds(&["/dav/alice/Contacts/Personal/</D:href>"]),
        step("REPORT", HOME, 400).with(&[("Depth", "infinity")]).body(FLAT),
        step("REPORT", HOME, 403).body(BAD).holds(&["<D:valid-sync-token>"]),
        step("REPORT", HOME, 400)
            .with(&[("User-Agent", "Thunderbird/140.1")])
            .body(BAD)
            .holds(&["<D:valid-sync-token"]),
    ];
    Client::new().await.run(&steps).await;
}
