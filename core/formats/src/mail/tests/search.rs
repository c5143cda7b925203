//! What search looks through.

use super::crlf;
use crate::mail::{decode_body, fold, header, is_message, part_text, read, search_text};

#[test]
fn folding() {
    for (text, folded) in [
        ("Hello  World", "hello world"),
        ("a\r\n\tb", "a b"),
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("ﬁne", "fine"),
        ("Ångström", "a\u{30a}ngstro\u{308}m"),
        ("ΣΊΣΥΦΟΣ", "σι\u{301}συφοσ"),
        ("Ｆｕｌｌ", "full"),
        ("", ""),
    ] {
        assert_eq!(fold(text), folded, "{text:?}");
    }
}

/// Whatever its case, a character is found, and folding it again changes nothing.
#[test]
fn each_character_folds() {
    // Where letters have case and characters come apart; all others were tried once.
    let blocks = [
        0..=0x33ff,
        0xa640..=0xabff,
        0xf900..=0xffff,
        0x1_0400..=0x1_0fff,
        0x1_1400..=0x1_1fff,
        0x1_d000..=0x1_efff,
    ];
    for c in blocks.into_iter().flatten().filter_map(char::from_u32) {
        let folded = fold(&format!("x{c}x"));
        assert_eq!(fold(&folded), folded, "{c:?}");
        for other in [c.to_uppercase().to_string(), c.to_lowercase().to_string()] {
            assert_eq!(fold(&format!("x{other}x")), folded, "{c:?} {other:?}");
        }
    }
}

#[test]
fn header_fields() {
    let header = crlf("From: a\nSubject: one\n two\nX-Y : z\nno field\nfrom: b\n\nTo: not a field\n");
    assert_eq!(header::select(&header, &["FROM"], false), b"From: a\r\nfrom: b\r\n\r\n");
    assert_eq!(header::select(&header, &["from", "x-y"], true), b"Subject: one\r\n two\r\nno field\r\n\r\n");
    assert_eq!(header::values(&header, "subject"), ["one two"]);
    for (bare, only, not) in [
        ("A: b", "A: b\r\n\r\n", "A: b"),
        ("", "\r\n", ""),
        ("A: b\n\n", "A: b\n\r\n", "A: b\n\r\n"),
        ("\n", "\r\n", "\r\n"),
    ] {
        assert_eq!(header::select(bare.as_bytes(), &["a"], false), only.as_bytes(), "{bare:?}");
        assert_eq!(header::select(bare.as_bytes(), &["x"], true), not.as_bytes(), "{bare:?}");
    }
}

#[test]
fn encoded_words() {
    for (value, decoded) in [
        ("=?ISO-8859-1?Q?a?=", "a"),
        ("=?ISO-8859-1?Q?a?= b", "a b"),
        ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
        ("=?ISO-8859-1?Q?a_b?=", "a b"),
        ("=?UTF-8?B?8J+Y?= =?UTF-8?B?gA==?=", "😀"),
        ("=?US-ASCII*EN?Q?Keith_Moore?= <m@x>", "Keith Moore <m@x>"),
        ("=?x", "=?x"),
        ("=?utf-7?q?Hi+AOk-?=", "Hié"),
        ("=?iso-2022-jp?B?GyRCJCIbKEI=?=", "あ"),
    ] {
        let header = format!("S: {value}\r\n\r\n");
        assert_eq!(header::values(header.as_bytes(), "s"), [decoded], "{value}");
    }
}

#[test]
fn texts_of_all_parts() {
    let message = crlf(
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\
         Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n\
         <p>caf=E9 &amp; <b>t</b>ea<style>x{}</style>\n--b\nContent-Type: application/pdf; name=\"A.pdf\"\n\nzzz\n--b--\n",
    );
    let text = search_text(&message, &read(&message));
    assert!(text.header.contains(&fold("subject: Grüße")), "{text:?}");
    assert!(text.header.contains("a.pdf"));
    assert!(text.body.contains(&fold("café & tea")), "{text:?}");
    assert!(!text.body.contains("zzz") && !text.body.contains("x{}"));
}

#[test]
fn encodings() {
    assert_eq!(decode_body(b"YW\r\nJj\r\n", Some(b"BASE64")).unwrap(), b"abc");
    assert_eq!(decode_body(b"YQ==YQ==", Some(b"base64")).unwrap(), b"aa");
    assert_eq!(
        decode_body(b"a=20b=\r\nc =\r\n \r\nd=zz", Some(b"quoted-printable")).unwrap(),
        b"a bc \r\nd=zz"
    );
    assert_eq!(decode_body(b"x", None).unwrap(), b"x");
    assert!(decode_body(b"x", Some(b"x-uuencode")).is_err());
}

