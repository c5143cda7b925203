//! Making answers: ids of requests, documents, and what every answer carries.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use allod_kit::{ResponseBody, empty_body, full_body};
use allod_model::Timestamp;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SERVER};
use http::{Response, StatusCode};

use crate::xml::Xml;

/// Names a request in answers and error documents, so that a person can find it in the log. Not secret.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(String);

impl RequestId {
    /// A new one: a number that no other request of this process has, mixed with one that tells processes apart.
    pub(crate) fn new() -> RequestId {
        static PROCESS: OnceLock<u64> = OnceLock::new();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let process = *PROCESS.get_or_init(|| RandomState::new().build_hasher().finish());
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        RequestId(format!("{:016X}", process.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15))))
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Puts on an answer what every answer has.
pub(crate) fn finish(response: &mut Response<ResponseBody>, id: &RequestId) {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert("x-amz-id-2", value.clone());
        headers.insert("x-amz-request-id", value);
    }
    headers.insert(SERVER, HeaderValue::from_static("allod"));
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(empty_body());
    *response.status_mut() = status;
    response
}

/// An answer that is a document.
pub(crate) fn document(xml: Xml) -> Response<ResponseBody> {
    let mut response = Response::new(full_body(xml.finish()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// Sets a header, if the value can stand in one.
pub(crate) fn set(headers: &mut HeaderMap, name: &'static str, value: impl AsRef<str>) {
    if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// A time as documents write it: `2009-10-12T17:50:30.000Z`.
pub(crate) fn iso_time(time: Timestamp) -> String {
    let (date, clock) = civil(time);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.0,
        date.1,
        date.2,
        clock / 3600,
        clock / 60 % 60,
        clock % 60,
        time.0.rem_euclid(1000)
    )
}

/// The proleptic Gregorian date and the second of the day, by the usual reckoning in eras of 400 years that begin in
/// March.
fn civil(time: Timestamp) -> ((i64, i64, i64), i64) {
    let (days, clock) = (time.secs().div_euclid(86_400), time.secs().rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    ((year, month, day_of_year - (153 * march_month + 2) / 5 + 1), clock)
}

/// A time as headers write it (RFC 9110 §5.6.7), to the second.
pub(crate) fn http_time(time: Timestamp) -> String {
    let secs = u64::try_from(time.secs()).unwrap_or(0);
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(secs))
}

/// Reads a time from a header, in any of the three forms of RFC 9110 §5.6.7.
pub(crate) fn parse_http_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    // Python writes the zone of UTC in numbers.
    let named =
        ["-0000", "+0000"].iter().find_map(|zone| text.strip_suffix(zone)).map(|day| format!("{day}GMT"));
    let moment = httpdate::parse_http_date(named.as_deref().unwrap_or(text)).ok()?;
    let since = moment.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_secs(i64::try_from(since.as_secs()).ok()?))
}

/// Reads a time as documents write it: RFC 3339, in UTC or with an offset, with or without fractions of a second.
pub(crate) fn parse_iso_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let marks = (text.get(4..5)?, text.get(7..8)?);
    if marks != ("-", "-") || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (mut secs, mut millis) = (0, 0);
    if let Some(mut zone) = text.get(10..).filter(|rest| !rest.is_empty()) {
        let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
        let marks = (zone.get(..1)?, text.get(13..14)?, text.get(16..17)?);
        if !matches!(marks, ("T" | "t" | " ", ":", ":")) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        zone = zone.get(9..)?;
        if let Some(fraction) = zone.strip_prefix('.') {
            let digits: String = fraction.chars().take_while(char::is_ascii_digit).collect();
            zone = &fraction[digits.len()..];
            millis = format!("{digits:0<3}").get(..3)?.parse().ok()?;
        }
        let offset = match zone.as_bytes() {
            b"Z" | b"z" => 0,
            [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
                let start = text.len() - zone.len();
                let minutes = number(start + 1..start + 3)? * 60 + number(start + 4..start + 6)?;
                if *sign == b'+' { minutes } else { -minutes }
            }
            _ => return None,
        };
        secs = hour * 3600 + minute * 60 + second - offset * 60;
    }
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let day_of_year = (153 * m + 2) / 5 + day - 1;
    let days = y.div_euclid(400) * 146_097 + y.rem_euclid(400) * 365 + y.rem_euclid(400) / 4
        - y.rem_euclid(400) / 100
        + day_of_year
        - 719_468;
    Some(Timestamp((days * 86_400 + secs) * 1000 + millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ() {
        let (one, two) = (RequestId::new(), RequestId::new());
        assert_ne!(one.as_str(), two.as_str());
        assert_eq!(one.as_str().len(), 16);
    }

    #[test]
    fn times_there_and_back() {
        for (text, millis) in [
            ("2009-10-12T17:50:30.000Z", 1_255_369_830_000),
            ("1970-01-01T00:00:00.001Z", 1),
            ("2024-02-29T23:59:59.999Z", 1_709_251_199_999),
        ] {
            assert_eq!(iso_time(Timestamp(millis)), text);
            assert_eq!(parse_iso_time(text), Some(Timestamp(millis)), "{text}");
        }
        assert_eq!(parse_iso_time("2009-10-12T19:50:30+02:00"), Some(Timestamp(1_255_369_830_000)));
        assert_eq!(parse_iso_time("2009-10-12T17:50:30.5Z"), Some(Timestamp(1_255_369_830_500)));
        assert_eq!(parse_iso_time("2009-10-12"), Some(Timestamp(1_255_305_600_000)));
        for wrong in
            ["", "2009", "2009-13-12T17:50:30Z", "2009-10-12T17:50", "2009-10-12T17:50:30", "é009-10-12"]
        {
            assert_eq!(parse_iso_time(wrong), None, "{wrong}");
        }
        let time = parse_http_time("Mon, 12 Oct 2009 17:50:30 GMT").unwrap();
        assert_eq!((time.0, http_time(time).as_str()), (1_255_369_830_000, "Mon, 12 Oct 2009 17:50:30 GMT"));
    }
}
