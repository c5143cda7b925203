//! The lexical pieces of structured fields: comments, quoted strings, atoms (RFC 5322 §3.2, obsolete forms included).

/// Reads a field's value; it need not be unfolded.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What the last comment said.
    pub(super) comment: Vec<u8>,
    /// A comment that does not end was found: parentheses mean nothing from there on. So is each byte read once.
    open_comment: bool,
    /// Likewise for quotes.
    open_quote: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Lexer { bytes, at: 0, comment: Vec::new(), open_comment: false, open_quote: false }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn go_to(&mut self, position: usize) {
        self.at = position;
    }

    pub(super) fn skip(&mut self) {
        self.at = (self.at + 1).min(self.bytes.len());
    }

    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Passes white space and comments; the text of the last comment is kept.
    pub(super) fn skip_cfws(&mut self) {
        loop {
            match self.peek() {
                Some(byte) if is_white(byte) => self.at += 1,
                Some(b'(') => self.skip_comment(),
                _ => return,
            }
        }
    }

    fn skip_comment(&mut self) {
        let start = self.at;
        if self.open_comment {
            self.at += 1;
            return;
        }
        self.comment.clear();
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'(' => {
                    depth += 1;
                    if depth == 1 {
                        continue;
                    }
                }
                b')' => {
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                b'\\' => {
                    if let Some(quoted) = self.peek() {
                        self.comment.push(quoted);
                        self.at += 1;
                    }
                    continue;
                }
                b'\r' | b'\n' => continue,
                _ => {}
            }
            self.comment.push(byte);
        }
        self.comment.clear();
        self.open_comment = true;
        self.at = start + 1;
    }

    /// Adds the quoted string that begins here. False: it does not end; only the quote is passed over.
    pub(super) fn quoted(&mut self, out: &mut Vec<u8>) -> bool {
        let (start, length) = (self.at, out.len());
        self.at += 1;
        if self.open_quote {
            return false;
        }
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => return true,
                b'\\' => {
                    if let Some(quoted) = self.peek() {
                        out.push(quoted);
                        self.at += 1;
                    }
                }
                b'\r' | b'\n' => {}
                _ => out.push(byte),
            }
        }
        out.truncate(length);
        self.open_quote = true;
        self.at = start + 1;
        false
    }

    /// The bytes here that are `allowed`.
    pub(super) fn run(&mut self, allowed: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| !allowed(*byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }
}

pub(super) fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// An atom's characters; all beyond ASCII are among them (RFC 6532).
pub(super) fn is_atom(byte: u8) -> bool {
    !matches!(
        byte,
        0..=b' '
            | 127
            | b'"'
            | b'('
            | b')'
            | b','
            | b'.'
            | b':'
            | b';'
            | b'<'
            | b'>'
            | b'@'
            | b'['
            | b'\\'
            | b']'
    )
}

/// The characters of a token of MIME (RFC 2045 §5.1).
pub(super) fn is_token(byte: u8) -> bool {
    !matches!(
        byte,
        0..=b' '
            | 127
            | b'"'
            | b'('
            | b')'
            | b','
            | b'/'
            | b':'
            | b';'
            | b'<'
            | b'='
            | b'>'
            | b'?'
            | b'@'
            | b'['
            | b'\\'
            | b']'
    )
}
