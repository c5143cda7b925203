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
    let audit = bench.core.operator().audit("alice", 10).await.unwrap();
    assert!(audit.iter().any(|one| one.event == "message-delivered" && one.text.contains("mailto:bob")));
    assert_eq!(waiting.len(), 1);
    assert_eq!((waiting[0].method, waiting[0].to.as_str()), (Method::Request, "mailto:dave@elsewhere.org"));

    remove(alice, &format!("{HOME}/lunch.ics")).await.unwrap();
    assert!(only(bob).await.1.contains("STATUS:CANCELLED"));
    assert!(inbox(carol).await.iter().any(|message| message.contains("METHOD:CANCEL")));
    bench.assert_clean().await;
}

#[tokio::test]
async fn a_crash_delivers_everything_once() {
    for moment in 1..=3_u8 {
        let memory = Arc::new(allod_meta::memory::Memory::new());
        let open = || async {
            let (env, _) = Env::simulated(42, Timestamp::from_secs(1_700_000_000));
            let options = Options { env, ..Options::new(BlobConfig::new("memory:///")) };
            Core::open(Store::new(memory.clone()), MasterKey::from_bytes(&[7; 32]), options).await.unwrap()
        };
        let crash = |core: &Core, moment: u8| {
            core.0.deliveries.crash.store(moment, std::sync::atomic::Ordering::SeqCst);
        };
        let core = open().await;
        for name in ["alice", "bob", "carol"] {
            let emails = Some(vec![format!("{name}@example.com")]);
            let change = AccountChange { emails, ..AccountChange::default() };
            core.operator().add_account(name, change).await.unwrap();
        }
        let at = format!("{HOME}/e.ics");
        crash(&core, moment);
        let alice = core.operator().session("alice").unwrap();
        write(&alice, &at, &object("e", "alice", &["alice", "bob", "carol"], "")).await.unwrap();
        core.close().await.unwrap();

        let core = open().await;
        core.deliver_pending().await.unwrap();
        let [alice, bob, carol] =
            ["alice", "bob", "carol"].map(|name| core.operator().session(name).unwrap());
        assert_eq!((inbox(&bob).await.len(), inbox(&carol).await.len()), (1, 1), "{moment}");
        let (bobs, text) = only(&bob).await;
        crash(&core, moment);
        write(&bob, &bobs, &with_answer(&text, "bob", "TENTATIVE")).await.unwrap();
        core.close().await.unwrap();

        let core = open().await;
        core.deliver_pending().await.unwrap();
        core.deliver_pending().await.unwrap();
        let _ = alice;
        let [alice, bob, carol] =
            ["alice", "bob", "carol"].map(|name| core.operator().session(name).unwrap());
        assert_eq!(answer(&read(&alice, &at).await, "bob").0, "TENTATIVE", "{moment}");
        assert_eq!(answer(&only(&carol).await.1, "bob").0, "TENTATIVE", "{moment}");
        let counts = (inbox(&alice).await.len(), inbox(&bob).await.len(), inbox(&carol).await.len());
        assert_eq!(counts, (1, 1, 1), "{moment}");
        assert_nothing_waits(&core);
        let report = core.check(false, &|_, _| {}).await.unwrap();
        assert!(report.is_clean(), "{:#?}", report.problems);
    }
}

/// No message and no piece of one is left.
fn assert_nothing_waits(core: &Core) {
    use allod_meta::Lookup;
    let view = core.view().unwrap();
    for record in core.account_records().unwrap() {
        let keys = crate::keys::Keys::new(record.id);
        for part in [0, 1, 3] {
            assert!(view.scan_prefix(&keys.schedule(part), None, 1).unwrap().is_empty(), "part {part}");
        }
    }
}

/// What an event should look like.
#[derive(Clone, Debug)]
struct Planned {
    organizer: usize,
    summary: u32,
    hour: u32,
    /// Who takes part, and his answer.
    answers: std::collections::BTreeMap<usize, &'static str>,
    /// Who put his copy away.
    away: std::collections::BTreeSet<usize>,
}

const NAMES: [&str; 3] = ["alice", "bob", "carol"];

