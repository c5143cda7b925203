//! Reading XML within limits.
//!
//! A body becomes a flat list of elements and texts in document order; nothing here or in what uses it recurses.
//! Document type declarations are refused, so the only entities are the five predefined ones and character
//! references: there is nothing to expand. Depth, count and namespaces in scope are bounded while reading.

use std::collections::HashSet;
use std::sync::Arc;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::escape::{escape_into, is_xml_char};

/// Largest XML body, in bytes.
pub const XML_BYTES_MAX: usize = 1024 * 1024;
/// Largest body of a report, in bytes: a multiget names each object.
pub const REPORT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Deepest nesting of elements.
pub const XML_DEPTH_MAX: usize = 64;
/// Most elements and texts in a body.
pub const XML_NODES_MAX: usize = 50_000;
/// Most elements and texts in a report's body.
pub const REPORT_NODES_MAX: usize = 200_000;
/// Most attributes of one element, namespace declarations included.
pub const XML_ATTRIBUTES_MAX: usize = 64;
/// Most namespace declarations in scope at once.
pub const XML_SCOPE_MAX: usize = 256;

/// The namespace of WebDAV.
pub const DAV: &str = "DAV:";
/// The namespace of CalDAV (RFC 4791).
pub const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
/// The namespace of CardDAV (RFC 6352).
pub const CARDDAV: &str = "urn:ietf:params:xml:ns:carddav";
/// The namespace of Apple's published extensions.
pub const CALENDARSERVER: &str = "http://calendarserver.org/ns/";
const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// Why a body is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XmlError {
    /// Not well-formed, or with namespaces that are not; the text says what. 400.
    Malformed(&'static str),
    /// Not UTF-8: 415.
    Encoding,
    /// A limit is exceeded; the text says which. 400 (the size of the body itself: 413).
    Limit(&'static str),
}

/// A document that has been read.
#[derive(Clone, Debug)]
pub struct Document {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Element(Data),
    Text(String),
}

#[derive(Clone, Debug)]
struct Data {
    /// As written, with its prefix.
    name: String,
    prefix_length: usize,
    namespace: Arc<str>,
    /// As written, namespace declarations included.
    attributes: Vec<(String, String)>,
    parent: Option<usize>,
    /// One past the last node inside.
    end: usize,
}

/// An element of a [`Document`].
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    document: &'a Document,
    index: usize,
}

impl Document {
    /// Reads a body.
    ///
    /// # Errors
    /// [`XmlError`].
    pub fn parse(bytes: &[u8]) -> Result<Document, XmlError> {
        Document::parse_within(bytes, XML_BYTES_MAX, XML_NODES_MAX)
    }

    /// Reads the body of a report, which may be larger.
    ///
    /// # Errors
    /// [`XmlError`].
    pub fn parse_report(bytes: &[u8]) -> Result<Document, XmlError> {
        Document::parse_within(bytes, REPORT_BYTES_MAX, REPORT_NODES_MAX)
    }

    fn parse_within(bytes: &[u8], bytes_max: usize, nodes_max: usize) -> Result<Document, XmlError> {
        if bytes.len() > bytes_max {
            return Err(XmlError::Limit("bytes"));
        }
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|_| XmlError::Encoding)?;
        // UTF-16 without its mark can pass for UTF-8; its zeros give it away.
        if text.contains('\0') {
            return Err(XmlError::Encoding);
        }
        if !text.chars().all(is_xml_char) {
            return Err(XmlError::Malformed("a character that XML does not allow"));
        }
        let mut builder = Builder { nodes_max, ..Builder::default() };
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        loop {
            let event = reader.read_event().map_err(|_| XmlError::Malformed("syntax"))?;
            if matches!(event, Event::Eof) {
                return builder.finish();
            }
            builder.take(event)?;
        }
    }

    /// The outermost element.
    pub fn root(&self) -> Element<'_> {
        Element { document: self, index: 0 }
    }
}

