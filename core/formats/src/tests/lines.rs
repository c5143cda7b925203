use proptest::prelude::*;

use crate::{Document, Item, Limits, Lines};

fn joined(document: &Document<'_>) -> Vec<u8> {
    fn add(items: &[Item<'_>], bytes: &[u8], out: &mut Vec<u8>) {
        for item in items {
            if let Item::Component(component) = item {
                out.extend_from_slice(&bytes[component.begin()]);
                add(component.items(), bytes, out);
                out.extend_from_slice(&bytes[component.end()]);
            } else {
                out.extend_from_slice(&bytes[item.span()]);
            }
        }
    }
    let mut out = Vec::new();
    add(document.items(), document.bytes(), &mut out);
    out
}

fn texts(bytes: &[u8]) -> Vec<String> {
    Lines::new(bytes).map(|line| line.text.into_owned()).collect()
}

#[test]
fn folds_of_every_make_are_undone() {
    // RFC 5545 §3.1, its own example.
    let folded = b"DESCRIPTION:This is a lo\r\n ng description\r\n  that exists on a long line.\r\n";
    assert_eq!(texts(folded), ["DESCRIPTION:This is a long description that exists on a long line."]);
    assert_eq!(texts(b"A:b\n c\n\td\nE:f"), ["A:bcd", "E:f"]);
    assert_eq!(texts(b"\xEF\xBB\xBFBEGIN:X\r\n\r\nEND:X\r\n"), ["BEGIN:X", "", "END:X"]);
    let middle = "SUMMARY:Gr\u{fc}\u{df}e".as_bytes();
    for at in 1..middle.len() {
        let bytes = [&middle[..at], b"\r\n ", &middle[at..], b"\r\n"].concat();
        assert_eq!(texts(&bytes), ["SUMMARY:Gr\u{fc}\u{df}e"], "folded after {at}");
    }
    assert_eq!(texts(b"N:M\xfcller\r\n"), ["N:M\u{fc}ller"]);
}

#[test]
fn soft_breaks_of_vcard_2_1_are_undone() {
    let bytes = b"LABEL;ENCODING=QUOTED-PRINTABLE:one=0D=0A=\r\ntwo=\r\n three\r\nFN:x\r\n";
    assert_eq!(texts(bytes), ["LABEL;ENCODING=QUOTED-PRINTABLE:one=0D=0Atwo three", "FN:x"]);
}

#[test]
fn parameters_are_read_with_quotes_carets_and_bare_words() {
    let bytes =
        b"item1.Attendee;CN=\"Doe; J:r, \";MEMBER=\"mailto:a@x\",\"mailto:b@x\";X=^n^^^'^z:mailto:c@x\n\
        TEL;HOME;quoted-printable:1\nX;A=\"open:1\nno property\n";
    let document = Document::parse(bytes, Limits::default()).unwrap();
    let properties = document.items().iter().filter_map(|item| match item {
        Item::Property(property) => Some(property),
        _ => None,
    });
    let properties: Vec<_> = properties.collect();
    let attendee = properties[0];
    assert_eq!(
        (attendee.group(), attendee.name(), attendee.value()),
        (Some("item1"), "Attendee", "mailto:c@x")
    );
    assert!(attendee.is("ATTENDEE"));
    assert_eq!(attendee.parameter("cn").unwrap(), "Doe; J:r, ");
    assert_eq!(attendee.parameter_values("MEMBER").collect::<Vec<_>>(), ["mailto:a@x", "mailto:b@x"]);
    assert_eq!(attendee.parameter("X").unwrap(), "\n^\"^z");
    assert!(properties[1].has_parameter_value("TYPE", "home"));
    assert!(properties[1].has_parameter_value("ENCODING", "QUOTED-PRINTABLE"));
    assert_eq!((properties[2].parameter("A").unwrap().as_ref(), properties[2].value()), ("\"open", "1"));
    assert_eq!(document.problems().len(), 1);
}

#[test]
fn damage_is_noted_and_limits_hold() {
    let bytes = b"BEGIN:A\nBEGIN:B\nX:1\nEND:A\nEND:C\n\x01\nBEGIN:D";
    let document = Document::parse(bytes, Limits::default()).unwrap();
    assert_eq!(joined(&document), bytes);
    assert_eq!(document.problems().len(), 5, "{:?}", document.problems());
    let deep = "BEGIN:A\n".repeat(17);
    assert!(Document::parse(deep.as_bytes(), Limits::default()).is_err());
    assert!(Document::parse(&deep.as_bytes()[..8 * 16], Limits::default()).is_ok());
    let many = format!("A{}:1", ";B=1".repeat(300));
    assert!(Document::parse(many.as_bytes(), Limits::default()).is_err());
}

#[test]
fn long_input_is_read_in_linear_time() {
    let shapes: [&dyn Fn(usize) -> Vec<u8>; 5] = [
        &|n| b"A:\n ".repeat(n),
        &|n| [b"A".as_slice(), &b";B=\"".repeat(200), b":".as_slice(), &vec![b'x'; n]].concat(),
        &|n| b"BEGIN:A\nEND:A\nEND:B\n".repeat(n / 3),
        &|n| [b"A;ENCODING=QUOTED-PRINTABLE:".as_slice(), &b"=\n".repeat(n)].concat(),
        &|n| vec![b'"'; n],
    ];
    let started = std::time::Instant::now();
    for shape in shapes {
        let bytes = shape(1_000_000);
        let limits = Limits { lines: usize::MAX, ..Limits::default() };
        let document = Document::parse(&bytes, limits).unwrap();
        assert_eq!(joined(&document), bytes);
    }
    // Generous: it takes well under two seconds; quadratic work would take hours.
    assert!(started.elapsed().as_secs() < 60);
}

proptest! {
    #[test]
    fn any_bytes_come_back_whole(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let document = Document::parse(&bytes, Limits::default()).unwrap();
        prop_assert_eq!(joined(&document), bytes);
    }

    #[test]
    fn structured_bytes_come_back_whole(parts in proptest::collection::vec(
        proptest::sample::select(vec![
            "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VCALENDAR", "END:VCALENDAR", "\r\n", "\n", "\r", "\n ", "\n\t", ";", ":",
            "=", "\"", ",", "^", ".", "SUMMARY", "ENCODING=QUOTED-PRINTABLE", "\u{fc}", "\u{feff}", "\\", "\0",
        ]), 0..60))
    {
        let bytes = parts.concat().into_bytes();
        if let Ok(document) = Document::parse(&bytes, Limits::default()) {
            prop_assert_eq!(joined(&document), bytes);
        }
    }
}
