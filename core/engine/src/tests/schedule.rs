//! Scheduling between accounts: RFC 6638.

use std::time::Duration;

use allod_formats::calendar::itip::{Method, canonical_address, parties};
use allod_model::{Detail, Error, ErrorKind, EtagMatch, Kind, Precondition};

use super::*;

const HOME: &str = "Calendars/Personal";

/// Accounts with a mail address each.
async fn people(names: &[&str]) -> (Bench, Vec<Session>) {
    let bench = Bench::new().await;
    let mut sessions = Vec::new();
    for name in names {
        let change = || AccountChange {
            emails: Some(vec![format!("{name}@example.com")]),
            ..AccountChange::default()
        };
        let operator = bench.core.operator();
        match *name {
            "alice" => operator.change_account(name, change()).await.unwrap(),
            _ => operator.add_account(name, change()).await.unwrap(),
        };
        sessions.push(login_with(&bench, name, &["all"]).await);
    }
    (bench, sessions)
}

async fn login_with(bench: &Bench, name: &str, grants: &[&str]) -> Session {
    let grants = grants.iter().map(|grant| parse_grant(grant).unwrap()).collect();
    let new = bench.core.operator().add_credential(name, "test", grants, None).await.unwrap();
    bench.login(name, &new.password, "caldav").await.unwrap()
}

fn object(uid: &str, organizer: &str, attendees: &[&str], extra: &str) -> String {
    let attendees: String = attendees
        .iter()
        .map(|name| {
            let partstat = if *name == organizer { "ACCEPTED" } else { "NEEDS-ACTION" };
            format!("ATTENDEE;PARTSTAT={partstat};RSVP=TRUE:mailto:{}\r\n", address(name))
        })
        .collect();
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20231101T000000Z\r\n\
         DTSTART:20231201T100000Z\r\nDTEND:20231201T110000Z\r\nSUMMARY:Lunch\r\n\
         ORGANIZER:mailto:{organizer}@example.com\r\n{attendees}{extra}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn address(name: &str) -> String {
    if name.contains('@') { name.to_owned() } else { format!("{name}@example.com") }
}

async fn write(session: &Session, at: &str, text: &str) -> model::Result<Written> {
    put(session, at, text.as_bytes()).await
}

async fn read(session: &Session, at: &str) -> String {
    String::from_utf8(get(session, at).await.unwrap()).unwrap().replace("\r\n ", "")
}

/// The one object in the first calendar.
async fn only(session: &Session) -> (String, String) {
    let mut names = names(session, HOME).await;
    assert_eq!(names.len(), 1, "{names:?}");
    let at = format!("{HOME}/{}", names.remove(0));
    let text = read(session, &at).await;
    (at, text)
}

async fn inbox(session: &Session) -> Vec<String> {
    let mut messages = Vec::new();
    for name in names(session, "Calendars/inbox").await {
        messages.push(read(session, &format!("Calendars/inbox/{name}")).await);
    }
    messages
}

fn answer(text: &str, name: &str) -> (String, Option<String>) {
    let canonical = canonical_address(&address(name));
    let all = parties(text.as_bytes()).unwrap();
    let found = all[0].attendees.iter().find(|party| party.canonical == canonical).unwrap();
    (found.partstat.clone(), found.status.clone())
}

async fn tag_of(session: &Session, at: &str) -> Option<String> {
    session.stat(&path(at), Want::Any, false).await.unwrap().calendar.unwrap().schedule_tag
}

fn demand(error: &Error) -> &'static str {
    match error.detail {
        Detail::Demand("CALDAV", demand) => demand,
        _ => panic!("{error:?}"),
    }
}

fn with_answer(text: &str, name: &str, partstat: &str) -> String {
    let line = |line: &str| match line.contains(&format!("mailto:{name}@")) && line.starts_with("ATTENDEE") {
        true => {
            let known = answer(text, name).0;
            line.replace(&format!("PARTSTAT={known}"), &format!("PARTSTAT={partstat}"))
        }
        false => line.to_owned(),
    };
    text.lines().map(|one| line(one) + "\r\n").collect()
}

