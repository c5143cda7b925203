//! Calendars lent to others, and published by a link.

use allod_model::{NameRule, Path, Rights};

use super::*;

const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nBEGIN:VEVENT\r\nUID:one\r\nDTSTAMP:20240101T000000Z\r\n\
    DTSTART:20240105T090000Z\r\nDURATION:PT1H\r\nSUMMARY:Together\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

/// A client of `alice`, to whom `bob` lends his calendar `Work`.
async fn borrower(rights: Rights) -> (Client, Core) {
    let (core, authorization) = store().await;
    let operator = core.operator();
    operator.add_account("bob", AccountChange::default()).await.unwrap();
    let bob = operator.session("bob").unwrap();
    let work = Path::parse(b"Calendars/Work", NameRule::Strict).unwrap();
    let options = allod_core::FolderOptions { kind: allod_model::Kind::Calendar, ..Default::default() };
    bob.make_folder(&work, options, Default::default()).await.unwrap();
    bob.share(&work, "alice", rights).await.unwrap();
    (Client::of(core.clone(), authorization, Vec::new()).await, core)
}

const LENT: &str = "/dav/alice/Calendars/Work%20(bob)/";
const ASK: &str = r#"<d:propfind xmlns:d="DAV:" xmlns:a="http://apple.com/ns/ical/"><d:prop><d:resourcetype/><d:owner/><d:current-user-privilege-set/><d:displayname/><a:calendar-color/><d:sync-token/></d:prop></d:propfind>"#;
const QUERY: &str = r#"<c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><d:getetag/><c:calendar-data/></d:prop>
    <c:filter><c:comp-filter name="VCALENDAR"/></c:filter></c:calendar-query>"#;
const MULTIGET: &str = r#"<c:calendar-multiget xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><c:calendar-data/></d:prop>
    <d:href>/dav/alice/Calendars/Work%20(bob)/e.ics</d:href><d:href>/dav/bob/Calendars/Work/e.ics</d:href></c:calendar-multiget>"#;
const SYNC: &str = r#"<d:sync-collection xmlns:d="DAV:"><d:sync-token>{sync}</d:sync-token><d:sync-level>1</d:sync-level><d:prop><d:getetag/></d:prop></d:sync-collection>"#;

#[tokio::test]
async fn a_lent_calendar_is_like_ones_own() {
    const PATCH: &str = r##"<d:propertyupdate xmlns:d="DAV:" xmlns:a="http://apple.com/ns/ical/"><d:set><d:prop><d:displayname>Bob's work</d:displayname><a:calendar-color>#112233FF</a:calendar-color></d:prop></d:set></d:propertyupdate>"##;
    let (mut client, core) = borrower(Rights::Write).await;
    let steps = [
        step("PROPFIND", "/dav/alice/Calendars/", 207).with(&[("Depth", "1")]).body(ASK).holds(&[
            "<D:href>/dav/alice/Calendars/Work%20(bob)/</D:href>",
            "<C:calendar/><CS:shared/>",
            "<D:owner><D:href>/principals/bob/</D:href>",
        ]),
        step("PROPFIND", LENT, 207).with(&[("Depth", "0")]).body(ASK).holds(&["<D:write/>", "<CS:shared/>"]),
        step("PUT", "/dav/alice/Calendars/Work%20(bob)/e.ics", 201).body(EVENT),
        step("PUT", "/dav/alice/Calendars/Work%20(bob)/f.ics", 403)
            .body(EVENT)
            .holds(&["<D:href>/dav/alice/Calendars/Work%20(bob)/e.ics</D:href>"]),
        step("PROPFIND", LENT, 207)
            .with(&[("Depth", "1")])
            .body(ASK)
            .holds(&["/dav/alice/Calendars/Work%20(bob)/e.ics<", "!/dav/bob"]),
        step("REPORT", LENT, 207)
            .with(&[("Depth", "1")])
            .body(QUERY)
            .holds(&["/dav/alice/Calendars/Work%20(bob)/e.ics<", "Together"]),
        step("REPORT", LENT, 207)
            .body(MULTIGET)
            .holds(&["Together", "/dav/bob/Calendars/Work/e.ics</D:href><D:status>HTTP/1.1 404"]),
        step("REPORT", LENT, 207).body(SYNC).holds(&["<D:sync-token>urn:allod:sync:", "!<D:response>"]),
        step("PROPPATCH", LENT, 207).body(PATCH).holds(&["200 OK"]),
        step("PROPFIND", LENT, 207)
            .with(&[("Depth", "0")])
            .body(ASK)
            .holds(&["Bob&#39;s work<", "#112233FF"]),
        step("GET", "/dav/alice/Calendars/Work%20(bob)/e.ics", 200).holds(&["Together"]),
        step("GET", "/dav/alice/Calendars/Work%20(bob)/?export", 200)
            .holds(&["Together", "X-WR-CALNAME:Bob's work"]),
        step("MOVE", LENT, 403).with(&[("Destination", "/dav/alice/Calendars/Mine/")]),
        step("MOVE", "/dav/alice/Calendars/Work%20(bob)/e.ics", 201)
            .with(&[("Destination", "/dav/alice/Calendars/Work%20(bob)/g.ics")]),
        step("DELETE", "/dav/alice/Calendars/Work%20(bob)/g.ics", 204),
        step("DELETE", LENT, 204),
        step("PROPFIND", LENT, 404).with(&[("Depth", "0")]),
    ];
    client.run(&steps).await;
    let bob = core.operator().session("bob").unwrap();
    let work = Path::parse(b"Calendars/Work", NameRule::Strict).unwrap();
    assert!(bob.stat(&work, allod_core::Want::Folder, false).await.is_ok(), "its owner has it still");
}

