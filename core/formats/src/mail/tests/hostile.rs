//! Nothing that comes as mail makes a panic, and nothing takes long.

use proptest::prelude::*;

use crate::mail::{
    FACTS_BYTES_MAX, Inner, Part, SEARCH_TEXT_BYTES_MAX, fold, header, is_message, part_text, read,
    search_text,
};

/// Checks that each part lies in the one around it, behind the one before it.
fn check_spans(bytes: &[u8], part: &Part, from: u32, to: u32) {
    assert!(from <= part.header.start && part.header.start <= part.header.end, "{part:?}");
    assert!(
        part.header.end == part.body.start && part.body.start <= part.body.end && part.body.end <= to,
        "{part:?}"
    );
    let line_ends = memchr::memchr_iter(b'\n', part.body.of(bytes)).count();
    assert_eq!(part.lines as usize, line_ends, "{part:?}");
    let mut at = part.body.start;
    match &part.inner {
        Inner::Leaf => {
            assert!(!part.is_message() && !part.media_type.eq_ignore_ascii_case(b"multipart"), "{part:?}");
        }
        Inner::Multipart(parts) => {
            for inner in parts {
                check_spans(bytes, inner, at, part.body.end);
                at = inner.body.end;
            }
        }
        Inner::Message(_, inner) => check_spans(bytes, inner, at, part.body.end),
    }
}

