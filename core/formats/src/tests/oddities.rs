//! Files in the manner of real programs, written for these tests.

use super::{calendar_of, parsed, utc};
use crate::Budget;
use crate::calendar::{Facts, Object, Policy};
use crate::zone::Zone;
use crate::{Sort, split};

fn first_start(bytes: &[u8]) -> String {
    let document = parsed(bytes);
    let object = Object::of(&document).unwrap();
    let found = object.expansion(&Zone::utc()).between(
        utc("19000101T000000Z"),
        utc("20990101T000000Z"),
        Budget { instances: 1, ..Budget::default() },
    );
    found.list.first().map_or_else(String::new, |one| one.start.to_string())
}

#[test]
fn starts_of_every_make_are_understood() {
    let cases: &[(&str, &str)] = &[
        ("DTSTART;TZID=\"Europe/Berlin\":20240701T120000", "20240701T100000Z"),
        ("DTSTART;VALUE=DATE-TIME;TZID=Europe/Berlin:20240701T120000", "20240701T100000Z"),
        ("DTSTART;VALUE=DATE-TIME:20240701T120000Z", "20240701T120000Z"),
        ("dtstart;tzid=Europe/Berlin:20240701T120000", "20240701T100000Z"),
        ("DTSTART;TZID=W. Europe Standard Time:20240701T120000", "20240701T100000Z"),
        ("DTSTART;TZID=/citadel.org/20190914_1/Europe/Berlin:20240701T120000", "20240701T100000Z"),
        ("DTSTART;X-VOBJ-ORIGINAL-TZID=x;TZID=Europe/Berlin:20240701T120000", "20240701T100000Z"),
        ("DTSTART:20240701T1200Z", "20240701T120000Z"),
        ("DTSTART;VALUE=DATE:20240701", "20240701T000000Z"),
        ("DTSTART:20240701", "20240701T000000Z"),
        ("DTSTART;TZID=:20240701T120000", "20240701T120000Z"),
        ("DTSTART;VALUE=DATE:20240701T120000", "20240701T120000Z"),
        (
            "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE\nX-MICROSOFT-DISALLOW-COUNTER:FALSE\nDTSTART;VALUE=DATE:20240701\nDTEND;VALUE=DATE:20240701",
            "20240701T000000Z",
        ),
        ("DTSTART:20240701T120000Z\nRRULE:FREQ=DAILY;INTERVAL=1;X-Y=1;", "20240701T120000Z"),
        ("DTSTART:20240701T120000Z\nRRULE:INTERVAL=1;FREQ=weekly;BYDAY=mo", "20240701T120000Z"),
        ("DTSTART:20240701T120000Z\nEXDATE:", "20240701T120000Z"),
        ("DTSTART:20240701T120000Z\nDESCRIPTION:a:b;c=\"d\" \\n", "20240701T120000Z"),
    ];
    for (lines, expected) in cases {
        let bytes = calendar_of(&format!("BEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT"));
        assert_eq!(first_start(bytes.as_bytes()), *expected, "{lines}");
        let document = parsed(bytes.as_bytes());
        Object::check(&document, &Policy::default()).unwrap_or_else(|error| panic!("{lines}: {error}"));
        for end in ["\n", "\r\n \r\n", "\r\n\r\n"] {
            let odd = bytes.replace("\r\n", end);
            // A line of one space is a fold that adds nothing.
            assert_eq!(first_start(odd.as_bytes()), *expected, "{lines} with {end:?}");
        }
        let marked = [b"\xEF\xBB\xBF", bytes.as_bytes()].concat();
        assert_eq!(first_start(&marked), *expected, "{lines} with a mark");
        assert_eq!(first_start(bytes.trim_end().as_bytes()), *expected, "{lines} without an end");
    }
}

#[test]
fn outlook_zones_from_1601_are_followed() {
    let bytes = calendar_of(
        "BEGIN:VTIMEZONE\nTZID:Customized Time Zone\nBEGIN:STANDARD\nDTSTART:16011028T030000
        RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nEND:STANDARD\nBEGIN:DAYLIGHT
        DTSTART:16010325T020000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200
        END:DAYLIGHT\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1
        DTSTART;TZID=Customized Time Zone:20240701T120000\nEND:VEVENT",
    );
    assert_eq!(first_start(bytes.as_bytes()), "20240701T100000Z");
    // A zone without observances is none; then its name counts.
    let bytes = calendar_of(
        "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nX-LIC-LOCATION:Europe/Berlin\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1
        DTSTART;TZID=Europe/Berlin:20240701T120000\nEND:VEVENT",
    );
    assert_eq!(first_start(bytes.as_bytes()), "20240701T100000Z");
}

