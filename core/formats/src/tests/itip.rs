//! Scheduling: the examples of RFC 5546 §4 and RFC 6638 Appendix B, and what they leave open.

use proptest::prelude::*;

use super::{calendar_of, utc};
use crate::calendar::itip::*;

const PRODUCT: &str = "-//x//y//EN";

fn making(now: &str) -> Making<'static> {
    Making { now: utc(now), product: PRODUCT }
}

fn now() -> Making<'static> {
    making("20090602T185254Z")
}

fn owner(name: &str) -> Owner {
    Owner::new([format!("MAILTO:{name}@Example.com")])
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Logical lines, so that folds do not matter.
fn lines(bytes: &[u8]) -> Vec<String> {
    crate::Lines::new(bytes).map(|line| line.text.into_owned()).collect()
}

fn has(bytes: &[u8], line: &str) -> bool {
    lines(bytes).iter().any(|known| known == line)
}

fn partstat(bytes: &[u8], instance: Option<&str>, name: &str) -> Option<String> {
    let all = parties(bytes).unwrap();
    let found = all.into_iter().find(|one| one.instance == instance.map(utc))?;
    let canonical = format!("mailto:{name}@example.com");
    found.attendees.into_iter().find(|party| party.canonical == canonical).map(|party| party.partstat)
}

/// RFC 6638 Appendix B.1.
fn lunch() -> String {
    calendar_of(
        "BEGIN:VEVENT\nUID:9263504FD3AD\nSEQUENCE:0\nDTSTAMP:20090602T185254Z\nDTSTART:20090602T160000Z\n\
         DTEND:20090602T170000Z\nTRANSP:OPAQUE\nSUMMARY:Lunch\n\
         ORGANIZER;CN=\"Cyrus Daboo\":mailto:cyrus@example.com\n\
         ATTENDEE;CN=\"Cyrus Daboo\";CUTYPE=INDIVIDUAL;PARTSTAT=ACCEPTED:mailto:cyrus@example.com\n\
         ATTENDEE;CN=\"Wilfredo Sanchez Vega\";CUTYPE=INDIVIDUAL;PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE:mailto:wilfredo@example.com\n\
         ATTENDEE;CN=\"Bernard Desruisseaux\";CUTYPE=INDIVIDUAL;PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE:mailto:bernard@example.com\n\
         BEGIN:VALARM\nTRIGGER:-PT15M\nACTION:DISPLAY\nEND:VALARM\nX-MOZ-LASTACK:20090602T100000Z\nEND:VEVENT",
    )
}

/// RFC 6638 Appendix B.7, without the zone's rules: its name is known.
fn daily(master: &str, overrides: &str) -> String {
    let people = "ORGANIZER;CN=\"Cyrus Daboo\":mailto:cyrus@example.com\n\
         ATTENDEE;CN=\"Cyrus Daboo\";PARTSTAT=ACCEPTED:mailto:cyrus@example.com\n\
         ATTENDEE;CN=\"Bernard Desruisseaux\";PARTSTAT=ACCEPTED;ROLE=REQ-PARTICIPANT;RSVP=TRUE:mailto:bernard@example.com";
    calendar_of(&format!(
        "BEGIN:VEVENT\nUID:9263504FD3AD\nSEQUENCE:0\nDTSTAMP:20090602T185254Z\n\
         DTSTART;TZID=America/Montreal:20090601T150000\nDTEND;TZID=America/Montreal:20090601T160000\n\
         RRULE:FREQ=DAILY;INTERVAL=1;COUNT=5\nTRANSP:OPAQUE\nSUMMARY:Review Internet-Draft\n{people}\n{master}\nEND:VEVENT\n{overrides}"
    ))
}

fn instance(day: &str, partstat: &str, extra: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:9263504FD3AD\nSEQUENCE:0\nDTSTAMP:20090603T183823Z\n\
         RECURRENCE-ID;TZID=America/Montreal:200906{day}T150000\n\
         DTSTART;TZID=America/Montreal:200906{day}T150000\nDTEND;TZID=America/Montreal:200906{day}T160000\n\
         SUMMARY:Review Internet-Draft\nORGANIZER;CN=\"Cyrus Daboo\":mailto:cyrus@example.com\n\
         ATTENDEE;CN=\"Cyrus Daboo\";PARTSTAT=ACCEPTED:mailto:cyrus@example.com\n\
         ATTENDEE;CN=\"Bernard Desruisseaux\";PARTSTAT={partstat};ROLE=REQ-PARTICIPANT;RSVP=TRUE:mailto:bernard@example.com\n\
         {extra}\nEND:VEVENT\n"
    )
}

fn by_cyrus(old: Option<&str>, new: Option<&str>) -> OrganizerWrite {
    organizer_write(old.map(str::as_bytes), new.map(str::as_bytes), &owner("cyrus"), false, now()).unwrap()
}

fn by(name: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> Result<AttendeeWrite, Refusal> {
    attendee_write(old, new, &owner(name), now())
}

/// (method, receivers' names) of each message.
fn sent(write: &OrganizerWrite) -> Vec<(Method, Vec<&str>)> {
    let names = |message: &Message| -> Vec<&'static str> {
        let known = ["cyrus", "wilfredo", "bernard", "mike"];
        let all = message.to.iter().map(|to| *known.iter().find(|name| to.contains(**name)).unwrap());
        all.collect()
    };
    write.messages.iter().map(|message| (message.method, names(message))).collect()
}

#[test]
fn addresses_are_compared_without_case_and_scheme() {
    for (one, other) in [
        ("mailto:a@x.org", "MAILTO:A@X.ORG"),
        ("mailto:a@x.org", "a@x.org"),
        (" mailto: a@x.org ", "mailto:a@x.org"),
        ("mailto:a@x.org?subject=b", "mailto:a@x.org"),
        ("/principals/a/", "/Principals/a/"),
    ] {
        assert_eq!(canonical_address(one), canonical_address(other));
    }
    let bytes = lunch()
        .replace("mailto:bernard@example.com", "urn:uuid:1")
        .replace("CN=\"Bernard Desruisseaux\"", "CN=\"Bernard Desruisseaux\";EMAIL=bernard@example.com");
    assert_eq!(standing(bytes.as_bytes(), &owner("bernard")), Standing::Attendee);
}

#[test]
fn an_object_stands_to_its_owner_as_its_people_say() {
    let bytes = lunch();
    for (name, expected) in
        [("cyrus", Standing::Organizer), ("bernard", Standing::Attendee), ("mike", Standing::None)]
    {
        assert_eq!(standing(bytes.as_bytes(), &owner(name)), expected, "{name}");
    }
    let by_client = bytes.replace("ORGANIZER;", "ORGANIZER;SCHEDULE-AGENT=CLIENT;");
    assert_eq!(standing(by_client.as_bytes(), &owner("bernard")), Standing::OnHisOwn);
    let two = bytes.replace(
        "END:VCALENDAR",
        "BEGIN:VEVENT\r\nUID:9263504FD3AD\r\nRECURRENCE-ID:20090603T160000Z\r\nDTSTART:20090603T160000Z\r\n\
         ORGANIZER:mailto:other@example.com\r\nEND:VEVENT\r\nEND:VCALENDAR",
    );
    assert_eq!(same_organizer(two.as_bytes()), Err(Refusal::SameOrganizer));
    assert_eq!(same_organizer(bytes.as_bytes()), Ok(()));
}

#[test]
fn an_invitation_goes_to_all_but_the_organizer_without_what_is_private() {
    // RFC 6638 Appendix B.1 and B.2
    let write = by_cyrus(None, Some(&lunch()));
    assert_eq!(sent(&write), [(Method::Request, vec!["bernard", "wilfredo"])]);
    assert_eq!(write.stored, None);
    let message = &write.messages[0];
    assert_eq!((message.uid.as_str(), message.summary.as_deref()), ("9263504FD3AD", Some("Lunch")));
    let expected = lunch()
        .replace("BEGIN:VEVENT", "METHOD:REQUEST\r\nBEGIN:VEVENT")
        .replace("BEGIN:VALARM\r\nTRIGGER:-PT15M\r\nACTION:DISPLAY\r\nEND:VALARM\r\n", "")
        .replace("X-MOZ-LASTACK:20090602T100000Z\r\n", "");
    assert_eq!(text(&message.bytes), expected);
}

