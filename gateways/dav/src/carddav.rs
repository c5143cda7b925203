//! CardDAV (RFC 6352).

pub(crate) mod data;
pub(crate) mod filter;
pub(crate) mod multiget;
pub(crate) mod props;
pub(crate) mod query;
