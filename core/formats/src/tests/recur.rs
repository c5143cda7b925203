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

/// A small generator of numbers, so that the same rules come each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn some(&mut self, from: i64, to: i64, most: u64) -> String {
        let count = 1 + self.below(most);
        let value = |dice: &mut Dice| from + dice.below((to - from + 1) as u64) as i64;
        let mut values: Vec<i64> =
            (0..count).map(|_| value(self)).filter(|value| *value != 0 || from == 0).collect();
        values.push(to);
        values.sort_unstable();
        values.dedup();
        values.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
    }

    fn rule(&mut self) -> String {
        // In rules of minutes with hours and days the crate leaves out the first hour; dateutil does not.
        let frequencies = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"];
        let level = self.below(5) as usize;
        let mut rule = format!("FREQ={};INTERVAL={}", frequencies[level], 1 + self.below(4));
        if self.chance(30) {
            rule += &format!(";BYMONTH={}", self.some(1, 12, 4));
        }
        if self.chance(40) {
            // Of a list that mixes plain and counted days the crate takes what both admit; the standard adds them up.
            let counted = level < 2 && self.chance(50);
            let ordinal = |dice: &mut Dice| match counted {
                true => format!("{}", dice.below(5) as i64 - 5),
                false => String::new(),
            };
            let days = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
            let mut list: Vec<String> =
                (0..=self.below(2)).map(|_| ordinal(self) + days[self.below(7) as usize]).collect();
            list.sort();
            list.dedup();
            rule += &format!(";BYDAY={}", list.join(","));
        }
        if level != 2 && self.chance(25) {
            rule += &format!(";BYMONTHDAY={}", self.some(-31, 31, 6));
        }
        if self.chance(20) {
            rule += &format!(";BYHOUR={}", self.some(0, 23, 3));
        }
        if self.chance(15) {
            rule += &format!(";BYMINUTE={}", self.some(0, 59, 3));
        }
        rule
    }
}

#[test]
fn random_rules_agree_with_the_rrule_crate() {
    let mut dice = Dice(4791);
    let mut compared = 0;
    while compared < 2000 {
        let rule = dice.rule();
        let start = format!(
            "20{:02}{:02}{:02}T{:02}0000",
            dice.below(30),
            1 + dice.below(12),
            1 + dice.below(28),
            dice.below(24)
        );
        let text = format!("DTSTART:{start}Z\nRRULE:{rule};UNTIL=20380101T000000Z");
        // It refuses some rules, and stops where nothing comes for long.
        let Ok(theirs) = text.parse::<rrule::RRuleSet>() else { continue };
        let theirs = theirs.all(8);
        let theirs: Vec<Wall> = theirs.dates.iter().map(|date| Wall(date.timestamp())).collect();
        if theirs.len() < 8 {
            continue;
        }
        let mut ours = occurrences(&start, &rule, wall(&start), 9);
        if theirs[0] != wall(&start) {
            ours.remove(0);
        }
        ours.truncate(8);
        assert_eq!(ours, theirs, "{text}");
        compared += 1;
    }
}

#[test]
fn plain_and_counted_days_add_up() {
    let rule = "FREQ=MONTHLY;BYDAY=1MO,FR";
    let found = occurrences("20240501T090000", rule, wall("20240502T000000"), 6);
    let days = ["03", "06", "10", "17", "24", "31"].map(|day| wall(&format!("202405{day}T090000")));
    assert_eq!(found, days);
}