#[test]
fn agents_other_than_the_server_are_left_alone() {
    // RFC 6638 §3.2.1.1 to §3.2.1.3: the tables.
    let with = |agent: &str| {
        let parameter = if agent.is_empty() { String::new() } else { format!("SCHEDULE-AGENT={agent};") };
        lunch().replace("ATTENDEE;CN=\"Bernard", &format!("ATTENDEE;{parameter}CN=\"Bernard"))
    };
    let without = {
        let all = lunch();
        let start = all.find("ATTENDEE;CN=\"Bernard").unwrap();
        let end = start + all[start..].find("\r\n").unwrap() + 2;
        format!("{}{}", &all[..start], &all[end..])
    };
    let to_bernard = |old: Option<&str>, new: Option<&str>| -> Vec<Method> {
        let write = by_cyrus(old, new);
        let his = sent(&write).into_iter().filter(|(_, to)| to.contains(&"bernard"));
        his.map(|(method, _)| method).collect()
    };
    for (agent, expected) in [("", 1), ("SERVER", 1), ("CLIENT", 0), ("NONE", 0), ("X-OTHER", 0)] {
        let object = with(agent);
        assert_eq!(to_bernard(None, Some(&object)).len(), expected, "{agent}");
        assert_eq!(to_bernard(Some(&object), None).len(), expected, "{agent}");
        if expected == 0 {
            assert_eq!(to_bernard(Some(&object), Some(&with(""))), [Method::Request], "{agent}");
            assert_eq!(to_bernard(Some(&with("")), Some(&object)), [Method::Cancel], "{agent}");
        }
    }
    assert_eq!(to_bernard(Some(&without), Some(&with(""))), [Method::Request]);
    assert_eq!(to_bernard(Some(&with("")), Some(&without)), [Method::Cancel]);
    let write = by_cyrus(Some(&with("SERVER")), Some(&without));
    // RFC 5546 §4.2.10: no STATUS, and only who is removed; the others hear that the list changed.
    assert_eq!(sent(&write), [(Method::Cancel, vec!["bernard"]), (Method::Request, vec!["wilfredo"])]);
    let cancel = &write.messages[0].bytes;
    assert!(!text(cancel).contains("STATUS") && !text(cancel).contains("wilfredo"));
    assert!(!text(cancel).contains("SCHEDULE-AGENT"));
}

#[test]
fn removal_cancels_for_all() {
    // RFC 5546 §4.2.9
    let write = by_cyrus(Some(&lunch()), None);
    assert_eq!(sent(&write), [(Method::Cancel, vec!["bernard", "wilfredo"])]);
    let bytes = &write.messages[0].bytes;
    assert!(has(bytes, "STATUS:CANCELLED") && has(bytes, "SEQUENCE:2") && has(bytes, "METHOD:CANCEL"));
    assert_eq!(lines(bytes).iter().filter(|line| line.starts_with("ATTENDEE")).count(), 3);
    let cancelled = lunch().replace("SUMMARY", "STATUS:CANCELLED\r\nSUMMARY");
    assert_eq!(
        sent(&by_cyrus(Some(&lunch()), Some(&cancelled))),
        [(Method::Cancel, vec!["bernard", "wilfredo"])]
    );
    assert!(by_cyrus(Some(&cancelled), None).messages.is_empty(), "they know already");
    assert_eq!(by_cyrus(Some(&cancelled), Some(&lunch())).messages[0].method, Method::Request);
}

#[test]
fn what_matters_to_nobody_else_is_not_sent() {
    let old = lunch();
    for (from, to) in [
        ("TRIGGER:-PT15M", "TRIGGER:-PT30M"),
        ("DTSTAMP:20090602T185254Z", "DTSTAMP:20100101T000000Z\r\nLAST-MODIFIED:20100101T000000Z"),
        ("X-MOZ-LASTACK:20090602T100000Z", "X-MOZ-LASTACK:20090702T100000Z\r\nX-OWN:1"),
        ("TRANSP:OPAQUE", "TRANSP:TRANSPARENT\r\nCATEGORIES:Own"),
        ("SUMMARY:Lunch", "SUMMARY:Lu\r\n nch"),
        ("PARTSTAT=ACCEPTED", "PARTSTAT=TENTATIVE"),
        ("DTEND:20090602T170000Z", "DURATION:PT1H"),
    ] {
        let new = old.replace(from, to);
        assert_ne!(new, old);
        assert!(by_cyrus(Some(&old), Some(&new)).messages.is_empty(), "{to}");
    }
    for (from, to) in [
        ("SUMMARY:Lunch", "SUMMARY:Dinner"),
        ("SUMMARY:Lunch", "SUMMARY:Lunch\r\nLOCATION:Here"),
        ("DTEND:20090602T170000Z", "DTEND:20090602T180000Z"),
    ] {
        let new = old.replace(from, to);
        assert_eq!(
            sent(&by_cyrus(Some(&old), Some(&new))),
            [(Method::Request, vec!["bernard", "wilfredo"])],
            "{to}"
        );
    }
}

#[test]
fn a_reschedule_asks_everybody_again() {
    // RFC 6638 §3.2.8 and §3.2.5
    let old = lunch().replace("NEEDS-ACTION", "ACCEPTED");
    let new = old.replace("DTEND:20090602T170000Z", "DTEND:20090602T180000Z");
    let write = by_cyrus(Some(&old), Some(&new));
    let stored = write.stored.unwrap();
    assert_eq!(partstat(&stored, None, "bernard").as_deref(), Some("NEEDS-ACTION"));
    assert_eq!(partstat(&stored, None, "cyrus").as_deref(), Some("ACCEPTED"));
    assert!(has(&stored, "SEQUENCE:1") && has(&write.messages[0].bytes, "SEQUENCE:1"));
    // Lines that were not to be changed are as they were.
    for line in new.lines().filter(|line| !line.starts_with("ATTENDEE") && !line.starts_with("SEQUENCE")) {
        assert!(text(&stored).contains(line), "{line}");
    }
    // The table: fewer instances are no reschedule, more are.
    for (from, to, asked) in [
        ("COUNT=5", "COUNT=4", false),
        ("COUNT=5", "COUNT=6", true),
        ("RRULE:FREQ=DAILY;INTERVAL=1;COUNT=5", "RRULE:COUNT=5;FREQ=DAILY", false),
        ("FREQ=DAILY", "FREQ=WEEKLY", true),
        ("TRANSP:OPAQUE", "RDATE;TZID=America/Montreal:20090701T150000", true),
        ("TRANSP:OPAQUE", "EXDATE;TZID=America/Montreal:20090602T150000", false),
        ("TRANSP:OPAQUE", "LOCATION:Here", false),
    ] {
        let old = daily("", "");
        let new = old.replace(from, to);
        let write = by_cyrus(Some(&old), Some(&new));
        let stored = write.stored.unwrap_or_else(|| new.clone().into_bytes());
        let expected = if asked { "NEEDS-ACTION" } else { "ACCEPTED" };
        assert_eq!(partstat(&stored, None, "bernard").as_deref(), Some(expected), "{to}");
    }
    let (old, new) = (daily("EXDATE;TZID=America/Montreal:20090602T150000", ""), daily("", ""));
    let stored = by_cyrus(Some(&old), Some(&new)).stored.unwrap();
    assert_eq!(partstat(&stored, None, "bernard").as_deref(), Some("NEEDS-ACTION"));
}

