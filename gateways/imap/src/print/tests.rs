//! Printers: known answers, and that what is printed is well-formed whatever it was made from.

use allod_core::mail::{UidSet, Uids};
use allod_formats::mail::{Inner, Part, Span};
use allod_model::{ContentId, Timestamp};
use proptest::prelude::*;
use tokio::io::AsyncReadExt;

use super::*;
use crate::syntax::ast::{ByteRange, Section, SectionText};
use crate::wire::{Enabled, Io, Output, Transport};

/// What a printer writes.
fn printed(utf8: bool, print: impl FnOnce(&mut Output)) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut peer, server) = tokio::io::duplex(64 << 20);
        let mut out = Output::new(Transport::new(Io::Memory(server)));
        out.set_enabled(Enabled { utf8_accept: utf8, ..Enabled::default() });
        print(&mut out);
        out.flush().await.unwrap();
        drop(out);
        let mut all = Vec::new();
        peer.read_to_end(&mut all).await.unwrap();
        all
    })
}

fn text(print: impl FnOnce(&mut Output)) -> String {
    String::from_utf8(printed(false, print)).unwrap()
}

#[test]
fn dates() {
    for (secs, wanted) in [
        (0, "\"01-Jan-1970 00:00:00 +0000\""),
        (837_570_265, "\"17-Jul-1996 02:24:25 +0000\""),
        (1_709_251_199, "\"29-Feb-2024 23:59:59 +0000\""),
        (-1, "\"31-Dec-1969 23:59:59 +0000\""),
        (i64::MAX / 1000, "\"31-Dec-9999 23:59:59 +0000\""),
        (i64::MIN / 1000, "\"01-Jan-0000 00:00:00 +0000\""),
    ] {
        assert_eq!(text(|out| date::date_time(out, Timestamp::from_secs(secs))), wanted);
    }
}

#[test]
fn object_identifiers_are_read_as_they_are_written() {
    let id = ContentId(u64::MAX);
    assert_eq!(ids::parse_email(&ids::email(id)), Some(id));
    assert_eq!(ids::parse_thread(&ids::thread(7)), Some(7));
    for other in ["", "M", "7", "T7", "M+7", "M07", "M7 ", "m7", "M99999999999999999999"] {
        assert_eq!(ids::parse_email(other), None, "{other}");
    }
}

fn span(start: u32, end: u32) -> Span {
    Span { start, end }
}

/// A message whose second part is a message with two parts.
fn nested() -> Part {
    let leaf =
        |start| Part { header: span(start, start + 2), body: span(start + 2, start + 9), ..Part::default() };
    let inner = Part {
        header: span(31, 35),
        body: span(35, 60),
        inner: Inner::Multipart(vec![leaf(40), leaf(50)]),
        ..Part::default()
    };
    let message = Part {
        header: span(30, 31),
        body: span(31, 60),
        inner: Inner::Message(Box::default(), Box::new(inner)),
        ..Part::default()
    };
    Part {
        header: span(0, 10),
        body: span(10, 70),
        inner: Inner::Multipart(vec![leaf(20), message]),
        ..Part::default()
    }
}

/// RFC 9051 §6.4.5.1.
#[test]
fn sections_are_found() {
    use SectionText::{Header, Mime, Text};
    let root = nested();
    type Case<'a> = (&'a [u32], Option<SectionText>, Option<(u32, u32)>);
    let cases: &[Case<'_>] = &[
        (&[], None, Some((0, 70))),
        (&[], Some(Header), Some((0, 10))),
        (&[], Some(Text), Some((10, 70))),
        (&[], Some(Mime), None),
        (&[1], None, Some((22, 29))),
        (&[1], Some(Mime), Some((20, 22))),
        (&[1], Some(Header), None),
        (&[1, 1], None, None),
        (&[2], None, Some((31, 60))),
        (&[2], Some(Mime), Some((30, 31))),
        (&[2], Some(Header), Some((31, 35))),
        (&[2], Some(Text), Some((35, 60))),
        (&[2, 1], None, Some((42, 49))),
        (&[2, 2], Some(Mime), Some((50, 52))),
        (&[2, 3], None, None),
        (&[0], None, None),
        (&[3], None, None),
        (&[u32::MAX], None, None),
    ];
    for (part, of, wanted) in cases {
        let section = Section { part: part.to_vec(), text: of.clone() };
        let found = section::place(&root, 70, &section).map(|place| (place.span.start, place.span.end));
        assert_eq!(found, *wanted, "{section:?}");
    }
    // A multipart without parts is told with an empty one.
    let empty = Part { body: span(5, 9), inner: Inner::Multipart(Vec::new()), ..Part::default() };
    for (part, wanted) in [(vec![1], Some(span(9, 9))), (vec![2], None), (vec![1, 1], None)] {
        let section = Section { part, text: None };
        assert_eq!(section::place(&empty, 9, &section).map(|place| place.span), wanted);
    }
    // A message without parts is its own first part, and has no second one.
    let plain = Part { header: span(0, 5), body: span(5, 9), ..Part::default() };
    for (part, wanted) in [(vec![1], Some(span(5, 9))), (vec![2], None), (vec![1, 1], None)] {
        let section = Section { part, text: None };
        assert_eq!(section::place(&plain, 9, &section).map(|place| place.span), wanted);
    }
}

