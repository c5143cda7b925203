//! Reading the tokens of a command (RFC 9051 §9), kindly: any number of spaces where one is due, and none missed at
//! the end.

use std::borrow::Cow;

use super::{Bad, bad};

/// A place in the bytes of a command: everything between the start of a line and the CRLF that ends the command,
/// literals in it as they came, `{3}` CRLF `abc`.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Cursor<'a> {
        Cursor { input, at: 0 }
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.input[self.at..]
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    /// Takes `byte` if it is next.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), Bad> {
        match self.eat(byte) {
            true => Ok(()),
            false => Err(bad(format!("expected '{}'", char::from(byte)))),
        }
    }

    /// Takes spaces, if there are any.
    pub(crate) fn spaces(&mut self) -> bool {
        let start = self.at;
        while self.eat(b' ') {}
        self.at > start
    }

    /// SP.
    pub(crate) fn space(&mut self) -> Result<(), Bad> {
        if self.spaces() { Ok(()) } else { Err(bad("something is missing, or a space is")) }
    }

    /// SP and something after it. Takes spaces at the end of the command without saying so.
    pub(crate) fn more(&mut self) -> bool {
        self.spaces() && !self.rest().is_empty()
    }

    pub(crate) fn end(&mut self) -> Result<(), Bad> {
        self.spaces();
        if self.rest().is_empty() { Ok(()) } else { Err(bad("there is more than this command takes")) }
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !wanted(*byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// ATOM-CHARs; may be none.
    fn atom_chars(&mut self) -> &'a str {
        text(self.take_while(is_atom_char))
    }

    /// `atom`.
    pub(crate) fn atom(&mut self) -> Result<&'a str, Bad> {
        match self.atom_chars() {
            "" => Err(bad("expected a word")),
            atom => Ok(atom),
        }
    }

    /// A word of letters, digits and `. - = /`, upper case: the name of a command, an item, an option.
    pub(crate) fn word(&mut self) -> Result<String, Bad> {
        let wanted =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'=' | b'/' | b'_');
        match text(self.take_while(wanted)) {
            "" => Err(bad("expected a word")),
            word => Ok(word.to_ascii_uppercase()),
        }
    }

    /// Takes `word` in any case, if it is next and ends there.
    pub(crate) fn eat_word(&mut self, word: &str) -> bool {
        let mut ahead = self.clone();
        let found = ahead.word().is_ok_and(|found| found == word);
        if found {
            self.at = ahead.at;
        }
        found
    }

    /// `tag`.
    pub(crate) fn tag(&mut self) -> Result<&'a str, Bad> {
        match text(self.take_while(|byte| is_astring_char(byte) && byte != b'+')) {
            "" => Err(bad("expected a tag")),
            tag => Ok(tag),
        }
    }

    /// `number64`, digits as many as there are.
    pub(crate) fn number64(&mut self) -> Result<u64, Bad> {
        let digits = text(self.take_while(|byte| byte.is_ascii_digit()));
        digits.parse().map_err(|_| bad("expected a number"))
    }

    /// `number`.
    pub(crate) fn number(&mut self) -> Result<u32, Bad> {
        u32::try_from(self.number64()?).map_err(|_| bad("this number is too large"))
    }

    /// `nz-number`.
    pub(crate) fn nz_number(&mut self) -> Result<u32, Bad> {
        match self.number()? {
            0 => Err(bad("zero cannot stand here")),
            number => Ok(number),
        }
    }

    /// `string`: quoted or literal, as bytes.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, [u8]>, Bad> {
        match self.rest() {
            [b'"', ..] => self.quoted(),
            [b'{', ..] | [b'~', b'{', ..] => self.literal().map(Cow::Borrowed),
            _ => Err(bad("expected a string")),
        }
    }

    fn is_string_next(&self) -> bool {
        matches!(self.rest(), [b'"' | b'{', ..] | [b'~', b'{', ..])
    }

    /// `quoted`. RFC 9051 §9 allows UTF-8 in it; other 8-bit bytes pass here and are judged by who reads them.
    fn quoted(&mut self) -> Result<Cow<'a, [u8]>, Bad> {
        self.expect(b'"')?;
        let plain = self.take_while(|byte| !matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0));
        if self.eat(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut out = plain.to_vec();
        while self.eat(b'\\') {
            // RFC 9051 §9: only `"` and `\` may be quoted; clients escape others too, and mean these.
            let escaped = self.peek().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0));
            out.push(escaped.ok_or_else(|| bad("a quoted string does not end"))?);
            self.at += 1;
            out.extend_from_slice(self.take_while(|byte| !matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0)));
        }
        if self.eat(b'"') { Ok(Cow::Owned(out)) } else { Err(bad("a quoted string does not end")) }
    }

    /// `literal` or `literal8`, its bytes being there.
    fn literal(&mut self) -> Result<&'a [u8], Bad> {
        let binary = self.eat(b'~');
        self.expect(b'{')?;
        let size = usize::try_from(self.number64()?).map_err(|_| bad("this literal is too large"))?;
        self.eat(b'+');
        self.expect(b'}')?;
        self.eat(b'\r');
        self.expect(b'\n')?;
        let bytes = self.rest().get(..size).ok_or_else(|| bad("a literal is cut short"))?;
        self.at += size;
        // RFC 9051 §9, CHAR8: NUL only in a literal8.
        if !binary && bytes.contains(&0) {
            return Err(bad("NUL cannot stand here"));
        }
        Ok(bytes)
    }

    /// `astring`, as bytes.
    pub(crate) fn astring(&mut self) -> Result<Cow<'a, [u8]>, Bad> {
        if self.is_string_next() { self.string() } else { self.chars(is_astring_char) }
    }

    /// `list-mailbox`, as bytes: an astring in which `%` and `*` stand for themselves.
    pub(crate) fn list_mailbox(&mut self) -> Result<Cow<'a, [u8]>, Bad> {
        match self.is_string_next() {
            true => self.string(),
            false => self.chars(|byte| is_astring_char(byte) || matches!(byte, b'%' | b'*')),
        }
    }

    fn chars(&mut self, wanted: impl Fn(u8) -> bool) -> Result<Cow<'a, [u8]>, Bad> {
        match self.take_while(wanted) {
            b"" => Err(bad("expected a string")),
            chars => Ok(Cow::Borrowed(chars)),
        }
    }

    /// An astring in UTF-8.
    pub(crate) fn astring_utf8(&mut self) -> Result<String, Bad> {
        let bytes = self.astring()?;
        String::from_utf8(bytes.into_owned()).map_err(|_| bad("this is not UTF-8"))
    }

    /// `(`, what `item` reads, as often as there is something, `)`.
    pub(crate) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Bad>,
    ) -> Result<Vec<T>, Bad> {
        self.expect(b'(')?;
        let mut items = Vec::new();
        loop {
            self.spaces();
            if self.eat(b')') {
                return Ok(items);
            }
            items.push(item(self)?);
            if !matches!(self.peek(), Some(b' ' | b')')) {
                return Err(bad("expected a space or ')'"));
            }
        }
    }
}

/// What `take_while` took of ASCII only.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// RFC 9051 §9, ATOM-CHAR.
pub(crate) fn is_atom_char(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// RFC 9051 §9, ASTRING-CHAR.
pub(crate) fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}
