//! Where parts stand.

use super::crlf;
use crate::mail::{DEPTH_MAX, Disposition, Inner, PARTS_MAX, Parameter, Part, read};

/// A part in short: type, header and body as text, and its parts.
fn sketch(bytes: &[u8], part: &Part, out: &mut String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", "|");
    out.push_str(&format!("{}/{} ", text(&part.media_type), text(&part.subtype)));
    match &part.inner {
        Inner::Leaf => out.push_str(&format!("<{}>", text(part.body.of(bytes)))),
        Inner::Multipart(parts) => {
            out.push('[');
            parts.iter().for_each(|part| sketch(bytes, part, out));
            out.push(']');
        }
        Inner::Message(_, inner) => {
            out.push('{');
            sketch(bytes, inner, out);
            out.push('}');
        }
    }
}

#[test]
fn parts() {
    let multipart = |rest: &str| format!("Content-Type: multipart/mixed; boundary=\"b\"\n\n{rest}");
    for (message, want) in [
        ("A: b\n\nhello\n".to_owned(), "text/plain <hello|>"),
        ("A: b\n".to_owned(), "text/plain <>"),
        ("".to_owned(), "text/plain <>"),
        (
            multipart("pre\n--b\n\none\n--b\n\ntwo\n\n--b--\npost\n"),
            "multipart/mixed [text/plain <one>text/plain <two|>]",
        ),
        (multipart("--b\n\none"), "multipart/mixed [text/plain <one>]"),
        (multipart("--b\n--b\n\n--b--"), "multipart/mixed [text/plain <>text/plain <>]"),
        (multipart("nothing"), "multipart/mixed []"),
        (
            multipart("--b\nContent-Type: message/rfc822\n\nSubject: x\n\ny\n--b--"),
            "multipart/mixed [message/rfc822 {text/plain <y>}]",
        ),
        (
            "Content-Type: multipart/digest; boundary=b\n\n--b\n\nA: b\n\nc\n--b--".to_owned(),
            "multipart/digest [message/rfc822 {text/plain <c>}]",
        ),
        (
            multipart("--b\nContent-Type: multipart/alternative; boundary=bc\n\n--bc\n\nx\n--b\n\ny\n--b--"),
            "multipart/mixed [multipart/alternative [text/plain <x>]text/plain <y>]",
        ),
    ] {
        let bytes = crlf(&message);
        let mut out = String::new();
        sketch(&bytes, &read(&bytes).root, &mut out);
        assert_eq!(out, want, "{message}");
    }
}

/// Each part's number, header, body and lines.
fn places(bytes: &[u8], part: &Part, number: &str, out: &mut Vec<String>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", "|");
    out.push(format!(
        "{number} [{}] <{}> {}",
        text(part.header.of(bytes)),
        text(part.body.of(bytes)),
        part.lines
    ));
    match &part.inner {
        Inner::Leaf => {}
        Inner::Multipart(parts) => {
            for (nth, part) in parts.iter().enumerate() {
                places(bytes, part, &format!("{number}.{}", nth + 1), out);
            }
        }
        Inner::Message(_, inner) => places(bytes, inner, &format!("{number}m"), out),
    }
}

