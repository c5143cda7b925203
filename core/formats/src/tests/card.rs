use super::{parsed, utc};
use crate::calendar::{ParamFilter, PropSelection};
use crate::card::*;
use crate::collation::{Collation, MatchType, TextMatch};
use crate::{Budget, zone::Zone};

fn crlf(text: &str) -> String {
    text.trim().lines().map(|line| format!("{}\r\n", line.trim_start_matches("    "))).collect()
}

fn facts(text: &str) -> Facts {
    let bytes = crlf(text);
    let document = parsed(bytes.as_bytes());
    Facts::of(&Card::of(&document).unwrap())
}

const APPLE: &str = "BEGIN:VCARD
    VERSION:3.0
    PRODID:-//Apple Inc.//iOS 17.0//EN
    N:M\u{fc}ller;J\u{fc}rgen;;Dr.;
    FN:Dr. J\u{fc}rgen M\u{fc}ller
    ORG:ACME\\, Inc.;Research;
    EMAIL;type=INTERNET;type=HOME;type=pref:j@example.com
    item1.TEL;type=pref:+49 30 1234
    item1.X-ABLabel:_$!<HomePage>!$_
    item2.X-ABDATE;type=pref:2010-06-05
    item2.X-ABLabel:_$!<Anniversary>!$_
    PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAUDBAQEAwUEBAQF
     BQUGBwwIBwcHBw8LCwkMEQ8SEhEPERETFhwXExQaFRERGCEYGh0dHx8fExciJCIeJBweHx7/
    BDAY;X-APPLE-OMIT-YEAR=1604:1604-03-14
    CATEGORIES:Friends,Work\\, hard
    X-UNKNOWN;X-P=1:kept as
      it is
    UID:abc-1
    END:VCARD";

#[test]
fn facts_are_drawn_from_3_0_and_4_0_and_2_1() {
    let found = facts(APPLE);
    assert_eq!(found.name, "Dr. J\u{fc}rgen M\u{fc}ller");
    assert_eq!(found.organization.as_deref(), Some("ACME, Inc."));
    assert_eq!((found.emails[0].as_str(), found.phones[0].as_str()), ("j@example.com", "+49 30 1234"));
    assert_eq!(found.categories, ["Friends", "Work, hard"]);
    assert_eq!(found.birthday, Some(PartialDate { year: None, month: 3, day: 14 }));
    assert_eq!(found.anniversary, Some(PartialDate { year: Some(2010), month: 6, day: 5 }));
    assert!(found.has_photo && !found.is_group());
    let group = "BEGIN:VCARD\nVERSION:4.0\nKIND:group\nFN:Family\nMEMBER:urn:uuid:a-1\nMEMBER:mailto:x@y\nUID:urn:uuid:g\nEND:VCARD";
    let found = facts(group);
    assert!(found.is_group());
    assert_eq!(found.members, ["a-1", "mailto:x@y"]);
    let apple = "BEGIN:VCARD\nVERSION:3.0\nN:Family\nFN:Family\nX-ADDRESSBOOKSERVER-KIND:group\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:A-1\nEND:VCARD";
    assert_eq!(facts(apple).members, ["A-1"]);
    let old = "BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=\n=BCrgen;;;\nTEL;HOME;VOICE:123\nEND:VCARD";
    let found = facts(old);
    assert_eq!((found.name.as_str(), found.version), ("J\u{fc}rgen M\u{fc}ller", Version::V2_1));
    assert!(
        facts("BEGIN:VCARD\nVERSION:3.0\nN:b;a\nEND:VCARD").sort_key
            < facts("BEGIN:VCARD\nVERSION:3.0\nN:C;a\nEND:VCARD").sort_key
    );
}

#[test]
fn partial_dates_of_every_make() {
    let date = |year, month, day| Some(PartialDate { year, month, day });
    for (text, expected) in [
        ("--0314", date(None, 3, 14)),
        ("--03-14", date(None, 3, 14)),
        ("19850412", date(Some(1985), 4, 12)),
        ("1985-04-12", date(Some(1985), 4, 12)),
        ("1985-04-12T23:20:50Z", date(Some(1985), 4, 12)),
        ("--0229", date(None, 2, 29)),
        ("1985", None),
        ("1985-04", None),
        ("---12", None),
        ("circa 1800", None),
        ("--0230", None),
        ("\u{fc}\u{fc}", None),
        ("", None),
    ] {
        assert_eq!(PartialDate::parse(text), expected, "{text}");
    }
}

