//! What a kind of folder demands of the files in it. Judged in core on every write, whichever gateway it came by.

mod addressbook;
mod calendar;
mod inbox;
mod mailbox;

use std::sync::Arc;

use allod_model::{Error, ErrorKind, Kind, Name, Result};

use crate::mail::MailFacts;
use crate::typed::Typed;

/// The rules of one kind of folder.
///
/// A new kind is one file that implements this and one line in [`Registry::standard`].
pub trait Rules: Send + Sync {
    /// Whose rules these are.
    fn kind(&self) -> Kind;

    /// The largest file, in bytes, when the rules must see the content whole; `None` when they never look at it, so
    /// that files of any size stream through.
    fn content_bytes_max(&self) -> Option<u64>;

    /// Whether folders may stand in such a folder, and of which kind.
    fn admits_folder(&self, kind: Kind) -> bool;

    /// Judges a file about to be written. `content` is given when [`Rules::content_bytes_max`] is some.
    ///
    /// # Errors
    /// `InvalidContent` when the content or the name is not allowed.
    fn judge(&self, name: &Name, content: Option<&[u8]>) -> Result<Facts>;
}

/// What rules found in a content and core keeps beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// An identity that must be unique in the folder (iCalendar and vCard UID).
    pub uid: Option<String>,
    /// The media type that the content shows, when the client gave none.
    pub media_type: Option<String>,
    /// What lists and questions need.
    pub typed: Option<Box<Typed>>,
    /// What is kept beside the content of a message.
    pub mail: Option<Arc<MailFacts>>,
}

/// Files and folders of any sort.
struct Plain;

impl Rules for Plain {
    fn kind(&self) -> Kind {
        Kind::Plain
    }

    fn content_bytes_max(&self) -> Option<u64> {
        None
    }

    fn admits_folder(&self, _: Kind) -> bool {
        true
    }

    fn judge(&self, _: &Name, _: Option<&[u8]>) -> Result<Facts> {
        Ok(Facts::default())
    }
}

/// The kinds that this server can serve.
pub struct Registry(Vec<Box<dyn Rules>>);

impl Registry {
    /// The kinds whose rules are built in.
    pub fn standard() -> Self {
        Registry(vec![
            Box::new(Plain),
            Box::new(calendar::Calendar),
            Box::new(addressbook::AddressBook),
            Box::new(mailbox::Mailbox),
            Box::new(inbox::Scheduling(Kind::Inbox)),
            Box::new(inbox::Scheduling(Kind::Outbox)),
        ])
    }

    /// The rules of `kind`.
    ///
    /// # Errors
    /// `InvalidContent` while a kind has no rules here: nothing unchecked gets into such a folder.
    pub fn of(&self, kind: Kind) -> Result<&dyn Rules> {
        self.0.iter().find(|rules| rules.kind() == kind).map(Box::as_ref).ok_or_else(|| {
            let message = format!("this version of allod cannot write into a {} folder yet", kind.as_str());
            Error::new(ErrorKind::InvalidContent, message)
        })
    }
}