impl Planned {
    fn text(&self, uid: &str) -> String {
        let others: Vec<&str> = self.answers.keys().map(|who| NAMES[*who]).collect();
        let mut all = vec![NAMES[self.organizer]];
        all.extend(others);
        let mut text = object(uid, NAMES[self.organizer], &all, "")
            .replace("SUMMARY:Lunch", &format!("SUMMARY:{}", self.summary))
            .replace("20231201T110000Z", &format!("20231201T{:02}3000Z", self.hour))
            .replace("20231201T100000Z", &format!("20231201T{:02}0000Z", self.hour));
        for (who, partstat) in &self.answers {
            text = with_answer(&text, NAMES[*who], partstat);
        }
        text
    }
}

#[tokio::test]
async fn three_accounts_agree_on_everything() {
    for seed in 0..4_u64 {
        let (bench, people) = people(&NAMES).await;
        let mut plans: std::collections::BTreeMap<String, Planned> = Default::default();
        let mut bytes = noise(seed, 4 * 70).into_iter();
        for step in 0..70_u32 {
            let Some([what, who, which, how]) = bytes.next_chunk_of_4() else { break };
            bench.clock.advance_secs(i64::from(how % 3));
            let who = usize::from(who) % NAMES.len();
            let uids: Vec<String> = plans.keys().cloned().collect();
            let chosen = uids.get(usize::from(which) % uids.len().max(1)).cloned();
            let at = |uid: &str| format!("{HOME}/{uid}-own.ics");
            match (what % 8, chosen) {
                (0 | 1, _) | (_, None) => {
                    let uid = format!("u{step}");
                    let others = (0..NAMES.len()).filter(|other| *other != who);
                    let answers =
                        others.filter(|other| how >> other & 1 == 1).map(|other| (other, "NEEDS-ACTION"));
                    let plan = Planned {
                        organizer: who,
                        summary: step,
                        hour: 1 + u32::from(how) % 20,
                        answers: answers.collect(),
                        away: Default::default(),
                    };
                    write(&people[who], &at(&uid), &plan.text(&uid)).await.unwrap();
                    plans.insert(uid, plan);
                }
                (2..=4, Some(uid)) => {
                    // The organizer changes something.
                    let plan = plans.get_mut(&uid).unwrap();
                    match how % 4 {
                        0 => plan.summary = step,
                        1 => {
                            let hour = 1 + (plan.hour + 1) % 20;
                            plan.hour = hour;
                            plan.answers.values_mut().for_each(|answer| *answer = "NEEDS-ACTION");
                            // Who put it away is asked again.
                            plan.away.clear();
                        }
                        2 => {
                            let guest = (plan.organizer + 1 + usize::from(how) % 2) % NAMES.len();
                            if plan.answers.remove(&guest).is_none() {
                                plan.answers.insert(guest, "NEEDS-ACTION");
                            }
                            plan.away.remove(&guest);
                        }
                        _ => plan.summary = step + 1000,
                    }
                    write(&people[plan.organizer], &at(&uid), &plan.text(&uid)).await.unwrap();
                }
                (5 | 6, Some(uid)) => {
                    // An attendee answers, or puts it away.
                    let plan = plans.get_mut(&uid).unwrap();
                    if !plan.answers.contains_key(&who) || plan.away.contains(&who) {
                        continue;
                    }
                    let (his, text) = copy_of(&people[who], &uid).await.unwrap();
                    if how % 4 == 3 {
                        remove(&people[who], &his).await.unwrap();
                        plan.away.insert(who);
                        plan.answers.insert(who, "DECLINED");
                    } else {
                        let partstat = ["ACCEPTED", "DECLINED", "TENTATIVE"][usize::from(how % 4)];
                        write(&people[who], &his, &with_answer(&text, NAMES[who], partstat)).await.unwrap();
                        plan.answers.insert(who, partstat);
                    }
                }
                (_, Some(uid)) => {
                    let plan = plans.remove(&uid).unwrap();
                    remove(&people[plan.organizer], &at(&uid)).await.unwrap();
                    for guest in plan.answers.keys().filter(|guest| !plan.away.contains(*guest)) {
                        let (_, text) = copy_of(&people[*guest], &uid).await.unwrap();
                        assert!(text.contains("STATUS:CANCELLED"), "seed {seed} step {step}: {text}");
                    }
                }
            }
            for (uid, plan) in &plans {
                let everybody = plan.answers.keys().filter(|who| !plan.away.contains(*who));
                for who in everybody.chain([&plan.organizer]) {
                    let told = format!("seed {seed} step {step} {uid} at {}: {plan:?}", NAMES[*who]);
                    let (_, text) = copy_of(&people[*who], uid).await.expect(&told);
                    assert!(text.contains(&format!("SUMMARY:{}\r\n", plan.summary)), "{told}\n{text}");
                    assert!(
                        text.contains(&format!("DTSTART:20231201T{:02}0000Z", plan.hour)),
                        "{told}\n{text}"
                    );
                    assert!(!text.contains("CANCELLED"), "{told}");
                    for (guest, partstat) in &plan.answers {
                        assert_eq!(answer(&text, NAMES[*guest]).0, *partstat, "{told}\n{text}");
                    }
                }
            }
        }
        assert_nothing_waits(&bench.core);
        bench.assert_clean().await;
    }
}

