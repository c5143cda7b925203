//! Nothing that comes as mail makes a panic, and nothing takes long.

use proptest::prelude::*;

use crate::mail::{Inner, Part, fold, header, is_message, part_text, read, search_text};

/// Checks that each part lies in the one around it, behind the one before it.
fn check_spans(part: &Part, from: u32, to: u32) {
    assert!(from <= part.header.start && part.header.start <= part.header.end, "{part:?}");
    assert!(
        part.header.end == part.body.start && part.body.start <= part.body.end && part.body.end <= to,
        "{part:?}"
    );
    let mut at = part.body.start;
    match &part.inner {
        Inner::Leaf => {
            assert!(!part.is_message() && !part.media_type.eq_ignore_ascii_case(b"multipart"), "{part:?}");
        }
        Inner::Multipart(parts) => {
            for inner in parts {
                check_spans(inner, at, part.body.end);
                at = inner.body.end;
            }
        }
        Inner::Message(_, inner) => check_spans(inner, at, part.body.end),
    }
}

/// Asks everything that can be asked.
fn ask(bytes: &[u8]) {
    let facts = read(bytes);
    assert_eq!(facts, read(bytes));
    assert_eq!(facts.root.header.start, 0);
    assert_eq!(facts.root.body.end as usize, bytes.len());
    check_spans(&facts.root, 0, bytes.len() as u32);
    let text = search_text(bytes, &facts);
    assert_eq!(fold(&text.body), text.body);
    let _ = (is_message(bytes), part_text(bytes, &facts.root));
    let mut all = header::select(bytes, &["to", "from"], false);
    all.extend(header::select(bytes, &["to", "from"], true));
    header::values(bytes, "subject");
}

fn lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("Content-Type: multipart/mixed; boundary=b".to_owned()),
        Just("Content-Type: multipart/digest; boundary=\"bb\"".to_owned()),
        Just("Content-Type: message/rfc822".to_owned()),
        Just("--b".to_owned()),
        Just("--bb".to_owned()),
        Just("--b--".to_owned()),
        Just(String::new()),
        Just("Content-Transfer-Encoding: base64".to_owned()),
        "(From|To|Subject|Date|References): [a-z<>@,:;()\\\\\"\\[\\]=?. ]{0,30}",
        "Content-(Type|Disposition): [a-z/*0-2;\"'%= ]{0,30}",
        "\\PC{0,20}",
    ];
    proptest::collection::vec((line, "\r\n|\n"), 0..40)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + &end).collect())
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        ask(&bytes);
    }

    #[test]
    fn any_lines(text in lines()) {
        ask(text.as_bytes());
    }

    #[test]
    fn folding_twice_changes_nothing(text in "\\PC{0,40}") {
        let once = fold(&text);
        prop_assert_eq!(fold(&once), once);
    }
}
