//! Anything as a recurrence rule: it ends within its budget, and its instances are in order.
#![no_main]

use allod_formats::calendar::Object;
use allod_formats::value::Utc;
use allod_formats::zone::Zone;
use allod_formats::{Budget, Document, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|rule: &str| {
    if rule.len() > 300 || rule.contains(['\r', '\n']) {
        return;
    }
    for start in ["DTSTART:20240229T093000Z", "DTSTART;VALUE=DATE:20240229", "DTSTART;TZID=Europe/Berlin:20240331T023000"] {
        let text = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\n{start}\r\nRRULE:{rule}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        let Ok(document) = Document::parse(text.as_bytes(), Limits::default()) else { return };
        let Ok(object) = Object::of(&document) else { return };
        let expansion = object.expansion(&Zone::utc());
        let (from, to) = (Utc(1_750_000_000), Utc(1_760_000_000));
        let found = expansion.between(from, to, Budget { steps: 5_000, instances: 200 });
        assert!(found.list.windows(2).all(|pair| pair[0].start <= pair[1].start));
        if let (Some(extent), Some(first)) = (expansion.extent(), found.list.first()) {
            assert!(extent.touches(Some(first.start), Some(first.end)), "the extent holds every instance");
        }
    }
});
