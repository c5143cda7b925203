//! Bytes of any charset to UTF-8.

use charset::Charset;

/// Decodes bytes that are said to be in a charset. What the charset has no character for becomes U+FFFD; a charset that
/// nobody knows, and ASCII with other bytes in it, are guessed.
pub(super) fn decode(bytes: &[u8], label: &[u8]) -> String {
    let label = label.trim_ascii();
    // RFC 2231 §5: a language may follow.
    let label = label.split(|byte| *byte == b'*').next().unwrap_or(label);
    if claims_nothing(label) {
        return guess(bytes);
    }
    let known = Charset::for_label_no_replacement(label).or_else(|| alias(label));
    match known {
        Some(charset) => charset.decode_without_bom_handling(without_mark(bytes)).0.into_owned(),
        None => guess(bytes),
    }
}

/// UTF-8 when it is, else Windows-1252, which reads anything.
pub(super) fn guess(bytes: &[u8]) -> String {
    match std::str::from_utf8(without_mark(bytes)) {
        Ok(text) => text.to_owned(),
        Err(_) => crate::lines::windows_1252(bytes),
    }
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// Labels that programs write when they do not know, or when they think it is all ASCII.
fn claims_nothing(label: &[u8]) -> bool {
    const LABELS: [&str; 9] =
        ["us-ascii", "ascii", "unknown", "unknown-8bit", "x-unknown", "8bit", "binary", "default", "none"];
    label.is_empty() || LABELS.iter().any(|known| label.eq_ignore_ascii_case(known.as_bytes()))
}

/// Names that mail uses beside those of the WHATWG's list.
fn alias(label: &[u8]) -> Option<Charset> {
    let lower = label.to_ascii_lowercase();
    let name: &[u8] = match &lower[..] {
        b"utf8mb4" | b"cp65001" | b"utf_8" | b"unicode-1-1-utf-8" => b"utf-8",
        b"cp936" | b"ms936" | b"gb-2312" => b"gbk",
        b"cp949" | b"ms949" | b"ks_c_5601" | b"cp51949" => b"euc-kr",
        b"cp950" => b"big5",
        b"cp932" | b"ms932" => b"shift_jis",
        b"iso-2022-jp-1" | b"iso-2022-jp-2" | b"cp50220" | b"cp50221" => b"iso-2022-jp",
        b"cp850" | b"cp437" | b"ansi" => b"windows-1252",
        _ => {
            let digits = lower.iter().position(u8::is_ascii_digit)?;
            let number = std::str::from_utf8(&lower[digits..]).ok()?;
            let made = match &lower[..digits] {
                b"cp" | b"cp-" | b"win" | b"win-" | b"ms" | b"windows" => format!("windows-{number}"),
                b"iso" | b"iso8859-" | b"iso_" => format!("iso-{}", number.replacen("8859_", "8859-", 1)),
                _ => return None,
            };
            return Charset::for_label_no_replacement(made.as_bytes());
        }
    };
    Charset::for_label_no_replacement(name)
}
