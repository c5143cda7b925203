//! Answers on their way to the client.

use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::transport::Transport;
use crate::syntax::mailbox;

/// Bytes of answers that are gathered before they leave.
const GATHERED_BYTES: usize = 64 * 1024;
/// Longest string that is sent quoted; longer ones are literals, which clients read faster.
const QUOTED_BYTES_MAX: usize = 1000;

/// What the client enabled (RFC 5161).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Enabled {
    pub(crate) condstore: bool,
    /// Implies `condstore` (RFC 7162 §3.2.3).
    pub(crate) qresync: bool,
    pub(crate) utf8_accept: bool,
    pub(crate) imap4rev2: bool,
}

impl Enabled {
    /// Whether quoted strings and mailbox names are UTF-8 (RFC 6855 §3, RFC 9051 §5.1).
    pub(crate) fn utf8(self) -> bool {
        self.utf8_accept || self.imap4rev2
    }
}

/// Answers, gathered so that small ones leave in one write. Every method adds to what is gathered; [`Output::flow`]
/// and [`Output::stream`] send when it is much.
pub(crate) struct Output {
    gathered: Vec<u8>,
    transport: Transport,
    enabled: Enabled,
    /// What was sent ends with a line, outside of any literal.
    at_line_end: bool,
}

impl Output {
    /// For one connection.
    pub(crate) fn new(transport: Transport) -> Output {
        Output { gathered: Vec::new(), transport, enabled: Enabled::default(), at_line_end: true }
    }

    /// What the client enabled.
    pub(crate) fn enabled(&self) -> Enabled {
        self.enabled
    }

    /// The client enabled something.
    pub(crate) fn set_enabled(&mut self, enabled: Enabled) {
        self.enabled = enabled;
    }

    /// Protocol text as it is: `* `, spaces, parentheses, atoms, line ends.
    pub(crate) fn raw(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        self.gathered.extend_from_slice(text.as_ref());
        self
    }

    /// CRLF.
    pub(crate) fn end(&mut self) -> &mut Self {
        self.raw("\r\n")
    }