#[tokio::test]
async fn an_invitation_arrives_is_answered_and_told_to_all() {
    let (bench, people) = people(&["alice", "bob", "carol"]).await;
    let [alice, bob, carol] = &people[..] else { panic!() };
    let event = object("lunch", "alice", &["alice", "bob", "carol", "dave@elsewhere.org"], "");
    let written = write(alice, &format!("{HOME}/lunch.ics"), &event).await.unwrap();
    assert!(written.altered && written.created);
    let tag = written.node.calendar.unwrap().schedule_tag.unwrap();
    let at_alice = read(alice, &format!("{HOME}/lunch.ics")).await;
    assert_eq!(answer(&at_alice, "bob"), ("NEEDS-ACTION".into(), Some("1.2".into())));
    assert_eq!(answer(&at_alice, "dave@elsewhere.org").1.as_deref(), Some("1.1"));

    let (bobs, at_bob) = only(bob).await;
    assert!(!at_bob.contains("METHOD") && !at_bob.contains("SCHEDULE-STATUS"));
    let messages = inbox(bob).await;
    assert!(messages.len() == 1 && messages[0].contains("METHOD:REQUEST"));
    let bobs_tag = tag_of(bob, &bobs).await.unwrap();
    let carols_tag = tag_of(carol, &only(carol).await.0).await.unwrap();

    let written = write(bob, &bobs, &with_answer(&at_bob, "bob", "ACCEPTED")).await.unwrap();
    assert!(written.altered, "the organizer's SCHEDULE-STATUS is in it");
    assert!(read(bob, &bobs).await.contains("ORGANIZER;X-ALLOD-DTSTAMP"));
    assert_ne!(tag_of(bob, &bobs).await.unwrap(), bobs_tag);
    let at_alice = read(alice, &format!("{HOME}/lunch.ics")).await;
    assert_eq!(answer(&at_alice, "bob"), ("ACCEPTED".into(), Some("2.0".into())));
    assert_eq!(tag_of(alice, &format!("{HOME}/lunch.ics")).await, Some(tag), "RFC 6638 §3.2.10");
    let messages = inbox(alice).await;
    assert!(messages.len() == 1 && messages[0].contains("METHOD:REPLY"));
    // Carol hears of it without a message, and her schedule-tag stays.
    let (carols, at_carol) = only(carol).await;
    assert_eq!(answer(&at_carol, "bob").0, "ACCEPTED");
    assert_eq!(inbox(carol).await.len(), 1);
    assert_eq!(tag_of(carol, &carols).await, Some(carols_tag));

    // Only Dave's is on its way by mail: the refresh was not.
    let waiting = bench.core.operator().outbox().list(10).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!((waiting[0].method, waiting[0].to.as_str()), (Method::Request, "mailto:dave@elsewhere.org"));

    remove(alice, &format!("{HOME}/lunch.ics")).await.unwrap();
    assert!(only(bob).await.1.contains("STATUS:CANCELLED"));
    assert!(inbox(carol).await.iter().any(|message| message.contains("METHOD:CANCEL")));
    bench.assert_clean().await;
}

