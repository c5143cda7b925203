//! The reading of a message.

use super::{Facts, addressable, structure};

/// Takes a message apart. It never fails: what is damaged is read as the usual servers read it, and what goes beyond the
/// limits of this module is one part or left out. Time is linear in the message.
pub fn read(bytes: &[u8]) -> Facts {
    let bytes = addressable(bytes);
    let (envelope, root) = structure::message(bytes);
    Facts { envelope, root, ..Facts::default() }
}
