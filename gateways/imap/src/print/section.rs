//! Where in a message a section lies (RFC 9051 §6.4.5.1), and how it is called.

use allod_formats::mail::{Inner, Part, Span};

use crate::syntax::ast::{ByteRange, Section, SectionText};
use crate::wire::Output;

/// The bytes that a section names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// Where they are.
    pub(crate) span: Span,
    /// Names of header fields to be taken from there, or to be left out.
    pub(crate) fields: Option<(&'a [String], bool)>,
}

/// The part that numbers lead to, as a part that has a body and MIME fields; none when there is no such part.
pub(crate) fn part_at<'a>(root: &'a Part, numbers: &[u32]) -> Option<&'a Part> {
    // A message's own numbers begin anew; a message without parts has itself as its only one.
    let (mut part, mut begins) = (root, true);
    for number in numbers {
        let nth = usize::try_from(number.checked_sub(1)?).ok()?;
        let inside = match &part.inner {
            Inner::Message(_, message) if !begins => message,
            _ => part,
        };
        part = match &inside.inner {
            Inner::Multipart(parts) => parts.get(nth)?,
            _ if nth == 0 && (begins || !std::ptr::eq(inside, part)) => inside,
            _ => return None,
        };
        begins = false;
    }
    Some(part)
}

/// Where a section of a message of `size` bytes is; none when there is no such part.
pub(crate) fn place<'a>(root: &Part, size: u64, section: &'a Section) -> Option<Place<'a>> {
    let plain = |span| Some(Place { span, fields: None });
    if section.part.is_empty() {
        let end = size.min(u32::MAX.into()) as u32;
        return match &section.text {
            None => plain(Span { start: 0, end }),
            Some(SectionText::Text) => plain(Span { start: root.header.end, end }),
            Some(text) => of_message(root, text),
        };
    }
    let Some(part) = part_at(root, &section.part) else {
        let end = emptied(root, &section.part)
            .filter(|_| matches!(section.text, None | Some(SectionText::Mime)))?;
        return plain(Span { start: end, end });
    };
    match (&section.text, &part.inner) {
        (None, _) => plain(part.body),
        (Some(SectionText::Mime), _) => plain(part.header),
        (Some(text), Inner::Message(_, message)) => of_message(message, text),
        // RFC 9051 §6.4.5.1: HEADER and TEXT are of messages only.
        _ => None,
    }
}

/// Where the only part of a multipart without parts is, as its structure has one: it is empty.
fn emptied(root: &Part, numbers: &[u32]) -> Option<u32> {
    let [above @ .., 1] = numbers else { return None };
    let part = if above.is_empty() { root } else { part_at(root, above)? };
    let part = match &part.inner {
        Inner::Message(_, message) if !above.is_empty() => message,
        _ => part,
    };
    matches!(&part.inner, Inner::Multipart(parts) if parts.is_empty()).then_some(part.body.end)
}

fn of_message<'a>(message: &Part, text: &'a SectionText) -> Option<Place<'a>> {
    let (span, fields) = match text {
        SectionText::Header => (message.header, None),
        SectionText::HeaderFields(names) => (message.header, Some((names.as_slice(), false))),
        SectionText::HeaderFieldsNot(names) => (message.header, Some((names.as_slice(), true))),
        SectionText::Text => (message.body, None),
        SectionText::Mime => return None,
    };
    Some(Place { span, fields })
}

/// The stretch of `length` bytes that a partial asks for.
pub(crate) fn partial(length: u64, range: Option<ByteRange>) -> std::ops::Range<u64> {
    let Some(range) = range else { return 0..length };
    let start = u64::from(range.offset).min(length);
    start..start.saturating_add(range.length.into()).min(length)
}

/// `BODY[1.HEADER.FIELDS (DATE)]<0>`
pub(crate) fn name(out: &mut Output, section: &Section, partial: Option<ByteRange>) {
    out.raw("BODY[");
    numbers(out, &section.part);
    if let Some(text) = &section.text {
        out.raw(if section.part.is_empty() { "" } else { "." });
        match text {
            SectionText::Header => _ = out.raw("HEADER"),
            SectionText::HeaderFields(names) => fields(out, "HEADER.FIELDS (", names),
            SectionText::HeaderFieldsNot(names) => fields(out, "HEADER.FIELDS.NOT (", names),
            SectionText::Text => _ = out.raw("TEXT"),
            SectionText::Mime => _ = out.raw("MIME"),
        }
    }
    out.raw("]");
    origin(out, partial);
}

/// `1.2`
pub(crate) fn numbers(out: &mut Output, part: &[u32]) {
    for (nth, number) in part.iter().enumerate() {
        out.raw(if nth == 0 { "" } else { "." }).number((*number).into());
    }
}

/// `<0>`: RFC 9051 §7.5.2 tells where a partial begins, not how long it is.
pub(crate) fn origin(out: &mut Output, partial: Option<ByteRange>) {
    if let Some(range) = partial {
        out.raw("<").number(range.offset.into()).raw(">");
    }
}

fn fields(out: &mut Output, word: &str, names: &[String]) {
    out.raw(word);
    for (nth, name) in names.iter().enumerate() {
        out.raw(if nth == 0 { "" } else { " " }).astring(name);
    }
    out.raw(")");
}
