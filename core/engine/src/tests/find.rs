//! Questions to calendars and address books.

use allod_formats::calendar::{CompFilter, TimeRange};
use allod_formats::card::{Filter, PropFilter};
use allod_formats::collation::{Collation, MatchType, TextMatch};
use allod_formats::value::Utc;
use allod_formats::zone::Zone;
use allod_formats::{Budget, Document, Limits, calendar::Object};
use allod_model::{Detail, ErrorKind, Kind};
use proptest::prelude::*;

use super::*;

fn event(uid: &str, inner: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20240101T000000Z\r\n\
         {inner}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn window(component: &str, from: &str, to: &str) -> EventQuery {
    let range = TimeRange { start: Utc::parse(from), end: Utc::parse(to) };
    let inner = CompFilter { name: component.into(), time_range: Some(range), ..CompFilter::default() };
    let filter = CompFilter { name: "VCALENDAR".into(), components: vec![inner], ..CompFilter::default() };
    EventQuery { filter, zone: Zone::utc(), with_properties: false }
}

async fn found(session: &Session, folder: &str, query: EventQuery) -> Vec<String> {
    all(session.find_events(&path(folder), query).await.unwrap()).await
}

async fn all(mut finding: Finding) -> Vec<String> {
    let mut names = Vec::new();
    while let Some(page) = finding.next().await.unwrap() {
        names.extend(page.iter().map(|found| found.node.name.to_string()));
    }
    names
}

const EVENTS: [(&str, &str); 9] = [
    ("allday.ics", "DTSTART;VALUE=DATE:20240310"),
    ("berlin.ics", "DTSTART;TZID=Europe/Berlin:20240310T003000\r\nDURATION:PT10M"),
    ("daily.ics", "DTSTART:20200101T100000Z\r\nRRULE:FREQ=DAILY"),
    ("ended.ics", "DTSTART:20200101T100000Z\r\nRRULE:FREQ=DAILY;UNTIL=20240309T100000Z"),
    ("floating.ics", "DTSTART:20240310T120000\r\nDURATION:PT1H"),
    ("long.ics", "DTSTART:19990101T000000Z\r\nDTEND:20300101T000000Z"),
    ("old.ics", "DTSTART:19990101T000000Z"),
    ("point.ics", "DTSTART:20240310T000000Z"),
    ("yearly.ics", "DTSTART:20200410T100000Z\r\nRRULE:FREQ=YEARLY"),
];

#[tokio::test]
async fn the_index_finds_what_takes_place() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    for (name, inner) in EVENTS {
        put(&session, &format!("/Calendars/Personal/{name}"), event(name, inner).as_bytes()).await.unwrap();
    }
    let ask = |from, to| found(&session, "/Calendars/Personal", window("VEVENT", from, to));
    let day = ["allday.ics", "daily.ics", "floating.ics", "long.ics", "point.ics"];
    assert_eq!(ask("20240310T000000Z", "20240311T000000Z").await, day);
    assert_eq!(ask("20240309T230000Z", "20240309T235900Z").await, ["berlin.ics", "long.ics"]);
    assert_eq!(ask("20240410T090000Z", "20240410T093000Z").await, ["long.ics"]);
    assert_eq!(ask("20240410T090000Z", "20240410T103000Z").await, ["daily.ics", "long.ics", "yearly.ics"]);
    assert_eq!(ask("19980101T000000Z", "19990101T000000Z").await, Vec::<String>::new());
    assert!(
        found(&session, "/Calendars/Personal", window("VTODO", "20240101T000000Z", "20250101T000000Z"))
            .await
            .is_empty()
    );

    // Changes, moves and copies keep the index.
    put(&session, "/Calendars/Personal/old.ics", event("old.ics", "DTSTART:20240310T010000Z").as_bytes())
        .await
        .unwrap();
    remove(&session, "/Calendars/Personal/long.ics").await.unwrap();
    let options = FolderOptions { kind: Kind::Calendar, ..FolderOptions::default() };
    session.make_folder(&path("/Calendars/Work"), options, Precondition::default()).await.unwrap();
    rename(&session, "/Calendars/Personal/point.ics", "/Calendars/Work/point.ics").await.unwrap();
    assert_eq!(
        ask("20240310T000000Z", "20240311T000000Z").await,
        ["allday.ics", "daily.ics", "floating.ics", "old.ics"]
    );
    let day = |from, to| window("VEVENT", from, to);
    assert_eq!(
        found(&session, "/Calendars/Work", day("20240310T000000Z", "20240311T000000Z")).await,
        ["point.ics"]
    );
    copy(&session, "/Calendars/Personal", "/Calendars/Copy").await.unwrap();
    let copied = found(&session, "/Calendars/Copy", day("20240310T000000Z", "20240310T110000Z")).await;
    assert_eq!(copied, ["allday.ics", "daily.ics", "old.ics"]);
    bench.assert_clean().await;
}

