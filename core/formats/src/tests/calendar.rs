use super::{calendar_of, event, parsed, utc};
use crate::Budget;
use crate::calendar::*;
use crate::collation::{Collation, MatchType, TextMatch};
use crate::value::Utc;
use crate::zone::Zone;

/// The collection of RFC 4791 Appendix B.
const COLLECTION: [&str; 8] = [
    include_str!("data/rfc4791/abcd1.ics"),
    include_str!("data/rfc4791/abcd2.ics"),
    include_str!("data/rfc4791/abcd3.ics"),
    include_str!("data/rfc4791/abcd4.ics"),
    include_str!("data/rfc4791/abcd5.ics"),
    include_str!("data/rfc4791/abcd6.ics"),
    include_str!("data/rfc4791/abcd7.ics"),
    include_str!("data/rfc4791/abcd8.ics"),
];

fn on(kind: &str, filter: CompFilter) -> CompFilter {
    let inner = CompFilter { name: kind.to_owned(), ..filter };
    CompFilter { name: "VCALENDAR".to_owned(), components: vec![inner], ..CompFilter::default() }
}

fn range(start: &str, end: &str) -> Option<TimeRange> {
    let side = |text: &str| (!text.is_empty()).then(|| utc(text));
    Some(TimeRange { start: side(start), end: side(end) })
}

fn matches(filter: &CompFilter, bytes: &str) -> bool {
    let document = parsed(bytes.as_bytes());
    let object = Object::of(&document).unwrap();
    let found = filter.matches(&object, &Zone::utc(), Budget::default()).expect("within the budget");
    if let Some(facts) = Facts::of(&object).filter(|_| found) {
        assert!(filter.may_match(&facts.kind, facts.extent.as_ref()), "the first look never says a wrong no");
    }
    found
}

fn found(filter: &CompFilter) -> Vec<usize> {
    (1..=8).filter(|number| matches(filter, COLLECTION[number - 1])).collect()
}

fn text(wanted: &str, collation: Collation) -> Option<TextMatch> {
    Some(TextMatch::new(wanted, collation, MatchType::Contains, false))
}

#[test]
fn the_queries_of_rfc_4791_find_what_they_find_there() {
    // §7.8.1 and §7.8.2
    let filter = on(
        "VEVENT",
        CompFilter { time_range: range("20060104T000000Z", "20060105T000000Z"), ..Default::default() },
    );
    assert_eq!(found(&filter), [2, 3]);
    // §7.8.5: to-dos by alarm
    let alarm = CompFilter {
        name: "VALARM".to_owned(),
        time_range: range("20060106T100000Z", "20060107T100000Z"),
        ..Default::default()
    };
    let filter = on("VTODO", CompFilter { components: vec![alarm], ..Default::default() });
    // Its own answer, task #2, goes off at 23:50 on the day before in UTC; in UTC-11 it is found.
    assert_eq!(found(&filter), [0; 0]);
    let document = parsed(COLLECTION[4].as_bytes());
    let object = Object::of(&document).unwrap();
    let west = Zone::named("Pacific/Pago_Pago").unwrap();
    assert_eq!(filter.matches(&object, &west, Budget::default()), Some(true));
    // §7.8.6: by UID
    let uid = PropFilter {
        name: "UID".to_owned(),
        text_match: text("DC6C50A017428C5216A2F1CD@example.com", Collation::Octet),
        ..Default::default()
    };
    assert_eq!(found(&on("VEVENT", CompFilter { properties: vec![uid], ..Default::default() })), [3]);
    // §7.8.7: by attendee and PARTSTAT
    let attendee = PropFilter {
        name: "ATTENDEE".to_owned(),
        text_match: text("mailto:lisa@example.com", Collation::AsciiCasemap),
        parameters: vec![ParamFilter {
            name: "PARTSTAT".to_owned(),
            text_match: text("needs-action", Collation::AsciiCasemap),
            ..Default::default()
        }],
        ..Default::default()
    };
    assert_eq!(found(&on("VEVENT", CompFilter { properties: vec![attendee], ..Default::default() })), [3]);
    // §7.8.8: all events
    assert_eq!(found(&on("VEVENT", CompFilter::default())), [1, 2, 3]);
    // §7.8.9: pending to-dos
    let pending = CompFilter {
        properties: vec![
            PropFilter { name: "COMPLETED".to_owned(), is_not_defined: true, ..Default::default() },
            PropFilter {
                name: "STATUS".to_owned(),
                text_match: Some(TextMatch::new(
                    "CANCELLED",
                    Collation::AsciiCasemap,
                    MatchType::Contains,
                    true,
                )),
                ..Default::default()
            },
        ],
        ..Default::default()
    };
    assert_eq!(found(&on("VTODO", pending)), [4, 5]);
    let none = CompFilter { name: "VEVENT".to_owned(), is_not_defined: true, ..Default::default() };
    let filter = CompFilter { name: "vcalendar".to_owned(), components: vec![none], ..Default::default() };
    assert_eq!(found(&filter), [4, 5, 6, 7, 8]);
    let filter = on(
        "VFREEBUSY",
        CompFilter { time_range: range("20060102T000000Z", "20060103T000000Z"), ..Default::default() },
    );
    assert_eq!(found(&filter), [8]);
}

