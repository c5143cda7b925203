//! The fields that describe a part: Content-Type and its kin (RFC 2045, RFC 2183, RFC 3282).

use serde_bytes::ByteBuf;

use super::header::unfold;
use super::lexer::{Lexer, is_token, is_white};
use super::{Disposition, PARAMETERS_MAX, Parameter, Part};

/// What a Content-Type says.
#[derive(Debug, Default)]
pub(super) struct ContentType {
    pub(super) media_type: Vec<u8>,
    pub(super) subtype: Vec<u8>,
    pub(super) parameters: Vec<Parameter>,
}

/// Reads a Content-Type. Without a subtype no parameters are read.
pub(super) fn content_type(value: &[u8]) -> ContentType {
    let mut lexer = Lexer::new(value);
    lexer.skip_cfws();
    let media_type = lexer.run(is_token).to_vec();
    lexer.skip_cfws();
    if !lexer.take(b'/') {
        return ContentType { media_type, ..ContentType::default() };
    }
    lexer.skip_cfws();
    let subtype = lexer.run(is_token).to_vec();
    ContentType { media_type, subtype, parameters: parameters(&mut lexer) }
}

/// Reads a Content-Disposition; none when it says nothing.
pub(super) fn disposition(value: &[u8]) -> Option<Disposition> {
    let mut lexer = Lexer::new(value);
    lexer.skip_cfws();
    let mut kind = Vec::new();
    if lexer.peek() == Some(b'"') {
        lexer.quoted(&mut kind);
    } else {
        kind.extend_from_slice(lexer.run(is_token));
    }
    let parameters = parameters(&mut lexer);
    (!kind.is_empty() || !parameters.is_empty()).then_some(Disposition { kind, parameters })
}

/// The parameters up to the first thing that is none; RFC 2231's pieces stay as they are given.
fn parameters(lexer: &mut Lexer<'_>) -> Vec<Parameter> {
    let mut list = Vec::new();
    while list.len() < PARAMETERS_MAX {
        // What is no parameter is passed over.
        loop {
            lexer.skip_cfws();
            match lexer.peek() {
                None => return list,
                Some(b';') => break lexer.skip(),
                Some(_) => lexer.skip(),
            }
        }
        lexer.skip_cfws();
        let name = lexer.run(is_token).to_vec();
        lexer.skip_cfws();
        if name.is_empty() || !lexer.take(b'=') {
            continue;
        }
        lexer.skip_cfws();
        let mut value = Vec::new();
        if lexer.peek() != Some(b'"') || !lexer.quoted(&mut value) {
            value.extend_from_slice(lexer.run(is_value));
            if value.is_empty() {
                continue;
            }
        }
        list.push(Parameter { name, value });
    }
    list
}

/// What a value that is not quoted may have: more than RFC 2045 §5.1 says, for `name=a[1].txt` is common.
fn is_value(byte: u8) -> bool {
    !matches!(byte, b';' | b',' | b'"' | b'(') && !is_white(byte)
}

/// Content-Transfer-Encoding. What follows a known one does not matter (`base64;`); what follows another makes it none.
fn encoding(value: &[u8]) -> Option<Vec<u8>> {
    const KNOWN: [&str; 5] = ["base64", "quoted-printable", "7bit", "8bit", "binary"];
    let mut lexer = Lexer::new(value);
    lexer.skip_cfws();
    let token = lexer.run(is_token);
    lexer.skip_cfws();
    let known = KNOWN.iter().any(|known| token.eq_ignore_ascii_case(known.as_bytes()));
    (!token.is_empty() && (known || lexer.peek().is_none())).then(|| token.to_vec())
}

/// Content-Language (RFC 3282).
pub(super) fn languages(value: &[u8]) -> Vec<ByteBuf> {
    let mut lexer = Lexer::new(value);
    let mut list = Vec::new();
    while list.len() < PARAMETERS_MAX {
        lexer.skip_cfws();
        let language = lexer.run(is_token);
        if !language.is_empty() {
            list.push(ByteBuf::from(language));
        }
        lexer.skip_cfws();
        if !lexer.take(b',') {
            break;
        }
    }
    list
}

/// Takes one of a part's fields into account; the first of a name counts that says something.
pub(super) fn describe(part: &mut Part, name: &[u8], value: &[u8]) {
    let Some(rest) = name.get(8..).filter(|_| name[..8].eq_ignore_ascii_case(b"content-")) else { return };
    let text = |slot: &mut Option<Vec<u8>>| {
        slot.get_or_insert_with(|| unfold(value));
    };
    match &rest.to_ascii_lowercase()[..] {
        b"type" if part.media_type.is_empty() || part.subtype.is_empty() => {
            let found = content_type(value);
            (part.media_type, part.subtype, part.parameters) =
                (found.media_type, found.subtype, found.parameters);
        }
        b"id" => text(&mut part.id),
        b"description" => text(&mut part.description),
        b"transfer-encoding" => part.encoding = part.encoding.take().or_else(|| encoding(value)),
        b"md5" => text(&mut part.md5),
        b"disposition" => part.disposition = part.disposition.take().or_else(|| disposition(value)),
        b"language" if part.languages.is_empty() => part.languages = languages(value),
        b"location" => text(&mut part.location),
        _ => {}
    }
}
