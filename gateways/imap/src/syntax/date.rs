//! Dates and times (RFC 9051 §9).

use allod_model::Timestamp;
use jiff::civil::{Date, DateTime};

use super::cursor::Cursor;
use super::{Bad, bad};

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
/// Most seconds that a zone may be away from UTC.
const ZONE_SECS_MAX: i64 = 24 * 3600;

/// `date`: `1-Feb-1994`, with or without quotes.
pub(crate) fn date(cursor: &mut Cursor<'_>) -> Result<Date, Bad> {
    let text = cursor.astring()?;
    let mut inner = Cursor::new(&text);
    let date = date_text(&mut inner)?;
    inner.end()?;
    Ok(date)
}

/// `date-time`: `"17-Jul-1996 02:44:25 -0700"`, the day with a leading space or zero.
pub(crate) fn date_time(cursor: &mut Cursor<'_>) -> Result<Timestamp, Bad> {
    let wrong = || bad("expected a date such as \"17-Jul-1996 02:44:25 -0700\"");
    let text = cursor.string()?;
    let mut inner = Cursor::new(&text);
    inner.spaces();
    let date = date_text(&mut inner)?;
    inner.space()?;
    let [hour, minute, second] = clock(&mut inner)?;
    inner.space()?;
    let sign = if inner.eat(b'-') { -1 } else { 1 };
    if sign == 1 {
        inner.expect(b'+')?;
    }
    let digits = inner.rest();
    let zone = i64::from(inner.number()?);
    inner.end()?;
    if digits.len() < 4 || zone % 100 > 59 {
        return Err(wrong());
    }
    let offset = sign * (zone / 100 * 3600 + zone % 100 * 60);
    if offset.abs() > ZONE_SECS_MAX {
        return Err(wrong());
    }
    // A leap second is the second before it.
    let time = DateTime::new(date.year(), date.month(), date.day(), hour, minute, second.min(59), 0);
    let zoned = time.and_then(|time| jiff::tz::TimeZone::UTC.to_timestamp(time)).map_err(|_| wrong())?;
    Ok(Timestamp::from_secs(zoned.as_second() - offset))
}

fn clock(cursor: &mut Cursor<'_>) -> Result<[i8; 3], Bad> {
    let mut parts = [0; 3];
    for (n, part) in parts.iter_mut().enumerate() {
        if n > 0 {
            cursor.expect(b':')?;
        }
        *part =
            i8::try_from(cursor.number()?).ok().filter(|p| *p <= 60).ok_or_else(|| bad("expected a time"))?;
    }
    Ok(parts)
}

fn date_text(cursor: &mut Cursor<'_>) -> Result<Date, Bad> {
    let wrong = || bad("expected a date such as 1-Feb-1994");
    let day = i8::try_from(cursor.number()?).map_err(|_| wrong())?;
    cursor.expect(b'-')?;
    let rest = cursor.rest();
    let name = rest.get(..3).ok_or_else(wrong)?.to_ascii_uppercase();
    let month = MONTHS.iter().position(|m| m.as_bytes() == name).ok_or_else(wrong)?;
    for byte in &rest[..3] {
        cursor.expect(*byte)?;
    }
    cursor.expect(b'-')?;
    let year = i16::try_from(cursor.number()?).map_err(|_| wrong())?;
    // Invariant: there are twelve months.
    Date::new(year, month as i8 + 1, day).map_err(|_| wrong())
}