#[test]
fn answers_are_the_attendees_to_change() {
    let old = lunch().replace("NEEDS-ACTION", "DECLINED");
    let new = lunch().replace("NEEDS-ACTION", "ACCEPTED");
    let refused = organizer_write(Some(old.as_bytes()), Some(new.as_bytes()), &owner("cyrus"), true, now());
    let Err(refusal @ Refusal::OrganizerChange(_)) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.precondition(), "allowed-organizer-scheduling-object-change");
    let stored = by_cyrus(Some(&old), Some(&new)).stored.unwrap();
    assert_eq!(partstat(&stored, None, "bernard").as_deref(), Some("DECLINED"));
    // A client that knows the answers may ask again; one that may not know them keeps them.
    let stale = by_cyrus(Some(&old), Some(&lunch())).stored.unwrap();
    assert_eq!(partstat(&stale, None, "bernard").as_deref(), Some("DECLINED"));
    let asked = organizer_write(Some(old.as_bytes()), Some(lunch().as_bytes()), &owner("cyrus"), true, now());
    assert_eq!(asked.unwrap().stored, None);
    let handed = lunch().replace("ORGANIZER;CN=\"Cyrus Daboo\":mailto:cyrus", "ORGANIZER:mailto:mike");
    let refused =
        organizer_write(Some(old.as_bytes()), Some(handed.as_bytes()), &owner("cyrus"), false, now());
    assert!(matches!(refused, Err(Refusal::OrganizerChange(_))));
}

#[test]
fn whoever_is_to_answer_is_asked_and_whoever_did_is_not() {
    // RFC 6638 §3.2.1: nobody is invited with an answer of the organizer's making.
    let new = lunch().replace("PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE", "PARTSTAT=ACCEPTED");
    let future = making("20090601T000000Z");
    let write = organizer_write(None, Some(new.as_bytes()), &owner("cyrus"), false, future).unwrap();
    let stored = write.stored.unwrap();
    for bytes in [&stored, &write.messages[0].bytes] {
        assert_eq!(partstat(bytes, None, "bernard").as_deref(), Some("NEEDS-ACTION"));
        assert_eq!(text(bytes).replace("\r\n ", "").matches("RSVP=TRUE").count(), 2);
    }
    // One of the past is filed as it was.
    let filed = organizer_write(None, Some(new.as_bytes()), &owner("cyrus"), false, now()).unwrap();
    assert_eq!(filed.stored, None);
    // Asked by word or not at all.
    for kept in ["RSVP=FALSE", "ROLE=NON-PARTICIPANT"] {
        let new = lunch().replace("ROLE=REQ-PARTICIPANT;RSVP=TRUE", kept);
        assert_eq!(
            organizer_write(None, Some(new.as_bytes()), &owner("cyrus"), false, future).unwrap().stored,
            None
        );
    }
    // Nobody hears of it, and nothing is written.
    let unasked = lunch().replace(";RSVP=TRUE", "");
    let alarm = unasked.replace("TRIGGER:-PT15M", "TRIGGER:-PT5M");
    assert_eq!(by_cyrus(Some(&unasked), Some(&alarm)), OrganizerWrite::default());
    let known = parties(&stored).unwrap().remove(0);
    assert!(known.attendees[1].rsvp);
}

#[test]
fn sequence_counts_with_what_is_sent() {
    // RFC 6638 §3.2.5
    let old = daily("", &instance("04", "ACCEPTED", "LOCATION:Elsewhere"));
    let renamed = old.replace("SUMMARY:Review", "SUMMARY:Read");
    let write = by_cyrus(Some(&old), Some(&renamed));
    let stored = write.stored.unwrap();
    assert_eq!(text(&stored).matches("SEQUENCE:1").count(), 2);
    assert_eq!(text(&write.messages[0].bytes).matches("SEQUENCE:1").count(), 2);
    // A program that counts by itself is not corrected, and one that counts says that something changed.
    let counted = renamed.replace("SEQUENCE:0", "SEQUENCE:4");
    let write = by_cyrus(Some(&old), Some(&counted));
    assert_eq!((write.stored, write.messages.len()), (None, 1));
    assert_eq!(by_cyrus(Some(&old), Some(&old.replace("SEQUENCE:0", "SEQUENCE:2"))).messages.len(), 1);
    // One that does not know how far the server counted does not fall behind.
    let behind = by_cyrus(Some(&counted), Some(&renamed));
    assert!(behind.messages.is_empty());
    assert_eq!(text(&behind.stored.unwrap()).matches("SEQUENCE:4").count(), 2);
    // One instance of many: it alone is sent (RFC 5546 §4.4.1), and all count.
    let moved = old.replace("LOCATION:Elsewhere", "LOCATION:Nowhere");
    let write = by_cyrus(Some(&old), Some(&moved));
    assert_eq!(text(&write.stored.unwrap()).matches("SEQUENCE:1").count(), 2);
    let message = text(&write.messages[0].bytes);
    assert!(message.matches("BEGIN:VEVENT").count() == 1 && message.contains("RECURRENCE-ID"), "{message}");
}

#[test]
fn an_instance_that_moves_back_to_its_series_asks_anew() {
    // RFC 6638 §3.2.8
    let own = instance("03", "ACCEPTED", "")
        .replace("DTSTART;TZID=America/Montreal:20090603T15", "DTSTART;TZID=America/Montreal:20090603T14");
    let (old, new) = (daily("", &own), daily("", ""));
    let write = by_cyrus(Some(&old), Some(&new));
    let stored = write.stored.unwrap();
    let id = Some("20090603T190000Z");
    assert_eq!(partstat(&stored, id, "bernard").as_deref(), Some("NEEDS-ACTION"));
    assert_eq!(partstat(&stored, id, "cyrus").as_deref(), Some("ACCEPTED"));
    assert_eq!(partstat(&stored, None, "bernard").as_deref(), Some("ACCEPTED"));
    assert!(has(&stored, "DTSTART;TZID=America/Montreal:20090603T150000"));
    let message = text(&write.messages[0].bytes);
    assert!(message.matches("BEGIN:VEVENT").count() == 1 && message.contains("RECURRENCE-ID"), "{message}");
    // One that only lost its own title did not move.
    let renamed = instance("03", "ACCEPTED", "").replace("SUMMARY:Review", "SUMMARY:Read");
    let stored = by_cyrus(Some(&daily("", &renamed)), Some(&new)).stored.unwrap();
    assert_eq!(text(&stored).matches("BEGIN:VEVENT").count(), 1);
}

#[test]
fn an_answer_to_an_earlier_revision_counts_for_the_same_time() {
    // RFC 5546 §2.1.5, for answers that come by mail.
    let invitation = by_cyrus(None, Some(&lunch())).messages.remove(0).bytes;
    let stored = text(&apply_request(None, &invitation, &owner("bernard"), false).unwrap().bytes);
    let accepted = stored
        .replace("NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE:mailto:bernard", "ACCEPTED:mailto:bernard");
    let accepted = accepted.replace("\r\n ", "").replace(
        "Desruisseaux\";CUTYPE=INDIVIDUAL;PARTSTAT=NEEDS-ACTION",
        "Desruisseaux\";CUTYPE=INDIVIDUAL;PARTSTAT=ACCEPTED",
    );
    let reply = by("bernard", Some(stored.as_bytes()), Some(accepted.as_bytes())).unwrap().reply.unwrap();
    let (cyrus, bernard) = (owner("cyrus"), "mailto:bernard@example.com");
    let take = |object: &str| apply_reply(object.as_bytes(), &reply.bytes, bernard, &cyrus);
    let renamed = lunch().replace("SEQUENCE:0", "SEQUENCE:1").replace("Lunch", "Dinner");
    let applied = take(&renamed).unwrap();
    assert!(applied.changed);
    let party = parties(&applied.bytes).unwrap().remove(0).attendees.remove(2);
    assert_eq!((party.partstat.as_str(), party.rsvp), ("ACCEPTED", false), "who answered is not asked");
    for (from, to) in
        [("DTSTART:20090602T16", "DTSTART:20090602T15"), ("DTEND:20090602T17", "DTEND:20090602T18")]
    {
        assert_eq!(take(&renamed.replace(from, to)), Err(Ignored::Old), "{to}");
    }
}