impl<'a> Element<'a> {
    fn data(self) -> &'a Data {
        match &self.document.nodes[self.index] {
            Node::Element(data) => data,
            // **Invariant:** an `Element` is only made for the index of an element.
            Node::Text(_) => unreachable!("an element's index names an element"),
        }
    }

    /// Its namespace; empty for none.
    pub fn namespace(self) -> &'a str {
        &self.data().namespace
    }

    /// Its name without prefix.
    pub fn name(self) -> &'a str {
        &self.data().name[self.data().prefix_length..]
    }

    /// Whether it is `name` in that namespace.
    pub fn is(self, namespace: &str, name: &str) -> bool {
        self.name() == name && self.namespace() == namespace
    }

    /// Whether it is `name` in the namespace `DAV:`.
    pub fn is_dav(self, name: &str) -> bool {
        self.is(DAV, name)
    }

    /// The value of an attribute without prefix.
    pub fn attribute(self, name: &str) -> Option<&'a str> {
        self.data().attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The elements directly inside, in order.
    pub fn children(self) -> impl Iterator<Item = Element<'a>> {
        let end = self.data().end;
        let mut index = self.index + 1;
        std::iter::from_fn(move || {
            while index < end {
                let here = index;
                match &self.document.nodes[here] {
                    Node::Text(_) => index += 1,
                    Node::Element(data) => {
                        index = data.end;
                        return Some(Element { document: self.document, index: here });
                    }
                }
            }
            None
        })
    }

    /// The first child that is `name` in that namespace.
    pub fn child(self, namespace: &str, name: &str) -> Option<Element<'a>> {
        self.children().find(|child| child.is(namespace, name))
    }

    /// The first child that is `name` in the namespace `DAV:`.
    pub fn dav_child(self, name: &str) -> Option<Element<'a>> {
        self.child(DAV, name)
    }

    /// The text directly and indirectly inside, without blanks around it.
    pub fn text(self) -> String {
        self.whole_text().trim().to_owned()
    }

    /// The text directly and indirectly inside, as it is.
    pub fn whole_text(self) -> String {
        let inside = self.document.nodes[self.index..self.data().end].iter();
        let texts = inside.filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        texts.collect()
    }

    /// Each text directly and indirectly inside for itself.
    pub fn texts(self) -> Vec<String> {
        let inside = self.document.nodes[self.index..self.data().end].iter();
        let texts = inside.filter_map(|node| match node {
            Node::Text(text) => Some(text.clone()),
            Node::Element(_) => None,
        });
        texts.collect()
    }

    /// The element as XML that stands for itself: prefixes as written, with the declarations that they need from
    /// above, and the language in scope.
    pub fn fragment(self) -> String {
        let mut out = Vec::new();
        let mut open: Vec<(usize, &str)> = Vec::new();
        let end = self.data().end;
        for (index, node) in self.document.nodes[self.index..end].iter().enumerate() {
            let index = self.index + index;
            close(&mut out, &mut open, index);
            match node {
                Node::Text(text) => escape_into(&mut out, text),
                Node::Element(data) => {
                    out.push(b'<');
                    out.extend_from_slice(data.name.as_bytes());
                    if index == self.index {
                        for (name, value) in self.inherited() {
                            write_attribute(&mut out, name, value);
                        }
                    }
                    for (name, value) in &data.attributes {
                        write_attribute(&mut out, name, value);
                    }
                    if data.end == index + 1 {
                        out.extend_from_slice(b"/>");
                    } else {
                        out.push(b'>');
                        open.push((data.end, &data.name));
                    }
                }
            }
        }
        close(&mut out, &mut open, end);
        // **Invariant:** only whole strings were appended.
        String::from_utf8(out).unwrap_or_default()
    }

    /// What the element needs of its ancestors' attributes: namespace declarations that are used inside, and
    /// `xml:lang`.
    fn inherited(self) -> Vec<(&'a str, &'a str)> {
        let mut needed = self.declarations_used();
        needed.push("xml:lang");
        let own = &self.data().attributes;
        needed.retain(|name| !own.iter().any(|(n, _)| n == name));
        let mut found: Vec<(&str, &str)> = Vec::new();
        let mut above = self.data().parent;
        while let Some(index) = above.filter(|_| !needed.is_empty()) {
            let data = Element { document: self.document, index }.data();
            for (name, value) in &data.attributes {
                if let Some(at) = needed.iter().position(|n| n == name) {
                    needed.swap_remove(at);
                    found.push((name, value));
                }
            }
            above = data.parent;
        }
        // RFC 4918 §4.3: a language in scope belongs to the value; an empty one says "none".
        found.retain(|(name, value)| !value.is_empty() || *name == "xmlns");
        found.sort_unstable();
        found
    }

    /// The attributes (`xmlns`, `xmlns:p`) that declare the prefixes of all names inside; not repeated.
    fn declarations_used(self) -> Vec<&'a str> {
        let mut prefixes: HashSet<&str> = HashSet::new();
        for node in &self.document.nodes[self.index..self.data().end] {
            let Node::Element(data) = node else { continue };
            let prefixed =
                data.attributes.iter().map(|(name, _)| name.as_str()).filter(|name| name.contains(':'));
            for name in prefixed.chain([data.name.as_str()]) {
                let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
                if !matches!(prefix, "xml" | "xmlns") {
                    prefixes.insert(prefix);
                }
            }
        }
        // Looked up by what stands before the element, so the names borrow from the document.
        let mut names = Vec::new();
        let mut above = self.data().parent;
        while let Some(index) = above {
            let data = Element { document: self.document, index }.data();
            for (name, _) in &data.attributes {
                let declared = match name.strip_prefix("xmlns") {
                    Some("") => Some(""),
                    Some(rest) => rest.strip_prefix(':'),
                    None => None,
                };
                if declared.is_some_and(|prefix| prefixes.contains(prefix)) && !names.contains(&name.as_str())
                {
                    names.push(name.as_str());
                }
            }
            above = data.parent;
        }
        names
    }
}

