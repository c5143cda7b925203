//! Typed reading, the same from a view and from within a transaction.

use std::ops::ControlFlow;

use allod_meta::{Direction, KeyRange, Lookup};
use serde::de::DeserializeOwned;

use crate::fault::Res;
use crate::record::decode;

/// Looks at one row: the rest of its key, and its value.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Res<ControlFlow<()>> + 'a;

/// Reading records.
pub trait Records: Lookup {
    /// The record at `key`.
    fn record<T: DeserializeOwned>(&self, key: &[u8]) -> Res<Option<T>> {
        match self.get(key)? {
            Some(bytes) => Ok(Some(decode(&bytes)?)),
            None => Ok(None),
        }
    }

    /// Visits the rows of `range`, ascending; `visit` gets the key without its first `prefix` bytes.
    fn each(
        &self,
        range: &KeyRange,
        prefix: usize,
        mut visit: impl FnMut(&[u8], &[u8]) -> Res<ControlFlow<()>>,
    ) -> Res<()>
    where
        Self: Sized,
    {
        self.each_in(range, Direction::Forward, prefix, &mut visit)
    }

    /// As [`Records::each`], in either direction.
    fn each_in(
        &self,
        range: &KeyRange,
        direction: Direction,
        prefix: usize,
        visit: &mut Visit<'_>,
    ) -> Res<()> {
        let mut failed = None;
        self.scan(
            range,
            direction,
            &mut |key, value| match visit(key.get(prefix..).unwrap_or(&[]), value) {
                Ok(flow) => flow,
                Err(fault) => {
                    failed = Some(fault);
                    ControlFlow::Break(())
                }
            },
        )?;
        failed.map_or(Ok(()), Err)
    }
}

impl<T: Lookup + ?Sized> Records for T {}