#[tokio::test]
async fn lent_for_reading_is_not_written() {
    let (mut client, _) = borrower(Rights::Read).await;
    let steps = [
        step("PROPFIND", LENT, 207).with(&[("Depth", "0")]).body(ASK).holds(&["<D:read/>", "!<D:write/>"]),
        step("PUT", "/dav/alice/Calendars/Work%20(bob)/e.ics", 403).body(EVENT).holds(&["need-privileges"]),
        step("REPORT", LENT, 207).with(&[("Depth", "1")]).body(QUERY),
        step("PROPFIND", "/dav/bob/Calendars/Work/", 404).with(&[("Depth", "0")]),
    ];
    client.run(&steps).await;
}

#[tokio::test]
async fn published_calendars_are_read_by_their_link() {
    let (core, authorization) = store().await;
    let mut client = Client::of(core.clone(), authorization, Vec::new()).await;
    assert_eq!(client.ask("PUT", "/dav/alice/Calendars/Personal/e.ics", &[], EVENT).await.status, 201);
    let alice = core.operator().session("alice").unwrap();
    let personal = Path::parse(b"Calendars/Personal", NameRule::Strict).unwrap();
    let token = alice.publish(&personal).await.unwrap();
    let url = format!("/calendars/{}.ics", token.as_str());
    let anonymous = ("Anonymous", "1");
    let reply = client.ask("GET", &url, &[anonymous], "").await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(reply.body.contains("SUMMARY:Together") && reply.body.contains("X-WR-CALNAME:Personal"));
    let again = client.ask("GET", &url, &[anonymous, ("If-None-Match", "{etag}")], "").await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(client.ask("PUT", &url, &[anonymous], "x").await.status, 405);
    assert_eq!(client.ask("GET", "/calendars/none.ics", &[anonymous], "").await.status, 404);
    alice.unpublish(&personal).await.unwrap();
    assert_eq!(client.ask("GET", &url, &[anonymous], "").await.status, 404);
}

#[tokio::test]
async fn calendars_are_shared_and_published_by_post() {
    const SHARE: &str = r#"<s:share xmlns:d="DAV:" xmlns:s="http://calendarserver.org/ns/"><s:set><d:href>mailto:bob@example.com</d:href><s:summary>Ours</s:summary><s:read-write/></s:set></s:share>"#;
    const NOBODY: &str = r#"<s:share xmlns:d="DAV:" xmlns:s="http://calendarserver.org/ns/"><s:set><d:href>mailto:nobody@example.com</d:href><s:read/></s:set></s:share>"#;
    const REMOVE: &str = r#"<s:share xmlns:d="DAV:" xmlns:s="http://calendarserver.org/ns/"><s:remove><d:href>/principals/bob/</d:href></s:remove></s:share>"#;
    const PUBLISH: &str = r#"<s:publish-calendar xmlns:s="http://calendarserver.org/ns/"/>"#;
    const UNPUBLISH: &str = r#"<s:unpublish-calendar xmlns:s="http://calendarserver.org/ns/"/>"#;
    const ASK: &str = r#"<d:propfind xmlns:d="DAV:" xmlns:s="http://calendarserver.org/ns/"><d:prop><d:resourcetype/><s:invite/><s:allowed-sharing-modes/><s:publish-url/></d:prop></d:propfind>"#;
    const XML: (&str, &str) = ("Content-Type", "application/xml; charset=utf-8");
    const PERSONAL: &str = "/dav/alice/Calendars/Personal/";
    let (core, authorization) = store().await;
    let emails = Some(vec!["bob@example.com".to_owned()]);
    core.operator().add_account("bob", AccountChange { emails, ..AccountChange::default() }).await.unwrap();
    let mut client = Client::of(core, authorization, Vec::new()).await;
    let steps = [
        step("PROPFIND", PERSONAL, 207).with(&[("Depth", "0")]).body(ASK).holds(&[
            "!<CS:shared",
            "<CS:allowed-sharing-modes><CS:can-be-shared/><CS:can-be-published/>",
        ]),
        step("POST", PERSONAL, 200).with(&[XML]).body(SHARE),
        step("PROPFIND", "/dav/alice/Calendars/", 207).with(&[("Depth", "1")]).body(ASK).holds(&[
            "<C:calendar/><CS:shared-owner/>",
            "<CS:user><D:href>mailto:bob@example.com</D:href><CS:common-name>bob</CS:common-name><CS:invite-accepted/><CS:access><CS:read-write/></CS:access></CS:user>",
        ]),
        step("POST", PERSONAL, 403).with(&[XML]).body(NOBODY),
        step("POST", PERSONAL, 200).with(&[XML]).body(REMOVE),
        step("POST", PERSONAL, 200).with(&[XML]).body(REMOVE),
        step("PROPFIND", PERSONAL, 207).with(&[("Depth", "0")]).body(ASK).holds(&["!<CS:shared", "!<CS:user>"]),
        step("POST", PERSONAL, 200).with(&[XML]).body(PUBLISH),
        step("PROPFIND", PERSONAL, 207)
            .with(&[("Depth", "0")])
            .body(ASK)
            .holds(&["<CS:publish-url><D:href>http://{host}/calendars/"]),
        step("POST", PERSONAL, 200).with(&[XML]).body(UNPUBLISH),
        step("POST", PERSONAL, 200).with(&[XML]).body(UNPUBLISH),
        step("PROPFIND", PERSONAL, 207).with(&[("Depth", "0")]).body(ASK).holds(&["<CS:publish-url/></D:prop>"]),
        step("POST", PERSONAL, 400).with(&[XML]).body("<x/>"),
        step("POST", "/dav/alice/", 405).with(&[XML]).body(SHARE),
    ];
    client.run(&steps).await;
}