/// Asks everything that can be asked.
fn ask(bytes: &[u8]) {
    let facts = read(bytes);
    assert_eq!(facts, read(bytes));
    assert_eq!(facts.root.header.start, 0);
    assert_eq!(facts.root.body.end as usize, bytes.len());
    check_spans(bytes, &facts.root, 0, bytes.len() as u32);
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

/// Messages of about a megabyte that take forever where time is not linear.
fn long_messages() -> Vec<(&'static str, Vec<u8>)> {
    let header = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    let nested = |inner: &str, times: usize| inner.repeat(times / 4).into_bytes();
    let distinct: String = (0..10_000)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"))
        .collect();
    let prefix = "a".repeat(69);
    let prefixes: String = (0..60)
        .map(|n| {
            let boundary = &prefix[..69 - n % 60];
            format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n--{boundary}\r\n")
        })
        .collect();
    vec![
        (
            "the same multipart in itself",
            nested("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 60_000),
        ),
        ("multiparts in multiparts", distinct.into_bytes()),
        ("messages in messages", nested("Content-Type: message/rfc822\r\n\r\n", 80_000)),
        ("many fields", nested("A: b\r\n", 1_000_000)),
        ("many lines that are none", nested("ab\r\n", 1_000_000)),
        ("a field of many folds", [b"Subject: x".to_vec(), nested("\r\n y", 1_000_000)].concat()),
        ("boundaries", [header.as_bytes().to_vec(), nested("--b\r\n", 400_000)].concat()),
        (
            "boundaries of one prefix",
            (prefixes + &format!("--{}b\r\n", &prefix[..5]).repeat(25_000)).into_bytes(),
        ),
        ("one long line", nested("x", 5_000_000)),
        ("addresses", [b"To: ".to_vec(), nested("a@b,", 1_000_000)].concat()),
        ("commas", [b"To: ".to_vec(), nested(",", 3_000_000)].concat()),
        ("a group without end", [b"To: g:".to_vec(), nested("a@b;,", 500_000)].concat()),
        ("open comments", [b"To: ".to_vec(), nested("(", 3_000_000)].concat()),
        ("open comments in many fields", nested("To: ((((\r\n", 300_000)),
        ("open quotes", [b"To: ".to_vec(), nested("\"\\", 1_500_000)].concat()),
        ("a phrase without end", [b"To: ".to_vec(), nested("a ", 1_500_000)].concat()),
        ("colons", [b"To: ".to_vec(), nested("a:", 1_500_000)].concat()),
        ("brackets", [b"To: ".to_vec(), nested("<", 3_000_000)].concat()),
        ("dots", [b"To: ".to_vec(), nested(". ", 1_500_000)].concat()),
        ("parameters", [b"Content-Type: text/plain".to_vec(), nested("; a=b", 1_000_000)].concat()),
        ("many types", nested("Content-Type: text;\r\n", 200_000)),
        ("references", [b"References: ".to_vec(), nested("<a@b>", 800_000)].concat()),
        ("open references", [b"References: ".to_vec(), nested("<\"", 1_500_000)].concat()),
        ("blobs", [b"Subject: ".to_vec(), nested("[a]", 1_000_000)].concat()),
        ("forwards", [b"Subject: ".to_vec(), nested("[fwd:", 500_000), nested("]", 500_000)].concat()),
        ("replies", [b"Subject: ".to_vec(), nested("Re:[a]", 500_000)].concat()),
        ("encoded words", [b"Subject: ".to_vec(), nested("=?utf-8?q?a?= ", 300_000)].concat()),
        ("encoded words without end", [b"Subject: ".to_vec(), nested("=?utf-8?q?", 400_000)].concat()),
        ("question marks", [b"Subject: =?utf-8?q?".to_vec(), nested("?", 3_000_000)].concat()),
        ("languages", [b"Content-Language: ".to_vec(), nested("a,", 1_000_000)].concat()),
        ("dates", [b"Date: ".to_vec(), nested("1:", 1_000_000)].concat()),
    ]
}

/// Bodies that take forever where time is not linear.
fn long_bodies() -> Vec<(&'static str, Vec<u8>)> {
    let html = |text: &str, times: usize| {
        ["Content-Type: text/html\r\n\r\n".to_owned(), text.repeat(times / 4)].concat().into_bytes()
    };
    vec![
        ("tags", html("<p>", 1_000_000)),
        ("open tags", html("<p ", 1_000_000)),
        ("scripts", html("<script>", 400_000)),
        ("scripts in scripts", html("<script></style>", 200_000)),
        ("comments", html("<!--", 800_000)),
        ("quotes", html("<a b=\"", 500_000)),
        ("quotes of both kinds", html("<a b='\" c=\"'", 300_000)),
        ("ampersands", html("&", 3_000_000)),
        ("entities", html("&#", 1_500_000)),
        ("entities without end", html("&amp", 800_000)),
        ("quoted text", [b"A: b\r\n\r\n".to_vec(), b"> x\r\n".repeat(150_000)].concat()),
        ("combining characters", [&b"A: b\r\n\r\n"[..], &"\u{301}".repeat(250_000).into_bytes()].concat()),
    ]
}

#[test]
fn time_is_linear_and_facts_are_bounded() {
    for (name, bytes) in long_messages().into_iter().chain(long_bodies()) {
        let start = std::time::Instant::now();
        let facts = read(&bytes);
        let read_in = start.elapsed();
        let text = search_text(&bytes, &facts);
        let searched_in = start.elapsed() - read_in;
        // Some hundred milliseconds without optimisation; a quadratic walk takes minutes.
        assert!(read_in.as_secs() < 10 && searched_in.as_secs() < 10, "{name}: {read_in:?}, {searched_in:?}");
        check_spans(&bytes, &facts.root, 0, bytes.len() as u32);
        let size = postcard::to_allocvec(&facts).unwrap().len();
        assert!(size < FACTS_BYTES_MAX, "{name}: {size}");
        assert!(text.header.len().max(text.body.len()) < SEARCH_TEXT_BYTES_MAX + 64, "{name}");
        if std::env::var_os("ALLOD_TIMES").is_some() {
            eprintln!("{name}: {} bytes, {read_in:?}, {searched_in:?}, facts {size}", bytes.len());
        }
    }
}

/// Worker threads have small stacks.
#[test]
fn depth_needs_little_stack() {
    let deep = "Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        .repeat(200);
    let check = move || {
        let facts = read(deep.as_bytes());
        let stored = postcard::to_allocvec(&facts).unwrap();
        assert_eq!(postcard::from_bytes::<crate::mail::Facts>(&stored).unwrap(), facts);
        search_text(deep.as_bytes(), &facts);
    };
    std::thread::Builder::new().stack_size(512 * 1024).spawn(check).unwrap().join().unwrap();
}
