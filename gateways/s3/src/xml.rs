//! XML both ways: a small writer for answers, and bounded reading of requests by s3s' types.

use std::borrow::Cow;
use std::fmt::Display;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::xml::{Deserialize, Deserializer};

use crate::error::Failure;

/// The namespace of S3's documents.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// Most elements inside one another in a request.
const DEPTH_MAX: usize = 16;
/// What `encoding-type=url` leaves as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

/// An XML document being written.
pub(crate) struct Xml {
    out: Vec<u8>,
    open: Vec<&'static str>,
}

impl Xml {
    /// A document whose root is in S3's namespace.
    pub(crate) fn new(root: &'static str) -> Xml {
        let mut xml = Xml::start();
        xml.out.extend_from_slice(format!("<{root} xmlns=\"{NAMESPACE}\">").as_bytes());
        xml.open.push(root);
        xml
    }

    /// A document without a namespace, as errors are.
    pub(crate) fn bare(root: &'static str) -> Xml {
        let mut xml = Xml::start();
        xml.open(root);
        xml
    }

    fn start() -> Xml {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        Xml { out, open: Vec::new() }
    }

    /// Opens an element.
    pub(crate) fn open(&mut self, name: &'static str) -> &mut Xml {
        self.tag(b"<", name);
        self.open.push(name);
        self
    }

    /// Opens an element with an attribute of XML Schema's instance namespace, as grantees have.
    pub(crate) fn open_typed(&mut self, name: &'static str, kind: &str) -> &mut Xml {
        let tag =
            format!("<{name} xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"{kind}\">");
        self.out.extend_from_slice(tag.as_bytes());
        self.open.push(name);
        self
    }

    /// Closes the element opened last.
    pub(crate) fn close(&mut self) -> &mut Xml {
        if let Some(name) = self.open.pop() {
            self.tag(b"</", name);
        }
        self
    }

    /// An element with text in it.
    pub(crate) fn text(&mut self, name: &'static str, text: &str) -> &mut Xml {
        self.tag(b"<", name);
        escape_into(&mut self.out, text);
        self.tag(b"</", name);
        self
    }

    /// An element with text that needs no escaping: numbers, words, times.
    pub(crate) fn plain(&mut self, name: &'static str, value: impl Display) -> &mut Xml {
        use std::io::Write;
        self.tag(b"<", name);
        // **Invariant:** writing to a vector does not fail.
        let _ = write!(self.out, "{value}");
        self.tag(b"</", name);
        self
    }

    /// An element, if there is text for it.
    pub(crate) fn maybe(&mut self, name: &'static str, text: Option<&str>) -> &mut Xml {
        if let Some(text) = text {
            self.text(name, text);
        }
        self
    }

    /// An entity tag in its quotes.
    pub(crate) fn etag(&mut self, tag: &str) -> &mut Xml {
        self.tag(b"<", "ETag");
        self.out.extend_from_slice(b"&quot;");
        escape_into(&mut self.out, tag);
        self.out.extend_from_slice(b"&quot;");
        self.tag(b"</", "ETag");
        self
    }

    /// Whether XML 1.0 (§2.2) can say this text as it is.
    pub(crate) fn can_say(text: &str) -> bool {
        text.chars().all(
            |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..),
        )
    }

    /// A key, prefix or marker: as it is, or with `encoding-type=url` percent-encoded.
    pub(crate) fn key(&mut self, name: &'static str, key: &[u8], url: bool) -> &mut Xml {
        let text = String::from_utf8_lossy(key);
        match url {
            true => {
                self.tag(b"<", name);
                for piece in utf8_percent_encode(&text, KEPT) {
                    self.out.extend_from_slice(piece.as_bytes());
                }
                self.tag(b"</", name);
                self
            }
            false => self.text(name, &text),
        }
    }

    /// Text directly in the open element.
    pub(crate) fn raw_text(&mut self, text: &str) -> &mut Xml {
        escape_into(&mut self.out, text);
        self
    }

    /// The whole document.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }

    fn tag(&mut self, mark: &[u8], name: &str) {
        self.out.extend_from_slice(mark);
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'>');
    }
}

/// Writes text so that XML 1.0 parsers give it back, control characters and line ends included. The few characters
/// that XML cannot hold at all are written as references; AWS does the same, and `encoding-type=url` avoids them.
fn escape_into(out: &mut Vec<u8>, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.extend_from_slice(b"&amp;"),
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            '"' => out.extend_from_slice(b"&quot;"),
            '\u{0}'..='\u{1f}' | '\u{7f}' | '\u{fffe}' | '\u{ffff}' => {
                out.extend_from_slice(format!("&#x{:x};", character as u32).as_bytes());
            }
            character => {
                let mut buffer = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            }
        }
    }
}

