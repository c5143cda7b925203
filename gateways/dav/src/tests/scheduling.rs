//! Scheduling and attachments over a socket.

use super::*;

const PEOPLE: [(&str, &str); 2] = [("alice", "alice@example.com"), ("bob", "bob@example.com")];
const MEETING: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nBEGIN:VEVENT\r\nUID:meet\r\nDTSTAMP:20240101T000000Z\r\n\
    DTSTART:20300105T090000Z\r\nDTEND:20300105T100000Z\r\nSUMMARY:Meet\r\nORGANIZER:mailto:alice@example.com\r\n\
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.com\r\nATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.com\r\n\
    END:VEVENT\r\nEND:VCALENDAR\r\n";

/// A client for each of the two.
async fn two() -> (Client, Client) {
    let (core, alice) = store().await;
    let operator = core.operator();
    let change =
        |address: &str| AccountChange { emails: Some(vec![address.to_owned()]), ..AccountChange::default() };
    operator.change_account(PEOPLE[0].0, change(PEOPLE[0].1)).await.unwrap();
    operator.add_account(PEOPLE[1].0, change(PEOPLE[1].1)).await.unwrap();
    let grants = vec![parse_grant("all").unwrap()];
    let credential = operator.add_credential("bob", "test", grants, None).await.unwrap();
    let pair = format!("bob:{}", credential.password.as_str());
    let bob = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    (Client::of(core.clone(), alice, Vec::new()).await, Client::of(core, bob, Vec::new()).await)
}

#[tokio::test]
async fn an_invitation_goes_there_and_the_answer_comes_back() {
    const CALENDAR: (&str, &str) = ("Content-Type", "text/calendar; charset=utf-8");
    const QUERY: &str = r#"<c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><d:getetag/><c:calendar-data/><c:schedule-tag/></d:prop>
        <c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT"/></c:comp-filter></c:filter></c:calendar-query>"#;
    let (mut alice, mut bob) = two().await;
    let reply = alice.ask("PUT", "/dav/alice/Calendars/Personal/meet.ics", &[CALENDAR], MEETING).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let tag = reply.header("schedule-tag").expect("what is scheduled has a tag");
    // The server wrote into it, so what was sent has no entity tag.
    let stored = alice.ask("GET", "/dav/alice/Calendars/Personal/meet.ics", &[], "").await;
    assert_eq!(stored.header("schedule-tag"), Some(tag.clone()));
    assert_eq!(reply.header("etag").is_some(), stored.body == MEETING);
    let found = bob.ask("REPORT", "/dav/bob/Calendars/Personal/", &[("Depth", "1")], QUERY).await;
    assert!(found.body.contains("SUMMARY:Meet") && found.body.contains("<C:schedule-tag>"), "{}", found.body);
    let inbox = bob.ask("REPORT", "/dav/bob/Calendars/inbox/", &[("Depth", "1")], QUERY).await;
    assert!(inbox.body.contains("METHOD:REQUEST"), "{}", inbox.body);
    let at = found.body.split("<D:href>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let copy = bob.ask("GET", &at, &[], "").await;
    let own = copy.header("schedule-tag").unwrap();
    let accepted = copy.body.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED");
    let wrong = [CALENDAR, ("If-Schedule-Tag-Match", "\"other\"")];
    assert_eq!(bob.ask("PUT", &at, &wrong, &accepted).await.status, 412);
    let right = [CALENDAR, ("If-Schedule-Tag-Match", own.as_str())];
    assert_eq!(bob.ask("PUT", &at, &right, &accepted).await.status, 204);
    let told = alice.ask("GET", "/dav/alice/Calendars/Personal/meet.ics", &[], "").await;
    assert!(told.body.contains("PARTSTAT=ACCEPTED") && !told.body.contains("NEEDS-ACTION"), "{}", told.body);
    assert_eq!(bob.ask("DELETE", &at, &[("Schedule-Reply", "F")], "").await.status, 204);
    let told = alice.ask("GET", "/dav/alice/Calendars/Personal/meet.ics", &[], "").await;
    assert!(!told.body.contains("DECLINED"), "{}", told.body);
    let stolen = MEETING.replace("ORGANIZER:mailto:alice", "ORGANIZER:mailto:bob");
    let refused = alice.ask("PUT", "/dav/alice/Calendars/Personal/meet.ics", &[CALENDAR], &stolen).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("urn:ietf:params:xml:ns:caldav"), "{}", refused.body);
}