#[tokio::test]
async fn todos_without_times_are_always_there() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let todo = event("t", "SUMMARY:x").replace("VEVENT", "VTODO");
    put(&session, "/Calendars/Personal/t.ics", todo.as_bytes()).await.unwrap();
    let query = window("VTODO", "20240101T000000Z", "20240102T000000Z");
    assert_eq!(found(&session, "/Calendars/Personal", query).await, ["t.ics"]);
    let node = session.stat(&path("/Calendars/Personal/t.ics"), Want::File, false).await.unwrap();
    assert_eq!(node.calendar.unwrap().component, "VTODO");
}

#[tokio::test]
async fn a_calendar_takes_the_components_it_was_made_for() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let components = Components::parse(["VTODO"]).unwrap();
    let options =
        FolderOptions { kind: Kind::Calendar, components, transparent: true, ..FolderOptions::default() };
    let made =
        session.make_folder(&path("/Calendars/Tasks"), options, Precondition::default()).await.unwrap();
    assert_eq!(made.folder.map(|facts| (facts.components, facts.transparent)), Some((components, true)));
    let todo = event("t", "SUMMARY:x").replace("VEVENT", "VTODO");
    put(&session, "/Calendars/Tasks/t.ics", todo.as_bytes()).await.unwrap();
    let wrong =
        put(&session, "/Calendars/Tasks/e.ics", event("e", "DTSTART:20240101T000000Z").as_bytes()).await;
    let wrong = wrong.unwrap_err();
    assert_eq!(wrong.kind, ErrorKind::InvalidContent);
    assert_eq!(wrong.detail, Detail::Demand("CALDAV", "supported-calendar-component"));
    put(&session, "/Calendars/Personal/e.ics", event("e", "DTSTART:20240101T000000Z").as_bytes())
        .await
        .unwrap();
    let moved = rename(&session, "/Calendars/Personal/e.ics", "/Calendars/Tasks/e.ics").await.unwrap_err();
    assert_eq!(moved.detail, Detail::Demand("CALDAV", "supported-calendar-component"));
    let change = vec![PropertyChange::Transparent(false)];
    let changed = session
        .set_properties(&path("/Calendars/Tasks"), Want::Folder, change, Precondition::default())
        .await;
    assert!(!changed.unwrap().folder.unwrap().transparent);
    bench.assert_clean().await;
}

#[tokio::test]
async fn cards_are_found_by_their_texts() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let card = |uid: &str, more: &str| {
        format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{uid} Müller\r\nN:Müller;{uid};;;\r\n{more}\r\nEND:VCARD\r\n"
        )
    };
    let photo = format!("NOTE:{}\r\nNICKNAME:Big", "x".repeat(200_000));
    for (name, more) in
        [("ada", "EMAIL;TYPE=home:ada@example.org"), ("bob", "TEL:+49 1"), ("big", photo.as_str())]
    {
        put(&session, &format!("/Contacts/Personal/{name}.vcf"), card(name, more).as_bytes()).await.unwrap();
    }
    let ask = |name: &str, text: &str, negate: bool| {
        let texts = vec![TextMatch::new(text, Collation::UnicodeCasemap, MatchType::Contains, negate)];
        let filter = PropFilter { name: name.into(), texts, ..PropFilter::default() };
        let filter = Filter { all_of: false, properties: vec![filter] };
        let session = session.clone();
        async move {
            let query = CardQuery { filter, with_properties: false };
            all(session.find_cards(&path("/Contacts/Personal"), query).await.unwrap()).await
        }
    };
    assert_eq!(ask("FN", "mÜLLER", false).await, ["ada.vcf", "big.vcf", "bob.vcf"]);
    assert_eq!(ask("EMAIL", "EXAMPLE", false).await, ["ada.vcf"]);
    assert_eq!(ask("FN", "ada", true).await, ["big.vcf", "bob.vcf"]);
    assert_eq!(ask("NICKNAME", "big", false).await, ["big.vcf"]);
    assert_eq!(ask("NOTE", "xxx", false).await, ["big.vcf"]);
    let (calendar, query) =
        (path("/Calendars/Personal"), CardQuery { filter: Filter::default(), with_properties: false });
    let wrong = session.find_cards(&calendar, query);
    assert_eq!(wrong.await.err().unwrap().kind, ErrorKind::WrongKind);
}

