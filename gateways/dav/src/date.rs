//! Dates as HTTP and WebDAV write them, without allocation.

use std::time::UNIX_EPOCH;

use allod_model::Timestamp;

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
/// The years that both notations can write, as seconds since 1970: 0001-01-01 to 9999-12-31.
const SECS_RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

struct Civil {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    secs: i64,
}

/// The proleptic Gregorian date, by the usual reckoning in eras of 400 years that begin in March.
fn civil(time: Timestamp) -> Civil {
    let secs = time.secs().clamp(*SECS_RANGE.start(), *SECS_RANGE.end());
    let days = secs.div_euclid(86_400);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month: month as usize,
        day: day_of_year - (153 * march_month + 2) / 5 + 1,
        weekday: days.rem_euclid(7) as usize,
        secs: secs.rem_euclid(86_400),
    }
}

fn digits(out: &mut Vec<u8>, value: i64, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + (value / 10_i64.pow(place) % 10) as u8);
    }
}

fn clock(out: &mut Vec<u8>, secs: i64) {
    digits(out, secs / 3600, 2);
    out.push(b':');
    digits(out, secs / 60 % 60, 2);
    out.push(b':');
    digits(out, secs % 60, 2);
}

/// Appends an IMF-fixdate, RFC 9110 §5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn write_http_date(out: &mut Vec<u8>, time: Timestamp) {
    let civil = civil(time);
    out.extend_from_slice(DAYS[civil.weekday]);
    out.extend_from_slice(b", ");
    digits(out, civil.day, 2);
    out.push(b' ');
    out.extend_from_slice(MONTHS[civil.month - 1]);
    out.push(b' ');
    digits(out, civil.year, 4);
    out.push(b' ');
    clock(out, civil.secs);
    out.extend_from_slice(b" GMT");
}

/// Appends an RFC 3339 date and time as `creationdate` wants it: `1994-11-06T08:49:37Z`.
pub fn write_iso_date(out: &mut Vec<u8>, time: Timestamp) {
    let civil = civil(time);
    digits(out, civil.year, 4);
    out.push(b'-');
    digits(out, civil.month as i64, 2);
    out.push(b'-');
    digits(out, civil.day, 2);
    out.push(b'T');
    clock(out, civil.secs);
    out.push(b'Z');
}

/// An IMF-fixdate as text.
pub fn http_date(time: Timestamp) -> String {
    let mut out = Vec::with_capacity(29);
    write_http_date(&mut out, time);
    // **Invariant:** dates are ASCII.
    String::from_utf8(out).unwrap_or_default()
}

/// Reads any of the three date forms of RFC 9110 §5.6.7; `None` when it is none of them.
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    let moment = httpdate::parse_http_date(text.trim()).ok()?;
    let since = moment.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_secs(i64::try_from(since.as_secs()).ok()?))
}

/// Reads an RFC 3339 date and time in UTC or with an offset; `None` when it is not one.
pub fn parse_iso_date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let marks = [text.get(4..5)?, text.get(7..8)?, text.get(10..11)?, text.get(13..14)?, text.get(16..17)?];
    let in_range =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !matches!(marks, ["-", "-", "T" | "t" | " ", ":", ":"]) || !in_range {
        return None;
    }
    let mut zone = text.get(19..)?;
    if let Some(fraction) = zone.strip_prefix('.') {
        zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    let offset = match zone.as_bytes() {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let start = text.len() - zone.len();
            let minutes = number(start + 1..start + 3)? * 60 + number(start + 4..start + 6)?;
            if *sign == b'+' { minutes } else { -minutes }
        }
        _ => return None,
    };
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let day_of_year = (153 * m + 2) / 5 + day - 1;
    let days = y.div_euclid(400) * 146_097 + y.rem_euclid(400) * 365 + y.rem_euclid(400) / 4
        - y.rem_euclid(400) / 100
        + day_of_year
        - 719_468;
    Some(Timestamp::from_secs(days * 86_400 + hour * 3600 + minute * 60 + second - offset * 60))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn iso(time: Timestamp) -> String {
        let mut out = Vec::new();
        write_iso_date(&mut out, time);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_answers() {
        let time = Timestamp::from_secs(784_111_777);
        assert_eq!(http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(iso(time), "1994-11-06T08:49:37Z");
        assert_eq!(http_date(Timestamp::from_secs(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(Timestamp::from_secs(-1)), "Wed, 31 Dec 1969 23:59:59 GMT");
        assert_eq!(iso(Timestamp(i64::MAX)), "9999-12-31T23:59:59Z");
        assert_eq!(iso(Timestamp(i64::MIN)), "0001-01-01T00:00:00Z");
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(parse_http_date(text), Some(time), "{text}");
        }
        for text in ["1994-11-06T08:49:37Z", "1994-11-06T09:49:37.123+01:00", "1994-11-06t03:19:37-05:30"] {
            assert_eq!(parse_iso_date(text), Some(time), "{text}");
        }
        for text in
            ["", "1994-11-06", "1994-13-06T08:49:37Z", "1994-11-06T08:49:37", "+994-11-06T08:49:37Z", "€"]
        {
            assert_eq!(parse_iso_date(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_httpdate(secs in 0_i64..253_402_300_799) {
            let time = Timestamp::from_secs(secs);
            let theirs = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(secs as u64));
            prop_assert_eq!(http_date(time), theirs);
            prop_assert_eq!(parse_iso_date(&iso(time)), Some(time));
        }

        #[test]
        fn never_panics(text: String) {
            let _ = parse_iso_date(&text);
            let _ = parse_http_date(&text);
        }
    }
}