#[test]
fn who_declined_and_removed_it_is_left_in_peace() {
    let declined = lunch().replace("SEQUENCE:0", "SEQUENCE:1").replace("NEEDS-ACTION", "DECLINED");
    let message = declined.replace("BEGIN:VEVENT", "METHOD:REQUEST\r\nBEGIN:VEVENT");
    let bernard = owner("bernard");
    assert_eq!(apply_request(None, message.as_bytes(), &bernard, false), Err(Ignored::NothingThere));
    assert!(apply_request(None, message.as_bytes(), &bernard, true).is_ok(), "asked anew");
    assert!(apply_request(Some(lunch().as_bytes()), message.as_bytes(), &bernard, false).is_ok());
}

#[test]
fn what_became_of_an_answer_is_told_on_the_organizer() {
    // RFC 6638 §3.2.9
    let delivery = Delivery { address: "mailto:cyrus@example.com".to_owned(), status: "1.2".to_owned() };
    let told = set_status(lunch().as_bytes(), &[delivery]).unwrap().unwrap();
    assert_eq!(text(&told).replace("\r\n ", "").matches("SCHEDULE-STATUS=1.2").count(), 1);
    assert!(has(&told, "ORGANIZER;CN=\"Cyrus Daboo\";SCHEDULE-STATUS=1.2:mailto:cyrus@example.com"));
    // And stays when his program writes without it (§7.3).
    let changed = lunch().replace("TRANSP:OPAQUE", "TRANSP:TRANSPARENT");
    let kept = by("bernard", Some(&told), Some(changed.as_bytes())).unwrap();
    assert!(has(
        &kept.stored.unwrap(),
        "ORGANIZER;CN=\"Cyrus Daboo\";SCHEDULE-STATUS=1.2:mailto:cyrus@example.com"
    ));
}

#[test]
fn force_send_sends_and_is_not_kept() {
    // RFC 6638 §3.2.7, §7.2
    let old = lunch();
    let forced = old.replace("CN=\"Bernard", "SCHEDULE-FORCE-SEND=REQUEST;CN=\"Bernard");
    let write = by_cyrus(Some(&old), Some(&forced));
    assert_eq!(sent(&write), [(Method::Request, vec!["bernard"])]);
    assert!(write.messages[0].asks_anew);
    assert!(!text(write.stored.as_ref().unwrap()).contains("FORCE-SEND"));
    let unknown = old.replace("CN=\"Bernard", "SCHEDULE-FORCE-SEND=ADD;CN=\"Bernard");
    let write = by_cyrus(Some(&old), Some(&unknown));
    assert!(write.messages.is_empty());
    assert!(text(&write.stored.unwrap()).replace("\r\n ", "").contains("SCHEDULE-STATUS=2.3"));
}

#[test]
fn an_instance_is_cancelled_alone() {
    // RFC 5546 §4.4.3
    let old = daily("", "");
    let new = daily("EXDATE;TZID=America/Montreal:20090603T150000", "");
    let write = by_cyrus(Some(&old), Some(&new));
    let both = [(Method::Cancel, vec!["bernard"]), (Method::Request, vec!["bernard"])];
    assert_eq!(sent(&write), both);
    assert!(write.messages[1].follows_cancel && !write.messages[0].follows_cancel);
    let bytes = &write.messages[0].bytes;
    for line in [
        "RECURRENCE-ID;TZID=America/Montreal:20090603T150000",
        "DTSTART;TZID=America/Montreal:20090603T150000",
        "DTEND;TZID=America/Montreal:20090603T160000",
        "STATUS:CANCELLED",
        "SEQUENCE:1",
    ] {
        assert!(has(bytes, line), "{line} in {}", text(bytes));
    }
    let bernards =
        apply_request(None, &by_cyrus(None, Some(&old)).messages[0].bytes, &owner("bernard"), false);
    let bernards = bernards.unwrap().bytes;
    let applied = apply_cancel(&bernards, bytes, &owner("bernard")).unwrap();
    assert!(applied.consequential && has(&applied.bytes, "STATUS:CANCELLED"));
    assert!(has(&applied.bytes, "RECURRENCE-ID;TZID=America/Montreal:20090603T150000"));
    assert_eq!(text(&applied.bytes).matches("SEQUENCE:1").count(), 1, "the series is as it was");
    // The whole with its EXDATE does not take away what he sees.
    let request = &write.messages[1].bytes;
    assert!(has(request, "EXDATE;TZID=America/Montreal:20090603T150000") && has(request, "SEQUENCE:1"));
    let after = apply_request(Some(&applied.bytes), request, &owner("bernard"), false).unwrap().bytes;
    assert!(has(&after, "STATUS:CANCELLED") && !text(&after).contains("EXDATE"));
    assert_eq!(text(&after).matches("SEQUENCE:1").count(), 2);
    // He clears it away himself; his program may lose it, and it stays.
    let cleared = text(&applied.bytes);
    let (start, end) = (cleared.rfind("BEGIN:VEVENT").unwrap(), cleared.rfind("END:VCALENDAR").unwrap());
    let lost = format!("{}{}", &cleared[..start], &cleared[end..]);
    let kept = by("bernard", Some(&applied.bytes), Some(lost.as_bytes())).unwrap();
    assert!(has(&kept.stored.unwrap(), "STATUS:CANCELLED") && kept.reply.is_none());
    let cleared =
        lost.replacen("END:VEVENT", "EXDATE;TZID=America/Montreal:20090603T150000\r\nEND:VEVENT", 1);
    let kept = by("bernard", Some(&applied.bytes), Some(cleared.as_bytes())).unwrap();
    assert_eq!(kept, AttendeeWrite::default());
    let after = apply_request(Some(cleared.as_bytes()), request, &owner("bernard"), false).unwrap().bytes;
    assert!(!has(&after, "STATUS:CANCELLED"));
    assert_eq!(
        apply_cancel(cleared.as_bytes(), bytes, &owner("bernard")),
        Err(Ignored::Old),
        "he hears of it"
    );
    // What does not recur on that day is not cancelled.
    let write = by_cyrus(Some(&old), Some(&daily("EXDATE;TZID=America/Montreal:20090703T150000", "")));
    assert!(write.messages.is_empty());
}

#[test]
fn attendees_hear_only_of_instances_that_are_theirs() {
    // RFC 6638 §3.2.6
    let guest = "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:mike@example.com";
    let once = daily("", &instance("03", "ACCEPTED", guest));
    let write = by_cyrus(None, Some(&once));
    let mikes = write.messages.iter().find(|message| message.to == ["mailto:mike@example.com"]).unwrap();
    assert_eq!(text(&mikes.bytes).matches("BEGIN:VEVENT").count(), 1);
    assert!(!text(&mikes.bytes).contains("RRULE"));
    assert!(has(&mikes.bytes, "RECURRENCE-ID;TZID=America/Montreal:20090603T150000"));
    // Invited to the series, not to one instance of it.
    let but_one = instance("03", "ACCEPTED", "").replace(
        "ATTENDEE;CN=\"Bernard Desruisseaux\";PARTSTAT=ACCEPTED;ROLE=REQ-PARTICIPANT;RSVP=TRUE:mailto:bernard@example.com\n",
        "",
    );
    let without = daily("", &but_one);
    let write = by_cyrus(None, Some(&without));
    let bytes = &write.messages[0].bytes;
    assert!(has(bytes, "EXDATE;TZID=America/Montreal:20090603T150000"));
    assert_eq!(text(bytes).matches("BEGIN:VEVENT").count(), 1);
    let write = by_cyrus(Some(&daily("", "")), Some(&without));
    assert_eq!(sent(&write), [(Method::Cancel, vec!["bernard"])]);
    assert!(!text(&write.messages[0].bytes).contains("STATUS"), "it takes place, without him");
    // From one instance to none, and from one to all.
    let write = by_cyrus(Some(&once), Some(&daily("", &instance("03", "ACCEPTED", ""))));
    assert!(sent(&write).contains(&(Method::Cancel, vec!["mike"])));
    let write = by_cyrus(Some(&once), Some(&daily(guest, &instance("03", "ACCEPTED", guest))));
    let to_mike: Vec<_> = sent(&write).into_iter().filter(|(_, to)| to.contains(&"mike")).collect();
    assert_eq!(to_mike.len(), 1);
    assert_eq!(to_mike[0].0, Method::Request);
}

