//! What a request says of its body: length, hashes, framing.

use allod_core::{Arrived, Checksum, ChecksumKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use crate::checksum;
use crate::error::{Code, Failure};

/// What `x-amz-content-sha256` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Payload {
    /// The body as it is, not signed.
    Unsigned,
    /// The body as it is; this is its SHA-256.
    Sha256([u8; 32]),
    /// In chunks (`aws-chunked`).
    Chunked {
        /// Each chunk has a signature.
        signed: bool,
        /// Trailers follow the final chunk.
        trailers: bool,
    },
}

impl Payload {
    /// Reads the header; absent, as in presigned URLs, the body is not signed.
    ///
    /// # Errors
    /// `InvalidArgument`, `NotImplemented`.
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Payload, Failure> {
        let Some(value) = headers.get("x-amz-content-sha256") else { return Ok(Payload::Unsigned) };
        let text = value.to_str().unwrap_or_default();
        match text {
            "UNSIGNED-PAYLOAD" => Ok(Payload::Unsigned),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(Payload::Chunked { signed: false, trailers: true }),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Ok(Payload::Chunked { signed: true, trailers: false }),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => {
                Ok(Payload::Chunked { signed: true, trailers: true })
            }
            _ if text.starts_with("STREAMING-AWS4-ECDSA") => {
                Err(Failure::not_implemented("Signature V4A is not implemented: use Signature Version 4"))
            }
            _ => parse_hex(text).map(Payload::Sha256).ok_or_else(|| {
                Failure::argument(
                    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                     STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid \
                     sha256 value.",
                )
                .fact("ArgumentName", "x-amz-content-sha256")
                .fact("ArgumentValue", text)
            }),
        }
    }
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok().filter(|d| !d.starts_with('+'))?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

/// Everything that a request says of its body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Claims {
    pub(crate) payload: Payload,
    /// Bytes of the content, framing aside.
    pub(crate) length: Option<u64>,
    pub(crate) md5: Option<[u8; 16]>,
    /// A checksum sent before the body.
    pub(crate) checksum: Option<(ChecksumKind, Vec<u8>)>,
    /// The checksum that will come behind the body.
    pub(crate) trailer: Option<ChecksumKind>,
    /// The connection tells where the body ends although nobody says how long it is.
    pub(crate) self_ending: bool,
}

impl Claims {
    /// Reads them.
    ///
    /// # Errors
    /// `InvalidDigest`, `InvalidRequest`, `InvalidArgument`, `MissingContentLength`.
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Claims, Failure> {
        let payload = Payload::parse(headers)?;
        let checksum = checksum::parse_headers(headers)?;
        let trailer = parse_trailer(headers, payload)?;
        check_algorithm(headers, checksum.as_ref().map(|(kind, _)| *kind).or(trailer))?;
        let length = match payload {
            Payload::Chunked { .. } => {
                let decoded = number(headers, "x-amz-decoded-content-length")?;
                Some(decoded.ok_or_else(|| {
                    let message = "You must provide the x-amz-decoded-content-length HTTP header.";
                    Failure::new(Code::MISSING_LENGTH, message)
                })?)
            }
            Payload::Unsigned | Payload::Sha256(_) => number(headers, CONTENT_LENGTH.as_str())?,
        };
        let self_ending = headers.contains_key(TRANSFER_ENCODING);
        Ok(Claims { payload, length, md5: parse_md5(headers)?, checksum, trailer, self_ending })
    }

    /// The checksum to take in passing: the one that is claimed, else the one that S3 gives every object.
    pub(crate) fn kind(&self) -> ChecksumKind {
        let claimed = self.checksum.as_ref().map(|(kind, _)| *kind);
        claimed.or(self.trailer).unwrap_or(ChecksumKind::Crc64Nvme)
    }

    /// Whether the client named a checksum of its own.
    pub(crate) fn names_checksum(&self) -> bool {
        self.checksum.is_some() || self.trailer.is_some()
    }