fn converted(bytes: &str, version: Version) -> String {
    let document = parsed(bytes.as_bytes());
    String::from_utf8(convert(&Card::of(&document).unwrap(), version)).unwrap()
}

#[test]
fn cards_change_version_and_come_back() {
    let original = crlf(APPLE);
    let four = converted(&original, Version::V4);
    for line in [
        "VERSION:4.0\r\n",
        "BDAY:--0314\r\n",
        "PHOTO:data:image/jpeg;base64,/9j/",
        ";PREF=1:j@example.com\r\n",
    ] {
        assert!(four.contains(line), "{line} in {four}");
    }
    for kept in [
        "item2.X-ABDATE;type=pref:2010-06-05\r\nitem2.X-ABLabel",
        "X-UNKNOWN;X-P=1:kept as\r\n  it is\r\n",
        "N:M\u{fc}ller;J\u{fc}rgen;;Dr.;\r\n",
    ] {
        let kept = kept.replace(
            ";type=pref:2010",
            if four.contains("item2.X-ABDATE;PREF=1") { ";PREF=1:2010" } else { ";type=pref:2010" },
        );
        assert!(four.contains(&kept), "{kept} in {four}");
    }
    let three = converted(&four, Version::V3);
    for line in [
        "VERSION:3.0\r\n",
        "BDAY;X-APPLE-OMIT-YEAR=1604:1604-03-14\r\n",
        "PHOTO;ENCODING=b;TYPE=JPEG:/9j/",
        "TYPE=pref:j@example.com",
    ] {
        assert!(three.contains(line), "{line} in {three}");
    }
    let documents = (crlf(APPLE), three.clone());
    let (first, second) = (parsed(documents.0.as_bytes()), parsed(documents.1.as_bytes()));
    assert_eq!(Facts::of(&Card::of(&first).unwrap()), Facts::of(&Card::of(&second).unwrap()));
    assert_eq!(converted(&original, Version::V3), original);
    let group = crlf(
        "BEGIN:VCARD\nVERSION:4.0\nKIND:group\nFN:F\nMEMBER:urn:uuid:a\nGENDER:F\nANNIVERSARY:20090808\nTEL;VALUE=uri;TYPE=home:tel:+1-555\nEND:VCARD",
    );
    let three = converted(&group, Version::V3);
    assert_eq!(
        three,
        crlf(
            "BEGIN:VCARD\nVERSION:3.0\nN:F;;;;\nX-ADDRESSBOOKSERVER-KIND:group\nFN:F\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:a\nX-GENDER:F\nX-ANNIVERSARY:2009-08-08\nTEL;TYPE=home:+1-555\nEND:VCARD"
        )
    );
    let old = crlf(
        "BEGIN:VCARD\nVERSION:2.1\nN;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:M=C3=BC\\;x,y;J\nTEL;HOME;VOICE:1\nNOTE;ENCODING=QUOTED-PRINTABLE:a=0D=0Ab, c\nFN:x\nEND:VCARD",
    );
    assert_eq!(
        converted(&old, Version::V3),
        crlf(
            "BEGIN:VCARD\nVERSION:3.0\nN:M\u{fc}\\;x\\,y;J\nTEL;TYPE=HOME;TYPE=VOICE:1\nNOTE:a\\nb\\, c\nFN:x\nEND:VCARD"
        )
    );
}

#[test]
fn what_must_not_be_stored_is_refused_by_its_name() {
    use Precondition::*;
    let card = |lines: &str| crlf(&format!("BEGIN:VCARD\n{lines}\nEND:VCARD"));
    for (bytes, expected) in [
        (crlf(APPLE), None),
        (card("VERSION:4.0\nUID:1\nFN:x"), None),
        (card("VERSION:3.0\nUID:1\nN:x"), None),
        (card("VERSION:2.1\nUID:1\nN:x"), Some(SupportedAddressData)),
        (card("UID:1\nFN:x"), Some(SupportedAddressData)),
        (card("VERSION:4.0\nFN:x"), Some(ValidAddressData)),
        (card("VERSION:4.0\nUID:1"), Some(ValidAddressData)),
        (card("VERSION:4.0\nUID:1\nFN:x").repeat(2), Some(ValidAddressData)),
        ("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n".to_owned(), Some(ValidAddressData)),
        (String::new(), Some(ValidAddressData)),
    ] {
        let document = parsed(bytes.as_bytes());
        let found = Card::check(&document, Policy::default()).err().map(|invalid| invalid.precondition);
        assert_eq!(found, expected, "{bytes}");
    }
}