#[test]
fn an_answer_goes_to_the_organizer() {
    // RFC 6638 Appendix B.3 and B.4
    let invitation = &by_cyrus(None, Some(&lunch())).messages[0].bytes.clone();
    let stored = apply_request(None, invitation, &owner("wilfredo"), false).unwrap().bytes;
    let accepted = text(&stored)
        .replace(
            "PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE:mailto:w",
            "PARTSTAT=ACCEPTED;ROLE=REQ-PARTICIPANT;RSVP=TRUE:mailto:w",
        )
        .replace("\r\n ", "")
        .replace(
            "Vega\";CUTYPE=INDIVIDUAL;PARTSTAT=NEEDS-ACTION",
            "Vega\";CUTYPE=INDIVIDUAL;PARTSTAT=ACCEPTED",
        )
        .replace(
            "END:VEVENT",
            "BEGIN:VALARM\r\nTRIGGER:-PT15M\r\nACTION:DISPLAY\r\nEND:VALARM\r\nEND:VEVENT",
        );
    let write = by("wilfredo", Some(&stored), Some(accepted.as_bytes())).unwrap();
    let reply = write.reply.unwrap();
    assert_eq!((reply.method, &reply.to[..]), (Method::Reply, &["mailto:cyrus@example.com".to_owned()][..]));
    assert_eq!(reply.from, "mailto:wilfredo@example.com");
    assert_eq!(
        lines(&reply.bytes),
        [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//x//y//EN",
            "METHOD:REPLY",
            "BEGIN:VEVENT",
            "UID:9263504FD3AD",
            "SEQUENCE:0",
            "DTSTAMP:20090602T185254Z",
            "DTSTART:20090602T160000Z",
            "DTEND:20090602T170000Z",
            "SUMMARY:Lunch",
            "ORGANIZER;CN=\"Cyrus Daboo\":mailto:cyrus@example.com",
            "ATTENDEE;CN=\"Wilfredo Sanchez Vega\";PARTSTAT=ACCEPTED:mailto:wilfredo@example.com",
            "REQUEST-STATUS:2.0;Success",
            "END:VEVENT",
            "END:VCALENDAR",
        ]
    );
    let (cyrus, wilfredo) = (owner("cyrus"), "mailto:wilfredo@example.com");
    let object = lunch();
    let applied = apply_reply(object.as_bytes(), &reply.bytes, wilfredo, &cyrus).unwrap();
    assert!(applied.changed);
    assert_eq!(partstat(&applied.bytes, None, "wilfredo").as_deref(), Some("ACCEPTED"));
    let party = parties(&applied.bytes).unwrap().remove(0).attendees.remove(1);
    assert_eq!(party.status.as_deref(), Some("2.0"));
    // All other lines are as they were.
    let (before, after) = (lines(object.as_bytes()), lines(&applied.bytes));
    let differing = before.iter().zip(&after).filter(|(one, other)| one != other).count();
    assert_eq!((before.len(), differing), (after.len(), 1));
    // Only who sent it, only who was invited, only what the owner organizes.
    for (sender, who) in [("mailto:bernard@example.com", "cyrus"), (wilfredo, "bernard")] {
        assert!(apply_reply(object.as_bytes(), &reply.bytes, sender, &owner(who)).is_err());
    }
    let crasher = text(&reply.bytes).replace("wilfredo@example.com", "mike@example.com");
    let outcome = apply_reply(object.as_bytes(), crasher.as_bytes(), "mailto:mike@example.com", &cyrus);
    assert_eq!(outcome, Err(Ignored::Stranger));
    // The others hear of it, and their schedule-tags stay.
    let others = refresh(&applied.bytes, wilfredo, now()).unwrap();
    assert_eq!(others.len(), 1);
    assert_eq!(others[0].to, ["mailto:bernard@example.com"]);
    let bernards = apply_request(None, invitation, &owner("bernard"), false).unwrap().bytes;
    let now_knows = apply_request(Some(&bernards), &others[0].bytes, &owner("bernard"), false).unwrap();
    assert!(!now_knows.consequential);
    assert_eq!(partstat(&now_knows.bytes, None, "wilfredo").as_deref(), Some("ACCEPTED"));
}

#[test]
fn an_instance_is_declined_by_its_own_component_or_by_exdate() {
    // RFC 6638 Appendix B.7 and B.8
    let (old, cyrus, bernard) = (daily("", ""), owner("cyrus"), "mailto:bernard@example.com");
    let second = daily("", &instance("02", "DECLINED", "TRANSP:TRANSPARENT"));
    let reply = by("bernard", Some(old.as_bytes()), Some(second.as_bytes())).unwrap().reply.unwrap();
    assert!(has(&reply.bytes, "RECURRENCE-ID;TZID=America/Montreal:20090602T150000"));
    assert_eq!(text(&reply.bytes).matches("BEGIN:VEVENT").count(), 1);
    let at_organizer = apply_reply(old.as_bytes(), &reply.bytes, bernard, &cyrus).unwrap().bytes;
    let id = Some("20090602T190000Z");
    assert_eq!(partstat(&at_organizer, id, "bernard").as_deref(), Some("DECLINED"));
    assert_eq!(partstat(&at_organizer, None, "bernard").as_deref(), Some("ACCEPTED"));
    assert!(text(&at_organizer).starts_with(old.trim_end().strip_suffix("END:VCALENDAR").unwrap()));

    let third = daily("EXDATE;TZID=America/Montreal:20090603T150000", &instance("02", "DECLINED", ""));
    let reply = by("bernard", Some(second.as_bytes()), Some(third.as_bytes())).unwrap().reply.unwrap();
    assert_eq!(
        lines(&reply.bytes)[4..],
        [
            "BEGIN:VEVENT",
            "UID:9263504FD3AD",
            "SEQUENCE:0",
            "DTSTAMP:20090602T185254Z",
            "RECURRENCE-ID;TZID=America/Montreal:20090603T150000",
            "DTSTART;TZID=America/Montreal:20090603T150000",
            "DTEND;TZID=America/Montreal:20090603T160000",
            "SUMMARY:Review Internet-Draft",
            "ORGANIZER;CN=\"Cyrus Daboo\":mailto:cyrus@example.com",
            "ATTENDEE;CN=\"Bernard Desruisseaux\";PARTSTAT=DECLINED:mailto:bernard@example.com",
            "REQUEST-STATUS:2.0;Success",
            "END:VEVENT",
            "END:VCALENDAR",
        ]
    );
    let at_organizer = apply_reply(&at_organizer, &reply.bytes, bernard, &cyrus).unwrap().bytes;
    let id = Some("20090603T190000Z");
    assert_eq!(partstat(&at_organizer, id, "bernard").as_deref(), Some("DECLINED"));
    // RFC 5546 §4.7.2: an instance that is not.
    let bad = text(&reply.bytes).replace("20090603T150000", "20090703T150000");
    let outcome = apply_reply(&at_organizer, bad.as_bytes(), bernard, &cyrus);
    assert_eq!(outcome, Err(Ignored::NothingThere));
    // Removing the whole declines the whole.
    let gone = by("bernard", Some(third.as_bytes()), None).unwrap().reply.unwrap();
    assert!(text(&gone.bytes).contains("PARTSTAT=DECLINED"));
    assert_eq!(
        text(&gone.bytes).matches("BEGIN:VEVENT").count(),
        1,
        "what is declined is not declined again"
    );
    // Taking the answer to one instance back.
    let back = by("bernard", Some(second.as_bytes()), Some(old.as_bytes())).unwrap().reply.unwrap();
    assert!(text(&back.bytes).contains("PARTSTAT=ACCEPTED") && text(&back.bytes).contains("RECURRENCE-ID"));
}

