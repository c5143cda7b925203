//! One property: name, group, parameters and value of a content line (RFC 5545 §3.1, RFC 6350 §3.3).

use std::borrow::Cow;
use std::ops::Range;

use crate::limits::Exceeded;
use crate::lines::Line;

/// A content line read into its parts. It keeps the unfolded text and the span of the original; the parts are ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property<'a> {
    span: Range<usize>,
    text: Cow<'a, str>,
    group_end: Option<usize>,
    name_end: usize,
    parameters: Vec<Parameter>,
    value_start: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parameter {
    /// From the `;` before it to its end.
    whole: Range<usize>,
    name: Range<usize>,
    value: Range<usize>,
}

/// Why a line is no property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoProperty {
    /// No name, or no colon.
    Shape,
    Limit(Exceeded),
}

impl<'a> Property<'a> {
    /// Reads a logical line.
    pub(crate) fn read(line: Line<'a>, parameters_max: usize) -> Result<Property<'a>, NoProperty> {
        let bytes = line.text.as_bytes();
        let mut at = bytes.iter().position(|b| matches!(b, b';' | b':')).ok_or(NoProperty::Shape)?;
        let dot = bytes[..at].iter().position(|byte| *byte == b'.');
        let group_end = dot.filter(|dot| *dot > 0);
        let name_start = group_end.map_or(0, |dot| dot + 1);
        let legal = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b' ');
        if bytes[name_start..at].trim_ascii().is_empty() || !bytes[..at].iter().all(legal) {
            return Err(NoProperty::Shape);
        }
        let name_end = at;
        let mut parameters = Vec::new();
        let mut quotes_close = true;
        while bytes.get(at) == Some(&b';') {
            if parameters.len() == parameters_max {
                return Err(NoProperty::Limit(Exceeded::Parameters));
            }
            let parameter = read_parameter(bytes, at, &mut quotes_close);
            at = parameter.whole.end;
            parameters.push(parameter);
        }
        if bytes.get(at) != Some(&b':') {
            return Err(NoProperty::Shape);
        }
        Ok(Property {
            span: line.span,
            text: line.text,
            group_end,
            name_end,
            parameters,
            value_start: at + 1,
        })
    }

    /// The bytes of the original, folds and line end included.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The whole line, unfolded, as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The group before the name (`item1` of `item1.TEL`).
    pub fn group(&self) -> Option<&str> {
        self.group_end.map(|end| &self.text[..end])
    }

    /// The name as written, without group.
    pub fn name(&self) -> &str {
        self.text[self.group_end.map_or(0, |end| end + 1)..self.name_end].trim()
    }

    /// Whether the name is `name`; names have no case (RFC 5545 §2).
    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }

    /// The value as written: escapes not undone.
    pub fn value(&self) -> &str {
        &self.text[self.value_start..]
    }

    /// Everything before the colon of the value: group, name and parameters, as written.
    pub fn head(&self) -> &str {
        &self.text[..self.value_start - 1]
    }

    /// The values of each parameter of that name, unquoted and with RFC 6868 escapes undone. Bare words of vCard 2.1
    /// (`TEL;HOME`) count as TYPE, or as ENCODING where they name one.
    pub fn parameter_values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = Cow<'s, str>> {
        self.parameters()
            .filter(move |parameter| parameter.name().eq_ignore_ascii_case(name))
            .flat_map(|parameter| parameter.values())
    }

    /// The first value of the first parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        let found = self.parameters().find(|parameter| parameter.name().eq_ignore_ascii_case(name))?;
        found.values().next()
    }

    /// Whether a parameter of that name has that value; neither has case.
    pub fn has_parameter_value(&self, name: &str, value: &str) -> bool {
        self.parameter_values(name).any(|found| found.eq_ignore_ascii_case(value))
    }

    /// All parameters in their order.
    pub fn parameters(&self) -> impl Iterator<Item = ParameterRef<'_>> {
        self.parameters.iter().map(|parameter| ParameterRef { text: &self.text, parameter })
    }
}

/// One parameter of a property.
#[derive(Clone, Copy, Debug)]
pub struct ParameterRef<'s> {
    text: &'s str,
    parameter: &'s Parameter,
}

