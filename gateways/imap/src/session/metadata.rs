//! GETMETADATA and SETMETADATA (RFC 5464).

use allod_core::mail::{ANNOTATION_BYTES_MAX, ANNOTATIONS_MAX};
use allod_model::{Detail, Error, ErrorKind};

use super::Conversation;
use super::place::Place;
use crate::syntax::ast::{Depth, GetMetadata, Mailbox};
use crate::wire::{Abort, Code, Completion, Output};

impl Conversation {
    pub(super) async fn get_metadata(
        &mut self,
        asked: GetMetadata,
        out: &mut Output,
    ) -> Result<Completion, Abort> {
        if let Some(bad) = asked.entries.iter().find_map(|entry| unfit(entry)) {
            return Ok(bad);
        }
        let place = self.annotated(&asked.mailbox).await?;
        let is_lent = place.as_ref().is_some_and(|place| place.lent.is_some());
        let known = self.annotations_of(place.as_ref()).await?;
        let (mut told, mut longest) = (Vec::new(), 0);
        for entry in &asked.entries {
            let wanted = entry.to_ascii_lowercase();
            // What the owner keeps for himself.
            if is_lent && is_private(&wanted) {
                continue;
            }
            let found = known.iter().filter(|(name, _)| is_within(name, &wanted, asked.depth));
            let before = told.len();
            for (name, value) in found {
                match asked.max_size {
                    Some(max) if value.len() as u64 > max.into() => longest = longest.max(value.len()),
                    _ => told.push((if *name == wanted { entry } else { name }, Some(value))),
                }
            }
            if asked.depth == Depth::Zero && told.len() == before && longest == 0 {
                told.push((entry, None));
            }
        }
        if !told.is_empty() {
            out.raw("* METADATA ").mailbox(&asked.mailbox);
            for (nth, (name, value)) in told.into_iter().enumerate() {
                out.raw(if nth == 0 { " (" } else { " " }).astring(name).raw(" ");
                match value {
                    Some(value) if value.contains(&0) => out.literal8(value),
                    value => out.nstring(value),
                };
                out.flow().await?;
            }
            out.raw(")\r\n");
        }
        let completion = Completion::ok("Metadata told");
        Ok(match longest {
            0 => completion,
            // RFC 5464 §4.2.1
            longest => completion.with(Code::new(format!("METADATA LONGENTRIES {longest}"))),
        })
    }

    pub(super) async fn set_metadata(
        &mut self,
        mailbox: String,
        entries: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<Completion, Abort> {
        if let Some(bad) = entries.iter().find_map(|(entry, _)| unfit(entry)) {
            return Ok(bad);
        }
        let place = self.annotated(&mailbox).await?;
        let outcome = match &place {
            Some(place) if place.lent.is_some() && entries.iter().any(|(entry, _)| is_private(entry)) => {
                return Ok(Completion::no(Code::NO_PERM, "In a lent mailbox only /shared can be set"));
            }
            Some(place) => place.session.annotate(Some(&place.path), entries).await,
            None => self.session.annotate(None, entries).await,
        };
        match outcome {
            Ok(()) => Ok(Completion::ok("Metadata set")),
            Err(error) => Ok(refusal(error)),
        }
    }

    /// The mailbox that a name means; `None` for the empty one, which is the server, here: the account.
    async fn annotated(&self, mailbox: &str) -> Result<Option<Place>, Abort> {
        if mailbox.is_empty() {
            return Ok(None);
        }
        self.place(&Mailbox::new(mailbox)).await.map(Some)
    }

    /// All annotations there.
    pub(super) async fn annotations_of(
        &self,
        place: Option<&Place>,
    ) -> Result<Vec<(String, Vec<u8>)>, Abort> {
        Ok(match place {
            Some(place) => place.session.annotations(Some(&place.path)).await?,
            None => self.session.annotations(None).await?,
        })
    }
}

/// RFC 5464 §3.2: how an entry's name must be.
fn unfit(entry: &str) -> Option<Completion> {
    let lower = entry.to_ascii_lowercase();
    let below = lower.strip_prefix("/private/").or_else(|| lower.strip_prefix("/shared/"));
    let fits = below.is_some_and(|rest| !rest.is_empty() && !rest.ends_with('/'))
        && !entry.contains("//")
        && entry.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'*' | b'%'));
    // DEPTH may begin at the top.
    let is_top = matches!(lower.as_str(), "/private" | "/shared");
    (!fits && !is_top).then(|| Completion::bad("An entry's name begins with /private/ or /shared/"))
}

fn is_private(entry: &str) -> bool {
    let lower = entry.to_ascii_lowercase();
    lower == "/private" || lower.starts_with("/private/")
}

fn is_within(name: &str, wanted: &str, depth: Depth) -> bool {
    let Some(rest) = name.strip_prefix(wanted) else { return false };
    match rest.strip_prefix('/') {
        None => rest.is_empty(),
        Some(below) => match depth {
            Depth::Zero => false,
            Depth::One => !below.contains('/'),
            Depth::Infinity => true,
        },
    }
}

/// RFC 5464 §5: which limit it was.
fn refusal(error: Error) -> Completion {
    match (error.kind, &error.detail) {
        (ErrorKind::TooLarge, Detail::Limit(_, max)) if *max == ANNOTATION_BYTES_MAX as u64 => {
            Completion::no(Code::new(format!("METADATA MAXSIZE {max}")), "This value is too long")
        }
        (ErrorKind::TooLarge, Detail::Limit(_, max)) if *max == ANNOTATIONS_MAX as u64 => {
            Completion::no(Code::new("METADATA TOOMANY"), "There are too many entries")
        }
        _ => error.into(),
    }
}