#[test]
fn filters_follow_rfc_6352() {
    let bytes = crlf(APPLE);
    let document = parsed(bytes.as_bytes());
    let card = Card::of(&document).unwrap();
    let text = |wanted: &str, kind, negate| TextMatch::new(wanted, Collation::UnicodeCasemap, kind, negate);
    let on =
        |name: &str, texts: Vec<TextMatch>| PropFilter { name: name.to_owned(), texts, ..Default::default() };
    let filter = |all_of: bool, properties: Vec<PropFilter>| Filter { all_of, properties }.matches(&card);
    assert!(filter(false, vec![]) && filter(true, vec![]));
    assert!(filter(false, vec![on("fn", vec![text("M\u{dc}LLER", MatchType::EndsWith, false)])]));
    assert!(!filter(false, vec![on("fn", vec![text("M\u{dc}LLER", MatchType::StartsWith, false)])]));
    let (hit, miss) = (on("EMAIL", vec![]), on("NICKNAME", vec![]));
    assert!(filter(false, vec![hit.clone(), miss.clone()]));
    assert!(!filter(true, vec![hit, miss.clone()]));
    assert!(filter(true, vec![PropFilter { is_not_defined: true, ..miss }]));
    assert!(filter(true, vec![on("TEL", vec![])]) && filter(true, vec![on("item1.TEL", vec![])]));
    assert!(!filter(true, vec![on("item2.TEL", vec![])]));
    let parameter = |name: &str, wanted: &str| ParamFilter {
        name: name.to_owned(),
        text_match: Some(text(wanted, MatchType::Equals, false)),
        ..Default::default()
    };
    let email = |wanted: &str, all_of| PropFilter {
        name: "EMAIL".to_owned(),
        all_of,
        texts: vec![text("nobody", MatchType::Contains, false)],
        parameters: vec![parameter("TYPE", wanted)],
        ..Default::default()
    };
    assert!(filter(true, vec![email("home", false)]));
    assert!(!filter(true, vec![email("home", true)]));
    assert!(!filter(true, vec![email("work", false)]));
    assert!(filter(true, vec![on("CATEGORIES", vec![text("PERSON", MatchType::Contains, true)])]));
}

#[test]
fn parts_of_cards_are_copied() {
    let bytes = crlf(APPLE);
    let document = parsed(bytes.as_bytes());
    let card = Card::of(&document).unwrap();
    let wanted = |name: &str| PropSelection { name: name.to_owned(), no_value: false };
    let properties = Some(vec![wanted("UID"), wanted("item1.X-ABLabel"), wanted("X-UNKNOWN")]);
    let out = partial(&card, &Selection { properties, version: None });
    let expected = "BEGIN:VCARD\r\nVERSION:3.0\r\nitem1.X-ABLabel:_$!<HomePage>!$_\r\nX-UNKNOWN;X-P=1:kept as\r\n  it is\r\nUID:abc-1\r\nEND:VCARD\r\n";
    assert_eq!(out.as_ref(), expected.as_bytes());
    assert_eq!(partial(&card, &Selection::default()).as_ref(), bytes.as_bytes());
    let out = partial(&card, &Selection { properties: None, version: Some(Version::V4) });
    assert!(out.starts_with(b"BEGIN:VCARD\r\nVERSION:4.0\r\n"));
}

#[test]
fn birthdays_come_back_each_year() {
    let leap =
        "BEGIN:VCARD\nVERSION:4.0\nUID:1\nFN:Leap\\, Ann\nBDAY:20000229\nANNIVERSARY:--0605\nEND:VCARD";
    let days = occasions(&facts(leap));
    assert_eq!(days.len(), 2);
    assert_ne!(days[0].uid, days[1].uid);
    let bytes = write_occasion(&days[0], &days[0].name, utc("20240101T000000Z"), "-//x");
    let document = parsed(&bytes);
    let object = crate::calendar::Object::check(&document, &Default::default()).unwrap();
    let found = object.expansion(&Zone::utc()).between(
        utc("20000101T000000Z"),
        utc("20050101T000000Z"),
        Budget::default(),
    );
    let found: Vec<String> = found.list.iter().map(|one| one.wall.date().to_string()).collect();
    assert_eq!(found, ["20000229", "20010228", "20020228", "20030228", "20040229"]);
    let bytes = write_occasion(&days[1], "x", utc("20240101T000000Z"), "-//x");
    assert!(String::from_utf8(bytes).unwrap().contains("DTSTART;VALUE=DATE:19720605\r\n"));
}