#[tokio::test]
async fn files_are_fetched_each_for_itself_and_only_what_is_granted() {
    let bench = Bench::new().await;
    let all = bench.session(&["all"]).await;
    put(&all, "/Calendars/Personal/a.ics", event("a", "DTSTART:20240101T000000Z").as_bytes()).await.unwrap();
    put(
        &all,
        "/Contacts/Personal/b.vcf",
        b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:b\r\nFN:b\r\nN:b;;;;\r\nEND:VCARD\r\n",
    )
    .await
    .unwrap();
    let narrow = bench.session(&["/Calendars:r"]).await;
    let paths = [
        "/Calendars/Personal/a.ics",
        "/Contacts/Personal/b.vcf",
        "/Calendars/Personal/no.ics",
        "/Calendars/Personal",
    ];
    let paths = paths.map(path);
    let found = narrow.fetch(&paths, false).await.unwrap();
    assert!(found[0].as_ref().unwrap().bytes.starts_with(b"BEGIN:VCALENDAR"));
    let kinds: Vec<_> = found[1..].iter().map(|one| one.as_ref().unwrap_err().kind).collect();
    assert_eq!(kinds, [ErrorKind::NotFound, ErrorKind::NotFound, ErrorKind::WrongKind]);
    let query = CardQuery { filter: Filter::default(), with_properties: false };
    assert_eq!(
        narrow.find_cards(&path("/Contacts/Personal"), query).await.err().unwrap().kind,
        ErrorKind::NotFound
    );
    let busy =
        narrow.busy(&path("/Calendars/Personal"), (Utc(0), Utc(2_000_000_000)), &Zone::utc()).await.unwrap();
    assert_eq!(busy.len(), 0, "an event without length makes nobody busy");
}

#[tokio::test]
async fn times_that_went_wrong_are_found_and_mended() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    put(&session, "/Calendars/Personal/a.ics", event("a", "DTSTART:20240101T000000Z").as_bytes())
        .await
        .unwrap();
    let account = bench.core.account_named("alice").unwrap().unwrap();
    let keys = account.keys();
    let table = keys.table(crate::keys::Table::Times);
    bench
        .core
        .transact(account.shard(), move |txn| {
            for (key, _) in allod_meta::Lookup::scan_prefix(txn, &table, None, 10)? {
                txn.delete(&key)?;
                let mut wrong = key.clone();
                wrong[20] ^= 1;
                txn.put(&wrong, &[1, 0, 0, 0, 0, 0, 0, 0, 0])?;
            }
            Ok(())
        })
        .await
        .unwrap();
    let report = bench.core.check(true, &|_, _| {}).await.unwrap();
    assert_eq!(report.problems_total, 2, "{:?}", report.problems);
    bench.assert_clean().await;
    let query = window("VEVENT", "20240101T000000Z", "20240102T000000Z");
    assert_eq!(found(&session, "/Calendars/Personal", query).await, ["a.ics"]);
}

