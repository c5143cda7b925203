//! Dates (RFC 9051 §9, `date-time`).

use allod_model::Timestamp;

use crate::wire::Output;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;
const DAYS_OF_400_YEARS: i64 = 146_097;
const DAY_SECS: i64 = 86_400;
/// The last moment of the year 9999: a date has four digits for the year.
const LAST_SECS: i64 = 253_402_300_799;
/// The first moment of the year 0.
const FIRST_SECS: i64 = -62_167_219_200;

/// `"17-Jul-1996 02:44:25 +0000"`. Moments are kept without a zone, so all are told in UTC.
pub(crate) fn date_time(out: &mut Output, time: Timestamp) {
    let secs = time.secs().clamp(FIRST_SECS, LAST_SECS);
    let (days, second) = (secs.div_euclid(DAY_SECS), secs.rem_euclid(DAY_SECS));
    let (year, month, day) = civil(days);
    let mut text = *b"\"00-Jan-0000 00:00:00 +0000\"";
    two_digits(&mut text[1..3], day);
    text[4..7].copy_from_slice(MONTHS[month as usize - 1].as_bytes());
    two_digits(&mut text[8..10], year / 100);
    two_digits(&mut text[10..12], year % 100);
    two_digits(&mut text[13..15], second / 3600);
    two_digits(&mut text[16..18], second / 60 % 60);
    two_digits(&mut text[19..21], second % 60);
    out.raw(text);
}

fn two_digits(place: &mut [u8], number: i64) {
    place[0] = b'0' + (number / 10 % 10) as u8;
    place[1] = b'0' + (number % 10) as u8;
}

/// Year, month and day of a day counted from 1970-01-01; years begin in March here, so that the leap day is the last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let era = days.div_euclid(DAYS_OF_400_YEARS);
    let of_era = days.rem_euclid(DAYS_OF_400_YEARS);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}
