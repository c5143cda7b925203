//! The bytes of a message: sections (RFC 9051 §6.4.5.1) and decoded parts (RFC 3516).

use std::ops::Range;

use allod_core::ByteRange as Stretch;
use allod_formats::mail::{Inner, Span, UnknownEncoding, decode_body, header};
use allod_model::Error;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::is_top_header;
use super::message::Printer;
use crate::print::section;
use crate::syntax::ast::{ByteRange, Section, SectionText};
use crate::wire::{Abort, Output};

/// Up to so many bytes a section is gathered before it leaves; a longer one passes through as it is read.
const GATHERED_BYTES_MAX: u64 = 128 << 10;
/// Memory for parts and headers that are held whole, of all connections together, in MiB.
const HELD_MIB: u32 = 256;

static HELD: Semaphore = Semaphore::const_new(HELD_MIB as usize);

impl Printer<'_> {
    /// The value of a section.
    pub(super) async fn section(
        &mut self,
        wanted: &Section,
        range: Option<ByteRange>,
        out: &mut Output,
    ) -> Result<(), Abort> {
        let message = self.message;
        if let Some(header) = message.header.as_ref().filter(|_| is_top_header(wanted)) {
            // Most of what clients ask of whole mailboxes: the message's own header is at hand.
            tell_header(header, wanted, range, out);
            return Ok(());
        }
        if wanted.part.is_empty() && wanted.text.is_none() {
            // The whole message: nothing need be known of its structure.
            let inside = section::partial(message.size, range);
            return self.stretch(inside, false, out).await;
        }
        let root = message.facts.as_deref().map(|facts| &facts.root);
        let Some(place) = root.and_then(|root| section::place(root, message.size, wanted)) else {
            // RFC 9051 §7.5.2: a part that is not there.
            return nil(out);
        };
        if let Some((names, not)) = place.fields {
            let _room = room(place.span).await;
            match self.gather(place.span).await {
                Some(whole) => _ = out.literal(cut(&header::select(&whole, names, not), range)),
                None => return nil(out),
            }
            return Ok(());
        }
        let start = u64::from(place.span.start);
        let inside = section::partial(u64::from(place.span.end.saturating_sub(place.span.start)), range);
        self.stretch(start + inside.start..start + inside.end, false, out).await
    }

    /// A stretch of the message, as a literal.
    async fn stretch(&mut self, stretch: Range<u64>, binary: bool, out: &mut Output) -> Result<(), Abort> {
        if let Some(bytes) = &self.message.bytes {
            tell(bytes.get(stretch.start as usize..stretch.end as usize).unwrap_or_default(), binary, out);
            return Ok(());
        }
        let Some(file) = self.file else { return nil(out) };
        let length = stretch.end.saturating_sub(stretch.start);
        let range = Stretch { start: stretch.start, end: stretch.end };
        if length <= GATHERED_BYTES_MAX {
            match file.gather(range).await {
                Ok(bytes) => tell(&bytes, binary, out),
                Err(error) => return self.fail(error, out),
            }
            return Ok(());
        }
        match file.begin(range).await {
            Ok(pieces) if binary => out.stream(length, true, pieces).await?,
            Ok(pieces) => out.stream(length, false, pieces.map(|piece| piece.map(without_nul))).await?,
            Err(error) => return self.fail(error, out),
        }
        Ok(())
    }

    /// RFC 3516 §4.2: the part without its transfer encoding. A whole message or multipart stays as it is.
    pub(super) async fn binary(
        &mut self,
        part: &[u32],
        range: Option<ByteRange>,
        out: &mut Output,
    ) -> Result<(), Abort> {
        if part.is_empty() {
            return self.stretch(section::partial(self.message.size, range), true, out).await;
        }
        let _room = self.room_of(part).await;
        match self.decoded(part).await {
            Some(Ok(bytes)) => {
                tell(cut(&bytes, range), true, out);
                Ok(())
            }
            Some(Err(UnknownEncoding)) => {
                self.outcome.unknown_encoding = true;
                nil(out)
            }
            None => nil(out),
        }
    }

    /// RFC 3516 §4.2, BINARY.SIZE: how long the decoded part is.
    pub(super) async fn binary_size(&mut self, part: &[u32], out: &mut Output) -> Result<(), Abort> {
        let _room = self.room_of(part).await;
        let size = match part.is_empty() {
            true => self.message.size,
            false => match self.decoded(part).await {
                Some(Ok(bytes)) => bytes.len() as u64,
                Some(Err(UnknownEncoding)) => {
                    self.outcome.unknown_encoding = true;
                    0
                }
                None => 0,
            },
        };
        out.number(size);
        Ok(())
    }

    /// A part's decoded bytes; `None` when it is not there or cannot be read.
    async fn decoded(&mut self, numbers: &[u32]) -> Option<Result<Vec<u8>, UnknownEncoding>> {
        let root = &self.message.facts.as_deref()?.root;
        let part = section::part_at(root, numbers)?;
        let encoding = match part.inner {
            Inner::Multipart(_) => None,
            Inner::Leaf | Inner::Message(..) => part.encoding.as_deref(),
        };
        let encoded = self.gather(part.body).await?;
        Some(decode_body(&encoded, encoding))
    }

    /// Bytes of the message; `None` when they cannot be read, which is noted.
    async fn gather(&mut self, span: Span) -> Option<Bytes> {
        if span.start >= span.end {
            return Some(Bytes::new());
        }
        if let Some(bytes) = &self.message.bytes {
            let end = (span.end as usize).min(bytes.len());
            return Some(bytes.slice((span.start as usize).min(end)..end));
        }
        let range = Stretch { start: span.start.into(), end: span.end.into() };
        match self.file?.gather(range).await {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.outcome.failed = Some(error);
                None
            }
        }
    }

    /// Waits for memory for a part.
    async fn room_of(&self, part: &[u32]) -> Option<SemaphorePermit<'static>> {
        let root = &self.message.facts.as_deref()?.root;
        room(section::part_at(root, part)?.body).await
    }

    /// What cannot be read is NIL, and the command ends with the reason.
    fn fail(&mut self, error: Error, out: &mut Output) -> Result<(), Abort> {
        self.outcome.failed = Some(error);
        nil(out)
    }
}