/// Reads a request's document.
///
/// # Errors
/// `MalformedXML` when it is none of this type; also for a document type declaration and for what the reader would
/// pass over in silence.
pub(crate) fn read<T>(bytes: &[u8]) -> Result<T, Failure>
where
    T: for<'xml> Deserialize<'xml>,
{
    let text = check(bytes)?;
    let text = resolve_references(text);
    let mut reader = Deserializer::new(text.as_bytes());
    let value = T::deserialize(&mut reader).map_err(|_| Failure::malformed_xml())?;
    reader.expect_eof().map_err(|_| Failure::malformed_xml())?;
    Ok(value)
}

/// The reader passes over document types and CDATA sections: the first is an attack, the second would lose a key.
fn check(bytes: &[u8]) -> Result<&str, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|_| Failure::malformed_xml())?;
    let (mut depth, mut rest) = (0_usize, text);
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        match rest.as_bytes().first() {
            Some(b'!') if rest.starts_with("!--") => {
                let end = rest.find("-->").ok_or_else(Failure::malformed_xml)?;
                rest = &rest[end..];
                continue;
            }
            Some(b'!') => return Err(Failure::malformed_xml()),
            Some(b'/') => depth = depth.checked_sub(1).ok_or_else(Failure::malformed_xml)?,
            Some(b'?') => {}
            _ => {
                let end = rest.find('>').ok_or_else(Failure::malformed_xml)?;
                if !rest[..end].ends_with('/') {
                    depth += 1;
                }
            }
        }
        if depth > DEPTH_MAX {
            return Err(Failure::malformed_xml());
        }
    }
    Ok(text)
}

/// Puts characters in the place of their references where the reader refuses these: beyond the first 65,536, and control
/// characters, which keys may hold and which no other way of writing them gets into a document.
fn resolve_references(text: &str) -> Cow<'_, str> {
    if !text.contains("&#") {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("&#") {
        out.push_str(&rest[..start]);
        let reference = rest[start..].find(';').map_or("", |end| &rest[start..=start + end]);
        let digits = reference.strip_prefix("&#").and_then(|one| one.strip_suffix(';')).unwrap_or_default();
        let number = match digits.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => digits.parse(),
        };
        let character = number.ok().and_then(char::from_u32);
        match character.filter(|c| *c > '\u{ffff}' || (c.is_ascii_control() && !"\t\n\r".contains(*c))) {
            Some(character) => {
                out.push(character);
                rest = &rest[start + reference.len()..];
            }
            None => {
                out.push_str("&#");
                rest = &rest[start + 2..];
            }
        }
    }
    out.push_str(rest);
    out.into()
}

#[cfg(test)]
mod tests {
    use s3s::dto::{Delete, Tagging};

    use super::*;

    #[test]
    fn written_as_clients_read_it() {
        let mut xml = Xml::new("List");
        xml.key("Key", b"a&b<\x01\r/\xc3\xa9", false).key("Key", b"a b+/\xc3\xa9~*", true).etag("ab-2");
        xml.open("In").plain("N", 5).close();
        let text = String::from_utf8(xml.finish()).unwrap();
        assert_eq!(
            text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<List xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Key>a&amp;b&lt;&#x1;&#xd;/é</Key><Key>a%20b%2B/%C3%A9%7E*</Key><ETag>&quot;ab-2&quot;</ETag>\
             <In><N>5</N></In></List>"
        );
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = format!("<Tagging>{}{}</Tagging>", "<a>".repeat(100_000), "</a>".repeat(100_000));
        let many = format!("<!DOCTYPE a [<!ENTITY b \"{}\">]><Tagging><TagSet/></Tagging>", "c".repeat(1000));
        let refused = [
            "",
            "x",
            "<Tagging>",
            "<Tagging><TagSet></Tagging></TagSet>",
            "<Other/>",
            "<Tagging><TagSet><Tag><Key>&xxe;</Key><Value/></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Key><![CDATA[a]]></Key><Value/></Tag></TagSet></Tagging>",
            "<Tagging><TagSet/></Tagging><Tagging/>",
            &deep,
            &many,
        ];
        for text in refused {
            let failure = read::<Tagging>(text.as_bytes()).unwrap_err();
            assert_eq!(failure.code, "MalformedXML", "{}", &text[..text.len().min(80)]);
        }
        assert!(read::<Tagging>(&[0xff, 0xfe]).is_err());
    }

    #[test]
    fn keys_come_back_exact() {
        let text = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key> a&amp;b&#x1;&#13;/é&#128512;&#X1F600; </Key>\
                    </Object><Quiet>true</Quiet></Delete>";
        let delete: Delete = read(text.as_bytes()).unwrap();
        assert_eq!(delete.objects[0].key, " a&b\u{1}\r/é😀😀 ");
        assert_eq!(delete.quiet, Some(true));
    }
}
