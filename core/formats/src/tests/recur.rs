use super::wall;
use crate::recur::{Rule, Until, first_from};
use crate::value::Wall;

/// The first `most` occurrences at or after `from`.
fn occurrences(start: &str, rule: &str, from: Wall, most: usize) -> Vec<Wall> {
    let rule: Rule = rule.parse().unwrap_or_else(|error| panic!("{rule}: {error}"));
    let until = match rule.until {
        Some(Until::Wall(until)) => until,
        _ => Wall(i64::MAX),
    };
    first_from(&rule, wall(start), from, until, most)
}

#[test]
fn thousands_of_random_rules_agree_with_dateutil() {
    let mut wrong = 0;
    for line in include_str!("data/rules.tsv").lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let (start, rule) = (fields[0], fields[1]);
        let expected: Vec<Wall> = fields[2].split_whitespace().map(wall).collect();
        let mut found = occurrences(start, rule, wall(start), expected.len() + 1);
        // DTSTART is always the first, even where the rule alone would not yield it.
        if expected.first() != Some(&wall(start)) {
            found.remove(0);
        }
        found.truncate(expected.len().max(usize::from(expected.len() < 7)));
        if found != expected {
            wrong += 1;
            if wrong < 10 {
                let shown = |walls: &[Wall]| walls.iter().map(Wall::to_string).collect::<Vec<_>>().join(" ");
                eprintln!("{start} {rule}\n  expected {}\n  found    {}", shown(&expected), shown(&found));
            }
        }
        for (index, from) in expected.iter().enumerate().skip(1) {
            let tail = occurrences(start, rule, *from, expected.len() - index);
            assert_eq!(tail, expected[index..], "{start} {rule} from {from}");
        }
    }
    assert_eq!(wrong, 0);
}

#[test]
fn rules_are_read_or_refused() {
    for rule in [
        "FREQ=DAILY",
        "freq=daily;count=1",
        "BYDAY=+1MO,-53SU;FREQ=YEARLY;WKST=SU",
        "FREQ=DAILY;BYSECOND=60",
        "FREQ=YEARLY;RSCALE=GREGORIAN;SKIP=OMIT",
        "FREQ=DAILY;UNTIL=20240101T000000Z;X-A=B",
    ] {
        assert!(rule.parse::<Rule>().is_ok(), "{rule}");
    }
    for rule in [
        "",
        "FREQ=",
        "COUNT=1",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=DAILY;BYDAY=0MO",
        "FREQ=DAILY;BYMONTHDAY=0",
        "FREQ=DAILY;BYHOUR=24",
        "FREQ=DAILY;UNTIL=never",
        "FREQ=DAILY;NONSENSE=1",
        "FREQ=DAILY;BYDAY=",
        "FREQ=DAILY;BYDAY=\u{fc}",
        "FREQ=YEARLY;RSCALE=HEBREW",
        "FREQ=YEARLY;RSCALE=GREGORIAN;SKIP=FORWARD",
        "FREQ=DAILY;INTERVAL=99999999999",
    ] {
        assert!(rule.parse::<Rule>().is_err(), "{rule}");
    }
}

#[test]
fn a_week_number_without_a_day_takes_the_day_of_the_start() {
    // RFC 5545 §3.3.10: what the rule leaves open, DTSTART says; dateutil gives all seven days.
    let found = occurrences("20240515T090000", "FREQ=YEARLY;BYWEEKNO=20", wall("20240101T000000"), 3);
    assert_eq!(found, ["20240515T090000", "20250514T090000", "20260513T090000"].map(wall));
}
