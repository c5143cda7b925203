//! DURATION and UTC-OFFSET (RFC 5545 §3.3.6, §3.3.14).

use std::fmt;

/// A span of time with a nominal part (days by the calendar) and an exact part (seconds). Both carry the sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Duration {
    /// Days by the calendar; a day may have 23 or 25 hours.
    pub days: i64,
    /// Exact seconds.
    pub seconds: i64,
}

impl Duration {
    /// Reads `P1DT2H`, `-PT15M`, `P2W` and mixtures of weeks with the rest, which the grammar forbids and people write.
    pub fn parse(text: &str) -> Option<Duration> {
        let text = text.trim();
        let (sign, text) = match text.as_bytes().first()? {
            b'-' => (-1, &text[1..]),
            b'+' => (1, &text[1..]),
            _ => (1, text),
        };
        let rest = text.strip_prefix(['P', 'p'])?;
        let mut duration = Duration::default();
        let mut number: Option<i64> = None;
        let mut in_time = false;
        for byte in rest.bytes() {
            match byte {
                b'0'..=b'9' => {
                    let grown = number.unwrap_or(0) * 10 + i64::from(byte - b'0');
                    // Ten digits of seconds are three hundred years.
                    number = Some(grown).filter(|grown| *grown < 10_000_000_000);
                    number?;
                }
                b'T' | b't' if !in_time && number.is_none() => in_time = true,
                unit => {
                    let count = number.take()?;
                    match (unit.to_ascii_uppercase(), in_time) {
                        (b'W', false) => duration.days += count * 7,
                        (b'D', false) => duration.days += count,
                        (b'H', true) => duration.seconds += count * 3600,
                        (b'M', true) => duration.seconds += count * 60,
                        (b'S', true) => duration.seconds += count,
                        _ => return None,
                    }
                }
            }
        }
        let whole = number.is_none() && !rest.is_empty();
        whole.then_some(Duration { days: sign * duration.days, seconds: sign * duration.seconds })
    }

    /// Its length where each day has 24 hours, in seconds.
    pub fn nominal_s(self) -> i64 {
        self.days.saturating_mul(super::DAY_S).saturating_add(self.seconds)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, seconds) = (self.days.abs(), self.seconds.abs());
        if self.days < 0 || self.seconds < 0 {
            f.write_str("-")?;
        }
        f.write_str("P")?;
        if days > 0 {
            write!(f, "{days}D")?;
        }
        if seconds > 0 || days == 0 {
            f.write_str("T")?;
            for (length, unit) in [(seconds / 3600, 'H'), (seconds / 60 % 60, 'M'), (seconds % 60, 'S')] {
                if length > 0 || (unit == 'S' && seconds == 0) {
                    write!(f, "{length}{unit}")?;
                }
            }
        }
        Ok(())
    }
}

/// Reads `+HHMM`, `-HHMMSS`: seconds east of UTC.
pub fn parse_utc_offset(text: &str) -> Option<i32> {
    let text = text.trim();
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => return None,
    };
    if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let pair = |at: usize| digits.get(at..at + 2).map_or(Some(0), |pair| pair.parse::<i32>().ok());
    let (hours, minutes, seconds) = (pair(0)?, pair(2)?, pair(4)?);
    (hours < 24 && minutes < 60 && seconds < 60).then(|| sign * (hours * 3600 + minutes * 60 + seconds))
}