    /// A number.
    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        let mut buffer = itoa::Buffer::new();
        self.raw(buffer.format(number))
    }

    /// A string in the shortest form that can hold it: quoted, else a literal (RFC 9051 §4.3). NUL cannot be sent and
    /// becomes U+FFFD or `?`; [`Output::literal8`] takes it.
    pub(crate) fn string(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        let text = text.as_ref();
        let found = text.iter().fold(0, |found, byte| found | kind_of(*byte));
        // RFC 9051 §9: QUOTED-CHAR is UTF-8 only for who enabled it.
        let readable = found & BEYOND_ASCII == 0 || self.enabled.utf8() && std::str::from_utf8(text).is_ok();
        if text.len() > QUOTED_BYTES_MAX || found & NEVER_QUOTED != 0 || !readable {
            return self.literal(text);
        }
        self.gathered.reserve(text.len() + 2);
        self.gathered.push(b'"');
        if found & ESCAPED == 0 {
            self.gathered.extend_from_slice(text);
        } else {
            for part in text.split_inclusive(|byte| matches!(byte, b'"' | b'\\')) {
                match part.split_last() {
                    Some((special @ (b'"' | b'\\'), plain)) => self.raw(plain).raw([b'\\', *special]),
                    _ => self.raw(part),
                };
            }
        }
        self.gathered.push(b'"');
        self
    }

    /// A string or NIL.
    pub(crate) fn nstring(&mut self, text: Option<impl AsRef<[u8]>>) -> &mut Self {
        match text {
            Some(text) => self.string(text),
            None => self.raw("NIL"),
        }
    }

    /// An atom where the text is one, else a string.
    pub(crate) fn astring(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        let text = text.as_ref();
        let atom = !text.is_empty() && text.iter().all(|byte| is_atom_char(*byte));
        // RFC 9051 §9: nothing in the grammar forbids an atom NIL here; clients stumble over it.
        if atom && !text.eq_ignore_ascii_case(b"NIL") { self.raw(text) } else { self.string(text) }
    }

    /// `{n}` and the bytes. NUL is replaced, so that the length stays right.
    pub(crate) fn literal(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        self.raw("{").number(bytes.len() as u64).raw("}\r\n");
        // RFC 9051 §9, CHAR8: any octet except NUL.
        if bytes.contains(&0) {
            self.gathered.extend(bytes.iter().map(|byte| if *byte == 0 { b'?' } else { *byte }));
            return self;
        }
        self.raw(bytes)
    }

    /// `~{n}` and the bytes, NUL included (RFC 3516 §4.2).
    pub(crate) fn literal8(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        self.raw("~{").number(bytes.len() as u64).raw("}\r\n").raw(bytes)
    }

    /// A mailbox's name, UTF-8 given, in the form that this client reads (RFC 3501 §5.1.3, RFC 6855 §3).
    pub(crate) fn mailbox(&mut self, name: &str) -> &mut Self {
        if self.enabled.utf8() { self.astring(name) } else { self.astring(mailbox::encode(name)) }
    }

    /// Bytes of memory that are kept.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.gathered.capacity()
    }

    /// Sends what is gathered when it is much. To be called after each line, at the latest.
    ///
    /// # Errors
    /// The connection's.
    pub(crate) async fn flow(&mut self) -> io::Result<()> {
        if self.gathered.len() < GATHERED_BYTES {
            return Ok(());
        }
        // More will come: the memory stays.
        let mut memory = std::mem::take(&mut self.gathered);
        self.send(&memory).await?;
        memory.clear();
        self.gathered = memory;
        Ok(())
    }

    /// Sends what is gathered.
    ///
    /// # Errors
    /// The connection's.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        // An idle connection keeps no buffer.
        let gathered = std::mem::take(&mut self.gathered);
        self.send(&gathered).await
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.at_line_end = false;
        self.transport.write(bytes).await?;
        self.at_line_end = bytes.last() == Some(&b'\n');
        Ok(())
    }

    /// What `print` adds, set aside instead.
    pub(crate) fn aside(&mut self, print: impl FnOnce(&mut Output)) -> Vec<u8> {
        let gathered = std::mem::take(&mut self.gathered);
        print(self);
        std::mem::replace(&mut self.gathered, gathered)
    }

    /// Forgets what is gathered. Whether something else can be said in its place: not in the middle of a line or a
    /// literal.
    pub(crate) fn abandon(&mut self) -> bool {
        self.gathered = Vec::new();
        self.at_line_end
    }

    /// `{size}` and then so many bytes of a stream, at the client's pace; `binary` sends `~{size}`.
    ///
    /// # Errors
    /// The connection's. When the stream fails or gives another number of bytes, the answer cannot be completed any
    /// more: that too is an error, and the connection ends.
    pub(crate) async fn stream<S>(&mut self, size: u64, binary: bool, mut bytes: S) -> io::Result<()>
    where
        S: Stream<Item = allod_model::Result<Bytes>> + Unpin,
    {
        self.raw(if binary { "~{" } else { "{" }).number(size).raw("}\r\n");
        let mut left = size;
        while let Some(piece) = bytes.next().await {
            self.at_line_end = false;
            let piece = piece.map_err(|error| io::Error::other(format!("content ended: {error}")))?;
            left =
                left.checked_sub(piece.len() as u64).ok_or_else(|| io::Error::other("too much content"))?;
            if piece.len() >= GATHERED_BYTES {
                self.flush().await?;
                self.at_line_end = false;
                self.transport.write(&piece).await?;
            } else {
                self.raw(&piece);
                self.flow().await?;
            }
        }
        if left > 0 { Err(io::Error::other("too little content")) } else { Ok(()) }
    }
}

const NEVER_QUOTED: u8 = 1;
const ESCAPED: u8 = 2;
const BEYOND_ASCII: u8 = 4;

/// What a byte demands of a string that holds it; without branches, so that many bytes are judged at once.
fn kind_of(byte: u8) -> u8 {
    let never = (byte == 0) | (byte == b'\r') | (byte == b'\n');
    let escaped = (byte == b'"') | (byte == b'\\');
    (u8::from(never) * NEVER_QUOTED) | (u8::from(escaped) * ESCAPED) | ((byte >> 7) * BEYOND_ASCII)
}

/// RFC 9051 §9, ASTRING-CHAR, without `{`, `%`, `*` and the like.
fn is_atom_char(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\')
}
