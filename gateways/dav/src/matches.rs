//! The answer to a query: members of calendars or address books that match, page by page.

use std::collections::VecDeque;

use allod_core::{CardQuery, EventQuery, Finding, Found, Session, Want};
use allod_formats::calendar::CompFilter;
use allod_formats::card::Filter;
use allod_formats::zone::Zone;
use allod_kit::ResponseBody;
use allod_model::{Error, ErrorKind, Kind, Path};

use crate::caldav::timezones;
use crate::pages::{Pages, paged};
use crate::propfind::{MULTISTATUS_HEAD, MULTISTATUS_TAIL};
use crate::props::Writer;

/// Folders that one question is put to.
const FOLDERS_MAX: usize = 2000;

/// Bytes of a page, about: it ends once it holds more.
pub(crate) const PAGE_BYTES: usize = 1024 * 1024;

/// What is looked for.
#[derive(Clone)]
pub(crate) enum Question {
    /// In calendars; without a zone, each calendar's own counts.
    Events(CompFilter, Option<Zone>),
    /// In address books.
    Cards(Filter),
}

impl Question {
    /// The kind of folder that it is for.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Question::Events(..) => Kind::Calendar,
            Question::Cards(_) => Kind::AddressBook,
        }
    }
}

/// A multistatus of what matches in `folders`.
pub(crate) async fn multistatus(
    session: &Session,
    writer: Writer,
    question: Question,
    folders: Vec<Path>,
    limit: Option<u64>,
    asked: String,
) -> Result<ResponseBody, Error> {
    let matches = Matches {
        session: session.clone(),
        writer,
        question,
        folders: folders.into(),
        current: None,
        found: VecDeque::new(),
        limit,
        asked,
    };
    paged(MULTISTATUS_HEAD.to_vec(), matches).await
}

/// The folders of a kind directly within another: what a question of infinite depth to a home is put to.
pub(crate) async fn folders_within(session: &Session, home: &Path, kind: Kind) -> Result<Vec<Path>, Error> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = session.list(home, after.as_ref(), FOLDERS_MAX, false).await?;
        let fitting = page
            .nodes
            .iter()
            .filter(|node| node.rights.is_some() && node.folder.is_some_and(|facts| facts.kind == kind));
        found.extend(fitting.map(|node| home.join(node.name.clone())));
        after = page.next;
        if after.is_none() || found.len() >= FOLDERS_MAX {
            found.truncate(FOLDERS_MAX);
            return Ok(found);
        }
    }
}

struct Matches {
    session: Session,
    writer: Writer,
    question: Question,
    /// Those not asked yet.
    folders: VecDeque<Path>,
    /// The one being asked, and its URL with the slash.
    current: Option<(Finding, String)>,
    /// What it found and is not written yet.
    found: VecDeque<Found>,
    /// How many more rows the client takes.
    limit: Option<u64>,
    /// The URL that was asked.
    asked: String,
}

impl Pages for Matches {
    async fn page(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        loop {
            if !self.found.is_empty() {
                return Ok(self.write(out));
            }
            if let Some((finding, _)) = &mut self.current {
                match finding.next().await? {
                    Some(found) => {
                        self.found = found.into();
                        continue;
                    }
                    None => self.current = None,
                }
            }
            let Some(folder) = self.folders.pop_front() else {
                out.extend_from_slice(MULTISTATUS_TAIL);
                return Ok(false);
            };
            self.current = self.ask(&folder).await?;
        }
    }
}

impl Matches {
    /// Puts the question to a folder; `None` when it has gone meanwhile.
    async fn ask(&mut self, folder: &Path) -> Result<Option<(Finding, String)>, Error> {
        let with_properties = self.writer.plan.needs_dead();
        let asked = match &self.question {
            Question::Cards(filter) => {
                let query = CardQuery { filter: filter.clone(), with_properties };
                self.session.find_cards(folder, query).await
            }
            Question::Events(filter, zone) => {
                let zone = match zone {
                    Some(zone) => zone.clone(),
                    None => match self.session.stat(folder, Want::Folder, true).await {
                        Ok(node) => timezones::of_collection(&node.properties),
                        Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
                        Err(error) => return Err(error),
                    },
                };
                self.writer.zone = zone.clone();
                let query = EventQuery { filter: filter.clone(), zone, with_properties };
                self.session.find_events(folder, query).await
            }
        };
        match asked {
            Ok(finding) => Ok(Some((finding, self.writer.places.url(folder, true)))),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Appends rows of what was found, a page of them; `false`, and the end appended, when the client takes no more.
    fn write(&mut self, out: &mut Vec<u8>) -> bool {
        let url = self.current.as_ref().map_or("", |(_, url)| url.as_str());
        while let Some(one) = self.found.pop_front() {
            if self.limit == Some(0) {
                // RFC 6352 §8.6.2: truncated, so 507 for the request's URL.
                write_truncated(out, &self.asked);
                out.extend_from_slice(MULTISTATUS_TAIL);
                return false;
            }
            self.writer.found(out, url.as_bytes(), &one);
            if let Some(left) = &mut self.limit {
                *left -= 1;
            }
            // An object may come out much longer than it is, with its recurrences expanded.
            if out.len() >= PAGE_BYTES {
                break;
            }
        }
        true
    }
}

/// Appends the row that says that not all is there.
pub(crate) fn write_truncated(out: &mut Vec<u8>, url: &str) {
    out.extend_from_slice(b"<D:response><D:href>");
    out.extend_from_slice(url.as_bytes());
    out.extend_from_slice(
        b"</D:href><D:status>HTTP/1.1 507 Insufficient Storage</D:status>\
          <D:error><D:number-of-matches-within-limits/></D:error></D:response>\n",
    );
}