#[test]
fn places_to_the_byte() {
    const MIXED: &str = "Content-Type: multipart/mixed; boundary=b";
    for (rest, want) in [
        // The line end before a boundary belongs to it, even where it ended the header.
        ("--b\nA: b\n--b--", &["r.1 [A: b] <> 0"][..]),
        ("--b\nA: b\n\n--b--", &["r.1 [A: b|] <> 0"]),
        ("--b\nA: b\n\n\n--b--", &["r.1 [A: b||] <> 0"]),
        ("--b\n\n--b--", &["r.1 [] <> 0"]),
        ("--b\n\n\n--b--", &["r.1 [|] <> 0"]),
        ("--b\n--b--", &["r.1 [] <> 0"]),
        ("--b", &["r.1 [] <> 0"]),
        ("--b\n\na\nb\n--b\n\nc\n", &["r.1 [|] <a|b> 1", "r.2 [|] <c|> 1"]),
        // What follows a boundary on its line does not matter, what stands before it does.
        ("--b \n\na\n--bx\n\nb\n --b\n--b-- x\nend", &["r.1 [|] <a> 0", "r.2 [|] <b| --b> 1"]),
        // Nothing comes after the end.
        ("--b\n\na\n--b--\n--b\n\nb\n", &["r.1 [|] <a> 0"]),
        (
            "--b\nContent-Type: message/rfc822\n\nA: b\n--b--",
            &["r.1 [Content-Type: message/rfc822||] <A: b> 0", "r.1m [A: b] <> 0"],
        ),
        (
            "--b\nContent-Type: message/rfc822\n\n--b--",
            &["r.1 [Content-Type: message/rfc822|] <> 0", "r.1m [] <> 0"],
        ),
        (
            "--b\nContent-Type: message/rfc822\n--b--",
            &["r.1 [Content-Type: message/rfc822] <> 0", "r.1m [] <> 0"],
        ),
        (
            "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\na\n--c--\nend\n--b--",
            &["r.1 [Content-Type: multipart/mixed; boundary=c||] <--c||a|--c--|end> 4", "r.1.1 [|] <a> 0"],
        ),
        // An outer boundary ends inner parts that were left open.
        (
            "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\na\n--b\n\nd\n--b--",
            &[
                "r.1 [Content-Type: multipart/mixed; boundary=c||] <--c||a> 2",
                "r.1.1 [|] <a> 0",
                "r.2 [|] <d> 0",
            ],
        ),
        (
            "--b\nContent-Type: multipart/mixed\n\n--c\n\na\n--b--",
            &["r.1 [Content-Type: multipart/mixed||] <--c||a> 2"],
        ),
    ] {
        for (line_end, name) in [("\r\n", "CRLF"), ("\n", "LF")] {
            let message = format!("{MIXED}\n\n{rest}").replace('\n', line_end);
            let mut found = Vec::new();
            places(message.as_bytes(), &read(message.as_bytes()).root, "r", &mut found);
            let found: Vec<_> = found[1..].iter().map(|place| place.replace('\n', "|")).collect();
            assert_eq!(found, want, "{name}: {rest}");
        }
    }
}

#[test]
fn limits_of_parts_and_depth() {
    let many =
        format!("Content-Type: multipart/mixed; boundary=b\n\n{}end", "--b\n\nx\n".repeat(PARTS_MAX + 500));
    let root = read(many.as_bytes()).root;
    let Inner::Multipart(parts) = &root.inner else { panic!("{root:?}") };
    assert_eq!(parts.len(), PARTS_MAX);
    let last = &parts[PARTS_MAX - 1];
    assert!(last.body.of(many.as_bytes()).starts_with(b"x\n--b\n") && last.body.end == root.body.end);

    let deep = "Content-Type: message/rfc822\n\n".repeat(DEPTH_MAX + 50);
    let mut part = &read(deep.as_bytes()).root;
    let mut depth = 0;
    while let Inner::Message(_, inner) = &part.inner {
        (part, depth) = (inner, depth + 1);
    }
    assert_eq!(depth, DEPTH_MAX + 1);
    assert_eq!((&part.media_type[..], &part.subtype[..]), (&b"text"[..], &b"plain"[..]));
}

