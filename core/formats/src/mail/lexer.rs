//! The lexical pieces of structured fields: comments, quoted strings, atoms (RFC 5322 §3.2, obsolete forms included).

/// Reads a field's value; it need not be unfolded.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What the last comment said.
    pub(super) comment: Vec<u8>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Lexer { bytes, at: 0, comment: Vec::new() }
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

    /// Passes white space and comments; the text of the last comment is kept. False: a comment did not end.
    pub(super) fn skip_cfws(&mut self) -> bool {
        loop {
            match self.peek() {
                Some(byte) if is_white(byte) => self.at += 1,
                Some(b'(') => {
                    if !self.skip_comment() {
                        return false;
                    }
                }
                _ => return true,
            }
        }
    }

    fn skip_comment(&mut self) -> bool {
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
                        return true;
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
        false
    }

    /// The quoted string that begins here; false when it did not end.
    pub(super) fn quoted(&mut self, out: &mut Vec<u8>) -> bool {
        self.at += 1;
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
