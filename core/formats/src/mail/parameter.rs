//! Parameters put together and decoded (RFC 2231), with the encoded words that programs write instead.

use super::{Disposition, Parameter, Part, body, charset, word};

/// A parameter's value with its pieces joined and its percent signs decoded, and the charset that it names.
pub(super) fn joined(parameters: &[Parameter], name: &str) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let mut pieces: Vec<(usize, bool, &[u8])> = Vec::new();
    let mut plain = None;
    for parameter in parameters {
        let Some(rest) = parameter.name.get(name.len()..) else { continue };
        if !parameter.name[..name.len()].eq_ignore_ascii_case(name.as_bytes()) {
            continue;
        }
        match rest {
            [] => plain = plain.or(Some(&parameter.value)),
            [b'*', section @ ..] => {
                let (number, encoded) = match section.strip_suffix(b"*") {
                    Some(number) => (number, true),
                    None => (section, section.is_empty()),
                };
                let number = if number.is_empty() { Some(0) } else { decimal(number) };
                pieces.extend(number.map(|number| (number, encoded, &parameter.value[..])));
            }
            _ => {}
        }
    }
    pieces.sort_by_key(|(number, ..)| *number);
    if pieces.is_empty() {
        return plain.map(|value| (value.clone(), None));
    }
    let mut label = None;
    let mut value = Vec::new();
    for (number, encoded, mut piece) in pieces {
        if !encoded {
            value.extend_from_slice(piece);
            continue;
        }
        // RFC 2231 §4: charset'language'value, in the first piece.
        if number == 0
            && label.is_none()
            && let Some((named, rest)) = named_charset(piece)
        {
            label = Some(named.to_vec());
            piece = rest;
        }
        percent_decode(piece, &mut value);
    }
    Some((value, label))
}

fn decimal(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn named_charset(piece: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = piece.iter().position(|byte| *byte == b'\'')?;
    let second = first + 1 + piece[first + 1..].iter().position(|byte| *byte == b'\'')?;
    Some((&piece[..first], &piece[second + 1..]))
}

fn percent_decode(piece: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < piece.len() {
        match (piece[at], body::hex_pair(&piece[at + 1..])) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
}

/// A parameter for people: RFC 2231, or the encoded words that many programs write against RFC 2047 §5.
pub(super) fn decoded(parameters: &[Parameter], name: &str) -> Option<String> {
    let (value, label) = joined(parameters, name)?;
    Some(match label {
        Some(label) => charset::decode(&value, &label),
        None => word::decode(&value),
    })
}

impl Part {
    /// A parameter of Content-Type as given; its name in any case.
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        let named = |parameter: &&Parameter| parameter.name.eq_ignore_ascii_case(name.as_bytes());
        self.parameters.iter().find(named).map(|parameter| &parameter.value[..])
    }

    /// The name of the file it is, decoded: of Content-Disposition, else the name in Content-Type.
    pub fn file_name(&self) -> Option<String> {
        let named = |disposition: &Disposition| decoded(&disposition.parameters, "filename");
        self.disposition.as_ref().and_then(named).or_else(|| decoded(&self.parameters, "name"))
    }

    /// Whether it is `message/rfc822` or `message/global`.
    pub fn is_message(&self) -> bool {
        self.media_type.eq_ignore_ascii_case(b"message")
            && (self.subtype.eq_ignore_ascii_case(b"rfc822") || self.subtype.eq_ignore_ascii_case(b"global"))
    }
}
