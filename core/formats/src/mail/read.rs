//! The reading of a message.

use super::{Facts, Inner, Part, addressable, bound, date, header, preview, structure, subject, thread};

/// Takes a message apart. It never fails: what is damaged is read as the usual servers read it, and what goes beyond the
/// limits of this module is one part or left out. Time is linear in the message.
pub fn read(bytes: &[u8]) -> Facts {
    let bytes = addressable(bytes);
    let (envelope, root) = structure::message(bytes);
    let (base_subject, is_reply) = subject::base_subject(envelope.subject.as_deref().unwrap_or_default());
    let message_id = envelope.message_id.as_deref().and_then(thread::message_id);
    let head = root.header.of(bytes);
    let named = header::fields(head).filter(|field| field.name.eq_ignore_ascii_case(b"references"));
    let references = thread::references(
        named.map(|field| field.value.of(head)),
        envelope.in_reply_to.as_deref(),
        message_id.as_deref(),
    );
    let mut facts = Facts {
        sent: envelope.date.as_deref().and_then(date::sent),
        preview: preview::preview(bytes, &root),
        has_attachment: has_attachment(&root),
        envelope,
        root,
        base_subject,
        is_reply,
        message_id,
        references,
    };
    bound::bound(&mut facts);
    facts
}

fn has_attachment(part: &Part) -> bool {
    if let Some(disposition) = &part.disposition
        && disposition.kind.eq_ignore_ascii_case(b"attachment")
    {
        return true;
    }
    match &part.inner {
        Inner::Leaf => part.disposition.is_none() && part.file_name().is_some(),
        Inner::Multipart(parts) => parts.iter().any(has_attachment),
        Inner::Message(_, inner) => has_attachment(inner),
    }
}
