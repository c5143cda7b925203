//! The checksums of the S3 API: their names, how they are written, and taking them in passing.

use allod_core::{Checksum, ChecksumKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use crate::error::{Code, Failure};
use crate::xml::Xml;

/// How an algorithm is called in headers, in `x-amz-checksum-algorithm`, and in documents.
struct Names {
    kind: ChecksumKind,
    header: &'static str,
    algorithm: &'static str,
    element: &'static str,
    bytes: usize,
}

const NAMES: [Names; 5] = [
    Names {
        kind: ChecksumKind::Crc32,
        header: "x-amz-checksum-crc32",
        algorithm: "CRC32",
        element: "ChecksumCRC32",
        bytes: 4,
    },
    Names {
        kind: ChecksumKind::Crc32c,
        header: "x-amz-checksum-crc32c",
        algorithm: "CRC32C",
        element: "ChecksumCRC32C",
        bytes: 4,
    },
    Names {
        kind: ChecksumKind::Crc64Nvme,
        header: "x-amz-checksum-crc64nvme",
        algorithm: "CRC64NVME",
        element: "ChecksumCRC64NVME",
        bytes: 8,
    },
    Names {
        kind: ChecksumKind::Sha1,
        header: "x-amz-checksum-sha1",
        algorithm: "SHA1",
        element: "ChecksumSHA1",
        bytes: 20,
    },
    Names {
        kind: ChecksumKind::Sha256,
        header: "x-amz-checksum-sha256",
        algorithm: "SHA256",
        element: "ChecksumSHA256",
        bytes: 32,
    },
];

fn names(kind: ChecksumKind) -> &'static Names {
    // **Invariant:** the table has a row for each kind; the test below goes through them.
    NAMES.iter().find(|names| names.kind == kind).unwrap_or(&NAMES[0])
}

/// The header that carries such a checksum.
pub(crate) fn header(kind: ChecksumKind) -> &'static str {
    names(kind).header
}

/// The algorithm's name in `x-amz-checksum-algorithm`.
pub(crate) fn algorithm(kind: ChecksumKind) -> &'static str {
    names(kind).algorithm
}

/// The element that carries such a checksum in documents.
pub(crate) fn element(kind: ChecksumKind) -> &'static str {
    names(kind).element
}

/// Whether a checksum is the value of the whole content or is made of its parts'.
pub(crate) fn type_name(composite: bool) -> &'static str {
    if composite { "COMPOSITE" } else { "FULL_OBJECT" }
}

/// Reads an algorithm's name, in any case.
pub(crate) fn parse_algorithm(text: &str) -> Option<ChecksumKind> {
    NAMES.iter().find(|names| names.algorithm.eq_ignore_ascii_case(text.trim())).map(|names| names.kind)
}

/// The kind that a header's or a trailer's name stands for.
pub(crate) fn kind_of_header(name: &str) -> Option<ChecksumKind> {
    NAMES.iter().find(|names| names.header.eq_ignore_ascii_case(name.trim())).map(|names| names.kind)
}

/// Writes a checksum's bytes.
pub(crate) fn encode(value: &[u8]) -> String {
    STANDARD.encode(value)
}

/// A checksum as answers show it: with the number of parts behind a composite one.
pub(crate) fn shown(checksum: &Checksum, parts: u32) -> String {
    match checksum.composite && parts > 0 {
        true => format!("{}-{parts}", encode(&checksum.value)),
        false => encode(&checksum.value),
    }
}

/// Reads a checksum's bytes.
///
/// # Errors
/// `BadDigest` when it is not Base64 or has another length than the algorithm's.
pub(crate) fn decode(kind: ChecksumKind, text: &str) -> Result<Vec<u8>, Failure> {
    match STANDARD.decode(text.trim()) {
        Ok(value) if value.len() == names(kind).bytes => Ok(value),
        // No body has such a checksum.
        _ => Err(Failure::new(Code::BAD_DIGEST, format!("Value for {} header is invalid.", header(kind)))),
    }
}

/// The checksum that the headers carry.
///
/// # Errors
/// `InvalidRequest` for more than one, and for one that is malformed or of an algorithm that is not known.
pub(crate) fn parse_headers(headers: &HeaderMap) -> Result<Option<(ChecksumKind, Vec<u8>)>, Failure> {
    const ABOUT: [&str; 3] = ["x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"];
    let mut found = None;
    for (name, value) in headers {
        if !name.as_str().starts_with("x-amz-checksum-") || ABOUT.contains(&name.as_str()) {
            continue;
        }
        let Some(kind) = kind_of_header(name.as_str()) else {
            let message =
                format!("The checksum of {name} is not supported: use CRC64NVME, CRC32C or another one");
            return Err(Failure::request(message));
        };
        if found.is_some() {
            let message =
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
            return Err(Failure::request(message));
        }
        // A composite value has the number of its parts behind it.
        let text = value.to_str().unwrap_or_default();
        let text = text.split_once('-').map_or(text, |(value, _)| value);
        found = Some((kind, decode(kind, text)?));
    }
    Ok(found)
}

/// Writes a checksum as an element of a document.
pub(crate) fn write_into(xml: &mut Xml, checksum: Option<&Checksum>, parts: u32) {
    if let Some(checksum) = checksum {
        xml.plain(element(checksum.kind), shown(checksum, parts));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of "123456789": the catalogue of parametrised CRC algorithms, and FIPS 180-4.
    #[test]
    fn known_values() {
        let table = [
            (ChecksumKind::Crc32, "cbf43926"),
            (ChecksumKind::Crc32c, "e3069283"),
            (ChecksumKind::Crc64Nvme, "ae8b14860a799888"),
            (ChecksumKind::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (ChecksumKind::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ];
        for (kind, wanted) in table {
            let mut summer = allod_core::ChecksumHasher::new(kind);
            summer.update(b"1234");
            summer.update(b"56789");
            let value = summer.finish().value;
            let digits: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(digits, wanted, "{kind:?}");
            assert_eq!(decode(kind, &encode(&value)).unwrap(), value);
            assert_eq!(
                (parse_algorithm(algorithm(kind)), kind_of_header(header(kind))),
                (Some(kind), Some(kind))
            );
        }
    }

    #[test]
    fn headers() {
        let parse = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            parse_headers(&headers).map_err(|failure| failure.code.into_owned())
        };
        let wrong = Err("InvalidRequest".to_owned());
        assert_eq!(parse(&[("x-amz-checksum-mode", "ENABLED")]), Ok(None));
        let crc = vec![0xcb, 0xf4, 0x39, 0x26];
        assert_eq!(
            parse(&[("x-amz-checksum-crc32", "y/Q5Jg==")]),
            Ok(Some((ChecksumKind::Crc32, crc.clone())))
        );
        assert_eq!(parse(&[("x-amz-checksum-crc32", "y/Q5Jg==-3")]), Ok(Some((ChecksumKind::Crc32, crc))));
        for value in ["", "y/Q5Jg", "y/Q5", "y/Q5Jgxx=="] {
            let parsed = parse(&[("x-amz-checksum-crc32", value)]);
            assert_eq!(parsed, Err("BadDigest".to_owned()), "no body has the checksum {value}");
        }
        assert_eq!(parse(&[("x-amz-checksum-md5", "y/Q5Jg==")]), wrong);
        assert_eq!(
            parse(&[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-crc32c", "y/Q5Jg==")]),
            wrong
        );
        assert_eq!(
            parse(&[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-crc32", "y/Q5Jg==")]),
            wrong
        );
    }
}
