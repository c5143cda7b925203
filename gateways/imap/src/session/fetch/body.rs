//! The bytes of a message: sections (RFC 9051 §6.4.5.1) and decoded parts (RFC 3516).

use allod_core::ByteRange as Stretch;
use allod_formats::mail::{Inner, Span, UnknownEncoding, decode_body, header};
use allod_model::Error;
use bytes::Bytes;
use futures_util::StreamExt;

use super::message::Printer;
use crate::print::section;
use crate::syntax::ast::{ByteRange, Section};
use crate::wire::{Abort, Output};

/// Up to so many bytes a section is gathered before it leaves; a longer one passes through as it is read.
const GATHERED_BYTES_MAX: u64 = 128 << 10;

impl Printer<'_> {
    /// The value of a section.
    pub(super) async fn section(
        &mut self,
        wanted: &Section,
        range: Option<ByteRange>,
        out: &mut Output,
    ) -> Result<(), Abort> {
        let message = self.message;
        let root = message.facts.as_deref().map(|facts| &facts.root);
        let Some(place) = root.and_then(|root| section::place(root, message.size, wanted)) else {
            // RFC 9051 §7.5.2: a part that is not there.
            out.raw("NIL");
            return Ok(());
        };
        // The message's own header is at hand.
        let at_hand = message.header.as_ref().filter(|header| {
            place.span.start == 0 && root.is_some_and(|root| place.span == root.header) && {
                place.span.end as usize == header.len()
            }
        });
        if let Some((names, not)) = place.fields {
            let whole = match at_hand {
                Some(header) => header.clone(),
                None => match self.gather(place.span).await {
                    Some(header) => header,
                    None => return nil(out),
                },
            };
            literal(out, &cut(header::select(&whole, names, not), range));
            return Ok(());
        }
        if let Some(header) = at_hand {
            let stretch = section::partial(header.len() as u64, range);
            literal(out, &header[stretch.start as usize..stretch.end as usize]);
            return Ok(());
        }
        let start = u64::from(place.span.start);
        let inside = section::partial(u64::from(place.span.end.saturating_sub(place.span.start)), range);
        self.stretch(start + inside.start..start + inside.end, false, out).await
    }

    /// A stretch of the message, as a literal.
    async fn stretch(
        &mut self,
        stretch: std::ops::Range<u64>,
        binary: bool,
        out: &mut Output,
    ) -> Result<(), Abort> {
        let Some(file) = self.file else { return nil(out) };
        let (length, range) =
            (stretch.end.saturating_sub(stretch.start), Stretch { start: stretch.start, end: stretch.end });
        if length <= GATHERED_BYTES_MAX {
            match file.gather(range).await {
                Ok(bytes) if binary && bytes.contains(&0) => _ = out.literal8(&bytes),
                Ok(bytes) => literal(out, &bytes),
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
        match self.decoded(part).await {
            Some(Ok(bytes)) => {
                let bytes = cut(bytes, range);
                // RFC 3516 §4.2: a literal8 only where there is a NUL, which no other can hold.
                match bytes.contains(&0) {
                    true => _ = out.literal8(&bytes),
                    false => literal(out, &bytes),
                }
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
        if part.body.start >= part.body.end {
            return Some(decode_body(&[], encoding));
        }
        let encoded = self.gather(part.body).await?;
        Some(decode_body(&encoded, encoding))
    }

    /// Bytes of the message; `None` when they cannot be read, which is noted.
    async fn gather(&mut self, span: Span) -> Option<Bytes> {
        if span.start >= span.end {
            return Some(Bytes::new());
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

    /// What cannot be read is NIL, and the command ends with the reason.
    fn fail(&mut self, error: Error, out: &mut Output) -> Result<(), Abort> {
        self.outcome.failed = Some(error);
        nil(out)
    }
}

fn nil(out: &mut Output) -> Result<(), Abort> {
    out.raw("NIL");
    Ok(())
}

/// Clients take any string; all of them take a literal here.
fn literal(out: &mut Output, bytes: &[u8]) {
    out.literal(bytes);
}

fn cut(bytes: Vec<u8>, range: Option<ByteRange>) -> Vec<u8> {
    let stretch = section::partial(bytes.len() as u64, range);
    if stretch == (0..bytes.len() as u64) {
        return bytes;
    }
    bytes[stretch.start as usize..stretch.end as usize].to_vec()
}

/// RFC 9051 §9, CHAR8: a literal has no NUL. It is replaced, so that the length stays right.
fn without_nul(piece: Bytes) -> Bytes {
    if !piece.contains(&0) {
        return piece;
    }
    piece.iter().map(|byte| if *byte == 0 { b'?' } else { *byte }).collect()
}
