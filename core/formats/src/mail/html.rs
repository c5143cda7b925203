//! The text of an HTML body. No parser of HTML: what is shown, in order, is all that search and previews need.

/// The text that HTML shows: without tags, comments, `head` but its title, scripts and styles; entities decoded. A tag
/// that begins a block is a line end, a cell a space.
pub(super) fn to_text(html: &str) -> String {
    reduce(html, false)
}

/// The same without quotes and without the title, which a preview does not show.
pub(super) fn to_text_without_quotes(html: &str) -> String {
    reduce(html, true)
}

fn reduce(html: &str, own: bool) -> String {
    let mut out = String::with_capacity(html.len() / 2);
    let mut quotes = 0_usize;
    let mut rest = html;
    while let Some(at) = memchr::memchr(b'<', rest.as_bytes()) {
        if quotes == 0 {
            text(&rest[..at], &mut out);
        }
        rest = &rest[at..];
        let (length, tag) = tag(rest);
        if length == 1 && quotes == 0 {
            out.push('<');
        }
        rest = &rest[length..];
        let Some((name, opens)) = tag else { continue };
        let is = |known: &&str| name.eq_ignore_ascii_case(known);
        if opens && (HIDDEN.iter().any(&is) || own && is(&"title")) {
            rest = after_end_tag(rest, name);
        } else if BLOCKS.iter().any(&is) {
            out.push('\n');
            if own && is(&"blockquote") {
                quotes = if opens { quotes + 1 } else { quotes.saturating_sub(1) };
            }
        } else if CELLS.iter().any(is) {
            out.push(' ');
        }
    }
    if quotes == 0 {
        text(rest, &mut out);
    }
    out
}

/// What holds no text for people.
const HIDDEN: [&str; 5] = ["script", "style", "template", "noscript", "svg"];
const BLOCKS: [&str; 30] = [
    "p",
    "br",
    "div",
    "tr",
    "li",
    "ul",
    "ol",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "table",
    "blockquote",
    "hr",
    "pre",
    "section",
    "article",
    "header",
    "footer",
    "title",
    "dt",
    "dd",
    "dl",
    "body",
    "html",
    "form",
    "center",
    "address",
];
const CELLS: [&str; 5] = ["td", "th", "option", "img", "input"];

/// Text between tags with its entities decoded.
fn text(text: &str, out: &mut String) {
    match memchr::memchr(b'&', text.as_bytes()) {
        Some(_) => out.push_str(&html_escape::decode_html_entities(text)),
        None => out.push_str(text),
    }
}

/// The tag that `html` begins with: its length, its name and whether it opens. One byte and no tag: a `<` of the text.
fn tag(html: &str) -> (usize, Option<(&str, bool)>) {
    let bytes = html.as_bytes();
    if bytes.starts_with(b"<!--") {
        let end = memchr::memmem::find(&bytes[4..], b"-->").map_or(bytes.len(), |at| at + 7);
        // `<!-->` is a whole comment.
        let end = if bytes[4..].starts_with(b">") { 5 } else { end };
        return (end, None);
    }
    let opens = bytes.get(1) != Some(&b'/');
    let start = if opens { 1 } else { 2 };
    match bytes.get(start) {
        Some(b'!' | b'?') => {}
        Some(byte) if byte.is_ascii_alphabetic() || !opens => {}
        _ => return (1, None),
    }
    let name = start + bytes[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    (tag_end(bytes, name), Some((&html[start..name], opens)))
}

/// Where a tag ends; a `>` within quotes does not end it, unless the quotes do not end.
fn tag_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(found) = memchr::memchr3(b'>', b'"', b'\'', &bytes[at..]) {
        at += found;
        if bytes[at] == b'>' {
            return at + 1;
        }
        let quoted = &bytes[at + 1..(at + QUOTED_BYTES_MAX).min(bytes.len())];
        // Only a value is quoted.
        let value = bytes[..at].trim_ascii_end().ends_with(b"=");
        at += match memchr::memchr(bytes[at], quoted) {
            Some(length) if value => length + 2,
            _ => 1,
        };
    }
    bytes.len()
}

/// Longest attribute in which a `>` does not end the tag, in bytes.
const QUOTED_BYTES_MAX: usize = 64 * 1024;

/// What stands after `</name`; nothing when there is none.
fn after_end_tag<'a>(html: &'a str, name: &str) -> &'a str {
    let bytes = html.as_bytes();
    for at in memchr::memmem::find_iter(bytes, b"</") {
        let found = bytes.get(at + 2..at + 2 + name.len());
        if found.is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes())) {
            return &html[tag_end(bytes, at + 2 + name.len())..];
        }
    }
    ""
}