/// Waits for memory for a stretch that is held whole; small ones need not.
async fn room(span: Span) -> Option<SemaphorePermit<'static>> {
    let mib = span.end.saturating_sub(span.start) >> 20;
    if mib == 0 {
        return None;
    }
    // The semaphore is never closed.
    HELD.acquire_many(mib.min(HELD_MIB)).await.ok()
}

/// The header that is at hand, or fields of it.
fn tell_header(header: &[u8], wanted: &Section, range: Option<ByteRange>, out: &mut Output) {
    match &wanted.text {
        Some(SectionText::HeaderFields(names)) => {
            out.literal(cut(&header::select(header, names, false), range))
        }
        Some(SectionText::HeaderFieldsNot(names)) => {
            out.literal(cut(&header::select(header, names, true), range))
        }
        _ => out.literal(cut(header, range)),
    };
}

/// RFC 3516 §4.2: a literal8 where there is a NUL, which no other can hold.
fn tell(bytes: &[u8], binary: bool, out: &mut Output) {
    match binary && bytes.contains(&0) {
        true => out.literal8(bytes),
        false => out.literal(bytes),
    };
}

fn nil(out: &mut Output) -> Result<(), Abort> {
    out.raw("NIL");
    Ok(())
}

fn cut(bytes: &[u8], range: Option<ByteRange>) -> &[u8] {
    let stretch = section::partial(bytes.len() as u64, range);
    &bytes[stretch.start as usize..stretch.end as usize]
}

/// RFC 9051 §9, CHAR8: a literal has no NUL. It is replaced, so that the length stays right.
fn without_nul(piece: Bytes) -> Bytes {
    if !piece.contains(&0) {
        return piece;
    }
    piece.iter().map(|byte| if *byte == 0 { b'?' } else { *byte }).collect()
}
