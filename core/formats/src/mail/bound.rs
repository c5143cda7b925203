//! Facts stay small, whatever a message says.

use super::{Address, Disposition, Envelope, Facts, Inner, Parameter, Part};

/// Bytes of one value that are kept.
pub const VALUE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of all values of a message together.
const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Bytes of serialized [`Facts`]: all values, and what surrounds them for [`PARTS_MAX`](super::PARTS_MAX) parts and
/// [`ADDRESSES_MAX`](super::ADDRESSES_MAX) addresses. Those of usual mail have one or two kibibytes.
pub const FACTS_BYTES_MAX: usize = 384 * 1024;

/// Cuts values so that all together are bounded. The envelope comes first.
pub(super) fn bound(facts: &mut Facts) {
    let mut budget = Budget(TEXT_BYTES_MAX);
    budget.envelope(&mut facts.envelope);
    budget.text(&mut facts.base_subject);
    for id in &mut facts.references {
        budget.text(id);
    }
    facts.references.retain(|id| !id.is_empty());
    budget.part(&mut facts.root);
}

struct Budget(usize);

impl Budget {
    fn allow(&mut self, length: usize) -> usize {
        let allowed = length.min(VALUE_BYTES_MAX).min(self.0);
        self.0 -= allowed;
        allowed
    }

    fn bytes(&mut self, value: &mut Vec<u8>) {
        value.truncate(self.allow(value.len()));
        value.shrink_to_fit();
    }

    fn text(&mut self, value: &mut String) {
        let allowed = self.allow(value.len());
        value.truncate(value.floor_char_boundary(allowed));
    }

    fn optional(&mut self, value: &mut Option<Vec<u8>>) {
        if let Some(value) = value {
            self.bytes(value);
        }
    }

    fn envelope(&mut self, envelope: &mut Envelope) {
        let Envelope { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id } =
            envelope;
        for value in [date, subject, in_reply_to, message_id] {
            self.optional(value);
        }
        for list in [from, sender, reply_to, to, cc, bcc] {
            for Address { name, route, mailbox, host } in list {
                for value in [name, route, mailbox, host] {
                    self.optional(value);
                }
            }
        }
    }

    /// A parameter that is cut is worse than none.
    fn parameters(&mut self, parameters: &mut Vec<Parameter>) {
        parameters.retain(|Parameter { name, value }| {
            // Its frame counts too: there may be a hundred in each part.
            let length = name.len() + value.len() + 4;
            length <= VALUE_BYTES_MAX && self.allow(length) == length
        });
    }

    fn part(&mut self, part: &mut Part) {
        self.bytes(&mut part.media_type);
        self.bytes(&mut part.subtype);
        self.parameters(&mut part.parameters);
        for value in
            [&mut part.id, &mut part.description, &mut part.encoding, &mut part.md5, &mut part.location]
        {
            self.optional(value);
        }
        if let Some(Disposition { kind, parameters }) = &mut part.disposition {
            self.bytes(kind);
            self.parameters(parameters);
        }
        part.languages.retain(|language| self.allow(language.len() + 2) == language.len() + 2);
        match &mut part.inner {
            Inner::Leaf => {}
            Inner::Multipart(parts) => parts.iter_mut().for_each(|part| self.part(part)),
            Inner::Message(envelope, inner) => {
                self.envelope(envelope);
                self.part(inner);
            }
        }
    }
}