#[test]
fn bytes_that_are_not_utf_8_are_read_and_said_so() {
    let text = calendar_of("BEGIN:VEVENT\nUID:1\nDTSTART:20240101T000000Z\nSUMMARY:M@ller\nEND:VEVENT");
    let bytes: Vec<u8> = text.bytes().map(|byte| if byte == b'@' { 0xfc } else { byte }).collect();
    let document = parsed(&bytes);
    assert!(Object::check(&document, &Policy::default()).is_err());
    let tolerant = Policy { tolerate_bytes: true, ..Policy::default() };
    let facts = Facts::of(&Object::check(&document, &tolerant).unwrap()).unwrap();
    assert_eq!(facts.summary.as_deref(), Some("M\u{fc}ller"));
}

#[test]
fn an_export_is_cut_into_objects_and_nothing_is_lost() {
    let export = calendar_of(
        "METHOD:PUBLISH\nX-WR-CALNAME:Home\nBEGIN:VTIMEZONE\nTZID:A\nEND:VTIMEZONE\nBEGIN:VTIMEZONE\nTZID:B\nEND:VTIMEZONE
        BEGIN:VEVENT\nUID:1\nDTSTART;TZID=A:20240101T000000\nRRULE:FREQ=DAILY\nEND:VEVENT
        BEGIN:VEVENT\nUID:2\nDTSTART;TZID=B:20240101T000000\nSUMMARY:f\nEND:VEVENT
        BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=A:20240102T000000\nDTSTART;TZID=B:20240102T010000\nEND:VEVENT
        BEGIN:VEVENT\nDTSTART:20240101T000000Z\nSUMMARY:no UID\nEND:VEVENT
        BEGIN:VEVENT\nUID:2\nDTSTART;TZID=B:20240101T000000\nSUMMARY:f\nEND:VEVENT
        BEGIN:VEVENT\nUID:2\nDTSTART;TZID=B:20250101T000000\nSUMMARY:another of that UID\nEND:VEVENT
        BEGIN:VTODO\nUID:3\nEND:VTODO",
    );
    let export = export.replace("SUMMARY:f\r\n", "SUMMARY:f\r\n olded\r\n");
    let document = parsed(export.as_bytes());
    let pieces = split(&document);
    assert!(pieces.left_over().is_empty());
    let pieces: Vec<_> = pieces.collect();
    let kinds: Vec<_> = pieces.iter().map(|piece| (piece.kind.as_str(), piece.uid_made)).collect();
    assert_eq!(
        kinds,
        [("VEVENT", false), ("VEVENT", false), ("VEVENT", true), ("VEVENT", true), ("VTODO", false)]
    );
    for piece in &pieces {
        let document = parsed(&piece.bytes);
        let object = Object::check(&document, &Policy::default()).unwrap();
        assert_eq!(Facts::of(&object).unwrap().uid, piece.uid);
        assert_eq!(piece.sort, Sort::Calendar);
    }
    let text = |index: usize| String::from_utf8(pieces[index].bytes.clone()).unwrap();
    assert!(text(0).contains("TZID:A") && text(0).contains("TZID:B") && text(0).contains("RECURRENCE-ID"));
    assert!(!text(1).contains("TZID:A") && text(1).contains("SUMMARY:f\r\n olded\r\n"));
    assert!(!text(2).contains("VTIMEZONE") && !text(2).contains("METHOD"));
    assert_eq!(split(&document).collect::<Vec<_>>(), pieces, "the same content gets the same UID");
    let cards =
        "BEGIN:VCARD\nVERSION:3.0\nFN:a\nEND:VCARD\n\nBEGIN:VCARD\nVERSION:3.0\nUID:b\nFN:b\nEND:VCARD";
    let document = parsed(cards.as_bytes());
    let pieces: Vec<_> = split(&document).collect();
    assert_eq!(pieces.len(), 2);
    assert!(pieces[0].bytes.starts_with(b"BEGIN:VCARD\nVERSION:3.0\nUID:"));
    assert_eq!(pieces[1].bytes, b"BEGIN:VCARD\nVERSION:3.0\nUID:b\nFN:b\nEND:VCARD\r\n");
}
