//! The bytes of a message between DATA and the dot that ends it (RFC 5321 §4.5.2), and what BDAT carries.
//!
//! **Invariant:** nothing but CRLF.CRLF ends a message, and a message in which CR or LF stands alone is not taken. So a
//! message can hold no second one for a server that sees another end of line in it ("SMTP smuggling").

use crate::limits::{MESSAGE_BYTES_MAX, Share, TEXT_LINE_BYTES_MAX};

/// Why a message is not taken, though its end was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flaw {
    /// CR or LF stands alone.
    Bare,
    /// A line is too long.
    LongLine,
    /// Beyond SIZE.
    TooLarge,
    /// Too much is under way on other connections.
    NoRoom,
}

/// A message that arrives.
pub(crate) struct Arriving {
    bytes: Vec<u8>,
    share: Share,
    flaw: Option<Flaw>,
    /// All bytes that came, kept or not.
    came: usize,
    /// The last line ended as a line must.
    at_line_start: bool,
    /// In a line that is too long: the rest of it is thrown away.
    skipping: bool,
}

impl Arriving {
    /// Nothing yet.
    pub(crate) fn new(share: Share) -> Arriving {
        Arriving { bytes: Vec::new(), share, flaw: None, came: 0, at_line_start: true, skipping: false }
    }

    /// All bytes that came, kept or not.
    pub(crate) fn came(&self) -> usize {
        self.came
    }

    /// Takes what it can of `received` by the rules of DATA. Returns how many bytes those are and whether the message
    /// has ended; what follows then belongs to the next command.
    pub(crate) fn take_lines(&mut self, received: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(length) = memchr::memchr(b'\n', &received[at..]) {
            let line = &received[at..=at + length];
            at += length + 1;
            if self.take_line(line) {
                return (at, true);
            }
        }
        if received.len() - at > TEXT_LINE_BYTES_MAX {
            self.skipping = true;
            self.note(Flaw::LongLine);
        }
        if self.skipping {
            self.came += received.len() - at;
            at = received.len();
        }
        (at, false)
    }

    /// One line with its LF; `true` when it ends the message.
    fn take_line(&mut self, line: &[u8]) -> bool {
        self.came += line.len();
        if std::mem::take(&mut self.skipping) {
            self.at_line_start = line.ends_with(b"\r\n");
            return false;
        }
        if self.at_line_start && line == b".\r\n" {
            return true;
        }
        let text = line.strip_suffix(b"\r\n");
        if text.is_none_or(|text| memchr::memchr(b'\r', text).is_some()) {
            self.note(Flaw::Bare);
        }
        if line.len() > TEXT_LINE_BYTES_MAX {
            self.note(Flaw::LongLine);
        }
        // RFC 5321 §4.5.2: a first dot was added by the sender.
        let stuffed = self.at_line_start && line[0] == b'.';
        self.keep(if stuffed { &line[1..] } else { line });
        self.at_line_start = text.is_some();
        false
    }