fn close(out: &mut Vec<u8>, open: &mut Vec<(usize, &str)>, index: usize) {
    while let Some((_, name)) = open.pop_if(|(end, _)| *end <= index) {
        out.extend_from_slice(b"</");
        out.extend_from_slice(name.as_bytes());
        out.push(b'>');
    }
}

/// Line ends in attributes survive only as references (XML 1.0 §3.3.3).
fn write_attribute(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    for (index, part) in value.split(['\n', '\t']).enumerate() {
        if index > 0 {
            let at = part.as_ptr() as usize - value.as_ptr() as usize - 1;
            out.extend_from_slice(if value.as_bytes()[at] == b'\n' { b"&#10;" } else { b"&#9;" });
        }
        escape_into(out, part);
    }
    out.push(b'"');
}

/// A namespace declaration in scope: the element it stands on, prefix, namespace.
type Declaration = (usize, String, Arc<str>);

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    open: Vec<usize>,
    scope: Vec<Declaration>,
    /// The last node is a text to which more may be appended.
    in_text: bool,
    /// Most elements and texts.
    nodes_max: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), XmlError> {
        match event {
            Event::Start(start) => self.start(&start),
            Event::Empty(start) => {
                self.start(&start)?;
                self.end()
            }
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = resolve(&reference)?;
                self.text(character.encode_utf8(&mut [0; 4]))
            }
            Event::Decl(decl) => match decl.encoding() {
                None => Ok(()),
                Some(Ok(name))
                    if ["utf-8", "utf8", "us-ascii"].iter().any(|n| name.eq_ignore_ascii_case(n)) =>
                {
                    Ok(())
                }
                Some(_) => Err(XmlError::Encoding),
            },
            Event::DocType(_) => Err(XmlError::Malformed("a document type declaration is not accepted")),
            // RFC 4918 §4.3 lets processing instructions and comments go.
            Event::PI(_) | Event::Comment(_) | Event::Eof => Ok(()),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), XmlError> {
        if self.open.is_empty() && !self.nodes.is_empty() {
            return Err(XmlError::Malformed("more than one root element"));
        }
        if self.open.len() == XML_DEPTH_MAX {
            return Err(XmlError::Limit("depth"));
        }
        self.room()?;
        let index = self.nodes.len();
        let attributes = read_attributes(start)?;
        self.declare(index, &attributes)?;
        for (name, _) in &attributes {
            if let Some((prefix, _)) = name.split_once(':').filter(|(prefix, _)| *prefix != "xmlns") {
                self.resolve(prefix)?;
            }
        }
        let name = start.name().0.to_owned();
        check_name(&name)?;
        let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
        let namespace = self.resolve(prefix)?;
        let prefix_length = if prefix.is_empty() { 0 } else { prefix.len() + 1 };
        let parent = self.open.last().copied();
        self.nodes.push(Node::Element(Data {
            name,
            prefix_length,
            namespace,
            attributes,
            parent,
            end: index + 1,
        }));
        self.open.push(index);
        self.in_text = false;
        Ok(())
    }

    fn declare(&mut self, index: usize, attributes: &[(String, String)]) -> Result<(), XmlError> {
        for (name, value) in attributes {
            let prefix = match name.strip_prefix("xmlns") {
                Some("") => "",
                Some(rest) if rest.starts_with(':') => &rest[1..],
                _ => continue,
            };
            // Namespaces in XML 1.0 §5: a prefix cannot be undeclared; `xml` and `xmlns` are fixed.
            let reserved = matches!(value.as_str(), XML_NAMESPACE | XMLNS_NAMESPACE) || prefix == "xmlns";
            if (value.is_empty() && !prefix.is_empty())
                || (reserved && prefix != "xml")
                || (prefix == "xml" && value != XML_NAMESPACE)
            {
                return Err(XmlError::Malformed("a namespace declaration that is not allowed"));
            }
            if self.scope.len() == XML_SCOPE_MAX {
                return Err(XmlError::Limit("namespace declarations"));
            }
            self.scope.push((index, prefix.to_owned(), value.as_str().into()));
        }
        Ok(())
    }

    fn resolve(&self, prefix: &str) -> Result<Arc<str>, XmlError> {
        if let Some((.., namespace)) = self.scope.iter().rev().find(|(_, p, _)| p == prefix) {
            return Ok(namespace.clone());
        }
        match prefix {
            "" => Ok("".into()),
            "xml" => Ok(XML_NAMESPACE.into()),
            _ => Err(XmlError::Malformed("a prefix without a namespace")),
        }
    }

    fn end(&mut self) -> Result<(), XmlError> {
        let index = self.open.pop().ok_or(XmlError::Malformed("an end without a start"))?;
        let end = self.nodes.len();
        if let Node::Element(data) = &mut self.nodes[index] {
            data.end = end;
        }
        while self.scope.pop_if(|(owner, ..)| *owner == index).is_some() {}
        self.in_text = false;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        if self.open.is_empty() {
            let blank = text.bytes().all(|b| b.is_ascii_whitespace());
            return if blank { Ok(()) } else { Err(XmlError::Malformed("text outside the root element")) };
        }
        if let Some(Node::Text(before)) = self.nodes.last_mut().filter(|_| self.in_text) {
            before.push_str(text);
            return Ok(());
        }
        self.room()?;
        self.nodes.push(Node::Text(text.to_owned()));
        self.in_text = true;
        Ok(())
    }

    fn room(&self) -> Result<(), XmlError> {
        if self.nodes.len() == self.nodes_max { Err(XmlError::Limit("elements")) } else { Ok(()) }
    }

    fn finish(self) -> Result<Document, XmlError> {
        if !self.open.is_empty() || self.nodes.is_empty() {
            return Err(XmlError::Malformed("the document is not complete"));
        }
        Ok(Document { nodes: self.nodes })
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, XmlError> {
    let unknown = XmlError::Malformed("an entity that is not predefined, or a character that is not allowed");
    if let Some(character) = reference.resolve_char_ref().map_err(|_| unknown)? {
        return if is_xml_char(character) { Ok(character) } else { Err(unknown) };
    }
    match reference.as_ref() {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(unknown),
    }
}

fn read_attributes(start: &BytesStart<'_>) -> Result<Vec<(String, String)>, XmlError> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| XmlError::Malformed("an attribute"))?;
        if attributes.len() == XML_ATTRIBUTES_MAX {
            return Err(XmlError::Limit("attributes"));
        }
        let name = attribute.key.0.to_owned();
        check_name(&name)?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|_| XmlError::Malformed("an attribute's value"))?;
        if !value.chars().all(is_xml_char) || attribute.value.contains('<') {
            return Err(XmlError::Malformed("an attribute's value"));
        }
        attributes.push((name, value.into_owned()));
    }
    Ok(attributes)
}