#[test]
fn messages() {
    for good in ["Subject: x\r\n\r\ny", "A: b", "\r\nbody", "\nbody", "X-A : b\n", "From a@b Mon\r\nA: b\r\n"]
    {
        assert_eq!(is_message(good.as_bytes()), Ok(()), "{good:?}");
    }
    for bad in ["", "From a@b Mon\r\nhello\r\n", "hello\r\n", "A: \0\r\n\r\n", " A: b\r\n", "a b: c\r\n"] {
        assert!(is_message(bad.as_bytes()).is_err(), "{bad:?}");
    }
}

/// The text of an HTML body, white space collapsed.
fn shown(html: &str) -> String {
    let message = format!("Content-Type: text/html; charset=utf-8\r\n\r\n{html}");
    search_text(message.as_bytes(), &read(message.as_bytes())).body.trim().to_owned()
}

#[test]
fn html_is_what_it_shows() {
    for (html, text) in [
        ("<p>a</p><p>b</p>", "a b"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        ("a<b>b</b>c", "abc"),
        ("a<br/>b<BR>c", "a b c"),
        ("a\r\n  b", "a b"),
        ("<html><head><title>t</title><style>s{}</style></head><body>b", "t b"),
        ("<script>if (a<b) { \"</p>\" }</script>x", "x"),
        ("<SCRIPT type=x>y</Script >x", "x"),
        ("a<!-- > b -->c<!-->d", "acd"),
        ("<!DOCTYPE html><?xml x?>a", "a"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<a title='x>y' href=\"z\">b</a>", "b"),
        ("<a title='x>b", "b"),
        (
            "&amp; &lt;b&gt; &eacute; &#233; &#xE9; &nbsp;. &unknown; &",
            "& <b> e\u{301} e\u{301} e\u{301} . &unknown; &",
        ),
        ("in&shy;visible&#8203;", "invisible"),
        ("<td", ""),
        ("a<", "a<"),
    ] {
        assert_eq!(shown(html), text, "{html}");
    }
}

#[test]
fn charsets() {
    for (charset, bytes, text) in [
        ("utf-8", &b"\xc3\xa9"[..], "é"),
        ("UTF8", b"\xc3\xa9", "é"),
        ("iso-8859-1", b"\xe9\x93", "é“"),
        ("iso-8859-15", b"\xa4", "€"),
        ("windows-1251", b"\xe9", "й"),
        ("cp1251", b"\xe9", "й"),
        ("koi8-r", b"\xca", "й"),
        ("gb2312", b"\xc4\xe3", "你"),
        ("gb18030", b"\xc4\xe3", "你"),
        ("big5", b"\xa7\x41", "你"),
        ("shift_jis", b"\x82\xa0", "あ"),
        ("iso-2022-jp", b"\x1b$B$\"\x1b(B", "あ"),
        ("euc-jp", b"\xa4\xa2", "あ"),
        ("euc-kr", b"\xb0\xa1", "가"),
        ("ks_c_5601-1987", b"\xb0\xa1", "가"),
        ("utf-7", b"+AOk-", "é"),
        ("utf-16", b"a\0", "a"),
        // said wrongly
        ("us-ascii", b"\xc3\xa9", "é"),
        ("us-ascii", b"\xe9", "é"),
        ("unknown-8bit", b"\xe9", "é"),
        ("no-such-charset", b"\xc3\xa9", "é"),
        ("utf-8", b"\xe9", "\u{fffd}"),
    ] {
        let mut message = format!("Content-Type: text/plain; charset=\"{charset}\"\r\n\r\n").into_bytes();
        message.extend_from_slice(bytes);
        let facts = read(&message);
        assert_eq!(part_text(&message, &facts.root).as_deref(), Some(text), "{charset}");
    }
}

#[test]
fn a_phrase_is_found_wherever_its_lines_end() {
    let message = crlf(
        "Subject: =?utf-8?q?the_quick?=\n =?utf-8?q?_brown?= fox\nContent-Transfer-Encoding: quoted-printable\n\n\
         jumps over\nthe lazy=\n dog, Stra=C3=\n=9Fe",
    );
    let text = search_text(&message, &read(&message));
    for phrase in ["The Quick Brown FOX", "subject: the"] {
        assert!(text.header.contains(&fold(phrase)), "{phrase}: {text:?}");
    }
    for phrase in ["jumps over the\tlazy dog", "STRASSE"] {
        assert!(text.body.contains(&fold(phrase)), "{phrase}: {text:?}");
    }
}

#[test]
fn inner_messages_are_searched() {
    let inner = "Subject: secret\n\nneedle\n";
    let plain = crlf(&format!("Content-Type: message/rfc822\n\n{inner}"));
    // The same in base64, against RFC 2046 §5.2.1.
    let encoded = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n\
        U3ViamVjdDogc2VjcmV0CgpuZWVkbGUK\r\n";
    for message in [&plain[..], encoded] {
        let text = search_text(message, &read(message));
        assert!(text.header.contains("subject: secret") && text.body.contains("needle"), "{text:?}");
    }
}