    /// Takes bytes of a chunk as they are (RFC 3030 §2).
    pub(crate) fn take_chunk(&mut self, bytes: &[u8]) {
        self.came += bytes.len();
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.flaw.is_some() {
            return;
        }
        if self.bytes.len() + bytes.len() > MESSAGE_BYTES_MAX {
            return self.note(Flaw::TooLarge);
        }
        if !self.share.take(bytes.len()) {
            return self.note(Flaw::NoRoom);
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn note(&mut self, flaw: Flaw) {
        self.flaw.get_or_insert(flaw);
        self.bytes = Vec::new();
    }

    /// The message and its place among all that is held, or what is wrong with it.
    ///
    /// # Errors
    /// The first flaw.
    pub(crate) fn finish(mut self) -> Result<(Vec<u8>, Share), Flaw> {
        if let Some(flaw) = self.flaw {
            return Err(flaw);
        }
        if !self.bytes.is_empty() && !self.bytes.ends_with(b"\r\n") {
            // RFC 3030 allows a last line without its end; mail is lines.
            self.bytes.extend_from_slice(b"\r\n");
        }
        if has_bare(&self.bytes) {
            return Err(Flaw::Bare);
        }
        Ok((self.bytes, self.share))
    }
}

/// Whether CR or LF stands alone somewhere.
pub(crate) fn has_bare(bytes: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', b'\n', bytes).any(|at| match bytes[at] {
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => at == 0 || bytes[at - 1] != b'\r',
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Budget;

    /// Feeds it in pieces of `piece` bytes; what came out, and what is left when the message ended.
    fn feed(input: &[u8], piece: usize) -> (Option<Result<Vec<u8>, Flaw>>, Vec<u8>) {
        let mut arriving = Arriving::new(Budget::new(1 << 30).share());
        let mut received: Vec<u8> = Vec::new();
        for chunk in input.chunks(piece) {
            received.extend_from_slice(chunk);
            let (taken, ended) = arriving.take_lines(&received);
            received.drain(..taken);
            if ended {
                let came: usize = arriving.came();
                let rest = input[came..].to_vec();
                return (Some(arriving.finish().map(|(bytes, _)| bytes)), rest);
            }
        }
        (None, received)
    }

    #[test]
    fn only_one_end_of_data() {
        let good: &[(&[u8], &[u8], &[u8])] = &[
            (b".\r\n", b"", b""),
            (b"a: b\r\n\r\nc\r\n.\r\nQUIT\r\n", b"a: b\r\n\r\nc\r\n", b"QUIT\r\n"),
            (b"a: b\r\n\r\n..\r\n.c\r\n.\r\n", b"a: b\r\n\r\n.\r\nc\r\n", b""),
        ];
        for (input, message, rest) in good {
            for piece in [1, 2, 3, 1000] {
                let (done, left) = feed(input, piece);
                assert_eq!(done, Some(Ok(message.to_vec())), "{input:?}");
                assert_eq!(left, *rest);
            }
        }
    }

    /// What was published as SMTP smuggling, and its relatives: no end, and no message.
    #[test]
    fn smuggled_ends_are_none() {
        let ends: [&[u8]; 14] = [
            b"\n.\n",
            b"\n.\r\n",
            b"\r.\r\n",
            b"\r.\r",
            b"\r\n.\n",
            b"\r\n.\r",
            b"\r.\n",
            b"\n.\r",
            b"\r\n.\r\r\n",
            b"\r\n\0.\r\n",
            b"\r\n.\0\r\n",
            b"\r\r\n.\r\n",
            b"\r\n.\r\n\n",
            b"\n\r\n.\r\n",
        ];
        for end in ends {
            let after = b"MAIL FROM:<evil@example.org>\r\nx\r\n.\r\n";
            let input = [b"a: b\r\n\r\nc" as &[u8], end, after].concat();
            for piece in [1, 7, 1000] {
                let (done, _) = feed(&input, piece);
                let done = done.expect("the true end is found");
                let harmless = done == Err(Flaw::Bare)
                    // With a NUL beside it the dot is text; CRLF.CRLF is the end in any case.
                    || done.as_ref().is_ok_and(|bytes| bytes.windows(4).any(|w| w == b"evil") || end.ends_with(b".\r\n\n"));
                assert!(harmless, "{end:?}: {done:?}");
            }
        }
    }

    #[test]
    fn limits_hold() {
        let line = [vec![b'x'; 10 << 20], b"\r\n.\r\n".to_vec()].concat();
        assert_eq!(feed(&line, 1 << 16).0, Some(Err(Flaw::LongLine)));
        let mut arriving = Arriving::new(Budget::new(4).share());
        arriving.take_lines(b"abc\r\n.\r\n");
        assert_eq!(arriving.finish().err(), Some(Flaw::NoRoom));
        let mut chunks = Arriving::new(Budget::new(100).share());
        chunks.take_chunk(b"a: b\r");
        chunks.take_chunk(b"\n\r\n.\r\nc");
        assert_eq!(chunks.finish().ok().unwrap().0, b"a: b\r\n\r\n.\r\nc\r\n");
        let mut chunks = Arriving::new(Budget::new(100).share());
        chunks.take_chunk(b"a: b\n");
        assert_eq!(chunks.finish().err(), Some(Flaw::Bare));
    }

    /// What matters in a message, in any order.
    fn bytes() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
        use proptest::prelude::*;
        let piece = prop_oneof![
            Just("\r"),
            Just("\n"),
            Just("."),
            Just("\r\n"),
            Just("\r\n.\r\n"),
            Just("a"),
            Just("\0")
        ];
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest::proptest! {
        /// The end is the first CRLF.CRLF (the CRLF of DATA itself counts), however the bytes come; and a message that
        /// is taken has no CR or LF that stands alone.
        #[test]
        fn the_end_is_the_first_of_its_kind(input in bytes(), piece in 1usize..9) {
            let whole = [b"\r\n" as &[u8], &input].concat();
            let end = memchr::memmem::find(&whole, b"\r\n.\r\n").map(|at| at + 3);
            let (done, rest) = feed(&input, piece);
            proptest::prop_assert_eq!(done.is_some(), end.is_some());
            if let (Some(done), Some(end)) = (done, end) {
                proptest::prop_assert_eq!(&rest[..], &input[end..]);
                if let Ok(message) = done {
                    proptest::prop_assert!(!has_bare(&message));
                }
            }
        }
    }
}
