//! Reduces a group of batches to one change a key.

use std::collections::BTreeMap;

use super::revive::Failure;
use crate::{Batch, Error, ErrorKind};

/// The last change of each key of a group; `None` removes it.
pub(crate) type Changes<'b> = BTreeMap<&'b [u8], Option<&'b [u8]>>;

/// Judges every expectation against what the batches before it leave, and merges the changes.
/// `stored` looks a key up in the state before the group.
pub(crate) fn settle(
    batches: &[Batch],
    stored: impl Fn(&[u8]) -> Result<Option<Vec<u8>>, Failure>,
) -> Result<Changes<'_>, Failure> {
    let mut changes = Changes::new();
    for batch in batches {
        for expect in &batch.expects {
            let holds = match changes.get(&expect.key[..]) {
                Some(changed) => expect.state.holds(*changed),
                None => expect.state.holds(stored(&expect.key)?.as_deref()),
            };
            if !holds {
                let conflict = Error::new(ErrorKind::Conflict, "an expectation did not hold");
                return Err(conflict.at(&expect.key).into());
            }
        }
        for op in &batch.ops {
            changes.insert(&op.key()[..], op.value().map(|value| &value[..]));
        }
    }
    Ok(changes)
}
