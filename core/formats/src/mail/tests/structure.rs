//! Where parts stand.

use super::crlf;
use crate::mail::{Inner, Part, read};

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
