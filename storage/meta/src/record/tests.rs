//! The stored shape of a record.

use proptest::prelude::*;

use super::{TRAILER_BYTES, open, open_owned, payload, seal};
use crate::ErrorKind;

/// What released versions have written must stay readable; this is what version 1 wrote.
#[test]
fn version_1_is_what_it_was() {
    let stored = seal(b"key", b"payload");
    assert_eq!(&stored[..], b"payload\x01\x1c\x3c\x20\xb7");
    assert_eq!(open(b"key", &stored).unwrap(), b"payload");
}

#[test]
fn a_later_version_is_not_guessed_at() {
    let mut stored = b"payload\x02".to_vec();
    let sum = super::checksum(b"key", b"payload", 2);
    stored.extend_from_slice(&sum.to_le_bytes());
    let err = open(b"key", &stored).unwrap_err();
    assert_eq!((err.kind, err.key.as_deref()), (ErrorKind::Corrupt, Some(&b"key"[..])));
}

proptest! {
    #[test]
    fn comes_back(key in proptest::collection::vec(any::<u8>(), 1..40), value in proptest::collection::vec(any::<u8>(), 0..200)) {
        let stored = seal(&key, &value);
        prop_assert_eq!(stored.len(), value.len() + TRAILER_BYTES);
        prop_assert_eq!(open(&key, &stored).unwrap(), &value[..]);
        prop_assert_eq!(open_owned(&key, stored.to_vec()).unwrap(), &value[..]);
        prop_assert_eq!(payload(&stored), &value[..]);
    }

    #[test]
    fn does_not_pass_for_another(key in "[a-c]{1,4}", value in "[a-c]{0,4}", other in "[a-c]{1,4}") {
        prop_assume!(key != other);
        let stored = seal(key.as_bytes(), value.as_bytes());
        prop_assert_eq!(open(other.as_bytes(), &stored).unwrap_err().kind, ErrorKind::Corrupt);
    }
}
