//! When a bucket's rules will remove an object: reads and writes say it beforehand.
//!
//! The rules are applied in the first round after a midnight (UTC), so that is the time that is told. Days are of 24
//! hours here, also where the server was told to take shorter ones for a test.

use allod_meta::Lookup;
use allod_model::{NodeId, Path, Timestamp};

use crate::fault::Res;
use crate::keys::Keys;
use crate::lifecycle::own_time;
use crate::log::time_from;
use crate::object::{BucketSettings, LifecycleRule};
use crate::reading::Records;
use crate::record::{AccountState, Entry, File};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

impl LifecycleRule {
    /// Whether it is about this key, and this file; a delete marker has no tags and no size.
    pub(crate) fn concerns(&self, key: &[u8], file: Option<&File>) -> bool {
        let prefix = self.prefix.as_deref().unwrap_or("").as_bytes();
        let tags = file.and_then(|file| file.object.as_ref()).map_or(&[][..], |object| &object.tags);
        key.starts_with(prefix)
            && self.tags.iter().all(|tag| tags.contains(tag))
            && self.larger_than.is_none_or(|size| file.is_some_and(|file| file.size > size))
            && self.smaller_than.is_none_or(|size| file.is_some_and(|file| file.size < size))
    }

    /// Whether it removes what keys show.
    pub(crate) fn expires_objects(&self) -> bool {
        self.enabled && (self.days.is_some() || self.date.is_some())
    }

    /// When it lets go of an object whose age counts from `since`.
    fn lets_go(&self, since: Timestamp) -> Option<Timestamp> {
        let aged = self.days.map(|days| {
            let end = since.0.saturating_add(i64::from(days).saturating_mul(DAY_MS));
            Timestamp(end.saturating_add(DAY_MS - 1).div_euclid(DAY_MS).saturating_mul(DAY_MS))
        });
        aged.into_iter().chain(self.date).min()
    }
}

/// When the first of a bucket's rules lets go of what `path` shows, and the name of that rule. `written`: when the
/// entry was written, where the log cannot tell yet.
pub fn expiry(
    rows: &impl Lookup,
    keys: Keys,
    bucket: NodeId,
    path: &Path,
    entry: &Entry,
    written: Option<Timestamp>,
) -> Res<Option<(Timestamp, String)>> {
    let settings: BucketSettings = rows.record(&keys.bucket(bucket))?.unwrap_or_default();
    let key = path.names()[1..].iter().map(|name| name.as_bytes()).collect::<Vec<_>>().join(&b'/');
    let concerned = |rule: &LifecycleRule| rule.expires_objects() && rule.concerns(&key, entry.file());
    let rules: Vec<_> = settings.lifecycle.into_iter().filter(concerned).collect();
    if rules.is_empty() {
        return Ok(None);
    }
    let written = match written {
        Some(written) => Some(written),
        None => {
            let state: AccountState = rows.record(&keys.state())?.unwrap_or_default();
            let known = entry.order() > state.horizon;
            if known { time_from(rows, keys, entry.order())? } else { None }
        }
    };
    let since = own_time(entry).max(written.unwrap_or(Timestamp(i64::MIN)));
    let ends = rules.into_iter().filter_map(|rule| Some((rule.lets_go(since)?, rule.id)));
    Ok(ends.min_by_key(|(time, _)| *time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_midnight_after_the_last_day() {
        let rule =
            |days, date: Option<i64>| LifecycleRule { days, date: date.map(Timestamp), ..Default::default() };
        let table = [
            (rule(Some(1), None), 0, Some(DAY_MS)),
            (rule(Some(1), None), 1, Some(2 * DAY_MS)),
            (rule(Some(3), None), DAY_MS - 1, Some(4 * DAY_MS)),
            (rule(None, Some(7 * DAY_MS)), 5, Some(7 * DAY_MS)),
            (rule(None, None), 5, None),
        ];
        for (rule, since, end) in table {
            assert_eq!(rule.lets_go(Timestamp(since)), end.map(Timestamp), "{rule:?} {since}");
        }
    }
}
