//! Anything as a card: read, judged, converted there and back, searched.
#![no_main]

use allod_formats::card::{Card, Facts, Filter, Policy, PropFilter, Version, convert, indexed_texts, occasions};
use allod_formats::collation::{Collation, MatchType, TextMatch};
use allod_formats::{Document, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = Document::parse(bytes, Limits::default()) else { return };
    assert_eq!(document.bytes(), bytes);
    let Some(card) = Card::of(&document) else { return };
    let _ = Card::check(&document, Policy::default());
    let _ = occasions(&Facts::of(&card));
    assert_eq!(convert(&card, card.version()), bytes, "in its own version it is a copy");
    for version in [Version::V3, Version::V4] {
        let converted = convert(&card, version);
        assert!(Document::parse(&converted, Limits { bytes: usize::MAX, ..Limits::default() }).is_ok());
    }
    for (name, text) in [("FN", "a"), ("EMAIL", "@"), ("N", ";")] {
        let texts = vec![TextMatch::new(text, Collation::UnicodeCasemap, MatchType::Contains, false)];
        let filter = Filter {
            all_of: true,
            properties: vec![PropFilter { name: name.into(), texts, ..PropFilter::default() }],
        };
        assert!(!filter.matches(&card) || filter.may_match(&indexed_texts(&card)), "what is kept never hides a card");
    }
});
