//! `aws-chunked` bodies: chunks with or without signatures, and trailers.
//!
//! "Signature calculations for the Authorization header: transferring payload in multiple chunks" of the S3 API
//! reference. The bytes pass through as they come; a chunk's signature is compared when its last byte has passed, and
//! nothing is published before the final chunk and the trailers have been found right.

use allod_model::Timestamp;
use bytes::{Buf, Bytes};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::error::{Code, Failure};

/// Longest line that begins a chunk, in bytes.
const CHUNK_LINE_BYTES_MAX: usize = 512;
/// All trailers together, in bytes.
const TRAILER_BYTES_MAX: usize = 4 * 1024;
/// The largest chunk, in bytes: that of the largest part.
const CHUNK_BYTES_MAX: u64 = allod_core::PART_BYTES_MAX;
/// SHA-256 of nothing.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What a request's signature leaves behind for signing its chunks.
#[derive(Clone)]
pub(crate) struct ChunkSigner {
    /// The key derived for day, region and service.
    key: [u8; 32],
    /// `x-amz-date`, to the letter.
    time: String,
    /// `DATE/REGION/s3/aws4_request`.
    scope: String,
    /// The signature before the next chunk's: at first the request's.
    previous: String,
}

impl ChunkSigner {
    /// For a request signed at `time` in `scope` with the signature `seed`.
    pub(crate) fn new(secret: &str, time: &str, scope: &str, seed: &str) -> ChunkSigner {
        let first = format!("AWS4{secret}").into_bytes();
        let key = scope.split('/').fold(first, |key, word| hmac(&key, word.as_bytes()).to_vec());
        // **Invariant:** HMAC-SHA-256 has 32 bytes; a scope is never empty.
        let key = key.try_into().unwrap_or_default();
        ChunkSigner { key, time: time.to_owned(), scope: scope.to_owned(), previous: seed.to_owned() }
    }

    /// The signature of a policy or of any other text with this key.
    pub(crate) fn sign(&self, text: &str) -> String {
        hex(&hmac(&self.key, text.as_bytes()))
    }

    /// Compares the next chunk's signature, given the hash of its bytes.
    fn check_chunk(&mut self, hash: &str, claimed: &str) -> bool {
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{EMPTY_SHA256}\n{hash}",
            self.time, self.scope, self.previous
        );
        self.check(&text, claimed)
    }

    /// Compares the trailers' signature.
    fn check_trailer(&mut self, trailers: &str, claimed: &str) -> bool {
        let hash = hex(&Sha256::digest(trailers.as_bytes()));
        let text =
            format!("AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{hash}", self.time, self.scope, self.previous);
        self.check(&text, claimed)
    }

    fn check(&mut self, text: &str, claimed: &str) -> bool {
        let right = self.sign(text);
        let same = same_text(&right, claimed);
        self.previous = right;
        same
    }
}