#[test]
fn names_of_sections() {
    let names = vec!["Date".to_owned(), "x y".to_owned()];
    for (section, wanted) in [
        (Section::default(), "BODY[]<7>"),
        (Section { part: vec![1, 22], text: None }, "BODY[1.22]<7>"),
        (Section { part: vec![4], text: Some(SectionText::Mime) }, "BODY[4.MIME]<7>"),
        (
            Section { part: vec![], text: Some(SectionText::HeaderFields(names)) },
            "BODY[HEADER.FIELDS (Date \"x y\")]<7>",
        ),
    ] {
        let range = Some(ByteRange { offset: 7, length: 3 });
        assert_eq!(text(|out| section::name(out, &section, range)), wanted);
    }
}

#[test]
fn partials_stay_within() {
    let range = |offset, length| Some(ByteRange { offset, length });
    assert_eq!(section::partial(10, None), 0..10);
    assert_eq!(section::partial(10, range(2, 3)), 2..5);
    assert_eq!(section::partial(10, range(8, u32::MAX)), 8..10);
    assert_eq!(section::partial(10, range(u32::MAX, u32::MAX)), 10..10);
}

#[test]
fn sets_are_written_short() {
    assert_eq!(set::ordered([1, 2, 3, 7, 6, 5, 9]), "1:3,7,6,5,9");
    assert_eq!(set::text(&[4, 1, 2].into_iter().collect()), "1:2,4");
    let view = Uids::from_set(&UidSet::from_ranges([(5, 7), (20, 21)]));
    assert_eq!(set::text(&set::seqs(&UidSet::from_ranges([(1, 6), (21, 99)]), &view)), "1:2,5");
}

/// The end of a value of the grammar: an atom, a string, a literal, or a list of them; `None` where it is none.
fn value(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'(' => {
            let mut at = 1;
            while *text.get(at)? != b')' {
                at += usize::from(text[at] == b' ');
                at += value(&text[at..])?;
            }
            Some(at + 1)
        }
        b'"' => {
            let mut at = 1;
            while *text.get(at)? != b'"' {
                at += if text[at] == b'\\' { 2 } else { 1 };
                if matches!(text.get(at - 1), Some(0 | b'\r' | b'\n')) {
                    return None;
                }
            }
            Some(at + 1)
        }
        b'{' => {
            let close = text.iter().position(|byte| *byte == b'}')?;
            let size: usize = std::str::from_utf8(&text[1..close]).ok()?.parse().ok()?;
            let bytes = text.get(close + 1..)?.strip_prefix(b"\r\n")?.get(..size)?;
            (!bytes.contains(&0)).then_some(close + 3 + size)
        }
        _ => {
            let end = text.iter().position(|byte| matches!(byte, b' ' | b'(' | b')')).unwrap_or(text.len());
            let atom = &text[..end];
            (atom == b"NIL" || !atom.is_empty() && atom.iter().all(u8::is_ascii_digit)).then_some(end)
        }
    }
}

/// Bytes of which mail is made, and some of which it is not.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"From: \"a \\\" b\" <a@b>, g: c@d;\r\n".to_vec()),
        Just(b"Sender: \xff\x00\r\n".to_vec()),
        Just(b"Subject: =?utf-8?q?=e4?= \xc3\xa4\r\n folded\r\n".to_vec()),
        Just(b"Content-Type: multipart/mixed; boundary=x; \"y\r\n".to_vec()),
        Just(b"Content-Type: message/rfc822\r\n".to_vec()),
        Just(b"Content-Type: text\r\n".to_vec()),
        Just(b"Content-Disposition: attachment; filename*=utf-8''%e4; name=\"a\\\"b\"\r\n".to_vec()),
        Just(b"Content-Language: de, en\r\nContent-Location: \x01\r\nContent-ID: <\"\">\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n--x\r\n".to_vec()),
        Just(b"\r\n--x--\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_known_of_any_message_is_well_formed(bytes in message(), utf8: bool) {
        let facts = allod_formats::mail::read(&bytes);
        let told = printed(utf8, |out| envelope::envelope(out, &facts.envelope));
        prop_assert_eq!(value(&told), Some(told.len()), "{}", String::from_utf8_lossy(&told));
        for extension in [false, true] {
            let told = printed(utf8, |out| structure::structure(out, &facts.root, extension));
            prop_assert_eq!(value(&told), Some(told.len()), "{}", String::from_utf8_lossy(&told));
        }
    }

    #[test]
    fn sections_lie_within_the_message(bytes in message(), part in proptest::collection::vec(0u32..4, 0..5)) {
        let facts = allod_formats::mail::read(&bytes);
        for text in [None, Some(SectionText::Header), Some(SectionText::Text), Some(SectionText::Mime)] {
            let section = Section { part: part.clone(), text };
            if let Some(place) = section::place(&facts.root, bytes.len() as u64, &section) {
                prop_assert!(place.span.start <= place.span.end && place.span.end as usize <= bytes.len());
            }
        }
    }
}