    /// Compares what arrived with what was said, and gives the checksum to keep.
    ///
    /// # Errors
    /// `BadDigest`, `XAmzContentSHA256Mismatch`, `MalformedTrailerError`.
    pub(crate) fn judge(&self, arrived: &Arrived, taken: Taken) -> Result<Checksum, Failure> {
        self.judge_md5(arrived.md5)?;
        self.judge_taken(&taken)?;
        Ok(Checksum { kind: taken.kind, composite: false, value: taken.checksum })
    }

    /// Compares the MD5, where one was claimed.
    pub(crate) fn judge_md5(&self, md5: Option<[u8; 16]>) -> Result<(), Failure> {
        match self.md5 {
            Some(claimed) if md5 != Some(claimed) => Err(Failure::new(
                Code::BAD_DIGEST,
                "The Content-MD5 you specified did not match what we received.",
            )),
            _ => Ok(()),
        }
    }

    fn judge_taken(&self, taken: &Taken) -> Result<(), Failure> {
        if let Payload::Sha256(claimed) = self.payload
            && taken.sha256 != Some(claimed)
        {
            let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            return Err(Failure::new(Code::SHA256_MISMATCH, message));
        }
        let bad = || {
            let message = format!(
                "The {} you specified did not match the calculated checksum.",
                checksum::algorithm(taken.kind)
            );
            Failure::new(Code::BAD_DIGEST, message)
        };
        if self.checksum.as_ref().is_some_and(|(_, claimed)| *claimed != taken.checksum) {
            return Err(bad());
        }
        let Some(kind) = self.trailer else { return Ok(()) };
        let sent = taken.trailers.iter().find(|(name, _)| name == checksum::header(kind));
        let (_, text) = sent.ok_or_else(|| {
            let message = "The trailer announced by x-amz-trailer did not come.";
            Failure::new(Code::MALFORMED_TRAILER, message)
        })?;
        match checksum::decode(kind, text)? == taken.checksum {
            true => Ok(()),
            false => Err(bad()),
        }
    }
}

/// What was taken of a body in passing.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) sha256: Option<[u8; 32]>,
    pub(crate) kind: ChecksumKind,
    pub(crate) checksum: Vec<u8>,
    /// A second one, where another is to be kept.
    pub(crate) kept: Option<(ChecksumKind, Vec<u8>)>,
    pub(crate) trailers: Vec<(String, String)>,
}

fn number(headers: &HeaderMap, name: &'static str) -> Result<Option<u64>, Failure> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    match text.parse() {
        Ok(number) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(Some(number)),
        _ => Err(Failure::argument(format!("{name} is not a number of bytes"))),
    }
}

fn parse_md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>, Failure> {
    let Some(value) = headers.get("content-md5") else { return Ok(None) };
    let decoded = STANDARD.decode(value.as_bytes().trim_ascii()).ok();
    let md5 = decoded.and_then(|bytes| bytes.try_into().ok());
    md5.map(Some)
        .ok_or_else(|| Failure::new(Code::INVALID_DIGEST, "The Content-MD5 you specified was invalid."))
}

fn parse_trailer(headers: &HeaderMap, payload: Payload) -> Result<Option<ChecksumKind>, Failure> {
    let Some(value) = headers.get("x-amz-trailer") else { return Ok(None) };
    if !matches!(payload, Payload::Chunked { trailers: true, .. }) {
        return Err(Failure::request("x-amz-trailer needs x-amz-content-sha256 to be STREAMING-…-TRAILER"));
    }
    let mut found = None;
    for name in value.to_str().unwrap_or_default().split(',') {
        let kind = checksum::kind_of_header(name).ok_or_else(|| {
            Failure::request("The value specified in the x-amz-trailer header is not supported")
        })?;
        if found.replace(kind).is_some() {
            return Err(Failure::request("Expecting a single x-amz-checksum- trailer."));
        }
    }
    Ok(found)
}

