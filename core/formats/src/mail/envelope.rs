//! From the fields of a header to its envelope (RFC 9051 §7.5.2).

use super::header::{collapse, unfold};
use super::{Address, Envelope, address};

/// Takes one field into account and says how many addresses it had; at most `max` are kept. Of a field that must not be
/// repeated the last counts; lists of addresses are put together, so nobody hides behind a second From.
pub(super) fn note(envelope: &mut Envelope, name: &[u8], value: &[u8], max: usize) -> usize {
    let text = |slot: &mut Option<Vec<u8>>| {
        *slot = Some(unfold(value));
        0
    };
    let add = |list: &mut Vec<Address>| {
        let before = list.len();
        address::parse(value, before + max, list);
        list.len() - before
    };
    match (name.len(), name[0] | 0x20) {
        (4, b'd') if name.eq_ignore_ascii_case(b"date") => text(&mut envelope.date),
        (7, b's') if name.eq_ignore_ascii_case(b"subject") => {
            envelope.subject = Some(collapse(value));
            0
        }
        (4, b'f') if name.eq_ignore_ascii_case(b"from") => add(&mut envelope.from),
        (6, b's') if name.eq_ignore_ascii_case(b"sender") => add(&mut envelope.sender),
        (8, b'r') if name.eq_ignore_ascii_case(b"reply-to") => add(&mut envelope.reply_to),
        (2, b't') if name.eq_ignore_ascii_case(b"to") => add(&mut envelope.to),
        (2, b'c') if name.eq_ignore_ascii_case(b"cc") => add(&mut envelope.cc),
        (3, b'b') if name.eq_ignore_ascii_case(b"bcc") => add(&mut envelope.bcc),
        (11, b'i') if name.eq_ignore_ascii_case(b"in-reply-to") => text(&mut envelope.in_reply_to),
        (10, b'm') if name.eq_ignore_ascii_case(b"message-id") => text(&mut envelope.message_id),
        _ => 0,
    }
}
