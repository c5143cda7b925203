//! Published calendars: `/calendars/TOKEN.ics`, for whoever has the link, without login.

/// What stands before the token in the path of a published calendar.
pub const PUBLISHED_PREFIX: &str = "/calendars/";
/// What stands behind it.
pub const PUBLISHED_SUFFIX: &str = ".ics";
