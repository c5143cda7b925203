//! Moments as people write them.

use allod_model::{Timestamp, parse_duration_secs};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads a moment: `2026-11-24T18:30:00Z`, `2026-11-24 18:30`, `2026-11-24` (local time where no offset is given), or
/// an age such as `2h` or `3d`, counted back from `now`. `None` when it is none of these.
pub fn parse_moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(secs) = parse_duration_secs(text) {
        return Some(now.plus_secs(-i64::try_from(secs).ok()?));
    }
    if let Ok(exact) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp(exact.as_millisecond()));
    }
    let civil: DateTime = text.parse().ok()?;
    let exact = TimeZone::system().to_timestamp(civil).ok()?;
    Some(Timestamp(exact.as_millisecond()))
}

/// Writes a moment in RFC 3339, UTC, with milliseconds.
pub fn show_moment(time: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(time.0) {
        Ok(moment) => format!("{moment:.3}"),
        Err(_) => time.0.to_string(),
    }
}
