//! What a mailbox demands of the files in it: that each is a message (RFC 5322).

use std::sync::Arc;

use allod_formats::mail::is_message;
use allod_model::{Error, ErrorKind, Kind, Name, Result};

use super::{Facts, Rules};
use crate::mail::rows::MailRow;
use crate::mail::{MESSAGE_BYTES_MAX, MailFacts};
use crate::typed::Typed;

/// One message a file; mailboxes in it, and nothing else.
pub struct Mailbox;

impl Rules for Mailbox {
    fn kind(&self) -> Kind {
        Kind::Mailbox
    }

    fn content_bytes_max(&self) -> Option<u64> {
        Some(MESSAGE_BYTES_MAX)
    }

    fn admits_folder(&self, kind: Kind) -> bool {
        kind == Kind::Mailbox
    }

    fn judge(&self, _: &Name, content: Option<&[u8]>) -> Result<Facts> {
        let content = content.unwrap_or_default();
        is_message(content).map_err(|reason| Error::new(ErrorKind::InvalidContent, reason))?;
        Ok(Facts {
            uid: None,
            media_type: Some("message/rfc822".to_owned()),
            typed: Some(Box::new(Typed::Mail(MailRow::default()))),
            mail: Some(Arc::new(MailFacts::read(content))),
        })
    }
}