#[test]
fn the_table_for_events_is_followed_row_by_row() {
    for (lines, start, end, expected) in [
        ("DTSTART:20240101T100000Z\nDTEND:20240101T110000Z", "20240101T110000Z", "20240101T120000Z", false),
        ("DTSTART:20240101T100000Z\nDTEND:20240101T110000Z", "20240101T105959Z", "20240101T120000Z", true),
        ("DTSTART:20240101T100000Z\nDTEND:20240101T110000Z", "20240101T090000Z", "20240101T100000Z", false),
        ("DTSTART:20240101T100000Z\nDURATION:PT1H", "20240101T105959Z", "", true),
        ("DTSTART:20240101T100000Z\nDURATION:PT0S", "20240101T100000Z", "20240101T100001Z", true),
        ("DTSTART:20240101T100000Z", "20240101T100000Z", "20240101T100001Z", true),
        ("DTSTART:20240101T100000Z", "20240101T100001Z", "20240101T100002Z", false),
        ("DTSTART;VALUE=DATE:20240101", "20240101T235959Z", "", true),
        ("DTSTART;VALUE=DATE:20240101", "20240102T000000Z", "", false),
        ("DTSTART;VALUE=DATE:20240101", "", "20240101T000000Z", false),
        ("DTSTART:20240101T100000Z\nRRULE:FREQ=DAILY", "20310101T000000Z", "20310102T000000Z", true),
        ("DTSTART:20240101T100000Z\nRRULE:FREQ=DAILY", "20310101T000000Z", "20310101T100000Z", false),
        ("DTSTART:20240101T100000Z\nRRULE:FREQ=DAILY", "20310101T000000Z", "", true),
    ] {
        let filter = on("VEVENT", CompFilter { time_range: range(start, end), ..Default::default() });
        assert_eq!(matches(&filter, &event(lines)), expected, "{lines} {start} {end}");
    }
}

