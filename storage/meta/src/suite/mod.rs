//! What every engine must pass, and an engine that fails on demand.
//!
//! A check is a function of a [`Site`]: it opens the database there, perhaps several times, and panics
//! when the engine breaks the contract of [`Engine`] or the store above it does not hold its own.
//! [`crate::meta_suite!`] makes one test of each.

// A check that fails shall panic; that is what it is for.
#![allow(clippy::unwrap_used)]

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;

use crate::{Batch, Direction, Engine, Expect, Expected, Lookup, Op, Pair, Snapshot, Store};

pub mod engine;
pub mod failure;
pub mod faulty;
pub mod model;
pub mod store;

pub use faulty::Faulty;

/// A place where one database lives. Each check gets a fresh one.
pub trait Site: Sync {
    /// Opens the database; the one before has been closed.
    fn open(&self) -> Arc<dyn Engine>;

    /// Whether a second opening of an open database must be refused.
    fn locks(&self) -> bool {
        true
    }

    /// Opens the database that is already open; for engines that lock.
    fn open_again(&self) -> Option<crate::Error>;
}

/// Makes a module with one test for each check of the suite. `$site` is an expression for a fresh
/// [`Site`].
#[macro_export]
macro_rules! meta_suite {
    ($module:ident, $site:expr) => {
        $crate::meta_suite!(@ $module, $site, engine: [
            orders_keys_as_unsigned_bytes, scans_every_kind_of_bound, stops_when_told, reads_while_scanning,
            snapshots_do_not_change, applies_batches_in_order, judges_expectations, a_conflict_applies_nothing,
            keeps_the_largest_records, takes_the_largest_batch, reopens, is_opened_once,
            closing_is_final, reads_beside_a_writer
        ], store: [
            reads_what_is_queued, scans_what_is_queued, views_show_only_what_is_durable,
            groups_what_waits, runs_hooks_in_order_before_waking, counts_with_many_writers,
            reading_waits_for_what_it_read, keeps_the_limits, holds_writers_back,
            closing_commits_what_is_queued, wakes_asynchronous_waiters, lets_go_of_queued_writes,
            pages_by_prefix
        ], failure: [
            a_full_disk_fails_what_waits, a_body_on_failed_ground_runs_again, a_conflict_concerns_one_batch,
            a_panicking_body_changes_nothing, a_panicking_hook_harms_nobody, a_panicking_engine_fails_the_group,
            damage_is_never_data, verify_goes_on_after_damage, a_refused_write_cannot_commit,
            an_error_waits_for_its_ground
        ], model: [agrees_with_a_map, agrees_with_a_map_through_the_store]);
    };
    (@ $module:ident, $site:expr, $($part:ident: [$($check:ident),*]),*) => {
        mod $module {
            $(mod $part {
                #[allow(unused_imports)]
                use super::super::*;
                $(#[test] fn $check() { $crate::suite::$part::$check(&$site); })*
            })*
        }
    };
}

/// A batch of shard 1.
fn batch(ops: Vec<Op>) -> Batch {
    Batch { shard: 1, id: 0, expects: Vec::new(), ops }
}

fn put(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Op {
    Op::Put(Bytes::copy_from_slice(key.as_ref()), Bytes::copy_from_slice(value.as_ref()))
}

fn delete(key: impl AsRef<[u8]>) -> Op {
    Op::Delete(Bytes::copy_from_slice(key.as_ref()))
}

fn absent(key: &[u8]) -> Expect {
    Expect { key: Bytes::copy_from_slice(key), state: Expected::Absent }
}

fn value(key: &[u8], value: &[u8]) -> Expect {
    Expect { key: Bytes::copy_from_slice(key), state: Expected::Value(Bytes::copy_from_slice(value)) }
}

fn pair(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Pair {
    (key.as_ref().to_vec(), value.as_ref().to_vec())
}

fn scan(snapshot: &dyn Snapshot, from: Bound<&[u8]>, to: Bound<&[u8]>, dir: Direction) -> Vec<Pair> {
    let mut found = Vec::new();
    snapshot
        .scan(from, to, dir, &mut |key, value| {
            found.push(pair(key, value));
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

fn all(snapshot: &dyn Snapshot) -> Vec<Pair> {
    scan(snapshot, Bound::Unbounded, Bound::Unbounded, Direction::Forward)
}

fn read(store: &Store, key: &[u8]) -> Option<Vec<u8>> {
    store.view().unwrap().get(key).unwrap()
}

/// A generator of numbers that is the same everywhere: xorshift with a multiplier.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// A generator; equal seeds roll equal numbers.
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `sides`, which is not 0.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % sides
    }
}