/// Compares two signatures in constant time.
pub(crate) fn same_text(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    // **Invariant:** HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key will do");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// Hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut digits, byte| {
        // **Invariant:** writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// A time as Signature V4 writes it, `20130524T000000Z`, as seconds.
pub(crate) fn parse_amz_time(text: &str) -> Option<Timestamp> {
    let separated = match (text.get(..4), text.get(4..6), text.get(6..11), text.get(11..13), text.get(13..)) {
        (Some(year), Some(month), Some(day), Some(minute), Some(rest)) if text.len() == 16 => {
            format!("{year}-{month}-{day}:{minute}:{rest}")
        }
        _ => return None,
    };
    crate::answer::parse_iso_time(&separated)
}

/// Takes the framing off a body, piece by piece.
pub(crate) struct Dechunker {
    /// `None`: chunks come without signatures.
    signer: Option<ChunkSigner>,
    /// Trailers may follow the final chunk.
    has_trailers: bool,
    state: State,
    /// A line that has not ended yet.
    line: Vec<u8>,
    /// What the present chunk's line claims as its signature, and the hash of what came of it.
    claimed: String,
    hash: Sha256,
    trailers: Vec<(String, String)>,
    trailer_bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Before or inside the line that begins a chunk.
    Line,
    /// So many bytes of the chunk are to come.
    Data(u64),
    /// The line end behind a chunk.
    DataEnd,
    /// Behind the final chunk.
    Trailers,
    /// Behind the empty line.
    Done,
}

impl Dechunker {
    /// For a body of chunks signed by `signer`, or not signed.
    pub(crate) fn new(signer: Option<ChunkSigner>, has_trailers: bool) -> Dechunker {
        Dechunker {
            signer,
            has_trailers,
            state: State::Line,
            line: Vec::new(),
            claimed: String::new(),
            hash: Sha256::new(),
            trailers: Vec::new(),
            trailer_bytes: 0,
        }
    }

    /// The next piece of content in `input`, which is advanced; `None` once `input` is used up.
    ///
    /// # Errors
    /// `InvalidRequest` for broken framing, `SignatureDoesNotMatch`, `MalformedTrailerError`.
    pub(crate) fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, Failure> {
        while !input.is_empty() {
            match self.state {
                State::Data(left) => {
                    let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let piece = input.split_to(length);
                    if self.signer.is_some() {
                        self.hash.update(&piece);
                    }
                    let left = left - length as u64;
                    self.state = State::Data(left);
                    if left == 0 {
                        self.check_chunk()?;
                        self.state = State::DataEnd;
                    }
                    return Ok(Some(piece));
                }
                State::Line => {
                    if let Some(line) = self.take_line(input, CHUNK_LINE_BYTES_MAX)? {
                        self.begin_chunk(&line)?;
                    }
                }
                State::DataEnd => {
                    if let Some(line) = self.take_line(input, CHUNK_LINE_BYTES_MAX)? {
                        if !line.is_empty() {
                            return Err(broken("a chunk is longer than its line says"));
                        }
                        self.state = State::Line;
                    }
                }
                State::Trailers => {
                    if let Some(line) = self.take_line(input, TRAILER_BYTES_MAX)? {
                        self.take_trailer(&line)?;
                    }
                }
                // Some clients send one line end too many.
                State::Done if input.iter().all(|byte| matches!(byte, b'\r' | b'\n')) => input.clear(),
                State::Done => return Err(broken("there is something behind the final chunk")),
            }
        }
        Ok(None)
    }

    /// The trailers, once the body has ended.
    ///
    /// # Errors
    /// `IncompleteBody` when the final chunk did not come; `SignatureDoesNotMatch` when the trailers are not signed.
    pub(crate) fn finish(&mut self) -> Result<Vec<(String, String)>, Failure> {
        if self.state == State::Trailers {
            // A last line may lack its end, and so may the empty line behind it.
            let line = std::mem::take(&mut self.line);
            self.take_trailer(line.strip_suffix(b"\r").unwrap_or(&line))?;
            if self.state == State::Trailers {
                self.end_trailers()?;
            }
        }
        if self.state != State::Done {
            return Err(Failure::new(
                Code::INCOMPLETE_BODY,
                "The request body terminated unexpectedly: the final chunk is missing",
            ));
        }
        Ok(std::mem::take(&mut self.trailers))
    }

    /// A line without its end, once it is there.
    fn take_line(&mut self, input: &mut Bytes, max: usize) -> Result<Option<Vec<u8>>, Failure> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let length = end.unwrap_or(input.len());
        if self.line.len() + length > max {
            return Err(broken("a line is too long"));
        }
        self.line.extend_from_slice(&input[..length]);
        input.advance(length);
        if end.is_none() {
            return Ok(None);
        }
        input.advance(1);
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(line))
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Result<(), Failure> {
        let line = std::str::from_utf8(line).map_err(|_| broken("a chunk's line is not text"))?;
        let (size, extensions) = line.split_once(';').unwrap_or((line, ""));
        let size = size.trim();
        let digits = !size.is_empty() && size.len() <= 16 && size.bytes().all(|b| b.is_ascii_hexdigit());
        let size = match u64::from_str_radix(size, 16) {
            Ok(size) if digits && size <= CHUNK_BYTES_MAX => size,
            _ => return Err(broken("a chunk has no size, or is too large")),
        };
        let signature = extensions.split(';').find_map(|one| one.trim().strip_prefix("chunk-signature="));
        if self.signer.is_some() {
            signature.ok_or_else(|| broken("a chunk has no signature"))?.clone_into(&mut self.claimed);
        }
        if size > 0 {
            self.state = State::Data(size);
            return Ok(());
        }
        self.check_chunk()?;
        self.state = State::Trailers;
        Ok(())
    }

    fn check_chunk(&mut self) -> Result<(), Failure> {
        let Some(signer) = &mut self.signer else { return Ok(()) };
        let hash = hex(&self.hash.finalize_reset());
        match signer.check_chunk(&hash, &self.claimed) {
            true => Ok(()),
            false => Err(mismatch("a chunk")),
        }
    }

    fn take_trailer(&mut self, line: &[u8]) -> Result<(), Failure> {
        if line.is_empty() {
            return self.end_trailers();
        }
        let malformed = || {
            Failure::new(
                Code::MALFORMED_TRAILER,
                "The request contained trailing data that was not well-formed or did not conform to our published \
                 schema.",
            )
        };
        self.trailer_bytes += line.len();
        if !self.has_trailers || self.trailer_bytes > TRAILER_BYTES_MAX {
            return Err(malformed());
        }
        let line = std::str::from_utf8(line).map_err(|_| malformed())?;
        let (name, value) = line.split_once(':').ok_or_else(malformed)?;
        self.trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Ok(())
    }

    fn end_trailers(&mut self) -> Result<(), Failure> {
        self.state = State::Done;
        let is_signature = |(name, _): &(String, String)| name == "x-amz-trailer-signature";
        let claimed = self.trailers.iter().position(is_signature).map(|at| self.trailers.remove(at).1);
        let Some(signer) = self.signer.as_mut().filter(|_| self.has_trailers) else { return Ok(()) };
        self.trailers.sort();
        let canonical: String =
            self.trailers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        match signer.check_trailer(&canonical, &claimed.unwrap_or_default()) {
            true => Ok(()),
            false => Err(mismatch("the trailers")),
        }
    }
}

fn broken(why: &'static str) -> Failure {
    Failure::request(format!("The aws-chunked body is malformed: {why}"))
}

fn mismatch(what: &str) -> Failure {
    let message = format!("The signature of {what} does not match the signature we calculated.");
    Failure::new(Code::SIGNATURE_MISMATCH, message)
}

#[cfg(test)]
mod tests;
