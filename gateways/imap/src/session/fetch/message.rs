//! One message's items.

use allod_core::OpenFile;
use allod_core::mail::Message;
use allod_formats::mail::Facts;

use super::{Outcome, Plan};
use crate::print::{date, envelope, ids, structure};
use crate::session::view::View;
use crate::syntax::ast::{FetchItem, Section, SectionText};
use crate::wire::{Abort, Output};

/// A message about to be told of.
pub(super) struct Printer<'a> {
    pub(super) view: &'a View,
    pub(super) message: &'a Message,
    pub(super) file: Option<&'a OpenFile>,
    pub(super) outcome: &'a mut Outcome,
}

impl Printer<'_> {
    /// All items; `marked` tells of the flags although nobody asked.
    pub(super) async fn print(mut self, plan: &Plan, marked: bool, out: &mut Output) -> Result<(), Abort> {
        let (items, mut space) = (&plan.items, "");
        for (item, label) in items.iter().zip(&plan.labels) {
            out.raw(std::mem::replace(&mut space, " "));
            if !self.brief(item, out) {
                self.content(item, out.raw(label)).await?;
            }
        }
        let message = self.message;
        if marked && !items.contains(&FetchItem::Flags) {
            out.raw(space);
            self.view.flags(out, message.uid, message.flags, &message.keywords);
        }
        if marked && out.enabled().condstore && !items.contains(&FetchItem::ModSeq) {
            out.raw(" MODSEQ (").number(message.modseq.0).raw(")");
        }
        Ok(())
    }

    /// What is known without the message's bytes; false for all else.
    fn brief(&self, item: &FetchItem, out: &mut Output) -> bool {
        let (message, nothing) = (self.message, Facts::default());
        let facts = message.facts.as_deref().unwrap_or(&nothing);
        match item {
            FetchItem::Uid => _ = out.raw("UID ").number(message.uid.into()),
            FetchItem::Flags => self.view.flags(out, message.uid, message.flags, &message.keywords),
            FetchItem::Size => _ = out.raw("RFC822.SIZE ").number(message.size),
            FetchItem::ModSeq => _ = out.raw("MODSEQ (").number(message.modseq.0).raw(")"),
            FetchItem::InternalDate => date::date_time(out.raw("INTERNALDATE "), message.internal),
            FetchItem::SaveDate => date::date_time(out.raw("SAVEDATE "), message.saved),
            FetchItem::EmailId => _ = out.raw("EMAILID (").raw(ids::email(message.content)).raw(")"),
            FetchItem::ThreadId => _ = out.raw("THREADID (").raw(ids::thread(message.thread)).raw(")"),
            FetchItem::Envelope => envelope::envelope(out.raw("ENVELOPE "), &facts.envelope),
            FetchItem::Body => structure::structure(out.raw("BODY "), &facts.root, false),
            FetchItem::BodyStructure => structure::structure(out.raw("BODYSTRUCTURE "), &facts.root, true),
            FetchItem::Preview { .. } => _ = out.raw("PREVIEW ").string(&facts.preview),
            FetchItem::Section(_)
            | FetchItem::Rfc822
            | FetchItem::Rfc822Header
            | FetchItem::Rfc822Text
            | FetchItem::Binary { .. }
            | FetchItem::BinarySize { .. } => return false,
        }
        true
    }

    async fn content(&mut self, item: &FetchItem, out: &mut Output) -> Result<(), Abort> {
        let of_text = |text| Section { part: Vec::new(), text };
        match item {
            FetchItem::Section(fetch) => self.section(&fetch.section, fetch.partial, out).await,
            FetchItem::Rfc822 => self.section(&of_text(None), None, out).await,
            FetchItem::Rfc822Header => self.section(&of_text(Some(SectionText::Header)), None, out).await,
            FetchItem::Rfc822Text => self.section(&of_text(Some(SectionText::Text)), None, out).await,
            FetchItem::Binary { part, partial, .. } => self.binary(part, *partial, out).await,
            FetchItem::BinarySize { part } => self.binary_size(part, out).await,
            _ => Ok(()),
        }
    }
}
