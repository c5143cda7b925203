//! Nothing that comes from outside makes a panic, whatever is asked of it.

use proptest::prelude::*;

use super::{event, parsed, utc};
use crate::calendar::{self, CompFilter, Object, Recurrences, TimeRange, busy_periods};
use crate::card::{self, Card, Version};
use crate::recur::Rule;
use crate::value::{Date, Duration, Period, When, escape_text, parse_utc_offset, unescape_text};
use crate::zone::Zone;
use crate::{Budget, Document, Limits, split};

const BUDGET: Budget = Budget { steps: 3_000, instances: 200 };

/// Asks everything that can be asked.
fn ask(bytes: &[u8]) {
    // Too deep is refused, as it should be.
    let Ok(document) = Document::parse(bytes, Limits::default()) else { return };
    for piece in split(&document) {
        let _ = parsed(&piece.bytes);
    }
    if let Some(card) = Card::of(&document) {
        let _ = Card::check(&document, card::Policy::default());
        let facts = card::Facts::of(&card);
        for occasion in card::occasions(&facts) {
            card::write_occasion(&occasion, "x", utc("20240101T000000Z"), "y");
        }
        for version in [Version::V3, Version::V4] {
            let converted = card::convert(&card, version);
            let _ = parsed(&converted);
        }
    }
    let _ = Object::check(&document, &calendar::Policy::default());
    let Ok(object) = Object::of(&document) else { return };
    let zone = Zone::named("Europe/Berlin").unwrap();
    let _ = calendar::Facts::of(&object);
    let window = (utc("20240101T000000Z"), utc("20240201T000000Z"));
    calendar::busy_periods(&object, window, &zone, BUDGET);
    for recurrences in [Recurrences::Expand(window.0, window.1), Recurrences::Limit(window.0, window.1)] {
        let selection = calendar::Selection { recurrences, freebusy: Some(window), ..Default::default() };
        if let Ok(out) = calendar::partial(&object, &selection, &zone, BUDGET) {
            let _ = parsed(&out);
        }
    }
    for (start, end) in [(Some(window.0), Some(window.1)), (None, Some(window.0)), (Some(window.1), None)] {
        let time_range = Some(TimeRange { start, end });
        let alarm = CompFilter { name: "VALARM".to_owned(), time_range, ..Default::default() };
        let inner = CompFilter {
            name: "VEVENT".to_owned(),
            time_range,
            components: vec![alarm],
            ..Default::default()
        };
        let outer =
            CompFilter { name: "VCALENDAR".to_owned(), components: vec![inner], ..Default::default() };
        outer.matches(&object, &zone, BUDGET);
    }
}

fn times() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("20240101T000000Z".to_owned()),
        Just("20240101".to_owned()),
        Just("00000101T000000".to_owned()),
        Just("99991231T235959Z".to_owned()),
        (0..10_000, 1..13, 1..32, 0..25, 0..61)
            .prop_map(|(y, m, d, h, s)| format!("{y:04}{m:02}{d:02}T{h:02}00{s:02}")),
        "[0-9TZP/+-]{0,20}",
    ]
}

fn rules() -> impl Strategy<Value = String> {
    let number = prop_oneof![-400..400_i64, Just(0), Just(i64::from(u32::MAX)), any::<i64>()];
    let part = (
        proptest::sample::select(vec![
            "INTERVAL",
            "COUNT",
            "BYSECOND",
            "BYMINUTE",
            "BYHOUR",
            "BYMONTHDAY",
            "BYYEARDAY",
            "BYWEEKNO",
            "BYMONTH",
            "BYSETPOS",
        ]),
        proptest::collection::vec(number, 1..4),
    );
    let part = part.prop_map(|(name, values)| {
        let values: Vec<String> = values.iter().map(i64::to_string).collect();
        format!(";{name}={}", values.join(","))
    });
    let days = proptest::sample::select(vec![
        "",
        ";BYDAY=MO",
        ";BYDAY=-1SU,53MO",
        ";WKST=SU;BYDAY=1TU",
        ";UNTIL=20250101",
    ]);
    let frequency = proptest::sample::select(vec![
        "YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY",
    ]);
    (frequency, proptest::collection::vec(part, 0..3), days)
        .prop_map(|(frequency, parts, days)| format!("FREQ={frequency}{}{days}", parts.concat()))
}