#[tokio::test]
async fn busy_times_are_asked_on_the_outbox() {
    const ASK: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nUID:fb\r\nDTSTAMP:20240101T000000Z\r\n\
        DTSTART:20300105T000000Z\r\nDTEND:20300106T000000Z\r\nORGANIZER:mailto:bob@example.com\r\nATTENDEE:mailto:alice@example.com\r\n\
        ATTENDEE:mailto:nobody@example.com\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n";
    const CALENDAR: (&str, &str) = ("Content-Type", "text/calendar");
    let (mut alice, mut bob) = two().await;
    assert_eq!(alice.ask("PUT", "/dav/alice/Calendars/Personal/meet.ics", &[], MEETING).await.status, 201);
    let reply = bob.ask("POST", "/dav/bob/Calendars/outbox/", &[CALENDAR], ASK).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    for wanted in [
        "<C:schedule-response ",
        "<C:recipient><D:href>mailto:alice@example.com</D:href></C:recipient><C:request-status>2.0;Success</C:request-status><C:calendar-data>",
        ":20300105T090000Z/",
        "<D:href>mailto:nobody@example.com</D:href></C:recipient><C:request-status>3.7",
    ] {
        assert!(reply.body.contains(wanted), "{wanted} {}", reply.body);
    }
    let refused = alice.ask("POST", "/dav/alice/Calendars/outbox/", &[CALENDAR], ASK).await;
    assert!(refused.status == 403 && refused.body.contains("<C:valid-organizer"), "{}", refused.body);
    let refused = bob.ask("POST", "/dav/bob/Calendars/outbox/", &[CALENDAR], MEETING).await;
    assert!(
        refused.status == 403 && refused.body.contains("<C:valid-scheduling-message"),
        "{}",
        refused.body
    );
    assert_eq!(
        bob.ask("POST", "/dav/bob/Calendars/outbox/", &[("Content-Type", "text/plain")], ASK).await.status,
        403
    );
}