/// What an SDK announces must be there.
fn check_algorithm(headers: &HeaderMap, named: Option<ChecksumKind>) -> Result<(), Failure> {
    let Some(value) = headers.get("x-amz-sdk-checksum-algorithm") else { return Ok(()) };
    let wanted = checksum::parse_algorithm(value.to_str().unwrap_or_default())
        .ok_or_else(|| Failure::request("Value for x-amz-sdk-checksum-algorithm header is invalid."))?;
    match named {
        Some(kind) if kind == wanted => Ok(()),
        Some(_) => Err(Failure::request("Value for x-amz-sdk-checksum-algorithm header is invalid.")),
        None => Err(Failure::request(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers \
             were found.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&'static str, &str)]) -> Result<Claims, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        Claims::parse(&headers).map_err(|failure| failure.code.into_owned())
    }

    const CHUNKED: (&str, &str) = ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");

    #[test]
    fn what_is_malformed_is_refused() {
        let table: &[(&[(&'static str, &str)], &str)] = &[
            (&[("content-md5", "x")], "InvalidDigest"),
            (&[("content-md5", "")], "InvalidDigest"),
            (&[("content-md5", "YWJyYWNhZGFicmE=")], "InvalidDigest"),
            (&[("x-amz-content-sha256", "abc")], "InvalidArgument"),
            (&[("x-amz-content-sha256", &"+1".repeat(32))], "InvalidArgument"),
            (&[("x-amz-content-sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")], "NotImplemented"),
            (&[("content-length", "-1")], "InvalidArgument"),
            (&[CHUNKED], "MissingContentLength"),
            (&[CHUNKED, ("x-amz-decoded-content-length", "+5")], "InvalidArgument"),
            (&[CHUNKED, ("x-amz-trailer", "x-other")], "InvalidRequest"),
            (&[("x-amz-trailer", "x-amz-checksum-crc32")], "InvalidRequest"),
            (&[("x-amz-sdk-checksum-algorithm", "CRC32")], "InvalidRequest"),
            (&[("x-amz-sdk-checksum-algorithm", "MD9")], "InvalidRequest"),
        ];
        for (pairs, code) in table {
            assert_eq!(parse(pairs), Err((*code).to_owned()), "{pairs:?}");
        }
    }

    #[test]
    fn what_differs_is_found() {
        let zeros = || Taken {
            sha256: None,
            kind: ChecksumKind::Crc32,
            checksum: vec![0; 4],
            kept: None,
            trailers: vec![],
        };
        let arrived = Arrived { size: 0, md5: Some([0; 16]) };
        let judge = |pairs: &[(&'static str, &str)], taken: Taken| {
            let outcome = parse(pairs).unwrap().judge(&arrived, taken);
            outcome.map(|checksum| checksum.value).map_err(|failure| failure.code.into_owned())
        };
        let right = Ok(vec![0; 4]);
        assert_eq!(judge(&[("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")], zeros()), right);
        let bad = Err("BadDigest".to_owned());
        assert_eq!(judge(&[("content-md5", "BAAAAAAAAAAAAAAAAAAAAA==")], zeros()), bad);
        assert_eq!(judge(&[("x-amz-checksum-crc32", "AAAAAA==")], zeros()), right);
        assert_eq!(judge(&[("x-amz-checksum-crc32", "BAAAAA==")], zeros()), bad);
        let hash = ["00"; 32].concat();
        let mismatch = Err("XAmzContentSHA256Mismatch".to_owned());
        assert_eq!(judge(&[("x-amz-content-sha256", &hash)], zeros()), mismatch);
        assert_eq!(
            judge(&[("x-amz-content-sha256", &hash)], Taken { sha256: Some([0; 32]), ..zeros() }),
            right
        );
        let trailer =
            [CHUNKED, ("x-amz-decoded-content-length", "0"), ("x-amz-trailer", "x-amz-checksum-crc32")];
        assert_eq!(judge(&trailer, zeros()), Err("MalformedTrailerError".into()));
        let sent = |text: &str| vec![("x-amz-checksum-crc32".to_owned(), text.to_owned())];
        assert_eq!(judge(&trailer, Taken { trailers: sent("AAAAAA=="), ..zeros() }), right);
        assert_eq!(judge(&trailer, Taken { trailers: sent("BAAAAA=="), ..zeros() }), bad);
        assert_eq!(judge(&trailer, Taken { trailers: sent("A"), ..zeros() }), bad);
    }
}
