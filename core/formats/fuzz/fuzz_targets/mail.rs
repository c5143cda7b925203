//! Anything as a message: read, searched, its parts decoded.
#![no_main]

use allod_formats::mail::{
    FACTS_BYTES_MAX, Inner, Part, decode_body, display_name, fold, header, is_message, part_text, read,
    search_text, sort_subject,
};
use libfuzzer_sys::fuzz_target;

/// Each part lies in the one around it, behind the one before it.
fn walk(bytes: &[u8], part: &Part, from: u32, to: u32) {
    assert!(from <= part.header.start && part.header.start <= part.header.end);
    assert!(part.header.end == part.body.start && part.body.start <= part.body.end && part.body.end <= to);
    let line_ends = part.body.of(bytes).iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(part.lines as usize, line_ends);
    let _ = (part_text(bytes, part), part.file_name());
    let _ = decode_body(part.body.of(bytes), part.encoding.as_deref());
    let mut at = part.body.start;
    match &part.inner {
        Inner::Leaf => {}
        Inner::Multipart(parts) => {
            for inner in parts {
                walk(bytes, inner, at, part.body.end);
                at = inner.body.end;
            }
        }
        Inner::Message(envelope, inner) => {
            walk(bytes, inner, at, part.body.end);
            envelope.from.iter().for_each(|address| drop(display_name(address)));
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let facts = read(bytes);
    assert_eq!((facts.root.header.start, facts.root.body.end as usize), (0, bytes.len()));
    walk(bytes, &facts.root, 0, bytes.len() as u32);
    assert!(facts.preview.chars().count() <= 200);
    assert!(format!("{:?}", facts.envelope).len() < 8 * FACTS_BYTES_MAX);
    let _ = (sort_subject(&facts), is_message(bytes));
    let text = search_text(bytes, &facts);
    assert_eq!(fold(&text.header), text.header);
    assert_eq!(fold(&text.body), text.body);
    let names: [&str; 3] = ["From", "to", "SUBJECT"];
    let selected = header::select(bytes, &names, false);
    assert!(
        header::fields(&selected)
            .all(|field| names.iter().any(|name| { field.name.eq_ignore_ascii_case(name.as_bytes()) }))
    );
    header::values(bytes, "subject");
});
