//! ENVELOPE (RFC 9051 §7.5.2).

use allod_formats::mail::{Address, Envelope};

use crate::wire::Output;

/// `(date subject from sender reply-to to cc bcc in-reply-to message-id)`
pub(crate) fn envelope(out: &mut Output, envelope: &Envelope) {
    out.raw("(").nstring(envelope.date.as_deref());
    out.raw(" ").nstring(envelope.subject.as_deref());
    addresses(out, &envelope.from);
    // RFC 9051 §7.5.2: absent or empty, they are as From.
    addresses(out, or_from(&envelope.sender, envelope));
    addresses(out, or_from(&envelope.reply_to, envelope));
    addresses(out, &envelope.to);
    addresses(out, &envelope.cc);
    addresses(out, &envelope.bcc);
    out.raw(" ").nstring(envelope.in_reply_to.as_deref());
    out.raw(" ").nstring(envelope.message_id.as_deref()).raw(")");
}

fn or_from<'a>(list: &'a [Address], envelope: &'a Envelope) -> &'a [Address] {
    if list.is_empty() { &envelope.from } else { list }
}

fn addresses(out: &mut Output, list: &[Address]) {
    if list.is_empty() {
        out.raw(" NIL");
        return;
    }
    out.raw(" (");
    for address in list {
        out.raw("(").nstring(address.name.as_deref());
        out.raw(" ").nstring(address.route.as_deref());
        out.raw(" ").nstring(address.mailbox.as_deref());
        out.raw(" ").nstring(address.host.as_deref()).raw(")");
    }
    out.raw(")");
}