#[tokio::test]
async fn declining_by_removal_can_be_silent() {
    // RFC 6638 §8.1
    let (_bench, people) = people(&["alice", "bob", "carol"]).await;
    let [alice, bob, carol] = &people[..] else { panic!() };
    let at = format!("{HOME}/e.ics");
    write(alice, &at, &object("e", "alice", &["alice", "bob", "carol"], "")).await.unwrap();
    let quietly = RemoveOptions { no_reply: true };
    let (bobs, _) = only(bob).await;
    bob.remove_with(&path(&bobs), Want::Any, Precondition::default(), quietly).await.unwrap();
    assert_eq!(answer(&read(alice, &at).await, "bob").0, "NEEDS-ACTION");
    remove(carol, &only(carol).await.0).await.unwrap();
    assert_eq!(answer(&read(alice, &at).await, "carol").0, "DECLINED");
    // What is moved out of a calendar is removed from it; what is moved between calendars is not.
    let other = FolderOptions { kind: Kind::Calendar, ..FolderOptions::default() };
    alice.make_folder(&path("Calendars/Work"), other, Precondition::default()).await.unwrap();
    rename(alice, &at, "Calendars/Work/e.ics").await.unwrap();
    assert!(tag_of(alice, "Calendars/Work/e.ics").await.is_some());
    assert!(inbox(carol).await.len() == 1);
    let refused = copy(alice, "Calendars/Work/e.ics", &at).await.unwrap_err();
    assert_eq!(demand(&refused), "unique-scheduling-object-resource");
    rename(alice, "Calendars/Work/e.ics", "public/e.ics").await.unwrap();
    // Whoever put it away hears no more of it.
    let cancels = inbox(carol).await.into_iter().filter(|message| message.contains("METHOD:CANCEL"));
    assert_eq!(cancels.count(), 0);
    // And back: she is invited again.
    rename(alice, "public/e.ics", "Calendars/Work/e.ics").await.unwrap();
    assert_eq!(answer(&read(alice, "Calendars/Work/e.ics").await, "carol").1.as_deref(), Some("1.2"));
    assert!(!only(carol).await.1.contains("CANCELLED"));
    // A calendar that goes cancels what is in it.
    remove(alice, "Calendars/Work").await.unwrap();
    assert!(only(carol).await.1.contains("CANCELLED"));
}

#[tokio::test]
async fn what_is_anothers_is_not_to_be_changed() {
    let (_bench, people) = people(&["alice", "bob"]).await;
    let [alice, bob] = &people[..] else { panic!() };
    let at = format!("{HOME}/e.ics");
    write(alice, &at, &object("e", "alice", &["alice", "bob"], "")).await.unwrap();
    let (bobs, text) = only(bob).await;
    let refused = write(bob, &bobs, &text.replace("SUMMARY:Lunch", "SUMMARY:Dinner")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InvalidContent);
    assert_eq!(demand(&refused), "allowed-attendee-scheduling-object-change");
    let taken = text.replace("ORGANIZER;", "X-ORGANIZER;");
    assert_eq!(
        demand(&write(bob, &bobs, &taken).await.unwrap_err()),
        "allowed-attendee-scheduling-object-change"
    );
    let handed = read(alice, &at).await.replace("ORGANIZER:mailto:alice", "ORGANIZER:mailto:bob");
    assert_eq!(
        demand(&write(alice, &at, &handed).await.unwrap_err()),
        "allowed-organizer-scheduling-object-change"
    );
    let two = object("two", "alice", &["alice", "bob"], "").replace(
        "END:VCALENDAR",
        "BEGIN:VEVENT\r\nUID:two\r\nRECURRENCE-ID:20231202T100000Z\r\nDTSTART:20231202T100000Z\r\n\
         ORGANIZER:mailto:bob@example.com\r\nATTENDEE:mailto:bob@example.com\r\nEND:VEVENT\r\nEND:VCALENDAR",
    );
    let refused = write(alice, &format!("{HOME}/two.ics"), &two).await.unwrap_err();
    assert_eq!(demand(&refused), "same-organizer-in-all-components");
    let other = FolderOptions { kind: Kind::Calendar, ..FolderOptions::default() };
    alice.make_folder(&path("Calendars/Work"), other, Precondition::default()).await.unwrap();
    let again = write(alice, "Calendars/Work/e.ics", &object("e", "alice", &["alice", "bob"], "")).await;
    assert_eq!(demand(&again.unwrap_err()), "unique-scheduling-object-resource");
    // Nobody puts anything into an inbox.
    assert_eq!(write(bob, "Calendars/inbox/x.ics", &text).await.unwrap_err().kind, ErrorKind::Denied);
    let reading = login_with(&_bench, "alice", &["/Calendars:r"]).await;
    let refused = write(&reading, &at, &object("e", "alice", &["alice"], "")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Denied);
    assert_eq!(inbox(bob).await.len(), 1);
    // Another's organizer is not taken: nobody is invited in Alice's name.
    write(bob, &format!("{HOME}/forged.ics"), &object("f", "alice", &["alice", "bob"], "")).await.unwrap();
    assert_eq!(names(alice, HOME).await.len(), 1);
    assert!(inbox(alice).await.is_empty());
}