fn lines() -> impl Strategy<Value = String> {
    let names = proptest::sample::select(vec![
        "DTSTART",
        "DTEND",
        "DUE",
        "RECURRENCE-ID",
        "RECURRENCE-ID;RANGE=THISANDFUTURE",
        "RDATE",
        "EXDATE",
        "FREEBUSY",
        "COMPLETED",
        "CREATED",
        "DTSTART;TZID=Europe/Berlin",
        "DTSTART;TZID=X",
        "RDATE;VALUE=PERIOD",
        "TRIGGER",
        "BDAY",
        "BDAY;X-APPLE-OMIT-YEAR=1604",
        "ANNIVERSARY",
    ]);
    let structure = proptest::sample::select(vec![
        "BEGIN:VEVENT",
        "END:VEVENT",
        "BEGIN:VTODO",
        "END:VTODO",
        "BEGIN:VALARM",
        "END:VALARM",
        "BEGIN:VFREEBUSY",
        "END:VFREEBUSY",
        "BEGIN:VAVAILABILITY",
        "END:VAVAILABILITY",
        "BEGIN:AVAILABLE",
        "END:AVAILABLE",
        "BEGIN:VTIMEZONE",
        "END:VTIMEZONE",
        "BEGIN:STANDARD",
        "END:STANDARD",
        "TZID:X",
        "TZOFFSETFROM:+0100",
        "TZOFFSETTO:-2359",
        "UID:1",
        "UID:2",
        "DURATION:-P9D",
        "DURATION:PT9999999999S",
        "TRIGGER:-P9999999999W",
        "REPEAT:99999999999",
        "TRIGGER;RELATED=END:PT1S",
        "BEGIN:VCARD",
        "END:VCARD",
        "VERSION:2.1",
        "VERSION:4.0",
        "N:;;",
        "FN:\u{fc}",
        "PHOTO;ENCODING=b:AA==",
        "PHOTO:data:,",
        "TEL;VALUE=uri:tel:",
        "NOTE;QUOTED-PRINTABLE:=4=",
        "ORG:",
        "MEMBER:urn:uuid\u{fc}:",
        "ATTENDEE;CN=\"x:mailto:x",
        "",
    ]);
    prop_oneof![
        3 => (names, times()).prop_map(|(name, time)| format!("{name}:{time}")),
        2 => rules().prop_map(|rule| format!("RRULE:{rule}")),
        6 => structure.prop_map(str::to_owned),
        1 => (times(), times()).prop_map(|(start, end)| format!("FREEBUSY:{start}/{end}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn anything_may_be_asked_of_any_object(lines in proptest::collection::vec(lines(), 0..30), card in any::<bool>()) {
        let kind = if card { "VCARD" } else { "VCALENDAR" };
        let text = format!("BEGIN:{kind}\r\n{}\r\nEND:{kind}\r\n", lines.join("\r\n"));
        ask(text.as_bytes());
    }

    #[test]
    fn anything_may_be_asked_of_an_event_with_any_rule(start in times(), rule in rules(), end in times(), other in times()) {
        let text = format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:{start}\nDTEND:{end}\nRRULE:{rule}\nEXRULE:{rule}\n\
             RDATE:{other}\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID;RANGE=THISANDFUTURE:{other}\nDTSTART:{end}\n\
             END:VEVENT\nEND:VCALENDAR\n");
        ask(text.as_bytes());
    }

    #[test]
    fn anything_may_be_asked_of_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        ask(&bytes);
        ask(&[b"BEGIN:VCARD\n", bytes.as_slice(), b"\nEND:VCARD"].concat());
        ask(&[b"BEGIN:VCALENDAR\nBEGIN:VEVENT\n", bytes.as_slice(), b"\nEND:VEVENT\nEND:VCALENDAR"].concat());
    }

    #[test]
    fn values_are_read_or_refused(text in "\\PC{0,40}", number in any::<i64>()) {
        let _ = When::parse(&text, Some(&text));
        let _ = Period::parse(&text, None);
        let _ = Duration::parse(&text);
        let _ = parse_utc_offset(&text);
        let _ = text.parse::<Rule>();
        let _ = Zone::named(&text);
        let _ = card::PartialDate::parse(&text);
        let _ = Date::from_days(number);
        prop_assert_eq!(unescape_text(&escape_text(&text)).into_owned(), text);
    }

    #[test]
    fn durations_come_back(days in -10_000..10_000_i64, seconds in 0..86_400_i64) {
        let duration = Duration { days, seconds: seconds * days.signum() };
        prop_assert_eq!(Duration::parse(&duration.to_string()), Some(duration));
    }
}

/// Asks the usual questions of a big object and says how long that took.
fn usual_questions(bytes: &[u8]) -> std::time::Duration {
    let started = std::time::Instant::now();
    let document = parsed(bytes);
    split(&document).for_each(drop);
    let Ok(object) = Object::check(&document, &calendar::Policy::default()) else { return started.elapsed() };
    let zone = Zone::utc();
    calendar::Facts::of(&object).unwrap();
    let window = (utc("20240101T000000Z"), utc("20240201T000000Z"));
    calendar::busy_periods(&object, window, &zone, Budget::default());
    let time_range = Some(TimeRange { start: Some(window.0), end: Some(window.1) });
    let alarm = CompFilter { name: "VALARM".to_owned(), time_range, ..Default::default() };
    let inner = CompFilter { name: "VEVENT".to_owned(), components: vec![alarm], ..Default::default() };
    let outer = CompFilter { name: "VCALENDAR".to_owned(), components: vec![inner], ..Default::default() };
    outer.matches(&object, &zone, Budget::default());
    let selection =
        calendar::Selection { recurrences: Recurrences::Expand(window.0, window.1), ..Default::default() };
    let _ = calendar::partial(&object, &selection, &zone, Budget::default());
    started.elapsed()
}

#[test]
fn big_objects_cost_in_proportion() {
    let many = |count: usize, part: &dyn Fn(usize) -> String| {
        let parts: String = (0..count).map(part).collect();
        format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{parts}END:VCALENDAR\r\n")
    };
    let master = "BEGIN:VEVENT\r\nUID:1\r\nDTSTART:19700101T000000Z\r\nRRULE:FREQ=HOURLY\r\n";
    let id = |n: usize| crate::value::Utc(n as i64 * 3600);
    let shapes: [&dyn Fn(usize) -> String; 5] = [
        // Overrides with alarms.
        &|n| {
            many(n, &|i| {
                let id = id(i);
                format!(
                    "BEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID:{id}\r\nDTSTART:{id}\r\nBEGIN:VALARM\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\n"
                )
            })
        },
        // Events of their own.
        &|n| many(n, &|i| format!("BEGIN:VEVENT\r\nUID:{i}\r\nDTSTART:{}\r\nEND:VEVENT\r\n", id(i))),
        // Many rules in one event.
        &|n| {
            many(1, &|_| {
                format!(
                    "{master}{}END:VEVENT\r\n",
                    "RRULE:FREQ=DAILY;BYMONTHDAY=30;BYMONTH=2\r\n".repeat(n / 10)
                )
            })
        },
        // Many dates, in and out.
        &|n| {
            many(1, &|_| {
                let dates: String =
                    (0..n).map(|i| format!("RDATE:{}\r\nEXDATE:{}\r\n", id(i), id(i * 2))).collect();
                format!("{master}{dates}END:VEVENT\r\n")
            })
        },
        // Overrides that move all that follow.
        &|n| {
            many(n / 20, &|i| {
                let (id, first) =
                    (id(i + 1), if i == 0 { format!("{master}END:VEVENT\r\n") } else { String::new() });
                format!(
                    "{first}BEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID;RANGE=THISANDFUTURE:{id}\r\nDTSTART:{id}\r\nEND:VEVENT\r\n"
                )
            })
        },
    ];
    for (number, shape) in shapes.iter().enumerate() {
        let (small, big) = (shape(1_000), shape(8_000));
        usual_questions(small.as_bytes());
        let (small, big) = (usual_questions(small.as_bytes()), usual_questions(big.as_bytes()));
        // Eight times the size; with room for a busy machine, and far from the sixty-four of quadratic work.
        let room = std::time::Duration::from_millis(200);
        assert!(big < small * 24 + room, "shape {number}: {small:?} and {big:?}");
    }
}

#[test]
fn a_zone_of_many_mad_rules_costs_little() {
    let observance = "BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:+0100\r\n\
                      RRULE:FREQ=SECONDLY\r\nRRULE:FREQ=DAILY\r\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\r\nEND:STANDARD\r\n";
    let text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:x\r\n{}END:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:1\r\n\
         DTSTART;TZID=x:20240101T000000\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        observance.repeat(500)
    );
    let document = parsed(text.as_bytes());
    let object = Object::of(&document).unwrap();
    // What it may cost is bounded by steps; here only that it ends, and that a real zone is still followed whole.
    let found = object.expansion(&Zone::utc()).between(
        utc("20300101T000000Z"),
        utc("20300201T000000Z"),
        Budget::default(),
    );
    assert_eq!(found.list.len(), 31);
}

#[test]
fn exceptions_by_rule_cost_of_the_same_budget() {
    let text = event("DTSTART:19700101T000000Z\nRRULE:FREQ=SECONDLY\nEXRULE:FREQ=SECONDLY;INTERVAL=7");
    let document = parsed(text.as_bytes());
    let object = Object::of(&document).unwrap();
    let budget = Budget { steps: 5_000, ..Budget::default() };
    let found =
        object.expansion(&Zone::utc()).between(utc("20300101T000000Z"), utc("20300201T000000Z"), budget);
    assert!(found.cut_off && found.list.len() < 5_000);
}

#[test]
fn who_cannot_be_looked_at_whole_is_busy() {
    let text = event("DTSTART:20200101T000000Z\nDURATION:P3650D\nRRULE:FREQ=SECONDLY");
    let document = parsed(text.as_bytes());
    let object = Object::of(&document).unwrap();
    let window = (utc("22010101T000000Z"), utc("22010201T000000Z"));
    let (busy, whole) = busy_periods(&object, window, &Zone::utc(), Budget::default());
    assert!(!whole);
    assert_eq!((busy[0].start, busy[0].end, busy.len()), (window.0, window.1, 1));
}
