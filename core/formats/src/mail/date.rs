//! Dates of mail (RFC 5322 §3.3 and §4.3), and what programs write instead.

use super::Sent;
use super::lexer::Lexer;
use crate::value::Date;

/// Reads a Date. Weekday, seconds, time and zone may be missing (then it is UTC), years have two digits or more, zones
/// may have names, and the order may be that of `asctime` or of ISO 8601. None: no day can be made out.
pub fn sent(value: &[u8]) -> Option<Sent> {
    let mut found = Found::default();
    let mut lexer = Lexer::new(value);
    for _ in 0..WORDS_MAX {
        lexer.skip_cfws();
        while lexer.take(b',') || lexer.take(b'"') {
            lexer.skip_cfws();
        }
        let mut word = lexer.run(is_word).to_vec();
        if word.is_empty() {
            if lexer.peek().is_none() {
                break;
            }
            lexer.skip();
        }
        // RFC 5322 §4.3: white space and comments may stand around the colons of a time.
        lexer.skip_cfws();
        while word.len() < WORDS_MAX && (lexer.peek() == Some(b':') || word.ends_with(b":")) {
            let more = lexer.run(is_word);
            if more.is_empty() {
                break;
            }
            word.extend_from_slice(more);
            lexer.skip_cfws();
        }
        found.word(&word)?;
    }
    found.sent()
}

fn is_word(byte: u8) -> bool {
    !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'(' | b')' | b'"')
}

/// Words that are looked at, and characters of a time that has blanks in it.
const WORDS_MAX: usize = 16;

#[derive(Default)]
struct Found {
    day: Option<u32>,
    month: Option<u32>,
    year: Option<i64>,
    time: Option<i64>,
    offset: Option<i16>,
}

impl Found {
    /// Takes a word into account; none when the date cannot be right.
    fn word(&mut self, word: &[u8]) -> Option<()> {
        let Some(first) = word.first() else { return Some(()) };
        let dotted = self.day.is_some() && self.year.is_some() && word.contains(&b'.');
        if first.is_ascii_digit() && (word.contains(&b':') || dotted) {
            if self.time.is_none() {
                self.time(word)?;
            }
        } else if first.is_ascii_digit() {
            self.numbers(word)?;
        } else if matches!(first, b'+' | b'-') {
            self.offset = self.offset.or(numeric_zone(word));
        } else if let Some(month) = named(word, &MONTHS).filter(|_| self.month.is_none()) {
            self.month = Some(month + 1);
        } else if named(word, &DAYS).is_none() && self.time.is_some() {
            self.offset = self.offset.or_else(|| named_zone(word));
        }
        Some(())
    }

    /// `1`, `2024`, `1-Jan-2024`, `2024-01-02`, `2024-01-02T03:04:05Z` without what follows the T.
    fn numbers(&mut self, word: &[u8]) -> Option<()> {
        for piece in word.split(|byte| matches!(byte, b'-' | b'/' | b'.')) {
            let digits = piece.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                self.month = self.month.or(named(piece, &MONTHS).map(|month| month + 1));
                continue;
            }
            let number = decimal(&piece[..digits])?;
            let is_year = digits > 2 || number > 31;
            if self.day.is_none() && !is_year && (self.year.is_none() || self.month.is_some()) {
                self.day = Some(u32::try_from(number).ok()?);
            } else if self.month.is_none() && self.year.is_some() && !is_year {
                self.month = Some(u32::try_from(number).ok()?);
            } else if self.year.is_none() {
                self.year = Some(full_year(number, digits));
            }
        }
        Some(())
    }

    /// `03:04`, `03:04:05.6+0200`, `2024-01-02T03:04:05Z`.
    fn time(&mut self, word: &[u8]) -> Option<()> {
        let mut word = word;
        if let Some(at) = word.iter().position(|byte| byte.eq_ignore_ascii_case(&b't')) {
            self.numbers(&word[..at])?;
            word = &word[at + 1..];
        }
        let end = word.iter().position(|byte| !byte.is_ascii_digit() && !matches!(byte, b':' | b'.'));
        let (clock, zone) = word.split_at(end.unwrap_or(word.len()));
        let mut parts = clock.split(|byte| matches!(byte, b':' | b'.'));
        let mut next = || {
            parts.next().map_or(Some(0), |digits| if digits.is_empty() { Some(0) } else { decimal(digits) })
        };
        let (hour, minute, second) = (next()?, next()?, next()?);
        // A leap second is the last one of its minute.
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        self.time = Some(hour * 3600 + minute * 60 + second.min(59));
        if !zone.is_empty() {
            self.offset = numeric_zone(zone).or_else(|| named_zone(zone));
        }
        Some(())
    }

    fn sent(self) -> Option<Sent> {
        let (year, month, day) = (self.year?, self.month?, self.day?);
        let date = Date::new(i32::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?)?;
        let offset_minutes = self.offset.unwrap_or(0);
        let secs = date.days() * 86_400 + self.time.unwrap_or(0);
        Some(Sent { secs: secs - i64::from(offset_minutes) * 60, offset_minutes })
    }
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Which of the names, of three letters each, a word begins with.
fn named(word: &[u8], names: &[&str]) -> Option<u32> {
    let head = word.get(..3)?;
    names.iter().position(|name| head.eq_ignore_ascii_case(name.as_bytes())).map(|at| at as u32)
}

fn decimal(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse::<u32>().ok().map(i64::from)
}

/// RFC 5322 §4.3: two digits are 1950 to 2049, three are counted from 1900.
fn full_year(number: i64, digits: usize) -> i64 {
    match (digits, number) {
        (1 | 2, 0..50) => number + 2000,
        (1..=3, _) => number + 1900,
        _ => number,
    }
}

/// `+0200`, `-02:30`, `+2`.
fn numeric_zone(word: &[u8]) -> Option<i16> {
    let (sign, rest) = match word {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let digits: Vec<u8> = rest.iter().copied().filter(|byte| *byte != b':').take(4).collect();
    let number = i16::try_from(decimal(&digits)?).ok()?;
    let (hours, minutes) = if digits.len() <= 2 { (number, 0) } else { (number / 100, number % 100) };
    // What is no zone of this world is UTC.
    Some(if hours > 24 || minutes > 59 { 0 } else { sign * (hours * 60 + minutes) })
}

/// RFC 5322 §4.3: the letters of the military were used with either sign, so they say nothing.
fn named_zone(word: &[u8]) -> Option<i16> {
    let hours = match &word.to_ascii_uppercase()[..] {
        b"UT" | b"UTC" | b"GMT" | b"Z" => 0,
        b"EST" => -5,
        b"EDT" => -4,
        b"CST" => -6,
        b"CDT" => -5,
        b"MST" => -7,
        b"MDT" => -6,
        b"PST" => -8,
        b"PDT" => -7,
        // Not in the standard, and common.
        b"BST" | b"CET" | b"MET" | b"WEST" => 1,
        b"CEST" | b"MEST" | b"MESZ" | b"EET" => 2,
        b"EEST" | b"MSK" => 3,
        b"JST" | b"KST" => 9,
        other if other.starts_with(b"GMT") || other.starts_with(b"UTC") => return numeric_zone(&other[3..]),
        [_] => 0,
        _ => return None,
    };
    Some(hours * 60)
}
