//! Version ids on the wire: `null`, or the number of the commit in 16 hexadecimal digits.

use allod_core::VersionId;
use allod_model::Seq;

use crate::error::Failure;

/// The version that a commit wrote, 0 being the null version.
pub(crate) fn version_text(seq: u64) -> String {
    match seq {
        0 => "null".to_owned(),
        seq => format!("{seq:016x}"),
    }
}

/// A version id as text.
pub(crate) fn version_id_text(version: VersionId) -> String {
    match version {
        VersionId::Null => "null".to_owned(),
        VersionId::Seq(seq) => version_text(seq.0),
    }
}

/// Reads a version id.
///
/// # Errors
/// `InvalidArgument` when it is none.
pub(crate) fn parse_version_id(text: &str) -> Result<VersionId, Failure> {
    if text == "null" {
        return Ok(VersionId::Null);
    }
    let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
    match u64::from_str_radix(text, 16) {
        Ok(seq) if digits && seq != 0 => Ok(VersionId::Seq(Seq(seq))),
        _ => Err(Failure::argument("Invalid version id specified")
            .fact("ArgumentName", "versionId")
            .fact("ArgumentValue", text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for version in [VersionId::Null, VersionId::Seq(Seq(1)), VersionId::Seq(Seq(u64::MAX))] {
            assert_eq!(parse_version_id(&version_id_text(version)).unwrap(), version);
        }
        for wrong in
            ["", "NULL", "0", "0000000000000000", "000000000000000g", "00000000000000001", "+000000000000001"]
        {
            assert!(parse_version_id(wrong).is_err(), "{wrong}");
        }
    }
}
