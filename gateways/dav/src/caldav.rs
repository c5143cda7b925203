//! CalDAV (RFC 4791).

pub(crate) mod attachments;
pub(crate) mod data;
pub(crate) mod filter;
pub(crate) mod freebusy;
pub(crate) mod inbox;
pub(crate) mod inbox_settings;
pub(crate) mod mkcalendar;
pub(crate) mod multiget;
pub(crate) mod outbox;
pub(crate) mod props;
pub(crate) mod query;
pub(crate) mod timezones;
