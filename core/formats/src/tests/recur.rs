use crate::recur::Rule;
use crate::value::Wall;

fn wall(text: &str) -> Wall {
    Wall::parse(text).unwrap_or_else(|| panic!("{text}"))
}

/// The first `most` occurrences at or after `from`.
fn occurrences(start: &str, rule: &str, from: Wall, most: usize) -> (Vec<Wall>, bool) {
    let rule: Rule = rule.parse().unwrap_or_else(|error| panic!("{rule}: {error}"));
    let plan = crate::recur::plan_of(&rule, wall(start));
    let until = match rule.until {
        Some(crate::recur::Until::Wall(until)) => until,
        _ => Wall(i64::MAX),
    };
    let mut walk = crate::recur::walk_of(&plan, until, 3_000_000);
    walk.seek(from);
    let found = walk.by_ref().filter(|wall| *wall >= from).take(most).collect();
    (found, walk.is_cut_off())
}

#[test]
fn thousands_of_random_rules_agree_with_dateutil() {
    let mut wrong = 0;
    for line in include_str!("data/rules.tsv").lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let (start, rule) = (fields[0], fields[1]);
        let expected: Vec<Wall> = fields[2].split_whitespace().map(wall).collect();
        let (mut found, _) = occurrences(start, rule, wall(start), expected.len() + 1);
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
            let (tail, _) = occurrences(start, rule, *from, expected.len() - index);
            assert_eq!(tail, expected[index..], "{start} {rule} from {from}");
        }
    }
    assert_eq!(wrong, 0);
}
