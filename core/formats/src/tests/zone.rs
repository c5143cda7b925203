use super::{parsed, utc, wall};
use crate::zone::Zone;

fn of_rules(text: &str) -> Zone {
    let lines: String = text.trim().lines().map(|line| line.trim().to_owned() + "\r\n").collect();
    let document = parsed(lines.as_bytes());
    Zone::of_component(document.components().next().unwrap()).unwrap()
}

const NEW_YORK: &str = "BEGIN:VTIMEZONE
    TZID:America/New_York
    LAST-MODIFIED:20050809T050000Z
    BEGIN:DAYLIGHT
    DTSTART:19670430T020000
    RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=-1SU;UNTIL=19730429T070000Z
    TZOFFSETFROM:-0500
    TZOFFSETTO:-0400
    TZNAME:EDT
    END:DAYLIGHT
    BEGIN:STANDARD
    DTSTART:19671029T020000
    RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20061029T060000Z
    TZOFFSETFROM:-0400
    TZOFFSETTO:-0500
    TZNAME:EST
    END:STANDARD
    BEGIN:DAYLIGHT
    DTSTART:19740106T020000
    RDATE:19750223T020000
    TZOFFSETFROM:-0500
    TZOFFSETTO:-0400
    TZNAME:EDT
    END:DAYLIGHT
    BEGIN:DAYLIGHT
    DTSTART:19760425T020000
    RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=-1SU;UNTIL=19860427T070000Z
    TZOFFSETFROM:-0500
    TZOFFSETTO:-0400
    TZNAME:EDT
    END:DAYLIGHT
    BEGIN:DAYLIGHT
    DTSTART:19870405T020000
    RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU;UNTIL=20060402T070000Z
    TZOFFSETFROM:-0500
    TZOFFSETTO:-0400
    TZNAME:EDT
    END:DAYLIGHT
    BEGIN:DAYLIGHT
    DTSTART:20070311T020000
    RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU
    TZOFFSETFROM:-0500
    TZOFFSETTO:-0400
    TZNAME:EDT
    END:DAYLIGHT
    BEGIN:STANDARD
    DTSTART:20071104T020000
    RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
    TZOFFSETFROM:-0400
    TZOFFSETTO:-0500
    TZNAME:EST
    END:STANDARD
    END:VTIMEZONE";

#[test]
fn the_standards_own_zone_agrees_with_the_database() {
    let (rules, named) = (of_rules(NEW_YORK), Zone::named("America/New_York").unwrap());
    let mut at = utc("19680101T000000Z");
    while at < utc("20491231T000000Z") {
        assert_eq!(rules.offset_s(at), named.offset_s(at), "{at}");
        let shown = named.wall(at);
        assert_eq!(rules.at(shown), named.at(shown), "{at}");
        at.0 += 5 * 3600 + 1234;
    }
}

#[test]
fn gaps_take_the_offset_before_and_overlaps_the_first_pass() {
    // RFC 5545 §3.3.5, its own examples.
    for zone in [of_rules(NEW_YORK), Zone::named("America/New_York").unwrap()] {
        assert_eq!(zone.at(wall("20070311T023000")), utc("20070311T073000Z"));
        assert_eq!(zone.at(wall("20071104T013000")), utc("20071104T053000Z"));
        assert_eq!(zone.wall(utc("20070311T073000Z")), wall("20070311T033000"));
    }
    // Offsets east of Greenwich, and a clock that moves by half an hour.
    let lord_howe = Zone::named("Australia/Lord_Howe").unwrap();
    assert_eq!(lord_howe.at(wall("20241006T021500")), utc("20241005T154500Z"));
}

#[test]
fn names_of_every_make_are_known() {
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let summer = utc("20240701T120000Z");
    for name in [
        "europe/berlin",
        "/freeassociation.sourceforge.net/Tzfile/Europe/Berlin",
        "/freeassociation.sourceforge.net/Europe/Berlin",
        "/citadel.org/20190914_1/Europe/Berlin",
        "/softwarestudio.org/Olson_20011030_5/Europe/Berlin",
        "W. Europe Standard Time",
        "w. europe standard time",
        "\"Europe/Berlin\"",
    ] {
        let zone = Zone::named(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(zone.offset_s(summer), berlin.offset_s(summer), "{name}");
    }
    let indiana = Zone::named("/mozilla.org/20050126_1/America/Indiana/Indianapolis").unwrap();
    assert_eq!(indiana.offset_s(summer), -4 * 3600);
    assert!(Zone::named("UTC").unwrap().is_utc());
    for nobody in ["Mars/Olympus", "", "/", "////", "Customized Time Zone", "../../etc/passwd"] {
        assert!(Zone::named(nobody).is_none(), "{nobody}");
    }
}

#[test]
fn every_windows_name_leads_to_a_zone() {
    let (mut last, mut count) = (String::new(), 0);
    for (windows, iana) in crate::zone::windows_names() {
        assert!(windows.to_lowercase() > last, "{windows}: the table is sorted");
        assert!(Zone::named(iana).is_some(), "{iana}");
        assert!(Zone::named(windows).is_some(), "{windows}");
        last = windows.to_lowercase();
        count += 1;
    }
    assert!(count > 130);
}
