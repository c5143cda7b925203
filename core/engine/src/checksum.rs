//! Checksums that clients of objects keep and compare: taken in a stream, and put together from those of parts.

use crc_fast::CrcAlgorithm;
use sha2::Digest as _;

use crate::object::{Checksum, ChecksumKind};

/// A checksum being taken.
pub enum Hasher {
    /// One of the CRCs.
    Crc(ChecksumKind, crc_fast::Digest),
    /// SHA-1.
    Sha1(sha1::Sha1),
    /// SHA-256.
    Sha256(sha2::Sha256),
}

impl Hasher {
    /// Which is taken.
    pub fn kind(&self) -> ChecksumKind {
        match self {
            Hasher::Crc(kind, _) => *kind,
            Hasher::Sha1(_) => ChecksumKind::Sha1,
            Hasher::Sha256(_) => ChecksumKind::Sha256,
        }
    }

    /// Begins one.
    pub fn new(kind: ChecksumKind) -> Hasher {
        match (kind, algorithm(kind)) {
            (kind, Some(algorithm)) => Hasher::Crc(kind, crc_fast::Digest::new(algorithm)),
            (ChecksumKind::Sha1, None) => Hasher::Sha1(sha1::Sha1::new()),
            (_, None) => Hasher::Sha256(sha2::Sha256::new()),
        }
    }

    /// Takes in some bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Crc(_, crc) => crc.update(bytes),
            Hasher::Sha1(sha) => sha.update(bytes),
            Hasher::Sha256(sha) => sha.update(bytes),
        }
    }

    /// The checksum of all bytes so far.
    pub fn finish(self) -> Checksum {
        let (kind, value) = match self {
            Hasher::Crc(kind, crc) => (kind, crc_bytes(kind, crc.finalize())),
            Hasher::Sha1(sha) => (ChecksumKind::Sha1, sha.finalize().to_vec()),
            Hasher::Sha256(sha) => (ChecksumKind::Sha256, sha.finalize().to_vec()),
        };
        Checksum { kind, composite: false, value }
    }
}

/// Whether the checksum of a whole can be found from those of its parts.
pub fn is_combinable(kind: ChecksumKind) -> bool {
    algorithm(kind).is_some()
}

/// The checksum of a whole from those of its parts, in order, each with its length in bytes. `composite`: taken over
/// the parts' checksums instead. `None` when a part lacks it, or when it cannot be found this way.
pub fn join<'c>(
    kind: ChecksumKind,
    composite: bool,
    parts: impl IntoIterator<Item = (Option<&'c Checksum>, u64)>,
) -> Option<Checksum> {
    let parts = parts.into_iter().map(|(checksum, size)| {
        let checksum = checksum.filter(|checksum| checksum.kind == kind && !checksum.composite)?;
        Some((checksum.value.as_slice(), size))
    });
    if composite {
        let mut hasher = Hasher::new(kind);
        for part in parts {
            hasher.update(part?.0);
        }
        return Some(Checksum { composite: true, ..hasher.finish() });
    }
    let algorithm = algorithm(kind)?;
    let mut whole = None;
    for part in parts {
        let (value, size) = part?;
        let crc = crc_value(value)?;
        whole = Some(match whole {
            None => crc,
            Some(whole) => crc_fast::checksum_combine(algorithm, whole, crc, size),
        });
    }
    Some(Checksum { kind, composite: false, value: crc_bytes(kind, whole?) })
}

fn algorithm(kind: ChecksumKind) -> Option<CrcAlgorithm> {
    match kind {
        ChecksumKind::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
        ChecksumKind::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
        ChecksumKind::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
        ChecksumKind::Sha1 | ChecksumKind::Sha256 => None,
    }
}

fn crc_bytes(kind: ChecksumKind, crc: u64) -> Vec<u8> {
    let bytes = crc.to_be_bytes();
    match kind {
        ChecksumKind::Crc64Nvme => bytes.to_vec(),
        _ => bytes[4..].to_vec(),
    }
}

fn crc_value(bytes: &[u8]) -> Option<u64> {
    if bytes.len() > 8 {
        return None;
    }
    Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::hex;

    const ALL: [ChecksumKind; 5] = [
        ChecksumKind::Crc32,
        ChecksumKind::Crc32c,
        ChecksumKind::Crc64Nvme,
        ChecksumKind::Sha1,
        ChecksumKind::Sha256,
    ];

    fn of(kind: ChecksumKind, bytes: &[u8]) -> Checksum {
        let mut hasher = Hasher::new(kind);
        bytes.chunks(5).for_each(|piece| hasher.update(piece));
        hasher.finish()
    }

    #[test]
    fn known_answers() {
        let check = b"123456789";
        let sha256 = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225";
        let known =
            ["cbf43926", "e3069283", "ae8b14860a799888", "f7c3bc1d808e04732adf679965ccc34ca7ae3441", sha256];
        for (kind, known) in ALL.into_iter().zip(known) {
            assert_eq!(hex(&of(kind, check).value), known);
        }
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let bytes: Vec<u8> = (0..5000u32).map(|n| ((n * n) >> 3) as u8).collect();
        for cuts in [vec![0, 5000], vec![0, 1, 5000], vec![0, 0, 1234, 1234, 4999, 5000, 5000]] {
            let parts: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            for kind in ALL {
                let sums: Vec<_> = parts.iter().map(|part| of(kind, part)).collect();
                let pairs = || sums.iter().map(Some).zip(parts.iter().map(|part| part.len() as u64));
                let whole = is_combinable(kind).then(|| of(kind, &bytes));
                assert_eq!(join(kind, false, pairs()), whole, "{kind:?} {cuts:?}");
                let values: Vec<u8> = sums.iter().flat_map(|sum| sum.value.clone()).collect();
                let composite = Checksum { composite: true, ..of(kind, &values) };
                assert_eq!(join(kind, true, pairs()), Some(composite), "{kind:?} {cuts:?}");
            }
        }
        assert_eq!(join(ChecksumKind::Crc32, true, [(None, 3)]), None);
    }
}