#[test]
fn the_table_for_to_dos_is_followed_row_by_row() {
    let (start, due) = ("DTSTART:20240102T000000Z", "DUE:20240104T000000Z");
    let (done, made) = ("COMPLETED:20240104T000000Z", "CREATED:20240102T000000Z");
    for (lines, from, to, expected) in [
        (format!("{start}\nDURATION:P2D"), "20240104T000000Z", "20240105T000000Z", true),
        (format!("{start}\nDURATION:P2D"), "20240104T000001Z", "20240105T000000Z", false),
        (format!("{start}\nDURATION:P2D"), "20240101T000000Z", "20240102T000000Z", false),
        (format!("{start}\n{due}"), "20240104T000000Z", "20240105T000000Z", false),
        (format!("{start}\n{due}"), "20240103T235959Z", "20240105T000000Z", true),
        (start.to_owned(), "20240102T000000Z", "20240103T000000Z", true),
        (start.to_owned(), "20240102T000001Z", "20240103T000000Z", false),
        (due.to_owned(), "20240103T000000Z", "20240104T000000Z", true),
        (due.to_owned(), "20240104T000000Z", "20240105T000000Z", false),
        (format!("{done}\n{made}"), "20240103T000000Z", "20240103T120000Z", true),
        (format!("{done}\n{made}"), "20240105T000000Z", "20240106T000000Z", false),
        (done.to_owned(), "20240104T000000Z", "20240105T000000Z", true),
        (done.to_owned(), "20240101T000000Z", "20240103T000000Z", false),
        (made.to_owned(), "20240101T000000Z", "20240102T000000Z", false),
        (made.to_owned(), "20250101T000000Z", "20250102T000000Z", true),
        (String::from("SUMMARY:x"), "20240101T000000Z", "20240102T000000Z", true),
    ] {
        let bytes = calendar_of(&format!("BEGIN:VTODO\nUID:1\n{lines}\nEND:VTODO"));
        let filter = on("VTODO", CompFilter { time_range: range(from, to), ..Default::default() });
        assert_eq!(matches(&filter, &bytes), expected, "{lines} {from} {to}");
    }
}

#[test]
fn alarms_ring_for_each_instance_and_again() {
    let alarm = |trigger: &str| {
        event(&format!(
            "DTSTART:20240101T100000Z\nDTEND:20240101T110000Z\nRRULE:FREQ=DAILY\nBEGIN:VALARM\n{trigger}\nEND:VALARM"
        ))
    };
    for (trigger, from, to, expected) in [
        ("TRIGGER:-PT15M", "20300105T094500Z", "20300105T094501Z", true),
        ("TRIGGER:-PT15M", "20300105T094501Z", "20300105T094600Z", false),
        ("TRIGGER;RELATED=END:PT15M", "20300105T111500Z", "20300105T111501Z", true),
        ("TRIGGER:-P2D", "20231230T100000Z", "20231230T100001Z", true),
        ("TRIGGER:PT0S\nREPEAT:3\nDURATION:PT5M", "20300105T101500Z", "20300105T101501Z", true),
        ("TRIGGER:PT0S\nREPEAT:3\nDURATION:PT5M", "20300105T102000Z", "20300105T102001Z", false),
        ("TRIGGER;VALUE=DATE-TIME:20250101T000000Z", "20250101T000000Z", "20250101T000001Z", true),
        ("TRIGGER;VALUE=DATE-TIME:20250101T000000Z", "20260101T000000Z", "20260101T000001Z", false),
    ] {
        let inner =
            CompFilter { name: "VALARM".to_owned(), time_range: range(from, to), ..Default::default() };
        let filter = on("VEVENT", CompFilter { components: vec![inner], ..Default::default() });
        assert_eq!(matches(&filter, &alarm(trigger)), expected, "{trigger} {from}");
    }
}

#[test]
fn properties_are_tested_by_time_for_every_instance() {
    let bytes = event("DTSTART:20240101T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\nCREATED:20230101T000000Z");
    for (name, from, to, expected) in [
        ("DTSTART", "20300101T100000Z", "20300101T100001Z", true),
        ("DTSTART", "20300101T100001Z", "20300101T110000Z", false),
        ("DTEND", "20300101T110000Z", "20300101T110001Z", true),
        ("CREATED", "20230101T000000Z", "20230101T000001Z", true),
        ("CREATED", "20230101T000001Z", "", false),
        ("COMPLETED", "20230101T000001Z", "", false),
    ] {
        let property =
            PropFilter { name: name.to_owned(), time_range: range(from, to), ..Default::default() };
        let filter = on("VEVENT", CompFilter { properties: vec![property], ..Default::default() });
        assert_eq!(matches(&filter, &bytes), expected, "{name} {from}");
    }
}

