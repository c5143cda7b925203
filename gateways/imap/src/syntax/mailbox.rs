//! Mailbox names: modified UTF-7 (RFC 3501 §5.1.3) and back.

/// Characters that stand for themselves.
fn is_direct(byte: u8) -> bool {
    (0x20..=0x7e).contains(&byte) && byte != b'&'
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// UTF-8 as modified UTF-7.
pub(crate) fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut units: Vec<u16> = Vec::new();
    for c in name.chars() {
        if u8::try_from(c).is_ok_and(is_direct) {
            end_shift(&mut units, &mut out);
            out.push(c);
        } else if c == '&' {
            end_shift(&mut units, &mut out);
            out.push_str("&-");
        } else {
            units.extend(c.encode_utf16(&mut [0; 2]).iter());
        }
    }
    end_shift(&mut units, &mut out);
    out
}

fn end_shift(units: &mut Vec<u16>, out: &mut String) {
    if units.is_empty() {
        return;
    }
    out.push('&');
    let (mut bits, mut count) = (0_u32, 0);
    for unit in units.drain(..) {
        bits = bits << 16 | u32::from(unit);
        count += 16;
        while count >= 6 {
            count -= 6;
            out.push(char::from(ALPHABET[(bits >> count) as usize & 63]));
        }
        bits &= (1 << count) - 1;
    }
    if count > 0 {
        out.push(char::from(ALPHABET[(bits << (6 - count)) as usize & 63]));
    }
    out.push('-');
}

/// Modified UTF-7 as UTF-8; `None` when it is none. What could have been written plainly is let through: clients of
/// old did so, and the name it stands for is not in doubt.
pub(crate) fn decode(name: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        if *byte != b'&' {
            if !is_direct(*byte) {
                return None;
            }
            out.push(char::from(*byte));
            continue;
        }
        let end = rest.iter().position(|b| *b == b'-')?;
        if end == 0 {
            out.push('&');
        } else {
            decode_shift(&rest[..end], &mut out)?;
        }
        rest = &rest[end + 1..];
    }
    Some(out)
}

fn decode_shift(text: &[u8], out: &mut String) -> Option<()> {
    let (mut bits, mut count) = (0_u32, 0);
    let mut units = Vec::with_capacity(text.len() * 6 / 16 + 1);
    for byte in text {
        let value = ALPHABET.iter().position(|b| b == byte)?;
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push((bits >> count) as u16);
            bits &= (1 << count) - 1;
        }
    }
    // What is left over is padding: fewer than six bits, all zero.
    if count >= 6 || bits != 0 {
        return None;
    }
    for c in char::decode_utf16(units) {
        out.push(c.ok()?);
    }
    Some(())
}
