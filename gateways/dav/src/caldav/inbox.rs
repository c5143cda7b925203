//! `calendar-query` on the scheduling inbox (RFC 6638 §2.2): few messages, so each is read and judged.

use allod_core::{Found, Session};
use allod_formats::calendar::{CompFilter, Object};
use allod_formats::zone::Zone;
use allod_formats::{Budget, Document, Limits};
use allod_kit::ResponseBody;
use allod_model::{EntryKey, Error, ErrorKind, Path};

use crate::pages::{Pages, paged};
use crate::propfind::{MULTISTATUS_HEAD, MULTISTATUS_TAIL};
use crate::props::Writer;

/// Messages fetched and judged at a time.
const PAGE_MESSAGES: usize = 50;

/// A multistatus of the messages in `inbox` that match.
pub(crate) async fn multistatus(
    session: &Session,
    writer: Writer,
    filter: CompFilter,
    inbox: Path,
) -> Result<ResponseBody, Error> {
    let url = writer.places.url(&inbox, true);
    let messages = Messages { session: session.clone(), writer, filter, inbox, url, after: None };
    paged(MULTISTATUS_HEAD.to_vec(), messages).await
}

struct Messages {
    session: Session,
    writer: Writer,
    filter: CompFilter,
    inbox: Path,
    /// Its URL with the slash.
    url: String,
    after: Option<EntryKey>,
}

impl Pages for Messages {
    async fn page(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        let listing = self.session.list(&self.inbox, self.after.as_ref(), PAGE_MESSAGES, false).await?;
        let files = listing.nodes.iter().filter(|node| !node.is_folder());
        let paths: Vec<Path> = files.map(|node| self.inbox.join(node.name.clone())).collect();
        for found in self.session.fetch(&paths, self.writer.plan.needs_dead()).await? {
            match found {
                Ok(found) if matches(&self.filter, &found) => {
                    self.writer.found(out, self.url.as_bytes(), &found);
                }
                Ok(_) => {}
                // It was read and removed meanwhile.
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        self.after = listing.next;
        if self.after.is_none() {
            out.extend_from_slice(MULTISTATUS_TAIL);
        }
        Ok(self.after.is_some())
    }
}

fn matches(filter: &CompFilter, found: &Found) -> bool {
    let Ok(document) = Document::parse(&found.bytes, Limits::default()) else { return false };
    let Ok(object) = Object::of(&document) else { return false };
    filter.matches(&object, &Zone::utc(), Budget::default()).unwrap_or(true)
}