#[test]
fn collations_differ_where_they_should() {
    use Collation::*;
    for (collation, text, wanted, expected) in [
        (AsciiCasemap, "Hello World", "WORLD", true),
        (AsciiCasemap, "\u{c4}rger", "\u{e4}rger", false),
        (Octet, "Hello", "hello", false),
        (Octet, "Hello", "Hell", true),
        (UnicodeCasemap, "\u{c4}rger", "\u{e4}RGER", true),
        (UnicodeCasemap, "A\u{308}rger", "\u{e4}rger", true),
        (UnicodeCasemap, "\u{fb01}n", "FIN", false),
        (UnicodeCasemap, "\u{1c6}", "\u{1c4}", true),
        (UnicodeCasemap, "\u{ff21}", "a", true),
    ] {
        let found = TextMatch::new(wanted, collation, MatchType::Contains, false).matches(text);
        assert_eq!(found, expected, "{collation:?} {text} {wanted}");
    }
    for (kind, expected) in
        [(MatchType::Equals, false), (MatchType::StartsWith, true), (MatchType::EndsWith, false)]
    {
        assert_eq!(TextMatch::new("ab", Octet, kind, false).matches("abc"), expected);
        assert_eq!(TextMatch::new("ab", Octet, kind, true).matches("abc"), !expected);
    }
    assert_eq!(Collation::named("i;klingon", Octet), None);
}

fn selected(bytes: &str, selection: &Selection) -> String {
    let document = parsed(bytes.as_bytes());
    let object = Object::of(&document).unwrap();
    let out = partial(&object, selection, &Zone::utc(), Budget::default()).unwrap();
    String::from_utf8(out.into_owned()).unwrap()
}

