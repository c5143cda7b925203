use super::{utc, wall};
use crate::value::{
    Date, Duration, Period, PeriodEnd, When, escape_text, parse_utc_offset, split_unescaped, unescape_text,
};

#[test]
fn days_count_forth_and_back() {
    for (text, days) in [("19700101", 0), ("20000229", 11_016), ("19691231", -1), ("00000101", -719_528)] {
        assert_eq!(Date::parse(text).unwrap().days(), days);
        assert_eq!(Date::from_days(days).to_string(), text);
    }
    for days in -719_528..-719_000 {
        assert_eq!(Date::from_days(days).days(), days);
    }
    for days in (-719_528..2_932_896).step_by(97) {
        assert_eq!(Date::from_days(days).days(), days);
    }
    assert_eq!(Date::from_days(i64::MAX).to_string(), "99991231");
    for wrong in ["20010229", "20011301", "2001011", "200101011", "2001010x", "20010100"] {
        assert_eq!(Date::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn times_are_read_as_written() {
    // RFC 5545 §3.3.5, its own examples.
    assert_eq!(When::parse("19980118T230000", None), Some(When::Floating(wall("19980118T230000"))));
    assert_eq!(When::parse("19980119T070000Z", Some("X")), Some(When::Utc(utc("19980119T070000Z"))));
    let zoned = When::parse("19980119T020000", Some("America/New_York"));
    assert_eq!(zoned, Some(When::Zoned(wall("19980119T020000"), "America/New_York".to_owned())));
    assert_eq!(wall("19970630T235960").to_string(), "19970630T235959");
    assert_eq!(wall("19970630T2359").to_string(), "19970630T235900");
    for wrong in
        ["19980119T230000-0800", "19980119T2500", "", "T", "19980119T", "\u{fc}\u{fc}\u{fc}\u{fc}T1200"]
    {
        assert_eq!(When::parse(wrong, None), None, "{wrong}");
    }
}

#[test]
fn durations_periods_and_offsets() {
    for (text, days, seconds) in [
        ("P15DT5H0M20S", 15, 18_020),
        ("P7W", 49, 0),
        ("-PT15M", 0, -900),
        ("+P1D", 1, 0),
        ("PT0S", 0, 0),
        ("P1W2D", 9, 0),
    ] {
        assert_eq!(Duration::parse(text), Some(Duration { days, seconds }), "{text}");
    }
    for wrong in ["", "P", "1D", "PT1D", "P1H", "P1", "PT99999999999S", "--P1D"] {
        assert_eq!(Duration::parse(wrong), None, "{wrong}");
    }
    assert_eq!(Duration { days: -1, seconds: -60 }.to_string(), "-P1DT1M");
    assert_eq!(Duration::default().to_string(), "PT0S");
    let period = Period::parse("19970101T180000Z/PT5H30M", None).unwrap();
    assert_eq!(period.end, PeriodEnd::After(Duration { days: 0, seconds: 19_800 }));
    let period = Period::parse("19970101T180000Z/19970102T070000Z", None).unwrap();
    assert_eq!(period.end, PeriodEnd::At(When::Utc(utc("19970102T070000Z"))));
    assert_eq!(parse_utc_offset("-0500"), Some(-18_000));
    assert_eq!(parse_utc_offset("+013045"), Some(5445));
    assert_eq!(parse_utc_offset("0100"), None);
}

#[test]
fn text_is_escaped_both_ways() {
    // RFC 5545 §3.3.11, its own example.
    let value = "Project XYZ Final Review\\nConference Room - 3B\\nCome Prepared.";
    let text = "Project XYZ Final Review\nConference Room - 3B\nCome Prepared.";
    assert_eq!(unescape_text(value), text);
    assert_eq!(escape_text(text), value);
    assert_eq!(unescape_text("a\\,b\\;c\\\\d\\Ne\\x\\"), "a,b;c\\d\ne\\x\\");
    assert_eq!(escape_text("a,b;c\\d\u{1}"), "a\\,b\\;c\\\\d");
    assert_eq!(split_unescaped("a\\,b,c,,d", ',').collect::<Vec<_>>(), ["a\\,b", "c", "", "d"]);
}