#[test]
fn attendees_change_what_is_theirs() {
    // RFC 6638 §3.2.2.1
    let old = daily("", &instance("04", "ACCEPTED", "LOCATION:Elsewhere"));
    let allowed = [
        ("TRANSP:OPAQUE", "TRANSP:TRANSPARENT"),
        ("TRANSP:OPAQUE", "PERCENT-COMPLETE:10\r\nCOMPLETED:20090601T000000Z"),
        ("TRANSP:OPAQUE", "BEGIN:VALARM\r\nTRIGGER:-PT5M\r\nACTION:AUDIO\r\nEND:VALARM"),
        ("VERSION:2.0", "VERSION:2.0\r\nCALSCALE:GREGORIAN"),
        ("PRODID:-//x//y//EN", "PRODID:-//other//EN"),
        ("TRANSP:OPAQUE", "EXDATE;TZID=America/Montreal:20090602T150000"),
        ("DTSTAMP:20090602T185254Z", "DTSTAMP:20100602T185254Z\r\nCREATED:20090602T185254Z"),
        ("TRANSP:OPAQUE", "X-OWN:1"),
        ("TRANSP:OPAQUE", "STATUS:TENTATIVE\r\nPRIORITY:5\r\nURL:https://example.com"),
        ("SUMMARY:Review Internet-Draft", "SUMMARY:Review  Internet-Draft "),
        ("RRULE:FREQ=DAILY;INTERVAL=1;COUNT=5", "RRULE:COUNT=5;FREQ=DAILY"),
        ("DTEND;TZID=America/Montreal:20090601T160000", "DURATION:PT1H"),
    ];
    for (from, to) in allowed {
        let new = old.replace(from, to);
        assert_ne!(new, old);
        let outcome = by("bernard", Some(old.as_bytes()), Some(new.as_bytes()));
        assert!(outcome.is_ok(), "{to}: {outcome:?}");
    }
    let forbidden = [
        ("SUMMARY:Review Internet-Draft", "SUMMARY:Other"),
        ("DTSTART;TZID=America/Montreal:20090601T150000", "DTSTART;TZID=America/Montreal:20090601T140000"),
        ("COUNT=5", "COUNT=6"),
        ("TRANSP:OPAQUE", "LOCATION:Here"),
        ("TRANSP:OPAQUE", "ATTENDEE:mailto:mike@example.com"),
        ("TRANSP:OPAQUE", "RDATE:20090701T190000Z"),
        ("TRANSP:OPAQUE", "STATUS:CANCELLED"),
        ("mailto:cyrus@example.com", "mailto:mike@example.com"),
        ("LOCATION:Elsewhere", "LOCATION:Nowhere"),
        ("RECURRENCE-ID;TZID=America/Montreal:20090604", "RECURRENCE-ID;TZID=America/Montreal:20090704"),
    ];
    for (from, to) in forbidden {
        let new = old.replace(from, to);
        assert_ne!(new, old);
        let outcome = by("bernard", Some(old.as_bytes()), Some(new.as_bytes()));
        assert!(matches!(outcome, Err(Refusal::AttendeeChange(_))), "{to}: {outcome:?}");
    }
    let without_override = daily("", "");
    let kept = by("bernard", Some(old.as_bytes()), Some(without_override.as_bytes())).unwrap();
    assert!(
        has(&kept.stored.unwrap(), "LOCATION:Elsewhere") && kept.reply.is_none(),
        "the organizer's override"
    );
    // Other people's answers and the revision are not his to change, and are not lost over it.
    let meddled = old
        .replace(
            "ATTENDEE;CN=\"Cyrus Daboo\";PARTSTAT=ACCEPTED",
            "ATTENDEE;CN=\"Cyrus Daboo\";PARTSTAT=DECLINED",
        )
        .replace("SEQUENCE:0", "SEQUENCE:7");
    let write = by("bernard", Some(old.as_bytes()), Some(meddled.as_bytes())).unwrap();
    assert_eq!(text(&write.stored.unwrap()), old);
    assert_eq!(write.reply, None);
}

#[test]
fn an_update_keeps_what_is_the_attendees() {
    let invitation = by_cyrus(None, Some(&lunch())).messages.remove(0).bytes;
    let stored = apply_request(None, &invitation, &owner("bernard"), false).unwrap().bytes;
    let mine = text(&stored)
        .replace("\r\n ", "")
        .replace(
            "Desruisseaux\";CUTYPE=INDIVIDUAL;PARTSTAT=NEEDS-ACTION",
            "Desruisseaux\";CUTYPE=INDIVIDUAL;PARTSTAT=ACCEPTED",
        )
        .replace("TRANSP:OPAQUE", "TRANSP:TRANSPARENT")
        .replace(
            "END:VEVENT",
            "CATEGORIES:Food\r\nBEGIN:VALARM\r\nTRIGGER:-PT1M\r\nACTION:AUDIO\r\nEND:VALARM\r\nEND:VEVENT",
        );
    let bernard = owner("bernard");
    let later = |old: &str, new: &str| {
        let write = organizer_write(
            Some(old.as_bytes()),
            Some(new.as_bytes()),
            &owner("cyrus"),
            false,
            making("20090603T000000Z"),
        );
        write.unwrap().messages.remove(0).bytes
    };
    let renamed = later(&lunch(), &lunch().replace("SUMMARY:Lunch", "SUMMARY:Dinner"));
    let applied = apply_request(Some(mine.as_bytes()), &renamed, &bernard, false).unwrap();
    assert!(applied.consequential);
    for line in ["SUMMARY:Dinner", "TRANSP:TRANSPARENT", "CATEGORIES:Food", "TRIGGER:-PT1M"] {
        assert!(has(&applied.bytes, line), "{line}");
    }
    assert!(!text(&applied.bytes).contains("METHOD"));
    assert_eq!(partstat(&applied.bytes, None, "bernard").as_deref(), Some("ACCEPTED"));
    let again = apply_request(Some(mine.as_bytes()), &renamed, &bernard, true).unwrap();
    assert_eq!(partstat(&again.bytes, None, "bernard").as_deref(), Some("NEEDS-ACTION"), "asked anew");
    let known = lunch().replace("SEQUENCE:0", "SEQUENCE:1");
    let moved = later(&known, &known.replace("DTEND:20090602T17", "DTEND:20090602T18"));
    let applied = apply_request(Some(&applied.bytes), &moved, &bernard, false).unwrap();
    assert_eq!(partstat(&applied.bytes, None, "bernard").as_deref(), Some("NEEDS-ACTION"), "moved");
    assert!(has(&applied.bytes, "TRIGGER:-PT1M"));
    // RFC 5546 §2.1.5: the one before comes late.
    let late = apply_request(Some(&applied.bytes), &renamed, &bernard, false);
    assert_eq!(late, Err(Ignored::Old));
    assert!(!apply_request(Some(&applied.bytes), &moved, &bernard, false).unwrap().consequential);
    // Not another's object, and not for another.
    let hijack = text(&moved).replace("cyrus", "mike");
    assert_eq!(
        apply_request(Some(mine.as_bytes()), hijack.as_bytes(), &bernard, false),
        Err(Ignored::Stranger)
    );
    assert_eq!(apply_request(None, &moved, &owner("mike"), false), Err(Ignored::NotForOwner));
    assert_eq!(apply_request(None, &moved, &owner("cyrus"), false), Err(Ignored::NotForOwner));
    assert_eq!(apply_request(None, lunch().as_bytes(), &bernard, false), Err(Ignored::Method));
}

#[test]
fn a_cancelled_object_stays_to_be_seen_and_can_come_back() {
    let invitation = by_cyrus(None, Some(&lunch())).messages.remove(0).bytes;
    let bernard = owner("bernard");
    let stored = apply_request(None, &invitation, &bernard, false).unwrap().bytes;
    let cancel =
        organizer_write(Some(lunch().as_bytes()), None, &owner("cyrus"), false, making("20090603T000000Z"));
    let cancel = cancel.unwrap().messages.remove(0).bytes;
    let cancelled = apply_cancel(&stored, &cancel, &bernard).unwrap().bytes;
    assert!(has(&cancelled, "STATUS:CANCELLED") && has(&cancelled, "SEQUENCE:2"));
    assert_eq!(apply_request(Some(&cancelled), &invitation, &bernard, false), Err(Ignored::Old));
    assert!(by("bernard", Some(&cancelled), None).unwrap().reply.is_none());
    let again =
        organizer_write(None, Some(lunch().as_bytes()), &owner("cyrus"), false, making("20090604T000000Z"));
    let again = again.unwrap().messages.remove(0).bytes;
    let revived = apply_request(Some(&cancelled), &again, &bernard, false).unwrap().bytes;
    assert!(!has(&revived, "STATUS:CANCELLED"));
    assert_eq!(apply_cancel(&revived, &cancel, &owner("mike")), Err(Ignored::NotForOwner));
}