/// Whether it can be the name of an element without prefix.
pub(crate) fn is_local_name(name: &str) -> bool {
    !name.contains(':') && check_name(name).is_ok()
}

/// A qualified name; stricter than XML for ASCII, looser beyond. It is written out again, so it must be harmless.
fn check_name(name: &str) -> Result<(), XmlError> {
    let fine = name.splitn(3, ':').all(|part| {
        let starts = part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii());
        starts
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') || !c.is_ascii())
    });
    if fine && name.matches(':').count() < 2 { Ok(()) } else { Err(XmlError::Malformed("a name")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Document, XmlError> {
        Document::parse(text.as_bytes())
    }

    #[test]
    fn elements_texts_and_namespaces() {
        let document = parse(
            "\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- c --><D:propfind xmlns:D='DAV:'>\n\
             <D:prop><D:getetag/><x xmlns='urn:x'>a<![CDATA[<b>]]>&amp;&#x20AC;</x></D:prop></D:propfind>\n",
        )
        .unwrap();
        let root = document.root();
        assert!(root.is_dav("propfind"));
        let names: Vec<_> =
            root.dav_child("prop").unwrap().children().map(|e| (e.namespace(), e.name(), e.text())).collect();
        assert_eq!(names, [("DAV:", "getetag", String::new()), ("urn:x", "x", "a<b>&€".to_owned())]);
    }

    #[test]
    fn fragments_stand_for_themselves() {
        for (xml, wanted) in [
            (
                "<D:set xmlns:D='DAV:' xmlns:q='urn:q' xmlns:unused='urn:u' xml:lang='de'><q:p q:a='1&#10;\"'>x<q:b/>y\
                 <D:i/></q:p></D:set>",
                "<q:p xml:lang=\"de\" xmlns:D=\"DAV:\" xmlns:q=\"urn:q\" q:a=\"1&#10;&quot;\">x<q:b/>y<D:i/></q:p>",
            ),
            ("<a xmlns='urn:a'><p>1 &lt; 2</p></a>", "<p xmlns=\"urn:a\">1 &lt; 2</p>"),
            ("<a xmlns='urn:a'><p xmlns=''/></a>", "<p xmlns=\"\"/>"),
            ("<a xml:lang='de'><p xml:lang='en'> <b> </b> </p></a>", "<p xml:lang=\"en\"> <b> </b> </p>"),
            ("<a xmlns:x='urn:1'><b xmlns:x='urn:2'><x:p/></b></a>", "<b xmlns:x=\"urn:2\"><x:p/></b>"),
        ] {
            let document = parse(xml).unwrap();
            let fragment = document.root().children().next().unwrap().fragment();
            assert_eq!(fragment, wanted);
            let again = parse(&fragment).unwrap();
            assert_eq!(again.root().fragment(), fragment, "read again it is the same");
        }
    }

    #[test]
    fn refusals() {
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(parse(&nested(XML_DEPTH_MAX)).is_ok());
        assert_eq!(parse(&nested(XML_DEPTH_MAX + 1)).err(), Some(XmlError::Limit("depth")));
        assert_eq!(parse(&"<a>".repeat(200_000)).err(), Some(XmlError::Limit("depth")));
        let wide = format!("<a>{}</a>", "<b/>".repeat(XML_NODES_MAX));
        assert_eq!(parse(&wide).err(), Some(XmlError::Limit("elements")));
        let attributes: String = (0..100).map(|n| format!(" a{n}=''")).collect();
        assert_eq!(parse(&format!("<a{attributes}/>")).err(), Some(XmlError::Limit("attributes")));
        assert_eq!(Document::parse(&vec![b' '; XML_BYTES_MAX + 1]).err(), Some(XmlError::Limit("bytes")));
        assert_eq!(Document::parse(b"\xFF\xFE<\0a\0/\0>\0").err(), Some(XmlError::Encoding));
        assert_eq!(Document::parse(b"<\0a\0/\0>\0").err(), Some(XmlError::Encoding));
        assert_eq!(parse("<?xml version='1.0' encoding='utf-16'?><a/>").err(), Some(XmlError::Encoding));
        for bad in [
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
            "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
            "<a>&x;</a>",
            "<a b='&x;'/>",
            "<a>&#0;</a>",
            "<a>&#1;</a>",
            "<a>\u{1}</a>",
            "",
            "text",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a/>x",
            "<x:a/>",
            "<a x:b='1'/>",
            "<D:a xmlns:D=''/>",
            "<a xmlns:xml='urn:x'/>",
            "<a xmlns:xmlns='urn:x'/>",
            "<a:b:c xmlns:a='urn:a'/>",
            "<a b='1' b='2'/>",
            "<a b=1/>",
            "<a\"b/>",
        ] {
            assert!(matches!(parse(bad), Err(XmlError::Malformed(_))), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, shaped in "[<>/a:b ='\"&;#x!\\[\\]\\-?]{0,60}") {
            let _ = Document::parse(&bytes);
            if let Ok(document) = Document::parse(shaped.as_bytes()) {
                let fragment = document.root().fragment();
                prop_assert_eq!(parse(&fragment).unwrap().root().fragment(), fragment);
            }
        }

        #[test]
        fn texts_survive(text in "\\PC{0,40}", value in "\\PC{0,20}") {
            let xml = format!("<a v=\"{}\">{}</a>", crate::escape::escaped(&value), crate::escape::escaped(&text));
            let document = parse(&xml).unwrap();
            prop_assert_eq!(document.root().text(), text.trim());
            let again = parse(&document.root().fragment()).unwrap();
            prop_assert_eq!(again.root().text(), text.trim());
        }
    }
}