#[test]
fn parts_are_taken_as_rfc_4791_takes_them() {
    // §7.8.1
    let names = [
        "SUMMARY",
        "UID",
        "DTSTART",
        "DTEND",
        "DURATION",
        "RRULE",
        "RDATE",
        "EXRULE",
        "EXDATE",
        "RECURRENCE-ID",
    ];
    let property = |name: &str| PropSelection { name: name.to_owned(), no_value: false };
    let event = CompSelection::new("VEVENT", (false, names.map(property).to_vec()), (false, vec![]));
    let zone = CompSelection::new("VTIMEZONE", (false, vec![]), (false, vec![]));
    let calendar =
        CompSelection::new("VCALENDAR", (false, vec![property("VERSION")]), (false, vec![event, zone]));
    let selection = Selection { component: Some(calendar), ..Selection::default() };
    let removed = [
        "PRODID",
        "DTSTAMP",
        "Description",
        "ATTENDEE",
        "LAST-MODIFIED:20060206",
        "ORGANIZER",
        "SEQUENCE",
        "STATUS",
    ];
    for number in [1, 3] {
        let original = COLLECTION[number - 1];
        let kept = original
            .split_inclusive("\r\n")
            .filter(|line| !removed.iter().any(|name| line.starts_with(name)));
        assert_eq!(selected(original, &selection), kept.collect::<String>());
    }
    assert_eq!(selected(COLLECTION[0], &Selection::default()), COLLECTION[0]);
    let no_value = PropSelection { name: "DTSTART".to_owned(), no_value: true };
    let event = CompSelection::new("VEVENT", (false, vec![no_value]), (false, vec![]));
    let calendar = CompSelection::new("VCALENDAR", (false, vec![]), (false, vec![event]));
    let out = selected(COLLECTION[0], &Selection { component: Some(calendar), ..Selection::default() });
    assert_eq!(
        out,
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;TZID=US/Eastern:\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
}

#[test]
fn overrides_are_limited_as_rfc_4791_limits_them() {
    // §7.8.2: the first override stays, the second goes.
    let other = "BEGIN:VEVENT\r\nDTSTAMP:20060206T001121Z\r\nDTSTART;TZID=US/Eastern:20060106T140000\r\nDURATION:PT1H\r\n\
        RECURRENCE-ID;TZID=US/Eastern:20060106T120000\r\nSUMMARY:Event #2 bis bis\r\n\
        UID:00959BC664CA650E933C892C@example.com\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let bytes = COLLECTION[1].replace("END:VCALENDAR\r\n", other);
    let window = Recurrences::Limit(utc("20060103T000000Z"), utc("20060105T000000Z"));
    let selection = Selection { recurrences: window, ..Selection::default() };
    assert_eq!(selected(&bytes, &selection), COLLECTION[1]);
}

#[test]
fn instances_are_written_as_rfc_4791_writes_them() {
    // §7.8.3, with the Z that its example forgets and the prose demands.
    let window = Recurrences::Expand(utc("20060103T000000Z"), utc("20060105T000000Z"));
    let selection = Selection { recurrences: window, ..Selection::default() };
    let expected = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example Corp.//CalDAV Client//EN\nBEGIN:VEVENT\n\
        DTSTAMP:20060206T001121Z\nDTSTART:20060103T170000Z\nRECURRENCE-ID:20060103T170000Z\nDURATION:PT1H\n\
        SUMMARY:Event #2\nUID:00959BC664CA650E933C892C@example.com\nEND:VEVENT\nBEGIN:VEVENT\n\
        DTSTAMP:20060206T001121Z\nDTSTART:20060104T190000Z\nRECURRENCE-ID:20060104T170000Z\nDURATION:PT1H\n\
        SUMMARY:Event #2 bis\nUID:00959BC664CA650E933C892C@example.com\nEND:VEVENT\nEND:VCALENDAR\n";
    assert_eq!(selected(COLLECTION[1], &selection), expected.replace('\n', "\r\n"));
    let single = selected(COLLECTION[2], &selection);
    assert!(single.contains("DTSTART:20060104T150000Z\r\n") && !single.contains("RECURRENCE-ID"));
    let bytes = event(
        "DTSTART;VALUE=DATE:20240101\nDTEND;VALUE=DATE:20240103\nRRULE:FREQ=WEEKLY\nEXDATE;VALUE=DATE:20240115",
    );
    let window = Recurrences::Expand(utc("20240101T000000Z"), utc("20240125T000000Z"));
    let out = selected(&bytes, &Selection { recurrences: window, ..Selection::default() });
    let lines: Vec<&str> = out.lines().filter(|line| line.contains("VALUE=DATE")).collect();
    assert_eq!(
        lines,
        [
            "DTSTART;VALUE=DATE:20240101",
            "DTEND;VALUE=DATE:20240103",
            "DTSTART;VALUE=DATE:20240108",
            "RECURRENCE-ID;VALUE=DATE:20240108",
            "DTEND;VALUE=DATE:20240110",
            "DTSTART;VALUE=DATE:20240122",
            "RECURRENCE-ID;VALUE=DATE:20240122",
            "DTEND;VALUE=DATE:20240124",
        ]
    );
    let endless = event("DTSTART:19700101T000000Z\nRRULE:FREQ=SECONDLY");
    let document = parsed(endless.as_bytes());
    let object = Object::of(&document).unwrap();
    let selection = Selection { recurrences: window, ..Selection::default() };
    let refused = partial(&object, &selection, &Zone::utc(), Budget::default());
    assert_eq!(refused, Err(Precondition::MaxInstances));
}

#[test]
fn busy_times_are_limited_and_merged() {
    let selection = Selection {
        freebusy: Some((utc("20060102T000000Z"), utc("20060103T000000Z"))),
        ..Selection::default()
    };
    let out = selected(COLLECTION[7], &selection);
    let busy: Vec<&str> = out.lines().filter(|line| line.starts_with("FREEBUSY")).collect();
    assert_eq!(busy, ["FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060102T100000Z/20060102T120000Z"]);
    // §7.10.1; its window reaches a day further than its answer.
    let window = (utc("20060104T140000Z"), utc("20060104T220000Z"));
    let mut all = Vec::new();
    for bytes in COLLECTION {
        let document = parsed(bytes.as_bytes());
        let (busy, whole) =
            busy_periods(&Object::of(&document).unwrap(), window, &Zone::utc(), Budget::default());
        assert!(whole);
        all.extend(busy);
    }
    let out = write_freebusy(&merge_busy(all), window, utc("20050125T090000Z"), "x", "-//y");
    let busy: Vec<&str> = out.lines().filter(|line| line.starts_with("FREEBUSY")).collect();
    assert_eq!(
        busy,
        [
            "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060104T150000Z/20060104T160000Z",
            "FREEBUSY:20060104T190000Z/20060104T200000Z",
        ]
    );
    let one = |start: i64, end: i64, kind| crate::calendar::Busy { start: Utc(start), end: Utc(end), kind };
    let merged = merge_busy(vec![
        one(0, 10, BusyKind::Tentative),
        one(5, 7, BusyKind::Busy),
        one(7, 8, BusyKind::Busy),
        one(10, 12, BusyKind::Tentative),
        one(3, 3, BusyKind::Busy),
    ]);
    assert_eq!(
        merged,
        [one(0, 5, BusyKind::Tentative), one(5, 8, BusyKind::Busy), one(8, 12, BusyKind::Tentative)]
    );
}

#[test]
fn availability_leaves_the_rest_unavailable() {
    // In the manner of RFC 7953 §3.2: nine to five on workdays.
    let bytes = calendar_of(
        "BEGIN:VAVAILABILITY\nUID:1\nDTSTART:20240101T000000Z\nBEGIN:AVAILABLE\nUID:2\nDTSTART:20240101T090000Z
        DTEND:20240101T170000Z\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR\nEND:AVAILABLE\nEND:VAVAILABILITY",
    );
    let document = parsed(bytes.as_bytes());
    let object = Object::of(&document).unwrap();
    let window = (utc("20240108T000000Z"), utc("20240109T000000Z"));
    let (busy, _) = busy_periods(&object, window, &Zone::utc(), Budget::default());
    let busy: Vec<_> =
        busy.iter().map(|busy| (busy.start.to_string(), busy.end.to_string(), busy.kind)).collect();
    let expected = [("20240108T000000Z", "20240108T090000Z"), ("20240108T170000Z", "20240109T000000Z")];
    assert_eq!(busy, expected.map(|(a, b)| (a.to_owned(), b.to_owned(), BusyKind::Unavailable)));
}

#[test]
fn availability_without_an_end_holds_for_ever() {
    let bytes = calendar_of("BEGIN:VAVAILABILITY\nUID:1\nDTSTART:20240101T000000Z\nEND:VAVAILABILITY");
    for (from, to, expected) in
        [("20300101T000000Z", "20300102T000000Z", true), ("20230101T000000Z", "20230102T000000Z", false)]
    {
        let filter = on("VAVAILABILITY", CompFilter { time_range: range(from, to), ..Default::default() });
        assert_eq!(matches(&filter, &bytes), expected, "{from}");
    }
}

#[test]
fn what_must_not_be_stored_is_refused_by_its_name() {
    use Precondition::*;
    let policy = Policy { components: &["VEVENT", "VTODO"], ..Policy::default() };
    let vevent = "BEGIN:VEVENT\nUID:1\nDTSTART:20240101T000000Z\nEND:VEVENT";
    let cases: Vec<(String, Option<Precondition>)> = vec![
        (calendar_of(vevent), None),
        (event("DTSTART:20240101T000000Z\nDTEND:20230101T000000Z"), None),
        (event("DTSTART;TZID=Europe/Berlin:20240101T000000"), None),
        ("hello".to_owned(), Some(ValidCalendarData)),
        (String::new(), Some(ValidCalendarData)),
        (calendar_of(vevent).repeat(2), Some(ValidCalendarObjectResource)),
        (calendar_of(&format!("METHOD:PUBLISH\n{vevent}")), Some(ValidCalendarObjectResource)),
        (
            calendar_of(&format!("{vevent}\n{}", vevent.replace("UID:1", "UID:2"))),
            Some(ValidCalendarObjectResource),
        ),
        (calendar_of(&format!("{vevent}\n{vevent}")), Some(ValidCalendarObjectResource)),
        (calendar_of(&format!("{vevent}\nBEGIN:VTODO\nUID:1\nEND:VTODO")), Some(ValidCalendarObjectResource)),
        (
            calendar_of("BEGIN:VEVENT\nDTSTART:20240101T000000Z\nEND:VEVENT"),
            Some(ValidCalendarObjectResource),
        ),
        (calendar_of(""), Some(ValidCalendarObjectResource)),
        (calendar_of("BEGIN:VJOURNAL\nUID:1\nEND:VJOURNAL"), Some(SupportedCalendarComponent)),
        (event("SUMMARY:no start"), Some(ValidCalendarData)),
        (event("DTSTART:tomorrow"), Some(ValidCalendarData)),
        (event("DTSTART:20240101T000000Z\nRRULE:FREQ=FORTNIGHTLY"), Some(ValidCalendarData)),
        (event("DTSTART:20240101T000000Z\nRRULE:RSCALE=CHINESE;FREQ=YEARLY"), Some(SupportedRscale)),
        (event("DTSTART:20240101T000000Z\nDTEND:20240102T000000Z\nDURATION:P1D"), None),
        (calendar_of("BEGIN:VTODO\nUID:1\nDUE:20240101T000000Z\nRRULE:FREQ=DAILY;COUNT=5\nEND:VTODO"), None),
        (calendar_of("BEGIN:VTODO\nUID:1\nRRULE:FREQ=DAILY\nEND:VTODO"), None),
        (event("DTSTART;TZID=Europe/Berlin:20240101T000000\nDTEND:20240102T000000Z"), None),
        (event("DTSTART:20240101T000000Z\nDTEND;VALUE=DATE:20240102"), Some(ValidCalendarData)),
        (event("DTSTART:20240101T000000Z\nDTEND:20240102T000000"), Some(ValidCalendarData)),
        (
            event("DTSTART:20240101T000000Z\nBEGIN:VALARM\nACKNOWLEDGED:20240101T000000\nEND:VALARM"),
            Some(ValidCalendarData),
        ),
        (event("DTSTART:20240101T000000Z\nSUMMARY:a\u{8}b"), Some(ValidCalendarData)),
        (event("DTSTART:20240101T000000Z").replace("END:VEVENT\r\n", ""), Some(ValidCalendarData)),
    ];
    for (bytes, expected) in cases {
        let document = parsed(bytes.as_bytes());
        let found = Object::check(&document, &policy).err().map(|invalid| invalid.precondition);
        assert_eq!(found, expected, "{bytes}");
    }
}

#[test]
fn facts_are_drawn() {
    let document = parsed(COLLECTION[2].as_bytes());
    let facts = Facts::of(&Object::of(&document).unwrap()).unwrap();
    assert_eq!((facts.uid.as_str(), facts.kind.as_str()), ("DC6C50A017428C5216A2F1CD@example.com", "VEVENT"));
    assert_eq!(facts.organizer.unwrap().address, "mailto:cyrus@example.com");
    let states: Vec<_> = facts.attendees.iter().map(|one| one.partstat.as_str()).collect();
    assert_eq!(states, ["ACCEPTED", "NEEDS-ACTION"]);
    assert_eq!(facts.status.as_deref(), Some("TENTATIVE"));
    let digest = |text: &str| {
        let document = parsed(text.as_bytes());
        Facts::of(&Object::of(&document).unwrap()).unwrap().schedule_digest
    };
    let answered =
        COLLECTION[2].replace("NEEDS-ACTION", "DECLINED").replace("20060206T001220Z", "20070206T001220Z");
    assert_eq!(digest(&answered), facts.schedule_digest);
    assert_ne!(digest(&COLLECTION[2].replace("T100000", "T110000")), facts.schedule_digest);
}