#[test]
fn one_instance_of_a_series_is_updated() {
    // RFC 5546 §4.4.2, in which the organizer's program sends the instance alone.
    let series = calendar_of(
        "METHOD:REQUEST\nBEGIN:VEVENT\nUID:guid-1@example.com\nSEQUENCE:0\n\
         RRULE:FREQ=MONTHLY;BYMONTHDAY=1;UNTIL=19980901T210000Z\nORGANIZER:mailto:a@example.com\n\
         ATTENDEE;ROLE=CHAIR;PARTSTAT=ACCEPTED:mailto:a@example.com\nATTENDEE:mailto:b@example.com\n\
         SUMMARY:IETF Calendaring Working Group Meeting\nDTSTART:19970601T210000Z\nDTEND:19970601T220000Z\n\
         DTSTAMP:19970526T083000Z\nSTATUS:CONFIRMED\nEND:VEVENT",
    );
    let b = owner("b");
    let stored = apply_request(None, series.as_bytes(), &b, false).unwrap().bytes;
    let stored = text(&stored).replace("ATTENDEE:mailto:b", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:b");
    let instance = calendar_of(
        "METHOD:REQUEST\nBEGIN:VEVENT\nUID:guid-1@example.com\nRECURRENCE-ID:19970701T210000Z\nSEQUENCE:1\n\
         ORGANIZER:mailto:a@example.com\nATTENDEE;ROLE=CHAIR;PARTSTAT=ACCEPTED:mailto:a@example.com\n\
         ATTENDEE:mailto:b@example.com\nSUMMARY:IETF Calendaring Working Group Meeting\n\
         DTSTART:19970703T210000Z\nDTEND:19970703T220000Z\nDTSTAMP:19970626T093000Z\nSTATUS:CONFIRMED\nEND:VEVENT",
    );
    let applied = apply_request(Some(stored.as_bytes()), instance.as_bytes(), &b, false).unwrap();
    let body = stored.trim_end().strip_suffix("END:VCALENDAR").unwrap();
    assert!(text(&applied.bytes).starts_with(body), "the series is untouched");
    let id = Some("19970701T210000Z");
    assert_eq!(partstat(&applied.bytes, id, "b").as_deref(), Some("NEEDS-ACTION"));
    assert_eq!(partstat(&applied.bytes, None, "b").as_deref(), Some("ACCEPTED"));
    // §4.4.3
    let cancel = calendar_of(
        "METHOD:CANCEL\nBEGIN:VEVENT\nUID:guid-1@example.com\nORGANIZER:mailto:a@example.com\n\
         ATTENDEE:mailto:b@example.com\nRECURRENCE-ID:19970801T210000Z\nSEQUENCE:2\nSTATUS:CANCELLED\n\
         DTSTAMP:19970721T093000Z\nEND:VEVENT",
    );
    let applied = apply_cancel(&applied.bytes, cancel.as_bytes(), &b).unwrap().bytes;
    assert!(has(&applied, "RECURRENCE-ID:19970801T210000Z"));
    // §4.4.4
    let cancel = cancel.replace("RECURRENCE-ID:19970801T210000Z\r\nSEQUENCE:2", "SEQUENCE:3");
    let applied = apply_cancel(&applied, cancel.as_bytes(), &b).unwrap().bytes;
    assert_eq!(lines(&applied).iter().filter(|line| *line == "STATUS:CANCELLED").count(), 3);
    let after = apply_request(Some(&applied), instance.as_bytes(), &b, false);
    assert_eq!(after, Err(Ignored::Old));
}

#[test]
fn an_answer_to_an_instance_outlives_updates_of_the_series() {
    let (bernard, cyrus) = (owner("bernard"), owner("cyrus"));
    let organizers = daily("", "");
    let invitation = by_cyrus(None, Some(&organizers)).messages.remove(0).bytes;
    let stored = apply_request(None, &invitation, &bernard, false).unwrap().bytes;
    let declined = text(&stored).replace(
        "END:VCALENDAR",
        &format!("{}END:VCALENDAR", instance("02", "DECLINED", "").replace('\n', "\r\n")),
    );
    let reply = by("bernard", Some(&stored), Some(declined.as_bytes())).unwrap().reply.unwrap();
    // The organizer's change is made before the answer arrives.
    let renamed = organizers.replace("SUMMARY:Review Internet-Draft", "SUMMARY:Read");
    let update = organizer_write(
        Some(organizers.as_bytes()),
        Some(renamed.as_bytes()),
        &cyrus,
        false,
        making("20090603T200000Z"),
    );
    let update = update.unwrap().messages.remove(0).bytes;
    let applied = apply_request(Some(declined.as_bytes()), &update, &bernard, false).unwrap().bytes;
    let id = Some("20090602T190000Z");
    assert_eq!(partstat(&applied, id, "bernard").as_deref(), Some("DECLINED"));
    assert!(!text(&applied).contains("SUMMARY:Review"));
    // And the organizer's client, which does not know of it, does not undo it.
    let answered =
        apply_reply(renamed.as_bytes(), &reply.bytes, "mailto:bernard@example.com", &cyrus).unwrap().bytes;
    let unaware = renamed.replace("SUMMARY:Read", "SUMMARY:Write");
    let merged = keep_answers(&answered, unaware.as_bytes(), &cyrus).unwrap().unwrap();
    assert_eq!(partstat(&merged, id, "bernard").as_deref(), Some("DECLINED"));
    assert!(!text(&merged).contains("SUMMARY:Read"));
}

#[test]
fn statuses_are_written_on_their_lines_only() {
    let object = lunch();
    let delivery = |name: &str, status: &str| Delivery {
        address: format!("mailto:{name}@example.com"),
        status: status.to_owned(),
    };
    let set = set_status(object.as_bytes(), &[delivery("Bernard", "1.2"), delivery("wilfredo", "3.7")]);
    let set = set.unwrap().unwrap();
    let statuses: Vec<_> =
        parties(&set).unwrap()[0].attendees.iter().map(|party| party.status.clone()).collect();
    assert_eq!(statuses, [None, Some("3.7".to_owned()), Some("1.2".to_owned())]);
    assert_eq!(set_status(&set, &[delivery("bernard", "1.2")]).unwrap(), None);
    let changed =
        lines(&set).iter().zip(lines(object.as_bytes())).filter(|(one, other)| *one != other).count();
    assert_eq!(changed, 2);
}

#[test]
fn busy_times_are_asked_and_told() {
    // RFC 6638 Appendix B.5
    let asked = calendar_of(
        "METHOD:REQUEST\nBEGIN:VFREEBUSY\nUID:4FD3AD926350\nDTSTAMP:20090602T190420Z\nDTSTART:20090602T000000Z\n\
         DTEND:20090604T000000Z\nORGANIZER;CN=\"Cyrus Daboo\":mailto:cyrus@example.com\n\
         ATTENDEE;CN=\"Wilfredo Sanchez Vega\":mailto:wilfredo@example.com\nATTENDEE:mailto:mike@example.org\nEND:VFREEBUSY",
    );
    let request = busy_request(asked.as_bytes()).unwrap();
    assert_eq!(request.attendees, ["mailto:wilfredo@example.com", "mailto:mike@example.org"]);
    assert_eq!((request.start, request.end), (utc("20090602T000000Z"), utc("20090604T000000Z")));
    let busy = crate::calendar::Busy {
        start: utc("20090602T110000Z"),
        end: utc("20090602T120000Z"),
        kind: crate::calendar::BusyKind::Busy,
    };
    let long = crate::calendar::Busy {
        start: utc("20090603T000000Z"),
        end: utc("20090604T010101Z"),
        kind: crate::calendar::BusyKind::Busy,
    };
    let maybe = crate::calendar::Busy {
        start: busy.start,
        end: utc("20090603T110000Z"),
        kind: crate::calendar::BusyKind::Tentative,
    };
    let reply = busy_reply(&request, "mailto:wilfredo@example.com", &[busy, maybe, long], now());
    for line in [
        "METHOD:REPLY",
        "ATTENDEE;CN=\"Wilfredo Sanchez Vega\":mailto:wilfredo@example.com",
        "FREEBUSY;FBTYPE=BUSY:20090602T110000Z/PT1H,20090603T000000Z/P1DT1H1M1S",
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20090602T110000Z/P1D",
    ] {
        assert!(has(&reply, line), "{line}");
    }
    for (from, to) in [
        ("METHOD:REQUEST", "METHOD:REPLY"),
        ("VFREEBUSY", "VEVENT"),
        ("DTEND:20090604", "DTEND:20090601"),
        ("ORGANIZER", "X-ORGANIZER"),
    ] {
        assert_eq!(busy_request(asked.replace(from, to).as_bytes()), None, "{to}");
    }
}

#[test]
fn a_message_says_what_it_is() {
    let bytes = by_cyrus(None, Some(&lunch())).messages.remove(0).bytes;
    let found = incoming(&bytes).unwrap();
    assert_eq!(
        (found.method, found.uid.as_str(), found.kind.as_str()),
        (Method::Request, "9263504FD3AD", "VEVENT")
    );
    assert_eq!(found.organizer.canonical, "mailto:cyrus@example.com");
    assert_eq!(found.attendees.len(), 3);
    assert_eq!(incoming(lunch().as_bytes()), None);
}

#[test]
fn many_people_and_instances_cost_in_proportion() {
    let people: String = (0..600)
        .map(|n| format!("ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:p{n}@example.com\n"))
        .collect();
    let few: String = people.lines().take(30).map(|line| format!("{line}\n")).collect();
    let own = |n: u32| {
        let day = 1 + n % 28;
        format!(
            "BEGIN:VEVENT\nUID:1\nRECURRENCE-ID:2024{:02}{day:02}T100000Z\nDTSTART:2024{:02}{day:02}T110000Z\n\
             DURATION:PT1H\nSUMMARY:x\nORGANIZER:mailto:cyrus@example.com\n{few}END:VEVENT\n",
            1 + n / 28,
            1 + n / 28
        )
    };
    let overrides: String = (0..200).map(own).collect();
    let old = calendar_of(&format!(
        "BEGIN:VEVENT\nUID:1\nDTSTART:20240101T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\nSUMMARY:x\n\
         ORGANIZER:mailto:cyrus@example.com\n{people}END:VEVENT\n{overrides}"
    ));
    let new = old.replacen("SUMMARY:x", "SUMMARY:y", 1);
    let begun = std::time::Instant::now();
    let write = by_cyrus(Some(&old), Some(&new));
    // Two sorts of people: those who are invited to the series only, and those who are invited to all of it.
    assert_eq!(write.messages.len(), 2);
    assert_eq!(write.messages.iter().map(|message| message.to.len()).sum::<usize>(), 600);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

/// Asks everything of two files of any make.
fn ask(one: &[u8], other: &[u8]) {
    let people = [owner("a"), owner("b")];
    let _ = (incoming(one), busy_request(one), parties(one), same_organizer(one));
    for owner in &people {
        let _ = standing(one, owner);
        for (old, new) in [(None, Some(one)), (Some(one), None), (Some(one), Some(other))] {
            if let Ok(write) = organizer_write(old, new, owner, false, now()) {
                for message in &write.messages {
                    assert!(incoming(&message.bytes).is_none_or(|found| found.method == message.method));
                    for owner in &people {
                        let _ = apply_request(Some(one), &message.bytes, owner, true);
                        let _ = apply_request(None, &message.bytes, owner, false);
                        let _ = apply_cancel(other, &message.bytes, owner);
                    }
                }
            }
            if let Ok(AttendeeWrite { reply: Some(reply), .. }) = attendee_write(old, new, owner, now()) {
                let _ = apply_reply(one, &reply.bytes, &reply.from, &people[0]);
            }
        }
        let _ = keep_answers(one, other, owner);
        let _ = apply_request(Some(one), other, owner, false);
        let _ = apply_cancel(one, other, owner);
        let _ = apply_reply(one, other, "mailto:b@example.com", owner);
    }
    let _ = set_status(one, &[Delivery { address: "b@example.com".to_owned(), status: "1.2".to_owned() }]);
}

fn a_line() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "BEGIN:VCALENDAR",
            "END:VCALENDAR",
            "BEGIN:VEVENT",
            "END:VEVENT",
            "BEGIN:VTODO",
            "END:VTODO",
            "UID:1",
            "METHOD:REQUEST",
            "METHOD:CANCEL",
            "METHOD:REPLY",
            "ORGANIZER:mailto:a@example.com",
            "ATTENDEE:mailto:a@example.com",
            "ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com",
            "ATTENDEE;SCHEDULE-FORCE-SEND=REQUEST:mailto:b@example.com",
            "DTSTART:20240101T100000Z",
            "DTSTART;TZID=Europe/Berlin:20240101T100000",
            "DTSTART;VALUE=DATE:20240101",
            "DTEND:20240101T110000Z",
            "DURATION:PT1H",
            "DUE:20240101T110000Z",
            "RRULE:FREQ=DAILY;COUNT=4",
            "RRULE:FREQ=MINUTELY",
            "EXDATE:20240102T100000Z",
            "RDATE:20240105T100000Z",
            "RECURRENCE-ID:20240102T100000Z",
            "RECURRENCE-ID;VALUE=DATE:20240103",
            "SEQUENCE:1",
            "STATUS:CANCELLED",
            "SUMMARY:x",
            "DTSTAMP:20240101T000000Z",
            "REQUEST-STATUS:2.0;x",
            "COMMENT:y",
            "BEGIN:VALARM",
            "END:VALARM",
            " folded",
        ])
        .prop_map(str::to_owned),
        "[A-Z;:=\",@ ]{0,30}",
    ]
}