trait Four {
    fn next_chunk_of_4(&mut self) -> Option<[u8; 4]>;
}

impl Four for std::vec::IntoIter<u8> {
    fn next_chunk_of_4(&mut self) -> Option<[u8; 4]> {
        Some([self.next()?, self.next()?, self.next()?, self.next()?])
    }
}

/// An account's copy of an event: where, and what.
async fn copy_of(session: &Session, uid: &str) -> Option<(String, String)> {
    for name in names(session, HOME).await {
        let at = format!("{HOME}/{name}");
        let text = read(session, &at).await;
        if text.contains(&format!("UID:{uid}\r\n")) {
            return Some((at, text));
        }
    }
    None
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
    // A calendar that goes cancels what is in it, and so does all that goes together.
    remove(alice, "Calendars/Work").await.unwrap();
    assert!(only(carol).await.1.contains("CANCELLED"));
    write(alice, &format!("{HOME}/all.ics"), &object("all", "alice", &["alice", "carol"], "")).await.unwrap();
    assert!(!copy_of(carol, "all").await.unwrap().1.contains("CANCELLED"));
    remove(alice, "Calendars").await.unwrap();
    assert!(copy_of(carol, "all").await.unwrap().1.contains("CANCELLED"));
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
async fn an_answer_to_one_instance_is_not_lost() {
    // RFC 6638 Appendix B.7
    let (_bench, people) = people(&["alice", "bob"]).await;
    let [alice, bob] = &people[..] else { panic!() };
    let at = format!("{HOME}/e.ics");
    let first = object("e", "alice", &["alice", "bob"], "RRULE:FREQ=DAILY;COUNT=5\r\n");
    write(alice, &at, &first).await.unwrap();
    let (bobs, text) = only(bob).await;
    let accepted = with_answer(&text, "bob", "ACCEPTED");
    let begin = accepted.find("BEGIN:VEVENT").unwrap();
    let end = accepted.find("END:VCALENDAR").unwrap();
    let one = with_answer(&text, "bob", "DECLINED")[begin..end]
        .replace("RRULE:FREQ=DAILY;COUNT=5\r\n", "RECURRENCE-ID:20231203T100000Z\r\n")
        .replace("20231201T1", "20231203T1");
    write(bob, &bobs, &format!("{}{one}{}", &accepted[..end], &accepted[end..])).await.unwrap();
    let declined = |text: &str| {
        let all = parties(text.as_bytes()).unwrap();
        let own = all.iter().find(|one| one.instance.is_some()).unwrap();
        let bob = own.attendees.iter().find(|party| party.canonical.contains("bob")).unwrap();
        (all.len(), bob.partstat.clone())
    };
    assert_eq!(declined(&read(alice, &at).await), (2, "DECLINED".to_owned()));
    assert_eq!(answer(&read(alice, &at).await, "bob").0, "ACCEPTED");
    // A client that knows of no answer, and does not say what it knows.
    write(alice, &at, &first.replace("SUMMARY:Lunch", "SUMMARY:Tea")).await.unwrap();
    let text = read(alice, &at).await;
    assert_eq!(
        (declined(&text), answer(&text, "bob").0),
        ((2, "DECLINED".to_owned()), "ACCEPTED".to_owned())
    );
    let (_, text) = only(bob).await;
    assert_eq!(
        (declined(&text), answer(&text, "bob").0),
        ((2, "DECLINED".to_owned()), "ACCEPTED".to_owned())
    );
    assert_eq!(text.matches("SUMMARY:Tea").count(), 2);
    // An instance that is cancelled is seen as cancelled.
    let cancelled = first.replace("RRULE", "EXDATE:20231204T100000Z\r\nRRULE");
    write(alice, &at, &cancelled).await.unwrap();
    let all = parties(only(bob).await.1.as_bytes()).unwrap();
    assert_eq!(all.iter().filter(|one| one.cancelled && one.instance.is_some()).count(), 1);
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
    assert!(bobs.contains("FREEBUSY;FBTYPE=BUSY:20231201T100000Z/PT1H\r\n"));
    assert!(!bobs.contains("20231202") && !bobs.contains("Lunch"));
    // Invited is tentatively busy, declined is free.
    let at = format!("{HOME}/c.ics");
    let lunch = object("c", "carol", &["carol", "bob"], "").replace("20231201", "20231203");
    write(carol, &at, &lunch).await.unwrap();
    let busy = async || {
        let answers = alice.free_busy_of(request("alice").as_bytes()).await.unwrap();
        String::from_utf8(answers[0].body.clone().unwrap()).unwrap()
    };
    assert!(busy().await.contains("FREEBUSY;FBTYPE=BUSY-TENTATIVE:20231203T100000Z/PT1H"));
    let (bobs_copy, text) = copy_of(bob, "c").await.unwrap();
    write(bob, &bobs_copy, &with_answer(&text, "bob", "DECLINED")).await.unwrap();
    assert!(!busy().await.contains("20231203T10"));
    assert!(!String::from_utf8(answers[1].body.clone().unwrap()).unwrap().contains("FREEBUSY;"));
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
    // What nobody mails is given up.
    write(alice, &at, &text.replace("SUMMARY:Lunch", "SUMMARY:Dinner")).await.unwrap();
    assert_eq!(outbox.list(10).await.unwrap().len(), 2);
    bench.clock.advance_secs(8 * 86_400);
    bench.core.deliver_pending().await.unwrap();
    assert!(outbox.list(10).await.unwrap().is_empty());
    assert_eq!(answer(&read(alice, &at).await, "dave@elsewhere.org").1.as_deref(), Some("5.1"));
    bench.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answers_and_changes_race_safely() {
    let (bench, people) = people(&NAMES).await;
    let at = format!("{HOME}/e.ics");
    write(&people[0], &at, &object("e", "alice", &NAMES, "")).await.unwrap();
    let mut tasks = Vec::new();
    for who in 0..3 {
        let session = people[who].clone();
        tasks.push(tokio::spawn(async move {
            for round in 0..12_usize {
                // Another one was faster: look again.
                for _ in 0..50 {
                    let (at, text) = copy_of(&session, "e").await.unwrap();
                    let known = answer(&text, "alice").0;
                    assert_eq!(known, "ACCEPTED");
                    let new = match who {
                        0 => text
                            .lines()
                            .map(|line| match line.starts_with("SUMMARY:") {
                                true => format!("SUMMARY:{round}\r\n"),
                                false => format!("{line}\r\n"),
                            })
                            .collect(),
                        _ => with_answer(&text, NAMES[who], ["ACCEPTED", "DECLINED", "TENTATIVE"][round % 3]),
                    };
                    match write(&session, &at, &new).await {
                        Ok(_) => break,
                        Err(error) => assert!(
                            matches!(error.kind, ErrorKind::InvalidContent | ErrorKind::Busy),
                            "{error:?}"
                        ),
                    }
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    bench.core.deliver_pending().await.unwrap();
    assert_nothing_waits(&bench.core);
    for session in &people {
        let (_, text) = copy_of(session, "e").await.unwrap();
        assert!(text.contains("SUMMARY:11\r\n"), "{text}");
        for name in ["bob", "carol"] {
            assert_eq!(answer(&text, name).0, "TENTATIVE", "{text}");
        }
    }
    bench.assert_clean().await;
}

#[tokio::test]
async fn answers_come_by_mail_too() {
    // RFC 6047
    let (bench, people) = people(&["alice", "bob"]).await;
    let [alice, bob] = &people[..] else { panic!() };
    let operator = bench.core.operator();
    let at = format!("{HOME}/e.ics");
    write(alice, &at, &object("e", "alice", &["alice", "bob", "dave@elsewhere.org"], "")).await.unwrap();
    let sent = operator.outbox().list(1).await.unwrap().remove(0);
    let request = String::from_utf8(sent.bytes).unwrap();
    let reply = request
        .replace("NEEDS-ACTION;RSVP=TRUE:mailto:dave", "ACCEPTED;RSVP=TRUE:mailto:dave")
        .replace("METHOD:REQUEST", "METHOD:REPLY");
    for (to, from, expected) in [
        ("alice", "mallory@elsewhere.org", Mailed::Left),
        ("bob", "dave@elsewhere.org", Mailed::Left),
        ("alice", "Dave@Elsewhere.org", Mailed::Taken),
        ("alice", "Dave@Elsewhere.org", Mailed::Taken),
    ] {
        let taken = operator.take_mailed(to, from, reply.as_bytes()).await.unwrap();
        assert_eq!(taken, expected, "{to} from {from}");
    }
    assert_eq!(answer(&read(alice, &at).await, "dave@elsewhere.org").0, "ACCEPTED");
    assert_eq!(answer(&only(bob).await.1, "dave@elsewhere.org").0, "ACCEPTED", "told by a refresh");
    assert_eq!((inbox(alice).await.len(), inbox(bob).await.len()), (1, 1));
    // An invitation of a stranger is a mail; what was accepted is kept up to date.
    let theirs = object("t", "x", &["bob"], "").replace("mailto:x@example.com", "mailto:x@elsewhere.org");
    let invitation = theirs.replace("BEGIN:VEVENT", "METHOD:REQUEST\r\nBEGIN:VEVENT");
    let mailed = operator.take_mailed("bob", "x@elsewhere.org", invitation.as_bytes()).await.unwrap();
    assert_eq!(mailed, Mailed::Left);
    write(bob, &format!("{HOME}/t.ics"), &with_answer(&theirs, "bob", "ACCEPTED")).await.unwrap();
    let answered = operator.outbox().list(10).await.unwrap();
    assert!(answered.iter().any(|one| one.method == Method::Reply && one.to == "mailto:x@elsewhere.org"));
    let moved =
        invitation.replace("SUMMARY:Lunch", "SUMMARY:Tea").replace("DTSTAMP:202311", "DTSTAMP:202312");
    let mailed = operator.take_mailed("bob", "x@elsewhere.org", moved.as_bytes()).await.unwrap();
    assert_eq!(mailed, Mailed::Taken);
    assert!(read(bob, &format!("{HOME}/t.ics")).await.contains("SUMMARY:Tea"));
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
    // A task goes where tasks go.
    let tasks = FolderOptions {
        kind: Kind::Calendar,
        components: Components::named("VTODO").unwrap(),
        ..FolderOptions::default()
    };
    bob.make_folder(&path("Calendars/Tasks"), tasks, Precondition::default()).await.unwrap();
    // Without any calendar that takes them events cannot be delivered.
    bob.set_default_calendar(&path(HOME)).await.unwrap();
    let away = rename(bob, HOME, "old").await;
    away.unwrap();
    write(alice, &format!("{HOME}/f.ics"), &object("f", "alice", &["alice", "bob"], "")).await.unwrap();
    assert_eq!(answer(&read(alice, &format!("{HOME}/f.ics")).await, "bob").1.as_deref(), Some("5.3"));
}