#[tokio::test]
async fn a_schedule_tag_merges_what_does_not_matter() {
    // RFC 6638 §3.2.10.1
    let (_bench, people) = people(&["alice", "bob"]).await;
    let [alice, bob] = &people[..] else { panic!() };
    let at = format!("{HOME}/e.ics");
    let written = write(alice, &at, &object("e", "alice", &["alice", "bob"], "")).await.unwrap();
    let tag = written.node.calendar.as_ref().unwrap().schedule_tag.clone();
    let unaware = read(alice, &at).await;
    let (bobs, text) = only(bob).await;
    write(bob, &bobs, &with_answer(&text, "bob", "ACCEPTED")).await.unwrap();
    let by_tag = Precondition { if_schedule_tag: tag, ..Precondition::default() };
    let by_etag = Precondition {
        if_match: Some(EtagMatch::OneOf(vec![written.node.etag.clone()])),
        ..Precondition::default()
    };
    let bytes = unaware.replace("SUMMARY:Lunch", "SUMMARY:Dinner");
    let put = |pre: Precondition| {
        let (alice, at, bytes) = (alice.clone(), path(&at), bytes.clone());
        async move { alice.put(&at, PutOptions::default(), pre, body(bytes.as_bytes())).await }
    };
    assert_eq!(put(by_etag).await.unwrap_err().kind, ErrorKind::PreconditionFailed);
    put(by_tag.clone()).await.unwrap();
    assert_eq!(answer(&read(alice, &at).await, "bob").0, "ACCEPTED");
    assert!(only(bob).await.1.contains("SUMMARY:Dinner"));
    assert_eq!(put(by_tag).await.unwrap_err().kind, ErrorKind::PreconditionFailed, "changed by a request");
}

#[tokio::test]
async fn busy_times_are_told_and_no_more() {
    // RFC 6638 §5
    let (_bench, people) = people(&["alice", "bob", "carol"]).await;
    let [alice, bob, carol] = &people[..] else { panic!() };
    let event = |uid: &str, day: &str| {
        object(uid, "x", &[], "").replace("ORGANIZER:mailto:x@example.com\r\n", "").replace("20231201", day)
    };
    write(bob, &format!("{HOME}/a.ics"), &event("a", "20231201")).await.unwrap();
    let free = FolderOptions { kind: Kind::Calendar, transparent: true, ..FolderOptions::default() };
    bob.make_folder(&path("Calendars/Free"), free, Precondition::default()).await.unwrap();
    write(bob, "Calendars/Free/b.ics", &event("b", "20231202")).await.unwrap();
    let request = |organizer: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nUID:q\r\n\
             DTSTAMP:20231101T000000Z\r\nDTSTART:20231130T000000Z\r\nDTEND:20231210T000000Z\r\n\
             ORGANIZER:mailto:{organizer}@example.com\r\nATTENDEE:mailto:bob@example.com\r\n\
             ATTENDEE:mailto:CAROL@example.com\r\nATTENDEE:mailto:nobody@example.com\r\n\
             END:VFREEBUSY\r\nEND:VCALENDAR\r\n"
        )
    };
    let answers = alice.free_busy_of(request("alice").as_bytes()).await.unwrap();
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, ["2.0;Success", "2.0;Success", "3.7;Invalid calendar user"]);
    let bobs = String::from_utf8(answers[0].body.clone().unwrap()).unwrap();
    assert!(bobs.contains("FREEBUSY:20231201T100000Z/20231201T110000Z\r\n"));
    assert!(!bobs.contains("20231202") && !bobs.contains("Lunch"));
    assert!(!String::from_utf8(answers[1].body.clone().unwrap()).unwrap().contains("FREEBUSY:"));
    let refused = carol.free_busy_of(request("alice").as_bytes()).await.unwrap_err();
    assert_eq!((refused.kind, demand(&refused)), (ErrorKind::Denied, "valid-organizer"));
    let refused = alice.free_busy_of(event("z", "20231201").as_bytes()).await.unwrap_err();
    assert_eq!(demand(&refused), "valid-scheduling-message");
    let files = login_with(&_bench, "alice", &["/public:rw"]).await;
    assert_eq!(files.free_busy_of(request("alice").as_bytes()).await.unwrap_err().kind, ErrorKind::Denied);
    let anyone = Proof::Anonymous { account: Some("alice".into()) };
    let anyone = _bench.core.authenticate(anyone, door("caldav")).await.unwrap();
    assert_eq!(anyone.free_busy_of(request("alice").as_bytes()).await.unwrap_err().kind, ErrorKind::Denied);
}

