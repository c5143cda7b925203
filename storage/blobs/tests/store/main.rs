//! The store as a whole, from outside.

#![allow(clippy::unwrap_used)]

mod common;
mod crash;
mod fixtures;
mod local;
mod properties;
mod s3;
mod suite;
