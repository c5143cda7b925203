//! Where a line announces a literal (RFC 9051 §4.3, RFC 7888, RFC 3516).

/// What the end of a line announces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Announced {
    /// Where the announcement begins in the line, `~` included.
    pub(crate) start: usize,
    /// Octets that follow the line's end. A number beyond all sense is the greatest there is.
    pub(crate) size: u64,
    /// RFC 7888: the client sends them without waiting.
    pub(crate) without_waiting: bool,
}

/// Whether `line`, without its CRLF, ends by announcing a literal.
pub(crate) fn announced(line: &[u8]) -> Option<Announced> {
    let rest = line.strip_suffix(b"}")?;
    let (rest, without_waiting) = match rest.strip_suffix(b"+") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (before, digits) = rest.split_at(rest.len() - digits);
    let before = before.strip_suffix(b"{")?;
    if digits.is_empty() {
        return None;
    }
    let before = before.strip_suffix(b"~").unwrap_or(before);
    let size = digits
        .iter()
        .fold(0_u64, |size, digit| size.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(Announced { start: before.len(), size, without_waiting })
}