#[test]
fn what_describes_a_part() {
    for (fields, want) in [
        ("", "text/plain"),
        ("Content-Type: TEXT/Html; Charset=UTF-8", "TEXT/Html Charset=UTF-8"),
        (
            "Content-Type: text/plain; charset=\"utf-8\" ; format=flowed",
            "text/plain charset=utf-8 format=flowed",
        ),
        ("Content-Type: text/plain;; charset=(comment)x(comment);", "text/plain charset=x"),
        ("Content-Type: text / plain ; charset = x", "text/plain charset=x"),
        (
            "Content-Type: text/plain; name=a[1].txt; x=\"a \\\"b\\\"; c\"",
            "text/plain name=a[1].txt x=a \"b\"; c",
        ),
        ("Content-Type: text/plain; x; y=; =z; a=\"\"; b=c", "text/plain a= b=c"),
        (
            "Content-Type: text/plain; name*0*=utf-8''a%20; name*1=b",
            "text/plain name*0*=utf-8''a%20 name*1=b",
        ),
        ("Content-Type: text/plain; name=\"open; b=c", "text/plain name=open b=c"),
        ("Content-Type: text/plain charset=x", "text/plain"),
        ("Content-Type: text\nContent-Type: text/html", "text/html"),
        ("Content-Type: text/html\nContent-Type: text/plain", "text/html"),
        ("Content-Type: text; charset=x", "text/plain"),
        ("Content-Type: foo bar/baz; x=y", "text/plain"),
        ("Content-Type: /; x=y", "text/plain"),
        ("Content-Type:", "text/plain"),
        ("Content-Transfer-Encoding: base64;", "text/plain {base64}"),
        ("Content-Transfer-Encoding: BASE64 (x)", "text/plain {BASE64}"),
        ("Content-Transfer-Encoding: 8 bit", "text/plain"),
        ("Content-Transfer-Encoding: x-uuencode", "text/plain {x-uuencode}"),
        (
            "Content-Disposition: attachment; filename=a b.txt; size=5",
            "text/plain (attachment filename=a size=5)",
        ),
        ("Content-Disposition: \"inline\"", "text/plain (inline)"),
        ("Content-Disposition: ; filename=x", "text/plain ( filename=x)"),
        ("Content-Disposition:", "text/plain"),
        ("Content-Language: en, de (x), fr", "text/plain [en de fr]"),
    ] {
        let part = read(&crlf(&format!("{fields}\n\n"))).root;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let list = |parameters: &[Parameter]| -> String {
            let one =
                |parameter: &Parameter| format!(" {}={}", text(&parameter.name), text(&parameter.value));
            parameters.iter().map(one).collect()
        };
        let mut found =
            format!("{}/{}{}", text(&part.media_type), text(&part.subtype), list(&part.parameters));
        if let Some(encoding) = &part.encoding {
            found += &format!(" {{{}}}", text(encoding));
        }
        if let Some(Disposition { kind, parameters }) = &part.disposition {
            found += &format!(" ({}{})", text(kind), list(parameters));
        }
        if !part.languages.is_empty() {
            found +=
                &format!(" [{}]", part.languages.iter().map(|one| text(one)).collect::<Vec<_>>().join(" "));
        }
        assert_eq!(found, want, "{fields}");
    }
}

#[test]
fn names_of_files() {
    for (fields, name) in [
        ("Content-Disposition: attachment; filename=\"a b.txt\"", Some("a b.txt")),
        ("Content-Type: application/pdf; name=\"=?utf-8?q?=C3=A4.pdf?=\"", Some("ä.pdf")),
        ("Content-Disposition: attachment; filename*=utf-8'de'%C3%A4.pdf; filename=a.pdf", Some("ä.pdf")),
        (
            "Content-Disposition: attachment; filename*0*=iso-8859-1''%E4; filename*1=%20; filename*2*=%F6",
            Some("ä%20ö"),
        ),
        ("Content-Disposition: attachment; filename*1=b; filename*0=a", Some("ab")),
        ("Content-Disposition: attachment; filename*=x%20y", Some("x y")),
        ("Content-Disposition: attachment\nContent-Type: a/b; name=c", Some("c")),
        ("Content-Disposition: attachment", None),
    ] {
        let part = read(&crlf(&format!("{fields}\n\n"))).root;
        assert_eq!(part.file_name().as_deref(), name, "{fields}");
    }
}
