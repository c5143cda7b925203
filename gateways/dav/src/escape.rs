//! Text into XML and HTML.

/// Appends `text` escaped for XML and HTML, as content or as a quoted attribute. Characters that XML 1.0 §2.2
/// does not allow at all are left out.
pub fn escape_into(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut done = 0;
    let mut index = 0;
    while let Some(next) = bytes[index..].iter().position(|byte| SPECIAL[usize::from(*byte)]) {
        index += next;
        let (replacement, length): (&[u8], usize) = match bytes[index] {
            b'&' => (b"&amp;", 1),
            b'<' => (b"&lt;", 1),
            b'>' => (b"&gt;", 1),
            b'"' => (b"&quot;", 1),
            b'\'' => (b"&#39;", 1),
            b'\r' => (b"&#13;", 1),
            0..0x20 => (b"", 1),
            // U+FFFE and U+FFFF.
            0xEF if bytes[index + 1] == 0xBF && bytes[index + 2] >= 0xBE => (b"", 3),
            _ => {
                index += 1;
                continue;
            }
        };
        out.extend_from_slice(&bytes[done..index]);
        out.extend_from_slice(replacement);
        index += length;
        done = index;
    }
    out.extend_from_slice(&bytes[done..]);
}

/// Bytes that must be looked at; 0xEF begins the characters that XML forbids, and many others.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut index = 0;
    while index < 256 {
        special[index] = matches!(index as u8, b'&' | b'<' | b'>' | b'"' | b'\'' | 0xEF)
            || (index < 0x20 && !matches!(index as u8, b'\t' | b'\n'));
        index += 1;
    }
    special
};

/// `text` escaped, as [`escape_into`] does.
pub fn escaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    escape_into(&mut out, text);
    // **Invariant:** whole characters were taken out or put in.
    String::from_utf8(out).unwrap_or_default()
}

/// Whether XML 1.0 §2.2 allows a character.
pub fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_answers() {
        for (text, wanted) in [
            ("plain ünï €", "plain ünï €"),
            ("<a href=\"x\">&'", "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"),
            ("a\u{1}b\u{1f}c\u{0}", "abc"),
            ("a\tb\nc\rd", "a\tb\nc&#13;d"),
            ("a\u{FFFE}b\u{FFFF}c\u{FFFD}", "abc\u{FFFD}"),
            ("]]>", "]]&gt;"),
        ] {
            assert_eq!(escaped(text), wanted);
        }
    }

    proptest! {
        #[test]
        fn comes_back_without_the_forbidden(text: String) {
            let allowed: String = text.chars().filter(|c| is_xml_char(*c)).collect();
            let xml = escaped(&text);
            prop_assert_eq!(quick_xml::escape::unescape(&xml).unwrap().into_owned(), allowed);
        }
    }
}