fn a_file() -> impl Strategy<Value = Vec<u8>> {
    (any::<bool>(), proptest::collection::vec(a_line(), 0..30)).prop_map(|(framed, lines)| {
        let inner = lines.join("\r\n");
        match framed {
            true => format!(
                "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nORGANIZER:mailto:a@example.com\r\n\
                 ATTENDEE:mailto:b@example.com\r\nDTSTART:20240101T100000Z\r\n{inner}"
            )
            .into_bytes(),
            false => inner.into_bytes(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(one in a_file(), other in a_file()) {
        ask(&one, &other);
    }

    #[test]
    fn untouched_lines_stay_to_the_byte(extra in proptest::collection::vec("X-[A-Z]{1,8}(;Y=[a-z]{1,5})?:[ -~]{0,120}", 0..6)) {
        let folded: String = extra.iter().map(|line| {
            let (head, tail) = line.split_at(line.len() / 2);
            format!("{head}\r\n {tail}\r\n")
        }).collect();
        let object = lunch().replace("SUMMARY:Lunch\r\n", &format!("SUMMARY:Lunch\r\n{folded}"));
        let set = set_status(object.as_bytes(), &[Delivery { address: "bernard@example.com".into(), status: "1.2".into() }]);
        let set = set.unwrap().unwrap();
        prop_assert!(text(&set).contains(&folded));
        let moved = object.replace("DTEND:20090602T17", "DTEND:20090602T18").replace("NEEDS-ACTION", "ACCEPTED");
        let write = by_cyrus(Some(&object.replace("NEEDS-ACTION", "ACCEPTED")), Some(&moved));
        prop_assert!(text(&write.stored.unwrap()).contains(&folded));
        let message = &write.messages[0].bytes;
        let stored = apply_request(None, message, &owner("bernard"), false).unwrap().bytes;
        prop_assert!(text(&stored).starts_with("BEGIN:VCALENDAR\r\n"));
    }
}