#[tokio::test]
async fn messages_to_elsewhere_wait_for_whoever_mails_them() {
    let (bench, people) = people(&["alice"]).await;
    let alice = &people[0];
    bench.core.set_own_domains(vec!["Example.com".into()]);
    let at = format!("{HOME}/e.ics");
    let event = object("e", "alice", &["alice", "dave@elsewhere.org", "erin@elsewhere.org", "ghost"], "");
    write(alice, &at, &event).await.unwrap();
    assert_eq!(answer(&read(alice, &at).await, "ghost").1.as_deref(), Some("3.7"));
    let outbox = bench.core.operator().outbox();
    let lease = Duration::from_secs(60);
    let claimed = outbox.claim(1, lease).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].summary.as_deref()), (1, Some("Lunch")));
    assert!(String::from_utf8(claimed[0].bytes.clone()).unwrap().contains("METHOD:REQUEST"));
    let rest = outbox.claim(10, lease).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert!(outbox.claim(10, lease).await.unwrap().is_empty(), "all are claimed");
    bench.clock.advance_secs(61);
    assert_eq!(outbox.claim(10, lease).await.unwrap().len(), 2, "nobody settled them in time");
    outbox.settle(&claimed[0].id, Settled::Sent).await.unwrap();
    outbox.settle(&claimed[0].id, Settled::Sent).await.unwrap();
    outbox.settle(&rest[0].id, Settled::Failed("5.1")).await.unwrap();
    assert!(outbox.list(10).await.unwrap().is_empty());
    let text = read(alice, &at).await;
    let status = |claimed: &Claimed| answer(&text, claimed.to.trim_start_matches("mailto:")).1.unwrap();
    assert_eq!((status(&claimed[0]), status(&rest[0])), ("1.1".to_owned(), "5.1".to_owned()));
    assert!(outbox.settle("nonsense", Settled::Sent).await.is_err());
    bench.assert_clean().await;
}

#[tokio::test]
async fn invitations_go_where_their_owner_wants_them() {
    // RFC 6638 §4.3
    let (_bench, people) = people(&["alice", "bob"]).await;
    let [alice, bob] = &people[..] else { panic!() };
    assert_eq!(bob.default_calendar().await.unwrap(), Some(path(HOME)));
    let work = FolderOptions { kind: Kind::Calendar, ..FolderOptions::default() };
    bob.make_folder(&path("Calendars/Work"), work, Precondition::default()).await.unwrap();
    let refused = bob.set_default_calendar(&path("Contacts/Personal")).await.unwrap_err();
    assert_eq!(demand(&refused), "valid-schedule-default-calendar-URL");
    bob.set_default_calendar(&path("Calendars/Work")).await.unwrap();
    write(alice, &format!("{HOME}/e.ics"), &object("e", "alice", &["alice", "bob"], "")).await.unwrap();
    assert_eq!(names(bob, "Calendars/Work").await.len(), 1);
    assert_eq!(demand(&remove(bob, "Calendars/Work").await.unwrap_err()), "default-calendar-needed");
    bob.set_default_calendar(&path(HOME)).await.unwrap();
    remove(bob, "Calendars/Work").await.unwrap();
    assert_eq!(answer(&read(alice, &format!("{HOME}/e.ics")).await, "bob").0, "DECLINED");
    // Without any calendar nothing can be delivered.
    bob.set_default_calendar(&path(HOME)).await.unwrap();
    let away = rename(bob, HOME, "old").await;
    away.unwrap();
    write(alice, &format!("{HOME}/f.ics"), &object("f", "alice", &["alice", "bob"], "")).await.unwrap();
    assert_eq!(answer(&read(alice, &format!("{HOME}/f.ics")).await, "bob").1.as_deref(), Some("5.3"));
}