impl<'s> ParameterRef<'s> {
    /// Its name as written; a bare word of vCard 2.1 is given the name that it stands for.
    pub fn name(&self) -> &'s str {
        let name = &self.text[self.parameter.name.clone()];
        if !name.is_empty() {
            return name.trim();
        }
        let word = &self.text[self.parameter.value.clone()];
        let encodings = ["QUOTED-PRINTABLE", "BASE64", "8BIT", "7BIT"];
        if encodings.iter().any(|encoding| word.eq_ignore_ascii_case(encoding)) { "ENCODING" } else { "TYPE" }
    }

    /// The parameter as written, with the `;` before it.
    pub fn as_written(&self) -> &'s str {
        &self.text[self.parameter.whole.clone()]
    }

    /// Its value as written, quotes and commas included.
    pub fn raw_value(&self) -> &'s str {
        &self.text[self.parameter.value.clone()]
    }

    /// Its values, unquoted and with RFC 6868 escapes undone.
    pub fn values(&self) -> impl Iterator<Item = Cow<'s, str>> + use<'s> {
        ParameterValues { rest: Some(self.raw_value()) }
    }
}

struct ParameterValues<'s> {
    rest: Option<&'s str>,
}

impl<'s> Iterator for ParameterValues<'s> {
    type Item = Cow<'s, str>;

    fn next(&mut self) -> Option<Cow<'s, str>> {
        let rest = self.rest.take()?;
        let bytes = rest.as_bytes();
        let closing =
            bytes.first().filter(|b| **b == b'"').and_then(|_| rest[1..].find('"').map(|at| at + 1));
        let (value, end) = match closing {
            Some(closing) => {
                let comma = rest[closing..].find(',').map_or(rest.len(), |at| closing + at);
                (&rest[1..closing], comma)
            }
            None => {
                let comma = rest.find(',').unwrap_or(rest.len());
                (&rest[..comma], comma)
            }
        };
        if end < rest.len() {
            self.rest = Some(&rest[end + 1..]);
        }
        Some(caret_decoded(value))
    }
}

/// Undoes RFC 6868 §3.2; an unknown pair stays as it is.
fn caret_decoded(value: &str) -> Cow<'_, str> {
    if !value.contains('^') {
        return Cow::Borrowed(value);
    }
    let mut decoded = String::with_capacity(value.len());
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        let next = rest.as_str().chars().next();
        let (put, used) = match (c, next) {
            ('^', Some('n')) => ('\n', true),
            ('^', Some('^')) => ('^', true),
            ('^', Some('\'')) => ('"', true),
            _ => (c, false),
        };
        decoded.push(put);
        if used {
            rest.next();
        }
    }
    Cow::Owned(decoded)
}

/// Writes a parameter value: carets for what may not stand in one, quotes where needed (RFC 6868 §3.1).
pub(crate) fn caret_encoded(value: &str) -> String {
    let quote = value.contains([',', ';', ':']);
    let mut written = String::with_capacity(value.len() + 2);
    if quote {
        written.push('"');
    }
    for c in value.chars() {
        match c {
            '\n' => written.push_str("^n"),
            '"' => written.push_str("^'"),
            '^' => written.push_str("^^"),
            c if c.is_control() && c != '\t' => {}
            c => written.push(c),
        }
    }
    if quote {
        written.push('"');
    }
    written
}

/// Reads the parameter whose `;` stands at `semicolon`. `quotes_close` is cleared once a quote without a partner was
/// seen: from then on quotes are ordinary characters, and the line is still read in linear time.
fn read_parameter(bytes: &[u8], semicolon: usize, quotes_close: &mut bool) -> Parameter {
    let start = semicolon + 1;
    let is_end = |byte: &u8| matches!(byte, b'=' | b';' | b':' | b',' | b'"');
    let name_end = bytes[start..].iter().position(is_end).map_or(bytes.len(), |at| start + at);
    let named = bytes.get(name_end) == Some(&b'=');
    let value_start = if named { name_end + 1 } else { start };
    let mut at = value_start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b';' | b':' => break,
            b'"' if *quotes_close => match bytes[at + 1..].iter().position(|byte| *byte == b'"') {
                Some(length) => at += length + 2,
                None => {
                    *quotes_close = false;
                    at += 1;
                }
            },
            _ => at += 1,
        }
    }
    let name = if named { start..name_end } else { start..start };
    Parameter { whole: semicolon..at, name, value: value_start..at }
}
