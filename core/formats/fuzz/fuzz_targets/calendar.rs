//! Anything as a calendar object: read, judged, asked, cut to pieces. Its bytes stay what they are.
#![no_main]

use allod_formats::calendar::{
    CompFilter, Facts, Managed, Object, Policy, Recurrences, Rids, Selection, TimeRange, attach, busy_periods, partial,
};
use allod_formats::value::Utc;
use allod_formats::zone::Zone;
use allod_formats::{Budget, Document, Limits, split};
use libfuzzer_sys::fuzz_target;

const BUDGET: Budget = Budget { steps: 5_000, instances: 500 };

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = Document::parse(bytes, Limits::default()) else { return };
    assert_eq!(document.bytes(), bytes);
    for piece in split(&document).take(20) {
        assert!(Document::parse(&piece.bytes, Limits::default()).is_ok());
    }
    let Ok(object) = Object::of(&document) else { return };
    let (from, to) = (Utc(1_700_000_000), Utc(1_703_000_000));
    let admitted = Object::check(&document, &Policy::default()).is_ok();
    let facts = Facts::of(&object);
    let inner = CompFilter {
        name: "VEVENT".into(),
        time_range: Some(TimeRange { start: Some(from), end: Some(to) }),
        ..CompFilter::default()
    };
    let filter = CompFilter { name: "VCALENDAR".into(), components: vec![inner], ..CompFilter::default() };
    let found = filter.matches(&object, &Zone::utc(), BUDGET) == Some(true);
    if let Some(facts) = facts.filter(|_| found && admitted) {
        // The index never hides what reading would find.
        assert!(filter.may_match(&facts.kind, facts.extent.as_ref()));
    }
    let _ = busy_periods(&object, (from, to), &Zone::utc(), BUDGET);
    for recurrences in [Recurrences::Keep, Recurrences::Expand(from, to), Recurrences::Limit(from, to)] {
        let selection = Selection { recurrences, ..Selection::default() };
        if let Ok(part) = partial(&object, &selection, &Zone::utc(), BUDGET) {
            assert!(Document::parse(&part, Limits { bytes: usize::MAX, ..Limits::default() }).is_ok());
        }
    }
    let file = Managed { id: "1", uri: "https://x/y", media_type: "a/b", name: "n", size: 1 };
    let _ = attach(bytes, &Rids::All, &file);
});
