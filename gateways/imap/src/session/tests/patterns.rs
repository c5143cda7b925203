//! Patterns of LIST, and names.

use proptest::prelude::*;

use crate::session::name;
use crate::session::pattern::Pattern;

/// RFC 9051 §6.3.9, said plainly; exponential, so short texts only.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.first(), name.first()) {
        (None, None) => true,
        (Some(b'*'), _) => fits(&pattern[1..], name) || !name.is_empty() && fits(pattern, &name[1..]),
        (Some(b'%'), _) => {
            fits(&pattern[1..], name)
                || name.first().is_some_and(|byte| *byte != b'/') && fits(pattern, &name[1..])
        }
        (Some(wanted), Some(byte)) => wanted == byte && fits(&pattern[1..], &name[1..]),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn patterns_fit_as_the_standard_says(pattern in "[ab/*%]{0,7}", name in "[ab/]{0,8}") {
        prop_assert_eq!(Pattern::new("", &pattern).fits(&name), fits(pattern.as_bytes(), name.as_bytes()));
    }

    #[test]
    fn names_come_back(name in "[a-z/.%* äI]{1,12}") {
        if let Some(path) = name::parse(&name) {
            prop_assert_eq!(name::name_of(&path), Some(name));
        }
    }
}

#[test]
fn a_hostile_pattern_takes_little_time() {
    let pattern = Pattern::new("", &("*a%a".repeat(500) + "b"));
    let begun = std::time::Instant::now();
    assert!(!pattern.fits(&"a".repeat(10_000)));
    assert!(begun.elapsed().as_secs() < 5);
}

#[test]
fn odd_names_are_nobodys() {
    for odd in ["", "/", "a//b", "/a", "a/", ".", "a/..", "a\nb", "a\u{2028}", &"a".repeat(300), "a\0"] {
        assert!(name::parse(odd).is_none(), "{odd}");
    }
    for hidden in ["Mail/inbox", "Mail/InBox/x", "Mail", "Other/x", "Mail/a\tb"] {
        let path = allod_model::Path::parse(hidden.as_bytes(), allod_model::NameRule::Strict).unwrap();
        assert_eq!(name::name_of(&path), None, "{hidden}");
    }
}