#[tokio::test]
async fn the_default_calendar_is_chosen_on_the_inbox() {
    const ASK: &str = r#"<d:propfind xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><c:schedule-default-calendar-URL/><c:calendar-free-busy-set/><d:current-user-privilege-set/></d:prop></d:propfind>"#;
    const WORK: &str = r#"<d:propertyupdate xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:set><d:prop><c:schedule-default-calendar-URL><d:href>/dav/alice/Calendars/Work/</d:href></c:schedule-default-calendar-URL></d:prop></d:set></d:propertyupdate>"#;
    const WRONG: &str = r#"<d:propertyupdate xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:set><d:prop><c:schedule-default-calendar-URL><d:href>/dav/alice/public/</d:href></c:schedule-default-calendar-URL></d:prop></d:set></d:propertyupdate>"#;
    const INBOX: &str = "/dav/alice/Calendars/inbox/";
    const BUSY: &str = r#"<d:propertyupdate xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:set><d:prop><c:calendar-free-busy-set><d:href>/dav/alice/Calendars/Work</d:href></c:calendar-free-busy-set></d:prop></d:set></d:propertyupdate>"#;
    const NEVER: &str = r#"<d:propertyupdate xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:set><d:prop><c:calendar-free-busy-set><d:href>/dav/alice/public/</d:href></c:calendar-free-busy-set></d:prop></d:set></d:propertyupdate>"#;
    let steps = [
        step("PROPFIND", INBOX, 207).with(&[("Depth", "0")]).body(ASK).holds(&[
            "<C:schedule-default-calendar-URL><D:href>/dav/alice/Calendars/Personal/</D:href>",
            "<C:schedule-deliver/>",
        ]),
        step("MKCALENDAR", "/dav/alice/Calendars/Work/", 201),
        step("PROPPATCH", INBOX, 207).body(WORK).holds(&["200 OK"]),
        step("PROPFIND", INBOX, 207)
            .with(&[("Depth", "0")])
            .body(ASK)
            .holds(&["<C:schedule-default-calendar-URL><D:href>/dav/alice/Calendars/Work/</D:href>"]),
        step("PROPPATCH", INBOX, 207).body(WRONG).holds(&[
            "valid-schedule-default-calendar-URL",
            "403 Forbidden",
            "!200 OK",
        ]),
        step("PROPPATCH", "/dav/alice/Calendars/Work/", 207).body(WORK).holds(&["403 Forbidden"]),
        // The drafts before RFC 6638 set there what makes busy.
        step("PROPPATCH", INBOX, 207).body(BUSY).holds(&["200 OK"]),
        step("PROPFIND", INBOX, 207)
            .with(&[("Depth", "0")])
            .body(ASK)
            .holds(&["<C:calendar-free-busy-set><D:href>/dav/alice/Calendars/Work/</D:href></C:calendar-free-busy-set>"]),
        step("PROPPATCH", INBOX, 207).body(NEVER).holds(&["409 Conflict", "!200 OK"]),
        step("PROPPATCH", "/dav/alice/Calendars/Work/", 207)
            .body(BUSY)
            .holds(&["403 Forbidden"]),
        step("POST", INBOX, 403).body(MEETING),
        step("PUT", "/dav/alice/Calendars/inbox/x.ics", 403).body(MEETING),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn attachments_are_added_changed_and_removed() {
    const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nBEGIN:VEVENT\r\nUID:one\r\nDTSTAMP:20240101T000000Z\r\n\
        DTSTART:20240105T090000Z\r\nSUMMARY:With papers\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    const AT: &str = "/dav/alice/Calendars/Personal/e.ics";
    const TEXT: (&str, &str) = ("Content-Type", "text/plain");
    const NAMED: (&str, &str) = ("Content-Disposition", "attachment; filename=\"agenda.txt\"");
    const WHOLE: (&str, &str) = ("Prefer", "return=representation");
    let mut client = Client::new().await;
    assert_eq!(client.ask("PUT", AT, &[], EVENT).await.status, 201);
    let url = format!("{AT}?action=attachment-add");
    let added = client.ask("POST", &url, &[TEXT, NAMED, WHOLE], "the agenda").await;
    assert_eq!(added.status, 201, "{}", added.body);
    let id = added.header("cal-managed-id").unwrap();
    assert!(added.header("location").unwrap().contains("/attachments/"));
    let unfolded = added.body.replace("\r\n ", "");
    assert!(unfolded.contains(&format!("MANAGED-ID={id}")) && unfolded.contains("agenda.txt"), "{unfolded}");
    let link =
        unfolded.lines().find(|line| line.starts_with("ATTACH")).unwrap().split("http://").nth(1).unwrap();
    let path = link[link.find('/').unwrap()..].to_owned();
    let had = client.ask("GET", &path, &[("Anonymous", "1")], "").await;
    assert_eq!((had.status, had.body.as_str()), (200, "the agenda"));
    assert_eq!(had.header("content-type").as_deref(), Some("text/plain"));
    assert!(had.header("content-disposition").unwrap().contains("agenda.txt"));
    assert_eq!(client.ask("GET", "/attachments/none/x", &[("Anonymous", "1")], "").await.status, 404);

    let url = format!("{AT}?action=attachment-update&managed-id={id}");
    let updated = client.ask("POST", &url, &[TEXT, NAMED], "another agenda").await;
    assert_eq!(updated.status, 204, "{}", updated.body);
    let second = updated.header("cal-managed-id").unwrap();
    assert_ne!(id, second);
    let url = format!("{AT}?action=attachment-remove&managed-id={second}");
    assert_eq!(client.ask("POST", &url, &[], "").await.status, 204);
    assert!(!client.ask("GET", AT, &[], "").await.body.contains("ATTACH"));
    for (query, condition) in [
        ("action=attachment-burn", "valid-action-parameter"),
        ("action=attachment-remove", "valid-managed-id-parameter"),
        ("action=attachment-remove&managed-id=none", "valid-managed-id-parameter"),
        ("action=attachment-add&rid=20990101T000000Z", "valid-rid-parameter"),
    ] {
        let refused = client.ask("POST", &format!("{AT}?{query}"), &[TEXT, NAMED], "x").await;
        assert!(
            refused.status == 403 && refused.body.contains(condition),
            "{query} {} {}",
            refused.status,
            refused.body
        );
    }
}
