//! BODY and BODYSTRUCTURE (RFC 9051 §7.5.2), in the case that the message has.

use allod_formats::mail::{Disposition, Inner, Parameter, Part};

use super::envelope::envelope;
use crate::wire::Output;

/// What a text without a charset is in (RFC 2045 §5.2).
const CHARSET_DEFAULT: &str = "\"charset\" \"us-ascii\"";
/// A multipart without parts cannot be told: it has an empty one.
const EMPTY_PART: &str = "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)";
/// Where a Content-Type names no subtype.
const SUBTYPE_DEFAULT: &[u8] = b"x-unknown";

/// A part with all that is in it; with `extension` as BODYSTRUCTURE has it, without as BODY.
pub(crate) fn structure(out: &mut Output, part: &Part, extension: bool) {
    out.raw("(");
    match &part.inner {
        Inner::Multipart(parts) => multipart(out, part, parts, extension),
        _ => single(out, part, extension),
    }
    out.raw(")");
}

fn multipart(out: &mut Output, part: &Part, parts: &[Part], extension: bool) {
    if parts.is_empty() {
        out.raw(EMPTY_PART);
    }
    for inner in parts {
        structure(out, inner, extension);
    }
    out.raw(" ").string(subtype(part));
    if extension {
        out.raw(" ");
        parameters(out, &part.parameters, false);
        tail(out, part);
    }
}

fn single(out: &mut Output, part: &Part, extension: bool) {
    let is_text = part.media_type.eq_ignore_ascii_case(b"text");
    out.string(&part.media_type).raw(" ").string(subtype(part)).raw(" ");
    parameters(out, &part.parameters, is_text);
    out.raw(" ").nstring(part.id.as_deref());
    out.raw(" ").nstring(part.description.as_deref());
    out.raw(" ").string(part.encoding.as_deref().unwrap_or(b"7bit"));
    out.raw(" ").number(u64::from(part.body.end.saturating_sub(part.body.start)));
    if let Inner::Message(inner_envelope, inner) = &part.inner {
        out.raw(" ");
        envelope(out, inner_envelope);
        out.raw(" ");
        structure(out, inner, extension);
        out.raw(" ").number(part.lines.into());
    } else if is_text {
        out.raw(" ").number(part.lines.into());
    }
    if extension {
        out.raw(" ").nstring(part.md5.as_deref());
        tail(out, part);
    }
}

fn subtype(part: &Part) -> &[u8] {
    if part.subtype.is_empty() { SUBTYPE_DEFAULT } else { &part.subtype }
}

/// What BODYSTRUCTURE ends with for every part.
fn tail(out: &mut Output, part: &Part) {
    out.raw(" ");
    match &part.disposition {
        Some(found) => disposition(out, found),
        None => _ = out.raw("NIL"),
    }
    if part.languages.is_empty() {
        out.raw(" NIL");
    } else {
        for (nth, language) in part.languages.iter().enumerate() {
            out.raw(if nth == 0 { " (" } else { " " }).string(language);
        }
        out.raw(")");
    }
    out.raw(" ").nstring(part.location.as_deref());
}

fn disposition(out: &mut Output, disposition: &Disposition) {
    out.raw("(").string(&disposition.kind).raw(" ");
    parameters(out, &disposition.parameters, false);
    out.raw(")");
}

fn parameters(out: &mut Output, parameters: &[Parameter], is_text: bool) {
    let without_charset = is_text && !parameters.iter().any(|one| one.name.eq_ignore_ascii_case(b"charset"));
    if parameters.is_empty() && !without_charset {
        out.raw("NIL");
        return;
    }
    out.raw("(");
    for (nth, parameter) in parameters.iter().enumerate() {
        out.raw(if nth == 0 { "" } else { " " }).string(&parameter.name).raw(" ").string(&parameter.value);
    }
    if without_charset {
        out.raw(if parameters.is_empty() { "" } else { " " }).raw(CHARSET_DEFAULT);
    }
    out.raw(")");
}