#[tokio::test]
async fn a_file_of_many_objects_becomes_one_file_each() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let folder = path("/Calendars/Personal");
    put(&session, "/Calendars/Personal/mine.ics", event("b", "DTSTART:20240101T000000Z").as_bytes())
        .await
        .unwrap();
    let override_of_a = "DTSTART:20240102T000000Z\r\nRECURRENCE-ID:20240102T000000Z";
    let whole = [
        event("a", "DTSTART:20240101T000000Z\r\nRRULE:FREQ=DAILY"),
        event("b", "DTSTART:20240201T000000Z"),
        event("a", override_of_a),
        event("c/d", "DTSTART:20240301T000000Z"),
    ]
    .concat();
    let written = session.import(&folder, Bytes::from(whole.clone())).await.unwrap();
    assert_eq!(written.iter().map(|one| one.created).collect::<Vec<_>>(), [true, false, true]);
    let in_folder = names(&session, "/Calendars/Personal").await;
    assert_eq!(in_folder.len(), 3);
    assert!(in_folder.contains(&"a.ics".to_owned()) && in_folder.contains(&"mine.ics".to_owned()));
    let a = get(&session, "/Calendars/Personal/a.ics").await.unwrap();
    assert!(String::from_utf8(a).unwrap().contains(override_of_a), "one object with its override");
    let b = get(&session, "/Calendars/Personal/mine.ics").await.unwrap();
    assert!(String::from_utf8(b).unwrap().contains("20240201"), "written over the one with its UID");
    session.import(&folder, Bytes::from(whole)).await.unwrap();
    assert_eq!(names(&session, "/Calendars/Personal").await.len(), 3, "done again it changes nothing");

    let bad = [event("x", "DTSTART:20240101T000000Z"), event("y", "DTSTART:nonsense")].concat();
    assert_eq!(session.import(&folder, Bytes::from(bad)).await.unwrap_err().kind, ErrorKind::InvalidContent);
    let card = "BEGIN:VCARD\r\nVERSION:2.1\r\nN:Lovelace;Ada\r\nEND:VCARD\r\n";
    assert!(session.import(&folder, Bytes::from(card)).await.is_err());
    assert!(session.import(&folder, Bytes::from("hello")).await.is_err());
    assert_eq!(names(&session, "/Calendars/Personal").await.len(), 3, "all or nothing");
    session.import(&path("/Contacts/Personal"), Bytes::from(card)).await.unwrap();
    let cards = names(&session, "/Contacts/Personal").await;
    let stored = get(&session, &format!("/Contacts/Personal/{}", cards[0])).await.unwrap();
    assert!(String::from_utf8(stored).unwrap().contains("VERSION:3.0"));
    let reader = bench.session(&["/Calendars:r"]).await;
    let refused = reader.import(&folder, Bytes::from(event("z", "DTSTART:20240101T000000Z"))).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Denied);
    bench.assert_clean().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// The index never hides what reading everything would find.
    #[test]
    fn the_index_agrees_with_reading_all(
        events in proptest::collection::vec((0_i64..4_000, 0_i64..3_000_000, 0_usize..5), 1..30),
        windows in proptest::collection::vec((0_i64..4_000, 1_i64..4_000_000), 1..6),
    ) {
        let start = 1_600_000_000;
        let texts: Vec<String> = events.iter().enumerate().map(|(n, (days, length, sort))| {
            let from = Utc(start + days * 86_400);
            let rule = ["", "\r\nRRULE:FREQ=WEEKLY;COUNT=5", "\r\nRRULE:FREQ=MONTHLY", "\r\nRRULE:FREQ=YEARLY;UNTIL=20300101T000000Z", "\r\nRDATE:20250101T000000Z"][*sort];
            event(&n.to_string(), &format!("DTSTART:{from}\r\nDURATION:PT{length}S{rule}"))
        }).collect();
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let bench = Bench::new().await;
            let session = bench.session(&["all"]).await;
            for (n, text) in texts.iter().enumerate() {
                put(&session, &format!("/Calendars/Personal/{n:03}.ics"), text.as_bytes()).await.unwrap();
            }
            for (days, length) in windows {
                let from = Utc(start + days * 86_400);
                let query = window("VEVENT", &from.to_string(), &Utc(from.0 + length).to_string());
                let wanted: Vec<String> = texts.iter().enumerate().filter(|(_, text)| {
                    let document = Document::parse(text.as_bytes(), Limits::default()).unwrap();
                    let object = Object::of(&document).unwrap();
                    query.filter.matches(&object, &Zone::utc(), Budget::default()).unwrap()
                }).map(|(n, _)| format!("{n:03}.ics")).collect();
                assert_eq!(found(&session, "/Calendars/Personal", query).await, wanted);
            }
            bench.assert_clean().await;
        });
    }
}
